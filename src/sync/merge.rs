//! One part of many small ones, so that after ten years a night takes what it took after ten days.
//!
//! The new file gets its place first; then one transaction puts it into the place of the small ones in the store. What
//! no row names is removed. So it may be killed at any moment.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::audiences::NightAudience;
use super::checks::RECORDS_LOOKED_AT;
use super::night::Night;
use super::record::records;
use crate::disk::{create_file, plain_file, private};
use crate::error::{Error, Result};
use crate::forget;
use crate::limits::{MERGED_PART_BYTES, SMALL_PARTS_MAX};
use crate::store::deliveries::NewPart;
use crate::store::{HeldPart, RunId, Store, Target};

impl Night<'_> {
    /// Merges small parts if there are many, forgets whom nothing needs any more, and removes files that nobody needs. If it
    /// fails, the next run tries again.
    pub(super) fn tidy(&mut self, audiences: &[NightAudience<'_>]) {
        let targets = audiences.iter().flat_map(|audience| {
            std::iter::once(&audience.generations.live).chain(&audience.generations.next)
        });
        for target in targets {
            if let Err(error) = merge(self.store, target, self.run, SMALL_PARTS_MAX) {
                self.note(format!("parts of earlier runs could not be merged: {error}"));
            }
        }
        self.purge();
        if let Err(error) = self.expire() {
            self.note(format!("what is past its retention is still there: {error}"));
        }
    }

    /// Takes people who were to be forgotten, and are in no audience any more, out of the state directory, and removes files
    /// that nobody needs.
    pub(super) fn purge(&mut self) {
        if let Err(error) = forget::purge(self.store) {
            self.note(format!(
                "people who were to be forgotten are still in the state directory: {error}"
            ));
        }
        if let Err(error) = self.store.remove_unneeded() {
            self.note(format!("files that are not needed any more could not be removed: {error}"));
        }
    }

    /// Lets go of what is past its retention. The last run that passed the guards stays: the next one is held against it.
    fn expire(&self) -> Result<()> {
        let Some(age) = self.config.job.retention else { return Ok(()) };
        let records = records(self.store.records(RECORDS_LOOKED_AT)?);
        match records.into_iter().find(|of| of.has_passed_guards) {
            Some(needed) => self.store.expire(age, needed.run),
            None => Ok(()),
        }
    }
}

/// Merges the small parts of a target if it has more than `count`.
fn merge(store: &Store, target: &Target, run: RunId, count: usize) -> Result<()> {
    let small = store.small_parts(target, MERGED_PART_BYTES / 2)?;
    if small.len() <= count {
        return Ok(());
    }
    let mut group: Vec<HeldPart> = Vec::new();
    let mut bytes = 0;
    for part in small {
        bytes += part.bytes;
        group.push(part);
        if bytes >= MERGED_PART_BYTES {
            merge_group(store, target, run, &std::mem::take(&mut group))?;
            bytes = 0;
        }
    }
    merge_group(store, target, run, &group)
}

fn merge_group(store: &Store, target: &Target, run: RunId, parts: &[HeldPart]) -> Result<()> {
    if parts.len() < 2 {
        return Ok(());
    }
    // Whatever lies there is removed if this is killed.
    let dir = store.prepared_dir();
    private::create_dirs(&dir).map_err(|e| Error::writing("create", &dir, e))?;
    let merged = Merged::write(parts, &dir.join("merged.txt"))?;
    store.put_files(run, &[(merged.path, &merged.sha256)])?;
    let row = NewPart {
        sha256: &merged.sha256,
        entries: parts.iter().map(|part| part.entries).sum(),
        bytes: parts.iter().map(|part| part.bytes).sum(),
        file: "merged.txt",
    };
    store.merged(target, run, &row, parts)
}

/// A file that holds some parts, one behind the other.
struct Merged {
    path: PathBuf,
    sha256: String,
}

impl Merged {
    fn write(parts: &[HeldPart], path: &Path) -> Result<Self> {
        let mut out = BufWriter::new(create_file(path)?);
        let writing = |error| Error::writing("write", path, error);
        let mut hasher = Sha256::new();
        for part in parts {
            let bytes = read_intact(part)?;
            hasher.update(&bytes);
            out.write_all(&bytes).map_err(writing)?;
        }
        let file: File = out.into_inner().map_err(|error| writing(error.into_error()))?;
        file.sync_all().map_err(|e| Error::writing("sync", path, e))?;
        Ok(Self { path: path.to_owned(), sha256: const_hex::encode(hasher.finalize()) })
    }
}

/// The bytes of a part, of which there are less than [`MERGED_PART_BYTES`]. What is damaged must not look whole from
/// here on.
fn read_intact(part: &HeldPart) -> Result<Vec<u8>> {
    let path = &part.path;
    let mut bytes = Vec::new();
    let file = plain_file::open(path).map_err(|e| Error::reading("open", path, e))?;
    let read = file.take(part.bytes + 1).read_to_end(&mut bytes);
    read.map_err(|e| Error::reading("read", path, e))?;
    if const_hex::encode(Sha256::digest(&bytes)) == part.sha256 {
        Ok(bytes)
    } else {
        Err(Error::input(path, "it is not what its name says (SHA-256 differs)", ""))
    }
}
