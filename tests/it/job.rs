//! `throng sync --check`, `--init` and `--schema`: the job file through the real binary.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const JOB: &str = "\
name = \"nightly\"
state = \"state\"
[input]
files = [\"in/${SECRET}-{date-1d}*.csv\", \"in/plain.csv\"]
[[suppress]]
files = \"out/*.csv\"
[[audience]]
user-type = \"email_hash\"
column = \"email\"
name = \"Newsletter\"
[target]
ad-account = 7
endpoint = \"http://127.0.0.1:1\"
[guards]
max-age = \"1h\"
";

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        desk.write("jobs/nightly.toml", JOB);
        desk
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn inputs(&self) {
        for name in ["in/canary-2028-02-29.csv", "in/canary-2028-02-29-b.csv", "in/plain.csv"] {
            self.write(&format!("jobs/{name}"), "email\nann@example.com\n");
        }
        self.write("jobs/out/opted.csv", "email\nbob@example.com\n");
    }

    fn sync(&self, args: &[&str], token: Option<&str>) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
        command.current_dir(self.0.path()).env("SECRET", "canary").env_remove("THRONG_TOKEN");
        if let Some(token) = token {
            command.env("THRONG_TOKEN", token);
        }
        command.arg("sync").args(args).output().unwrap()
    }

    /// Every path below the folder, to show that nothing was touched.
    fn everything(&self) -> Vec<PathBuf> {
        fn below(dir: &Path, found: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    below(&path, found);
                }
                found.push(path);
            }
        }
        let mut found = Vec::new();
        below(self.0.path(), &mut found);
        found.sort();
        found
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

const CHECK: [&str; 4] = ["--check", "jobs/nightly.toml", "--date", "2028-03-01"];

#[test]
fn check_says_what_a_run_would_do_and_touches_nothing() {
    let desk = Desk::new();
    desk.inputs();
    let before = desk.everything();
    let checked = desk.sync(&CHECK, Some("token"));
    let expected = "\
nightly on 2028-03-01
  input     `in/${SECRET}-{date-1d}*.csv`: 2 files, 44 bytes, 0 s old
  input     `in/plain.csv`: 1 file, 22 bytes, 0 s old
  suppress  `out/*.csv`: 1 file, 22 bytes, 0 s old
  audience  email_hash, column `email`, created as \"Newsletter\"
  target    http://127.0.0.1:1, ad account 7
";
    assert_eq!(without_ages(&stderr(&checked)), without_ages(expected));
    assert_eq!(checked.status.code(), Some(0));
    assert_eq!(desk.everything(), before);
    let json = desk.sync(&[&CHECK[..], &["--json", "--quiet"]].concat(), Some("token"));
    assert_eq!((json.status.code(), stderr(&json).as_str()), (Some(0), ""));
    let found: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(found["is_ready"], true);
    assert_eq!(found["inputs"][0]["files"], 2);
    assert_eq!(found["audiences"][0]["label"], "email_hash");
    assert_eq!(String::from_utf8(json.stdout).unwrap().lines().count(), 1);
}

