//! Record boundaries: the cutter that makes every chunk begin and end on a record boundary.
//!
//! Lines are simple: the last line end of a window. CSV is not, because a quoted field may hold line ends, and whether
//! a quote opens or closes a field depends on everything before it. So each window is scanned on its own, in parallel,
//! for both possibilities (it begins outside of quotes, it begins inside), and the scans are joined in order: the
//! number of quotes before a window says which of the two holds. That parity argument is only right while every quote
//! stands where RFC 4180 wants it. The scan checks that, and at the first window that it does not fully understand
//! (`5" pipe`, text after a closing quote, a bare CR) the cutter changes to the exact state machine of the `csv` crate
//! from the last record boundary on, one byte at a time. A stray quote then costs speed, never correctness.

use crate::dialect::Framing;
use crate::limits::RECORD_BYTES_MAX;

/// Finds record boundaries in bytes that come window by window.
#[derive(Debug)]
pub(super) struct Cutter {
    framing: Framing,
    /// Number of the pending bytes that were looked at.
    scanned: usize,
    /// End of the last complete record among the pending bytes.
    boundary: usize,
    csv: CsvState,
}

#[derive(Debug)]
enum CsvState {
    /// All quotes so far stand where they should.
    Strict(Strict),
    /// The state of the exact machine after the scanned bytes.
    Exact(Dfa),
}

/// State between two windows.
#[derive(Debug)]
struct Strict {
    inside: bool,
    /// The byte before the next window.
    before: u8,
}

impl Cutter {
    pub(super) fn new(framing: Framing) -> Self {
        let csv = CsvState::Strict(Strict { inside: false, before: b'\n' });
        Self { framing, scanned: 0, boundary: 0, csv }
    }

    /// The delimiter, if windows should be scanned ahead in parallel.
    pub(super) fn scans_ahead(&self) -> Option<u8> {
        match (self.framing, &self.csv) {
            (Framing::Csv(csv), CsvState::Strict(_)) => Some(csv.separator.first()),
            _ => None,
        }
    }

    /// The byte that ends a line, if records are lines.
    pub(super) fn line_end(&self) -> Option<u8> {
        match self.framing {
            Framing::Lines { end } => Some(end),
            Framing::Csv(_) | Framing::Columns => None,
        }
    }

    /// True if CSV is cut by the exact machine, so that it must be read by it too.
    pub(super) fn is_exact(&self) -> bool {
        matches!(self.csv, CsvState::Exact(_))
    }

    /// Looks at the bytes that were appended to `pending` since the last call. `scan` is what [`WindowScan::of`] says
    /// of just these bytes, if that is known already.
    pub(super) fn feed(&mut self, pending: &[u8], scan: Option<WindowScan>) {
        let window = &pending[self.scanned..];
        match self.framing {
            Framing::Columns => {}
            Framing::Lines { end } => {
                if let Some(at) = memchr::memrchr(end, window) {
                    self.boundary = self.scanned + at + 1;
                }
            }
            Framing::Csv(csv) => {
                let delimiter = csv.separator.first();
                let is_strict = match &mut self.csv {
                    CsvState::Strict(strict) => {
                        let scan = scan.unwrap_or_else(|| WindowScan::of(window, delimiter));
                        match strict.advance(scan, window, delimiter) {
                            Some(last_end) => {
                                if let Some(end) = last_end {
                                    self.boundary = self.scanned + end;
                                }
                                true
                            }
                            None => false,
                        }
                    }
                    CsvState::Exact(dfa) => {
                        if let Some(end) = dfa.advance(window, delimiter) {
                            self.boundary = self.scanned + end;
                        }
                        true
                    }
                };
                if !is_strict {
                    let mut dfa = Dfa::RecordStart;
                    self.boundary = dfa.advance(pending, delimiter).unwrap_or(0);
                    self.csv = CsvState::Exact(dfa);
                }
            }
        }
        self.scanned = pending.len();
    }

    /// The source has ended: a CR as its last byte is a line end that only the exact machine knows.
    pub(super) fn finish(&mut self, pending: &[u8]) {
        if let (Framing::Csv(csv), CsvState::Strict(strict)) = (self.framing, &self.csv)
            && strict.before == b'\r'
        {
            let delimiter = csv.separator.first();
            let mut dfa = Dfa::RecordStart;
            self.boundary = dfa.advance(pending, delimiter).unwrap_or(0);
            self.csv = CsvState::Exact(dfa);
        }
    }

