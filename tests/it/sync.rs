//! `throng sync` as a scheduler and a person at a desk meet it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;
use throng::sandbox::{Sandbox, SandboxConfig};

use crate::support::digest_hex;
use crate::support::home::{Home, digests, email, emails, stderr, summary};

fn sandbox() -> Sandbox {
    let token = crate::support::upload::TOKEN.to_owned();
    Sandbox::start(SandboxConfig { token, ..SandboxConfig::default() }).unwrap()
}

/// A home with customers, and what the sandbox's only audience must hold.
fn first_night(customers: u64) -> (Home, Sandbox) {
    let (home, sandbox) = (Home::new(), sandbox());
    home.write("export.csv", &emails(0..customers));
    home.write("opt_outs.txt", "");
    home.job(&sandbox, "");
    (home, sandbox)
}

fn requests(sandbox: &Sandbox, method: &str) -> usize {
    sandbox.exchanges().iter().filter(|exchange| exchange.method == method).count()
}

fn members(sandbox: &Sandbox) -> BTreeSet<String> {
    let audiences = sandbox.audiences().unwrap();
    assert_eq!(audiences.len(), 1);
    sandbox.members(&audiences[0].id).unwrap().into_iter().collect()
}

#[test]
fn the_job_of_the_fixtures_runs_every_night() {
    let home = Home::new();
    for name in ["crm_export.csv", "opt_outs.csv"] {
        fs::copy(crate::support::fixture(name), home.path(name)).unwrap();
    }
    let job = fs::read_to_string(crate::support::fixture("nightly.toml")).unwrap();
    home.write("nightly.toml", &job.replace("../target/nightly/", "night/"));
    home.make_dir("night");
    let first = home.sync(&[]);
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    let first = summary(&first);
    let audiences = first["audiences"].as_array().unwrap();
    assert_eq!(audiences.len(), 2);
    for audience in audiences {
        assert_eq!(audience["action"], "create");
        assert!(audience["entries_sent"].as_u64().unwrap() > 0);
        assert_eq!(audience["held_after"], audience["new"]);
    }
    for (file, mode) in [
        ("night/report.html", 0o600),
        ("night/throng.prom", 0o644),
        ("night/rejects.csv", 0o600),
        ("night/state", 0o700),
        ("night/state/sync.sqlite", 0o600),
        ("night/state/ledger.sqlite", 0o600),
    ] {
        let found = fs::metadata(home.path(file)).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{file}");
    }
    let second = summary(&home.sync(&[]));
    for (before, now) in audiences.iter().zip(second["audiences"].as_array().unwrap()) {
        assert_eq!((&now["new"], &now["entries_sent"]), (&0.into(), &0.into()));
        assert_eq!(now["action"], "none");
        assert_eq!((&now["known"], &now["audience"]), (&before["new"], &before["audience"]));
    }
    let replaced = summary(&home.sync(&["--replace"]));
    assert_eq!(replaced["audiences"][0]["action"], "replace", "{replaced}");
    assert_eq!(replaced["audiences"][0]["held_after"], audiences[0]["new"]);
    assert_ne!(replaced["audiences"][0]["audience"], audiences[0]["audience"]);
}

#[test]
fn standard_output_is_the_summary_and_nothing_else() {
    let (home, _sandbox) = first_night(20);
    let output = home.sync(&[]);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    let record: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&record["run"], &record["exit_code"]), (&1.into(), &0.into()));
    assert!(home.sync(&["--quiet"]).stdout.is_empty());
    assert_eq!(summary(&home.sync(&["--quiet", "--json"]))["run"], 3);
}

#[test]
fn a_check_touches_nothing() {
    let (home, sandbox) = first_night(20);
    let check = home.sync(&["--check"]);
    assert_eq!(check.status.code(), Some(0), "{}", stderr(&check));
    assert!(!home.path("state").exists() && sandbox.exchanges().is_empty());
    fs::remove_file(home.path("export.csv")).unwrap();
    assert_eq!(home.sync(&["--check"]).status.code(), Some(3));
    assert_eq!(home.sync(&["--check", "--dry-run"]).status.code(), Some(2));
}

