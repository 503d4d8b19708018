//! The wanted fields of CSV by the exact reader, and what is held against a record as a whole. The fast readers hand over
//! each record of which they are not sure that it is like all others.

use std::ops::Range;

use super::field::{RecordTooLong, check_length};
use super::{Oddity, Records, is_ruler, place};
use crate::dialect::{Cell, Csv, Defect, Row, Step, has_bare_cr};
use crate::reason::Reason;

/// Notation of a source's records, and what is wanted of them.
#[derive(Debug)]
pub(super) struct Exact {
    pub(super) csv: Csv,
    /// Wanted columns, counted from 0, in ascending order, each once.
    pub(super) wanted: Vec<usize>,
    /// The header as it is written, without its line end; nothing if there is none.
    pub(super) header: Vec<u8>,
    /// Its fields without quotes, blanks around them, and blank ones at the end. Empty if the first wanted column has
    /// none: then only the very same bytes are the header again.
    pub(super) names: Vec<Vec<u8>>,
    /// For each byte whether the first wanted field may begin with it if the record is the header again.
    pub(super) begins: [bool; 256],
    /// What is known of the places of values.
    pub(super) places: Places,
}

/// Places of values in rows, as far as the first ones tell.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Columns that hold addresses; a row of another kind has shifted columns.
    pub addresses: Vec<usize>,
    /// Those of them that are blank in hardly any row, if there are several: where a field is missing, the address of one
    /// stands in the place of another.
    pub filled_addresses: Vec<usize>,
    /// True if hardly any row has blank fields too many.
    pub is_surplus_rare: bool,
    /// True if most rows have.
    pub is_surplus_usual: bool,
    /// True if quotes within fields are doubled, and hardly any stands in a field without quotes around it.
    pub are_quotes_doubled: bool,
}

impl Exact {
    /// Bytes by which a record may be longer than the header and still be the header again: a byte order mark, and a CR.
    pub(super) const HEADER_SLACK: usize = 4;

    /// The header's length; one that no record has if there is none.
    pub(super) fn header_len(&self) -> usize {
        if self.header.is_empty() { usize::MAX / 2 } else { self.header.len() }
    }

    /// Takes the header as it is written.
    pub(super) fn set_header(&mut self, header: Vec<u8>) {
        let mut row = Row::default();
        self.names.clear();
        if self.csv.read_row(&header, 0, true, &mut row) == Step::Row {
            let name = |cell: &Cell| bare(&self.csv.cell(&header, *cell)).to_vec();
            self.names.extend(row.cells.iter().map(name));
            while self.names.pop_if(|name| name.is_empty()).is_some() {}
        }
        let first = self.wanted.first().and_then(|at| self.names.get(*at));
        let first = first.and_then(|name| name.first().copied());
        if first.is_none() {
            self.names.clear();
        }
        for (begins, byte) in self.begins.iter_mut().zip(0..=u8::MAX) {
            *begins = first.is_some_and(|first| {
                byte.eq_ignore_ascii_case(&first) || matches!(byte, b'"' | 0xef | 0..=b' ')
            });
        }
        self.header = header;
    }

    /// True if the first wanted field of a record is what it is in the header, so that all of it may be the header.
    #[inline]
    pub(super) fn may_be_header(&self, first: &[u8]) -> bool {
        first.first().is_some_and(|byte| self.begins[usize::from(*byte)])
            && is_spelling(first, &self.names[self.wanted[0]])
    }

    /// Reads all records of a chunk. `goes_on` says that the first goes on with a field of the one before the chunk.
    pub(super) fn read(
        &self,
        chunk: &[u8],
        mut goes_on: bool,
        records: &mut Records,
    ) -> Result<(), RecordTooLong> {
        records.has_bare_cr = has_bare_cr(chunk);
        let (mut row, mut at) = (Row::default(), 0);
        while self.csv.read_row(chunk, at, true, &mut row) == Step::Row {
            check_length(chunk, row.start, row.end)?;
            self.push(chunk, &row, goes_on, records);
            goes_on = self.csv.is_torn_at_end(&row, goes_on);
            at = row.next;
        }
        Ok(())
    }

