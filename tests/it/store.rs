//! What outlives a run: decisions of people, names that are used again, directories that change, two throngs at once,
//! and a store that cannot be used.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use throng::normalize::UserType;
use throng::sandbox::{Revision, Sandbox, SandboxConfig};

use crate::support::upload::{Prepared, TOKEN, User, open_store, said};
use crate::support::{config, run};

fn sandbox(faults: &[&str]) -> Sandbox {
    sandbox_in(Revision::A, faults)
}

fn sandbox_in(revision: Revision, faults: &[&str]) -> Sandbox {
    let faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
    let token = TOKEN.to_owned();
    Sandbox::start(SandboxConfig { revision, faults, token, ..SandboxConfig::default() }).unwrap()
}

#[track_caller]
fn ends(user: &User<'_>, sandbox: &Sandbox, more: &[&str], code: i32, message: &str) {
    let output = user.upload(sandbox, more);
    assert_eq!(output.status.code(), Some(code), "{}", said(&output));
    assert!(said(&output).contains(message), "{}", said(&output));
}

fn posts(sandbox: &Sandbox) -> usize {
    sandbox.exchanges().iter().filter(|one| one.method == "POST").count()
}

#[test]
fn create_again_that_is_said_twice_makes_no_second_audience() {
    let prepared = Prepared::new(40, 12);
    for revision in Revision::ALL {
        for no_marker in [false, true] {
            let user = User::new(&prepared, if no_marker { &["--no-marker"] } else { &[] });
            let sandbox = sandbox_in(revision, &["create,nth=1,cut", "add,first=8,status=503"]);
            ends(&user, &sandbox, &[], 8, "it is not known whether `News` was created");
            // The parts fail, so the same command is run again.
            ends(
                &user,
                &sandbox,
                &["--create-again", "--attempts", "2"],
                7,
                "run the same command again",
            );
            ends(&user, &sandbox, &["--create-again"], 2, "audience 59 was created and is there");
            assert_eq!(sandbox.audiences().unwrap().len(), 1);
            sandbox.clear_faults();
            ends(&user, &sandbox, &[], 0, "audience 59");
            user.check_done(&sandbox);
            // Now it is deleted behind throng's back.
            let id = sandbox.audiences().unwrap()[0].id;
            delete_directly(&sandbox, &id.to_string());
            ends(&user, &sandbox, &["--create-again"], 0, "audience 60");
            assert_eq!(sandbox.audiences().unwrap().len(), 1);
        }
    }
}

fn delete_directly(sandbox: &Sandbox, id: &str) {
    use crate::support::http::Request;
    let path = format!("/custom_audiences/{id}");
    assert!(Request::new(sandbox, "DELETE", &path).answer(sandbox).status < 300);
}

#[test]
fn create_again_adopts_what_the_first_create_made_after_all() {
    let prepared = Prepared::new(40, 12);
    for revision in Revision::ALL {
        // The list does not have it when it is asked for the first time.
        let user = User::new(&prepared, &[]);
        let sandbox = sandbox_in(revision, &["create,when=after,cut", "list,first=8,status=403"]);
        ends(&user, &sandbox, &[], 8, "--adopt ID");
        sandbox.clear_faults();
        ends(&user, &sandbox, &["--create-again"], 0, "was created by an earlier attempt");
        assert_eq!((sandbox.audiences().unwrap().len(), posts(&sandbox)), (1, 1));
        user.check_done(&sandbox);
    }
}

#[test]
fn adopt_takes_a_persons_word() {
    let prepared = Prepared::new(40, 12);
    for id in ["59", "6017382038943"] {
        let user = User::new(&prepared, &["--no-marker"]);
        let sandbox = sandbox(&["create,nth=1,when=after,cut"]);
        ends(&user, &sandbox, &[], 8, "without a marker it cannot be looked for");
        ends(&user, &sandbox, &["--adopt", id], 0, "has all 40 entries");
        ends(&user, &sandbox, &["--adopt", id], 0, "0 of 4 parts sent");
        ends(
            &user,
            &sandbox,
            &["--adopt", "77"],
            2,
            "it is known already which audience was created: 59",
        );
        assert_eq!(posts(&sandbox), 1);
        user.check_done(&sandbox);
    }
}

