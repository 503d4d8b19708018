//! Description of how CSV is written.

use schemars::JsonSchema;
use serde::Deserialize;

/// Bytes between fields: one nearly always, more of them in exports of some databases.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Separator {
    bytes: [u8; Self::BYTES_MAX],
    len: u8,
}

impl Separator {
    /// Most bytes of a separator.
    pub const BYTES_MAX: usize = 8;

    /// A separator of these bytes. `None` if there are none or too many, or if one of them ends lines or quotes.
    pub fn new(text: &[u8]) -> Option<Self> {
        let is_taken = |byte: &u8| matches!(byte, b'"' | b'\n' | b'\r');
        if text.is_empty() || text.len() > Self::BYTES_MAX || text.iter().any(is_taken) {
            return None;
        }
        let mut bytes = [0; Self::BYTES_MAX];
        bytes[..text.len()].copy_from_slice(text);
        Some(Self { bytes, len: u8::try_from(text.len()).ok()? })
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The byte, if it is a single one.
    pub fn byte(&self) -> Option<u8> {
        (self.len == 1).then_some(self.bytes[0])
    }

    /// Its first byte.
    pub fn first(&self) -> u8 {
        self.bytes[0]
    }
}

impl From<u8> for Separator {
    fn from(byte: u8) -> Self {
        let mut bytes = [0; Self::BYTES_MAX];
        bytes[0] = byte;
        Self { bytes, len: 1 }
    }
}

impl std::fmt::Debug for Separator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.bytes().escape_ascii())
    }
}

/// As it is typed behind `--delimiter`: what cannot be seen is escaped.
impl std::fmt::Display for Separator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for part in self.bytes().utf8_chunks() {
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

/// Meaning of quotes and backslashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize, JsonSchema)]
#[expect(clippy::doc_markdown, reason = "the help shows them")]
#[serde(rename_all = "kebab-case")]
pub enum Quotes {
    /// Fields may be quoted, a quote within is doubled: spreadsheets, RFC 4180
    #[default]
    Doubled,
    /// Fields may be quoted, a backslash escapes what is behind it: Spark, MySQL
    Backslash,
    /// Fields are not quoted, quotes are text: Hive
    None,
    /// Fields are not quoted, a backslash escapes what is behind it: MySQL, PostgreSQL's COPY
    Escaped,
}

impl Quotes {
    /// The word that people choose it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Doubled => "doubled",
            Self::Backslash => "backslash",
            Self::None => "none",
            Self::Escaped => "escaped",
        }
    }

    /// True if a quote at a field's begin may mean something.
    pub fn are_read(self) -> bool {
        matches!(self, Self::Doubled | Self::Backslash)
    }

    /// True if a backslash means something.
    pub fn has_backslash(self) -> bool {
        matches!(self, Self::Backslash | Self::Escaped)
    }
}

/// Notation of CSV, and how wide its records are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Csv {
    /// Between fields.
    pub separator: Separator,
    /// Meaning of quotes.
    pub quotes: Quotes,
    /// Fields of a record, if records are held to it.
    pub width: Option<usize>,
    /// True if records of another width are taken as they are.
    pub is_ragged: bool,
}

impl Csv {
    /// With that separator, doubled quotes, and records of any width.
    pub fn new(separator: impl Into<Separator>) -> Self {
        Self { separator: separator.into(), quotes: Quotes::Doubled, width: None, is_ragged: false }
    }
    /// The width that every record must have.
    pub(crate) fn checked_width(&self) -> Option<usize> {
        self.width.filter(|_| !self.is_ragged)
    }
}
