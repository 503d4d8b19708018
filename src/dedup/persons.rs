//! Persons: identifiers that stand in one row, and who is held back because another identifier of theirs opted out.
//!
//! Rows and identifiers are a graph: an identifier is linked to each row in which it stands. Whoever can be reached from
//! an identifier that opted out is held back; that is the only reading that does not depend on the order of rows. A link
//! is an entry of 32 bytes, scattered and spilled like all others:
//!
//! ```text
//! 0        26     leading bytes of the identifier's digest
//! 26       2      whose identifiers these are (a user type, or an audience of ids that only its owner knows), big-endian
//! 28       4      the row, counted from 1, big-endian; 0 stands for the opt-out lists, so that row 0 opted out
//! ```
//!
//! 26 bytes are 208 bits: two of 2^40 different identifiers share them with a chance of 2^-129, which is less than that of
//! a machine that reads a bit wrongly. If they do, one too many is held back, and nobody too few.
//!
//! In the end a row is a bit, which says that it is reached. There are two ways to these bits, and they find the same.
//!
//! With four bytes a row ([`super::groups`]) one pass through the partitions puts all rows of an identifier into one group, and
//! those in the group of row 0 are reached, however long the chains are. Memory holds, beside the rows, the identifiers of a
//! range.
//!
//! If there are so many rows that memory has only room for the bits, a pass goes on from the rows that are reached:
//! identifiers of these are reached, and so are all rows that they stand in. When a pass reaches nothing new, all is found.
//! There are as many passes as there are rows in the longest of the shortest ways from an opt-out, two or three as a rule,
//! and memory holds only the identifiers of a range that are reached.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use super::groups::Groups;
use super::{Layer, Partitions, Range, key_of};
use crate::error::{Error, Result};
use crate::hash::Digest;
use crate::role::Role;

/// Bytes of a digest in a link.
pub(super) const LINK_DIGEST_BYTES: usize = 26;

/// The row that stands for the opt-out lists.
pub const OPTED_OUT_ROW: u32 = 0;

/// Memory that an identifier takes in a set that has just grown, in bytes.
const HELD_BYTES: u64 = 96;

/// So many identifiers are held whatever the limit is.
const HELD_MIN: usize = 16;

/// More bits by which a range is split of which too many identifiers would be held.
const SPLIT_BITS: u32 = 4;

/// Beyond this many leading bits a range is taken as it is.
const RANGE_BITS_MAX: u32 = 60;

/// The leading bytes of an identifier's digest, as links have them.
pub(super) type LinkDigest = [u8; LINK_DIGEST_BYTES];

/// The link of an identifier to a row. Identifiers of different spaces are different, whatever their digests are.
#[inline]
pub fn link(digest: &Digest, space: u16, row: u32) -> Digest {
    let mut link = *digest;
    link[LINK_DIGEST_BYTES..LINK_DIGEST_BYTES + 2].copy_from_slice(&space.to_be_bytes());
    set_row(&mut link, row);
    link
}

/// The row of a link.
#[inline]
pub fn row_of(link: &Digest) -> u32 {
    let (_, row) = link.split_last_chunk().expect("32 bytes");
    u32::from_be_bytes(*row)
}

/// Replaces the row of a link.
#[inline]
pub fn set_row(link: &mut Digest, row: u32) {
    let (_, place) = link.split_last_chunk_mut().expect("32 bytes");
    *place = row.to_be_bytes();
}

/// All links of a run, and the rows that are reached from the opt-out lists.
#[derive(Debug)]
pub struct Persons {
    links: Partitions,
    /// A bit for each row, set if it is reached.
    reached: Vec<AtomicU64>,
    seed: KeySeed,
    /// The rows in groups, until these are found.
    groups: Option<Groups>,
}

impl Persons {
    /// Bytes of memory that so many rows take at least.
    pub fn bytes(rows: u32) -> u64 {
        (u64::from(rows) / 64 + 1) * 8
    }

    /// Bytes of memory that they take in groups.
    pub fn bytes_in_groups(rows: u32) -> u64 {
        Self::bytes(rows) + Groups::bytes(rows)
    }

    /// Nothing is reached yet but the opt-out lists; rows are numbered from 1 to `rows`.
    pub fn new(links: Partitions, rows: u32) -> Self {
        let words = rows as usize / 64 + 1;
        let reached: Vec<AtomicU64> = (0..words).map(|_| AtomicU64::new(0)).collect();
        let persons = Self { links, reached, seed: KeySeed::random(), groups: None };
        persons.reach(OPTED_OUT_ROW);
        persons
    }

    /// The same, with rows that can be [joined](Self::join).
    #[must_use]
    pub fn in_groups(self, rows: u32) -> Self {
        Self { groups: Some(Groups::new(rows)), ..self }
    }

    /// The ranges that a pass goes through, in any order and at once.
    pub fn ranges(&self) -> impl Iterator<Item = Range> + use<> {
        self.links.ranges()
    }

    /// Bytes of links that were written to disk because memory was full.
    pub fn spilled_bytes(&self) -> u64 {
        self.links.spilled_bytes()
    }

    /// Joins the rows of each identifier of a range, holding at most `limit` bytes.
    pub fn join(&self, range: Range, limit: u64) -> Result<()> {
        let Some(groups) = &self.groups else {
            return Err(Error::Internal("rows that are in no groups"));
        };
        let most = if range.bits >= RANGE_BITS_MAX { u64::MAX } else { limit };
        let mut firsts: HashMap<Key, u32, KeySeed> = HashMap::with_hasher(self.seed);
        let mut is_over = false;
        self.for_each_link(range, |link| {
            if is_over {
                return;
            }
            let row = row_of(link);
            let first = *firsts.entry(Key::of(link)).or_insert(row);
            groups.join(first, row);
            is_over = are_too_many(firsts.len(), most);
        })?;
        if !is_over {
            return Ok(());
        }
        // What was joined stays so.
        drop(firsts);
        range.split(SPLIT_BITS).try_for_each(|piece| self.join(piece, limit))
    }