#[test]
fn a_name_is_not_used_for_other_files() {
    let (first, second) = (Prepared::new(40, 12), Prepared::new(30, 12));
    let sandbox =
        sandbox(&["create,nth=1,when=head,status=400", "create,nth=2,cut", "add,nth=2,status=422"]);
    let mut user = User::new(&first, &["--parallel", "1"]);
    // Refused: nothing was created, so the name is free for others.
    ends(&user, &sandbox, &[], 3, "status 400");
    user.prepared = &second;
    ends(&user, &sandbox, &[], 8, "it is not known whether `News` was created");
    // Undecided: nothing of other files is sent before it is settled, however often it is tried.
    user.prepared = &first;
    let count = sandbox.exchanges().len();
    for _ in 0..2 {
        ends(&user, &sandbox, &[], 8, "may have been created from other files");
    }
    assert_eq!(sandbox.exchanges().len(), count);
    user.prepared = &second;
    ends(&user, &sandbox, &["--create-again"], 3, "status 422");
    // Created, and partly uploaded.
    user.prepared = &first;
    for _ in 0..2 {
        ends(&user, &sandbox, &[], 2, "audience of that name, 59, was created from other files");
    }
    user.prepared = &second;
    ends(&user, &sandbox, &[], 0, "has all 30 entries");
    let members = sandbox.members(59).unwrap();
    assert!(members.iter().eq(second.members.iter()));
    // The way that the hint shows.
    user.prepared = &first;
    let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
    command.args(["upload", "--audience", "59", "--ad-account", "7", "--state"]).arg(user.state());
    command.args(["--endpoint", &sandbox.endpoint()]).env("THRONG_TOKEN", TOKEN).arg(first.out());
    assert_eq!(command.output().unwrap().status.code(), Some(0));
    assert_eq!(sandbox.audiences().unwrap().len(), 1);
}

#[test]
fn one_of_two_throngs_waits_for_another_day() {
    let prepared = Prepared::new(40, 12);
    let sandbox = sandbox(&["add,nth=1,hang"]);
    let user = User::new(&prepared, &[]);
    let mut first = user.start(&sandbox);
    wait_for("the first to be under way", || !sandbox.audiences().unwrap().is_empty());
    ends(&user, &sandbox, &[], 6, "another throng is uploading to this audience");
    first.kill().unwrap();
    first.wait().unwrap();
    sandbox.clear_faults();
    ends(&user, &sandbox, &[], 0, "has all 40 entries");
    user.check_done(&sandbox);
    // Many that start at the same moment, on a store that is not there yet: one does it, none creates another.
    let user = User::new(&prepared, &[]);
    let children: Vec<_> = (0..6).map(|_| user.start(&sandbox)).collect();
    let codes = children.into_iter().map(|mut child| child.wait().unwrap().code().unwrap());
    let codes: Vec<i32> = codes.collect();
    assert!(codes.contains(&0) && codes.iter().all(|code| [0, 6].contains(code)), "{codes:?}");
    assert_eq!(sandbox.audiences().unwrap().len(), 2);
}

#[track_caller]
fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < until, "waiting for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_directory_that_is_prepared_again_meanwhile_is_never_mixed() {
    let dir = tempfile::tempdir().unwrap();
    let (out, input) = (dir.path().join("out"), dir.path().join("input.txt"));
    let prepare = |first: u64| {
        let ids: Vec<String> = (first..first + 60).map(|id| id.to_string()).collect();
        fs::write(&input, ids.join("\n")).unwrap();
        let mut config = config(UserType::Fbid, std::slice::from_ref(&input), &out);
        config.output.part_lines = 6;
        run(config).unwrap();
        ids
    };
    let mut old = prepare(1000);
    let sandbox = sandbox(&["add,delay=0.1", "create,when=after,delay=0.1"]);
    let throng = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
        command.args(["upload", "--create", "News", "--ad-account", "7", "--parallel", "1"]);
        command.args(["--endpoint", &sandbox.endpoint(), "--state"]).arg(dir.path().join("state"));
        command.arg(&out).env("THRONG_TOKEN", TOKEN);
        command
    };
    let child = throng().stderr(std::process::Stdio::piped()).spawn().unwrap();
    wait_for("the create", || !sandbox.audiences().unwrap().is_empty());
    prepare(5000);
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(3), "{}", said(&ended));
    assert!(said(&ended).contains("the part changed while it was sent"), "{}", said(&ended));
    old.sort();
    let members = sandbox.members(59).unwrap();
    assert!(!members.is_empty() && members.iter().all(|id| old.binary_search(id).is_ok()));
    // The new directory is another one; nothing of it gets in under the old name.
    let again = throng().output().unwrap();
    assert_eq!(again.status.code(), Some(2), "{}", said(&again));
    // The old one again: it goes on where it stopped.
    prepare(1000);
    sandbox.clear_faults();
    let done = throng().output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert_eq!(sandbox.members(59).unwrap(), old);
}

