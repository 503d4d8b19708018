//! The values that are asked about: read from a stream, one a line, and turned into digests by the rules.

use std::io::{self, BufRead, BufReader, Read};

use crate::dialect::Wrapping;
use crate::error::{Error, Result};
use crate::hash::{self, Digest};
use crate::limits::{RECORD_BYTES_MAX, VALUES_ASKED_MAX};
use crate::normalize::{Canonical, Normalizer, Value, Verdict};
use crate::reason::Reason;

/// What a line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// An identifier.
    Entry {
        /// What an upload file has of it.
        line: String,
        /// The SHA-256 of that, in each spelling that it may have there.
        digests: Vec<Digest>,
    },
    /// No identifier of the type.
    Rejected(Reason),
}

/// Lines that are not blank, with their numbers counted from 1.
#[derive(Debug, Default)]
pub(crate) struct Values {
    pub(crate) lines: Vec<(u64, Asked)>,
    pub(crate) blank: u64,
}

impl Values {
    /// Reads all lines. None of them is kept.
    pub(crate) fn read(input: impl Read, normalizers: &[Normalizer]) -> Result<Self> {
        let mut input = BufReader::new(input);
        let (mut values, mut number) = (Self::default(), 0);
        let mut line = Vec::new();
        let mut canonical = Canonical::default();
        loop {
            let read = next_line(&mut input, &mut line);
            if !read.map_err(|e| Error::reading("read", "stdin".as_ref(), e))? {
                return Ok(values);
            }
            number += 1;
            let text =
                if line.len() > RECORD_BYTES_MAX { Err(Reason::TooLong) } else { Ok(&line[..]) };
            let asked = text.map_or_else(
                |reason| Some(Asked::Rejected(reason)),
                |text| asked(text, normalizers, &mut canonical),
            );
            match asked {
                Some(asked) => values.lines.push((number, asked)),
                None => values.blank += 1,
            }
            if values.lines.len() > VALUES_ASKED_MAX {
                let message = format!("there are more than {VALUES_ASKED_MAX} values");
                return Err(Error::input("stdin".as_ref(), message, "ask in several runs"));
            }
        }
    }

    /// The digests in order, each once.
    pub(crate) fn digests(&self) -> Vec<Digest> {
        let mut digests: Vec<Digest> = self
            .lines
            .iter()
            .filter_map(|(_, asked)| match asked {
                Asked::Entry { digests, .. } => Some(digests),
                Asked::Rejected(_) => None,
            })
            .flatten()
            .copied()
            .collect();
        digests.sort_unstable();
        digests.dedup();
        digests
    }
}

/// Reads a line without its end; of one that is too long the beginning, which is still too long.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let len = input.take(RECORD_BYTES_MAX as u64 + 2).read_until(b'\n', line)?;
    if len > RECORD_BYTES_MAX + 1 && line.last() != Some(&b'\n') {
        input.skip_until(b'\n')?;
    }
    if line.pop_if(|byte| *byte == b'\n').is_some() {
        line.pop_if(|byte| *byte == b'\r');
    }
    Ok(len > 0)
}

/// What a line is by each of some rules of one type; nothing if it is blank.
fn asked(line: &[u8], normalizers: &[Normalizer], canonical: &mut Canonical) -> Option<Asked> {
    let (mut entry, mut digests, mut rejected) = (None, Vec::new(), None);
    for normalizer in normalizers {
        canonical.clear();
        let value = Value { bytes: Ok(line), country: None };
        let mut verdict = Verdict::Blank;
        normalizer.batch(Wrapping::Line, std::iter::once(value), canonical, |_, _, v| verdict = v);
        let digest = match verdict {
            Verdict::Blank => continue,
            Verdict::Rejected(reason) => {
                rejected = rejected.or(Some(reason));
                continue;
            }
            // Only opt-out lists may name domains.
            Verdict::Domain => {
                rejected = rejected.or(Some(Reason::BadLocalPart));
                continue;
            }
            Verdict::Prehashed(digest) => digest,
            Verdict::Raw(_) => {
                let raw = canonical.messages.iter().next().unwrap_or_default();
                if !normalizer.is_hashed() && entry.is_none() {
                    entry = Some(String::from_utf8_lossy(raw).into_owned());
                }
                hash::digest(raw)
            }
        };
        digests.push(digest);
    }
    match digests.first() {
        None => rejected.map(Asked::Rejected),
        Some(first) => {
            Some(Asked::Entry { line: entry.unwrap_or_else(|| const_hex::encode(first)), digests })
        }
    }
}
