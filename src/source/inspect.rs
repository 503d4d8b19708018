//! Looking at an input: what it is, and what it begins with.

use std::fs::{File, Metadata};
use std::io::{self, Cursor, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::UNIX_EPOCH;

use super::command::Output;
use super::compression::{self, Compression, decode_error};
use super::filled::Filled;
use super::patient::{self, Patient};
use super::stored::Stored;
use super::watch::Identity;
use super::{Opening, Origin, Source, as_utf8, detect, lease, read_error};
use crate::config::{Command, Content, Input, Location};
use crate::error::{Error, Result};
use crate::limits::SAMPLE_BYTES;
use crate::mutex;
use crate::object::Object;
use crate::stop::Stop;

/// UTF-8 byte order mark.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Held while the beginning of a file is decoded by a decoder that may be large: files are looked at side by side.
static LARGE_DECODER: Mutex<()> = Mutex::new(());

impl Source {
    /// True for an object, and for the path of a regular file: they can be looked at beside others, since they keep nobody
    /// waiting.
    pub(crate) fn is_file(input: &Input) -> bool {
        match input {
            Input::Path(path) => std::fs::metadata(path).is_ok_and(|meta| meta.is_file()),
            Input::Object(_) => true,
            Input::Stdin | Input::Command(_) | Input::Supply(_) => false,
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
            Input::Command(command) => Self::inspect_command(command, stop),
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

    /// Whatever is wrong with its output: that the command failed is why.
    fn inspect_command(command: &Command, stop: &Stop) -> Result<Self> {
        let output = Output::of(command, stop);
        let reader = Box::new(output.clone());
        let source = Self::inspect_stream(command.name().to_owned(), reader, Content::Text, None);
        let mut source = source.map_err(|error| output.explained(error))?;
        if let Origin::Once(rest) = &mut source.origin {
            let rest = mutex::get_mut(rest);
            *rest = rest.take().map(|rest| output.judge(rest));
        }
        Ok(source)
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

    pub(super) fn inspect_stream(
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
}

/// What is known of something that is stored.
pub(super) struct Stamp {
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

fn modified_ns(meta: &Metadata) -> i128 {
    i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec())
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
