//! Memory that was used and will be used again: asking the system for it anew costs as much as sorting what goes into it.

use std::sync::{Mutex, PoisonError};

/// Values that nobody uses at the moment, for the sake of the memory that they hold.
#[derive(Debug)]
pub(crate) struct Spares<T>(Mutex<Vec<T>>);

impl<T> Default for Spares<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Default> Spares<T> {
    /// A value with whatever is in it.
    pub(crate) fn take(&self) -> T {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Takes a value back.
    pub(crate) fn give(&self, spare: T) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(spare);
    }
}
