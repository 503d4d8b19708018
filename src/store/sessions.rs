//! Sessions of batches: which batch was sent last, and how much of each part is confirmed.
//!
//! A platform takes a batch by its number within a session, and may take another one of the same number for one that it has
//! already. So it is written down what a number stands for before it is sent, and whoever goes on with a session either sends
//! the very same batch under that number, or the next number once that one is confirmed.

use rusqlite::{OptionalExtension, Row, params};

use super::words::Purpose;
use super::{Store, Target};
use crate::disk::sqlite::now;
use crate::error::Result;

/// A batch of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    /// The session, as the platform knows it.
    pub(crate) session: i64,
    /// The batch's number within it, counted from 1.
    pub(crate) number: i64,
    /// The part that it is cut from.
    pub(crate) sha256: String,
    /// The place of its first entry in the part, counted from 0.
    pub(crate) first_entry: u64,
    /// Whether the platform was told that no other batch follows.
    pub(crate) is_last: bool,
}

/// A session as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SessionState {
    /// The batch that was sent last.
    pub(crate) batch: Batch,
    /// Whether the platform said that it has that.
    pub(crate) is_confirmed: bool,
    /// When it was sent, in milliseconds since 1970.
    pub(crate) at: i64,
}

impl Store {
    /// The session in which a target was changed last.
    pub(crate) fn session(
        &self,
        target: &Target,
        purpose: Purpose,
    ) -> Result<Option<SessionState>> {
        self.read(|db| {
            let sql = "SELECT * FROM session WHERE generation_id = ?1 AND purpose = ?2";
            db.query_row(sql, params![target.id, purpose], |row| {
                Ok(SessionState {
                    batch: Batch {
                        session: row.get("id")?,
                        number: row.get("number")?,
                        sha256: row.get("sha256")?,
                        first_entry: row.get("first_entry")?,
                        is_last: row.get("is_last")?,
                    },
                    is_confirmed: row.get("is_confirmed")?,
                    at: row.get("at")?,
                })
            })
            .optional()
        })
    }

    /// Records that a batch is about to be sent. To be called, and to succeed, before it is.
    pub(crate) fn begin_batch(
        &self,
        target: &Target,
        purpose: Purpose,
        batch: &Batch,
    ) -> Result<()> {
        let Batch { session, number, sha256, first_entry, is_last } = batch;
        self.change(|db| {
            db.execute(
                "INSERT OR REPLACE INTO session VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8)",
                params![target.id, purpose, session, number, sha256, first_entry, is_last, now()],
            )
            .map(drop)
        })
    }

    /// Records that the platform has a batch: of its part, so many entries are confirmed from the first on, and it has taken
    /// that many more of them for none.
    pub(crate) fn confirm_batch(
        &self,
        target: &Target,
        (purpose, sha256): (Purpose, &str),
        entries_done: u64,
        invalid: u64,
    ) -> Result<()> {
        self.change(|db| {
            db.execute(
                "UPDATE session SET is_confirmed = 1 WHERE generation_id = ?1 AND purpose = ?2",
                params![target.id, purpose],
            )?;
            db.execute(
                "UPDATE delivery SET entries_done = ?4, entries_invalid = entries_invalid + ?5
                 WHERE generation_id = ?1 AND purpose = ?2 AND sha256 = ?3",
                params![target.id, purpose, sha256, entries_done, invalid],
            )
            .map(drop)
        })
    }

    /// How many entries of a part are confirmed, from the first on, and how many of these the platform took for none.
    pub(crate) fn entries_done(
        &self,
        target: &Target,
        purpose: Purpose,
        sha256: &str,
    ) -> Result<(u64, u64)> {
        self.read(|db| {
            let sql = "SELECT entries_done, entries_invalid FROM delivery
                 WHERE generation_id = ?1 AND purpose = ?2 AND sha256 = ?3";
            let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
            let done = db.query_row(sql, params![target.id, purpose, sha256], row);
            done.optional().map(Option::unwrap_or_default)
        })
    }
}
