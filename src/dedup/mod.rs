//! Exact deduplication and set algebra in bounded memory.
//!
//! Entries are scattered into partitions by the leading bits of their digest while inputs are read ([`scatter`]).
//! Partition by partition, equal entries then meet, and roles decide ([`mod@resolve`]): upload = member − suppressed −
//! known. Who is held back because another identifier of their row opted out is found in between ([`persons`]).
//! What the memory budget does not hold goes to a spill file block by block and is read back with its partition
//! ([`spill`]). Entries come out in digest order, so that the result depends on the set of people alone.

mod aliases;
mod budget;
mod groups;
mod layer;
mod partitions;
mod persons;
mod range;
mod region;
mod resolve;
mod scatter;
mod sort;
mod spelling;
mod spill;
mod store;

use crate::hash::Digest;

pub use self::aliases::{find_listed, push_alias};
pub use self::budget::Budget;
pub use self::layer::Layer;
pub use self::partitions::Partitions;
pub use self::persons::{OPTED_OUT_ROW, Persons, link, row_of, set_row};
pub use self::range::Range;
pub use self::resolve::{Companions, OneAudience, Resolved, resolve};
pub use self::scatter::Scatter;
pub use self::spelling::{Merged, SpelledIn};
pub use self::store::Store;

/// Layout of entries in blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// 32 bytes each: the digest itself.
    Digest,
    /// A clear id: [`KEY_BYTES`] of its digest, its length in one byte, its bytes; or with its spelling
    /// ([`mod@spelling`]). The key orders and spreads; equality
    /// is decided by the bytes.
    Clear,
}

/// Bytes of a digest that order entries.
pub(crate) const KEY_BYTES: usize = 8;

/// Longest clear entry in bytes: key, length, 255 bytes of value, and its spelling.
pub(crate) const CLEAR_ENTRY_BYTES_MAX: usize = KEY_BYTES + 1 + 255 + spelling::SPELLING_BYTES;

/// Appends a clear id as an entry.
///
/// # Panics
///
/// If the id is longer than 255 bytes, which no rule accepts.
#[inline]
pub fn push_clear_entry(value: &[u8], digest: &Digest, entry: &mut Vec<u8>) {
    entry.extend_from_slice(&digest[..KEY_BYTES]);
    entry.push(u8::try_from(value.len()).expect("clear ids are at most 255 bytes long"));
    entry.extend_from_slice(value);
}

/// The leading 64 bits of an entry of either layout.
#[inline]
fn key_of(entry: &[u8]) -> u64 {
    let (key, _) = entry.split_first_chunk::<KEY_BYTES>().expect("an entry begins with its key");
    u64::from_be_bytes(*key)
}

/// The value of a clear entry at the beginning of `bytes`, and the entry's length.
#[inline]
fn clear_value(bytes: &[u8]) -> (&[u8], usize) {
    let len = usize::from(bytes[KEY_BYTES]);
    let (start, end) =
        if len > 0 { (KEY_BYTES + 1, KEY_BYTES + 1 + len) } else { spelling::place(bytes) };
    (&bytes[start..end], end)
}
