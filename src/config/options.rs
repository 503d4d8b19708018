//! Options that commands and the job file share: flags of the one, tables of the other, described once.

use std::path::PathBuf;

use clap::Args;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Count, MaxRejects, MemoryLimit, Resources, Share, Size, Threads, Time};
use crate::hash::Kernel;
use crate::limits::{
    ATTEMPTS, BLOCK_BYTES, CHUNK_BYTES, MIN_ENTRIES, PARALLEL, PARALLEL_MAX, PART_LINES,
    RETRY_WAIT, TIME_LIMIT,
};
use crate::machine;

/// Headings in the help of commands with many flags.
const PARTS: &str = "Upload files";
const MACHINE: &str = "Memory and threads";

/// Bounds of a run: flags of `throng prepare`, `[limits]` of a job file.
#[derive(Clone, Debug, Args, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Limits {
    /// Most entries of a part.
    #[arg(long, value_name = "N", default_value_t = Self::default().part_lines, help_heading = PARTS)]
    pub part_lines: Count<1, { u64::MAX }>,
    /// Most bytes of a part, such as 50M.
    #[arg(long, value_name = "SIZE", help_heading = PARTS)]
    pub part_bytes: Option<Size>,
    /// Memory limit, such as 512M or 4G [default: half of what the machine or its cgroup allows].
    #[arg(long, value_name = "SIZE", help_heading = MACHINE)]
    pub memory: Option<MemoryLimit>,
    /// Worker threads [default: one for each core].
    #[arg(long, value_name = "N", help_heading = MACHINE)]
    pub threads: Option<Threads>,
    /// Directory for entries that the memory limit does not hold [default: beside the output].
    #[arg(long, value_name = "DIR", help_heading = MACHINE)]
    pub tmp_dir: Option<PathBuf>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            part_lines: Count::clamped(PART_LINES),
            part_bytes: None,
            memory: None,
            threads: None,
            tmp_dir: None,
        }
    }
}

impl Limits {
    /// The resources of a run.
    pub fn resources(&self) -> Resources {
        Resources {
            threads: self.threads.map_or_else(machine::cores, Count::to_usize),
            memory_bytes: self.memory.map_or_else(machine::default_memory_bytes, |limit| limit.0),
            tmp_dir: self.tmp_dir.clone(),
            chunk_bytes: CHUNK_BYTES,
            block_bytes: BLOCK_BYTES,
            kernel: Kernel::default(),
        }
    }
}

/// Guards, which stop a run of a job before anything is posted: `[guards]` of its file, and the flags of `throng sync`
/// that go on for once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Args, Deserialize, JsonSchema)]
#[command(args_override_self = true)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct GuardOptions {
    /// Rejected values that are too many: a count (500), a share (0.1) or a percentage (10%).
    #[arg(long, value_name = "LIMIT")]
    #[schemars(extend("default" = MaxRejects::DEFAULT.to_string()))]
    pub max_rejects: Option<MaxRejects>,
    /// Share by which members may be fewer than in the last run, such as 20%.
    #[arg(long, value_name = "SHARE")]
    #[schemars(extend("default" = super::MAX_SHRINK.to_string()))]
    pub max_shrink: Option<Share>,
    /// Share by which members may be more than in the last run, such as 100%.
    #[arg(long, value_name = "SHARE")]
    #[schemars(extend("default" = super::MAX_GROWTH.to_string()))]
    pub max_growth: Option<Share>,
    /// Fewest members.
    #[arg(long, value_name = "N")]
    #[schemars(extend("default" = MIN_ENTRIES))]
    pub min_entries: Option<Count<0, { u64::MAX }>>,
    /// Share by which an opt-out list may be shorter than in the last run, such as 5%.
    #[arg(long, value_name = "SHARE")]
    #[schemars(extend("default" = super::MAX_OPT_OUT_SHRINK.to_string()))]
    pub max_opt_out_shrink: Option<Share>,
    /// Fewest records of an opt-out list.
    #[arg(long, value_name = "N")]
    #[schemars(extend("default" = 0))]
    pub min_opt_outs: Option<Count<0, { u64::MAX }>>,
    /// Fewest entries of an opt-out list that are members [default: 1 if the run before had some, or if the list is
    /// written in another form than the inputs].
    #[arg(long, value_name = "N")]
    pub min_opt_out_members: Option<Count<0, { u64::MAX }>>,
    /// Greatest age of the newest input, such as 30h, where the job file says something about it.
    #[arg(long, value_name = "TIME")]
    pub max_age: Option<Time>,
}

/// Patience of an upload: flags of `throng upload`, `[upload]` of a job file.
#[derive(Clone, Copy, Debug, PartialEq, Args, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct SendOptions {
    /// Parts in flight at once.
    #[arg(long, value_name = "N", default_value_t = Self::default().parallel)]
    pub parallel: Count<1, { PARALLEL_MAX as u64 }>,
    /// Most times that a request is made.
    #[arg(long, value_name = "N", default_value_t = Self::default().attempts)]
    pub attempts: Count<1, { u32::MAX as u64 }>,
    /// The longest wait before the second attempt, such as 500ms; it doubles with each further one.
    #[arg(long, value_name = "TIME", default_value_t = Self::default().retry_wait)]
    pub retry_wait: Time,
    /// Longest time of the whole upload of an audience.
    #[arg(long, value_name = "TIME", default_value_t = Self::default().time_limit)]
    pub time_limit: Time,
}

impl Default for SendOptions {
    fn default() -> Self {
        Self {
            parallel: Count::clamped(PARALLEL as u64),
            attempts: Count::clamped(u64::from(ATTEMPTS)),
            retry_wait: Time(RETRY_WAIT),
            time_limit: Time(TIME_LIMIT),
        }
    }
}

impl SendOptions {
    /// Most times that a request is made.
    pub fn attempts_max(&self) -> u32 {
        u32::try_from(self.attempts.get()).unwrap_or(u32::MAX)
    }
}
