//! The exact reader of CSV: one record after the other, from the first byte on. All others, which look at 64 bytes or at
//! a window at once, are right where they agree with it.
//!
//! A quote at a field's begin opens a quoted field only if that field ends as one: behind the closing quote, which is
//! the first that is neither doubled nor escaped, there is a separator, a line end, or nothing more. Else the quote is
//! text like any other, and reading goes on behind it, so that no row is swallowed however far the next quote is.
//! Whether it opens is therefore known within [`RECORD_BYTES_MAX`] of the quote.

use super::csv::{Csv, Quotes};
use crate::limits::RECORD_BYTES_MAX;
use crate::reason::Reason;

/// Place of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Begin of what is in it, behind an opening quote.
    pub start: usize,
    /// End of it, before a closing quote.
    pub end: usize,
    /// True if the field is quoted.
    pub is_quoted: bool,
    /// True if quotes or backslashes within stand for something else.
    pub has_escapes: bool,
    /// True if it begins with a quote that opens nothing: the field contradicts how the file is quoted.
    pub is_stray: bool,
}

/// Place of a record and its fields. To be used again for the next one.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// Its begin.
    pub start: usize,
    /// Its end, before its line end.
    pub end: usize,
    /// Behind its line end.
    pub next: usize,
    /// Its fields; at least one.
    pub cells: Vec<Cell>,
}

/// Result of looking for a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There is one.
    Row,
    /// There are no more.
    End,
    /// What is there is not enough to know its end.
    Partial,
}

/// Why a record cannot be relied on as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defect {
    /// The reason.
    pub reason: Reason,
    /// Lines that the record takes.
    pub lines: u32,
}

/// What stands behind a place.
enum Behind {
    /// The field's end, with the bytes that end it.
    End,
    /// Something else.
    Other,
    /// Not enough is known.
    Unknown,
}

/// End of a quoted field.
enum Close {
    At { close: usize, behind: usize, has_escapes: bool },
    Not,
    Unknown,
}

impl Row {
    /// The defect of all of it.
    pub(crate) fn defect(&self, bytes: &[u8], reason: Reason) -> Defect {
        Defect { reason, lines: line_count(&bytes[self.start..self.end]) }
    }
}

impl Csv {
    /// Reads the record that begins at `at`, or behind empty lines there. `is_last` says that nothing follows `bytes`.
    ///
    /// Bytes that begin and end where records do have the same records, read on their own, as where they come from.
    pub fn read_row(&self, bytes: &[u8], mut at: usize, is_last: bool, row: &mut Row) -> Step {
        while matches!(bytes.get(at), Some(b'\n' | b'\r')) {
            at += 1;
        }
        row.start = at;
        row.cells.clear();
        if at >= bytes.len() {
            return Step::End;
        }
        loop {
            let Some((cell, behind)) = self.read_cell(bytes, at, is_last) else {
                return Step::Partial;
            };
            row.cells.push(cell);
            match bytes.get(behind) {
                None => (row.end, row.next) = (behind, behind),
                Some(b'\n') => (row.end, row.next) = (behind, behind + 1),
                Some(b'\r') => match bytes.get(behind + 1) {
                    None if !is_last => return Step::Partial,
                    Some(b'\n') => (row.end, row.next) = (behind, behind + 2),
                    _ => (row.end, row.next) = (behind, behind + 1),
                },
                Some(_) => {
                    at = behind + self.separator.bytes().len();
                    continue;
                }
            }
            return Step::Row;
        }
    }

    /// The field that begins at `at`, and where what ends it is.
    fn read_cell(&self, bytes: &[u8], at: usize, is_last: bool) -> Option<(Cell, usize)> {
        let mut is_stray = false;
        if self.quotes.are_read() {
            let open = self.behind_blanks(bytes, at);
            match bytes.get(open) {
                Some(b'"') => match self.close(bytes, open, is_last) {
                    Close::At { close, behind, has_escapes } => {
                        let (start, end) = (open + 1, close);
                        let cell =
                            Cell { start, end, is_quoted: true, has_escapes, is_stray: false };
                        return Some((cell, behind));
                    }
                    Close::Not => is_stray = true,
                    Close::Unknown => return None,
                },
                None if !is_last => return None,
                _ => {}
            }
        }
        let (end, has_escapes) = self.unquoted(bytes, at, is_last)?;
        Some((Cell { start: at, end, is_quoted: false, has_escapes, is_stray }, end))
    }

