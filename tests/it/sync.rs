//! `throng sync` as a scheduler and a person at a desk meet it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::home::{
    Home, digests, email, emails, first_night, members, requests, stderr, summary,
};

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
        assert_eq!(audience["held_after"], audience["written"]);
    }
    for (file, mode) in [
        ("night/report.html", 0o600),
        ("night/throng.prom", 0o644),
        ("night/rejects.csv", 0o600),
        ("night/state", 0o700),
        ("night/state/throng.sqlite", 0o600),
    ] {
        let found = fs::metadata(home.path(file)).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{file}");
    }
    let second = summary(&home.sync(&[]));
    for (before, now) in audiences.iter().zip(second["audiences"].as_array().unwrap()) {
        assert_eq!((&now["written"], &now["entries_sent"]), (&0.into(), &0.into()));
        assert_eq!(now["action"], "none");
        assert_eq!((&now["known"], &now["audience"]), (&before["written"], &before["audience"]));
    }
    let replaced = summary(&home.sync(&["--replace"]));
    assert_eq!(replaced["audiences"][0]["action"], "replace", "{replaced}");
    assert_eq!(replaced["audiences"][0]["held_after"], audiences[0]["written"]);
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
    home.make_dir("state/prepared");
    home.write("state/prepared/manifest.json", "{");
    home.make_dir("state/.prepared.throng-1-0000000000000000");
    let dry = summary(&home.sync(&["--dry-run"]));
    assert_eq!((&dry["run"], &dry["audiences"][0]["written"]), (&1.into(), &20_000.into()));
    assert!(!home.path("report.html").exists());
    let real = summary(&home.sync(&[]));
    assert_eq!((&real["run"], &real["audiences"][0]["entries_sent"]), (&1.into(), &20_000.into()));
    let mut left: Vec<String> = home.list("state");
    left.retain(|name| name.starts_with('.') || name == "prepared");
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(home.list("state/parts"), ["000001"]);
}

#[test]
fn what_a_killed_run_left_anywhere_in_the_state_is_removed() {
    let (home, _sandbox) = first_night(20);
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    for dir in ["lists", "parts/000001", "prepared", ".prepared.throng-1"] {
        home.make_dir(&format!("state/{dir}"));
        home.write(&format!("state/{dir}/.email_hash-gone.new"), "a digest");
        home.write(&format!("state/{dir}/a-part.txt"), "a digest");
    }
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    for dir in ["state", "state/lists", "state/parts/000001"] {
        assert!(home.list(dir).iter().all(|name| !name.starts_with('.')), "{dir}");
    }
    assert!(!home.path("state/prepared").exists());
    assert_eq!(home.list("state/parts/000001").len(), 2, "parts that rows name stay");
}

#[test]
fn full_sends_everybody_again() {
    let (home, sandbox) = first_night(50);
    assert_eq!(home.sync(&[]).status.code(), Some(0));
    let before = requests(&sandbox, "PUT");
    let dry = summary(&home.sync(&["--full", "--dry-run"]));
    assert_eq!(dry["audiences"][0]["written"], 50);
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
    assert_eq!(summary(&home.sync(&[]))["audiences"][0]["written"], 0);
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
fn a_damaged_state_is_refused_and_new_audiences_need_nothing_of_it() {
    let a_part = |run: &Path| fs::read_dir(run).unwrap().next().unwrap().unwrap().path();
    let damages: [&dyn Fn(&Path); 3] = [
        &|run| fs::remove_dir_all(run).unwrap(),
        &|run| fs::remove_file(a_part(run)).unwrap(),
        &|run| fs::write(a_part(run), "").unwrap(),
    ];
    for damage in damages {
        let (home, sandbox) = first_night(40);
        assert_eq!(home.sync(&[]).status.code(), Some(0));
        damage(&home.path("state/parts/000001"));
        home.write("opt_outs.txt", &(email(3) + "\n"));
        let refused = home.sync(&[]);
        assert!(matches!(refused.status.code(), Some(3 | 4)), "{}", stderr(&refused));
        assert!(stderr(&refused).contains("--full --replace"), "{}", stderr(&refused));
        let rebuilt = home.sync(&["--full", "--replace"]);
        assert_eq!(rebuilt.status.code(), Some(0), "{}", stderr(&rebuilt));
        assert_eq!(members(&sandbox), digests((0..40).filter(|person| *person != 3)));
        assert_eq!(summary(&home.sync(&[]))["audiences"][0]["written"], 0);
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
    let db = rusqlite::Connection::open(home.path("state/throng.sqlite")).unwrap();
    for (table, run) in [("run", "id"), ("upload", "run_id")] {
        db.execute_batch(&format!(
            "UPDATE {table} SET started_at = started_at + 31536000000 * (CASE {run} WHEN 1 THEN 10 ELSE 1 END)"
        ))
        .unwrap();
    }
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
    assert_eq!((&audience["known"], &audience["written"]), (&110.into(), &10.into()), "{night}");
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
