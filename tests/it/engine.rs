//! Part files of another engine: `throng manifest` takes what is whole and each once, and refuses the rest.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use throng::config::Resources;
use throng::normalize::UserType;
use throng::prepare::engine::{EngineConfig, describe};
use throng::progress::Progress;

use crate::support::{Random, config, digest_hex};

/// More than anything here takes.
const PATIENCE: Duration = Duration::from_mins(1);

fn throng(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_throng")).env_remove("THRONG_LOG").args(args).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn line(person: u64) -> String {
    digest_hex(format!("user.{person}@example.com").as_bytes()) + "\n"
}

fn lines(people: std::ops::Range<u64>) -> String {
    people.map(line).collect()
}

/// What Spark leaves behind: parts, one of them empty, a marker, and hidden checksums.
fn spark_output(dir: &Path) -> PathBuf {
    let out = dir.join("spark");
    fs::create_dir(&out).unwrap();
    for (name, text) in [
        ("part-00000-5f0c-c000.txt", lines(0..700)),
        ("part-00001-5f0c-c000.txt", String::new()),
        ("part-00002-5f0c-c000.txt", lines(700..1000)),
        ("_SUCCESS", String::new()),
        ("._SUCCESS.crc", "crc".to_owned()),
        (".part-00000-5f0c-c000.txt.crc", "crc".to_owned()),
    ] {
        fs::write(out.join(name), text).unwrap();
    }
    out
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(Result::unwrap);
    let file = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read(entry.path()).unwrap_or_default())
    };
    entries.map(file).collect()
}

#[test]
fn what_spark_wrote_can_be_verified_and_known() {
    let dir = tempfile::tempdir().unwrap();
    let out = spark_output(dir.path());
    let before = files(&out);
    let path = out.to_str().unwrap();
    let done = throng(&["manifest", path, "-t", "email_hash", "--json"]);
    assert!(done.status.success(), "{}", stderr(&done));
    assert_eq!(stderr(&done), "email_hash: 1000 entries in 2 parts, each once\n");
    let found: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(found["entries"], 1000);
    let mut after = files(&out);
    assert!(after.remove("manifest.json").is_some());
    assert_eq!(after, before, "parts are not changed, and nothing else is left");
    let verified = throng(&["verify", path]);
    assert_eq!(stderr(&verified), "email_hash: 1000 entries in 2 parts match the manifest\n");

    // A second time only if that is meant.
    let again = throng(&["manifest", path, "-t", "email_hash"]);
    assert_eq!(again.status.code(), Some(4), "{}", stderr(&again));
    assert!(throng(&["manifest", path, "-t", "email_hash", "--overwrite"]).status.success());

    // People of the directory are known to later runs, without a word about options that it does not have.
    let input = dir.path().join("input.txt");
    fs::write(&input, "user.5@example.com\nuser.1005@example.com\n").unwrap();
    let new = dir.path().join("new");
    let (input, new) = (input.to_str().unwrap(), new.to_str().unwrap());
    let args = ["prepare", input, "-t", "email_hash", "--against", path, "-o", new, "--json"];
    let prepared = throng(&args);
    let summary: serde_json::Value = serde_json::from_slice(&prepared.stdout).unwrap();
    assert_eq!(summary["audiences"][0]["written"], 1);
    assert!(!stderr(&prepared).contains("another --"), "{}", stderr(&prepared));

    fs::write(out.join("part-00003"), line(2000)).unwrap();
    let verified = throng(&["verify", path]);
    assert!(stderr(&verified).contains("part-00003` is not in the manifest"));
}

#[cfg(feature = "sandbox")]
#[test]
fn what_spark_wrote_can_be_uploaded() {
    let dir = tempfile::tempdir().unwrap();
    let out = spark_output(dir.path());
    let path = out.to_str().unwrap();
    assert!(throng(&["manifest", path, "-t", "email_hash", "-q"]).status.success());
    let args = ["upload", path, "--create", "x", "--ad-account", "1", "--sandbox"];
    let state = dir.path().join("state");
    let uploaded = throng(&[&args[..], &["--state", state.to_str().unwrap()]].concat());
    assert!(uploaded.status.success(), "{}", stderr(&uploaded));
    assert!(stderr(&uploaded).contains("has all 1,000 entries"), "{}", stderr(&uploaded));
}

