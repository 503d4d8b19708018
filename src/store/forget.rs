//! Parts that are written anew without somebody, and the lists of who is never to be uploaded again.

use std::path::PathBuf;

use rusqlite::{Connection, ErrorCode, params};

use super::files::entries_of;
use super::words::Purpose;
use super::{Store, TargetLock, rows};
use crate::disk::{Readers, private, sync_dir, write_whole};
use crate::error::{Error, ExitCode, Result};
use crate::user_type::UserType;

/// A part after lines were taken out of it.
#[derive(Clone, Debug)]
pub(crate) struct Rewritten {
    pub(crate) sha256: String,
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
}

impl Store {
    /// The list of a type, one entry a line as upload files have it; a suppression list like any other.
    pub(crate) fn forgotten_list(&self, user_type: UserType) -> PathBuf {
        self.forgotten_dir().join(format!("{user_type}.txt"))
    }

    fn forgotten_dir(&self) -> PathBuf {
        self.dir().join("forgotten")
    }

    /// Keeps the list of a type, durably.
    pub(crate) fn keep_forgotten(&self, user_type: UserType, text: &str) -> Result<()> {
        let (dir, path) = (self.forgotten_dir(), self.forgotten_list(user_type));
        private::create_dirs(&dir).map_err(|e| Error::writing("create", &dir, e))?;
        write_whole(&path, text.as_bytes(), Readers::Owner)?;
        sync_dir(self.dir())
    }

    /// Excludes the job and all uploads to audiences of a type.
    pub(crate) fn lock_all(&self, user_type: UserType) -> Result<Vec<TargetLock>> {
        let busy = || {
            Error::api(
                ExitCode::Temporary,
                "a run is going on that uses this state directory",
                "wait until it has finished; a killed one holds nothing up",
            )
        };
        let mut locks = vec![self.lock_job()?.ok_or_else(busy)?];
        for lock in self.lock_audiences(user_type)? {
            locks.push(lock.ok_or_else(busy)?);
        }
        Ok(locks)
    }

    /// The lock of each audience of a type, `None` where a run has it.
    pub(crate) fn lock_audiences(&self, user_type: UserType) -> Result<Vec<Option<TargetLock>>> {
        let sql =
            "SELECT min(generation.id) FROM generation JOIN audience ON audience.id = audience_id
             WHERE user_type = ?1 GROUP BY audience_id";
        let targets: Vec<i64> =
            self.read(|db| rows(db, sql, [user_type.name()], |row| row.get(0)))?;
        targets.into_iter().map(|id| self.lock(&self.target(id)?)).collect()
    }

    /// Puts a part that was written anew into the place of one, of which the lines with these numbers, counted from 0 and
    /// in order, were taken out; nothing in its place if no line is left. The file of the new one is in its place already.
    pub(crate) fn substitute(
        &self,
        old: &str,
        new: Option<&Rewritten>,
        removed: &[u64],
    ) -> Result<()> {
        self.change(|db| {
            if let Some(new) = new {
                db.execute(
                    "INSERT INTO part (sha256, entries, bytes, kept_in)
                     SELECT ?2, ?3, ?4, kept_in FROM part WHERE sha256 = ?1
                     ON CONFLICT DO UPDATE SET kept_in = excluded.kept_in",
                    params![old, new.sha256, new.entries, new.bytes],
                )?;
                move_deliveries(db, old, &new.sha256, removed)?;
            }
            db.execute("DELETE FROM delivery WHERE sha256 = ?1", [old])?;
            let new = new.map(|new| &new.sha256);
            db.execute("UPDATE request SET sha256 = ?2 WHERE sha256 = ?1", params![old, new])?;
            // What its last batch held is not the same any more: a new session begins.
            db.execute("DELETE FROM session WHERE sha256 = ?1", [old])?;
            db.execute("DELETE FROM part WHERE sha256 = ?1", [old]).map(drop)
        })
    }

    /// Forgets the sums of parts that are for no audience any more: that of a part of one or two entries says as much as
    /// these do. What a create without an answer carried stays until that is settled.
    pub(crate) fn forget_sums(&self) -> Result<()> {
        self.change(|db| {
            let is_for_nobody = |table: &str| {
                format!("NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.sha256 = {table}.sha256)")
            };
            for change in [
                format!(
                    "UPDATE request SET sha256 = NULL WHERE sha256 IS NOT NULL AND (call != 'create' OR may_hold = 0) AND {}",
                    is_for_nobody("request")
                ),
                format!("DELETE FROM session WHERE {}", is_for_nobody("session")),
                format!("DELETE FROM part WHERE {}", is_for_nobody("part")),
            ] {
                db.execute(&change, [])?;
            }
            Ok(())
        })
    }

    /// Writes the database anew, so that nothing of what was deleted is left in its pages or its log. Where another process
    /// writes all the time, what was deleted is overwritten all the same, as ever.
    pub(crate) fn compact(&self) -> Result<()> {
        self.read(|db| {
            let compacted = db
                .execute_batch("VACUUM")
                .and_then(|()| db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())));
            match compacted {
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(()),
                compacted => compacted,
            }
        })
    }

    /// The lists of who must go and who is gone.
    pub(crate) fn lists(&self) -> Result<Vec<PathBuf>> {
        let dir = self.lists_dir();
        let entries = entries_of(&dir)?;
        let is_list = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "txt");
        Ok(entries.into_iter().map(|entry| entry.path()).filter(is_list).collect())
    }
}

/// Within a change: what is known of the deliveries of one part is known of those of another one.
fn move_deliveries(db: &Connection, old: &str, new: &str, removed: &[u64]) -> rusqlite::Result<()> {
    let sql = "SELECT generation_id, purpose, entries_done FROM delivery WHERE sha256 = ?1";
    let deliveries: Vec<(i64, Purpose, u64)> =
        rows(db, sql, [old], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    for (generation, purpose, done) in deliveries {
        let done = done - removed.partition_point(|line| *line < done) as u64;
        db.execute(
            "UPDATE OR REPLACE delivery SET sha256 = ?4, entries_done = ?5
             WHERE generation_id = ?1 AND purpose = ?2 AND sha256 = ?3",
            params![generation, purpose, old, new, done],
        )?;
    }
    Ok(())
}
