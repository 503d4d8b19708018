//! Ids that leave in clear: what is no id stays here, what spreadsheets did to ids is undone or refused, and two ids never
//! become one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use throng::config::{ColumnSelector, MaxRejects};
use throng::normalize::{Case, Ids, Normalizer, RuleOptions, UserType, Value, Verdict, Wrapping};
use throng::prepare::summary::Summary;
use throng::{AudienceSpec, Error, PrepareConfig};

use crate::support::{config, entries, run, suppressing};

const IDS: UserType = UserType::CustomAudienceThirdPartyId;

struct Made {
    dir: tempfile::TempDir,
    summary: throng::Result<Summary>,
}

impl Made {
    fn entries(&self) -> BTreeSet<String> {
        entries(&self.dir.path().join("out")).into_iter().collect()
    }

    fn rejected(&self) -> BTreeMap<String, u64> {
        let audience = &self.summary.as_ref().unwrap().audiences[0];
        audience.figures.rejects.iter().map(|of| (of.reason.clone(), of.count)).collect()
    }

    fn error(&self) -> (String, String) {
        let error = self.summary.as_ref().expect_err("refused");
        assert!(!self.dir.path().join("out").exists());
        assert_eq!(error.exit_code() as u8, 3, "{error}");
        (error.to_string(), error.hint().unwrap_or_default().to_owned())
    }
}

/// Prepares a column of a table; cells are quoted, so that they may hold anything.
fn prepare(name: &str, cells: &[String], tune: impl FnOnce(&mut PrepareConfig)) -> Made {
    let dir = tempfile::tempdir().unwrap();
    let quoted = |cell: &String| format!("\"{}\",x\n", cell.replace('"', "\"\""));
    let text = format!("{name},other\n{}", cells.iter().map(quoted).collect::<String>());
    let path = dir.path().join("ids.csv");
    fs::write(&path, text).unwrap();
    let mut config = config(IDS, &[path], &dir.path().join("out"));
    config.audiences = vec![AudienceSpec::new(IDS, Some(ColumnSelector::Name(name.to_owned())))];
    tune(&mut config);
    Made { summary: run(config), dir }
}

fn cells<'a>(values: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    values.into_iter().map(str::to_owned).collect()
}

/// Columns of honest ids.
fn honest(kind: usize, number: u64) -> String {
    let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    match kind {
        0 => format!("C{number}"),
        1 => format!("{}", 100_000 + number),
        2 => format!("{number:06}"),
        3 => format!("{spread:016x}{:016x}", spread.rotate_left(17)),
        4 => format!("cust/{number:x}-{:03x}", spread >> 52),
        5 => format!("{:04}-{:06}", 2010 + number % 16, number),
        6 => format!("AB {:04} {}", number, spread % 10),
        7 => format!("{:x}.{:06}", spread >> 40, number + 1),
        _ => format!("K\u{f6}ln-{number}"),
    }
}

const HONEST: usize = 9;

/// What must not leave, whatever the others of its column look like.
const PERSONAL: &[&str] = &[
    "ann.lee@mail.example",
    "Ann Lee <ann.lee@mail.example>",
    "mailto:ann@mail.example",
    "ann@mail.example;lee@mail.example",
    "77;Ann Lee;ann@mail.example",
    "ann%40mail.example",
    "'ann@mail.example",
    "=\"ann@mail.example\"",
    "+49 30 1234567",
    "'+49301234567",
    "=\"+49301234567\"",
    "tel:+49-30-1234567",
    "Ann Lee: +49 30 1234567",
    "\u{ff0b}49301234567",
    "Ann Lee",
    "Lee, Ann",
    "12 Long Lane",
    "Hauptstr. 17",
    "(617) 555-0100",
    "0171 2345678",
    "030/12345678",
    "1987-05-12",
    "J\u{fc}rgen Gro\u{df}",
];

