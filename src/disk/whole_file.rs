//! A small file is the new one or the earlier one, whole, whatever happens.
//!
//! Written beside its place, synced, renamed over it, and the folder synced. A run that is killed on the way leaves a
//! hidden file, which the next one removes.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::hidden;
use super::private::FILE_MODE;
use crate::error::{Error, Result};

/// Readers of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Its owner (0600): everything that tells of customers, were it but their number.
    Owner,
    /// Every user of the machine (0644): metrics, since the node exporter runs as a user of its own and would skip a
    /// file that it cannot open. They hold counts, times and the names of jobs and audiences.
    Everyone,
}

impl Readers {
    fn permissions(self) -> Permissions {
        Permissions::from_mode(match self {
            Self::Owner => FILE_MODE,
            Self::Everyone => 0o644,
        })
    }
}

/// Writes a file, or replaces it, in one step.
pub fn write_whole(path: &Path, contents: &[u8], readers: Readers) -> Result<()> {
    let writing = |error| Error::writing("write", path, error);
    let mut file = hidden::file(path)?;
    file.write_all(contents).map_err(writing)?;
    // The umask has no say: whoever must read the file can, and nobody else.
    file.as_file().set_permissions(readers.permissions()).map_err(writing)?;
    hidden::publish(file, path)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn replaces_as_a_whole_with_the_stated_mode_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("throng.prom");
        fs::write(dir.path().join(".throng.prom.throng-dead"), "half").expect("writes");
        for (text, readers, mode) in
            [("long text", Readers::Everyone, 0o644), ("short", Readers::Owner, 0o600)]
        {
            write_whole(&path, text.as_bytes(), readers).expect("writes");
            assert_eq!(fs::read_to_string(&path).expect("reads"), text);
            let found = fs::metadata(&path).expect("is there").permissions().mode();
            assert_eq!(found & 0o777, mode);
        }
        assert_eq!(fs::read_dir(dir.path()).expect("reads").count(), 1);
    }

    #[test]
    fn runs_that_write_it_at_once_do_not_take_each_other_for_left_overs() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("x");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..40 {
                        write_whole(&path, b"whole", Readers::Owner).expect("writes");
                    }
                });
            }
        });
        assert_eq!(fs::read(&path).expect("reads"), b"whole");
        assert_eq!(fs::read_dir(dir.path()).expect("reads").count(), 1);
    }

    #[test]
    fn what_cannot_be_written_leaves_the_earlier_file() {
        let dir = tempfile::tempdir().expect("temporary folder");
        assert!(write_whole(&dir.path().join("none/x"), b"", Readers::Owner).is_err());
        // A directory in its place cannot be replaced by a file.
        let taken = dir.path().join("taken");
        fs::create_dir(&taken).expect("creates");
        assert!(write_whole(&taken, b"", Readers::Owner).is_err());
        assert_eq!(fs::read_dir(dir.path()).expect("reads").count(), 1);
    }

    #[test]
    fn only_files_are_replaced() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let (socket, link) = (dir.path().join("socket"), dir.path().join("link"));
        let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("binds");
        std::os::unix::fs::symlink(&socket, &link).expect("links");
        for path in [&socket, &link] {
            let error = write_whole(path, b"", Readers::Owner).expect_err("it is no file");
            assert!(error.to_string().contains("not a regular file"), "{error}");
            assert!(!fs::metadata(path).expect("is there").is_file());
        }
        assert_eq!(fs::read_dir(dir.path()).expect("reads").count(), 2);
    }
}
