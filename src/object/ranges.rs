//! Reading an object: from a place to its end, or in a section of it.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;

use super::fault::Got;
use super::fetch::Coming;
use super::object::Object;
use crate::limits::{OBJECT_AHEAD_MAX, OBJECT_RANGE_BYTES, OBJECT_SECTION_BYTES};

type Fetching = Coming<Got<Vec<u8>>>;

/// The bytes of an object from a place on, with ranges fetched ahead of who reads them.
pub(crate) struct Ranges {
    object: Arc<Object>,
    /// Where the next range begins that nobody has asked for.
    next: u64,
    /// Ranges under way at once.
    ahead: usize,
    coming: VecDeque<Fetching>,
    here: Vec<u8>,
    /// Number of these that were read.
    read: usize,
}

impl Ranges {
    /// Nothing is fetched before somebody reads. About `bytes` of memory are taken.
    pub(crate) fn new(object: &Arc<Object>, from: u64, bytes: u64) -> Self {
        let ahead = usize::try_from(bytes / OBJECT_RANGE_BYTES).unwrap_or(OBJECT_AHEAD_MAX);
        let ahead = ahead.saturating_sub(1).clamp(1, OBJECT_AHEAD_MAX);
        let object = Arc::clone(object);
        Self { object, next: from, ahead, coming: VecDeque::new(), here: Vec::new(), read: 0 }
    }
}

impl Read for Ranges {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.here.len() {
            let end = self.object.facts().bytes;
            // What was read makes room for what comes.
            let mut room = std::mem::take(&mut self.here);
            self.read = 0;
            while self.coming.len() < self.ahead && self.next < end {
                let to = (self.next + OBJECT_RANGE_BYTES).min(end);
                let fetching = self.object.fetch(self.next..to, std::mem::take(&mut room))?;
                self.coming.push_back(fetching);
                self.next = to;
            }
            let Some(first) = self.coming.pop_front() else { return Ok(0) };
            self.here = self.object.wait(&first)?;
        }
        let len = buffer.len().min(self.here.len() - self.read);
        buffer[..len].copy_from_slice(&self.here[self.read..][..len]);
        self.read += len;
        Ok(len)
    }
}

/// A part of an object that is read in pieces of any length, one behind the other as a rule: what comes next is fetched
/// while what is here is read.
pub(crate) struct Section {
    object: Arc<Object>,
    end: u64,
    /// Bytes that are here, and their place.
    here: (u64, Vec<u8>),
    coming: Option<(u64, Fetching)>,
}

impl Section {
    /// Nothing is fetched before somebody reads.
    pub(crate) fn new(object: &Arc<Object>, end: u64) -> Self {
        Self { object: Arc::clone(object), end, here: (0, Vec::new()), coming: None }
    }

    /// Fetches what is at a place, so that it is here with all that follows.
    pub(crate) fn begin_at(&mut self, at: u64) -> io::Result<()> {
        self.fetch(at, 0)
    }

    /// Fills a buffer with the bytes at a place.
    pub(crate) fn read_exact_at(&mut self, mut buffer: &mut [u8], mut at: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            if self.piece(at).is_empty() {
                self.fetch(at, buffer.len() as u64)?;
            }
            let piece = self.piece(at);
            let len = piece.len().min(buffer.len());
            let (filled, rest) = buffer.split_at_mut(len);
            filled.copy_from_slice(&piece[..len]);
            (buffer, at) = (rest, at + len as u64);
        }
        Ok(())
    }

    /// What is here from a place on.
    fn piece(&self, at: u64) -> &[u8] {
        let (begin, bytes) = &self.here;
        let skip = at.checked_sub(*begin).and_then(|skip| usize::try_from(skip).ok());
        skip.and_then(|skip| bytes.get(skip..)).unwrap_or_default()
    }

    fn fetch(&mut self, at: u64, wanted: u64) -> io::Result<()> {
        if at >= self.end {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let fetching = match self.coming.take().filter(|(begin, _)| *begin == at) {
            Some((_, fetching)) => fetching,
            None => self.object.fetch(at..self.piece_end(at, wanted), Vec::new())?,
        };
        self.here = (at, self.object.wait(&fetching)?);
        let next = at + self.here.1.len() as u64;
        if next < self.end {
            let fetching = self.object.fetch(next..self.piece_end(next, 0), Vec::new())?;
            self.coming = Some((next, fetching));
        }
        Ok(())
    }

    fn piece_end(&self, at: u64, wanted: u64) -> u64 {
        (at + wanted.max(OBJECT_SECTION_BYTES)).min(self.end)
    }
}
