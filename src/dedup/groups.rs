//! Rows in groups: two that share an identifier, be it over others, are in one (a union-find).
//!
//! All workers join rows at once, without a lock. A row is joined to one of a smaller number, and never to another one
//! afterwards unless that is a row of the same group, so that there is no circle; and since every link of a row leads to a
//! smaller number, which rows are in the group of row 0 is found in one walk in ascending order.

use std::sync::atomic::{AtomicU32, Ordering};

/// For each row another one of its group of a smaller number, or itself.
#[derive(Debug)]
pub(super) struct Groups(Vec<AtomicU32>);

impl Groups {
    /// Bytes of memory that so many rows take.
    pub(super) fn bytes(rows: u32) -> u64 {
        (u64::from(rows) + 1) * 4
    }

    /// Rows from 0 to `rows`, each alone.
    pub(super) fn new(rows: u32) -> Self {
        Self((0..=rows).map(AtomicU32::new).collect())
    }

    /// Puts two rows, and with them their groups, into one.
    pub(super) fn join(&self, one: u32, other: u32) {
        let (mut one, mut other) = (one, other);
        loop {
            (one, other) = (self.first(one), self.first(other));
            let (low, high) = (one.min(other), one.max(other));
            if low == high || self.replace(high, high, low) {
                return;
            }
        }
    }

    /// The row that stands for a row's group just now.
    fn first(&self, row: u32) -> u32 {
        let mut row = row;
        loop {
            let next = self.next(row);
            let beyond = self.next(next);
            if next == beyond {
                return next;
            }
            // Ways become shorter with each walk. If somebody else did that before, so much the better.
            self.replace(row, next, beyond);
            row = beyond;
        }
    }

    fn next(&self, row: u32) -> u32 {
        self.0[row as usize].load(Ordering::Relaxed)
    }

    fn replace(&self, row: u32, from: u32, to: u32) -> bool {
        let place = &self.0[row as usize];
        place.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Calls `each` with the rows in the group of row 0 beside it, in ascending order.
    pub(super) fn for_each_of_first(self, mut each: impl FnMut(u32)) {
        let mut next: Vec<u32> = self.0.into_iter().map(AtomicU32::into_inner).collect();
        for row in 1..next.len() {
            // Those before it lead straight to the first row of their group.
            let first = next[next[row] as usize];
            next[row] = first;
            if first == 0 {
                each(u32::try_from(row).expect("rows are numbered in 32 bits"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Rows of the first group, by walking until nothing is new.
    fn naive(rows: u32, pairs: &[(u32, u32)]) -> Vec<u32> {
        let mut found = vec![false; rows as usize + 1];
        found[0] = true;
        loop {
            let before = found.clone();
            for (one, other) in pairs {
                let either = found[*one as usize] | found[*other as usize];
                (found[*one as usize], found[*other as usize]) = (either, either);
            }
            if before == found {
                return (1..=rows).filter(|row| found[*row as usize]).collect();
            }
        }
    }

    proptest! {
        #[test]
        fn rows_are_joined_in_any_order_and_at_once(
            pairs in proptest::collection::vec((0_u32..=60, 0_u32..=60), 0..80),
        ) {
            let groups = Groups::new(60);
            std::thread::scope(|scope| {
                for part in pairs.chunks(20) {
                    scope.spawn(|| part.iter().for_each(|(one, other)| groups.join(*one, *other)));
                }
            });
            let mut found = Vec::new();
            groups.for_each_of_first(|row| found.push(row));
            prop_assert_eq!(found, naive(60, &pairs));
        }
    }
}