    /// Looks for the end of the field that a quote at `open` would begin.
    fn close(&self, bytes: &[u8], open: usize, is_last: bool) -> Close {
        let limit = open + RECORD_BYTES_MAX;
        let seen = &bytes[..bytes.len().min(limit + 1)];
        let unknown = if is_last || bytes.len() > limit { Close::Not } else { Close::Unknown };
        let mut at = open + 1;
        let mut has_escapes = false;
        loop {
            let rest = seen.get(at..).unwrap_or_default();
            let found = if self.quotes.has_backslash() {
                memchr::memchr2(b'"', b'\\', rest)
            } else {
                memchr::memchr(b'"', rest)
            };
            let Some(found) = found else { return unknown };
            let quote = at + found;
            if seen[quote] == b'\\' || bytes.get(quote + 1) == Some(&b'"') {
                has_escapes = true;
                at = quote + 2;
                continue;
            }
            let behind = self.behind_blanks(bytes, quote + 1);
            return match self.what_is_at(bytes, behind, is_last) {
                Behind::End if behind <= limit => Close::At { close: quote, behind, has_escapes },
                Behind::End | Behind::Other => Close::Not,
                Behind::Unknown if behind > limit => Close::Not,
                Behind::Unknown => Close::Unknown,
            };
        }
    }

    /// Behind the spaces and tabs that may stand around quotes.
    fn behind_blanks(&self, bytes: &[u8], at: usize) -> usize {
        let first = self.separator.first();
        let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\t') && **byte != first;
        at + bytes.get(at..).unwrap_or_default().iter().take_while(is_blank).count()
    }

    /// Whether a field ends at `at`.
    fn what_is_at(&self, bytes: &[u8], at: usize, is_last: bool) -> Behind {
        let rest = bytes.get(at..).unwrap_or_default();
        let separator = self.separator.bytes();
        match rest.first() {
            None if is_last => Behind::End,
            None => Behind::Unknown,
            Some(b'\n' | b'\r') => Behind::End,
            Some(_) if rest.starts_with(separator) => Behind::End,
            Some(_) if !is_last && separator.starts_with(rest) => Behind::Unknown,
            Some(_) => Behind::Other,
        }
    }

