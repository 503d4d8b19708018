//! Columns of phone numbers: without a prefix they are believed only if they are valid, and a country can be given in many ways.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use throng::Error;
use throng::config::{ColumnSelector, Input, PrepareConfig};
use throng::normalize::{Unprefixed, UserType};
use throng::prepare::summary::Summary;

use crate::support::{config, digest_hex, entries, run, suppressing};

struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn config(&self, text: &str) -> PrepareConfig {
        config(UserType::PhoneHash, &[self.write("in.csv", text)], &self.0.path().join("out"))
    }

    fn run(&self, text: &str) -> throng::Result<Summary> {
        run(self.config(text))
    }

    fn entries(&self) -> Vec<String> {
        entries(&self.0.path().join("out"))
    }
}

/// A column of numbers with a header.
fn column(numbers: impl IntoIterator<Item = String>) -> String {
    numbers.into_iter().fold("phone\n".to_owned(), |text, number| text + &number + "\n")
}

fn refused(result: throng::Result<Summary>) -> (String, String) {
    let error = result.unwrap_err();
    assert!(matches!(error, Error::WrongFile { .. }), "{error}");
    (error.to_string(), error.hint().unwrap_or_default().to_owned())
}

/// Numbers of Seattle without the 1: some are possible as numbers of Egypt, none of them is valid there.
fn american(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|n| format!("206{}{:04}", 234 + n % 700, n * 37 % 10_000))
}

fn british(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|n| format!("44207946{:04}", n % 10_000))
}

#[test]
fn national_numbers_of_a_country_never_become_those_of_another() {
    let desk = Desk::new();
    let spaced = |number: String| format!("{}-{}-{}", &number[..3], &number[3..6], &number[6..]);
    for text in [
        column(american(1)),
        column(american(40)),
        column(american(40).map(spaced)),
        // Half of them hold the code.
        column(american(40).chain(british(40))),
        // Numbers of Little Rock are numbers of Belize.
        column((0..40).map(|n| format!("501234{:04}", n * 37))),
        // Without their zero, German numbers of 0151 are of Texas, or of nobody.
        column((0..40).map(|n| format!("15{}{}", n % 10, 34_567_890 + n * 1_234_567))),
    ] {
        let (message, hint) = refused(desk.run(&text));
        assert!(hint.contains("--country"), "{message} {hint}");
        assert!(!desk.0.path().join("out").exists());
    }
    let (message, hint) = refused(desk.run(&column(american(40))));
    assert!(hint.contains("US (United States)"), "{message} {hint}");
    assert!(!message.contains("206"), "{message}");
}

#[test]
fn international_numbers_without_prefix_are_believed() {
    let desk = Desk::new();
    let summary = desk.run(&column(british(40))).unwrap();
    assert_eq!(summary.audiences[0].figures.assumed_international, 40);
    let of_everywhere =
        ["14155550123", "442079460123", "491712345678", "33639981234", "64211234567"];
    desk.run(&column(of_everywhere.map(str::to_owned))).unwrap();
    assert_eq!(desk.entries().len(), 5);
    // Made-up numbers are not all valid, and are nobody else's either.
    desk.run(&column((0..60).map(|n| format!("1415{}{:06}", n % 10, n * 7919)))).unwrap();
    // One in a hundred does not make a column.
    let mixed = british(200).map(|number| format!("+{number}")).chain(american(2));
    desk.run(&column(mixed)).unwrap();
}

#[test]
fn what_they_are_can_be_said() {
    let desk = Desk::new();
    let text = column(american(40));
    let mut config = desk.config(&text);
    config.rules.country = Some("United States".parse().unwrap());
    assert_eq!(run(config).unwrap().audiences[0].figures.assumed_international, 0);
    let first = american(1).next().unwrap();
    assert!(desk.entries().contains(&digest_hex(format!("1{first}").as_bytes())));

    let mixed = column(british(40).map(|number| format!("+{number}")).chain(american(40)));
    let mut config = desk.config(&mixed);
    config.rules.unprefixed = Unprefixed::Reject;
    let figures = &run(config).unwrap().audiences[0].figures;
    assert_eq!((figures.rejected, figures.raw), (40, 40));
    assert_eq!(figures.rejects[0].reason, "national_number");

    let mut config = desk.config(&column((0..40).map(|n| format!("501234{:04}", n * 37))));
    config.rules.unprefixed = Unprefixed::International;
    assert_eq!(run(config).unwrap().audiences[0].figures.assumed_international, 40);
}

