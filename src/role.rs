//! Roles of entries: the words of the set algebra.

/// Role that an input gives to its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Wants to be in the audience.
    Member,
    /// Must not be in it.
    Suppressed,
    /// Is in it already.
    Known,
    /// May be in it: it was sent, and no answer came. It counts for who must go, and for nothing else.
    Unconfirmed,
}

impl Role {
    /// True for what an earlier run has written.
    pub const fn is_earlier(self) -> bool {
        matches!(self, Self::Known | Self::Unconfirmed)
    }

    /// Every role, in the order of the enum.
    pub const ALL: [Self; 4] = [Self::Member, Self::Suppressed, Self::Known, Self::Unconfirmed];
}
