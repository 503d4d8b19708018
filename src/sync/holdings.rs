//! The directories of a state: what runs have added to the audiences, and what they may have added.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::state::{Remembered, State};
use crate::config::{KnownInput, Label};
use crate::disk::{MANIFEST_FILE, Staging, link_or_copy, private};
use crate::emit::{AudienceManifest, Manifest, PartManifest};
use crate::error::{Error, Result};
use crate::role::Role;

/// A directory of what one or more runs have added to the audiences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holding {
    /// The first run whose entries it may hold.
    pub(super) first: i64,
    /// The last one.
    pub(super) last: i64,
    pub(super) dir: PathBuf,
}

impl Holding {
    pub(super) fn holds(&self, run: i64) -> bool {
        (self.first..=self.last).contains(&run)
    }

    /// Whether everything of another one is in this one.
    fn covers(&self, other: &Self) -> bool {
        self != other && self.first <= other.first && other.last <= self.last
    }
}

impl State {
    pub(super) fn runs_dir(&self) -> PathBuf {
        self.dir.join("runs")
    }

    /// Where the directory of a run is.
    pub(super) fn run_dir(&self, run: i64) -> PathBuf {
        self.runs_dir().join(format!("{run:06}"))
    }

    /// Where a dry run writes.
    pub(super) fn dry_run_dir(&self) -> PathBuf {
        self.dir.join("dry-run")
    }

    fn lists_dir(&self) -> PathBuf {
        self.dir.join("lists")
    }

    /// Keeps the latest list of a kind of an audience where people find it, also when the run's directory is gone; its
    /// path. Without a list, an earlier one is removed.
    pub(super) fn keep_list(
        &self,
        run_dir: &Path,
        list: Option<&PartManifest>,
        label: &Label,
        what: &str,
    ) -> Result<Option<String>> {
        let lists = self.lists_dir();
        let path = lists.join(format!("{label}-{what}.txt"));
        let keeping = |error| Error::writing("keep the list", &path, error);
        let Some(list) = list else {
            return match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(keeping(error)),
                _ => Ok(None),
            };
        };
        private::create_dirs(&lists).map_err(keeping)?;
        let new = lists.join(format!(".{label}-{what}.new"));
        // The file is the same: as a rule nothing is copied.
        let _left_over = fs::remove_file(&new);
        let kept = link_or_copy(&run_dir.join(&list.file), &new).and_then(|()| {
            fs::rename(&new, &path).inspect_err(|_| {
                let _removed = fs::remove_file(&new);
            })
        });
        kept.map_err(keeping)?;
        Ok(Some(path.to_string_lossy().into_owned()))
    }

    /// Removes what runs left that were killed, and what dry runs wrote. Nobody else is running.
    pub(super) fn remove_leftovers(&self) -> Result<()> {
        for dir in [&self.dir, &self.runs_dir(), &self.unconfirmed_dir(), &self.lists_dir()] {
            for entry in entries_of(dir)? {
                let (path, name) = (entry.path(), entry.file_name());
                let is_hidden = name.as_encoded_bytes().starts_with(b".");
                match path.is_dir() {
                    true if is_hidden || name == "dry-run" => remove_dir(&path)?,
                    false if is_hidden => {
                        fs::remove_file(&path).map_err(|e| Error::writing("remove", &path, e))?;
                    }
                    _ => {}
                }
            }
        }
        self.remove_covered()
    }

    /// Removes directories whose entries are in one that they were put together in.
    pub(super) fn remove_covered(&self) -> Result<()> {
        let holdings = self.holdings()?;
        for holding in &holdings {
            if holdings.iter().any(|other| other.covers(holding)) {
                remove_dir(&holding.dir)?;
            }
        }
        Ok(())
    }

    /// The directories of runs, in order.
    pub(super) fn holdings(&self) -> Result<Vec<Holding>> {
        holdings_in(&self.runs_dir())
    }

    fn unconfirmed_dir(&self) -> PathBuf {
        self.dir.join("unconfirmed")
    }

    /// Keeps parts of a run that were sent and may have taken effect, though no answer came: whoever is in them and has
    /// opted out since must go. Doing it again does no harm.
    pub(super) fn keep_unconfirmed(
        &self,
        run: i64,
        manifest: &Manifest,
        is_unanswered: impl Fn(&AudienceManifest, &PartManifest) -> bool,
    ) -> Result<()> {
        let mut manifest = manifest.clone();
        for audience in &mut manifest.audiences {
            let parts = std::mem::take(&mut audience.parts);
            audience.parts =
                parts.into_iter().filter(|part| is_unanswered(audience, part)).collect();
            (audience.gone, audience.must_go) = (None, None);
        }
        let parts: Vec<&PartManifest> =
            manifest.audiences.iter().flat_map(|audience| &audience.parts).collect();
        let dir = self.unconfirmed_dir().join(format!("{run:06}"));
        let keeping = |error| Error::writing("keep unconfirmed parts in", &dir, error);
        if parts.is_empty() || dir.try_exists().map_err(keeping)? {
            return Ok(());
        }
        let staging = Staging::begin(&dir, false)?;
        for part in parts {
            // The file is the same: as a rule nothing is copied.
            link_or_copy(&self.run_dir(run).join(&part.file), &staging.path().join(&part.file))
                .map_err(keeping)?;
        }
        manifest.write(staging.path()).map_err(|error| staging.named(error))?;
        staging.publish()
    }

    /// What audiences hold already, and what they may hold: the directories that count for each, verified when they are
    /// read.
    pub(super) fn known(&self, audiences: &[Remembered]) -> Result<Vec<KnownInput>> {
        let settled = self.settled_holdings()?.into_iter().map(|of| (of, Role::Known));
        let unconfirmed = holdings_in(&self.unconfirmed_dir())?;
        let unconfirmed = unconfirmed.into_iter().map(|of| (of, Role::Unconfirmed));
        let mut known = Vec::new();
        for (holding, role) in settled.chain(unconfirmed) {
            let counting =
                audiences.iter().filter(|audience| audience.counts_from() <= holding.last);
            let labels: Vec<Label> = counting.map(|audience| audience.label.clone()).collect();
            if !labels.is_empty() {
                known.push(KnownInput { dir: holding.dir, labels: Some(labels), role });
            }
        }
        Ok(known)
    }

    /// Entries that the API has confirmed for an audience from a run on.
    pub(super) fn held(&self, label: &Label, from: i64) -> Result<u64> {
        let mut held = 0;
        for holding in self.settled_holdings()?.into_iter().filter(|holding| holding.last >= from) {
            held += self.counted(holding.dir)?.get(label).copied().unwrap_or(0);
        }
        Ok(held)
    }

    /// Entries of each audience in a directory. What is settled does not change, so that it is read once.
    fn counted(&self, dir: PathBuf) -> Result<Rc<HashMap<Label, u64>>> {
        if let Some(entries) = self.entries.borrow().get(&dir) {
            return Ok(Rc::clone(entries));
        }
        let audiences = Manifest::read(&dir)?.audiences.into_iter();
        let entries = audiences.map(|audience| {
            let lines = audience.parts.iter().map(|part| part.lines).sum();
            (audience.label, lines)
        });
        let entries: Rc<HashMap<Label, u64>> = Rc::new(entries.collect());
        self.entries.borrow_mut().insert(dir, Rc::clone(&entries));
        Ok(entries)
    }

    /// The directories of runs that hold what the API has confirmed, and nothing else, in order.
    pub(super) fn settled_holdings(&self) -> Result<Vec<Holding>> {
        let unsettled = self.unsettled()?;
        let mut holdings = self.holdings()?;
        holdings.retain(|holding| unsettled.iter().all(|left| !holding.holds(left.run)));
        Ok(holdings)
    }

    /// Removes directories that count for no audience any more.
    pub(super) fn remove_old_runs(&self) -> Result<()> {
        let Some(first) = self.audiences()?.iter().map(|audience| audience.first_run).min() else {
            return Ok(());
        };
        let old = self.holdings()?.into_iter().chain(holdings_in(&self.unconfirmed_dir())?);
        for holding in old.filter(|holding| holding.last < first) {
            remove_dir(&holding.dir)?;
        }
        Ok(())
    }
}