#[test]
fn the_verdict_does_not_depend_on_chunks_and_threads() {
    let desk = Desk::new();
    // About 30 chunks, of which each alone could be judged in another way.
    let numbers = (0..600_000).map(|n| {
        if n % 8 == 0 {
            format!("206234{:04}", n % 10_000)
        } else {
            format!("44207946{:04}", n % 9_999)
        }
    });
    let text = column(numbers);
    let verdicts: Vec<_> = [1, 4]
        .into_iter()
        .map(|threads| {
            let mut config = desk.config(&text);
            config.resources.threads = threads;
            run(config)
                .map(|summary| summary.audiences[0].figures.clone())
                .map_err(|e| e.to_string())
        })
        .collect();
    assert_eq!(verdicts[0], verdicts[1]);
    assert!(verdicts[0].is_err());
}

#[test]
fn one_of_several_files_is_not_carried_by_the_others() {
    let desk = Desk::new();
    let mut config = desk.config(&column(british(4_000)));
    config.inputs.push(Input::Path(desk.write("more.csv", &column(american(30)))));
    let (message, hint) = refused(run(config));
    assert!(message.contains("more.csv") && hint.contains("US"), "{message} {hint}");
}

#[test]
fn an_opt_out_list_is_never_read_as_somebody_elses_numbers() {
    let desk = Desk::new();
    let members = column(british(40).map(|number| format!("+{number}")));
    let list = desk.write("out.csv", &column(american(12)));
    let (message, _) = refused(run(suppressing(desk.config(&members), &list)));
    assert!(message.contains("out.csv") && message.contains("cannot be relied on"), "{message}");
    let list = desk.write("out.csv", &column(british(12)));
    let summary = run(suppressing(desk.config(&members), &list)).unwrap();
    assert_eq!(summary.audiences[0].figures.sets.suppressed, 12);
    assert!(summary.notes.iter().any(|note| note.contains("12 of its phone numbers")));
}

#[test]
fn rows_name_their_countries_as_people_write_them() {
    let desk = Desk::new();
    let text = "phone,land\n040 1234567,Deutschland\n(212) 555-0142,U.S.A.\n020 7946 0123,UK\n0664 1234567,AUT\n\
                01 99 00 12 34,France\n021 123 4567,new zealand\n02 1234 5678,380\n0171 2345678,Atlantis\n";
    let mut config = desk.config(text);
    config.read.country_column = Some(ColumnSelector::Name("land".to_owned()));
    let summary = run(config).unwrap();
    let mut expected: Vec<String> = [
        "49401234567",
        "12125550142",
        "442079460123",
        "436641234567",
        "33199001234",
        "64211234567",
        "390212345678",
    ]
    .map(|digits| digest_hex(digits.as_bytes()))
    .to_vec();
    expected.sort();
    assert_eq!(desk.entries(), expected);
    assert_eq!(summary.audiences[0].figures.rejects[0].reason, "unknown_country");
}

#[test]
fn countries_may_be_guarded_or_locales_and_unknown_ones_say_what_is_read() {
    let desk = Desk::new();
    let lands = ["\"=\"\"DE\"\"\"", "'DE", "de-DE", "Germany (DE)", "DE - Deutschland", "NULL", ""];
    let row = |(land, n): (&&str, u32)| format!("040 123456{n},{land}");
    let rows: Vec<String> = lands.iter().zip(0..).map(row).collect();
    let mut config = desk.config(&format!("phone,land\n{}\n", rows.join("\n")));
    config.read.country_column = Some(ColumnSelector::Name("land".to_owned()));
    config.rules.country = Some("DE".parse().unwrap());
    let figures = &run(config).unwrap().audiences[0].figures;
    assert_eq!((figures.raw, figures.rejected), (7, 0));

    let rows = "040 1234567,Korea\n040 2345678,DE-BE\n";
    let mut config = desk.config(&format!("phone,land\n{rows}"));
    config.read.country_column = Some(ColumnSelector::Name("land".to_owned()));
    let (message, hint) = refused(run(config));
    assert!(message.contains("unknown_country 2"), "{message}");
    assert!(hint.starts_with("countries are two or three letters"), "{hint}");
}

#[test]
fn two_numbers_in_a_cell_are_nobodys() {
    let desk = Desk::new();
    let text = "phone\n040 4711-0 / -12\n06221 23456-67/68\n089 2345 / 6789\n\"040 1234\n0171 2345678\"\n040 1234567\n";
    let mut config = desk.config(text);
    config.rules.country = Some("DE".parse().unwrap());
    let figures = &run(config).unwrap().audiences[0].figures;
    assert_eq!(
        (figures.rejects[0].reason.as_str(), figures.rejects[0].count),
        ("several_values", 3)
    );
    // Each of its lines could be a row, so whose they are is not known.
    assert_eq!((figures.rejects[1].reason.as_str(), figures.rejects[1].count), ("merged_rows", 2));
    assert_eq!(desk.entries(), [digest_hex(b"49401234567")]);
}
