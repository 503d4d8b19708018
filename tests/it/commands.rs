//! Inputs that commands write, on the real binary: they count only if the command succeeds.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::entries;

fn throng(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
    let fixed = ["prepare", "-t", "email_hash", "-c", "email", "--overwrite", "-o", "out"];
    command.args([&fixed[..], args].concat()).current_dir(dir).stdin(Stdio::null());
    command
}

fn from(dir: &Path, commands: &[&str]) -> Output {
    let args: Vec<&str> = commands.iter().flat_map(|command| ["--from", command]).collect();
    throng(dir, &args).output().unwrap()
}

#[track_caller]
fn ends(output: &Output, code: i32, message: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(message), "{message}: {said}");
    assert!(!said.contains("canary"), "{said}");
}

fn export(dir: &Path) {
    let mut rows = String::from("id,email\n");
    for row in 0..3000 {
        writeln!(rows, "{row},person{row}@mail.example").unwrap();
    }
    fs::write(dir.join("crm.csv"), rows).unwrap();
}

#[test]
fn the_output_of_commands_is_an_input() {
    let dir = tempfile::tempdir().unwrap();
    export(dir.path());
    ends(&throng(dir.path(), &["crm.csv"]).output().unwrap(), 0, "");
    let expected = entries(&dir.path().join("out"));
    assert_eq!(expected.len(), 3000);
    let halves =
        ["head -1000 crm.csv", "head -1 crm.csv; tail -n +1001 crm.csv | gzip -c | gzip -dc"];
    for commands in [&["cat crm.csv"][..], &["PASSWORD=canary gzip -c crm.csv"], &halves] {
        ends(&from(dir.path(), commands), 0, "");
        assert!(entries(&dir.path().join("out")) == expected, "{commands:?}");
    }
    let manifest = fs::read_to_string(dir.path().join("out/manifest.json")).unwrap();
    assert!(manifest.contains("command 2 (head)") && !manifest.contains("crm.csv"), "{manifest}");
}

#[test]
fn a_command_that_fails_fails_the_run_and_leaves_what_there_was() {
    let dir = tempfile::tempdir().unwrap();
    export(dir.path());
    ends(&from(dir.path(), &["cat crm.csv"]), 0, "");
    let before = entries(&dir.path().join("out"));
    for (command, why) in [
        ("cat crm.csv; exit 7", "`command 1 (cat)`: it ended with exit status 7"),
        ("head -c 20000 crm.csv; kill -9 $$", "it was ended by signal 9"),
        ("false", "`command 1 (false)`: it ended with exit status 1"),
        ("no-such-program --password canary 2> /dev/null", "it ended with exit status 127"),
        ("gzip -c crm.csv; exit 3", "it ended with exit status 3"),
        ("cat crm.csv; exec >&-; sleep 0.3; exit 4", "it ended with exit status 4"),
    ] {
        ends(&from(dir.path(), &[command]), 3, why);
        assert!(entries(&dir.path().join("out")) == before, "{command}");
    }
    ends(&from(dir.path(), &["true"]), 3, "the inputs hold no values");
}

#[test]
fn a_run_that_ends_takes_its_command_with_it() {
    for command in [
        "echo $$ > pid; echo email; sleep 600 & wait",
        "echo email; sleep 600 & echo $$ > pid",
        "(trap '' TERM; echo $$ > pid; sleep 600; sleep 600) & echo email; wait",
        "echo email; exec >&-; echo $$ > pid; sleep 600",
    ] {
        takes_with_it(command);
    }
}

#[track_caller]
fn takes_with_it(command: &str) {
    let dir = tempfile::tempdir().unwrap();
    let child = throng(dir.path(), &["--from", command]).spawn().unwrap();
    let begun = Instant::now();
    let pid = loop {
        assert!(begun.elapsed() < Duration::from_mins(1));
        match fs::read_to_string(dir.path().join("pid")) {
            Ok(text) if text.ends_with('\n') => break text.trim().to_owned(),
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let throng = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(throng, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(143));
    // Of its group nobody is left, once those that were killed have been reaped.
    let killed = Instant::now();
    let group = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    while rustix::process::test_kill_process_group(group).is_ok() {
        assert!(
            killed.elapsed() < Duration::from_secs(10),
            "{command}: the group of {pid} is there"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
