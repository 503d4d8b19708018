//! One run at a time: for each audience that is uploaded to, and for each job.

use std::path::PathBuf;

use super::{Store, Target};
use crate::disk::FileLock;
use crate::error::Result;

/// Keeps others from uploading to the same audience, or from running the same job; the system releases it with the
/// process.
#[derive(Debug)]
pub struct TargetLock(#[expect(dead_code, reason = "held, not looked at")] FileLock);

impl Store {
    /// Excludes other runs from an audience. `None` if one has it.
    #[doc(hidden)]
    pub fn lock(&self, target: &Target) -> Result<Option<TargetLock>> {
        Ok(FileLock::acquire(&self.lock_path(target.audience))?.map(TargetLock))
    }

    /// Excludes other runs of the job whose state directory this is. `None` if one has it.
    pub(crate) fn lock_job(&self) -> Result<Option<TargetLock>> {
        Ok(FileLock::acquire(&self.dir().join("lock"))?.map(TargetLock))
    }

    /// True if a run has the lock of an audience.
    pub(super) fn is_locked(&self, audience: i64) -> bool {
        FileLock::is_held(&self.lock_path(audience))
    }

    fn lock_path(&self, audience: i64) -> PathBuf {
        self.dir().join(format!("audience-{audience}.lock"))
    }
}
