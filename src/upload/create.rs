//! The one request that must not be made twice: an audience is created by its first part.
//!
//! What is intended goes to the ledger before the request, with a random marker that goes into the description. If the
//! request may have taken effect and no answer says so, the API's list is asked for the marker: an audience that has it
//! is adopted; if there is none after a while, or more than one, a person must decide.

use std::time::Duration;

use super::ledger::{AttemptId, Ledger, RunId, Target, TargetState};
use super::part::Part;
use super::{
    Call, Client, Decision, Failure, FailureKind, Notice, Record, Sending, Session, background,
    random_hex,
};
use crate::api::{CustomAudience, Form, Id, ListedAudience};
use crate::error::{Error, ExitCode, Result};

/// How often the list is asked for a marker that it does not have: it may be late.
const LOOKS: u32 = 4;

/// The wait before the second look, as a multiple of the retry policy's first wait. It doubles each time.
const LOOK_WAIT: u32 = 2;

/// An audience that is to be created.
pub(super) struct Creation<'a> {
    pub(super) name: &'a str,
    pub(super) description: Option<&'a str>,
    pub(super) opt_out_link: Option<&'a str>,
    pub(super) has_marker: bool,
    pub(super) ad_account: &'a Id,
    /// Parts of the directory, for messages.
    pub(super) parts: usize,
}

/// What the API's list says of a marker.
enum Found {
    None,
    One(Box<ListedAudience>),
    Many(usize),
}

