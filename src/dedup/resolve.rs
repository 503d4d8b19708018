//! Set algebra within a range of digests.

use super::persons::{LINK_DIGEST_BYTES, LinkDigest, Persons};
use super::{Layer, Layout, Merged, Partitions, Range, clear_value, key_of, sort};
use crate::entries::{Counts, Entries};
use crate::error::{Error, Result};
use crate::hash::{self, Digest};
use crate::role::Role;

/// Beyond this many leading bits, entries cannot be told apart by their keys: the range is resolved as it is.
const RANGE_BITS_MAX: u32 = 60;

/// Times that a set is larger than another one for a search to be faster than a walk.
const SEARCH_FACTOR: usize = 32;

/// Result of a range.
#[derive(Debug)]
pub struct Resolved {
    /// The entries.
    pub entries: Entries,
    /// Sizes of all sets.
    pub counts: Counts,
    /// For each list, how many of its entries are members. Nothing is known of lists behind the end.
    pub hits: Vec<u64>,
    /// Known, but no member any more. Clear ids by their SHA-256, here and below.
    pub gone: Vec<Digest>,
    /// Members that are several ids of one input, of which lower-casing made one.
    pub merged: Merged,
    /// Known, and suppressed or linked to who is.
    pub must_go: Vec<Digest>,
}

/// Those who are linked to somebody who opted out, of one space of identifiers.
#[derive(Clone, Copy, Debug)]
pub struct Companions<'a> {
    /// All that is known of rows.
    pub persons: &'a Persons,
    /// The identifiers that are meant.
    pub space: u16,
}

/// All that decides about the entries of an audience.
#[derive(Clone, Copy, Debug)]
pub struct OneAudience<'a> {
    /// The entries.
    pub partitions: &'a Partitions,
    /// Those who are held back because of somebody else, if rows are linked.
    pub companions: Option<Companions<'a>>,
    /// Layout of the entries.
    pub layout: Layout,
    /// Whether those who may be there, and are no members, are gone like those who are known.
    pub unconfirmed_can_be_gone: bool,
}

/// Resolves a range, holding at most `limit` bytes of its entries. `None` if it has more different ones: it is then to
/// be split by the next bits.
pub fn resolve(
    &OneAudience { partitions, companions, layout, unconfirmed_can_be_gone }: &OneAudience<'_>,
    range: Range,
    limit: u64,
) -> Result<Option<Resolved>> {
    let limit = if range.bits >= RANGE_BITS_MAX { u64::MAX } else { limit };
    let held_back = match companions {
        None => Some(Vec::new()),
        Some(Companions { persons, space }) => persons.held_back(range, space, limit / 2)?,
    };
    let Some(held_back) = held_back else { return Ok(None) };
    let limit = limit.saturating_sub(size_of_val(&*held_back) as u64);
    let gone_too = unconfirmed_can_be_gone;
    match layout {
        Layout::Digest => resolve_digests(partitions, &held_back, range, limit, gone_too),
        Layout::Clear => resolve_clear(partitions, &held_back, range, limit, gone_too),
    }
}

