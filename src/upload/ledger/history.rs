//! What the ledger tells people: targets and their runs, unfinished ones first.

use std::path::Path;

use rusqlite::{Row, params};
use serde::Serialize;

use super::{LEDGER_FILE, Ledger};
use crate::error::Result;

/// Runs of a target that are shown.
const RUNS_SHOWN: u32 = 20;

/// What was uploaded where.
#[derive(Clone, Debug, Default, Serialize)]
pub struct History {
    /// The audiences, unfinished ones first, then by their last run, the latest first.
    pub targets: Vec<TargetRecord>,
}

/// An audience.
#[derive(Clone, Debug, Serialize)]
pub struct TargetRecord {
    /// Its number in the ledger.
    pub id: i64,
    /// The address of its API.
    pub endpoint: String,
    /// The ad account.
    pub ad_account: String,
    /// What its entries are.
    pub user_type: String,
    /// Its name, if throng was to create it.
    pub name: Option<String>,
    /// `planned`, `intent`, `ready` or `deleted`.
    pub state: String,
    /// The vendor's number, if it is known.
    pub audience: Option<String>,
    /// Facebook's number, if it is known.
    pub fb_id: Option<String>,
    /// Parts that the last run was to send.
    pub parts: u64,
    /// How many of them were acknowledged.
    pub parts_acknowledged: u64,
    /// Entries of all parts that were ever acknowledged.
    pub entries_acknowledged: u64,
    /// Whether the last run did not come to its end.
    pub is_unfinished: bool,
    /// Whether a run is under way at the moment.
    pub is_running: bool,
    /// Runs, the latest first.
    pub runs: Vec<RunRecord>,
}

/// A run.
#[derive(Clone, Debug, Serialize)]
pub struct RunRecord {
    /// Its number in the ledger.
    pub id: i64,
    /// The directory that was uploaded.
    pub directory: String,
    /// The command that goes on with it.
    pub command: String,
    /// When it began, in milliseconds since 1970.
    pub started_at: i64,
    /// When it ended; `None` if it is going on, or was killed.
    pub ended_at: Option<i64>,
    /// How it ended.
    pub exit_code: Option<u8>,
    /// The error, if there was one.
    pub message: Option<String>,
    /// Parts of the directory.
    pub parts: u64,
    /// Entries of the directory.
    pub entries: u64,
    /// Requests that were made.
    pub attempts: u64,
    /// Requests that failed.
    pub failures: u64,
    /// Requests that were under way when the run ended, or still are.
    pub unanswered: u64,
}

impl Ledger {
    /// The history of a state directory. Looking makes none.
    pub fn history_of(dir: &Path) -> Result<History> {
        if dir.join(LEDGER_FILE).exists() {
            Self::open(dir)?.history()
        } else {
            Ok(History::default())
        }
    }

    /// Everything that was uploaded or is to be.
    pub fn history(&self) -> Result<History> {
        let result: rusqlite::Result<Vec<TargetRecord>> = (|| {
            let mut query = self.db.prepare(
                "SELECT target.*, last.run_id,
                        (SELECT count(*) FROM part WHERE target_id = target.id AND planned_by = last.run_id) AS parts,
                        (SELECT count(*) FROM part WHERE target_id = target.id AND planned_by = last.run_id
                            AND acknowledged_at IS NOT NULL) AS parts_acknowledged,
                        (SELECT coalesce(sum(entries), 0) FROM part WHERE target_id = target.id
                            AND acknowledged_at IS NOT NULL) AS entries_acknowledged
                 FROM target
                 JOIN (SELECT target_id, max(id) AS run_id FROM run GROUP BY target_id) AS last
                   ON last.target_id = target.id
                 ORDER BY last.run_id DESC",
            )?;
            let mut targets =
                query.query_map([], target)?.collect::<rusqlite::Result<Vec<TargetRecord>>>()?;
            for target in &mut targets {
                target.runs = self.runs(target.id)?;
                target.is_running = self.is_locked(target.id);
                let ended = target.runs.first().and_then(|run| run.exit_code);
                target.is_unfinished = target.state != "deleted"
                    && (ended != Some(0) || target.parts_acknowledged < target.parts);
            }
            targets.sort_by_key(|target| !target.is_unfinished);
            Ok(targets)
        })();
        Ok(History { targets: result.map_err(self.failing("read"))? })
    }

    fn runs(&self, target: i64) -> rusqlite::Result<Vec<RunRecord>> {
        let mut query = self.db.prepare(
            "SELECT run.*,
                    (SELECT count(*) FROM attempt WHERE run_id = run.id) AS attempts,
                    (SELECT count(*) FROM attempt WHERE run_id = run.id AND outcome != 'acknowledged') AS failures,
                    (SELECT count(*) FROM attempt WHERE run_id = run.id AND outcome IS NULL) AS unanswered
             FROM run WHERE target_id = ?1 ORDER BY id DESC LIMIT ?2",
        )?;
        query.query_map(params![target, RUNS_SHOWN], run)?.collect()
    }
}

fn target(row: &Row<'_>) -> rusqlite::Result<TargetRecord> {
    Ok(TargetRecord {
        id: row.get("id")?,
        endpoint: row.get("endpoint")?,
        ad_account: row.get("ad_account")?,
        user_type: row.get("user_type")?,
        name: row.get("name")?,
        state: row.get("state")?,
        audience: row.get("audience_id")?,
        fb_id: row.get("fb_id")?,
        parts: row.get("parts")?,
        parts_acknowledged: row.get("parts_acknowledged")?,
        entries_acknowledged: row.get("entries_acknowledged")?,
        is_unfinished: false,
        is_running: false,
        runs: Vec::new(),
    })
}

fn run(row: &Row<'_>) -> rusqlite::Result<RunRecord> {
    Ok(RunRecord {
        id: row.get("id")?,
        directory: row.get("directory")?,
        command: row.get("command")?,
        started_at: row.get("started_at")?,
        ended_at: row.get("ended_at")?,
        exit_code: row.get("exit_code")?,
        message: row.get("message")?,
        parts: row.get("parts")?,
        entries: row.get("entries")?,
        attempts: row.get("attempts")?,
        failures: row.get("failures")?,
        unanswered: row.get("unanswered")?,
    })
}
