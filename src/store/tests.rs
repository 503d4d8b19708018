use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::DeliveryState::{Intended, Sent, Unknown};
use super::deliveries::NewPart;
use super::*;
use crate::error::ExitCode;
use crate::platform::Id;
use crate::user_type::UserType;

const ENDPOINT: &str = "https://api.example.com";

fn digest(number: u64) -> String {
    format!("{number:064x}")
}

fn part(sha256: &str) -> NewPart<'_> {
    NewPart { sha256, entries: 10, bytes: 100, file: "fbid-00001.txt" }
}

fn open() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("temporary folder");
    let store = Store::open(&dir.path().join("state")).expect("opens");
    (dir, store)
}

fn again(dir: &tempfile::TempDir) -> Store {
    Store::open(&dir.path().join("state")).expect("opens again")
}

fn named(store: &Store) -> Target {
    let account = 7.into();
    let key = TargetName { ad_account: &account, user_type: UserType::Fbid, name: "News" };
    store.target_by_name(ENDPOINT, &key).expect("a target")
}

fn begin(store: &Store, target: &Target, parts: &[&str]) -> RunId {
    let run = store.begin_run("throng upload x", None).expect("begins");
    let parts: Vec<NewPart<'_>> = parts.iter().map(|sha256| part(sha256)).collect();
    store.begin_upload(run, (target, Purpose::Add), Path::new("/x"), &parts).expect("begins");
    run
}

fn confirm(store: &Store, run: RunId, target: &Target, sha256: &str, audience: u64) {
    let fb_id: Id = 6_017_382_038_943.into();
    let (to, audience) = ((run, target), audience.into());
    store.confirm(to, None, (Purpose::Add, sha256), &audience, Some(&fb_id)).expect("writes");
}

fn confirmed(store: &Store, target: &Target) -> HashSet<String> {
    store.confirmed(target, Purpose::Add).expect("reads")
}

fn busy(may_have_effect: bool) -> RequestFailure {
    RequestFailure { kind: FailureKind::Busy, status: Some(503), may_have_effect }
}

/// How far a part is, as the database has it.
fn state_of(store: &Store, sha256: &str) -> DeliveryState {
    store
        .read(|db| {
            db.query_row("SELECT state FROM delivery WHERE sha256 = ?1", [sha256], |row| row.get(0))
        })
        .expect("a delivery")
}

fn job_key<'a>(account: &'a Id, name: &'a str) -> AudienceKey<'a> {
    let (endpoint, user_type) = (ENDPOINT, UserType::Fbid);
    AudienceKey { endpoint, ad_account: account, user_type, name, given_id: None }
}

#[test]
fn a_create_goes_from_planned_over_intent_to_ready_and_survives_each_step() {
    let (dir, store) = open();
    let target = named(&store);
    assert_eq!(target.state, TargetState::Planned);
    let (one, two) = (digest(1), digest(2));
    let run = begin(&store, &target, &[&one, &two]);
    store.begin_create(run, &target, Some(&one), Some("m1")).expect("writes");
    let store = again(&dir);
    let target = named(&store);
    assert_eq!(target.state, TargetState::Intent { marker: Some("m1".to_owned()) });
    assert_eq!((state_of(&store, &one), state_of(&store, &two)), (Sent, Intended));
    store.withdraw(&target).expect("writes");
    assert_eq!(named(&store).state, TargetState::Planned);
    assert_eq!(state_of(&store, &one), Intended);
    store.begin_create(run, &target, Some(&one), None).expect("writes");
    confirm(&store, run, &target, &one, 59);
    let store = again(&dir);
    let target = named(&store);
    assert_eq!(target.state, TargetState::Ready { audience: 59.into() });
    assert_eq!(target.fb_id, Some(6_017_382_038_943.into()));
    assert_eq!(confirmed(&store, &target), HashSet::from([one]));
}

#[test]
fn an_audience_with_the_marker_of_any_open_create_is_adopted_with_its_part() {
    let (dir, store) = open();
    let target = named(&store);
    let (one, two) = (digest(1), digest(2));
    let run = begin(&store, &target, &[&one, &two]);
    let refused = store.begin_create(run, &target, Some(&one), Some("m1")).expect("writes");
    store.fail_request(refused, busy(false)).expect("writes");
    let open = store.begin_create(run, &target, Some(&one), Some("m2")).expect("writes");
    store.fail_request(open, busy(true)).expect("writes");
    store.withdraw(&target).expect("writes");
    store.begin_create(run, &target, Some(&one), Some("m3")).expect("writes");
    let store = again(&dir);
    assert_eq!(store.open_markers(&target).expect("reads"), ["m2", "m3"]);
    assert!(!store.adopt(&target, "m4", &59.into(), None).expect("writes"));
    assert!(store.adopt(&target, "m2", &59.into(), None).expect("writes"));
    assert_eq!(named(&store).state, TargetState::Ready { audience: 59.into() });
    assert_eq!(confirmed(&store, &target), HashSet::from([one]));
}

