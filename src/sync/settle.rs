//! Bringing a run's directory to what the API has confirmed.

use std::collections::HashSet;

use super::config::SyncConfig;
use super::holdings::remove_dir;
use super::state::{State, Unsettled};
use crate::config::Label;
use crate::disk::MANIFEST_FILE;
use crate::emit::{AudienceManifest, Manifest, PartManifest};
use crate::error::{Error, Result};
use crate::job::JobAudience;
use crate::upload::{
    Notice, TargetSpec, TargetState, Upload, UploadConfig, UploadProgress, Verdict,
};

/// Who is told what happens.
pub(super) type Notify<'a> = &'a dyn Fn(&Notice<'_>);

/// Settles a run that an earlier process left. Creates whose outcome is unknown are found out about first, which may
/// need the API, or a person; of which audiences.
pub(super) fn settle_left(
    left: Unsettled,
    config: &SyncConfig,
    state: &mut State,
    progress: &UploadProgress,
    notify: Notify<'_>,
) -> Result<Vec<Label>> {
    let mut decided = Vec::new();
    let dir = state.run_dir(left.run);
    // Without its manifest it was being removed, because nothing of it was confirmed.
    let manifest = dir.join(MANIFEST_FILE);
    let is_whole = manifest.try_exists().map_err(|e| Error::writing("look at", &manifest, e))?;
    if !left.is_sent || !is_whole {
        remove_dir(&dir)?;
        state.settled(left.run, &[])?;
        return Ok(decided);
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
        let upload =
            Upload::plan(upload, config.client.clone(), &mut state.ledger, &progress.stop)?;
        if upload.target_id() != target {
            return Err(Error::usage(
                format!(
                    "it is not known whether `{}` was created, and the job calls it otherwise by now",
                    audience.label
                ),
                "put its earlier name, ad account and endpoint back into the job file for one run",
            ));
        }
        let settled = upload.settle_create(&mut state.ledger, progress, notify);
        settled.map_err(|error| named(error, &audience.label))?;
        decided.push(audience.label);
    }
    settle(left.run, state)?;
    Ok(decided)
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

/// What the API has confirmed of an audience in a run.
#[derive(Clone, Debug)]
pub(super) struct Confirmed {
    pub(super) label: Label,
    pub(super) parts: Vec<PartManifest>,
}

/// Takes out of a run's directory what the API has not confirmed; what it has. A run with a create whose outcome is
/// unknown stays unsettled.
pub(super) fn settle(run: i64, state: &State) -> Result<Vec<Confirmed>> {
    let dir = state.run_dir(run);
    let mut manifest = Manifest::read(&dir)?;
    let mut all = Vec::new();
    let mut unanswered: Vec<(Label, HashSet<String>)> = Vec::new();
    let mut is_open = false;
    for AudienceManifest { label, parts, .. } in &manifest.audiences {
        let Some(target) = state.upload(run, label)? else { continue };
        let target = state.ledger.target(target)?;
        is_open |= matches!(target.state, TargetState::Intent { .. });
        let acknowledged = state.ledger.acknowledged(&target)?;
        unanswered.push((label.clone(), state.ledger.unanswered(&target)?));
        let parts = parts.iter().filter(|part| acknowledged.contains(&part.sha256)).cloned();
        all.push(Confirmed { label: label.clone(), parts: parts.collect() });
    }
    all.retain(|confirmed| !confirmed.parts.is_empty());
    if is_open {
        return Ok(all);
    }
    state.keep_unconfirmed(run, &manifest, |audience, part| {
        let of_audience = unanswered.iter().find(|(label, _)| *label == audience.label);
        of_audience.is_some_and(|(_, parts)| parts.contains(&part.sha256))
    })?;
    if all.is_empty() {
        remove_dir(&dir)?;
    } else {
        manifest.retain(&dir, |audience, part| {
            let of_audience = all.iter().find(|confirmed| confirmed.label == audience.label);
            of_audience
                .is_some_and(|confirmed| confirmed.parts.iter().any(|of| of.sha256 == part.sha256))
        })?;
    }
    let kept: Vec<Label> = all.iter().map(|confirmed| confirmed.label.clone()).collect();
    state.settled(run, &kept)?;
    Ok(all)
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