    /// Reads a record again that lies in `place`, of which `found` fields were taken.
    #[cold]
    #[inline(never)]
    pub(super) fn read_again(
        &self,
        chunk: &[u8],
        place: Range<usize>,
        found: usize,
        records: &mut Records,
    ) {
        if found > 0 {
            records.starts.pop();
            records.spans.truncate(records.spans.len() - found);
        }
        // Without the CR of the line end.
        let inner = chunk[place.clone()].strip_suffix(b"\r").unwrap_or(&chunk[place.clone()]);
        records.has_bare_cr |= has_bare_cr(inner);
        let (mut row, mut at) = (Row::default(), place.start);
        while self.csv.read_row(&chunk[..place.end], at, true, &mut row) == Step::Row {
            // A quote that opens nothing is read exactly with all of its chunk.
            self.push(chunk, &row, false, records);
            at = row.next;
        }
    }

    fn push(&self, chunk: &[u8], row: &Row, goes_on: bool, records: &mut Records) {
        let record = records.starts.len();
        records.starts.push(place(row.start));
        let mut note = |reason, lines: u32| {
            let oddity = Oddity { record, reason, lines: lines.into(), end: row.end };
            records.oddities.push(oddity);
        };
        let defect = if self.is_header(chunk, row) {
            Some(Defect { reason: Reason::RepeatedHeader, lines: 1 })
        } else {
            let shifted =
                || self.is_shifted(chunk, row).then(|| row.defect(chunk, Reason::RowWidth));
            let is_torn = || goes_on || self.is_torn(chunk, row);
            let torn = || is_torn().then(|| row.defect(chunk, Reason::StrayQuote));
            self.csv.defect(chunk, row, self.has_people()).or_else(torn).or_else(shifted)
        };
        if let Some(Defect { mut reason, lines }) = defect {
            if reason == Reason::RowWidth && is_ruler(&chunk[row.start..row.end]) {
                reason = Reason::Ruler;
            }
            note(Some(reason), lines);
            self.wanted.iter().for_each(|_| records.push_refused(reason));
            return;
        }
        let mut wanted = self.wanted.iter().filter_map(|at| row.cells.get(*at));
        if row.cells.iter().any(|cell| cell.is_stray)
            || wanted.any(|cell| self.is_stray(chunk, *cell))
        {
            note(None, 1);
        }
        let is_short = self.csv.checked_width().is_some_and(|width| row.cells.len() < width);
        for wanted in &self.wanted {
            match row.cells.get(*wanted) {
                Some(cell) => self.push_cell(chunk, *cell, records),
                // Else a row that ends early has nothing in it at all.
                None if is_short => records.push_span(row.end, row.end),
                None => records.push_refused(Reason::MissingColumn),
            }
        }
    }

    /// True if each row is known to hold an address, so that rows that were glued together hold another one.
    fn has_people(&self) -> bool {
        !self.places.addresses.is_empty()
    }

    /// True if one field begins with a quote that opens nothing and a later one ends with a quote that closes nothing: what
    /// was one field in quotes is several now, because of a quote within, and all behind it have moved. Where quotes within
    /// fields are doubled, the second alone says so: the field began in a line before.
    fn is_torn(&self, chunk: &[u8], row: &Row) -> bool {
        let first = row.cells.iter().position(|cell| cell.is_stray).map(|stray| stray + 1);
        if let Some(behind) = first {
            let ends_with_quote = |cell: &Cell| {
                !cell.is_quoted && chunk[cell.start..cell.end].trim_ascii_end().ends_with(b"\"")
            };
            return row.cells[behind..].iter().any(ends_with_quote);
        }
        self.places.are_quotes_doubled && row.cells.iter().any(|cell| closes_nothing(chunk, cell))
    }

    /// True if a row with blank fields too many, with what is left of a quoted field, or with a delimiter that a backslash
    /// takes the meaning off has shifted columns: a value had a delimiter in it, or one is missing. Then all that is wanted
    /// is blank, or addresses stand where none should, or the other way round.
    fn is_shifted(&self, chunk: &[u8], row: &Row) -> bool {
        let Some(width) = self.csv.checked_width().filter(|width| row.cells.len() >= *width) else {
            return false;
        };
        let Places { addresses, filled_addresses, .. } = &self.places;
        let has_surplus = row.cells.len() > width && !self.places.is_surplus_usual;
        let is_doubtful = |cell: &Cell| {
            self.has_escaped_separator(chunk, cell)
                || self.csv.quotes.are_read() && (cell.is_stray || closes_nothing(chunk, cell))
        };
        if !has_surplus && !row.cells.iter().any(is_doubtful) {
            return false;
        }
        let text = |cell: &Cell| chunk[cell.start..cell.end].trim_ascii();
        let is_out_of_place = |(at, cell): (usize, &Cell)| {
            let has_address = memchr::memchr(b'@', text(cell)).is_some();
            let should_have = match text(cell) {
                [] => filled_addresses,
                _ => addresses,
            };
            has_address != should_have.contains(&at)
        };
        let wanted = || self.wanted.iter().filter_map(|at| row.cells.get(*at));
        has_surplus && self.places.is_surplus_rare && wanted().all(|cell| text(cell).is_empty())
            || row.cells[..width].iter().enumerate().any(is_out_of_place)
    }

