//! Finding what quotes and backslashes mean.

use super::cut::each_row;
use super::score::usual_width;
use crate::dialect::{Csv, Quotes, Separator};

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

/// Rows that a dialect does not explain: quotes that open nothing, another width than most, quotes around values where they
/// mean nothing.
fn contradictions(text: &[u8], is_all: bool, csv: Csv) -> usize {
    let mut widths = Vec::new();
    each_row(text, is_all, &csv, |row| {
        widths.push(row.cells.len());
        true
    });
    let width = usual_width(widths.iter().copied()).unwrap_or(1);
    let csv = Csv { width: Some(width), ..csv };
    let mut count = 0;
    each_row(text, is_all, &csv, |row| {
        let is_wrapped = |cell: &[u8]| {
            let cell = cell.trim_ascii();
            !csv.quotes.are_read()
                && cell.len() > 1
                && cell.starts_with(b"\"")
                && cell.ends_with(b"\"")
        };
        let is_contradiction = row.cells.iter().any(|cell| cell.is_stray)
            || csv.defect(text, row).is_some()
            || row.cells.iter().any(|cell| is_wrapped(&text[cell.start..cell.end]));
        count += usize::from(is_contradiction);
        true
    });
    count
}
