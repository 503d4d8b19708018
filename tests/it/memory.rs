//! Peak memory stays under `--memory` plus a constant, whatever the size of the input.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use assert_cmd::Command;
use throng::limits::{MEMORY_BYTES_BESIDE, MEMORY_BYTES_MIN};

use crate::support::Random;

/// So many digests take 48 MB as entries, and their file 98 MB of mapped pages: together more than is allowed.
const DIGESTS: u64 = 1_500_000;

fn peak_memory(dir: &Path, memory: u64, io: &str) -> u64 {
    let output = Command::cargo_bin("throng")
        .unwrap()
        .current_dir(dir)
        .args(["prepare", "digests.txt", "-t", "email_hash", "-o", "out", "--overwrite"])
        .args(["--threads", "2", "--json", "--quiet", "--io", io, "--memory", &memory.to_string()])
        .output()
        .unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["audiences"][0]["written"], DIGESTS);
    summary["peak_memory_bytes"].as_u64().unwrap()
}

/// Digests that differ, and have their first bits in common.
fn write_digests(dir: &Path, common_bits: u32) {
    let mut file = BufWriter::new(File::create(dir.join("digests.txt")).unwrap());
    let mut random = Random(7);
    for n in 0..DIGESTS {
        let bits = random.below(1 << 32) << 32 | random.below(1 << 32);
        writeln!(file, "{:016x}{n:048x}", bits >> common_bits).unwrap();
    }
    file.into_inner().unwrap().sync_all().unwrap();
}

#[test]
fn entries_that_all_meet_in_one_partition_take_no_more_memory() {
    let dir = tempfile::tempdir().unwrap();
    write_digests(dir.path(), 20);
    let allowed = MEMORY_BYTES_MIN + MEMORY_BYTES_BESIDE;
    let peak = peak_memory(dir.path(), MEMORY_BYTES_MIN, "read");
    assert!(peak <= allowed, "{peak}, {allowed} are allowed");
}

#[test]
fn peak_memory_stays_under_the_limit_plus_the_constant() {
    let dir = tempfile::tempdir().unwrap();
    write_digests(dir.path(), 0);
    let allowed = MEMORY_BYTES_MIN + MEMORY_BYTES_BESIDE;
    let peaks = ["auto", "read"].map(|io| peak_memory(dir.path(), MEMORY_BYTES_MIN, io));
    assert!(peaks.iter().all(|peak| *peak <= allowed), "{peaks:?}, {allowed} are allowed");
    // The limit is what keeps it low: with ample memory the same input takes more.
    let ample = peak_memory(dir.path(), 1 << 30, "read");
    assert!(ample > peaks[1] + DIGESTS * 16, "{peaks:?}, {ample} with ample memory");
    // The margin is for machines with more threads; it is not there to be eaten up.
    assert!(peaks.iter().all(|peak| peak + (16 << 20) <= allowed), "{peaks:?} of {allowed}");
}
