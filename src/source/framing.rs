//! Record boundaries: the cutter that makes every chunk begin and end on a record boundary.
//!
//! Lines are simple: the last line end of a window. CSV is not, because a quoted field may hold line ends, and whether
//! a quote opens or closes a field depends on everything before it. So each window is scanned on its own, in parallel,
//! for both possibilities (it begins outside of quotes, it begins inside), and the scans are joined in order: the
//! number of quotes before a window says which of the two holds. That parity argument is only right while every quote
//! stands where RFC 4180 wants it. The scan checks that, and a window that it does not fully understand (`5" pipe`,
//! text after a closing quote, a bare CR) is cut by the exact reader of [`dialect`](crate::dialect) from the last record
//! boundary on. Behind it the parity is right again, since a record begins outside of quotes. A stray quote then costs
//! the speed of a window, never correctness.

use super::window::{WindowScan, may_follow_close, may_precede_open};
use crate::dialect::{Csv, Framing, Reading, Row, Step};
use crate::hash::Kernel;
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
    row: Row,
    /// True if the record behind the boundary goes on with a field of the one before it.
    goes_on: bool,
    /// True if the first pending record does.
    first_goes_on: bool,
}

#[derive(Clone, Copy, Debug)]
enum CsvState {
    /// All quotes behind the last boundary stand where they should.
    Strict(Strict),
    /// They do not, or it is not known; the exact reader found the last boundary.
    Exact,
}

/// State between two windows.
#[derive(Clone, Copy, Debug)]
struct Strict {
    inside: bool,
    /// The byte before the next window.
    before: u8,
}

impl Strict {
    /// Where a record begins.
    const BEGIN: Self = Self { inside: false, before: b'\n' };
}

impl Cutter {
    pub(super) fn new(framing: Framing) -> Self {
        let csv = CsvState::Strict(Strict::BEGIN);
        let row = Row::default();
        Self { framing, scanned: 0, boundary: 0, csv, row, goes_on: false, first_goes_on: false }
    }

    /// The notation, if windows should be scanned ahead in parallel.
    pub(super) fn scans_ahead(&self) -> Option<Csv> {
        match (self.framing, &self.csv) {
            (Framing::Csv(csv), CsvState::Strict(_)) if can_be_strict(&csv) => Some(csv),
            _ => None,
        }
    }

    /// True if records are lines.
    pub(super) fn is_lines(&self) -> bool {
        self.framing == Framing::Lines
    }

    /// Looks at the bytes that were appended to `pending` since the last call. `scan` is what [`WindowScan::of`] says
    /// of just these bytes, if that is known already.
    pub(super) fn feed(&mut self, pending: &[u8], scan: Option<WindowScan>) {
        match self.framing {
            Framing::Columns => {}
            Framing::Lines => {
                // Whether a CR was the last byte of a line end is known with the byte behind it.
                let from = self.scanned.saturating_sub(1);
                if let Some(end) = last_line_end(&pending[from..]) {
                    self.boundary = self.boundary.max(from + end);
                }
            }
            Framing::Csv(csv) => self.feed_csv(&csv, pending, scan),
        }
        self.scanned = pending.len();
    }

    fn feed_csv(&mut self, csv: &Csv, pending: &[u8], scan: Option<WindowScan>) {
        let (mut strict, from, scan) = match self.csv {
            CsvState::Strict(strict) => (strict, self.scanned, scan),
            CsvState::Exact => (Strict::BEGIN, self.boundary, None),
        };
        let window = &pending[from..];
        if can_be_strict(csv) && window.len() <= RECORD_BYTES_MAX && !self.goes_on {
            let scan = scan.unwrap_or_else(|| WindowScan::of(Kernel::default(), window, csv));
            if let Some(last_end) = strict.advance(scan, window, csv, from - self.boundary) {
                self.boundary = last_end.map_or(self.boundary, |end| from + end);
                self.csv = CsvState::Strict(strict);
                return;
            }
        }
        self.csv = CsvState::Exact;
        loop {
            match csv.read_row(pending, self.boundary, false, &mut self.row) {
                Step::Row => {
                    self.boundary = self.row.next;
                    self.goes_on = csv.is_torn_at_end(&self.row, self.goes_on);
                }
                // Empty lines are no records, wherever they are cut, but for a line end in two.
                Step::End => {
                    let half = usize::from(pending.last() == Some(&b'\r'));
                    self.boundary = self.boundary.max(pending.len() - half);
                    return;
                }
                Step::Partial => return,
            }
        }
    }

