//! One run of a job, step by step.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime};

use super::config::SyncConfig;
use super::guards::{self, Stopped};
use super::holdings::remove_dir;
use super::settle::{Notify, named, settle, settle_left, upload_config};
use super::state::{Remembered, State};
use super::targets::audience_of;
use super::{
    AudienceRecord, GuardRecord, InputRecord, KILLED, PhaseRecord, RejectRecord, SyncRecord,
};
use crate::config::{Label, PrepareConfig};
use crate::disk::sqlite::now;
use crate::emit::{Manifest, PartManifest};
use crate::error::{Error, ExitCode, Result};
use crate::job::{Age, JobAudience};
use crate::prepare::Prepare;
use crate::prepare::summary::{AudienceSummary, Summary};
use crate::progress::Progress;
use crate::stop::Stop;
use crate::upload::{Notice, TargetState, Upload, UploadProgress, Verdict};

/// Runs whose records are looked through for the last one that passed the guards.
const RECORDS_LOOKED_AT: u32 = 366;

/// How far a run is, for whoever watches it.
#[derive(Debug)]
pub struct SyncProgress {
    /// While it prepares.
    pub prepare: Progress,
    /// While it uploads.
    pub upload: UploadProgress,
    /// Whether it uploads.
    pub is_uploading: AtomicBool,
}

impl Default for SyncProgress {
    fn default() -> Self {
        let stop = Stop::default();
        Self {
            prepare: Progress::of(stop.clone()),
            upload: UploadProgress { stop, ..UploadProgress::default() },
            is_uploading: AtomicBool::default(),
        }
    }
}

impl SyncProgress {
    /// Asks the run to stop.
    pub fn stop(&self) -> &Stop {
        &self.upload.stop
    }
}

/// Runs a job. What it came to is told in any case, also if it failed; it is remembered unless the state cannot be used.
pub fn run(
    config: &SyncConfig,
    progress: &SyncProgress,
    notify: &dyn Fn(&Notice<'_>),
) -> (SyncRecord, Result<()>) {
    let mut record = SyncRecord {
        job: config.job.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: now(),
        command: config.command.clone(),
        replace_command: format!("{} --replace", config.command),
        is_dry_run: config.is_dry_run,
        ..SyncRecord::default()
    };
    let mut state = match State::open(&config.job.state_dir, config.is_dry_run) {
        Ok(state) => state,
        Err(error) => {
            close(&mut record, Some(&error));
            return (record, Err(error));
        }
    };
    let retries = Cell::new(0);
    let count = |notice: &Notice<'_>| {
        retries.set(retries.get() + u64::from(matches!(notice, Notice::Retry { .. })));
        notify(notice);
    };
    let if_killed = SyncRecord {
        ended_at: record.started_at,
        exit_code: KILLED,
        error: Some("it was killed, or is still going on".to_owned()),
        ..record.clone()
    };
    let outcome = state.begin_run(&if_killed).and_then(|run| {
        record.run = run;
        let mut night = Night {
            config,
            state: &mut state,
            progress,
            notify: &count,
            run,
            record: &mut record,
            decided: Vec::new(),
        };
        let outcome = night.pass().map_err(|error| night.state.explained(error));
        night.leave();
        outcome
    });
    record.retries = retries.get();
    close(&mut record, outcome.as_ref().err());
    let kept = if record.run > 0 { state.keep_record(&record) } else { Ok(()) };
    (record, outcome.and(kept))
}

fn close(record: &mut SyncRecord, error: Option<&Error>) {
    record.ended_at = now();
    record.exit_code = error.map_or(ExitCode::Done, Error::exit_code) as u8;
    record.error = error.map(ToString::to_string);
    record.hint = error.and_then(Error::hint).map(str::to_owned);
}

/// A run that is going on.
pub(super) struct Night<'a> {
    pub(super) config: &'a SyncConfig,
    pub(super) state: &'a mut State,
    progress: &'a SyncProgress,
    notify: Notify<'a>,
    pub(super) run: i64,
    pub(super) record: &'a mut SyncRecord,
    /// Audiences about whose create a person's word was heard already, if there was one.
    pub(super) decided: Vec<Label>,
}

