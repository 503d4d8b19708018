//! Spellings of clear ids, so that it is noticed if two that lower-casing makes one stand in one input.
//!
//! Only ids that lower-casing changed carry how they were spelled, and only where several inputs are read do others with
//! letters carry from which they are: ids without letters cost nothing.
//!
//! ```text
//! +------------+---+-----------+-------------+---------------------+----+
//! | key: 8     | 0 | length: 1 | source: 2   | original: 8, if any | id |
//! +------------+---+-----------+-------------+---------------------+----+
//! ```
//!
//! No id is empty, so a length of 0 is told from one of an entry that carries nothing. Numbers are little-endian.

use super::KEY_BYTES;
use crate::hash::Digest;

/// The bit of a source's number that says that the original spelling follows.
const HAS_ORIGINAL: u16 = 1 << 15;

/// Most bytes that an entry has more than one that carries nothing.
pub(super) const SPELLING_BYTES: usize = 1 + 2 + 8;

/// Ids that lower-casing made the same as others of their input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// How many.
    pub ids: u64,
    /// The first input that has such: 0 if there is only one, else counted from 1.
    pub source: u16,
}

impl Merged {
    /// Adds those of another range.
    pub fn add(&mut self, other: Self) {
        if self.ids == 0 || other.ids > 0 && other.source < self.source {
            self.source = other.source;
        }
        self.ids += other.ids;
    }
}

/// The input of a clear id, for comparing spellings within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpelledIn(u16);

impl SpelledIn {
    /// The only input.
    pub const ALONE: Self = Self(0);

    /// One of several inputs, counted from 0; `None` for one beyond the bound, within which nothing is compared.
    pub fn one_of_several(number: usize) -> Option<Self> {
        let number = u16::try_from(number + 1).ok()?;
        (number < HAS_ORIGINAL).then_some(Self(number))
    }

    /// Appends an id as an entry. `original` tells its spelling from others that lower-casing makes the same; 0 if it was
    /// spelled as it is.
    #[inline]
    pub fn push_entry(self, value: &[u8], original: u64, digest: &Digest, entry: &mut Vec<u8>) {
        let is_told = self != Self::ALONE && !value.iter().all(u8::is_ascii_digit);
        if original == 0 && !is_told {
            return super::push_clear_entry(value, digest, entry);
        }
        entry.extend_from_slice(&digest[..KEY_BYTES]);
        entry.push(0);
        entry.push(u8::try_from(value.len()).expect("clear ids are at most 255 bytes long"));
        let flag = if original == 0 { 0 } else { HAS_ORIGINAL };
        entry.extend_from_slice(&(self.0 | flag).to_le_bytes());
        if original != 0 {
            entry.extend_from_slice(&original.to_le_bytes());
        }
        entry.extend_from_slice(value);
    }
}

/// Begin and end of the value of an entry whose length is 0.
#[cold]
pub(super) fn place(entry: &[u8]) -> (usize, usize) {
    let len = usize::from(entry[KEY_BYTES + 1]);
    let has_original = source_and_flag(entry) & HAS_ORIGINAL != 0;
    let start = KEY_BYTES + 2 + 2 + if has_original { 8 } else { 0 };
    (start, start + len)
}

/// The source of an entry and its original spelling, both 0 if it carries nothing.
#[inline]
pub(super) fn of(entry: &[u8]) -> (u16, u64) {
    if entry[KEY_BYTES] != 0 {
        return (0, 0);
    }
    let flagged = source_and_flag(entry);
    let original = if flagged & HAS_ORIGINAL == 0 {
        0
    } else {
        let bytes = entry[KEY_BYTES + 4..].first_chunk().expect("an original has 8 bytes");
        u64::from_le_bytes(*bytes)
    };
    (flagged & !HAS_ORIGINAL, original)
}

fn source_and_flag(entry: &[u8]) -> u16 {
    u16::from_le_bytes([entry[KEY_BYTES + 2], entry[KEY_BYTES + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dedup::clear_value;

    #[test]
    fn entries_give_back_what_was_put_in() {
        let digest = [7; 32];
        let other = SpelledIn::one_of_several(4).expect("is within the bound");
        assert_eq!(SpelledIn::one_of_several(usize::from(HAS_ORIGINAL)), None);
        for (source, value, original, expected) in [
            (SpelledIn::ALONE, &b"abc"[..], 0, (0, 0)),
            (SpelledIn::ALONE, b"abc", 5, (0, 5)),
            (other, b"abc", 0, (5, 0)),
            (other, b"123", 0, (0, 0)),
            (other, &[b'x'; 255], u64::MAX, (5, u64::MAX)),
        ] {
            let mut entry = Vec::new();
            source.push_entry(value, original, &digest, &mut entry);
            let len = entry.len();
            assert!(len <= KEY_BYTES + 1 + value.len() + SPELLING_BYTES);
            entry.extend_from_slice(b"behind");
            assert_eq!(clear_value(&entry), (value, len));
            assert_eq!(of(&entry), expected);
        }
    }
}
