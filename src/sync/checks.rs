//! The guards of a night: what was prepared is held against the last run that passed them.

use super::audiences::NightAudience;
use super::guards::{self, Stopped};
use super::night::Night;
use super::record::records;
use super::{GuardRecord, SyncRecord};
use crate::config::PrepareConfig;
use crate::error::{Error, Result};

/// Runs whose records are looked through for the last one that passed the guards.
pub(super) const RECORDS_LOOKED_AT: u32 = 366;

impl Night<'_> {
    /// Looks at what was prepared: the inner error is that of a guard that stops the run, so that nobody is added.
    pub(super) fn check_guards(
        &mut self,
        prepare: &PrepareConfig,
        of_night: &[NightAudience<'_>],
    ) -> Result<Result<()>> {
        let records = records(self.store.records(RECORDS_LOOKED_AT)?);
        let passed = |record: &&SyncRecord| record.has_passed_guards;
        let before = records.iter().find(passed);
        self.count_opted_out_of_lists(before, prepare, of_night)?;
        let audiences = self.record.audiences.iter().zip(&self.config.job.audiences);
        let lists = self.record.opt_out_lists.iter().zip(&self.config.job.suppress);
        let stopped: Vec<Stopped> = lists
            .flat_map(|(described, list)| {
                guards::check_list(&list.guards, described, before, &self.record.audiences)
            })
            .chain(audiences.flat_map(|(described, audience)| {
                guards::check(&audience.guards, described, before)
            }))
            .chain(self.check_removals(of_night)?)
            .collect();
        Ok(if stopped.is_empty() { Ok(()) } else { Err(self.stop_at(stopped)) })
    }

    /// Where a list would stop the run since nobody of it is a member, and people were taken out by it before, they count.
    fn count_opted_out_of_lists(
        &mut self,
        before: Option<&SyncRecord>,
        prepare: &PrepareConfig,
        of_night: &[NightAudience<'_>],
    ) -> Result<()> {
        if !self.removes() {
            return Ok(());
        }
        for (index, list) in self.config.job.suppress.iter().enumerate() {
            let mut described = self.record.opt_out_lists[index].clone();
            let stopped =
                guards::check_list(&list.guards, &described, before, &self.record.audiences);
            if stopped.iter().any(|of| of.guard.name == guards::MEMBERS) {
                self.count_opted_out(&mut described, prepare, of_night)?;
                self.record.opt_out_lists[index] = described;
            }
        }
        Ok(())
    }

    /// A guard stops the run: what was found, and how to go on once a person has looked.
    fn stop_at(&mut self, stopped: Vec<Stopped>) -> Error {
        let flags = guards::flags_to_pass(&stopped);
        let messages: Vec<&str> = stopped.iter().map(|stopped| &stopped.message[..]).collect();
        let what = if self.removes() { "nobody was added" } else { "nothing was posted" };
        let message = format!("{what}: {}", messages.join("; "));
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
}
