//! Footers: totals, numbers of rows and notes that reports and database clients write behind the last row. Of another width
//! than rows they are refused like any row whose columns are shifted, but they are no sign of a wrong file.
//!
//! A person who is taken for a footer is one reject all the same, so that it is enough that nobody is seen in it.

use super::odd::may_be_person;
use super::plan::Audience;
use super::worker::Route;
use crate::dialect::{Cell, Framing, Row, Step, Wrapping};
use crate::normalize::{Shape, Value, Verdict};
use crate::reason::Reason;
use crate::record::{Records, is_ruler};
use crate::role::Role;

/// Rows of a footer at most, with lines between them.
const ROWS_MAX: usize = 5;

/// Digits of a phone number at least.
const PHONE_DIGITS: usize = 7;

/// Rows at the end of a chunk that are a footer if nothing else follows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tail {
    /// Rows of the footer and lines between them, or one more than a footer has if they are too many.
    rows: usize,
    /// True if nothing else is in the chunk.
    is_all: bool,
}

impl Tail {
    /// Finds the rows, and refuses them as what they are.
    pub(super) fn of(
        records: &mut Records,
        chunk: &[u8],
        route: &Route<'_>,
        audiences: &[Audience],
    ) -> Self {
        let mut footer = Vec::new();
        let mut rows = 0;
        let mut before = records.len();
        let mut oddities = records.oddities().iter().rev().peekable();
        while before > 0 && rows <= ROWS_MAX {
            let record = before - 1;
            match oddities.next_if(|of| of.record == record) {
                Some(odd) => match odd.reason {
                    Some(Reason::Ruler) => rows += 1,
                    Some(Reason::RowWidth)
                        if odd.lines == 1
                            && holds_nobody(records.bytes_of(chunk, odd), route, audiences) =>
                    {
                        footer.push(record);
                        rows += 1;
                    }
                    _ => break,
                },
                None if is_ruler(records.first_line(chunk, record)) => rows += 1,
                None => match route.dialect.framing {
                    Framing::Lines if is_row_count(records.raw(chunk, record)) => {
                        footer.push(record);
                        rows += 1;
                    }
                    Framing::Lines if records.raw(chunk, record).trim_ascii().is_empty() => {}
                    Framing::Csv(csv) => {
                        let is_empty = |byte: &u8| {
                            byte.is_ascii_whitespace()
                                || *byte == b'"'
                                || csv.separator.bytes().contains(byte)
                        };
                        if !records.raw(chunk, record).iter().all(is_empty) {
                            break;
                        }
                    }
                    _ => break,
                },
            }
            before = record;
        }
        if rows <= ROWS_MAX {
            for record in &footer {
                records.refuse_all_of(*record, Reason::Footer);
            }
        }
        Self { rows, is_all: before == 0 }
    }

    /// Adds that of the next chunk; false if what was a footer until now is none, since there are rows behind it.
    pub(super) fn add(&mut self, next: Self) -> bool {
        let goes_on = next.is_all || self.rows == 0;
        self.rows = if next.is_all { self.rows + next.rows } else { next.rows };
        goes_on
    }

    /// True if there are too many rows for a footer.
    pub(super) fn is_too_long(self) -> bool {
        self.rows > ROWS_MAX
    }
}

/// True if nobody can be seen in a row that has another width than all others.
fn holds_nobody(row: &[u8], route: &Route<'_>, audiences: &[Audience]) -> bool {
    let Framing::Csv(csv) = route.dialect.framing else { return false };
    let mut read = Row::default();
    if csv.read_row(row, 0, true, &mut read) != Step::Row {
        return false;
    }
    let cells: Vec<Vec<u8>> = read.cells.iter().map(|cell: &Cell| csv.cell(row, *cell)).collect();
    if cells.iter().any(|cell| cell.contains(&b'@') || Shape::of(cell) != Shape::Other) {
        return false;
    }
    if route.role == Role::Suppressed {
        let digits = |cell: &Vec<u8>| cell.iter().filter(|byte| byte.is_ascii_digit()).count();
        return cells.iter().all(|cell| digits(cell) < PHONE_DIGITS)
            && !may_be_person(row, route, audiences);
    }
    route.feeds.iter().all(|feed| {
        let own = feed.rule.as_deref();
        let normalizer = own.unwrap_or_else(|| audiences[feed.audience].normalizer(route.role));
        cells.get(feed.column.index).is_none_or(|cell| {
            let value = Value { bytes: Ok(cell), country: None };
            let verdict = normalizer.one(Wrapping::Field, value, &mut Vec::new());
            matches!(verdict, Verdict::Blank | Verdict::Rejected(_))
        })
    })
}

/// True for the number of rows as clients of databases print it: `(13 rows)`, `13 rows in set (0.01 sec)`.
fn is_row_count(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let open = line.strip_prefix(b"(").unwrap_or(line);
    let digits = open.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let words = open[digits..].to_ascii_lowercase();
    let is_of_rows = [&b" row"[..], b" record"].iter().any(|word| {
        let rest = words.strip_prefix(*word);
        rest.is_some_and(|rest| {
            !rest.contains(&b'@') && matches!(rest, [] | [b's' | b')' | b' ', ..])
        })
    });
    (1..=12).contains(&digits) && is_of_rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_rows_are_told() {
        for line in [
            "(13 rows)",
            "(1 row)",
            " (0 rows) ",
            "13 rows in set (0.01 sec)",
            "2 Records",
            "(3 rows affected)",
        ] {
            assert!(is_row_count(line.as_bytes()), "{line}");
        }
        for line in ["", "(rows)", "13", "rows 13", "13 rowan trees", "13 rows a@b.example"] {
            assert!(!is_row_count(line.as_bytes()), "{line}");
        }
    }
}
