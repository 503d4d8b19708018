//! Entries that passed the set algebra, and their number.

use crate::hash::Digest;

/// Entries for the upload files, in digest order, each once.
#[derive(Debug)]
pub enum Entries {
    /// Digests, to be written in hex.
    Digests(Vec<Digest>),
    /// Clear ids as lines.
    Lines {
        /// The ids, each followed by LF.
        text: Vec<u8>,
        /// Their number.
        count: usize,
    },
}

impl Entries {
    /// Their number.
    pub fn len(&self) -> usize {
        match self {
            Self::Digests(digests) => digests.len(),
            Self::Lines { count, .. } => *count,
        }
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Sizes of the sets of a range or of a whole audience, in entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    /// Different members.
    pub members: u64,
    /// Members that are held back because they are suppressed.
    pub suppressed: u64,
    /// Members that are not suppressed, and held back because another identifier of a row of theirs is.
    #[serde(default)]
    pub linked: u64,
    /// Members that are not held back and known already.
    pub known: u64,
    /// Known, but no member any more.
    pub gone: u64,
    /// Suppressed or linked, and known or unconfirmed: they are, or may be, in the live audience and must go.
    pub must_go: u64,
    /// Members that are neither held back nor known.
    pub written: u64,
}

impl Counts {
    /// Adds the counts of another range.
    pub fn add(&mut self, other: &Self) {
        self.members += other.members;
        self.suppressed += other.suppressed;
        self.linked += other.linked;
        self.known += other.known;
        self.gone += other.gone;
        self.must_go += other.must_go;
        self.written += other.written;
    }
}
