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

/// Rows that may stand below a table: totals, and who made it.
const FOOTER_ROWS: usize = 5;

/// Rows among which a header would be.
const FIRST_ROWS: usize = 3;

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

/// The rows of a sample, sorted by what they seem to be.
struct Sorted<'a> {
    csv: &'a Csv,
    /// Fields that most rows have.
    usual: usize,
    /// Rows above the table.
    titles: &'a [Row<'a>],
    /// Rows from the table's first on.
    below: &'a [Row<'a>],
    /// Rows of the usual width, and what their cells look like.
    table: Vec<&'a Row<'a>>,
    kinds: Vec<Vec<Kind>>,
    /// Rows that should be of the usual width.
    rest: usize,
}

/// Scores the rows of a sample; `None` if they are not cut alike into two fields at least.
pub(super) fn score(cut: &Cut<'_>, csv: &Csv) -> Option<Score> {
    let rows = Sorted::new(cut, csv)?;
    let fit = ratio(rows.table.len(), rows.rest);
    let addresses = rows.addresses();
    // Four of five, because exports have torn rows; half of them if identifiers show that the others are torn.
    if fit < 0.8 && (fit < 0.5 || addresses < 0.8) {
        return None;
    }
    let typed = typed_columns(&rows.kinds, rows.usual);
    let is_halved = rows.is_header_halved();
    let void = rows.void().max(if is_halved { rows.usual / 2 } else { 0 });
    let fields = number(rows.usual - void).ln().clamp(0.0, 2.0);
    let value = 5.0 * addresses + 4.0 * fit + rows.header() + typed + 0.5 * fields
        - rows.doubts()
        - 2.0 * ratio(void, rows.usual)
        - if is_halved { 3.0 } else { 0.0 };
    // `Doe, Ann <ann@example.com>` line by line is no table, though each line has one comma.
    let first = rows.below.first().map_or(&[][..], |row| &row.cells);
    let is_list = addresses < 0.0 && first.iter().any(|cell| kind(cell) == Kind::Around);
    let has_identifiers = addresses >= 0.8 || typed * number(rows.usual) >= 0.99;
    // Torn rows are no reason against what hardly anybody writes within a text.
    let fit_min = if csv.separator.byte().is_some() { 0.95 } else { 0.8 };
    let is_proven = fit >= fit_min && rows.rest > 1 && has_identifiers;
    Some(Score { value, is_table: !is_list, is_proven })
}

impl<'a> Sorted<'a> {
    fn new(cut: &'a Cut<'a>, csv: &'a Csv) -> Option<Self> {
        let rows = &cut.rows;
        let usual = usual_width(rows.iter().map(|row| row.cells.len()))?;
        let titles = rows.iter().take(TITLE_ROWS).take_while(|row| is_title(row, usual)).count();
        let (titles, below) = rows.split_at(titles);
        let table: Vec<&Row<'_>> = below.iter().filter(|row| is_like(row, usual)).collect();
        let footers = below.iter().rev().take(FOOTER_ROWS).take_while(|row| is_title(row, usual));
        let footers = footers.count();
        let rulers = below[..below.len() - footers].iter().filter(|row| is_ruler(row)).count();
        let outside = titles.len() + footers;
        if outside > 0 && (table.len() < 2 || table.len() * 2 < outside) {
            return None;
        }
        let kinds = table.iter().map(|row| row.cells.iter().map(kind).collect()).collect();
        let rest = below.len() - footers - rulers;
        Some(Self { csv, usual, titles, below, table, kinds, rest })
    }