/// How old files are depends on how fast the machine is.
fn without_ages(text: &str) -> String {
    let line = |line: &str| line.rsplit_once(" bytes, ").map_or(line, |parts| parts.0).to_owned();
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn check_says_all_that_is_missing_and_no_variables_value() {
    let desk = Desk::new();
    let before = desk.everything();
    let failed = desk.sync(&CHECK, None);
    let text = stderr(&failed);
    for line in [
        "error: there is no token for the API",
        "hint: set THRONG_TOKEN, or name a file with token-file in [target]",
        "error: refused `in/${SECRET}-{date-1d}*.csv`: no file matches (`jobs/nightly.toml`, line 4, column 10)",
        "error: refused `in/plain.csv`: no such file or directory (`jobs/nightly.toml`, line 4, column 41)",
        "error: refused `out/*.csv`: no file matches (`jobs/nightly.toml`, line 6, column 9)",
    ] {
        assert!(text.lines().any(|told| told == line), "{line}\n{text}");
    }
    assert!(!text.contains("canary"), "{text}");
    assert_eq!(failed.status.code(), Some(3));
    assert_eq!(desk.everything(), before);
    desk.inputs();
    assert_eq!(desk.sync(&CHECK, None).status.code(), Some(2));
    assert_eq!(desk.sync(&CHECK, Some("two words")).status.code(), Some(2));
}

#[test]
fn old_inputs_stop_unless_a_person_allows_them() {
    let desk = Desk::new();
    desk.inputs();
    let now = std::time::SystemTime::now();
    let age = |name: &str, hours: u64| {
        let file = fs::OpenOptions::new().write(true).open(desk.0.path().join(name)).unwrap();
        file.set_modified(now - std::time::Duration::from_hours(hours)).unwrap();
    };
    // The newest of a pattern counts; lists have a limit of their own, or none.
    age("jobs/in/canary-2028-02-29.csv", 50);
    age("jobs/out/opted.csv", 50);
    assert_eq!(desk.sync(&CHECK, Some("token")).status.code(), Some(0));
    age("jobs/in/plain.csv", 26);
    let failed = desk.sync(&CHECK, Some("token"));
    let message = "error: refused `in/plain.csv`: it is 1 d 2 h old, more than max-age 1 h allows";
    assert!(stderr(&failed).contains(message), "{}", stderr(&failed));
    assert_eq!(failed.status.code(), Some(3));
    let allowed = [&CHECK[..], &["--max-age", "2d"]].concat();
    assert_eq!(desk.sync(&allowed, Some("token")).status.code(), Some(0));
}

#[test]
fn a_file_in_both_roles_is_a_mistake() {
    let desk = Desk::new();
    desk.inputs();
    desk.write("jobs/nightly.toml", &JOB.replace("out/*.csv", "in/pl*.csv"));
    let failed = desk.sync(&CHECK, Some("token"));
    assert_eq!(failed.status.code(), Some(2));
    let message = "line 6, column 9: a file is both input and suppression list";
    assert!(stderr(&failed).contains(message), "{}", stderr(&failed));
}

#[test]
fn mistakes_in_the_file_and_no_file_exit_with_2() {
    let desk = Desk::new();
    desk.write("jobs/nightly.toml", &JOB.replace("column", "colum"));
    let failed = desk.sync(&CHECK, Some("token"));
    let expected = "error: `jobs/nightly.toml`, line 9, column 1: unknown key `colum` in [[audience]]\n\
                    hint: did you mean `column`?\n";
    assert_eq!((failed.status.code(), stderr(&failed).as_str()), (Some(2), expected));
    let missing = desk.sync(&["--check", "none.toml"], None);
    assert_eq!(missing.status.code(), Some(2));
    assert!(stderr(&missing).contains("failed to read the job file `none.toml`"));
    fs::write(desk.0.path().join("latin1.toml"), b"name = \"\xfc\"").unwrap();
    let latin1 = desk.sync(&["--check", "latin1.toml"], None);
    assert!(stderr(&latin1).contains("`latin1.toml` is no job file: it is not UTF-8"));
    assert_eq!(
        desk.sync(&["--check", "jobs/nightly.toml", "--date", "today"], None).status.code(),
        Some(2)
    );
}

#[test]
fn the_time_zone_must_be_one() {
    let desk = Desk::new();
    desk.write("ok.toml", &JOB.replace("${SECRET}-{date-1d}", "x"));
    let day = |zone: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
        command
            .current_dir(desk.0.path())
            .env("TZ", zone)
            .args(["sync", "--check", "ok.toml", "--json"]);
        command.output().unwrap()
    };
    let far = day("<+14>-14");
    let east: serde_json::Value = serde_json::from_slice(&far.stdout).unwrap();
    let west: serde_json::Value = serde_json::from_slice(&day("<-12>12").stdout).unwrap();
    // These two never have the same date.
    assert!(east["date"].as_str().unwrap() > west["date"].as_str().unwrap(), "{east} {west}");
    let wrong = day("Nowhere/At_All");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        stderr(&wrong).contains("hint: correct it, or say what day it is"),
        "{}",
        stderr(&wrong)
    );
}

#[test]
fn init_prints_a_job_that_is_one() {
    let desk = Desk::new();
    let printed = desk.sync(&["--init"], None);
    assert_eq!(printed.status.code(), Some(0));
    assert_eq!(String::from_utf8(printed.stdout.clone()).unwrap(), throng::job::EXAMPLE);
    desk.write("new.toml", std::str::from_utf8(&printed.stdout).unwrap());
    desk.write("exports/crm-2026-11-23-full.csv", "email\nann@example.com\n");
    desk.write("opt-outs/a.csv", "email\nbob@example.com\n");
    let args = ["--check", "new.toml", "--date", "2026-11-24"];
    let checked = desk.sync(&args, Some("token"));
    assert_eq!(checked.status.code(), Some(0), "{}", stderr(&checked));
    let schema = desk.sync(&["--schema"], None);
    assert_eq!(String::from_utf8(schema.stdout).unwrap(), throng::job::schema());
    assert_eq!(desk.sync(&["--init", "--schema"], None).status.code(), Some(2));
    assert_eq!(desk.sync(&["--init", "new.toml"], None).status.code(), Some(2));
    assert_eq!(desk.sync(&["new.toml"], None).status.code(), Some(2));
}

