//! Kernel: AVX-512, 16 messages in the lanes of a vector, two vectors interleaved.
//!
//! ```text
//! 16 blocks --load, swap bytes, transpose--> w[0..16], word t of message i in lane i of w[t]
//! 64 rounds on a..h, as in FIPS 180-4, on vectors; w[t & 15] becomes word t + 16 as it is used up
//! a..h + initial value --transpose, swap bytes--> 16 digests
//! ```
//!
//! A round of one group is a chain of instructions that each wait for the one before; a second group fills the gaps, a
//! third one has no registers left. The message words stay in memory: with both groups' words in registers, the
//! compiler moves them in and out instead, at the wrong moments. 31 cycles a message on Zen 5, where the number of
//! instructions alone allows 25.
#![expect(unsafe_code, reason = "loads and stores of vectors")]
#![expect(clippy::many_single_char_names, reason = "the names of FIPS 180-4")]
#![expect(clippy::large_types_passed_by_value, reason = "vectors are passed in registers")]

use std::arch::x86_64::{
    __m512i, _mm256_storeu_si256, _mm512_add_epi32, _mm512_castsi512_si256,
    _mm512_extracti64x4_epi64, _mm512_load_si512, _mm512_permutex2var_epi64, _mm512_ror_epi32,
    _mm512_set1_epi32, _mm512_set4_epi32, _mm512_setr_epi64, _mm512_setzero_si512,
    _mm512_shuffle_epi8, _mm512_shuffle_i32x4, _mm512_srli_epi32, _mm512_ternarylogic_epi32,
    _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

use super::{Block, Digest, INITIAL, ROUND};

/// Messages in a vector.
const LANES: usize = 16;

/// Fewer messages than this are cheaper one by one.
const LANES_MIN: usize = 4;

/// Hashes messages of one block each.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn hash_blocks(blocks: &[Block], digests: &mut [Digest]) {
    let (pairs, rest) = blocks.as_chunks::<{ 2 * LANES }>();
    let (pair_digests, rest_digests) = digests.as_chunks_mut::<{ 2 * LANES }>();
    for (blocks, digests) in pairs.iter().zip(pair_digests) {
        hash_groups(blocks.as_chunks().0, digests.as_chunks_mut().0);
    }
    if rest.len() < LANES_MIN {
        super::portable::hash_blocks(rest, rest_digests);
        return;
    }
    // The last messages are filled up to whole groups.
    let mut filled = [Block([0; 64]); 2 * LANES];
    let mut filled_digests = [Digest::default(); 2 * LANES];
    filled[..rest.len()].copy_from_slice(rest);
    if rest.len() <= LANES {
        hash_groups(&filled.as_chunks().0[..1], &mut filled_digests.as_chunks_mut().0[..1]);
    } else {
        hash_groups(filled.as_chunks().0, filled_digests.as_chunks_mut().0);
    }
    rest_digests.copy_from_slice(&filled_digests[..rest.len()]);
}

/// One or two groups.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn hash_groups(blocks: &[[Block; LANES]], digests: &mut [[Digest; LANES]]) {
    match (blocks, digests) {
        ([one, other], [one_digests, other_digests]) => {
            let mut words = [load(one), load(other)];
            let [state, other_state] = compress(&mut words);
            store(state, one_digests);
            store(other_state, other_digests);
        }
        ([one], [one_digests]) => {
            let [state] = compress(&mut [load(one)]);
            store(state, one_digests);
        }
        _ => unreachable!("one group or two, and as many for their digests"),
    }
}

/// The 64 rounds on `GROUPS` groups.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn compress<const GROUPS: usize>(words: &mut [[__m512i; 16]; GROUPS]) -> [[__m512i; 8]; GROUPS] {
    let mut initial = [_mm512_setzero_si512(); 8];
    for (vector, word) in initial.iter_mut().zip(&INITIAL) {
        *vector = _mm512_set1_epi32(word.cast_signed());
    }
    let mut states = [initial; GROUPS];
    for first in (0..64).step_by(16) {
        for t in 0..16 {
            let constant = _mm512_set1_epi32(ROUND[first + t].cast_signed());
            for (state, words) in states.iter_mut().zip(words.iter_mut()) {
                let word = words[t];
                if first < 48 {
                    words[t] = next_word(words, t);
                }
                *state = round(*state, _mm512_add_epi32(word, constant));
            }
        }
    }
    for state in &mut states {
        for (word, initial) in state.iter_mut().zip(&initial) {
            *word = add(*word, *initial);
        }
    }
    states
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn round(state: [__m512i; 8], word: __m512i) -> [__m512i; 8] {
    let [a, b, c, d, e, f, g, h] = state;
    let sum1 = xor3(_mm512_ror_epi32::<6>(e), _mm512_ror_epi32::<11>(e), _mm512_ror_epi32::<25>(e));
    // Truth tables: 0xca is "second if first, else third", 0xe8 is "most of them".
    let choice = _mm512_ternarylogic_epi32::<0xca>(e, f, g);
    let sum0 = xor3(_mm512_ror_epi32::<2>(a), _mm512_ror_epi32::<13>(a), _mm512_ror_epi32::<22>(a));
    let majority = _mm512_ternarylogic_epi32::<0xe8>(a, b, c);
    let t1 = add(add(h, word), add(sum1, choice));
    [add(t1, add(sum0, majority)), a, b, c, add(d, t1), e, f, g]
}

