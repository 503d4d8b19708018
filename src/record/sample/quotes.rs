//! Finding what quotes and backslashes mean.

use super::cut::{each_row, next_row};
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
    let escaped = if has_quote { Quotes::Backslash } else { Quotes::Escaped };
    if is_escaped(text, separator) && contradictions(escaped) <= best.1 {
        return escaped;
    }
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

/// True if all backslashes stand as databases write them into tables, and some stand for themselves: `CORP\\\\user`, `\\N`.
fn is_escaped(text: &[u8], separator: Separator) -> bool {
    let (mut at, mut doubled) = (0, 0);
    while let Some(found) = text.get(at..).and_then(|rest| memchr::memchr(b'\\', rest)) {
        match text.get(at + found + 1) {
            Some(b'\\') => doubled += 1,
            Some(b'N' | b'n' | b'r' | b't' | b'0' | b'"' | b'\n') | None => {}
            Some(byte) if *byte == separator.first() => {}
            Some(_) => return false,
        }
        at += found + 2;
    }
    doubled > 0
}

/// Lines that a dialect does not explain: what the reader would refuse; and where quotes do not mean what they usually do,
/// rows with half of another one in a field, and lines from a quote that seems to open a field to one that seems to close
/// it.
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
    let (mut rows, mut people, mut count) = (0, 0, 0);
    // Lines of rows that are not refused if nearly every row has an address.
    let mut without_address = 0;
    let mut quoted = QuotedLines::default();
    let (mut row, mut at) = (Row::default(), 0);
    loop {
        if let Some(next) = behind_plain_row(text, at, is_all, &csv, width) {
            widths.push(width);
            rows += 1;
            people += usize::from(memchr::memchr(b'@', &text[at..next]).is_some());
            at = next;
            continue;
        }
        if !next_row(text, at, is_all, &csv, &mut row) {
            break;
        }
        at = row.next;
        // Blank fields beyond the others make no row wider.
        let is_blank = |cell: &Cell| text[cell.start..cell.end].trim_ascii().is_empty();
        let is_as_wide = row.cells.get(width..).is_some_and(|beyond| beyond.iter().all(is_blank));
        widths.push(if is_as_wide { width } else { row.cells.len() });
        let raw = &text[row.start..row.end];
        rows += 1;
        people += usize::from(memchr::memchr(b'@', raw).is_some());
        let lines = || memchr::memchr_iter(b'\n', raw).count() + 1;
        let has_break = memchr::memchr2(b'\n', b'\r', raw).is_some();
        let is_contradiction = row.cells.iter().any(|cell| cell.is_stray)
            || csv.defect(text, &row, true).is_some()
            || csv.quotes != Quotes::Doubled && has_break && has_half_row(text, &row, &csv, width);
        if is_contradiction {
            count += lines();
        } else if has_break && csv.defect(text, &row, false).is_some() {
            without_address += lines();
        }
        if !csv.quotes.are_read() {
            count += quoted.add(text, &row);
        }
    }
    if people * 5 >= rows * 4 { count } else { count + without_address }
}

/// The begin of the next row, behind one that has neither quotes nor another width: nothing speaks against it, and most
/// are such.
fn behind_plain_row(
    text: &[u8],
    at: usize,
    is_all: bool,
    csv: &Csv,
    width: usize,
) -> Option<usize> {
    let separator = csv.separator.byte().filter(|_| csv.quotes == Quotes::Doubled)?;
    let rest = &text[at..];
    let end = memchr::memchr3(b'"', b'\n', b'\r', rest).filter(|end| *end > 0)?;
    let line_end = match rest[end..] {
        [b'\n', ..] => 1,
        [b'\r', b'\n', ..] => 2,
        _ => return None,
    };
    let next = at + end + line_end;
    let is_whole = is_all || next < text.len();
    let fields = memchr::memchr_iter(separator, &rest[..end]).count() + 1;
    (is_whole && fields == width).then_some(next)
}

/// Lines between a quote that seems to open a field and one that seems to close it, where quotes should mean nothing.
#[derive(Default)]
struct QuotedLines {
    /// Lines since a quote seemed to open a field.
    open: Option<usize>,
}

impl QuotedLines {
    /// Adds a row; how many lines are within such quotes that end in it.
    fn add(&mut self, text: &[u8], row: &Row) -> usize {
        let mut count = 0;
        let since = self.open.map(|since| since + 1);
        self.open = since.filter(|since| *since <= QUOTED_LINES_MAX);
        for cell in &row.cells {
            let cell = text[cell.start..cell.end].trim_ascii();
            let (begins, ends) = (cell.starts_with(b"\""), cell.ends_with(b"\""));
            if !begins && !ends {
                continue;
            }
            let is_odd = memchr::memchr_iter(b'"', cell).count() % 2 == 1;
            match (is_odd, self.open) {
                (false, _) => count += usize::from(begins && ends),
                (true, None) if begins => self.open = Some(1),
                (true, Some(since)) if ends => {
                    count += since;
                    self.open = None;
                }
                (true, _) => {}
            }
        }
        count
    }
}

/// Lines that a quoted field is expected to have at most.
const QUOTED_LINES_MAX: usize = 100;

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]

        /// What is passed over at a glance is a row as the exact reader reads it, and nothing speaks against it.
        #[test]
        fn plain_rows_are_rows_of_the_usual_width(
            text in "[a@,,\n\n\r\"\\\\ ]{0,40}",
            width in 1..4_usize,
            is_all in any::<bool>(),
        ) {
            let csv = Csv { width: Some(width), ..Csv::new(b',') };
            let (text, mut row) = (text.as_bytes(), Row::default());
            for at in (0..text.len()).filter(|at| *at == 0 || text[at - 1] == b'\n') {
                if let Some(next) = behind_plain_row(text, at, is_all, &csv, width) {
                    prop_assert!(next_row(text, at, is_all, &csv, &mut row));
                    prop_assert_eq!((row.next, row.cells.len()), (next, width));
                    prop_assert!(!row.cells.iter().any(|cell| cell.is_stray));
                    let defects = [true, false].map(|people| csv.defect(text, &row, people));
                    prop_assert_eq!(defects, [None, None]);
                }
            }
        }
    }
}
