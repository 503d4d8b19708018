//! Which audience of the API belongs to which audience of the job, and from which run on its entries count.

use super::night::Night;
use super::state::Remembered;
use crate::api::Id;
use crate::config::Label;
use crate::error::{Error, ExitCode, Result};
use crate::job::JobAudience;
use crate::upload::{Target, TargetName, TargetState, Verdict, find_listed};

impl Night<'_> {
    /// What is remembered of every audience, and from which run on its entries count.
    pub(super) fn look_up(&mut self) -> Result<Vec<Remembered>> {
        let config = self.config;
        let mut all = Vec::new();
        for audience in &config.job.audiences {
            let label = &audience.spec.label;
            let (mut remembered, is_moved) =
                self.state.audience(label, &self.address(audience), self.run)?;
            if is_moved {
                self.note(format!(
                    "`{label}` goes to another audience now: everybody is uploaded to it"
                ));
            }
            let is_gone = self.is_gone(audience, &remembered)?;
            if is_gone {
                self.note(format!("the audience of `{label}` was deleted: it is created again"));
            }
            let is_replacing = config.is_replacing || remembered.next_first_run.is_some();
            if config.is_full || is_gone {
                self.start_over(audience, &remembered)?;
                remembered = self.state.remembered(label)?;
            }
            self.state.check_kept(&remembered)?;
            let is_there = || Ok(self.target_of(label, &remembered)?.is_some_and(is_ready));
            if is_replacing && !is_gone && is_there()? {
                self.begin_replacement(audience)?;
                remembered = self.state.remembered(label)?;
            }
            all.push(remembered);
        }
        Ok(all)
    }

    /// Forgets what an audience holds, and deletes one that was to replace it and is not complete: some who are in it may
    /// have opted out since.
    fn start_over(&mut self, audience: &JobAudience, remembered: &Remembered) -> Result<()> {
        let label = &audience.spec.label;
        let is_replacing = remembered.next_first_run.is_some();
        let incomplete = if is_replacing {
            self.find_target(audience, remembered.next_generation())?.0.and_then(audience_of)
        } else {
            None
        };
        if let Some(target) = self.target_of(label, remembered)?
            && !self.config.is_dry_run
        {
            self.state.ledger.forget_parts(&target)?;
        }
        self.state.start_over(label, self.run, incomplete.as_ref())?;
        if self.config.is_dry_run { Ok(()) } else { self.delete_replaced() }
    }

    /// Where an audience is and what it is called there.
    fn address(&self, audience: &JobAudience) -> String {
        let (endpoint, account) =
            (self.config.client.known_as(), &self.config.job.target.ad_account);
        match &audience.id {
            Some(id) => format!("{endpoint} {account} id {id}"),
            None => format!("{endpoint} {account} name {}", audience.name()),
        }
    }

    /// Whether an audience was uploaded to that does not exist any more.
    fn is_gone(&mut self, audience: &JobAudience, remembered: &Remembered) -> Result<bool> {
        let label = &audience.spec.label;
        if audience.id.is_some() && remembered.generation == 0 {
            return Ok(false);
        }
        let (target, is_deleted) = self.find_target(audience, remembered.generation)?;
        let says_gone = self.verdict(label) == Some(&Verdict::IsNot);
        if let Some(target) = target.as_ref().filter(|_| says_gone)
            && let TargetState::Ready { audience } = &target.state
        {
            self.check_gone(target, audience)?;
            if !self.config.is_dry_run {
                self.state.ledger.start_over(target)?;
            }
            return Ok(true);
        }
        if self.config.is_full {
            // Nothing that was kept is relied on, not even that it can be read.
            return Ok(false);
        }
        let held = self.state.held(label, remembered.first_run)?;
        match target {
            Some(target) => Ok(held > 0 && target.state == TargetState::Planned),
            None if held == 0 => Ok(false),
            None if is_deleted => Ok(true),
            None => Err(Error::State {
                what: "ledger",
                operation: "trust",
                path: self.config.job.state_dir.clone(),
                message: format!("{held} entries of `{label}` were uploaded, and it does not know where"),
                hint: Some("restore the whole state directory from a backup; if the audience is gone: --full".to_owned()),
            }),
        }
    }

    /// What a person has found out about an audience, if nothing was decided by it yet.
    pub(super) fn verdict(&self, label: &Label) -> Option<&Verdict> {
        let is_new = !self.decided.contains(label);
        let mut verdicts = self.config.verdicts.iter().filter(|(of, _)| of == label && is_new);
        verdicts.next().map(|(_, verdict)| verdict)
    }

    /// Refuses to take a person's word for it that an audience is gone if the API has it: the command that said so may
    /// be run again after it was created anew.
    fn check_gone(&self, target: &Target, id: &Id) -> Result<()> {
        let listed = self.config.client.list(&self.config.job.target.ad_account);
        let listed = listed.map_err(|failure| {
            Error::api(
                ExitCode::Temporary,
                format!("{failure}; so it is not known whether audience {id} is there"),
                "run the same command again later",
            )
        })?;
        let marker = self.state.ledger.marker(target)?;
        match find_listed(listed, target, marker.as_deref()) {
            None => Ok(()),
            Some(_) => Err(Error::usage(
                format!("audience {id} is there"),
                format!(
                    "leave --create-again out, or delete it first: throng audience delete {id}"
                ),
            )),
        }
    }

    pub(super) fn find_target(
        &self,
        audience: &JobAudience,
        generation: u32,
    ) -> Result<(Option<Target>, bool)> {
        let key = TargetName {
            ad_account: &self.config.job.target.ad_account,
            user_type: audience.spec.user_type,
            name: audience.name(),
            generation,
        };
        self.state.ledger.find_by_name(self.config.client.known_as(), &key)
    }

    /// The target of the audience that is live, if there is one.
    pub(super) fn target_of(
        &self,
        label: &Label,
        remembered: &Remembered,
    ) -> Result<Option<Target>> {
        let audience =
            self.config.job.audiences.iter().find(|audience| audience.spec.label == *label);
        let audience = audience.ok_or(Error::Internal("an audience that the job does not have"))?;
        match &audience.id {
            Some(id) if remembered.generation == 0 => {
                self.state.ledger.find(self.config.client.known_as(), id)
            }
            _ => Ok(self.find_target(audience, remembered.generation)?.0),
        }
    }
}

fn is_ready(target: Target) -> bool {
    audience_of(target).is_some()
}

/// The vendor's number of a target that exists.
pub(super) fn audience_of(target: Target) -> Option<Id> {
    match target.state {
        TargetState::Ready { audience } => Some(audience),
        TargetState::Planned | TargetState::Intent { .. } | TargetState::Deleted => None,
    }
}