/// Word t + 16 from the last 16 words.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn next_word(words: &[__m512i; 16], t: usize) -> __m512i {
    let [back15, back7, back2] = [words[(t + 1) & 15], words[(t + 9) & 15], words[(t + 14) & 15]];
    let small0 = xor3(
        _mm512_ror_epi32::<7>(back15),
        _mm512_ror_epi32::<18>(back15),
        _mm512_srli_epi32::<3>(back15),
    );
    let small1 = xor3(
        _mm512_ror_epi32::<17>(back2),
        _mm512_ror_epi32::<19>(back2),
        _mm512_srli_epi32::<10>(back2),
    );
    add(add(words[t], back7), add(small0, small1))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add(a: __m512i, b: __m512i) -> __m512i {
    _mm512_add_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor3(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0x96>(a, b, c)
}

/// Swaps the bytes of each word.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn swap_bytes(words: __m512i) -> __m512i {
    let order = _mm512_set4_epi32(0x0c0d_0e0f, 0x0809_0a0b, 0x0405_0607, 0x0001_0203);
    _mm512_shuffle_epi8(words, order)
}

/// The words of 16 blocks, word t of block i in lane i of vector t.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn load(blocks: &[Block; LANES]) -> [__m512i; 16] {
    let mut rows = [_mm512_setzero_si512(); LANES];
    for (row, block) in rows.iter_mut().zip(blocks) {
        // SAFETY: a block has 64 bytes and is aligned to as many.
        *row = swap_bytes(unsafe { _mm512_load_si512(block.0.as_ptr().cast()) });
    }
    transpose(rows)
}

/// Transposes 16 vectors of 16 words.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn transpose(rows: [__m512i; 16]) -> [__m512i; 16] {
    // Words, then pairs of words, are brought together within 128 bits: quads[4 q + c] then has words 4 k + c of rows
    // 4 q to 4 q + 3 in its k-th 128 bits.
    let mut quads = rows;
    for (rows, quads) in rows.as_chunks::<4>().0.iter().zip(quads.as_chunks_mut::<4>().0) {
        let low =
            [_mm512_unpacklo_epi32(rows[0], rows[1]), _mm512_unpacklo_epi32(rows[2], rows[3])];
        let high =
            [_mm512_unpackhi_epi32(rows[0], rows[1]), _mm512_unpackhi_epi32(rows[2], rows[3])];
        *quads = [
            _mm512_unpacklo_epi64(low[0], low[1]),
            _mm512_unpackhi_epi64(low[0], low[1]),
            _mm512_unpacklo_epi64(high[0], high[1]),
            _mm512_unpackhi_epi64(high[0], high[1]),
        ];
    }
    // The same for the 128 bits within the vectors.
    let mut columns = rows;
    for c in 0..4 {
        let [q0, q1, q2, q3] = [quads[c], quads[4 + c], quads[8 + c], quads[12 + c]];
        let even = [_mm512_shuffle_i32x4::<0x88>(q0, q1), _mm512_shuffle_i32x4::<0x88>(q2, q3)];
        let odd = [_mm512_shuffle_i32x4::<0xdd>(q0, q1), _mm512_shuffle_i32x4::<0xdd>(q2, q3)];
        columns[c] = _mm512_shuffle_i32x4::<0x88>(even[0], even[1]);
        columns[8 + c] = _mm512_shuffle_i32x4::<0xdd>(even[0], even[1]);
        columns[4 + c] = _mm512_shuffle_i32x4::<0x88>(odd[0], odd[1]);
        columns[12 + c] = _mm512_shuffle_i32x4::<0xdd>(odd[0], odd[1]);
    }
    columns
}

/// Writes the digests of 16 messages.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn store(mut state: [__m512i; 8], digests: &mut [Digest; LANES]) {
    for words in &mut state {
        *words = swap_bytes(*words);
    }
    let [a, b, c, d, e, f, g, h] = state;
    // As in `transpose`: the k-th 128 bits of front[r] are words 0 to 3 of message 4 k + r.
    let front = quad(a, b, c, d);
    let back = quad(e, f, g, h);
    let low = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    let high = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    for r in 0..4 {
        // Digests of messages r and 4 + r, of 8 + r and 12 + r.
        for (first, order) in [(r, low), (8 + r, high)] {
            let pair = _mm512_permutex2var_epi64(front[r], order, back[r]);
            let [one, other] = [_mm512_castsi512_si256(pair), _mm512_extracti64x4_epi64::<1>(pair)];
            // SAFETY: a digest has 32 bytes; the stores do not ask for alignment.
            unsafe {
                _mm256_storeu_si256(digests[first].as_mut_ptr().cast(), one);
                _mm256_storeu_si256(digests[first + 4].as_mut_ptr().cast(), other);
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn quad(a: __m512i, b: __m512i, c: __m512i, d: __m512i) -> [__m512i; 4] {
    let low = [_mm512_unpacklo_epi32(a, b), _mm512_unpacklo_epi32(c, d)];
    let high = [_mm512_unpackhi_epi32(a, b), _mm512_unpackhi_epi32(c, d)];
    [
        _mm512_unpacklo_epi64(low[0], low[1]),
        _mm512_unpackhi_epi64(low[0], low[1]),
        _mm512_unpacklo_epi64(high[0], high[1]),
        _mm512_unpackhi_epi64(high[0], high[1]),
    ]
}
