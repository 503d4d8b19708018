//! A part while it is sent: only what the manifest says of it ever reaches its end.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
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

    /// All of it.
    pub(super) fn whole(&self) -> Slice {
        Slice {
            first_entry: 0,
            entries: self.lines,
            offset: 0,
            bytes: self.bytes,
            sha256: self.sha256.clone(),
        }
    }

    /// Opens a slice of it for sending.
    pub(super) fn open(
        &self,
        slice: &Slice,
        sent: &Arc<AtomicU64>,
        stop: &Stop,
    ) -> io::Result<PartReader> {
        let mut file = plain_file::open(&self.path)?;
        if slice.offset > 0 {
            file.seek(SeekFrom::Start(slice.offset))?;
        }
        Ok(PartReader {
            file,
            hasher: Sha256::new(),
            left: slice.bytes,
            sha256: slice.sha256.clone(),
            counted: 0,
            sent: Arc::clone(sent),
            stop: stop.clone(),
        })
    }

    /// Cuts it into slices of at most so many entries, and compares all of it with its manifest: slices are of what that says.
    pub(super) fn cut(&self, entries_max: u64, stop: &Stop) -> io::Result<Vec<Slice>> {
        let mut reader = self.open(&self.whole(), &Arc::default(), stop)?;
        let mut buffer = vec![0; CUT_BYTES];
        let mut slices = Vec::new();
        let mut slice = Slice::at(0, 0);
        let mut hasher = Sha256::new();
        loop {
            let len = match reader.read(&mut buffer)? {
                0 => break,
                len => len,
            };
            let mut begin = 0;
            for end in memchr::memchr_iter(b'\n', &buffer[..len]).map(|at| at + 1) {
                slice.entries += 1;
                if slice.entries == entries_max {
                    hasher.update(&buffer[begin..end]);
                    slice.bytes += (end - begin) as u64;
                    begin = end;
                    let next =
                        Slice::at(slice.first_entry + slice.entries, slice.offset + slice.bytes);
                    slices.push(std::mem::replace(&mut slice, next).sealed(&mut hasher));
                }
            }
            hasher.update(&buffer[begin..len]);
            slice.bytes += (len - begin) as u64;
        }
        if slice.bytes > 0 {
            slices.push(slice.sealed(&mut hasher));
        }
        let entries: u64 = slices.iter().map(|slice| slice.entries).sum();
        if entries == self.lines { Ok(slices) } else { Err(io::Error::other(Cut::Changed)) }
    }
}

/// Bytes that are read at once when a part is cut.
const CUT_BYTES: usize = 256 * 1024;

/// A run of lines of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    /// The place of its first entry in the part, counted from 0.
    pub(crate) first_entry: u64,
    /// How many entries it has.
    pub(crate) entries: u64,
    /// Where in the file it begins.
    pub(crate) offset: u64,
    /// How long it is.
    pub(crate) bytes: u64,
    /// SHA-256 of its bytes, in hex.
    sha256: String,
}

impl Slice {
    fn at(first_entry: u64, offset: u64) -> Self {
        Self { first_entry, entries: 0, offset, bytes: 0, sha256: String::new() }
    }

    fn sealed(self, hasher: &mut Sha256) -> Self {
        let sha256 = const_hex::encode(std::mem::take(hasher).finalize());
        Self { sha256, ..self }
    }
}

/// Reads a slice of a part and compares it with what is known of it before it hands out the last bytes, so that the request
/// ends early, and without effect, if the file is another one by now.
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
        part.open(&part.whole(), &Arc::default(), &Stop::default())?.read_to_end(&mut bytes)?;
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
    fn slices_are_all_lines_once_each_with_its_digest() {
        let text: String =
            (0..60_000).flat_map(|id| [(id * 7).to_string(), "\n".to_owned()]).collect();
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        std::fs::write(file.path(), &text).expect("writes");
        let part = Part {
            path: file.path().to_owned(),
            file: String::new(),
            lines: 60_000,
            bytes: text.len() as u64,
            sha256: const_hex::encode(Sha256::digest(&text)),
        };
        for entries_max in [1, 7, 10_000, 59_999, 60_000, 60_001] {
            let slices = part.cut(entries_max, &Stop::default()).expect("cuts");
            assert_eq!(slices.len() as u64, 60_000_u64.div_ceil(entries_max));
            let mut all = String::new();
            for slice in slices.iter().filter(|_| entries_max > 7) {
                let mut reader =
                    part.open(slice, &Arc::default(), &Stop::default()).expect("opens");
                let before = all.len();
                assert_eq!(all.lines().count() as u64, slice.first_entry);
                reader.read_to_string(&mut all).expect("as it was");
                assert_eq!(all[before..].lines().count() as u64, slice.entries);
            }
            assert!(entries_max <= 7 || all == text, "{entries_max}");
        }
        let slices = part.cut(10_000, &Stop::default()).expect("cuts");
        std::fs::write(file.path(), text.replace("70000\n", "70001\n")).expect("writes");
        assert!(part.cut(10_000, &Stop::default()).is_err(), "it is another one");
        let read = |slice| {
            let mut reader = part.open(slice, &Arc::default(), &Stop::default())?;
            reader.read_to_end(&mut Vec::new())
        };
        assert!(read(&slices[0]).is_ok());
        assert!(read(&slices[1]).is_err(), "nothing is sent to its end that was not compared");
        let lines = Part { lines: 59_999, ..part };
        assert!(lines.cut(10_000, &Stop::default()).is_err());
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
        let read =
            part.open(&part.whole(), &Arc::default(), &stop).expect("opens").read(&mut [0; 8]);
        assert!(read.expect_err("stopped").to_string().contains("stop"));
    }
}
