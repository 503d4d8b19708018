//! Uploading what a run has prepared, audience by audience.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use super::audiences::{NightAudience, is_interruption, named};
use super::night::Night;
use crate::emit::{AudienceManifest, Manifest};
use crate::error::{Error, ExitCode, Result};
use crate::store::TargetState;
use crate::store::deliveries::NewPart;
use crate::upload::{Part, Upload};

impl Night<'_> {
    /// Gives the parts their place, and uploads them audience by audience. One that fails does not keep the others from
    /// being uploaded, unless there is no point in trying.
    pub(super) fn upload(&mut self, audiences: &mut [NightAudience<'_>]) -> Result<()> {
        let manifest = self.keep_parts()?;
        self.progress.is_uploading.store(true, Ordering::Relaxed);
        for audience in audiences.iter_mut().filter(|audience| audience.trouble.is_none()) {
            let of_label = |of: &&AudienceManifest| of.label == *audience.label();
            let prepared = manifest.audiences.iter().find(of_label);
            let prepared = prepared.ok_or(Error::Internal("an audience that was not prepared"))?;
            let uploaded = self.upload_one(audience, prepared);
            self.count_confirmed(audience)?;
            audience.is_uploaded = uploaded.is_ok();
            let Err(error) = uploaded else { continue };
            let is_hopeless = is_interruption(&error) || error.exit_code() == ExitCode::Credentials;
            audience.trouble = Some(named(error, audience.label()));
            if is_hopeless {
                break;
            }
        }
        Ok(())
    }

    /// Moves the parts that were prepared to where they stay. From here on they are never changed.
    fn keep_parts(&mut self) -> Result<Manifest> {
        let dir = self.store.prepared_dir();
        let manifest = Manifest::read(&dir)?;
        let parts = || manifest.audiences.iter().flat_map(|audience| &audience.parts);
        let files: Vec<(PathBuf, &str)> =
            parts().map(|part| (dir.join(&part.file), &*part.sha256)).collect();
        if files.is_empty() {
            return Ok(manifest);
        }
        self.store.put_files(self.run, &files)?;
        let rows: Vec<NewPart<'_>> = parts()
            .map(|part| NewPart {
                sha256: &part.sha256,
                entries: part.lines,
                bytes: part.bytes,
                file: &part.file,
            })
            .collect();
        let options = serde_json::Value::Object(manifest.options.clone()).to_string();
        self.store.keep_parts(self.run, &rows, &options)?;
        Ok(manifest)
    }

    fn upload_one(
        &mut self,
        audience: &mut NightAudience<'_>,
        prepared: &AudienceManifest,
    ) -> Result<()> {
        let target = audience.generations.target().clone();
        if prepared.parts.is_empty() {
            if audience.is_being_replaced() && self.store.held(&target)? == 0 {
                return Err(Error::WrongFile {
                    message: format!(
                        "nobody would be left of `{}`, so that it is not replaced",
                        audience.label()
                    ),
                    hint: Some("delete it by hand: throng audience delete ID".to_owned()),
                    limits: None,
                });
            }
            return Ok(());
        }
        let action = match &target.state {
            _ if audience.is_being_replaced() => "replace",
            TargetState::Ready { .. } => "add",
            TargetState::Planned | TargetState::Intent { .. } | TargetState::Deleted => "create",
        };
        action.clone_into(&mut self.described(audience)?.action);
        let parts = prepared.parts.iter().map(|part| Part {
            path: self.store.part_path(self.run, &part.sha256),
            file: part.file.clone(),
            lines: part.lines,
            bytes: part.bytes,
            sha256: part.sha256.clone(),
        });
        let config = self.upload_config(audience.job, None)?;
        let client = self.config.client.clone();
        let upload =
            Upload::of_job(config, client, self.store, (self.run, &target), parts.collect())?;
        let uploaded = upload.run(self.store, &self.progress.upload, self.notify);
        audience.generations = self.store.generations(audience.generations.audience)?;
        let uploaded = uploaded?;
        let invalid = uploaded.entries_invalid;
        if invalid > 0 {
            let (label, of) = (audience.label(), uploaded.entries);
            let warning = format!(
                "the platform takes {invalid} of {of} new entries of `{label}` for invalid"
            );
            self.record.warnings.push(warning);
        }
        let described = self.described(audience)?;
        (described.audience, described.fb_id) = (uploaded.audience, uploaded.fb_id);
        Ok(())
    }

    /// Writes down what the API has confirmed in this run.
    fn count_confirmed(&mut self, audience: &NightAudience<'_>) -> Result<()> {
        let (parts, entries, bytes) =
            self.store.confirmed_in(audience.generations.target(), self.run)?;
        let held = self.store.held(&audience.generations.live)?;
        let (_, invalid) = self.store.invalid(&audience.generations.live)?;
        let described = self.described(audience)?;
        (described.parts_sent, described.entries_sent, described.bytes_sent) =
            (parts, entries, bytes);
        (described.held_after, described.entries_invalid) = (held, invalid);
        let least = self.config.client.platform().capabilities().usable_entries_min;
        if let Some(least) = least.filter(|least| held > 0 && held < *least) {
            let label = audience.label();
            let warning = format!(
                "`{label}` has fewer than {least} entries: an audience of so few people cannot be used"
            );
            self.record.warnings.push(warning);
        }
        Ok(())
    }
}
