//! From a directory and a target to what is left to be sent, and sending it.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::batches::{self, Batches};
use super::config::{Content, TargetSpec, UploadConfig, Verdict};
use super::create::{self, Creation};
use super::part::Part;
use super::session::{Recorder, Session};
use super::summary::UploadSummary;
use super::{Call, Client, Notice, UploadProgress, fit, send};
use crate::emit::Manifest;
use crate::error::{Error, ExitCode, Result};
use crate::machine;
use crate::platform::{Audience, Id};
use crate::quote::OneLine;
use crate::stop::Stop;
use crate::store::deliveries::NewPart;
use crate::store::{Purpose, RunId, Store, Target, TargetLock, TargetName, TargetState};
use crate::user_type::UserType;

/// An upload that was planned: its parts were compared with their manifest and with the store, nothing was sent.
#[derive(Debug)]
pub struct Upload {
    config: UploadConfig,
    client: Client,
    user_type: UserType,
    parts: Vec<Part>,
    target: Target,
    confirmed: HashSet<String>,
    /// True if an earlier run was to send other parts to this target.
    has_other_content: bool,
    /// The run that it is a part of; it is one of its own if there is none.
    run: Option<RunId>,
    /// Held as long as this lives.
    _lock: TargetLock,
}

impl Upload {
    /// Compares the directory with its manifest, finds the target in the store, and takes its lock.
    pub fn plan(config: UploadConfig, client: Client, store: &Store, stop: &Stop) -> Result<Self> {
        let platform = client.platform();
        fit::check_purpose(platform, config.purpose)?;
        let manifest = Manifest::read(&config.dir)?;
        let pool = machine::pool(machine::cores())?;
        if let Some(problem) = pool.install(|| manifest.problems(&config.dir, stop))?.first() {
            return Err(Error::input(
                &config.dir,
                format!("it does not match its manifest: `{}` {}", problem.file, problem.message),
                "prepare again; a damaged directory is not uploaded",
            ));
        }
        let audience = fit::choose(&manifest, &config)?;
        let user_type = audience.user_type;
        let parts: Vec<Part> =
            audience.parts.iter().map(|part| Part::of(&config.dir, part)).collect();
        fit::check(platform, &manifest, user_type, &parts, stop)?;
        let (endpoint, account) = (client.known_as(), &config.ad_account);
        let target = match &config.target {
            TargetSpec::Create { name, .. } => store
                .target_by_name(endpoint, &TargetName { ad_account: account, user_type, name })?,
            TargetSpec::Audience(id) => store.target_by_number(endpoint, account, user_type, id)?,
        };
        let upload = Self::locked(config, client, store, &target, parts)?;
        if upload.target.user_type != user_type {
            return Err(Error::usage(
                format!("the audience holds {}, not {user_type}", upload.target.user_type),
                "check --audience",
            ));
        }
        upload.check_removal()?;
        let planned = store.planned(&upload.target)?;
        let content = upload.config.target.content();
        let has_other_content = content == Content::Fixed
            && !planned.is_empty()
            && planned != upload.parts.iter().map(|part| part.sha256.clone()).collect();
        Ok(Self { has_other_content, ..upload })
    }

    /// Refuses to take people out of an audience that nobody knows: a new one would be created, and nobody be taken out.
    fn check_removal(&self) -> Result<()> {
        let TargetSpec::Create { name, verdict, .. } = &self.config.target else {
            return Ok(());
        };
        let is_known = match verdict {
            Some(Verdict::Is(_)) => true,
            Some(Verdict::IsNot) => false,
            None => self.target.platform_id().is_some(),
        };
        if self.config.purpose == Purpose::Add || is_known {
            return Ok(());
        }
        Err(Error::usage(
            format!("no audience `{}` is known to take people out of", OneLine(name)),
            "check the name, --ad-account and --state, or give the audience's number with --audience",
        ))
    }

    /// The upload of a job's run: these parts, which lie in the directory that `config` names, to a target that the job
    /// has found already.
    pub(crate) fn of_job(
        config: UploadConfig,
        client: Client,
        store: &Store,
        (run, target): (RunId, &Target),
        parts: Vec<Part>,
    ) -> Result<Self> {
        Ok(Self { run: Some(run), ..Self::locked(config, client, store, target, parts)? })
    }

