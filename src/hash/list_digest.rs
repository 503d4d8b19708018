//! Older digests, in which ad networks and mailers hand out opt-out lists. Nothing is uploaded in them.

use std::fmt;

use md5::Md5;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha1::{Digest as _, Sha1};

/// A digest other than SHA-256 that an opt-out list may hold, of normalised values.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum ListDigest {
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
}

impl ListDigest {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Md5, Self::Sha1];

    /// Its bytes.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
        }
    }

    /// Its name in flags and job files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
        }
    }

    /// Appends the digest of a message.
    pub fn append(self, message: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Md5 => out.extend_from_slice(&Md5::digest(message)),
            Self::Sha1 => out.extend_from_slice(&Sha1::digest(message)),
        }
    }
}

impl std::str::FromStr for ListDigest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|digest| digest.name() == text);
        found.ok_or_else(|| "expected md5 or sha1".to_owned())
    }
}

impl fmt::Display for ListDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_that_are_published() {
        for (digest, expected) in [
            (ListDigest::Md5, "900150983cd24fb0d6963f7d28e17f72"),
            (ListDigest::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ] {
            let mut out = Vec::new();
            digest.append(b"abc", &mut out);
            assert_eq!((const_hex::encode(&out).as_str(), out.len()), (expected, digest.bytes()));
            assert_eq!(digest.to_string().parse(), Ok(digest));
        }
    }
}