#[test]
fn every_kind_of_id_leaves_and_nothing_personal_among_it() {
    for kind in 0..HONEST {
        let mut ids: Vec<String> = (1..=300).map(|number| honest(kind, number)).collect();
        let expected: BTreeSet<String> = ids.iter().map(|id| id.to_lowercase()).collect();
        for (at, personal) in PERSONAL.iter().enumerate() {
            // Some within the first rows, some behind them.
            ids.insert(at * 14, (*personal).to_owned());
        }
        let made = prepare("key", &ids, |_| ());
        assert_eq!(made.entries(), expected, "{kind}");
        let rejected: u64 = made.rejected().values().sum();
        assert_eq!(rejected, PERSONAL.len() as u64, "{kind}: {:?}", made.rejected());
    }
}

#[test]
fn words_and_numbers_that_are_unlike_their_column_stay() {
    let prefixed: Vec<String> = (0..60).map(|number| honest(0, number)).collect();
    for unlike in ["Jane", "O'Brien", "491712345678", "01712345678", "M\u{fc}ller", "ann@intranet"]
    {
        let mut ids = prefixed.clone();
        ids.push(unlike.to_owned());
        let made = prepare("key", &ids, |_| ());
        assert_eq!(made.rejected(), BTreeMap::from([("looks_personal".to_owned(), 1)]), "{unlike}");
        // Whoever knows better says so.
        let made = prepare("key", &ids, |config| config.rules.ids = Ids::Any);
        assert_eq!(made.entries().len(), 61, "{unlike}");
    }
    // Where such ids are usual they are ids.
    for ids in [
        ["jroe", "alee", "bsmith"],
        ["491712345678", "12", "7"],
        ["ann@intranet", "lee@intranet", "bob@intranet"],
        ["TOKENA", "TOKENB", "TOKENC"],
        ["M\u{fc}-1", "M\u{fc}-2", "M\u{fc}-3"],
    ] {
        assert_eq!(prepare("key", &cells(ids), |_| ()).entries().len(), 3, "{ids:?}");
    }
}

