//! Parts to an audience that exists, a few in flight.
//!
//! Whoever calls keeps the queue, the waits and the store; threads only make requests. So one part that waits for its
//! next attempt holds up nobody, and a server that asks for patience gets it from all.

use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::part::Part;
use super::session::{Recorder, Session};
use super::{Call, Decision, Failure, FailureKind, Outcome, Sending, background, create};
use crate::error::{Error, ExitCode, Result};
use crate::platform::{Accepted, Id, Recipient};
use crate::store::{Purpose, RequestId, Target};

/// How long to wait for a result at once, if nothing else is due.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// Parts that are to be added to an audience.
pub(super) struct Addition<'a> {
    pub(super) audience: &'a Id,
    pub(super) ad_account: &'a Id,
    pub(super) parallel: usize,
    /// Parts of the upload, for messages.
    pub(super) parts: usize,
    /// True if this run has created the audience.
    pub(super) is_new: bool,
}

/// A part and how often it was tried.
struct Job {
    part: Part,
    attempts: u32,
    /// The request that is under way, in the store.
    recorded: Option<RequestId>,
}

/// A part whose request has ended; nothing if the request panicked.
type Done = Option<(Job, Outcome<Accepted>)>;

/// What is left to do.
struct Queue {
    ready: VecDeque<Job>,
    waiting: Vec<(Instant, Job)>,
    /// No request begins before this: the server asked for patience.
    not_before: Instant,
    in_flight: usize,
}

impl Addition<'_> {
    /// Sends parts until all are confirmed or one cannot be.
    pub(super) fn send(
        &self,
        recorder: Recorder<'_>,
        session: &Session<'_>,
        parts: Vec<Part>,
    ) -> Result<()> {
        let target = recorder.target;
        let count = self.parallel.min(parts.len());
        let mut confirmed = self.parts.saturating_sub(parts.len());
        if count == 0 {
            return Ok(());
        }
        let (jobs, results) = self.start_threads(count, target, session)?;
        let ready =
            parts.into_iter().map(|part| Job { part, attempts: 0, recorded: None }).collect();
        let now = Instant::now();
        let mut queue = Queue { ready, waiting: Vec::new(), not_before: now, in_flight: 0 };
        let mut failed: Option<Failure> = None;
        while queue.in_flight > 0 || (failed.is_none() && !queue.is_empty()) {
            if session.time_left().is_zero() && failed.is_none() && !queue.is_empty() {
                failed = Some(out_of_time(Call::Add));
            }
            let is_going_on = failed.is_none() && session.progress.stop.check().is_ok();
            if !is_going_on && queue.in_flight == 0 {
                break;
            }
            while queue.in_flight < count
                && is_going_on
                && let Some(mut job) = queue.next(Instant::now())
            {
                queue.in_flight += 1;
                job.recorded = Some(recorder.begin(Call::Add, Some(&job.part))?);
                jobs.send(job).map_err(|_| Error::Internal("no thread takes parts"))?;
            }
            let wait = queue.time_until_due(Instant::now()).min(WAIT_MAX);
            let Some(done) = background::receive(&results, &session.progress.stop, wait)? else {
                session.progress.stop.check()?;
                continue;
            };
            // The other threads would wait for parts for ever, and this one for a result.
            let (mut job, outcome) =
                done.ok_or(Error::Internal("a request's thread ended without a result"))?;
            queue.in_flight -= 1;
            job.attempts += 1;
            let request = job.recorded.take();
            let request = request.ok_or(Error::Internal("a request that was not recorded"))?;
            let failure = match outcome {
                Ok(audience) => {
                    let checked = self.check(&audience, target);
                    create::recorded(checked, Call::Add, recorder, request)?;
                    let Accepted { id, fb_id, .. } = &audience;
                    let (to, part) = ((recorder.run, target), (Purpose::Add, &*job.part.sha256));
                    recorder.store.confirm(to, Some(request), part, id, fb_id.as_ref())?;
                    confirmed += 1;
                    session.progress.parts_done.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                Err(failure) => failure,
            };
            recorder.fail(request, &failure)?;
            let failure = self.as_it_is(failure, target);
            match session.decide(&failure, job.attempts)? {
                Decision::RetryAfter(wait) => queue.put_off(job, wait, failure.retry_after),
                Decision::FindOut | Decision::GiveUp => failed = Some(failed.unwrap_or(failure)),
            }
        }
        session.progress.stop.check()?;
        match failed {
            None => Ok(()),
            Some(failure)
                if failure.kind == FailureKind::NotFound
                    && target.fb_id.as_ref() == Some(self.audience) =>
            {
                Err(number_unknown(target, self.audience))
            }
            Some(failure) => Err(failure.into_error(Some((confirmed, self.parts)))),
        }
    }

    /// A failure as what it is for an audience that may be new.
    fn as_it_is(&self, failure: Failure, target: &Target) -> Failure {
        let is_own_number = target.fb_id.as_ref() != Some(self.audience);
        if self.is_new && is_own_number { failure.of_new_audience() } else { failure }
    }

    fn start_threads(
        &self,
        count: usize,
        target: &Target,
        session: &Session<'_>,
    ) -> Result<(Sender<Job>, Receiver<Done>)> {
        let (jobs, waiting) = bounded::<Job>(count);
        let (done, results) = bounded(count);
        let to = Recipient {
            audience: self.audience.clone(),
            ad_account: self.ad_account.clone(),
            user_type: target.user_type,
        };
        for _ in 0..count {
            let (waiting, done, to) = (waiting.clone(), done.clone(), to.clone());
            let client = session.client.clone();
            let (sent, stop) = (session.progress.bytes_sent.clone(), session.progress.stop.clone());
            background::spawn(move || {
                for job in waiting {
                    let slice = job.part.whole();
                    let part = &job.part;
                    let sending =
                        Sending { part, slice: &slice, place: None, sent: &sent, stop: &stop };
                    let request = AssertUnwindSafe(|| client.add(&to, sending));
                    let outcome = panic::catch_unwind(request).ok();
                    if done.send(outcome.map(|outcome| (job, outcome))).is_err() {
                        return;
                    }
                }
            })?;
        }
        Ok((jobs, results))
    }

    /// The answer must be about the audience that was asked for.
    fn check(&self, accepted: &Accepted, target: &Target) -> Result<()> {
        check_same(accepted, self.audience)?;
        create::check_type(accepted, target)
    }
}

