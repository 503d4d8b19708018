//! What will be done, decided once, and every bound in one place.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::hash::Kernel;
use crate::machine;
use crate::normalize::{RuleOptions, UserType};

pub use crate::plan::Role;
pub use crate::supply::Supply;

/// Longest record in bytes, without its line end. A longer line is rejected as `too_long`; a longer CSV record ends the
/// run, because it is nearly always a quote that never closes. It bounds what a stream must hold to find a boundary.
#[doc(hidden)]
pub const RECORD_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of a source that a worker takes at once. With what is made of them (offsets, canonical forms, digests) they
/// fit the second-level cache of a core.
#[doc(hidden)]
pub const CHUNK_BYTES: usize = 256 * 1024;

/// Bytes of a mapped source that have been read before their pages are given back.
#[doc(hidden)]
pub const RELEASE_BYTES: usize = 16 * 1024 * 1024;

/// Records that pass through the stages together: their blocks and digests stay in the first-level cache of a core.
#[doc(hidden)]
pub const BATCH_RECORDS: usize = 512;

/// Decoded bytes of a source that are looked at to find out what it holds. Longer than most first records, shorter
/// than anybody notices.
#[doc(hidden)]
pub const SAMPLE_BYTES: usize = 256 * 1024;

/// Longest metadata of a Parquet file that is read, in bytes: a hundred columns in a thousand row groups have less.
pub const PARQUET_FOOTER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Memory in bytes that a page of a Parquet file may take when its first rows are looked at.
pub const PARQUET_SAMPLE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Rows of a Parquet file that pass through the stages together.
pub const PARQUET_ROWS: usize = 8 * 1024;

/// Least memory budget in bytes with which the fixed buffers still leave room for entries.
#[doc(hidden)]
pub const MEMORY_BYTES_MIN: u64 = 32 * 1024 * 1024;

/// Memory in bytes that a run may take beside its budget: the program itself and the metadata of telephone numbers,
/// and pages of mapped inputs that are not given back yet, which the system can take back at any time.
#[doc(hidden)]
pub const MEMORY_BYTES_BESIDE: u64 = 64 * 1024 * 1024;

/// Memory in bytes that an archive may ask for to be decompressed, beside the budget while it is read. `zstd --long` asks
/// for all of it, `xz -9` for half; what others ask for is a few MiB.
pub const DECODER_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// Bytes of a block: what one partition of one worker grows by, and what is written to a spill file at once.
#[doc(hidden)]
pub const BLOCK_BYTES: usize = 16 * 1024;

/// Blocks are cut from slabs of this many bytes, so that memory is asked for rarely.
#[doc(hidden)]
pub const SLAB_BYTES: usize = 2 * 1024 * 1024;

/// Bytes of a slab where the memory limit is so low that larger ones would go beyond it.
#[doc(hidden)]
pub const SLAB_BYTES_MIN: usize = 256 * 1024;

/// The blocks' share of the memory limit holds at least so many slabs of each worker and audience.
#[doc(hidden)]
pub const SLABS_MIN: u64 = 8;

/// Most leading bits of a digest that choose its partition: 4096 partitions.
#[doc(hidden)]
pub const RADIX_BITS_MAX: u32 = 12;

/// Entries that a partition should hold: 32 bytes each, so that sorting one stays in the cache of a core.
#[doc(hidden)]
pub const PARTITION_ENTRIES: u64 = 16 * 1024;

/// Chunks or partitions that are under way at once, for each worker.
#[doc(hidden)]
pub const IN_FLIGHT_PER_WORKER: usize = 3;

/// Most threads.
#[doc(hidden)]
pub const THREADS_MAX: usize = 1024;

/// Longest label of an audience, in bytes.
#[doc(hidden)]
pub const LABEL_BYTES_MAX: usize = 64;

/// Default of `--part-lines`.
#[doc(hidden)]
pub const PART_LINES: u64 = 1_000_000;

/// Most parts of one audience: their numbers have five digits.
#[doc(hidden)]
pub const PARTS_MAX: u64 = 99_999;

