//! What a window of CSV says by itself, whatever is before it.
//!
//! ```text
//! Ann,"Roe, A",4   a window that begins outside of quotes, or so it seems: the first quote opens, the second one closes
//! ,Ann","Roe, A    one that begins inside: the first one closes, the second one opens
//! ```
//!
//! Quotes are so frequent that finding the next one costs more than looking for it: bits of comparisons, 64 bytes at
//! once, give the parity of the quotes before each byte, and whether what is beside a quote may be there.
#![cfg_attr(
    target_arch = "x86_64",
    expect(unsafe_code, reason = "loads of vectors, and a function for an instruction set")
)]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m512i, _mm512_cmpeq_epi8_mask, _mm512_loadu_si512, _mm512_maskz_loadu_epi8, _mm512_set1_epi8,
};

use crate::dialect::Csv;
use crate::hash::Kernel;

/// Facts about a window that do not depend on what is before it. Pairs are for a window that begins outside of
/// quotes and for one that begins inside.
#[derive(Clone, Copy, Debug)]
pub(super) struct WindowScan {
    /// True if the number of its quotes is odd.
    pub(super) has_odd_quotes: bool,
    /// True if every quote and CR stands where it should.
    pub(super) is_strict: [bool; 2],
    /// Behind the last line end outside of quotes.
    pub(super) last_end: [Option<usize>; 2],
}

