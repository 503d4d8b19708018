//! Ids that are numbers: what spreadsheets did to them is undone or refused, and what they are by accident is told apart.

use std::collections::BTreeMap;
use std::fs;

use proptest::prelude::*;
use throng::config::{ColumnSelector, MaxRejects};
use throng::normalize::{Normalizer, RuleOptions, UserType, Value, Verdict, Wrapping};

use crate::support::ids::{IDS, cells, prepare};
use crate::support::{config, run, suppressing};

#[test]
fn floats_lose_their_fraction_where_all_have_it() {
    let floats = ["100200.0", "100201.0", "null", "'100202.0"];
    let made = prepare("key", &cells(floats), |_| ());
    assert_eq!(made.entries(), ["100200", "100201", "100202"].map(String::from).into());
    let figures = &made.summary.as_ref().unwrap().audiences[0].figures;
    assert_eq!((figures.floats, figures.unguarded), (3, 1));

    let mixed = prepare("key", &cells(["100200.0", "100201", "A7"]), |_| ());
    assert_eq!(mixed.entries(), ["100201", "a7"].map(String::from).into());
    assert_eq!(mixed.rejected(), BTreeMap::from([("mixed_floats".to_owned(), 1)]));

    // Behind the first rows, too.
    let mut late: Vec<String> = (0..400).map(|number| format!("{number}.0")).collect();
    late.push("4711".to_owned());
    assert_eq!(prepare("key", &late, |_| ()).rejected()["mixed_floats"], 1);

    let versions = prepare("key", &cells(["12.0", "12.1", "13.5"]), |_| ());
    assert_eq!(versions.entries(), ["12.0", "12.1", "13.5"].map(String::from).into());

    // An opt-out counts however it is written.
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("list.txt");
    fs::write(&list, "100200.0\n100201\n").unwrap();
    let made = prepare("key", &cells(floats), |config| {
        let with_list = suppressing(config.clone(), &list);
        *config = with_list;
    });
    assert_eq!(made.entries(), ["100202"].map(String::from).into());
}

#[test]
fn padded_numbers_and_words_before_each_number_are_ids() {
    let padded = |n: u64| format!("0{:09}", 100_000_000 + n * 7_654_321 % 899_000_000);
    for ids in [
        (1..120).map(padded).collect::<Vec<_>>(),
        (1..120).map(|n| format!("Mitglied {}", 770_000 + n)).collect(),
        (1..120).map(|n| format!("google|{:015}", 69_000_000_000_u64 + n)).collect(),
    ] {
        let made = prepare("customer_id", &ids, |_| ());
        assert_eq!(made.entries().len(), 119, "{}", ids[0]);
    }
}

#[test]
fn card_numbers_are_no_advertising_ids() {
    let uuid = |n: usize| format!("01234567-89ab-cdef-0123-4567{n:08}");
    let android = |n: usize| format!("0123456789abcd{n:02}");
    let card = "4111111111111111".to_owned();
    let odd = "4111111111111112".to_owned();
    let checked = |ids: Vec<String>| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("devices.txt");
        fs::write(&path, ids.join("\n")).unwrap();
        let mut config = config(UserType::MobileAdvertiserId, &[path], &dir.path().join("out"));
        config.max_rejects = MaxRejects::Share(1.0);
        run(config).map(|summary| summary.audiences[0].figures.sets.written)
    };
    let with = |ids: &dyn Fn(usize) -> String, others: &[&String]| {
        checked((0..20).map(ids).chain(others.iter().map(|id| (*id).clone())).collect())
    };
    assert_eq!(with(&uuid, &[&card]).unwrap(), 20);
    assert_eq!(with(&uuid, &[&odd]).unwrap(), 21);
    assert_eq!(with(&uuid, &[&card, &odd]).unwrap(), 20, "a column without Android ids");
    assert_eq!(with(&android, &[&card]).unwrap(), 21);
    checked(vec![card; 9]).unwrap_err();
}

#[test]
fn ids_that_a_spreadsheet_rounded_are_refused() {
    for user_type in [UserType::Fbid, IDS] {
        let written = |lost: u64| {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("ids.csv");
            let id = |n: u64| (12_345_000_061_054_321 + n * 7_919) / lost * lost;
            let rows: Vec<String> = (0..30).map(|n| format!("{},x", id(n))).collect();
            fs::write(&path, format!("uid,note\n{}\n", rows.join("\n"))).unwrap();
            let mut config = config(user_type, &[path], &dir.path().join("out"));
            config.audiences[0].columns = vec![ColumnSelector::Name("uid".to_owned())];
            run(config).map(|summary| summary.audiences[0].figures.sets.written)
        };
        assert_eq!(written(1).unwrap(), 30);
        let error = written(100).unwrap_err().to_string();
        assert!(error.contains("spreadsheet_number 30"), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// A guard changes nothing but that it is counted.
    #[test]
    fn values_with_guards_are_what_they_guard(
        kind in 0_usize..5, number in 0_u64..1_000_000, guard in 0_usize..3, junk in "[a-zA-Z0-9@.+ -]{1,20}", is_junk: bool,
    ) {
        let user_type = UserType::ALL[kind];
        let value = if is_junk { junk } else { crate::support::value(user_type, number) };
        prop_assume!(!value.trim().is_empty());
        let guarded = match guard {
            0 => format!("'{value}"),
            1 => format!("=\"{value}\""),
            _ => format!("'=\"{value}\""),
        };
        let rule = Normalizer::new(user_type, RuleOptions::default());
        let judge = |value: &str| {
            let mut out = Vec::new();
            let value = Value { bytes: Ok(value.as_bytes()), country: None };
            (rule.one(Wrapping::Field, value, &mut out), out)
        };
        let (bare, with_guard) = (judge(&value), judge(&guarded));
        prop_assert_eq!(matches!(bare.0, Verdict::Raw(_)), matches!(with_guard.0, Verdict::Raw(_)));
        prop_assert_eq!(bare.1, with_guard.1);
        if let (Verdict::Rejected(one), Verdict::Rejected(other)) = (bare.0, with_guard.0)
            && guard > 0
        {
            prop_assert_eq!(one, other);
        }
    }
}