#[test]
fn signs_and_phones_that_ids_do_not_have_stay() {
    let numbers: Vec<String> = (0..300).map(|number| format!("{}", 400_100 + number)).collect();
    let unlike = [
        "tel:0309876543",
        "23:Bob:Ray:Langweg",
        "1979-03-02T00:00:00Z",
        "whatsapp:491609876543",
        "name=Bob/phone=01609876543",
        "Bob-Ray-0160-9876543",
        "Bob_Ray",
        "Bob+Ray+20095+Hamburg",
        "Bob%20Ray",
        "Bob(Ray)",
        "Langweg.9",
        "5500 0000 0000 0004",
        "02.03.79",
        "---",
        "***",
        "Total: 12",
        "(12 rows)",
        "TRAILER 12",
        "\u{41f}\u{435}\u{442}\u{440}",
        "+49_160_9876543",
        "+49|160|9876543",
        "\u{2795}491609876543",
        "bob[dot]ray[at]c[dot]example",
        "bob\\u0040c.example",
        "bob%2540c.example",
    ];
    for value in unlike {
        let mut ids = numbers.clone();
        ids.push(value.to_owned());
        assert_eq!(prepare("id", &ids, |_| ()).entries().len(), 300, "{value}");
    }
    let uuid = |n: u64| format!("{:08x}-11aa-4bcd-8abc-{:012x}", n * 7919 + 1, n * 104_729 + 5);
    let tokens: Vec<String> = (0..300)
        .map(|n| if n % 25 == 0 { format!("0160{:07}", 1_234_567 + n) } else { uuid(n) })
        .collect();
    assert_eq!(prepare("id", &tokens, |_| ()).entries().len(), 288);
    // Nothing is known of a column that begins blank.
    let mut blank = vec![String::new(); 260];
    blank.extend(cells(["01609876543", "M\u{fc}ller", "Ray", "bob@intranet", "ab12"]));
    assert_eq!(prepare("id", &blank, |_| ()).entries(), ["ab12".to_owned()].into());
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
fn columns_of_something_else_are_refused_and_told() {
    let names = ["Jane Roe", "Ann Lee", "Bob Ray"];
    let towns = ["Berlin", "Hamburg", "Ulm"];
    let phones = ["01712345678", "03012345678", "040123456789", "08912345678", "01512345678"];
    let digest = "d2cf5308eee2e501a5bfe8d4efd31f23fb1f1f418e026621ed1888874d0c2f2f";
    for (name, values, hint) in [
        ("key", &names[..], "--ids any"),
        ("key", &towns, "--ids any"),
        ("first_name", &["jane", "ann", "bob"], "--ids any"),
        ("key", &phones, "--ids any"),
        ("phone", &["491712345678", "491712345679"], "--ids any"),
        ("key", &["12.05.1987", "13.05.1987"], "--ids any"),
        ("key", &[digest, digest], "digests"),
        ("key", &["100,200", "100,201", "7"], "export the column as text"),
        ("key", &["1.23E+11", "1.24E+11"], "export the column as text"),
        ("key", &["a@b.example", "b@b.example"], "these look like e-mail addresses"),
    ] {
        let made = prepare(name, &cells(values.iter().copied()), |config| {
            config.max_rejects = MaxRejects::DEFAULT;
        });
        let (message, told) = made.error();
        assert!(told.contains(hint), "{values:?}: {message} ({told})");
        assert!(!told.contains(&format!("`{name}`")), "the column itself is proposed: {told}");
    }
}

#[test]
fn a_few_addresses_among_ids_stop_the_run_where_rejects_would_not() {
    let mut ids: Vec<String> = (0..200).map(|number| honest(0, number)).collect();
    ids.extend(cells(["ann@mail.example", "bob@mail.example"]));
    let prepared =
        |ids: &[String], limit| prepare("key", ids, move |config| config.max_rejects = limit);
    assert!(prepared(&ids, MaxRejects::DEFAULT).summary.is_ok());
    ids.push("lee@mail.example".to_owned());
    let (message, _) = prepared(&ids, MaxRejects::DEFAULT).error();
    assert!(
        message.contains("3 of 203 values") && message.contains("raw_personal_data 3"),
        "{message}"
    );
    assert!(prepared(&ids, MaxRejects::Share(0.2)).summary.is_ok());
}

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
fn rows_that_were_read_as_one_column_stop_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ids.txt");
    let row = |number: u64| format!("C{number}~{}\n", number % 3);
    fs::write(&path, (0..50).map(row).collect::<String>()).unwrap();
    let mut config = config(IDS, &[path], &dir.path().join("out"));
    config.read.format = throng::config::Format::Lines;
    let error = run(config).unwrap_err();
    assert!(matches!(error, Error::WrongFile { .. }), "{error}");
    assert!(error.to_string().contains("holds_separator 50"), "{error}");
}

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
fn what_is_no_uuid_among_uuids_and_a_lone_quote_stay() {
    let reasons = |ids: Vec<String>| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ids.txt");
        fs::write(&path, ids.join("\n")).unwrap();
        let mut config = config(IDS, &[path], &dir.path().join("out"));
        config.read.format = throng::config::Format::Lines;
        let figures = run(config).unwrap().audiences.remove(0).figures;
        let told: Vec<_> = figures.rejects.iter().map(|of| (of.reason.clone(), of.count)).collect();
        (figures.sets.written, told)
    };
    let with = |id: &dyn Fn(u64) -> String, other: &str| {
        reasons((0..40).map(id).chain([other.to_owned()]).collect())
    };
    let uuid = |n: u64| format!("01234567-89ab-4def-8123-4567{n:08}");
    let refused = |reason: &str| (40, vec![(reason.to_owned(), 1)]);
    for other in ["JaneRoe84", "DE89370400440532013000", "4111111111111111"] {
        assert_eq!(with(&uuid, other), refused("looks_personal"), "{other}");
    }
    // A number alone among numbers behind the same word: what is left of a torn row.
    let customer = |n: u64| format!("C-{}", 10_000 + n);
    assert_eq!(with(&customer, "12"), refused("looks_personal"));
    assert_eq!(
        reasons((0..40).map(|n| if n < 4 { n.to_string() } else { customer(n) }).collect()).0,
        40
    );
    let code = |n: u64| format!("k{n:06}");
    for other in ["\"k000077", "k000077\""] {
        assert_eq!(with(&code, other), refused("stray_quote"), "{other}");
    }
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

