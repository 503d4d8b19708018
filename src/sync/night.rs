//! One run of a job, step by step.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime};

use super::audiences::NightAudience;
use super::config::SyncConfig;
use super::outcome::outcome;
use super::record::if_killed;
use super::remove::Whom;
use super::{
    AudienceRecord, GuardRecord, InputRecord, ListAudienceRecord, OptOutListRecord, PhaseRecord,
    SyncRecord,
};
use crate::config::{KnownInput, KnownPart, KnownSource, PrepareConfig, Role};
use crate::disk::sqlite::now;
use crate::emit::{Manifest, PartManifest};
use crate::error::{Error, ExitCode, Result};
use crate::forget;
use crate::job::{self, Age, FoundPattern};
use crate::prepare::Prepare;
use crate::prepare::summary::{AudienceSummary, Summary};
use crate::progress::Progress;
use crate::stop::Stop;
use crate::store::{Removed, RunId, Standing, Store, TargetLock};
use crate::upload::{Notice, UploadProgress};

/// The thing to do if parts are lost or damaged.
const HINT_DAMAGED: &str = "restore the whole state directory from a backup, or build new audiences without it: --full --replace";

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

/// Runs a job. Its record is returned in any case, also if it failed; it is remembered unless the store cannot be used.
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
    let retries = Cell::new(0);
    let count = |notice: &Notice<'_>| {
        retries.set(retries.get() + u64::from(matches!(notice, Notice::Retry { .. })));
        notify(notice);
    };
    let opened = open(config).and_then(|(store, lock)| {
        let run = store.begin_run(&config.command, Some(&if_killed(&record).to_json()?))?;
        Ok((store, lock, run))
    });
    let (store, _lock, run) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            close(&mut record, Some(&error));
            return (record, Err(error));
        }
    };
    record.run = run.number();
    let mut night = Night::new(config, (&store, run), progress, &count, &mut record);
    let outcome = night.pass().map_err(|error| explained(error, &store));
    let told = night.tell();
    // Whatever the run has prepared and not kept is of no use.
    let left = store.remove_prepared();
    let (told, is_told) = match told {
        Ok(told) => (told, Ok(())),
        Err(error) => (Vec::new(), Err(error)),
    };
    let outcome = outcome.and(is_told).and(left);
    record.retries = retries.get();
    close(&mut record, outcome.as_ref().err());
    let kept = record.to_json().and_then(|json| store.keep_record(run, &json, &told));
    (record, outcome.and(kept))
}

/// The store of a job, which nobody else runs meanwhile.
pub(super) fn open(config: &SyncConfig) -> Result<(Store, TargetLock)> {
    let store = Store::open(&config.job.state_dir)?;
    let lock = store.lock_job()?.ok_or_else(|| {
        Error::api(
            ExitCode::Temporary,
            "another run of this job is going on",
            "wait until it has finished; a killed one holds nothing up",
        )
    })?;
    store.check_complete()?;
    store.remove_unneeded()?;
    let store = if config.is_dry_run { store.in_memory()? } else { store };
    Ok((store, lock))
}

fn close(record: &mut SyncRecord, error: Option<&Error>) {
    record.ended_at = now();
    record.exit_code = error.map_or(ExitCode::Done, Error::exit_code) as u8;
    record.error = error.map(ToString::to_string);
    record.hint = error.and_then(Error::hint).map(str::to_owned);
}

/// An error about a part in the state directory, with what to do about it.
pub(super) fn explained(error: Error, store: &Store) -> Error {
    match error {
        Error::Input { path, line, message, .. } if path.starts_with(store.parts_dir()) => {
            Error::Input { path, line, message, hint: Some(HINT_DAMAGED.to_owned()) }
        }
        other => other,
    }
}

/// The lists of who is gone that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GoneLists {
    /// Those of this preparation take their place.
    Kept,
    /// They stay: beside an audience that is begun anew, nobody is gone.
    Left,
}