impl WindowScan {
    /// Scans a window. Quotes and CRs at its very ends are judged when it is joined to its neighbours.
    pub(super) fn of(kernel: Kernel, window: &[u8], csv: &Csv) -> Self {
        let delimiter = csv.separator.first();
        let has_backslash = csv.quotes.has_backslash() && memchr::memchr(b'\\', window).is_some();
        let is_strict = [!has_backslash; 2];
        #[cfg(target_arch = "x86_64")]
        if kernel.has_avx512() && csv.quotes.are_read() && !has_backslash {
            // SAFETY: the kernel says that the machine has what the function asks for.
            return unsafe { scan_avx512(window, delimiter) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = kernel;
        Self::portable(window, csv, is_strict)
    }

    fn portable(window: &[u8], csv: &Csv, mut is_strict: [bool; 2]) -> Self {
        let delimiter = csv.separator.first();
        let mut quotes = 0_usize;
        // Where quotes mean nothing they are not looked for.
        let quote = if csv.quotes.are_read() { b'"' } else { b'\r' };
        for at in memchr::memchr2_iter(quote, b'\r', window) {
            if is_strict == [false; 2] {
                return Self { has_odd_quotes: false, is_strict, last_end: [None; 2] };
            }
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
        let last_end = if csv.quotes.are_read() {
            last_ends(window, quotes)
        } else {
            [memchr::memrchr(b'\n', window).map(|at| at + 1), None]
        };
        Self { has_odd_quotes: quotes % 2 == 1, is_strict, last_end }
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

/// The window as it was scanned so far. A bit stands for a byte.
#[cfg(target_arch = "x86_64")]
struct Bits {
    quote: __m512i,
    delimiter: __m512i,
    lf: __m512i,
    cr: __m512i,
    /// All ones if the number of quotes is odd.
    odd: u64,
    /// 1 if the last byte may stand before a quote that opens.
    precedes: u64,
    /// Quotes and CRs that do not stand where they should, if the window begins outside of quotes, and inside.
    astray: [u64; 2],
    last_end: [Option<usize>; 2],
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,bmi1,bmi2,lzcnt,popcnt")]
fn scan_avx512(window: &[u8], delimiter: u8) -> WindowScan {
    let mut bits = Bits {
        quote: splat(b'"'),
        delimiter: splat(delimiter),
        lf: splat(b'\n'),
        cr: splat(b'\r'),
        odd: 0,
        // What is before the window is judged when it is joined.
        precedes: 1,
        astray: [0; 2],
        last_end: [None; 2],
    };
    let (pieces, rest) = window.as_chunks::<64>();
    for (index, piece) in pieces.iter().enumerate() {
        // SAFETY: 64 bytes; the load does not ask for alignment.
        let bytes = unsafe { _mm512_loadu_si512(piece.as_ptr().cast()) };
        let start = index * 64;
        bits.add(bytes, start, 64, window.get(start + 64).copied(), delimiter);
        if !bits.astray.contains(&0) {
            break;
        }
    }
    if !rest.is_empty() {
        let all = (1_u64 << rest.len()) - 1;
        // SAFETY: only the bytes of the rest are read; a masked load does not touch what lies beyond.
        let bytes = unsafe { _mm512_maskz_loadu_epi8(all, rest.as_ptr().cast()) };
        bits.add(bytes, pieces.len() * 64, rest.len(), None, delimiter);
    }
    WindowScan {
        has_odd_quotes: bits.odd != 0,
        is_strict: [bits.astray[0] == 0, bits.astray[1] == 0],
        last_end: bits.last_end,
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn splat(byte: u8) -> __m512i {
    _mm512_set1_epi8(byte.cast_signed())
}

#[cfg(target_arch = "x86_64")]
impl Bits {
    /// Adds `len` bytes that begin at `start` of the window, before `next`; those behind them are 0.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,bmi1,bmi2,lzcnt,popcnt")]
    fn add(&mut self, bytes: __m512i, start: usize, len: usize, next: Option<u8>, delimiter: u8) {
        let all = u64::MAX >> (64 - len);
        let quotes = _mm512_cmpeq_epi8_mask(bytes, self.quote);
        let lines = _mm512_cmpeq_epi8_mask(bytes, self.lf);
        let crs = _mm512_cmpeq_epi8_mask(bytes, self.cr);
        let others = (_mm512_cmpeq_epi8_mask(bytes, self.delimiter) | lines) & all;
        let mut before = self.odd;
        if quotes != 0 {
            // Each bit becomes the parity of itself and all below.
            let mut parity = quotes;
            for shift in [1, 2, 4, 8, 16, 32] {
                parity ^= parity << shift;
            }
            before ^= parity ^ quotes;
            self.odd ^= (parity >> 63).wrapping_neg();
        }
        if quotes | crs != 0 {
            let last = len - 1;
            let (may_follow, is_line_end) = match next {
                Some(next) => (may_follow_close(next, delimiter), next == b'\n'),
                None => (true, true),
            };
            let opens = (others | quotes) << 1 | self.precedes;
            let closes = (others | quotes | crs) >> 1 | u64::from(may_follow) << last;
            let lone = crs & !(lines >> 1 | u64::from(is_line_end) << last);
            // A quote opens if the number of those before it is even, and the window begins outside of quotes, ...
            self.astray[0] |= quotes & (!before & !opens | before & !closes) | lone & !before;
            self.astray[1] |= quotes & (before & !opens | !before & !closes) | lone & before;
        }
        self.precedes = (others | quotes) >> (len - 1) & 1;
        for (last_end, ends) in self.last_end.iter_mut().zip([lines & !before, lines & before]) {
            if ends != 0 {
                *last_end = Some(start + 64 - ends.leading_zeros() as usize);
            }
        }
    }
}

pub(super) fn may_precede_open(byte: u8, delimiter: u8) -> bool {
    byte == delimiter || matches!(byte, b'\n' | b'"')
}

pub(super) fn may_follow_close(byte: u8, delimiter: u8) -> bool {
    byte == delimiter || matches!(byte, b'\n' | b'\r' | b'"')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dialect::Quotes;
    use crate::guarded::{Edge, Guarded};

    fn check(window: &[u8]) {
        let csv = Csv { quotes: Quotes::Doubled, ..Csv::new(b',') };
        let expected = WindowScan::portable(window, &csv, [true; 2]);
        for kernel in Kernel::all() {
            let scan = WindowScan::of(kernel, window, &csv);
            assert_eq!(scan.is_strict, expected.is_strict, "{window:?}");
            // The rest of what is refused under both hypotheses means nothing.
            if scan.is_strict != [false; 2] {
                assert_eq!(scan.has_odd_quotes, expected.has_odd_quotes, "{window:?}");
                for (begin, is_strict) in scan.is_strict.iter().enumerate() {
                    let ends = [&scan, &expected].map(|of| of.last_end[begin]);
                    assert!(!is_strict || ends[0] == ends[1], "{window:?}");
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]

        #[test]
        fn every_kernel_says_the_same_of_anything(
            window in proptest::collection::vec(prop_oneof![
                2 => Just(b'"'), 3 => Just(b','), 2 => Just(b'\n'), 1 => Just(b'\r'), 9 => Just(b'a'),
            ], 0..200),
        ) {
            check(&window);
        }

        /// Of well-formed CSV, wherever it is cut.
        #[test]
        fn every_kernel_says_the_same_of_csv(
            rows in proptest::collection::vec(proptest::collection::vec("[ab\",\n\r]{0,9}", 1..5), 0..30),
            from in 0_usize..300,
        ) {
            let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
            for row in &rows {
                writer.write_record(row).expect("writes to memory");
            }
            let text = writer.into_inner().expect("flushes");
            check(&text[from.min(text.len())..]);
            check(&text[..from.min(text.len())]);
        }
    }

    #[test]
    fn no_kernel_reads_beyond_the_window() {
        let text = b"1,\"mary@example.com\",,x\r\n".repeat(9);
        let csv = Csv::new(b',');
        let mut room = Guarded::new();
        for (kernel, edge) in Kernel::all().flat_map(|k| Edge::BOTH.map(|edge| (k, edge))) {
            for len in 0..=text.len() {
                let window = &*room.hold(edge, 0, &text[..len]);
                let scan = WindowScan::of(kernel, window, &csv);
                assert!(scan.last_end[0].is_none_or(|end| end <= len));
            }
        }
    }
}