    /// End of the last complete record among the pending bytes; 0 if none is complete.
    pub(super) fn boundary(&self) -> usize {
        self.boundary
    }

    /// The first `len` pending bytes are gone.
    pub(super) fn take(&mut self, len: usize) {
        self.scanned -= len;
        self.boundary = self.boundary.saturating_sub(len);
    }

    /// True if the pending bytes are a record that is longer than the limit. They begin at a record boundary.
    pub(super) fn is_oversize(&self) -> bool {
        // Two bytes more than the limit, because a CR may belong to the line end: the reader of the records draws the
        // exact line.
        self.boundary == 0 && self.scanned > RECORD_BYTES_MAX + 2
    }

    /// Place of the quote that the pending bytes leave open, if they do.
    pub(super) fn open_quote(&self, pending: &[u8]) -> Option<usize> {
        let Framing::Csv(csv) = self.framing else { return None };
        let delimiter = csv.separator.first();
        let mut dfa = Dfa::RecordStart;
        let mut opened = 0;
        for (at, &byte) in pending.iter().enumerate() {
            let next = dfa.step(byte, delimiter);
            if next == Dfa::InQuotes && matches!(dfa, Dfa::RecordStart | Dfa::FieldStart) {
                opened = at;
            }
            dfa = next;
        }
        (dfa == Dfa::InQuotes).then_some(opened)
    }
}

impl Strict {
    /// Joins a window's scan to what came before. Returns the end of the window's last complete record, or `None` if
    /// a quote or CR does not stand where it should.
    #[expect(clippy::option_option, reason = "refused, or accepted with or without a line end")]
    fn advance(&mut self, scan: WindowScan, window: &[u8], delimiter: u8) -> Option<Option<usize>> {
        let (Some(&first), Some(&last)) = (window.first(), window.last()) else {
            return Some(None);
        };
        let before_is_close = self.before == b'"' && !self.inside;
        let before_is_cr = self.before == b'\r' && !self.inside;
        let is_joined = (!before_is_close || may_follow_close(first, delimiter))
            && (!before_is_cr || first == b'\n')
            && (first != b'"' || self.inside || may_precede_open(self.before, delimiter));
        if !is_joined || !scan.is_strict[usize::from(self.inside)] {
            return None;
        }
        let last_end = scan.last_end[usize::from(self.inside)];
        self.inside ^= scan.has_odd_quotes;
        self.before = last;
        Some(last_end)
    }
}

fn may_precede_open(byte: u8, delimiter: u8) -> bool {
    byte == delimiter || matches!(byte, b'\n' | b'"')
}

fn may_follow_close(byte: u8, delimiter: u8) -> bool {
    byte == delimiter || matches!(byte, b'\n' | b'\r' | b'"')
}

/// Facts about a window that do not depend on what is before it. Pairs are for a window that begins outside of
/// quotes and for one that begins inside.
#[derive(Clone, Copy, Debug)]
pub(super) struct WindowScan {
    has_odd_quotes: bool,
    is_strict: [bool; 2],
    last_end: [Option<usize>; 2],
}

impl WindowScan {
    /// Scans a window. Quotes and CRs at its very ends are judged when it is joined to its neighbours.
    pub(super) fn of(window: &[u8], delimiter: u8) -> Self {
        let mut is_strict = [true; 2];
        let mut quotes = 0_usize;
        for at in memchr::memchr2_iter(b'"', b'\r', window) {
            let next = window.get(at + 1);
            let outside = quotes % 2;
            if window[at] == b'\r' {
                is_strict[outside] &= next.is_none_or(|next| *next == b'\n');
                continue;
            }
            // Begun outside, quotes open and close in turn, the first one opens; begun inside, the first one closes.
            let opens = at == 0 || may_precede_open(window[at - 1], delimiter);
            let closes = next.is_none_or(|next| may_follow_close(*next, delimiter));
            is_strict[outside] &= opens;
            is_strict[1 - outside] &= closes;
            quotes += 1;
        }
        Self { has_odd_quotes: quotes % 2 == 1, is_strict, last_end: last_ends(window, quotes) }
    }
}

/// Ends of the last lines outside of quotes, under both hypotheses.
fn last_ends(window: &[u8], quotes: usize) -> [Option<usize>; 2] {
    let mut last_end = [None; 2];
    let mut quotes_before = quotes;
    let mut end = window.len();
    loop {
        let quote = memchr::memrchr(b'"', &window[..end]);
        let start = quote.map_or(0, |at| at + 1);
        let outside = quotes_before % 2;
        if last_end[outside].is_none() {
            last_end[outside] =
                memchr::memrchr(b'\n', &window[start..end]).map(|at| start + at + 1);
        }
        match quote {
            Some(at) if last_end.contains(&None) => end = at,
            _ => return last_end,
        }
        quotes_before -= 1;
    }
}

