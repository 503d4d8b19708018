//! Taking people out of audiences, where a platform can.
//!
//! ```text
//! settle    removals of an earlier run: what may have been sent is sent again, what is confirmed is applied
//! ...       prepare: who is gone, who must go; guards
//! cut       both lists -> parts like others, in the state directory
//! remove    intended -> sent -> confirmed, before anybody is added
//! apply     what the store has of added parts is rewritten without them, and the removal is forgotten
//! ```
//!
//! Who opted out is taken out also if a guard stops what would be added. What was confirmed is applied before anything is
//! prepared, so that nobody counts as known who is out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use super::audiences::{NightAudience, is_interruption, named};
use super::cut::{Cutting, Removal, without};
use super::guards::{self, Stopped};
use super::night::Night;
use crate::error::{Error, ExitCode, Result};
use crate::job::Remove;
use crate::limits::INVALID_SHARE;
use crate::store::deliveries::NewPart;
use crate::store::{Generations, HeldPart, Purpose, Removed, Standing, Target};
use crate::upload::{Part, Upload};

/// Who is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    /// Who opted out.
    OptedOut,
    /// These, and who is no member any more.
    All,
}

impl Night<'_> {
    /// Whether anybody is taken out of audiences.
    pub(super) fn removes(&self) -> bool {
        let can_remove = self.config.client.platform().capabilities().can_remove;
        can_remove && self.config.job.target.remove != Remove::Never
    }

    /// Whether those are taken out who are no members any more.
    pub(super) fn removes_gone(&self) -> bool {
        self.removes() && self.config.job.target.remove == Remove::Gone
    }

    /// Finishes removals of earlier runs. Nothing is added tonight to an audience of which one cannot be finished.
    pub(super) fn settle_removals(&mut self, audiences: &mut [NightAudience<'_>]) -> Result<()> {
        for audience in audiences.iter_mut().filter(|audience| audience.trouble.is_none()) {
            for target in there(audience) {
                let removals = self.store.removals(&target)?;
                if removals.is_empty() {
                    continue;
                }
                if self.config.is_dry_run {
                    self.note(format!(
                        "it is not known whether all who left `{}` are out: a real run would take them out first",
                        audience.label()
                    ));
                    continue;
                }
                self.store.send_removals_again(&target)?;
                let left = removals.into_iter().filter(|(_, is_confirmed)| !is_confirmed);
                let left: Vec<HeldPart> = left.map(|(part, _)| part).collect();
                let taken_out = self.take_out(audience, &target, &left);
                // Tonight is prepared there.
                self.store.remove_prepared()?;
                if let Err(error) = taken_out {
                    self.not_taken_out(audience, &target, error)?;
                }
            }
        }
        Ok(())
    }

    /// Guards of what is taken out: most of an audience is not, whatever lists say.
    pub(super) fn check_removals(&self, audiences: &[NightAudience<'_>]) -> Result<Vec<Stopped>> {
        let mut stopped = Vec::new();
        if !self.removes() {
            return Ok(stopped);
        }
        for (described, audience) in self.record.audiences.iter().zip(audiences) {
            let sets = &described.figures.sets;
            let gone = if self.removes_gone() { sets.gone } else { 0 };
            let held = self.held_of(audience)?;
            let leaving = (gone, sets.must_go);
            stopped.extend(guards::check_removal(
                &audience.job.guards,
                &described.name,
                leaving,
                held,
            ));
        }
        Ok(stopped)
    }

    /// Different entries that are, or may be, in an audience, at least: those that are confirmed, or those of one run. Parts of
    /// several runs without an answer may be about the same people.
    fn held_of(&self, audience: &NightAudience<'_>) -> Result<u64> {
        let held = self.store.held_parts(audience.generations.target())?;
        let confirmed = held.iter().filter(|part| part.standing == Standing::Confirmed);
        let mut most: u64 = confirmed.map(|part| part.entries).sum();
        let mut of_runs: BTreeMap<Option<&Path>, u64> = BTreeMap::new();
        for part in &held {
            let of_run = of_runs.entry(part.path.parent()).or_default();
            *of_run += part.entries;
            most = most.max(*of_run);
        }
        Ok(most)
    }

    /// Takes people out of all audiences. Nothing is added tonight to one of which they cannot be taken out.
    pub(super) fn remove(&mut self, audiences: &mut [NightAudience<'_>], whom: Whom) -> Result<()> {
        for audience in audiences.iter_mut().filter(|audience| audience.trouble.is_none()) {
            let described = self.described(audience)?;
            let must_go = described.figures.sets.must_go;
            let gone = if whom == Whom::All { described.figures.sets.gone } else { 0 };
            let lists = [
                described.must_go_list.clone().filter(|_| must_go > 0),
                described.gone_list.clone().filter(|_| gone > 0),
            ];
            let guards = &audience.job.guards;
            let is_stopped =
                guards::check_removal(guards, "", (0, must_go), self.held_of(audience)?).is_some();
            if gone + must_go == 0 || is_stopped {
                continue;
            }
            if self.config.is_dry_run {
                let described = self.described(audience)?;
                (described.removed_opted_out, described.removed_gone) = (must_go, gone);
                continue;
            }
            if let [Some(must_go), _] = &lists {
                let remembered = self.remember_opted_out(audience, Path::new(must_go));
                // That keeps nobody in.
                remembered.unwrap_or_else(|error| self.note(error.to_string()));
            }
            let leaving = Leaving {
                opt_out: lists[0].is_some(),
                lists: lists.into_iter().flatten().map(PathBuf::from).collect(),
            };
            if self.remove_of(audience, &leaving)? {
                self.describe_removed(audience, whom)?;
            }
        }
        Ok(())
    }

    /// Takes people out of an audience, wherever it is; false if somebody may still be in.
    fn remove_of(&mut self, audience: &mut NightAudience<'_>, leaving: &Leaving) -> Result<bool> {
        let mut are_out = true;
        for target in there(audience) {
            if let Err(error) = self.remove_from(audience, &target, leaving) {
                self.not_taken_out(audience, &target, error)?;
                are_out = false;
            }
        }
        Ok(are_out)
    }

    /// Takes people out of one generation.
    fn remove_from(
        &mut self,
        audience: &NightAudience<'_>,
        target: &Target,
        leaving: &Leaving,
    ) -> Result<()> {
        let dir = self.store.prepared_dir();
        let held = self.added_parts(target)?;
        let name = format!("removal-{}", target.id);
        let cutting = Cutting { dir: &dir, name, lists: &leaving.lists };
        let removals = cutting.cut(&held, target.user_type)?;
        if removals.is_empty() {
            return Ok(());
        }
        self.keep_removals(target, &removals, leaving)?;
        let parts: Vec<HeldPart> = removals
            .iter()
            .map(|removal| HeldPart {
                sha256: removal.sha256.clone(),
                entries: removal.entries,
                bytes: removal.bytes,
                path: self.store.part_path(self.run, &removal.sha256),
                standing: Standing::Confirmed,
            })
            .collect();
        self.take_out(audience, target, &parts)
    }

    /// People could not be taken out of a generation: nobody is added to it tonight. That does not keep another one from
    /// taking its place, and an old one does not hold up the live one. An error if the run is asked to stop.
    fn not_taken_out(
        &mut self,
        audience: &mut NightAudience<'_>,
        target: &Target,
        error: Error,
    ) -> Result<()> {
        if is_interruption(&error) {
            return Err(error);
        }
        let error = named(error, audience.label());
        let is_added_to = audience.generations.target().id == target.id;
        if is_added_to && !self.is_replacement_due(audience) {
            audience.trouble = Some(error);
        } else {
            self.not_out.push((target.id, error));
        }
        Ok(())
    }

    /// Where somebody could not be taken out is trouble, unless that audience is gone by now.
    pub(super) fn count_not_out(&mut self, audiences: &[NightAudience<'_>]) {
        let there: Vec<i64> = audiences.iter().flat_map(there).map(|target| target.id).collect();
        let not_out = std::mem::take(&mut self.not_out).into_iter();
        self.troubles.extend(not_out.filter(|(id, _)| there.contains(id)).map(|(_, error)| error));
    }

    /// Notes who could not be taken out, where another error ends the run.
    pub(super) fn note_not_out(&mut self, audiences: &mut [NightAudience<'_>]) {
        let troubles = audiences.iter_mut().filter_map(|audience| audience.trouble.take());
        let not_out = std::mem::take(&mut self.not_out).into_iter().map(|(_, error)| error);
        for error in troubles.chain(not_out) {
            self.note(format!("not everybody could be taken out: {error}"));
        }
    }

    /// The parts that are, or may be, in a target, and can be read.
    pub(super) fn added_parts(&self, target: &Target) -> Result<Vec<HeldPart>> {
        let mut parts = self.store.added_parts(target)?;
        parts.retain(|part| !self.lost.contains(&part.sha256));
        Ok(parts)
    }

    /// Gives removals their place in the state directory.
    fn keep_removals(
        &self,
        target: &Target,
        removals: &[Removal],
        leaving: &Leaving,
    ) -> Result<()> {
        let files: Vec<(PathBuf, &str)> =
            removals.iter().map(|of| (of.path.clone(), &*of.sha256)).collect();
        self.store.put_files(self.run, &files)?;
        let opted_out = |removal: &Removal| if leaving.opt_out { removal.of_first } else { 0 };
        let rows: Vec<(NewPart<'_>, u64)> =
            removals.iter().map(|removal| (removal.for_store(), opted_out(removal))).collect();
        self.store.keep_removals(self.run, target, &rows)
    }

    /// Has the platform take some parts out of a target, and applies all that it confirmed.
    fn take_out(
        &mut self,
        audience: &NightAudience<'_>,
        target: &Target,
        parts: &[HeldPart],
    ) -> Result<()> {
        let mut invalid = 0;
        if let Some(dir) = parts.first().and_then(|part| part.path.parent()) {
            self.progress.is_uploading.store(true, Ordering::Relaxed);
            let mut config = self.upload_config(audience.job, None)?;
            (config.purpose, config.dir) = (Purpose::Remove, dir.to_owned());
            let parts = parts.iter().enumerate().map(|(index, part)| Part {
                path: part.path.clone(),
                file: format!("removal-{:05}.txt", index + 1),
                lines: part.entries,
                bytes: part.bytes,
                sha256: part.sha256.clone(),
            });
            let client = self.config.client.clone();
            let upload =
                Upload::of_job(config, client, self.store, (self.run, target), parts.collect())?;
            let removed = upload.run(self.store, &self.progress.upload, self.notify)?;
            self.removed += removed.entries_sent;
            invalid = removed.entries_invalid;
        }
        self.apply(target)?;
        if invalid == 0 {
            return Ok(());
        }
        Err(Error::api(
            ExitCode::Input,
            format!(
                "the platform takes {invalid} of the entries that are to be taken out for invalid: they may still be in"
            ),
            "the next run takes them out again; if that does not help, build the audience anew with --replace",
        ))
    }

    /// Says of audiences that they hold too many entries that the platform takes for invalid, also in the nights behind the
    /// one that sent them: hardly anybody is in such an audience.
    pub(super) fn check_invalid(&self, audiences: &mut [NightAudience<'_>]) -> Result<()> {
        for audience in audiences.iter_mut().filter(|audience| audience.trouble.is_none()) {
            let (entries, invalid) = self.store.invalid(audience.generations.target())?;
            if invalid * INVALID_SHARE > entries {
                let error = Error::api(
                    ExitCode::Input,
                    format!(
                        "the platform takes {invalid} of the {entries} entries that it holds for invalid"
                    ),
                    "check the user type, and how the values were hashed; then build the audience anew with --replace",
                );
                audience.trouble = Some(named(error, audience.label()));
            }
        }
        Ok(())
    }

    /// Rewrites what the store has of a target without those who were taken out of it.
    fn apply(&self, target: &Target) -> Result<()> {
        let removals = self.store.removals(target)?;
        let confirmed = removals.into_iter().filter(|(_, is_confirmed)| *is_confirmed);
        let removals: Vec<HeldPart> = confirmed.map(|(part, _)| part).collect();
        let dir = self.store.prepared_dir();
        for (index, part) in self.added_parts(target)?.iter().enumerate() {
            self.progress.stop().check()?;
            let path = dir.join(format!("kept-{}-{index}.txt", target.id));
            let Some(left) = without(part, &removals, target.user_type, &path)? else { continue };
            if left.entries == 0 {
                self.store.rewritten(target, self.run, &part.sha256, None)?;
                continue;
            }
            self.store.put_files(self.run, &[(left.path.clone(), &left.sha256)])?;
            self.store.rewritten(target, self.run, &part.sha256, Some(&left.for_store()))?;
        }
        self.store.removed(target)
    }

    /// Writes down that nobody is in any more who was to be taken out.
    fn describe_removed(&mut self, audience: &NightAudience<'_>, whom: Whom) -> Result<()> {
        let (store, label) = (self.store, audience.label());
        let held = store.held(&audience.generations.live)?;
        let (_, invalid) = store.invalid(&audience.generations.live)?;
        store.keep_list(None, &format!("{label}-must-go"))?;
        if whom == Whom::All {
            store.keep_list(None, &format!("{label}-gone"))?;
        }
        let described = self.described(audience)?;
        described.figures.sets.must_go = 0;
        described.must_go_list = None;
        if whom == Whom::All {
            described.figures.sets.gone = 0;
            described.gone_list = None;
        }
        (described.held_after, described.entries_invalid) = (held, invalid);
        self.remember_must_go(audience, 0)
    }

    /// Writes down who was taken out and is told of nowhere yet, also by earlier runs that ended before they could. What is
    /// returned is to be [told](crate::store::Store::removed_told) to the store as well.
    pub(super) fn tell_removed(&mut self) -> Result<Vec<(String, Removed)>> {
        let mut told = Vec::new();
        if self.config.is_dry_run {
            return Ok(told);
        }
        for described in &mut self.record.audiences {
            let removed = self.store.removed_untold(&described.name)?;
            (described.removed_opted_out, described.removed_gone) =
                (removed.opted_out, removed.gone);
            told.push((described.name.clone(), removed));
        }
        Ok(told)
    }
}

/// Lists of people who leave.
struct Leaving {
    lists: Vec<PathBuf>,
    /// Whether those on the first one opted out.
    opt_out: bool,
}

/// What there is of an audience: also what should have been deleted and is there, since advertisers can use it.
fn there(audience: &NightAudience<'_>) -> Vec<Target> {
    let Generations { live, next, old, .. } = &audience.generations;
    let all = std::iter::once(live).chain(next).chain(old);
    all.filter(|target| target.platform_id().is_some()).cloned().collect()
}