impl Night<'_> {
    fn pass(&mut self) -> Result<()> {
        self.timed("settle", Self::settle_earlier)?;
        let prepare = self.find_inputs()?;
        let remembered = self.look_up()?;
        let summary = self.timed("prepare", |night| night.prepare(&prepare, &remembered))?;
        self.describe(&summary, &remembered)?;
        self.check_guards()?;
        let remembered = self.begin_replacements(&prepare, &remembered)?;
        if self.config.is_dry_run {
            return Ok(());
        }
        let (complete, sent) = self.timed("upload", |night| Ok(night.upload(&remembered)))?;
        let settled = self.timed("settle", |night| night.settle_this(&remembered));
        // What was not sent is the graver news.
        if settled.is_err() {
            return sent.and(settled);
        }
        self.complete_replacements(&complete)?;
        let deleted = self.delete_replaced().and_then(|()| self.state.remove_old_runs());
        sent.and(deleted)?;
        if let Err(error) = self.state.merge_holdings() {
            // The next run tries again.
            self.note(format!("earlier runs could not be put together: {error}"));
        }
        Ok(())
    }

    /// A run of which nothing was sent leaves nothing behind.
    fn leave(&mut self) {
        let is_unsent = |state: &State, run| {
            state
                .unsettled()
                .is_ok_and(|left| left.iter().any(|left| left.run == run && !left.is_sent))
        };
        if is_unsent(self.state, self.run) && remove_dir(&self.run_dir()).is_ok() {
            // What is not recorded now, the next run finds out.
            let _recorded = self.state.settled(self.run, &[]);
        }
    }

    pub(super) fn timed<T>(
        &mut self,
        name: &str,
        step: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let started = Instant::now();
        let result = step(self);
        let seconds = started.elapsed().as_secs_f64();
        match self.record.phases.iter_mut().find(|phase| phase.name == name) {
            Some(phase) => phase.seconds += seconds,
            None => self.record.phases.push(PhaseRecord { name: name.to_owned(), seconds }),
        }
        result
    }

    /// Where this run's directory is. A dry run's is gone at its end.
    fn run_dir(&self) -> PathBuf {
        if self.config.is_dry_run { self.state.dry_run_dir() } else { self.state.run_dir(self.run) }
    }

    fn settle_earlier(&mut self) -> Result<()> {
        let run = self.run;
        for left in self.state.unsettled()?.into_iter().filter(|left| left.run != run) {
            if self.config.is_dry_run {
                self.note(format!(
                    "run {} is not finished: a real run would go on with it",
                    left.run
                ));
                continue;
            }
            let progress = &self.progress.upload;
            let decided = settle_left(left, self.config, self.state, progress, self.notify)?;
            self.decided.extend(decided);
        }
        if self.config.is_dry_run { Ok(()) } else { self.delete_replaced() }
    }

    pub(super) fn note(&mut self, note: String) {
        self.record.notes.push(note);
    }

    /// The files of the job, if they are not too old.
    fn find_inputs(&mut self) -> Result<PrepareConfig> {
        let found = self.config.job.find()?;
        let now = SystemTime::now();
        if let Some((age, max_age)) = found.too_old(now) {
            // It is still older when the command is run.
            let hours = age.as_secs() / 3600 + 2;
            self.record.guard = Some(GuardRecord {
                name: "max_age".to_owned(),
                found: Age(age).to_string(),
                limit: Age(max_age).to_string(),
                command: format!("{} --max-age {hours}h", self.config.command_now),
                ..GuardRecord::default()
            });
        }
        found.check_age(now)?;
        Ok(self.config.job.prepare_config(&found))
    }

    pub(super) fn prepare(
        &mut self,
        prepare: &PrepareConfig,
        remembered: &[Remembered],
    ) -> Result<Summary> {
        let mut prepare = prepare.clone();
        prepare.output.dir = self.run_dir();
        prepare.output.overwrite = true;
        prepare.against = self.state.known(remembered)?;
        self.progress.is_uploading.store(false, Ordering::Relaxed);
        let planned = Prepare::plan(prepare, &self.progress.prepare)?;
        planned.run(&self.progress.prepare).inspect_err(|error| {
            if let Error::WrongFile { limits: Some((limit, enough)), .. } = error {
                self.record.guard = Some(GuardRecord {
                    name: "max_rejects".to_owned(),
                    found: format!("up to {enough}"),
                    limit: limit.to_string(),
                    command: format!("{} --max-rejects {enough}", self.config.command_now),
                    ..GuardRecord::default()
                });
            }
        })
    }

    /// Writes down what was prepared.
    pub(super) fn describe(&mut self, summary: &Summary, remembered: &[Remembered]) -> Result<()> {
        let manifest = Manifest::read(&self.run_dir())?;
        let inputs = manifest.inputs.into_iter().filter(|input| !input.is_directory());
        self.record.inputs = inputs
            .map(|input| InputRecord {
                path: input.path,
                role: input.role,
                bytes: input.bytes,
                modified_at: input.modified_ns.and_then(|ns| i64::try_from(ns / 1_000_000).ok()),
                records: input.records,
            })
            .collect();
        self.record.records = summary.records;
        self.record.peak_memory_bytes = summary.peak_memory_bytes;
        self.record.spilled_bytes = summary.spilled_bytes;
        self.record.notes.extend(summary.notes.iter().cloned());
        self.record.audiences.clear();
        for (audience, remembered) in summary.audiences.iter().zip(remembered) {
            let held = self.state.held(&audience.label, remembered.first_run)?;
            let mut described = describe_audience(audience);
            if !self.config.is_dry_run {
                let keep = |list: &Option<PartManifest>, what| {
                    self.state.keep_list(&self.run_dir(), list.as_ref(), &audience.label, what)
                };
                described.gone_list = keep(&audience.gone_list, "gone")?;
                described.must_go_list = keep(&audience.must_go_list, "must-go")?;
            }
            if let Some(target) = self.target_of(&audience.label, remembered)? {
                described.fb_id = target.fb_id.as_ref().map(ToString::to_string);
                described.audience = audience_of(target).map(|id| id.to_string());
            }
            described.held_before = held;
            described.held_after = held;
            self.record.audiences.push(described);
        }
        Ok(())
    }

    fn check_guards(&mut self) -> Result<()> {
        let records = self.state.records(RECORDS_LOOKED_AT)?;
        let passed = |record: &&SyncRecord| record.guard.is_none() && !record.audiences.is_empty();
        let before = records.iter().find(passed);
        let audiences = self.record.audiences.iter().zip(&self.config.job.audiences);
        let stopped: Vec<Stopped> = audiences
            .flat_map(|(described, audience)| guards::check(&audience.guards, described, before))
            .collect();
        if stopped.is_empty() { Ok(()) } else { Err(self.stop_at(stopped)) }
    }

    /// A guard stops the run: what was found, and how to go on once a person has looked.
    fn stop_at(&mut self, stopped: Vec<Stopped>) -> Error {
        let flags = guards::flags_to_pass(&stopped);
        let messages: Vec<&str> = stopped.iter().map(|stopped| &stopped.message[..]).collect();
        let message = format!("nothing was posted: {}", messages.join("; "));
        let first = stopped.into_iter().next().map(|stopped| stopped.guard);
        let command = format!("{} {flags}", self.config.command_now);
        self.record.guard = first.map(|guard| GuardRecord { command, ..guard });
        Error::WrongFile {
            message,
            hint: Some(format!(
                "look at the inputs; if they are right, go on for once with {flags}"
            )),
            limits: None,
        }
    }

    /// Uploads audience by audience; those that are complete. One that fails does not keep the others from being
    /// uploaded, unless there is no point in trying.
    fn upload(&mut self, remembered: &[Remembered]) -> (Vec<Label>, Result<()>) {
        self.progress.is_uploading.store(true, Ordering::Relaxed);
        let config = self.config;
        let mut first_error = None;
        let mut complete = Vec::new();
        for (audience, remembered) in config.job.audiences.iter().zip(remembered) {
            match self.upload_one(audience, remembered) {
                Ok(()) => complete.push(audience.spec.label.clone()),
                Err(error) => {
                    let code = error.exit_code();
                    first_error.get_or_insert(error);
                    let is_hopeless = matches!(
                        code,
                        ExitCode::Credentials | ExitCode::Interrupted | ExitCode::Terminated
                    );
                    if is_hopeless {
                        break;
                    }
                }
            }
        }
        (complete, first_error.map_or(Ok(()), Err))
    }

    fn upload_one(&mut self, audience: &JobAudience, remembered: &Remembered) -> Result<()> {
        let label = &audience.spec.label;
        let is_replacement = remembered.next_first_run.is_some();
        let at = self.record.audiences.iter().position(|of| of.name == label.as_str());
        let at = at.ok_or(Error::Internal("an audience that was not prepared"))?;
        if self.record.audiences[at].parts == 0 {
            if is_replacement && self.state.held(label, remembered.counts_from())? == 0 {
                return Err(Error::WrongFile {
                    message: format!(
                        "nobody would be left of `{label}`, so that it is not replaced"
                    ),
                    hint: Some("delete it by hand: throng audience delete ID".to_owned()),
                    limits: None,
                });
            }
            "none".clone_into(&mut self.record.audiences[at].action);
            return Ok(());
        }
        let generation = remembered.next_generation();
        // That it does not exist was looked into before. One that takes its place is another one.
        let adopted = self
            .verdict(label)
            .filter(|verdict| **verdict != Verdict::IsNot && !is_replacement)
            .cloned();
        let upload =
            upload_config(self.config, audience, generation, self.run, self.state, adopted)?;
        let (client, stop) = (self.config.client.clone(), self.progress.stop());
        let upload = Upload::plan(upload, client, &mut self.state.ledger, stop)?;
        let action = match upload.target_state() {
            _ if is_replacement => "replace",
            TargetState::Ready { .. } => "add",
            TargetState::Planned | TargetState::Intent { .. } | TargetState::Deleted => "create",
        };
        action.clone_into(&mut self.record.audiences[at].action);
        self.state.begin_upload(self.run, label, upload.target_id())?;
        let uploaded = upload.run(&mut self.state.ledger, &self.progress.upload, self.notify);
        let uploaded = uploaded.map_err(|error| named(error, label))?;
        let described = &mut self.record.audiences[at];
        (described.audience, described.fb_id) = (uploaded.audience, uploaded.fb_id);
        Ok(())
    }

    /// Settles this run, and writes down what was confirmed.
    fn settle_this(&mut self, remembered: &[Remembered]) -> Result<()> {
        let is_sent =
            self.state.unsettled()?.iter().any(|left| left.run == self.run && left.is_sent);
        if !is_sent {
            return Ok(());
        }
        let confirmed = settle(self.run, self.state)?;
        for (described, remembered) in self.record.audiences.iter_mut().zip(remembered) {
            let of_audience = confirmed.iter().filter(|of| of.label == remembered.label);
            for part in of_audience.flat_map(|of| &of.parts) {
                described.parts_sent += 1;
                described.entries_sent += part.lines;
                described.bytes_sent += part.bytes;
            }
            if remembered.next_first_run.is_none() {
                described.held_after = described.held_before + described.entries_sent;
            }
        }
        Ok(())
    }
}

fn describe_audience(audience: &AudienceSummary) -> AudienceRecord {
    let rejects = audience.rejects.iter().map(|reject| RejectRecord {
        reason: reject.reason.to_owned(),
        advice: reject.advice.to_owned(),
        count: reject.count,
        first_source: reject.first_source.clone(),
        first_line: reject.first_line,
    });
    AudienceRecord {
        name: audience.label.to_string(),
        user_type: audience.user_type.name().to_owned(),
        action: "none".to_owned(),
        read: audience.read,
        blank: audience.blank,
        rejected: audience.rejected,
        rejects: rejects.collect(),
        duplicates: audience.duplicates,
        members: audience.raw + audience.prehashed - audience.duplicates,
        suppressed: audience.suppressed,
        known: audience.known,
        gone: audience.gone,
        must_go: audience.must_go,
        suppression_read: audience.suppression_read,
        suppression_rejected: audience.suppression_rejected,
        new: audience.written,
        parts: audience.parts.len() as u64,
        ..AudienceRecord::default()
    }
}
