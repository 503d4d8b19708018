//! Description of how records are written, and the exact reader of CSV, to which all that are faster are held.

mod csv;
#[cfg(test)]
mod naive;
mod row;

pub use self::csv::{Csv, Quotes, Separator};
pub use self::row::{Cell, Defect, Row, Step};

/// Wrapping of a value by the format that it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum Wrapping {
    /// A plain line: one pair of double quotes around the whole value is file quoting.
    Line,
    /// A CSV field, unquoted already.
    Field,
}

/// Rule by which a source's records are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// A record is a line: LF ends it, CR LF does, and a CR alone, as in files that parts of old ones were copied into.
    Lines,
    /// Records are CSV.
    Csv(Csv),
    /// Records are rows of columns that lie apart; there are no bytes to cut.
    Columns,
}

/// How a chunk of CSV must be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// By any reader: its quotes all stand where they should.
    Fast,
    /// By the exact reader.
    Exact {
        /// True if its first record goes on with a field of the one before it: see [`Csv::is_torn_at_end`].
        goes_on: bool,
    },
}

/// Notation of the records of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// Rule by which they are told apart.
    pub framing: Framing,
}

/// Counts line ends as an editor does: an LF, a CR LF, or a CR alone, wherever it stands.
pub fn count_lines(text: &[u8]) -> u64 {
    let bare = bare_crs(text).count() as u64;
    memchr::memchr_iter(b'\n', text).count() as u64 + bare
}

/// True if a CR ends a line by itself.
pub(crate) fn has_bare_cr(text: &[u8]) -> bool {
    bare_crs(text).next().is_some()
}

fn bare_crs(text: &[u8]) -> impl Iterator<Item = usize> {
    memchr::memchr_iter(b'\r', text).filter(|at| text.get(at + 1) != Some(&b'\n'))
}

impl Dialect {
    /// Of columns that lie apart: their rows are what lines are elsewhere.
    pub const COLUMNS: Self = Self { framing: Framing::Columns };

    /// Holds records of CSV to a width.
    pub(crate) fn set_width(&mut self, width: Option<usize>) {
        if let Framing::Csv(csv) = &mut self.framing {
            csv.width = width;
        }
    }

    /// Wrapping of their values.
    pub fn wrapping(self) -> Wrapping {
        match self.framing {
            Framing::Lines => Wrapping::Line,
            Framing::Csv(_) | Framing::Columns => Wrapping::Field,
        }
    }

    /// The format's name for summaries and manifests.
    pub fn name(self) -> &'static str {
        match self.framing {
            Framing::Lines => "lines",
            Framing::Csv(csv) => match csv.separator.byte() {
                Some(b',') => "csv",
                Some(b';') => "csv;",
                Some(b'\t') => "tsv",
                Some(b'|') => "csv|",
                _ => "csv with its own delimiter",
            },
            Framing::Columns => "parquet",
        }
    }
}

/// A place in a row, counted from 0, with what messages call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Counted from 0.
    pub index: usize,
    /// The header's text, if there is a header.
    pub name: Option<String>,
}

impl std::fmt::Display for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.index + 1)?;
        self.name.as_ref().map_or(Ok(()), |name| write!(f, " `{name}`"))
    }
}
