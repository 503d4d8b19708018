//! Fields of strict records, and the limit on a record's length.

use super::Records;
use crate::limits::RECORD_BYTES_MAX;

/// Error of a record that is longer than the limit. How many line ends stand before it in its chunk is to be counted
/// from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordTooLong {
    /// Begin of the record in its chunk.
    pub start: usize,
}

/// Refuses a record over the limit; its line end, if it lies within the range, does not count.
#[inline]
pub(super) fn check_length(chunk: &[u8], start: usize, end: usize) -> Result<(), RecordTooLong> {
    if end - start <= RECORD_BYTES_MAX {
        return Ok(());
    }
    let record = &chunk[start..end.min(chunk.len())];
    let line_end = record.iter().rev().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    if record.len() - line_end > RECORD_BYTES_MAX { Err(RecordTooLong { start }) } else { Ok(()) }
}

/// A field of a strict record.
pub(super) struct Field {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Behind the byte that ends the field; one more than the length of the chunk if the chunk ends it.
    pub(super) next: usize,
    pub(super) is_quoted: bool,
    pub(super) has_escapes: bool,
}

impl Field {
    #[inline]
    pub(super) fn at(chunk: &[u8], at: usize, delimiter: u8, has_quotes: bool) -> Self {
        if has_quotes && chunk.get(at) == Some(&b'"') {
            return Self::quoted(chunk, at);
        }
        let rest = &chunk[at..];
        let end = memchr::memchr2(delimiter, b'\n', rest).map_or(chunk.len(), |len| at + len);
        let has_cr = chunk.get(end) == Some(&b'\n') && end > at && chunk[end - 1] == b'\r';
        Self {
            start: at,
            end: end - usize::from(has_cr),
            next: end + 1,
            is_quoted: false,
            has_escapes: false,
        }
    }

    /// The field from `start` to the delimiter or line end at `at`.
    #[inline]
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "only kernels of x86-64 use it")
    )]
    pub(super) fn between(chunk: &[u8], start: usize, at: usize, has_quotes: bool) -> Self {
        let has_cr = chunk.get(at) == Some(&b'\n') && at > start && chunk[at - 1] == b'\r';
        let end = at - usize::from(has_cr);
        let field = Self { start, end, next: at + 1, is_quoted: false, has_escapes: false };
        if !has_quotes || chunk.get(start) != Some(&b'"') || end < start + 2 {
            return field;
        }
        let has_escapes = memchr::memchr(b'"', &chunk[start + 1..end - 1]).is_some();
        Self { start: start + 1, end: end - 1, is_quoted: true, has_escapes, ..field }
    }

    fn quoted(chunk: &[u8], open: usize) -> Self {
        let mut has_escapes = false;
        let (start, is_quoted) = (open + 1, true);
        let mut at = open + 1;
        loop {
            // The cutter saw to it that every quote closes.
            let close = memchr::memchr(b'"', &chunk[at..]).map_or(chunk.len(), |len| at + len);
            match chunk.get(close + 1) {
                Some(b'"') => {
                    has_escapes = true;
                    at = close + 2;
                }
                Some(b'\r') => {
                    return Self { start, end: close, next: close + 3, is_quoted, has_escapes };
                }
                _ => return Self { start, end: close, next: close + 2, is_quoted, has_escapes },
            }
        }
    }

    #[inline]
    pub(super) fn push(&self, chunk: &[u8], records: &mut Records) {
        if !self.has_escapes {
            records.push_span(self.start, self.end);
            return;
        }
        let from = records.scratch.len();
        let mut rest = &chunk[self.start..self.end];
        while let Some(quote) = memchr::memchr(b'"', rest) {
            records.scratch.extend_from_slice(&rest[..=quote]);
            rest = &rest[quote + 2..];
        }
        records.scratch.extend_from_slice(rest);
        records.push_scratch(from);
    }
}