    /// Reaches the rows in the group of the opt-out lists, when all are joined.
    pub fn reach_joined(&mut self) {
        if let Some(groups) = self.groups.take() {
            groups.for_each_of_first(|row| {
                self.reach(row);
            });
        }
    }

    /// Goes on from all rows that are reached through the identifiers of a range, holding at most `limit` bytes; true if
    /// that reaches other rows.
    pub fn spread(&self, range: Range, limit: u64) -> Result<bool> {
        let Some(reached) = self.reached_in(range, limit, |_| true)? else {
            return range
                .split(SPLIT_BITS)
                .try_fold(false, |any, piece| Ok(self.spread(piece, limit)? | any));
        };
        let mut is_any_new = false;
        if !reached.is_empty() {
            self.for_each_link(range, |link| {
                if reached.contains(&Key::of(link)) {
                    is_any_new |= self.reach(row_of(link));
                }
            })?;
        }
        Ok(is_any_new)
    }

    /// The identifiers of a space that are reached, in order, each once; `None` if they take more than `limit` bytes.
    pub(super) fn held_back(
        &self,
        range: Range,
        space: u16,
        limit: u64,
    ) -> Result<Option<Vec<LinkDigest>>> {
        let space = space.to_be_bytes();
        let is_of_space = |key: &Key| key.0[LINK_DIGEST_BYTES..] == space;
        let Some(reached) = self.reached_in(range, limit, is_of_space)? else { return Ok(None) };
        let digest = |key: Key| *key.0.first_chunk().expect("a key begins with the digest");
        let mut digests: Vec<LinkDigest> = reached.into_iter().map(digest).collect();
        digests.sort_unstable();
        Ok(Some(digests))
    }

    /// The identifiers in a range that stand in reached rows.
    fn reached_in(
        &self,
        range: Range,
        limit: u64,
        is_wanted: impl Fn(&Key) -> bool,
    ) -> Result<Option<HashSet<Key, KeySeed>>> {
        let limit = if range.bits >= RANGE_BITS_MAX { u64::MAX } else { limit };
        let mut keys = HashSet::with_hasher(self.seed);
        let mut is_over = false;
        self.for_each_link(range, |link| {
            if !is_over && self.is_reached(row_of(link)) && is_wanted(&Key::of(link)) {
                keys.insert(Key::of(link));
                is_over = are_too_many(keys.len(), limit);
            }
        })?;
        Ok((!is_over).then_some(keys))
    }

    fn for_each_link(&self, range: Range, mut on_link: impl FnMut(&Digest)) -> Result<()> {
        let is_whole = self.links.is_whole(range);
        self.links.for_each_block(range, Layer::of(Role::Member), &mut Vec::new(), |block| {
            for link in block.as_chunks::<32>().0 {
                if is_whole || range.holds(key_of(link)) {
                    on_link(link);
                }
            }
            Ok(())
        })
    }

    #[inline]
    fn is_reached(&self, row: u32) -> bool {
        self.reached[row as usize / 64].load(Ordering::Relaxed) >> (row % 64) & 1 == 1
    }

    /// True if the row was not reached before.
    fn reach(&self, row: u32) -> bool {
        let bit = 1 << (row % 64);
        self.reached[row as usize / 64].fetch_or(bit, Ordering::Relaxed) & bit == 0
    }
}

/// Says whether so many identifiers take more than `limit` bytes.
fn are_too_many(held: usize, limit: u64) -> bool {
    held > HELD_MIN && held as u64 * HELD_BYTES > limit
}

/// An identifier: the leading bytes of its digest, and its space.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key([u8; LINK_DIGEST_BYTES + 2]);

impl Key {
    #[inline]
    fn of(link: &Digest) -> Self {
        Self(*link.first_chunk().expect("a link begins with its key"))
    }
}

impl std::hash::Hash for Key {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (words, rest) = self.0.as_chunks::<8>();
        for word in words {
            state.write_u64(u64::from_le_bytes(*word));
        }
        state.write_u32(u32::from_le_bytes(*rest.first_chunk().expect("28 bytes")));
    }
}

/// Hashes keys within a set. Digests that came as such may be anything, so all of their bytes count, and a number that
/// nobody knows beforehand.
#[derive(Clone, Copy, Debug)]
struct KeySeed(u64);

impl KeySeed {
    fn random() -> Self {
        Self(RandomState::new().hash_one(0_u8))
    }
}

impl BuildHasher for KeySeed {
    type Hasher = KeyHasher;

    #[inline]
    fn build_hasher(&self) -> KeyHasher {
        KeyHasher { state: self.0, seed: self.0 | 1 }
    }
}

/// Folds words by multiplication.
struct KeyHasher {
    state: u64,
    seed: u64,
}

impl Hasher for KeyHasher {
    #[inline]
    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.state ^ word) * u128::from(self.seed ^ 0x9e37_79b9_7f4a_7c15);
        let bytes = product.to_le_bytes();
        let (words, _) = bytes.as_chunks::<8>();
        let [low, high] = [words[0], words[1]].map(u64::from_le_bytes);
        self.state = (low ^ high).wrapping_add(self.seed);
    }

    #[inline]
    fn write_u32(&mut self, word: u32) {
        self.write_u64(word.into());
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.state
    }
}
