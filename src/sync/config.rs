//! A whole nightly job, decided.

use std::path::PathBuf;
use std::time::Duration;

use super::Guards;
use crate::api::Id;
use crate::config::{Label, PrepareConfig};
use crate::upload::{Client, RetryPolicy, Verdict};

/// A whole nightly job, decided.
#[derive(Clone, Debug)]
pub struct SyncConfig {
    /// The job's name.
    pub job: String,
    /// The command that runs it again.
    pub command: String,
    /// Where it remembers what it has done.
    pub state_dir: PathBuf,
    /// What to read and how. Output directory and earlier results are the job's own.
    pub prepare: PrepareConfig,
    /// Where its audiences go, in the order of those in `prepare`.
    pub audiences: Vec<SyncAudience>,
    /// How to reach the API.
    pub client: Client,
    /// The ad account of all audiences.
    pub ad_account: Id,
    /// Most parts in flight at once.
    pub parallel: usize,
    /// How patient to be.
    pub retry: RetryPolicy,
    /// How long the upload of an audience may take.
    pub time_max: Duration,
    /// What stops a run before anything is posted.
    pub guards: Guards,
    /// Prepare and compare, and post nothing.
    pub is_dry_run: bool,
    /// Upload everybody again.
    pub is_full: bool,
    /// Replace these audiences in this run, whatever the job says.
    pub replace_now: Vec<Label>,
    /// What a person found out about creates whose outcome was unknown.
    pub verdicts: Vec<(Label, Verdict)>,
}

/// Where an audience goes.
#[derive(Clone, Debug)]
pub struct SyncAudience {
    /// What it is called within the job.
    pub label: Label,
    /// Which audience it is there.
    pub destination: Destination,
    /// When a new one is built.
    pub replace: Replace,
}

/// Which audience of the API.
#[derive(Clone, Debug)]
pub enum Destination {
    /// One that the first run creates.
    Created {
        /// Its name.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// Where people can opt out.
        opt_out_link: Option<String>,
        /// Whether a marker goes into the description.
        has_marker: bool,
    },
    /// One that exists, by the vendor's number.
    Given(Id),
}

/// When a new audience is built in the place of the one that is live, because nobody can be taken out of that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replace {
    /// When a person says so.
    #[default]
    Never,
    /// As soon as somebody in it has opted out.
    WhenOptedOut,
    /// Every run.
    Always,
}