/// Refuses an answer that is about another audience than the one that was asked for.
pub(super) fn check_same(accepted: &Accepted, asked: &Id) -> Result<()> {
    if accepted.id == *asked || accepted.fb_id.as_ref() == Some(asked) {
        return Ok(());
    }
    Err(Error::api(
        ExitCode::Unknown,
        format!("audience {asked} was asked for, and {} answered", accepted.id),
        "check --endpoint and --audience",
    ))
}

/// An audience that was found by its marker in a list that has only Facebook's numbers, which the API does not take.
fn number_unknown(target: &Target, fb_id: &Id) -> Error {
    let name = target.name.as_deref().unwrap_or_default();
    Error::api(
        ExitCode::Unknown,
        format!(
            "`{name}` was created (Facebook's number {fb_id}), but the API's own number of it is not known"
        ),
        "look it up at the vendor, and run the same command with --adopt ID",
    )
}

/// That there is no time left for another request.
pub(super) fn out_of_time(call: Call) -> Failure {
    let detail = "the time for the whole upload is over".to_owned();
    Failure { was_sent: false, ..Failure::new(call, FailureKind::TimedOut, detail) }
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.waiting.is_empty()
    }

    /// The next part whose time has come.
    fn next(&mut self, now: Instant) -> Option<Job> {
        if now < self.not_before {
            return None;
        }
        let due = self.waiting.iter().position(|(due, _)| *due <= now);
        due.map(|at| self.waiting.swap_remove(at).1).or_else(|| self.ready.pop_front())
    }

    fn put_off(&mut self, job: Job, wait: Duration, asked: Option<Duration>) {
        let now = Instant::now();
        self.waiting.push((now + wait, job));
        if let Some(asked) = asked {
            self.not_before = self.not_before.max(now + asked);
        }
    }

    /// How long nothing is due: until a wait ends or, if only results can change anything, the longest wait.
    fn time_until_due(&self, now: Instant) -> Duration {
        let due = if self.ready.is_empty() {
            self.waiting.iter().map(|(due, _)| *due).min()
        } else {
            Some(now)
        };
        let left = due.map(|due| due.max(self.not_before).saturating_duration_since(now));
        left.filter(|left| !left.is_zero()).unwrap_or(WAIT_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(number: u64) -> Job {
        let part = Part {
            path: "x".into(),
            file: number.to_string(),
            lines: 1,
            bytes: 1,
            sha256: String::new(),
        };
        Job { part, attempts: 0, recorded: None }
    }

    #[test]
    fn a_server_that_asks_for_patience_gets_it_from_all_parts() {
        let now = Instant::now();
        let ready = (0..3).map(job).collect();
        let mut queue = Queue { ready, waiting: Vec::new(), not_before: now, in_flight: 0 };
        let first = queue.next(now).expect("a part");
        queue.put_off(first, Duration::from_secs(5), None);
        assert_eq!(queue.next(now).map(|job| job.part.file).as_deref(), Some("1"));
        let busy = queue.next(now).expect("a part");
        assert!(queue.time_until_due(now) > Duration::from_secs(4));
        queue.ready.push_back(job(3));
        queue.put_off(busy, Duration::from_mins(1), Some(Duration::from_mins(1)));
        assert!(queue.next(Instant::now()).is_none());
        assert!(queue.time_until_due(Instant::now()) > Duration::from_secs(50));
        let later = Instant::now() + Duration::from_secs(61);
        let files: Vec<_> =
            std::iter::from_fn(|| queue.next(later)).map(|job| job.part.file).collect();
        assert_eq!(files.len(), 3);
        assert!(queue.is_empty());
    }
}
