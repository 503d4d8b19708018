//! Putting the directories of many runs together, so that after ten years a night takes what it took after ten days.
//!
//! Small parts of an audience are written one behind the other; large ones are the same files. The new directory is
//! named by its first and its last run and appears as a whole, beside those that it is made of; whoever opens the
//! state then removes what is covered by another directory. So it may be killed at any moment.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::holdings::Holding;
use super::state::{Remembered, State};
use crate::config::Label;
use crate::disk::{Staging, create_file, link_or_copy};
use crate::emit::{AudienceManifest, Manifest, PartManifest};
use crate::error::{Error, Result};
use crate::limits::{HOLDINGS_MAX, MERGED_PART_BYTES};
use crate::normalize::UserType;

impl State {
    /// Puts the directories of earlier runs together if there are many.
    pub(super) fn merge_holdings(&self) -> Result<()> {
        self.merge_if_more_than(HOLDINGS_MAX)
    }

    fn merge_if_more_than(&self, count: usize) -> Result<()> {
        let audiences = self.audiences()?;
        // Of an audience that is being replaced, earlier runs count for one that is live, later ones for both.
        if audiences.iter().any(|audience| audience.next_first_run.is_some()) {
            return Ok(());
        }
        let mut holdings = self.settled_holdings()?;
        // What is not settled stays where it is, and what comes after it.
        let unsettled = self.unsettled()?.first().map_or(i64::MAX, |left| left.run);
        holdings.retain(|holding| holding.last < unsettled);
        let [first, .., last] = &holdings[..] else { return Ok(()) };
        if holdings.len() <= count {
            return Ok(());
        }
        // In the directory of many, nobody would see that one of them was lost.
        audiences.iter().try_for_each(|audience| self.check_kept(audience))?;
        let name = format!("{:06}-{:06}", first.first, last.last);
        let staging = Staging::begin(&self.runs_dir().join(name), false)?;
        merge(&holdings, &audiences, staging.path())?;
        staging.publish()?;
        self.remove_covered()
    }
}

/// Writes what counts of some directories into another one.
fn merge(holdings: &[Holding], audiences: &[Remembered], dir: &Path) -> Result<()> {
    let mut merged: BTreeMap<Label, Merged> = BTreeMap::new();
    let mut newest = None;
    for holding in holdings {
        let manifest = Manifest::read(&holding.dir)?;
        for audience in &manifest.audiences {
            let counts =
                |of: &&Remembered| of.label == audience.label && of.first_run <= holding.last;
            if !audiences.iter().any(|of| counts(&of)) {
                continue;
            }
            let of_label = merged
                .entry(audience.label.clone())
                .or_insert_with(|| Merged::new(audience.user_type));
            for part in &audience.parts {
                of_label.add(&holding.dir, part, &audience.label, dir)?;
            }
        }
        newest = Some(manifest);
    }
    let mut manifest = newest.ok_or(Error::Internal("nothing to put together"))?;
    manifest.inputs.clear();
    manifest.audiences = merged
        .into_iter()
        .map(|(label, of_label)| of_label.finish(label, dir))
        .collect::<Result<_>>()?;
    manifest.write(dir)
}

/// The parts of an audience.
struct Merged {
    user_type: UserType,
    parts: Vec<PartManifest>,
    open: Option<OpenPart>,
}

/// A part that is being put together.
struct OpenPart {
    part: PartManifest,
    out: BufWriter<File>,
    hasher: Sha256,
}

impl Merged {
    fn new(user_type: UserType) -> Self {
        Self { user_type, parts: Vec::new(), open: None }
    }

    fn add(&mut self, from: &Path, part: &PartManifest, label: &Label, dir: &Path) -> Result<()> {
        let path = from.join(&part.file);
        let number = self.parts.len() + usize::from(self.open.is_some()) + 1;
        let file = format!("{label}-{number:05}.txt");
        if part.bytes >= MERGED_PART_BYTES / 2 {
            let to = dir.join(&file);
            link_or_copy(&path, &to).map_err(|e| Error::writing("keep", &to, e))?;
            self.parts.push(PartManifest { file, ..part.clone() });
            return Ok(());
        }
        let mut open = match self.open.take() {
            Some(open) => open,
            None => OpenPart::create(dir, file)?,
        };
        open.append(&path, part, dir)?;
        if open.part.bytes >= MERGED_PART_BYTES {
            self.parts.push(open.close(dir)?);
        } else {
            self.open = Some(open);
        }
        Ok(())
    }

