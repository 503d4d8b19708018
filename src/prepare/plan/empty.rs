//! Inputs that hold nobody: no bytes, blank lines, a header alone, a Parquet file without rows. Engines that write many files
//! write such ones for workers that had nothing to write, and a day on which nobody opted out gives one.
//!
//! A single row is a header only if something proves it: a person who is taken for a header is lost.

use std::collections::HashSet;

use super::finder::{Finder, words};
use super::{Audience, SourcePlan, one_column};
use crate::config::{ColumnSelector, Header};
use crate::dialect::Dialect;
use crate::encoding;
use crate::normalize::Verdict;
use crate::role::Role;
use crate::source::Source;
use crate::trim::trim;
use crate::user_type::UserType;

/// What an input holds that holds nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Empty {
    /// No bytes, or blank lines.
    Blank,
    /// A header.
    Header,
    /// Columns without rows.
    Columns,
    /// Rows that are all left out, because of a folder that they are in.
    LeftOut,
}

impl Empty {
    /// It, as a person says it of an input.
    pub(crate) const fn said(self) -> &'static str {
        match self {
            Self::Blank => "is empty",
            Self::Header => "holds a header alone",
            Self::Columns => "has no rows",
            Self::LeftOut => "is in a partition that the conditions leave out",
        }
    }
}

/// Headers of inputs that have rows below them.
#[derive(Debug, Default)]
pub struct Headers(HashSet<Vec<String>>);

impl Headers {
    /// Adds the header of an input, and its line: a header alone need not show by what it is separated.
    pub(super) fn add(&mut self, row: &[Vec<u8>], line: &[u8]) {
        for names in [names_of(row), names_of(&[line.to_vec()])] {
            self.0.insert(names);
        }
    }

    /// Adds those of others.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    fn has(&self, row: &[Vec<u8>]) -> bool {
        self.0.contains(&names_of(row))
    }
}

/// The names of columns, in whatever order they stand.
fn names_of(row: &[Vec<u8>]) -> Vec<String> {
    let name = |cell: &Vec<u8>| encoding::decode(trim(cell)).to_lowercase();
    let mut names: Vec<String> = row.iter().map(name).collect();
    names.sort_unstable();
    names
}

impl Finder<'_> {
    /// True if it depends on the headers of other inputs whether this one holds nobody.
    pub(super) fn may_be_header_alone(&self) -> bool {
        self.columns.is_none() && self.source.is_sample_all && self.table.rows.len() == 1
    }

    /// What the input holds, if it holds nobody.
    pub(super) fn holds_nobody(&self, audiences: &[Audience], headers: &Headers) -> Option<Empty> {
        match self.columns {
            Some(columns) => columns.groups().all(|rows| rows == 0).then_some(Empty::Columns),
            None if self.source.is_blank() => Some(Empty::Blank),
            None => self.is_header_alone(audiences, headers).then_some(Empty::Header),
        }
    }

    fn is_header_alone(&self, audiences: &[Audience], headers: &Headers) -> bool {
        let [row] = &self.table.rows[..] else { return false };
        let below = self.source.sample.get(self.table.second_row..).unwrap_or_default();
        let is_alone = self.source.is_sample_all && below.trim_ascii().is_empty();
        if !is_alone || self.has_titles || self.read.header == Header::Absent {
            return false;
        }
        let told = || audiences.iter().flat_map(|audience| &audience.spec.columns);
        let told: Vec<&ColumnSelector> = match self.role {
            Role::Suppressed => self.list_column.into_iter().collect(),
            _ => told().chain(self.country_column).collect(),
        };
        let mut named = told.iter().filter_map(|selector| match selector {
            ColumnSelector::Name(name) => Some(!self.table.find(name).is_empty()),
            ColumnSelector::Number(_) => None,
        });
        if let Some(first) = named.next() {
            return first && named.all(|is_there| is_there);
        }
        // An id of a type without a form can be called like its column.
        let holds_value = |audience: &Audience, cell: &[u8]| {
            audience.spec.user_type.has_form()
                && matches!(self.judge(audience, cell), Verdict::Raw(_) | Verdict::Prehashed(_))
        };
        let is_person =
            audiences.iter().any(|audience| row.iter().any(|cell| holds_value(audience, cell)));
        // A broken address can have the words of a header, but not its form.
        let speaks = |index: usize| {
            let name = self.name_of(index);
            let is_name = row.get(index).is_some_and(|cell| !is_like_an_address(cell));
            is_name
                && UserType::ALL
                    .into_iter()
                    .any(|of| words(of).iter().any(|word| name.contains(word)))
        };
        let has_form = audiences.iter().all(|audience| audience.spec.user_type.has_form());
        !is_person
            && (headers.has(row)
                || self.is_row_of_names()
                    && (has_form || row.len() > 1)
                    && (0..row.len()).any(speaks))
    }
}

/// Says whether a cell has a dot within a word, or stands in brackets for `@`.
fn is_like_an_address(cell: &[u8]) -> bool {
    let has_dot = cell.windows(3).any(|window| {
        window[1] == b'.' && window[0].is_ascii_alphanumeric() && window[2].is_ascii_alphanumeric()
    });
    let text = cell.to_ascii_lowercase();
    has_dot
        || ["(at)", "[at]", "{at}"]
            .iter()
            .any(|at| memchr::memmem::find(&text, at.as_bytes()).is_some())
}

/// Plans an input that holds nobody: nothing of it is read.
pub(super) fn plan(mut source: Source, role: Role, dialect: Dialect, empty: Empty) -> SourcePlan {
    source.forget_sample();
    SourcePlan {
        empty: Some(empty),
        ..one_column::plan_one_column(source, role, dialect.framing, [])
    }
}
