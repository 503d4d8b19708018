//! Tables in every dialect with every kind of damage, by a writer that knows the truth, of whose notation nobody tells
//! throng anything: whatever comes out is right, or counted, or the run stops; nothing is wrong in silence. Each file follows from its number alone:
//! `THRONG_DAMAGE=1000000 cargo test --release --test it silence` tries a million of them, and
//! `THRONG_DAMAGE_FROM=N THRONG_DAMAGE=1` number N.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex};

use throng::config::{ColumnSelector, Input, MaxRejects, PrepareConfig, SuppressInput};
use throng::normalize::{Normalizer, RuleOptions, UserType};

use crate::support::{config, entries, run};

/// Files that every run of the tests tries.
const FILES: u64 = 1500;

/// Numbers that follow from a seed.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    fn below(&mut self, bound: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((word ^ (word >> 31)) % bound as u64).unwrap()
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quotes {
    WhereNeeded,
    Everywhere,
    Backslash,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    CloseLost,
    OpenLost,
    QuoteBefore,
    QuoteWithin,
    QuoteBehind,
    Delimiter,
    LineEnd,
    FieldLost,
    RowsGlued,
    HeaderAgain,
    Totals,
    Title,
    Torn,
    Escape,
    Delimiters,
    BlankLine,
    BareCr,
    Nul,
    Spaces,
}

const DAMAGES: [Damage; 19] = [
    Damage::CloseLost,
    Damage::OpenLost,
    Damage::QuoteBefore,
    Damage::QuoteWithin,
    Damage::QuoteBehind,
    Damage::Delimiter,
    Damage::LineEnd,
    Damage::FieldLost,
    Damage::RowsGlued,
    Damage::HeaderAgain,
    Damage::Totals,
    Damage::Title,
    Damage::Torn,
    Damage::Escape,
    Damage::Delimiters,
    Damage::BlankLine,
    Damage::BareCr,
    Damage::Nul,
    Damage::Spaces,
];

/// A table as it was meant, and the file that became of it.
#[derive(Debug)]
struct Case {
    text: Vec<u8>,
    delimiter: &'static str,
    quotes: Quotes,
    damages: Vec<Damage>,
    wanted: &'static str,
    user_type: UserType,
    /// The wanted values that stand in the file.
    truth: Vec<String>,
    /// Addresses of another column.
    others: Vec<String>,
    /// Rows that were put into one line, so that one record may stand for so many more people.
    glued: usize,
    /// True if a field looks like the halves of two rows.
    has_halves: bool,
}