#[test]
fn a_dry_run_that_is_killed_leaves_nothing_that_confuses() {
    let (home, sandbox) = first_night(20_000);
    home.job_with(&sandbox, "", |job| job.replace("part-lines = 10", "part-lines = 9000"));
    for milliseconds in [5, 20, 40, 80, 160] {
        let mut child = home.start(&["--dry-run", "--quiet"]);
        std::thread::sleep(Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(sandbox.exchanges().is_empty());
    // As a kill leaves them that comes at the worst moment.
    home.make_dir("state/dry-run");
    home.write("state/dry-run/manifest.json", "{");
    home.make_dir("state/runs/.000001.throng-1-0000000000000000");
    let dry = summary(&home.sync(&["--dry-run"]));
    assert_eq!((&dry["run"], &dry["audiences"][0]["new"]), (&1.into(), &20_000.into()));
    assert!(!home.path("report.html").exists());
    let real = summary(&home.sync(&[]));
    assert_eq!((&real["run"], &real["audiences"][0]["entries_sent"]), (&1.into(), &20_000.into()));
    let mut left: Vec<String> = home.list("state");
    left.retain(|name| name.starts_with('.') || name == "dry-run");
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(home.list("state/runs"), ["000001"]);
}

#[test]
fn what_a_killed_run_left_anywhere_in_the_state_is_removed() {
    let (home, _sandbox) = first_night(20);
    for dir in ["lists", "unconfirmed/.000001.new", "runs/.000002.throng-1"] {
        home.make_dir(&format!("state/{dir}"));
    }
    home.write("state/lists/.email_hash-gone.new", "a digest");
    home.write("state/unconfirmed/.000001.new/email_hash-00001.txt", "a digest");
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    for dir in ["state", "state/lists", "state/unconfirmed", "state/runs"] {
        assert!(home.list(dir).iter().all(|name| !name.starts_with('.')), "{dir}");
    }
}

#[test]
fn full_sends_everybody_again() {
    let (home, sandbox) = first_night(50);
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    let before = requests(&sandbox, "PUT");
    let dry = summary(&home.sync(&["--full", "--dry-run"]));
    assert_eq!(dry["audiences"][0]["new"], 50);
    assert_eq!(requests(&sandbox, "PUT"), before);
    let usual = summary(&home.sync(&[]));
    assert_eq!((&usual["audiences"][0]["known"], requests(&sandbox, "PUT")), (&50.into(), before));
    let full = summary(&home.sync(&["--full"]));
    assert_eq!(full["audiences"][0]["entries_sent"], 50, "{full}");
    assert_eq!(full["audiences"][0]["parts_sent"], 5);
    assert_eq!(
        requests(&sandbox, "PUT") - before,
        5,
        "all parts are sent again, to the same audience"
    );
    assert_eq!(members(&sandbox), digests(0..50));
    assert_eq!(summary(&home.sync(&[]))["audiences"][0]["new"], 0);
}

#[test]
fn replace_builds_anew_and_deletes_the_old_one() {
    let (home, sandbox) = first_night(50);
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    home.write("export.csv", &emails(5..55));
    home.write("opt_outs.txt", &(email(7) + "\n"));
    let night = summary(&home.sync(&[]));
    assert_eq!(
        (&night["audiences"][0]["gone"], &night["audiences"][0]["must_go"]),
        (&5.into(), &1.into())
    );
    assert_eq!(members(&sandbox).len(), 55);
    let command = night["replace_command"].as_str().unwrap();
    let replaced = summary(&home.shell(command));
    assert_eq!(replaced["audiences"][0]["action"], "replace");
    let expected: BTreeSet<String> = digests((5..55).filter(|person| *person != 7));
    assert_eq!(members(&sandbox), expected);
    assert_eq!(summary(&home.sync(&[]))["audiences"][0]["must_go"], 0);
}

/// Runs the command that a guard has left, and nothing else.
#[track_caller]
fn go_on(home: &Home, stopped: &Output, guard: &str) -> Value {
    assert_eq!(stopped.status.code(), Some(3), "{}", stderr(stopped));
    let record = summary(stopped);
    assert_eq!(record["guard"]["name"], guard, "{record}");
    assert!(!record["guard"]["limit"].as_str().unwrap().is_empty());
    let command = record["guard"]["command"].as_str().unwrap();
    // The report has the same command, for whoever reads that.
    let report = fs::read_to_string(home.path("report.html")).unwrap();
    assert!(report.contains("Go on nevertheless"), "{guard}");
    let passed = home.shell(command);
    assert_eq!(passed.status.code(), Some(0), "{command}: {}", stderr(&passed));
    summary(&passed)
}

#[test]
fn what_a_guard_prints_goes_on_when_it_is_run() {
    let (home, sandbox) = first_night(100);
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    home.write("export.csv", &emails(0..50));
    let stopped = home.sync(&[]);
    assert!(stderr(&stopped).contains(
        "hint: look at the inputs; if they are right, go on for once with --max-shrink 50%"
    ));
    go_on(&home, &stopped, "max_shrink");
    home.write("export.csv", &emails(0..170));
    go_on(&home, &home.sync(&[]), "max_growth");
    // For once: the next night compares with this one.
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    let dirt = "not an address\n".repeat(100);
    home.write("export.csv", &(emails(0..170) + &dirt));
    go_on(&home, &home.sync(&[]), "max_rejects");
    // What was said of one guard still holds when the next one stops the run.
    home.write("export.csv", &(emails(0..20) + &dirt));
    home.job(&sandbox, "min-entries = 30");
    let stopped = home.sync(&[]);
    let command = summary(&stopped)["guard"]["command"].as_str().unwrap().to_owned();
    let again = home.shell(&command);
    assert!(stderr(&again).contains("min-entries asks for 30; "), "{}", stderr(&again));
    go_on(&home, &again, "min_entries");
    assert_eq!(members(&sandbox), digests(0..170));
}

#[test]
fn an_old_export_stops_a_run_and_the_command_goes_on() {
    let (home, sandbox) = first_night(30);
    home.job_with(&sandbox, "", |job| job.replace("[limits]", "[limits]\nmax-age = \"26h\""));
    let days_ago = std::time::SystemTime::now() - Duration::from_hours(75);
    fs::File::options()
        .append(true)
        .open(home.path("export.csv"))
        .unwrap()
        .set_modified(days_ago)
        .unwrap();
    let record = go_on(&home, &home.sync(&[]), "max_age");
    assert_eq!(record["audiences"][0]["entries_sent"], 30);
}

#[test]
fn two_runs_at_once_exclude_each_other() {
    let (home, sandbox) = first_night(30);
    sandbox.push_fault("create,hang".parse().unwrap());
    let mut first = home.start(&["--quiet"]);
    home.wait_for(|| home.is_running());
    let started = Instant::now();
    let second = home.sync(&[]);
    assert_eq!(second.status.code(), Some(6), "{}", stderr(&second));
    assert!(stderr(&second).contains("another run of this job is going on"));
    assert!(started.elapsed() < Duration::from_secs(20), "it does not wait");
    assert!(!home.path("report.html").exists(), "the run that is going on writes the report");
    let history = home.throng(&["history", "--state", "state"]);
    assert_eq!(history.status.code(), Some(0), "{}", stderr(&history));
    first.kill().unwrap();
    first.wait().unwrap();
    sandbox.clear_faults();
    assert_eq!(home.sync(&["--create-again", "email_hash"]).status.code(), Some(0));
    assert_eq!(members(&sandbox), digests(0..30));
}

#[test]
fn history_and_other_runs_do_not_wait_for_a_dry_run() {
    let (home, _sandbox) = first_night(30);
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    // A dry run that waits for its input holds its changes back all the time.
    fs::remove_file(home.path("export.csv")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(home.path("export.csv")).status();
    assert!(made.unwrap().success());
    let mut dry = home.start(&["--dry-run", "--quiet"]);
    home.wait_for(|| home.is_running());
    let started = Instant::now();
    let history = home.throng(&["history", "--state", "state"]);
    assert_eq!(history.status.code(), Some(0), "{}", stderr(&history));
    assert_eq!(home.sync(&[]).status.code(), Some(6));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    dry.kill().unwrap();
    dry.wait().unwrap();
}

#[test]
fn sigterm_ends_soon_and_the_next_run_goes_on() {
    let (home, sandbox) = first_night(60);
    sandbox.push_fault("add,from=3,hang".parse().unwrap());
    let mut child = home.start(&["--quiet"]);
    home.wait_for(|| requests(&sandbox, "PUT") >= 2);
    let started = Instant::now();
    assert!(
        std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap().success()
    );
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(143));
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    sandbox.clear_faults();
    let history = home.throng(&["history", "--state", "state", "--json"]);
    assert_eq!(summary(&history)["nights"][0]["exit_code"], 143);
    let next = summary(&home.sync(&[]));
    assert_eq!(next["exit_code"], 0);
    assert!(
        next["audiences"][0]["known"].as_u64().unwrap() >= 10,
        "what was confirmed is not sent again: {next}"
    );
    assert_eq!(members(&sandbox), digests(0..60));
}

#[test]
fn a_create_that_a_person_decided_on_is_adopted_or_made_again() {
    let (home, sandbox) = first_night(30);
    home.job_with(&sandbox, "", |job| {
        job.replace("name = \"News\"", "name = \"News\"\nno-marker = true")
    });
    sandbox.push_fault("create,when=after,cut".parse().unwrap());
    let unknown = home.sync(&[]);
    assert_eq!(unknown.status.code(), Some(8), "{}", stderr(&unknown));
    let record = summary(&unknown);
    assert_eq!(record["audiences"][0]["entries_sent"], 0, "nothing was confirmed: {record}");
    sandbox.clear_faults();
    assert_eq!(home.sync(&[]).status.code(), Some(8), "it stays unknown");
    let id = sandbox.audiences().unwrap()[0].id.to_string();
    let typo = home.sync(&["--adopt", &format!("mails={id}")]);
    assert_eq!(typo.status.code(), Some(2));
    assert!(stderr(&typo).contains("hint: it has email_hash"), "{}", stderr(&typo));
    let adopt = format!("email_hash={id}");
    let adopted = home.sync(&["--adopt", &adopt]);
    assert_eq!(adopted.status.code(), Some(0), "{}", stderr(&adopted));
    assert_eq!(members(&sandbox), digests(0..30));
    assert_eq!(
        home.sync(&["--adopt", &adopt]).status.code(),
        Some(0),
        "saying it twice does no harm"
    );
    assert_eq!(home.sync(&["--adopt", "email_hash=9999"]).status.code(), Some(0));
    // Nobody is fooled into a second audience.
    let refused = home.sync(&["--create-again", "email_hash"]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("is there"), "{}", stderr(&refused));
    assert_eq!(members(&sandbox), digests(0..30));
}

#[test]
fn a_persons_word_about_a_replacement_does_not_touch_the_live_audience() {
    let (home, sandbox) = first_night(30);
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    sandbox.push_fault("create,when=before,cut".parse().unwrap());
    assert_eq!(home.sync(&["--replace"]).status.code(), Some(8));
    sandbox.clear_faults();
    assert_eq!(home.sync(&[]).status.code(), Some(8));
    let again = home.sync(&["--create-again", "email_hash"]);
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    assert_eq!(summary(&again)["audiences"][0]["action"], "replace");
    assert_eq!(members(&sandbox), digests(0..30));
}

#[test]
fn an_audience_that_somebody_deleted_is_made_again_once_a_person_says_so() {
    let (home, sandbox) = first_night(30);
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    let id = sandbox.audiences().unwrap()[0].id.to_string();
    // Somebody else, so that the ledger of the job does not know.
    let deleted = home.throng(&[
        "audience",
        "delete",
        &id,
        "--yes",
        "--state",
        "elsewhere",
        "--endpoint",
        &sandbox.endpoint(),
    ]);
    assert_eq!(deleted.status.code(), Some(0), "{}", stderr(&deleted));
    home.write("export.csv", &emails(0..33));
    let refused = home.sync(&[]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("--create-again email_hash"), "{}", stderr(&refused));
    let again = ["--create-again", "email_hash"];
    assert_eq!(home.sync(&[&again[..], &["--dry-run"]].concat()).status.code(), Some(0));
    assert!(sandbox.audiences().unwrap().is_empty());
    assert_eq!(home.sync(&[]).status.code(), Some(2), "the dry run has decided nothing");
    sandbox.push_fault("add,status=503".parse().unwrap());
    assert_eq!(home.sync(&again).status.code(), Some(7));
    sandbox.clear_faults();
    // The same command again, as a scheduler or a shell's history does: it is there by now.
    assert_eq!(home.sync(&again).status.code(), Some(2));
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    assert_eq!(members(&sandbox), digests(0..33));
}

#[test]
fn one_audience_that_fails_does_not_hold_up_the_others() {
    let (home, sandbox) = first_night(40);
    home.two_audiences(&sandbox);
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    // Somebody of the second opts out, and the first one's server is down for long.
    home.write("export.csv", &emails(0..45));
    home.write("opt_outs.txt", &(email(3) + "\n"));
    let first = sandbox.audiences().unwrap()[0].id.to_string();
    assert_eq!(sandbox.audiences().unwrap()[0].name, "First");
    sandbox.push_fault("add,first=5,status=503".parse().unwrap());
    let night = home.sync(&["--replace"]);
    let record = summary(&night);
    assert_eq!(night.status.code(), Some(7), "{}", stderr(&night));
    assert!(record["error"].as_str().unwrap().contains("first"), "{record}");
    assert_eq!(record["audiences"][1]["entries_sent"], 44, "{record}");
    let wanted = digests((0..45).filter(|person| *person != 3));
    let of = |name: &str| {
        let audiences = sandbox.audiences().unwrap();
        let named = audiences.iter().filter(|audience| audience.name == name);
        named
            .map(|audience| sandbox.members(&audience.id).unwrap().into_iter().collect())
            .collect::<Vec<BTreeSet<String>>>()
    };
    assert_eq!(
        of("Second"),
        vec![wanted.clone()],
        "it has taken its place, and the old one is deleted"
    );
    assert_eq!(of("First").len(), 2, "the old one of {first} stays until the new one is complete");
    sandbox.clear_faults();
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    assert_eq!((of("First"), of("Second")), (vec![wanted.clone()], vec![wanted]));
}

#[test]
fn a_replacement_that_is_given_up_leaves_no_audience_behind() {
    let (home, sandbox) = first_night(40);
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    sandbox.push_fault("add,from=2,status=503".parse().unwrap());
    assert_eq!(home.sync(&["--replace"]).status.code(), Some(7));
    sandbox.clear_faults();
    assert_eq!(sandbox.audiences().unwrap().len(), 2);
    // Somebody of what was built so far opts out.
    let half: BTreeSet<String> =
        sandbox.members(&sandbox.audiences().unwrap()[1].id).unwrap().into_iter().collect();
    let person =
        (0..40).find(|person| half.contains(&digest_hex(email(*person).as_bytes()))).unwrap();
    home.write("opt_outs.txt", &(email(person) + "\n"));
    let full = home.sync(&["--full"]);
    assert_eq!(full.status.code(), Some(0), "{}", stderr(&full));
    assert_eq!(members(&sandbox), digests((0..40).filter(|other| *other != person)));
}

#[test]
fn opting_out_of_what_is_being_built_is_told() {
    let (home, sandbox) = first_night(40);
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    sandbox.push_fault("add,from=2,status=503".parse().unwrap());
    assert_eq!(home.sync(&["--replace"]).status.code(), Some(7));
    sandbox.clear_faults();
    let built = sandbox.members(&sandbox.audiences().unwrap()[1].id).unwrap();
    let person =
        (0..40).find(|person| built.contains(&digest_hex(email(*person).as_bytes()))).unwrap();
    home.write("opt_outs.txt", &(email(person) + "\n"));
    let completed = home.sync(&[]);
    assert_eq!(completed.status.code(), Some(0), "{}", stderr(&completed));
    assert!(stderr(&completed).contains("note: 1 have opted out of"), "{}", stderr(&completed));
    assert_eq!(summary(&home.sync(&[]))["audiences"][0]["must_go"], 1);
    assert_eq!(home.sync(&["--replace"]).status.code(), Some(0));
    assert_eq!(members(&sandbox), digests((0..40).filter(|other| *other != person)));
}

#[test]
fn a_damaged_state_is_refused_and_new_audiences_need_nothing_of_it() {
    let damages: [&dyn Fn(&Path); 3] = [
        &|run| fs::remove_dir_all(run).unwrap(),
        &|run| fs::write(run.join("manifest.json"), "{").unwrap(),
        &|run| fs::write(run.join("email_hash-00001.txt"), "").unwrap(),
    ];
    for damage in damages {
        let (home, sandbox) = first_night(40);
        assert_eq!(home.sync(&[]).status.code(), Some(0));
        damage(&home.path("state/runs/000001"));
        home.write("opt_outs.txt", &(email(3) + "\n"));
        let refused = home.sync(&[]);
        assert!(matches!(refused.status.code(), Some(3 | 4)), "{}", stderr(&refused));
        assert!(stderr(&refused).contains("--full --replace"), "{}", stderr(&refused));
        let rebuilt = home.sync(&["--full", "--replace"]);
        assert_eq!(rebuilt.status.code(), Some(0), "{}", stderr(&rebuilt));
        assert_eq!(members(&sandbox), digests((0..40).filter(|person| *person != 3)));
        assert_eq!(summary(&home.sync(&[]))["audiences"][0]["new"], 0);
    }
}

#[test]
fn a_copy_of_the_state_goes_on_elsewhere() {
    let (home, sandbox) = first_night(40);
    sandbox.push_fault("add,from=3,status=503".parse().unwrap());
    assert_eq!(home.sync(&[]).status.code(), Some(7));
    sandbox.clear_faults();
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .args([home.path("state"), home.path("copy")])
        .status();
    assert!(copied.unwrap().success());
    fs::remove_dir_all(home.path("state")).unwrap();
    home.job_with(&sandbox, "", |job| job.replace("state = \"state\"", "state = \"copy\""));
    let night = home.sync(&[]);
    assert_eq!(night.status.code(), Some(0), "{}", stderr(&night));
    assert!(summary(&night)["audiences"][0]["known"].as_u64().unwrap() > 0);
    assert_eq!(members(&sandbox), digests(0..40));
}

#[test]
fn a_clock_that_goes_back_loses_nothing() {
    let (home, sandbox) = first_night(100);
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    home.write("export.csv", &emails(0..110));
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    // The clock was ten years ahead in the first night, and one year in the second.
    for (database, tables) in [("sync.sqlite", &["run"][..]), ("ledger.sqlite", &["run"])] {
        let db = rusqlite::Connection::open(home.path("state").join(database)).unwrap();
        for table in tables {
            db.execute_batch(&format!(
                "UPDATE {table} SET started_at = started_at + 31536000000 * (CASE id WHEN 1 THEN 10 ELSE 1 END)"
            ))
            .unwrap();
        }
    }
    let db = rusqlite::Connection::open(home.path("state/sync.sqlite")).unwrap();
    for (run, years) in [(1, 10_i64), (2, 1)] {
        let json: String =
            db.query_row("SELECT record FROM run WHERE id = ?1", [run], |row| row.get(0)).unwrap();
        let mut record: Value = serde_json::from_str(&json).unwrap();
        for time in ["started_at", "ended_at"] {
            record[time] = (record[time].as_i64().unwrap() + years * 31_536_000_000).into();
        }
        db.execute(
            "UPDATE run SET record = ?2 WHERE id = ?1",
            rusqlite::params![run, record.to_string()],
        )
        .unwrap();
    }
    drop(db);
    // 87 is a fifth less than the 110 of the latest run, and less than that of the first.
    home.write("export.csv", &emails(0..87));
    let stopped = home.sync(&[]);
    assert_eq!(summary(&stopped)["guard"]["name"], "max_shrink", "{}", stderr(&stopped));
    home.write("export.csv", &emails(0..120));
    let night = summary(&home.sync(&[]));
    let audience = &night["audiences"][0];
    assert_eq!((&audience["known"], &audience["new"]), (&110.into(), &10.into()), "{night}");
    assert_eq!(members(&sandbox), digests(0..120));
    let history = summary(&home.throng(&["history", "--state", "state", "--json"]));
    let runs: Vec<i64> = history["nights"]
        .as_array()
        .unwrap()
        .iter()
        .map(|night| night["run"].as_i64().unwrap())
        .collect();
    assert_eq!(runs, [4, 3, 2, 1]);
}

#[test]
fn no_raw_value_and_no_token_is_anywhere_but_in_inputs() {
    let (home, sandbox) = first_night(0);
    let canary = "canary.person.4711";
    home.write(
        "export.csv",
        &format!(
            "{}{canary}@example.com\n{canary}@@example.com\n{canary}@example.org\n",
            emails(0..30)
        ),
    );
    home.write("opt_outs.txt", &format!("{canary}@example.org\n{}\n", email(2)));
    home.job(&sandbox, "");
    let mut printed = String::new();
    for (args, fault) in [
        (&["--check"][..], None),
        (&["--dry-run"], None),
        (&["--log", "json"], Some("add,from=2,status=503")),
        (&[], None),
        (&["--replace", "--log", "json"], None),
        (&["--max-rejects", "0"], None),
    ] {
        if let Some(fault) = fault {
            sandbox.push_fault(fault.parse().unwrap());
        }
        let output = home.sync(args);
        sandbox.clear_faults();
        printed += &stderr(&output);
        printed += &String::from_utf8_lossy(&output.stdout);
    }
    printed +=
        &String::from_utf8_lossy(&home.throng(&["history", "--state", "state", "--json"]).stdout);
    let (mut found, mut files) = (printed, 0);
    for path in home.files() {
        let is_input = ["export.csv", "opt_outs.txt"].iter().any(|name| path.ends_with(name));
        if !is_input {
            found += &String::from_utf8_lossy(&fs::read(&path).unwrap());
            files += 1;
        }
    }
    assert!(files > 8, "report, metrics, rejects, two databases, a run: {files}");
    for secret in [canary, "person.1@", sandbox.token()] {
        assert!(!found.contains(secret), "{secret}");
    }
    let rejects = fs::read_to_string(home.path("rejects.csv")).unwrap();
    assert!(rejects.contains("export.csv,33,"), "{rejects}");
}