fn resolve_digests(
    partitions: &Partitions,
    held_back: &[LinkDigest],
    range: Range,
    limit: u64,
    unconfirmed_can_be_gone: bool,
) -> Result<Option<Resolved>> {
    let mut left = limit;
    let mut gather = |layer| {
        let set = gather_digests(partitions, range, layer, left)?;
        left = left.saturating_sub(set.as_deref().map_or(0, size_of_val) as u64);
        Ok::<_, Error>(set)
    };
    let Some(mut members) = gather(Layer::of(Role::Member))? else { return Ok(None) };
    let mut suppressed: Vec<Digest> = Vec::new();
    let mut hits = Vec::with_capacity(partitions.lists());
    for list in 0..partitions.lists() {
        let Some(set) = gather(Layer::of_list(list))? else { return Ok(None) };
        hits.push(common(&members, &set));
        if suppressed.is_empty() {
            suppressed = set;
        } else {
            suppressed.extend_from_slice(&set);
            partitions.digests.give(set);
        }
    }
    if partitions.lists() > 1 {
        suppressed.sort_unstable();
        suppressed.dedup();
    }
    let Some(known) = gather(Layer::of(Role::Known))? else { return Ok(None) };
    let Some(unconfirmed) = gather(Layer::of(Role::Unconfirmed))? else { return Ok(None) };
    let is_simple = suppressed.is_empty() && known.is_empty() && held_back.is_empty();
    let mut counts = Counts { members: members.len() as u64, ..Counts::default() };
    let (mut gone, mut must_go, mut linked) = (Vec::new(), Vec::new(), Vec::new());
    if !is_simple {
        linked = linked_digests(held_back, [&members, &known, &unconfirmed], &suppressed);
        let mut algebra = Algebra::new([&suppressed, &linked, &known], &mut counts);
        members.retain(|digest| algebra.admits(digest));
        (gone, must_go) = algebra.finish(&unconfirmed);
    }
    if unconfirmed_can_be_gone {
        add_unconfirmed(&mut gone, &unconfirmed, [&known, &members, &suppressed, &linked]);
        counts.gone = gone.len() as u64;
    }
    for set in [suppressed, known, unconfirmed] {
        partitions.digests.give(set);
    }
    counts.written = members.len() as u64;
    Ok(Some(Resolved {
        entries: Entries::Digests(members),
        counts,
        hits,
        gone,
        must_go,
        merged: Merged::default(),
    }))
}

/// The different digests of a layer, sorted.
fn gather_digests(
    partitions: &Partitions,
    range: Range,
    layer: Layer,
    limit: u64,
) -> Result<Option<Vec<Digest>>> {
    let mut sorted = partitions.digests.take();
    let mut scratch = partitions.scratches.take();
    let is_small = partitions.bytes(range) <= limit && partitions.is_whole(range);
    if is_small && let Some(blocks) = partitions.memory_blocks(range, layer) {
        let blocks: Vec<&[Digest]> = blocks.iter().map(|block| block.as_chunks().0).collect();
        sort::sort_and_dedup(&blocks, range.bits, &mut scratch, &mut sorted);
        partitions.scratches.give(scratch);
        return Ok(Some(sorted));
    }
    let is_whole = partitions.is_whole(range);
    let mut digests: Vec<Digest> = Vec::new();
    let mut is_over = false;
    partitions.for_each_block(range, layer, &mut Vec::new(), |block| {
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

fn resolve_clear(
    partitions: &Partitions,
    held_back: &[LinkDigest],
    range: Range,
    limit: u64,
    unconfirmed_can_be_gone: bool,
) -> Result<Option<Resolved>> {
    let roles = [Role::Member, Role::Known, Role::Unconfirmed].map(Layer::of);
    let lists = (0..partitions.lists()).map(Layer::of_list);
    let mut bytes = Vec::with_capacity(roles.len() + partitions.lists());
    let mut left = limit;
    for layer in roles.into_iter().chain(lists) {
        let Some(set) = gather_clear(partitions, range, layer, left)? else { return Ok(None) };
        left = left.saturating_sub(set.len() as u64);
        bytes.push(set);
    }
    let sets: Vec<ClearSet<'_>> = bytes.iter().map(|bytes| ClearSet::new(bytes)).collect();
    let [members, known, unconfirmed, lists @ ..] = &sets[..] else {
        return Err(Error::Internal("sets of roles that were gathered"));
    };
    let (mut suppressed, mut hits) = (Vec::new(), Vec::with_capacity(lists.len()));
    if !lists.is_empty() {
        let members: Vec<_> = members.entries().collect();
        for list in lists {
            let list: Vec<_> = list.entries().collect();
            hits.push(common(&members, &list));
            suppressed.extend(list);
        }
    }
    if lists.len() > 1 {
        suppressed.sort_unstable();
        suppressed.dedup();
    }
    let known: Vec<_> = known.entries().collect();
    let unconfirmed: Vec<_> = unconfirmed.entries().collect();
    let linked = linked_clear(held_back, members, [&known, &unconfirmed], &suppressed);
    let mut counts = Counts { members: members.index.len() as u64, ..Counts::default() };
    let mut algebra = Algebra::new([&suppressed, &linked, &known], &mut counts);
    let mut text = Vec::with_capacity(members.bytes.len());
    let mut count = 0;
    for entry in members.entries() {
        if algebra.admits(&entry) {
            text.extend_from_slice(entry.1);
            text.push(b'\n');
            count += 1;
        }
    }
    let (mut gone, must_go) = algebra.finish(&unconfirmed);
    if unconfirmed_can_be_gone {
        let members: Vec<_> = members.entries().collect();
        add_unconfirmed(&mut gone, &unconfirmed, [&known, &members, &suppressed, &linked]);
        counts.gone = gone.len() as u64;
    }
    counts.written = count as u64;
    let digests = |entries: Vec<(u64, &[u8])>| {
        let digests = entries.into_iter().map(|(_, value)| hash::digest(value));
        digests.collect()
    };
    let (gone, must_go) = (digests(gone), digests(must_go));
    Ok(Some(Resolved {
        entries: Entries::Lines { text, count },
        counts,
        hits,
        gone,
        must_go,
        merged: members.merged,
    }))
}

/// Sorted clear entries.
struct ClearSet<'a> {
    index: Vec<(u64, u32)>,
    bytes: &'a [u8],
    merged: Merged,
}

impl<'a> ClearSet<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let mut index = sort::sort_clear(bytes);
        let merged = sort::drop_spellings(bytes, &mut index);
        Self { index, bytes, merged }
    }

    fn entries(&self) -> impl Iterator<Item = ClearEntry<'a>> {
        self.index.iter().map(|(key, at)| (*key, clear_value(&self.bytes[*at as usize..]).0))
    }
}

