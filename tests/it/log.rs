//! `--log json`: whatever a command says on standard error is one JSON object a line.

use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;

use crate::support::fixture;

fn throng(args: &[&str], format: Option<&str>) -> Output {
    let mut command = Command::cargo_bin("throng").unwrap();
    command.env_remove("THRONG_LOG");
    if let Some(format) = format {
        command.env("THRONG_LOG", format);
    }
    command.args(args).output().unwrap()
}

/// The lines of standard error, each checked for its form.
fn lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stderr).unwrap();
    assert!(!text.is_empty());
    let lines = text.lines().map(|line| serde_json::from_str(line).expect(line));
    let lines: Vec<Value> = lines.collect();
    for line in &lines {
        let line = line.as_object().unwrap();
        let keys: Vec<&str> = line.keys().map(String::as_str).collect();
        assert_eq!(keys, ["event", "fields", "level", "message", "time"]);
        let time = line["time"].as_str().unwrap();
        assert!(time.len() == 24 && time.starts_with("20") && time.ends_with('Z'), "{time}");
        assert!(["error", "warn", "info"].contains(&line["level"].as_str().unwrap()));
        assert!(line["message"].is_string() && line["fields"].is_object());
    }
    lines
}

fn events(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["event"].as_str().unwrap()).collect()
}

#[test]
fn notes_and_summary_are_objects() {
    let dir = tempfile::tempdir().unwrap();
    let (out, input) = (dir.path().join("out"), fixture("emails.txt"));
    let args = ["--log", "json", "prepare", input.to_str().unwrap(), "-t", "email_hash", "-o"];
    let done = throng(&[&args[..], &[out.to_str().unwrap()]].concat(), None);
    assert_eq!(done.status.code(), Some(0));
    let lines = lines(&done);
    let (summary, notes) = lines.split_last().unwrap();
    assert_eq!(summary["event"], "summary");
    assert_eq!(summary["fields"]["audiences"][0]["written"], 28);
    assert!(!notes.is_empty() && events(notes).iter().all(|event| *event == "note"));
    assert!(!notes[0]["message"].as_str().unwrap().starts_with("note"));
}

#[test]
fn an_error_is_one_object_with_hint_and_exit_code() {
    let input = fixture("crm_export.csv");
    let args = ["prepare", input.to_str().unwrap(), "-t", "email_hash", "-c", "phone"];
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let args = [&args[..], &["-o", out.to_str().unwrap(), "--log=json", "-q"]].concat();
    let failed = throng(&args, None);
    assert_eq!(failed.status.code(), Some(3));
    let lines = lines(&failed);
    assert_eq!(events(&lines), ["error"]);
    assert_eq!(lines[0]["level"], "error");
    assert_eq!(lines[0]["fields"]["exit_code"], 3);
    assert!(lines[0]["fields"]["hint"].as_str().unwrap().contains("phone_hash"));
    let message = lines[0]["message"].as_str().unwrap();
    assert!(!message.starts_with("error") && !message.contains("hint"), "{message}");
}

#[test]
fn a_wrong_command_line_is_an_object_too() {
    for (args, format) in [
        (&["prepare", "--log", "json"][..], None),
        (&["prepare", "x", "-t", "nonsense", "--log=json"], None),
        (&["nonsense"], Some("json")),
    ] {
        let failed = throng(args, format);
        assert_eq!(failed.status.code(), Some(2), "{args:?}");
        let lines = lines(&failed);
        assert_eq!((events(&lines), &lines[0]["fields"]["exit_code"]), (vec!["error"], &2.into()));
    }
    let help = throng(&["--help", "--log", "json"], None);
    assert_eq!((help.status.code(), help.stderr.len()), (Some(0), 0));
    assert_eq!(throng(&["hash", "--log", "yaml", "-t", "fbid"], None).status.code(), Some(2));
}

#[test]
fn text_stays_text() {
    let failed = throng(&["verify", "/nonexistent/dir"], None);
    let text = String::from_utf8(failed.stderr).unwrap();
    assert!(text.starts_with("error: "), "{text}");
}

#[test]
fn what_was_typed_steers_no_terminal() {
    let bad = "\u{1b}[31m\u{9b}31m\u{202e}X\u{7}";
    let words = [format!("prepare{bad}"), format!("--json{bad}"), format!("--max-rejects={bad}")];
    for args in [
        &words[..1],
        &["prepare".to_owned(), words[1].clone()],
        &["prepare".to_owned(), words[2].clone()],
    ] {
        for log in ["text", "json"] {
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_throng"));
            let ended = command.args(args).env("THRONG_LOG", log).output().unwrap();
            assert_eq!(ended.status.code(), Some(2));
            let said = String::from_utf8([ended.stdout, ended.stderr].concat()).unwrap();
            let is_steering = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
            assert!(said.contains('X') && !said.contains(is_steering), "{said:?}");
        }
    }
}
