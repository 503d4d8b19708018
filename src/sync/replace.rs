//! A new audience in the place of one that people must leave, where a platform can take nobody out of it.
//!
//! ```text
//! begin     a next generation beside the live one: everybody is new to it; who is in the live one may have to go
//! upload    everybody, in as many runs as it takes
//! complete  the next one is live, the live one is old: one transaction
//! delete    the old one; in a later run, if it fails
//! ```

use super::audiences::NightAudience;
use super::night::{GoneLists, Night};
use crate::config::PrepareConfig;
use crate::error::{Error, ExitCode, Result};
use crate::job::Replace;
use crate::store::Generations;
use crate::upload::FailureKind;

impl Night<'_> {
    fn begin_replacement(&self, audience: &mut NightAudience<'_>) -> Result<()> {
        let Some(creation) = &audience.job.creation else {
            return Err(Error::usage(
                format!("the audience that takes the place of `{}` has no name", audience.label()),
                "give it a `name` in the job file, beside its `id`",
            ));
        };
        let id = audience.generations.audience;
        audience.generations = self.store.begin_next(id, &creation.name)?;
        Ok(())
    }

    /// A person asks for a new audience. One that is complete but for the old one, which is still there, was asked for
    /// already.
    pub(super) fn replace_on_demand(&mut self, audience: &mut NightAudience<'_>) -> Result<()> {
        let Generations { live, next, old, .. } = &audience.generations;
        if next.is_some() {
            return Ok(());
        }
        if !old.is_empty() {
            self.note(format!(
                "the new audience of `{}` is complete: what is left to do is to delete the old one",
                audience.label()
            ));
        } else if live.platform_id().is_some() {
            self.begin_replacement(audience)?;
        }
        Ok(())
    }

    /// Whether an audience is to be built anew because of what was prepared for it tonight.
    pub(super) fn is_replacement_due(&mut self, audience: &NightAudience<'_>) -> bool {
        let Ok(described) = self.described(audience) else { return false };
        let (gone, must_go) = (described.figures.sets.gone, described.figures.sets.must_go);
        let is_due = match audience.job.replace {
            Replace::Never => false,
            Replace::WhenOptedOut => must_go > 0,
            Replace::Always => gone > 0 || must_go > 0,
        };
        let Generations { live, next, old, .. } = &audience.generations;
        // Whoever must go is in the old audience as long as that is there.
        is_due && next.is_none() && old.is_empty() && live.platform_id().is_some()
    }

    /// Builds audiences anew in which somebody has opted out, where the job says so: prepares once more, for these
    /// without what the live audience holds.
    pub(super) fn begin_replacements(
        &mut self,
        prepare: &PrepareConfig,
        audiences: &mut [NightAudience<'_>],
    ) -> Result<()> {
        let mut begun = false;
        for audience in audiences.iter_mut().filter(|audience| audience.trouble.is_none()) {
            if self.is_replacement_due(audience) {
                self.begin_replacement(audience)?;
                begun = true;
            }
        }
        if !begun {
            return Ok(());
        }
        let before = self.record.audiences.clone();
        let gone_lists: Vec<_> =
            before.iter().map(|of| (of.figures.sets.gone, of.gone_list.clone())).collect();
        let summary = self.timed("prepare", |night| night.prepare(prepare, audiences))?;
        let notes = self.record.notes.len();
        self.describe(&summary, audiences, GoneLists::Left)?;
        // The same inputs have nothing else to say.
        self.record.notes.truncate(notes);
        for (audience, (gone, list)) in self.record.audiences.iter_mut().zip(gone_lists) {
            (audience.figures.sets.gone, audience.gone_list) = (gone, list);
        }
        Ok(())
    }

    /// What was built to replace another audience, and is complete, takes its place.
    pub(super) fn complete_replacements(
        &mut self,
        audiences: &mut [NightAudience<'_>],
    ) -> Result<()> {
        for audience in audiences.iter_mut() {
            let is_complete = audience.is_uploaded
                && audience
                    .generations
                    .next
                    .as_ref()
                    .is_some_and(|next| next.platform_id().is_some());
            if !is_complete {
                continue;
            }
            let replaced = audience.generations.live.platform_id().map(ToString::to_string);
            audience.generations = self.store.take_over(audience.generations.audience)?;
            let held = self.store.held(&audience.generations.live)?;
            let (_, invalid) = self.store.invalid(&audience.generations.live)?;
            let described = self.described(audience)?;
            (described.held_after, described.replaced) = (held, replaced);
            described.entries_invalid = invalid;
        }
        Ok(())
    }

    /// Deletes audiences that were replaced. One that is gone already is as good as deleted; one that cannot be deleted
    /// keeps nobody from being uploaded, and is tried once a run.
    pub(super) fn delete_replaced(&mut self, audiences: &[NightAudience<'_>]) -> Result<()> {
        if self.config.is_dry_run {
            return Ok(());
        }
        for target in self.store.old_targets(self.config.client.known_as())? {
            let Some(id) = target.platform_id() else {
                self.store.deleted(&target)?;
                continue;
            };
            if self.undeleted.contains(&target.id) {
                continue;
            }
            self.progress.stop().check()?;
            match self.config.client.delete(id) {
                // Facebook's number, of an audience that was found in a list without the vendor's, may be unknown here.
                Err(failure)
                    if failure.kind != FailureKind::NotFound
                        || target.fb_id.as_ref() == Some(id) =>
                {
                    self.undeleted.push(target.id);
                    let of_target =
                        |of: &&NightAudience<'_>| of.generations.audience == target.audience;
                    let label = audiences.iter().find(of_target).map(NightAudience::label);
                    let label = label.map_or_else(|| "the job".to_owned(), |of| format!("`{of}`"));
                    let (code, hint) = match (failure.kind, failure.status) {
                        (FailureKind::NotFound, _) => (
                            ExitCode::Unknown,
                            "the API's own number of it is not known: delete it at the vendor, and let throng audience delete forget it, with this number and --state",
                        ),
                        (FailureKind::Credentials, Some(403)) => (
                            ExitCode::Credentials,
                            "let the token delete audiences, or delete it by hand; the next run goes on",
                        ),
                        (FailureKind::Credentials, _) => (
                            ExitCode::Credentials,
                            "check THRONG_TOKEN, and that it may use this ad account",
                        ),
                        _ => (ExitCode::Partial, "run the same command again: it deletes it first"),
                    };
                    let state = match failure.kind {
                        FailureKind::NotFound => "which may still be there",
                        _ => "which is still there",
                    };
                    let message =
                        format!("{label} does without audience {id} by now, {state}: {failure}");
                    self.troubles.push(Error::api(code, message, hint));
                }
                _ => self.store.deleted(&target)?,
            }
        }
        Ok(())
    }

    /// Counts anew who must go where an audience took another one's place, which is gone: only those who are in the new
    /// one are left.
    pub(super) fn count_must_go(&mut self, audiences: &mut [NightAudience<'_>]) -> Result<()> {
        for audience in audiences.iter_mut() {
            audience.generations = self.store.generations(audience.generations.audience)?;
            let Generations { live, next, old, .. } = &audience.generations;
            let described = self.described(audience)?;
            let is_replaced = described.replaced.is_some() && next.is_none() && old.is_empty();
            let Some(list) = described.must_go_list.clone().filter(|_| is_replaced) else {
                continue;
            };
            let held = self.store.held_parts(live)?;
            let user_type = audience.job.spec.user_type;
            let left = super::must_go::keep_held(list.as_ref(), &held, user_type)?;
            if left == 0 {
                self.store.keep_list(None, &format!("{}-must-go", audience.label()))?;
            } else {
                self.note(format!(
                    "{left} have opted out of the new audience of `{}` since it was begun: build it anew again with --replace",
                    audience.label()
                ));
            }
            let described = self.described(audience)?;
            described.figures.sets.must_go = left;
            described.must_go_list = Some(list).filter(|_| left > 0);
            self.remember_must_go(audience, left)?;
        }
        Ok(())
    }
}
