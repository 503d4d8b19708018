//! Sorting the digests of a partition, and dropping the repeated ones.

use super::{clear_value, key_of};
use crate::hash::Digest;

/// Digests that a bucket should hold. Few enough for insertion sort, enough to keep the counters in cache.
const BUCKET_LEN: usize = 4;

/// From this many digests in a bucket on, the general sort takes over: digests that came as such need not be evenly
/// spread.
const BUCKET_LEN_MAX: usize = 48;

/// Sorts digests that share their leading `bits` bits, and drops repeated ones.
///
/// SHA-256 is evenly spread, so the bits behind the shared ones say nearly where a digest belongs: one pass puts each
/// into its bucket, and what is left to do within buckets is little. That is several times faster than a comparison
/// sort (`benches/stages.rs`, group `sort`).
pub(super) fn sort_and_dedup(digests: &mut Vec<Digest>, bits: u32) {
    let bucket_bits = (digests.len() / BUCKET_LEN).max(1).ilog2().min(63 - bits.min(62));
    if bucket_bits == 0 {
        digests.sort_unstable();
        digests.dedup();
        return;
    }
    let bucket_of = |digest: &Digest| {
        usize::try_from(key_of(digest) << bits >> (64 - bucket_bits))
            .expect("fewer buckets than digests")
    };
    // ends[b] counts, then begins, then ends bucket b.
    let mut ends = vec![0_u32; (1 << bucket_bits) + 1];
    for digest in &*digests {
        ends[bucket_of(digest) + 1] += 1;
    }
    for bucket in 1..ends.len() {
        ends[bucket] += ends[bucket - 1];
    }
    let mut sorted = vec![Digest::default(); digests.len()];
    for digest in &*digests {
        let end = &mut ends[bucket_of(digest)];
        sorted[*end as usize] = *digest;
        *end += 1;
    }
    let mut start = 0;
    for end in &ends[..1 << bucket_bits] {
        let bucket = &mut sorted[start..*end as usize];
        start = *end as usize;
        if bucket.len() > BUCKET_LEN_MAX {
            bucket.sort_unstable();
        } else {
            insertion_sort(bucket);
        }
    }
    sorted.dedup();
    *digests = sorted;
}

#[inline]
fn insertion_sort(digests: &mut [Digest]) {
    for end in 1..digests.len() {
        let mut at = end;
        while at > 0 && digests[at - 1] > digests[at] {
            digests.swap(at - 1, at);
            at -= 1;
        }
    }
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
            let mut digests: Vec<Digest> = seeds
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
            sort_and_dedup(&mut digests, bits);
            prop_assert_eq!(digests, expected);
        }
    }
}
