//! What stops a night before anything is posted, and the command that goes on.

use std::fs;
use std::process::Output;
use std::time::Duration;

use serde_json::Value;

use crate::support::home::{Home, digests, emails, first_night, members, stderr, summary};

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
    home.job_with(&sandbox, "", |job| job.replace("[guards]", "[guards]\nmax-age = \"26h\""));
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