/// A run that is going on.
pub(super) struct Night<'a> {
    pub(super) config: &'a SyncConfig,
    pub(super) store: &'a Store,
    pub(super) progress: &'a SyncProgress,
    pub(super) notify: &'a dyn Fn(&Notice<'_>),
    pub(super) run: RunId,
    pub(super) record: &'a mut SyncRecord,
    /// What went wrong without ending the run.
    pub(super) troubles: Vec<Error>,
    /// Generations from which somebody could not be taken out, though that does not hold up the audience, and why.
    pub(super) not_out: Vec<(i64, Error)>,
    /// Audiences that could not be deleted in this run.
    pub(super) undeleted: Vec<i64>,
    /// Parts that are lost or damaged, where everybody is to be sent again.
    pub(super) lost: BTreeSet<String>,
    /// Entries that were taken out of audiences in this run.
    pub(super) removed: u64,
    /// Those of whom notes tell that they were taken out.
    pub(super) told: Vec<(String, Removed)>,
    /// How many files each opt-out list of the job has.
    list_files: Vec<usize>,
}

impl<'a> Night<'a> {
    pub(super) fn new(
        config: &'a SyncConfig,
        (store, run): (&'a Store, RunId),
        progress: &'a SyncProgress,
        notify: &'a dyn Fn(&Notice<'_>),
        record: &'a mut SyncRecord,
    ) -> Self {
        Self {
            config,
            store,
            progress,
            notify,
            run,
            record,
            troubles: Vec::new(),
            not_out: Vec::new(),
            undeleted: Vec::new(),
            lost: BTreeSet::new(),
            removed: 0,
            told: Vec::new(),
            list_files: Vec::new(),
        }
    }
}

