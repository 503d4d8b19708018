//! Complete parts: their digests for the manifest, and their way to the disk.
//!
//! The digest of a part can only be computed from front to back, but its pieces are written in any order by all
//! threads. So it is computed from the file when that is complete, while it is still in the page cache: reading it
//! again costs a quarter of what hashing costs, and whole parts are independent of each other. At the same time a
//! thread of its own syncs the file, which is waiting and hardly any work.

use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};

use crossbeam_channel::{Sender, bounded};
use sha2::{Digest as _, Sha256};

use super::PartManifest;
use super::part::Part;
use crate::config::{SYNCS_WAITING, WRITE_BYTES};
use crate::error::{Error, Result};

/// Takes parts that are complete.
#[derive(Clone, Debug)]
pub(super) struct Seals {
    syncs: Sender<Arc<Part>>,
    sealed: Arc<Mutex<Vec<PartManifest>>>,
}

impl Seals {
    /// Runs `body`, which makes parts; its result and the parts, sealed and in order.
    pub(super) fn scope<T>(
        body: impl FnOnce(&Self) -> Result<T>,
    ) -> Result<(T, Vec<PartManifest>)> {
        std::thread::scope(|scope| {
            let (syncs, parts) = bounded::<Arc<Part>>(SYNCS_WAITING);
            let thread = scope.spawn(move || {
                parts.iter().try_for_each(|part| {
                    let synced = part.file.sync_all();
                    synced.map_err(|error| Error::writing("sync", &part.path, error))
                })
            });
            let seals = Self { syncs, sealed: Arc::default() };
            let result = body(&seals);
            let Self { syncs, sealed } = seals;
            // Without senders the syncer ends.
            drop(syncs);
            let synced =
                thread.join().unwrap_or(Err(Error::Internal("the thread that syncs panicked")));
            // Its error goes first: it is why a part could not be handed over.
            synced?;
            let mut parts =
                std::mem::take(&mut *sealed.lock().unwrap_or_else(PoisonError::into_inner));
            parts.sort_by(|one, other| one.file.cmp(&other.file));
            Ok((result?, parts))
        })
    }

    /// Computes the digest of a complete part and has it synced.
    pub(super) fn seal(&self, part: &Arc<Part>) -> Result<()> {
        let handed_over = self.syncs.send(Arc::clone(part));
        handed_over.map_err(|_| Error::Internal("the thread that syncs stopped"))?;
        let digest = digest(part)?;
        let manifest = part.manifest(const_hex::encode(digest));
        self.sealed.lock().unwrap_or_else(PoisonError::into_inner).push(manifest);
        Ok(())
    }
}

fn digest(part: &Part) -> Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; WRITE_BYTES];
    let mut offset = 0;
    while offset < part.bytes() {
        let len = usize::try_from(part.bytes() - offset).unwrap_or(usize::MAX).min(buffer.len());
        let text = &mut buffer[..len];
        part.file
            .read_exact_at(text, offset)
            .map_err(|error| Error::writing("read back", &part.path, error))?;
        hasher.update(text);
        offset += len as u64;
    }
    Ok(hasher.finalize().into())
}
