//! Figures of an audience: the one description that summary, manifest, record, metrics and pages are made of.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

use crate::entries::Counts;
use crate::figures::{count, row};
use crate::quote::OneLine;

/// Counts of an audience's records by what became of them, and sizes of its sets.
///
/// `read = blank + rejected + raw + prehashed`, `raw + prehashed = duplicates + members`, and
/// `members = suppressed + linked + known + written`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AudienceFigures {
    /// Member values: a record has one in each column that was taken.
    pub read: u64,
    /// Cells that were split into several values, if there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<SplitFigures>,
    /// Each of the columns, if there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<ColumnFigures>,
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
    /// The suppression lists that concern the audience, in order.
    pub opt_out_lists: Vec<ListFigures>,
}

/// The name of the list of those who were forgotten, which is no list of a job's: as a rule nobody on it is a member.
pub(crate) const FORGOTTEN_LIST: &str = "throng forget";

/// A suppression list, as far as it concerns an audience. All files of one pattern are one list.
///
/// `read = blank + rejected + usable`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ListFigures {
    /// Its file or its pattern, as it was given.
    pub name: String,
    /// Records.
    pub read: u64,
    /// Rows that `--suppress-where` dropped; they are in none of the other counts.
    pub dropped: u64,
    /// Values with nothing in them.
    pub blank: u64,
    /// Values by which somebody can be held back, before they are made unique.
    pub usable: u64,
    /// Usable values that were digests already.
    pub prehashed: u64,
    /// Usable values that stand for a domain: everybody who has an address there.
    pub domains: u64,
    /// Usable phone numbers without prefix and country that were taken as international.
    pub assumed_international: u64,
    /// Rejected values that are the name of a domain without an `@` before it.
    pub bare_domains: u64,
    /// Rejected values: these people are not held back.
    pub rejected: u64,
    /// The rejected values by reason, the frequent ones first.
    pub rejects: Vec<Rejects>,
    /// Different members that are on it; `None` for lists beyond the [bound](crate::limits::LISTS_MAX), which are not
    /// told apart.
    pub members: Option<u64>,
    /// The likely cause that nobody on it is a member, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspicion: Option<String>,
    /// How it differs from the inputs, though somebody on it is a member or nobody counted them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
}

/// Counts of cells that were split into several values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SplitFigures {
    /// Cells with more than one value.
    pub cells: u64,
    /// The values in them.
    pub values: u64,
}

/// Counts of the values of one of several columns: `read = blank + rejected + accepted`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ColumnFigures {
    /// The column as it was asked for: its header, or its number.
    pub column: String,
    /// All values.
    pub read: u64,
    /// Values with nothing in them.
    pub blank: u64,
    /// Rejected values.
    pub rejected: u64,
    /// Accepted values.
    pub accepted: u64,
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
        for ColumnFigures { column, read, blank, accepted, .. } in &self.columns {
            let note = format!("{} used, {} blank", count(*accepted), count(*blank));
            row(f, &format!("  column {}", OneLine(column)), *read, &note)?;
        }
        if let Some(SplitFigures { cells, values }) = self.split {
            row(
                f,
                "  cells that were split",
                cells,
                &format!("they hold {} values", count(values)),
            )?;
        }
        row(f, "blank", self.blank, "")?;
        row(f, "rejected", self.rejected, "")?;
        for Rejects { reason, advice, count, first_source, first_line } in &self.rejects {
            let first = format!("{advice} · first: {}, line {first_line}", OneLine(first_source));
            row(f, &format!("  {reason}"), *count, &first)?;
        }
        row(f, "duplicates", self.duplicates, "")
    }

    /// Writes the rows of the opt-out lists.
    pub(crate) fn write_lists(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.opt_out_lists.iter().try_for_each(|list| list.write(f))?;
        self.write_unreadable(f)
    }

    /// Writes the row of opt-outs that could not be read, if there are any.
    fn write_unreadable(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.suppression_rejected == 0 {
            return Ok(());
        }
        let note =
            "values of the opt-out lists that could not be read: these people are NOT held back";
        row(f, "  unreadable", self.suppression_rejected, note)
    }
}

impl ListFigures {
    /// Says that it could hold somebody back, and nobody of it is a member.
    pub fn is_idle(&self) -> bool {
        self.usable > 0 && self.members == Some(0)
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, read, usable, domains, assumed_international: assumed, .. } = self;
        let mut note =
            format!("{}: {} read, {} usable", OneLine(name), count(*read), count(*usable));
        if *domains > 0 {
            let _infallible = write!(note, ", {} of them domains", count(*domains));
        }
        if *assumed > 0 {
            let _infallible = write!(note, ", {} of them taken as international", count(*assumed));
        }
        match self.members {
            None => writeln!(f, "  {:<24}{:>15}  {note}", "  on this list", "not counted")?,
            Some(0) if *usable > 0 => {
                row(f, "  on this list", 0, &format!("{note}: NOBODY is a member"))?;
            }
            Some(members) => row(f, "  on this list", members, &note)?,
        }
        if self.dropped > 0 {
            row(f, "    dropped", self.dropped, "by --suppress-where: no opt-outs")?;
        }
        for Rejects { reason, count: times, first_source, first_line, .. } in &self.rejects {
            let first = format!("not usable, first: {}, line {first_line}", OneLine(first_source));
            row(f, &format!("    {reason}"), *times, &first)?;
        }
        Ok(())
    }
}
