//! The bytes of a source in chunks that begin and end on record boundaries.

use std::collections::VecDeque;
use std::io::Read;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::ThreadPool;
use rayon::prelude::*;

use super::compression::{Compression, decode_error};
use super::filled::Filled;
use super::framing::{Cutter, first_line_end};
use super::mmap::Mapping;
use super::watch::{Watch, Watched};
use super::window::WindowScan;
use crate::buffers::Buffers;
use crate::dialect::{Csv, Framing, Reading};
use crate::error::{Error, Result};
use crate::hash::Kernel;
use crate::limits::{IN_FLIGHT_PER_WORKER, RECORD_BYTES_MAX, RELEASE_BYTES, WINDOW_BYTES_MAX};

/// Windows of a mapped CSV that are scanned ahead at once.
const SCAN_AHEAD: usize = 32;

/// A byte range of a source that begins and ends on record boundaries.
#[derive(Debug)]
pub struct Chunk {
    bytes: Bytes,
    /// How it must be read if it is CSV.
    pub reading: Reading,
    /// True if the chunk stands for one line that is longer than [`RECORD_BYTES_MAX`]; it then has no bytes.
    pub is_oversize: bool,
}

#[derive(Debug)]
enum Bytes {
    Mapped {
        mapping: Arc<Mapping>,
        range: Range<usize>,
        /// Pages before it that are given back with it.
        read: Range<usize>,
    },
    /// A buffer that is used again.
    Owned(Filled, Arc<Buffers<Vec<u8>>>),
}

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped { mapping, range, .. } => &mapping[range.clone()],
            Bytes::Owned(bytes, _) => bytes,
        }
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        match &mut self.bytes {
            Bytes::Mapped { mapping, read, .. } if read.start < read.end => {
                mapping.release(read.clone());
            }
            Bytes::Mapped { .. } => {}
            Bytes::Owned(bytes, home) => home.give(std::mem::take(bytes).into_buffer()),
        }
    }
}

/// The cause that there are no more chunks: an error, with the number of line ends between the last chunk and its place.
#[derive(Debug)]
pub struct Torn {
    /// The error, without its line.
    pub error: Error,
    /// Lines between the last chunk and the error; `None` if it is about no line.
    pub lines_behind: Option<u64>,
}

impl From<Error> for Torn {
    fn from(error: Error) -> Self {
        Self { error, lines_behind: None }
    }
}

/// Hands out a source's chunks in order.
#[derive(Debug)]
pub struct Chunks {
    route: Route,
    cutter: Cutter,
    chunk_bytes: usize,
    path: PathBuf,
    watch: Option<Watched>,
    is_finished: bool,
    /// A line is being passed over because it is longer than the limit.
    is_skipping: bool,
}

#[derive(Debug)]
enum Route {
    Mapped(Mapped),
    Streamed(Streamed),
}

impl Chunks {
    pub(super) fn mapped(
        mapping: Mapping,
        watch: Watch,
        framing: Framing,
        skip: usize,
        chunk_bytes: usize,
        progress: Arc<AtomicU64>,
    ) -> Self {
        let start = skip.min(mapping.len());
        let scans = VecDeque::new();
        let mapping = Arc::new(mapping);
        let mapped = Mapped {
            mapping,
            start,
            end: start,
            released: start,
            under_way_max: 0,
            scans,
            progress,
        };
        let (path, watch) = (watch.path.clone(), Some(Watched::File(watch)));
        Self::new(Route::Mapped(mapped), path, watch, framing, chunk_bytes)
    }

    pub(super) fn streamed(
        path: PathBuf,
        Stream { reader, compression, buffers }: Stream,
        watch: Option<Watched>,
        framing: Framing,
        skip: usize,
        chunk_bytes: usize,
    ) -> Self {
        let streamed = Streamed { reader, pending: Filled::default(), skip, compression, buffers };
        Self::new(Route::Streamed(streamed), path, watch, framing, chunk_bytes)
    }

    fn new(
        route: Route,
        path: PathBuf,
        watch: Option<Watched>,
        framing: Framing,
        chunk_bytes: usize,
    ) -> Self {
        let cutter = Cutter::new(framing);
        let chunk_bytes = chunk_bytes.min(WINDOW_BYTES_MAX);
        Self { route, cutter, chunk_bytes, path, watch, is_finished: false, is_skipping: false }
    }

