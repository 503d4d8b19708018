//! An output directory is complete or absent.
//!
//! Everything is written into a hidden sibling of the output directory, synced, and renamed into place as a whole; an
//! earlier result that is to be replaced is exchanged with it in one step of the file system and removed afterwards.
//! What can happen at each point:
//!
//! | killed | found afterwards | the next run |
//! |---|---|---|
//! | while writing | the earlier result or nothing, and the hidden directory | removes the hidden directory |
//! | before or after the rename | the earlier result or the new one, complete | the same |
//! | after the exchange | the new result, and the earlier one in the hidden directory | removes the hidden directory |
//!
//! A hidden directory of a run that is still going on is told by its lock, which the system releases with the process.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};

use super::hidden::{self, remove, split};
use super::{private, sync_dir};
use crate::error::{Error, Result};

/// The file without which a directory is no result of throng, and is not replaced.
pub const MANIFEST_FILE: &str = "manifest.json";

/// A directory that is written before it is published.
#[derive(Debug)]
pub struct Staging {
    target: PathBuf,
    hidden: PathBuf,
    /// The lock on `hidden`, until that is removed.
    lock: Option<File>,
    overwrite: bool,
    is_published: bool,
}

impl Staging {
    /// Checks that the target can be written, removes left-overs of killed runs, and makes the hidden directory.
    pub fn begin(target: &Path, overwrite: bool) -> Result<Self> {
        // Without a slash at its end, which would lead through a symbolic link.
        let target: PathBuf = target.components().collect();
        make_dirs(&split(&target)?.0)?;
        check_target(&target, overwrite)?;
        let (hidden, lock) = hidden::dir(&target)?;
        Ok(Self { target, hidden, lock: Some(lock), overwrite, is_published: false })
    }

    /// The directory to write to.
    pub fn path(&self) -> &Path {
        &self.hidden
    }

    /// An error about a file in it, which is called as it would have been called in its place.
    pub fn named(&self, error: Error) -> Error {
        let Error::Io { operation, path, side, source } = error else { return error };
        let path = match path.strip_prefix(&self.hidden) {
            Ok(within) => self.target.join(within),
            Err(_) => path,
        };
        Error::Io { operation, path, side, source }
    }

    /// Puts the directory into place. Its files are synced already.
    pub fn publish(mut self) -> Result<()> {
        sync_dir(&self.hidden)?;
        // A rename replaces an empty directory, and nothing else.
        match fs::rename(&self.hidden, &self.target) {
            Ok(()) => {}
            Err(error) if self.overwrite && is_occupied(&error) => {
                exchange(&self.hidden, &self.target)
                    .map_err(|e| Error::writing("replace", &self.target, e))?;
            }
            Err(error) if is_occupied(&error) => return Err(occupied(&self.target)),
            Err(error) => return Err(Error::writing("publish", &self.target, error)),
        }
        // From here on the hidden directory, if there is one, is the earlier result. It stays until the new one is durable.
        self.is_published = true;
        sync_dir(&split(&self.target)?.0)?;
        self.lock = None;
        remove(&self.hidden);
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.is_published {
            // At the limit of open files, removing a directory needs the place of this one.
            self.lock = None;
            remove(&self.hidden);
        }
    }
}

/// Makes the directories that are not there yet, durably, and for their owner alone: who can write to one could put
/// another result into place.
fn make_dirs(dir: &Path) -> Result<()> {
    let missing: Vec<&Path> = dir.ancestors().take_while(|dir| is_missing(dir)).collect();
    private::create_dirs(dir).map_err(|e| Error::writing("create", dir, e))?;
    missing.into_iter().rev().try_for_each(|dir| sync_dir(&split(dir)?.0))
}

fn is_missing(dir: &Path) -> bool {
    !dir.as_os_str().is_empty() && !dir.exists()
}

