//! What was sent and what the API has confirmed: a database that survives whatever ends the process.
//!
//! The tables are in `schema.sql` beside this file, for whoever wants to query them. Every change is a transaction of
//! its own, synced before it returns (WAL, `synchronous=FULL`), so that at any point a killed run leaves:
//!
//! | killed | the ledger says | the next run |
//! |---|---|---|
//! | before the intent is written | `planned` | creates the audience |
//! | between the intent and the acknowledgement | `intent`, with the marker | asks the API's list for the marker |
//! | after the audience is acknowledged | `ready`, some parts acknowledged | sends the others |
//! | between a part's answer and its acknowledgement | the part is not acknowledged | sends it again, which changes nothing |
//!
//! There is no token in it, and no entry: parts are known by the digest of the whole file.

mod history;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use crate::api::{CustomAudience, Id};
use crate::error::{Error, ExitCode, Result};
use crate::normalize::UserType;
use crate::sqlite::{self, now};
use crate::upload::failure::{Call, Failure};
use crate::upload::part::Part;

pub use self::history::{History, RunRecord, TargetRecord};

/// The ledger's name within the state directory.
pub const LEDGER_FILE: &str = "ledger.sqlite";

/// The version of the tables (`PRAGMA user_version`).
const SCHEMA_VERSION: i32 = 1;

/// The outcome of a request to which the API said yes.
const ACKNOWLEDGED: &str = "acknowledged";

const FIND: &str =
    "SELECT * FROM target WHERE endpoint = ?1 AND state = 'ready' AND ?2 IN (audience_id, fb_id)";

const END_ATTEMPT: &str =
    "UPDATE attempt SET ended_at = ?2, outcome = ?3, status = ?4 WHERE id = ?1";

/// How often a lock is tried that somebody has.
const LOCK_ATTEMPTS: u32 = 5;

/// The wait between two tries.
const LOCK_WAIT: Duration = Duration::from_millis(20);

/// What messages call it.
const WHAT: &str = "ledger";

/// The ledger of a state directory.
#[derive(Debug)]
pub struct Ledger {
    db: Connection,
    dir: PathBuf,
}

/// An audience that is uploaded to, as the ledger knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its number in the ledger.
    pub id: i64,
    /// The address of its API.
    pub endpoint: String,
    /// The ad account that it belongs to.
    pub ad_account: String,
    /// What its entries are.
    pub user_type: UserType,
    /// Its name, if throng was to create it.
    pub name: Option<String>,
    /// How far it is.
    pub state: TargetState,
    /// Facebook's number, if it is known.
    pub fb_id: Option<Id>,
}

/// What a target is known by before it has a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetName<'a> {
    /// The ad account.
    pub ad_account: &'a Id,
    /// What its entries are.
    pub user_type: UserType,
    /// Its name.
    pub name: &'a str,
    /// Tells audiences of one name apart, of which each replaces the one before.
    pub generation: u32,
}

/// How far a target is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetState {
    /// It does not exist.
    Planned,
    /// A create may have taken effect; the audience's description then holds this marker, if there is one.
    Intent {
        /// What to look for.
        marker: Option<String>,
    },
    /// It exists.
    Ready {
        /// The vendor's number.
        audience: Id,
    },
    /// It existed once.
    Deleted,
}

/// Keeps others from uploading to the same target; the system releases it with the process.
#[derive(Debug)]
pub struct TargetLock {
    _file: File,
}

/// A run that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunId(i64);

/// A request that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptId(i64);

impl Ledger {
    /// Opens the ledger of a state directory, and makes both if they are not there.
    pub fn open(dir: &Path) -> Result<Self> {
        let path = dir.join(LEDGER_FILE);
        let db = sqlite::open(WHAT, &path, include_str!("schema.sql"), SCHEMA_VERSION)?;
        Ok(Self { db, dir: dir.to_owned() })
    }

