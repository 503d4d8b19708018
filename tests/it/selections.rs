//! Conditions, columns and separators together, on texts and Parquet, against the oracle.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray};
use proptest::prelude::*;
use throng::config::{AudienceSpec, RejectList, ValueSeparator};
use throng::normalize::{Normalizer, RuleOptions, UserType, Wrapping};

use crate::support::shop::{selectors, write_parquet};
use crate::support::{config, entries, oracle, run};

/// A table with a column to compare, two with addresses, and a condition.
#[derive(Clone, Debug)]
struct Case {
    rows: Vec<[String; 4]>,
    /// Column, whether it must not have them, and values.
    conditions: Vec<(usize, bool, Vec<&'static str>)>,
    separators: Vec<&'static str>,
    chunk_bytes: usize,
    threads: usize,
    /// Rows of a row group, and whether there are dictionaries; text if there are none.
    parquet: Option<(usize, bool)>,
    has_reject_list: bool,
}

fn cases() -> impl Strategy<Value = Case> {
    let word = || prop::sample::select(vec!["yes", "Yes ", "no", "1", "", "x,y", "äÖ"]);
    let address = || {
        prop_oneof![
            6 => (0..30_u32).prop_map(|person| format!("user{person}@example.com")),
            1 => Just(String::new()),
            1 => Just("nobody".to_owned()),
        ]
    };
    let cell = || {
        prop_oneof![
            4 => address(),
            1 => (address(), address()).prop_map(|(one, other)| format!("{one}; {other}")),
            1 => (address(), address(), address()).prop_map(|(a, b, c)| format!("{a}|{b};{c}")),
        ]
    };
    let row = (word(), word(), cell(), cell())
        .prop_map(|(one, other, first, second)| [one.to_owned(), other.to_owned(), first, second]);
    let values =
        prop::collection::vec(prop::sample::select(vec!["yes", "no", "1", "", "x,y", "Äö"]), 1..3);
    let conditions = prop::collection::vec((0..2_usize, any::<bool>(), values), 0..3);
    let separators = prop::sample::select(vec![vec![], vec![";"], vec![";", "|"]]);
    let parquet = prop::option::of((1_usize..40, any::<bool>()));
    (
        prop::collection::vec(row, 1..60),
        conditions,
        separators,
        prop_oneof![1_usize..200, Just(throng::limits::CHUNK_BYTES)],
        1_usize..5,
        parquet,
        any::<bool>(),
    )
        .prop_map(
            |(rows, conditions, separators, chunk_bytes, threads, parquet, has_reject_list)| Case {
                rows,
                conditions,
                separators,
                chunk_bytes,
                threads,
                parquet,
                has_reject_list,
            },
        )
}

impl Case {
    fn place(&self, dir: &Path) -> PathBuf {
        let names = ["flag", "group", "email", "email2"];
        if let Some((rows, has_dictionary)) = self.parquet {
            let path = dir.join("in.parquet");
            let column = |at: usize| -> ArrayRef {
                // Nothing is null as often as it is empty.
                let cells = self.rows.iter().enumerate().map(|(row, cells)| {
                    Some(&*cells[at]).filter(|cell| !cell.is_empty() || row % 2 == 0)
                });
                Arc::new(cells.collect::<StringArray>())
            };
            let columns = names.iter().enumerate().map(|(at, name)| (*name, column(at)));
            write_parquet(&path, columns.collect(), rows, has_dictionary);
            return path;
        }
        let path = dir.join("in.csv");
        let mut writer = csv::Writer::from_path(&path).unwrap();
        writer.write_record(names).unwrap();
        self.rows.iter().for_each(|row| writer.write_record(row).unwrap());
        writer.flush().unwrap();
        path
    }

    /// The first condition that a row does not fulfil.
    fn drops(&self, row: &[String; 4]) -> Option<usize> {
        self.conditions.iter().position(|(column, is_negated, values)| {
            let cell = row[*column].trim().to_lowercase();
            values.iter().any(|value| value.to_lowercase() == cell) == *is_negated
        })
    }

    fn split<'a>(&self, cell: &'a str) -> Vec<&'a str> {
        let is_separator = |c: char| self.separators.iter().any(|of| of.starts_with(c));
        if !cell.contains(is_separator) {
            return vec![cell];
        }
        let parts: Vec<&str> =
            cell.split(is_separator).map(str::trim).filter(|part| !part.is_empty()).collect();
        if parts.is_empty() { vec![""] } else { parts }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let mut config = config(UserType::EmailHash, &[self.place(dir.path())], &out);
        config.audiences =
            vec![AudienceSpec::new(UserType::EmailHash, selectors(&["email", "email2"]))];
        config.resources.chunk_bytes = self.chunk_bytes;
        config.resources.threads = self.threads;
        config.read.split =
            self.separators.iter().map(|of| of.parse::<ValueSeparator>().unwrap()).collect();
        config.read.conditions = self
            .conditions
            .iter()
            .map(|(column, is_negated, values)| {
                let values = values.iter().map(|value| format!("\"{value}\"")).collect::<Vec<_>>();
                let operator = if *is_negated { "!=" } else { "=" };
                let column = ["flag", "group"][*column];
                format!("{column}{operator}{}", values.join(",")).parse().unwrap()
            })
            .collect();
        if self.has_reject_list {
            let path = dir.path().join("rejects.csv");
            config.output.rejects = Some(RejectList { path, with_values: true });
        }
        let taken: Vec<_> = self.rows.iter().filter(|row| self.drops(row).is_none()).collect();
        let normalizer = Normalizer::new(UserType::EmailHash, RuleOptions::default());
        let of_column = |column: usize| {
            let values = taken.iter().flat_map(|row| self.split(&row[column]));
            let values = values.map(|value| (Ok(value.as_bytes()), None));
            oracle::read(UserType::EmailHash, &normalizer, Wrapping::Field, values)
        };
        let columns = [of_column(2), of_column(3)];
        let summary = run(config);
        if columns.iter().all(|column| column.accepted == 0) {
            prop_assert!(summary.is_err());
            return Ok(());
        }
        let summary = summary.unwrap();
        let set = columns[0].set.union(&columns[1].set).cloned();
        prop_assert_eq!(entries(&out), oracle::in_order(UserType::EmailHash, set));
        let figures = &summary.audiences[0].figures;
        for (found, expected) in figures.columns.iter().zip(&columns) {
            prop_assert_eq!(found.read, expected.read);
            prop_assert_eq!(found.blank, expected.blank);
            prop_assert_eq!(found.rejected, expected.rejected);
            prop_assert_eq!(found.accepted, expected.accepted);
        }
        prop_assert_eq!(figures.read, columns[0].read + columns[1].read);
        for (at, dropped) in summary.dropped.iter().enumerate() {
            let expected = self.rows.iter().filter(|row| self.drops(row) == Some(at)).count();
            prop_assert_eq!(dropped.rows, expected as u64);
        }
        prop_assert_eq!(summary.records, self.rows.len() as u64);
        if self.has_reject_list {
            let list = csv::Reader::from_path(dir.path().join("rejects.csv")).unwrap();
            prop_assert_eq!(list.into_records().count() as u64, figures.rejected);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn what_is_said_equals_the_oracle(case in cases()) {
        case.check()?;
    }
}
