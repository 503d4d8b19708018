//! The real binary: flags, exit codes, texts.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use assert_cmd::Command;

use crate::support::fixture;

fn throng(args: &[&str]) -> std::process::Output {
    Command::cargo_bin("throng").unwrap().args(args).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn stderr(output: &std::process::Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn prepare_then_verify_then_damage() {
    let dir = tempfile::tempdir().unwrap();
    let (out, input) = (dir.path().join("out"), fixture("emails.txt"));
    let done = throng(&["prepare", text(&input), "-t", "email_hash", "-o", text(&out), "--json"]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    let summary: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(summary["audiences"][0]["written"], 28);
    assert_eq!(String::from_utf8(done.stdout).unwrap().lines().count(), 1);
    for entry in fs::read_dir(&out).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(throng(&["verify", text(&out)]).status.code(), Some(0));
    let again = throng(&["prepare", text(&input), "-t", "email_hash", "-o", text(&out)]);
    assert_eq!(again.status.code(), Some(4));
    assert!(stderr(&again).contains("hint: replace it with --overwrite"));
    fs::write(out.join("email_hash-00001.txt"), "x\n").unwrap();
    assert_eq!(throng(&["verify", text(&out)]).status.code(), Some(3));
}

#[test]
fn a_wrong_file_is_caught_with_a_hint_and_without_values() {
    let dir = tempfile::tempdir().unwrap();
    let (out, crm) = (dir.path().join("out"), fixture("crm_export.csv"));
    let failed =
        throng(&["prepare", text(&crm), "-t", "email_hash", "-c", "phone", "-o", text(&out)]);
    assert_eq!(failed.status.code(), Some(3));
    let message = stderr(&failed);
    assert!(
        message.contains("these look like phone numbers: --user-type phone_hash?"),
        "{message}"
    );
    assert!(message.contains("column 4 `E-mail` holds e-mail addresses"), "{message}");
    assert!(!out.exists());
    assert!(!message.contains("example.com"));
}

#[test]
fn nasty_inputs_end_with_their_own_message() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    for (name, code, message) in [
        ("records/truncated.gz", 3, "ends too early"),
        ("records/empty.txt", 3, "the inputs hold no values"),
        ("records/nothing_there.csv", 3, "failed to open"),
    ] {
        let input = fixture(name);
        let failed = throng(&["prepare", text(&input), "-t", "email_hash", "-o", text(&out)]);
        assert_eq!(failed.status.code(), Some(code), "{name}: {}", stderr(&failed));
        assert!(stderr(&failed).contains(message), "{name}: {}", stderr(&failed));
        assert!(!out.exists(), "{name}");
    }
}

#[test]
fn hash_answers_every_line() {
    let output = Command::cargo_bin("throng")
        .unwrap()
        .args(["hash", "-t", "email_hash"])
        .write_stdin(" Mary@Example.com \n\nnobody\n")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    let expected = "f1904cf1a9d73a55fa5de0ac823c4403ded71afd4c3248d00bdcd0866552bb79\n\n\n";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[test]
fn usage_errors_exit_with_2() {
    assert_eq!(throng(&["prepare"]).status.code(), Some(2));
    assert_eq!(throng(&["prepare", "x", "-t", "nonsense"]).status.code(), Some(2));
    assert_eq!(throng(&["prepare", "x", "-t", "fbid", "--memory", "1M"]).status.code(), Some(2));
}

#[test]
fn one_type_can_be_mapped_twice_if_labels_differ() {
    let dir = tempfile::tempdir().unwrap();
    let (input, out) = (dir.path().join("in.csv"), dir.path().join("out"));
    fs::write(&input, "work,home\nann@example.com,bob@example.com\n").unwrap();
    let map = |home: &str| {
        let args = ["prepare", text(&input), "--map", "work=email_hash", "--map", home];
        throng(&[&args[..], &["-o", text(&out)]].concat())
    };
    assert_eq!(map("home=email_hash:../x").status.code(), Some(2));
    assert_eq!(map("home=email_hash:home").status.code(), Some(0));
    let verified = throng(&["verify", text(&out)]);
    let report = "email_hash: 1 entries in 1 part match the manifest\n\
                  home: 1 entries in 1 part match the manifest\n";
    assert_eq!(stderr(&verified), report);
}

#[test]
fn a_reject_list_takes_no_device_or_socket_away() {
    let dir = tempfile::tempdir().unwrap();
    let (out, list) = (dir.path().join("out"), dir.path().join("socket"));
    let _listener = std::os::unix::net::UnixListener::bind(&list).unwrap();
    let input = fixture("emails.txt");
    let refused = throng(&[
        "prepare",
        text(&input),
        "-t",
        "email_hash",
        "-o",
        text(&out),
        "--rejects",
        text(&list),
    ]);
    assert_eq!(refused.status.code(), Some(4), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("not a regular file"), "{}", stderr(&refused));
    assert!(!fs::metadata(&list).unwrap().is_file());
    assert!(!out.exists());
}

#[test]
fn nothing_waits_for_a_part_or_manifest_that_is_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let (out, input) = (dir.path().join("out"), fixture("emails.txt"));
    let done = throng(&["prepare", text(&input), "-t", "email_hash", "-o", text(&out)]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    let next = dir.path().join("next");
    let against = ["prepare", text(&input), "-t", "email_hash", "-o", text(&next)];
    for name in ["email_hash-00001.txt", "manifest.json"] {
        fs::remove_file(out.join(name)).unwrap();
        let made = std::process::Command::new("mkfifo").arg(out.join(name)).status().unwrap();
        assert!(made.success());
        let commands: [Vec<&str>; 2] =
            [vec!["verify", text(&out)], [&against[..], &["--against", text(&out)]].concat()];
        for command in commands {
            let mut throng = Command::cargo_bin("throng").unwrap();
            let limit = std::time::Duration::from_mins(1);
            let refused = throng.args(&command).timeout(limit).output().unwrap();
            assert_eq!(refused.status.code(), Some(3), "{command:?}: {}", stderr(&refused));
            assert!(stderr(&refused).contains("not a regular file"), "{}", stderr(&refused));
        }
    }
}

#[test]
fn names_and_headers_steer_no_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("na\nme\u{1b}[2J\u{202e}.csv");
    let value = "mary@example.com";
    fs::write(&input, format!("\"E\u{1b}[31m\u{202e}mail\",city\n{value},Bonn\n")).unwrap();
    let out = dir.path().join("o\nut\u{1b}[2J\u{2066}");
    let done = throng(&["prepare", text(&input), "-t", "email_hash", "-o", text(&out)]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    let no_file = throng(&["prepare", "a\n\u{1b}[b", "-t", "email_hash", "-o", text(&out)]);
    assert_eq!(no_file.status.code(), Some(2), "{}", stderr(&no_file));
    for said in [stderr(&done), stderr(&no_file)] {
        let is_hidden = |c: char| c != '\n' && c.is_control() || "\u{202e}\u{2066}".contains(c);
        assert!(!said.chars().any(is_hidden), "{said:?}");
        assert!(
            !said.lines().any(|line| line.starts_with("me") || line.starts_with("ut")),
            "{said}"
        );
    }
}

#[test]
fn a_result_that_standard_output_does_not_take_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let (out, input) = (dir.path().join("out"), fixture("emails.txt"));
    let prepare = ["prepare", text(&input), "-t", "email_hash", "-o", text(&out), "--json"];
    let state = ["history", "--state", text(dir.path()), "--html"];
    let commands: [&[&str]; 5] = [
        &prepare,
        &["verify", text(&out), "--json"],
        &state,
        &["sync", "--init"],
        &["completions", "bash"],
    ];
    for args in commands {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut throng = std::process::Command::new(assert_cmd::cargo::cargo_bin("throng"));
        let failed = throng.args(args).stdout(full).output().unwrap();
        assert_eq!(failed.status.code(), Some(4), "{args:?}: {}", stderr(&failed));
        assert!(stderr(&failed).contains("error: cannot write `stdout`"), "{}", stderr(&failed));
        assert!(!stderr(&failed).contains("nothing was published"), "{}", stderr(&failed));
    }
}

#[test]
fn a_part_that_no_entry_fits_into_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (out, input) = (dir.path().join("out"), fixture("emails.txt"));
    for (bytes, code) in [("64", 2), ("65", 0)] {
        let args = ["prepare", text(&input), "-t", "email_hash", "-o", text(&out)];
        let done = throng(&[&args[..], &["--part-bytes", bytes]].concat());
        assert_eq!(done.status.code(), Some(code), "{}", stderr(&done));
    }
    for entry in fs::read_dir(&out).unwrap().map(Result::unwrap) {
        assert!(entry.file_name() == "manifest.json" || entry.metadata().unwrap().len() <= 65);
    }
}

#[test]
fn history_looks_and_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let looked = throng(&["history", "--state", text(&state)]);
    assert_eq!(looked.status.code(), Some(0), "{}", stderr(&looked));
    assert_eq!(String::from_utf8(looked.stdout).unwrap(), "nothing was uploaded yet\n");
    assert!(!state.exists());
}