    /// True if a field without quotes around it goes on behind a separator because of a backslash, which may as well be the
    /// end of what stands before it: `C:\dir\;`.
    fn has_escaped_separator(&self, chunk: &[u8], cell: &Cell) -> bool {
        let is_escape = |pair: &[u8]| pair == [b'\\', self.csv.separator.first()];
        cell.has_escapes && !cell.is_quoted && chunk[cell.start..cell.end].windows(2).any(is_escape)
    }

    /// True if a quote in a wanted field means nothing: it opens nothing, or it is what is left of a quoted field.
    fn is_stray(&self, chunk: &[u8], cell: Cell) -> bool {
        let has_quote = || {
            let text = chunk[cell.start..cell.end].trim_ascii();
            // A spreadsheet's guard: `="0049"`.
            let guarded = text.strip_prefix(b"=\"").and_then(|text| text.strip_suffix(b"\""));
            memchr::memchr(b'"', guarded.unwrap_or(text)).is_some()
        };
        cell.is_stray || self.csv.quotes.are_read() && !cell.is_quoted && has_quote()
    }

    fn push_cell(&self, chunk: &[u8], cell: Cell, records: &mut Records) {
        if self.is_stray(chunk, cell) {
            records.push_refused(Reason::StrayQuote);
        } else if cell.has_escapes {
            let from = records.scratch.len();
            self.csv.unescape(chunk, cell, &mut records.scratch);
            records.push_scratch(from);
        } else {
            records.push_span(cell.start, cell.end);
        }
    }

    /// True if a record is the header again, as where exports were joined.
    fn is_header(&self, chunk: &[u8], row: &Row) -> bool {
        let record = &chunk[row.start..row.end];
        let is_header = |record: &[u8]| record == self.header;
        let unmarked = record.strip_prefix(b"\xef\xbb\xbf").unwrap_or(record);
        !self.header.is_empty() && (is_header(record) || is_header(unmarked))
            || self.is_header_respelled(chunk, row)
    }

    /// True if the fields are those of the header, however they are quoted, padded or capitalized.
    fn is_header_respelled(&self, chunk: &[u8], row: &Row) -> bool {
        let cell = |cell: &Cell| self.csv.cell(chunk, *cell);
        let first = self.wanted.first().and_then(|at| row.cells.get(*at));
        let may_be = |first: &Cell| {
            let bytes = &chunk[first.start..first.end];
            if first.has_escapes {
                self.may_be_header(&cell(first))
            } else {
                self.may_be_header(bytes)
            }
        };
        first.is_some_and(may_be)
            && row.cells.len() >= self.names.len()
            && row.cells.iter().enumerate().all(|(at, field)| {
                is_spelling(&cell(field), self.names.get(at).map_or(b"", Vec::as_slice))
            })
    }
}

/// True if a field without quotes around it ends with a quote that has no other one.
fn closes_nothing(chunk: &[u8], cell: &Cell) -> bool {
    let text = &chunk[cell.start..cell.end];
    !cell.is_quoted
        && text.trim_ascii_end().ends_with(b"\"")
        && memchr::memchr_iter(b'"', text).count() % 2 == 1
}

/// A name without a byte order mark, quotes, and blanks around it.
pub(super) fn bare(name: &[u8]) -> &[u8] {
    let name = name.strip_prefix(b"\xef\xbb\xbf").unwrap_or(name).trim_ascii();
    let unquoted = name.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\""));
    unquoted.unwrap_or(name).trim_ascii()
}

/// True if a field is a name, which is bare.
fn is_spelling(field: &[u8], name: &[u8]) -> bool {
    bare(field).eq_ignore_ascii_case(name)
}