#[test]
fn a_part_is_possible_from_its_request_on_until_it_is_certain() {
    let (_dir, store) = open();
    let target = named(&store);
    let one = digest(1);
    let run = begin(&store, &target, &[&one]);
    let mut states = Vec::new();
    for may_have_effect in [false, true, false] {
        let request = store.begin_request(run, &target, Call::Add, Some(&one)).expect("writes");
        states.push(state_of(&store, &one));
        store.fail_request(request, busy(may_have_effect)).expect("writes");
        states.push(state_of(&store, &one));
    }
    // What may have taken effect once stays possible, whatever later requests come to.
    assert_eq!(states, [Sent, Intended, Sent, Unknown, Unknown, Unknown]);
    begin(&store, &target, &[&one]);
    assert_eq!(state_of(&store, &one), Unknown);
    confirm(&store, run, &target, &one, 59);
    assert_eq!(state_of(&store, &one), DeliveryState::Confirmed);
    store.distrust(target.audience).expect("writes");
    assert_eq!(state_of(&store, &one), Unknown);
}

#[test]
fn an_audience_that_was_given_by_number_and_created_becomes_one() {
    let (_dir, store) = open();
    let by_number = || {
        store.target_by_number(ENDPOINT, &7.into(), UserType::Fbid, &59.into()).expect("a target")
    };
    let given = by_number();
    let (one, two) = (digest(1), digest(2));
    let run = begin(&store, &given, &[&one, &two]);
    confirm(&store, run, &given, &two, 59);
    let created = named(&store);
    begin(&store, &created, &[&one, &two]);
    store.ready(&created, &59.into(), None).expect("writes");
    let again = by_number();
    assert_eq!((again.id, again.name.as_deref()), (created.id, Some("News")));
    assert_eq!(confirmed(&store, &created), HashSet::from([two]));
    assert_eq!(store.history().expect("reads").targets.len(), 1);
}

#[test]
fn another_generation_takes_over_in_one_step_and_what_it_held_counts_as_possible() {
    let (dir, store) = open();
    let account = 7.into();
    let key = job_key(&account, "News");
    let look_up = |store: &Store| store.generations_of_job("news", &key).expect("reads").0;
    let live = look_up(&store).live;
    let (one, two) = (digest(1), digest(2));
    let run = begin(&store, &live, &[&one]);
    store.keep_parts(run, &[part(&one), part(&two)], "{}").expect("writes");
    confirm(&store, run, &live, &one, 59);

    let next = store.begin_next(live.audience, "News").expect("writes").next.expect("a next one");
    begin(&store, &next, &[&two]);
    confirm(&store, run, &next, &two, 60);
    let standings = |store: &Store, target: &Target| -> Vec<(String, Standing)> {
        let parts = store.held_parts(target).expect("reads");
        parts.into_iter().map(|part| (part.sha256, part.standing)).collect()
    };
    let as_next = [(one.clone(), Standing::Possible), (two.clone(), Standing::Confirmed)];
    assert_eq!(standings(&store, &next), as_next);
    assert_eq!((store.held(&live).expect("reads"), store.held(&next).expect("reads")), (10, 10));

    let generations = store.take_over(live.audience).expect("writes");
    assert_eq!((generations.live.id, generations.old.len()), (next.id, 1));
    let store = again(&dir);
    assert_eq!(look_up(&store).live.id, next.id);
    // Until it is deleted, whoever is in the old one may have to go.
    assert_eq!(standings(&store, &next), as_next);
    store.deleted(&generations.old[0]).expect("writes");
    assert_eq!(standings(&store, &next), as_next[1..]);
}