    /// The target of a create; made if it is new.
    pub(crate) fn target_by_name(
        &mut self,
        endpoint: &str,
        key: &TargetName<'_>,
    ) -> Result<Target> {
        let failed = self.failing("write");
        let result: rusqlite::Result<_> = (|| {
            let TargetName { ad_account, user_type, name, generation } = key;
            let (ad_account, user_type) = (ad_account.as_str(), user_type.name());
            let change = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            change.execute(
                "INSERT INTO target (endpoint, ad_account, user_type, name, generation, state, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, 'planned', ?6) ON CONFLICT DO NOTHING",
                params![endpoint, ad_account, user_type, name, generation, now()],
            )?;
            let target = change.query_row(
                "SELECT * FROM target WHERE endpoint = ?1 AND ad_account = ?2 AND user_type = ?3 AND name = ?4
                 AND generation = ?5 AND state != 'deleted'",
                params![endpoint, ad_account, user_type, name, generation],
                target,
            )?;
            change.commit()?;
            Ok(target)
        })();
        result.map_err(failed)
    }

    /// The target of a create, if there is one, and whether one of that name was deleted.
    pub(crate) fn find_by_name(
        &self,
        endpoint: &str,
        key: &TargetName<'_>,
    ) -> Result<(Option<Target>, bool)> {
        let TargetName { ad_account, user_type, name, generation } = key;
        let params = params![endpoint, ad_account.as_str(), user_type.name(), name, generation];
        let result: rusqlite::Result<_> = (|| {
            let mut query = self.db.prepare(
                "SELECT * FROM target WHERE endpoint = ?1 AND ad_account = ?2 AND user_type = ?3 AND name = ?4
                 AND generation = ?5 AND state != 'deleted'",
            )?;
            let found = query.query_row(params, target).optional()?;
            let deleted: bool = self.db.query_row(
                "SELECT count(*) > 0 FROM target WHERE endpoint = ?1 AND ad_account = ?2 AND user_type = ?3
                 AND name = ?4 AND generation = ?5 AND state = 'deleted'",
                params,
                |row| row.get(0),
            )?;
            Ok((found, deleted))
        })();
        result.map_err(self.failing("read"))
    }

    /// The target of an audience that is given by its number; made if it is new.
    pub(crate) fn target_by_audience(
        &mut self,
        endpoint: &str,
        ad_account: &Id,
        user_type: UserType,
        audience: &Id,
    ) -> Result<Target> {
        let failed = self.failing("write");
        let result: rusqlite::Result<_> = (|| {
            let change = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            change.execute(
                "INSERT INTO target (endpoint, ad_account, user_type, audience_id, state, created_at)
                 SELECT ?1, ?2, ?3, ?4, 'ready', ?5 WHERE NOT EXISTS (
                     SELECT 1 FROM target WHERE endpoint = ?1 AND state = 'ready' AND ?4 IN (audience_id, fb_id))",
                params![
                    endpoint,
                    ad_account.as_str(),
                    user_type.name(),
                    audience.as_str(),
                    now()
                ],
            )?;
            let target = change.query_row(FIND, params![endpoint, audience.as_str()], target)?;
            change.commit()?;
            Ok(target)
        })();
        result.map_err(failed)
    }

    /// The target of an audience that exists, by either number of it.
    #[doc(hidden)]
    pub fn find(&self, endpoint: &str, audience: &Id) -> Result<Option<Target>> {
        self.db
            .query_row(FIND, params![endpoint, audience.as_str()], target)
            .optional()
            .map_err(self.failing("read"))
    }

    /// Looks a target up again, after its lock was taken.
    pub(crate) fn target(&self, id: i64) -> Result<Target> {
        self.db
            .query_row("SELECT * FROM target WHERE id = ?1", [id], target)
            .map_err(self.failing("read"))
    }

