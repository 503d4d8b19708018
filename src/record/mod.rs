//! The records of a chunk, as places of the wanted fields: nothing is copied but what had to be unescaped.

mod csv;
mod exact;
mod field;
mod sample;
mod lines;
mod ruler;
mod scan;
mod strict;

use std::ops::Range;

use crate::dialect;
use crate::reason::Reason;

pub use self::csv::CsvReader;
pub use self::exact::Places;
pub use self::lines::read_lines;
pub(crate) use self::lines::{read_lf_lines, refuse_headers};
pub(crate) use self::ruler::is_ruler;
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

impl Span {
    /// No bytes, and why.
    fn refused(reason: Reason) -> Self {
        Self { start: reason as u32, len: REFUSED }
    }
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
    /// In the order of the records.
    oddities: Vec<Oddity>,
    /// True if a CR may end a line by itself. Chunks of CSV that are strict have few of them, all in quotes.
    has_bare_cr: bool,
}

/// Something about a record as a whole that a person must be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oddity {
    /// The record.
    pub record: usize,
    /// Why none of its fields can be relied on. `None` if only some begin with a quote that opens nothing.
    pub reason: Option<Reason>,
    /// Lines that it takes, each of which may be a person.
    pub lines: u64,
    /// Its end in the chunk.
    end: usize,
}

impl Records {
    /// Takes fields that lie somewhere in a chunk, record by record, `width` of each.
    pub(crate) fn set(&mut self, width: usize, fields: impl Iterator<Item = Range<usize>>) {
        self.clear(width);
        fields.for_each(|field| self.push_span(field.start, field.end));
        self.len = self.spans.len() / width;
    }