#[test]
fn a_live_audience_that_is_deleted_gives_its_place_to_the_next_one() {
    let (_dir, store) = open();
    let account = 7.into();
    let key = job_key(&account, "News");
    let live = store.generations_of_job("news", &key).expect("reads").0.live;
    store.ready(&live, &59.into(), None).expect("writes");
    let next = store.begin_next(live.audience, "News").expect("writes").next.expect("a next one");
    store.forget(ENDPOINT, &59.into()).expect("writes");
    let (generations, moved, is_again) = store.generations_of_job("news", &key).expect("reads");
    assert_eq!((generations.live.id, moved, is_again), (next.id, None, false));
    store.deleted(&generations.live).expect("writes");
    assert!(store.generations_of_job("news", &key).expect("reads").2, "it is planned again");
    let other = job_key(&account, "Others");
    assert!(
        store.generations_of_job("news", &other).expect("reads").1.is_some(),
        "the label moved"
    );
}

#[test]
fn history_has_unfinished_targets_first() {
    let (_dir, store) = open();
    let target = named(&store);
    let (one, two, three) = (digest(1), digest(2), digest(3));
    let run = begin(&store, &target, &[&one, &two]);
    confirm(&store, run, &target, &one, 59);
    let broke = Error::api(ExitCode::Partial, "it broke", "");
    store.end_upload(run, (&target, Purpose::Add), Err(&broke)).expect("writes");
    let other = store.target_by_number(ENDPOINT, &7.into(), UserType::EmailHash, &60.into());
    let other = other.expect("a target");
    let run = begin(&store, &other, &[&three]);
    confirm(&store, run, &other, &three, 60);
    store.end_upload(run, (&other, Purpose::Add), Ok(())).expect("writes");
    let targets = store.history().expect("reads").targets;
    assert_eq!(targets.len(), 2);
    assert!(targets[0].is_unfinished && !targets[1].is_unfinished);
    assert_eq!((targets[0].parts, targets[0].parts_confirmed), (2, 1));
    assert_eq!(targets[0].runs[0].exit_code, Some(7));
    assert_eq!(targets[0].runs[0].command, "throng upload x");
    store.forget(ENDPOINT, &59.into()).expect("writes");
    assert!(!store.history().expect("reads").targets[0].is_unfinished);
    assert_eq!(named(&store).state, TargetState::Planned);
}

#[test]
fn an_audience_belongs_to_one_run_at_a_time() {
    let (dir, store) = open();
    let target = named(&store);
    let lock = store.lock(&target).expect("locks");
    assert!(lock.is_some());
    let second = again(&dir);
    assert!(second.lock(&target).expect("tries").is_none());
    drop(lock);
    assert!(second.lock(&target).expect("locks").is_some());
}

#[test]
fn files_that_no_row_names_go_and_folders_of_an_unknown_run_are_refused() {
    let (dir, store) = open();
    let account = 7.into();
    let live = store.generations_of_job("news", &job_key(&account, "News")).expect("reads").0.live;
    let (one, two) = (digest(1), digest(2));
    let run = store.begin_run("throng sync", None).expect("begins");
    let put = |name: &str| {
        let file = dir.path().join("part");
        fs::write(&file, "x").expect("writes");
        store.put_files(run, &[(file, name)]).expect("puts");
        store.part_path(run, name)
    };
    let (kept, unnamed) = (put(&one), put(&two));
    store.keep_parts(run, &[part(&one)], "{}").expect("writes");
    store.begin_upload(run, (&live, Purpose::Add), Path::new("/x"), &[part(&one)]).expect("begins");
    confirm(&store, run, &live, &one, 59);
    store.check_complete().expect("complete");
    store.remove_unneeded().expect("removes");
    assert_eq!((kept.exists(), unnamed.exists()), (true, false));
    fs::create_dir(store.parts_dir().join("000009")).expect("creates");
    let error = store.check_complete().expect_err("nobody knows of run 9");
    assert!(error.to_string().contains("it has parts of run 9"), "{error}");
    fs::remove_dir(store.parts_dir().join("000009")).expect("removes");
    store.deleted(&live).expect("writes");
    store.remove_unneeded().expect("removes");
    assert!(!store.run_dir(run).exists());
}

#[test]
fn only_its_owner_can_read_it() {
    let (dir, store) = open();
    named(&store);
    let state = dir.path().join("state");
    let mode = |path: &Path| fs::metadata(path).expect("is there").permissions().mode() & 0o777;
    assert_eq!(mode(&state), 0o700);
    for file in fs::read_dir(&state).expect("reads") {
        assert_eq!(mode(&file.expect("a file").path()), 0o600);
    }
}

