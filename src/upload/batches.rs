//! Parts to an audience that exists, in batches, where a platform takes no more at once.
//!
//! Batches are slices of parts and go one after the other, numbered within a session: the platform knows a batch by its
//! number, so the store knows what the number stands for before it is sent ([`Store::begin_batch`](crate::store::Store)).
//! Changes are idempotent, so a batch whose outcome is not known is sent again, under the same number. A session that does not
//! go on is begun anew with what is left.

use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::part::{Part, Slice};
use super::send::{check_same, out_of_time};
use super::session::{Recorder, Session, random};
use super::{Decision, Failure, FailureKind, Notice, Outcome, Sending, background};
use crate::disk::sqlite::now;
use crate::error::{Error, ExitCode, Result};
use crate::limits::INVALID_SHARE;
use crate::platform::{Accepted, Id, Limits, Place, Recipient};
use crate::store::{Batch, Purpose, RequestId, SessionState, Target};

/// How long after its last batch a session is gone on with: a platform ends it at some time.
const SESSION_MILLIS_MAX: i64 = 60 * 60 * 1000;

/// Shortest wait that is told each time.
const TOLD_MIN: Duration = Duration::from_mins(1);

/// Parts that are to be sent in batches.
pub(super) struct Batches<'a> {
    pub(super) audience: &'a Id,
    pub(super) ad_account: &'a Id,
    pub(super) purpose: Purpose,
    /// Most entries of a batch.
    pub(super) entries_max: u64,
    /// Parts of the upload, for messages.
    pub(super) parts: usize,
    /// True if this run has created the audience.
    pub(super) is_new: bool,
}

/// Entries that a platform took for none, of those that it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Invalid {
    pub(super) invalid: u64,
    pub(super) of: u64,
}

impl Invalid {
    /// An error if there are so many that hardly anybody would be in the audience, though all was sent.
    pub(super) fn check(self, entries_max: u64) -> Result<()> {
        // Of a few entries some may be wrong without a reason to stop in the middle.
        if self.of < entries_max || !self.is_too_many() {
            return Ok(());
        }
        self.check_all()
    }

    /// The same of all entries of an upload.
    pub(super) fn check_all(self) -> Result<()> {
        if !self.is_too_many() {
            return Ok(());
        }
        let Self { invalid, of } = self;
        Err(Error::api(
            ExitCode::Input,
            format!(
                "the platform takes {invalid} of {of} entries for invalid, and would match nobody of them"
            ),
            "check the user type, and how the values were hashed; what was sent cannot be taken for an audience",
        ))
    }

    fn is_too_many(self) -> bool {
        self.invalid * INVALID_SHARE > self.of
    }
}

/// What is under way.
struct Run<'a> {
    recorder: Recorder<'a>,
    session: &'a Session<'a>,
    to: Recipient,
    numbering: Numbering,
    /// Entries that are to be sent.
    total: u64,
    /// Batches that are left.
    left: u64,
    confirmed: usize,
    invalid: Invalid,
    /// Entries that the platform has taken for none in this session, where it counts so.
    invalid_so_far: u64,
    /// Whether the last request was made later because of limits.
    is_slowed: bool,
}

