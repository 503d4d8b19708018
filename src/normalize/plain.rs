//! The plain address, which is nearly every value of an export: found and laid out as a block to be hashed at once.
//!
//! A value that fits one vector is loaded into it; comparisons say which bytes are what, one bit a byte; a dozen
//! operations on these bits decide whether it is an address that is trimmed already. Whatever is not, or is longer,
//! goes to the rule itself. With what goes there, 7 ns a value on Zen 5 (`benches/stages.rs`, group `normalize`); the
//! rule alone, one byte after the other, takes 32.
#![cfg(target_arch = "x86_64")]
#![expect(unsafe_code, reason = "loads and stores of vectors")]

use std::arch::x86_64::{
    __m512i, _mm_loadu_si128, _mm512_and_si512, _mm512_broadcast_i32x4, _mm512_cmpeq_epi8_mask,
    _mm512_cmplt_epu8_mask, _mm512_mask_mov_epi8, _mm512_mask_set1_epi16, _mm512_maskz_loadu_epi8,
    _mm512_or_si512, _mm512_set1_epi8, _mm512_shuffle_epi8, _mm512_srli_epi16, _mm512_store_si512,
    _mm512_sub_epi8, _mm512_test_epi8_mask,
};

use super::{Canonical, Note, Value, Verdict};
use crate::hash::{Block, Kernel, ONE_BLOCK_BYTES_MAX};

/// Adds the plain addresses of a batch to `canonical`, and tells `on_verdict` of them; the other values, and
/// those of which `is_other` says so, go to `push_other`, which is told their country too.
///
/// # Panics
///
/// If the kernel has no AVX-512.
#[inline]
pub(super) fn run<'a>(
    kernel: Kernel,
    values: impl Iterator<Item = Value<'a>>,
    canonical: &mut Canonical,
    on_verdict: impl FnMut(usize, &'a [u8], Verdict),
    is_other: impl Fn(&[u8]) -> bool,
    push_other: impl FnMut(&'a [u8], Option<&'a [u8]>, &mut Canonical) -> Verdict,
) {
    assert!(kernel.has_avx512(), "the caller asked the kernel");
    // SAFETY: the machine has what the function asks for, see above.
    unsafe { run_avx512(values, canonical, on_verdict, is_other, push_other) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
fn run_avx512<'a>(
    values: impl Iterator<Item = Value<'a>>,
    canonical: &mut Canonical,
    mut on_verdict: impl FnMut(usize, &'a [u8], Verdict),
    is_other: impl Fn(&[u8]) -> bool,
    mut push_other: impl FnMut(&'a [u8], Option<&'a [u8]>, &mut Canonical) -> Verdict,
) {
    for (index, value) in values.enumerate() {
        let bytes = match value.bytes {
            Ok(bytes) => bytes,
            Err(reason) => {
                on_verdict(index, b"", Verdict::Rejected(reason));
                continue;
            }
        };
        let verdict = match lay_out(bytes) {
            Some(block) if !is_other(bytes) => {
                canonical.messages.push_block(block);
                Verdict::Raw(Note::PLAIN)
            }
            _ => push_other(bytes, value.country, canonical),
        };
        on_verdict(index, bytes, verdict);
    }
}

/// The block of a plain address in lower case.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
fn lay_out(value: &[u8]) -> Option<Block> {
    let len = value.len();
    if len == 0 || len > ONE_BLOCK_BYTES_MAX {
        return None;
    }
    let all = u64::MAX >> (64 - len);
    // SAFETY: only the bytes of the value are read; a masked load does not touch what lies beyond.
    let bytes = unsafe { _mm512_maskz_loadu_epi8(all, value.as_ptr().cast()) };
    let low = _mm512_or_si512(bytes, splat(0x20));
    let letter = _mm512_cmplt_epu8_mask(_mm512_sub_epi8(low, splat(b'a')), splat(26));
    let classes = Classes {
        at: _mm512_cmpeq_epi8_mask(bytes, splat(b'@')),
        dot: _mm512_cmpeq_epi8_mask(bytes, splat(b'.')),
        hyphen: _mm512_cmpeq_epi8_mask(bytes, splat(b'-')),
        digit: _mm512_cmplt_epu8_mask(_mm512_sub_epi8(bytes, splat(b'0')), splat(10)),
        letter,
        symbol: symbols(bytes),
    };
    if !classes.is_address(len) {
        return None;
    }
    let lower = _mm512_mask_mov_epi8(bytes, letter, low);
    let padded = _mm512_mask_mov_epi8(lower, 1 << len, splat(0x80));
    let bits = u16::try_from(len * 8).expect("at most 440").swap_bytes();
    let row = _mm512_mask_set1_epi16(padded, 1 << 31, bits.cast_signed());
    let mut block = Block([0; 64]);
    // SAFETY: a block has 64 bytes and is aligned to as many.
    unsafe { _mm512_store_si512(block.0.as_mut_ptr().cast(), row) };
    Some(block)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn splat(byte: u8) -> __m512i {
    _mm512_set1_epi8(byte.cast_signed())
}

/// Which bytes are symbols of an atom but the hyphen. A row of the ASCII table (the upper four bits) has a bit in one
/// table, and a column (the lower four) has the bits of the rows that have such a symbol there in the other.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn symbols(bytes: __m512i) -> u64 {
    let rows = _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), splat(0x0f));
    let by_row = _mm512_shuffle_epi8(table(&SYMBOL_ROWS), rows);
    // A byte beyond ASCII has its uppermost bit set, and that gives 0 here.
    let by_column = _mm512_shuffle_epi8(table(&SYMBOL_COLUMNS), bytes);
    _mm512_test_epi8_mask(by_row, by_column)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn table(entries: &[u8; 16]) -> __m512i {
    // SAFETY: 16 bytes; the load does not ask for alignment.
    _mm512_broadcast_i32x4(unsafe { _mm_loadu_si128(entries.as_ptr().cast()) })
}

const SYMBOLS: &[u8] = b"!#$%&'*+/=?^_`{|}~";

/// A bit for each row of the ASCII table.
const SYMBOL_ROWS: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 0, 0, 0, 0, 0, 0, 0, 0];

