//! Locks on files: who holds one is alive, since the system releases it with the process.
//!
//! Some network file systems have no locks. What is only tidied up under a lock is then left alone ([`NoLocks`]); what
//! must not run twice is refused ([`FileLock`]).
//!
//! [`NoLocks`]: Attempt::NoLocks

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use super::private;
use crate::error::{Error, Result};

/// Number of tries for a lock that somebody has. [`FileLock::is_held`] takes one for a moment to see whether it is free.
const ATTEMPTS: u32 = 5;

/// The wait between two tries.
const WAIT: Duration = Duration::from_millis(20);

/// Outcome of one try for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// It is held as long as the handle, or a copy of it, is open.
    Locked,
    /// Somebody else holds it.
    Taken,
    /// The file system has none.
    NoLocks,
}

/// Tries once for the lock on an open file or directory.
pub(crate) fn attempt(handle: &File) -> io::Result<Attempt> {
    outcome(handle.try_lock())
}

fn outcome(tried: std::result::Result<(), TryLockError>) -> io::Result<Attempt> {
    match tried {
        Ok(()) => Ok(Attempt::Locked),
        Err(TryLockError::WouldBlock) => Ok(Attempt::Taken),
        Err(TryLockError::Error(error)) if has_no_locks(&error) => Ok(Attempt::NoLocks),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// NFS says `ENOLCK` if nobody manages its locks, Lustre `ENOSYS`, which is `Unsupported`.
fn has_no_locks(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported || error.raw_os_error() == Some(libc::ENOLCK)
}

/// A lock file that excludes other processes until this is dropped.
#[derive(Debug)]
pub(crate) struct FileLock(File);

impl FileLock {
    /// Locks a file, which is made if it is not there; `None` if another process holds it.
    pub(crate) fn acquire(path: &Path) -> Result<Option<Self>> {
        let file = private::open_or_create(path)?;
        for attempt in 1..=ATTEMPTS {
            match self::attempt(&file).map_err(|error| Error::writing("lock", path, error))? {
                Attempt::Locked => return Ok(Some(Self(file))),
                Attempt::Taken if attempt < ATTEMPTS => std::thread::sleep(WAIT),
                Attempt::Taken => {}
                Attempt::NoLocks => return Err(refused(path)),
            }
        }
        Ok(None)
    }

    /// True if a process holds the lock on a file.
    pub(crate) fn is_held(path: &Path) -> bool {
        let file = OpenOptions::new().append(true).open(path);
        file.is_ok_and(|file| matches!(attempt(&file), Ok(Attempt::Taken)))
    }
}

impl Drop for FileLock {
    /// A child that this process is about to start has a copy of the handle for a moment, and the lock with it.
    fn drop(&mut self) {
        let _unlocked = self.0.unlock();
    }
}

fn refused(path: &Path) -> Error {
    Error::Output {
        path: path.to_owned(),
        message: "its file system has no locks, so nothing keeps two runs apart".to_owned(),
        hint: Some("keep the state directory on a local disk".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_has_one_holder_and_ends_with_it_whoever_has_a_copy() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("lock");
        assert!(!FileLock::is_held(&path), "nobody made it yet");
        let lock = FileLock::acquire(&path).expect("no error").expect("free");
        assert!(FileLock::is_held(&path));
        assert!(FileLock::acquire(&path).expect("no error").is_none());
        let _copy = lock.0.try_clone().expect("a copy, as a child has one");
        drop(lock);
        assert!(!FileLock::is_held(&path));
        assert!(FileLock::acquire(&path).expect("no error").is_some());
    }

    #[test]
    fn file_systems_without_locks_are_told_from_disks_that_fail() {
        let outcome = |code| outcome(Err(TryLockError::Error(io::Error::from_raw_os_error(code))));
        for code in [libc::ENOLCK, libc::ENOSYS, libc::EOPNOTSUPP] {
            assert_eq!(outcome(code).expect("no error"), Attempt::NoLocks, "{code}");
        }
        assert!(outcome(libc::EIO).is_err());
    }
}
