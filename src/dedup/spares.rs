//! Memory that was used and will be used again: asking the system for it anew costs as much as sorting what goes into it.

use std::sync::{Mutex, PoisonError};

/// Vectors that nobody uses at the moment.
#[derive(Debug)]
pub(crate) struct Spares<T>(Mutex<Vec<Vec<T>>>);

impl<T> Default for Spares<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Spares<T> {
    /// A vector with whatever is in it.
    pub(crate) fn take(&self) -> Vec<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Takes a vector back.
    pub(crate) fn give(&self, spare: Vec<T>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(spare);
    }
}
