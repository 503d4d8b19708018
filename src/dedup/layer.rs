//! Which entries are kept apart from others of their partition.

use crate::limits::LISTS_MAX;
use crate::role::Role;

/// Entries that are kept apart: those of a role, and of the suppressed ones those of each list, so that it is known how
/// many of a list are members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer(u8);

impl Layer {
    /// How many there can be.
    pub(super) const COUNT: usize = Role::ALL.len() + LISTS_MAX;

    /// The entries of a role; of the suppressed ones those of the first list.
    pub fn of(role: Role) -> Self {
        match role {
            Role::Suppressed => Self::of_list(0),
            other => Self::numbered(other as usize),
        }
    }

    /// The suppressed entries of a list, counted from 0.
    ///
    /// # Panics
    ///
    /// If there cannot be so many lists.
    pub fn of_list(list: usize) -> Self {
        assert!(list < LISTS_MAX, "lists beyond the bound share the last number");
        Self::numbered(Role::ALL.len() + list)
    }

    fn numbered(index: usize) -> Self {
        Self(u8::try_from(index).expect("there are few layers"))
    }

    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The number of its list, if it is one's.
    pub(super) fn list(self) -> Option<usize> {
        self.index().checked_sub(Role::ALL.len())
    }
}

const _: () = assert!(Layer::COUNT <= 256, "a layer's number is a byte");
