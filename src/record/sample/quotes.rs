//! Finding what quotes and backslashes mean.

use super::cut::each_row;
use super::score::usual_width;
use crate::dialect::{Cell, Csv, Quotes, Row, Separator};

/// The meaning of quotes that explains most rows of a sample: all of it, since the first quote within a field may stand far
/// down. Doubled quotes are what nearly everybody writes; another meaning must explain twice as much.
pub(super) fn find(text: &[u8], is_all: bool, separator: Separator) -> Quotes {
    let has_backslash = memchr::memchr(b'\\', text).is_some();
    let has_quote = memchr::memchr(b'"', text).is_some();
    if !has_backslash && !has_quote {
        return Quotes::Doubled;
    }
    let contradictions =
        |quotes| contradictions(text, is_all, Csv { quotes, ..Csv::new(separator) });
    let mut best = (Quotes::Doubled, contradictions(Quotes::Doubled));
    // Who separates by commas quotes; where one quote contradicts that, it is a slip, and quoted
    // fields may stand further down.
    let may_not_quote = !matches!(separator.byte(), Some(b',' | b';')) || best.1 > 2;
    let others = [
        (Quotes::Escaped, has_backslash && !has_quote),
        (Quotes::Backslash, has_backslash),
        (Quotes::None, has_quote && may_not_quote),
        (Quotes::Escaped, has_backslash && has_quote && may_not_quote),
    ];
    for (quotes, may_be) in others {
        if may_be && best.1 > 0 {
            let count = contradictions(quotes);
            if count < best.1 && count * 2 <= best.1 {
                best = (quotes, count);
            }
        }
    }
    best.0
}

/// Lines that a dialect does not explain: quotes that open nothing, rows of another width than most, or with the end or
/// the begin of another row in a field, quotes around values where they mean nothing.
fn contradictions(text: &[u8], is_all: bool, csv: Csv) -> usize {
    // Nearly always rows are as wide as the first one, and once through the text is enough.
    let (mut first, mut widths) = (1, Vec::new());
    each_row(text, is_all, &csv, |row| {
        first = row.cells.len();
        false
    });
    let count = contradictions_of(text, is_all, &csv, first, &mut widths);
    match usual_width(widths.iter().copied()).unwrap_or(1) {
        width if width == first => count,
        width => contradictions_of(text, is_all, &csv, width, &mut widths),
    }
}

/// The same if rows have a width; theirs are added to `widths`.
fn contradictions_of(
    text: &[u8],
    is_all: bool,
    csv: &Csv,
    width: usize,
    widths: &mut Vec<usize>,
) -> usize {
    let csv = Csv { width: Some(width), ..*csv };
    let mut count = 0;
    each_row(text, is_all, &csv, |row| {
        widths.push(row.cells.len());
        let is_wrapped = |cell: &Cell| {
            let cell = text[cell.start..cell.end].trim_ascii();
            !csv.quotes.are_read()
                && cell.len() > 1
                && cell.starts_with(b"\"")
                && cell.ends_with(b"\"")
        };
        let is_contradiction = row.cells.iter().any(|cell| cell.is_stray || is_wrapped(cell))
            || csv.defect(text, row, false).is_some()
            || memchr::memchr2(b'\n', b'\r', &text[row.start..row.end]).is_some()
                && has_half_row(text, row, &csv, width);
        if is_contradiction {
            count += memchr::memchr_iter(b'\n', &text[row.start..row.end]).count() + 1;
        }
        true
    });
    count
}

/// True if a field has as many separators before its first line break, or behind its last one, as are missing for a row.
fn has_half_row(text: &[u8], row: &Row, csv: &Csv, width: usize) -> bool {
    let separators = |line: &[u8]| memchr::memmem::find_iter(line, csv.separator.bytes()).count();
    row.cells.iter().enumerate().any(|(before, cell)| {
        let text = &text[cell.start..cell.end];
        let behind = row.cells.len() - before - 1;
        let breaks = memchr::memchr2(b'\n', b'\r', text).zip(memchr::memrchr2(b'\n', b'\r', text));
        breaks.is_some_and(|(first, last)| {
            behind > 0 && before + separators(&text[..first]) + 1 >= width
                || before > 0 && behind + separators(&text[last..]) + 1 >= width
        })
    })
}
