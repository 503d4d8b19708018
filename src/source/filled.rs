//! Buffers that are read into.

use std::io::{self, Read};
use std::ops::Deref;

/// The beginning of a buffer that may be longer: what was made zero once is not made zero again.
#[derive(Debug, Default)]
pub(super) struct Filled {
    buffer: Vec<u8>,
    len: usize,
}

impl Deref for Filled {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
}

impl Filled {
    /// Nothing yet, in a buffer with whatever is in it.
    pub(super) fn none(buffer: Vec<u8>) -> Self {
        Self { buffer, len: 0 }
    }

    /// The buffer, to be used again.
    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// Appends up to `most` bytes, in reads as large as may be; the number of bytes.
    pub(super) fn read(&mut self, reader: &mut impl Read, most: usize) -> io::Result<usize> {
        let (from, end) = (self.len, self.len + most);
        self.reserve(end);
        while self.len < end {
            match reader.read(&mut self.buffer[self.len..end]) {
                Ok(0) => break,
                Ok(len) => self.len += len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.len - from)
    }

    pub(super) fn extend_from_slice(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        self.reserve(end);
        self.buffer[self.len..end].copy_from_slice(bytes);
        self.len = end;
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Lets go of the first bytes.
    pub(super) fn drop_first(&mut self, len: usize) {
        self.buffer.copy_within(len..self.len, 0);
        self.len -= len;
    }

    fn reserve(&mut self, len: usize) {
        if self.buffer.len() < len {
            self.buffer.resize(len, 0);
        }
    }
}
