//! Changes of a directory that outlast a power cut.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::private;
use crate::error::{Error, Result};

/// Makes a change of a directory's entries durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|e| Error::writing("sync", dir, e))
}

/// Gives a file that does not change any more a second name; where a file system has no hard links, copies it, durably.
pub(crate) fn link_or_copy(file: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(file, to) {
        Err(error) if is_unlinkable(&error) => {
            let mut source = File::open(file)?;
            let mut copy = private::options().create_new(true).open(to)?;
            let copied = io::copy(&mut source, &mut copy).and_then(|_| copy.sync_all());
            copied.inspect_err(|_| {
                let _removed = fs::remove_file(to);
            })
        }
        linked => linked,
    }
}

/// True for a file system without hard links (`link(2)` lists `EPERM` for that; some have other answers), or no more of
/// them for this file.
fn is_unlinkable(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied
            | io::ErrorKind::Unsupported
            | io::ErrorKind::CrossesDevices
            | io::ErrorKind::TooManyLinks
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    #[test]
    fn where_there_are_no_links_a_file_is_copied_for_its_owner_alone() {
        let dir = tempfile::tempdir().expect("temporary folder");
        // What lies on another file system cannot be linked to.
        let (foreign, to) = (Path::new("/proc/self/status"), dir.path().join("copy"));
        link_or_copy(foreign, &to).expect("copies");
        assert!(fs::read_to_string(&to).expect("reads").starts_with("Name:"));
        assert_eq!(fs::metadata(&to).expect("is there").permissions().mode() & 0o777, 0o600);

        let again = dir.path().join("again");
        link_or_copy(&to, &again).expect("links");
        assert_eq!(fs::metadata(&again).expect("is there").nlink(), 2);
        let error = link_or_copy(&to, &again).expect_err("it is there");
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    }
}