    /// The source has ended: what is pending is a record without a line end. A CR as its last byte is a line end that
    /// only the exact reader knows, and a quote that is open is none.
    pub(super) fn finish(&mut self) {
        if let CsvState::Strict(strict) = self.csv
            && (strict.inside || strict.before == b'\r')
        {
            self.csv = CsvState::Exact;
        }
    }

    /// End of the last complete record among the pending bytes; 0 if none is complete.
    pub(super) fn boundary(&self) -> usize {
        self.boundary
    }

    /// The first `len` pending bytes become a chunk, which must be read in this way. They end at the boundary.
    pub(super) fn take_chunk(&mut self, len: usize) -> Reading {
        let goes_on = std::mem::replace(&mut self.first_goes_on, self.goes_on);
        self.take(len);
        match self.csv {
            CsvState::Strict(_) => Reading::Fast,
            CsvState::Exact => Reading::Exact { goes_on },
        }
    }

    /// The first `len` pending bytes are gone.
    pub(super) fn take(&mut self, len: usize) {
        self.scanned -= len;
        self.boundary = self.boundary.saturating_sub(len);
    }

    /// True if the pending bytes are a record that is longer than the limit. They begin at a record boundary.
    pub(super) fn is_oversize(&self) -> bool {
        let most = match self.framing {
            // Two bytes more than the limit, because a CR may belong to the line end: the reader of the records draws
            // the exact line.
            Framing::Lines | Framing::Columns => RECORD_BYTES_MAX + 2,
            // A quote at the end of the longest record may have to be looked for as far behind it.
            Framing::Csv(csv) => 2 * RECORD_BYTES_MAX + 2 + csv.separator.bytes().len(),
        };
        self.boundary == 0 && self.scanned > most
    }
}

/// Behind the last end of a line: an LF, or a CR with something else behind it.
fn last_line_end(bytes: &[u8]) -> Option<usize> {
    let at = memchr::memrchr2(b'\n', b'\r', bytes)?;
    if bytes[at] == b'\n' || at + 1 < bytes.len() {
        return Some(at + 1);
    }
    // Whatever is before the CR at the very end is no LF's.
    memchr::memrchr2(b'\n', b'\r', &bytes[..at]).map(|at| at + 1)
}

/// Behind the first end of a line.
pub(super) fn first_line_end(bytes: &[u8]) -> Option<usize> {
    let at = memchr::memchr2(b'\n', b'\r', bytes)?;
    Some(at + if bytes[at..].starts_with(b"\r\n") { 2 } else { 1 })
}

/// True if windows can be scanned on their own as long as nothing stands where it should not.
fn can_be_strict(csv: &Csv) -> bool {
    csv.separator.byte().is_some()
}

