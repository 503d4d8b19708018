//! Bytes that can be read from any place, and again: those of a file or of an object.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::limits::OBJECT_FOOTER_BYTES;
use crate::object::{Object, Ranges, Section};

/// A file or an object that was looked at.
#[derive(Clone, Debug)]
pub(crate) enum Stored {
    File(Arc<File>),
    Object(Arc<Object>),
}

impl From<File> for Stored {
    fn from(file: File) -> Self {
        Self::File(Arc::new(file))
    }
}

impl Stored {
    /// Number of bytes.
    pub(super) fn len(&self) -> io::Result<u64> {
        match self {
            Self::File(file) => Ok(file.metadata()?.len()),
            Self::Object(object) => Ok(object.facts().bytes),
        }
    }

    /// The bytes from a place on. About `bytes` of memory may be taken for what is fetched ahead.
    pub(super) fn reader(&self, from: u64, bytes: u64) -> Box<dyn Read + Send> {
        match self {
            Self::File(file) => Box::new(FileFrom { file: Arc::clone(file), at: from }),
            Self::Object(object) => Box::new(Ranges::new(object, from, bytes)),
        }
    }

    /// What the metadata of Parquet is read from: the end of `bytes` bytes.
    pub(super) fn end(&self, bytes: u64) -> io::Result<Pieces> {
        let mut pieces = self.section(bytes);
        if let Pieces::Object(section) = &mut pieces {
            section.begin_at(bytes.saturating_sub(OBJECT_FOOTER_BYTES))?;
        }
        Ok(pieces)
    }

    /// What is read up to a place, piece by piece.
    pub(super) fn section(&self, end: u64) -> Pieces {
        match self {
            Self::File(file) => Pieces::File(Arc::clone(file)),
            Self::Object(object) => Pieces::Object(Section::new(object, end)),
        }
    }
}

/// A part that is read in pieces of any length.
pub(super) enum Pieces {
    File(Arc<File>),
    Object(Section),
}

impl Pieces {
    /// Fills a buffer with the bytes at a place.
    pub(super) fn read_exact_at(&mut self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        match self {
            Self::File(file) => file.read_exact_at(buffer, at),
            Self::Object(section) => section.read_exact_at(buffer, at),
        }
    }
}

/// A file from a place on, whoever else reads it.
struct FileFrom {
    file: Arc<File>,
    at: u64,
}

impl Read for FileFrom {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.file.read_at(buffer, self.at)?;
        self.at += len as u64;
        Ok(len)
    }
}
