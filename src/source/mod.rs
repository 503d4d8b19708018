//! Reading an input that was looked at ([`inspect`]): its bytes in chunks that end on record boundaries.
//!
//! Regular files on local disks are mapped ([`mmap`]); everything else (pipes, compressed files, network file systems)
//! is streamed through buffers that are used again. Both give the same records.

mod ahead;
mod chunks;
mod command;
mod compression;
mod detect;
mod expand;
mod filled;
mod framing;
mod inspect;
#[cfg(any(test, fuzzing))]
pub(crate) mod in_memory;
mod lease;
mod mmap;
pub(crate) mod parquet;
mod patient;
mod stored;
mod utf16;
mod watch;
mod window;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use self::ahead::Ahead;
use self::chunks::Stream;
use self::mmap::{Mapping, is_local};
use self::parquet::Table;
use self::stored::Stored;
use self::utf16::{ByteOrder, Utf16};
use self::watch::{Identity, Watch, Watched};
use crate::buffers::Buffers;
use crate::config::Io;
use crate::dialect::Framing;
use crate::error::{Error, Result};
use crate::limits::{OBJECT_BYTES_MIN, RELEASE_BYTES};
use crate::mutex;
use crate::object::{self, Object};

pub(crate) use self::ahead::Means;
pub(crate) use self::chunks::record_too_long;
pub use self::chunks::{Chunk, Chunks, Torn};
pub use self::compression::Compression;
pub use self::expand::{ExpandError, Expanded, Listed, expand};
pub use self::parquet::quiet::is_quiet;
pub(crate) use crate::object::Opening;

/// An input that was looked at and can be read.
pub struct Source {
    /// Its name in messages: its path, or `stdin`.
    pub path: PathBuf,
    /// Its compression.
    pub compression: Compression,
    /// The first decoded bytes as UTF-8, without a byte order mark, until they are forgotten.
    pub sample: Vec<u8>,
    /// True for a Parquet file, which has no sample: its rows are asked of [`Source::table`].
    pub is_parquet: bool,
    /// Number of the first decoded bytes.
    pub sample_bytes: usize,
    /// True if these are all there is.
    pub is_sample_all: bool,
    /// Size in bytes as stored, where that is known.
    pub bytes: Option<u64>,
    /// Time of last modification in nanoseconds since 1970, where that is known.
    pub modified_ns: Option<i128>,
    /// The name of its version, if its store gives one.
    pub e_tag: Option<String>,
    bom_bytes: usize,
    /// The byte order of text in UTF-16.
    utf16: Option<ByteOrder>,
    origin: Origin,
}

/// Origin of the bytes.
enum Origin {
    /// Opened again, so that ten thousand inputs do not need as many descriptors.
    Regular(Identity),
    /// Of this version, and can be read again.
    Object(Arc<Object>),
    /// Can be read only once: what was read for the sample, then the rest.
    Once(Mutex<Option<Box<dyn Read + Send>>>),
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the sample: it holds personal data.
        f.debug_struct("Source").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Source {
    /// Opens a Parquet file that was looked at, if it is still the same.
    pub(crate) fn table(&self) -> Result<Table> {
        let identity = match &self.origin {
            Origin::Regular(identity) => *identity,
            Origin::Object(object) => {
                let table = Table::open(&self.path, Stored::Object(Arc::clone(object)))?;
                return Ok(table.watched(Watched::Object(Arc::clone(object))));
            }
            Origin::Once(_) => return Err(Error::Internal("a Parquet file is read again")),
        };
        let opening = |error| Error::reading("open", &self.path, error);
        let file = File::open(&self.path).map_err(opening)?;
        let watch =
            Watch { path: self.path.clone(), identity, file: file.try_clone().map_err(opening)? };
        watch.check()?;
        Ok(Table::open(&self.path, file)?.watched(Watched::File(watch)))
    }

    /// True if it is text and has no bytes but white space.
    pub(crate) fn is_blank(&self) -> bool {
        !self.is_parquet && self.is_sample_all && self.sample.trim_ascii().is_empty()
    }

    /// True if it is text of a single line at most: a header, perhaps.
    pub(crate) fn is_line(&self) -> bool {
        let has_line_end = |text: &[u8]| memchr::memchr2(b'\n', b'\r', text).is_some();
        !self.is_parquet && self.is_sample_all && !has_line_end(self.sample.trim_ascii())
    }

    /// Refuses a file that has changed since it was looked at.
    pub(crate) fn check_unchanged(&self) -> Result<()> {
        let identity = match &self.origin {
            Origin::Regular(identity) => *identity,
            Origin::Object(object) => return object.check(),
            Origin::Once(_) => return Ok(()),
        };
        let file =
            File::open(&self.path).map_err(|error| Error::reading("open", &self.path, error))?;
        Watch { path: self.path.clone(), identity, file }.check()
    }

    /// A note for people on its encoding, if it is read as another one.
    pub(crate) fn encoding_note(&self) -> Option<&'static str> {
        self.utf16.map(|_| "the text is UTF-16, and is read as UTF-8")
    }

    /// Says that it is text and neither a list nor a table, if it is: message and hint.
    pub(crate) fn document(&self) -> Option<(&'static str, &'static str)> {
        detect::document(&self.sample)
    }

