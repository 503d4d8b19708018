//! Rows and cells of a sample, cut by the exact reader.

use std::borrow::Cow;

use super::SAMPLE_ROWS;
use crate::dialect::{self, Csv, Separator, Step};

/// A cell of a row.
#[derive(Debug)]
pub(super) struct Cell<'a> {
    pub(super) text: Cow<'a, [u8]>,
    /// True if quotes around it were taken off.
    pub(super) is_quoted: bool,
}

/// A row of a sample.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) start: usize,
    pub(super) cells: Vec<Cell<'a>>,
    /// True if a quote stands where this way of quoting has none.
    pub(super) is_stray: bool,
}

/// The first rows of a text.
#[derive(Debug)]
pub(super) struct Cut<'a> {
    pub(super) rows: Vec<Row<'a>>,
    /// Behind the last of them.
    pub(super) end: usize,
}

impl Cut<'_> {
    /// True if a cell in quotes has the separator in it.
    pub(super) fn has_quoted(&self, separator: Separator) -> bool {
        let has_it =
            |cell: &Cell<'_>| memchr::memmem::find(&cell.text, separator.bytes()).is_some();
        self.rows.iter().flat_map(|row| &row.cells).any(|cell| cell.is_quoted && has_it(cell))
    }
}

/// Cuts the first rows of a text; `is_all` says that its last one ends with it.
pub(super) fn cut<'a>(text: &'a [u8], is_all: bool, csv: &Csv) -> Cut<'a> {
    let mut found = Cut { rows: Vec::new(), end: 0 };
    each_row(text, is_all, csv, |row| {
        let cell = |cell: &dialect::Cell| {
            let raw = Cow::Borrowed(&text[cell.start..cell.end]);
            let text = if cell.has_escapes { Cow::Owned(csv.cell(text, *cell)) } else { raw };
            Cell { text, is_quoted: cell.is_quoted }
        };
        found.rows.push(Row {
            start: row.start,
            cells: row.cells.iter().map(cell).collect(),
            is_stray: row.cells.iter().any(|cell| cell.is_stray),
        });
        found.end = row.next;
        found.rows.len() < SAMPLE_ROWS
    });
    found
}

/// Calls `on_row` for row after row, as long as it wants more.
pub(super) fn each_row(
    text: &[u8],
    is_all: bool,
    csv: &Csv,
    mut on_row: impl FnMut(&dialect::Row) -> bool,
) {
    let (mut row, mut at) = (dialect::Row::default(), 0);
    while next_row(text, at, is_all, csv, &mut row) {
        at = row.next;
        if !on_row(&row) {
            return;
        }
    }
}

/// Reads the row that begins at a place; `false` if there is none, or if it may go on behind the sample.
pub(super) fn next_row(
    text: &[u8],
    at: usize,
    is_all: bool,
    csv: &Csv,
    row: &mut dialect::Row,
) -> bool {
    match csv.read_row(text, at, is_all, row) {
        // The last row of a sample may go on behind it.
        Step::Row => is_all || at == 0 || row.next < text.len(),
        // A first one that does is all that there is to look at.
        Step::Partial if at == 0 => {
            csv.read_row(text, at, true, row);
            true
        }
        Step::Partial | Step::End => false,
    }
}
