//! What an upload came to: for a person at a glance, for a program as one line of JSON.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::Client;
use super::config::UploadConfig;
use super::part::Part;
use crate::figures;
use crate::store::{Purpose, Target};
use crate::user_type::UserType;

/// What an upload came to.
#[derive(Clone, Debug, Serialize)]
pub struct UploadSummary {
    /// The directory.
    pub directory: PathBuf,
    /// What its entries are.
    pub user_type: UserType,
    /// The vendor's number of the audience; absent if there was nothing to upload.
    pub audience: Option<String>,
    /// Facebook's number of it, if it is known yet.
    pub fb_id: Option<String>,
    /// Parts of the directory.
    pub parts: usize,
    /// Entries of the directory. The API does not say how many of them were new to the audience.
    pub entries: u64,
    /// Parts that this run has sent and the API has confirmed.
    pub parts_sent: usize,
    /// Entries of these.
    pub entries_sent: u64,
    /// Bytes of these.
    pub bytes_sent: u64,
    /// Parts that had been confirmed before.
    pub parts_before: usize,
    /// Entries that the platform took for none, of those that it has.
    pub entries_invalid: u64,
    /// What a person should look at.
    pub warnings: Vec<String>,
    /// `add` or `remove`.
    pub purpose: &'static str,
    /// Wall time in seconds.
    pub seconds: f64,
}

impl UploadSummary {
    pub(super) fn new(
        config: &UploadConfig,
        client: &Client,
        user_type: UserType,
        parts: &[Part],
        left: &[Part],
    ) -> Self {
        let entries: u64 = parts.iter().map(|part| part.lines).sum();
        let least = client.platform().capabilities().usable_entries_min;
        let few = least.filter(|least| config.purpose == Purpose::Add && entries < *least);
        let warnings = few.map(|least| {
            format!("fewer than {least} entries: an audience of so few people cannot be used")
        });
        Self {
            directory: config.dir.clone(),
            user_type,
            audience: None,
            fb_id: None,
            parts: parts.len(),
            entries,
            parts_sent: left.len(),
            entries_sent: left.iter().map(|part| part.lines).sum(),
            bytes_sent: left.iter().map(|part| part.bytes).sum(),
            parts_before: parts.len() - left.len(),
            entries_invalid: 0,
            warnings: warnings.into_iter().collect(),
            purpose: config.purpose.word(),
            seconds: 0.0,
        }
    }

    /// The summary with what the platform took for none.
    pub(super) fn with_invalid(mut self, invalid: u64) -> Self {
        self.entries_invalid = invalid;
        if invalid > 0 {
            let (invalid, of) = (figures::count(invalid), figures::count(self.entries));
            self.warnings.push(format!("the platform takes {invalid} of {of} entries for invalid"));
        }
        self
    }

    pub(super) fn ended(self, target: &Target, elapsed: Duration) -> Self {
        let audience = target.platform_id().map(ToString::to_string);
        let fb_id = target.fb_id.as_ref().map(ToString::to_string);
        Self { audience, fb_id, seconds: elapsed.as_secs_f64(), ..self }
    }
}

impl fmt::Display for UploadSummary {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(audience) = &self.audience else {
            return write!(f, "{}: nothing to upload", self.directory.display());
        };
        write!(f, "audience {audience}")?;
        if let Some(fb_id) = &self.fb_id {
            write!(f, " (Facebook's number {fb_id})")?;
        }
        let entries = figures::count(self.entries);
        let has = if self.purpose == Purpose::Remove.word() { "has none of" } else { "has all" };
        writeln!(f, " {has} {entries} entries of {}", self.directory.display())?;
        let before = match self.parts_before {
            0 => String::new(),
            count => format!(", {count} uploaded before"),
        };
        let rate = self.bytes_sent as f64 / self.seconds.max(1e-3);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate in bytes"
        )]
        let rate = rate as u64;
        write!(
            f,
            "{} of {} parts sent{before}; {} in {}, {}/s",
            self.parts_sent,
            self.parts,
            figures::bytes(self.bytes_sent),
            figures::duration(self.seconds),
            figures::bytes(rate)
        )?;
        self.warnings.iter().try_for_each(|warning| write!(f, "\nwarning: {warning}"))
    }
}
