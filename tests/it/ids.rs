//! Ids that leave in clear: what is an id leaves, and what is none stays.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use throng::config::{ColumnSelector, MaxRejects};
use throng::normalize::Ids;
use throng::{AudienceSpec, Error};

use crate::support::ids::{IDS, cells, honest, prepare};
use crate::support::{config, run};

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