    fn finish(mut self, label: Label, dir: &Path) -> Result<AudienceManifest> {
        if let Some(open) = self.open.take() {
            self.parts.push(open.close(dir)?);
        }
        self.parts.sort_by(|one, other| one.file.cmp(&other.file));
        Ok(AudienceManifest::of_parts(label, self.user_type, self.parts))
    }
}

impl OpenPart {
    fn create(dir: &Path, file: String) -> Result<Self> {
        let out = BufWriter::new(create_file(&dir.join(&file))?);
        let part = PartManifest { file, lines: 0, bytes: 0, sha256: String::new() };
        Ok(Self { part, out, hasher: Sha256::new() })
    }

    /// Appends a part. What is damaged must not look whole from here on.
    fn append(&mut self, path: &Path, part: &PartManifest, dir: &Path) -> Result<()> {
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(|e| Error::reading("open", path, e))?;
        // The manifest says how long it is, and it is less than `MERGED_PART_BYTES`.
        let read = file.take(part.bytes + 1).read_to_end(&mut bytes);
        read.map_err(|e| Error::reading("read", path, e))?;
        if const_hex::encode(Sha256::digest(&bytes)) != part.sha256 {
            return Err(Error::input(
                path,
                "it is not what its manifest says (SHA-256 differs)",
                "",
            ));
        }
        self.hasher.update(&bytes);
        let written = self.out.write_all(&bytes);
        written.map_err(|e| Error::writing("write", &dir.join(&self.part.file), e))?;
        self.part.lines += part.lines;
        self.part.bytes += bytes.len() as u64;
        Ok(())
    }

    fn close(mut self, dir: &Path) -> Result<PartManifest> {
        let synced = self.out.flush().and_then(|()| self.out.get_ref().sync_all());
        synced.map_err(|e| Error::writing("sync", &dir.join(&self.part.file), e))?;
        self.part.sha256 = const_hex::encode(self.hasher.finalize());
        Ok(self.part)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::KnownInput;
    use crate::sync::SyncRecord;

    const LABELS: [&str; 2] = ["newsletter", "callers"];

    fn label(name: &str) -> Label {
        name.parse().expect("a label")
    }

    fn open(dir: &Path) -> State {
        State::open(dir, false).expect("the state opens")
    }

    /// A run that added one entry to each of `labels`, and was settled if it `is_settled`.
    fn add_run(state: &State, labels: &[&str], is_settled: bool) -> i64 {
        let run = state.begin_run(&SyncRecord::default()).expect("a run");
        let dir = state.run_dir(run);
        fs::create_dir(&dir).expect("a directory");
        let mut manifest = Manifest::new(serde_json::Map::new());
        for name in labels {
            state.audience(&label(name), "a target", run).expect("an audience");
            let text = format!("{}\n", const_hex::encode(Sha256::digest(format!("{name} {run}"))));
            let file = format!("{name}-00001.txt");
            fs::write(dir.join(&file), &text).expect("writes");
            let sha256 = const_hex::encode(Sha256::digest(&text));
            let part = PartManifest { file, lines: 1, bytes: text.len() as u64, sha256 };
            manifest.audiences.push(AudienceManifest::of_parts(
                label(name),
                UserType::EmailHash,
                vec![part],
            ));
        }
        manifest.write(&dir).expect("writes");
        if is_settled {
            state.settled(run, &[]).expect("writes");
        }
        run
    }

    /// The entries that count for an audience, in order, from directories that match their manifests.
    fn entries(state: &State, name: &str) -> Vec<String> {
        let remembered = state.remembered(&label(name)).expect("remembered");
        let mut entries = Vec::new();
        for KnownInput { dir, .. } in state.known(&[remembered]).expect("known") {
            let manifest = Manifest::read(&dir).expect("a manifest");
            assert_eq!(
                manifest.problems(&dir, &crate::stop::Stop::default()).expect("readable"),
                []
            );
            for part in manifest
                .audiences
                .iter()
                .filter(|of| of.label == label(name))
                .flat_map(|of| &of.parts)
            {
                let text = fs::read_to_string(dir.join(&part.file)).expect("text");
                entries.extend(text.lines().map(str::to_owned));
            }
        }
        entries.sort();
        entries
    }

    fn dirs(state: &State) -> Vec<String> {
        let name = |holding: Holding| {
            holding.dir.file_name().map(|name| name.to_string_lossy().into_owned())
        };
        state.holdings().expect("listed").into_iter().filter_map(name).collect()
    }

    #[test]
    fn what_is_put_together_is_what_counted_before_and_nothing_else() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let state = open(dir.path());
        for _ in 0..4 {
            add_run(&state, &LABELS, true);
        }
        add_run(&state, &LABELS[1..], true);
        state.start_over(&label("newsletter"), 3, None).expect("writes");
        let before = LABELS.map(|name| entries(&state, name));
        assert_eq!([before[0].len(), before[1].len()], [2, 5]);

        state.merge_if_more_than(5).expect("nothing to do yet");
        assert_eq!(dirs(&state).len(), 5);
        state.merge_if_more_than(4).expect("put together");
        assert_eq!(dirs(&state), ["000001-000005"]);
        assert_eq!(LABELS.map(|name| entries(&state, name)), before);
        assert_eq!(state.held(&label("newsletter"), 3).expect("counted"), 2);
        assert_eq!(state.held(&label("newsletter"), 6).expect("counted"), 0);

        // And again, with what came after.
        add_run(&state, &LABELS, true);
        state.merge_if_more_than(1).expect("put together");
        drop(state);
        let state = open(dir.path());
        assert_eq!(dirs(&state), ["000001-000006"]);
        assert_eq!(state.held(&label("callers"), 0).expect("counted"), 6);
    }

