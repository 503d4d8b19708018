//! A part while it is sent: only what the manifest says of it ever reaches its end.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};

use crate::disk::plain_file;
use crate::emit::PartManifest;
use crate::stop::Stop;
use crate::store::deliveries::NewPart;

/// A part of a directory, as its manifest has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it is.
    pub path: PathBuf,
    /// Its name, which the server gets to see.
    pub file: String,
    /// Entries.
    pub lines: u64,
    /// Size.
    pub bytes: u64,
    /// SHA-256 of its bytes, in hex: what the store knows it by.
    pub sha256: String,
}

impl Part {
    /// A part of `dir`.
    pub fn of(dir: &Path, manifest: &PartManifest) -> Self {
        Self {
            path: dir.join(&manifest.file),
            file: manifest.file.clone(),
            lines: manifest.lines,
            bytes: manifest.bytes,
            sha256: manifest.sha256.clone(),
        }
    }

    /// The part as the store records it.
    pub(super) fn for_store(&self) -> NewPart<'_> {
        NewPart { sha256: &self.sha256, entries: self.lines, bytes: self.bytes, file: &self.file }
    }

    /// Opens it for sending.
    pub(super) fn open(&self, sent: &Arc<AtomicU64>, stop: &Stop) -> io::Result<PartReader> {
        Ok(PartReader {
            file: plain_file::open(&self.path)?,
            hasher: Sha256::new(),
            left: self.bytes,
            sha256: self.sha256.clone(),
            counted: 0,
            sent: Arc::clone(sent),
            stop: stop.clone(),
        })
    }
}

/// Reads a part and compares it with its manifest before it hands out the last bytes, so that the request ends early,
/// and without effect, if the file is another one by now.
#[derive(Debug)]
pub(super) struct PartReader {
    file: File,
    hasher: Sha256,
    left: u64,
    sha256: String,
    /// What was added to `sent`; taken back if the request fails.
    counted: u64,
    sent: Arc<AtomicU64>,
    stop: Stop,
}

impl PartReader {
    /// The request failed: its bytes are to be sent again.
    pub(super) fn take_back(&mut self) {
        self.sent.fetch_sub(std::mem::take(&mut self.counted), Ordering::Relaxed);
    }
}

/// Why [`PartReader`] ended a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Cut {
    #[error("the part is not what the manifest says")]
    Changed,
    #[error("asked to stop")]
    Stopped,
}

impl Read for PartReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stop.check().map_err(|_| io::Error::other(Cut::Stopped))?;
        let len = (&mut self.file).take(self.left).read(buffer)?;
        if len == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(io::Error::other(Cut::Changed));
        }
        self.hasher.update(&buffer[..len]);
        self.left -= len as u64;
        if self.left == 0 && const_hex::encode(self.hasher.clone().finalize()) != self.sha256 {
            return Err(io::Error::other(Cut::Changed));
        }
        self.counted += len as u64;
        self.sent.fetch_add(len as u64, Ordering::Relaxed);
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], claimed: &[u8]) -> io::Result<Vec<u8>> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), text)?;
        let part = Part {
            path: file.path().to_owned(),
            file: "fbid-00001.txt".to_owned(),
            lines: 1,
            bytes: claimed.len() as u64,
            sha256: const_hex::encode(Sha256::digest(claimed)),
        };
        let mut bytes = Vec::new();
        part.open(&Arc::default(), &Stop::default())?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn only_what_the_manifest_says_is_read_to_its_end() {
        assert_eq!(read(b"12\n", b"12\n").expect("the same"), b"12\n");
        // What was appended later is not sent.
        assert_eq!(read(b"12\n34\n", b"12\n").expect("the same"), b"12\n");
        for changed in [&b"13\n"[..], b"12", b""] {
            assert!(read(changed, b"12\n").is_err(), "{changed:?}");
        }
    }

    #[test]
    fn a_stop_ends_it() {
        let stop = Stop::default();
        stop.request(15);
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        let part = Part {
            path: file.path().to_owned(),
            file: String::new(),
            lines: 0,
            bytes: 1,
            sha256: String::new(),
        };
        let read = part.open(&Arc::default(), &stop).expect("opens").read(&mut [0; 8]);
        assert!(read.expect_err("stopped").to_string().contains("stop"));
    }
}
