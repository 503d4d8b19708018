//! The pipeline gives the oracle's entries and counts, for every user type, chunk size, thread count, memory limit,
//! block size and input route.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use throng::config::{ColumnSelector, Io};
use throng::hash::Kernel;
use throng::normalize::{Normalizer, RuleOptions, UserType};
use throng::prepare::summary::AudienceSummary;
use throng::stop::Stop;

use crate::support::oracle::{self, Outcome};
use crate::support::{by_name, config, entries, fixture, lines, portable, run, suppressing};

fn assert_counts(audience: &AudienceSummary, expected: &Outcome) {
    assert_eq!(audience.figures.read, expected.read);
    assert_eq!(audience.figures.blank, expected.blank);
    assert_eq!(audience.figures.rejected, expected.rejected);
    assert_eq!(audience.figures.raw + audience.figures.prehashed, expected.accepted);
    assert_eq!(audience.figures.duplicates, expected.accepted - expected.set.len() as u64);
}

/// All files of a directory but the manifest, which names the inputs.
fn parts(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_name() != "manifest.json")
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn equals_the_oracle_for_every_type_and_tuning() {
    let dir = tempfile::tempdir().unwrap();
    let (input, out) = (dir.path().join("input.txt"), dir.path().join("out"));
    for user_type in UserType::ALL {
        let text = lines(user_type, 4000, 7);
        fs::write(&input, &text).unwrap();
        let normalizer = Normalizer::new(user_type, oracle::rules()).on(portable());
        let expected = oracle::read_lines(user_type, &normalizer, text.as_bytes());
        let in_order = oracle::in_order(user_type, expected.set.clone());
        let mut first: Option<Vec<(String, Vec<u8>)>> = None;
        for (threads, chunk_bytes, memory_bytes, block_bytes, io) in [
            (2, 256 << 10, 256 << 20, 16 << 10, Io::Auto),
            (1, 1, 256 << 20, 16 << 10, Io::Auto),
            (8, 777, 256 << 20, 512, Io::Read),
            // Less memory than a slab: everything but the open blocks spills, and ranges split.
            (3, 4096, 40_000, 512, Io::Auto),
            (2, 10_007, 9_000, 512, Io::Read),
        ] {
            let mut config = config(user_type, std::slice::from_ref(&input), &out);
            config.resources.threads = threads;
            config.resources.chunk_bytes = chunk_bytes;
            config.resources.memory_bytes = memory_bytes;
            config.resources.block_bytes = block_bytes;
            config.read.io = io;
            config.rules = oracle::rules();
            config.output.part_lines = 700;
            let summary = run(config).unwrap();
            assert_counts(&summary.audiences[0], &expected);
            assert_eq!(
                entries(&out),
                in_order,
                "{user_type} {threads} {chunk_bytes} {memory_bytes}"
            );
            let parts = parts(&out);
            assert_eq!(*first.get_or_insert_with(|| parts.clone()), parts);
        }
        for kernel in Kernel::all() {
            let mut config = config(user_type, std::slice::from_ref(&input), &out);
            config.resources.kernel = kernel;
            config.rules = oracle::rules();
            config.output.part_lines = 700;
            assert_counts(&run(config).unwrap().audiences[0], &expected);
            assert_eq!(first, Some(parts(&out)), "{user_type} {}", kernel.name());
        }
    }
}

#[test]
fn little_memory_spills_and_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (input, out) = (dir.path().join("input.txt"), dir.path().join("out"));
    for user_type in [UserType::EmailHash, UserType::MobileAdvertiserId] {
        fs::write(&input, lines(user_type, 200_000, 3)).unwrap();
        let mut plenty = config(user_type, std::slice::from_ref(&input), &out);
        plenty.output.part_lines = 30_000;
        let mut scarce = plenty.clone();
        scarce.resources.memory_bytes = 2 << 20;
        scarce.resources.block_bytes = 2048;
        assert_eq!(run(plenty).unwrap().spilled_bytes, 0);
        let expected = parts(&out);
        assert!(run(scarce).unwrap().spilled_bytes > 0);
        assert_eq!(parts(&out), expected);
    }
}

#[test]
fn crowded_digests_are_split_until_they_fit() {
    let dir = tempfile::tempdir().unwrap();
    let (input, out) = (dir.path().join("input.txt"), dir.path().join("out"));
    // Digests that came as such can share as many leading bits as somebody likes.
    let mut file = File::create(&input).unwrap();
    (0..20_000).for_each(|n| writeln!(file, "{:064x}", n % 15_000).unwrap());
    drop(file);
    let mut config = config(UserType::EmailHash, std::slice::from_ref(&input), &out);
    config.resources.memory_bytes = 1 << 20;
    config.resources.block_bytes = 512;
    let summary = run(config).unwrap();
    assert_eq!(
        (summary.audiences[0].figures.sets.written, summary.audiences[0].figures.duplicates),
        (15_000, 5_000)
    );
    let expected: Vec<String> = (0..15_000).map(|n| format!("{n:064x}")).collect();
    assert_eq!(entries(&out), expected);
}

