//! Hidden files and directories, in which everything is written before it gets its name.
//!
//! They lie beside their place, so that a rename moves them there in one step. What a killed run leaves is removed by
//! the next one that writes to the same place; a run that is still going on is told by its lock, which the system
//! releases with the process.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::lock::{self, Attempt};
use super::private::DIR_MODE;
use super::sync_dir;
use crate::error::{Error, Result};

/// Number of tries for a hidden file or directory that another run takes for a left-over just before it is locked.
const LOCK_ATTEMPTS: u32 = 8;

/// A hidden directory for what is to be called `path`, for its owner alone, and the lock on it.
pub(super) fn dir(path: &Path) -> Result<(PathBuf, File)> {
    let (parent, name) = split(path)?;
    let prefix = prefix(&name);
    remove_leftovers(&parent, &prefix);
    for _ in 0..LOCK_ATTEMPTS {
        let hidden = parent.join(random_name(&prefix));
        let made = fs::DirBuilder::new().mode(DIR_MODE).create(&hidden);
        made.map_err(|e| Error::writing("create a directory in", &parent, e))?;
        match open_locked(&hidden) {
            Ok(Some(handle)) => return Ok((hidden, handle)),
            Ok(None) => remove(&hidden),
            Err(error) => {
                remove(&hidden);
                return Err(error);
            }
        }
    }
    Err(busy(&parent))
}

/// A file that is written before it gets its name; dropped, it is gone.
pub(crate) type HiddenFile = NamedTempFile;

/// A hidden file for what is to be called `path`, for its owner alone, and locked.
pub(crate) fn file(path: &Path) -> Result<HiddenFile> {
    let (parent, name) = split(path)?;
    check_replaceable(path)?;
    let prefix = prefix(&name);
    remove_leftovers(&parent, &prefix);
    for _ in 0..LOCK_ATTEMPTS {
        let file = tempfile::Builder::new().prefix(&prefix).tempfile_in(&parent);
        let file = file.map_err(|e| Error::writing("create", path, e))?;
        if lock(file.as_file(), file.path())? {
            return Ok(file);
        }
    }
    Err(busy(&parent))
}

/// Puts a hidden file into place, durably.
pub(crate) fn publish(file: HiddenFile, path: &Path) -> Result<()> {
    file.as_file().sync_all().map_err(|e| Error::writing("sync", path, e))?;
    file.persist(path).map_err(|e| Error::writing("publish", path, e.error))?;
    sync_dir(&split(path)?.0)
}

/// Folder and name of a path to be written.
pub(super) fn split(path: &Path) -> Result<(PathBuf, OsString)> {
    let name = path.file_name().ok_or_else(|| {
        Error::usage(
            format!("{} has no name of its own", crate::quote::Quoted(path)),
            "give a directory that throng may create, for example -o audience",
        )
    })?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    Ok((parent.unwrap_or(Path::new(".")).to_owned(), name.to_owned()))
}

/// Refuses a file that is to be replaced and is none: a rename would put a file in the place of a device, for root even
/// of `/dev/null`.
fn check_replaceable(path: &Path) -> Result<()> {
    match fs::metadata(path) {
        Ok(meta) if !meta.is_file() => Err(Error::Output {
            path: path.to_owned(),
            message: "it exists and is not a regular file".to_owned(),
            hint: Some("leave it out, or give the name of a file".to_owned()),
        }),
        _ => Ok(()),
    }
}

/// Prefix of the names of hidden files and directories for `name`.
fn prefix(name: &OsString) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".throng-");
    prefix
}

fn random_name(prefix: &OsString) -> OsString {
    use std::hash::{BuildHasher, Hasher};
    // The standard library's only source of randomness; it need not be unpredictable, `create` fails if it exists.
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    let mut name = prefix.clone();
    name.push(format!("{}-{random:016x}", std::process::id()));
    name
}

/// Removes what killed runs left: hidden siblings that nobody holds a lock on. What cannot be removed stays; it is not
/// worth failing for.
fn remove_leftovers(parent: &Path, prefix: &OsString) {
    let Ok(siblings) = fs::read_dir(parent) else { return };
    let is_shared = fs::metadata(parent)
        .is_ok_and(|meta| meta.mode() & 0o022 != 0 && meta.mode() & 0o1000 == 0);
    for sibling in siblings.flatten() {
        let is_ours = sibling.file_name().as_encoded_bytes().starts_with(prefix.as_encoded_bytes());
        let path = sibling.path();
        // Who can write to the directory could have put a link or a FIFO there.
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        if is_ours
            && let Ok(handle) = options.open(&path)
            && matches!(lock::attempt(&handle), Ok(Attempt::Locked))
            && (!is_shared || is_file_or_unfinished(&path))
        {
            // Still locked: who makes one of this name, and has not locked it yet, must see that it goes.
            remove(&path);
        }
    }
}

