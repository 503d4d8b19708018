//! Posting upload files, and surviving everything: it knows parts and the API, and nothing of how parts are made.
//!
//! ```text
//! part       a file of a prepared directory; only what its manifest says of it is ever sent to its end
//! client     one request, one outcome
//! retry      outcome, attempts, time left -> again after a wait | find out | give up
//! ledger     what is intended, and what the API has confirmed; outlives the process
//! create     the first part makes the audience, once, whatever happens
//! send       the other parts, a few at a time
//! ```
//!
//! [`Upload::plan`] compares a directory with its manifest and with the ledger; [`Upload::run`] sends what is left.
//! A part that was acknowledged is not sent again; an audience that may have been created is looked for by a marker in
//! its description before anything else is done about it.

mod agent;
pub(crate) mod answer;
mod attempt;
mod background;
mod client;
mod config;
mod create;
mod echo;
mod endpoint;
mod failure;
mod ledger;
mod part;
mod plan;
mod proxy;
mod resolver;
mod retry;
mod send;
mod summary;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::api::Id;
use crate::error::{Error, Result};
use crate::stop::Stop;

#[doc(hidden)]
pub use self::client::Sending;
pub use self::client::{Client, ClientConfig, Outcome};
pub use self::config::{Content, TargetSpec, UploadConfig, Verdict};
pub use self::endpoint::{Endpoint, Token};
pub use self::failure::{Call, Failure, FailureKind};
#[doc(hidden)]
pub use self::ledger::{
    AttemptId, LEDGER_FILE, RunId, Target, TargetLock, TargetName, TargetState,
};
pub use self::ledger::{History, Ledger, RunRecord, TargetRecord};
pub use self::part::Part;
pub use self::plan::Upload;
pub(crate) use self::plan::find_listed;
#[doc(hidden)]
pub use self::retry::Decision;
pub use self::retry::RetryPolicy;
pub use self::summary::UploadSummary;

/// Most parts in flight at once.
pub const PARALLEL_MAX: usize = 64;

/// Parts in flight at once, unless somebody said otherwise.
pub const PARALLEL: usize = 3;

/// How long a request may take, unless somebody said otherwise.
pub const REQUEST_TIME: Duration = Duration::from_mins(15);

/// How long an upload may take, unless somebody said otherwise.
pub const TIME_LIMIT: Duration = Duration::from_hours(6);

/// The variable that holds the token.
pub const TOKEN_VARIABLE: &str = "THRONG_TOKEN";

/// How far an upload is, for whoever watches it.
#[derive(Debug, Default)]
pub struct UploadProgress {
    /// Bytes of parts that are sent or acknowledged.
    pub bytes_sent: Arc<AtomicU64>,
    /// Bytes of all parts that are to be sent.
    pub bytes_total: AtomicU64,
    /// Parts that were acknowledged in this run.
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
    /// A create may have taken effect: the API's list is asked for its marker.
    LookingForMarker,
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
            Self::LookingForMarker => f.write_str(
                "it is not known whether the audience was created: asking the API's list for its marker",
            ),
            Self::Adopted { id } => {
                write!(f, "the audience was created by an earlier attempt: going on with {id}")
            }
        }
    }
}

/// Where requests are recorded.
struct Record<'a> {
    ledger: &'a Ledger,
    run: RunId,
    /// What they carry.
    part: Option<&'a Part>,
}

/// What the parts of an upload share while it runs.
struct Session<'a> {
    client: Client,
    retry: RetryPolicy,
    deadline: Instant,
    progress: &'a UploadProgress,
    notify: &'a dyn Fn(&Notice<'_>),
}

impl Session<'_> {
    fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    fn decide(&self, failure: &Failure, attempts: u32) -> Result<Decision> {
        let decision = self.retry.decide(failure, attempts, self.time_left(), random_share()?);
        if let Decision::RetryAfter(wait) = decision {
            (self.notify)(&Notice::Retry { failure, wait, attempts });
        }
        Ok(decision)
    }

    /// Makes a request until it succeeds or it is time to give up, in the background. Whoever calls records the one that
    /// succeeded, together with what follows from it.
    fn until_done<T: Send + 'static>(
        &self,
        record: Option<&Record<'_>>,
        call: Call,
        request: impl Fn(&Client) -> Outcome<T> + Clone + Send + 'static,
    ) -> Result<Outcome<(T, Option<AttemptId>)>> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let (client, request) = (self.client.clone(), request.clone());
            let begin = |to: &Record<'_>| to.ledger.begin_attempt(to.run, call, to.part);
            let attempt = record.map(begin).transpose()?;
            let outcome = background::run(&self.progress.stop, move || request(&client))?;
            let failure = match outcome {
                Ok(answer) => return Ok(Ok((answer, attempt))),
                Err(failure) => failure,
            };
            if let (Some(record), Some(attempt)) = (record, attempt) {
                record.ledger.end_attempt(attempt, Some(&failure))?;
            }
            self.progress.stop.check()?;
            match self.decide(&failure, attempts)? {
                Decision::RetryAfter(wait) => self.progress.stop.wait(wait)?,
                Decision::FindOut | Decision::GiveUp => return Ok(Err(failure)),
            }
        }
    }
}

/// 128 random bits in hex.
fn random_hex() -> Result<String> {
    Ok(format!("{:016x}{:016x}", random()?, random()?))
}

/// A random number from 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "a wait needs no more precision than f64 has")]
fn random_share() -> Result<f64> {
    Ok(random()? as f64 / u64::MAX as f64)
}

fn random() -> Result<u64> {
    getrandom::u64().map_err(|_| Error::Internal("the system gives no random numbers"))
}

impl UploadProgress {
    fn begin(&self, parts: &[Part]) {
        self.bytes_sent.store(0, Ordering::Relaxed);
        self.parts_done.store(0, Ordering::Relaxed);
        self.parts_total.store(parts.len() as u64, Ordering::Relaxed);
        self.bytes_total.store(parts.iter().map(|part| part.bytes).sum(), Ordering::Relaxed);
    }
}
