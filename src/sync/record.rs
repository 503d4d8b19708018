//! The record of a run: the source of which reports, metrics, history and guards are made of. No raw value, no token.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::audience::AudienceFigures;
use crate::emit::DroppedRows;
use crate::error::{Error, Result};
use crate::store::Store;

/// The exit code in the record of a run that did not come to its end, as a shell has it for SIGKILL.
pub const KILLED: u8 = 137;

/// One run of a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SyncRecord {
    /// The job's name.
    pub job: String,
    /// The run's number within the state directory, counted from 1.
    pub run: i64,
    /// The version of throng.
    pub version: String,
    /// Time of its beginning, in milliseconds since 1970.
    pub started_at: i64,
    /// Time of its end, in milliseconds since 1970.
    pub ended_at: i64,
    /// Exit code; see [`crate::ExitCode`].
    pub exit_code: u8,
    /// The error, if there was one, in one line.
    pub error: Option<String>,
    /// Advice about the error.
    pub hint: Option<String>,
    /// The guard that stopped the run before anything was posted, if one did.
    pub guard: Option<GuardRecord>,
    /// The command that runs the job again, or goes on with it.
    pub command: String,
    /// The command that builds new audiences without those who must go; empty if it is not known.
    pub replace_command: String,
    /// Set if nothing was posted because nothing was to be.
    pub is_dry_run: bool,
    /// Number of those who must go as far as is known, also if the run ended before it found out.
    pub must_go: Vec<MustGoRecord>,
    /// The inputs.
    pub inputs: Vec<InputRecord>,
    /// True if no guard has stopped it, so that later runs are compared with it.
    pub has_passed_guards: bool,
    /// The opt-out lists of the job, each with all its files.
    pub opt_out_lists: Vec<OptOutListRecord>,
    /// The audiences.
    pub audiences: Vec<AudienceRecord>,
    /// Times of its phases, in order.
    pub phases: Vec<PhaseRecord>,
    /// Findings that were not told, and remarks.
    pub notes: Vec<String>,
    /// What a person should look at, such as an opt-out list of which nobody is a member.
    pub warnings: Vec<String>,
    /// Records read of all inputs.
    pub records: u64,
    /// Most memory that the process held, in bytes, if the system tells.
    pub peak_memory_bytes: Option<u64>,
    /// Bytes that did not fit the memory limit and went to disk for a while.
    pub spilled_bytes: u64,
    /// Requests that failed for a while and were made again.
    pub retries: u64,
}

/// Number of entries of an audience that opted out and are in it, or may be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MustGoRecord {
    /// Its name in the job.
    pub audience: String,
    /// The type of its entries.
    pub user_type: String,
    /// Number of entries.
    pub entries: u64,
    /// Time at which that was found out, in milliseconds since 1970.
    pub at: i64,
}

impl From<(String, String, u64, i64)> for MustGoRecord {
    fn from((audience, user_type, entries, at): (String, String, u64, i64)) -> Self {
        Self { audience, user_type, entries, at }
    }
}

/// A guard that stopped a run: what it found, and how to go on once a person has looked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GuardRecord {
    /// Its name in the job file: `max_rejects`, `max_shrink`, `max_growth`, `min_entries`, `max_age`.
    pub name: String,
    /// The audience that it looked at, by its name in the job; `None` if it was an input.
    pub audience: Option<String>,
    /// Figure that it found, for people: `41.2%`, `3 days`.
    pub found: String,
    /// Limit that it allows, in the same words.
    pub limit: String,
    /// The command that goes on nevertheless.
    pub command: String,
}

/// An input of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct InputRecord {
    /// Its path.
    pub path: String,
    /// `member` or `suppressed`.
    pub role: String,
    /// Size in bytes as stored.
    pub bytes: Option<u64>,
    /// Time of its last change, in milliseconds since 1970.
    pub modified_at: Option<i64>,
    /// Records in it.
    pub records: u64,
    /// Those of them that conditions dropped.
    pub dropped: Vec<DroppedRows>,
}

/// An opt-out list of a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OptOutListRecord {
    /// Its files as the job file has them.
    pub name: String,
    /// Records in all of them.
    pub records: u64,
    /// Values by which somebody can be held back, in all audiences together.
    pub usable: u64,
    /// Different entries of it that are members, in all audiences together; `None` if that is not known.
    pub members: Option<u64>,
    /// Entries of it that were taken out of audiences because they opted out, where that was looked for: nobody of it is a
    /// member any more.
    pub taken_out: u64,
    /// The likely cause that nobody on it is a member of one of the audiences, if there is one.
    pub suspicion: Option<String>,
    /// The same by audience, of those for which it was read.
    pub audiences: Vec<ListAudienceRecord>,
}