    /// Where an unquoted field ends, and whether backslashes in it mean something.
    fn unquoted(&self, bytes: &[u8], start: usize, is_last: bool) -> Option<(usize, bool)> {
        let has_backslash = self.quotes.has_backslash();
        let mut has_escapes = false;
        let mut at = start;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let found = memchr::memchr3(self.separator.first(), b'\n', b'\r', rest);
            let end = found.map_or(bytes.len(), |len| at + len);
            if has_backslash
                && let Some(behind) = behind_escapes(&bytes[..end], at, &mut has_escapes)
            {
                // The last backslash takes the meaning off the byte at the end.
                let is_crlf = bytes.get(end) == Some(&b'\r') && bytes.get(end + 1) == Some(&b'\n');
                if end >= bytes.len() {
                    return is_last.then_some((end, has_escapes));
                }
                at = behind + usize::from(is_crlf);
                continue;
            }
            if found.is_none() {
                return is_last.then_some((end, has_escapes));
            }
            match self.what_is_at(bytes, end, is_last) {
                Behind::End => return Some((end, has_escapes)),
                Behind::Unknown => return None,
                Behind::Other => at = end + 1,
            }
        }
    }

    /// Whether the record behind `row` goes on with a field of it: a quote opens what no quote closes, and there are too few
    /// fields. So do the records behind it until one has enough, which is as wide as a row by chance. `goes_on` says that
    /// `row` itself does.
    pub fn is_torn_at_end(&self, row: &Row, goes_on: bool) -> bool {
        let is_short = self.checked_width().is_some_and(|width| row.cells.len() < width);
        is_short && (goes_on || row.cells.last().is_some_and(|cell| cell.is_stray))
    }

    /// Whether a record is what the dialect says, as a whole. `bytes` is what it was read from; `has_people` says that nearly
    /// every row has an address, so that only a field with one can hold others of them.
    pub fn defect(&self, bytes: &[u8], row: &Row, has_people: bool) -> Option<Defect> {
        let width = self.width?;
        let raw = &bytes[row.start..row.end];
        let refused = |reason| Some(row.defect(bytes, reason));
        let fields = row.cells.len();
        let is_gluing = |(place, cell): (usize, &Cell)| {
            let text = &bytes[cell.start..cell.end];
            (!has_people || width == 1 || memchr::memchr(b'@', text).is_some())
                && self.is_gluing(text, place, fields, width)
        };
        if memchr::memchr2(b'\n', b'\r', raw).is_some()
            && row.cells.iter().enumerate().any(is_gluing)
        {
            return refused(Reason::MergedRows);
        }
        let is_as_wide = match row.cells.get(width..) {
            Some(beyond) => beyond.iter().all(|cell| is_blank(&bytes[cell.start..cell.end])),
            None => row.cells.iter().all(|cell| is_blank(&bytes[cell.start..cell.end])),
        };
        if is_as_wide || self.is_ragged { None } else { refused(Reason::RowWidth) }
    }

    /// True if a field glues rows together: the quote that opens it stands in one person's row, the one that closes it in
    /// another's, with all rows between them. A line break that somebody wrote leaves parts of rows: what is before it and
    /// what is behind it are not both as wide as a row, no line within is a row, and neither quote stands beside a
    /// separator. Prose has commas, too, so that the breaks between the first line and the last count only if there is an
    /// address.
    fn is_gluing(&self, text: &[u8], place: usize, fields: usize, width: usize) -> bool {
        let Some(first_break) = memchr::memchr2(b'\n', b'\r', text) else { return false };
        let separator = self.separator.bytes();
        let trimmed = text.trim_ascii();
        if width > 1 && (trimmed.starts_with(separator) || trimmed.ends_with(separator)) {
            return true;
        }
        let (before, behind) = (place, fields - place - 1);
        let separators = |line: &[u8]| memchr::memmem::find_iter(line, separator).count();
        let is_row_and_row = |(one, other): (&[u8], &[u8])| {
            (before > 0 || !is_blank(one))
                && (behind > 0 || !is_blank(other))
                && before + separators(one) + 1 >= width
                && behind + separators(other) + 1 >= width
        };
        let has_address = memchr::memchr(b'@', text).is_some();
        let mut breaks = memchr::memchr2_iter(b'\n', b'\r', text);
        let is_halved = if has_address {
            breaks.map(|at| text.split_at(at)).any(is_row_and_row)
        } else {
            let last_break = breaks.next_back().unwrap_or(first_break);
            is_row_and_row((&text[..first_break], &text[last_break..]))
        };
        let mut row = Row::default();
        let plain = Self { quotes: Quotes::None, ..*self };
        let is_row = |line: &[u8]| {
            plain.read_row(line, 0, true, &mut row) == Step::Row
                && row.cells.get(width..).is_some_and(|beyond| {
                    beyond.iter().all(|cell| is_blank(&line[cell.start..cell.end]))
                })
        };
        let last = lines(text).count() - 1;
        is_halved || lines(text).take(last).skip(1).any(is_row)
    }

    /// Appends what is in a field, without what is there for quoting alone.
    pub fn unescape(&self, bytes: &[u8], cell: Cell, out: &mut Vec<u8>) {
        let mut rest = &bytes[cell.start..cell.end];
        if !cell.has_escapes {
            out.extend_from_slice(rest);
            return;
        }
        let has_backslash = self.quotes.has_backslash();
        let special = |rest: &[u8]| match (has_backslash, cell.is_quoted) {
            (true, true) => memchr::memchr2(b'"', b'\\', rest),
            (true, false) => memchr::memchr(b'\\', rest),
            (false, _) => memchr::memchr(b'"', rest),
        };
        while let Some(at) = special(rest) {
            out.extend_from_slice(&rest[..at]);
            let (first, second) = (rest[at], rest.get(at + 1).copied());
            let is_escape = first == b'"'
                || second.is_some_and(|byte| {
                    matches!(byte, b'"' | b'\\' | b'\n' | b'\r') || byte == self.separator.first()
                });
            if !is_escape {
                out.push(first);
            }
            out.extend(second);
            rest = rest.get(at + 2..).unwrap_or_default();
        }
        out.extend_from_slice(rest);
    }

    /// A field's content, copied.
    pub fn cell(&self, bytes: &[u8], cell: Cell) -> Vec<u8> {
        let mut out = Vec::new();
        self.unescape(bytes, cell, &mut out);
        out
    }
}

