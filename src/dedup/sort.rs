//! Sorting the digests of a partition, and dropping the repeated ones.

use super::spelling::{self, Merged};
use super::{clear_value, key_of};
use crate::hash::Digest;

/// More digests in a bucket than evenly spread ones ever have: the general sort then takes over, since digests that came
/// as such may be anything.
const BUCKET_LEN_MAX: u32 = 32;

/// Fewer digests than this are sorted as they are.
const LEN_MIN: usize = 16;

/// Memory to sort with.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    counters: Vec<u32>,
    tags: Vec<u64>,
}

/// Sorts digests that share their leading `bits` bits into `sorted`, and drops repeated ones.
///
/// SHA-256 is evenly spread, so the bits behind the shared ones say nearly where a digest belongs. What is put there is
/// not the digest but a tag of 64 bits: its next bits, and in the low ones where it is. Tags are a quarter of the
/// bytes, which keeps them in the first-level cache; with as many buckets as digests, insertion then moves one tag in
/// four, and the digests are fetched in order, once: 11 ns a digest (`benches/stages.rs`, `dedup/sort`).
pub(super) fn sort_and_dedup(
    pieces: &[&[Digest]],
    bits: u32,
    scratch: &mut Scratch,
    sorted: &mut Vec<Digest>,
) {
    let len: usize = pieces.iter().map(|piece| piece.len()).sum();
    let is_done = len >= LEN_MIN
        && place_tags(pieces, len, bits.min(u64::BITS / 2), scratch)
        && fetch(pieces, len, &scratch.tags, sorted);
    if !is_done {
        sorted.clear();
        sorted.extend(pieces.iter().copied().flatten());
        sorted.sort_unstable();
        sorted.dedup();
    }
}

/// Places of digests, as the low bits of a tag: the number of the piece, then the place in it.
#[derive(Clone, Copy)]
struct Places {
    piece_bits: u32,
    place_bits: u32,
}

impl Places {
    fn of(pieces: &[&[Digest]]) -> Self {
        let longest = pieces.iter().map(|piece| piece.len()).max().unwrap_or(0);
        let bits_for = |count: usize| usize::BITS - count.saturating_sub(1).leading_zeros();
        Self { piece_bits: bits_for(pieces.len()), place_bits: bits_for(longest) }
    }

    fn bits(self) -> u32 {
        self.piece_bits + self.place_bits
    }

    #[inline]
    fn find<'a>(self, pieces: &[&'a [Digest]], tag: u64) -> &'a Digest {
        let low = |tag: u64, bits: u32| {
            usize::try_from(tag & ((1 << bits) - 1)).expect("pieces fit memory")
        };
        &pieces[low(tag >> self.place_bits, self.piece_bits)][low(tag, self.place_bits)]
    }
}

/// Fills the tags, in order but for equal ones. `false` if the digests are not evenly spread.
fn place_tags(pieces: &[&[Digest]], len: usize, bits: u32, scratch: &mut Scratch) -> bool {
    let Scratch { counters, tags } = scratch;
    let places = Places::of(pieces);
    let bucket_bits = len.ilog2();
    // What is left of a tag must tell digests apart: of so many, two alike are then one in sixteen.
    if 2 * bucket_bits + places.bits() > u64::BITS - 4 {
        return false;
    }
    let bucket_of = |tag: u64| {
        usize::try_from(tag >> (u64::BITS - bucket_bits)).expect("fewer buckets than digests")
    };
    // counters[b] counts, then begins, then ends bucket b.
    counters.clear();
    counters.resize(1 << bucket_bits, 0);
    for digest in pieces.iter().copied().flatten() {
        counters[bucket_of(key_of(digest) << bits)] += 1;
    }
    let (mut before, mut most) = (0, 0);
    for counter in counters.iter_mut() {
        most = most.max(*counter);
        before += std::mem::replace(counter, before);
    }
    if most > BUCKET_LEN_MAX {
        return false;
    }
    // What is in there is overwritten.
    tags.resize(len, 0);
    let high = u64::MAX << places.bits();
    for (piece, digests) in pieces.iter().enumerate() {
        let piece = (piece as u64) << places.place_bits;
        for (place, digest) in digests.iter().enumerate() {
            let key = key_of(digest) << bits;
            let end = &mut counters[bucket_of(key)];
            tags[*end as usize] = (key & high) | piece | place as u64;
            *end += 1;
        }
    }
    insertion_sort(tags);
    true
}

