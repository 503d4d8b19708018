//! Part files of another engine, such as Spark, are inputs like any other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::digest_hex;

fn prepare(pattern: &Path, more: &[&str], out: &Path) -> Output {
    let pattern = pattern.to_str().unwrap();
    let output = ["-o", out.to_str().unwrap()];
    let args = [&["prepare", pattern], more, &output, &["--overwrite"]].concat();
    Command::new(env!("CARGO_BIN_EXE_throng")).env_remove("THRONG_LOG").args(args).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn digests(people: std::ops::Range<u64>) -> String {
    let line = |person| digest_hex(format!("user.{person}@example.com").as_bytes()) + "\n";
    people.map(line).collect()
}

/// What Spark leaves behind: parts, one of them empty, a marker, and hidden checksums.
fn spark_output(dir: &Path) -> PathBuf {
    let out = dir.join("spark");
    fs::create_dir(&out).unwrap();
    for (name, text) in [
        ("part-00000-5f0c-c000.txt", digests(0..700)),
        ("part-00001-5f0c-c000.txt", String::new()),
        ("part-00002-5f0c-c000.txt", digests(650..1000)),
        ("_SUCCESS", String::new()),
        ("._SUCCESS.crc", "crc\0".to_owned()),
        (".part-00000-5f0c-c000.txt.crc", "crc\0".to_owned()),
    ] {
        fs::write(out.join(name), text).unwrap();
    }
    out
}

const DIGESTS: [&str; 6] = ["-t", "email_hash", "--prehashed", "always", "--max-rejects", "0"];

#[test]
fn what_spark_wrote_is_prepared_each_once_and_hashed_no_second_time() {
    let dir = tempfile::tempdir().unwrap();
    let (spark, out) = (spark_output(dir.path()), dir.path().join("out"));
    for pattern in ["part-*", "*part*", "*.txt"] {
        let prepared = prepare(&spark.join(pattern), &[&DIGESTS[..], &["--json"]].concat(), &out);
        assert!(prepared.status.success(), "{}", stderr(&prepared));
        let summary: serde_json::Value = serde_json::from_slice(&prepared.stdout).unwrap();
        let audience = &summary["audiences"][0];
        assert_eq!((&audience["read"], &audience["duplicates"]), (&1050.into(), &50.into()));
        let mut expected: Vec<_> = digests(0..1000).lines().map(str::to_owned).collect();
        expected.sort();
        let written = fs::read_to_string(out.join("email_hash-00001.txt")).unwrap();
        assert_eq!(written.lines().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_line_that_is_no_digest_stops_everything() {
    for line in ["user.1@example.com\n", "6f2a"] {
        let dir = tempfile::tempdir().unwrap();
        let (spark, out) = (spark_output(dir.path()), dir.path().join("out"));
        let part = spark.join("part-00002-5f0c-c000.txt");
        fs::write(&part, digests(700..1000) + line).unwrap();
        let refused = prepare(&spark.join("part-*"), &DIGESTS, &out);
        let said = stderr(&refused);
        assert_eq!(refused.status.code(), Some(3), "{said}");
        assert!(said.contains("not_hashed 1 (") && said.contains("c000.txt`, line 301"), "{said}");
        assert!(!said.contains("example.com") && !out.exists(), "{said}");
    }
}

#[test]
fn clear_ids_stay_as_the_engine_wrote_them() {
    let dir = tempfile::tempdir().unwrap();
    for (part, text) in
        [("part-0", "Customer-1\nid,7\n"), ("part-1", ""), ("part-2", "customer-1\n")]
    {
        fs::write(dir.path().join(part), text).unwrap();
    }
    let clear = ["-t", "custom_audience_third_party_id", "--format", "lines", "--case", "keep"];
    let out = dir.path().join("out");
    let prepared = prepare(&dir.path().join("part-*"), &clear, &out);
    assert!(prepared.status.success(), "{}", stderr(&prepared));
    let path = out.join("custom_audience_third_party_id-00001.txt");
    let written = fs::read_to_string(path).unwrap();
    let mut written: Vec<_> = written.lines().collect();
    written.sort_unstable();
    assert_eq!(written, ["Customer-1", "customer-1", "id,7"]);
}
