//! The compressed bytes in which a splitter looks for pieces.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that are read at once.
const READ_BYTES: usize = 256 * 1024;

/// Bytes of a file from the end of the last piece on, as far as they were looked at.
pub(super) struct Window {
    raw: Box<dyn Read + Send>,
    progress: Arc<AtomicU64>,
    bytes: Vec<u8>,
    /// Beginning of what is left in `bytes`.
    start: usize,
    /// Place in the file behind `bytes`.
    read_to: u64,
    is_at_end: bool,
    /// Most bytes of a piece, and of what it becomes.
    limit: usize,
    restart: u64,
}

impl Window {
    pub(super) fn new(raw: Box<dyn Read + Send>, progress: Arc<AtomicU64>, limit: usize) -> Self {
        Self {
            raw,
            progress,
            bytes: Vec::new(),
            start: 0,
            read_to: 0,
            is_at_end: false,
            limit,
            restart: 0,
        }
    }

    /// Most bytes of a piece, and of what it becomes.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// The bytes that are here.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Reads until `len` bytes are here; `false` if the file ends before.
    pub(super) fn has(&mut self, len: usize) -> io::Result<bool> {
        while self.bytes.len() - self.start < len {
            if self.is_at_end {
                return Ok(false);
            }
            if self.start >= READ_BYTES {
                self.bytes.drain(..self.start);
                self.start = 0;
            }
            let from = self.bytes.len();
            self.bytes.resize(from + READ_BYTES, 0);
            let read = self.raw.read(&mut self.bytes[from..]);
            self.bytes.truncate(from + *read.as_ref().unwrap_or(&0));
            let len = read? as u64;
            self.is_at_end = len == 0;
            self.read_to += len;
            self.progress.fetch_add(len, Ordering::Relaxed);
        }
        Ok(true)
    }

    /// Takes bytes that are here.
    pub(super) fn take(&mut self, len: usize) -> Vec<u8> {
        let taken = self.bytes()[..len].to_vec();
        self.start += len;
        taken
    }

    /// Passes over bytes that are here.
    pub(super) fn pass(&mut self, len: usize) {
        self.start += len;
    }

    /// Place in the file of the first byte that is here.
    pub(super) fn place(&self) -> u64 {
        self.read_to - (self.bytes.len() - self.start) as u64
    }

    /// Remembers this place: a decoder can begin here.
    pub(super) fn mark(&mut self) -> u64 {
        self.restart = self.place();
        self.restart
    }

    /// The last place where a decoder can begin.
    pub(super) fn restart(&self) -> u64 {
        self.restart
    }

    /// Place in the file up to which it was read, and counted.
    pub(super) fn read_to(&self) -> u64 {
        self.read_to
    }

    pub(super) fn progress(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.progress)
    }
}