/// Refuses a target that would destroy something, before any work is done.
fn check_target(target: &Path, overwrite: bool) -> Result<()> {
    let meta = match fs::symlink_metadata(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        meta => meta.map_err(|e| Error::writing("look at", target, e))?,
    };
    if !meta.is_dir() {
        let (message, hint) = if meta.is_symlink() {
            ("it is a symbolic link", "give the directory that it leads to with -o")
        } else {
            ("it exists and is not a directory", "give another one with -o")
        };
        return Err(Error::Output {
            path: target.to_owned(),
            message: message.to_owned(),
            hint: Some(hint.to_owned()),
        });
    }
    let mut entries = fs::read_dir(target).map_err(|e| Error::writing("read", target, e))?;
    if entries.next().is_none() {
        return Ok(());
    }
    if !overwrite {
        return Err(occupied(target));
    }
    let manifest = target.join(MANIFEST_FILE);
    if !manifest.try_exists().map_err(|e| Error::writing("look at", &manifest, e))? {
        return Err(Error::Output {
            path: target.to_owned(),
            message: format!(
                "it is not empty and has no {MANIFEST_FILE}: --overwrite replaces results of throng only"
            ),
            hint: Some("give another directory with -o".to_owned()),
        });
    }
    Ok(())
}

fn occupied(target: &Path) -> Error {
    Error::Output {
        path: target.to_owned(),
        message: "it exists and is not empty".to_owned(),
        hint: Some("replace it with --overwrite, or give another directory with -o".to_owned()),
    }
}

fn is_occupied(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists)
}

/// Exchanges two directories in one step; where the file system cannot, in two, between which the target is absent.
fn exchange(new: &Path, target: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, new, CWD, target, RenameFlags::EXCHANGE) {
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            let mut old = new.as_os_str().to_owned();
            old.push("-old");
            let old = PathBuf::from(old);
            fs::rename(target, &old)?;
            if let Err(error) = fs::rename(new, target) {
                fs::rename(&old, target)?;
                return Err(error);
            }
            fs::rename(&old, new)
        }
        exchanged => Ok(exchanged?),
    }
}

#[cfg(test)]
mod tests {
    use super::super::create_file;
    use super::*;

    fn write(staging: &Staging, name: &str) {
        create_file(&staging.path().join(name)).expect("creates");
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir)
            .expect("reads")
            .map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn publishes_as_a_whole_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let target = dir.path().join("out");
        let staging = Staging::begin(&target, false).expect("begins");
        write(&staging, "a");
        assert!(!target.exists());
        staging.publish().expect("publishes");
        assert_eq!(names(&target), ["a"]);
        assert_eq!(names(dir.path()), ["out"]);
    }

    #[test]
    fn overwrite_replaces_results_of_throng_only() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let target = dir.path().join("out");
        fs::create_dir(&target).expect("creates");
        fs::write(target.join("precious"), "x").expect("writes");
        assert!(Staging::begin(&target, false).is_err());
        assert!(Staging::begin(&target, true).is_err());
        fs::write(target.join(MANIFEST_FILE), "{}").expect("writes");
        assert!(Staging::begin(&target, false).is_err());
        let staging = Staging::begin(&target, true).expect("begins");
        write(&staging, "new");
        assert_eq!(names(&target), [MANIFEST_FILE, "precious"]);
        staging.publish().expect("publishes");
        assert_eq!(names(&target), ["new"]);
        assert_eq!(names(dir.path()), ["out"]);
    }

    #[test]
    fn leftovers_are_removed_and_running_ones_are_not() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let target = dir.path().join("out");
        let running = Staging::begin(&target, false).expect("begins");
        fs::create_dir(dir.path().join(".out.throng-1-dead")).expect("creates");
        fs::create_dir(dir.path().join(".other.throng-1-dead")).expect("creates");
        let second = Staging::begin(&target, false).expect("begins");
        assert_eq!(names(dir.path()).len(), 3);
        assert!(running.path().exists());
        second.publish().expect("publishes");
        write(&running, "a");
        assert!(running.publish().is_err() || names(&target) == ["a"]);
        assert_eq!(names(dir.path()), [".other.throng-1-dead", "out"]);
    }
}
