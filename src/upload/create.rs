//! The one request that must not be made twice: an audience is created by its first part.
//!
//! What is intended goes to the store before the request, with a random marker that goes into the description. If the
//! request may have taken effect and no answer says so, the API's list is asked for the marker, for a bounded time. An
//! audience that has it is adopted: it holds the part that was sent with that marker, so that nobody is sent again. If
//! the list does not have it, what happened decides:
//!
//! | the create | the list does not have it: |
//! |---|---|
//! | was refused for a while (429), or failed in the server (5xx) | it is made again, as often as other requests; after the last time it is looked for longer, and the run ends as other requests do |
//! | lost its answer | the run ends; the next one looks longer, and then makes it again |
//! | was cut with its run | the same |
//! | had no marker | a person is asked |

use std::time::Duration;

use super::part::Part;
use super::session::{Recorder, Session, random_hex};
use super::{Call, Client, Decision, Failure, FailureKind, Notice, Outcome, Sending, background};
use crate::error::{Error, ExitCode, Result};
use crate::platform::{Accepted, Audience, CustomerFileSource, Id, NewAudience};
use crate::store::{Purpose, RequestId, Target};

/// How often the list is asked for a marker that it does not have: it may be late.
const LOOKS: u32 = 6;

/// The same for a later run and after the last attempt, which believe it then.
const LOOKS_LATER: u32 = 9;

/// The wait before the second look, as a multiple of the retry policy's first wait. It doubles each time: a minute in
/// all, and four for a later run, unless somebody said otherwise.
const LOOK_WAIT: u32 = 2;

/// The longest wait between two looks.
const LOOK_WAIT_MAX: Duration = Duration::from_mins(1);

/// Failures of a create after which it is made again if the list does not have the audience.
const MADE_AGAIN: [FailureKind; 2] = [FailureKind::RateLimited, FailureKind::Busy];

/// An audience that is to be created.
pub(super) struct Creation<'a> {
    pub(super) name: &'a str,
    pub(super) description: Option<&'a str>,
    pub(super) opt_out_link: Option<&'a str>,
    pub(super) has_marker: bool,
    pub(super) ad_account: &'a Id,
    pub(super) customer_file_source: CustomerFileSource,
    /// Parts of the upload, for messages.
    pub(super) parts: usize,
}