    /// Excludes other runs from a target. `None` if one has it.
    #[doc(hidden)]
    pub fn lock(&self, target: &Target) -> Result<Option<TargetLock>> {
        let path = self.lock_path(target.id);
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)
            .map_err(|e| Error::writing("open", &path, e))?;
        for _ in 1..LOCK_ATTEMPTS {
            if file.try_lock().is_ok() {
                return Ok(Some(TargetLock { _file: file }));
            }
            // `history` holds it for a moment to see whether somebody else does.
            std::thread::sleep(LOCK_WAIT);
        }
        match file.try_lock() {
            Ok(()) => Ok(Some(TargetLock { _file: file })),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(Error::writing("lock", &path, error)),
        }
    }

    /// Whether a run has the lock of a target.
    fn is_locked(&self, target: i64) -> bool {
        let path = self.lock_path(target);
        let file = OpenOptions::new().append(true).open(path);
        file.is_ok_and(|file| matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)))
    }

    fn lock_path(&self, target: i64) -> PathBuf {
        self.dir.join(format!("target-{target}.lock"))
    }

    /// The digests of the parts that a target has for certain.
    pub(crate) fn acknowledged(&self, target: &Target) -> Result<HashSet<String>> {
        let result: rusqlite::Result<_> = (|| {
            let mut query = self.db.prepare(
                "SELECT sha256 FROM part WHERE target_id = ?1 AND acknowledged_at IS NOT NULL",
            )?;
            query.query_map([target.id], |row| row.get(0))?.collect()
        })();
        result.map_err(self.failing("read"))
    }

    /// Forgets which parts a target has, so that all are sent again.
    pub(crate) fn forget_parts(&self, target: &Target) -> Result<()> {
        self.change(
            "UPDATE part SET acknowledged_by = NULL, acknowledged_at = NULL WHERE target_id = ?1",
            params![target.id],
        )
    }

    /// The digests of parts that were sent to a target and may have taken effect, though no answer has confirmed it.
    pub(crate) fn unanswered(&self, target: &Target) -> Result<HashSet<String>> {
        let result: rusqlite::Result<_> = (|| {
            let mut query = self.db.prepare(
                "SELECT DISTINCT attempt.sha256 FROM attempt JOIN run ON run.id = attempt.run_id
                 JOIN part ON part.target_id = run.target_id AND part.sha256 = attempt.sha256
                 WHERE run.target_id = ?1 AND part.acknowledged_at IS NULL
                 AND (attempt.outcome IS NULL OR attempt.outcome IN
                      ('broken', 'timed_out', 'busy', 'rate_limited', 'nonsense', 'stopped'))",
            )?;
            query.query_map([target.id], |row| row.get(0))?.collect()
        })();
        result.map_err(self.failing("read"))
    }

    /// The digests of the parts that the last run of a target was to send; none if there was no run.
    pub(crate) fn planned(&self, target: &Target) -> Result<HashSet<String>> {
        let result: rusqlite::Result<_> = (|| {
            let mut query = self.db.prepare(
                "SELECT sha256 FROM part WHERE target_id = ?1
                 AND planned_by = (SELECT max(id) FROM run WHERE target_id = ?1)",
            )?;
            query.query_map([target.id], |row| row.get(0))?.collect()
        })();
        result.map_err(self.failing("read"))
    }

    /// Records that a run has begun, and its parts.
    pub(crate) fn begin_run(
        &mut self,
        target: &Target,
        dir: &Path,
        command: &str,
        parts: &[Part],
    ) -> Result<RunId> {
        let failed = self.failing("write");
        let result: rusqlite::Result<_> = (|| {
            let change = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            change.execute(
                "INSERT INTO run (target_id, directory, command, version, parts, entries, bytes, started_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    target.id,
                    dir.to_string_lossy(),
                    command,
                    env!("CARGO_PKG_VERSION"),
                    parts.len(),
                    parts.iter().map(|part| part.lines).sum::<u64>(),
                    parts.iter().map(|part| part.bytes).sum::<u64>(),
                    now()
                ],
            )?;
            let run = change.last_insert_rowid();
            let mut insert = change.prepare(
                "INSERT INTO part (target_id, sha256, file, entries, bytes, planned_by)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT DO UPDATE SET planned_by = excluded.planned_by, file = excluded.file",
            )?;
            for part in parts {
                let Part { sha256, file, lines, bytes, .. } = part;
                insert.execute(params![target.id, sha256, file, lines, bytes, run])?;
            }
            drop(insert);
            change.commit()?;
            Ok(RunId(run))
        })();
        result.map_err(failed)
    }

    /// Records that a create is about to be sent. To be called, and to succeed, before it is.
    pub(crate) fn intend(&self, target: &Target, marker: Option<&str>) -> Result<()> {
        self.change(
            "UPDATE target SET state = 'intent', marker = ?2 WHERE id = ?1 AND state != 'ready'",
            params![target.id, marker],
        )
    }

    /// Records that the create did not take effect for certain.
    pub(crate) fn withdraw(&self, target: &Target) -> Result<()> {
        self.change(
            "UPDATE target SET state = 'planned', marker = NULL WHERE id = ?1 AND state = 'intent'",
            params![target.id],
        )
    }

    /// What the description of a target's audience holds, if a create was ever intended.
    pub(crate) fn marker(&self, target: &Target) -> Result<Option<String>> {
        self.db
            .query_row("SELECT marker FROM target WHERE id = ?1", [target.id], |row| row.get(0))
            .map_err(self.failing("read"))
    }

    /// Records which audience the target is.
    pub(crate) fn ready(
        &mut self,
        target: &Target,
        audience: &Id,
        fb_id: Option<&Id>,
    ) -> Result<()> {
        let failed = self.failing("write");
        let result: rusqlite::Result<_> = (|| {
            let change = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            set_ready(&change, target, audience, fb_id)?;
            change.commit()
        })();
        result.map_err(failed)
    }

    /// Records that an audience does not exist any more.
    #[doc(hidden)]
    pub fn forget(&mut self, endpoint: &str, audience: &Id) -> Result<()> {
        self.change(
            "UPDATE target SET state = 'deleted' WHERE endpoint = ?1 AND state = 'ready' AND ?2 IN (audience_id, fb_id)",
            params![endpoint, audience.as_str()],
        )
    }

    /// Records that an audience does not exist any more, and plans a new one of the same name.
    pub(crate) fn start_over(&mut self, target: &Target) -> Result<Target> {
        let failed = self.failing("write");
        let result: rusqlite::Result<_> = (|| {
            let change = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            change.execute("UPDATE target SET state = 'deleted' WHERE id = ?1", [target.id])?;
            change.execute(
                "INSERT INTO target (endpoint, ad_account, user_type, name, generation, state, created_at)
                 SELECT endpoint, ad_account, user_type, name, generation, 'planned', ?2 FROM target WHERE id = ?1",
                params![target.id, now()],
            )?;
            let target = change.query_row(
                "SELECT * FROM target WHERE id = last_insert_rowid()",
                [],
                self::target,
            )?;
            change.commit()?;
            Ok(target)
        })();
        result.map_err(failed)
    }

    /// Records that the API has confirmed a part, and with it which audience the target is.
    pub(crate) fn acknowledge(
        &mut self,
        target: &Target,
        run: RunId,
        attempt: Option<AttemptId>,
        part: &Part,
        audience: &CustomAudience,
    ) -> Result<()> {
        let failed = self.failing("write");
        let result: rusqlite::Result<_> = (|| {
            let change = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            set_ready(&change, target, &audience.id, audience.fb_id.as_ref())?;
            change.execute(
                "UPDATE part SET acknowledged_by = ?3, acknowledged_at = ?4
                 WHERE target_id = ?1 AND sha256 = ?2 AND acknowledged_at IS NULL",
                params![target.id, part.sha256, run.0, now()],
            )?;
            if let Some(attempt) = attempt {
                change
                    .execute(END_ATTEMPT, params![attempt.0, now(), ACKNOWLEDGED, None::<u16>])?;
            }
            change.commit()
        })();
        result.map_err(failed)
    }

    /// Records that a request is about to be made.
    pub(crate) fn begin_attempt(
        &self,
        run: RunId,
        call: Call,
        part: Option<&Part>,
    ) -> Result<AttemptId> {
        self.change(
            "INSERT INTO attempt (run_id, call, sha256, began_at) VALUES (?1, ?2, ?3, ?4)",
            params![run.0, word(call), part.map(|part| &part.sha256), now()],
        )?;
        Ok(AttemptId(self.db.last_insert_rowid()))
    }

    /// Records what a request came to.
    pub(crate) fn end_attempt(&self, attempt: AttemptId, failure: Option<&Failure>) -> Result<()> {
        let outcome = failure.map_or_else(|| ACKNOWLEDGED.to_owned(), |failure| word(failure.kind));
        let status = failure.and_then(|failure| failure.status);
        self.change(END_ATTEMPT, params![attempt.0, now(), outcome, status])
    }

    /// Records how a run ended.
    pub(crate) fn end_run(&self, run: RunId, ended: std::result::Result<(), &Error>) -> Result<()> {
        let code = ended.map_or_else(Error::exit_code, |()| ExitCode::Done);
        let message = ended.err().map(ToString::to_string);
        self.change(
            "UPDATE run SET ended_at = ?2, exit_code = ?3, message = ?4 WHERE id = ?1",
            params![run.0, now(), code as u8, message],
        )
    }

    fn change(&self, sql: &str, params: impl rusqlite::Params) -> Result<()> {
        self.db.execute(sql, params).map(drop).map_err(self.failing("write"))
    }

    fn failing(&self, operation: &'static str) -> impl Fn(rusqlite::Error) -> Error + use<> {
        let path = self.dir.join(LEDGER_FILE);
        move |error| sqlite::error(WHAT, operation, &path, &error)
    }
}

