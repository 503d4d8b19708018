//! Opening an input: what it is, what it begins with, and its bytes in chunks that end on record boundaries.
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

use std::fs::{File, Metadata};
use std::io::{self, Cursor, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::UNIX_EPOCH;

use self::ahead::Ahead;
use self::chunks::Stream;
use self::compression::decode_error;
use self::filled::Filled;
use self::mmap::{Mapping, is_local};
use self::parquet::Table;
use self::patient::Patient;
use self::stored::Stored;
use self::utf16::{ByteOrder, Utf16};
use self::watch::{Identity, Watch, Watched};
use crate::buffers::Buffers;
use crate::config::{Content, Input, Io, Location};
use crate::dialect::Framing;
use crate::error::{Error, Result};
use crate::limits::{OBJECT_BYTES_MIN, RELEASE_BYTES, SAMPLE_BYTES};
use crate::mutex;
use crate::object::{self, Object};
use crate::stop::Stop;

pub(crate) use self::ahead::Means;
pub(crate) use self::chunks::record_too_long;
pub use self::chunks::{Chunk, Chunks, Torn};
pub use self::command::output_of;
pub use self::compression::Compression;
pub use self::expand::{ExpandError, Expanded, Listed, expand};
pub use self::parquet::quiet::is_quiet;
pub(crate) use crate::object::Opening;

/// UTF-8 byte order mark.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Held while the beginning of a file is decoded by a decoder that may be large: files are looked at side by side.
static LARGE_DECODER: Mutex<()> = Mutex::new(());

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
    /// True for an object, and for the path of a regular file: they can be looked at beside others, since they keep nobody
    /// waiting.
    pub(crate) fn is_file(input: &Input) -> bool {
        match input {
            Input::Path(path) => std::fs::metadata(path).is_ok_and(|meta| meta.is_file()),
            Input::Object(_) => true,
            Input::Stdin | Input::Supply(_) => false,
        }
    }

    /// Begins to look at an input, if somebody else has to answer: several can be asked at once.
    pub(crate) fn begin(input: &Input) -> Option<Result<Opening>> {
        match input {
            Input::Object(location) => Some(Object::begin(location, SAMPLE_BYTES as u64)),
            _ => None,
        }
    }

    /// The object that was begun to be looked at.
    pub(crate) fn inspect_opening(
        opening: Opening,
        location: &Location,
        stop: &Stop,
    ) -> Result<Self> {
        let inspected =
            opening.wait(stop).and_then(|(object, head)| Self::of_object(location, object, head));
        stop.check().and(inspected)
    }

    /// Opens an input and looks at its beginning. Waiting for a pipe ends when `stop` says so.
    pub fn inspect(input: &Input, stop: &Stop) -> Result<Self> {
        let inspected = match input {
            Input::Stdin => Self::inspect_stdin(stop),
            Input::Path(path) => Self::inspect_path(path, stop),
            Input::Object(location) => Object::begin(location, SAMPLE_BYTES as u64)
                .and_then(|opening| Self::inspect_opening(opening, location, stop)),
            Input::Supply(supply) => {
                let (name, content) = (supply.name().to_owned(), supply.content());
                Self::inspect_stream(name, supply.take()?, content, None)
            }
        };
        stop.check().and(inspected)
    }

    fn inspect_stdin(stop: &Stop) -> Result<Self> {
        let path = PathBuf::from("stdin");
        // The descriptor itself: what the standard library keeps in its own buffer, poll(2) does not see.
        let stdin = io::stdin().as_fd().try_clone_to_owned();
        let file = File::from(stdin.map_err(|error| Error::reading("open", &path, error))?);
        let reader = Box::new(Patient::new(file, stop.clone()));
        Self::inspect_stream(path, reader, Content::Text, None)
    }

    fn inspect_path(path: &Path, stop: &Stop) -> Result<Self> {
        let reading = |operation| move |error| Error::reading(operation, path, error);
        let is_fifo = std::fs::metadata(path).is_ok_and(|meta| meta.file_type().is_fifo());
        let file = if is_fifo { patient::open_fifo(path) } else { File::open(path) };
        let file = file.map_err(reading("open"))?;
        let meta = file.metadata().map_err(reading("look at"))?;
        let kind = meta.file_type();
        if kind.is_dir() {
            return Err(Error::input(
                path,
                "it is a directory",
                "name its files, for example with a quoted glob: 'DIR/*.csv'",
            ));
        }
        if kind.is_block_device() || (kind.is_char_device() && !is_terminal_or_null(&meta)) {
            return Err(Error::input(path, "it is a device", ""));
        }
        if kind.is_file() && lease::is_open_for_writing(&file) {
            return Err(Error::input(
                path,
                "another process still has it open for writing",
                "wait until it is complete; to read it as it is now: throng prepare - < FILE",
            ));
        }
        // Files of /proc and the like have no size: they are read to their end, once.
        if !kind.is_file() || meta.len() == 0 {
            let reader = Box::new(Patient::new(file, stop.clone()));
            return Self::inspect_stream(path.to_owned(), reader, Content::Text, None);
        }
        let identity = Identity::of(&meta);
        let mut head = [0; detect::PARQUET_HEAD_BYTES];
        if file.read_at(&mut head, 0).is_ok_and(|len| detect::is_parquet(&head[..len])) {
            return Ok(Self::of_parquet(
                path.to_owned(),
                &Stamp::of(&meta),
                Origin::Regular(identity),
            ));
        }
        let reader = Box::new(file);
        let stamp = Some(Stamp::of(&meta));
        let mut source = Self::inspect_stream(path.to_owned(), reader, Content::Text, stamp)?;
        source.origin = Origin::Regular(identity);
        Ok(source)
    }

    fn of_object(
        location: &Location,
        object: Object,
        head: impl AsRef<[u8]> + Send + 'static,
    ) -> Result<Self> {
        let (path, object) = (location.to_path(), Arc::new(object));
        let stamp = Stamp::of_object(&object);
        if detect::is_parquet(head.as_ref()) {
            return Ok(Self::of_parquet(path, &stamp, Origin::Object(object)));
        }
        let stored = Stored::Object(Arc::clone(&object));
        let rest = stored.reader(head.as_ref().len() as u64, 0);
        let reader = Box::new(Cursor::new(head).chain(rest));
        let mut source = Self::inspect_stream(path, reader, Content::Text, Some(stamp))?;
        source.origin = Origin::Object(object);
        Ok(source)
    }

    fn of_parquet(path: PathBuf, stamp: &Stamp, origin: Origin) -> Self {
        Self {
            path,
            compression: Compression::None,
            sample: Vec::new(),
            sample_bytes: 0,
            is_parquet: true,
            is_sample_all: false,
            bytes: Some(stamp.bytes),
            modified_ns: Some(stamp.modified_ns),
            e_tag: stamp.e_tag.clone(),
            bom_bytes: 0,
            utf16: None,
            origin,
        }
    }

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

    fn inspect_stream(
        path: PathBuf,
        mut raw: Box<dyn Read + Send>,
        content: Content,
        stamp: Option<Stamp>,
    ) -> Result<Self> {
        let reading = |error| read_error("read", &path, error);
        let head = read_up_to(&mut raw, compression::MAGIC_BYTES).map_err(reading)?;
        let compression = Compression::of(&head);
        let is_large = stamp.is_some() && compression.may_be_large();
        let _one_at_a_time = is_large.then(|| mutex::lock(&LARGE_DECODER));
        let raw: Box<dyn Read + Send> = Box::new(Cursor::new(head).chain(raw));
        let decoding = |error| decode_error(&path, compression, error);
        let mut decoded = compression.decoder(raw).map_err(reading)?;
        let head = read_up_to(&mut decoded, detect::HEAD_BYTES).map_err(decoding)?;
        // Values that a program hands over are what they are.
        let utf16 = match content {
            Content::Text => detect::utf16(&head),
            Content::Values | Content::Table => None,
        };
        if content == Content::Text
            && let Some((message, hint)) = detect::unreadable(&head)
        {
            return Err(Error::input(&path, message, hint));
        }
        let mut decoded = as_utf8(Box::new(Cursor::new(head).chain(decoded)), utf16);
        let mut sample = read_up_to(&mut decoded, SAMPLE_BYTES).map_err(decoding)?;
        let is_sample_all = sample.len() < SAMPLE_BYTES;
        let bom_bytes = if sample.starts_with(BOM) { BOM.len() } else { 0 };
        // A regular file is opened again.
        let bytes = stamp.as_ref().map(|stamp| stamp.bytes).filter(|bytes| *bytes > 0);
        let again = if bytes.is_none() { sample.clone() } else { Vec::new() };
        let rest: Box<dyn Read + Send> = Box::new(Cursor::new(again).chain(decoded));
        sample.drain(..bom_bytes);
        Ok(Self {
            compression,
            sample_bytes: sample.len(),
            sample,
            is_parquet: false,
            is_sample_all,
            bytes,
            modified_ns: stamp.as_ref().map(|stamp| stamp.modified_ns),
            e_tag: stamp.and_then(|stamp| stamp.e_tag),
            bom_bytes,
            utf16,
            origin: Origin::Once(Mutex::new(Some(rest))),
            path,
        })
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

/// What is known of something that is stored.
struct Stamp {
    bytes: u64,
    modified_ns: i128,
    e_tag: Option<String>,
}

impl Stamp {
    fn of(meta: &Metadata) -> Self {
        Self { bytes: meta.len(), modified_ns: modified_ns(meta), e_tag: None }
    }

    fn of_object(object: &Object) -> Self {
        let facts = object.facts();
        let since = facts.modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        let modified_ns = i128::try_from(since.as_nanos()).unwrap_or(i128::MAX);
        Self { bytes: facts.bytes, modified_ns, e_tag: facts.e_tag.clone() }
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

fn modified_ns(meta: &Metadata) -> i128 {
    i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec())
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

/// Reads until `limit` bytes or the end.
fn read_up_to(reader: &mut impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Filled::default();
    bytes.read(reader, limit)?;
    let len = bytes.len();
    let mut bytes = bytes.into_buffer();
    bytes.truncate(len);
    Ok(bytes)
}

/// `/dev/null` is an empty input; a terminal is somebody typing.
fn is_terminal_or_null(meta: &Metadata) -> bool {
    let (major, minor) = (rustix::fs::major(meta.rdev()), rustix::fs::minor(meta.rdev()));
    (major, minor) == (1, 3) || matches!(major, 4 | 5 | 136..=143)
}
