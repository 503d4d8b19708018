//! What the store tells people: audiences and the uploads to them, unfinished ones first.

use std::path::Path;

use rusqlite::{Row, params};
use serde::Serialize;

use super::words::{CONFIRMED, DeliveryState, Existence, Purpose};
use super::{STORE_FILE, Store, rows};
use crate::error::Result;

/// Uploads to an audience that are shown.
const UPLOADS_SHOWN: u32 = 20;

/// What was uploaded where.
#[derive(Clone, Debug, Default, Serialize)]
pub struct History {
    /// The audiences, unfinished ones first, then by their last run, the latest first.
    pub targets: Vec<TargetRecord>,
}

/// An audience.
#[derive(Clone, Debug, Serialize)]
pub struct TargetRecord {
    /// Its number in the store.
    pub id: i64,
    /// The address of its API.
    pub endpoint: String,
    /// The ad account.
    pub ad_account: String,
    /// The type of its entries.
    pub user_type: String,
    /// Its name, if throng was to create it.
    pub name: Option<String>,
    /// `planned`, `intent`, `ready` or `deleted`.
    pub state: String,
    /// `live`, `next` or `old`.
    pub role: String,
    /// The vendor's number, if it is known.
    pub audience: Option<String>,
    /// Facebook's number, if it is known.
    pub fb_id: Option<String>,
    /// Parts that the last run was to send.
    pub parts: u64,
    /// Those of them that were confirmed.
    pub parts_confirmed: u64,
    /// Entries of all parts that were ever confirmed.
    pub entries_confirmed: u64,
    /// Entries of parts that may be in it, although no answer confirmed them.
    pub entries_unconfirmed: u64,
    /// Confirmed entries that the platform takes for invalid.
    pub entries_invalid: u64,
    /// True if the last run did not come to its end.
    pub is_unfinished: bool,
    /// True if a run is under way at the moment.
    pub is_running: bool,
    /// Uploads, the latest first.
    pub runs: Vec<UploadRecord>,
}

/// What a run has uploaded to an audience.
#[derive(Clone, Debug, Serialize)]
pub struct UploadRecord {
    /// The run's number in the store.
    pub id: i64,
    /// `add` or `remove`.
    pub purpose: String,
    /// The directory that was uploaded.
    pub directory: String,
    /// The command that goes on with it.
    pub command: String,
    /// When it began, in milliseconds since 1970.
    pub started_at: i64,
    /// When it ended; `None` if it is going on, or was killed.
    pub ended_at: Option<i64>,
    /// The exit code that stands for how it ended.
    pub exit_code: Option<u8>,
    /// The error, if there was one.
    pub message: Option<String>,
    /// Parts of the directory.
    pub parts: u64,
    /// Entries of the directory.
    pub entries: u64,
    /// Requests that were made.
    pub requests: u64,
    /// Requests that failed.
    pub failures: u64,
    /// Requests that were under way when the run ended, or still are.
    pub unanswered: u64,
}

impl Store {
    /// The history of a state directory. Looking makes none.
    pub fn history_of(dir: &Path) -> Result<History> {
        if dir.join(STORE_FILE).exists() {
            Self::open(dir)?.history()
        } else {
            Ok(History::default())
        }
    }

    /// Everything that was uploaded or is to be.
    pub fn history(&self) -> Result<History> {
        let sql = "SELECT generation.*, endpoint, ad_account, user_type, last.run_id,
                 (SELECT count(*) FROM delivery WHERE generation_id = generation.id AND run_id = last.run_id) AS parts,
                 (SELECT count(*) FROM delivery WHERE generation_id = generation.id AND run_id = last.run_id
                     AND state = ?1) AS parts_confirmed,
                 (SELECT coalesce(sum(entries), 0) FROM delivery JOIN part USING (sha256)
                     WHERE generation_id = generation.id AND purpose = ?3 AND state = ?1) AS entries_confirmed,
                 (SELECT coalesce(sum(entries_invalid), 0) FROM delivery
                     WHERE generation_id = generation.id AND purpose = ?3 AND state = ?1) AS entries_invalid,
                 (SELECT coalesce(sum(entries), 0) FROM delivery JOIN part USING (sha256)
                     WHERE generation_id = generation.id AND purpose = ?3 AND state NOT IN (?1, ?2)) AS entries_unconfirmed
             FROM generation
             JOIN audience ON audience.id = audience_id
             JOIN (SELECT generation_id, max(run_id) AS run_id FROM upload GROUP BY generation_id) AS last
               ON last.generation_id = generation.id
             ORDER BY last.run_id DESC, generation.id";
        let words = params![DeliveryState::Confirmed, DeliveryState::Intended, Purpose::Add];
        let mut targets = self.read(|db| {
            let mut targets: Vec<(i64, TargetRecord)> = rows(db, sql, words, target)?;
            for (_, target) in &mut targets {
                target.runs =
                    rows(db, UPLOADS, params![target.id, UPLOADS_SHOWN, CONFIRMED], upload)?;
            }
            Ok(targets)
        })?;
        for (audience, target) in &mut targets {
            target.is_running = self.is_locked(*audience);
            let ended = target.runs.first().and_then(|run| run.exit_code);
            target.is_unfinished = target.state != Existence::Deleted.word()
                && (ended != Some(0) || target.parts_confirmed < target.parts);
        }
        targets.sort_by_key(|(_, target)| !target.is_unfinished);
        Ok(History { targets: targets.into_iter().map(|(_, target)| target).collect() })
    }
}

const UPLOADS: &str = "SELECT upload.*, command,
         (SELECT count(*) FROM request WHERE request.run_id = upload.run_id
             AND request.generation_id = upload.generation_id) AS requests,
         (SELECT count(*) FROM request WHERE request.run_id = upload.run_id
             AND request.generation_id = upload.generation_id AND outcome != ?3) AS failures,
         (SELECT count(*) FROM request WHERE request.run_id = upload.run_id
             AND request.generation_id = upload.generation_id AND outcome IS NULL) AS unanswered
     FROM upload JOIN run ON run.id = run_id WHERE generation_id = ?1 ORDER BY run_id DESC LIMIT ?2";

fn target(row: &Row<'_>) -> rusqlite::Result<(i64, TargetRecord)> {
    let record = TargetRecord {
        id: row.get("id")?,
        endpoint: row.get("endpoint")?,
        ad_account: row.get("ad_account")?,
        user_type: row.get("user_type")?,
        name: row.get("name")?,
        state: row.get("state")?,
        role: row.get("role")?,
        audience: row.get("platform_id")?,
        fb_id: row.get("fb_id")?,
        parts: row.get("parts")?,
        parts_confirmed: row.get("parts_confirmed")?,
        entries_confirmed: row.get("entries_confirmed")?,
        entries_unconfirmed: row.get("entries_unconfirmed")?,
        entries_invalid: row.get("entries_invalid")?,
        is_unfinished: false,
        is_running: false,
        runs: Vec::new(),
    };
    Ok((row.get("audience_id")?, record))
}

fn upload(row: &Row<'_>) -> rusqlite::Result<UploadRecord> {
    Ok(UploadRecord {
        id: row.get("run_id")?,
        purpose: row.get("purpose")?,
        directory: row.get("directory")?,
        command: row.get("command")?,
        started_at: row.get("started_at")?,
        ended_at: row.get("ended_at")?,
        exit_code: row.get("exit_code")?,
        message: row.get("message")?,
        parts: row.get("parts")?,
        entries: row.get("entries")?,
        requests: row.get("requests")?,
        failures: row.get("failures")?,
        unanswered: row.get("unanswered")?,
    })
}