/// The directories that are called by the number of a run, or by those of the first and the last of several, in order;
/// none if there is no such directory.
fn holdings_in(dir: &Path) -> Result<Vec<Holding>> {
    let holding = |entry: fs::DirEntry| {
        let name = entry.file_name();
        let name = name.to_str()?;
        let (first, last) = name.split_once('-').unwrap_or((name, name));
        Some(Holding { first: first.parse().ok()?, last: last.parse().ok()?, dir: entry.path() })
    };
    let mut holdings: Vec<Holding> = entries_of(dir)?.into_iter().filter_map(holding).collect();
    holdings.sort_unstable_by_key(|holding| (holding.last, holding.first));
    Ok(holdings)
}

/// All entries of a directory, or an error: one that is overlooked could be somebody who opted out. None if there is no
/// such directory.
fn entries_of(dir: &Path) -> Result<Vec<fs::DirEntry>> {
    match fs::read_dir(dir).and_then(Iterator::collect) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries.map_err(|e| Error::writing("read", dir, e)),
    }
}

/// Removes a directory of a run so that it never looks like a whole one: its manifest goes first.
pub(super) fn remove_dir(dir: &Path) -> Result<()> {
    let removing = |error| Error::writing("remove", dir, error);
    if !dir.try_exists().map_err(removing)? {
        return Ok(());
    }
    match fs::remove_file(dir.join(MANIFEST_FILE)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(removing(error)),
        _ => {}
    }
    fs::remove_dir_all(dir).map_err(removing)
}
