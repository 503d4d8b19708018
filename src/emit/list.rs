//! Lists of people that are no upload files: who is gone from an audience, and who must go. One digest a line.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::PartManifest;
use crate::disk::create_file;
use crate::error::{Error, Result};
use crate::hash::Digest;

/// A list that is written as it comes; there is no file before there is an entry.
#[derive(Debug)]
pub struct ListWriter {
    path: PathBuf,
    name: String,
    open: Option<BufWriter<File>>,
    hasher: Sha256,
    lines: u64,
}

impl ListWriter {
    /// A list of this name in `dir`.
    pub fn new(dir: &Path, name: String) -> Self {
        Self { path: dir.join(&name), name, open: None, hasher: Sha256::new(), lines: 0 }
    }

    /// Adds digests.
    pub fn push(&mut self, digests: &[Digest]) -> Result<()> {
        for digest in digests {
            let file = match &mut self.open {
                Some(file) => file,
                None => self.open.insert(BufWriter::new(create_file(&self.path)?)),
            };
            let mut line = const_hex::encode(digest);
            line.push('\n');
            self.hasher.update(&line);
            self.lines += 1;
            file.write_all(line.as_bytes()).map_err(|e| Error::writing("write", &self.path, e))?;
        }
        Ok(())
    }

    /// Syncs the list. `None` if it is empty.
    pub fn finish(self) -> Result<Option<PartManifest>> {
        let Some(file) = self.open else { return Ok(None) };
        let synced = file.into_inner().map_err(std::io::IntoInnerError::into_error);
        synced
            .and_then(|file| file.sync_all())
            .map_err(|e| Error::writing("write", &self.path, e))?;
        Ok(Some(PartManifest {
            file: self.name,
            lines: self.lines,
            bytes: self.lines * 65,
            sha256: const_hex::encode(self.hasher.finalize()),
        }))
    }
}
