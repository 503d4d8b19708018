//! Options and bounds, in one place: what commands, the job file and programs choose, and the configuration it becomes.

mod column;
mod command;
mod condition;
mod input;
mod label;
mod location;
mod options;
mod share;
mod split;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::hash::Kernel;
pub use crate::hash::ListDigest;
use crate::limits::PART_LINES;
use crate::normalize::RuleOptions;
use crate::user_type::UserType;

pub use crate::dialect::{Quotes, Separator};
pub use crate::max_rejects::MaxRejects;
pub use crate::role::Role;
pub use crate::written::{Count, Line, MemoryLimit, Size, Threads, Time};
pub use column::ColumnSelector;
pub use command::Command;
pub use condition::Condition;
pub(crate) use input::Content;
#[doc(hidden)]
pub use input::push_quoted;
pub use input::{Input, Supply};
pub use label::Label;
pub use location::{Location, Scheme};
pub use options::{GuardOptions, Limits, SendOptions};
pub use share::{MAX_GROWTH, MAX_OPT_OUT_SHRINK, MAX_SHRINK, Share};
pub use split::{ValueSeparator, ValueSeparators};

/// A suppression list, and which audiences it is for.
#[derive(Clone, Debug)]
pub struct SuppressInput {
    /// Its place.
    pub input: Input,
    /// The type of what it holds, if the user chose it: it is for all audiences of that type; else for every one whose column it has.
    pub user_type: Option<UserType>,
    /// The digest, if it holds others of normalised values than SHA-256.
    pub digest: Option<ListDigest>,
    /// The column, if it is called otherwise there than in the inputs.
    pub column: Option<ColumnSelector>,
    /// Name of the list that it is a file of, if it has several: they stand one behind the other, and are counted as one.
    pub list: Option<String>,
    /// Conditions that its rows must fulfil: whoever is in another row has not opted out.
    pub conditions: Vec<Condition>,
}

/// Entries that are in an audience already, or may be.
#[derive(Clone, Debug)]
pub struct KnownInput {
    /// Their files.
    pub source: KnownSource,
    /// [`Role::Known`] if they are in the audience, [`Role::Unconfirmed`] if they may be.
    pub role: Role,
}

/// Place of known entries.
#[derive(Clone, Debug)]
pub enum KnownSource {
    /// An output directory of an earlier run, which must have all audiences of this one.
    Directory(PathBuf),
    /// Part files of one audience.
    Parts {
        /// The audience.
        label: Label,
        /// The files.
        parts: Vec<KnownPart>,
        /// The options by which they were prepared, in JSON; empty if they are not known.
        options: String,
    },
}

/// A part file that must not have changed.
#[derive(Clone, Debug)]
pub struct KnownPart {
    /// Its place.
    pub path: PathBuf,
    /// Its entries.
    pub lines: u64,
    /// Its size.
    pub bytes: u64,
    /// The SHA-256 of its bytes, in hex.
    pub sha256: String,
}

impl From<Input> for SuppressInput {
    fn from(input: Input) -> Self {
        Self {
            input,
            user_type: None,
            digest: None,
            column: None,
            list: None,
            conditions: Vec::new(),
        }
    }
}

impl From<PathBuf> for KnownInput {
    fn from(dir: PathBuf) -> Self {
        Self { source: KnownSource::Directory(dir), role: Role::Known }
    }
}

/// One audience that is to be made.
#[derive(Clone, Debug)]
pub struct AudienceSpec {
    /// Its name; that of the user type, if nobody chose another. No two audiences of a run share one.
    pub label: Label,
    /// The type of its entries.
    pub user_type: UserType,
    /// The columns that hold them, each value for itself; one is found by content if none is named.
    pub columns: Vec<ColumnSelector>,
}

impl AudienceSpec {
    /// An audience that is called like its user type.
    pub fn new(user_type: UserType, columns: impl IntoIterator<Item = ColumnSelector>) -> Self {
        Self { label: user_type.into(), user_type, columns: columns.into_iter().collect() }
    }
}

impl From<UserType> for AudienceSpec {
    fn from(user_type: UserType) -> Self {
        Self::new(user_type, None)
    }
}

impl std::fmt::Display for AudienceSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&audience_name(&self.label, self.user_type))
    }
}

/// Name of an audience in messages: its label if it has one of its own, and what its entries are.
pub(crate) fn audience_name(label: &Label, user_type: UserType) -> String {
    if label.as_str() == user_type.name() {
        user_type.to_string()
    } else {
        format!("{label} ({user_type})")
    }
}

/// The format of inputs.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Format {
    /// Found by name and content.
    #[default]
    Auto,
    /// One value a line.
    Lines,
    /// Comma-separated, or by another delimiter.
    Csv,
    /// Tab-separated.
    Tsv,
    /// Columns in row groups; found by content like the others.
    Parquet,
}

/// Presence of a header in the first record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Header {
    /// If the column is named, or if the first cell is no valid value while those below are.
    #[default]
    Auto,
    /// No.
    Absent,
}

/// Ways to read regular files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Io {
    /// Mapped where that is possible and local.
    #[default]
    Auto,
    /// Through buffers.
    Read,
}

/// What of a person who opted out is held back.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum SuppressBy {
    /// All identifiers that stand in one row with theirs, and in rows that share one of these.
    #[default]
    Person,
    /// The identifiers that stand in the lists, and no other.
    Identifier,
}

