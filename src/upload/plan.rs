//! From a directory and a target to what is left to be sent, and sending it.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::config::{Content, TargetSpec, UploadConfig, Verdict};
use super::create::{self, Creation};
use super::ledger::{Ledger, RunId, Target, TargetLock, TargetName, TargetState};
use super::part::Part;
use super::summary::UploadSummary;
use super::{Call, Client, Notice, Session, UploadProgress, send};
use crate::api::{Id, ListedAudience};
use crate::emit::{AudienceManifest, Manifest};
use crate::error::{Error, ExitCode, Result};
use crate::machine;
use crate::normalize::UserType;
use crate::quote::Quoted;
use crate::stop::Stop;

/// An upload that was planned: the directory was compared with its manifest and with the ledger, nothing was sent.
#[derive(Debug)]
pub struct Upload {
    config: UploadConfig,
    client: Client,
    user_type: UserType,
    parts: Vec<Part>,
    target: Target,
    acknowledged: HashSet<String>,
    /// An earlier run was to send other parts to this target.
    has_other_content: bool,
    /// Held as long as this lives.
    lock: TargetLock,
}

impl Upload {
    /// Compares the directory with its manifest, finds the target in the ledger, and takes its lock.
    pub fn plan(
        config: UploadConfig,
        client: Client,
        ledger: &mut Ledger,
        stop: &Stop,
    ) -> Result<Self> {
        let manifest = Manifest::read(&config.dir)?;
        let pool = machine::pool(machine::threads(None)?)?;
        if let Some(problem) = pool.install(|| manifest.problems(&config.dir, stop))?.first() {
            return Err(Error::input(
                &config.dir,
                format!("it does not match its manifest: `{}` {}", problem.file, problem.message),
                "prepare again; a damaged directory is not uploaded",
            ));
        }
        let audience = choose(&manifest, &config)?;
        let user_type = audience.user_type;
        let parts: Vec<Part> =
            audience.parts.iter().map(|part| Part::of(&config.dir, part)).collect();
        let (endpoint, account) = (client.known_as(), &config.ad_account);
        let target = match &config.target {
            TargetSpec::Create { name, generation, .. } => {
                let key =
                    TargetName { ad_account: account, user_type, name, generation: *generation };
                ledger.target_by_name(endpoint, &key)?
            }
            TargetSpec::Audience(id) => {
                ledger.target_by_audience(endpoint, account, user_type, id)?
            }
        };
        let lock = lock(ledger, &target)?;
        let target = ledger.target(target.id)?;
        if target.state == TargetState::Deleted {
            return Err(Error::api(
                ExitCode::Temporary,
                "another throng has just recorded that the audience is deleted",
                "run the same command again",
            ));
        }
        if target.user_type != user_type {
            return Err(Error::usage(
                format!("the audience holds {}, not {user_type}", target.user_type),
                "check --audience",
            ));
        }
        let acknowledged = ledger.acknowledged(&target)?;
        let planned = ledger.planned(&target)?;
        let is_fixed = matches!(config.target, TargetSpec::Create { content: Content::Fixed, .. });
        let has_other_content = is_fixed
            && !planned.is_empty()
            && planned != parts.iter().map(|part| part.sha256.clone()).collect();
        Ok(Self { config, client, user_type, parts, target, acknowledged, has_other_content, lock })
    }

