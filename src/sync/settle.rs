//! Bringing a run's directory to what the API has confirmed.

use std::collections::HashSet;

use super::config::SyncConfig;
use super::state::{State, Unsettled, remove_dir};
use crate::config::Label;
use crate::emit::{AudienceManifest, MANIFEST_FILE, Manifest, PartManifest};
use crate::error::{Error, Result};
use crate::job::JobAudience;
use crate::upload::{
    Notice, TargetSpec, TargetState, Upload, UploadConfig, UploadProgress, Verdict,
};

/// Who is told what happens.
pub(super) type Notify<'a> = &'a dyn Fn(&Notice<'_>);

/// Settles a run that an earlier process left. Creates whose outcome is unknown are found out about first, which may
/// need the API.
pub(super) fn settle_left(
    left: Unsettled,
    config: &SyncConfig,
    state: &mut State,
    progress: &UploadProgress,
    notify: Notify<'_>,
) -> Result<()> {
    let dir = state.run_dir(left.run);
    // Without its manifest it was being removed, because nothing of it was confirmed.
    if !left.is_sent || !dir.join(MANIFEST_FILE).exists() {
        remove_dir(&dir)?;
        return state.settled(left.run);
    }
    for audience in Manifest::read(&dir)?.audiences {
        let Some(target) = state.upload(left.run, &audience.label)? else { continue };
        if !matches!(state.ledger.target(target)?.state, TargetState::Intent { .. }) {
            continue;
        }
        let job = config.job.audiences.iter().find(|job| job.spec.label == audience.label);
        let job = job.ok_or_else(|| {
            Error::usage(
                format!("it is not known whether `{}` was created, and the job does not have it any more", audience.label),
                "put it back into the job file for one run",
            )
        })?;
        let generation = state.remembered(&audience.label)?.next_generation();
        let verdict = config.verdicts.iter().find(|(label, _)| *label == audience.label);
        let verdict = verdict.map(|(_, verdict)| verdict.clone());
        let upload = upload_config(config, job, generation, left.run, state, verdict)?;
        let upload = Upload::plan(upload, config.client.clone(), &mut state.ledger)?;
        upload.settle_create(&mut state.ledger, progress, notify)?;
    }
    settle(left.run, state)
}

/// Takes out of a run's directory what the API has not confirmed. A run with a create whose outcome is unknown stays
/// unsettled.
pub(super) fn settle(run: i64, state: &State) -> Result<()> {
    let dir = state.run_dir(run);
    let mut manifest = Manifest::read(&dir)?;
    let mut confirmed: Vec<(Label, HashSet<String>)> = Vec::new();
    for AudienceManifest { label, .. } in &manifest.audiences {
        let Some(target) = state.upload(run, label)? else { continue };
        let target = state.ledger.target(target)?;
        if matches!(target.state, TargetState::Intent { .. }) {
            return Ok(());
        }
        confirmed.push((label.clone(), state.ledger.acknowledged(&target)?));
    }
    let is_confirmed = |audience: &AudienceManifest, part: &PartManifest| {
        let of_audience = confirmed.iter().find(|(label, _)| *label == audience.label);
        of_audience.is_some_and(|(_, parts)| parts.contains(&part.sha256))
    };
    if manifest
        .audiences
        .iter()
        .any(|audience| audience.parts.iter().any(|part| is_confirmed(audience, part)))
    {
        manifest.retain(&dir, is_confirmed)?;
    } else {
        remove_dir(&dir)?;
    }
    state.settled(run)
}

/// The upload of an audience of a run: to the audience that was given by its number, until another one takes its place.
pub(super) fn upload_config(
    config: &SyncConfig,
    audience: &JobAudience,
    generation: u32,
    run: i64,
    state: &State,
    verdict: Option<Verdict>,
) -> Result<UploadConfig> {
    let mut target = match (&audience.id, &audience.creation) {
        (Some(id), _) if generation == 0 => TargetSpec::Audience(id.clone()),
        (_, Some(creation)) => creation.target(generation),
        (_, None) => return Err(Error::Internal("an audience that is created has no name")),
    };
    if let TargetSpec::Create { verdict: of_target, .. } = &mut target {
        *of_target = verdict;
    }
    Ok(config.job.upload_config(audience, target, state.run_dir(run), config.command.clone()))
}
