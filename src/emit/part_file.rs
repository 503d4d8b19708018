//! The file of a part.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::FallocateFlags;

use super::PartManifest;
use crate::config::Label;
use crate::disk::create_file;
use crate::error::{Error, Result};

/// One upload file.
#[derive(Debug)]
pub(super) struct Part {
    /// Counted from 1.
    pub(super) number: u64,
    pub(super) path: PathBuf,
    pub(super) name: String,
    pub(super) file: File,
    /// Bytes that are not written yet; while the part is open, and so not all of them are known, [`OPEN`] more.
    pub(super) bytes_left: AtomicU64,
    /// Lines and bytes, once their number is known.
    pub(super) lines: AtomicU64,
    pub(super) bytes: AtomicU64,
    /// Bytes that it will have at most, if that is known.
    expected: Option<u64>,
}

/// More than a part has bytes, so that an open part is never complete.
pub(super) const OPEN: u64 = 1 << 62;

impl Part {
    pub(super) fn create(
        dir: &Path,
        label: &Label,
        number: u64,
        expected: Option<u64>,
    ) -> Result<Self> {
        let name = format!("{label}-{number:05}.txt");
        let path = dir.join(&name);
        let file = create_file(&path)?;
        let (lines, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
        let bytes_left = AtomicU64::new(OPEN);
        Ok(Self { number, path, name, file, bytes_left, lines, bytes, expected })
    }

    /// Lets the file system find room for all of the part at once, which makes writing cheaper. Where it does not, or
    /// has less room than there might be entries, nothing is lost.
    pub(super) fn preallocate(&self) {
        if let Some(bytes) = self.expected.filter(|bytes| *bytes > 0) {
            let _refused = rustix::fs::fallocate(&self.file, FallocateFlags::empty(), 0, bytes);
        }
    }

    /// Gives back the room that a complete part did not need.
    pub(super) fn cut(&self) -> Result<()> {
        let cut = self.file.set_len(self.bytes());
        cut.map_err(|error| Error::writing("cut", &self.path, error))
    }

    /// Description of a complete part for the manifest.
    pub(super) fn manifest(&self, sha256: String) -> PartManifest {
        PartManifest {
            file: self.name.clone(),
            lines: self.lines.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            sha256,
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}