impl Strict {
    /// Joins a window's scan to what came before, of which `pending` bytes are of a record that has no end yet. Returns
    /// the end of the window's last complete record, or `None` if a quote or CR does not stand where it should.
    #[expect(clippy::option_option, reason = "refused, or accepted with or without a line end")]
    fn advance(
        &mut self,
        scan: WindowScan,
        window: &[u8],
        csv: &Csv,
        pending: usize,
    ) -> Option<Option<usize>> {
        let (Some(&first), Some(&last)) = (window.first(), window.last()) else {
            return Some(None);
        };
        let delimiter = csv.separator.first();
        let are_read = csv.quotes.are_read();
        let before_is_close = are_read && self.before == b'"' && !self.inside;
        let before_is_cr = self.before == b'\r' && !self.inside;
        let is_joined = (!before_is_close || may_follow_close(first, delimiter))
            && (!before_is_cr || first == b'\n')
            && (!are_read
                || first != b'"'
                || self.inside
                || may_precede_open(self.before, delimiter));
        if !is_joined || !scan.is_strict[usize::from(self.inside)] {
            return None;
        }
        // How far a quote may be from the one that closes it is judged by the exact reader.
        let is_long = |end: usize| pending + end > RECORD_BYTES_MAX;
        if is_long(window.len()) && first_end(window, csv, self.inside).is_none_or(is_long) {
            return None;
        }
        let last_end = scan.last_end[usize::from(self.inside)];
        self.inside ^= scan.has_odd_quotes;
        self.before = last;
        Some(last_end)
    }
}

