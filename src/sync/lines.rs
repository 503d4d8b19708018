//! Parts and lists of digests line by line, in their order.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::disk::plain_file;
use crate::error::{Error, Result};
use crate::store::HeldPart;
use crate::user_type::UserType;

/// Bytes that are read at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// What parts are sorted by: the digest of an entry, in hex.
pub(super) fn key(entry: &[u8], user_type: UserType) -> Vec<u8> {
    if user_type.is_hashed() { entry.to_vec() } else { hex_digest(entry) }
}

/// The digest of an id in clear, as lists have it.
pub(super) fn hex_digest(entry: &[u8]) -> Vec<u8> {
    const_hex::encode(Sha256::digest(entry)).into_bytes()
}

/// Lines of a file, one at a time.
pub(super) struct Lines {
    path: PathBuf,
    file: BufReader<File>,
    /// The last one, without its end.
    pub(super) line: Vec<u8>,
}

impl Lines {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = plain_file::open(path).map_err(|e| Error::reading("open", path, e))?;
        let file = BufReader::with_capacity(BUFFER_BYTES, file);
        Ok(Self { path: path.to_owned(), file, line: Vec::new() })
    }

    /// Reads the next line; false at the end.
    pub(super) fn advance(&mut self) -> Result<bool> {
        self.line.clear();
        let read = self.file.read_until(b'\n', &mut self.line);
        let len = read.map_err(|e| Error::reading("read", &self.path, e))?;
        self.line.pop_if(|last| *last == b'\n');
        Ok(len > 0)
    }

    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>> {
        Ok(if self.advance()? { Some(self.line.clone()) } else { None })
    }
}

/// The lines of sorted lists together, each once, sorted, and whether the first of them has it.
pub(super) struct Union {
    lists: Vec<(Lines, Option<Vec<u8>>)>,
}

impl Union {
    pub(super) fn open(paths: &[PathBuf]) -> Result<Self> {
        let mut lists = Vec::new();
        for path in paths {
            let mut lines = Lines::open(path)?;
            let first = lines.next()?;
            lists.push((lines, first));
        }
        Ok(Self { lists })
    }

    pub(super) fn next(&mut self) -> Result<Option<(Vec<u8>, bool)>> {
        let smallest = self.lists.iter().filter_map(|(_, line)| line.clone()).min();
        let is_in_first = self.lists.first().is_some_and(|(_, line)| *line == smallest);
        for (lines, line) in &mut self.lists {
            if *line == smallest && line.is_some() {
                *line = lines.next()?;
            }
        }
        Ok(smallest.map(|line| (line, is_in_first)))
    }
}

/// The lines of files, one behind the other.
pub(super) struct Chain<'a> {
    left: std::slice::Iter<'a, HeldPart>,
    lines: Option<Lines>,
}

impl<'a> Chain<'a> {
    pub(super) fn new(parts: &'a [HeldPart]) -> Self {
        Self { left: parts.iter(), lines: None }
    }

    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            if let Some(lines) = &mut self.lines
                && let Some(line) = lines.next()?
            {
                return Ok(Some(line));
            }
            match self.left.next() {
                None => return Ok(None),
                Some(part) => self.lines = Some(Lines::open(&part.path)?),
            }
        }
    }
}
