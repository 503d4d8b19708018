//! What is known of an input before it is read: its columns, whom they feed, and what its rows must fulfil.

use std::sync::Arc;

use super::{Audience, Empty, Headers};
use crate::config::{Condition, ReadOptions, SuppressInput};
use crate::dedup::{Layer, SpelledIn};
use crate::dialect::{Column, Dialect};
use crate::limits::LISTS_MAX;
use crate::normalize::Normalizer;
use crate::prepare::form::{Digits, Form};
use crate::record::Places;
use crate::role::Role;
use crate::source::Source;
use crate::user_type::UserType;

/// A column that feeds an audience.
#[derive(Clone, Debug)]
pub struct Feed {
    /// The audience, by its index.
    pub audience: usize,
    /// The column.
    pub column: Column,
    /// Its place among the wanted columns.
    pub field: usize,
    /// What its values look like in the first rows.
    pub form: Form,
    /// How long its numbers are there.
    pub digits: Digits,
    /// The rule for its values, if it has one of its own.
    pub rule: Option<Arc<Normalizer>>,
    /// Its input, if spellings of ids are compared within it.
    pub spelled_in: Option<SpelledIn>,
    /// Its place among the columns of the audience.
    pub number: usize,
}

/// A condition that rows must fulfil.
#[derive(Clone, Debug)]
pub struct RowCondition {
    /// The condition.
    pub condition: Condition,
    /// The place of its column among the wanted ones; `None` if it is a folder, and all rows fulfil it.
    pub field: Option<usize>,
}

/// An input, ready to be read.
#[derive(Debug)]
pub struct SourcePlan {
    /// The input.
    pub source: Source,
    /// The role of its entries.
    pub role: Role,
    /// Number of the opt-out list that it belongs to, counted from 0; 0 for what is none.
    pub list: usize,
    /// Notation of its records.
    pub dialect: Dialect,
    /// Number of its records, if it says so.
    pub rows: Option<u64>,
    /// The columns to read, counted from 0, in ascending order, each once.
    pub wanted: Vec<usize>,
    /// Columns that feed audiences.
    pub feeds: Vec<Feed>,
    /// True if the user said which column of this suppression list is meant.
    pub is_list_column_told: bool,
    /// Index in `wanted` of the column that holds the country.
    pub country_field: Option<usize>,
    /// The country of all its rows, if it is a folder that it is in.
    pub country: Option<Vec<u8>>,
    /// Conditions that its rows must fulfil.
    pub conditions: Vec<RowCondition>,
    /// Bytes of the header.
    pub skip: usize,
    /// Line ends in the header.
    pub header_lines: u64,
    /// What it holds, if it holds nobody. Nothing of it is read.
    pub empty: Option<Empty>,
    /// The header as it is written, without its line end; nothing if there is none.
    pub header: Vec<u8>,
    /// What is known of the places of values.
    pub places: Places,
    /// Notes for people on what was found out rather than given.
    pub notes: Vec<String>,
    /// Warnings of the same kind.
    pub warnings: Vec<String>,
    /// Columns that hold identifiers, as messages call them, and what they hold; of those that hints are about.
    pub columns: Vec<(String, &'static str)>,
    /// True if it has columns that feed no audience.
    pub has_other_columns: bool,
    /// A column with digests as those that are read, and the type that it is called like, if throng chose the type.
    pub unread_digests: Option<(String, UserType)>,
}

impl SourcePlan {
    /// The layer of its entries.
    pub(in crate::prepare) fn layer(&self) -> Layer {
        match self.role {
            Role::Suppressed => Layer::of_list(self.list.min(LISTS_MAX - 1)),
            other => Layer::of(other),
        }
    }
}

/// What an input is planned for.
#[derive(Clone, Copy, Debug)]
pub struct Purpose<'a> {
    /// The role of its entries.
    pub role: Role,
    /// The audiences that it can feed.
    pub audiences: &'a [Audience],
    /// How inputs are read.
    pub read: &'a ReadOptions,
    /// What is known of a suppression list.
    pub list: Option<&'a SuppressInput>,
    /// True if hints on what is wrong with the inputs name its columns.
    pub is_hinted_at: bool,
}

/// What became of an input.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "most are plans")]
pub enum Planned {
    /// Its plan, and its header.
    Plan(SourcePlan, Headers),
    /// It can only be planned when the headers of those before it are known.
    Later(Source),
}
