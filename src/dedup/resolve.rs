//! Set algebra within a range of digests.

use super::{Layout, Partitions, Range, clear_value, key_of, sort};
use crate::entries::{Counts, Entries};
use crate::error::Result;
use crate::hash::{self, Digest};
use crate::role::Role;

/// Beyond this many leading bits, entries cannot be told apart by their keys: the range is resolved as it is.
const RANGE_BITS_MAX: u32 = 60;

/// Result of a range.
#[derive(Debug)]
pub struct Resolved {
    /// The entries.
    pub entries: Entries,
    /// Sizes of all sets.
    pub counts: Counts,
    /// Known, but no member any more. Clear ids by their SHA-256, here and below.
    pub gone: Vec<Digest>,
    /// Known and suppressed.
    pub must_go: Vec<Digest>,
}

/// Resolves a range, holding at most `limit` bytes of its entries. `None` if it has more different ones: it is then to
/// be split by the next bits.
pub fn resolve(
    partitions: &Partitions,
    range: Range,
    layout: Layout,
    limit: u64,
) -> Result<Option<Resolved>> {
    let limit = if range.bits >= RANGE_BITS_MAX { u64::MAX } else { limit };
    match layout {
        Layout::Digest => resolve_digests(partitions, range, limit),
        Layout::Clear => resolve_clear(partitions, range, limit),
    }
}

fn resolve_digests(partitions: &Partitions, range: Range, limit: u64) -> Result<Option<Resolved>> {
    let mut sets: [Vec<Digest>; Role::ALL.len()] = Default::default();
    let mut left = limit;
    for role in Role::ALL {
        let Some(set) = gather_digests(partitions, range, role, left)? else { return Ok(None) };
        left = left.saturating_sub(size_of_val(&*set) as u64);
        sets[role as usize] = set;
    }
    let [mut members, suppressed, known, unconfirmed] = sets;
    let is_simple = suppressed.is_empty() && known.is_empty();
    let mut counts = Counts { members: members.len() as u64, ..Counts::default() };
    let (mut gone, mut must_go) = (Vec::new(), Vec::new());
    if !is_simple {
        let mut algebra = Algebra::new(&suppressed, &known, &mut counts);
        members.retain(|digest| algebra.admits(digest));
        (gone, must_go) = algebra.finish(&unconfirmed);
    }
    for set in [suppressed, known, unconfirmed] {
        partitions.digests.give(set);
    }
    counts.written = members.len() as u64;
    Ok(Some(Resolved { entries: Entries::Digests(members), counts, gone, must_go }))
}

/// The different digests of a role, sorted.
fn gather_digests(
    partitions: &Partitions,
    range: Range,
    role: Role,
    limit: u64,
) -> Result<Option<Vec<Digest>>> {
    let mut sorted = partitions.digests.take();
    let mut scratch = partitions.scratches.take();
    let is_small = partitions.bytes(range) <= limit && partitions.is_whole(range);
    if is_small && let Some(blocks) = partitions.memory_blocks(range, role) {
        let blocks: Vec<&[Digest]> = blocks.iter().map(|block| block.as_chunks().0).collect();
        sort::sort_and_dedup(&blocks, range.bits, &mut scratch, &mut sorted);
        partitions.scratches.give(scratch);
        return Ok(Some(sorted));
    }
    let is_whole = partitions.is_whole(range);
    let mut digests: Vec<Digest> = Vec::new();
    let mut is_over = false;
    partitions.for_each_block(range, role, &mut Vec::new(), |block| {
        let (block, _) = block.as_chunks::<32>();
        if is_whole {
            digests.extend_from_slice(block);
        } else {
            digests.extend(block.iter().filter(|digest| range.holds(key_of(*digest))));
        }
        // Repeated entries may be what fills the limit.
        if size_of_val(&*digests) as u64 > limit && !is_over {
            sort::sort_and_dedup(&[&digests], range.bits, &mut scratch, &mut sorted);
            std::mem::swap(&mut digests, &mut sorted);
            is_over = size_of_val(&*digests) as u64 > limit / 2;
        }
        if is_over {
            digests.clear();
        }
        Ok(())
    })?;
    if is_over {
        return Ok(None);
    }
    sort::sort_and_dedup(&[&digests], range.bits, &mut scratch, &mut sorted);
    partitions.scratches.give(scratch);
    Ok(Some(sorted))
}

