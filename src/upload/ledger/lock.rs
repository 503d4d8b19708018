//! One run at a time for each target.

use std::fs::{self, File, OpenOptions};
use std::path::PathBuf;
use std::time::Duration;

use super::{Ledger, Target};
use crate::disk::private;
use crate::error::{Error, Result};

/// How often a lock is tried that somebody has.
const LOCK_ATTEMPTS: u32 = 5;

/// The wait between two tries.
const LOCK_WAIT: Duration = Duration::from_millis(20);

/// Keeps others from uploading to the same target; the system releases it with the process.
#[derive(Debug)]
pub struct TargetLock {
    _file: File,
}

impl Ledger {
    /// Excludes other runs from a target. `None` if one has it.
    #[doc(hidden)]
    pub fn lock(&self, target: &Target) -> Result<Option<TargetLock>> {
        let path = self.lock_path(target.id);
        let file = private::open_or_create(&path)?;
        for _ in 1..LOCK_ATTEMPTS {
            if file.try_lock().is_ok() {
                return Ok(Some(TargetLock { _file: file }));
            }
            // `history` holds it for a moment to see whether somebody else does.
            std::thread::sleep(LOCK_WAIT);
        }
        match file.try_lock() {
            Ok(()) => Ok(Some(TargetLock { _file: file })),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(Error::writing("lock", &path, error)),
        }
    }

    /// Whether a run has the lock of a target.
    pub(super) fn is_locked(&self, target: i64) -> bool {
        let path = self.lock_path(target);
        let file = OpenOptions::new().append(true).open(path);
        file.is_ok_and(|file| matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)))
    }

    fn lock_path(&self, target: i64) -> PathBuf {
        self.dir.join(format!("target-{target}.lock"))
    }
}