#[test]
fn no_report_takes_the_place_of_what_the_job_reads() {
    let desk = Desk::new();
    desk.inputs();
    for (report, name) in [
        ("html = \"nightly.toml\"", "jobs/nightly.toml"),
        ("metrics = \"out/../out/opted.csv\"", "jobs/out/opted.csv"),
        ("rejects = \"in/plain.csv\"", "jobs/in/plain.csv"),
        ("html = \"both\"\nmetrics = \"both\"", "jobs/nightly.toml"),
    ] {
        desk.write("jobs/nightly.toml", &format!("{JOB}[report]\n{report}\n"));
        let path = desk.0.path().join(name);
        let before = fs::read(&path).unwrap();
        let run = ["--date", "2028-03-01", "jobs/nightly.toml"];
        for args in [&run[..], &["--check", run[0], run[1], run[2]]] {
            let refused = desk.sync(args, Some("token"));
            let said = String::from_utf8(refused.stderr).unwrap();
            assert_eq!(refused.status.code(), Some(2), "{report}: {said}");
            assert!(
                said.contains("in [report] is `") && said.contains("which the job has already"),
                "{said}"
            );
        }
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}

#[test]
fn a_glob_does_not_take_what_the_job_wrote_the_night_before() {
    let desk = Desk::new();
    desk.inputs();
    let report = "[report]\nrejects = \"out/rejects.csv\"\nmetrics = \"out/night.csv\"\n";
    desk.write("jobs/nightly.toml", &format!("{JOB}{report}"));
    let args = ["--check", "--date", "2028-03-01", "--json", "jobs/nightly.toml"];
    let check = |code| {
        let checked = desk.sync(&args, Some("token"));
        assert_eq!(checked.status.code(), Some(code), "{}", stderr(&checked));
        String::from_utf8(checked.stdout.clone()).unwrap() + &stderr(&checked)
    };
    let first = check(0);
    let found = "`out/*.csv`: 1 file, 22 bytes";
    assert!(first.contains(found), "{first}");
    desk.write(
        "jobs/out/rejects.csv",
        "source,line,column,user_type,reason,value\na,1,1,fbid,x,y\n",
    );
    desk.write("jobs/out/night.csv", "# HELP throng_sync_x x\n");
    let second = check(0);
    assert!(second.contains(found), "{second}");
    // Somebody else's file in that place is read, and so it is not written over.
    desk.write("jobs/out/rejects.csv", "email\ncarl@example.com\n");
    assert!(check(2).contains("which the job has already"));
    // Nothing is left of the opt-outs: that must not look like a list of nobody.
    fs::remove_file(desk.0.path().join("jobs/out/opted.csv")).unwrap();
    desk.write("jobs/out/rejects.csv", "source,line,column,user_type,reason\n");
    assert!(check(3).contains("no file matches but this job's own reports"));
}

/// A job has no flags to choose columns and formats with: what is to be done is said by its keys.
#[test]
fn what_a_job_may_do_is_said_by_its_keys() {
    let desk = Desk::new();
    let job = |columns: &str| {
        let job = JOB.replace(
            "files = [\"in/${SECRET}-{date-1d}*.csv\", \"in/plain.csv\"]",
            "files = \"in/plain.csv\"",
        );
        let job = job.replace("column = \"email\"\n", columns);
        desk.write(
            "jobs/nightly.toml",
            &job.replace("endpoint = \"http://127.0.0.1:1\"", "sandbox = \"sandbox\""),
        );
    };
    desk.inputs();
    let hint = |expected: &str| {
        let failed = desk.sync(&["jobs/nightly.toml"], None);
        let said = stderr(&failed);
        let hint = said.lines().find(|line| line.starts_with("hint: ")).unwrap_or_default();
        assert_eq!(hint, expected, "{said}");
        let record = String::from_utf8(failed.stdout).unwrap();
        assert!(!record.contains("--column") && !record.contains("--suppress"), "{record}");
    };
    job("");
    desk.write(
        "jobs/in/plain.csv",
        "a,b\nann@example.com,x@example.com\nbob@example.com,y@example.com\n",
    );
    hint("hint: choose one with `column` in [[audience]], several if all of them are meant");
    job("column = \"a\"\n");
    desk.write(
        "jobs/out/opted.csv",
        "a,b\nann@example.com,x@example.com\nbob@example.com,y@example.com\n",
    );
    desk.write("jobs/in/plain.csv", "a\nann@example.com\n\"bob@example.com\n");
    let failed = desk.sync(&["jobs/nightly.toml"], None);
    assert!(stderr(&failed).contains("`quotes` in [input]"), "{}", stderr(&failed));
}
