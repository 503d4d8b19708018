//! The whole job, naive on purpose: one value after the other, a set from the standard library, the streaming
//! interface of `sha2`, the `csv` crate. It shares with throng only the rule of a single value, which `rules.rs` holds
//! to tables.

use std::collections::HashSet;
use std::hash::Hash;

use sha2::{Digest, Sha256};
use throng::normalize::{
    Case, Ids, Normalizer, Reason, RuleOptions, UserType, Value, Verdict, Wrapping,
};

/// Rules by which each value is judged alone, whatever the others of its column and file are.
pub(crate) fn rules() -> RuleOptions {
    RuleOptions { ids: Ids::Any, case: Case::Lower, ..RuleOptions::default() }
}

#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) read: u64,
    pub(crate) blank: u64,
    pub(crate) rejected: u64,
    pub(crate) accepted: u64,
    pub(crate) set: HashSet<String>,
}

/// Reads values one by one.
pub(crate) fn read<'a>(
    user_type: UserType,
    normalizer: &Normalizer,
    wrapping: Wrapping,
    values: impl Iterator<Item = (Option<&'a [u8]>, Option<&'a [u8]>)>,
) -> Outcome {
    let mut read = Outcome::default();
    for (bytes, country) in values {
        read.read += 1;
        let mut out = Vec::new();
        match normalizer.one(
            wrapping,
            Value { bytes: bytes.ok_or(Reason::MissingColumn), country },
            &mut out,
        ) {
            Verdict::Domain => unreachable!("only a rule for opt-outs knows domains"),
            Verdict::Blank => read.blank += 1,
            Verdict::Rejected(_) => read.rejected += 1,
            Verdict::Prehashed(digest) => {
                read.accepted += 1;
                read.set.insert(hex(&digest));
            }
            Verdict::Raw(_) => {
                read.accepted += 1;
                read.set.insert(if user_type.is_hashed() {
                    hex(&Sha256::digest(&out))
                } else {
                    String::from_utf8(out).unwrap()
                });
            }
        }
    }
    read
}

/// The lines of a text as values.
pub(crate) fn read_lines(user_type: UserType, normalizer: &Normalizer, text: &[u8]) -> Outcome {
    let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    if lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    read(user_type, normalizer, Wrapping::Line, lines.into_iter().map(|line| (Some(line), None)))
}

/// A column of CSV with a header.
pub(crate) fn read_csv(
    user_type: UserType,
    normalizer: &Normalizer,
    text: &[u8],
    delimiter: u8,
    column: usize,
    country: Option<usize>,
) -> Outcome {
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).delimiter(delimiter).from_reader(text);
    let rows: Vec<csv::ByteRecord> = reader.byte_records().map(|row| row.unwrap()).collect();
    let values = rows
        .iter()
        .map(|row| (row.get(column), country.map(|country| row.get(country).unwrap_or_default())));
    read(user_type, normalizer, Wrapping::Field, values)
}

/// The order in which entries come out: by digest, clear ids by the first 64 bits of theirs.
pub(crate) fn in_order(user_type: UserType, set: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut entries: Vec<String> = set.into_iter().collect();
    if user_type.is_hashed() {
        entries.sort();
    } else {
        entries
            .sort_by_key(|entry| (Sha256::digest(entry.as_bytes())[..8].to_vec(), entry.clone()));
    }
    entries
}

/// Everybody who is held back: the identifiers that opted out, and all that can be reached from them from row to row.
pub(crate) fn held_back<I: Clone + Eq + Hash>(
    rows: &[Vec<I>],
    opted_out: &HashSet<I>,
) -> HashSet<I> {
    let mut held_back = opted_out.clone();
    loop {
        let before = held_back.len();
        for row in rows {
            if row.iter().any(|identifier| held_back.contains(identifier)) {
                held_back.extend(row.iter().cloned());
            }
        }
        if held_back.len() == before {
            return held_back;
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|n| DIGITS[usize::from(n)] as char)
        .collect()
}