    /// The next chunk; `None` behind the last one. After an error there are no more. Windows of CSV are scanned on
    /// `pool`.
    pub fn next_chunk(&mut self, pool: &ThreadPool) -> std::result::Result<Option<Chunk>, Torn> {
        while !self.is_finished {
            let scan = self.route.grow(self.chunk_bytes, &self.cutter, &self.path, pool)?;
            let Some(scan) = scan else {
                self.is_finished = true;
                return Ok(self.last_chunk());
            };
            self.cutter.feed(self.route.pending(), scan);
            let boundary = self.cutter.boundary();
            if self.is_skipping {
                // The end of the oversize line, and with it the line itself, is not part of any chunk.
                let passed = match boundary {
                    0 => passed_over(self.route.pending()),
                    _ => first_line_end(self.route.pending()).unwrap_or(boundary),
                };
                self.is_skipping = boundary == 0;
                self.route.discard(passed);
                self.cutter.take(passed);
                if self.is_skipping {
                    continue;
                }
                if self.cutter.boundary() > 0 {
                    let len = self.cutter.boundary();
                    return Ok(Some(self.take(len)));
                }
                continue;
            }
            if boundary > 0 {
                return Ok(Some(self.take(boundary)));
            }
            if self.cutter.is_oversize() {
                return self.begin_oversize();
            }
        }
        Ok(None)
    }

    fn take(&mut self, len: usize) -> Chunk {
        let reading = self.cutter.take_chunk(len);
        Chunk { bytes: self.route.take(len), reading, is_oversize: false }
    }

    fn begin_oversize(&mut self) -> std::result::Result<Option<Chunk>, Torn> {
        if !self.cutter.is_lines() {
            return Err(Torn { error: record_too_long(&self.path), lines_behind: Some(0) });
        }
        self.is_skipping = true;
        let len = passed_over(self.route.pending());
        self.route.discard(len);
        self.cutter.take(len);
        Ok(Some(Chunk { bytes: self.route.take(0), reading: Reading::Fast, is_oversize: true }))
    }

    /// Remainder when the source has ended: a last record without a line end.
    fn last_chunk(&mut self) -> Option<Chunk> {
        self.cutter.finish();
        let len = self.route.pending().len();
        (len > 0 && !self.is_skipping).then(|| self.take(len))
    }

    /// To be called when all chunks have been worked on: whether the source was the same all the time.
    pub fn check_unchanged(&self) -> Result<()> {
        if let Some(watch) = &self.watch {
            watch.check()?;
        }
        match &self.route {
            Route::Mapped(mapped) if mapped.mapping.is_torn() => Err(shrank(&self.path)),
            _ => Ok(()),
        }
    }
}

fn shrank(path: &Path) -> Error {
    Error::input(path, "it shrank while it was read", "run again when its writer has finished")
}

/// The error for a CSV record over the limit, without its line.
pub(crate) fn record_too_long(path: &Path) -> Error {
    let limit = RECORD_BYTES_MAX / 1024 / 1024;
    Error::input(
        path,
        format!("a record begins here that is longer than {limit} MiB"),
        "check that the file is CSV, or read it as plain lines with --format lines",
    )
}

/// Bytes of a line that is passed over and has no end yet: all but a CR, which the next byte may make part of its end.
fn passed_over(pending: &[u8]) -> usize {
    pending.len() - usize::from(pending.last() == Some(&b'\r'))
}

impl Route {
    /// Adds the next window to the pending bytes. `None` at the end of the source; else what is known of the window.
    #[expect(
        clippy::option_option,
        reason = "no more windows, or a window that may have been scanned"
    )]
    fn grow(
        &mut self,
        window: usize,
        cutter: &Cutter,
        path: &Path,
        pool: &ThreadPool,
    ) -> Result<Option<Option<WindowScan>>> {
        match self {
            Self::Mapped(mapped) if mapped.mapping.is_torn() => Err(shrank(path)),
            Self::Mapped(mapped) => Ok(mapped.grow(window, cutter, pool)),
            Self::Streamed(streamed) => {
                let grown = streamed.grow(window);
                let grown = grown.map_err(|e| decode_error(path, streamed.compression, e))?;
                Ok(grown.then_some(None))
            }
        }
    }

    fn pending(&self) -> &[u8] {
        match self {
            Self::Mapped(mapped) => &mapped.mapping[mapped.start..mapped.end],
            Self::Streamed(streamed) => &streamed.pending,
        }
    }

    fn take(&mut self, len: usize) -> Bytes {
        match self {
            Self::Mapped(mapped) => {
                let range = mapped.start..mapped.start + len;
                mapped.discard(len);
                let mapping = Arc::clone(&mapped.mapping);
                Bytes::Mapped { mapping, range, read: mapped.take_read() }
            }
            Self::Streamed(streamed) => {
                let mut next = streamed.buffer();
                next.extend_from_slice(&streamed.pending[len..]);
                streamed.pending.truncate(len);
                let bytes = std::mem::replace(&mut streamed.pending, next);
                Bytes::Owned(bytes, Arc::clone(&streamed.buffers))
            }
        }
    }

    fn discard(&mut self, len: usize) {
        match self {
            Self::Mapped(mapped) => mapped.discard(len),
            Self::Streamed(streamed) => streamed.pending.drop_first(len),
        }
    }
}

