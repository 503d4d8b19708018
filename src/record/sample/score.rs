//! How well a delimiter and a way of quoting explain a sample.
//!
//! ```text
//! E-Mail;Revenue            cut by `;`               cut by `,`
//! ann@example.com;10,50     2 and 2 fields           1 and 2 fields: the header is not cut at all
//! bob@example.com;8,00      addresses are whole      `ann@example.com;10`: an address with something around it
//! ```
//!
//! A delimiter is right if it cuts all rows into the same number of fields, the header among them, if values come out
//! whole, and if quotes stand around fields. No one of these is enough: commas of decimal numbers cut rows alike, too.

use std::collections::BTreeMap;

use super::cut::{Cell, Cut, Row};
use super::kind::Kind;
use crate::dialect::{Csv, Separator};

/// Rows that may stand above a table: its title, when it was made, filters that were set.
pub(crate) const TITLE_ROWS: usize = 50;

/// What is said for a delimiter and a way of quoting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Score {
    /// Greater is better.
    pub(super) value: f64,
    /// True if rows are cut into columns that hold values as a whole, as far as one can see.
    pub(super) is_table: bool,
    /// True if identifiers stand alone in a column, and nearly every row is cut alike.
    pub(super) is_proven: bool,
}

/// Scores the rows of a sample; `None` if they are not cut alike into two fields at least.
pub(super) fn score(cut: &Cut, csv: &Csv) -> Option<Score> {
    let rows = &cut.rows;
    let usual = usual_width(rows.iter().map(|row| width(row)))?;
    let titles = rows.iter().take(TITLE_ROWS).take_while(|row| is_title(row, usual)).count();
    let table: Vec<&Row> = rows[titles..].iter().filter(|row| is_like(row, usual)).collect();
    let rest = rows.len() - titles;
    // Four of five, because exports have torn rows and totals.
    if table.len() * 5 < rest * 4 || titles > 0 && (table.len() < 2 || table.len() * 2 < titles) {
        return None;
    }
    let share = |is: &dyn Fn(&Row) -> bool| {
        let count = table.iter().filter(|row| is(row)).count();
        ratio(count, table.len())
    };
    let kinds: Vec<Vec<Kind>> =
        table.iter().map(|row| row.cells.iter().map(kind).collect()).collect();
    let around = kinds.iter().filter(|row| row.contains(&Kind::Around)).count();
    let whole = kinds
        .iter()
        .filter(|row| row.contains(&Kind::Address) && !row.contains(&Kind::Around))
        .count();
    let addresses = ratio(whole, table.len()) - ratio(around, table.len());
    let fit = ratio(table.len(), rest);
    let header = match titles {
        0 => f64::from(u8::from(rows.first().is_some_and(|row| is_like(row, usual)))) * 2.0,
        // A header that is not cut looks like a title.
        _ if rows[..titles]
            .iter()
            .any(|row| row.cells.iter().any(|cell| is_cut_through(cell, csv.separator))) =>
        {
            -1.0
        }
        _ => 1.0,
    };
    let typed = typed_columns(&kinds, usual);
    let torn = share(&|row| row.cells.iter().any(has_torn_quote));
    let stray = share(&|row| row.is_stray);
    let cut_through =
        share(&|row| row.cells.iter().any(|cell| is_cut_through(cell, csv.separator)));
    let fields = f64::from(u32::try_from(usual).unwrap_or(u32::MAX)).ln().min(2.0);
    let value = 5.0 * addresses + 4.0 * fit + header + typed + 0.5 * fields
        - 3.0 * (torn + stray)
        - 2.0 * cut_through;
    // `Doe, Ann <ann@example.com>` line by line is no table, though each line has one comma.
    let first = rows.get(titles).map_or(&[][..], |row| &row.cells);
    let is_list = addresses < 0.0 && first.iter().any(|cell| kind(cell) == Kind::Around);
    let is_proven = fit >= 0.95
        && rest > 1
        && (addresses >= 0.8 || typed * f64::from(u32::try_from(usual).unwrap_or(1)) >= 0.99);
    Some(Score { value, is_table: !is_list, is_proven })
}

/// Number of fields that most rows have, of those that have two at least; of equals the wider.
pub(crate) fn usual_width(widths: impl Iterator<Item = usize>) -> Option<usize> {
    let mut counts = BTreeMap::new();
    widths
        .filter(|width| *width > 1)
        .for_each(|width| *counts.entry(width).or_insert(0_usize) += 1);
    counts.into_iter().max_by_key(|(width, count)| (*count, *width)).map(|(width, _)| width)
}

fn width(row: &Row) -> usize {
    row.cells.len()
}

/// True if a row has the usual width, or what is beyond it is empty.
fn is_like(row: &Row, usual: usize) -> bool {
    row.cells.len() >= usual
        && row.cells[usual..].iter().all(|cell| cell.text.trim_ascii().is_empty())
}

/// True if a row may stand above a table: it has fewer fields, and nobody is in it.
fn is_title(row: &Row, usual: usize) -> bool {
    width(row) < usual && !row.cells.iter().any(|cell| kind(cell) == Kind::Address)
}

fn kind(cell: &Cell) -> Kind {
    Kind::of(&cell.text)
}

/// True if quotes do not come in pairs: a delimiter within a quoted value has cut it.
fn has_torn_quote(cell: &Cell) -> bool {
    let text = cell.text.trim_ascii();
    let quotes = memchr::memchr_iter(b'"', text).count();
    !cell.is_quoted && quotes % 2 == 1 && (text.starts_with(b"\"") || text.ends_with(b"\""))
}

/// True if a cell has another of the usual delimiters in it that it need not have: no decimal number, no comma of a text.
fn is_cut_through(cell: &Cell, separator: Separator) -> bool {
    let text = cell.text.trim_ascii();
    if cell.is_quoted || Kind::of(text) == Kind::Number {
        return false;
    }
    let is_other = |(at, byte): (usize, &u8)| {
        let is_delimiter = match byte {
            b',' => text.get(at + 1).is_some_and(|next| *next != b' '),
            b';' | b'\t' | b'|' | b'^' | b'~' => true,
            _ => false,
        };
        is_delimiter && !separator.bytes().contains(byte)
    };
    text.iter().enumerate().any(is_other)
}

/// Share of the columns whose values are identifiers or dates as a whole.
fn typed_columns(kinds: &[Vec<Kind>], usual: usize) -> f64 {
    let is_typed = |column: &usize| {
        let mut filled = 0;
        let mut typed = 0;
        // The first row may be a header.
        for kind in kinds.iter().skip(1).filter_map(|row| row.get(*column)) {
            filled += usize::from(*kind != Kind::Empty);
            typed += usize::from(matches!(kind, Kind::Address | Kind::Whole));
        }
        typed * 5 >= filled * 4 && typed > 0
    };
    ratio((0..usual).filter(is_typed).count(), usual)
}

fn ratio(part: usize, whole: usize) -> f64 {
    let number = |count| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    if whole == 0 { 0.0 } else { number(part) / number(whole) }
}
