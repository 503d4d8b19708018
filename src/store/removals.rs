//! Parts that are taken out of audiences, and what is left of those that were added.
//!
//! A removal is a part like others: intended, sent, confirmed. Once it is, the parts that were added are rewritten without who
//! is in it, one by one, and then it is forgotten, so that what an audience holds is always what was added to it and is kept.
//! It can be cut off anywhere and done again: taking out twice who is out changes nothing.

use rusqlite::params;

use super::deliveries::{NewPart, keep};
use super::words::{DeliveryState, Purpose};
use super::{HeldPart, RunId, Store, Target, rows};
use crate::error::Result;

impl Store {
    /// The removals of a target that are not done with, in the order of their files, and whether each is confirmed. One of
    /// which the platform took entries for invalid is not: who that is may still be in.
    pub(crate) fn removals(&self, target: &Target) -> Result<Vec<(HeldPart, bool)>> {
        let sql = "SELECT part.*, delivery.state = ?3 AND entries_invalid = 0 AS is_confirmed FROM delivery JOIN part USING (sha256)
             WHERE generation_id = ?1 AND purpose = ?2 AND kept_in IS NOT NULL ORDER BY file";
        let params = params![target.id, Purpose::Remove, DeliveryState::Confirmed];
        self.read(|db| {
            rows(db, sql, params, |row| {
                let is_confirmed: bool = row.get("is_confirmed")?;
                Ok((self.held_part(row, super::Standing::Confirmed)?, is_confirmed))
            })
        })
    }

    /// The parts that are, or may be, in a target.
    pub(crate) fn added_parts(&self, target: &Target) -> Result<Vec<HeldPart>> {
        let sql = "SELECT part.* FROM delivery JOIN part USING (sha256)
             WHERE generation_id = ?1 AND purpose = ?2 AND state != ?3 AND kept_in IS NOT NULL
             ORDER BY kept_in, sha256";
        let params = params![target.id, Purpose::Add, DeliveryState::Intended];
        self.read(|db| rows(db, sql, params, |row| self.held_part(row, super::Standing::Possible)))
    }

    /// Records removals that lie in the state directory, in the folder of a run. That the very same people were taken out
    /// before is forgotten: they came back since.
    pub(crate) fn keep_removals(
        &self,
        run: RunId,
        target: &Target,
        parts: &[NewPart<'_>],
    ) -> Result<()> {
        let forget =
            "DELETE FROM delivery WHERE generation_id = ?1 AND purpose = ?2 AND sha256 = ?3";
        self.change(|db| {
            for part in parts {
                keep(db, run, part)?;
                db.execute(forget, params![target.id, Purpose::Remove, part.sha256])?;
            }
            Ok(())
        })
    }

    /// Records that a part is another one now, in the folder of a run, or that nobody of it is left.
    pub(crate) fn rewritten(
        &self,
        target: &Target,
        run: RunId,
        sha256: &str,
        left: Option<&NewPart<'_>>,
    ) -> Result<()> {
        self.change(|db| {
            if let Some(left) = left {
                keep(db, run, left)?;
                db.execute(
                    "INSERT INTO delivery (generation_id, purpose, sha256, state, run_id, file, confirmed_by, confirmed_at, entries_invalid)
                     SELECT generation_id, purpose, ?4, state, run_id, file, confirmed_by, confirmed_at, entries_invalid FROM delivery
                     WHERE generation_id = ?1 AND purpose = ?2 AND sha256 = ?3
                     ON CONFLICT DO UPDATE SET state = excluded.state, confirmed_by = excluded.confirmed_by,
                     confirmed_at = excluded.confirmed_at WHERE excluded.state = ?5",
                    params![
                        target.id,
                        Purpose::Add,
                        sha256,
                        left.sha256,
                        DeliveryState::Confirmed
                    ],
                )?;
            }
            db.execute(
                "DELETE FROM delivery WHERE generation_id = ?1 AND purpose = ?2 AND sha256 = ?3",
                params![target.id, Purpose::Add, sha256],
            )
            .map(drop)
        })
    }

    /// Records that all removals of a target are done with.
    pub(crate) fn removed(&self, target: &Target) -> Result<()> {
        self.change(|db| {
            db.execute(
                "DELETE FROM delivery WHERE generation_id = ?1 AND purpose = ?2 AND state = ?3 AND entries_invalid = 0",
                params![target.id, Purpose::Remove, DeliveryState::Confirmed],
            )
            .map(drop)
        })
    }

    /// Records that removals of which the platform took entries for invalid are to be sent again.
    pub(crate) fn send_removals_again(&self, target: &Target) -> Result<()> {
        self.change(|db| {
            db.execute(
                "UPDATE delivery SET state = ?3, confirmed_by = NULL, confirmed_at = NULL, entries_done = 0, entries_invalid = 0
                 WHERE generation_id = ?1 AND purpose = ?2 AND entries_invalid > 0",
                params![target.id, Purpose::Remove, DeliveryState::Unknown],
            )
            .map(drop)
        })
    }

    /// How many entries a target holds, and how many of these the platform took for invalid.
    pub(crate) fn invalid(&self, target: &Target) -> Result<(u64, u64)> {
        let sql = "SELECT coalesce(sum(part.entries), 0), coalesce(sum(entries_invalid), 0)
             FROM delivery JOIN part USING (sha256) WHERE generation_id = ?1 AND purpose = ?2 AND state = ?3";
        let params = params![target.id, Purpose::Add, DeliveryState::Confirmed];
        self.read(|db| db.query_row(sql, params, |row| Ok((row.get(0)?, row.get(1)?))))
    }
}
