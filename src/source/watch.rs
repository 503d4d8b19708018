//! Files and objects that must not change while they are read.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::object::Object;

/// Attributes by which a file is known to be still the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Identity {
    pub(super) fn of(meta: &Metadata) -> Self {
        Self {
            device: meta.dev(),
            inode: meta.ino(),
            bytes: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
        }
    }
}

/// A regular file that must not change while it is read.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) path: PathBuf,
    pub(super) identity: Identity,
    pub(super) file: File,
}

/// What must not change while it is read.
#[derive(Debug)]
pub(super) enum Watched {
    File(Watch),
    Object(Arc<Object>),
}

impl Watched {
    /// Refuses what has changed since it was first looked at.
    pub(super) fn check(&self) -> Result<()> {
        match self {
            Self::File(watch) => watch.check(),
            // Every answer was asked for by the name of the version.
            Self::Object(object) if object.is_pinned() => Ok(()),
            Self::Object(object) => object.check(),
        }
    }
}

impl Watch {
    /// Refuses a file that shrank, grew, was written to or replaced since it was first looked at.
    pub(super) fn check(&self) -> Result<()> {
        let reading = |error| Error::reading("look at", &self.path, error);
        let open = Identity::of(&self.file.metadata().map_err(reading)?);
        let named = match std::fs::metadata(&self.path) {
            Ok(meta) => Some(Identity::of(&meta)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(reading(error)),
        };
        let before = self.identity;
        let place = |identity: Identity| (identity.device, identity.inode);
        let message = if open.bytes < before.bytes {
            "it shrank while it was read"
        } else if open.bytes > before.bytes {
            "it grew while it was read"
        } else if named.is_none() {
            "it was removed while it was read"
        } else if named.map(place) != Some(place(before)) {
            "it was replaced while it was read"
        } else if open != before {
            "it was written to while it was read"
        } else {
            return Ok(());
        };
        Err(Error::input(&self.path, message, "run again when its writer has finished"))
    }
}
