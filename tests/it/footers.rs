//! What programs write around rows: lines between them, totals and numbers of rows behind them. They are counted, are no
//! sign of a wrong file, and hide nobody.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use tempfile::TempDir;
use throng::config::{Format, MaxRejects, PrepareConfig, RejectList};
use throng::error::ExitCode;
use throng::normalize::UserType;
use throng::prepare::summary::Summary;

use crate::support::{by_name, config, digest_hex, entries, run, suppressing};

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

    /// Addresses, with the limits that people have.
    fn config(&self, text: &str) -> PrepareConfig {
        let mut config =
            config(UserType::EmailHash, &[self.write("in.txt", text)], &self.0.path().join("out"));
        config.max_rejects = MaxRejects::DEFAULT;
        by_name(config, "email")
    }

    fn entries(&self) -> Vec<String> {
        entries(&self.0.path().join("out"))
    }
}

/// `row` for each of eight people.
fn rows(row: &str) -> String {
    (1..=8).map(|n: u64| row.replace('N', &n.to_string())).collect()
}

fn everybody() -> Vec<String> {
    let mut all: Vec<String> =
        (1..=8).map(|n: u64| digest_hex(format!("a{n}@example.com").as_bytes())).collect();
    all.sort();
    all
}

/// How many were rejected for each reason.
fn reasons(summary: &Summary) -> BTreeMap<String, u64> {
    let rejects = &summary.audiences[0].figures.rejects;
    rejects.iter().map(|of| (of.reason.clone(), of.count)).collect()
}

fn counts(expected: &[(&str, u64)]) -> BTreeMap<String, u64> {
    expected.iter().map(|(reason, count)| ((*reason).to_owned(), *count)).collect()
}

#[test]
fn tables_as_clients_of_databases_print_them_are_read() {
    let bar = "+----+----------------+------+\n";
    let line = "----------------------------\n";
    let inner = "|----|----------------|------|\n";
    for (what, text, expected) in [
        (
            "psql",
            format!(
                " id |     email      | city\n----+----------------+------\n{}(8 rows)\n\n",
                rows("  N | aN@example.com | Linz\n")
            ),
            counts(&[("ruler", 1), ("footer", 1)]),
        ),
        (
            "psql, one column",
            format!("     email\n----------------\n{}(8 rows)\n\n", rows(" aN@example.com\n")),
            counts(&[("ruler", 1), ("footer", 1)]),
        ),
        (
            "mysql",
            format!(
                "{bar}| id | email          | city |\n{bar}{}{bar}8 rows in set (0.00 sec)\n",
                rows("|  N | aN@example.com | Linz |\n")
            ),
            counts(&[("ruler", 2), ("footer", 1)]),
        ),
        (
            "SAP",
            format!(
                "Customers\n\n{line}|id  |email           |city|\n{line}{}{line}",
                rows("|  N |aN@example.com  |Linz|\n")
            ),
            counts(&[("ruler", 2)]),
        ),
        (
            "lines with all columns",
            format!(
                "{inner}| id | email          | city |\n{inner}{}{inner}",
                rows("|  N | aN@example.com | Linz |\n")
            ),
            counts(&[("ruler", 2)]),
        ),
        (
            "a line between all rows",
            format!(
                "id|email|city\n{}",
                rows("----+----------------+------\nN|aN@example.com|Linz\n")
            ),
            counts(&[("ruler", 8)]),
        ),
    ] {
        let desk = Desk::new();
        let summary = run(desk.config(&text))
            .unwrap_or_else(|error| panic!("{what}: {error} {:?}", error.hint()));
        assert_eq!(desk.entries(), everybody(), "{what}");
        assert_eq!(reasons(&summary), expected, "{what}");
    }
}

#[test]
fn totals_and_notes_behind_the_last_row_do_not_stop_a_run() {
    let table = format!("id,email,city\n{}", rows("N,aN@example.com,Linz\n"));
    for (footer, rows) in [
        ("Total: 8\n", 1),
        ("Total,8\n,,\n", 1),
        ("\nTotal: 8\nMade on 2026-11-28 at 07:00 by Reports\n\n", 2),
        ("\"Total\",8,,,x", 1),
        ("a\nb\nc\nd\ne\n", 5),
    ] {
        let desk = Desk::new();
        let mut config = desk.config(&format!("{table}{footer}"));
        let list = desk.0.path().join("rejects.csv");
        config.output.rejects = Some(RejectList { path: list.clone(), with_values: false });
        let summary = run(config).unwrap();
        assert_eq!(desk.entries(), everybody(), "{footer}");
        assert_eq!(reasons(&summary), counts(&[("footer", rows)]), "{footer}");
        let listed = fs::read_to_string(list).unwrap();
        assert_eq!(listed.matches(",footer\n").count() as u64, rows, "{listed}");
    }
}