    fn locked(
        config: UploadConfig,
        client: Client,
        store: &Store,
        target: &Target,
        parts: Vec<Part>,
    ) -> Result<Self> {
        let lock = store.lock(target)?.ok_or_else(|| {
            Error::api(
                ExitCode::Temporary,
                "another throng is uploading to this audience",
                "wait until it has finished; what it has uploaded is then not sent again",
            )
        })?;
        // It may have changed before it was locked.
        let target = store.target(target.id)?;
        if target.state == TargetState::Deleted {
            return Err(Error::api(
                ExitCode::Temporary,
                "another throng has just recorded that the audience is deleted",
                "run the same command again",
            ));
        }
        let confirmed = store.confirmed(&target, config.purpose)?;
        Ok(Self {
            config,
            client,
            user_type: target.user_type,
            parts,
            confirmed,
            target,
            has_other_content: false,
            run: None,
            _lock: lock,
        })
    }

    /// The parts that are still to be sent.
    pub fn left(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| !self.confirmed.contains(&part.sha256))
    }

    /// What would be sent, for programs.
    pub fn dry_run(&self) -> UploadSummary {
        let left: Vec<Part> = self.left().cloned().collect();
        UploadSummary::new(&self.config, &self.client, self.user_type, &self.parts, &left)
            .ended(&self.target, Duration::ZERO)
    }

    /// Sends what is left.
    pub fn run(
        mut self,
        store: &Store,
        progress: &UploadProgress,
        notify: &dyn Fn(&Notice<'_>),
    ) -> Result<UploadSummary> {
        let started = Instant::now();
        if self.parts.is_empty() {
            let summary = UploadSummary::new(&self.config, &self.client, self.user_type, &[], &[]);
            return Ok(summary.ended(&self.target, started.elapsed()));
        }
        let session = self.session(started, progress, notify);
        self.apply_verdict(store, &session)?;
        self.check_content()?;
        let left: Vec<Part> = self.left().cloned().collect();
        let summary =
            UploadSummary::new(&self.config, &self.client, self.user_type, &self.parts, &left);
        let is_there = self.target.platform_id().is_some();
        if left.is_empty() && (is_there || self.config.purpose == Purpose::Remove) {
            let summary = summary.with_invalid(self.invalid(store)?);
            return Ok(summary.ended(&self.target, started.elapsed()));
        }
        progress.begin(&left);
        let run = match self.run {
            Some(run) => run,
            None => store.begin_run(&self.config.command, None)?,
        };
        let dir = self.config.dir.canonicalize();
        let dir = dir.map_err(|e| Error::reading("look at", &self.config.dir, e))?;
        let planned: Vec<NewPart<'_>> = self.parts.iter().map(Part::for_store).collect();
        let purpose = self.config.purpose;
        if self.run.is_none() {
            store.doubt_other(&self.target, purpose)?;
        }
        store.begin_upload(run, (&self.target, purpose), &dir, &planned)?;
        let sent = self.send_all(store, run, &session, left).and_then(|()| self.invalid(store));
        let recorded = store.end_upload(run, (&self.target, purpose), sent.as_ref().map(drop));
        let summary = summary.with_invalid(sent?);
        recorded?;
        self.target = store.target(self.target.id)?;
        Ok(summary.ended(&self.target, started.elapsed()))
    }

    /// How many entries of all that is uploaded the platform took for none; an error if these are too many.
    fn invalid(&self, store: &Store) -> Result<u64> {
        let invalid = batches::invalid_of(store, &self.target, self.config.purpose, &self.parts)?;
        invalid.check_all().map(|()| invalid.invalid)
    }

    /// Finds out what became of a create that an earlier run began: the target is ready afterwards, or planned again.
    /// Nobody is sent.
    pub(crate) fn settle_create(
        mut self,
        store: &Store,
        progress: &UploadProgress,
        notify: &dyn Fn(&Notice<'_>),
    ) -> Result<()> {
        let session = self.session(Instant::now(), progress, notify);
        self.apply_verdict(store, &session)?;
        let run = self.run.ok_or(Error::Internal("a create is settled by a job"))?;
        let recorder = Recorder { store, run, target: &self.target };
        match self.target.state {
            TargetState::Intent { .. } => self.creation()?.settle(recorder, &session),
            TargetState::Planned | TargetState::Ready { .. } | TargetState::Deleted => Ok(()),
        }
    }

    fn session<'a>(
        &self,
        started: Instant,
        progress: &'a UploadProgress,
        notify: &'a dyn Fn(&Notice<'_>),
    ) -> Session<'a> {
        let deadline = started + self.config.time_max;
        Session {
            client: self.client.until(deadline),
            retry: self.config.retry,
            deadline,
            progress,
            notify,
        }
    }

    fn creation(&self) -> Result<Creation<'_>> {
        let TargetSpec::Create { name, description, opt_out_link, has_marker, .. } =
            &self.config.target
        else {
            return Err(Error::Internal("an audience that was given by its number is not created"));
        };
        Ok(Creation {
            name,
            description: description.as_deref(),
            opt_out_link: opt_out_link.as_deref(),
            has_marker: *has_marker,
            ad_account: &self.config.ad_account,
            customer_file_source: self.config.customer_file_source,
            parts: self.parts.len(),
        })
    }

    fn send_all(
        &mut self,
        store: &Store,
        run: RunId,
        session: &Session<'_>,
        mut left: Vec<Part>,
    ) -> Result<()> {
        if matches!(self.target.state, TargetState::Intent { .. }) {
            let recorder = Recorder { store, run, target: &self.target };
            self.creation()?.settle(recorder, session)?;
            self.target = store.target(self.target.id)?;
        }
        let first = left.first().cloned().ok_or(Error::Internal("no part is left to be sent"))?;
        let can = self.client.platform().capabilities();
        let is_new = self.target.platform_id().is_none();
        if is_new {
            let recorder = Recorder { store, run, target: &self.target };
            let creation = self.creation()?;
            creation.run(recorder, session, can.creates_with_entries.then_some(&first))?;
            self.target = store.target(self.target.id)?;
        }
        let confirmed = store.confirmed(&self.target, self.config.purpose)?;
        let count = left.len();
        left.retain(|part| !confirmed.contains(&part.sha256));
        session.progress.parts_done.fetch_add((count - left.len()) as u64, Ordering::Relaxed);
        let audience = self.target.platform_id();
        let audience =
            audience.ok_or(Error::Internal("an audience that was created is not ready"))?;
        // The answer to a part that it has already tells the number that other calls take.
        if left.is_empty() && self.run.is_none() && self.target.fb_id.as_ref() == Some(audience) {
            left.push(first);
        }
        let recorder = Recorder { store, run, target: &self.target };
        let (ad_account, parts) = (&self.config.ad_account, self.parts.len());
        if let Some(entries_max) = can.batch_entries_max {
            let purpose = self.config.purpose;
            let sending = Batches { audience, ad_account, purpose, entries_max, parts, is_new };
            return sending.send(recorder, session, &left);
        }
        let parallel = self.config.parallel;
        let sending = send::Addition { audience, ad_account, parallel, parts, is_new };
        sending.send(recorder, session, left)
    }

    /// Takes a person's word for what became of a create, unless the API knows better: the command that said it is run
    /// again after a failure, and must not make another audience then.
    fn apply_verdict(&mut self, store: &Store, session: &Session<'_>) -> Result<()> {
        let TargetSpec::Create { verdict: Some(verdict), .. } = &self.config.target else {
            return Ok(());
        };
        match (verdict, &self.target.state) {
            (Verdict::Is(audience), TargetState::Planned | TargetState::Intent { .. }) => {
                let known = store.find(&self.target.endpoint, audience)?;
                if known.is_some_and(|known| {
                    known.audience == self.target.audience && known.id != self.target.id
                }) {
                    return Err(Error::usage(
                        format!("{audience} is the audience whose place the new one is to take"),
                        "give the number of the new one",
                    ));
                }
                store.ready(&self.target, audience, None)?;
            }
            (Verdict::Is(audience), TargetState::Ready { audience: known })
                if audience != known && self.target.fb_id.as_ref() == Some(known) =>
            {
                // It was found in a list that has only Facebook's number.
                store.ready(&self.target, audience, None)?;
            }
            (Verdict::Is(audience), TargetState::Ready { audience: known })
                if audience != known && self.target.fb_id.as_ref() != Some(audience) =>
            {
                return Err(Error::usage(
                    format!("it is known already which audience was created: {known}"),
                    "leave --adopt out",
                ));
            }
            (Verdict::Is(_), TargetState::Ready { .. })
            | (Verdict::IsNot, TargetState::Planned)
            | (_, TargetState::Deleted) => {}
            (Verdict::IsNot, TargetState::Intent { .. }) => {
                // An audience that has the marker is there, whatever was said.
                if self.listed(store, session)?.is_none() {
                    store.withdraw(&self.target)?;
                }
            }
            (Verdict::IsNot, TargetState::Ready { audience }) => {
                if self.listed(store, session)?.is_some() {
                    let to = self.client.platform().flag();
                    return Err(Error::usage(
                        format!("audience {audience} was created and is there"),
                        format!(
                            "leave --create-again out, or delete it first: throng audience delete {audience}{to}"
                        ),
                    ));
                }
                self.target = store.start_over(&self.target)?;
            }
        }
        self.target = store.target(self.target.id)?;
        self.confirmed = store.confirmed(&self.target, self.config.purpose)?;
        Ok(())
    }

    /// The target's audience in the API's list, by what is known of it. If its create was never confirmed, a
    /// list that the token may not see has nothing to say.
    fn listed(&self, store: &Store, session: &Session<'_>) -> Result<Option<Audience>> {
        let target = &self.target;
        let markers = store.open_markers(target)?;
        let number = target.platform_id();
        let account = self.config.ad_account.clone();
        let listed = session.until_done(None, Call::List, move |client| client.list(&account))?;
        let listed = match listed {
            Ok(listed) => listed,
            Err(failure) => match number {
                None if failure.is_refusal() => return Ok(None),
                None => return Err(create::unlisted(&failure, target)),
                Some(number) => {
                    let message =
                        format!("{failure}; so it is not known whether audience {number} is there");
                    return Err(Error::api(
                        ExitCode::Temporary,
                        message,
                        "run the same command again later",
                    ));
                }
            },
        };
        Ok(find_listed(listed, target, &markers))
    }

    /// Refuses to add the parts of another directory to an audience that was created from one, or may have been.
    fn check_content(&self) -> Result<()> {
        match &self.target.state {
            TargetState::Ready { audience } if self.has_other_content => Err(Error::usage(
                format!("the audience of that name, {audience}, was created from other files"),
                match self.config.purpose {
                    Purpose::Add => format!(
                        "add these to it with --audience {audience}, or choose another name"
                    ),
                    Purpose::Remove => format!(
                        "take these out of it by its number: --audience {audience} --remove"
                    ),
                },
            )),
            TargetState::Intent { .. } if self.has_other_content => Err(Error::api(
                ExitCode::Unknown,
                "an audience of that name may have been created from other files",
                "go on with those first (throng history has the command), or say what became of it: --adopt ID or --create-again",
            )),
            _ => Ok(()),
        }
    }
}