impl Night<'_> {
    fn pass(&mut self) -> Result<()> {
        let known = self.store.must_go()?;
        self.record.must_go = known.into_iter().map(Into::into).collect();
        let mut audiences = self.timed("look up", Self::look_up)?;
        self.timed("delete", |night| night.delete_replaced(&audiences))?;
        self.timed("remove", |night| night.settle_removals(&mut audiences))?;
        let prepared = self.find_inputs().and_then(|prepare| {
            let summary = self.timed("prepare", |night| night.prepare(&prepare, &audiences))?;
            Ok((prepare, summary))
        });
        let (prepare, summary) = match prepared {
            Err(error) if self.removes() && error.exit_code() == ExitCode::Input => {
                self.remove_by_lists(&mut audiences)?;
                self.purge();
                return Err(error);
            }
            prepared => prepared?,
        };
        self.describe(&summary, &audiences, GoneLists::Kept)?;
        let passed = self.check_guards(&prepare, &audiences)?;
        if passed.is_ok() {
            self.start_over(&mut audiences)?;
        }
        if self.removes() {
            let takes_all = passed.is_ok() && self.removes_gone();
            let whom = if takes_all { Whom::All } else { Whom::OptedOut };
            self.timed("remove", |night| night.remove(&mut audiences, whom))?;
        }
        if let Err(error) = passed {
            self.note_not_out(&mut audiences);
            self.purge();
            return Err(error);
        }
        self.record.has_passed_guards = true;
        self.begin_replacements(&prepare, &mut audiences)?;
        if self.config.is_dry_run {
            return Ok(());
        }
        self.timed("upload", |night| night.upload(&mut audiences))?;
        self.check_invalid(&mut audiences)?;
        self.complete_replacements(&mut audiences)?;
        self.timed("delete", |night| night.delete_replaced(&audiences))?;
        self.count_must_go(&mut audiences)?;
        self.count_not_out(&audiences);
        self.tidy(&audiences);
        let sent = self.record.audiences.iter().map(|audience| audience.parts_sent).sum::<u64>();
        let of_audiences = audiences.into_iter().filter_map(|audience| audience.trouble);
        let has_sent = sent > 0 || self.removed > 0;
        outcome(of_audiences.chain(self.troubles.drain(..)).collect(), has_sent)
    }

    /// Has the record tell who was taken out; all of whom it tells.
    fn tell(&mut self) -> Result<Vec<(String, Removed)>> {
        let mut told = self.tell_removed()?;
        told.append(&mut self.told);
        Ok(told)
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

    pub(super) fn note(&mut self, note: String) {
        self.record.notes.push(note);
    }

    /// The record of an audience that was prepared.
    pub(super) fn described(
        &mut self,
        audience: &NightAudience<'_>,
    ) -> Result<&mut AudienceRecord> {
        let label = audience.label().as_str();
        let described = self.record.audiences.iter_mut().find(|of| of.name == label);
        described.ok_or(Error::Internal("an audience that was not prepared"))
    }

    /// The files of the job, if they are not too old.
    fn find_inputs(&mut self) -> Result<PrepareConfig> {
        let found = self.config.job.find(self.progress.stop())?;
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
        let files = |list: &Vec<FoundPattern>| list.iter().map(|found| found.files.len()).sum();
        self.list_files = found.suppress.iter().map(files).collect();
        let mut prepare = self.config.job.prepare_config(&found);
        // They are no list of the job's, so they come behind those.
        let types = self.config.job.audiences.iter().map(|audience| audience.spec.user_type);
        prepare.suppress.extend(forget::lists(self.store, types));
        Ok(prepare)
    }

    pub(super) fn prepare(
        &mut self,
        prepare: &PrepareConfig,
        audiences: &[NightAudience<'_>],
    ) -> Result<Summary> {
        let mut prepare = prepare.clone();
        prepare.output.dir = self.store.prepared_dir();
        prepare.output.overwrite = true;
        prepare.against = self.known(audiences)?;
        // Whoever may be in an audience may have to be taken out.
        prepare.unconfirmed_can_be_gone = self.removes_gone();
        self.progress.is_uploading.store(false, Ordering::Relaxed);
        let planned = Prepare::plan(prepare, &self.progress.prepare).map_err(job::error_by_keys)?;
        planned.run(&self.progress.prepare).map_err(job::error_by_keys).inspect_err(|error| {
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

    /// What audiences hold, and what they may hold, verified when it is read.
    fn known(&self, audiences: &[NightAudience<'_>]) -> Result<Vec<KnownInput>> {
        let options = self.store.last_options()?.unwrap_or_default();
        let mut known = Vec::new();
        for audience in audiences {
            let mut held = self.store.held_parts(audience.generations.target())?;
            held.retain(|part| !self.lost.contains(&part.sha256));
            if self.config.is_full {
                // Everybody is sent again.
                for part in &mut held {
                    part.standing = Standing::Possible;
                }
            }
            for (standing, role) in
                [(Standing::Confirmed, Role::Known), (Standing::Possible, Role::Unconfirmed)]
            {
                let parts: Vec<KnownPart> = held
                    .iter()
                    .filter(|part| part.standing == standing)
                    .map(|part| KnownPart {
                        path: part.path.clone(),
                        lines: part.entries,
                        bytes: part.bytes,
                        sha256: part.sha256.clone(),
                    })
                    .collect();
                if !parts.is_empty() {
                    let (label, options) = (audience.label().clone(), options.clone());
                    let source = KnownSource::Parts { label, parts, options };
                    known.push(KnownInput { source, role });
                }
            }
        }
        Ok(known)
    }

    /// Writes down what was prepared, and keeps the lists of it.
    pub(super) fn describe(
        &mut self,
        summary: &Summary,
        audiences: &[NightAudience<'_>],
        gone: GoneLists,
    ) -> Result<()> {
        let manifest = Manifest::read(&self.store.prepared_dir())?;
        let inputs = manifest.inputs.into_iter().filter(|input| !input.is_directory());
        self.record.inputs = inputs
            .map(|input| InputRecord {
                path: input.path,
                role: input.role,
                bytes: input.bytes,
                modified_at: input.modified_ns.and_then(|ns| i64::try_from(ns / 1_000_000).ok()),
                records: input.records,
                dropped: input.dropped,
            })
            .collect();
        self.record.opt_out_lists = self.describe_lists(summary);
        self.record.records = summary.records;
        self.record.peak_memory_bytes = summary.peak_memory_bytes;
        self.record.spilled_bytes = summary.spilled_bytes;
        self.record.notes.extend(summary.notes.iter().map(|note| job::by_keys(note)));
        self.record.warnings.extend(summary.warnings.iter().map(|text| job::by_keys(text)));
        self.record.audiences.clear();
        for (prepared, audience) in summary.audiences.iter().zip(audiences) {
            let live = &audience.generations.live;
            let held = self.store.held(live)?;
            let mut described = describe_audience(prepared);
            if gone == GoneLists::Kept {
                described.gone_list =
                    self.keep_list(prepared.gone_list.as_ref(), audience, "gone")?;
            }
            described.must_go_list =
                self.keep_list(prepared.must_go_list.as_ref(), audience, "must-go")?;
            described.audience = live.platform_id().map(ToString::to_string);
            described.fb_id = live.fb_id.as_ref().map(ToString::to_string);
            (described.held_before, described.held_after) = (held, held);
            described.entries_invalid = self.store.invalid(live)?.1;
            self.record.audiences.push(described);
            self.remember_must_go(audience, prepared.figures.sets.must_go)?;
        }
        Ok(())
    }

    /// The opt-out lists: their files stand among the inputs in the order in which the job has them.
    fn describe_lists(&self, summary: &Summary) -> Vec<OptOutListRecord> {
        let mut files = self.record.inputs.iter().filter(|input| input.role == "suppressed");
        let lists = job::list_names(&self.config.job.suppress).into_iter().zip(&self.list_files);
        lists
            .map(|(name, count)| {
                let figures = summary.audiences.iter().flat_map(|of| &of.figures.opt_out_lists);
                let of_it = || figures.clone().filter(|list| list.name == name);
                let suspicion = of_it().find_map(|list| list.suspicion.as_deref());
                let by_audience = summary.audiences.iter().flat_map(|audience| {
                    let of_it =
                        audience.figures.opt_out_lists.iter().filter(|list| list.name == name);
                    of_it.map(|list| ListAudienceRecord {
                        audience: audience.label.to_string(),
                        usable: list.usable,
                        members: list.members,
                        taken_out: 0,
                    })
                });
                let by_audience = by_audience.collect();
                OptOutListRecord {
                    records: files.by_ref().take(*count).map(|file| file.records).sum(),
                    usable: of_it().map(|list| list.usable).sum(),
                    members: of_it().map(|list| list.members).sum(),
                    taken_out: 0,
                    suspicion: suspicion.map(job::by_keys),
                    audiences: by_audience,
                    name,
                }
            })
            .collect()
    }

    /// Keeps a list where people find it; a dry run leaves alone what is there.
    fn keep_list(
        &self,
        list: Option<&PartManifest>,
        audience: &NightAudience<'_>,
        kind: &str,
    ) -> Result<Option<String>> {
        if self.config.is_dry_run {
            return Ok(None);
        }
        let list = list.map(|list| self.store.prepared_dir().join(&list.file));
        self.store.keep_list(list.as_deref(), &format!("{}-{kind}", audience.label()))
    }

    /// Remembers how many must go, for runs that end before they know.
    pub(super) fn remember_must_go(
        &mut self,
        audience: &NightAudience<'_>,
        entries: u64,
    ) -> Result<()> {
        self.store.remember_must_go(audience.generations.audience, entries)?;
        let label = audience.label().as_str();
        self.record.must_go.retain(|of| of.audience != label);
        let user_type = audience.job.spec.user_type.name().to_owned();
        self.record.must_go.push((label.to_owned(), user_type, entries, now()).into());
        Ok(())
    }
}

fn describe_audience(audience: &AudienceSummary) -> AudienceRecord {
    AudienceRecord {
        name: audience.label.to_string(),
        user_type: audience.user_type.name().to_owned(),
        action: "none".to_owned(),
        new: audience.figures.sets.written,
        figures: audience.figures.clone(),
        parts: audience.parts.len() as u64,
        ..AudienceRecord::default()
    }
}