    /// Keeps the records of which `is_kept` says so; one that it has a reason against has no bytes any more. Their places
    /// stay what they are.
    pub(crate) fn retain(
        &mut self,
        chunk: &[u8],
        mut is_kept: impl FnMut(Row<'_>) -> Result<bool, Reason>,
    ) {
        if self.starts.is_empty() && self.width == 1 {
            // Lines, which are not their own numbers any more when some of them are gone.
            self.keep_starts();
        }
        let mut kept = 0;
        let mut oddities = std::mem::take(&mut self.oddities).into_iter().peekable();
        for index in 0..self.len {
            let oddity = oddities.next_if(|of| of.record == index);
            let (row, to) = (index * self.width, kept * self.width);
            match is_kept(Row { records: self, chunk, index }) {
                Ok(true) => self.spans.copy_within(row..row + self.width, to),
                Ok(false) => continue,
                Err(reason) => {
                    self.spans[to..to + self.width].fill(Span::refused(reason));
                }
            }
            if let Some(start) = self.starts.get(index) {
                self.starts[kept] = *start;
            }
            self.oddities.extend(oddity.map(|of| Oddity { record: kept, ..of }));
            kept += 1;
        }
        self.spans.truncate(kept * self.width);
        self.starts.truncate(kept);
        self.len = kept;
    }

    /// Begins to take parts of the fields of other records of the same bytes, with `width` fields each.
    pub(crate) fn begin_parts(&mut self, of: &Self, width: usize) {
        self.clear(width);
        self.scratch.extend_from_slice(&of.scratch);
    }

    /// Takes a part of a field as the first field of a record, and a field `beside` as it is. A field that has no bytes
    /// has none here either.
    pub(crate) fn push_part(
        &mut self,
        of: &Self,
        record: usize,
        (field, part): (usize, Range<usize>),
        beside: Option<usize>,
    ) {
        let spans = &of.spans[record * of.width..][..of.width];
        let mut span = spans[field];
        if span.len != REFUSED {
            let start = span.start + place(part.start);
            span = Span { start, len: place(part.len()) | span.len & SCRATCH };
        }
        self.spans.push(span);
        self.spans.extend(beside.map(|beside| spans[beside]));
    }

    /// All parts were taken.
    pub(crate) fn finish_parts(&mut self) {
        self.len = self.spans.len() / self.width;
    }

    /// Forgets the records, keeps the memory, and expects `width` fields of each record.
    fn clear(&mut self, width: usize) {
        self.width = width;
        self.spans.clear();
        self.starts.clear();
        self.scratch.clear();
        self.oddities.clear();
        self.has_bare_cr = false;
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

    /// Records of which people must be told something, in order.
    pub fn oddities(&self) -> &[Oddity] {
        &self.oddities
    }

    /// Lines of a record that was refused, each of which may be a person; 1 of any other.
    pub fn lines_of(&self, record: usize) -> u64 {
        let found = self.oddities.binary_search_by_key(&record, |oddity| oddity.record);
        found.map_or(1, |at| self.oddities[at].lines)
    }

    /// The bytes of a record of which people must be told something.
    pub fn bytes_of<'a>(&self, chunk: &'a [u8], oddity: &Oddity) -> &'a [u8] {
        match self.starts.get(oddity.record) {
            Some(start) => &chunk[*start as usize..oddity.end],
            None => &[],
        }
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

    /// The first of so many fields that were taken last; nothing if it has no bytes.
    #[inline]
    fn first_of_last<'a>(&'a self, chunk: &'a [u8], fields: usize) -> &'a [u8] {
        self.slice(chunk, self.spans[self.spans.len() - fields]).unwrap_or_default()
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

    /// Number of line ends in the chunk, or in a part of it.
    pub fn count_lines(&self, chunk: &[u8]) -> u64 {
        if self.has_bare_cr {
            return dialect::count_lines(chunk);
        }
        memchr::memchr_iter(b'\n', chunk).count() as u64
    }

    /// Number of line ends before a record in its chunk. To be asked in ascending order through one
    /// [`LineCounter`], which counts on from the last answer.
    pub fn line_of(&self, index: usize, counter: &mut LineCounter<'_>) -> u64 {
        match self.starts.get(index) {
            Some(start) => counter.lines_before(*start as usize, self),
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

    /// The bytes of a record as they are written, with its line end, or of a line without it.
    pub(crate) fn raw<'a>(&self, chunk: &'a [u8], record: usize) -> &'a [u8] {
        let Some(start) = self.starts.get(record) else {
            return self.spans.get(record).map_or(&[], |span| {
                let start = span.start as usize;
                &chunk[start..start + span.len as usize]
            });
        };
        let end = self.starts.get(record + 1).map_or(chunk.len(), |next| *next as usize);
        &chunk[*start as usize..end]
    }

    /// The line in which a record begins, from there on.
    pub(crate) fn first_line<'a>(&self, chunk: &'a [u8], record: usize) -> &'a [u8] {
        let Some(start) = self.starts.get(record) else { return self.raw(chunk, record) };
        let rest = &chunk[*start as usize..];
        &rest[..memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len())]
    }

    /// Says for what reason nothing of a record is read.
    #[cold]
    pub(crate) fn refuse_all_of(&mut self, record: usize, reason: Reason) {
        if self.starts.is_empty() {
            self.keep_starts();
        }
        let row = record * self.width;
        self.spans[row..row + self.width].fill(Span::refused(reason));
        if let Ok(at) = self.oddities.binary_search_by_key(&record, |of| of.record) {
            self.oddities[at].reason = Some(reason);
        }
    }

    /// Takes back the bytes of a record that has one field.
    #[cold]
    fn refuse(&mut self, index: usize, reason: Reason) {
        if self.starts.is_empty() {
            // The reason takes the place of the begin.
            self.keep_starts();
        }
        self.spans[index] = Span { start: reason as u32, len: REFUSED };
    }

    fn keep_starts(&mut self) {
        self.starts.extend(self.spans.iter().map(|span| span.start));
    }

    fn push_refused(&mut self, reason: Reason) {
        self.spans.push(Span::refused(reason));
    }
}

/// A record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    records: &'a Records,
    chunk: &'a [u8],
    /// Its number among them.
    pub(crate) index: usize,
}

impl<'a> Row<'a> {
    /// A field, or why the record has none that can be relied on.
    pub(crate) fn field(&self, field: usize) -> Result<&'a [u8], Reason> {
        let Self { records, chunk, index } = *self;
        records.slice(chunk, records.spans[index * records.width + field])
    }
}

/// Counts the line ends of a chunk as far as they are asked for, which is for rejects only.
#[derive(Debug)]
pub struct LineCounter<'a> {
    chunk: &'a [u8],
    counted_to: usize,
    lines: u64,
}

impl<'a> LineCounter<'a> {
    /// Nothing is counted yet.
    pub fn new(chunk: &'a [u8]) -> Self {
        Self { chunk, counted_to: 0, lines: 0 }
    }

    fn lines_before(&mut self, position: usize, records: &Records) -> u64 {
        if position > self.counted_to {
            self.lines += records.count_lines(&self.chunk[self.counted_to..position]);
            self.counted_to = position;
        }
        self.lines
    }
}

/// A place in a chunk. Chunks are far below 1 GiB, see `config`.
#[inline]
fn place(position: usize) -> u32 {
    u32::try_from(position).expect("a chunk is smaller than 1 GiB")
}
