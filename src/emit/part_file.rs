//! The file of a part.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::FallocateFlags;

use super::PartManifest;
use crate::config::Label;
use crate::disk::create_file;
use crate::error::Result;

/// One upload file.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) path: PathBuf,
    pub(super) name: String,
    pub(super) file: File,
    /// Bytes that are not written yet; while the part is open, and so not all of them are known, [`OPEN`] more.
    pub(super) bytes_left: AtomicU64,
    /// Lines and bytes, once their number is known.
    pub(super) lines: AtomicU64,
    pub(super) bytes: AtomicU64,
}

/// More than a part has bytes, so that an open part is never complete.
pub(super) const OPEN: u64 = 1 << 62;

impl Part {
    pub(super) fn create(dir: &Path, label: &Label, number: u64) -> Result<Self> {
        let name = format!("{label}-{number:05}.txt");
        let path = dir.join(&name);
        let file = create_file(&path)?;
        let (lines, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
        Ok(Self { path, name, file, bytes_left: AtomicU64::new(OPEN), lines, bytes })
    }

    /// Lets the file system find room for all of the part at once, which makes writing cheaper. Where it does not, or
    /// has less room than there might be entries, nothing is lost.
    pub(super) fn preallocate(&self, bytes: u64, bytes_max: Option<u64>) {
        let bytes = bytes.min(bytes_max.unwrap_or(u64::MAX));
        if bytes > 0 {
            let _refused = rustix::fs::fallocate(&self.file, FallocateFlags::empty(), 0, bytes);
        }
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