    /// Lets go of the sample when it has been looked at: there may be many inputs.
    pub fn forget_sample(&mut self) {
        self.sample = Vec::new();
    }

    /// True if it is a file or an object that is opened to be read, so that it can be read beside others.
    pub(crate) fn is_regular(&self) -> bool {
        matches!(self.origin, Origin::Regular(_) | Origin::Object(_))
    }

    /// Memory in bytes that reading it takes, beside its chunks.
    pub(crate) fn reading_bytes(&self) -> u64 {
        if let Origin::Object(_) = self.origin {
            return self.compression.decoder_bytes() + OBJECT_BYTES_MIN;
        }
        match self.compression {
            Compression::None => self.bytes.unwrap_or(u64::MAX).min(RELEASE_BYTES as u64),
            compression => compression.decoder_bytes(),
        }
    }

    /// Starts reading. `skip` bytes behind the byte order mark, such as a header, are left out; `progress` grows by
    /// the bytes that are read as stored. What can be read only once gives its chunks once. A file that can be split is
    /// decoded by the means that are given.
    pub(crate) fn chunks(
        &self,
        framing: Framing,
        skip: usize,
        chunk_bytes: usize,
        io: Io,
        progress: Arc<AtomicU64>,
        (buffers, means): (&Arc<Buffers<Vec<u8>>>, Means),
    ) -> Result<Chunks> {
        let skip = self.bom_bytes + skip;
        let stream = |reader| {
            let (compression, buffers) = (self.compression, Arc::clone(buffers));
            Stream { reader, compression, buffers }
        };
        let path = self.path.clone();
        let identity = match &self.origin {
            Origin::Regular(identity) => *identity,
            Origin::Object(object) => {
                let stored = Stored::Object(Arc::clone(object));
                let decoded = self.decoded(&stored, progress, means)?;
                let watched = Some(Watched::Object(Arc::clone(object)));
                return Ok(Chunks::streamed(
                    path,
                    stream(decoded),
                    watched,
                    framing,
                    skip,
                    chunk_bytes,
                ));
            }
            Origin::Once(reader) => {
                let reader = mutex::lock(reader).take();
                let inner = reader.ok_or(Error::Internal("a source is read once"))?;
                // What is read only once is UTF-8 already.
                let stream = stream(Box::new(Counting::all(inner, progress)));
                return Ok(Chunks::streamed(path, stream, None, framing, skip, chunk_bytes));
            }
        };
        let reading = |operation| {
            let path = self.path.clone();
            move |error| Error::reading(operation, &path, error)
        };
        let file = File::open(&path).map_err(reading("open"))?;
        let watch = Watch { path: path.clone(), identity, file };
        watch.check()?;
        if self.compression == Compression::None
            && self.utf16.is_none()
            && io == Io::Auto
            && is_local(&watch.file)
            && let Ok(mapping) = Mapping::of(&watch.file)
        {
            return Ok(Chunks::mapped(mapping, watch, framing, skip, chunk_bytes, progress));
        }
        let stored = Stored::from(watch.file.try_clone().map_err(reading("open"))?);
        let decoded = self.decoded(&stored, progress, means)?;
        let watched = Some(Watched::File(watch));
        Ok(Chunks::streamed(path, stream(decoded), watched, framing, skip, chunk_bytes))
    }

    /// The text of what is stored, decoded by the means that are given.
    fn decoded(
        &self,
        stored: &Stored,
        progress: Arc<AtomicU64>,
        means: Means,
    ) -> Result<Box<dyn Read + Send>> {
        let ahead = Ahead::new(stored, self.compression, &progress, means);
        let decoded: Box<dyn Read + Send> = if let Some(ahead) = ahead {
            Box::new(ahead)
        } else {
            let raw = Box::new(Counting::all(stored.reader(0, means.bytes), progress));
            let reading = |error| Error::reading("read", &self.path, error);
            self.compression.decoder(raw).map_err(reading)?
        };
        Ok(as_utf8(decoded, self.utf16))
    }
}

/// The error of a failed read: what a store said, if it is one.
fn read_error(operation: &'static str, path: &Path, error: io::Error) -> Error {
    let known = object::of_reader(&error).or_else(|| command::of_reader(&error));
    known.unwrap_or_else(|| Error::reading(operation, path, error))
}

/// Text as UTF-8.
fn as_utf8(text: Box<dyn Read + Send>, utf16: Option<ByteOrder>) -> Box<dyn Read + Send> {
    match utf16 {
        Some(order) => Box::new(Utf16::new(text, order)),
        None => text,
    }
}

/// Counts the bytes that pass, for progress.
struct Counting<R> {
    inner: R,
    count: Arc<AtomicU64>,
    /// Bytes that pass first and were counted before.
    uncounted: u64,
}

impl<R> Counting<R> {
    fn all(inner: R, count: Arc<AtomicU64>) -> Self {
        Self { inner, count, uncounted: 0 }
    }
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
        let known = self.uncounted.min(len as u64);
        self.uncounted -= known;
        self.count.fetch_add(len as u64 - known, Ordering::Relaxed);
        Ok(len)
    }
}
