//! The memory limit for entries, shared by all workers.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that may be held, and bytes that are.
#[derive(Debug)]
pub struct Budget {
    limit: u64,
    held: AtomicU64,
}

impl Budget {
    /// Nothing is held yet.
    pub fn new(limit: u64) -> Self {
        Self { limit, held: AtomicU64::new(0) }
    }

    /// Reserves bytes if they are within the limit.
    pub(super) fn try_reserve(&self, bytes: u64) -> bool {
        self.held
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
                held.checked_add(bytes).filter(|held| *held <= self.limit)
            })
            .is_ok()
    }

    /// Reserves bytes that a worker cannot do without; [`crate::prepare`] sees to it that these fit.
    pub(super) fn reserve(&self, bytes: u64) {
        self.held.fetch_add(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserves_up_to_the_limit_and_not_beyond() {
        let budget = Budget::new(10);
        assert!(budget.try_reserve(6) && !budget.try_reserve(5) && budget.try_reserve(4));
        assert!(!budget.try_reserve(1));
        assert!(!budget.try_reserve(u64::MAX));
    }
}
