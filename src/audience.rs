//! Figures of an audience: the one description that summary, manifest, record, metrics and pages are made of.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::entries::Counts;
use crate::figures::row;
use crate::quote::OneLine;

/// Counts of an audience's records by what became of them, and sizes of its sets.
///
/// `read = blank + rejected + raw + prehashed`, `raw + prehashed = duplicates + members`, and
/// `members = suppressed + linked + known + written`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AudienceFigures {
    /// Member records.
    pub read: u64,
    /// Values with nothing in them.
    pub blank: u64,
    /// Accepted raw values.
    pub raw: u64,
    /// Accepted values that were digests already.
    pub prehashed: u64,
    /// Phone numbers without prefix and country that were taken as international.
    pub assumed_international: u64,
    /// Third-party ids that lower-casing changed.
    pub case_changed: u64,
    /// Values from which a spreadsheet's guard was taken off: a leading apostrophe, or `="..."`.
    pub unguarded: u64,
    /// Ids from which the `.0` of a float export was dropped.
    pub floats: u64,
    /// All rejected values.
    pub rejected: u64,
    /// The rejected values by reason, the frequent ones first.
    pub rejects: Vec<Rejects>,
    /// Accepted values that were there already.
    pub duplicates: u64,
    /// Sizes of the sets: `members`, `suppressed`, `linked`, `known`, `written`; `gone` and `must_go`.
    #[serde(flatten)]
    pub sets: Counts,
    /// Entries of the suppression lists, before they are made unique.
    pub suppression_read: u64,
    /// Values of the suppression lists that were rejected: these people are not held back.
    pub suppression_rejected: u64,
}

/// Rejects of one reason.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rejects {
    /// The reason's code; see [`crate::reason::Reason`].
    pub reason: String,
    /// Meaning of it, and what to do.
    pub advice: String,
    /// Number of values.
    pub count: u64,
    /// The first input in which it occurred.
    pub first_source: String,
    /// The line there, counted from 1.
    pub first_line: u64,
}

impl AudienceFigures {
    /// Values that are not blank: what rejects are a share of.
    pub fn values(&self) -> u64 {
        self.read.saturating_sub(self.blank)
    }

    /// Writes the rows of a summary from `read` to `duplicates`.
    pub(crate) fn write_values(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        row(f, "read", self.read, "")?;
        row(f, "blank", self.blank, "")?;
        row(f, "rejected", self.rejected, "")?;
        for Rejects { reason, advice, count, first_source, first_line } in &self.rejects {
            let first = format!("{advice} · first: {}, line {first_line}", OneLine(first_source));
            row(f, &format!("  {reason}"), *count, &first)?;
        }
        row(f, "duplicates", self.duplicates, "")
    }

    /// Writes the row of opt-outs that could not be read, if there are any.
    pub(crate) fn write_unreadable(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.suppression_rejected == 0 {
            return Ok(());
        }
        let note =
            "values of the opt-out lists that could not be read: these people are NOT held back";
        row(f, "  unreadable", self.suppression_rejected, note)
    }
}