/// Bytes of text that are made and written at once. Few enough to be in the cache of a core when the system copies them.
#[doc(hidden)]
pub const WRITE_BYTES: usize = 256 * 1024;

/// Directories of nightly runs that are kept one by one. Beyond that they are put together, so that a night does not take
/// the longer the more nights there were.
pub const HOLDINGS_MAX: usize = 64;

/// Bytes of a part that is put together of smaller ones; what has half of it is left as it is.
pub const MERGED_PART_BYTES: u64 = 64 * 1024 * 1024;

/// Pieces and complete parts that wait to go to the disk before those who write must wait too.
#[doc(hidden)]
pub const SYNCS_WAITING: usize = 64;

/// Complete parts that wait to be hashed; each is an open file.
#[doc(hidden)]
pub const PARTS_COMPLETE_MAX: usize = 64;

const _: () = {
    assert!(
        CHUNK_BYTES + RECORD_BYTES_MAX < u32::MAX as usize / 4,
        "offsets within a chunk are u32"
    );
    assert!(
        crate::normalize::VALUE_BYTES_MAX < RECORD_BYTES_MAX,
        "an oversize line is an oversize value"
    );
    assert!(SLAB_BYTES.is_multiple_of(BLOCK_BYTES), "slabs are cut into whole blocks");
    assert!(SLAB_BYTES_MIN.is_multiple_of(BLOCK_BYTES), "slabs are cut into whole blocks");
    assert!(BLOCK_BYTES.is_multiple_of(32), "blocks hold whole digests");
};

/// Where records come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A file, a FIFO or a device.
    Path(PathBuf),
    /// Standard input.
    Stdin,
    /// What a program brings along: see [`Input::reader`] and [`Input::values`].
    Supply(Supply),
}

/// A suppression list, and which audiences it is for.
#[derive(Clone, Debug)]
pub struct SuppressInput {
    /// Where it is.
    pub input: Input,
    /// What it holds, if the user said so: it is for all audiences of that type; else for every one whose column it has.
    pub user_type: Option<UserType>,
    /// The column, if it is called otherwise there than in the inputs.
    pub column: Option<ColumnSelector>,
}

/// An output directory of an earlier run, whose entries are known.
#[derive(Clone, Debug)]
pub struct KnownInput {
    /// Where it is.
    pub dir: PathBuf,
    /// The audiences that it concerns, as far as it has them. `None`: all of them, and it must have them.
    pub labels: Option<Vec<Label>>,
    /// Whether its entries are known to be in the audience, or only may be.
    pub role: Role,
}

impl From<Input> for SuppressInput {
    fn from(input: Input) -> Self {
        Self { input, user_type: None, column: None }
    }
}

impl From<PathBuf> for KnownInput {
    fn from(dir: PathBuf) -> Self {
        Self { dir, labels: None, role: Role::Known }
    }
}

/// A column, as a user names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnSelector {
    /// By header, compared without regard to letter case and surrounding white space.
    Name(String),
    /// By place, counted from 1.
    Number(usize),
}

impl std::str::FromStr for ColumnSelector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<usize>() {
            Ok(0) => Err("columns are counted from 1".to_owned()),
            Ok(number) => Ok(Self::Number(number)),
            Err(_) if text.is_empty() => Err("a column needs a name or a number".to_owned()),
            Err(_) => Ok(Self::Name(text.to_owned())),
        }
    }
}

impl ColumnSelector {
    /// As it was typed.
    pub fn text(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::Number(number) => number.to_string(),
        }
    }
}

impl std::fmt::Display for ColumnSelector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => write!(f, "`{name}`"),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

/// What an audience is called within a run: its parts are named so, and manifest and summary. Safe as part of a file
/// name on any system, hence without upper case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

