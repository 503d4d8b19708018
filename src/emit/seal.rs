//! Complete parts: their way to the disk, and their digests for the manifest.
//!
//! A thread of its own asks the system to begin writing each piece to the disk as soon as it is in the page cache, and
//! syncs each part when it is complete. That is mostly waiting, and it goes on while others compute.
//!
//! The digest of a part can only be computed from front to back, but its pieces are written in any order by all
//! threads. So it is computed from the file, while that is still in the page cache: reading it again costs a quarter
//! of what hashing costs. This is left for the end, when the disk is what is waited for. Up to four parts at a time,
//! because messages interleaved take little more than one: 17 ns a block of each instead of 30.
#![cfg_attr(
    target_os = "linux",
    expect(unsafe_code, reason = "no safe crate offers sync_file_range")
)]

use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex};
use std::thread::Builder;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::PartManifest;
use super::part_file::Part;
use crate::error::{Error, Result};
use crate::hash::{self, Digest, Kernel, Stream};
use crate::limits::{PARTS_COMPLETE_MAX, SYNCS_WAITING};
use crate::machine;
use crate::mutex;

/// Takes parts that are complete.
#[derive(Clone, Debug)]
pub(super) struct Seals {
    syncs: Sender<Sync>,
    shared: Arc<Mutex<Shared>>,
    kernel: Kernel,
}

/// Message to the thread that syncs.
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
            let mut parts = std::mem::take(&mut mutex::lock(&shared).sealed);
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
        let mut shared = mutex::lock(&self.shared);
        shared.complete.push(Arc::clone(part));
        if shared.complete.len() < PARTS_COMPLETE_MAX {
            return Ok(());
        }
        // Each holds a file open.
        drop(shared);
        self.hash_some(PARTS_HASHED).map(drop)
    }

    fn hash_rest(&self, threads: usize) -> Result<()> {
        let complete = mutex::lock(&self.shared).complete.len();
        // One for each thread is faster than two for some, and as many for each thread as few rounds allow; more threads than
        // cores would only take apart what is quick together.
        let threads = threads.clamp(1, machine::cores());
        let rounds = complete.div_ceil(threads * PARTS_HASHED);
        let count = complete.div_ceil(threads * rounds.max(1)).max(1);
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

    /// Computes the digests of up to `count` of the parts that wait for it, if there are any.
    fn hash_some(&self, count: usize) -> Result<bool> {
        let mut shared = mutex::lock(&self.shared);
        let left = shared.complete.len().saturating_sub(count);
        let parts = shared.complete.split_off(left);
        drop(shared);
        let digests = digests(self.kernel, &parts)?;
        for (part, digest) in parts.iter().zip(&digests) {
            mutex::lock(&self.shared).sealed.push(part.manifest(const_hex::encode(digest)));
        }
        Ok(!parts.is_empty())
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

/// Parts that are hashed side by side.
const PARTS_HASHED: usize = 4;

/// Bytes of each that are read at once: those of all parts and their copies stay in the second-level cache.
const PIECE_BYTES: usize = 64 * 1024;

const _: () = assert!(PIECE_BYTES.is_multiple_of(hash::BLOCK_BYTES), "pieces are whole blocks");

fn digests(kernel: Kernel, parts: &[Arc<Part>]) -> Result<Vec<Digest>> {
    let mut buffers = vec![vec![0; PIECE_BYTES]; parts.len()];
    let mut streams = vec![Stream::default(); parts.len()];
    let mut offset = 0;
    loop {
        let end = offset + PIECE_BYTES as u64;
        let mut pieces = Vec::new();
        for ((part, stream), buffer) in parts.iter().zip(&mut streams).zip(&mut buffers) {
            if part.bytes() >= end {
                read(part, offset, buffer)?;
                pieces.push((stream, &**buffer));
            }
        }
        if pieces.is_empty() {
            break;
        }
        Stream::update_each(kernel, &mut pieces);
        offset = end;
    }
    let ends = parts.iter().zip(streams).zip(&mut buffers);
    ends.map(|((part, stream), buffer)| {
        let rest = part.bytes() % PIECE_BYTES as u64;
        let buffer = &mut buffer[..usize::try_from(rest).expect("less than a piece")];
        read(part, part.bytes() - rest, buffer)?;
        Ok(stream.finish(buffer))
    })
    .collect()
}

fn read(part: &Part, offset: u64, buffer: &mut [u8]) -> Result<()> {
    let read = part.file.read_exact_at(buffer, offset);
    read.map_err(|error| Error::writing("read back", &part.path, error))
}