#[test]
fn a_store_that_is_damaged_newer_or_of_another_layout_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().expect("temporary folder");
    fs::write(dir.path().join("ledger.sqlite"), "").expect("writes");
    let error = Store::open(dir.path()).expect_err("an earlier layout");
    assert!(error.hint().is_some_and(|hint| hint.contains("move the directory away")), "{error}");
    assert!(!dir.path().join(STORE_FILE).exists());
    fs::write(dir.path().join(STORE_FILE), [7; 8192]).expect("writes");
    let error = Store::open(dir.path()).expect_err("damaged");
    assert!(error.to_string().ends_with("it is damaged"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("backup")));
    let (dir, store) = open();
    store.db.pragma_update(None, "user_version", SCHEMA.version + 1).expect("writes");
    let error = Store::open(&dir.path().join("state")).expect_err("newer");
    assert!(error.to_string().contains("has version 4"), "{error}");
}

#[test]
fn what_is_gone_is_not_created_and_what_was_not_planned_is_not_confirmed() {
    let (_dir, store) = open();
    let target = named(&store);
    let one = digest(1);
    let run = begin(&store, &target, &[&one]);
    confirm(&store, run, &target, &one, 59);
    assert!(store.begin_create(run, &target, Some(&one), None).is_err(), "it exists");
    store.forget(ENDPOINT, &59.into()).expect("writes");
    assert!(store.begin_create(run, &target, Some(&one), None).is_err(), "it existed");
    let (to, audience) = ((run, &target), 59.into());
    assert!(
        store.confirm(to, None, (Purpose::Add, &digest(2)), &audience, None).is_err(),
        "nobody planned it"
    );
}

#[test]
fn what_an_upload_is_to_send_stays_planned_while_a_job_tidies_up() {
    let (_dir, store) = open();
    let account = 7.into();
    let live = store.generations_of_job("news", &job_key(&account, "News")).expect("reads").0.live;
    let (one, two) = (digest(1), digest(2));
    begin(&store, &live, &[&one]);
    let of_job = store.begin_run("throng sync", Some("{}")).expect("begins");
    store
        .begin_upload(of_job, (&live, Purpose::Add), Path::new("/x"), &[part(&two)])
        .expect("begins");
    store.remove_unneeded().expect("removes");
    assert_eq!(state_of(&store, &one), Intended);
    let rows = |sha256: &str| {
        store.read(|db| {
            db.query_row("SELECT count(*) FROM delivery WHERE sha256 = ?1", [sha256], |row| {
                row.get::<_, i64>(0)
            })
        })
    };
    assert_eq!(rows(&two).expect("reads"), 0, "what a job did not send is prepared anew");
}

#[test]
fn a_copy_in_memory_changes_nothing_and_locks_nothing() {
    let (dir, store) = open();
    named(&store);
    let copy = store.in_memory().expect("copies");
    copy.begin_run("throng sync --dry-run", None).expect("writes");
    assert_eq!(copy.last_run().expect("reads").number(), 1);
    again(&dir).begin_run("throng upload", None).expect("nobody holds it up");
    assert_eq!(store.last_run().expect("reads").number(), 1);
}

#[test]
fn a_part_that_is_written_anew_takes_the_place_of_the_old_one() {
    let (dir, store) = open();
    let target = named(&store);
    let (old, new) = (digest(1), digest(9));
    let run = begin(&store, &target, &[&old, &digest(2)]);
    confirm(&store, run, &target, &old, 59);
    let rewritten = Rewritten { sha256: new.clone(), entries: 8, bytes: 80 };
    store
        .change(|db| {
            db.execute("UPDATE delivery SET entries_done = 7 WHERE sha256 = ?1", [&old]).map(drop)
        })
        .expect("writes");
    // Of three lines that are gone, two were among the first seven.
    store.substitute(&old, Some(&rewritten), &[0, 6, 7]).expect("writes");
    let store = again(&dir);
    assert_eq!(confirmed(&store, &target), HashSet::from([new.clone()]));
    assert_eq!(store.held(&target).expect("reads"), 8);
    let sql = "SELECT entries_done FROM delivery WHERE sha256 = ?1";
    let done: i64 = store.read(|db| db.query_row(sql, [&new], |row| row.get(0))).expect("reads");
    assert_eq!(done, 5);
    store.substitute(&new, None, &[]).expect("writes");
    assert!(confirmed(&store, &target).is_empty());
    assert_eq!(state_of(&store, &digest(2)), Intended);
}
