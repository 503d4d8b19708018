//! Posting upload files, and surviving everything: it knows parts and the API, and nothing of how parts are made.
//!
//! ```text
//! part       a file of a prepared directory; only what its manifest says of it is ever sent to its end
//! client     one request, one outcome
//! retry      outcome, attempts, time left -> again after a wait | find out | give up
//! store      what is intended, and what the API has confirmed; outlives the process
//! create     the first part makes the audience, once, whatever happens
//! send       the other parts, a few at a time
//! batches    parts in batches, one after the other, where a platform wants such
//! pace       how fast, so that a platform's limits are not reached
//! ```
//!
//! [`Upload::plan`] compares a directory with its manifest and with the store; [`Upload::run`] sends what is left.
//! A part that was confirmed is not sent again; an audience that may have been created is looked for by a marker in
//! its description before anything else is done about it.

mod agent;
pub(crate) mod answer;
mod attempt;
mod background;
mod batches;
mod client;
mod config;
mod create;
mod endpoint;
mod fit;
mod pace;
pub(crate) mod part;
mod plan;
mod retry;
mod send;
mod session;
mod summary;
mod words;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::platform::Id;
use crate::stop::Stop;

pub(crate) use self::client::Sending;
pub use self::client::{Client, ClientConfig};
pub use self::config::{Content, TargetSpec, UploadConfig, Verdict};
pub use self::endpoint::{AppSecret, Endpoint, Token};
pub use self::part::Part;
pub use self::plan::Upload;
#[doc(hidden)]
pub use self::retry::Decision;
pub use self::retry::RetryPolicy;
pub use self::summary::UploadSummary;
pub use crate::platform::{Call, Failure, FailureKind, Outcome};

/// The variable that holds the token.
pub const TOKEN_VARIABLE: &str = "THRONG_TOKEN";

/// The variable that holds the secret of the token's app, where a platform's app asks for a proof of it.
pub const APP_SECRET_VARIABLE: &str = "THRONG_APP_SECRET";

/// How far an upload is, for whoever watches it.
#[derive(Debug, Default)]
pub struct UploadProgress {
    /// Bytes of parts that are sent or confirmed.
    pub bytes_sent: Arc<AtomicU64>,
    /// Bytes of all parts that are to be sent.
    pub bytes_total: AtomicU64,
    /// Parts that were confirmed in this run.
    pub parts_done: AtomicU64,
    /// Parts that are to be sent in this run.
    pub parts_total: AtomicU64,
    /// Asks the run to stop; it waits a moment for the requests that are under way.
    pub stop: Stop,
}

/// Something that whoever watches an upload may want to know at once.
#[derive(Debug)]
pub enum Notice<'a> {
    /// A request failed and will be made again.
    Retry {
        /// What failed.
        failure: &'a Failure,
        /// When it is made again.
        wait: Duration,
        /// How often it was made.
        attempts: u32,
    },
    /// A create may have taken effect: the API's list is asked for its marker, for at most this long.
    LookingForMarker {
        /// All waits between two looks.
        longest: Duration,
    },
    /// A create did not take effect, as far as the list tells: it is made again.
    NotCreated,
    /// The platform's limits are nearly reached: the next request is made later.
    Slowed {
        /// How much later.
        wait: Duration,
    },
    /// The audience of an earlier create was found.
    Adopted {
        /// Its number: the vendor's if it is known, else Facebook's.
        id: &'a Id,
    },
}

impl std::fmt::Display for Notice<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Retry { failure, wait, attempts } => {
                let wait = wait.as_secs_f64();
                write!(f, "{failure}; attempt {attempts}, again in {wait:.1} s")
            }
            Self::LookingForMarker { longest } => write!(
                f,
                "it is not known whether the audience was created: asking the API's list for its marker, for up to {} s",
                longest.as_secs().max(1)
            ),
            Self::Slowed { wait } => write!(
                f,
                "the platform's limits are nearly reached: the next request in {:.1} s",
                wait.as_secs_f64()
            ),
            Self::NotCreated => {
                f.write_str("the API's list does not have the audience: it is created again")
            }
            Self::Adopted { id } => {
                write!(f, "the audience was created by an earlier attempt: going on with {id}")
            }
        }
    }
}

impl UploadProgress {
    fn begin(&self, parts: &[Part]) {
        self.bytes_sent.store(0, Ordering::Relaxed);
        self.parts_done.store(0, Ordering::Relaxed);
        self.parts_total.store(parts.len() as u64, Ordering::Relaxed);
        self.bytes_total.store(parts.iter().map(|part| part.bytes).sum(), Ordering::Relaxed);
    }
}