#[test]
fn what_is_not_whole_is_refused_by_file_and_line() {
    let upper = line(7).to_uppercase();
    let nothing = digest_hex(b"") + "\n";
    let part = "part-00002-5f0c-c000.txt";
    let text = |more: &str| lines(700..1000) + more;
    for (file, content, message) in [
        (part, text("\n"), "part-00002-5f0c-c000.txt`, line 301: the line is no email_hash entry"),
        (part, text("user.1@example.com\n"), "line 301: the line is no email_hash entry"),
        (part, text(&upper), "line 301: the line is no email_hash entry"),
        (part, text(&nothing), "line 301: the line is no email_hash entry"),
        (part, text(&format!(" {}", line(7))), "line 301: the line is no email_hash entry"),
        (part, lines(0..3).replace('\n', "\r\n"), "line 1: the line is no email_hash entry"),
        (part, "x".repeat(1 << 20), "line 1: the line is no email_hash entry"),
        (part, text(line(7).trim_end()), "line 301: the last line has no end"),
        (part, text(&line(7)), "1 of its 1001 entries are there more than once"),
        ("part-00003.snappy", "x".to_owned(), "part-00003.snappy`: it is compressed or no text"),
        ("part-00003", "\x1f\u{8b}".to_owned(), "part-00003`, line 1: "),
        ("part 3", line(2000), "part 3`: its name cannot be sent to the API"),
        ("_temporary/0/x", String::new(), "a job is still writing to it, or was killed"),
        ("day=1/part-00000", line(2000), "it is a directory, and parts are files"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let out = spark_output(dir.path());
        fs::create_dir_all(out.join(file).parent().unwrap()).unwrap();
        fs::write(out.join(file), &content).unwrap();
        let before = files(&out);
        let refused = throng(&["manifest", out.to_str().unwrap(), "-t", "email_hash"]);
        assert_eq!(refused.status.code(), Some(3), "{file} {message}: {}", stderr(&refused));
        assert!(stderr(&refused).contains(message), "{message}: {}", stderr(&refused));
        assert!(!stderr(&refused).contains("example.com") && refused.stdout.is_empty());
        assert_eq!(files(&out), before, "{message}");
    }
}

#[test]
fn what_is_no_regular_file_holds_nothing_up() {
    let part = b"part-00003".as_slice();
    for (name, link_to, message) in [
        (part, None, "part-00003`: it is not a regular file"),
        (part, Some("/dev/zero"), "part-00003`: it is not a regular file"),
        (part, Some("part-00003"), "part-00003`: too many levels of symbolic links"),
        (part, Some("."), "part-00003`: it is a directory, and parts are files"),
        (part, Some("nothing"), "part-00003`: no such file or directory"),
        (b"part-\xff", Some("_SUCCESS"), "`: its name cannot be sent to the API"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let out = spark_output(dir.path());
        let path = out.join(OsStr::from_bytes(name));
        match link_to {
            Some(to) => symlink(to, path).unwrap(),
            None => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
        }
        let refused = assert_cmd::Command::cargo_bin("throng")
            .unwrap()
            .args(["manifest", out.to_str().unwrap(), "-t", "email_hash"])
            .timeout(PATIENCE)
            .output()
            .unwrap();
        assert_eq!(refused.status.code(), Some(3), "{message}: {}", stderr(&refused));
        assert!(stderr(&refused).contains(message), "{message}: {}", stderr(&refused));
        assert!(!out.join("manifest.json").exists(), "{message}");
    }
}

#[test]
fn a_part_that_grows_all_the_time_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let out = spark_output(dir.path());
    let part = out.join("part-00003");
    fs::write(&part, lines(2000..30_000)).unwrap();
    let mut run = Command::new(env!("CARGO_BIN_EXE_throng"))
        .args(["manifest", out.to_str().unwrap(), "-t", "email_hash"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut people = 30_000..;
    while run.try_wait().unwrap().is_none() {
        let mut part = File::options().append(true).open(&part).unwrap();
        part.write_all(line(people.next().unwrap()).as_bytes()).unwrap();
    }
    let refused = run.wait_with_output().unwrap();
    assert_eq!(refused.status.code(), Some(3), "{}", stderr(&refused));
    let whys = ["grew while", "changed while", "open for writing"];
    assert!(whys.iter().any(|why| stderr(&refused).contains(why)), "{}", stderr(&refused));
    assert!(!out.join("manifest.json").exists());
}

#[test]
fn a_directory_that_is_not_finished_or_empty_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let out = spark_output(dir.path());
    let path = out.to_str().unwrap().to_owned();
    fs::remove_file(out.join("_SUCCESS")).unwrap();
    let refused = |message: &str| {
        let output = throng(&["manifest", &path, "-t", "email_hash"]);
        assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
        assert!(stderr(&output).contains(message), "{}", stderr(&output));
    };
    refused("it has parts and no _SUCCESS");
    fs::write(out.join("_SUCCESS"), "").unwrap();
    for part in ["part-00000-5f0c-c000.txt", "part-00002-5f0c-c000.txt"] {
        fs::write(out.join(part), "").unwrap();
    }
    refused("its parts hold no entries");
    fs::remove_dir_all(&out).unwrap();
    fs::create_dir(&out).unwrap();
    refused("it has no parts");
    fs::remove_dir(&out).unwrap();
    refused("failed to read");
}

/// Other engines write other names and no marker.
#[test]
fn repeated_entries_are_counted_across_parts_whatever_the_memory() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(7);
    let mut people = BTreeMap::<u64, u64>::new();
    for part in 0..5 {
        let mut text = String::new();
        for _ in 0..4000 {
            let person = random.below(15_000);
            *people.entry(person).or_default() += 1;
            text.extend(["Customer-", &person.to_string(), "\n"]);
        }
        fs::write(dir.path().join(format!("data_{part}.csv")), text).unwrap();
    }
    let resources = Resources {
        memory_bytes: 32 << 20,
        block_bytes: 512,
        ..config(UserType::Fbid, &[], dir.path()).resources
    };
    let user_type = UserType::CustomAudienceThirdPartyId;
    let dir = dir.path().to_owned();
    let config = EngineConfig { dir, user_type, overwrite: false, resources };
    let repeated: u64 = people.values().map(|count| count - 1).sum();
    let error = describe(&config, &Progress::default()).unwrap_err().to_string();
    let expected = format!("{repeated} of its 20000 entries are there more than once");
    assert!(error.contains(&expected), "{error}");
    let once: Vec<String> = people.keys().map(|person| format!("Customer-{person}\n")).collect();
    let once = once.concat();
    for part in 0..5 {
        fs::write(config.dir.join(format!("data_{part}.csv")), if part == 3 { &once } else { "" })
            .unwrap();
    }
    let manifest = describe(&config, &Progress::default()).unwrap();
    assert_eq!(manifest.audiences[0].sets.written, people.len() as u64);
    assert_eq!(manifest.audiences[0].parts.len(), 1);
    assert_eq!(manifest.beside.len(), 4);
}
