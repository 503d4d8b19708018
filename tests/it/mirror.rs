//! Nights on a platform that can take people out: who leaves and who stays, audiences that are replaced among them.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, SystemTime};

use throng::job;
use throng::sync::SyncConfig;

use crate::support::digest_hex;
use crate::support::home::email;
use crate::support::mirror::{Mirror, world};
use crate::support::world::{World, digests, night_of};

#[test]
fn who_could_not_be_taken_out_is_taken_out_the_next_night() {
    let (mirror, mut world) = (Mirror::new("email_hash"), world(200));
    mirror.export(&world);
    let config = mirror.config("");
    mirror.assert_is_truth(&night_of(&config), &world);
    world.opted_out.extend(0..20);
    mirror.export(&world);
    // Of those who leave the platform takes one for invalid, and keeps it.
    mirror.fault("remove,nth=1,invalid=1");
    let record = night_of(&config);
    assert_eq!(record.exit_code, 3, "{:?}", record.error);
    assert!(record.error.as_ref().is_some_and(|error| error.contains("may still be in")));
    assert_eq!(record.must_go_entries(), 20);
    assert_eq!(mirror.members().len(), 181);
    mirror.assert_is_truth(&night_of(&config), &world);
}

#[test]
fn people_stay_as_the_job_says() {
    for (remove, left, opted_out) in
        [("remove = \"opted-out\"", 0, 2), ("remove = \"never\"", 0, 0)]
    {
        let mirror = Mirror::new("email_hash");
        let mut world = world(300);
        mirror.export(&world);
        let config = mirror.config(remove);
        assert_eq!(night_of(&config).exit_code, 0);
        world.opted_out.extend([1, 2]);
        world.customers.remove(&3);
        mirror.export(&world);
        let record = night_of(&config);
        assert_eq!(record.exit_code, 0, "{:?}", record.error);
        let audience = &record.audiences[0];
        assert_eq!((audience.removed_gone, audience.removed_opted_out), (left, opted_out));
        assert_eq!(audience.figures.sets.gone, 1);
        assert_eq!(audience.figures.sets.must_go, 2 - opted_out);
        assert_eq!(mirror.members().len() as u64, 300 - opted_out);
    }
}

#[test]
fn somebody_in_a_batch_without_an_answer_who_leaves_is_taken_out() {
    let mirror = Mirror::new("email_hash");
    let mut world = world(200);
    mirror.export(&world);
    // Every batch takes effect, and none is confirmed.
    mirror.fault("add,when=after,cut");
    let record = night_of(&mirror.config(""));
    assert_eq!(record.exit_code, 6, "{:?}", record.error);
    mirror.sandbox.clear_faults();
    let there = mirror.members();
    assert!(!there.is_empty());
    let is_there = |person: &u64| there.contains(&digest_hex(email(*person).as_bytes()));
    let leaving: Vec<u64> = world.customers.iter().copied().filter(is_there).take(3).collect();
    world.customers.retain(|person| !leaving.contains(person));
    mirror.export(&world);
    mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
}