#[inline]
fn insertion_sort(tags: &mut [u64]) {
    for end in 1..tags.len() {
        let tag = tags[end];
        let mut at = end;
        while at > 0 && tags[at - 1] > tag {
            tags[at] = tags[at - 1];
            at -= 1;
        }
        tags[at] = tag;
    }
}

/// Fetches the digests in the order of their tags, each once. `false` if two differ of which the tags do not say which
/// goes first.
fn fetch(pieces: &[&[Digest]], len: usize, tags: &[u64], sorted: &mut Vec<Digest>) -> bool {
    let places = Places::of(pieces);
    // What is in there is overwritten.
    sorted.resize(len, Digest::default());
    sorted[0] = *places.find(pieces, tags[0]);
    let mut kept = 1;
    let mut is_told = true;
    for pair in tags.windows(2) {
        let digest = *places.find(pieces, pair[1]);
        let is_new = differ(&digest, &sorted[kept - 1]);
        is_told &= !is_new || (pair[0] ^ pair[1]) >> places.bits() != 0;
        // No branch: whether a digest was there before cannot be foreseen.
        sorted[kept] = digest;
        kept += usize::from(is_new);
    }
    sorted.truncate(kept);
    is_told
}

/// True if two digests differ, in any of their words without looking at one after the other.
#[inline]
fn differ(one: &Digest, other: &Digest) -> bool {
    let (words, other_words) = (one.as_chunks::<8>().0, other.as_chunks::<8>().0);
    let pairs = words.iter().zip(other_words);
    pairs.fold(0, |all, (word, other)| {
        all | (u64::from_be_bytes(*word) ^ u64::from_be_bytes(*other))
    }) != 0
}

/// Clear entries as key and offset in `bytes`, sorted by key, value and spelling, each spelling once.
pub(super) fn sort_clear(bytes: &[u8]) -> Vec<(u64, u32)> {
    let mut index = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let entry = &bytes[at..];
        index.push((key_of(entry), u32::try_from(at).expect("a partition is smaller than 4 GiB")));
        at += clear_value(entry).1;
    }
    // Keys are bytes of a digest, so that two of a key are the same value nearly always.
    index.sort_unstable_by_key(|(key, _)| *key);
    let value = |offset: u32| {
        let entry = &bytes[offset as usize..];
        (clear_value(entry).0, spelling::of(entry))
    };
    for alike in index.chunk_by_mut(|a, b| a.0 == b.0) {
        if alike.len() > 1 {
            alike.sort_unstable_by(|a, b| value(a.1).cmp(&value(b.1)));
        }
    }
    index.dedup_by(|a, b| a.0 == b.0 && value(a.1) == value(b.1));
    index
}

/// Leaves one of each value in an index of [`sort_clear`]. How many values had several spellings in one input, and the first
/// of these inputs.
pub(super) fn drop_spellings(bytes: &[u8], index: &mut Vec<(u64, u32)>) -> Merged {
    let mut merged = Merged::default();
    let entry = |offset: u32| &bytes[offset as usize..];
    index.dedup_by(|next, kept| {
        let (next_entry, kept_entry) = (entry(next.1), entry(kept.1));
        let is_same = next.0 == kept.0 && clear_value(next_entry).0 == clear_value(kept_entry).0;
        if is_same {
            let (source, _) = spelling::of(next_entry);
            if source == spelling::of(kept_entry).0 {
                merged.add(Merged { ids: 1, source });
            }
            // The next one is compared with this one.
            kept.1 = next.1;
        }
        is_same
    });
    merged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn equals_the_general_sort(
            seeds in proptest::collection::vec(any::<u16>(), 0..3000), spread: bool, bits in 0_u32..12,
        ) {
            let digests: Vec<Digest> = seeds
                .iter()
                .map(|seed| {
                    // Evenly spread digests, or such as nobody's SHA-256 gives.
                    let mut digest = if spread { crate::hash::digest(&seed.to_be_bytes()) } else { [0; 32] };
                    digest[31] = seed.to_be_bytes()[1];
                    digest[0] = 0;
                    digest[1] &= 0x0f;
                    digest
                })
                .collect();
            let mut expected = digests.clone();
            expected.sort_unstable();
            expected.dedup();
            let mut sorted = vec![[7; 32]; 5];
            let (front, back) = digests.split_at(digests.len() / 3);
            let mut scratch = Scratch { counters: vec![1, 2, 3], tags: vec![4; 5] };
            sort_and_dedup(&[front, &[], back], bits, &mut scratch, &mut sorted);
            prop_assert_eq!(sorted, expected);
        }
    }
}