fn resolve_clear(partitions: &Partitions, range: Range, limit: u64) -> Result<Option<Resolved>> {
    let mut bytes: [Vec<u8>; Role::ALL.len()] = Default::default();
    let mut left = limit;
    for role in Role::ALL {
        let Some(set) = gather_clear(partitions, range, role, left)? else { return Ok(None) };
        left = left.saturating_sub(set.len() as u64);
        bytes[role as usize] = set;
    }
    let [members, suppressed, known, unconfirmed] =
        bytes.each_ref().map(|bytes| ClearSet { index: sort::sort_clear(bytes), bytes });
    let suppressed: Vec<_> = suppressed.entries().collect();
    let known: Vec<_> = known.entries().collect();
    let unconfirmed: Vec<_> = unconfirmed.entries().collect();
    let mut counts = Counts { members: members.index.len() as u64, ..Counts::default() };
    let mut algebra = Algebra::new(&suppressed, &known, &mut counts);
    let mut text = Vec::with_capacity(members.bytes.len());
    let mut count = 0;
    for entry in members.entries() {
        if algebra.admits(&entry) {
            text.extend_from_slice(entry.1);
            text.push(b'\n');
            count += 1;
        }
    }
    let (gone, must_go) = algebra.finish(&unconfirmed);
    counts.written = count as u64;
    let digests = |entries: Vec<(u64, &[u8])>| {
        let digests = entries.into_iter().map(|(_, value)| hash::digest(value));
        digests.collect()
    };
    let (gone, must_go) = (digests(gone), digests(must_go));
    Ok(Some(Resolved { entries: Entries::Lines { text, count }, counts, gone, must_go }))
}

/// Sorted clear entries.
struct ClearSet<'a> {
    index: Vec<(u64, u32)>,
    bytes: &'a [u8],
}

impl<'a> ClearSet<'a> {
    fn entries(&self) -> impl Iterator<Item = (u64, &'a [u8])> {
        self.index.iter().map(|(key, at)| (*key, clear_value(&self.bytes[*at as usize..]).0))
    }
}

/// The clear entries of a role, in no order, possibly repeated.
fn gather_clear(
    partitions: &Partitions,
    range: Range,
    role: Role,
    limit: u64,
) -> Result<Option<Vec<u8>>> {
    let is_whole = partitions.is_whole(range);
    let mut entries: Vec<u8> = Vec::new();
    let mut is_over = false;
    partitions.for_each_block(range, role, &mut Vec::new(), |mut block| {
        if is_whole {
            entries.extend_from_slice(block);
        } else {
            while !block.is_empty() {
                let (_, len) = clear_value(block);
                if range.holds(key_of(block)) {
                    entries.extend_from_slice(&block[..len]);
                }
                block = &block[len..];
            }
        }
        if entries.len() as u64 > limit && !is_over {
            entries = without_repeats(&entries);
            is_over = entries.len() as u64 > limit / 2;
        }
        if is_over {
            entries.clear();
        }
        Ok(())
    })?;
    Ok((!is_over).then_some(entries))
}

fn without_repeats(entries: &[u8]) -> Vec<u8> {
    let mut once = Vec::new();
    for (_, at) in sort::sort_clear(entries) {
        let entry = &entries[at as usize..];
        once.extend_from_slice(&entry[..clear_value(entry).1]);
    }
    once
}

/// Walks three sorted sets at once: upload = member − suppressed − known.
struct Algebra<'a, T> {
    suppressed: &'a [T],
    known: &'a [T],
    suppressed_seen: usize,
    known_seen: usize,
    /// True if the known entry at `known_seen` is a member.
    is_member: bool,
    gone: Vec<T>,
    counts: &'a mut Counts,
}

impl<'a, T: Ord + Copy> Algebra<'a, T> {
    fn new(suppressed: &'a [T], known: &'a [T], counts: &'a mut Counts) -> Self {
        let gone = Vec::new();
        Self {
            suppressed,
            known,
            suppressed_seen: 0,
            known_seen: 0,
            is_member: false,
            gone,
            counts,
        }
    }

    /// True for a member that is to be written. Members come in ascending order, each once.
    fn admits(&mut self, member: &T) -> bool {
        let is_suppressed = holds(self.suppressed, &mut self.suppressed_seen, member);
        while self.known.get(self.known_seen).is_some_and(|known| known < member) {
            self.pass_known();
        }
        let is_known = self.known.get(self.known_seen) == Some(member);
        self.is_member |= is_known;
        self.counts.suppressed += u64::from(is_suppressed);
        self.counts.known += u64::from(is_known && !is_suppressed);
        !is_suppressed && !is_known
    }

    fn pass_known(&mut self) {
        if !std::mem::take(&mut self.is_member) {
            self.gone.push(self.known[self.known_seen]);
        }
        self.known_seen += 1;
    }

    /// Finds out what only concerns the sets that are no members: who is gone, and who must go, be it that they are
    /// known or that they may be there.
    fn finish(mut self, unconfirmed: &[T]) -> (Vec<T>, Vec<T>) {
        while self.known_seen < self.known.len() {
            self.pass_known();
        }
        let (mut known_seen, mut unconfirmed_seen) = (0, 0);
        let is_there = |entry: &&T| {
            let is_known = holds(self.known, &mut known_seen, entry);
            holds(unconfirmed, &mut unconfirmed_seen, entry) || is_known
        };
        let must_go: Vec<T> = self.suppressed.iter().filter(is_there).copied().collect();
        self.counts.gone = self.gone.len() as u64;
        self.counts.must_go = must_go.len() as u64;
        (self.gone, must_go)
    }
}

/// True if a sorted set holds an entry; `seen` moves on to where it is or would be.
fn holds<T: Ord>(set: &[T], seen: &mut usize, entry: &T) -> bool {
    while set.get(*seen).is_some_and(|other| other < entry) {
        *seen += 1;
    }
    set.get(*seen) == Some(entry)
}
