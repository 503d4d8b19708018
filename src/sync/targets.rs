//! Which audience of the API belongs to which audience of the job, and from which run on its entries count.

use super::night::Night;
use super::state::Remembered;
use crate::api::Id;
use crate::config::Label;
use crate::error::{Error, Result};
use crate::job::JobAudience;
use crate::upload::{Target, TargetName, TargetState, Verdict};

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
            if config.is_full || is_gone {
                self.state.start_over(label, self.run)?;
            }
            remembered = self.state.remembered(label)?;
            let held = self.state.held(label, remembered.first_run)?;
            if config.is_replacing && held > 0 {
                self.begin_replacement(audience)?;
                remembered = self.state.remembered(label)?;
            }
            all.push(remembered);
        }
        Ok(all)
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
        let held = self.state.held(label, remembered.first_run)?;
        let (target, is_deleted) = self.find_target(audience, remembered.generation)?;
        let says_gone = self
            .config
            .verdicts
            .iter()
            .any(|(of, verdict)| of == label && *verdict == Verdict::IsNot);
        match target {
            Some(target) if says_gone && matches!(target.state, TargetState::Ready { .. }) => {
                self.state.ledger.start_over(&target)?;
                Ok(true)
            }
            Some(target) => Ok(held > 0 && target.state == TargetState::Planned),
            None if held == 0 => Ok(false),
            None if is_deleted || self.config.is_full => Ok(true),
            None => Err(Error::State {
                what: "ledger",
                operation: "trust",
                path: self.config.job.state_dir.clone(),
                message: format!("{held} entries of `{label}` were uploaded, and it does not know where"),
                hint: Some("restore the whole state directory from a backup; if the audience is gone: --full".to_owned()),
            }),
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

/// The vendor's number of a target that exists.
pub(super) fn audience_of(target: Target) -> Option<Id> {
    match target.state {
        TargetState::Ready { audience } => Some(audience),
        TargetState::Planned | TargetState::Intent { .. } | TargetState::Deleted => None,
    }
}
