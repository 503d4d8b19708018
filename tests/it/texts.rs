//! What people read: help, summaries, and the errors that they will meet. Change a text, look at it, and accept it with
//! `cargo insta review` (or `INSTA_UPDATE=always cargo test texts`).

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::fixture;

/// Runs the binary in the folder of fixtures, so that paths are the same everywhere.
fn throng(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
    command.current_dir(fixture("")).env_remove("THRONG_LOG").args(args).output().unwrap()
}

/// Standard error without what differs from run to run.
fn stderr(output: &Output, dir: &Path) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    let text = text.replace(dir.to_str().unwrap(), "DIR");
    let lines = text.lines().map(|line| match line.split_once(" in ") {
        Some((dir, rest)) if rest.contains(" records/s, peak memory ") => {
            format!("{dir} in TIME, RATE records/s, peak memory SIZE")
        }
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn help_teaches() {
    for command in ["prepare", "hash", "verify"] {
        let output = throng(&[command, "--help"]);
        assert_eq!(output.status.code(), Some(0));
        insta::assert_snapshot!(
            format!("help_{command}"),
            String::from_utf8(output.stdout).unwrap()
        );
    }
}

#[test]
fn summary_is_read_at_a_glance() {
    let dir = tempfile::tempdir().unwrap();
    let (known, out) = (dir.path().join("known"), dir.path().join("out"));
    let (known, out) = (known.to_str().unwrap(), out.to_str().unwrap());
    let first = throng(&["prepare", "emails.txt", "-t", "email_hash", "-o", known]);
    insta::assert_snapshot!("summary_of_a_list", stderr(&first, dir.path()));
    let second = throng(&[
        "prepare",
        "crm_export.csv",
        "-t",
        "email_hash",
        "--suppress",
        "opt_outs.csv",
        "--against",
        known,
        "-o",
        out,
        "--part-lines",
        "1000",
    ]);
    insta::assert_snapshot!("summary_of_an_export", stderr(&second, dir.path()));
    let verified = throng(&["verify", out]);
    assert_eq!(verified.status.code(), Some(0));
    insta::assert_snapshot!("verify", stderr(&verified, dir.path()));
}

#[test]
fn errors_say_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (out, taken, strange) = (path("out"), path("taken"), path("strange"));
    fs::create_dir(&strange).unwrap();
    fs::write(dir.path().join("strange/precious"), "").unwrap();
    let list = path("one_list.csv");
    fs::write(&list, "mail_a,mail_b\nann@example.com,bob@example.com\n").unwrap();
    assert!(
        throng(&["prepare", "emails.txt", "-q", "-t", "email_hash", "-o", &taken]).status.success()
    );
    let mut text = String::new();
    for args in [
        &["emails.txt", "-t", "phone_hash"][..],
        &["phones.txt", "-t", "email_hash"],
        &["crm_export.csv", "-t", "email_hash", "-c", "phone"],
        &["crm_export.csv", "-t", "email_hash", "-c", "nope"],
        &["crm_export.csv", "-t", "email_hash", "-c", "99"],
        &["emails.txt", "-t", "email_hash", "--suppress", &list],
        &["emails.txt", "-t", "email_hash", "--suppress", "phones.txt"],
        &["emails.txt", "-t", "email_hash", "--against", "records"],
        &["-", "-", "-t", "email_hash"],
        &["nothing*here", "-t", "email_hash"],
        &["nothing_here", "-t", "email_hash"],
        &["records/empty.txt", "-t", "email_hash"],
        &["records/utf16le.csv", "-t", "fbid"],
        &["emails.txt", "-t", "email_hash", "-q", "--suppress", "records/unclosed_quote.csv"],
        &["emails.txt", "-t", "email_hash", "-q", "--suppress", "records/shifted.csv"],
        &["records/truncated.gz", "-t", "email_hash"],
        &["records/bad_checksum.gz", "-t", "email_hash"],
        &["emails.txt", "-t", "email_hash", "--memory", "1M"],
        &["emails.txt", "-t", "email_hash", "--threads", "0"],
        &["emails.txt", "-t", "email_hash", "--format", "lines", "--delimiter", ";"],
        &["emails.txt", "-t", "email_hash", "-o", &taken],
        &["emails.txt", "-t", "email_hash", "-o", &strange, "--overwrite"],
        &["emails.txt", "-t", "email_hash", "-o", "README.md"],
        &["emails.txt", "-t", "email_hash", "-o", ".."],
        &["emails.txt", "-t", "email_hash", "--rejects", "emails.txt"],
    ] {
        let mut args = [&["prepare"], args].concat();
        if !args.contains(&"-o") {
            args.extend(["-o", &out]);
        }
        let output = throng(&args);
        let shown = args[1..].join(" ").replace(dir.path().to_str().unwrap(), "DIR");
        let code = output.status.code().unwrap();
        let _ = writeln!(
            text,
            "$ throng prepare {shown}\n{}\n[exit code {code}]\n",
            stderr(&output, dir.path())
        );
        assert!(output.stdout.is_empty());
        assert!(!Path::new(&out).exists(), "{shown}");
    }
    assert!(!text.contains("example.com"), "values are in\n{text}");
    insta::assert_snapshot!("errors", text);
}

/// What somebody types who has never seen a command, a CSV with `;` from a spreadsheet at hand.
#[test]
fn first_tries_are_answered() {
    let dir = tempfile::tempdir().unwrap();
    let export = "Nr;Name;E-Mail;Telefon\r\n1;\"M; Anna\";anna@example.com;0171 2345678\r\n2;Bob;bob@example.com;+49 171 2345679\r\n";
    fs::write(dir.path().join("export.csv"), export).unwrap();
    let text = failures(
        dir.path(),
        &[
            "export.csv",
            "prepare export.csv",
            "prepare export.csv -t email",
            "prepare export.csv -t email_hash -c mail",
            "prepare export.csv -t phone_hash",
            "prepare export.csv -t phone_hash --country Atlantis",
            "prepare export.csv --map email_hash=E-Mail",
            "hash -t email_hash export.csv",
            "verify export.csv",
            "upload audience --create News --sandbox",
            "upload audience --create News",
            "upload audience --create News --ad-account act_123",
            "upload audience --create News --ad-account 123",
            "upload audience --create News --ad-account 123 --token-file token",
            "sync",
            "sync export.csv",
        ],
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing was written");
    insta::assert_snapshot!("first_tries", text);
}

/// Files that are not what their names say, and columns that are not what they seem.
#[test]
fn wrong_files_are_told_by_what_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let id = 123_456_789_012_345_u64;
    for (name, content) in [
        ("login.csv", "<!DOCTYPE html>\n<html><body>Log in</body></html>\n".to_owned()),
        ("export.json", "[\n  {\"email\": \"ann@example.com\"}\n]\n".to_owned()),
        ("header.csv", "id,name,email\n".to_owned()),
        (
            "md5.csv",
            "email\n6f5902ac237024bdd0c176cb93063dc4\nd41d8cd98f00b204e9800998ecf8427e\n"
                .to_owned(),
        ),
        ("phones.csv", "name,phone\nAnn,0171 2345678\nBob,0171 2345679\n".to_owned()),
        ("numbers.csv", "nr,name\n1,Ann\n2,Bob\n".to_owned()),
        ("people.csv", format!("name,id\nAnn,{id}\nBob,{}\n", id + 1)),
    ] {
        fs::write(dir.path().join(name), content).unwrap();
    }
    let text = failures(
        dir.path(),
        &[
            "prepare login.csv -t custom_audience_third_party_id",
            "prepare export.json -t custom_audience_third_party_id",
            "prepare header.csv -t email_hash",
            "prepare md5.csv -t email_hash",
            "prepare phones.csv -t phone_hash",
            "prepare phones.csv -t phone_hash -c 3",
            "prepare numbers.csv -t fbid",
        ],
    );
    insta::assert_snapshot!("wrong_files", text);
    // Numbers that nothing else has so many digits as, and a column that is named.
    for args in [&["people.csv"][..], &["numbers.csv", "-c", "1", "--overwrite"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
        let run = command.current_dir(dir.path()).args(["prepare", "-t", "fbid"]).args(args);
        assert!(run.output().unwrap().status.success(), "{args:?}");
    }
}

/// What throng says to each of these command lines, none of which it can do.
fn failures(dir: &Path, lines: &[&str]) -> String {
    let mut text = String::new();
    for line in lines {
        let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
        command.env_remove("THRONG_LOG").env_remove("THRONG_TOKEN");
        let output = command.current_dir(dir).args(line.split(' ')).output().unwrap();
        let code = output.status.code().unwrap();
        assert_ne!(code, 0, "{line}");
        let said = stderr(&output, dir);
        let _ = writeln!(text, "$ throng {line}\n{said}\n[exit code {code}]\n");
    }
    text
}

#[test]
fn what_is_written_is_for_its_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let script =
        "umask 000; exec \"$0\" prepare \"$1\" -q -t email_hash -o out --rejects rejects.csv";
    let status = Command::new("sh")
        .current_dir(dir.path())
        .args(["-c", script, env!("CARGO_BIN_EXE_throng")])
        .arg(fixture("emails.txt"))
        .status()
        .unwrap();
    assert!(status.success());
    let mode =
        |name: &str| fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777;
    for (name, expected) in [
        ("out", 0o700),
        ("out/email_hash-00001.txt", 0o600),
        ("out/manifest.json", 0o600),
        ("rejects.csv", 0o600),
    ] {
        assert_eq!(mode(name), expected, "{name} has mode {:o}", mode(name));
    }
}

#[test]
fn verify_speaks_to_programs_too() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let path = out.to_str().unwrap();
    assert!(
        throng(&["prepare", "emails.txt", "-q", "-t", "email_hash", "-o", path]).status.success()
    );
    let quiet = throng(&["verify", path, "--quiet"]);
    assert!(quiet.status.success() && quiet.stdout.is_empty() && quiet.stderr.is_empty());
    fs::write(out.join("stray"), "").unwrap();
    let failed = throng(&["verify", path, "--json", "--quiet"]);
    assert_eq!(failed.status.code(), Some(3));
    let found: serde_json::Value = serde_json::from_slice(&failed.stdout).unwrap();
    assert_eq!(found["matches"], false);
    assert_eq!(found["problems"][0]["file"], "stray");
    assert!(stderr(&failed, dir.path()).contains("stray` is not in the manifest"));
}
