//! What the requests of an upload share while it runs.

use std::time::{Duration, Instant};

use super::part::Part;
use super::retry::{Decision, RetryPolicy};
use super::{Client, Notice, Outcome, UploadProgress, background};
use crate::error::{Error, Result};
use crate::platform::{Call, Failure};
use crate::store::{RequestFailure, RequestId, RunId, Store, Target};

/// Where requests are recorded.
#[derive(Clone, Copy)]
pub(super) struct Recorder<'a> {
    pub(super) store: &'a Store,
    pub(super) run: RunId,
    pub(super) target: &'a Target,
}

impl Recorder<'_> {
    pub(super) fn begin(&self, call: Call, part: Option<&Part>) -> Result<RequestId> {
        self.store.begin_request(self.run, self.target, call, part.map(|part| &*part.sha256))
    }

    pub(super) fn fail(&self, request: RequestId, failure: &Failure) -> Result<()> {
        let Failure { kind, status, .. } = *failure;
        let failed = RequestFailure { kind, status, may_have_effect: failure.is_unknown() };
        self.store.fail_request(request, failed)
    }
}

pub(super) struct Session<'a> {
    pub(super) client: Client,
    pub(super) retry: RetryPolicy,
    pub(super) deadline: Instant,
    pub(super) progress: &'a UploadProgress,
    pub(super) notify: &'a dyn Fn(&Notice<'_>),
}

impl Session<'_> {
    pub(super) fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    pub(super) fn decide(&self, failure: &Failure, attempts: u32) -> Result<Decision> {
        let decision = self.retry.decide(failure, attempts, self.time_left(), random_share()?);
        if let Decision::RetryAfter(wait) = decision {
            (self.notify)(&Notice::Retry { failure, wait, attempts });
        }
        Ok(decision)
    }

    /// Makes a request without a part until it succeeds or it is time to give up, in the background.
    pub(super) fn until_done<T: Send + 'static>(
        &self,
        recorder: Option<Recorder<'_>>,
        call: Call,
        request: impl Fn(&Client) -> Outcome<T> + Clone + Send + 'static,
    ) -> Result<Outcome<T>> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let (client, request) = (self.client.clone(), request.clone());
            let begun =
                recorder.map(|recorder| Ok((recorder, recorder.begin(call, None)?))).transpose()?;
            let outcome = background::run(&self.progress.stop, move || request(&client))?;
            let failure = match outcome {
                Ok(answer) => {
                    begun.map_or(Ok(()), |(to, request)| to.store.end_request(request))?;
                    return Ok(Ok(answer));
                }
                Err(failure) => failure,
            };
            begun.map_or(Ok(()), |(to, request)| to.fail(request, &failure))?;
            self.progress.stop.check()?;
            match self.decide(&failure, attempts)? {
                Decision::RetryAfter(wait) => self.progress.stop.wait(wait)?,
                Decision::FindOut | Decision::GiveUp => return Ok(Err(failure)),
            }
        }
    }
}

/// 128 random bits in hex.
pub(super) fn random_hex() -> Result<String> {
    Ok(format!("{:016x}{:016x}", random()?, random()?))
}

/// A random number from 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "a wait needs no more precision than f64 has")]
fn random_share() -> Result<f64> {
    Ok(random()? as f64 / u64::MAX as f64)
}

/// 64 random bits.
pub(super) fn random() -> Result<u64> {
    getrandom::u64().map_err(|_| Error::Internal("the system gives no random numbers"))
}
