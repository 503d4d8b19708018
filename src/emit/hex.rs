//! Digests in hex, one a line.
#![cfg_attr(
    target_arch = "x86_64",
    expect(
        unsafe_code,
        reason = "loads and stores of vectors, and a function for an instruction set"
    )
)]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m512i, _mm_loadu_si128, _mm256_loadu_si256, _mm512_and_si512, _mm512_broadcast_i32x4,
    _mm512_cvtepu8_epi16, _mm512_or_si512, _mm512_set1_epi16, _mm512_shuffle_epi8,
    _mm512_slli_epi16, _mm512_srli_epi16, _mm512_storeu_si512,
};

use crate::hash::{Digest, Kernel};

/// Bytes of a digest in hex with its line end.
pub(super) const LINE_BYTES: usize = 65;

/// Replaces what is in `text` by a line for each digest.
pub(super) fn lines(kernel: Kernel, digests: &[Digest], text: &mut Vec<u8>) {
    // What is in there is overwritten.
    text.resize(digests.len() * LINE_BYTES, 0);
    write(kernel, digests, text.as_chunks_mut().0);
}

fn write(kernel: Kernel, digests: &[Digest], lines: &mut [[u8; LINE_BYTES]]) {
    #[cfg(target_arch = "x86_64")]
    if kernel.has_avx512() {
        // SAFETY: the kernel says that the machine has what the function asks for.
        unsafe { lines_avx512(digests, lines) };
        return;
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = kernel;
    for (digest, line) in digests.iter().zip(lines) {
        let (digits, end) = line.split_at_mut(LINE_BYTES - 1);
        const_hex::encode_to_slice(digest, digits).expect("64 hex digits fit");
        end[0] = b'\n';
    }
}

/// Every byte becomes two half bytes side by side, and these choose from a table of digits.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw")]
fn lines_avx512(digests: &[Digest], lines: &mut [[u8; LINE_BYTES]]) {
    let low_half = _mm512_set1_epi16(0x000f);
    // SAFETY: 16 bytes; the load does not ask for alignment.
    let digits = unsafe { _mm_loadu_si128(b"0123456789abcdef".as_ptr().cast()) };
    let digits: __m512i = _mm512_broadcast_i32x4(digits);
    for (digest, line) in digests.iter().zip(lines) {
        // SAFETY: 32 bytes; the load does not ask for alignment.
        let bytes = unsafe { _mm256_loadu_si256(digest.as_ptr().cast()) };
        let words = _mm512_cvtepu8_epi16(bytes);
        let high = _mm512_srli_epi16::<4>(words);
        let low = _mm512_slli_epi16::<8>(_mm512_and_si512(words, low_half));
        let text = _mm512_shuffle_epi8(digits, _mm512_or_si512(high, low));
        // SAFETY: the first 64 of the line's 65 bytes; the store does not ask for alignment.
        unsafe { _mm512_storeu_si512(line.as_mut_ptr().cast(), text) };
        line[LINE_BYTES - 1] = b'\n';
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guarded::{Edge, Guarded};

    /// Digests that have every byte, and their lines.
    fn all() -> (Vec<Digest>, String) {
        let all: Vec<Digest> = (0..=7_u8)
            .map(|row| std::array::from_fn(|at| row * 32 + u8::try_from(at).expect("below 32")))
            .collect();
        let lines = all.iter().map(|digest| const_hex::encode(digest) + "\n").collect();
        (all, lines)
    }

    #[test]
    fn a_line_for_each_digest_and_nothing_else() {
        let (all, expected) = all();
        for kernel in Kernel::all() {
            let mut text = b"something else that was there before".repeat(30);
            lines(kernel, &all, &mut text);
            assert_eq!(text, expected.as_bytes(), "{}", kernel.name());
            lines(kernel, &[], &mut text);
            assert_eq!(text, b"");
        }
    }

    #[test]
    fn touches_nothing_but_digests_and_lines() {
        let (all, expected) = all();
        let (mut from, mut to) = (Guarded::new(), Guarded::new());
        for (kernel, edge) in Kernel::all().flat_map(|k| Edge::BOTH.map(|edge| (k, edge))) {
            for (count, gap) in (0..=all.len()).flat_map(|count| (0..64).map(move |g| (count, g))) {
                let digests = from.hold(edge, gap, &all[..count]);
                let lines = to.hold(edge, gap, &vec![[0; LINE_BYTES]; count]);
                write(kernel, digests, lines);
                assert_eq!(lines.as_flattened(), &expected.as_bytes()[..count * LINE_BYTES]);
            }
        }
    }
}
