//! The examples for schedulers say nothing that does not exist, and do what their comments promise.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use throng::ExitCode;
use throng::job::Job;

const EXAMPLES: [&str; 5] = [
    "cron/throng",
    "systemd/throng.service",
    "systemd/throng.timer",
    "kubernetes/cronjob.yaml",
    "airflow/dag.py",
];

/// Exit codes after which the same command is worth another try.
const TRY_AGAIN: [ExitCode; 2] = [ExitCode::Temporary, ExitCode::Partial];

/// The others that throng ends with by itself.
const FOR_A_PERSON: [ExitCode; 6] = [
    ExitCode::Internal,
    ExitCode::Usage,
    ExitCode::Input,
    ExitCode::Output,
    ExitCode::Credentials,
    ExitCode::Unknown,
];

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap()
}

/// The flags in a text: `--max-age` and the like.
fn flags(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_lowercase() || c == '-';
    let words = text.split(|c: char| !is_part(c));
    let long = words.filter(|word| {
        word.strip_prefix("--").is_some_and(|name| name.starts_with(|c: char| c != '-'))
    });
    long.map(str::to_owned).collect()
}

#[test]
fn flags_and_paths_exist() {
    let dirs = ["cron", "systemd", "kubernetes", "airflow"];
    let found = dirs.iter().flat_map(|dir| fs::read_dir(path(dir)).unwrap());
    assert_eq!(found.count(), EXAMPLES.len(), "each example is looked at");
    let mut known = BTreeSet::new();
    for command in ["sync", "prepare", "history"] {
        let help = Command::new(env!("CARGO_BIN_EXE_throng")).args([command, "--help"]).output();
        known.extend(flags(&String::from_utf8(help.unwrap().stdout).unwrap()));
    }
    for example in EXAMPLES {
        let text = read(example);
        assert!(text.contains("throng"), "{example}");
        assert!(!text.contains('\t') && text.ends_with('\n'), "{example}");
        let of_others = text.lines().filter(|line| line.contains("systemctl"));
        let of_others: BTreeSet<String> = of_others.flat_map(flags).collect();
        for flag in flags(&text).difference(&of_others) {
            assert!(known.contains(flag), "{example}: {flag}");
        }
    }
}

/// Those for engines are run by `tests/interop`, which needs the engines.
#[test]
fn engines_are_told_flags_that_exist() {
    let mut known = BTreeSet::from(["--archives", "--files"].map(str::to_owned));
    for command in ["hash", "manifest", "prepare", "upload"] {
        let help = Command::new(env!("CARGO_BIN_EXE_throng")).args([command, "--help"]).output();
        known.extend(flags(&String::from_utf8(help.unwrap().stdout).unwrap()));
    }
    for dir in ["spark", "python"] {
        for entry in fs::read_dir(path(dir)).unwrap() {
            let file = entry.unwrap().path();
            // What Python has compiled.
            let Ok(text) = fs::read_to_string(&file) else { continue };
            assert!(text.ends_with('\n') && !text.contains('\t'), "{file:?}");
            let unknown: Vec<String> = flags(&text).difference(&known).cloned().collect();
            assert_eq!(unknown, [""; 0], "{file:?}");
        }
    }
}

#[test]
fn cron_tries_again_what_may_go_away_by_itself() {
    let table = read("cron/throng");
    let line = table.lines().find(|line| line.starts_with("15 3 * * * throng ")).unwrap();
    let command = line.strip_prefix("15 3 * * * throng ").unwrap();
    assert!(!command.contains('%'), "cron takes it for a line end");
    let dir = tempfile::tempdir().unwrap();
    let program = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    program("sleep", "#!/bin/sh\nexit 0\n");
    let run = |codes: &str| {
        // One digit a try.
        program(
            "throng",
            "#!/bin/sh\necho x >> calls\nexit $(echo \"$CODES\" | cut -c $(wc -l < calls))\n",
        );
        fs::write(dir.path().join("calls"), "").unwrap();
        let path = format!("{}:/usr/bin:/bin", dir.path().display());
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).env("PATH", path).env("CODES", codes).current_dir(&dir);
        let code = shell.status().unwrap().code();
        (code, fs::read_to_string(dir.path().join("calls")).unwrap().lines().count())
    };
    assert_eq!(run("0"), (Some(0), 1));
    assert_eq!(run("670"), (Some(0), 3));
    assert_eq!(run("6666"), (Some(6), 3));
    for code in FOR_A_PERSON {
        assert_eq!(run(&format!("{}", code as u8)), (Some(i32::from(code as u8)), 1));
    }
}

#[test]
fn units_are_units_and_restart_by_exit_code() {
    for unit in ["systemd/throng.service", "systemd/throng.timer"] {
        for line in read(unit).lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let is_section = line.starts_with('[') && line.ends_with(']');
            let name = line.split('=').next().unwrap();
            let is_setting = line.contains('=') && name.chars().all(char::is_alphabetic);
            assert!(is_section || is_setting, "{unit}: {line}");
        }
    }
    let service = read("systemd/throng.service");
    let never = service.lines().find_map(|line| line.strip_prefix("RestartPreventExitStatus="));
    let codes = FOR_A_PERSON.map(|code| (code as u8).to_string());
    assert_eq!(never.unwrap(), codes.join(" "));
}

#[test]
fn the_job_in_the_cluster_is_a_job_and_fails_by_exit_code() {
    let text = read("kubernetes/cronjob.yaml");
    let (_, job) = text.split_once("  nightly.toml: |\n").unwrap();
    let job: Vec<&str> =
        job.lines().take_while(|line| *line != "---").map(str::trim_start).collect();
    let date = jiff::civil::date(2026, 11, 24);
    let job = Job::parse(&job.join("\n"), Path::new("/etc/throng/nightly.toml"), &|_| None, date);
    assert_eq!(job.unwrap().state_dir, Path::new("/var/lib/throng/state"));
    let again = text.lines().find_map(|line| line.trim().strip_prefix("values: [")).unwrap();
    let again: Vec<u8> =
        again.trim_end_matches(']').split(", ").map(|code| code.parse().unwrap()).collect();
    assert!(TRY_AGAIN.iter().all(|code| again.contains(&(*code as u8))));
    assert!(FOR_A_PERSON.iter().all(|code| !again.contains(&(*code as u8))));
}

#[test]
fn the_dag_is_python_and_tries_again_by_exit_code() {
    let text = read("airflow/dag.py");
    assert!(text.contains("if error.retry:\n                raise\n"));
    let errors = include_str!("../../python/throng/_errors.py");
    let classes = errors.split("\nclass ").filter(|class| class.contains("    retry = True\n"));
    let code_of =
        |class: &str| class.split_once("    exit_code = ")?.1.lines().next()?.parse().ok();
    let again: Vec<u8> = classes.filter_map(code_of).collect();
    assert_eq!(again, TRY_AGAIN.map(|code| code as u8));
    let parse = "import ast, sys; ast.parse(open(sys.argv[1]).read())";
    let python = Command::new("python3").args(["-c", parse]).arg(path("airflow/dag.py")).status();
    // Where there is no Python, nobody has Airflow.
    if let Ok(status) = python {
        assert!(status.success());
    }
}