/// The record states of the `csv` crate with its defaults: double quotes, doubled to escape, any of CR, LF and CRLF as
/// line end, quotes literal in unquoted fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dfa {
    RecordStart,
    FieldStart,
    InField,
    InQuotes,
    QuoteInQuotes,
}

impl Dfa {
    fn step(self, byte: u8, delimiter: u8) -> Self {
        match (self, byte) {
            (Self::InQuotes, b'"') => Self::QuoteInQuotes,
            (Self::InQuotes, _)
            | (Self::RecordStart | Self::FieldStart | Self::QuoteInQuotes, b'"') => Self::InQuotes,
            (_, b'\r' | b'\n') => Self::RecordStart,
            (_, byte) if byte == delimiter => Self::FieldStart,
            _ => Self::InField,
        }
    }

    /// Runs over bytes; the end of the last complete record among them.
    fn advance(&mut self, bytes: &[u8], delimiter: u8) -> Option<usize> {
        let mut last_end = None;
        for (at, &byte) in bytes.iter().enumerate() {
            *self = self.step(byte, delimiter);
            if *self == Self::RecordStart {
                last_end = Some(at + 1);
            }
        }
        last_end
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dialect::Csv;

    /// Cuts `text` as it comes in windows of `window` bytes; the chunks.
    fn cut(text: &[u8], window: usize, framing: Framing) -> Vec<Vec<u8>> {
        let mut cutter = Cutter::new(framing);
        let mut chunks = Vec::new();
        let mut start = 0;
        let mut end = 0;
        while end < text.len() {
            end = (end + window).min(text.len());
            cutter.feed(&text[start..end], None);
            let boundary = cutter.boundary();
            if boundary > 0 {
                chunks.push(text[start..start + boundary].to_vec());
                cutter.take(boundary);
                start += boundary;
            }
        }
        chunks.push(text[start..].to_vec());
        chunks
    }

    fn csv_records(text: &[u8], delimiter: u8) -> Vec<csv::ByteRecord> {
        csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .from_reader(text)
            .into_byte_records()
            .map(|record| record.expect("reads from memory"))
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]

        /// Reading the chunks one by one gives the records of the whole, whatever the bytes and the window.
        #[test]
        fn chunks_hold_the_records_of_the_whole(
            text in proptest::collection::vec(prop_oneof![
                4 => Just(b'"'), 3 => Just(b','), 2 => Just(b'\n'), 1 => Just(b'\r'), 3 => Just(b'a'), 1 => Just(b' '),
            ], 0..60),
            window in 1_usize..20,
        ) {
            let chunks = cut(&text, window, Framing::Csv(Csv::new(b',')));
            prop_assert_eq!(chunks.concat(), text.clone());
            let parts: Vec<_> = chunks.iter().flat_map(|chunk| csv_records(chunk, b',')).collect();
            prop_assert_eq!(parts, csv_records(&text, b','));
        }

        /// The same for well-formed CSV, which must stay on the fast path.
        #[test]
        fn well_formed_csv_is_never_refused(
            rows in proptest::collection::vec(proptest::collection::vec("[a\",\n\r]{0,6}", 1..4), 0..12),
            window in 1_usize..20,
        ) {
            let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
            for row in &rows {
                writer.write_record(row).expect("writes to memory");
            }
            let text = writer.into_inner().expect("flushes");
            let mut cutter = Cutter::new(Framing::Csv(Csv::new(b',')));
            for end in (0..text.len()).step_by(window).chain([text.len()]) {
                cutter.feed(&text[..end], None);
            }
            prop_assert!(!cutter.is_exact());
            prop_assert_eq!(cutter.boundary(), text.len());
        }
    }

    #[test]
    fn finds_the_quote_that_never_closes() {
        let cutter = Cutter::new(Framing::Csv(Csv::new(b',')));
        assert_eq!(cutter.open_quote(b"a,\"b\"\"\n\"\"c"), Some(2));
        assert_eq!(cutter.open_quote(b"a,\"b\"\"\n\"c"), None);
        assert_eq!(cutter.open_quote(b"a,b\"c"), None);
    }
}