/// Choices about reading inputs.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// Their format.
    pub format: Format,
    /// What stands between fields of CSV; found if not given.
    pub delimiter: Option<Separator>,
    /// Meaning of quotes in CSV; found if not given.
    pub quotes: Option<Quotes>,
    /// True if rows of CSV that are wider or narrower than the header are taken as they are.
    pub is_ragged: bool,
    /// Lines to skip at the top of each member file; title rows that a header follows are found without it.
    pub skip_rows: usize,
    /// Their header.
    pub header: Header,
    /// The column that holds each row's country.
    pub country_column: Option<ColumnSelector>,
    /// Conditions that the rows of members must fulfil, all of them.
    pub conditions: Vec<Condition>,
    /// What stands between several values of a cell, of members and suppression lists.
    pub split: ValueSeparators,
    /// Way to read files.
    pub io: Io,
}

impl ReadOptions {
    /// Options with a format and a delimiter that go together; else why they do not.
    pub fn new(format: Format, delimiter: Option<Separator>) -> Result<Self, &'static str> {
        if delimiter.is_none() {
            return Ok(Self { format, ..Self::default() });
        }
        match format {
            Format::Auto | Format::Csv => {
                Ok(Self { format: Format::Csv, delimiter, ..Self::default() })
            }
            Format::Lines => Err("lines have no delimiter"),
            Format::Tsv => Err("tsv has its own delimiter"),
            Format::Parquet => Err("Parquet has no delimiter"),
        }
    }
}

/// Resources of a run. By default: all cores, and half of the memory that the machine or its cgroup allows.
#[derive(Clone, Debug)]
pub struct Resources {
    /// Worker threads.
    pub threads: usize,
    /// Budget in bytes for entries, buffers and tables together.
    pub memory_bytes: u64,
    /// Directory of spill files; beside the output if not given.
    pub tmp_dir: Option<PathBuf>,
    /// Bytes of a chunk; [`CHUNK_BYTES`](crate::limits::CHUNK_BYTES) but in tests.
    #[doc(hidden)]
    pub chunk_bytes: usize,
    /// Bytes of a block; [`BLOCK_BYTES`](crate::limits::BLOCK_BYTES) but in tests.
    #[doc(hidden)]
    pub block_bytes: usize,
    /// Kernel that computes on many values at once; the fastest there is but in tests.
    #[doc(hidden)]
    pub kernel: Kernel,
}

impl Default for Resources {
    fn default() -> Self {
        Limits::default().resources()
    }
}

/// The list of rejected values.
#[derive(Clone, Debug)]
pub struct RejectList {
    /// Its path.
    pub path: PathBuf,
    /// True if the raw values are in it.
    pub with_values: bool,
}

/// Outputs of a run.
#[derive(Clone, Debug)]
pub struct OutputOptions {
    /// The output directory.
    pub dir: PathBuf,
    /// True if an earlier result there is replaced.
    pub overwrite: bool,
    /// Most entries of a part.
    pub part_lines: u64,
    /// Most bytes of a part.
    pub part_bytes: Option<u64>,
    /// The reject list, if one is wanted.
    pub rejects: Option<RejectList>,
}

impl OutputOptions {
    /// A directory that is not there yet, with parts of a million entries.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            overwrite: false,
            part_lines: PART_LINES,
            part_bytes: None,
            rejects: None,
        }
    }
}

/// A whole `prepare`, decided. [`PrepareConfig::new`] has what the command does if nothing is said; then set the fields
/// that are to be otherwise.
#[derive(Clone, Debug)]
pub struct PrepareConfig {
    /// Members come from here.
    pub inputs: Vec<Input>,
    /// People who must not be in the audience.
    pub suppress: Vec<SuppressInput>,
    /// What of them is held back.
    pub suppress_by: SuppressBy,
    /// Output directories of earlier runs: who is in the audience already.
    pub against: Vec<KnownInput>,
    /// Nobody is a member: opt-out lists alone are held against who is, or may be, in the audience. There are no inputs then.
    pub lists_alone: bool,
    /// Whether those who may be in the audience, and are no members, are gone like those who are known to be in it.
    pub unconfirmed_can_be_gone: bool,
    /// The audiences to make from one pass over the inputs; at least one, no two with the same label.
    pub audiences: Vec<AudienceSpec>,
    /// The choices within the rules.
    pub rules: RuleOptions,
    /// Choices about reading.
    pub read: ReadOptions,
    /// Rejects that make an input the wrong file.
    pub max_rejects: MaxRejects,
    /// Outputs.
    pub output: OutputOptions,
    /// Resources.
    pub resources: Resources,
    /// Notes for people on the inputs, by whoever chose them; the summary has them first.
    pub notes: Vec<String>,
}

impl PrepareConfig {
    /// One audience into a directory; what is still missing is an input.
    pub fn new(audience: impl Into<AudienceSpec>, dir: impl Into<PathBuf>) -> Self {
        Self {
            inputs: Vec::new(),
            suppress: Vec::new(),
            suppress_by: SuppressBy::default(),
            against: Vec::new(),
            lists_alone: false,
            unconfirmed_can_be_gone: false,
            audiences: vec![audience.into()],
            rules: RuleOptions::default(),
            read: ReadOptions::default(),
            max_rejects: MaxRejects::DEFAULT,
            output: OutputOptions::new(dir),
            resources: Resources::default(),
            notes: Vec::new(),
        }
    }
}