/// Walks over the backslashes from `at` to the end of `bytes`; the place behind the end if the last of them takes the
/// meaning off the byte there.
fn behind_escapes(bytes: &[u8], mut at: usize, has_escapes: &mut bool) -> Option<usize> {
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr(b'\\', rest)) {
        *has_escapes = true;
        at += found + 2;
    }
    (at > bytes.len()).then_some(at)
}

/// Lines, whatever ends them.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = memchr::memchr2(b'\n', b'\r', text) else { return rest.take() };
        let len = if text[end..].starts_with(b"\r\n") { 2 } else { 1 };
        rest = Some(&text[end + len..]);
        Some(&text[..end])
    })
}

fn line_count(text: &[u8]) -> u32 {
    u32::try_from(lines(text).count()).unwrap_or(u32::MAX)
}

fn is_blank(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Separator;

    fn rows(csv: &Csv, text: &str) -> Vec<Vec<String>> {
        let bytes = text.as_bytes();
        let (mut row, mut at, mut rows) = (Row::default(), 0, Vec::new());
        while csv.read_row(bytes, at, true, &mut row) == Step::Row {
            let cell = |cell: &Cell| String::from_utf8_lossy(&csv.cell(bytes, *cell)).into_owned();
            rows.push(row.cells.iter().map(cell).collect());
            at = row.next;
        }
        rows
    }

    fn with(quotes: Quotes) -> Csv {
        Csv { quotes, ..Csv::new(b',') }
    }

    #[test]
    fn quote_opens_only_what_closes() {
        for (text, expected) in [
            ("a,\"b\"\"c\",d", &[&["a", "b\"c", "d"][..]][..]),
            ("\"a\nb\",c\r\nd", &[&["a\nb", "c"], &["d"]]),
            ("\"a,b\n\"c\",d", &[&["\"a", "b"], &["c", "d"]]),
            ("a,\"b\nc,d\ne,\"f\"", &[&["a", "\"b"], &["c", "d"], &["e", "f"]]),
            ("1, \"Doe, J\" , x", &[&["1", "Doe, J", " x"]]),
            ("\"Doe\" J,x", &[&["\"Doe\" J", "x"]]),
            ("5\" pipe,\"\",\"", &[&["5\" pipe", "", "\""]]),
            ("\n\r\na,\r\rb", &[&["a", ""], &["b"]]),
        ] {
            assert_eq!(rows(&with(Quotes::Doubled), text), expected, "{text}");
        }
    }

    #[test]
    fn backslash_takes_the_meaning_off() {
        for (text, expected) in [
            ("\"say \\\"hi\\\", Ann\",b", &[&["say \"hi\", Ann", "b"][..]][..]),
            ("\"a\\\\\",b\n", &[&["a\\", "b"]]),
            ("a\\,b,c\\\nd\\N,\\N", &[&["a,b", "c\nd\\N", "\\N"]]),
            ("\"a\"\"b\",c", &[&["a\"b", "c"]]),
        ] {
            assert_eq!(rows(&with(Quotes::Backslash), text), expected, "{text}");
        }
        let text = "\"a\\,b\",c\\";
        assert_eq!(rows(&with(Quotes::Escaped), text), [["\"a,b\"", "c\\"]]);
        assert_eq!(rows(&with(Quotes::None), text), [["\"a\\", "b\"", "c\\"]]);
    }

    #[test]
    fn rows_go_on_behind_a_quote_that_opens_nothing() {
        let csv = Csv { width: Some(3), ..Csv::new(b',') };
        let text = b"1,2,\"3\n1,\"2\n3\n4,5,6\n1,2\n3,4,5\n";
        let (mut row, mut at, mut goes_on) = (Row::default(), 0, false);
        let mut states = Vec::new();
        while csv.read_row(text, at, true, &mut row) == Step::Row {
            goes_on = csv.is_torn_at_end(&row, goes_on);
            states.push(goes_on);
            at = row.next;
        }
        assert_eq!(states, [false, true, true, false, false, false]);
        let ragged = Csv { is_ragged: true, ..csv };
        assert!(!ragged.is_torn_at_end(&row, true));
    }

    #[test]
    fn separators_may_have_several_bytes() {
        let separator = Separator::new(b"||").expect("a separator");
        let text = "a|b||\"c||d\"|| \"e\" ||f|";
        assert_eq!(rows(&Csv::new(separator), text), [["a|b", "c||d", "e", "f|"]]);
    }

    #[test]
    fn rows_of_another_width_and_rows_in_one_are_defects() {
        let csv = Csv { width: Some(3), ..Csv::new(b',') };
        let defect = |text: &str| {
            let mut row = Row::default();
            assert_eq!(csv.read_row(text.as_bytes(), 0, true, &mut row), Step::Row);
            csv.defect(text.as_bytes(), &row, false)
                .map(|defect| (defect.reason.code(), defect.lines))
        };
        assert_eq!(defect("1,2,3"), None);
        assert_eq!(defect("1,2,3, ,\"\""), None);
        assert_eq!(defect("1,2,3,4"), Some(("row_width", 1)));
        assert_eq!(defect("1,2"), Some(("row_width", 1)));
        assert_eq!(defect(","), None);
        assert_eq!(defect("1,\"Main St, 2\nBerlin\",3"), None);
        assert_eq!(defect("1,\"2,3\n4,5\n6\",7"), None);
        assert_eq!(defect("1,\"2,3\n4,5\n6,7\",8"), Some(("merged_rows", 3)));
        assert_eq!(defect("1,\"2,3\n4,5\",6"), Some(("merged_rows", 2)));
        assert_eq!(defect("1,\"2\n\n3\n4\""), Some(("row_width", 4)));
        assert_eq!(defect("1,2,\",\n3,4,5,\n6,7,\","), Some(("merged_rows", 3)));
        assert_eq!(defect("1,2,\"\n3,4,5\n6,a\\,b,\""), Some(("merged_rows", 3)));
        assert_eq!(defect("1,2,\"\n6,a,b,\""), Some(("merged_rows", 2)));
        assert_eq!(defect("1,2,\"\n6,\""), Some(("merged_rows", 2)));
        assert_eq!(defect("1,\"\nBerlin\",3"), None);
        assert_eq!(defect("1,\"a\nb\",\"c,d\ne\""), None);
        assert_eq!(defect("1,2,\"\n3,4,5\n6\""), Some(("merged_rows", 3)));
        assert_eq!(defect("1,\"2\na,3\n4,b@\",5"), Some(("merged_rows", 3)));
        assert_eq!(defect("1,\"2\na,3\n4,b\",5"), None);
        assert_eq!(defect("1,2,\"Main St 2\nBerlin, Germany\""), None);
    }
}