    /// Share of the rows in which `is` is true of some cell.
    fn share(&self, is: impl Fn(&Cell<'_>) -> bool) -> f64 {
        ratio(self.table.iter().filter(|row| row.cells.iter().any(&is)).count(), self.table.len())
    }

    /// Share of the people whose addresses come out whole, less those of whom they do not.
    fn addresses(&self) -> f64 {
        let count = |is: &dyn Fn(&[Kind]) -> bool| self.kinds.iter().filter(|row| is(row)).count();
        let around = count(&|row| row.contains(&Kind::Around));
        let whole = count(&|row| row.contains(&Kind::Address) && !row.contains(&Kind::Around));
        // A header has none.
        let is_address = |kind: &Kind| matches!(kind, Kind::Address | Kind::Around);
        let has_header = self.kinds.len() > 1 && !self.kinds[0].iter().any(is_address);
        let people = self.kinds.len() - usize::from(has_header);
        ratio(whole, people) - ratio(around, people)
    }

    /// What the first rows say: a header is cut like the rows below it.
    fn header(&self) -> f64 {
        let is_cut_through = |cell: &Cell<'_>| is_cut_through(cell, self.csv.separator);
        if self.titles.iter().any(|row| row.cells.iter().any(is_cut_through)) {
            // A header that is not cut looks like a title.
            return -1.0;
        }
        if !self.titles.is_empty() {
            return 1.0;
        }
        let is_even = self.below.iter().take(FIRST_ROWS).all(|row| is_like(row, self.usual));
        if is_even { 2.0 } else { 0.0 }
    }

    /// What speaks against the delimiter and the quotes: quotes that are torn or open nothing, and other delimiters left
    /// in cells. Texts have commas and semicolons; they have no tabs. A space behind each comma is how texts are written,
    /// too: tables only if nothing else cuts them.
    fn doubts(&self) -> f64 {
        let stray = ratio(self.table.iter().filter(|row| row.is_stray).count(), self.table.len());
        let is_spaced =
            |row: &&&Row<'_>| row.cells[1..].iter().all(|cell| cell.text.starts_with(b" "));
        let spaced = ratio(self.table.iter().filter(is_spaced).count(), self.table.len());
        3.0 * (self.share(has_torn_quote) + stray)
            + 2.0 * self.share(|cell| is_cut_through(cell, self.csv.separator))
            + 4.0 * self.share(has_control)
            + 2.0 * spaced
    }

    /// Number of columns in which nothing is but punctuation, in any row: half of `||` or `~|~` cuts into more fields, of which
    /// every other one is such.
    fn void(&self) -> usize {
        let is_void = |column: &usize| {
            self.table.iter().all(|row| row.cells.get(*column).is_some_and(is_mark))
        };
        (0..self.usual).filter(is_void).count()
    }

    /// True if every other field of the first row is such, twice at least, and no other one is. Rows may be cut alike by half
    /// of a delimiter all the same, where a value has the half in it or a field is missing.
    fn is_header_halved(&self) -> bool {
        let Some(header) = self.table.first() else { return false };
        let (names, between): (Vec<_>, Vec<_>) =
            header.cells.iter().enumerate().partition(|(at, _)| at % 2 == 0);
        names.len() == between.len() + 1
            && between.len() > 1
            && between.iter().all(|(_, cell)| is_mark(cell))
            && !names.iter().any(|(_, cell)| is_mark(cell))
    }
}

/// True if nothing but punctuation is in a cell.
fn is_mark(cell: &Cell) -> bool {
    cell.text.iter().all(u8::is_ascii_punctuation)
}

/// Number of fields that most rows have, of those that have two at least; of equals the wider.
pub(crate) fn usual_width(widths: impl Iterator<Item = usize>) -> Option<usize> {
    let mut counts = BTreeMap::new();
    widths
        .filter(|width| *width > 1)
        .for_each(|width| *counts.entry(width).or_insert(0_usize) += 1);
    counts.into_iter().max_by_key(|(width, count)| (*count, *width)).map(|(width, _)| width)
}

/// True if a row has the usual width, or what is beyond it is empty.
fn is_like(row: &Row<'_>, usual: usize) -> bool {
    row.cells.len() >= usual
        && row.cells[usual..].iter().all(|cell| cell.text.trim_ascii().is_empty())
}

/// True if a row may stand above a table: it has fewer fields, and nobody is in it.
fn is_title(row: &Row<'_>, usual: usize) -> bool {
    row.cells.len() < usual && !row.cells.iter().any(|cell| kind(cell) == Kind::Address)
}

/// True if a row is a line between rows: `----+----`.
fn is_ruler(row: &Row<'_>) -> bool {
    row.cells.iter().all(|cell| cell.text.iter().all(|byte| b"-+=_:| ".contains(byte)))
}

fn kind(cell: &Cell<'_>) -> Kind {
    Kind::of(&cell.text)
}

/// True if quotes do not come in pairs: a delimiter within a quoted value has cut it.
fn has_torn_quote(cell: &Cell<'_>) -> bool {
    let text = cell.text.trim_ascii();
    let quotes = memchr::memchr_iter(b'"', text).count();
    !cell.is_quoted && quotes % 2 == 1 && (text.starts_with(b"\"") || text.ends_with(b"\""))
}

/// True if a cell has another of the usual delimiters in it that it need not have: no decimal number, no comma of a text.
fn is_cut_through(cell: &Cell<'_>, separator: Separator) -> bool {
    let text = cell.text.trim_ascii();
    if cell.is_quoted {
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
    text.iter().enumerate().any(is_other) && Kind::of(text) != Kind::Number
}

/// True if a cell has a byte that separates where there is one.
fn has_control(cell: &Cell<'_>) -> bool {
    let is_other = |byte: &u8| matches!(byte, b'\t' | 0x01 | 0x1e | 0x1f);
    !cell.is_quoted && cell.text.trim_ascii().iter().any(is_other)
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
    if whole == 0 { 0.0 } else { number(part) / number(whole) }
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