#[test]
fn compressed_and_concatenated_inputs_give_the_same_entries() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let text = lines(UserType::EmailHash, 3000, 11);
    let (one, two) = text.split_at(text[..text.len() / 2].rfind('\n').unwrap() + 1);
    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = |text: &str| zstd::encode_all(text.as_bytes(), 1).unwrap();
    let plain = dir.path().join("plain.txt");
    fs::write(&plain, &text).unwrap();
    run(config(UserType::EmailHash, &[plain], &out)).unwrap();
    let expected = parts(&out);
    for (name, bytes) in [
        ("members.txt.gz", [gzip(one), gzip(two)].concat()),
        ("frames.txt.zst", [zstd(one), zstd(two)].concat()),
    ] {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        run(config(UserType::EmailHash, &[path], &out)).unwrap();
        assert_eq!(parts(&out), expected, "{name}");
    }
}

#[test]
fn crm_export_gives_exactly_the_oracles_entries() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let (crm, opt_outs) = (fixture("crm_export.csv"), fixture("opt_outs.csv"));
    let text = fs::read(&crm).unwrap();
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap();
    let opted_out = fs::read(&opt_outs).unwrap();
    for (user_type, column, index, opt_out_index) in
        [(UserType::EmailHash, "e-mail", 3, 0), (UserType::PhoneHash, "PHONE", 4, 1)]
    {
        let normalizer = Normalizer::new(user_type, RuleOptions::default());
        let country = (user_type == UserType::PhoneHash).then_some(5);
        let members = oracle::read_csv(user_type, &normalizer, text, b',', index, country);
        let suppressed =
            oracle::read_csv(user_type, &normalizer, &opted_out, b';', opt_out_index, None);
        let mut config = config(user_type, std::slice::from_ref(&crm), &out);
        config.read.country_column = country.map(|at| ColumnSelector::Number(at + 1));
        let summary = run(suppressing(by_name(config, column), &opt_outs)).unwrap();
        assert_counts(&summary.audiences[0], &members);
        let left = members.set.difference(&suppressed.set).cloned();
        assert_eq!(entries(&out), oracle::in_order(user_type, left));
        assert!(summary.audiences[0].figures.sets.suppressed > 50);
    }
}

#[test]
fn roles_decide_as_sets_do() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, numbers: &mut dyn Iterator<Item = u64>| {
        let path = dir.path().join(name);
        let mut file = File::create(&path).unwrap();
        numbers.for_each(|number| writeln!(file, "{number}").unwrap());
        path
    };
    let (known, out) = (dir.path().join("known"), dir.path().join("out"));
    let old = write("old.txt", &mut (1..=1000));
    let new = write("new.txt", &mut (501..=2000));
    let gone = write("opt_outs.txt", &mut (900..=1100));
    run(config(UserType::Fbid, &[old], &known)).unwrap();
    let mut config = suppressing(config(UserType::Fbid, &[new], &out), &gone);
    config.against.push(known.into());
    let summary = run(config).unwrap();
    let audience = &summary.audiences[0];
    assert_eq!(audience.figures.sets.suppressed, 201);
    assert_eq!(audience.figures.sets.known, 399);
    assert_eq!(audience.figures.sets.gone, 500);
    assert_eq!(audience.figures.sets.must_go, 101);
    assert_eq!(audience.figures.sets.written, 900);
    let expected = oracle::in_order(UserType::Fbid, (1101..=2000).map(|n: u64| n.to_string()));
    assert_eq!(entries(&out), expected);
    let digests = |numbers: std::ops::RangeInclusive<u64>| {
        let digest =
            |n: u64| const_hex::encode(throng::hash::digest(n.to_string().as_bytes())) + "\n";
        let mut lines: Vec<String> = numbers.map(digest).collect();
        lines.sort();
        lines.concat()
    };
    let list = |name: &str| fs::read_to_string(out.join(name)).unwrap();
    assert_eq!(list("fbid-gone.txt"), digests(1..=500));
    assert_eq!(list("fbid-must-go.txt"), digests(900..=1000));
    let manifest = throng::emit::Manifest::read(&out).unwrap();
    assert!(manifest.problems(&out, &Stop::default()).unwrap().is_empty());
    fs::write(out.join("fbid-must-go.txt"), "").unwrap();
    assert_eq!(manifest.problems(&out, &Stop::default()).unwrap().len(), 1);
}

#[test]
fn a_damaged_earlier_result_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("in.txt");
    fs::write(&input, lines(UserType::Fbid, 100, 1)).unwrap();
    let (known, out) = (dir.path().join("known"), dir.path().join("out"));
    run(config(UserType::Fbid, std::slice::from_ref(&input), &known)).unwrap();
    let part = known.join("fbid-00001.txt");
    let mut text = fs::read(&part).unwrap();
    text[0] ^= 1;
    fs::write(&part, text).unwrap();
    let mut config = config(UserType::Fbid, &[input], &out);
    config.against.push(known.into());
    assert!(run(config).unwrap_err().to_string().contains("does not match its manifest"));
    assert!(!out.exists());
}