fn set_ready(
    change: &Transaction<'_>,
    target: &Target,
    audience: &Id,
    fb_id: Option<&Id>,
) -> rusqlite::Result<()> {
    // The same audience may have been given by its number before it was known to be the one that was created.
    let other: Option<i64> = change
        .query_row(
            "SELECT id FROM target WHERE endpoint = ?1 AND audience_id = ?2 AND id != ?3 AND state = 'ready'",
            params![target.endpoint, audience.as_str(), target.id],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(other) = other {
        change.execute(
            "INSERT INTO part SELECT ?1, sha256, file, entries, bytes, planned_by, acknowledged_by, acknowledged_at
             FROM part WHERE target_id = ?2 ON CONFLICT DO UPDATE SET
             acknowledged_by = excluded.acknowledged_by, acknowledged_at = excluded.acknowledged_at
             WHERE excluded.acknowledged_at IS NOT NULL",
            params![target.id, other],
        )?;
        change.execute("DELETE FROM part WHERE target_id = ?1", [other])?;
        change.execute(
            "UPDATE run SET target_id = ?1 WHERE target_id = ?2",
            params![target.id, other],
        )?;
        change.execute("DELETE FROM target WHERE id = ?1", [other])?;
    }
    change.execute(
        "UPDATE target SET state = 'ready', audience_id = ?2, fb_id = coalesce(?3, fb_id) WHERE id = ?1",
        params![target.id, audience.as_str(), fb_id.map(Id::as_str)],
    )?;
    Ok(())
}

fn target(row: &Row<'_>) -> rusqlite::Result<Target> {
    let bad = |column: &str| rusqlite::Error::InvalidColumnName(column.to_owned());
    let user_type: String = row.get("user_type")?;
    let id = |column: &str| -> rusqlite::Result<Option<Id>> {
        let text: Option<String> = row.get(column)?;
        text.map(|text| text.parse().map_err(|_| bad(column))).transpose()
    };
    let state: String = row.get("state")?;
    Ok(Target {
        id: row.get("id")?,
        endpoint: row.get("endpoint")?,
        ad_account: row.get("ad_account")?,
        user_type: user_type.parse().map_err(|_| bad("user_type"))?,
        name: row.get("name")?,
        state: match (state.as_str(), id("audience_id")?) {
            ("planned", _) => TargetState::Planned,
            ("intent", _) => TargetState::Intent { marker: row.get("marker")? },
            ("ready", Some(audience)) => TargetState::Ready { audience },
            ("deleted", _) => TargetState::Deleted,
            _ => return Err(bad("state")),
        },
        fb_id: id("fb_id")?,
    })
}

/// A variant's name as the ledger writes it: `TooLarge` is `too_large`.
fn word(variant: impl std::fmt::Debug) -> String {
    let mut word = String::new();
    for c in format!("{variant:?}").chars() {
        if c.is_ascii_uppercase() && !word.is_empty() {
            word.push('_');
        }
        word.push(c.to_ascii_lowercase());
    }
    word
}
