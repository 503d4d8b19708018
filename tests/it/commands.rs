//! Inputs that commands write, on the real binary: they count only if the command succeeds.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use jiff::civil::date;
use throng::job::{self, Job};
use throng::sandbox::Sandbox;

use crate::support::entries;
use crate::support::home::{Home, digests, email, first_night, members};
use crate::support::mirror::{Mirror, world};
use crate::support::world::night_of;

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
fn a_command_that_fails_is_why_its_output_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    export(dir.path());
    let cut = "gzip -c crm.csv | head -c 9000";
    ends(&from(dir.path(), &[cut]), 3, "the compressed data ends too early");
    let damaged = "gzip -c crm.csv; yes canary | head -c 9000000";
    ends(&from(dir.path(), &[damaged]), 3, "the compressed data is damaged");
    let large = "for part in 1 2 3 4 5 6 7 8 9; do cat crm.csv; done | gzip -c | head -c 150000";
    for output in
        [cut, damaged, large, "head -c 9 crm.csv; printf 'PK\\3\\4'", "printf '\\377\\376a'"]
    {
        let failing = format!("{output}; exit 3");
        ends(&from(dir.path(), &[&failing]), 3, "it ended with exit status 3, so that");
    }
}

/// A job whose members and opt-outs are written by these commands.
fn job_of(home: &Home, sandbox: &Sandbox, members: &str, opt_outs: &str) {
    home.job_with(sandbox, "", |job| {
        job.replace("files = [\"export.csv\"]", &format!("from = {members:?}"))
            .replace("files = [\"opt_outs.txt\"]", &format!("from = [{opt_outs:?}]"))
    });
}

#[test]
fn a_job_reads_commands_and_sends_nothing_if_one_fails() {
    let (home, sandbox) = first_night(20);
    let (cat, none) = ("cat export.csv", "cat opt_outs.txt");
    home.write("opt_outs.txt", &(email(3) + "\n"));
    for (members, opt_outs, why) in [
        ("cat export.csv; exit 7", none, "`command 1 (cat)`: it ended with exit status 7"),
        (cat, "cat opt_outs.txt; exit 8", "`opt-out command 1 (cat)`: it ended with exit status 8"),
        ("gzip -c export.csv | head -c 90; exit 9", none, "it ended with exit status 9"),
    ] {
        job_of(&home, &sandbox, members, opt_outs);
        ends(&home.sync(&["--check"]), 0, "");
        ends(&home.sync(&[]), 3, why);
        assert_eq!(sandbox.audiences().unwrap().len(), 0, "{members}");
    }
    job_of(&home, &sandbox, &format!("touch ran; {cat}"), none);
    let check = home.sync(&["--check"]);
    let said = String::from_utf8(check.stderr).unwrap();
    assert!(said.contains("`command 1 (touch)`, which a check does not run"), "{said}");
    assert!(!home.path("ran").exists());
    // Paths are relative to the folder of the job, wherever it is run from.
    let elsewhere =
        format!("{} sync {}/nightly.toml", env!("CARGO_BIN_EXE_throng"), home.path("").display());
    ends(&home.shell(&elsewhere), 0, "");
    assert!(home.path("ran").exists());
    assert_eq!(members(&sandbox), digests((0..20).filter(|person| *person != 3)));
}

#[test]
fn an_audience_is_built_anew_from_a_command() {
    let (home, sandbox) = first_night(20);
    job_of(&home, &sandbox, "echo run >> runs; cat export.csv", "cat opt_outs.txt");
    let job = fs::read_to_string(home.path("nightly.toml")).unwrap();
    let replacing = "replace = \"when-opted-out\"\nname = \"News\"";
    home.write("nightly.toml", &job.replace("name = \"News\"", replacing));
    ends(&home.sync(&[]), 0, "");
    home.write("opt_outs.txt", &(email(3) + "\n"));
    ends(&home.sync(&[]), 0, "");
    assert_eq!(members(&sandbox), digests((0..20).filter(|person| *person != 3)));
    // Once to look who must go, and once for the new audience.
    assert_eq!(fs::read_to_string(home.path("runs")).unwrap().lines().count(), 3);
}

#[test]
fn who_opted_out_is_taken_out_also_if_the_command_of_the_members_fails() {
    let mirror = Mirror::new("email_hash");
    let mut world = world(200);
    mirror.export(&world);
    assert_eq!(night_of(&mirror.config("")).exit_code, 0);
    world.opted_out.extend(0..20);
    mirror.export(&world);
    let failing = job::EXAMPLE.replacen("files = ", "from = \"cat export.csv; exit 7\" #", 1);
    let failing = Job::parse(&failing, &mirror.path("x.toml"), &|_| None, date(2026, 11, 24));
    let mut config = mirror.config("");
    config.job.inputs = failing.unwrap().inputs;
    let record = night_of(&config);
    assert_eq!(record.exit_code, 3);
    assert!(record.error.is_some_and(|error| error.contains("it ended with exit status 7")));
    assert_eq!(mirror.members().len(), 180);
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