impl Creation<'_> {
    /// Creates the audience, or adopts the one that an earlier attempt has created. The target is ready afterwards.
    pub(super) fn run(
        &self,
        target: &Target,
        ledger: &mut Ledger,
        run: RunId,
        session: &Session<'_>,
        first: &Part,
    ) -> Result<()> {
        if let TargetState::Intent { marker } = &target.state {
            // An earlier run ended between the request and its answer.
            let audience = self.find(marker.as_deref(), target, ledger, run, session)?;
            return match audience {
                Some(audience) => self.adopt(&audience, target, ledger, run, session, first),
                None => Err(self.undecided(marker.as_deref())),
            };
        }
        let mut attempts = 0;
        loop {
            attempts += 1;
            let marker = if self.has_marker { Some(random_hex()?) } else { None };
            ledger.intend(target, marker.as_deref())?;
            let attempt = ledger.begin_attempt(run, Call::Create, Some(first))?;
            let failure = match self.post(marker.as_deref(), target.user_type, session, first)? {
                Ok(audience) => {
                    recorded(check_type(&audience, target), Call::Create, ledger, Some(attempt))?;
                    return ledger.acknowledge(target, run, Some(attempt), first, &audience);
                }
                Err(failure) => failure,
            };
            ledger.end_attempt(attempt, Some(&failure))?;
            let mut decision = session.decide(&failure, attempts)?;
            if decision == Decision::FindOut {
                session.progress.stop.check()?;
                if let Some(audience) =
                    self.find(marker.as_deref(), target, ledger, run, session)?
                {
                    return self.adopt(&audience, target, ledger, run, session, first);
                }
                if failure.kind != FailureKind::RateLimited || marker.is_none() {
                    return Err(self.undecided(marker.as_deref()));
                }
                // Too many requests is a refusal, and the list agrees that nothing was created.
                decision =
                    session.decide(&Failure { was_sent: false, ..failure.clone() }, attempts)?;
            }
            ledger.withdraw(target)?;
            session.progress.stop.check()?;
            match decision {
                Decision::RetryAfter(wait) => session.progress.stop.wait(wait)?,
                Decision::FindOut | Decision::GiveUp => {
                    return Err(failure.into_error(Some((0, self.parts))));
                }
            }
        }
    }

    fn post(
        &self,
        marker: Option<&str>,
        user_type: crate::normalize::UserType,
        session: &Session<'_>,
        first: &Part,
    ) -> Result<super::Outcome<CustomAudience>> {
        let description = match (self.description, marker) {
            (Some(text), Some(marker)) => Some(format!("{text} [throng {marker}]")),
            (None, Some(marker)) => Some(format!("[throng {marker}]")),
            (text, None) => text.map(str::to_owned),
        };
        let account = self.ad_account.as_str();
        let form =
            Form::create(account, self.name, user_type, description.as_deref(), self.opt_out_link);
        let (client, part) = (session.client.clone(), first.clone());
        let (sent, stop) = (session.progress.bytes_sent.clone(), session.progress.stop.clone());
        background::run(&session.progress.stop, move || {
            client.create(&form, Sending { part: &part, sent: &sent, stop: &stop })
        })
    }

    /// Asks the list for a marker, several times if it does not have it.
    fn find(
        &self,
        marker: Option<&str>,
        target: &Target,
        ledger: &Ledger,
        run: RunId,
        session: &Session<'_>,
    ) -> Result<Option<ListedAudience>> {
        let Some(marker) = marker else { return Ok(None) };
        (session.notify)(&Notice::LookingForMarker);
        let mut wait = session.retry.wait_first * LOOK_WAIT;
        for look in 1..=LOOKS {
            match self.look(marker, target, ledger, run, session)? {
                Found::One(audience) => return Ok(Some(*audience)),
                Found::Many(count) => return Err(self.too_many(marker, count)),
                Found::None if look == LOOKS || wait > session.time_left() => break,
                Found::None => session.progress.stop.wait(wait)?,
            }
            wait = (wait * 2).min(Duration::from_mins(1));
        }
        Ok(None)
    }

    fn look(
        &self,
        marker: &str,
        target: &Target,
        ledger: &Ledger,
        run: RunId,
        session: &Session<'_>,
    ) -> Result<Found> {
        let account = self.ad_account.clone();
        let record = Record { ledger, run, part: None };
        let listed =
            session.until_done(Some(&record), Call::List, move |client| client.list(&account))?;
        let (listed, attempt) = listed.map_err(|failure| unlisted(&failure, target))?;
        attempt.map_or(Ok(()), |attempt| ledger.end_attempt(attempt, None))?;
        let mut found = listed.into_iter().filter(|audience| is_marked(audience, marker));
        let first = found.next();
        let others = found.count();
        Ok(match first {
            None => Found::None,
            Some(audience) if others == 0 => Found::One(Box::new(audience)),
            Some(_) => Found::Many(others + 1),
        })
    }

    /// Goes on with an audience that was found. Its first part is sent once more: nobody has confirmed it.
    fn adopt(
        &self,
        audience: &ListedAudience,
        target: &Target,
        ledger: &mut Ledger,
        run: RunId,
        session: &Session<'_>,
        first: &Part,
    ) -> Result<()> {
        // Revision A's list has only Facebook's number.
        let id = audience.id().or(audience.fb_id());
        let id = id.ok_or(Error::Internal("an audience without a number"))?.clone();
        (session.notify)(&Notice::Adopted { id: &id });
        let form = Form::add(self.ad_account.as_str(), target.user_type);
        let (part, to) = (first.clone(), id.clone());
        let (sent, stop) = (session.progress.bytes_sent.clone(), session.progress.stop.clone());
        let request = move |client: &Client| {
            client.add(&to, &form, Sending { part: &part, sent: &sent, stop: &stop })
        };
        let record = Record { ledger, run, part: Some(first) };
        let (answer, attempt) = match session.until_done(Some(&record), Call::Add, request)? {
            Ok(answer) => answer,
            Err(failure) if failure.kind == FailureKind::NotFound && audience.id().is_none() => {
                return Err(Error::api(
                    ExitCode::Unknown,
                    format!(
                        "`{}` was created (Facebook's number {id}), but the API's own number of it is not known",
                        self.name
                    ),
                    "look it up at the vendor, and run the same command with --adopt ID",
                ));
            }
            Err(failure) => return Err(failure.into_error(Some((0, self.parts)))),
        };
        let has_same_fb_id = answer.fb_id.is_some() && answer.fb_id.as_ref() == audience.fb_id();
        let checked = if answer.id == id || has_same_fb_id {
            check_type(&answer, target)
        } else {
            Err(Error::api(
                ExitCode::Unknown,
                format!("audience {id} was asked for, and {} answered", answer.id),
                "look at both at the vendor, and run the same command with --adopt ID",
            ))
        };
        recorded(checked, Call::Add, ledger, attempt)?;
        ledger.acknowledge(target, run, attempt, first, &answer)
    }

    fn undecided(&self, marker: Option<&str>) -> Error {
        let looked = match marker {
            Some(_) => "the API's list does not have it",
            None => "without a marker it cannot be looked for",
        };
        Error::api(
            ExitCode::Unknown,
            format!("it is not known whether `{}` was created: {looked}", self.name),
            "look at the vendor: if it is there, run the same command with --adopt ID; if not, with --create-again",
        )
    }

    fn too_many(&self, marker: &str, count: usize) -> Error {
        Error::api(
            ExitCode::Unknown,
            format!(
                "`{}` was created {count} times (`throng {marker}` in the description)",
                self.name
            ),
            "delete all but one, and run the same command with --adopt ID",
        )
    }
}

/// Whether an audience holds a marker.
pub(super) fn is_marked(audience: &ListedAudience, marker: &str) -> bool {
    audience.description().is_some_and(|description| description.contains(marker))
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
    ledger: &Ledger,
    attempt: Option<AttemptId>,
) -> Result<()> {
    if let (Err(_), Some(attempt)) = (&checked, attempt) {
        ledger.end_attempt(attempt, Some(&Failure::of_other_audience(call)))?;
    }
    checked
}

/// Refuses an audience of another type: the API would take the entries and match nobody.
pub(super) fn check_type(audience: &CustomAudience, target: &Target) -> Result<()> {
    match &audience.user_type {
        Some(user_type) if user_type != target.user_type.name() => Err(Error::usage(
            format!("audience {} does not hold {}", audience.id, target.user_type),
            "check --audience; what was sent to it matches nobody",
        )),
        _ => Ok(()),
    }
}