impl Creation<'_> {
    /// Creates the audience of a target that is planned, of its first part or empty, or adopts the one that this turns out to have created. The
    /// target is ready afterwards.
    pub(super) fn run(
        &self,
        recorder: Recorder<'_>,
        session: &Session<'_>,
        first: Option<&Part>,
    ) -> Result<()> {
        let store = recorder.store;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let marker = if self.has_marker { Some(random_hex()?) } else { None };
            let (run, target) = (recorder.run, recorder.target);
            let sha256 = first.map(|part| &*part.sha256);
            let request = store.begin_create(run, target, sha256, marker.as_deref())?;
            let failure = match self.post(marker.as_deref(), target, session, first)? {
                Ok(audience) => {
                    let checked = check_type(&audience, target);
                    recorded(checked, Call::Create, recorder, request)?;
                    let Accepted { id, fb_id, .. } = &audience;
                    let Some(sha256) = sha256 else {
                        return store.created(target, request, id);
                    };
                    let (to, part) = ((run, target), (Purpose::Add, sha256));
                    return store.confirm(to, Some(request), part, id, fb_id.as_ref());
                }
                Err(failure) => failure,
            };
            recorder.fail(request, &failure)?;
            let mut decision = session.decide(&failure, attempts)?;
            if decision == Decision::FindOut {
                session.progress.stop.check()?;
                let is_made_again = MADE_AGAIN.contains(&failure.kind) && marker.is_some();
                let is_last = is_made_again && attempts >= session.retry.attempts_max;
                let looks = if is_last { LOOKS_LATER } else { LOOKS };
                if self.find(looks, recorder, session)? {
                    return Ok(());
                }
                let again = Failure { was_sent: false, ..failure.clone() };
                decision = session.decide(&again, attempts)?;
                // Too many requests is a refusal; of anything else, nobody knows for certain until it was looked for long.
                let is_certain = is_last || failure.kind == FailureKind::RateLimited;
                if !is_made_again || (decision == Decision::GiveUp && !is_certain) {
                    return Err(self.undecided(marker.as_deref()));
                }
            }
            store.withdraw(target)?;
            session.progress.stop.check()?;
            match decision {
                Decision::RetryAfter(wait) => session.progress.stop.wait(wait)?,
                Decision::FindOut | Decision::GiveUp => {
                    return Err(failure.into_error(Some((0, self.parts))));
                }
            }
        }
    }

    /// Finds out what became of the create of an earlier run: the target is ready afterwards, or planned again.
    pub(super) fn settle(&self, recorder: Recorder<'_>, session: &Session<'_>) -> Result<()> {
        if self.find(LOOKS_LATER, recorder, session)? {
            return Ok(());
        }
        if recorder.store.marker(recorder.target)?.is_none() {
            return Err(self.undecided(None));
        }
        (session.notify)(&Notice::NotCreated);
        recorder.store.withdraw(recorder.target)
    }

    fn post(
        &self,
        marker: Option<&str>,
        target: &Target,
        session: &Session<'_>,
        first: Option<&Part>,
    ) -> Result<Outcome<Accepted>> {
        let description = match (self.description, marker) {
            (Some(text), Some(marker)) => Some(format!("{text} [throng {marker}]")),
            (None, Some(marker)) => Some(format!("[throng {marker}]")),
            (text, None) => text.map(str::to_owned),
        };
        let new = NewAudience {
            ad_account: self.ad_account.clone(),
            user_type: target.user_type,
            name: self.name.to_owned(),
            description,
            opt_out_link: self.opt_out_link.map(str::to_owned),
            customer_file_source: self.customer_file_source,
        };
        let (client, first) = (session.client.clone(), first.cloned());
        let (sent, stop) = (session.progress.bytes_sent.clone(), session.progress.stop.clone());
        background::run(&session.progress.stop, move || match &first {
            None => client.create(&new, None),
            Some(part) => {
                let slice = part.whole();
                let (sent, stop) = (&sent, &stop);
                client.create(&new, Some(Sending { part, slice: &slice, place: None, sent, stop }))
            }
        })
    }

    /// Asks the list for the markers of creates without an answer, several times if it does not have them, and adopts
    /// the audience that has one. `false` if there is none.
    fn find(&self, looks: u32, recorder: Recorder<'_>, session: &Session<'_>) -> Result<bool> {
        let markers = recorder.store.open_markers(recorder.target)?;
        if markers.is_empty() {
            return Ok(false);
        }
        let waits: Vec<Duration> = (0..looks - 1)
            .map(|n| (session.retry.wait_first * LOOK_WAIT * 2_u32.pow(n)).min(LOOK_WAIT_MAX))
            .collect();
        (session.notify)(&Notice::LookingForMarker { longest: waits.iter().sum() });
        let mut waits = waits.into_iter();
        loop {
            let listed = self.list(recorder, session)?;
            let mut found = listed.iter().filter_map(|audience| {
                Some((audience, markers.iter().find(|marker| is_marked(audience, marker))?))
            });
            match (found.next(), found.count()) {
                (Some((audience, marker)), 0) => {
                    return self.adopt(audience, marker, recorder, session).map(|()| true);
                }
                (Some((_, marker)), others) => return Err(self.too_many(marker, others + 1)),
                (None, _) => {}
            }
            match waits.next() {
                None => return Ok(false),
                Some(wait) if wait <= session.time_left() => session.progress.stop.wait(wait)?,
                // It was not looked for long enough to say that it is not there.
                Some(_) => return Err(self.undecided(markers.last().map(String::as_str))),
            }
        }
    }

    fn list(&self, recorder: Recorder<'_>, session: &Session<'_>) -> Result<Vec<Audience>> {
        let account = self.ad_account.clone();
        let request = move |client: &Client| client.list(&account);
        let listed = session.until_done(Some(recorder), Call::List, request)?;
        listed.map_err(|failure| unlisted(&failure, recorder.target))
    }

    /// Goes on with an audience that was found. It holds the part that was sent with its marker.
    fn adopt(
        &self,
        audience: &Audience,
        marker: &str,
        recorder: Recorder<'_>,
        session: &Session<'_>,
    ) -> Result<()> {
        // Revision A's list has only Facebook's number; the answer to the next part tells the other one.
        let id = audience.id.as_ref().or(audience.fb_id.as_ref());
        let id = id.ok_or(Error::Internal("an audience without a number"))?;
        let Recorder { store, target, .. } = recorder;
        if !store.adopt(target, marker, id, audience.fb_id.as_ref())? {
            return Err(Error::api(
                ExitCode::Unknown,
                format!(
                    "an earlier create of `{}`, which was given up, has made audience {id}",
                    self.name
                ),
                "delete that one, and run the same command again",
            ));
        }
        (session.notify)(&Notice::Adopted { id });
        Ok(())
    }

    fn undecided(&self, marker: Option<&str>) -> Error {
        let (looked, hint) = match marker {
            Some(_) => (
                "the API's list does not have it",
                "run the same command again later: it looks once more, and creates it if it is not there; or look at the vendor: if it is there, run the same command with --adopt ID; if not, with --create-again",
            ),
            None => (
                "without a marker it cannot be looked for",
                "look at the vendor: if it is there, run the same command with --adopt ID; if not, with --create-again",
            ),
        };
        Error::api(
            ExitCode::Unknown,
            format!("it is not known whether `{}` was created: {looked}", self.name),
            hint,
        )
    }

    fn too_many(&self, marker: &str, count: usize) -> Error {
        Error::api(
            ExitCode::Unknown,
            format!(
                "`{}` was created {count} times (`throng {marker}` in the description of one)",
                self.name
            ),
            "delete all but one, and run the same command with --adopt ID",
        )
    }
}

/// Whether an audience holds a marker.
pub(super) fn is_marked(audience: &Audience, marker: &str) -> bool {
    audience.description.as_ref().is_some_and(|description| description.contains(marker))
}

/// The list that could tell what became of a create cannot be had.
pub(super) fn unlisted(failure: &Failure, target: &Target) -> Error {
    let name = target.name.as_deref().unwrap_or_default();
    let hint = if failure.is_refusal() {
        "look at the vendor: if it is there, run the same command with --adopt ID; if not, with --create-again"
    } else {
        "run the same command again: it asks the list again"
    };
    let message = format!("{failure}; it is not known whether `{name}` was created");
    Error::api(ExitCode::Unknown, message, hint)
}

/// Records a request whose answer is about another audience than it should be.
pub(super) fn recorded(
    checked: Result<()>,
    call: Call,
    recorder: Recorder<'_>,
    request: RequestId,
) -> Result<()> {
    if checked.is_err() {
        recorder.fail(request, &Failure::of_other_audience(call))?;
    }
    checked
}

/// Refuses an audience of another type: the API would take the entries and match nobody.
pub(super) fn check_type(audience: &Accepted, target: &Target) -> Result<()> {
    match &audience.user_type {
        Some(user_type) if user_type != target.user_type.name() => Err(Error::usage(
            format!("audience {} does not hold {}", audience.id, target.user_type),
            "check --audience; what was sent to it matches nobody",
        )),
        _ => Ok(()),
    }
}