impl Case {
    #[allow(clippy::too_many_lines, reason = "a table is written from its top to its end")]
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let delimiter =
            dice.of(&[",", ",", ",", ";", ";", "\t", "|", "^", "~", "\u{1}", "||", "~|~", "::"]);
        let quotes = dice.of(&[
            Quotes::WhereNeeded,
            Quotes::WhereNeeded,
            Quotes::Everywhere,
            Quotes::Backslash,
            Quotes::Never,
        ]);
        let line_end = dice.of(&["\n", "\n", "\r\n"]);
        let (wanted, user_type) = dice.of(&[
            ("email", UserType::EmailHash),
            ("email", UserType::EmailHash),
            ("customer id", UserType::CustomAudienceThirdPartyId),
        ]);
        let mut names = vec!["customer id", "name", "email", "note", "city", "billing"];
        while names.len() > 3 && dice.one_in(3) {
            let at = dice.below(names.len());
            if names[at] != wanted {
                names.remove(at);
            }
        }
        let swaps = dice.below(4);
        for _ in 0..swaps {
            let (a, b) = (dice.below(names.len()), dice.below(names.len()));
            names.swap(a, b);
        }
        let target = names.iter().position(|name| *name == wanted).unwrap();
        let count = 3 + dice.below(24);
        let mut truth = Vec::new();
        let mut others = Vec::new();
        let mut rows: Vec<Vec<String>> =
            vec![names.iter().map(|name| encode(name, delimiter, quotes)).collect()];
        for row in 0..count {
            let cells = names.iter().map(|name| {
                let cell = match *name {
                    "customer id" => format!("C-{}", 10_000 + row * 7),
                    "email" => format!("kim{row}@shop.example"),
                    "billing" => format!("pay{row}@firm.example"),
                    _ => text(&mut dice, delimiter, quotes),
                };
                if *name == wanted {
                    truth.push(cell.clone());
                } else if cell.contains('@') {
                    others.push(cell.clone());
                }
                encode(&cell, delimiter, quotes)
            });
            rows.push(cells.collect());
        }
        let is_halved = |cell: &String| {
            let halves = cell.split_once('\n');
            halves.is_some_and(|(one, other)| one.contains(delimiter) && other.contains(delimiter))
        };
        let has_halves = rows.iter().flatten().any(is_halved);
        let mut damages = Vec::new();
        let mut glued = 0;
        // Rows that are wider or narrower than they were, or cut. One damage can undo another: a row that loses a field and
        // gets a delimiter is as wide as any other, rows that are glued and cut again are two. Nobody could say what such a
        // row was, so that it gets no second damage of that kind.
        let mut is_uneven = vec![false; rows.len()];
        let mut lines: Vec<String> = Vec::new();
        for _ in 0..dice.below(4) {
            let damage = dice.of(&DAMAGES);
            let at = 1 + dice.below(rows.len() - 1);
            let field = dice.below(rows[at].len());
            damages.push(damage);
            let cell = &mut rows[at][field];
            let middle =
                cell.char_indices().map(|(at, _)| at).nth(cell.chars().count() / 2).unwrap_or(0);
            match damage {
                Damage::CloseLost if cell.len() > 1 && cell.ends_with('"') => {
                    cell.pop();
                }
                Damage::OpenLost if cell.len() > 1 && cell.starts_with('"') => {
                    cell.remove(0);
                }
                Damage::QuoteBefore => cell.insert(0, '"'),
                Damage::QuoteWithin => cell.insert(middle, '"'),
                Damage::QuoteBehind => cell.push('"'),
                Damage::Delimiter if field != target && !is_uneven[at] => {
                    cell.insert_str(middle, delimiter);
                    is_uneven[at] = true;
                }
                Damage::LineEnd if field != target && !is_uneven[at] => {
                    cell.insert_str(middle, line_end);
                    is_uneven[at] = true;
                }
                Damage::FieldLost if !is_uneven[at] => {
                    is_uneven[at] = true;
                    rows[at].remove(field);
                    if rows[at].is_empty() {
                        rows[at].push(String::new());
                    }
                }
                Damage::HeaderAgain => {
                    let header = rows[0].clone();
                    rows.insert(at, header);
                    is_uneven.insert(at, false);
                }
                Damage::Totals => {
                    rows.push(vec!["Total".to_owned(), "12".to_owned()]);
                    is_uneven.push(false);
                }
                Damage::Escape => cell.insert_str(middle, "\\\""),
                Damage::Delimiters if !is_uneven[at] => {
                    rows[at].extend([String::new(), String::new()]);
                    is_uneven[at] = true;
                }
                Damage::BlankLine => {
                    rows.insert(at, vec![String::new()]);
                    is_uneven.insert(at, false);
                }
                Damage::BareCr if field != target && !is_uneven[at] => {
                    cell.insert(middle, '\r');
                    is_uneven[at] = true;
                }
                Damage::Nul if field != target => cell.insert(middle, '\0'),
                Damage::Spaces => cell.insert_str(0, "  "),
                Damage::RowsGlued
                    if at + 1 < rows.len() && !is_uneven[at] && !is_uneven[at + 1] =>
                {
                    is_uneven[at] = true;
                    let next = rows.remove(at + 1);
                    is_uneven.remove(at + 1);
                    if dice.one_in(2) {
                        rows[at].extend(next);
                    } else {
                        let mut next = next.into_iter();
                        let joined = next.next().unwrap();
                        rows[at].last_mut().unwrap().push_str(&joined);
                        rows[at].extend(next);
                    }
                    glued += 1;
                }
                Damage::Title => lines.push("Customers of the month".to_owned()),
                _ => {}
            }
        }
        lines.extend(rows.iter().map(|row| row.join(delimiter)));
        let mut text = lines.join(line_end);
        if !dice.one_in(4) {
            text.push_str(line_end);
        }
        // A torn value is a value as long as nothing follows it.
        if damages.contains(&Damage::Torn) && target + 1 < rows[0].len() {
            let last = rows.last().map_or(0, |row| row.last().map_or(0, String::len));
            let keep = text.len().saturating_sub(line_end.len() + dice.below(last + 1));
            if text.is_char_boundary(keep) {
                text.truncate(keep);
            }
        }
        if dice.one_in(8) {
            text.insert(0, '\u{feff}');
        }
        truth.retain(|value| text.contains(value.as_str()));
        Self {
            text: text.into_bytes(),
            delimiter,
            quotes,
            damages,
            wanted,
            user_type,
            truth,
            others,
            glued,
            has_halves,
        }
    }

    /// True if all of it must come out. A field with delimiters before a line break and behind it may be what is left of two
    /// rows whose quotes are lost: it is counted, though nothing is damaged.
    fn is_clean(&self) -> bool {
        self.damages.is_empty()
            && matches!(self.quotes, Quotes::WhereNeeded | Quotes::Everywhere)
            && !self.has_halves
    }
}

