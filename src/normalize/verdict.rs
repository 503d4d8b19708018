//! What goes into a rule and what comes out: a value, the verdict on it, and the canonical forms of a batch.

use super::AssumedNumber;
use crate::hash::{Digest, Messages};
use crate::reason::Reason;

/// What a value became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum Verdict {
    /// Nothing there.
    Blank,
    /// Not in the audience, and why.
    Rejected(Reason),
    /// Canonical bytes were appended to the output.
    Raw(Note),
    /// The value is a digest already; nothing was appended.
    Prehashed(Digest),
    /// A whole domain that opted out: its name was appended to the output.
    Domain,
}

/// What is worth counting about an accepted raw value: any number of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub struct Note {
    flags: u8,
    /// The number that was taken as international, if one was.
    number: AssumedNumber,
}

impl Note {
    /// Nothing.
    pub const PLAIN: Self = Self::of(0);
    /// A phone number without prefix and country that was taken as international.
    pub const ASSUMED_INTERNATIONAL: Self = Self::of(1);
    /// A third-party id that lower-casing changed.
    pub const CASE_CHANGED: Self = Self::of(2);
    /// A spreadsheet's guard was taken off: a leading apostrophe, or `="..."`.
    pub const UNGUARDED: Self = Self::of(4);
    /// The `.0` of a float export was dropped.
    pub const FLOAT: Self = Self::of(8);

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        let number = if self.has(Self::ASSUMED_INTERNATIONAL) { self.number } else { other.number };
        Self { flags: self.flags | other.flags, number }
    }

    /// True if all that `other` says is said here.
    pub const fn has(self, other: Self) -> bool {
        self.flags & other.flags == other.flags
    }

    const fn of(flags: u8) -> Self {
        Self { flags, number: AssumedNumber::NONE }
    }

    /// Says which number was taken as international.
    pub(super) const fn assumed(number: AssumedNumber) -> Self {
        Self { number, ..Self::ASSUMED_INTERNATIONAL }
    }

    /// The number that was taken as international, if one was.
    #[inline]
    pub fn assumed_number(self) -> Option<AssumedNumber> {
        self.has(Self::ASSUMED_INTERNATIONAL).then_some(self.number)
    }
}

/// The canonical forms of a batch: raw ones, ready to be hashed, and digests that came as such.
#[derive(Debug, Default)]
#[doc(hidden)]
pub struct Canonical {
    /// The raw values, in order.
    pub messages: Messages,
    /// Digests that were passed on.
    pub digests: Vec<Digest>,
    /// Domains that opted out, each with a line end behind it.
    pub domains: Vec<u8>,
    /// True if it is remembered how ids were spelled that lower-casing changed.
    pub keeps_originals: bool,
    /// For raw values that lower-casing changed, by their place: what tells their spelling from others; never 0.
    pub originals: Vec<(usize, u64)>,
    /// Where a rule puts its result.
    pub(super) value: Vec<u8>,
}

impl Canonical {
    /// Forgets the batch, keeps the memory.
    pub fn clear(&mut self) {
        self.messages.clear();
        self.originals.clear();
        self.digests.clear();
        self.domains.clear();
    }
}

/// One value of a record, with what else of the record its rule may need.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct Value<'a> {
    /// The bytes of the value, or why its record has none that can be relied on.
    pub bytes: Result<&'a [u8], Reason>,
    /// The row's country, if there is a country column.
    pub country: Option<&'a [u8]>,
}