    /// The parts that are still to be sent.
    pub fn left(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| !self.acknowledged.contains(&part.sha256))
    }

    /// The ledger's number of the target.
    pub(crate) fn target_id(&self) -> i64 {
        self.target.id
    }

    /// How far the target is.
    pub(crate) fn target_state(&self) -> &TargetState {
        &self.target.state
    }

    /// What would be sent, for programs.
    pub fn dry_run(&self) -> UploadSummary {
        let left: Vec<Part> = self.left().cloned().collect();
        UploadSummary::new(&self.config, self.user_type, &self.parts, &left)
            .ended(&self.target, Duration::ZERO)
    }

    /// Sends what is left.
    pub fn run(
        mut self,
        ledger: &mut Ledger,
        progress: &UploadProgress,
        notify: &dyn Fn(&Notice<'_>),
    ) -> Result<UploadSummary> {
        let started = Instant::now();
        if self.parts.is_empty() {
            let summary = UploadSummary::new(&self.config, self.user_type, &[], &[]);
            return Ok(summary.ended(&self.target, started.elapsed()));
        }
        let session = self.session(started, progress, notify);
        self.apply_verdict(ledger, &session)?;
        self.check_content()?;
        let left: Vec<Part> = self.left().cloned().collect();
        let summary = UploadSummary::new(&self.config, self.user_type, &self.parts, &left);
        let is_created = matches!(self.target.state, TargetState::Ready { .. });
        if left.is_empty() && is_created {
            return Ok(summary.ended(&self.target, started.elapsed()));
        }
        progress.begin(&left);
        let run = self.begin_run(ledger)?;
        let sent = self.send_all(ledger, run, &session, left);
        let recorded = ledger.end_run(run, sent.as_ref().map(drop));
        sent.and(recorded)?;
        self.target = ledger.target(self.target.id)?;
        Ok(summary.ended(&self.target, started.elapsed()))
    }

    /// Finds out what became of a create that an earlier run began, and adopts the audience if there is one. Nothing
    /// else is sent.
    pub(crate) fn settle_create(
        mut self,
        ledger: &mut Ledger,
        progress: &UploadProgress,
        notify: &dyn Fn(&Notice<'_>),
    ) -> Result<()> {
        let session = self.session(Instant::now(), progress, notify);
        self.apply_verdict(ledger, &session)?;
        let is_open = matches!(self.target.state, TargetState::Intent { .. });
        let Some(first) = self.left().next().cloned().filter(|_| is_open) else { return Ok(()) };
        let run = self.begin_run(ledger)?;
        let settled = self.create(ledger, run, &session, &first);
        let recorded = ledger.end_run(run, settled.as_ref().copied());
        settled.and(recorded)
    }

    fn begin_run(&self, ledger: &mut Ledger) -> Result<RunId> {
        let dir = self.config.dir.canonicalize();
        let dir = dir.map_err(|e| Error::reading("look at", &self.config.dir, e))?;
        ledger.begin_run(&self.target, &dir, &self.config.command, &self.parts)
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

    fn create(
        &self,
        ledger: &mut Ledger,
        run: RunId,
        session: &Session<'_>,
        first: &Part,
    ) -> Result<()> {
        let TargetSpec::Create { name, description, opt_out_link, has_marker, .. } =
            &self.config.target
        else {
            return Err(Error::Internal("an audience that was given by its number is not created"));
        };
        let creation = Creation {
            name,
            description: description.as_deref(),
            opt_out_link: opt_out_link.as_deref(),
            has_marker: *has_marker,
            ad_account: &self.config.ad_account,
            parts: self.parts.len(),
        };
        creation.run(&self.target, ledger, run, session, first)
    }

    fn send_all(
        &mut self,
        ledger: &mut Ledger,
        run: RunId,
        session: &Session<'_>,
        mut left: Vec<Part>,
    ) -> Result<()> {
        if !matches!(self.target.state, TargetState::Ready { .. }) {
            self.create(ledger, run, session, &left[0])?;
            self.target = ledger.target(self.target.id)?;
            let acknowledged = ledger.acknowledged(&self.target)?;
            left.retain(|part| !acknowledged.contains(&part.sha256));
            session.progress.parts_done.fetch_add(1, Ordering::Relaxed);
        }
        let TargetState::Ready { audience } = &self.target.state else {
            return Err(Error::Internal("an audience that was created is not ready"));
        };
        let sending = send::Addition {
            audience,
            ad_account: &self.config.ad_account,
            parallel: self.config.parallel,
            parts: self.parts.len(),
        };
        sending.send(&self.target, ledger, run, session, left)
    }

    /// Takes a person's word for what became of a create, unless the API knows better: the command that said it is run
    /// again after a failure, and must not make another audience then.
    fn apply_verdict(&mut self, ledger: &mut Ledger, session: &Session<'_>) -> Result<()> {
        let TargetSpec::Create { verdict: Some(verdict), .. } = &self.config.target else {
            return Ok(());
        };
        match (verdict, &self.target.state) {
            (Verdict::Is(audience), TargetState::Planned | TargetState::Intent { .. }) => {
                ledger.ready(&self.target, audience, None)?;
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
                if self.listed(ledger, session)?.is_none() {
                    ledger.withdraw(&self.target)?;
                }
            }
            (Verdict::IsNot, TargetState::Ready { audience }) => {
                if self.listed(ledger, session)?.is_some() {
                    return Err(Error::usage(
                        format!("audience {audience} was created and is there"),
                        format!(
                            "leave --create-again out, or delete it first: throng audience delete {audience}"
                        ),
                    ));
                }
                self.target = ledger.start_over(&self.target)?;
                self.lock = lock(ledger, &self.target)?;
            }
        }
        self.target = ledger.target(self.target.id)?;
        self.acknowledged = ledger.acknowledged(&self.target)?;
        Ok(())
    }

    /// The target's audience in the API's list, by what is known of it. If its create was never confirmed, a
    /// list that the token may not see has nothing to say.
    fn listed(&self, ledger: &Ledger, session: &Session<'_>) -> Result<Option<ListedAudience>> {
        let target = &self.target;
        let marker = ledger.marker(target)?;
        let number = match &target.state {
            TargetState::Ready { audience } => Some(audience),
            TargetState::Planned | TargetState::Intent { .. } | TargetState::Deleted => None,
        };
        let account = self.config.ad_account.clone();
        let listed = session.until_done(None, Call::List, move |client| client.list(&account))?;
        let listed = match listed {
            Ok((listed, _)) => listed,
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
        Ok(find_listed(listed, target, marker.as_deref()))
    }

    /// Refuses to add the parts of another directory to an audience that was created from one, or may have been.
    fn check_content(&self) -> Result<()> {
        match &self.target.state {
            TargetState::Ready { audience } if self.has_other_content => Err(Error::usage(
                format!("the audience of that name, {audience}, was created from other files"),
                format!("add these to it with --audience {audience}, or choose another name"),
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
pub(crate) fn find_listed(
    listed: Vec<ListedAudience>,
    target: &Target,
    marker: Option<&str>,
) -> Option<ListedAudience> {
    let number = match &target.state {
        TargetState::Ready { audience } => Some(audience),
        TargetState::Planned | TargetState::Intent { .. } | TargetState::Deleted => None,
    };
    let is_same = |audience: &ListedAudience| {
        let has = |number: Option<&Id>| {
            number.is_some() && [audience.id(), audience.fb_id()].contains(&number)
        };
        let is_marked = marker.is_some_and(|marker| create::is_marked(audience, marker));
        // Revision A's list has no other number than Facebook's, which may have come too late for the ledger.
        let is_namesake = number.is_some()
            && marker.is_none()
            && target.fb_id.is_none()
            && target.name.as_deref() == Some(audience.name());
        has(number) || has(target.fb_id.as_ref()) || is_marked || is_namesake
    };
    listed.into_iter().find(is_same)
}

/// The plan as a table, for `--dry-run`.
impl fmt::Display for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (action, mut next) = match (&self.target.state, &self.target.name) {
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
        writeln!(f, "  {:<46}{:>12}{:>14}  request", "part", "entries", "bytes")?;
        for part in &self.parts {
            let request = if self.acknowledged.contains(&part.sha256) {
                "none: uploaded before"
            } else {
                std::mem::replace(&mut next, "PUT")
            };
            writeln!(f, "  {:<46}{:>12}{:>14}  {request}", part.file, part.lines, part.bytes)?;
        }
        let left = self.left().fold((0, 0, 0), |(parts, lines, bytes), part| {
            (parts + 1, lines + part.lines, bytes + part.bytes)
        });
        write!(f, "{} parts, {} entries, {} bytes to send", left.0, left.1, left.2)
    }
}

/// Excludes other runs from a target.
fn lock(ledger: &Ledger, target: &Target) -> Result<TargetLock> {
    ledger.lock(target)?.ok_or_else(|| {
        Error::api(
            ExitCode::Temporary,
            "another throng is uploading to this audience",
            "wait until it has finished; what it has uploaded is then not sent again",
        )
    })
}

fn choose<'a>(manifest: &'a Manifest, config: &UploadConfig) -> Result<&'a AudienceManifest> {
    let dir = Quoted(&config.dir);
    let Some(asked) = &config.audience else {
        return match &manifest.audiences[..] {
            [audience] => Ok(audience),
            _ => Err(Error::usage(
                format!("{dir} holds {}", manifest.names()),
                "say which one goes into this audience: --user-type TYPE, or its label",
            )),
        };
    };
    if let Some(audience) = manifest.audiences.iter().find(|audience| audience.label == *asked) {
        return Ok(audience);
    }
    let is_of_type = |audience: &&AudienceManifest| audience.user_type.name() == asked.as_str();
    let mut of_type = manifest.audiences.iter().filter(is_of_type);
    match (of_type.next(), of_type.next()) {
        (Some(audience), None) => Ok(audience),
        (None, _) => Err(Error::usage(
            format!("{dir} holds no {asked}"),
            format!("it holds {}", manifest.names()),
        )),
        (Some(_), Some(_)) => Err(Error::usage(
            format!("{dir} holds more than one {asked}"),
            format!("say which one by its label: it holds {}", manifest.names()),
        )),
    }
}