/// What people type into a field, as far as it can be written.
fn text(dice: &mut Dice, delimiter: &str, quotes: Quotes) -> String {
    let words = [
        "Ann",
        "Roe",
        "Main St. 5",
        "large",
        "",
        "5\" pipe",
        "say \"hi\" now",
        "12,50",
        "a;b",
        "C:\\dir\\",
        "Zoë",
        "x | y",
    ];
    let mut text = dice.of(&words).to_owned();
    match dice.below(8) {
        0 => text = format!("{text}{delimiter} {}", dice.of(&words)),
        1 => text = format!("{text}\n{}", dice.of(&words)),
        2 => text = format!("\"{text}\""),
        _ => {}
    }
    if quotes == Quotes::Never { text.replace(delimiter, " ").replace('\n', " ") } else { text }
}

fn encode(cell: &str, delimiter: &str, quotes: Quotes) -> String {
    let is_special = cell.contains(delimiter) || cell.contains(['"', '\n', '\r', '\\']);
    match quotes {
        Quotes::Never => cell.to_owned(),
        Quotes::WhereNeeded | Quotes::Backslash if !is_special => cell.to_owned(),
        Quotes::WhereNeeded | Quotes::Everywhere => format!("\"{}\"", cell.replace('"', "\"\"")),
        Quotes::Backslash => format!("\"{}\"", cell.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

#[derive(Debug, Default)]
struct Outcomes {
    exact: AtomicU64,
    counted: AtomicU64,
    stopped: AtomicU64,
}

fn entry(user_type: UserType, value: &str) -> String {
    static RULES: LazyLock<[Normalizer; 2]> = LazyLock::new(|| {
        [UserType::EmailHash, UserType::CustomAudienceThirdPartyId]
            .map(|of| Normalizer::new(of, RuleOptions::default()))
    });
    let rule = &RULES[usize::from(user_type != UserType::EmailHash)];
    rule.entry(value).ok().flatten().unwrap()
}

fn set(case: &Case, values: &[String]) -> BTreeSet<String> {
    values.iter().map(|value| entry(case.user_type, value)).collect()
}

/// What was found wrong, if anything.
fn as_members(case: &Case, dir: &Path, outcomes: &Outcomes) -> Option<String> {
    let (input, out) = (dir.join("export.csv"), dir.join("out"));
    fs::write(&input, &case.text).unwrap();
    let mut config = small(config(case.user_type, &[input], &out));
    config.audiences[0].columns = vec![ColumnSelector::Name(case.wanted.to_owned())];
    config.max_rejects = MaxRejects::Share(1.0);
    let summary = match run(config) {
        Ok(summary) => summary,
        Err(error) => {
            outcomes.stopped.fetch_add(1, Ordering::Relaxed);
            return case.is_clean().then(|| format!("a clean file stops the run: {error}"));
        }
    };
    let got: BTreeSet<String> = entries(&out).into_iter().collect();
    let want = set(case, &case.truth);
    let strangers = got.difference(&want).count();
    let missing = want.difference(&got).count();
    let figures = &summary.audiences[0].figures;
    let rejected: u64 = figures.rejects.iter().map(|of| of.count).sum();
    if strangers == 0 && missing == 0 {
        outcomes.exact.fetch_add(1, Ordering::Relaxed);
        return None;
    }
    if case.is_clean()
        || strangers > 0
        || missing as u64 > rejected + case.glued as u64
        || rejected == 0
    {
        return Some(format!("{strangers} strangers, {missing} missing, {rejected} rejected"));
    }
    outcomes.counted.fetch_add(1, Ordering::Relaxed);
    None
}

fn as_opt_outs(case: &Case, dir: &Path, outcomes: &Outcomes) -> Option<String> {
    let (list, members, out) = (dir.join("list.csv"), dir.join("members.txt"), dir.join("out"));
    fs::write(&list, &case.text).unwrap();
    let strangers = ["zoe@other.example".to_owned(), "yan@other.example".to_owned()];
    let everybody: Vec<String> =
        case.truth.iter().chain(&case.others).chain(&strangers).cloned().collect();
    fs::write(&members, everybody.join("\n")).unwrap();
    let mut config = small(config(case.user_type, &[members], &out));
    config.suppress.push(SuppressInput {
        column: Some(ColumnSelector::Name(case.wanted.to_owned())),
        ..Input::Path(list).into()
    });
    let summary = match run(config) {
        Ok(summary) => summary,
        Err(error) => {
            outcomes.stopped.fetch_add(1, Ordering::Relaxed);
            return case.is_clean().then(|| format!("a clean list stops the run: {error}"));
        }
    };
    let got: BTreeSet<String> = entries(&out).into_iter().collect();
    let (opted_out, all) = (set(case, &case.truth), set(case, &everybody));
    let uploaded = got.intersection(&opted_out).count();
    let not_there = all.difference(&opted_out).filter(|one| !got.contains(*one)).count();
    if uploaded + not_there == 0 {
        outcomes.exact.fetch_add(1, Ordering::Relaxed);
        return None;
    }
    let unreadable = summary.audiences[0].figures.suppression_rejected;
    if case.is_clean() || not_there > 0 || uploaded as u64 > unreadable {
        return Some(format!(
            "{uploaded} who opted out are uploaded, {unreadable} unreadable, {not_there} lost"
        ));
    }
    outcomes.counted.fetch_add(1, Ordering::Relaxed);
    None
}

fn small(mut config: PrepareConfig) -> PrepareConfig {
    config.resources.threads = 1;
    config.resources.memory_bytes = 32 << 20;
    config
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn nothing_is_wrong_in_silence() {
    let from = variable("THRONG_DAMAGE_FROM").unwrap_or(0);
    let count = variable("THRONG_DAMAGE").unwrap_or(FILES);
    let (next, outcomes) = (AtomicU64::new(from), Outcomes::default());
    let failures = Mutex::new(Vec::new());
    let memory = Path::new("/dev/shm");
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let dir = if memory.is_dir() {
                    tempfile::tempdir_in(memory)
                } else {
                    tempfile::tempdir()
                };
                let dir = dir.unwrap();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + count {
                        return;
                    }
                    let case = Case::new(seed);
                    let is_list = seed % 3 == 2 && case.user_type == UserType::EmailHash;
                    let check = if is_list { as_opt_outs } else { as_members };
                    if let Some(wrong) = check(&case, dir.path(), &outcomes) {
                        let role = if is_list { "list" } else { "export" };
                        let mut failures = failures.lock().unwrap();
                        failures.push(format!(
                            "{seed} ({role}): {wrong}\n{:?} {:?} {:?} {}\n{}",
                            case.damages,
                            case.quotes,
                            case.delimiter,
                            case.wanted,
                            case.text.escape_ascii().to_string().replace("\\n", "\n"),
                        ));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    let shown: Vec<&String> = failures.iter().take(8).collect();
    let summary = format!(
        "{} exact, {} counted, {} stopped, {} wrong of {count}",
        outcomes.exact.into_inner(),
        outcomes.counted.into_inner(),
        outcomes.stopped.into_inner(),
        failures.len()
    );
    println!("{summary}");
    for failure in shown {
        println!("{failure}\n");
    }
    assert!(failures.is_empty(), "{summary}");
}
