//! The records of a chunk, as places of the wanted fields: nothing is copied but what had to be unescaped.

mod csv;
mod field;
mod sample;
mod lines;
mod scan;
mod strict;

use std::ops::Range;

use crate::reason::Reason;

pub use self::csv::CsvReader;
pub use self::lines::read_lines;
pub use self::sample::{Detected, SampleTable, detect, sniff};
pub(crate) use self::sample::{SAMPLE_ROWS, TITLE_ROWS, usual_width};

/// Place of a field: in the chunk, or in the scratch space of unescaped fields.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    /// The length; [`SCRATCH`] is set in it for fields in scratch space. [`REFUSED`] if there are no bytes: then `start`
    /// says why, as the number of a reason.
    len: u32,
}

const SCRATCH: u32 = 1 << 31;
const REFUSED: u32 = u32::MAX;

/// The records of one chunk.
#[derive(Debug, Default)]
pub struct Records {
    /// Wanted fields of a record, in the order of the wanted columns; 1 for lines.
    width: usize,
    spans: Vec<Span>,
    /// Begin of each record in the chunk; empty if records are lines, which are their own numbers.
    starts: Vec<u32>,
    scratch: Vec<u8>,
    len: usize,
}

impl Records {
    /// Takes fields that lie somewhere in a chunk, record by record, `width` of each.
    pub(crate) fn set(&mut self, width: usize, fields: impl Iterator<Item = Range<usize>>) {
        self.clear(width);
        fields.for_each(|field| self.push_span(field.start, field.end));
        self.len = self.spans.len() / width;
    }

    /// Forgets the records, keeps the memory, and expects `width` fields of each record.
    fn clear(&mut self, width: usize) {
        self.width = width;
        self.spans.clear();
        self.starts.clear();
        self.scratch.clear();
        self.len = 0;
    }

    /// Wanted fields of a record.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A field of every record, or why a record has none that can be relied on.
    pub fn fields<'a>(
        &'a self,
        chunk: &'a [u8],
        field: usize,
    ) -> impl Iterator<Item = Result<&'a [u8], Reason>> {
        self.fields_of(chunk, field, 0..self.len)
    }

    /// A field of some of the records.
    #[inline]
    pub fn fields_of<'a>(
        &'a self,
        chunk: &'a [u8],
        field: usize,
        records: Range<usize>,
    ) -> impl Iterator<Item = Result<&'a [u8], Reason>> {
        let spans = &self.spans[records.start * self.width..records.end * self.width];
        spans.chunks_exact(self.width.max(1)).map(move |row| self.slice(chunk, row[field]))
    }

    #[inline]
    fn slice<'a>(&'a self, chunk: &'a [u8], span: Span) -> Result<&'a [u8], Reason> {
        if span.len == REFUSED {
            return Err(Reason::ALL[span.start as usize]);
        }
        let (bytes, len) = match span.len & SCRATCH {
            0 => (chunk, span.len),
            _ => (&*self.scratch, span.len & !SCRATCH),
        };
        let start = span.start as usize;
        Ok(&bytes[start..start + len as usize])
    }

    /// Number of line ends before a record in its chunk. To be asked in ascending order through one
    /// [`LineCounter`], which counts on from the last answer.
    pub fn line_of(&self, index: usize, counter: &mut LineCounter<'_>) -> u64 {
        match self.starts.get(index) {
            Some(start) => counter.lines_before(*start as usize),
            None => index as u64,
        }
    }

    #[inline]
    fn push_span(&mut self, start: usize, end: usize) {
        self.spans.push(Span { start: place(start), len: place(end - start) });
    }

    fn push_scratch(&mut self, from: usize) {
        let len = place(self.scratch.len() - from) | SCRATCH;
        self.spans.push(Span { start: place(from), len });
    }

    fn push_refused(&mut self, reason: Reason) {
        self.spans.push(Span { start: reason as u32, len: REFUSED });
    }
}

/// Counts the line ends of a chunk as far as they are asked for, which is for rejects only.
#[derive(Debug)]
pub struct LineCounter<'a> {
    chunk: &'a [u8],
    end: u8,
    counted_to: usize,
    lines: u64,
}

impl<'a> LineCounter<'a> {
    /// Lines end with `end`.
    pub fn new(chunk: &'a [u8], end: u8) -> Self {
        Self { chunk, end, counted_to: 0, lines: 0 }
    }

    fn lines_before(&mut self, position: usize) -> u64 {
        if position > self.counted_to {
            self.lines += count_lines(&self.chunk[self.counted_to..position], self.end);
            self.counted_to = position;
        }
        self.lines
    }
}

/// Counts line ends.
pub fn count_lines(bytes: &[u8], end: u8) -> u64 {
    memchr::memchr_iter(end, bytes).count() as u64
}

/// A place in a chunk. Chunks are far below 1 GiB, see `config`.
#[inline]
fn place(position: usize) -> u32 {
    u32::try_from(position).expect("a chunk is smaller than 1 GiB")
}