impl Label {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<UserType> for Label {
    fn from(user_type: UserType) -> Self {
        Self(user_type.name().to_owned())
    }
}

impl std::str::FromStr for Label {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_inner = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        let is_label = text.len() <= LABEL_BYTES_MAX
            && text.bytes().all(is_inner)
            && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
        if is_label {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "expected a label: 1 to {LABEL_BYTES_MAX} of a-z, 0-9, _ and -, the first a letter or digit"
        ))
    }
}

impl TryFrom<String> for Label {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.0
    }
}

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

/// One audience that is to be made.
#[derive(Clone, Debug)]
pub struct AudienceSpec {
    /// What it is called; the name of the user type, if nobody said otherwise. No two audiences of a run share one.
    pub label: Label,
    /// What its entries are.
    pub user_type: UserType,
    /// The column that holds them; found by content if not named.
    pub column: Option<ColumnSelector>,
}

impl AudienceSpec {
    /// An audience that is called like its user type.
    pub fn new(user_type: UserType, column: Option<ColumnSelector>) -> Self {
        Self { label: user_type.into(), user_type, column }
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

/// What messages call an audience: its label if it has one of its own, and what its entries are.
pub(crate) fn audience_name(label: &Label, user_type: UserType) -> String {
    if label.as_str() == user_type.name() {
        user_type.to_string()
    } else {
        format!("{label} ({user_type})")
    }
}

/// The format of inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Found by name and content.
    #[default]
    Auto,
    /// One value a line.
    Lines,
    /// CSV with this delimiter, or the one that is found.
    Csv(Option<u8>),
    /// Parquet.
    Parquet,
}

/// Whether the first record is a header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Header {
    /// If the column is named, or if the first cell is no valid value while those below are.
    #[default]
    Auto,
    /// No.
    Absent,
}

/// How regular files are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Io {
    /// Mapped where that is possible and local.
    #[default]
    Auto,
    /// Through buffers.
    Read,
}

/// How to read inputs.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// Their format.
    pub format: Format,
    /// Their header.
    pub header: Header,
    /// The column that holds each row's country.
    pub country_column: Option<ColumnSelector>,
    /// How files are read.
    pub io: Io,
}

/// How many rejected values are too many.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MaxRejects {
    /// A share of the values that are not blank, 0 to 1.
    Share(f64),
    /// A count.
    Count(u64),
}

impl MaxRejects {
    /// Unless somebody said otherwise.
    pub const DEFAULT: Self = Self::Share(0.1);

    /// The smallest whole percentage that is not exceeded by `rejected` of `values`.
    pub fn that_allows(rejected: u64, values: u64) -> Self {
        let percents = (0_u8..100).map(|percent| Self::Share(f64::from(percent) / 100.0));
        percents
            .into_iter()
            .find(|limit| !limit.is_exceeded(rejected, values))
            .unwrap_or(Self::Share(1.0))
    }

    /// Whether `rejected` of `values` are too many.
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more precision than f64 has")]
    pub fn is_exceeded(self, rejected: u64, values: u64) -> bool {
        match self {
            Self::Share(share) => rejected as f64 > share * values as f64,
            Self::Count(count) => rejected > count,
        }
    }
}

impl std::fmt::Display for MaxRejects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Share(share) => write!(f, "{}%", share * 100.0),
            Self::Count(count) => write!(f, "{count}"),
        }
    }
}

impl std::str::FromStr for MaxRejects {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let share = match text.strip_suffix('%') {
            Some(percent) => percent.trim().parse::<f64>().ok().map(|percent| percent / 100.0),
            None => match text.parse::<u64>() {
                Ok(count) => return Ok(Self::Count(count)),
                Err(_) => text.parse().ok(),
            },
        };
        match share {
            Some(share) if (0.0..=1.0).contains(&share) => Ok(Self::Share(share)),
            _ => Err("expected a count (500), a share (0.1) or a percentage (10%)".to_owned()),
        }
    }
}

