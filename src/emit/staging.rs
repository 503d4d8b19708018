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

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};

use super::MANIFEST_FILE;
use crate::error::{Error, Result};

/// How often to try for a hidden directory that another run takes for a left-over just before it is locked.
const LOCK_ATTEMPTS: u32 = 8;

/// A directory that is written before it is published.
#[derive(Debug)]
pub struct Staging {
    target: PathBuf,
    hidden: PathBuf,
    /// The lock on `hidden`, and the handle that it is synced by.
    handle: File,
    overwrite: bool,
    is_published: bool,
}

impl Staging {
    /// Checks that the target can be written, removes left-overs of killed runs, and makes the hidden directory.
    pub fn begin(target: &Path, overwrite: bool) -> Result<Self> {
        let (parent, name) = split(target)?;
        fs::create_dir_all(&parent).map_err(|e| Error::writing("create", &parent, e))?;
        check_target(target, overwrite)?;
        let prefix = hidden_prefix(&name);
        remove_leftovers(&parent, &prefix);
        for _ in 0..LOCK_ATTEMPTS {
            let hidden = parent.join(hidden_name(&prefix));
            let made = fs::DirBuilder::new().mode(0o700).create(&hidden);
            made.map_err(|e| Error::writing("create", &hidden, e))?;
            let handle = File::open(&hidden).map_err(|e| Error::writing("open", &hidden, e))?;
            if handle.try_lock().is_ok() && is_same(&handle, &hidden) {
                let target = target.to_owned();
                return Ok(Self { target, hidden, handle, overwrite, is_published: false });
            }
        }
        Err(Error::Internal("no hidden directory could be locked"))
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        &self.hidden
    }

    /// Puts the directory into place. Its files are synced already.
    pub fn publish(mut self) -> Result<()> {
        self.handle.sync_all().map_err(|e| Error::writing("sync", &self.hidden, e))?;
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
        let (parent, _) = split(&self.target)?;
        File::open(&parent)
            .and_then(|parent| parent.sync_all())
            .map_err(|e| Error::writing("sync", &parent, e))?;
        // The new result is durable now; the earlier one, if there was one, is in the hidden directory.
        remove(&self.hidden);
        self.is_published = true;
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.is_published {
            remove(&self.hidden);
        }
    }
}

/// Creates a file that only its owner can read, and that must not exist yet.
pub(super) fn create_file(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| Error::writing("create", path, error))
}

/// Folder and name of a path to be written.
pub(super) fn split(path: &Path) -> Result<(PathBuf, OsString)> {
    let name = path.file_name().ok_or_else(|| {
        Error::usage(
            format!("{} has no name of its own", crate::error::Quoted(path)),
            "give a directory that throng may create, for example -o audience",
        )
    })?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    Ok((parent.unwrap_or(Path::new(".")).to_owned(), name.to_owned()))
}

/// Refuses a file that is to be replaced and is none: a rename would put a file in the place of a device, for root even
/// of `/dev/null`.
pub(super) fn check_replaceable(path: &Path) -> Result<()> {
    match fs::metadata(path) {
        Ok(meta) if !meta.is_file() => Err(Error::Output {
            path: path.to_owned(),
            message: "it exists and is not a regular file".to_owned(),
            hint: Some("leave it out, or give the name of a file".to_owned()),
        }),
        _ => Ok(()),
    }
}

/// What the names of hidden files and directories for `name` begin with.
pub(super) fn hidden_prefix(name: &OsString) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".throng-");
    prefix
}

fn hidden_name(prefix: &OsString) -> OsString {
    use std::hash::{BuildHasher, Hasher};
    // The standard library's only source of randomness; it need not be unpredictable, `create` fails if it exists.
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    let mut name = prefix.clone();
    name.push(format!("{}-{random:016x}", std::process::id()));
    name
}

/// Removes what killed runs left: hidden siblings that nobody holds a lock on. What cannot be removed stays; it is not
/// worth failing for.
pub(super) fn remove_leftovers(parent: &Path, prefix: &OsString) {
    let Ok(siblings) = fs::read_dir(parent) else { return };
    for sibling in siblings.flatten() {
        let is_ours = sibling.file_name().as_encoded_bytes().starts_with(prefix.as_encoded_bytes());
        let path = sibling.path();
        if is_ours && File::open(&path).is_ok_and(|handle| handle.try_lock().is_ok()) {
            remove(&path);
        }
    }
}

fn remove(path: &Path) {
    let is_dir = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir());
    // What cannot be removed now is a left-over for the next run.
    let _removed = if is_dir { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}

fn is_same(handle: &File, path: &Path) -> bool {
    matches!(
        (handle.metadata(), fs::metadata(path)),
        (Ok(open), Ok(named)) if (open.dev(), open.ino()) == (named.dev(), named.ino())
    )
}

/// Refuses a target that would destroy something, before any work is done.
fn check_target(target: &Path, overwrite: bool) -> Result<()> {
    let Ok(meta) = fs::symlink_metadata(target) else { return Ok(()) };
    if !meta.is_dir() {
        return Err(Error::Output {
            path: target.to_owned(),
            message: "it exists and is not a directory".to_owned(),
            hint: Some("give another one with -o".to_owned()),
        });
    }
    let mut entries = fs::read_dir(target).map_err(|e| Error::writing("read", target, e))?;
    if entries.next().is_none() {
        return Ok(());
    }
    if !overwrite {
        return Err(occupied(target));
    }
    if !target.join(MANIFEST_FILE).exists() {
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
