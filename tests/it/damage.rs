//! Tables in every notation with every kind of damage, by a writer that knows who is in them: whoever is not in the
//! audience is counted, and an opt-out list holds everybody back or stops the run. For a longer search:
//! `PROPTEST_CASES=20000 cargo test --release --test it damage`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use throng::config::{Format, Io, PrepareConfig, Quotes, Separator};
use throng::error::ExitCode;
use throng::normalize::{Normalizer, RuleOptions, UserType};

use crate::support::{Random, by_name, config, entries, run, suppressing};

#[derive(Clone, Copy, Debug)]
struct Table {
    seed: u64,
    rows: u64,
    /// Columns, and which of them holds the address.
    width: usize,
    column: usize,
    separator: &'static str,
    quotes: Quotes,
    is_crlf: bool,
    /// One row of so many is damaged.
    rarity: u64,
    chunk_bytes: usize,
    io: Io,
}

fn tables() -> impl Strategy<Value = Table> {
    let quotes = [Quotes::Doubled, Quotes::Backslash, Quotes::None, Quotes::Escaped];
    let form = (
        (2_usize..6).prop_flat_map(|width| (Just(width), 0..width)),
        prop::sample::select(vec![",", ";", "\t", "|", "||", "\u{1}"]),
        prop::sample::select(quotes.to_vec()),
    );
    let tuning = (1_usize..3000, prop::sample::select(vec![Io::Auto, Io::Read]));
    (any::<u64>(), 10_u64..80, form, any::<bool>(), 4_u64..20, tuning).prop_map(
        |(seed, rows, ((width, column), separator, quotes), is_crlf, rarity, tuning)| Table {
            seed: seed | 1,
            rows,
            width,
            column,
            separator,
            quotes,
            is_crlf,
            rarity,
            chunk_bytes: tuning.0,
            io: tuning.1,
        },
    )
}

impl Table {
    fn are_quotes_read(self) -> bool {
        matches!(self.quotes, Quotes::Doubled | Quotes::Backslash)
    }

    /// A cell as it should be written.
    fn written(self, text: &str) -> String {
        let first = &self.separator[..1];
        match self.quotes {
            Quotes::Doubled => format!("\"{}\"", text.replace('"', "\"\"")),
            Quotes::Backslash => {
                format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
            }
            Quotes::Escaped => text
                .replace('\\', "\\\\")
                .replace('\n', "\\\n")
                .replace(first, &format!("\\{first}")),
            Quotes::None => text.replace('\n', " ").replace(self.separator, " "),
        }
    }

    fn cell(self, random: &mut Random) -> String {
        let separator = self.separator;
        match random.below(8) {
            0 => String::new(),
            1 => self.written(&format!("Doe{separator} J")),
            2 => self.written("two\nlines"),
            3 => self.written("say \"hi\""),
            4 if self.are_quotes_read() => format!(" {} ", self.written("spaced")),
            5 if self.are_quotes_read() => "5\" pipe".to_owned(),
            6 => self.written("C:/tmp/"),
            _ => "plain".to_owned(),
        }
    }

    /// The text, and who is in it.
    fn text(self) -> (String, Vec<String>) {
        let mut random = Random(self.seed);
        let end = if self.is_crlf { "\r\n" } else { "\n" };
        let name =
            |at: usize| if at == self.column { "Email".to_owned() } else { format!("c{at}") };
        let header = (0..self.width).map(name).collect::<Vec<_>>().join(self.separator);
        let mut text = format!("{header}{end}");
        let mut people = Vec::new();
        for row in 0..self.rows {
            let person = format!("p{row}@example.com");
            let mut cells: Vec<String> = (0..self.width).map(|_| self.cell(&mut random)).collect();
            cells[self.column] =
                if random.below(3) == 0 { self.written(&person) } else { person.clone() };
            people.push(person.clone());
            let at = usize::try_from(random.below(self.width as u64)).expect("a column");
            let mut own_end = end;
            match if random.below(self.rarity) == 0 { random.below(12) } else { 99 } {
                0 if at != self.column => "\"never".clone_into(&mut cells[at]),
                1 => cells[self.column] = format!("\"{person}"),
                2 if at != self.column => "\"a\" b".clone_into(&mut cells[at]),
                // If the last field is empty, the row passes for one with an empty field too many.
                3 if cells.last().is_some_and(|last| !last.is_empty()) => {
                    cells.insert(at, "more".to_owned());
                }
                4 => {
                    cells.remove(at);
                    if at == self.column {
                        people.pop();
                    }
                }
                5 => {
                    let _ = write!(text, "{header}{end}");
                }
                6 => own_end = "\r",
                7 => cells.extend([String::new(), " ".to_owned()]),
                8 => text.push_str(end),
                9 => {
                    let _ = write!(text, "Total{}3{end}", self.separator.repeat(self.width));
                }
                10 if at != self.column => "closes\"".clone_into(&mut cells[at]),
                11 => {
                    let _ = write!(text, "{}{end}", self.separator);
                }
                _ => {}
            }
            let _ = write!(text, "{}{own_end}", cells.join(self.separator));
        }
        (text, people)
    }

    fn config(self, input: &Path, out: &Path) -> PrepareConfig {
        let mut config = by_name(config(UserType::EmailHash, &[input.to_owned()], out), "email");
        config.read.format = Format::Csv;
        config.read.delimiter = Separator::new(self.separator.as_bytes());
        config.read.quotes = Some(self.quotes);
        config.read.io = self.io;
        config.resources.chunk_bytes = self.chunk_bytes;
        config
    }
}

/// Digests of people.
fn digests(people: &[String]) -> BTreeMap<String, &String> {
    let rule = Normalizer::new(UserType::EmailHash, RuleOptions::default());
    let digest = |person: &String| rule.entry(person).unwrap().unwrap();
    people.iter().map(|person| (digest(person), person)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 300, ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_lost_in_silence(table in tables()) {
        let dir = tempfile::tempdir().unwrap();
        let (input, out) = (dir.path().join("export"), dir.path().join("out"));
        let (text, people) = table.text();
        fs::write(&input, &text).unwrap();
        let truth = digests(&people);
        match run(table.config(&input, &out)) {
            Ok(summary) => {
                let found: BTreeSet<String> = entries(&out).into_iter().collect();
                prop_assert!(found.iter().all(|entry| truth.contains_key(entry)));
                let missing: Vec<_> =
                    truth.iter().filter(|(entry, _)| !found.contains(*entry)).collect();
                let rejected = summary.audiences[0].figures.rejected;
                prop_assert!(
                    missing.len() as u64 <= rejected,
                    "{missing:?} are missing, {rejected} rejected, of:\n{text}"
                );
            }
            Err(error) => prop_assert_eq!(error.exit_code(), ExitCode::Input, "{}", error),
        }
    }

    #[test]
    fn opt_out_lists_hold_everybody_back_or_stop(table in tables()) {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let (text, people) = table.text();
        fs::write(path("list"), &text).unwrap();
        let members = people.join("\n") + "\nother@example.com\n";
        fs::write(path("members"), members).unwrap();
        let mut config = suppressing(table.config(&path("members"), &path("out")), &path("list"));
        config.audiences[0].columns = Vec::new();
        config.read.format = Format::Auto;
        config.read.delimiter = None;
        if let Ok(summary) = run(config) {
            let unreadable = summary.audiences[0].figures.suppression_rejected;
            let left = entries(&path("out")).len() as u64 - 1;
            prop_assert!(left <= unreadable, "{left} of {unreadable} unreadable, of:\n{text}");
        }
    }
}
