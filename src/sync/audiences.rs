//! The audiences of a job as they stand tonight: what the store knows of each, and what is found out before anything
//! is prepared.

use super::night::Night;
use crate::config::Label;
use crate::error::{Error, ExitCode, Result};
use crate::job::JobAudience;
use crate::quote::OneLine;
use crate::store::{AudienceKey, Generations, Target, TargetState};
use crate::upload::{TargetSpec, Upload, UploadConfig, Verdict};

/// An audience of the job tonight.
pub(super) struct NightAudience<'a> {
    pub(super) job: &'a JobAudience,
    pub(super) generations: Generations,
    /// The reason why nothing is uploaded to it tonight.
    pub(super) trouble: Option<Error>,
    /// True once everybody that was prepared for it is confirmed. Not so if the upload of another one ended them all.
    pub(super) is_uploaded: bool,
}

impl NightAudience<'_> {
    pub(super) fn label(&self) -> &Label {
        &self.job.spec.label
    }

    /// True if another audience is being built that is to take its place.
    pub(super) fn is_being_replaced(&self) -> bool {
        self.generations.next.is_some()
    }
}

impl<'a> Night<'a> {
    /// Finds every audience in the store, and finds out what became of creates that were never answered.
    pub(super) fn look_up(&mut self) -> Result<Vec<NightAudience<'a>>> {
        let config = self.config;
        let mut audiences = Vec::new();
        for job in &config.job.audiences {
            let label = &job.spec.label;
            let key = AudienceKey {
                endpoint: config.client.known_as(),
                ad_account: &config.job.target.ad_account,
                user_type: job.spec.user_type,
                name: job.name(),
                given_id: job.id.as_ref(),
            };
            let (generations, moved, is_again) =
                self.store.generations_of_job(label.as_str(), &key)?;
            let live = &generations.live;
            let account = config.job.target.ad_account.as_str();
            if live.user_type != job.spec.user_type || live.ad_account != account {
                return Err(Error::usage(
                    format!(
                        "the audience of `{label}` holds {} of ad account {}, not {} of {account}",
                        live.user_type, live.ad_account, job.spec.user_type
                    ),
                    "check `id`, `user-type` and `ad-account` in the job file",
                ));
            }
            if let Some(former) = moved {
                self.note_moved(label, &former);
            }
            if is_again {
                self.note(format!("the audience of `{label}` was deleted: it is created again"));
            }
            let mut audience =
                NightAudience { job, generations, trouble: None, is_uploaded: false };
            self.settle_create(&mut audience)?;
            if config.is_full {
                self.look_for_lost(&audience)?;
            }
            if config.is_replacing {
                self.replace_on_demand(&mut audience)?;
            }
            audiences.push(audience);
        }
        Ok(audiences)
    }

    /// Says that a label stands for another audience, and what is left of the one that it stood for: nobody is taken out of
    /// that one any more.
    fn note_moved(&mut self, label: &Label, former: &[Target]) {
        self.note(format!(
            "`{label}` goes to another audience now: everybody is uploaded to it who is not known to be in it"
        ));
        let to = self.config.client.platform().flag();
        for target in former {
            let Some(id) = target.platform_id() else { continue };
            let name = target
                .name
                .as_deref()
                .map_or_else(String::new, |name| format!(" `{}`", OneLine(name)));
            self.note(format!(
                "audience {id}{name}, to which `{label}` went before, is still there, and whoever opts out stays in it: \
                 if nobody needs it, throng audience delete {id}{to}"
            ));
        }
    }

    /// Finds out what became of a create without an answer, by a person's word or by the API's list. Nobody is sent. If
    /// it cannot be told, that is the trouble of this audience alone, unless a person is there.
    fn settle_create(&mut self, audience: &mut NightAudience<'_>) -> Result<()> {
        let Generations { live, next, .. } = &audience.generations;
        let is_open = |state: &TargetState| matches!(state, TargetState::Intent { .. });
        let target = next.as_ref().filter(|next| is_open(&next.state)).unwrap_or(live).clone();
        let label = audience.label().clone();
        let verdict = self.config.verdicts.iter().find(|(of, _)| *of == label);
        let verdict = verdict.map(|(_, verdict)| verdict.clone());
        if verdict.is_none() && !is_open(&target.state) {
            return Ok(());
        }
        if verdict.is_none() && self.config.is_dry_run {
            self.note(format!(
                "it is not known whether the audience of `{label}` was created: a real run would ask the API first"
            ));
            return Ok(());
        }
        let is_gone = verdict == Some(Verdict::IsNot) && target.platform_id().is_some();
        let config = self.upload_config(audience.job, verdict.clone())?;
        let settled = Upload::of_job(
            config,
            self.config.client.clone(),
            self.store,
            (self.run, &target),
            Vec::new(),
        )
        .and_then(|upload| upload.settle_create(self.store, &self.progress.upload, self.notify));
        audience.generations = self.store.generations(audience.generations.audience)?;
        match settled.map_err(|error| named(error, &label)) {
            Ok(()) if is_gone => {
                self.note(format!("the audience of `{label}` was deleted: it is created again"));
            }
            Ok(()) => {}
            Err(error) if verdict.is_some() || is_interruption(&error) => return Err(error),
            Err(error) => audience.trouble = Some(error),
        }
        Ok(())
    }

    /// Finds the parts of an audience that are lost or damaged.
    fn look_for_lost(&mut self, audience: &NightAudience<'_>) -> Result<()> {
        let parts = self.store.held_parts(audience.generations.target())?;
        let lost: Vec<String> =
            parts.into_iter().filter(|part| !part.is_intact()).map(|part| part.sha256).collect();
        if !lost.is_empty() {
            self.note(format!(
                "{} parts of `{}` are lost or damaged: nobody knows who of them must go",
                lost.len(),
                audience.label()
            ));
        }
        self.lost.extend(lost);
        Ok(())
    }

    /// Everybody is sent again, where that was asked for and no guard has stopped it: what was confirmed is not given up for
    /// nothing.
    pub(super) fn start_over(&mut self, audiences: &mut [NightAudience<'_>]) -> Result<()> {
        if !self.config.is_full {
            return Ok(());
        }
        audiences.iter_mut().try_for_each(|audience| self.send_all_again(audience))?;
        self.lost.iter().try_for_each(|sha256| self.store.forget_part(sha256))
    }

    /// Whoever was sent before counts as somebody who may be in the audience.
    fn send_all_again(&self, audience: &mut NightAudience<'_>) -> Result<()> {
        let id = audience.generations.audience;
        // What may have been created is not given up before it is known: nobody would delete it.
        let is_open = |next: &Target| matches!(next.state, TargetState::Intent { .. });
        let next = audience.generations.next.as_ref().filter(|next| !is_open(next));
        if let (Some(_), Some(creation)) = (next, &audience.job.creation) {
            // Some who are in what was built so far may have opted out since.
            audience.generations = self.store.begin_next_again(id, &creation.name)?;
        }
        self.store.distrust(id)
    }

    /// The upload of an audience: to the one that was given by its number, until another one takes its place.
    pub(super) fn upload_config(
        &self,
        audience: &JobAudience,
        verdict: Option<Verdict>,
    ) -> Result<UploadConfig> {
        let mut target = match (&audience.id, &audience.creation) {
            (_, Some(creation)) => creation.target(),
            (Some(id), None) => TargetSpec::Audience(id.clone()),
            (None, None) => {
                return Err(Error::Internal("an audience of a job has neither id nor name"));
            }
        };
        if let TargetSpec::Create { verdict: of_target, .. } = &mut target {
            *of_target = verdict;
        }
        let (job, dir) = (&self.config.job, self.store.run_dir(self.run));
        Ok(job.upload_config(audience, target, dir, self.config.command.clone()))
    }
}

/// True if the run was asked to stop.
pub(super) fn is_interruption(error: &Error) -> bool {
    matches!(error.exit_code(), ExitCode::Interrupted | ExitCode::Terminated)
}

/// The error with the audience that it is about, and with flags as a job with several audiences has them.
pub(super) fn named(error: Error, label: &Label) -> Error {
    match error {
        Error::Api { code, message, hint } => {
            let flags = |hint: String| {
                hint.replace("--adopt ID", &format!("--adopt {label}=ID"))
                    .replace("--create-again", &format!("--create-again {label}"))
            };
            Error::Api { code, message: format!("`{label}`: {message}"), hint: hint.map(flags) }
        }
        other => other,
    }
}