#[test]
fn no_umask_keeps_the_owner_out_and_no_core_file_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let (out, list) = (dir.path().join("out"), dir.path().join("rejects.csv"));
    let binary = assert_cmd::cargo::cargo_bin("throng");
    let shell = |script: &str, args: &[&str]| {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", script, text(&binary)]).args(args);
        command
    };
    let input = fixture("emails.txt");
    let prepare =
        ["prepare", text(&input), "-t", "email_hash", "-o", text(&out), "--rejects", text(&list)];
    let done = shell("umask 777; exec \"$0\" \"$@\"", &prepare).output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&out), mode(&list)), (0o700, 0o600));
    assert_eq!(mode(&out.join("manifest.json")), 0o600);
    let mut filter =
        shell("(ulimit -S -c 64) && ulimit -S -c 64; exec \"$0\" \"$@\"", &["hash", "-t", "fbid"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
    filter.stdin.as_mut().unwrap().write_all(b"7\n").unwrap();
    filter.stdout.as_mut().unwrap().read_exact(&mut [0; 2]).unwrap();
    let limits = fs::read_to_string(format!("/proc/{}/limits", filter.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    drop(filter.stdin.take());
    assert!(filter.wait().unwrap().success());
}

#[test]
fn a_list_of_nobody_is_read_if_its_header_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let (out, list) = (dir.path().join("out"), dir.path().join("opt_outs.csv"));
    let input = fixture("emails.txt");
    let prepare = [
        "prepare",
        text(&input),
        "-t",
        "email_hash",
        "-o",
        text(&out),
        "--overwrite",
        "--suppress",
        text(&list),
    ];
    for header in ["", "email\n", "since,E-Mail\n"] {
        fs::write(&list, header).unwrap();
        let done = throng(&prepare);
        assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
        let said = if header.is_empty() { "is empty" } else { "holds a header alone" };
        let said = format!("opt_outs.csv` {said}");
        assert!(stderr(&done).contains(&said), "{}", stderr(&done));
    }
    // What speaks of nothing could be somebody.
    for header in ["since\n", "since,who\n"] {
        fs::write(&list, header).unwrap();
        let refused = throng(&prepare);
        assert_eq!(refused.status.code(), Some(3), "{}", stderr(&refused));
        let named = throng(&[&prepare[..], &["--suppress-column", "since"]].concat());
        assert_eq!(named.status.code(), Some(0), "{}", stderr(&named));
    }
}

#[test]
fn a_password_in_an_address_is_not_repeated() {
    for args in [["audience", "list", "--ad-account", "1"], ["audience", "show", "59", "--json"]] {
        let refused = Command::cargo_bin("throng")
            .unwrap()
            .args(args)
            .args(["--endpoint", "https://user:canary-7@api.example.com"])
            .output()
            .unwrap();
        let said = stderr(&refused);
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains("holds a user name or password"), "{said}");
        assert!(!said.contains("canary-7"), "{said}");
    }
}

#[test]
fn an_earlier_result_is_not_replaced_by_who_is_not_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let (out, input) = (dir.path().join("out"), fixture("emails.txt"));
    let prepare = ["prepare", text(&input), "-q", "-t", "email_hash", "-o", text(&out)];
    assert!(throng(&prepare).status.success());
    let manifest = fs::read(out.join("manifest.json")).unwrap();
    let again = format!("{}/.", text(&out));
    let refused = throng(&[&prepare[..], &["--against", &again, "--overwrite"]].concat());
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("would be forgotten\nhint: "), "{}", stderr(&refused));
    assert_eq!(fs::read(out.join("manifest.json")).unwrap(), manifest);
}
