//! One run at a time for each target.

use std::path::PathBuf;

use super::{Ledger, Target};
use crate::disk::FileLock;
use crate::error::Result;

/// Keeps others from uploading to the same target; the system releases it with the process.
#[derive(Debug)]
pub struct TargetLock {
    _lock: FileLock,
}

impl Ledger {
    /// Excludes other runs from a target. `None` if one has it.
    #[doc(hidden)]
    pub fn lock(&self, target: &Target) -> Result<Option<TargetLock>> {
        let lock = FileLock::acquire(&self.lock_path(target.id))?;
        Ok(lock.map(|lock| TargetLock { _lock: lock }))
    }

    /// True if a run has the lock of a target.
    pub(super) fn is_locked(&self, target: i64) -> bool {
        FileLock::is_held(&self.lock_path(target))
    }

    fn lock_path(&self, target: i64) -> PathBuf {
        self.dir.join(format!("target-{target}.lock"))
    }
}