/// By hand and by the job, again and again: the same people make the same part each time.
#[test]
fn somebody_can_leave_and_come_back_any_number_of_times() {
    let mirror = Mirror::new("email_hash");
    let mut world = world(300);
    mirror.export(&world);
    mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
    for turn in 0..3 {
        world.customers.remove(&7);
        mirror.export(&world);
        mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
        world.customers.insert(7);
        mirror.export(&world);
        mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
        if turn > 0 {
            continue;
        }
        // Somebody takes them out by hand, as it happens with a part of the same bytes, and the next night has them back.
        fs::write(mirror.path("seven.csv"), format!("email\n{}\n", email(7))).unwrap();
        let throng = |args: &[&str]| {
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_throng"));
            command.args(args).current_dir(mirror.dir.path());
            let output = command.env("THRONG_TOKEN", mirror.sandbox.token()).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        throng(&["prepare", "seven.csv", "-t", "email_hash", "-o", "seven"]);
        let (id, endpoint) = (mirror.sandbox.audiences().unwrap()[0].id, mirror.sandbox.endpoint());
        let remove = ["upload", "seven", "--to", "meta", "--remove", "--ad-account", "7"];
        let at = ["--audience", &id.to_string(), "--endpoint", &endpoint, "--state", "state"];
        throng(&[&remove[..], &at].concat());
        assert_eq!(mirror.members().len(), 299);
        mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
    }
}

#[test]
fn a_dry_run_says_who_would_leave_and_takes_nobody_out() {
    let mirror = Mirror::new("email_hash");
    let mut world = world(300);
    mirror.export(&world);
    assert_eq!(night_of(&mirror.config("")).exit_code, 0);
    world.opted_out.insert(1);
    world.customers.remove(&3);
    mirror.export(&world);
    let requests = mirror.sandbox.exchanges().len();
    let record = night_of(&SyncConfig { is_dry_run: true, ..mirror.config("") });
    assert_eq!(record.exit_code, 0, "{:?}", record.error);
    assert!(record.to_string().contains("would be taken out"), "{record}");
    assert_eq!(mirror.sandbox.exchanges().len(), requests);
    mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
}

#[test]
fn a_new_audience_in_the_place_of_another_one_is_a_mirror_as_well() {
    let mirror = Mirror::new("email_hash");
    let mut world = world(300);
    mirror.export(&world);
    assert_eq!(night_of(&mirror.config("")).exit_code, 0);
    let first = mirror.sandbox.audiences().unwrap()[0].id;
    world.opted_out.insert(1);
    world.customers.remove(&3);
    mirror.export(&world);
    let replacing = SyncConfig { is_replacing: true, ..mirror.config("") };
    mirror.fault("add,from=2,status=503");
    assert_eq!(night_of(&replacing).exit_code, 7);
    mirror.sandbox.clear_faults();
    let opted_out = digests([&1]);
    for audience in mirror.sandbox.audiences().unwrap() {
        let members: BTreeSet<String> =
            mirror.sandbox.members(audience.id).unwrap().into_iter().collect();
        assert!(members.is_disjoint(&opted_out));
    }
    world.opted_out.insert(2);
    mirror.export(&world);
    let record = night_of(&mirror.config(""));
    assert_eq!(record.exit_code, 0, "{:?}", record.error);
    assert_eq!(mirror.members(), digests(world.customers.difference(&world.opted_out)));
    assert_ne!(mirror.sandbox.audiences().unwrap()[0].id, first);
    mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
}

/// Members of all audiences that there are.
fn members_of_all(mirror: &Mirror) -> Vec<BTreeSet<String>> {
    let audiences = mirror.sandbox.audiences().unwrap();
    let members = |id: u64| mirror.sandbox.members(id).unwrap().into_iter().collect();
    audiences.iter().map(|audience| members(audience.id)).collect()
}

#[test]
fn who_opted_out_leaves_a_replaced_audience_that_cannot_be_deleted() {
    let (mirror, mut world) = (Mirror::new("email_hash"), world(200));
    mirror.export(&world);
    mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
    mirror.fault("delete,code=200,status=403");
    let record = night_of(&SyncConfig { is_replacing: true, ..mirror.config("") });
    assert_eq!(record.exit_code, 5, "{:?}", record.error);
    world.opted_out.extend(0..10);
    mirror.export(&world);
    let truth = mirror.entries(world.customers.difference(&world.opted_out));
    // In the second night there is nobody left to take out, and nobody is told again.
    for removed in [10, 0] {
        let record = night_of(&mirror.config(""));
        assert_eq!(record.exit_code, 5, "{:?}", record.error);
        assert_eq!(record.audiences[0].removed_opted_out, removed);
        assert_eq!(record.must_go_entries(), 0);
        assert_eq!(members_of_all(&mirror), [truth.clone(), truth.clone()]);
    }
    // As long as they are in the old one, they count.
    world.opted_out.extend(10..15);
    mirror.export(&world);
    mirror.fault("remove,from=2,code=368,status=400");
    let record = night_of(&mirror.config(""));
    assert_eq!(record.must_go_entries(), 5, "{:?}", record.error);
    assert_eq!(record.exit_code, 5);
    mirror.sandbox.clear_faults();
    mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
}

#[test]
fn a_flagged_audience_is_built_anew_though_nobody_can_be_taken_out_of_it() {
    for by_job in [false, true] {
        let (mirror, mut world) = (Mirror::new("email_hash"), world(200));
        mirror.export(&world);
        mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
        mirror.sandbox.set_flagged(mirror.sandbox.audiences().unwrap()[0].id, true);
        world.opted_out.extend([1, 2]);
        mirror.export(&world);
        if by_job {
            let mut config = mirror.config("");
            config.job.audiences[0].replace = job::Replace::WhenOptedOut;
            mirror.assert_is_truth(&night_of(&config), &world);
            continue;
        }
        let record = night_of(&mirror.config(""));
        assert_eq!((record.exit_code, record.must_go_entries()), (5, 2), "{:?}", record.error);
        let replacing = SyncConfig { is_replacing: true, ..mirror.config("") };
        mirror.assert_is_truth(&night_of(&replacing), &world);
    }
}

/// They opted out, were taken out, and then the export drops them, too: their list is written as ever.
#[test]
fn a_list_whose_members_were_all_taken_out_stops_no_night() {
    for (user_type, least) in
        [("email_hash", None), ("email_hash", Some(2)), ("custom_audience_third_party_id", None)]
    {
        let (mirror, mut world) = (Mirror::new(user_type), world(200));
        let night = || {
            let mut config = mirror.config("");
            config.job.suppress[0].guards.min_members = least;
            night_of(&config)
        };
        world.opted_out.extend([1, 2]);
        let all = World { customers: world.customers.clone(), ..World::default() };
        mirror.export(&all);
        assert_eq!(night_of(&mirror.config("")).exit_code, 0);
        mirror.export(&world);
        mirror.assert_is_truth(&night(), &world);
        world.customers.remove(&1);
        world.customers.remove(&2);
        for _ in 0..3 {
            world.customers.insert(300 + world.customers.len() as u64);
            mirror.export(&world);
            let record = night();
            mirror.assert_is_truth(&record, &world);
            let list = &record.opt_out_lists[0];
            assert_eq!((list.members, list.taken_out), (Some(0), 2));
            let remembered = fs::File::options()
                .append(true)
                .open(mirror.path(&format!("state/lists/{user_type}-opted-out.txt")))
                .unwrap();
            let age = remembered.metadata().unwrap().modified().unwrap().elapsed().unwrap();
            assert!(age < Duration::from_hours(24), "it is renewed as long as it is needed");
            let long_ago = SystemTime::now() - Duration::from_hours(30 * 24);
            remembered.set_modified(long_ago).unwrap();
        }
        // A list of others is another matter.
        mirror.export(&World { opted_out: [1001, 1002].into(), ..world });
        let record = night();
        assert_eq!(record.exit_code, 3, "{:?}", record.error);
        let guard = record.guard.map(|guard| guard.name);
        assert_eq!(guard.as_deref(), Some("min_opt_out_members"), "{:?}", record.error);
    }
}

#[test]
fn who_was_taken_out_and_what_is_invalid_is_told_everywhere() {
    let (mirror, mut world) = (Mirror::new("email_hash"), world(200));
    mirror.export(&world);
    mirror.fault("add,nth=1,invalid=3");
    let record = night_of(&mirror.config(""));
    assert_eq!((record.exit_code, record.audiences[0].entries_invalid), (0, 3));
    assert!(record.to_string().contains("invalid"), "{record}");
    let page = throng::report::render(&record, &[]).unwrap();
    assert!(page.contains("<dt>Invalid</dt><dd>3</dd>"), "{page}");
    world.customers.remove(&190);
    world.opted_out.insert(191);
    mirror.export(&world);
    let record = night_of(&mirror.config(""));
    assert_eq!(record.audiences[0].entries_invalid, 3, "they are in it still");
    let metrics = throng::report::metrics(&record, None);
    let has_it =
        |line: &str| line.starts_with("throng_sync_invalid_entries{") && line.ends_with(" 3");
    assert!(metrics.lines().any(has_it), "{metrics}");
    let history = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_throng"));
        command.args(["history", "--state", "state"]).args(args).current_dir(mirror.dir.path());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let text = history(&[]);
    assert!(text.contains("0 uploaded, 2 taken out, 0 must go, 3 invalid"), "{text}");
    assert!(text.contains("3 of them invalid for the platform"), "{text}");
    assert!(text.contains("done: to take out 2 entries in 1 parts"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&history(&["--json"])).unwrap();
    assert_eq!(json["targets"][0]["entries_invalid"], 3);
    assert_eq!(json["nights"][0]["audiences"][0]["entries_invalid"], 3);
}

#[test]
fn the_audience_that_a_job_leaves_is_named_and_so_is_how_it_goes() {
    let (mirror, world) = (Mirror::new("email_hash"), world(200));
    mirror.export(&world);
    mirror.assert_is_truth(&night_of(&mirror.config("")), &world);
    let first = mirror.sandbox.audiences().unwrap()[0].id;
    let renamed = || {
        let mut config = mirror.config("");
        let creation = config.job.audiences[0].creation.as_mut().unwrap();
        "Letters".clone_into(&mut creation.name);
        config
    };
    let record = night_of(&renamed());
    assert_eq!(record.exit_code, 0, "{:?}", record.error);
    let told = format!("throng audience delete {first} --to meta");
    let of_first = |notes: &[String]| notes.iter().filter(|note| note.contains(&told)).count();
    assert_eq!(of_first(&record.notes), 1, "{:?}", record.notes);
    assert!(record.notes.iter().any(|note| note.contains("`Newsletter`")), "{:?}", record.notes);
    assert_eq!(of_first(&night_of(&renamed()).notes), 0, "once is enough");
}
