//! The wanted fields of CSV whose quotes all stand where they should, 64 bytes at once.
//!
//! ```text
//! a,"b,c",d↵      the text
//!   " ,  "        quotes; between them the parity of their number is odd
//!  ,     , ↵      delimiters and line ends where it is even: each ends a field
//! ```
//!
//! Comparisons give the three as bits, one a byte; walking over the bits of the last line visits every field end as far
//! as the last wanted column, and from there on line ends alone. The rows of `benches/stages.rs` (`record/csv_strict`)
//! have 115 bytes: looking for the next delimiter or quote field by field takes more than twice as long.
#![cfg(target_arch = "x86_64")]
#![expect(unsafe_code, reason = "loads of vectors, and a function for an instruction set")]

use std::arch::x86_64::{
    __m512i, _mm512_cmpeq_epi8_mask, _mm512_loadu_si512, _mm512_maskz_loadu_epi8, _mm512_set1_epi8,
};

use super::Records;
use super::exact::Exact;
use super::field::{Field, RecordTooLong, check_length};
use crate::hash::Kernel;
use crate::reason::Reason;

/// Reads the wanted columns of all records of a chunk.
///
/// # Panics
///
/// If the kernel has no AVX-512.
pub(super) fn read(
    kernel: Kernel,
    chunk: &[u8],
    exact: &Exact,
    records: &mut Records,
) -> Result<(), RecordTooLong> {
    assert!(kernel.has_avx512(), "the caller asked the kernel");
    // SAFETY: the machine has what the function asks for, see above.
    unsafe { read_avx512(chunk, exact, records) }
}

#[target_feature(enable = "avx512f,avx512bw,bmi1,bmi2,lzcnt,popcnt")]
fn read_avx512(chunk: &[u8], exact: &Exact, records: &mut Records) -> Result<(), RecordTooLong> {
    let mut rows = Rows {
        chunk,
        exact,
        wanted: &exact.wanted,
        width: exact.csv.checked_width().unwrap_or(0),
        has_width: exact.csv.width.is_some(),
        has_quotes: exact.csv.quotes.are_read(),
        header_len: exact.header_len(),
        records,
        start: 0,
        field: 0,
        column: 0,
        found: 0,
        has_inner: false,
        begins_as_header: false,
    };
    // All ones while a quoted field is open.
    let mut inside = 0_u64;
    let has_quotes = rows.has_quotes;
    let delimiter = splat(exact.csv.separator.first());
    let (pieces, rest) = chunk.as_chunks::<64>();
    for (index, piece) in pieces.iter().enumerate() {
        // SAFETY: 64 bytes; the load does not ask for alignment.
        let piece = unsafe { _mm512_loadu_si512(piece.as_ptr().cast()) };
        rows.walk(index * 64, ends_of(piece, delimiter, has_quotes, &mut inside))?;
    }
    let all = (1_u64 << rest.len()) - 1;
    // SAFETY: only the bytes of the rest are read; a masked load does not touch what lies beyond.
    let last = unsafe { _mm512_maskz_loadu_epi8(all, rest.as_ptr().cast()) };
    let Ends { fields, lines, inner } = ends_of(last, delimiter, has_quotes, &mut inside);
    let ends = Ends { fields: fields & all, lines: lines & all, inner: inner & all };
    rows.walk(pieces.len() * 64, ends)?;
    if rows.start < chunk.len() {
        // The last line has no end.
        rows.end_field(chunk.len());
        rows.end_line(chunk.len())?;
    }
    Ok(())
}

