//! Values by other digests: an opt-out list of MD5 or SHA-1 digests is held against those of the members' values.
//!
//! Both are clear entries of a store of its own, of which the key is the beginning of the older digest. The value of a
//! member's goes on with the rest of that digest, and ends with the member's own; that of a list is the rest alone:
//!
//! ```text
//! 8 (key)   1 (length)   8 or 12 (the rest of the digest)   32 (the entry's own digest, members only)
//! ```

use std::collections::{BTreeSet, HashMap};

use super::{KEY_BYTES, Layer, Partitions, Range, clear_value, key_of};
use crate::error::Result;
use crate::hash::Digest;
use crate::role::Role;

/// Memory that a digest of a list takes, in bytes.
const LISTED_BYTES: u64 = 160;

/// So many digests of lists are held whatever the limit is.
const LISTED_MIN: usize = 16;

/// More bits by which a range is split that has too many of them.
const SPLIT_BITS: u32 = 4;

/// Beyond this many leading bits a range is taken as it is.
const RANGE_BITS_MAX: u32 = 60;

/// Appends an older digest as an entry, of a member's value with its own digest.
pub fn push_alias(alias: &[u8], own: Option<&Digest>, entries: &mut Vec<u8>) {
    let own = own.map_or(&[][..], |own| own);
    let (key, rest) = alias.split_at(KEY_BYTES);
    entries.extend_from_slice(key);
    entries.push(u8::try_from(rest.len() + own.len()).expect("44 bytes at most"));
    entries.extend_from_slice(rest);
    entries.extend_from_slice(own);
}

/// Tells of the members in a range whose older digests, of so many bytes, stand in a list: the list and the member's own
/// digest, holding at most `limit` bytes.
pub fn find_listed(
    aliases: &Partitions,
    range: Range,
    alias_bytes: usize,
    limit: u64,
    on_listed: &mut impl FnMut(usize, &Digest) -> Result<()>,
) -> Result<()> {
    let mut listed: HashMap<(u64, Vec<u8>), BTreeSet<usize>> = HashMap::new();
    let mut is_over = false;
    for list in 0..aliases.lists() {
        for_each(aliases, range, Layer::of_list(list), |key, value| {
            if !is_over {
                listed.entry((key, value.to_vec())).or_default().insert(list);
                let bytes = listed.len() as u64 * LISTED_BYTES;
                is_over = listed.len() > LISTED_MIN && bytes > limit && range.bits < RANGE_BITS_MAX;
            }
            Ok(())
        })?;
    }
    if is_over {
        drop(listed);
        return range
            .split(SPLIT_BITS)
            .try_for_each(|piece| find_listed(aliases, piece, alias_bytes, limit, on_listed));
    }
    if listed.is_empty() {
        return Ok(());
    }
    let mut wanted = (0, Vec::new());
    for_each(aliases, range, Layer::of(Role::Member), |key, value| {
        let (rest, own) = value.split_at(alias_bytes - KEY_BYTES);
        wanted.0 = key;
        wanted.1.clear();
        wanted.1.extend_from_slice(rest);
        let lists = listed.get(&wanted).into_iter().flatten();
        let own = own.first_chunk().expect("a member's entry ends with its own digest");
        for list in lists {
            on_listed(*list, own)?;
        }
        Ok(())
    })
}

fn for_each(
    aliases: &Partitions,
    range: Range,
    layer: Layer,
    mut on_entry: impl FnMut(u64, &[u8]) -> Result<()>,
) -> Result<()> {
    aliases.for_each_block(range, layer, &mut Vec::new(), |mut block| {
        while !block.is_empty() {
            let (value, len) = clear_value(block);
            if range.holds(key_of(block)) {
                on_entry(key_of(block), value)?;
            }
            block = &block[len..];
        }
        Ok(())
    })
}
