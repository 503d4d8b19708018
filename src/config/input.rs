//! Inputs by name, and those that a program brings along: a reader, or values one by one.
//!
//! Values become CSV with one quoted field a record: whatever bytes a value holds, delimiters and line ends among them,
//! it arrives as it is, and nothing is guessed of how it is written.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::command::Command;
use super::location::Location;
use crate::error::{Error, Result};
use crate::limits::VALUE_BYTES_MAX;
use crate::limits::WRITE_BYTES;
use crate::mutex;
use crate::quote::Quoted;

/// Sources of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A file, a FIFO or a device.
    Path(PathBuf),
    /// An object in a bucket, in a container or on a web server.
    Object(Location),
    /// Standard input.
    Stdin,
    /// What a command writes.
    Command(Command),
    /// Records that a program brings along: see [`Input::reader`] and [`Input::values`].
    Supply(Supply),
}

/// Records that [`Input::reader`] and [`Input::values`] bring along: they can be read once; clones are the same.
#[derive(Clone)]
pub struct Supply {
    name: PathBuf,
    content: Content,
    reader: Arc<Mutex<Option<Box<dyn Read + Send>>>>,
}

/// Content of a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Text as in files, whose form is found out, or chosen by the options.
    Text,
    /// Values as [`ValueReader`] writes them.
    Values,
    /// CSV with commas, all fields quoted, quotes in them doubled, whose first record has the columns' names.
    Table,
}

impl Input {
    /// An input that a program reads itself: a blob, a member of an archive, the output of another process. It may be
    /// compressed or not and has any of the formats that files have.
    ///
    /// `name` is what messages, manifest and reject list call it; it must not tell anything of a person. An error of the
    /// reader ends the run, and nothing is published.
    pub fn reader(name: impl Into<PathBuf>, reader: impl Read + Send + 'static) -> Self {
        Self::supply(name.into(), Content::Text, Box::new(reader))
    }

    /// Values that a program hands over one by one, for example from the rows of a query. Nothing is guessed: each is a
    /// value of the one user type that is prepared, and nothing is a header.
    ///
    /// An `Err` ends the run, and nothing is published: half of a query must not become an audience. `name` is what
    /// messages, manifest and reject list call it; places in it are counted from 1.
    ///
    /// ```
    /// use throng::config::Input;
    ///
    /// let input = Input::values("customers", ["ann@example.com", "bob@example.com"].into_iter().map(Ok));
    /// ```
    pub fn values<V: AsRef<[u8]>>(
        name: impl Into<PathBuf>,
        values: impl Iterator<Item = io::Result<V>> + Send + 'static,
    ) -> Self {
        let reader = ValueReader { values: values.fuse(), text: Vec::new(), taken: 0 };
        Self::supply(name.into(), Content::Values, Box::new(reader))
    }

    /// A table that a program writes as CSV: names of the columns first, every field in quotes, commas between them. Its form is
    /// not found out, nor taken from the options.
    #[doc(hidden)]
    pub fn table(name: impl Into<PathBuf>, reader: impl Read + Send + 'static) -> Self {
        Self::supply(name.into(), Content::Table, Box::new(reader))
    }

    /// What messages, manifest and reject list call it.
    pub fn name(&self) -> PathBuf {
        match self {
            Self::Path(path) => path.clone(),
            Self::Object(location) => location.to_path(),
            Self::Stdin => PathBuf::from("stdin"),
            Self::Command(command) => command.name().to_owned(),
            Self::Supply(supply) => supply.name().to_owned(),
        }
    }

    fn supply(name: PathBuf, content: Content, reader: Box<dyn Read + Send>) -> Self {
        Self::Supply(Supply { name, content, reader: Arc::new(Mutex::new(Some(reader))) })
    }
}

impl Supply {
    /// Its name in messages.
    pub(crate) fn name(&self) -> &Path {
        &self.name
    }

    pub(crate) fn content(&self) -> Content {
        self.content
    }

    /// The reader, the first time.
    pub(crate) fn take(&self) -> Result<Box<dyn Read + Send>> {
        let taken = mutex::lock(&self.reader).take();
        taken.ok_or_else(|| {
            Error::usage(
                format!("{} was read already, and can be read only once", Quoted(&self.name)),
                "make a new input for each run",
            )
        })
    }
}

impl fmt::Debug for Supply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supply").field("name", &self.name).finish_non_exhaustive()
    }
}

impl PartialEq for Supply {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.reader, &other.reader)
    }
}

impl Eq for Supply {}

/// Values as CSV with one field a record.
struct ValueReader<I> {
    values: I,
    text: Vec<u8>,
    /// Bytes of `text` that were read.
    taken: usize,
}

impl<V: AsRef<[u8]>, I: Iterator<Item = io::Result<V>>> Read for ValueReader<I> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.text.len() {
            self.taken = 0;
            self.text.clear();
            while self.text.len() < WRITE_BYTES {
                match self.values.next() {
                    None => break,
                    Some(Ok(value)) => {
                        push_quoted(value.as_ref(), &mut self.text);
                        self.text.push(b'\n');
                    }
                    // Readers are asked again after an interruption; a value that was lost would not come back.
                    Some(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {
                        return Err(io::Error::other(error));
                    }
                    Some(Err(error)) => return Err(error),
                }
            }
        }
        let rest = &self.text[self.taken..];
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        self.taken += len;
        Ok(len)
    }
}

/// Appends a field of a record that a program hands over: in quotes, with those in it doubled.
#[doc(hidden)]
pub fn push_quoted(value: &[u8], text: &mut Vec<u8>) {
    // A longer one is rejected as `too_long` all the same, while a record of any length would end the run.
    let value = &value[..value.len().min(VALUE_BYTES_MAX + 1)];
    text.push(b'"');
    for piece in value.split_inclusive(|byte| *byte == b'"') {
        text.extend_from_slice(piece);
        if piece.ends_with(b"\"") {
            text.push(b'"');
        }
    }
    text.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Any bytes arrive as they are, through buffers of any size.
        #[test]
        fn values_arrive_as_they_are(
            values in proptest::collection::vec(proptest::collection::vec(
                prop_oneof![Just(b'"'), Just(b','), Just(b'\n'), Just(b'\r'), any::<u8>()], 0..8), 0..30),
            len in 1_usize..20,
        ) {
            let Input::Supply(supply) = Input::values("values", values.clone().into_iter().map(Ok)) else {
                unreachable!("values are a supply");
            };
            let reader = io::BufReader::with_capacity(len, supply.take().expect("is there"));
            let mut rows = csv::ReaderBuilder::new().has_headers(false).from_reader(reader);
            let found: Vec<Vec<u8>> =
                rows.byte_records().map(|row| row.expect("a row")[0].to_vec()).collect();
            prop_assert_eq!(found, values);
            prop_assert!(supply.take().is_err());
        }
    }
}