#[test]
fn a_store_that_cannot_be_used_stops_the_run_before_anything_is_sent() {
    let prepared = Prepared::new(40, 12);
    let sandbox = sandbox(&[]);
    let user = User::new(&prepared, &[]);
    // The place of the state directory is taken.
    fs::write(user.state(), "x").unwrap();
    ends(&user, &sandbox, &[], 4, "failed to create the state directory");
    fs::remove_file(user.state()).unwrap();
    // It is no database.
    fs::create_dir(user.state()).unwrap();
    fs::write(user.state().join("throng.sqlite"), [b'x'; 8192]).unwrap();
    ends(&user, &sandbox, &[], 4, "it is damaged");
    ends(&user, &sandbox, &[], 4, "--audience ID");
    fs::remove_dir_all(user.state()).unwrap();
    assert_eq!(sandbox.exchanges().len(), 0);
    // Pages in its middle were overwritten.
    ends(&user, &sandbox, &["--no-marker"], 0, "audience 59");
    let path = user.state().join("throng.sqlite");
    open_store(&user.state()).execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096..].fill(0x5A);
    fs::write(&path, bytes).unwrap();
    let count = sandbox.exchanges().len();
    ends(&user, &sandbox, &[], 4, "it is damaged");
    assert_eq!(sandbox.exchanges().len(), count);
}

/// Runs `throng upload` in a mount namespace of its own with a small file system for its state.
fn on_small_disk(
    user: &User<'_>,
    sandbox: &Sandbox,
    options: &str,
    prelude: &str,
) -> Option<String> {
    let state = user.state();
    fs::create_dir_all(&state).unwrap();
    let command = user.command(sandbox, &[]);
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> =
        words.map(|word| shlex::try_quote(word.to_str().unwrap()).unwrap().into_owned()).collect();
    let state = shlex::try_quote(state.to_str().unwrap()).unwrap().into_owned();
    let script = format!(
        "mount -t tmpfs -o {options} tmpfs {state} && {prelude} && {{ {}; echo code $?; ls {state}; }}",
        words.join(" ")
    );
    let script = script.replace("STATE", &state);
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "sh", "-c", &script]).env("THRONG_TOKEN", TOKEN);
    let output = unshare.output().ok()?;
    let said = said(&output);
    said.contains("code ").then_some(said)
}

#[test]
fn a_full_or_read_only_disk_stops_the_run_before_anything_is_sent() {
    let prepared = Prepared::new(40, 12);
    let sandbox = sandbox(&[]);
    let user = User::new(&prepared, &[]);
    for (options, prelude, message) in [
        ("size=16k", "true", "is there space left"),
        ("size=64k", "head -c 60000 /dev/zero > STATE/x || true", "no space left"),
        ("size=1m", "mount -o remount,ro STATE", "read-only file system"),
    ] {
        let Some(said) = on_small_disk(&user, &sandbox, options, prelude) else {
            println!("skipped: no mount namespace here (needs root)");
            return;
        };
        assert!(said.contains("code 4"), "{options}: {said}");
        assert!(said.contains(message), "{options}: {said}");
        assert_eq!(sandbox.exchanges().len(), 0, "{options}: {said}");
    }
}

#[test]
fn a_disk_that_fills_up_in_the_middle_costs_parts_that_are_sent_again_at_most() {
    let prepared = Prepared::new(200, 4);
    // Whatever the size: it either works, or fails with nothing lost and nothing created twice.
    for size in ["size=100k", "size=120k", "size=140k"] {
        let sandbox = sandbox(&[]);
        let user = User::new(&prepared, &[]);
        let Some(said) = on_small_disk(&user, &sandbox, size, "true") else {
            println!("skipped: no mount namespace here (needs root)");
            return;
        };
        let is_full = said.contains("code 4") && said.contains("no space left");
        assert!(is_full || said.contains("code 0"), "{size}: {said}");
        assert!(sandbox.audiences().unwrap().len() <= 1, "{size}: {said}");
    }
}

