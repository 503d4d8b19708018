//! Complete parts: their way to the disk, and their digests for the manifest.
//!
//! A thread of its own asks the system to begin writing each piece to the disk as soon as it is in the page cache, and
//! syncs each part when it is complete. That is mostly waiting, and it goes on while others compute.
//!
//! The digest of a part can only be computed from front to back, but its pieces are written in any order by all
//! threads. So it is computed from the file, while that is still in the page cache: reading it again costs a quarter
//! of what hashing costs. This is left for the end, when the disk is what is waited for. Two parts at a time, because
//! two messages interleaved take little more than one: 22 ns a block of each instead of 31.
#![cfg_attr(
    target_os = "linux",
    expect(unsafe_code, reason = "no safe crate offers sync_file_range")
)]

use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::PartManifest;
use super::part::Part;
use crate::config::{PARTS_COMPLETE_MAX, SYNCS_WAITING, WRITE_BYTES};
use crate::error::{Error, Result};
use crate::hash::{self, Digest, Kernel, Stream};
use crate::machine;

/// Takes parts that are complete.
#[derive(Clone, Debug)]
pub(super) struct Seals {
    syncs: Sender<Sync>,
    shared: Arc<Mutex<Shared>>,
    kernel: Kernel,
}

/// What the thread that syncs is told.
#[derive(Debug)]
enum Sync {
    /// These bytes will not change any more.
    Begin(Arc<Part>, Range<u64>),
    /// Nothing of the part will change any more.
    Complete(Arc<Part>),
}

#[derive(Debug, Default)]
struct Shared {
    /// Parts that are to be hashed.
    complete: Vec<Arc<Part>>,
    sealed: Vec<PartManifest>,
}

impl Seals {
    /// Runs `body`, which makes parts; its result and the parts, sealed and in order. Parts are hashed on `threads`
    /// threads.
    pub(super) fn scope<T>(
        kernel: Kernel,
        threads: usize,
        body: impl FnOnce(&Self) -> Result<T>,
    ) -> Result<(T, Vec<PartManifest>)> {
        std::thread::scope(|scope| {
            let (syncs, jobs) = bounded(SYNCS_WAITING);
            let thread = Builder::new().spawn_scoped(scope, move || sync_all(&jobs));
            let thread = thread.map_err(|_| machine::no_threads())?;
            let seals = Self { syncs, shared: Arc::default(), kernel };
            let result = body(&seals).and_then(|result| seals.hash_rest(threads).map(|()| result));
            let Self { syncs, shared, .. } = seals;
            // Without senders the thread ends.
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

    /// Lets the disk begin with some bytes of a part. If it is behind, they wait until the part is complete.
    pub(super) fn begin(&self, part: &Arc<Part>, bytes: Range<u64>) {
        let _behind = self.syncs.try_send(Sync::Begin(Arc::clone(part), bytes));
    }

    /// Takes a complete part.
    pub(super) fn seal(&self, part: &Arc<Part>) -> Result<()> {
        let handed_over = self.syncs.send(Sync::Complete(Arc::clone(part)));
        handed_over.map_err(|_| Error::Internal("the thread that syncs stopped"))?;
        let mut shared = lock(&self.shared);
        shared.complete.push(Arc::clone(part));
        if shared.complete.len() < PARTS_COMPLETE_MAX {
            return Ok(());
        }
        // Each holds a file open.
        drop(shared);
        self.hash_some(2).map(drop)
    }

    fn hash_rest(&self, threads: usize) -> Result<()> {
        let complete = lock(&self.shared).complete.len();
        // One for each thread is faster than two for some.
        let count = if complete > threads { 2 } else { 1 };
        std::thread::scope(|scope| {
            let hash = || {
                while self.hash_some(count)? {}
                Ok(())
            };
            // With fewer than it would take it takes longer.
            let others: Vec<_> = (1..threads.min(complete.div_ceil(count)))
                .filter_map(|_| Builder::new().spawn_scoped(scope, hash).ok())
                .collect();
            let mut outcome = hash();
            for other in others {
                let other = other.join();
                outcome = outcome
                    .and(other.unwrap_or(Err(Error::Internal("a thread that hashes panicked"))));
            }
            outcome
        })
    }

    /// Computes the digests of one or two of the parts that wait for it, if there are any.
    fn hash_some(&self, count: usize) -> Result<bool> {
        let mut shared = lock(&self.shared);
        let Some(part) = shared.complete.pop() else { return Ok(false) };
        let other = if count > 1 { shared.complete.pop() } else { None };
        drop(shared);
        match other {
            Some(other) => {
                let [digest, other_digest] = digest_both(self.kernel, [&part, &other])?;
                self.add(&part, &digest);
                self.add(&other, &other_digest);
            }
            None => self.add(&part, &digest(&part)?),
        }
        Ok(true)
    }

    fn add(&self, part: &Part, digest: &Digest) {
        lock(&self.shared).sealed.push(part.manifest(const_hex::encode(digest)));
    }
}

fn sync_all(jobs: &Receiver<Sync>) -> Result<()> {
    for job in jobs {
        match job {
            Sync::Begin(part, bytes) => begin_writing(&part, &bytes),
            Sync::Complete(part) => {
                let synced = part.file.sync_all();
                synced.map_err(|error| Error::writing("sync", &part.path, error))?;
            }
        }
    }
    Ok(())
}

/// Asks the system to begin writing bytes of a file to the disk. What cannot be written is an error of the sync.
#[cfg(target_os = "linux")]
fn begin_writing(part: &Part, bytes: &Range<u64>) {
    use std::os::fd::AsRawFd;

    let (Ok(offset), Ok(len)) =
        (i64::try_from(bytes.start), i64::try_from(bytes.end - bytes.start))
    else {
        return;
    };
    // SAFETY: a call without pointers on a descriptor that `part` keeps open.
    unsafe {
        libc::sync_file_range(part.file.as_raw_fd(), offset, len, libc::SYNC_FILE_RANGE_WRITE);
    }
}

/// The sync does it all.
#[cfg(not(target_os = "linux"))]
fn begin_writing(_: &Part, _: &Range<u64>) {}

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