/// True for a left-over. Where others can rename what is not theirs, a directory of this name can be anything that
/// somebody wants to be rid of: it is a left-over only if it holds parts and lists, and is no finished result. Files
/// they could remove themselves.
fn is_file_or_unfinished(path: &Path) -> bool {
    let is_part = |name: &str| {
        let numbered = |end: &str| end.len() == 5 && end.bytes().all(|byte| byte.is_ascii_digit());
        let label = name.strip_suffix(".txt");
        label.and_then(|label| label.rsplit_once('-')).is_some_and(|(_, end)| numbered(end))
            || name.ends_with("-gone.txt")
            || name.ends_with("-must-go.txt")
    };
    let is_part = |entry: io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| {
            entry.file_type().is_ok_and(|kind| kind.is_file())
                && entry.file_name().to_str().is_some_and(is_part)
        })
    };
    let is_dir = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir());
    !is_dir || fs::read_dir(path).is_ok_and(|mut entries| entries.all(is_part))
}

/// Removes a file, or a directory with everything in it.
pub(super) fn remove(path: &Path) {
    let is_dir = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir());
    // What cannot be removed now is a left-over for the next run.
    let _removed = if is_dir { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}

/// Opens and locks a directory that was just made; `None` if another run took it for a left-over before.
fn open_locked(dir: &Path) -> Result<Option<File>> {
    match File::open(dir) {
        Ok(handle) => Ok(lock(&handle, dir)?.then_some(handle)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::writing("open", dir, error)),
    }
}

/// Locks what was just made; `false` if another run took it for a left-over before. Where a file system has no locks,
/// nobody gets one, so that nothing is taken for a left-over.
fn lock(handle: &File, path: &Path) -> Result<bool> {
    match lock::attempt(handle).map_err(|e| Error::writing("lock", path, e))? {
        Attempt::Locked => is_same(handle, path).map_err(|e| Error::writing("look at", path, e)),
        Attempt::Taken => Ok(false),
        Attempt::NoLocks => Ok(true),
    }
}

fn is_same(handle: &File, path: &Path) -> io::Result<bool> {
    let open = handle.metadata()?;
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        named => named.map(|named| (open.dev(), open.ino()) == (named.dev(), named.ino())),
    }
}

fn busy(dir: &Path) -> Error {
    Error::Output {
        path: dir.to_owned(),
        message: "other runs keep removing what is made there".to_owned(),
        hint: Some("run again".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn where_others_can_rename_only_parts_are_taken_for_left_overs() {
        for (mode, kept) in [(0o777, true), (0o770, true), (0o1777, false), (0o755, false)] {
            let parent = tempfile::tempdir().expect("temporary folder");
            for (name, file) in [
                ("parts", "email_hash-00001.txt"),
                ("lists", "email_hash-must-go.txt"),
                ("result", "manifest.json"),
                ("own", "2026-1.txt"),
            ] {
                let dir = parent.path().join(format!(".out.throng-{name}"));
                fs::create_dir(&dir).expect("a directory");
                fs::write(dir.join(file), "x").expect("writes");
            }
            let permissions = fs::Permissions::from_mode(mode);
            fs::set_permissions(parent.path(), permissions).expect("changes its mode");
            let (hidden, _lock) = dir(&parent.path().join("out")).expect("made");
            let mut left: Vec<PathBuf> = fs::read_dir(parent.path())
                .expect("reads")
                .map(|entry| entry.expect("reads").path())
                .filter(|path| *path != hidden)
                .collect();
            left.sort();
            let expected =
                [".out.throng-own", ".out.throng-result"].map(|of| parent.path().join(of));
            assert_eq!(left, if kept { &expected[..] } else { &[] }, "{mode:o}");
        }
    }

    /// Between making it and locking it: who comes then finds it without a lock.
    #[test]
    fn a_directory_that_was_removed_before_it_was_locked_is_made_again() {
        let parent = tempfile::tempdir().expect("temporary folder");
        let removed = open_locked(&parent.path().join(".out.throng-1"));
        assert!(removed.expect("no error").is_none());
    }
}