/// A mapped file; the pending bytes are `start..end`.
#[derive(Debug)]
struct Mapped {
    mapping: Arc<Mapping>,
    start: usize,
    end: usize,
    /// Pages before this place were given back.
    released: usize,
    /// Most bytes of chunks that were handed out and are worked on.
    under_way_max: usize,
    /// Scans of the windows from `end` on.
    scans: VecDeque<WindowScan>,
    progress: Arc<AtomicU64>,
}

impl Mapped {
    #[expect(clippy::option_option, reason = "as Route::grow")]
    fn grow(
        &mut self,
        window: usize,
        cutter: &Cutter,
        pool: &ThreadPool,
    ) -> Option<Option<WindowScan>> {
        if self.end == self.mapping.len() {
            return None;
        }
        if let Some(csv) = cutter.scans_ahead().filter(|_| self.scans.is_empty()) {
            self.scan_ahead(window, &csv, pool);
        }
        // Those of windows that are cut exactly are passed over.
        let scan = self.scans.pop_front();
        // A chunk is as long as a window, or longer by records that end in the next one.
        self.under_way_max = 2 * window * IN_FLIGHT_PER_WORKER * pool.current_num_threads();
        self.end = (self.end + window).min(self.mapping.len());
        Some(scan)
    }

    fn scan_ahead(&mut self, window: usize, csv: &Csv, pool: &ThreadPool) {
        let from = self.end;
        let to = (from + window * SCAN_AHEAD).min(self.mapping.len());
        let windows: Vec<&[u8]> = self.mapping[from..to].chunks(window).collect();
        let scan = |window| WindowScan::of(Kernel::default(), window, csv);
        let scans: Vec<WindowScan> = pool.install(|| windows.into_par_iter().map(scan).collect());
        self.scans.extend(scans);
    }

    fn discard(&mut self, len: usize) {
        self.start += len;
        self.progress.fetch_add(len as u64, Ordering::Relaxed);
    }

    /// The pages that are to be given back, if they are worth it.
    fn take_read(&mut self) -> Range<usize> {
        // Chunks that are still worked on lie in the last bytes: what is given back too early comes back and stays.
        // Giving back each chunk by itself cost a tenth of a run, because every time all cores have to forget the
        // addresses.
        let end = self.start.saturating_sub(self.under_way_max);
        if end < self.released + RELEASE_BYTES {
            return end..end;
        }
        std::mem::replace(&mut self.released, end)..end
    }
}

/// What is read from its begin to its end.
pub(super) struct Stream {
    /// Decoded bytes, as UTF-8.
    pub(super) reader: Box<dyn Read + Send>,
    pub(super) compression: Compression,
    /// Buffers of chunks that are done, of this source and of others.
    pub(super) buffers: Arc<Buffers<Vec<u8>>>,
}

/// A stream; the pending bytes are in a buffer of their own.
struct Streamed {
    reader: Box<dyn Read + Send>,
    pending: Filled,
    /// Bytes still to be left out at the beginning.
    skip: usize,
    compression: Compression,
    buffers: Arc<Buffers<Vec<u8>>>,
}

impl std::fmt::Debug for Streamed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streamed").field("compression", &self.compression).finish_non_exhaustive()
    }
}

impl Streamed {
    /// Appends up to `window` bytes; `false` at the end.
    fn grow(&mut self, window: usize) -> std::io::Result<bool> {
        while self.skip > 0 {
            let skipped = self.pending.read(&mut self.reader, self.skip.min(window))?;
            self.pending.truncate(0);
            self.skip = if skipped == 0 { 0 } else { self.skip - skipped };
        }
        Ok(self.pending.read(&mut self.reader, window)? > 0)
    }

    fn buffer(&self) -> Filled {
        Filled::none(self.buffers.take())
    }
}