/// What an opt-out list has for an audience.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ListAudienceRecord {
    /// Its name in the job.
    pub audience: String,
    /// Values by which somebody can be held back.
    pub usable: u64,
    /// Different entries that are members; `None` if that is not known.
    pub members: Option<u64>,
    /// Entries that were taken out of it because they opted out, where that was looked for.
    pub taken_out: u64,
}

/// An audience of a run: from what was read to what the API holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AudienceRecord {
    /// Its name in the job.
    pub name: String,
    /// Type of its entries.
    pub user_type: String,
    /// The vendor's number, once it is known.
    pub audience: Option<String>,
    /// Facebook's number, once it is known.
    pub fb_id: Option<String>,
    /// `create`, `add`, `replace`, or `none` if there was nothing to send.
    pub action: String,
    /// The vendor's number of the audience that this one replaces.
    pub replaced: Option<String>,
    /// Members that are new to the audience: those that were written.
    pub new: u64,
    /// Its figures.
    #[serde(flatten)]
    pub figures: AudienceFigures,
    /// The file that lists who is gone, as entries; `None` if there is none.
    pub gone_list: Option<String>,
    /// The file that lists who must go, as entries; `None` if there is none.
    pub must_go_list: Option<String>,
    /// Parts that new entries were cut into.
    pub parts: u64,
    /// Parts that the API has confirmed in this run.
    pub parts_sent: u64,
    /// Entries that the API has confirmed in this run.
    pub entries_sent: u64,
    /// Bytes of these.
    pub bytes_sent: u64,
    /// Entries that were taken out of it because they opted out: in this run, and in earlier ones that ended before they could
    /// say so.
    pub removed_opted_out: u64,
    /// The same of those that are no members any more.
    pub removed_gone: u64,
    /// Entries that the audience held before the run, as far as the API has confirmed them.
    pub held_before: u64,
    /// Entries that it holds after the run.
    pub held_after: u64,
    /// Those of them that the platform takes for invalid: it matches nobody by them.
    pub entries_invalid: u64,
}

/// A part of a run's time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PhaseRecord {
    /// `read`, `write`, `upload` and the like.
    pub name: String,
    /// Wall time in seconds.
    pub seconds: f64,
}

impl SyncRecord {
    /// Says whether the run did all that it was to do, for real.
    pub fn is_success(&self) -> bool {
        self.exit_code == 0 && !self.is_dry_run
    }

    /// Counts the entries that opted out and are in an audience, or may be, as far as is known.
    pub fn must_go_entries(&self) -> u64 {
        self.must_go.iter().map(|of| of.entries).sum()
    }

    /// The record as the store keeps it.
    pub(super) fn to_json(&self) -> Result<String> {
        serde_json::to_string(self)
            .map_err(|_| Error::Internal("a record cannot be written as JSON"))
    }

    /// Wall time in seconds. A clock that went back while it ran makes it 0.
    #[expect(clippy::cast_precision_loss, reason = "a duration in milliseconds is far below 2^53")]
    pub fn seconds(&self) -> f64 {
        self.ended_at.saturating_sub(self.started_at).max(0) as f64 / 1000.0
    }
}

/// The records of the latest runs of the job of a state directory, the latest first. Does not wait for a run that is
/// going on. Empty if no job was ever run there.
pub fn records_of(dir: &Path, count: u32) -> Result<Vec<SyncRecord>> {
    Store::records_in(dir, count).map(records)
}

/// The records of some runs, from what the store keeps. One that cannot be read is left out; it is for people, nothing
/// is decided by it alone.
pub(super) fn records(kept: Vec<(i64, String)>) -> Vec<SyncRecord> {
    let record = |(run, json): (i64, String)| {
        let record: SyncRecord = serde_json::from_str(&json).ok()?;
        Some(SyncRecord { run, ..record })
    };
    kept.into_iter().filter_map(record).collect()
}

/// The record of a run that does not come to its end.
pub(super) fn if_killed(record: &SyncRecord) -> SyncRecord {
    SyncRecord {
        ended_at: record.started_at,
        exit_code: KILLED,
        error: Some("it was killed, or is still going on".to_owned()),
        ..record.clone()
    }
}