/// The clear entries of a layer, in no order, possibly repeated.
fn gather_clear(
    partitions: &Partitions,
    range: Range,
    layer: Layer,
    limit: u64,
) -> Result<Option<Vec<u8>>> {
    let is_whole = partitions.is_whole(range);
    let mut entries: Vec<u8> = Vec::new();
    let mut is_over = false;
    partitions.for_each_block(range, layer, &mut Vec::new(), |mut block| {
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

/// The digests in some sorted sets that are held back and not suppressed, sorted.
fn linked_digests(
    held_back: &[LinkDigest],
    sets: [&[Digest]; 3],
    suppressed: &[Digest],
) -> Vec<Digest> {
    let mut linked = Vec::new();
    for prefix in held_back {
        for set in sets {
            let from = set.partition_point(|digest| digest[..] < prefix[..]);
            let is_it = |digest: &&Digest| digest[..LINK_DIGEST_BYTES] == *prefix;
            linked.extend(set[from..].iter().take_while(is_it));
        }
    }
    without(linked, suppressed)
}

/// A clear entry: its key and its value.
type ClearEntry<'a> = (u64, &'a [u8]);

/// The same of clear entries.
fn linked_clear<'a>(
    held_back: &[LinkDigest],
    members: &ClearSet<'a>,
    others: [&[ClearEntry<'a>]; 2],
    suppressed: &[ClearEntry<'a>],
) -> Vec<ClearEntry<'a>> {
    if held_back.is_empty() {
        return Vec::new();
    }
    let members: Vec<_> = members.entries().collect();
    let mut linked = Vec::new();
    for prefix in held_back {
        let key = key_of(prefix);
        let is_it = |value: &[u8]| hash::digest(value)[..LINK_DIGEST_BYTES] == *prefix;
        for set in [&*members, others[0], others[1]] {
            let from = set.partition_point(|(of, _)| *of < key);
            let alike = set[from..].iter().take_while(|(of, _)| *of == key);
            linked.extend(alike.filter(|(_, value)| is_it(value)));
        }
    }
    without(linked, suppressed)
}

/// Sorts entries that may be there more than once, and leaves out those of a sorted set.
fn without<T: Ord>(mut entries: Vec<T>, set: &[T]) -> Vec<T> {
    entries.sort_unstable();
    entries.dedup();
    entries.retain(|entry| set.binary_search(entry).is_err());
    entries
}

/// Walks four sorted sets at once: upload = member − suppressed − linked − known.
struct Algebra<'a, T> {
    suppressed: &'a [T],
    /// Linked to who is suppressed, and not suppressed.
    linked: &'a [T],
    known: &'a [T],
    suppressed_seen: usize,
    linked_seen: usize,
    known_seen: usize,
    /// True if the known entry at `known_seen` is a member.
    is_member: bool,
    gone: Vec<T>,
    counts: &'a mut Counts,
}

impl<'a, T: Ord + Copy> Algebra<'a, T> {
    fn new([suppressed, linked, known]: [&'a [T]; 3], counts: &'a mut Counts) -> Self {
        let gone = Vec::new();
        Self {
            suppressed,
            linked,
            known,
            suppressed_seen: 0,
            linked_seen: 0,
            known_seen: 0,
            is_member: false,
            gone,
            counts,
        }
    }

    /// True for a member that is to be written. Members come in ascending order, each once.
    fn admits(&mut self, member: &T) -> bool {
        let is_suppressed = holds(self.suppressed, &mut self.suppressed_seen, member);
        let is_linked = holds(self.linked, &mut self.linked_seen, member);
        let is_held_back = is_suppressed || is_linked;
        while self.known.get(self.known_seen).is_some_and(|known| known < member) {
            self.pass_known();
        }
        let is_known = self.known.get(self.known_seen) == Some(member);
        self.is_member |= is_known;
        self.counts.suppressed += u64::from(is_suppressed);
        self.counts.linked += u64::from(is_linked);
        self.counts.known += u64::from(is_known && !is_held_back);
        !is_held_back && !is_known
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
        let must_go: Vec<T> = if self.linked.is_empty() {
            self.suppressed.iter().filter(is_there).copied().collect()
        } else {
            let mut held_back = [self.suppressed, self.linked].concat();
            held_back.sort_unstable();
            held_back.iter().filter(is_there).copied().collect()
        };
        self.counts.gone = self.gone.len() as u64;
        self.counts.must_go = must_go.len() as u64;
        (self.gone, must_go)
    }
}

/// Adds those of `unconfirmed` who are in none of the other sets to who is gone. All are sorted, and stay so.
fn add_unconfirmed<T: Ord + Copy>(gone: &mut Vec<T>, unconfirmed: &[T], others: [&[T]; 4]) {
    let mut seen = [0; 4];
    let mut is_elsewhere =
        |entry: &T| others.into_iter().zip(&mut seen).any(|(set, seen)| holds(set, seen, entry));
    gone.extend(unconfirmed.iter().filter(|entry| !is_elsewhere(entry)));
    gone.sort_unstable();
}

/// Counts the entries that two sorted sets share.
fn common<T: Ord>(set: &[T], other: &[T]) -> u64 {
    let (large, small) = if set.len() < other.len() { (other, set) } else { (set, other) };
    // A list is often far smaller than what it is held against.
    let found = if large.len() / SEARCH_FACTOR > small.len() {
        small.iter().filter(|entry| large.binary_search(entry).is_ok()).count()
    } else {
        let mut seen = 0;
        small.iter().filter(|entry| holds(large, &mut seen, entry)).count()
    };
    found as u64
}

/// True if a sorted set holds an entry; `seen` moves on to where it is or would be.
fn holds<T: Ord>(set: &[T], seen: &mut usize, entry: &T) -> bool {
    while set.get(*seen).is_some_and(|other| other < entry) {
        *seen += 1;
    }
    set.get(*seen) == Some(entry)
}
