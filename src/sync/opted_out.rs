//! Who was taken out because they opted out, as long as their lists have them: an opt-out list of which nobody is a member any
//! more may be written as ever, once all who were on it have left the export.
//!
//! They are kept as parts have them, and no more of them than are needed to know a list again.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use super::OptOutListRecord;
use super::audiences::{NightAudience, is_interruption};
use super::cut::Cutting;
use super::night::Night;
use crate::config::{KnownInput, KnownPart, KnownSource, PrepareConfig, Role};
use crate::disk::{Readers, write_whole};
use crate::error::{Error, Result};
use crate::limits::OPTED_OUT_KEPT;
use crate::prepare::Prepare;

impl Night<'_> {
    /// Remembers those on a list who are in the live generation of an audience, and are about to be taken out.
    pub(super) fn remember_opted_out(
        &self,
        audience: &NightAudience<'_>,
        must_go: &Path,
    ) -> Result<()> {
        let (dir, lists) = (self.store.prepared_dir(), [must_go.to_owned()]);
        let held = self.added_parts(audience.generations.target())?;
        let cutting = Cutting { dir: &dir, name: "opted-out".to_owned(), lists: &lists };
        let cut = cutting.cut(&held, audience.job.spec.user_type)?;
        let mut kept = BTreeSet::new();
        let mut files: Vec<PathBuf> = cut.into_iter().map(|of| of.path).collect();
        files.push(self.store.list_path(&list_name(audience)));
        for path in files {
            if kept.len() < OPTED_OUT_KEPT {
                let left = OPTED_OUT_KEPT - kept.len();
                kept.extend(text_of(&path)?.lines().take(left).map(str::to_owned));
            }
        }
        let text: String = kept.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        let new = dir.join("opted-out.txt");
        write_whole(&new, text.as_bytes(), Readers::Owner)?;
        self.store.keep_list(Some(&new), &list_name(audience)).map(drop)
    }

    /// Counts those on an opt-out list who were taken out of audiences because they opted out. What cannot be read again
    /// counts nobody.
    pub(super) fn count_opted_out(
        &mut self,
        list: &mut OptOutListRecord,
        prepare: &PrepareConfig,
        audiences: &[NightAudience<'_>],
    ) -> Result<()> {
        let mut alone = prepare.clone();
        alone.suppress.retain(|input| input.list.as_ref() == Some(&list.name));
        alone.against = self.taken_out(audiences)?;
        if alone.against.is_empty() {
            return Ok(());
        }
        (alone.lists_alone, alone.inputs) = (true, Vec::new());
        let dir = self.store.prepared_dir().join("opted-out");
        (alone.output.dir, alone.output.rejects) = (dir.clone(), None);
        let progress = &self.progress.prepare;
        let summary = self.timed("prepare", |_| Prepare::plan(alone, progress)?.run(progress));
        let summary = match summary {
            Err(error) if is_interruption(&error) => return Err(error),
            Err(_) => return Ok(()),
            Ok(summary) => summary,
        };
        fs::remove_dir_all(&dir).map_err(|e| Error::writing("remove", &dir, e))?;
        for prepared in &summary.audiences {
            let label = prepared.label.to_string();
            let of_audience = list.audiences.iter_mut().find(|of| of.audience == label);
            if let Some(of_audience) = of_audience {
                of_audience.taken_out = prepared.figures.sets.must_go;
            }
        }
        list.taken_out = list.audiences.iter().map(|of| of.taken_out).sum();
        if list.taken_out > 0 && !self.config.is_dry_run {
            audiences.iter().try_for_each(|audience| self.renew_opted_out(audience))?;
        }
        Ok(())
    }

    /// As long as they are needed, they are not past their retention.
    fn renew_opted_out(&self, audience: &NightAudience<'_>) -> Result<()> {
        let path = self.store.list_path(&list_name(audience));
        let file = fs::File::options().append(true).open(&path);
        match file.and_then(|file| file.set_modified(SystemTime::now())) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            renewed => renewed.map_err(|e| Error::writing("renew", &path, e)),
        }
    }

    /// Those who were taken out, for a preparation to find who of them is on a list.
    fn taken_out(&self, audiences: &[NightAudience<'_>]) -> Result<Vec<KnownInput>> {
        let options = self.store.last_options()?.unwrap_or_default();
        let mut known = Vec::new();
        for audience in audiences {
            let path = self.store.list_path(&list_name(audience));
            let text = text_of(&path)?;
            if text.is_empty() {
                continue;
            }
            let part = KnownPart {
                path,
                lines: text.lines().count() as u64,
                bytes: text.len() as u64,
                sha256: const_hex::encode(Sha256::digest(&text)),
            };
            let (label, options) = (audience.label().clone(), options.clone());
            let source = KnownSource::Parts { label, parts: vec![part], options };
            known.push(KnownInput { source, role: Role::Known });
        }
        Ok(known)
    }
}

fn list_name(audience: &NightAudience<'_>) -> String {
    format!("{}-opted-out", audience.label())
}

/// The text of a file; nothing if there is none.
fn text_of(path: &Path) -> Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        text => text.map_err(|e| Error::reading("read", path, e)),
    }
}
