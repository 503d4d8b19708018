//! Kernel: SHA extensions, up to four long messages interleaved.
//!
//! The instruction that does two rounds takes four cycles, and the next one waits for its result; other messages fill
//! the gaps. Of one message a block takes 30 ns, of two 21 each, of three 17.7, of four 17.0; nothing but the rounds of
//! four would take 15.0, at two cycles each (`benches/kernels.rs`, `hash_parts`). Computing the words of two messages in
//! the halves of wider vectors, to leave the unit to the rounds, was tried and took 26: what it gains in the unit it
//! loses by moving halves about. For messages of one block none of this pays, 27 ns instead of the 25 of `sha2`, which
//! overlaps them by itself.
#![expect(unsafe_code, reason = "loads and stores of vectors")]
#![expect(clippy::many_single_char_names, reason = "the names of FIPS 180-4")]

use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_loadu_si128, _mm_set_epi32, _mm_set_epi64x,
    _mm_setzero_si128, _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32,
    _mm_shuffle_epi8, _mm_shuffle_epi32, _mm_storeu_si128,
};

use super::ROUND;

/// Several states, each on over its blocks. All have the same number of blocks; what one has more is left out.
#[target_feature(enable = "sha,sse4.1")]
pub(super) fn compress<const MESSAGES: usize>(
    states: &mut [[u32; 8]; MESSAGES],
    blocks: [&[[u8; 64]]; MESSAGES],
) {
    let mut vectors = [[_mm_setzero_si128(); 2]; MESSAGES];
    for (vectors, state) in vectors.iter_mut().zip(&*states) {
        *vectors = pack(state);
    }
    let count = blocks.map(<[_]>::len).into_iter().min().unwrap_or(0);
    for index in 0..count {
        let before = vectors;
        let mut words = [[_mm_setzero_si128(); 4]; MESSAGES];
        for (words, blocks) in words.iter_mut().zip(&blocks) {
            *words = load(&blocks[index]);
        }
        // Written out: with a loop, the compiler keeps the words in memory, and nothing is gained.
        each::<0, _>(&mut vectors, &mut words);
        each::<1, _>(&mut vectors, &mut words);
        each::<2, _>(&mut vectors, &mut words);
        each::<3, _>(&mut vectors, &mut words);
        each::<4, _>(&mut vectors, &mut words);
        each::<5, _>(&mut vectors, &mut words);
        each::<6, _>(&mut vectors, &mut words);
        each::<7, _>(&mut vectors, &mut words);
        each::<8, _>(&mut vectors, &mut words);
        each::<9, _>(&mut vectors, &mut words);
        each::<10, _>(&mut vectors, &mut words);
        each::<11, _>(&mut vectors, &mut words);
        each::<12, _>(&mut vectors, &mut words);
        each::<13, _>(&mut vectors, &mut words);
        each::<14, _>(&mut vectors, &mut words);
        each::<15, _>(&mut vectors, &mut words);
        for (vectors, before) in vectors.iter_mut().zip(before) {
            *vectors = [_mm_add_epi32(vectors[0], before[0]), _mm_add_epi32(vectors[1], before[1])];
        }
    }
    for (state, vectors) in states.iter_mut().zip(vectors) {
        *state = unpack(vectors);
    }
}

/// Four rounds of each message.
#[inline]
#[target_feature(enable = "sha,sse4.1")]
fn each<const QUAD: usize, const MESSAGES: usize>(
    states: &mut [[__m128i; 2]; MESSAGES],
    words: &mut [[__m128i; 4]; MESSAGES],
) {
    for (state, words) in states.iter_mut().zip(words) {
        rounds::<QUAD>(state, words);
    }
}

/// Four rounds, and the words of the four rounds that come 16 rounds later.
#[inline]
#[target_feature(enable = "sha,sse4.1")]
fn rounds<const QUAD: usize>(state: &mut [__m128i; 2], words: &mut [__m128i; 4]) {
    let [abef, cdgh] = *state;
    let current = words[QUAD % 4];
    let constants = &ROUND.as_chunks::<4>().0[QUAD];
    // SAFETY: 16 bytes; the load does not ask for alignment.
    let constants = unsafe { _mm_loadu_si128(constants.as_ptr().cast()) };
    let sum = _mm_add_epi32(current, constants);
    let cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
    let abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32::<0x0e>(sum));
    *state = [abef, cdgh];
    if QUAD < 12 {
        let [next, after, last] =
            [words[(QUAD + 1) % 4], words[(QUAD + 2) % 4], words[(QUAD + 3) % 4]];
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
    let mut words = [_mm_setzero_si128(); 4];
    for (words, quad) in words.iter_mut().zip(block.as_chunks::<16>().0) {
        // SAFETY: 16 bytes; the load does not ask for alignment.
        *words = _mm_shuffle_epi8(unsafe { _mm_loadu_si128(quad.as_ptr().cast()) }, order);
    }
    words
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
    let mut words = [[0_u32; 4]; 2];
    for (words, vector) in words.iter_mut().zip(vectors) {
        // SAFETY: 16 bytes; the store does not ask for alignment.
        unsafe { _mm_storeu_si128(words.as_mut_ptr().cast(), vector) };
    }
    let [[f, e, b, a], [h, g, d, c]] = words;
    [a, b, c, d, e, f, g, h]
}
