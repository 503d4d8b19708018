//! What one run of a job is to do.

use crate::config::Label;
use crate::job::Job;
use crate::upload::{Client, Verdict};

/// What one run of a job is to do.
#[derive(Clone, Debug)]
pub struct SyncConfig {
    /// The job.
    pub job: Job,
    /// The command that runs it again.
    pub command: String,
    /// The command that runs it again in the very same way, with what was said for this run alone.
    pub command_now: String,
    /// How to reach the API.
    pub client: Client,
    /// Prepare and compare, and post nothing.
    pub is_dry_run: bool,
    /// Upload everybody again.
    pub is_full: bool,
    /// Build all audiences anew in this run, whatever the job says.
    pub is_replacing: bool,
    /// What a person found out about creates whose outcome was unknown.
    pub verdicts: Vec<(Label, Verdict)>,
}

impl SyncConfig {
    /// A usual run. `command` is what messages and reports say how to run it again.
    pub fn new(job: Job, client: Client, command: impl Into<String>) -> Self {
        let command = command.into();
        Self {
            job,
            command_now: command.clone(),
            command,
            client,
            is_dry_run: false,
            is_full: false,
            is_replacing: false,
            verdicts: Vec::new(),
        }
    }
}
