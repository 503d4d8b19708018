//! Ranges of digests.

/// Digests whose leading `bits` bits are `value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Number of leading bits.
    pub bits: u32,
    /// Their value.
    pub value: u64,
}

impl Range {
    pub(super) fn holds(self, key: u64) -> bool {
        self.bits == 0 || key >> (64 - self.bits) == self.value
    }

    /// The range cut into `2^more` ranges by the next bits, in digest order.
    pub fn split(self, more: u32) -> impl Iterator<Item = Self> {
        (0..1_u64 << more)
            .map(move |low| Self { bits: self.bits + more, value: self.value << more | low })
    }
}
