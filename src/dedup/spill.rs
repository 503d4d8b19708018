//! Blocks of entries on disk, for what the budget does not hold.
//!
//! One file for a run, without a name: the system frees it however the process ends, and nobody else can open it. It
//! is only ever appended to while inputs are read, and only read afterwards.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// The spill file, made when it is first needed.
#[derive(Debug)]
pub(super) struct SpillFile {
    dir: PathBuf,
    file: OnceLock<File>,
    end: AtomicU64,
}

impl SpillFile {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir, file: OnceLock::new(), end: AtomicU64::new(0) }
    }

    /// Appends a block; where it begins.
    pub(super) fn append(&self, block: &[u8]) -> Result<u64> {
        let file = self.file()?;
        let offset = self.end.fetch_add(block.len() as u64, Ordering::Relaxed);
        file.write_all_at(block, offset).map_err(|e| self.error("write a spill file in", e))?;
        Ok(offset)
    }

    /// Appends `len` bytes from `offset` to `bytes`.
    pub(super) fn read(&self, offset: u64, len: usize, bytes: &mut Vec<u8>) -> Result<()> {
        let start = bytes.len();
        bytes.resize(start + len, 0);
        self.file()?
            .read_exact_at(&mut bytes[start..], offset)
            .map_err(|e| self.error("read a spill file in", e))
    }

    /// Bytes that were spilled.
    pub(super) fn bytes(&self) -> u64 {
        self.end.load(Ordering::Relaxed)
    }

    fn file(&self) -> Result<&File> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        let file = tempfile::tempfile_in(&self.dir)
            .map_err(|e| self.error("create a spill file in", e))?;
        // Another worker may have been faster; its file then is the one.
        Ok(self.file.get_or_init(|| file))
    }

    fn error(&self, operation: &'static str, source: std::io::Error) -> Error {
        Error::writing(operation, Path::new(&self.dir), source)
    }
}
