//! A new audience in the place of one that people must leave, since the API can take nobody out of it.
//!
//! ```text
//! begin     the live audience's entries do not count any more for what is prepared     state: next_first_run
//! upload    everybody, to an audience of the next generation, in as many runs as it takes
//! complete  the new one is live, the old one is to be deleted                          state: generation, delete_id
//! delete    the old one; in the next run, if it fails                                  state: nothing is left to do
//! ```

use super::night::Night;
use super::state::Remembered;
use super::targets::audience_of;
use crate::config::{Label, PrepareConfig};
use crate::error::{Error, ExitCode, Result};
use crate::job::{JobAudience, Replace};
use crate::upload::FailureKind;

impl Night<'_> {
    pub(super) fn begin_replacement(&mut self, audience: &JobAudience) -> Result<()> {
        if audience.creation.is_none() {
            return Err(Error::usage(
                format!(
                    "the audience that takes the place of `{}` has no name",
                    audience.spec.label
                ),
                "give it a `name` in the job file, beside its `id`",
            ));
        }
        self.state.begin_replacement(&audience.spec.label, self.run)
    }

    /// Builds audiences anew in which somebody has opted out, where the job says so: prepares once more, for these
    /// without what the live audience holds.
    pub(super) fn begin_replacements(
        &mut self,
        prepare: &PrepareConfig,
        remembered: &[Remembered],
    ) -> Result<Vec<Remembered>> {
        let config = self.config;
        let mut begun = false;
        for (audience, remembered) in config.job.audiences.iter().zip(remembered) {
            let label = audience.spec.label.as_str();
            let of_record = self.record.audiences.iter().find(|of| of.name == label);
            let (gone, must_go) = of_record.map_or((0, 0), |of| (of.gone, of.must_go));
            let is_due = match audience.replace {
                Replace::Never => false,
                Replace::WhenOptedOut => must_go > 0,
                Replace::Always => gone > 0 || must_go > 0,
            };
            if must_go > 0 && remembered.next_first_run.is_some_and(|first| first < self.run) {
                self.note(format!(
                    "{must_go} have opted out of the audience that is to take the place of `{label}`, since it was begun: \
                     once it is complete, build it anew again with --replace"
                ));
            }
            if is_due && remembered.next_first_run.is_none() {
                self.begin_replacement(audience)?;
                begun = true;
            }
        }
        if !begun {
            return Ok(remembered.to_vec());
        }
        let before = self.record.audiences.clone();
        let labels =
            config.job.audiences.iter().map(|audience| self.state.remembered(&audience.spec.label));
        let remembered = labels.collect::<Result<Vec<_>>>()?;
        let summary = self.timed("prepare", |night| night.prepare(prepare, &remembered))?;
        let notes = self.record.notes.len();
        self.describe(&summary, &remembered)?;
        // The same inputs have nothing else to say.
        self.record.notes.truncate(notes);
        for (audience, before) in self.record.audiences.iter_mut().zip(before) {
            audience.must_go = before.must_go;
            audience.gone = before.gone;
        }
        Ok(remembered)
    }

    /// What was built to replace another audience, and is complete, takes its place.
    pub(super) fn complete_replacements(&mut self, complete: &[Label]) -> Result<()> {
        let config = self.config;
        let is_complete = |audience: &&JobAudience| complete.contains(&audience.spec.label);
        for audience in config.job.audiences.iter().filter(is_complete) {
            let label = &audience.spec.label;
            let remembered = self.state.remembered(label)?;
            let Some(from) = remembered.next_first_run else { continue };
            let old = match (&audience.id, remembered.generation) {
                (Some(id), 0) => Some(id.clone()),
                (_, generation) => self.find_target(audience, generation)?.0.and_then(audience_of),
            };
            self.state.complete_replacement(label, old.as_ref())?;
            let held = self.state.held(label, from)?;
            let of_record = self.record.audiences.iter_mut().find(|of| of.name == label.as_str());
            if let Some(described) = of_record {
                described.held_after = held;
                described.replaced = old.map(|id| id.to_string());
            }
        }
        Ok(())
    }

    /// Deletes audiences that were replaced. One that is gone already is as good as deleted.
    pub(super) fn delete_replaced(&mut self) -> Result<()> {
        for remembered in self.state.audiences()? {
            let Some(id) = remembered.delete_id else { continue };
            let client = &self.config.client;
            match client.delete(&id) {
                Err(failure) if failure.kind != FailureKind::NotFound => {
                    return Err(Error::api(
                        ExitCode::Partial,
                        format!(
                            "`{}` does without audience {id} by now, which is still there: {failure}",
                            remembered.label
                        ),
                        "run the same command again: it deletes it first",
                    ));
                }
                _ => {}
            }
            self.state.ledger.forget(client.known_as(), &id)?;
            self.state.forget_replaced(&remembered.label)?;
        }
        Ok(())
    }
}
