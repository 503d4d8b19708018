//! People who are to be forgotten where they can be taken out: they leave the audience, and then the state.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;
use sha2::{Digest as _, Sha256};
use throng::sandbox::{Platform, Sandbox, SandboxConfig};

use crate::support::digest_hex;
use crate::support::home::{Home, email, emails, members, output_for, stderr, summary};
use crate::support::mirror::{Mirror, world};
use crate::support::upload::TOKEN;
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

/// What the command says that forgets these people.
fn forgotten(home: &Home, args: &[&str], people: &[u64]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
    command.args(["forget", "-t", "email_hash", "--json"]).args(args);
    command.current_dir(home.path("")).env("THRONG_TOKEN", TOKEN);
    let input: String = people.iter().map(|person| email(*person) + "\n").collect();
    output_for(&mut command, &input)
}

fn home_of_mirror() -> (Home, Sandbox) {
    let token = TOKEN.to_owned();
    let config = SandboxConfig { platform: Platform::Meta, token, ..SandboxConfig::default() };
    let (home, sandbox) = (Home::new(), Sandbox::start(config).unwrap());
    home.write("opt_outs.txt", "");
    home.write("export.csv", &emails(0..60));
    home.job_with(&sandbox, "min-opt-out-members = 0", |job| {
        job.replace("ad-account = 7", "ad-account = 7\nplatform = \"meta\"")
    });
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    (home, sandbox)
}

#[test]
fn they_are_taken_out_right_away_where_a_job_says_by_what() {
    let (home, sandbox) = home_of_mirror();
    let by_job = ["--job", "nightly.toml"];
    let state = home.path("state");
    let files = |person: u64| files_with(&state, &digest_hex(email(person).as_bytes())).len();
    // As long as they cannot be taken out they stay known, however fast they are to be forgotten.
    sandbox.push_fault("remove,code=2".parse().unwrap());
    let ended = forgotten(&home, &[&by_job[..], &["--at-once"]].concat(), &[3]);
    assert_eq!(ended.status.code(), Some(6), "{}", stderr(&ended));
    assert_eq!(summary(&ended)["waiting"], json!([1]), "{}", stderr(&ended));
    assert!(files(3) > 1);
    sandbox.clear_faults();
    let requests = sandbox.exchanges().len();
    home.write("opt_outs.txt", &(email(5) + "\n"));
    let ended = forgotten(&home, &by_job, &[3, 4, 100]);
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    let said = summary(&ended);
    assert_eq!((&said["waiting"], &said["listed"]), (&json!([]), &json!(2)), "{said}");
    assert_eq!(said["taken_out"][0]["left"], 0);
    assert_eq!(said["lines"][0]["found"][0]["standing"], "in", "before");
    let left = (0..60).filter(|person| ![3, 4, 5].contains(person));
    assert_eq!(members(&sandbox), digests(left.collect::<Vec<u64>>().iter()));
    for person in [3, 4, 100] {
        assert_eq!(files(person), 1, "{person}");
    }
    assert!(sandbox.exchanges()[requests..].iter().all(|one| one.method == "DELETE"));
    // No night has passed, and the next one has nothing to do.
    let history = summary(&home.throng(&["history", "--state", "state", "--json"]));
    assert_eq!(history["nights"].as_array().unwrap().len(), 1);
    let night = home.sync(&[]);
    assert_eq!(night.status.code(), Some(0), "{}", stderr(&night));
    assert_eq!(summary(&night)["audiences"][0]["entries_sent"], 0);
}

#[test]
fn at_once_names_the_audiences_that_hold_them_still() {
    let (home, sandbox) = home_of_mirror();
    let ended = forgotten(&home, &["--state", "state", "--at-once"], &[3, 100]);
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    let id = sandbox.audiences().unwrap()[0].id;
    let said = stderr(&ended);
    let command = format!("--audience {id} --ad-account 7 --remove");
    assert!(
        said.contains("1 of them are, or may be, in `News`") && said.contains(&command),
        "{said}"
    );
    let ended = forgotten(&home, &["--state", "state"], &[4]);
    assert!(stderr(&ended).contains("throng forget --job JOB"), "{}", stderr(&ended));
    assert_eq!(members(&sandbox).len(), 60);
}

/// Numbers as people write them, which only the country of the job makes the same as those of the export.
#[test]
fn a_job_says_by_which_rules_its_people_are_read() {
    let (home, sandbox) = home_of_mirror();
    home.job_with(&sandbox, "min-opt-out-members = 0", |job| {
        job.replace("ad-account = 7", "ad-account = 7\nplatform = \"meta\"")
            .replace("[input]\n", "[rules]\ncountry = \"DE\"\n\n[input]\n")
            .replace("email_hash", "phone_hash")
            .replace("\"email\"", "\"phone\"")
            .replace("\"News\"", "\"Calls\"")
            .replace("\"state\"", "\"calls\"")
    });
    let numbers = |from: u32| (from..80).map(|n| format!("(030) 901820 {n}\n"));
    home.write("export.csv", &("phone\n".to_owned() + &numbers(10).collect::<String>()));
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    let calls = || sandbox.audiences().unwrap().into_iter().find(|of| of.name == "Calls").unwrap();
    let members = || sandbox.members(calls().id).unwrap();
    assert_eq!(members().len(), 70);
    let forget = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
        command.args(["forget", "-t", "phone_hash", "--json", "--job", "nightly.toml"]).args(more);
        command.current_dir(home.path("")).env("THRONG_TOKEN", TOKEN);
        output_for(&mut command, "030 901820-17\n")
    };
    // A flag says otherwise: there it is another number.
    let ended = forget(&["--country", "IT"]);
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    assert_eq!(members().len(), 70);
    let ended = forget(&[]);
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    assert_eq!(members().len(), 69);
    assert!(!members().contains(&digest_hex(b"493090182017")));
}