#[test]
fn nothing_to_upload_is_done() {
    let prepared = Prepared::new(10, 12);
    let sandbox = sandbox(&[]);
    let user = User::new(&prepared, &[]);
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("opt_outs.txt");
    fs::write(&input, "canary-id-1\n").unwrap();
    let base = config(
        UserType::CustomAudienceThirdPartyId,
        std::slice::from_ref(&input),
        &dir.path().join("out"),
    );
    run(crate::support::suppressing(base, &input)).unwrap();
    for _ in 0..2 {
        let mut command = user.command(&sandbox, &[]);
        let is_out = |arg: &&std::ffi::OsStr| *arg == prepared.out().as_os_str();
        let args: Vec<_> =
            command.get_args().filter(|arg| !is_out(arg)).map(ToOwned::to_owned).collect();
        command = Command::new(command.get_program());
        let output =
            command.args(args).arg(dir.path().join("out")).env("THRONG_TOKEN", TOKEN).output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert!(said(&output).contains("nothing to upload"), "{}", said(&output));
        assert_eq!(sandbox.exchanges().len(), 0);
        // Neither in an audience of that name that has other files.
        ends(&user, &sandbox, &["--dry-run"], 0, "POST");
    }
}

#[test]
fn part_names_that_throng_does_not_write_reach_nobody() {
    let prepared = Prepared::new(10, 12);
    let sandbox = sandbox(&[]);
    let manifest = prepared.out().join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    let own = "custom_audience_third_party_id-00001.txt";
    for name in [
        "../out/x.txt",
        "/etc/passwd",
        ".hidden",
        "",
        "a\\\"\\r\\nX-Injected: 1\\r\\n.txt",
        "a b.txt",
        "\u{e9}.txt",
    ] {
        fs::write(&manifest, text.replace(own, name)).unwrap();
        let user = User::new(&prepared, &[]);
        ends(&user, &sandbox, &[], 3, "it names a part as throng never does");
    }
    assert_eq!(sandbox.exchanges().len(), 0);
}

#[test]
fn the_store_is_for_its_owner_and_its_schema_says_what_is_in_it() {
    let prepared = Prepared::new(40, 12);
    let sandbox = sandbox(&["add,nth=1,status=503", "add,nth=2,cut"]);
    let user = User::new(&prepared, &["--parallel", "1"]);
    ends(&user, &sandbox, &[], 0, "audience 59");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&user.state()), 0o700);
    for file in fs::read_dir(user.state()).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
    let store = open_store(&user.state());
    let one = |sql: &str| store.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(
        one("SELECT state || ' ' || platform_id || ' ' || fb_id FROM generation"),
        "ready 59 6017382038943"
    );
    let marker = one("SELECT marker FROM generation");
    let description = sandbox.audiences().unwrap()[0].description.clone().unwrap();
    assert_eq!(description, format!("[throng {marker}]"));
    let outcomes = "SELECT group_concat(call || ':' || outcome || ':' || coalesce(status, ''), ' ')
                    FROM (SELECT * FROM request ORDER BY id)";
    // Which part is tried again first is left to chance.
    let outcomes = one(outcomes);
    assert!(outcomes.starts_with("create:confirmed: add:busy:503 add:broken: "), "{outcomes}");
    assert_eq!(outcomes.matches("add:confirmed:").count(), 3, "{outcomes}");
    let requests = sandbox.exchanges().len().to_string();
    assert_eq!(one("SELECT CAST(count(*) AS TEXT) FROM request"), requests);
    let open =
        "SELECT CAST(count(*) AS TEXT) FROM request WHERE ended_at IS NULL OR ended_at < began_at";
    assert_eq!(one(open), "0");
    let parts = "SELECT CAST(count(*) AS TEXT) FROM delivery WHERE confirmed_by = run_id AND confirmed_at > 0";
    assert_eq!(one(parts), "4");
}
