//! What is remembered from night to night.
//!
//! ```text
//! STATE/lock           held while a job runs
//! STATE/ledger.sqlite  what was sent, and what the API has confirmed: see `upload::Ledger`
//! STATE/sync.sqlite    audiences, their generations, runs: see `schema.sql`
//! STATE/runs/000123/   what run 123 has added to the audiences, as `throng prepare` writes it
//! STATE/runs/000001-000064/   what runs 1 to 64 have added, put together: see `merge`
//! STATE/unconfirmed/   parts that were sent and may have taken effect: who is in them and opts out must go
//! STATE/lists/         who is gone and who must go, by digest, as of the latest run
//! ```
//!
//! The entries that an audience holds are those of the directories from its first run on. A directory is written as a
//! whole, uploaded, and then *settled*: parts that the API has not confirmed are taken out of it. A run that is killed
//! leaves a directory that is not settled, and the next run begins by settling it; whoever was in the parts that were
//! taken out is new again for the next run, unless they have left or opted out since.
//!
//! To back the state up, copy the directory while no job is running.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::SyncRecord;
use crate::api::Id;
use crate::config::Label;
use crate::disk::{FileLock, MANIFEST_FILE, private, sqlite};
use crate::error::{Error, ExitCode, Result};
use crate::upload::Ledger;

/// The database's name within the state directory.
const STATE_FILE: &str = "sync.sqlite";

/// What messages call it.
const WHAT: &str = "state";

/// What to do if directories are lost or damaged.
const HINT_DAMAGED: &str = "restore the whole state directory from a backup, or build new audiences without it: --full --replace";

/// The version of the tables.
const SCHEMA_VERSION: i32 = 1;

/// The state of a job, locked.
#[derive(Debug)]
pub(super) struct State {
    db: Connection,
    pub(super) ledger: Ledger,
    pub(super) dir: PathBuf,
    /// What was read already of how many entries directories hold.
    pub(super) entries: RefCell<HashMap<PathBuf, Rc<HashMap<Label, u64>>>>,
    _lock: FileLock,
}

/// What is remembered of an audience.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remembered {
    pub(super) label: Label,
    pub(super) generation: u32,
    pub(super) first_run: i64,
    pub(super) next_first_run: Option<i64>,
    pub(super) delete_id: Option<Id>,
}

/// A run that is not settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsettled {
    pub(super) run: i64,
    /// Whether something of it may have been sent.
    pub(super) is_sent: bool,
}

impl Remembered {
    /// The first run whose entries count for what is uploaded to next: a replacement, if one is under way.
    pub(super) fn counts_from(&self) -> i64 {
        self.next_first_run.unwrap_or(self.first_run)
    }

    /// The generation that is uploaded to next.
    pub(super) fn next_generation(&self) -> u32 {
        self.generation + u32::from(self.next_first_run.is_some())
    }
}

impl State {
    /// Opens the state of a job, and makes it if it is not there. Fails if another run has it. A dry run forgets at its
    /// end whatever it changes.
    pub(super) fn open(dir: &Path, is_dry_run: bool) -> Result<Self> {
        let db =
            sqlite::open(WHAT, &dir.join(STATE_FILE), include_str!("schema.sql"), SCHEMA_VERSION)?;
        let lock = lock(&dir.join("lock"))?;
        let ledger = Ledger::open(dir)?;
        let entries = RefCell::default();
        let state = Self { db, ledger, dir: dir.to_owned(), entries, _lock: lock };
        private::create_dirs(&state.runs_dir())
            .map_err(|e| Error::writing("create", &state.runs_dir(), e))?;
        state.check_complete()?;
        state.remove_leftovers()?;
        if is_dry_run {
            // Nobody commits it.
            state.db.execute_batch("BEGIN").map_err(state.failing("read"))?;
        }
        Ok(state)
    }

    /// Refuses directories that no run is known of: a database was lost.
    fn check_complete(&self) -> Result<()> {
        let runs: i64 = self.read("SELECT coalesce(max(id), 0) FROM run", [], |row| row.get(0))?;
        let newest = self.holdings()?.last().map_or(0, |holding| holding.last);
        if newest <= runs {
            return Ok(());
        }
        Err(Error::State {
            what: WHAT,
            operation: "trust",
            path: self.dir.clone(),
            message: format!("it has a directory of run {newest}, and {STATE_FILE} knows of none after {runs}"),
            hint: Some("restore the whole directory from a backup, or move it away and give the audiences by their `id`".to_owned()),
        })
    }

