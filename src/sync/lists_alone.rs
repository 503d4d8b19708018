//! Nights whose inputs are refused: nobody knows who is a member, but who opted out is taken out all the same.

use super::audiences::{NightAudience, is_interruption};
use super::night::{GoneLists, Night};
use super::remove::Whom;
use crate::config::{PrepareConfig, SuppressInput};
use crate::error::{Error, Result};
use crate::forget;
use crate::prepare::summary::Summary;
use crate::store::Removed;

impl Night<'_> {
    /// Takes out who opted out where the inputs are refused: opt-out lists alone are held against what audiences hold. Who
    /// is linked to somebody by a row of the inputs is not found so.
    pub(super) fn remove_by_lists(&mut self, audiences: &mut [NightAudience<'_>]) -> Result<()> {
        if self.config.is_dry_run {
            return Ok(());
        }
        let refused = (self.record.guard.clone(), self.record.notes.len());
        let found = match self.find_who_opted_out(audiences) {
            Err(error) if is_interruption(&error) => return Err(error),
            found => found,
        };
        // What is told of this night is about the inputs.
        self.record.notes.truncate(refused.1);
        self.record.warnings.clear();
        self.record.guard = refused.0;
        match found {
            Ok(Lists::Read(unreadable)) => {
                for error in unreadable {
                    self.note(format!(
                        "who opted out by a list that cannot be read alone was not looked for: {error}"
                    ));
                }
                self.remove(audiences, Whom::OptedOut)?;
            }
            Ok(Lists::None) => {}
            Err(error) => {
                self.note(format!("it could not be found out who has opted out: {error}"));
            }
        }
        let removed = self.tell_removed()?;
        for (label, Removed { opted_out, .. }) in removed {
            if opted_out > 0 {
                self.note(format!(
                    "{opted_out} who opted out were taken out of `{label}` all the same"
                ));
                self.told.push((label, Removed { opted_out, gone: 0 }));
            }
        }
        self.note_not_out(audiences);
        self.record.audiences.clear();
        self.record.inputs.clear();
        self.record.opt_out_lists.clear();
        self.record.records = 0;
        Ok(())
    }

    /// Holds opt-out lists against what audiences hold: all of them that can be read.
    pub(super) fn find_who_opted_out(&mut self, audiences: &[NightAudience<'_>]) -> Result<Lists> {
        let found = self.config.job.find_lists(self.progress.stop());
        let mut prepare = self.config.job.prepare_config(&found);
        let types = self.config.job.audiences.iter().map(|audience| audience.spec.user_type);
        prepare.suppress.extend(forget::lists(self.store, types));
        if prepare.suppress.is_empty() {
            return Ok(Lists::None);
        }
        prepare.lists_alone = true;
        prepare.output.rejects = None;
        let mut summary = self.timed("prepare", |night| night.prepare(&prepare, audiences));
        let mut unreadable = Vec::new();
        if summary.as_ref().is_err_and(|error| !is_interruption(error)) {
            // What is wrong with one of them keeps nobody in who stands in another one.
            let lists = std::mem::take(&mut prepare.suppress);
            prepare.suppress = self.readable(&prepare, lists, &mut unreadable)?;
            if !prepare.suppress.is_empty() {
                summary = self.timed("prepare", |night| night.prepare(&prepare, audiences));
            }
        }
        self.describe(&summary?, audiences, GoneLists::Left).map(|()| Lists::Read(unreadable))
    }

    /// Those of some lists that can be read, and why the others cannot. As few are read again as one that cannot leaves.
    fn readable(
        &mut self,
        prepare: &PrepareConfig,
        mut lists: Vec<SuppressInput>,
        unreadable: &mut Vec<Error>,
    ) -> Result<Vec<SuppressInput>> {
        match self.read_alone(prepare, &lists) {
            Ok(_) => return Ok(lists),
            Err(error) if is_interruption(&error) => return Err(error),
            Err(error) if lists.len() < 2 => {
                unreadable.push(error);
                return Ok(Vec::new());
            }
            Err(_) => {}
        }
        let others = lists.split_off(lists.len() / 2);
        let mut readable = self.readable(prepare, lists, unreadable)?;
        readable.extend(self.readable(prepare, others, unreadable)?);
        Ok(readable)
    }

    /// Reads some lists, and holds them against nothing.
    fn read_alone(&mut self, prepare: &PrepareConfig, lists: &[SuppressInput]) -> Result<Summary> {
        let prepare = PrepareConfig { suppress: lists.to_vec(), ..prepare.clone() };
        self.timed("prepare", |night| night.prepare(&prepare, &[]))
    }
}

/// What was found of opt-out lists.
pub(super) enum Lists {
    /// There are none.
    None,
    /// They were held against the audiences, but for some that cannot be read.
    Read(Vec<Error>),
}