/// The bits of the rows in which a column holds a symbol.
const SYMBOL_COLUMNS: [u8; 16] = {
    let mut columns = [0; 16];
    let mut index = 0;
    while index < SYMBOLS.len() {
        let symbol = SYMBOLS[index] as usize;
        columns[symbol & 15] |= 1 << (symbol >> 4);
        index += 1;
    }
    columns
};

/// Which of up to 64 bytes are what, the first byte in the lowest bit.
#[derive(Clone, Copy, Debug, Default)]
struct Classes {
    at: u64,
    dot: u64,
    hyphen: u64,
    digit: u64,
    letter: u64,
    /// Whatever else an atom may hold (RFC 5322 3.2.3).
    symbol: u64,
}

impl Classes {
    /// Whether a value of `len` bytes, 1 to 55, is an address: exactly what `email::is_address` says of it, but for
    /// trailing dots and a symbol in front, which are refused here.
    #[inline]
    fn is_address(self, len: usize) -> bool {
        let Self { at, dot, hyphen, digit, letter, symbol } = self;
        let all = u64::MAX >> (64 - len);
        let last = 1 << (len - 1);
        // Bits below and above the only `@`.
        let local = at.wrapping_sub(1) & !at;
        let domain = all & !(local | at);
        let separator = dot | at;
        let label = letter | digit | hyphen;
        let known = at | dot | label | (symbol & local);
        let has_one_at = at & at.wrapping_sub(1) == 0 && at != 0;
        // No separator first, last or beside another: labels and the pieces of the local part have at least a byte.
        let has_pieces = separator & (1 | last | separator << 1) == 0;
        // A leading apostrophe may be a spreadsheet's guard; other symbols are as rare there.
        let is_unguarded = symbol & 1 == 0;
        // No hyphen first or last in a label.
        let is_inner = domain & hyphen & (last | separator << 1 | separator >> 1) == 0;
        // At least two labels, and behind the last dot something that is no digit.
        let domain_dot = domain & dot;
        let has_top_level = domain_dot != 0 && domain & (letter | hyphen) > domain_dot;
        known == all && has_one_at && has_pieces && is_unguarded && is_inner && has_top_level
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::guarded::{Edge, Guarded};
    use crate::normalize::email;

    fn by_vector(value: &[u8]) -> Option<Vec<u8>> {
        // SAFETY: only called where `Kernel::has_avx512` says so.
        let block = unsafe { lay_out(value) }?;
        let expected = Block::of(&value.to_ascii_lowercase());
        assert_eq!(block.0, expected.0, "{value:?}");
        Some(value.to_ascii_lowercase())
    }

    fn by_rule(value: &[u8]) -> Option<Vec<u8>> {
        let has_symbol = value.first().is_some_and(|first| SYMBOLS.contains(first));
        let is_plain =
            value.len() <= ONE_BLOCK_BYTES_MAX && value.last() != Some(&b'.') && !has_symbol;
        (is_plain && email::is_address(value)).then(|| value.to_ascii_lowercase())
    }

    fn agree(value: &[u8]) {
        if Kernel::all().any(Kernel::has_avx512) {
            assert_eq!(by_vector(value), by_rule(value), "{value:?}");
        }
    }

    #[test]
    fn agrees_with_the_rule_on_every_byte_at_every_place() {
        let mut address = b"ab.c-d+e@f1-2.example3.co-m".to_vec();
        for at in 0..address.len() {
            for byte in 0..=255 {
                let before = std::mem::replace(&mut address[at], byte);
                agree(&address);
                address[at] = before;
            }
        }
        for len in 0..70 {
            let mut address = vec![b'a'; len];
            address.extend_from_slice(b"@b.c");
            agree(&address);
            agree(&[b"a@".as_slice(), &address[..len], b".d"].concat());
        }
        agree(b"");
    }

    #[test]
    fn reads_nothing_beyond_the_value() {
        let mut room = Guarded::new();
        let whole = b"Mary.of-the+longest_local.part@not-that.Example.com.au";
        for from in 0..whole.len() {
            for edge in Edge::BOTH {
                agree(room.hold(edge, 0, &whole[from..]));
                agree(room.hold(edge, 0, &whole[..from]));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn agrees_with_the_rule(value in "[a-c@A.-9+_ \"\u{e9}]{0,12}(@[a1.-]{1,8}(\\.[a1-]{1,4})?)?") {
            agree(value.as_bytes());
        }

        #[test]
        fn agrees_with_the_rule_on_longer_values(value in "[a-z.]{1,20}@[a-z0-9-]{1,20}\\.[a-z0-9]{1,25}") {
            agree(value.as_bytes());
        }
    }
}
