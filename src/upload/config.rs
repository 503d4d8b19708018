//! What is uploaded, and where to.

use std::path::PathBuf;
use std::time::Duration;

use super::retry::RetryPolicy;
use crate::config::Label;
use crate::platform::{CustomerFileSource, Id};
use crate::store::Purpose;

/// Which audience to upload to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetSpec {
    /// One that is to be created, or that an earlier run has begun.
    Create {
        /// Its name; together with endpoint, ad account and user type, what the store knows it by.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// Where people can opt out.
        opt_out_link: Option<String>,
        /// Whether a marker goes into the description, so that a create whose outcome is unknown can be found.
        has_marker: bool,
        /// What a person found out about an earlier create whose outcome was unknown.
        verdict: Option<Verdict>,
        /// Whether parts of other directories may be added to what was created.
        content: Content,
    },
    /// One that exists, by the vendor's number.
    Audience(Id),
}

impl TargetSpec {
    /// An audience of this name: it is created once, whatever happens, and gets the parts of one directory.
    pub fn create(name: impl Into<String>) -> Self {
        Self::Create {
            name: name.into(),
            description: None,
            opt_out_link: None,
            has_marker: true,
            verdict: None,
            content: Content::Fixed,
        }
    }

    /// Whether parts of other directories may be added to it.
    pub(super) fn content(&self) -> Content {
        match self {
            Self::Create { content, .. } => *content,
            Self::Audience(_) => Content::Growing,
        }
    }
}

/// Whether an audience that was created may get other parts than those that it was created from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// No: a name that is used again by accident would mix two audiences.
    #[default]
    Fixed,
    /// Yes: it grows run by run.
    Growing,
}

/// What a person found out about a create whose outcome was unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It took effect: this is the audience.
    Is(Id),
    /// It did not take effect.
    IsNot,
}

/// A whole upload, decided.
#[derive(Clone, Debug)]
pub struct UploadConfig {
    /// A directory that was prepared.
    pub dir: PathBuf,
    /// Which of the audiences in it, by label, or by user type if it holds one of that type; not needed if there is one.
    pub audience: Option<Label>,
    /// Where to.
    pub target: TargetSpec,
    /// Whether its entries are added, or taken out.
    pub purpose: Purpose,
    /// The ad account that the audience belongs to.
    pub ad_account: Id,
    /// How customers' data was collected, where a platform wants that to be said of an audience that is created.
    pub customer_file_source: CustomerFileSource,
    /// Most parts in flight at once; 1 to [`crate::limits::PARALLEL_MAX`].
    pub parallel: usize,
    /// How patient to be.
    pub retry: RetryPolicy,
    /// How long the whole upload may take.
    pub time_max: Duration,
    /// How a person goes on with it, for the history.
    pub command: String,
}

impl UploadConfig {
    /// An upload with the patience that the command has if nothing is said.
    pub fn new(dir: impl Into<PathBuf>, ad_account: impl Into<Id>, target: TargetSpec) -> Self {
        Self {
            dir: dir.into(),
            audience: None,
            target,
            purpose: Purpose::Add,
            ad_account: ad_account.into(),
            customer_file_source: CustomerFileSource::default(),
            parallel: crate::limits::PARALLEL,
            retry: RetryPolicy::default(),
            time_max: crate::limits::TIME_LIMIT,
            command: String::new(),
        }
    }
}
