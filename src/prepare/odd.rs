//! Records that are not like the others of their source: how many contradict its quotes, and which of an opt-out list
//! could be a person who is missing.

use std::path::Path;

use super::plan::Audience;
use super::worker::Route;
use crate::dialect::{Csv, Framing, Wrapping};
use crate::error::{Error, Result};
use crate::normalize::{Shape, Value, Verdict};
use crate::reason::Reason;
use crate::record::{LineCounter, Records};
use crate::role::Role;

/// Odd records of a chunk, or of a source. Lines are counted from 0.
#[derive(Clone, Debug, Default)]
pub(crate) struct Oddities {
    /// Records with a field that begins with a quote that opens nothing.
    pub(crate) contradicting: u64,
    /// The line of the first of them.
    pub(crate) first_line: Option<u64>,
    /// Lines of refused records beyond one for each record.
    pub(super) lines_more: u64,
    /// The first record of an opt-out list that could be a person, and why it is not read.
    missing: Option<(u64, Option<Reason>)>,
}

impl Oddities {
    /// Odd records of a chunk.
    pub(super) fn of(
        records: &Records,
        chunk: &[u8],
        route: &Route<'_>,
        audiences: &[Audience],
    ) -> Self {
        let mut found = Self::default();
        if records.oddities().is_empty() {
            return found;
        }
        let mut lines = LineCounter::new(chunk);
        for oddity in records.oddities() {
            let line = records.line_of(oddity.record, &mut lines);
            found.lines_more += oddity.lines - 1;
            if oddity.reason.is_none() {
                found.contradicting += 1;
                found.first_line.get_or_insert(line);
            }
            let is_missing = route.role == Role::Suppressed
                && match oddity.reason {
                    Some(Reason::RepeatedHeader | Reason::Ruler | Reason::Footer) => false,
                    Some(Reason::RowWidth) => {
                        may_be_person(records.bytes_of(chunk, oddity), route, audiences)
                    }
                    _ => true,
                };
            if is_missing && found.missing.is_none() {
                found.missing = Some((line, oddity.reason));
            }
        }
        found
    }

    /// Adds those of the next chunk, before which there are so many lines; an error if one could be a person who opted
    /// out.
    pub(super) fn add(&mut self, next: &Self, lines: u64, path: &Path) -> Result<()> {
        self.contradicting += next.contradicting;
        self.first_line = self.first_line.or(next.first_line.map(|line| lines + line));
        match next.missing {
            None => Ok(()),
            Some((line, reason)) => Err(missing(path, reason).at_line(lines + line + 1)),
        }
    }
}

/// True if a row, whatever its width, holds something that a person could be known by.
pub(super) fn may_be_person(row: &[u8], route: &Route<'_>, audiences: &[Audience]) -> bool {
    let Framing::Csv(csv) = route.dialect.framing else { return true };
    cells(row, &csv).any(|cell| {
        route.feeds.iter().any(|feed| {
            let normalizer = audiences[feed.audience].normalizer(route.role);
            let value = Value { bytes: Ok(cell), country: None };
            match normalizer.one(Wrapping::Line, value, &mut Vec::new()) {
                Verdict::Raw(_) | Verdict::Prehashed(_) | Verdict::Domain => true,
                Verdict::Blank => false,
                // What is left of an address is enough.
                Verdict::Rejected(_) => Shape::of(cell) != Shape::Other || cell.contains(&b'@'),
            }
        })
    })
}

/// The fields of a row, quotes being text.
fn cells<'a>(row: &'a [u8], csv: &Csv) -> impl Iterator<Item = &'a [u8]> {
    let first = csv.separator.first();
    row.split(move |byte| *byte == first || matches!(byte, b'\n' | b'\r'))
}

fn missing(path: &Path, reason: Option<Reason>) -> Error {
    let (what, hint) = match reason {
        Some(Reason::RowWidth) => (
            "this row of the opt-out list is wider or narrower than the others, so that a person may be missing",
            "mend the line; --ragged takes such rows as they are, which is right only if fields are missing or too many at their ends",
        ),
        Some(Reason::MergedRows) => (
            "a quote makes one of several rows of the opt-out list here, so that people may be missing",
            "mend the line, or say how the file is quoted with --quotes",
        ),
        _ => (
            "a quote opens here in the opt-out list that closes nowhere it could, so that a person may be missing",
            "mend the line, or say how the file is quoted with --quotes",
        ),
    };
    Error::input(path, what, hint)
}