/// Rows of which someone made one value: of their parts none speaks against them.
#[test]
fn names_within_what_looks_like_an_id_stay() {
    let uuid = |n: u64| format!("{:08x}-1234-4abc-8def-{n:012x}", n * 7919);
    let of = |id: &dyn Fn(u64) -> String, others: &[&str]| {
        let mut all: Vec<String> = (0..100).map(id).collect();
        all.extend(cells(others.iter().copied()));
        prepare("id", &all, |_| ()).rejected()
    };
    let refused = |count| BTreeMap::from([("looks_personal".to_owned(), count)]);
    assert_eq!(of(&uuid, &["Jane-Roe-0171-2345670", "jane-roe-1987-x1"]), refused(2));
    let custom = |n: u64| format!("cust:{n:06}");
    assert_eq!(of(&custom, &["17:Ann:Lee:1987", "18:BOB:LEE:1990"]), refused(2));
    // Prefixes of several words are no names where they come again.
    let shops =
        |n: u64| if n.is_multiple_of(20) { format!("web-shop-{n}") } else { format!("shop-{n}") };
    assert_eq!(of(&shops, &[]), BTreeMap::new());
    let words = |n: u64| format!("red{}_fox_{n}", if n.is_multiple_of(2) { "ish" } else { "" });
    assert_eq!(of(&words, &[]), BTreeMap::new());
}

#[test]
fn an_address_with_a_sign_too_many_never_leaves() {
    let mut all: Vec<String> = (0..100).map(|n| format!("k{n}")).collect();
    all.extend(cells(["ann@@b.example", "ann @ b.example"]));
    let made = prepare("id", &all, |config| config.rules.ids = Ids::Any);
    assert_eq!(made.rejected(), BTreeMap::from([("raw_personal_data".to_owned(), 2)]));
}

/// What is usual among a few values says little, if there is an input with many.
#[test]
fn a_small_input_is_held_against_the_largest() {
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str, values: &[String]| {
        let path = dir.path().join(name);
        fs::write(&path, format!("id,x\n{},1\n", values.join(",1\n"))).unwrap();
        path
    };
    let many: Vec<String> = (0..150_u64).map(|n| format!("K{n}x{}", n * 31)).collect();
    let names =
        cells(["lena", "marcus", "jo-ann", "pete", "0171-2345670", "0172-2345671", "0173-2345672"]);
    let alone = prepare("id", &names[..4], |_| ());
    assert_eq!(alone.entries().len(), 4, "as words they are the column's ids");
    for order in [["many.csv", "few.csv"], ["few.csv", "many.csv"]] {
        place("many.csv", &many);
        place("few.csv", &names);
        let inputs = order.map(|name| dir.path().join(name));
        let mut config = config(IDS, &inputs, &dir.path().join("out"));
        config.audiences =
            vec![AudienceSpec::new(IDS, Some(ColumnSelector::Name("id".to_owned())))];
        let figures = run(config.clone()).unwrap().audiences.remove(0).figures;
        assert_eq!((figures.sets.written, figures.rejected), (150, 7), "{:?}", figures.rejects);
        config.rules.ids = Ids::Any;
        assert_eq!(run(config).unwrap().audiences[0].figures.rejected, 0);
    }
    // Numbers that are longer than all ids, as phone numbers are, and such as are not.
    place("many.csv", &(0..150_u64).map(|n| format!("{}", 100_000 + n * 31)).collect::<Vec<_>>());
    for (few, rejected) in [(4_930_900_000_u64, 9), (2_000_000, 0)] {
        place("few.csv", &(0..9).map(|n| format!("{}", few + n * 77)).collect::<Vec<_>>());
        let inputs = ["many.csv", "few.csv"].map(|name| dir.path().join(name));
        let mut config = config(IDS, &inputs, &dir.path().join("out"));
        config.audiences =
            vec![AudienceSpec::new(IDS, Some(ColumnSelector::Name("id".to_owned())))];
        assert_eq!(run(config).unwrap().audiences[0].figures.rejected, rejected);
    }
}
