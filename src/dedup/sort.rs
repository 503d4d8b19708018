//! Sorting the digests of a partition, and dropping the repeated ones.

use super::{clear_value, key_of};
use crate::hash::Digest;

/// Digests that a bucket should hold. Few enough for insertion sort, enough to keep the counters in cache.
const BUCKET_LEN: usize = 2;

/// From this many digests in a bucket on, the general sort takes over: digests that came as such need not be evenly
/// spread.
const BUCKET_LEN_MAX: usize = 48;

/// Sorts digests that share their leading `bits` bits into `sorted`, and drops repeated ones. `counters` is memory to
/// work with.
///
/// SHA-256 is evenly spread, so the bits behind the shared ones say nearly where a digest belongs: one pass puts each
/// into its bucket, and what is left to do within buckets is little. That is several times faster than a comparison
/// sort (`benches/stages.rs`, group `sort`).
pub(super) fn sort_and_dedup(
    pieces: &[&[Digest]],
    bits: u32,
    counters: &mut Vec<u32>,
    sorted: &mut Vec<Digest>,
) {
    let len: usize = pieces.iter().map(|piece| piece.len()).sum();
    let bits = bits.min(62);
    let bucket_bits = (len / BUCKET_LEN).max(1).ilog2().min(63 - bits);
    if bucket_bits == 0 {
        sorted.clear();
        sorted.extend(pieces.iter().copied().flatten());
        sorted.sort_unstable();
        sorted.dedup();
        return;
    }
    let buckets = 1 << bucket_bits;
    // A shift that keeps the bits behind the shared ones, and an index that cannot be out of bounds.
    let bucket_of = |digest: &Digest| (key_of(digest) >> (64 - bits - bucket_bits)) & (buckets - 1);
    // counters[b] counts, then begins, then ends bucket b.
    counters.clear();
    counters.resize(usize::try_from(buckets).expect("fewer buckets than digests"), 0);
    for digest in pieces.iter().copied().flatten() {
        counters[to_index(bucket_of(digest))] += 1;
    }
    let mut before = 0;
    for counter in counters.iter_mut() {
        before += std::mem::replace(counter, before);
    }
    // What is in there is overwritten.
    sorted.resize(len, Digest::default());
    for digest in pieces.iter().copied().flatten() {
        let end = &mut counters[to_index(bucket_of(digest))];
        sorted[*end as usize] = *digest;
        *end += 1;
    }
    finish_buckets(counters, sorted);
}

#[inline]
fn to_index(bucket: u64) -> usize {
    usize::try_from(bucket).expect("fewer buckets than digests")
}

/// Sorts within buckets, which end at `ends`, and closes the gaps that repeated digests leave.
fn finish_buckets(ends: &[u32], digests: &mut Vec<Digest>) {
    let mut start = 0;
    let mut kept = 0;
    for &end in ends {
        let end = end as usize;
        let bucket = &mut digests[start..end];
        match bucket.len() {
            0 | 1 => {}
            2..=BUCKET_LEN_MAX => insertion_sort(bucket),
            _ => bucket.sort_unstable(),
        }
        // Equal digests are in one bucket.
        let first = kept;
        for index in start..end {
            let digest = digests[index];
            if kept == first || digests[kept - 1] != digest {
                digests[kept] = digest;
                kept += 1;
            }
        }
        start = end;
    }
    digests.truncate(kept);
}

#[inline]
fn insertion_sort(digests: &mut [Digest]) {
    for end in 1..digests.len() {
        let digest = digests[end];
        let mut at = end;
        while at > 0 && is_less(&digest, &digests[at - 1]) {
            digests[at] = digests[at - 1];
            at -= 1;
        }
        digests[at] = digest;
    }
}

/// As `one < other`, for digests that nearly always differ in their first 64 bits.
#[inline]
fn is_less(one: &Digest, other: &Digest) -> bool {
    let (key, other_key) = (key_of(one), key_of(other));
    if key == other_key { one < other } else { key < other_key }
}

/// Clear entries as key and offset in `bytes`, sorted by key and value, each once.
pub(super) fn sort_clear(bytes: &[u8]) -> Vec<(u64, u32)> {
    let mut index = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let entry = &bytes[at..];
        index.push((key_of(entry), u32::try_from(at).expect("a partition is smaller than 4 GiB")));
        at += clear_value(entry).1;
    }
    let value = |offset: u32| clear_value(&bytes[offset as usize..]).0;
    index.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| value(a.1).cmp(value(b.1))));
    index.dedup_by(|a, b| a.0 == b.0 && value(a.1) == value(b.1));
    index
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
            sort_and_dedup(&[front, &[], back], bits, &mut vec![1, 2, 3], &mut sorted);
            prop_assert_eq!(sorted, expected);
        }
    }
}
