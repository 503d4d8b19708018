//! Parts that are taken out of audiences, and what is left of those that were added.
//!
//! A removal is a part like others: intended, sent, confirmed. Once it is, the parts that were added are rewritten without who
//! is in it, one by one, and then it is forgotten, so that what an audience holds is always what was added to it and is kept.
//! It can be cut off anywhere and done again: taking out twice who is out changes nothing.

use rusqlite::{Connection, params};

use super::deliveries::{NewPart, keep};
use super::runs::RunId;
use super::words::{DeliveryState, Purpose};
use super::{HeldPart, Store, Target, rows};
use crate::error::Result;

/// Entries that were taken out of an audience.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Removed {
    /// Because they opted out.
    pub(crate) opted_out: u64,
    /// Because they are no members any more.
    pub(crate) gone: u64,
}

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

    /// Records removals that lie in the state directory, in the folder of a run, each with how many of it opted out. That the
    /// very same people were taken out before is forgotten: they came back since.
    pub(crate) fn keep_removals(
        &self,
        run: RunId,
        target: &Target,
        parts: &[(NewPart<'_>, u64)],
    ) -> Result<()> {
        self.change(|db| {
            for (part, opted_out) in parts {
                keep(db, run, part)?;
                db.execute(
                    "INSERT OR REPLACE INTO delivery (generation_id, purpose, sha256, state, run_id, file, opted_out)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    params![
                        target.id,
                        Purpose::Remove,
                        part.sha256,
                        DeliveryState::Intended,
                        run,
                        part.file,
                        opted_out
                    ],
                )?;
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

    /// Records that all removals of a target are done with, and that a run is to tell of them.
    pub(crate) fn removed(&self, target: &Target) -> Result<()> {
        self.change(|db| {
            db.execute(
                "UPDATE generation SET removed_opted_out = removed_opted_out + opted_out, removed_gone = removed_gone + gone
                 FROM (SELECT coalesce(sum(min(opted_out, entries)), 0) AS opted_out,
                         coalesce(sum(entries - min(opted_out, entries)), 0) AS gone
                     FROM delivery JOIN part USING (sha256) WHERE generation_id = ?1 AND purpose = ?2 AND state = ?3
                     AND entries_invalid = 0 AND kept_in IS NOT NULL) WHERE id = ?1",
                params![target.id, Purpose::Remove, DeliveryState::Confirmed],
            )?;
            db.execute(
                "DELETE FROM delivery WHERE generation_id = ?1 AND purpose = ?2 AND state = ?3 AND entries_invalid = 0",
                params![target.id, Purpose::Remove, DeliveryState::Confirmed],
            )
            .map(drop)
        })
    }

    /// Who was taken out of an audience of a job and is told of nowhere yet. Its generations hold the same people.
    pub(crate) fn removed_untold(&self, label: &str) -> Result<Removed> {
        let sql = "SELECT coalesce(max(removed_opted_out), 0), coalesce(max(removed_gone), 0)
             FROM generation JOIN audience ON audience.id = audience_id WHERE label = ?1";
        self.read(|db| {
            db.query_row(sql, [label], |row| {
                Ok(Removed { opted_out: row.get(0)?, gone: row.get(1)? })
            })
        })
    }

    /// Records that it was told who was taken out of audiences of a job.
    pub(crate) fn removed_told(&self, told: &[(String, Removed)]) -> Result<()> {
        self.change(|db| tell(db, told))
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

/// Within a change: it was told who was taken out of audiences of a job.
pub(super) fn tell(db: &Connection, told: &[(String, Removed)]) -> rusqlite::Result<()> {
    for (label, Removed { opted_out, gone }) in told {
        db.execute(
            "UPDATE generation SET removed_opted_out = max(removed_opted_out - ?2, 0), removed_gone = max(removed_gone - ?3, 0)
             WHERE audience_id IN (SELECT id FROM audience WHERE label = ?1)",
            params![label, opted_out, gone],
        )?;
    }
    Ok(())
}