    #[test]
    fn a_run_that_is_not_settled_and_a_replacement_are_left_alone() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let state = open(dir.path());
        for _ in 0..2 {
            add_run(&state, &LABELS, true);
        }
        add_run(&state, &LABELS, false);
        add_run(&state, &LABELS, true);
        state.begin_replacement(&label("callers"), 2).expect("writes");
        state.merge_if_more_than(1).expect("nothing to do");
        assert_eq!(dirs(&state).len(), 4);
        state.complete_replacement(&label("callers"), None).expect("writes");
        state.merge_if_more_than(1).expect("put together");
        assert_eq!(dirs(&state), ["000001-000002", "000003", "000004"]);
    }

    #[test]
    fn a_kill_before_the_old_directories_are_removed_counts_nothing_twice() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let state = open(dir.path());
        for _ in 0..3 {
            add_run(&state, &LABELS, true);
        }
        let aside = dir.path().join("aside");
        fs::create_dir(&aside).expect("a directory");
        let copy =
            std::process::Command::new("cp").arg("-a").arg(state.runs_dir()).arg(&aside).status();
        assert!(copy.expect("cp runs").success());
        state.merge_if_more_than(1).expect("put together");
        for run in ["000001", "000002"] {
            fs::rename(aside.join("runs").join(run), state.runs_dir().join(run)).expect("moves");
        }
        drop(state);
        let state = open(dir.path());
        assert_eq!(dirs(&state), ["000001-000003"]);
        assert_eq!(state.held(&label("callers"), 0).expect("counted"), 3);
        assert_eq!(entries(&state, "callers").len(), 3);
    }

    #[test]
    fn what_is_damaged_does_not_become_whole() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let state = open(dir.path());
        for _ in 0..3 {
            add_run(&state, &LABELS, true);
        }
        fs::write(state.run_dir(2).join("callers-00001.txt"), "f".repeat(64) + "\n")
            .expect("writes");
        let error = state.merge_if_more_than(1).expect_err("damaged");
        assert!(error.to_string().contains("SHA-256 differs"), "{error}");
        assert_eq!(dirs(&state), ["000001", "000002", "000003"]);
    }

    #[test]
    fn what_is_lost_stays_noticed() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let mut state = open(dir.path());
        for _ in 0..3 {
            let run = add_run(&state, &LABELS, false);
            state.begin_upload(run, &label("callers"), 0).expect("writes");
            state.settled(run, &[label("callers")]).expect("writes");
        }
        fs::remove_dir_all(state.run_dir(2)).expect("removes");
        let error = state.merge_if_more_than(1).expect_err("a directory is lost");
        assert!(error.to_string().contains("it is not there"), "{error}");
        assert_eq!(dirs(&state), ["000001", "000003"]);
    }
}