impl Batches<'_> {
    /// Sends parts until all are confirmed or one cannot be.
    pub(super) fn send(
        &self,
        recorder: Recorder<'_>,
        session: &Session<'_>,
        parts: &[Part],
    ) -> Result<()> {
        let (store, target) = (recorder.store, recorder.target);
        let mut done = Vec::with_capacity(parts.len());
        for part in parts {
            done.push(store.entries_done(target, self.purpose, &part.sha256)?);
        }
        let lines: u64 = parts.iter().map(|part| part.lines).sum();
        let batches = |(part, (entries, _)): (&Part, &(u64, u64))| {
            part.lines.saturating_sub(*entries).div_ceil(self.entries_max)
        };
        let left = parts.iter().zip(&done).map(batches).sum();
        let mut run = Run {
            recorder,
            session,
            to: Recipient {
                audience: self.audience.clone(),
                ad_account: self.ad_account.clone(),
                user_type: target.user_type,
            },
            numbering: Numbering::new(store.session(target, self.purpose)?),
            total: lines - done.iter().map(|(entries, _)| entries).sum::<u64>().min(lines),
            left,
            confirmed: self.parts.saturating_sub(parts.len()),
            invalid: Invalid::default(),
            invalid_so_far: 0,
            is_slowed: false,
        };
        for (index, (part, (entries, invalid))) in parts.iter().zip(done).enumerate() {
            run.invalid.of += entries;
            run.invalid.invalid += invalid;
            self.send_part(&mut run, part, entries, index + 1 == parts.len())?;
        }
        Ok(())
    }

    /// Sends what is left of a part, of which so many entries are confirmed.
    fn send_part(&self, run: &mut Run<'_>, part: &Part, done: u64, is_last: bool) -> Result<()> {
        let stop = &run.session.progress.stop;
        let slices = part.cut(self.entries_max, stop);
        let slices =
            slices.map_err(|error| self.ended(run, self.unreadable(stop.check().is_err(), &error)));
        let slices = slices?;
        let mut left =
            slices.iter().filter(|slice| slice.first_entry + slice.entries > done).peekable();
        let mut request = None;
        while let Some(slice) = left.next() {
            let batch = Batch {
                session: 0,
                number: 0,
                sha256: part.sha256.clone(),
                first_entry: slice.first_entry,
                is_last: is_last && left.peek().is_none(),
            };
            request = Some(self.send_slice(run, (part, slice), &batch, request)?);
        }
        let Recorder { store, run: id, target } = run.recorder;
        let part = (self.purpose, &*part.sha256);
        store.confirm((id, target), request, part, self.audience, None)?;
        run.confirmed += 1;
        run.session.progress.parts_done.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Sends a batch until it is confirmed or cannot be. The request that is recorded of its part goes on.
    fn send_slice(
        &self,
        run: &mut Run<'_>,
        (part, slice): (&Part, &Slice),
        batch: &Batch,
        mut request: Option<RequestId>,
    ) -> Result<RequestId> {
        let (store, target) = (run.recorder.store, run.recorder.target);
        let progress = run.session.progress;
        let mut attempts = 0;
        loop {
            progress.stop.check()?;
            if run.session.time_left().is_zero() {
                return Err(self.ended(run, out_of_time(self.purpose.call())));
            }
            let recorded = match request {
                Some(request) => request,
                None => run.recorder.begin(self.purpose.call(), Some(part))?,
            };
            let batch = run.numbering.number(batch.clone())?;
            store.begin_batch(target, self.purpose, &batch)?;
            attempts += 1;
            let failure = match self.post(run, part, slice, &batch)? {
                Ok(accepted) => {
                    if let Err(error) = check_same(&accepted, self.audience) {
                        let failure = Failure::of_other_audience(self.purpose.call());
                        run.recorder.fail(recorded, &failure)?;
                        return Err(error);
                    }
                    let invalid = run.count(&accepted, slice);
                    run.left = run.left.saturating_sub(1);
                    let entries = slice.first_entry + slice.entries;
                    let of = (self.purpose, &*part.sha256);
                    store.confirm_batch(target, of, entries, invalid)?;
                    run.numbering.confirmed();
                    let goes_on = run.invalid.check(self.entries_max);
                    let goes_on =
                        goes_on.and_then(|()| self.slow_down(run, accepted.limits, batch.is_last));
                    if goes_on.is_err() {
                        store.end_request(recorded)?;
                    }
                    return goes_on.map(|()| recorded);
                }
                Err(failure) => failure,
            };
            run.recorder.fail(recorded, &failure)?;
            request = None;
            let is_new = self.is_new && run.invalid.of == 0;
            let failure = if is_new { failure.of_new_audience() } else { failure };
            // No code of its own says that a session does not go on. As the first batch of another one it is taken, or is bad.
            let may_be_over = failure.kind == FailureKind::BadField && batch.number > 1;
            let kind = if may_be_over { FailureKind::SessionOver } else { failure.kind };
            let failure = Failure { kind, ..failure };
            if failure.kind == FailureKind::SessionOver {
                run.numbering.begin_anew();
                run.invalid_so_far = 0;
            }
            // Whoever is told when to come again is not impatient.
            let is_told = failure.kind == FailureKind::RateLimited && failure.retry_after.is_some();
            attempts -= u32::from(is_told);
            match run.session.decide(&failure, attempts.max(1))? {
                Decision::RetryAfter(wait) => progress.stop.wait(wait)?,
                Decision::FindOut | Decision::GiveUp => return Err(self.ended(run, failure)),
            }
        }
    }

    fn post(
        &self,
        run: &Run<'_>,
        part: &Part,
        slice: &Slice,
        batch: &Batch,
    ) -> Result<Outcome<Accepted>> {
        let place = Some(Place {
            session: batch.session,
            number: batch.number,
            is_last: batch.is_last,
            total: run.total,
        });
        let (client, to) = (run.session.client.clone(), run.to.clone());
        let (part, slice, purpose) = (part.clone(), slice.clone(), self.purpose);
        let progress = run.session.progress;
        let (sent, stop) = (progress.bytes_sent.clone(), progress.stop.clone());
        background::run(&progress.stop, move || {
            let (part, slice) = (&part, &slice);
            let sending = Sending { part, slice, place, sent: &sent, stop: &stop };
            match purpose {
                Purpose::Add => client.add(&to, sending),
                Purpose::Remove => client.remove(&to, sending),
            }
        })
    }

    /// Waits as long as the platform's limits ask for, before another batch.
    fn slow_down(&self, run: &mut Run<'_>, limits: Limits, is_last: bool) -> Result<()> {
        let paces = run.session.client.paces();
        let pause = paces.after(self.ad_account, Instant::now(), limits, run.left);
        let was_slowed = std::mem::replace(&mut run.is_slowed, !pause.is_zero());
        if pause.is_zero() || is_last {
            return Ok(());
        }
        if pause > run.session.time_left() {
            return Err(self.ended(run, out_of_time(self.purpose.call())));
        }
        if !was_slowed || pause >= TOLD_MIN {
            (run.session.notify)(&Notice::Slowed { wait: pause });
        }
        run.session.progress.stop.wait(pause)
    }

    fn unreadable(&self, is_stopped: bool, error: &io::Error) -> Failure {
        let kind = if is_stopped { FailureKind::Stopped } else { FailureKind::PartChanged };
        Failure { was_sent: false, ..Failure::new(self.purpose.call(), kind, error.to_string()) }
    }

    /// The error that a failure ends the upload with. Batches of a part that is not confirmed yet count.
    fn ended(&self, run: &Run<'_>, failure: Failure) -> Error {
        if let Err(stopped) = run.session.progress.stop.check() {
            return stopped;
        }
        let is_begun = run.invalid.of > 0;
        failure.into_error_of(Some((run.confirmed, self.parts)), is_begun)
    }
}

