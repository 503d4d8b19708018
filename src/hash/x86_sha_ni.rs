//! Kernel: SHA extensions, two long messages interleaved.
//!
//! The instruction that does two rounds takes four cycles, and the next one waits for its result; a second message
//! fills the gaps: 22 ns a block of each instead of 31 (`benches/kernels.rs`, `hash_two_parts`). For messages of one
//! block it was tried and did not pay, 27 ns instead of the 25 of `sha2`, which overlaps them by itself.
#![expect(unsafe_code, reason = "loads and stores of vectors")]
#![expect(clippy::many_single_char_names, reason = "the names of FIPS 180-4")]

use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_loadu_si128, _mm_set_epi32, _mm_set_epi64x,
    _mm_setr_epi32, _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32,
    _mm_shuffle_epi8, _mm_shuffle_epi32, _mm_storeu_si128,
};

use super::ROUND;

/// Two states, each on over its blocks. Both have the same number of blocks; what one has more is left out.
#[target_feature(enable = "sha,sse4.1")]
pub(super) fn compress(states: &mut [[u32; 8]; 2], blocks: [&[[u8; 64]]; 2]) {
    let mut vectors = [pack(&states[0]), pack(&states[1])];
    for (one, other) in blocks[0].iter().zip(blocks[1]) {
        let before = vectors;
        let mut words = [load(one), load(other)];
        // Written out: with a loop, the compiler keeps the words in memory, and nothing is gained.
        both::<0>(&mut vectors, &mut words);
        both::<1>(&mut vectors, &mut words);
        both::<2>(&mut vectors, &mut words);
        both::<3>(&mut vectors, &mut words);
        both::<4>(&mut vectors, &mut words);
        both::<5>(&mut vectors, &mut words);
        both::<6>(&mut vectors, &mut words);
        both::<7>(&mut vectors, &mut words);
        both::<8>(&mut vectors, &mut words);
        both::<9>(&mut vectors, &mut words);
        both::<10>(&mut vectors, &mut words);
        both::<11>(&mut vectors, &mut words);
        both::<12>(&mut vectors, &mut words);
        both::<13>(&mut vectors, &mut words);
        both::<14>(&mut vectors, &mut words);
        both::<15>(&mut vectors, &mut words);
        for (vectors, before) in vectors.iter_mut().zip(before) {
            *vectors = [_mm_add_epi32(vectors[0], before[0]), _mm_add_epi32(vectors[1], before[1])];
        }
    }
    *states = [unpack(vectors[0]), unpack(vectors[1])];
}

/// Four rounds of both messages.
#[inline]
#[target_feature(enable = "sha,sse4.1")]
fn both<const QUAD: usize>(states: &mut [[__m128i; 2]; 2], words: &mut [[__m128i; 4]; 2]) {
    let [state, other_state] = states;
    let [words, other_words] = words;
    rounds::<QUAD>(state, words);
    rounds::<QUAD>(other_state, other_words);
}

/// Four rounds, and the words of the four rounds that come 16 rounds later.
#[inline]
#[target_feature(enable = "sha,sse4.1")]
fn rounds<const QUAD: usize>(state: &mut [__m128i; 2], words: &mut [__m128i; 4]) {
    let [abef, cdgh] = *state;
    let current = words[QUAD % 4];
    let [k0, k1, k2, k3] = [0, 1, 2, 3].map(|offset| ROUND[4 * QUAD + offset].cast_signed());
    let sum = _mm_add_epi32(current, _mm_setr_epi32(k0, k1, k2, k3));
    let cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
    let abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32::<0x0e>(sum));
    *state = [abef, cdgh];
    if QUAD < 12 {
        let [next, after, last] = [1, 2, 3].map(|offset| words[(QUAD + offset) % 4]);
        let partial = _mm_sha256msg1_epu32(current, next);
        let partial = _mm_add_epi32(partial, _mm_alignr_epi8::<4>(last, after));
        words[QUAD % 4] = _mm_sha256msg2_epu32(partial, last);
    }
}

/// The words of a block.
#[inline]
#[target_feature(enable = "sha,sse4.1")]
fn load(block: &[u8; 64]) -> [__m128i; 4] {
    let order = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    let (quads, _) = block.as_chunks::<16>();
    [&quads[0], &quads[1], &quads[2], &quads[3]].map(|quad| {
        // SAFETY: 16 bytes; the load does not ask for alignment.
        _mm_shuffle_epi8(unsafe { _mm_loadu_si128(quad.as_ptr().cast()) }, order)
    })
}

/// A state as the instructions want it: words a, b, e, f and c, d, g, h, the first one in the highest lane.
#[inline]
#[target_feature(enable = "sha,sse4.1")]
fn pack(state: &[u32; 8]) -> [__m128i; 2] {
    let [a, b, c, d, e, f, g, h] = state.map(u32::cast_signed);
    [_mm_set_epi32(a, b, e, f), _mm_set_epi32(c, d, g, h)]
}

#[inline]
#[target_feature(enable = "sha,sse4.1")]
fn unpack(vectors: [__m128i; 2]) -> [u32; 8] {
    let [[f, e, b, a], [h, g, d, c]] = vectors.map(|vector| {
        let mut words = [0_u32; 4];
        // SAFETY: 16 bytes; the store does not ask for alignment.
        unsafe { _mm_storeu_si128(words.as_mut_ptr().cast(), vector) };
        words
    });
    [a, b, c, d, e, f, g, h]
}