    /// Refuses an audience of which a run's directory is lost: who is in it, nobody would know any more.
    pub(super) fn check_kept(&self, remembered: &Remembered) -> Result<()> {
        let label = &remembered.label;
        let result: rusqlite::Result<Vec<i64>> = (|| {
            let mut query = self.db.prepare(
                "SELECT run_id FROM upload JOIN run ON run.id = run_id
                 WHERE label = ?1 AND run_id >= ?2 AND run.state = 'settled'",
            )?;
            query
                .query_map(params![label.as_str(), remembered.first_run], |row| row.get(0))?
                .collect()
        })();
        let mut holdings = self.holdings()?;
        holdings.retain(|holding| holding.dir.join(MANIFEST_FILE).exists());
        for run in result.map_err(self.failing("read"))? {
            if !holdings.iter().any(|holding| holding.holds(run)) {
                return Err(Error::State {
                    what: WHAT,
                    operation: "trust",
                    path: self.run_dir(run),
                    message: format!(
                        "it is not there, and something of it was uploaded to `{label}`"
                    ),
                    hint: Some(HINT_DAMAGED.to_owned()),
                });
            }
        }
        Ok(())
    }

    /// An error about a directory of a run, with what to do about it.
    pub(super) fn explained(&self, error: Error) -> Error {
        match error {
            Error::Input { path, line, message, .. } if path.starts_with(self.runs_dir()) => {
                Error::Input { path, line, message, hint: Some(HINT_DAMAGED.to_owned()) }
            }
            other => other,
        }
    }

    /// What is remembered of an audience. One that goes somewhere else by now is a new one: its entries count from
    /// `run` on.
    pub(super) fn audience(
        &self,
        label: &Label,
        target: &str,
        run: i64,
    ) -> Result<(Remembered, bool)> {
        let known: Option<String> = self
            .db
            .query_row("SELECT target FROM audience WHERE label = ?1", [label.as_str()], |row| {
                row.get(0)
            })
            .optional()
            .map_err(self.failing("read"))?;
        let is_moved = known.as_ref().is_some_and(|known| known != target);
        if known.is_none() || is_moved {
            self.change(
                "INSERT OR REPLACE INTO audience (label, target, first_run) VALUES (?1, ?2, ?3)",
                params![label.as_str(), target, run],
            )?;
        }
        Ok((self.remembered(label)?, is_moved))
    }

    /// What is remembered of an audience that [`Self::audience`] has been asked about.
    pub(super) fn remembered(&self, label: &Label) -> Result<Remembered> {
        self.read("SELECT * FROM audience WHERE label = ?1", [label.as_str()], remembered)
    }

    /// All audiences that are remembered, also those that the job does not have any more.
    pub(super) fn audiences(&self) -> Result<Vec<Remembered>> {
        let result: rusqlite::Result<_> = (|| {
            let mut query = self.db.prepare("SELECT * FROM audience ORDER BY label")?;
            query.query_map([], remembered)?.collect()
        })();
        result.map_err(self.failing("read"))
    }

    /// From `run` on everybody is new to an audience. One that was to replace it, and is not complete, is to be deleted.
    pub(super) fn start_over(
        &self,
        label: &Label,
        run: i64,
        incomplete: Option<&Id>,
    ) -> Result<()> {
        self.change(
            "UPDATE audience SET first_run = ?2, next_first_run = NULL, delete_id = coalesce(?3, delete_id)
             WHERE label = ?1",
            params![label.as_str(), run, incomplete.map(Id::as_str)],
        )
    }

    /// From `run` on an audience is built that is to replace the one that is live.
    pub(super) fn begin_replacement(&self, label: &Label, run: i64) -> Result<()> {
        self.change(
            "UPDATE audience SET next_first_run = ?2 WHERE label = ?1 AND next_first_run IS NULL",
            params![label.as_str(), run],
        )
    }

    /// The replacement is complete: it is the one that is live from here on, and the other one is to be deleted.
    pub(super) fn complete_replacement(&self, label: &Label, replaced: Option<&Id>) -> Result<()> {
        self.change(
            "UPDATE audience SET generation = generation + 1, first_run = next_first_run, next_first_run = NULL,
             delete_id = ?2 WHERE label = ?1 AND next_first_run IS NOT NULL",
            params![label.as_str(), replaced.map(Id::as_str)],
        )
    }

    /// The audience that was replaced does not exist any more.
    pub(super) fn forget_replaced(&self, label: &Label) -> Result<()> {
        self.change(
            "UPDATE audience SET delete_id = NULL WHERE label = ?1",
            params![label.as_str()],
        )
    }

    /// Begins a run; its number. Until another record is kept, this one tells of it.
    pub(super) fn begin_run(&self, if_killed: &SyncRecord) -> Result<i64> {
        self.change(
            "INSERT INTO run (state, started_at, record) VALUES ('preparing', ?1, ?2)",
            params![if_killed.started_at, to_json(if_killed)?],
        )?;
        Ok(self.db.last_insert_rowid())
    }

    /// Something of a run is about to be sent to a target.
    pub(super) fn begin_upload(&mut self, run: i64, label: &Label, target: i64) -> Result<()> {
        let failed = self.failing("write");
        let result: rusqlite::Result<()> = (|| {
            let change = self.db.transaction()?;
            change.execute("UPDATE run SET state = 'uploading' WHERE id = ?1", [run])?;
            change.execute(
                "INSERT OR REPLACE INTO upload (run_id, label, target_id) VALUES (?1, ?2, ?3)",
                params![run, label.as_str(), target],
            )?;
            change.commit()
        })();
        result.map_err(failed)
    }