/// Behind the first line end outside of quotes, of a window that begins inside of them or not.
fn first_end(window: &[u8], csv: &Csv, mut inside: bool) -> Option<usize> {
    if !csv.quotes.are_read() {
        return memchr::memchr(b'\n', window).map(|at| at + 1);
    }
    for at in memchr::memchr2_iter(b'"', b'\n', window) {
        match window[at] {
            b'"' => inside = !inside,
            _ if !inside => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dialect::{Quotes, Separator};
    use crate::limits::WINDOW_BYTES_MAX;

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

    /// Whether the record at each begin of a chunk goes on with the one before it, by the cutter and by the rows of the whole.
    fn torn_begins(text: &[u8], window: usize, csv: Csv) -> [Vec<bool>; 2] {
        let mut cutter = Cutter::new(Framing::Csv(csv));
        let (mut start, mut begins, mut by_cutter) = (0, Vec::new(), Vec::new());
        let mut take = |cutter: &mut Cutter, len: usize| {
            let reading = cutter.take_chunk(len);
            begins.push(start);
            by_cutter.push(reading == Reading::Exact { goes_on: true });
            start += len;
            start
        };
        let mut from = 0;
        for end in (0..text.len()).step_by(window).chain([text.len()]) {
            cutter.feed(&text[from..end], None);
            if cutter.boundary() > 0 {
                let len = cutter.boundary();
                from = take(&mut cutter, len);
            }
        }
        cutter.finish();
        take(&mut cutter, text.len() - from);
        let (mut row, mut at, mut goes_on) = (Row::default(), 0, false);
        let mut torn = vec![false; begins.len()];
        while csv.read_row(text, at, true, &mut row) == Step::Row {
            // A chunk begins with the record, or with blank lines before it.
            for (begin, torn) in begins.iter().zip(&mut torn) {
                *torn |= goes_on && (at..=row.start).contains(begin);
            }
            goes_on = csv.is_torn_at_end(&row, goes_on);
            at = row.next;
        }
        for (begin, torn) in begins.iter().zip(&mut torn) {
            *torn |= goes_on && (at..=text.len()).contains(begin);
        }
        [by_cutter, torn]
    }

    fn csv_records(text: &[u8], csv: &Csv) -> Vec<Vec<Vec<u8>>> {
        let (mut row, mut at, mut records) = (Row::default(), 0, Vec::new());
        while csv.read_row(text, at, true, &mut row) == Step::Row {
            records.push(row.cells.iter().map(|cell| csv.cell(text, *cell)).collect());
            at = row.next;
        }
        records
    }

    fn notations() -> impl Strategy<Value = Csv> {
        let quotes = [Quotes::Doubled, Quotes::Backslash, Quotes::None, Quotes::Escaped];
        let separator =
            prop_oneof![2 => Just(&b","[..]), 1 => Just(&b",,"[..]), 1 => Just(&b", "[..])];
        (prop::sample::select(quotes.to_vec()), separator).prop_map(|(quotes, separator)| {
            let separator = Separator::new(separator).expect("a separator");
            Csv { quotes, ..Csv::new(separator) }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(6000))]

        /// Reading the chunks one by one gives the records of the whole, whatever the bytes, the notation and the window.
        #[test]
        fn chunks_hold_the_records_of_the_whole(
            text in proptest::collection::vec(prop_oneof![
                4 => Just(b'"'), 3 => Just(b','), 2 => Just(b'\n'), 1 => Just(b'\r'), 3 => Just(b'a'),
                1 => Just(b' '), 1 => Just(b'\\'),
            ], 0..60),
            window in 1_usize..20,
            csv in notations(),
        ) {
            let chunks = cut(&text, window, Framing::Csv(csv));
            prop_assert_eq!(chunks.concat(), text.clone());
            let parts: Vec<_> = chunks.iter().flat_map(|chunk| csv_records(chunk, &csv)).collect();
            prop_assert_eq!(parts, csv_records(&text, &csv));
        }

        /// A chunk knows that it begins with the rest of a field that a quote tore apart.
        #[test]
        fn chunks_know_what_they_go_on_with(
            rows in proptest::collection::vec("(\"a|a|a,\"a|a,a|a,a,a|\"a\",\"\n\"|)\r?\n", 0..9),
            window in 1_usize..20,
            width in 2_usize..4,
        ) {
            let csv = Csv { width: Some(width), ..Csv::new(b',') };
            let [by_cutter, by_rows] = torn_begins(rows.concat().as_bytes(), window, csv);
            prop_assert_eq!(by_cutter, by_rows);
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
            prop_assert!(matches!(cutter.csv, CsvState::Strict(_)));
            prop_assert_eq!(cutter.boundary(), text.len());
        }

        /// Chunks of lines end where lines do, whatever ends them.
        #[test]
        fn chunks_of_lines_are_whole_lines(text in "[a\n\r]{0,60}", window in 1_usize..20) {
            let chunks = cut(text.as_bytes(), window, Framing::Lines);
            prop_assert_eq!(chunks.concat(), text.as_bytes());
            let mut at = 0;
            for chunk in &chunks[..chunks.len() - 1] {
                at += chunk.len();
                if at == text.len() {
                    break;
                }
                let end = &text.as_bytes()[at - 1..=at];
                prop_assert!(end[0] == b'\n' || end[0] == b'\r' && end[1] != b'\n');
            }
        }
    }

    #[test]
    fn what_is_strict_again_behind_a_stray_quote_stays_so() {
        let mut cutter = Cutter::new(Framing::Csv(Csv::new(b',')));
        let text = b"a,\"b\nc,d\ne,f\ng,\"h\ni\"\n";
        cutter.feed(&text[..11], None);
        assert_eq!(cutter.boundary(), 0, "whether the quote closes is not known");
        cutter.feed(&text[..20], None);
        assert!(matches!(cutter.csv, CsvState::Exact));
        assert_eq!(cutter.boundary(), 13);
        cutter.take(13);
        cutter.feed(&text[13..], None);
        assert!(matches!(cutter.csv, CsvState::Strict(_)));
        assert_eq!(cutter.boundary(), text.len() - 13);
    }

    #[test]
    fn quote_that_is_open_for_too_long_is_text() {
        let mut text = b"a,\"b\n".to_vec();
        while text.len() < 3 * RECORD_BYTES_MAX {
            text.extend_from_slice(b"c,\"\"\n");
        }
        text.extend_from_slice(b"d,\"\n");
        let csv = Csv::new(b',');
        let records = csv_records(&text, &csv);
        for window in [WINDOW_BYTES_MAX, 100_000] {
            let chunks = cut(&text, window, Framing::Csv(csv));
            let parts: Vec<_> = chunks.iter().flat_map(|chunk| csv_records(chunk, &csv)).collect();
            assert!(parts == records && records.len() > RECORD_BYTES_MAX / 2);
        }
    }
}