/// What a run may use. By default: all cores, and half of the memory that the machine or its cgroup allows.
#[derive(Clone, Debug)]
pub struct Resources {
    /// Worker threads.
    pub threads: usize,
    /// Budget in bytes for entries, buffers and tables together.
    pub memory_bytes: u64,
    /// Where spill files go; beside the output if not given.
    pub tmp_dir: Option<PathBuf>,
    /// Bytes of a chunk; [`CHUNK_BYTES`] but in tests.
    #[doc(hidden)]
    pub chunk_bytes: usize,
    /// Bytes of a block; [`BLOCK_BYTES`] but in tests.
    #[doc(hidden)]
    pub block_bytes: usize,
    /// What computes on many values at once; the fastest there is but in tests.
    #[doc(hidden)]
    pub kernel: Kernel,
}

impl Default for Resources {
    fn default() -> Self {
        Self {
            threads: machine::cores(),
            memory_bytes: machine::default_memory_bytes(),
            tmp_dir: None,
            chunk_bytes: CHUNK_BYTES,
            block_bytes: BLOCK_BYTES,
            kernel: Kernel::default(),
        }
    }
}

/// The list of rejected values.
#[derive(Clone, Debug)]
pub struct RejectList {
    /// Where it goes.
    pub path: PathBuf,
    /// Whether the raw values are in it.
    pub with_values: bool,
}

/// What is written, and where.
#[derive(Clone, Debug)]
pub struct OutputOptions {
    /// The output directory.
    pub dir: PathBuf,
    /// Whether an earlier result there is replaced.
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
    /// Output directories of earlier runs: who is in the audience already.
    pub against: Vec<KnownInput>,
    /// The audiences to make from one pass over the inputs; at least one, no two with the same label.
    pub audiences: Vec<AudienceSpec>,
    /// The choices within the rules.
    pub rules: RuleOptions,
    /// How to read.
    pub read: ReadOptions,
    /// When an input is the wrong file.
    pub max_rejects: MaxRejects,
    /// What to write.
    pub output: OutputOptions,
    /// What to use.
    pub resources: Resources,
}

impl PrepareConfig {
    /// One audience into a directory; what is still missing is an input.
    pub fn new(audience: impl Into<AudienceSpec>, dir: impl Into<PathBuf>) -> Self {
        Self {
            inputs: Vec::new(),
            suppress: Vec::new(),
            against: Vec::new(),
            audiences: vec![audience.into()],
            rules: RuleOptions::default(),
            read: ReadOptions::default(),
            max_rejects: MaxRejects::DEFAULT,
            output: OutputOptions::new(dir),
            resources: Resources::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_is_safe_in_file_names_everywhere() {
        for text in ["a", "7", "email_hash", "news-letter_2", &"x".repeat(LABEL_BYTES_MAX)] {
            assert_eq!(text.parse::<Label>().map(String::from).as_deref(), Ok(text));
        }
        for user_type in UserType::ALL {
            assert_eq!(user_type.name().parse(), Ok(Label::from(user_type)));
        }
        let long = "x".repeat(LABEL_BYTES_MAX + 1);
        for text in ["", "-a", "_a", "A", "a b", "a/b", "..", ".a", "a.b", "ü", "a\n", &long] {
            assert!(text.parse::<Label>().is_err(), "{text}");
            assert!(serde_json::from_value::<Label>(text.into()).is_err(), "{text}");
        }
    }

    #[test]
    fn max_rejects_is_a_count_a_share_or_a_percentage() {
        for (text, expected) in [
            ("0", MaxRejects::Count(0)),
            ("500", MaxRejects::Count(500)),
            ("0.25", MaxRejects::Share(0.25)),
            ("10%", MaxRejects::Share(0.1)),
            ("100%", MaxRejects::Share(1.0)),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in ["", "-1", "1.5", "101%", "many", "NaN"] {
            assert!(text.parse::<MaxRejects>().is_err(), "{text}");
        }
        assert!(!MaxRejects::Share(0.1).is_exceeded(10, 100));
        assert!(MaxRejects::Share(0.1).is_exceeded(11, 100));
        assert!(MaxRejects::Count(0).is_exceeded(1, 100));
    }
}
