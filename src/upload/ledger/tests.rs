use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::api::CustomAudience;
use crate::error::ExitCode;
use crate::normalize::UserType;
use crate::upload::part::Part;

const ENDPOINT: &str = "https://api.example.com";

fn part(number: u64) -> Part {
    Part {
        path: PathBuf::new(),
        file: format!("fbid-{number:05}.txt"),
        lines: 10 * number,
        bytes: 100,
        sha256: format!("{number:064x}"),
    }
}

fn audience(id: u64) -> CustomAudience {
    CustomAudience {
        id: id.into(),
        name: String::new(),
        description: None,
        opt_out_link: None,
        user_type: None,
        subtype: None,
        fb_id: Some(6_017_382_038_943.into()),
    }
}

fn open() -> (tempfile::TempDir, Ledger) {
    let dir = tempfile::tempdir().expect("temporary folder");
    let ledger = Ledger::open(&dir.path().join("state")).expect("opens");
    (dir, ledger)
}

fn named(ledger: &mut Ledger) -> Target {
    let account = 7.into();
    let key =
        TargetName { ad_account: &account, user_type: UserType::Fbid, name: "News", generation: 0 };
    ledger.target_by_name(ENDPOINT, &key).expect("a target")
}

#[test]
fn a_create_goes_from_planned_over_intent_to_ready_and_survives_each_step() {
    let (dir, mut ledger) = open();
    let state = dir.path().join("state");
    let target = named(&mut ledger);
    assert_eq!(target.state, TargetState::Planned);
    let parts = [part(1), part(2)];
    let run = ledger.begin_run(&target, dir.path(), "throng", &parts).expect("begins");
    ledger.intend(&target, Some("m1")).expect("writes");
    drop(ledger);
    let mut ledger = Ledger::open(&state).expect("opens again");
    let target = named(&mut ledger);
    assert_eq!(target.state, TargetState::Intent { marker: Some("m1".to_owned()) });
    ledger.withdraw(&target).expect("writes");
    assert_eq!(named(&mut ledger).state, TargetState::Planned);
    ledger.intend(&target, None).expect("writes");
    ledger.acknowledge(&target, run, None, &parts[0], &audience(59)).expect("writes");
    drop(ledger);
    let mut ledger = Ledger::open(&state).expect("opens again");
    let target = named(&mut ledger);
    assert_eq!(target.state, TargetState::Ready { audience: 59.into() });
    assert_eq!(target.fb_id, Some(6_017_382_038_943.into()));
    let acknowledged = ledger.acknowledged(&target).expect("reads");
    assert_eq!(acknowledged, HashSet::from([parts[0].sha256.clone()]));
    // What is ready stays so.
    ledger.intend(&target, Some("m2")).expect("writes");
    assert_eq!(named(&mut ledger).state, TargetState::Ready { audience: 59.into() });
}

#[test]
fn an_audience_that_was_given_by_number_and_created_becomes_one() {
    let (dir, mut ledger) = open();
    let given = ledger
        .target_by_audience(ENDPOINT, &7.into(), UserType::Fbid, &59.into())
        .expect("a target");
    let parts = [part(1), part(2)];
    let run = ledger.begin_run(&given, dir.path(), "throng", &parts).expect("begins");
    ledger.acknowledge(&given, run, None, &parts[1], &audience(59)).expect("writes");
    let created = named(&mut ledger);
    ledger.begin_run(&created, dir.path(), "throng", &parts).expect("begins");
    ledger.ready(&created, &59.into(), None).expect("writes");
    let again = ledger
        .target_by_audience(ENDPOINT, &7.into(), UserType::Fbid, &59.into())
        .expect("a target");
    assert_eq!((again.id, again.name.as_deref()), (created.id, Some("News")));
    let acknowledged = ledger.acknowledged(&created).expect("reads");
    assert_eq!(acknowledged, HashSet::from([parts[1].sha256.clone()]));
    assert_eq!(ledger.history().expect("reads").targets.len(), 1);
}

#[test]
fn history_has_unfinished_targets_first() {
    let (dir, mut ledger) = open();
    let target = named(&mut ledger);
    let parts = [part(1), part(2)];
    let run = ledger.begin_run(&target, dir.path(), "throng upload x", &parts).expect("begins");
    ledger.acknowledge(&target, run, None, &parts[0], &audience(59)).expect("writes");
    ledger.end_run(run, Err(&Error::api(ExitCode::Partial, "it broke", ""))).expect("writes");
    let other = ledger
        .target_by_audience(ENDPOINT, &7.into(), UserType::EmailHash, &60.into())
        .expect("a target");
    let run = ledger.begin_run(&other, dir.path(), "throng", &[part(3)]).expect("begins");
    ledger.acknowledge(&other, run, None, &part(3), &audience(60)).expect("writes");
    ledger.end_run(run, Ok(())).expect("writes");
    let targets = ledger.history().expect("reads").targets;
    assert_eq!(targets.len(), 2);
    assert!(targets[0].is_unfinished && !targets[1].is_unfinished);
    assert_eq!((targets[0].parts, targets[0].parts_acknowledged), (2, 1));
    assert_eq!(targets[0].runs[0].exit_code, Some(7));
    assert_eq!(targets[0].runs[0].command, "throng upload x");
    ledger.forget(ENDPOINT, &59.into()).expect("writes");
    assert!(!ledger.history().expect("reads").targets[0].is_unfinished);
    assert_eq!(named(&mut ledger).state, TargetState::Planned);
}

#[test]
fn a_target_belongs_to_one_run_at_a_time() {
    let (dir, mut ledger) = open();
    let target = named(&mut ledger);
    let lock = ledger.lock(&target).expect("locks");
    assert!(lock.is_some());
    let second = Ledger::open(&dir.path().join("state")).expect("opens");
    assert!(second.lock(&target).expect("tries").is_none());
    drop(lock);
    assert!(second.lock(&target).expect("locks").is_some());
}

#[test]
fn only_its_owner_can_read_it() {
    let (dir, mut ledger) = open();
    named(&mut ledger);
    let state = dir.path().join("state");
    let mode = |path: &Path| fs::metadata(path).expect("is there").permissions().mode() & 0o777;
    assert_eq!(mode(&state), 0o700);
    for file in fs::read_dir(&state).expect("reads") {
        assert_eq!(mode(&file.expect("a file").path()), 0o600);
    }
}

#[test]
fn a_damaged_or_newer_ledger_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().expect("temporary folder");
    fs::write(dir.path().join(LEDGER_FILE), [7; 8192]).expect("writes");
    let error = Ledger::open(dir.path()).expect_err("damaged");
    assert!(error.to_string().ends_with("it is damaged"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("backup")));
    let (dir, ledger) = open();
    ledger.db.pragma_update(None, "user_version", SCHEMA_VERSION + 1).expect("writes");
    let error = Ledger::open(&dir.path().join("state")).expect_err("newer");
    assert!(error.to_string().contains("has version 2"), "{error}");
}
