//! People who are to be forgotten where they can be taken out: they leave the audience, and then the state.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::support::digest_hex;
use crate::support::home::email;
use crate::support::mirror::{Mirror, world};
use crate::support::world::{digests, night_of};

#[test]
fn who_is_to_be_forgotten_leaves_the_audience_and_then_the_state() {
    let mirror = Mirror::new("email_hash");
    let world = world(300);
    mirror.export(&world);
    mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
    mirror.forget(7);
    // Also if there is no export that night.
    fs::rename(mirror.path("export.csv"), mirror.path("elsewhere")).unwrap();
    assert_eq!(night_of(&mirror.config("")).exit_code, 3);
    let left = digests(world.customers.iter().filter(|person| **person != 7));
    assert_eq!(mirror.members(), left);
    // The state knows nothing of them from then on, though that night failed.
    let forgotten = digest_hex(email(7).as_bytes());
    for run in fs::read_dir(mirror.path("state/parts")).unwrap() {
        for part in fs::read_dir(run.unwrap().path()).unwrap() {
            assert!(!fs::read_to_string(part.unwrap().path()).unwrap().contains(&forgotten));
        }
    }
    fs::rename(mirror.path("elsewhere"), mirror.path("export.csv")).unwrap();
    let record = night_of(&mirror.config(""));
    assert_eq!(record.exit_code, 0, "{:?}", record.error);
    assert_eq!(mirror.members(), left);
}

#[test]
fn who_is_to_be_forgotten_leaves_also_if_a_list_of_the_job_is_not_there() {
    let (mirror, world) = (Mirror::new("email_hash"), world(300));
    mirror.export(&world);
    mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
    for (person, list) in [(7, None), (8, Some("name,town\nAnn,Rome\nBob,Oslo\n"))] {
        mirror.forget(person);
        fs::remove_file(mirror.path("opt_outs.csv")).unwrap_or_default();
        if let Some(text) = list {
            fs::write(mirror.path("opt_outs.csv"), text).unwrap();
        }
        assert_eq!(night_of(&mirror.config("")).exit_code, 3, "{list:?}");
        assert!(!mirror.members().contains(&digest_hex(email(person).as_bytes())), "{list:?}");
    }
    assert_eq!(mirror.members().len(), 298);
}

/// Files below a folder that hold a digest, as bytes or in hex.
fn files_with(dir: &Path, digest: &str) -> Vec<PathBuf> {
    let bytes = const_hex::decode(digest).unwrap();
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, digest));
            continue;
        }
        let text = fs::read(&path).unwrap();
        let has = |what: &[u8]| text.windows(what.len()).any(|window| window == what);
        let is_name = path.to_string_lossy().contains(digest);
        if is_name || has(digest.as_bytes()) || has(&bytes) {
            found.push(path);
        }
    }
    found
}

/// Whoever came or left alone was a part of their own, whose sum says as much as their digest.
#[test]
fn neither_the_digest_nor_the_sum_of_a_part_of_one_survives() {
    let (mirror, mut world) = (Mirror::new("email_hash"), world(200));
    mirror.export(&world);
    mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
    let alone = [1001, 1002, 1003, 1004];
    for person in alone {
        world.customers.insert(person);
        mirror.export(&world);
        mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
    }
    // One has left long before, one has opted out.
    world.customers.remove(&1002);
    mirror.export(&world);
    mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
    world.opted_out.insert(1003);
    mirror.export(&world);
    mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
    let state = mirror.path("state");
    let sum = |person: u64| {
        let line = digest_hex(email(person).as_bytes()) + "\n";
        const_hex::encode(Sha256::digest(line))
    };
    assert!(alone.iter().all(|person| !files_with(&state, &sum(*person)).is_empty()));
    let forgotten = |people: &[u64]| {
        for person in people {
            let with = files_with(&state, &digest_hex(email(*person).as_bytes()));
            assert_eq!(with, [state.join("forgotten/email_hash.txt")], "{person}");
            assert_eq!(files_with(&state, &sum(*person)), Vec::<PathBuf>::new(), "{person}");
        }
    };
    for person in [1002, 1003] {
        mirror.forget(person);
    }
    forgotten(&[1002, 1003]);
    for person in [1001, 1004, 7] {
        mirror.forget(person);
    }
    assert_eq!(night_of(&mirror.config("")).exit_code, 0);
    forgotten(&[1001, 1002, 1003, 1004, 7]);
    let left = |person: &&u64| **person < 200 && **person != 7;
    assert_eq!(mirror.members(), digests(world.customers.iter().filter(left)));
    let record = night_of(&mirror.config(""));
    assert_eq!((record.exit_code, record.audiences[0].entries_sent), (0, 0));
}
