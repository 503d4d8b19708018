//! Runs, and what each was to send where.

use std::path::Path;

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, params};

use super::deliveries::{self, NewPart};
use super::removals::{self, Removed};
use super::{Purpose, STORE_FILE, Store, Target, rows};
use crate::disk::sqlite::now;
use crate::error::{Error, ExitCode, Result};

/// The number of a run within its state directory, counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunId(i64);

impl RunId {
    /// The number.
    pub fn number(self) -> i64 {
        self.0
    }
}

impl ToSql for RunId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for RunId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Self)
    }
}

impl Store {
    /// Records that a run has begun. Until another record is kept, `record` tells what became of it.
    pub(crate) fn begin_run(&self, command: &str, record: Option<&str>) -> Result<RunId> {
        self.change(|db| {
            db.execute(
                "INSERT INTO run (command, version, started_at, record) VALUES (?1, ?2, ?3, ?4)",
                params![command, env!("CARGO_PKG_VERSION"), now(), record],
            )?;
            Ok(RunId(db.last_insert_rowid()))
        })
    }

    /// Keeps what the run of a job came to, in JSON, which tells who was taken out of which audience.
    pub(crate) fn keep_record(
        &self,
        run: RunId,
        record: &str,
        told: &[(String, Removed)],
    ) -> Result<()> {
        self.change(|db| {
            db.execute("UPDATE run SET record = ?2 WHERE id = ?1", params![run, record])?;
            removals::tell(db, told)
        })
    }

    /// What the latest runs of a job came to, the latest first: number and JSON.
    pub(crate) fn records(&self, count: u32) -> Result<Vec<(i64, String)>> {
        self.read(|db| records(db, count))
    }

    /// The same of the store of a state directory, which looking does not make. Does not wait for a run that is going on.
    pub(crate) fn records_in(dir: &Path, count: u32) -> Result<Vec<(i64, String)>> {
        if dir.join(STORE_FILE).exists() { Self::open(dir)?.records(count) } else { Ok(Vec::new()) }
    }

    /// Records what a run is about to send to a target, and for what. A part that was confirmed for it is not sent again.
    pub(crate) fn begin_upload(
        &self,
        run: RunId,
        (target, purpose): (&Target, Purpose),
        dir: &Path,
        parts: &[NewPart<'_>],
    ) -> Result<()> {
        self.change(|db| {
            db.execute(
                "INSERT OR REPLACE INTO upload
                 (run_id, generation_id, purpose, directory, parts, entries, bytes, started_at)
                 VALUES (?1, ?2, ?8, ?3, ?4, ?5, ?6, ?7)",
                params![
                    run,
                    target.id,
                    dir.to_string_lossy(),
                    parts.len(),
                    parts.iter().map(|part| part.entries).sum::<u64>(),
                    parts.iter().map(|part| part.bytes).sum::<u64>(),
                    now(),
                    purpose
                ],
            )?;
            deliveries::plan(db, target, purpose, run, parts)
        })
    }

    /// Relies no more on what was confirmed for the other purpose, before a person has parts sent for this one: they may hold
    /// the same entries.
    pub(crate) fn doubt_other(&self, target: &Target, purpose: Purpose) -> Result<()> {
        let other = match purpose {
            Purpose::Add => Purpose::Remove,
            Purpose::Remove => Purpose::Add,
        };
        self.change(|db| deliveries::doubt(db, target, other))
    }

    /// Records how the upload of a run to a target ended.
    pub(crate) fn end_upload(
        &self,
        run: RunId,
        (target, purpose): (&Target, Purpose),
        ended: std::result::Result<(), &Error>,
    ) -> Result<()> {
        let code = ended.map_or_else(Error::exit_code, |()| ExitCode::Done);
        let message = ended.err().map(ToString::to_string);
        self.change(|db| {
            db.execute(
                "UPDATE upload SET ended_at = ?3, exit_code = ?4, message = ?5
                 WHERE run_id = ?1 AND generation_id = ?2 AND purpose = ?6",
                params![run, target.id, now(), code as u8, message, purpose],
            )
            .map(drop)
        })
    }

    /// The last run that has begun.
    pub(super) fn last_run(&self) -> Result<RunId> {
        self.read(|db| db.query_row("SELECT coalesce(max(id), 0) FROM run", [], |row| row.get(0)))
    }
}

fn records(db: &Connection, count: u32) -> rusqlite::Result<Vec<(i64, String)>> {
    let sql = "SELECT id, record FROM run WHERE record IS NOT NULL ORDER BY id DESC LIMIT ?1";
    rows(db, sql, [count], |row| Ok((row.get(0)?, row.get(1)?)))
}
