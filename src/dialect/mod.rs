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

/// Most bytes of a delimiter.
pub const DELIMITER_LEN: usize = 8;

/// What stands between the fields of a record: one byte nearly always, several (`||`, `~|~`) from some systems.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Delimiter {
    bytes: [u8; DELIMITER_LEN],
    len: u8,
}

impl Delimiter {
    /// A delimiter of one byte.
    pub const fn byte(byte: u8) -> Self {
        let mut bytes = [0; DELIMITER_LEN];
        bytes[0] = byte;
        Self { bytes, len: 1 }
    }

    /// A delimiter of 1 to [`DELIMITER_LEN`] bytes, none of which is a quote or ends a line.
    pub fn new(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; DELIMITER_LEN];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        let is_free = !text.iter().any(|byte| matches!(byte, b'"' | b'\r' | b'\n'));
        let len = u8::try_from(text.len()).ok()?;
        (is_free && len > 0).then_some(Self { bytes, len })
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len()]
    }

    /// The byte, if it is one.
    pub fn one_byte(&self) -> Option<u8> {
        (self.len == 1).then_some(self.bytes[0])
    }

    /// How many bytes it has.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.len.into()
    }
}

/// As it is typed behind `--delimiter`: what cannot be seen is escaped.
impl std::fmt::Display for Delimiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for part in self.as_bytes().utf8_chunks() {
            for c in part.valid().chars() {
                match c {
                    '\t' => f.write_str("\\t")?,
                    c if c.is_ascii_control() => write!(f, "\\x{:02x}", u32::from(c))?,
                    c if c.is_control() || c.is_whitespace() && c != ' ' => {
                        write!(f, "\\u{:04x}", u32::from(c))?;
                    }
                    c => write!(f, "{c}")?,
                }
            }
            part.invalid().iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Delimiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Delimiter({self})")
    }
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

/// Notation of the records of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// Rule by which they are told apart.
    pub framing: Framing,
    /// The byte that ends lines, for line numbers of CSV.
    pub line_end: u8,
}

impl Dialect {
    /// Of columns that lie apart: their rows are what lines are elsewhere.
    pub const COLUMNS: Self = Self { framing: Framing::Columns, line_end: b'\n' };

    /// Counts line ends.
    pub fn count_lines(self, text: &[u8]) -> u64 {
        let byte = |byte| memchr::memchr_iter(byte, text).count() as u64;
        if self.framing != Framing::Lines {
            return byte(self.line_end);
        }
        let is_lone = |at: &usize| text.get(at + 1) != Some(&b'\n');
        byte(b'\n') + memchr::memchr_iter(b'\r', text).filter(is_lone).count() as u64
    }

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