    /// The target that an audience of a run went to, if anything of it may have been sent.
    pub(super) fn upload(&self, run: i64, label: &Label) -> Result<Option<i64>> {
        self.db
            .query_row(
                "SELECT target_id FROM upload WHERE run_id = ?1 AND label = ?2",
                params![run, label.as_str()],
                |row| row.get(0),
            )
            .optional()
            .map_err(self.failing("read"))
    }

    /// Runs that are not settled, in order.
    pub(super) fn unsettled(&self) -> Result<Vec<Unsettled>> {
        let result: rusqlite::Result<_> = (|| {
            let mut query = self
                .db
                .prepare("SELECT id, state FROM run WHERE state != 'settled' ORDER BY id")?;
            let rows = query.query_map([], |row| {
                let state: String = row.get(1)?;
                Ok(Unsettled { run: row.get(0)?, is_sent: state == "uploading" })
            })?;
            rows.collect()
        })();
        result.map_err(self.failing("read"))
    }

    /// The directory of a run holds what the API has confirmed, and nothing else: something of these audiences.
    pub(super) fn settled(&self, run: i64, kept: &[Label]) -> Result<()> {
        let failed = self.failing("write");
        let result: rusqlite::Result<()> = (|| {
            let mut uploads = self.db.prepare("SELECT label FROM upload WHERE run_id = ?1")?;
            let labels: Vec<String> =
                uploads.query_map([run], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            // Nothing of these was confirmed, so that it does no harm if the process is killed in between.
            for label in labels.iter().filter(|label| kept.iter().all(|of| of.as_str() != **label))
            {
                self.db.execute(
                    "DELETE FROM upload WHERE run_id = ?1 AND label = ?2",
                    params![run, label],
                )?;
            }
            self.db.execute("UPDATE run SET state = 'settled' WHERE id = ?1", [run]).map(drop)
        })();
        result.map_err(failed)
    }

    /// Keeps what a run came to.
    pub(super) fn keep_record(&self, record: &SyncRecord) -> Result<()> {
        let record_json = to_json(record)?;
        self.change("UPDATE run SET record = ?2 WHERE id = ?1", params![record.run, record_json])
    }

    /// What the latest runs came to, the latest first.
    pub(super) fn records(&self, count: u32) -> Result<Vec<SyncRecord>> {
        records(&self.db, count).map_err(self.failing("read"))
    }

    fn read<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        map: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<T> {
        self.db.query_row(sql, params, map).map_err(self.failing("read"))
    }

    fn change(&self, sql: &str, params: impl rusqlite::Params) -> Result<()> {
        self.db.execute(sql, params).map(drop).map_err(self.failing("write"))
    }

    fn failing(&self, operation: &'static str) -> impl Fn(rusqlite::Error) -> Error + use<> {
        let path = self.dir.join(STATE_FILE);
        move |error| sqlite::error(WHAT, operation, &path, &error)
    }
}

/// What the latest runs of the job of a state directory came to, the latest first. Does not wait for a run that is
/// going on. Empty if no job was ever run there.
pub fn records_of(dir: &Path, count: u32) -> Result<Vec<SyncRecord>> {
    let path = dir.join(STATE_FILE);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let db = sqlite::open(WHAT, &path, include_str!("schema.sql"), SCHEMA_VERSION)?;
    records(&db, count).map_err(|error| sqlite::error(WHAT, "read", &path, &error))
}

fn to_json(record: &SyncRecord) -> Result<String> {
    serde_json::to_string(record).map_err(|_| Error::Internal("a record cannot be written as JSON"))
}

fn records(db: &Connection, count: u32) -> rusqlite::Result<Vec<SyncRecord>> {
    let mut query = db
        .prepare("SELECT id, record FROM run WHERE record IS NOT NULL ORDER BY id DESC LIMIT ?1")?;
    let rows = query.query_map([count], |row| {
        let (run, json): (i64, String) = (row.get(0)?, row.get(1)?);
        let record = serde_json::from_str(&json).ok();
        Ok(record.map(|record| SyncRecord { run, ..record }))
    })?;
    // A record that cannot be read is left out; it is for people, nothing is decided by it alone.
    rows.filter_map(std::result::Result::transpose).collect()
}

fn lock(path: &Path) -> Result<FileLock> {
    FileLock::acquire(path)?.ok_or_else(|| {
        Error::api(
            ExitCode::Temporary,
            "another run of this job is going on",
            "wait until it has finished; a killed one holds nothing up",
        )
    })
}

fn remembered(row: &Row<'_>) -> rusqlite::Result<Remembered> {
    let bad = |column: &str| rusqlite::Error::InvalidColumnName(column.to_owned());
    let label: String = row.get("label")?;
    let delete_id: Option<String> = row.get("delete_id")?;
    Ok(Remembered {
        label: label.parse().map_err(|_| bad("label"))?,
        generation: row.get("generation")?,
        first_run: row.get("first_run")?,
        next_first_run: row.get("next_first_run")?,
        delete_id: delete_id.map(|id| id.parse().map_err(|_| bad("delete_id"))).transpose()?,
    })
}
