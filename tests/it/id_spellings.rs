//! Ids that differ in letter case alone, in the parts of an export or in several: two ids never become one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use throng::PrepareConfig;
use throng::config::ColumnSelector;
use throng::normalize::Case;

use crate::support::ids::{IDS, Made, cells};
use crate::support::{config, run, suppressing};

fn spelled(files: &[Vec<String>], tune: impl Fn(&mut PrepareConfig)) -> Made {
    let dir = tempfile::tempdir().unwrap();
    let write = |(number, ids): (usize, &Vec<String>)| -> PathBuf {
        let name = ["crm", "shop", "app"][number];
        let path = dir.path().join(format!("{name}.txt"));
        fs::write(&path, ids.join("\n") + "\n").unwrap();
        path
    };
    let paths: Vec<PathBuf> = files.iter().enumerate().map(write).collect();
    let mut config = config(IDS, &paths, &dir.path().join("out"));
    config.read.format = throng::config::Format::Lines;
    config.read.header = throng::config::Header::Absent;
    tune(&mut config);
    Made { summary: run(config), dir }
}

/// Of a folder with partitions, of parts with a header, and of parts without.
#[test]
fn parts_of_an_export_are_one_input() {
    for (names, header) in [
        (["part-0.txt", "part-1.txt"], ""),
        (["country=DE/a.csv", "country=FR/b.csv"], "id\n"),
        (["a.csv", "b.csv"], "id\n"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let write = |(name, id): (&str, &str)| -> PathBuf {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, format!("{header}{id}\nk9\n")).unwrap();
            path
        };
        let paths = [write((names[0], "AbC1")), write((names[1], "abc1"))];
        let mut config = config(IDS, &paths, &dir.path().join("out"));
        if header.is_empty() {
            config.read.header = throng::config::Header::Absent;
        } else {
            config.audiences[0].columns = vec![ColumnSelector::Name("id".to_owned())];
        }
        let error = run(config).unwrap_err().to_string();
        assert!(error.contains("lower-casing makes 1 ids of"), "{names:?}: {error}");
    }
}

#[test]
fn ids_of_one_input_that_differ_in_case_do_not_become_one() {
    let one = vec![cells(["Ab1", "x2", "aB1", "Ab1"])];
    let (message, hint) = spelled(&one, |_| ()).error();
    assert!(
        message.contains("lower-casing makes 1 ids of") && message.contains("crm.txt"),
        "{message}"
    );
    assert!(hint.contains("--case keep") && hint.contains("--case lower"), "{hint}");
    let kept = spelled(&one, |config| config.rules.case = Case::Keep);
    assert_eq!(kept.entries(), ["Ab1", "aB1", "x2"].map(String::from).into());
    let lowered = spelled(&one, |config| config.rules.case = Case::Lower);
    assert_eq!(lowered.entries(), ["ab1", "x2"].map(String::from).into());
    // One system writes capital letters, another one does not.
    let two = vec![cells(["AB1", "X2"]), cells(["ab1", "x2"])];
    assert_eq!(spelled(&two, |_| ()).entries().len(), 2);
    let second = vec![cells(["AB1"]), cells(["ab1", "X2", "x2", "\u{212a}1"])];
    assert!(spelled(&second, |_| ()).error().0.contains("shop.txt"));
    // Lists are not compared with members.
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("list.txt");
    fs::write(&list, "AB1\nab1\n").unwrap();
    let made = spelled(&[cells(["Ab1", "c3"])], |config| {
        let with_list = suppressing(config.clone(), &list);
        *config = with_list;
    });
    assert_eq!(made.entries(), ["c3"].map(String::from).into());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Against sets of spellings, with chunks of all sizes and so little memory that entries spill.
    #[test]
    fn spellings_are_compared_exactly(
        files in prop::collection::vec(prop::collection::vec("[aA][bB]?[0-9]{1,2}", 1..60), 1..4),
        chunk_bytes in 1_usize..200, memory_bytes in 1_000_u64..60_000, threads in 1_usize..4,
    ) {
        let mut merged = 0;
        for ids in &files {
            let mut spellings: BTreeMap<String, BTreeSet<&String>> = BTreeMap::new();
            for id in ids {
                spellings.entry(id.to_lowercase()).or_default().insert(id);
            }
            merged += spellings.values().map(|of| of.len() - 1).sum::<usize>();
        }
        let made = spelled(&files, |config| {
            config.resources.chunk_bytes = chunk_bytes;
            config.resources.memory_bytes = memory_bytes;
            config.resources.block_bytes = 512;
            config.resources.threads = threads;
        });
        if merged > 0 {
            let (message, _) = made.error();
            let told = format!("lower-casing makes {merged} ids of");
            prop_assert!(message.contains(&told), "{} {}", merged, message);
        } else {
            let all: BTreeSet<String> = files.iter().flatten().map(|id| id.to_lowercase()).collect();
            prop_assert_eq!(made.entries(), all);
        }
    }
}