impl Run<'_> {
    /// Counts the entries of a batch, and returns how many of them the platform took for none.
    fn count(&mut self, accepted: &Accepted, slice: &Slice) -> u64 {
        // It may tell of the whole session so far.
        let is_sum = accepted.received > slice.entries;
        let before = if is_sum { self.invalid_so_far } else { 0 };
        let invalid = accepted.invalid.saturating_sub(before).min(slice.entries);
        self.invalid_so_far = self.invalid_so_far.max(accepted.invalid);
        self.invalid.invalid += invalid;
        self.invalid.of += slice.entries;
        invalid
    }
}

/// Gives batches their numbers.
struct Numbering {
    /// The batch that was sent last, and whether it is confirmed.
    last: Option<(Batch, bool)>,
}

impl Numbering {
    /// Goes on with a session, if that is not too old.
    fn new(state: Option<SessionState>) -> Self {
        let fresh = state.filter(|state| (0..SESSION_MILLIS_MAX).contains(&(now() - state.at)));
        Self { last: fresh.map(|state| (state.batch, state.is_confirmed)) }
    }

    /// The batch with its number: that of the one before if it is the very same and not confirmed, the next one if that is
    /// confirmed and others were to follow, and else the first of a new session.
    fn number(&mut self, batch: Batch) -> Result<Batch> {
        let (session, number) = match &self.last {
            Some((last, false)) if is_same(last, &batch) => (last.session, last.number),
            Some((last, true)) if !last.is_last => (last.session, last.number + 1),
            // Of 63 bits, and never 0.
            _ => ((random()? >> 1).max(1).cast_signed(), 1),
        };
        let batch = Batch { session, number, ..batch };
        self.last = Some((batch.clone(), false));
        Ok(batch)
    }

