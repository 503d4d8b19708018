//! Buffers that are used again: asking the system for it anew costs as much as sorting what goes into it.

use std::sync::Mutex;

use crate::mutex;

/// A pool of buffers that nobody uses at the moment.
#[derive(Debug)]
pub(crate) struct Buffers<T>(Mutex<Vec<T>>);

impl<T> Default for Buffers<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Default> Buffers<T> {
    /// Takes a buffer, with whatever is in it.
    pub(crate) fn take(&self) -> T {
        mutex::lock(&self.0).pop().unwrap_or_default()
    }

    /// Gives a buffer back.
    pub(crate) fn give(&self, buffer: T) {
        mutex::lock(&self.0).push(buffer);
    }
}