#[test]
fn somebody_behind_the_last_row_and_rows_in_the_middle_are_no_footers() {
    let table = format!("id,email,city\n{}", rows("N,aN@example.com,Linz\n"));
    for text in [
        format!("{table}a9@example.com\n"),
        format!("{table}9,a9@exam"),
        format!("{table}9,+44 20 7946 0018\n"),
        format!("{table}Total: 8\n9,a9@example.com,Linz\n"),
        format!("{table}a\nb\nc\nd\ne\nf\n"),
        format!("{table}Total: 8\na9@example.com\n"),
    ] {
        let desk = Desk::new();
        let mut config = desk.config(&text);
        config.max_rejects = MaxRejects::Count(0);
        let error = run(config).unwrap_err();
        assert_eq!(error.exit_code(), ExitCode::Input, "{text}");
        assert!(error.to_string().contains("row_width"), "{text}: {error}");
    }
    // An id of any form may stand in the column.
    let desk = Desk::new();
    let text = format!("{}C9\n", rows("CN,Linz\n"));
    let mut config = desk.config(&format!("email,city\n{text}"));
    config.audiences[0].user_type = UserType::CustomAudienceThirdPartyId;
    config.max_rejects = MaxRejects::Count(0);
    let error = run(config).unwrap_err();
    assert!(error.to_string().contains("row_width 1"), "{error}");
}

#[test]
fn nobody_is_missing_from_an_opt_out_list_behind_its_last_row() {
    let table = "id,email,city\n1,a1@example.com,Linz\n2,a2@example.com,Linz\n";
    for (footer, stops) in [
        ("Total: 2\n", false),
        ("(2 rows)\n", false),
        ("--+--\n", false),
        ("a3@example.com\n", true),
        ("3,a3@exam", true),
        ("3,a3(at)example.com\n+49 170 1234567\n", true),
    ] {
        let desk = Desk::new();
        let list = desk.write("list.csv", &format!("{table}{footer}"));
        let text = format!("id,email,city\n{}", rows("N,aN@example.com,Linz\n"));
        let mut config = suppressing(desk.config(&text), &list);
        config.max_rejects = MaxRejects::Share(0.5);
        match run(config) {
            Ok(_) => {
                assert!(!stops, "{footer}");
                assert_eq!(desk.entries().len(), 6, "{footer}");
            }
            Err(error) => assert!(stops, "{footer}: {error}"),
        }
    }
}

/// Lines of a table, each with whether it can stand behind its last row.
const LINES: [(&str, bool); 8] = [
    ("7,a7@example.com,x\n", false),
    ("Total: 3\n", true),
    ("a,b,c,d\n", true),
    ("---+---\n", true),
    ("---,---,---\n", true),
    (",,\n", true),
    ("\n", true),
    ("zoe@b.example\n", false),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Wherever chunks end, the same is a footer, and the list says so. There are fewer such lines than rows of the table.
    #[test]
    fn footers_do_not_depend_on_chunks(
        lines in proptest::collection::vec(0..LINES.len(), 0..8), chunk_bytes in 1_usize..60,
    ) {
        let desk = Desk::new();
        let mut text = format!("id,email,city\n{}", rows("N,aN@example.com,Linz\n"));
        for line in &lines {
            text.push_str(LINES[*line].0);
        }
        let mut config = desk.config(&text);
        config.max_rejects = MaxRejects::Share(1.0);
        config.read.format = Format::Csv;
        config.resources.chunk_bytes = chunk_bytes;
        let list = desk.0.path().join("rejects.csv");
        config.output.rejects = Some(RejectList { path: list.clone(), with_values: false });
        let summary = run(config).unwrap();

        let behind = lines.iter().rev().take_while(|line| LINES[**line].1).count();
        let behind = &lines[lines.len() - behind..];
        let is_footer = behind.iter().filter(|line| (1..5).contains(*line)).count() <= 5;
        let first = lines.len() - behind.len();
        let mut expected = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            let reason = match line {
                1 | 2 if is_footer && at >= first => "footer",
                1 | 2 | 7 => "row_width",
                3 | 4 => "ruler",
                _ => continue,
            };
            expected.push((10 + at, reason.to_owned()));
        }
        let listed = fs::read_to_string(list).unwrap();
        let found: Vec<(usize, String)> = listed.lines().skip(1).map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            (fields[1].parse().unwrap(), fields[4].to_owned())
        }).collect();
        prop_assert_eq!(&found, &expected);
        let mut sums = BTreeMap::new();
        for (_, reason) in &expected {
            *sums.entry(reason.clone()).or_insert(0) += 1;
        }
        prop_assert_eq!(reasons(&summary), sums);
        let mut first_lines = BTreeMap::new();
        for (line, reason) in &expected {
            first_lines.entry(reason.clone()).or_insert(*line as u64);
        }
        for reject in &summary.audiences[0].figures.rejects {
            prop_assert_eq!(Some(&reject.first_line), first_lines.get(&reject.reason));
        }
    }
}