/// A target's audience among those of an API's list, by what is known of it.
fn find_listed(listed: Vec<Audience>, target: &Target, markers: &[String]) -> Option<Audience> {
    let number = target.platform_id();
    let is_same = |audience: &Audience| {
        let has = |number: Option<&Id>| {
            number.is_some() && [audience.id.as_ref(), audience.fb_id.as_ref()].contains(&number)
        };
        let is_marked = markers.iter().any(|marker| create::is_marked(audience, marker));
        // Revision A's list has no other number than Facebook's, which may have come too late for the store.
        let is_namesake = number.is_some()
            && markers.is_empty()
            && target.fb_id.is_none()
            && target.name.as_deref() == Some(&audience.name);
        has(number) || has(target.fb_id.as_ref()) || is_marked || is_namesake
    };
    listed.into_iter().find(is_same)
}

/// The plan as a table, for `--dry-run`.
impl fmt::Display for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (action, mut next) = match (&self.target.state, &self.target.name) {
            (TargetState::Ready { audience }, _) if self.config.purpose == Purpose::Remove => {
                (format!("take out of audience {audience}"), "DELETE")
            }
            (TargetState::Ready { audience }, _) => (format!("add to audience {audience}"), "PUT"),
            (TargetState::Intent { .. }, Some(name)) => {
                (format!("find out whether `{name}` was created"), "POST or PUT")
            }
            (_, name) => (format!("create `{}`", name.as_deref().unwrap_or_default()), "POST"),
        };
        writeln!(
            f,
            "{} to {}, ad account {}: {action}",
            self.user_type,
            self.client.known_as(),
            self.config.ad_account
        )?;
        let entries_max = self.client.platform().capabilities().batch_entries_max;
        writeln!(f, "  {:<46}{:>12}{:>14}  request", "part", "entries", "bytes")?;
        for part in &self.parts {
            let request = if self.confirmed.contains(&part.sha256) {
                "none: uploaded before".to_owned()
            } else if let Some(entries_max) = entries_max {
                format!("{} in batches", part.lines.div_ceil(entries_max))
            } else {
                std::mem::replace(&mut next, "PUT").to_owned()
            };
            writeln!(f, "  {:<46}{:>12}{:>14}  {request}", part.file, part.lines, part.bytes)?;
        }
        let left = self.left().fold((0, 0, 0), |(parts, lines, bytes), part| {
            (parts + 1, lines + part.lines, bytes + part.bytes)
        });
        write!(f, "{} parts, {} entries, {} bytes to send", left.0, left.1, left.2)
    }
}
