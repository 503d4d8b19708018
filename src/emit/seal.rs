//! Complete parts: their digests for the manifest, and their way to the disk.
//!
//! The digest of a part can only be computed from front to back, but its pieces are written in any order by all
//! threads. So it is computed from the file when that is complete, while it is still in the page cache: reading it
//! again costs a quarter of what hashing costs. Two parts at a time, because two messages interleaved take little more
//! than one (24 and 18 ns a block); the last ones each by itself, on a core of its own. At the same time a thread syncs
//! each file, which is waiting and hardly any work.

use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Sender, bounded};

use super::PartManifest;
use super::part::Part;
use crate::config::{SYNCS_WAITING, WRITE_BYTES};
use crate::error::{Error, Result};
use crate::hash::{self, Digest, Kernel, Stream};

/// Takes parts that are complete.
#[derive(Clone, Debug)]
pub(super) struct Seals {
    syncs: Sender<Arc<Part>>,
    shared: Arc<Mutex<Shared>>,
    kernel: Kernel,
}

#[derive(Debug, Default)]
struct Shared {
    /// A part that waits for another one to be hashed with.
    single: Option<Arc<Part>>,
    sealed: Vec<PartManifest>,
}

impl Seals {
    /// Runs `body`, which makes parts; its result and the parts, sealed and in order.
    pub(super) fn scope<T>(
        kernel: Kernel,
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
            let seals = Self { syncs, shared: Arc::default(), kernel };
            let result = body(&seals);
            let Self { syncs, shared, .. } = seals;
            // Without senders the syncer ends.
            drop(syncs);
            let synced =
                thread.join().unwrap_or(Err(Error::Internal("the thread that syncs panicked")));
            // Its error goes first: it is why a part could not be handed over.
            synced?;
            let mut parts = std::mem::take(&mut lock(&shared).sealed);
            parts.sort_by(|one, other| one.file.cmp(&other.file));
            Ok((result?, parts))
        })
    }

    /// Takes a complete part: has it synced, and computes its digest, with that of another one.
    pub(super) fn seal(&self, part: &Arc<Part>) -> Result<()> {
        self.sync(part)?;
        let mut shared = lock(&self.shared);
        let Some(other) = shared.single.take() else {
            shared.single = Some(Arc::clone(part));
            return Ok(());
        };
        drop(shared);
        let [digest, other_digest] = digest_both(self.kernel, [part, &other])?;
        self.add(part, &digest);
        self.add(&other, &other_digest);
        Ok(())
    }

    /// Takes the last part, if there is one, behind which none will come.
    pub(super) fn seal_last(&self, part: Option<&Arc<Part>>) -> Result<()> {
        let single = lock(&self.shared).single.take();
        std::thread::scope(|scope| {
            let other = single.map(|single| {
                scope.spawn(move || digest(&single).map(|digest| self.add(&single, &digest)))
            });
            if let Some(part) = part {
                self.sync(part)?;
                self.add(part, &digest(part)?);
            }
            other.map_or(Ok(()), |other| {
                other.join().unwrap_or(Err(Error::Internal("a thread that hashes panicked")))
            })
        })
    }

    fn sync(&self, part: &Arc<Part>) -> Result<()> {
        let handed_over = self.syncs.send(Arc::clone(part));
        handed_over.map_err(|_| Error::Internal("the thread that syncs stopped"))
    }

    fn add(&self, part: &Part, digest: &Digest) {
        lock(&self.shared).sealed.push(part.manifest(const_hex::encode(digest)));
    }
}

fn lock(shared: &Mutex<Shared>) -> std::sync::MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

const _: () = assert!(WRITE_BYTES.is_multiple_of(hash::BLOCK_BYTES), "pieces are whole blocks");

fn digest(part: &Part) -> Result<Digest> {
    let mut buffer = vec![0; WRITE_BYTES];
    finish(Stream::default(), part, 0, &mut buffer)
}

fn digest_both(kernel: Kernel, parts: [&Arc<Part>; 2]) -> Result<[Digest; 2]> {
    let [one, other] = parts;
    let mut buffers = [vec![0; WRITE_BYTES], vec![0; WRITE_BYTES]];
    let mut streams = [Stream::default(), Stream::default()];
    let common = one.bytes().min(other.bytes()) / WRITE_BYTES as u64;
    for piece in 0..common {
        for (part, buffer) in parts.iter().zip(&mut buffers) {
            read(part, piece * WRITE_BYTES as u64, buffer)?;
        }
        let [first, second] = &mut streams;
        Stream::update_both(kernel, [first, second], [&buffers[0], &buffers[1]]);
    }
    let [first, second] = streams;
    let (offset, [buffer, _]) = (common * WRITE_BYTES as u64, &mut buffers);
    Ok([finish(first, one, offset, buffer)?, finish(second, other, offset, buffer)?])
}

/// Hashes what is left of a part from `offset` on.
fn finish(mut stream: Stream, part: &Part, mut offset: u64, buffer: &mut [u8]) -> Result<Digest> {
    loop {
        let left = part.bytes() - offset;
        match usize::try_from(left) {
            Ok(left) if left < buffer.len() => {
                read(part, offset, &mut buffer[..left])?;
                return Ok(stream.finish(&buffer[..left]));
            }
            _ => {
                read(part, offset, buffer)?;
                stream.update(buffer);
                offset += buffer.len() as u64;
            }
        }
    }
}

fn read(part: &Part, offset: u64, buffer: &mut [u8]) -> Result<()> {
    let read = part.file.read_exact_at(buffer, offset);
    read.map_err(|error| Error::writing("read back", &part.path, error))
}
