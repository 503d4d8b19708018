//! The files of a state directory beside the database.
//!
//! ```text
//! STATE/throng.sqlite               the store
//! STATE/lock, audience-N.lock       held while a job runs, while an audience is uploaded to
//! STATE/parts/000123/SHA256.txt     parts that run 123 of a job has made; they never change
//! STATE/lists/LABEL-must-go.txt     who must go, and who is gone, by digest, as of the latest run
//! STATE/lists/LABEL-opted-out.txt   some who were taken out because they opted out, as parts have them
//! STATE/forgotten/TYPE.txt          who is never to be uploaded again, as upload files have it
//! STATE/prepared/                   what a run has prepared, until its parts are in their folder
//! ```
//!
//! A file gets its place before a row names it, and a row is gone before its file is. So what a killed run leaves are
//! files that no row names; the next run of the job removes them. A folder of a run that the database does not know of
//! is another matter: the database was lost, and nobody may go on as if nothing had been sent.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::params;

use super::words::{DeliveryState, Existence};
use super::{NAME, RunId, STORE_FILE, Store, rows};
use crate::disk::{link_or_copy, private, sync_dir};
use crate::error::{Error, Result};

impl Store {
    /// Where the folders of parts are.
    pub(crate) fn parts_dir(&self) -> PathBuf {
        self.dir().join("parts")
    }

    pub(super) fn lists_dir(&self) -> PathBuf {
        self.dir().join("lists")
    }

    /// Where a run of a job prepares.
    pub(crate) fn prepared_dir(&self) -> PathBuf {
        self.dir().join("prepared")
    }

    /// The folder of the parts that a run has made.
    pub(crate) fn run_dir(&self, run: RunId) -> PathBuf {
        self.parts_dir().join(format!("{:06}", run.number()))
    }

    /// Where a part of a run is.
    pub(crate) fn part_path(&self, run: RunId, sha256: &str) -> PathBuf {
        self.run_dir(run).join(format!("{sha256}.txt"))
    }

    /// Puts files, each under the digest of its bytes, into the folder of a run, durably. They are synced already.
    pub(crate) fn put_files(&self, run: RunId, files: &[(PathBuf, &str)]) -> Result<()> {
        let dir = self.run_dir(run);
        private::create_dirs(&dir).map_err(|e| Error::writing("create", &dir, e))?;
        for (file, sha256) in files {
            let to = self.part_path(run, sha256);
            fs::rename(file, &to).map_err(|e| Error::writing("keep the part", &to, e))?;
        }
        sync_dir(&dir)?;
        sync_dir(&self.parts_dir())?;
        sync_dir(self.dir())
    }

    /// Where the list of a kind of an audience is.
    pub(crate) fn list_path(&self, name: &str) -> PathBuf {
        self.lists_dir().join(format!("{name}.txt"))
    }

    /// Keeps the latest list of a kind of an audience where people find it; its path. Without a list, an earlier one is
    /// removed.
    pub(crate) fn keep_list(&self, list: Option<&Path>, name: &str) -> Result<Option<String>> {
        let (lists, path) = (self.lists_dir(), self.list_path(name));
        let keeping = |error| Error::writing("keep the list", &path, error);
        let Some(list) = list else {
            return match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(keeping(error)),
                _ => Ok(None),
            };
        };
        private::create_dirs(&lists).map_err(keeping)?;
        let new = lists.join(format!(".{name}.new"));
        // The file is the same: as a rule nothing is copied.
        let _left_over = fs::remove_file(&new);
        let kept = link_or_copy(list, &new).and_then(|()| {
            fs::rename(&new, &path).inspect_err(|_| {
                let _removed = fs::remove_file(&new);
            })
        });
        kept.map_err(keeping)?;
        Ok(Some(path.to_string_lossy().into_owned()))
    }

    /// Removes what a run has prepared.
    pub(crate) fn remove_prepared(&self) -> Result<()> {
        remove_dir(&self.prepared_dir())
    }

    /// Refuses folders of runs that the database does not know of: it was lost, or is older than they are.
    pub(crate) fn check_complete(&self) -> Result<()> {
        let known = self.last_run()?.number();
        let folders = entries_of(&self.parts_dir())?;
        let runs =
            folders.iter().filter_map(|entry| entry.file_name().to_str()?.parse::<i64>().ok());
        match runs.max() {
            Some(newest) if newest > known => Err(Error::State {
                what: NAME,
                operation: "trust",
                path: self.dir().to_owned(),
                message: format!(
                    "it has parts of run {newest}, and {STORE_FILE} knows of no run after {known}"
                ),
                hint: Some("restore the whole directory from a backup, or move it away and give the audiences by their `id`".to_owned()),
            }),
            _ => Ok(()),
        }
    }

    /// Removes what no row names and what runs left that were killed. To be called by the only run of the job.
    pub(crate) fn remove_unneeded(&self) -> Result<()> {
        self.remove_prepared()?;
        for dir in [self.dir().to_owned(), self.lists_dir()] {
            for entry in entries_of(&dir)? {
                let path = entry.path();
                match entry.file_name().as_encoded_bytes().starts_with(b".") {
                    true if path.is_dir() => remove_dir(&path)?,
                    true => remove_file(&path)?,
                    false => {}
                }
            }
        }
        let needed = self.needed_files()?;
        for folder in entries_of(&self.parts_dir())? {
            let folder = folder.path();
            let files = entries_of(&folder)?;
            let (kept, unneeded): (Vec<_>, Vec<_>) =
                files.iter().map(fs::DirEntry::path).partition(|path| needed.contains(path));
            unneeded.iter().try_for_each(|path| remove_file(path))?;
            if kept.is_empty() {
                fs::remove_dir(&folder).map_err(|e| Error::writing("remove", &folder, e))?;
            }
        }
        Ok(())
    }

    /// The files that rows name, after those were taken out that nobody needs any more.
    fn needed_files(&self) -> Result<HashSet<PathBuf>> {
        self.change(|db| {
            // What a job did not send is prepared anew.
            db.execute(
                "DELETE FROM delivery WHERE state = ?1 AND run_id IN (SELECT id FROM run WHERE record IS NOT NULL)",
                [DeliveryState::Intended],
            )?;
            db.execute(
                "UPDATE part SET kept_in = NULL WHERE kept_in IS NOT NULL AND NOT EXISTS
                 (SELECT 1 FROM delivery JOIN generation ON generation.id = generation_id
                  WHERE delivery.sha256 = part.sha256 AND generation.state != ?1)",
                [Existence::Deleted],
            )?;
            let sql = "SELECT kept_in, sha256 FROM part WHERE kept_in IS NOT NULL";
            let files = rows(db, sql, params![], |row| {
                let sha256: String = row.get(1)?;
                Ok(self.part_path(row.get(0)?, &sha256))
            })?;
            Ok(files.into_iter().collect())
        })
    }
}

/// All entries of a directory, or an error: one that is overlooked could be somebody who opted out. None if there is no
/// such directory.
pub(super) fn entries_of(dir: &Path) -> Result<Vec<fs::DirEntry>> {
    match fs::read_dir(dir).and_then(Iterator::collect) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries.map_err(|e| Error::writing("read", dir, e)),
    }
}

fn remove_file(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(|e| Error::writing("remove", path, e))
}

/// Removes a directory, if it is there.
fn remove_dir(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::writing("remove", dir, error))
        }
        _ => Ok(()),
    }
}
