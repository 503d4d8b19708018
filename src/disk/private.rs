//! Files and directories for their owner alone: what throng writes tells of customers, were it but their number.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::error::{Error, Result};

/// The mode of a private file.
pub(crate) const FILE_MODE: u32 = 0o600;

/// The mode of a private directory.
pub(crate) const DIR_MODE: u32 = 0o700;

/// Options to read and write a private file; whether it is made, the caller adds.
pub(crate) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(FILE_MODE);
    options
}

/// Creates a private file that must not exist yet.
pub(crate) fn create_file(path: &Path) -> Result<File> {
    options().create_new(true).open(path).map_err(|error| Error::writing("create", path, error))
}

/// Opens a private file as it is, and creates it if it is not there.
pub(crate) fn open_or_create(path: &Path) -> Result<File> {
    options()
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|error| Error::writing("open", path, error))
}

/// Creates a private file in `dir` that has no name: the system frees it however the process ends.
pub(crate) fn nameless_file(dir: &Path) -> io::Result<File> {
    let file = tempfile::tempfile_in(dir)?;
    // Without a name it has the mode that the umask leaves.
    file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    Ok(file)
}

/// Creates a private directory with the directories that lead to it; one that is there keeps its mode.
pub(crate) fn create_dirs(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIR_MODE).create(dir)
}