    fn confirmed(&mut self) {
        if let Some((_, is_confirmed)) = &mut self.last {
            *is_confirmed = true;
        }
    }

    fn begin_anew(&mut self) {
        self.last = None;
    }
}

/// Whether two batches hold the same entries, and say so.
fn is_same(one: &Batch, other: &Batch) -> bool {
    let of = |batch: &Batch| (batch.sha256.clone(), batch.first_entry, batch.is_last);
    of(one) == of(other)
}

/// What a platform took for none of all that a target has of some parts.
pub(super) fn invalid_of(
    store: &crate::store::Store,
    target: &Target,
    purpose: Purpose,
    parts: &[Part],
) -> Result<Invalid> {
    let mut sum = Invalid::default();
    for part in parts {
        let (entries, invalid) = store.entries_done(target, purpose, &part.sha256)?;
        sum = Invalid { invalid: sum.invalid + invalid, of: sum.of + entries };
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(first_entry: u64, is_last: bool) -> Batch {
        Batch { session: 0, number: 0, sha256: "x".to_owned(), first_entry, is_last }
    }

    #[test]
    fn a_number_stands_for_one_batch_alone() {
        let mut numbering = Numbering::new(None);
        let first = numbering.number(batch(0, false)).expect("random");
        assert!(first.session > 0);
        assert_eq!(first.number, 1);
        // Its outcome is not known: the very same one keeps its number.
        assert_eq!(numbering.number(batch(0, false)).expect("random"), first);
        // Another one does not get it.
        let other = numbering.number(batch(10_000, false)).expect("random");
        assert_eq!(other.number, 1);
        assert_ne!(other.session, first.session);
        let otherwise = numbering.number(batch(10_000, true)).expect("random");
        assert_ne!(otherwise.session, other.session, "it says another thing");
    }

    #[test]
    fn numbers_follow_each_other_until_the_last() {
        let mut numbering = Numbering::new(None);
        let first = numbering.number(batch(0, false)).expect("random");
        numbering.confirmed();
        let second = numbering.number(batch(10_000, true)).expect("random");
        assert_eq!((second.session, second.number), (first.session, 2));
        numbering.confirmed();
        let third = numbering.number(batch(0, false)).expect("random");
        assert_ne!(third.session, first.session);
        assert_eq!(third.number, 1);
        numbering.begin_anew();
        assert_ne!(numbering.number(batch(0, false)).expect("random").session, third.session);
    }

    #[test]
    fn a_session_of_an_earlier_run_goes_on_if_it_is_not_old() {
        let state = |is_confirmed, age| SessionState {
            batch: Batch { session: 7, number: 3, ..batch(20_000, false) },
            is_confirmed,
            at: now() - age,
        };
        let number = |state, batch| {
            let batch = Numbering::new(Some(state)).number(batch).expect("random");
            (batch.session == 7).then_some(batch.number)
        };
        assert_eq!(number(state(false, 0), batch(20_000, false)), Some(3));
        assert_eq!(number(state(true, 0), batch(30_000, false)), Some(4));
        assert_eq!(number(state(false, 0), batch(30_000, false)), None);
        assert_eq!(number(state(true, SESSION_MILLIS_MAX), batch(30_000, false)), None);
        assert_eq!(number(state(true, -60_000), batch(30_000, false)), None);
    }

    #[test]
    fn more_than_a_tenth_of_invalid_entries_is_an_error() {
        let check = |invalid, of| Invalid { invalid, of }.check(10_000).is_ok();
        assert!(check(1000, 10_000));
        assert!(!check(1001, 10_000));
        assert!(check(100, 100), "told at the end");
        assert!(Invalid { invalid: 11, of: 100 }.check_all().is_err());
        assert!(Invalid::default().check_all().is_ok());
    }
}