/// Bytes that end a field, those of them that end a line, and line ends within quotes.
#[derive(Clone, Copy)]
struct Ends {
    fields: u64,
    lines: u64,
    inner: u64,
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn ends_of(bytes: __m512i, delimiter: __m512i, has_quotes: bool, inside: &mut u64) -> Ends {
    let quotes = if has_quotes { _mm512_cmpeq_epi8_mask(bytes, splat(b'"')) } else { 0 };
    let lines = _mm512_cmpeq_epi8_mask(bytes, splat(b'\n'));
    let fields = _mm512_cmpeq_epi8_mask(bytes, delimiter) | lines;
    let mut within = *inside;
    if quotes != 0 {
        // Each bit becomes the parity of itself and all below.
        let mut parity = quotes;
        for shift in [1, 2, 4, 8, 16, 32] {
            parity ^= parity << shift;
        }
        within ^= parity;
        *inside = (within >> 63).wrapping_neg();
    }
    let mut inner = 0;
    if within != 0 {
        inner = (lines | _mm512_cmpeq_epi8_mask(bytes, splat(b'\r'))) & within;
    }
    Ends { fields: fields & !within, lines: lines & !within, inner }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn splat(byte: u8) -> __m512i {
    _mm512_set1_epi8(byte.cast_signed())
}

/// The record that is being read.
#[expect(clippy::struct_excessive_bools, reason = "facts about a record, each by itself")]
struct Rows<'a> {
    chunk: &'a [u8],
    exact: &'a Exact,
    wanted: &'a [usize],
    /// Fields of a record; 0 if they are not counted.
    width: usize,
    /// True if it is known at all how many fields a record has.
    has_width: bool,
    has_quotes: bool,
    /// A record of about this length may be the header again.
    header_len: usize,
    records: &'a mut Records,
    /// Its begin.
    start: usize,
    /// Begin of the current field.
    field: usize,
    /// The number of the current field.
    column: usize,
    /// Number of the wanted fields that were found.
    found: usize,
    /// True if there are line ends within its quotes.
    has_inner: bool,
    /// True if its first wanted field begins as it does in the header.
    begins_as_header: bool,
}

impl Rows<'_> {
    #[inline]
    #[target_feature(enable = "bmi1,bmi2,lzcnt,popcnt")]
    fn walk(&mut self, base: usize, ends: Ends) -> Result<(), RecordTooLong> {
        let mut left = if self.found < self.wanted.len() { ends.fields } else { ends.lines };
        // Ends of fields that are not counted yet.
        let mut uncounted = ends.fields;
        let mut inner = ends.inner;
        while left != 0 {
            let bit = left & left.wrapping_neg();
            let at = base + left.trailing_zeros() as usize;
            // What is not below or at this place.
            let behind = !(bit | (bit - 1));
            if self.found < self.wanted.len() {
                self.end_field(at);
            } else {
                self.column += (uncounted & !behind).count_ones() as usize;
            }
            uncounted &= behind;
            if ends.lines & bit != 0 {
                self.has_inner |= inner & !behind != 0;
                inner &= behind;
                self.end_line(at)?;
                left = uncounted;
            } else if self.found == self.wanted.len() {
                left = ends.lines & behind;
            } else {
                left &= behind;
            }
        }
        self.column += uncounted.count_ones() as usize;
        self.has_inner |= inner != 0;
        Ok(())
    }

    /// The current field ends before `at`.
    #[inline]
    fn end_field(&mut self, at: usize) {
        if self.wanted.get(self.found) == Some(&self.column) {
            let field = Field::between(self.chunk, self.field, at, self.has_quotes);
            if self.found == 0 {
                self.records.starts.push(super::place(self.start));
                let first = self.chunk.get(field.start);
                self.begins_as_header =
                    first.is_some_and(|byte| self.exact.begins[usize::from(*byte)]);
            }
            self.found += 1;
            field.push(self.chunk, self.records);
        }
        self.column += 1;
        self.field = at + 1;
    }

    /// The record ends before `at`.
    #[inline]
    fn end_line(&mut self, at: usize) -> Result<(), RecordTooLong> {
        let line = &self.chunk[self.start..at];
        let is_odd = (self.has_inner && self.has_width)
            || (self.column != self.width && self.width != 0)
            || line.len().wrapping_sub(self.header_len) <= Exact::HEADER_SLACK
            || self.begins_as_header
                && self.exact.may_be_header(self.records.first_of_last(self.chunk, self.found));
        if matches!(line, [] | [b'\r']) {
            // Lines without anything are no records. If the first column is wanted, it was taken for one.
            if self.found > 0 {
                self.records.starts.pop();
                self.records.spans.pop();
            }
        } else {
            check_length(self.chunk, self.start, at)?;
            if is_odd {
                self.exact.read_again(self.chunk, self.start..at, self.found, self.records);
            } else {
                if self.found == 0 {
                    self.records.starts.push(super::place(self.start));
                }
                for _ in self.found..self.wanted.len() {
                    self.records.push_refused(Reason::MissingColumn);
                }
            }
        }
        (self.start, self.field, self.column, self.found) = (at + 1, at + 1, 0, 0);
        (self.has_inner, self.begins_as_header) = (false, false);
        Ok(())
    }
}
