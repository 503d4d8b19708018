//! Parts and how far each is on its way into an audience.
//!
//! ```text
//!              plan              begin_request         confirm
//! (no row)  ---------> intended --------------> sent ----------> confirmed
//!                         ^                      | |                 ^
//!                         |   certainly no effect| | maybe an effect |
//!                         +----------------------+ +---> unknown ----+
//! ```
//!
//! What is `sent` or `unknown` may be in the audience: whoever of it opts out must go. Such a part never becomes
//! `intended` again, unless it turns out that its audience was never created.

use std::collections::HashSet;
use std::io::{self, Read};
use std::path::PathBuf;

use rusqlite::{Connection, Row, params};
use sha2::{Digest as _, Sha256};

use super::runs::RunId;
use super::words::{DeliveryState, Existence, GenerationRole, Purpose};
use super::{Store, Target, rows};
use crate::disk::plain_file;
use crate::disk::sqlite::now;
use crate::error::Result;

/// A part that the state directory has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeldPart {
    pub(crate) sha256: String,
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Whether the platform has said that the target of the next upload has it.
    pub(crate) standing: Standing,
}

impl HeldPart {
    /// Reads the file: true if it is what its name says.
    pub(crate) fn is_intact(&self) -> bool {
        let digest = || -> io::Result<String> {
            let (mut file, mut hasher) = (plain_file::open(&self.path)?, Sha256::new());
            let mut buffer = vec![0; 64 * 1024];
            loop {
                match file.read(&mut buffer)? {
                    0 => return Ok(const_hex::encode(hasher.finalize())),
                    len => hasher.update(&buffer[..len]),
                }
            }
        };
        digest().is_ok_and(|digest| digest == self.sha256)
    }
}

/// What the entries of a part are to the audience that is uploaded to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// They are in it.
    Confirmed,
    /// They may be in it, or are in another generation of the same audience that is still there.
    Possible,
}

/// A part that is to be sent.
#[derive(Clone, Debug)]
pub(crate) struct NewPart<'a> {
    pub(crate) sha256: &'a str,
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    pub(crate) file: &'a str,
}

impl Store {
    /// The digests of the parts that a target has for certain, or has not any more.
    pub(crate) fn confirmed(&self, target: &Target, purpose: Purpose) -> Result<HashSet<String>> {
        self.read(|db| {
            let sql = "SELECT sha256 FROM delivery WHERE generation_id = ?1 AND purpose = ?2 AND state = ?3";
            let params = params![target.id, purpose, DeliveryState::Confirmed];
            Ok(rows(db, sql, params, |row| row.get(0))?.into_iter().collect())
        })
    }

    /// The digests of the parts that the last run of a target was to send; none if there was no run.
    pub(crate) fn planned(&self, target: &Target) -> Result<HashSet<String>> {
        self.read(|db| {
            let sql = "SELECT sha256 FROM delivery WHERE generation_id = ?1 AND purpose = ?2
                 AND run_id = (SELECT max(run_id) FROM upload WHERE generation_id = ?1 AND purpose = ?2)";
            let params = params![target.id, Purpose::Add];
            Ok(rows(db, sql, params, |row| row.get(0))?.into_iter().collect())
        })
    }

    /// Entries that a target has for certain.
    pub(crate) fn held(&self, target: &Target) -> Result<u64> {
        self.read(|db| {
            db.query_row(
                "SELECT coalesce(sum(entries), 0) FROM delivery JOIN part USING (sha256)
                 WHERE generation_id = ?1 AND purpose = ?2 AND state = ?3",
                params![target.id, Purpose::Add, DeliveryState::Confirmed],
                |row| row.get(0),
            )
        })
    }

    /// Parts, entries and bytes that a target was confirmed to have in a run.
    pub(crate) fn confirmed_in(&self, target: &Target, run: RunId) -> Result<(u64, u64, u64)> {
        self.read(|db| {
            db.query_row(
                "SELECT count(*), coalesce(sum(entries), 0), coalesce(sum(bytes), 0)
                 FROM delivery JOIN part USING (sha256)
                 WHERE generation_id = ?1 AND confirmed_by = ?2 AND purpose = ?3 AND state = ?4",
                params![target.id, run, Purpose::Add, DeliveryState::Confirmed],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
        })
    }

    /// The parts of all generations of an audience that are, or may be, at the platform, as they count for `target`.
    pub(crate) fn held_parts(&self, target: &Target) -> Result<Vec<HeldPart>> {
        let sql = "SELECT part.*, max(generation_id = ?2 AND delivery.state = ?3) AS is_confirmed
             FROM delivery JOIN part USING (sha256) JOIN generation ON generation.id = generation_id
             WHERE audience_id = ?1 AND generation.state != ?4 AND delivery.state != ?5 AND kept_in IS NOT NULL
             AND purpose = ?6 GROUP BY sha256 ORDER BY kept_in, sha256";
        let params = params![
            target.audience,
            target.id,
            DeliveryState::Confirmed,
            Existence::Deleted,
            DeliveryState::Intended,
            Purpose::Add
        ];
        self.read(|db| {
            rows(db, sql, params, |row| {
                let is_confirmed: bool = row.get("is_confirmed")?;
                let standing = if is_confirmed { Standing::Confirmed } else { Standing::Possible };
                self.held_part(row, standing)
            })
        })
    }

    /// The small parts that a target has for certain, in the order in which they came.
    pub(crate) fn small_parts(&self, target: &Target, bytes_max: u64) -> Result<Vec<HeldPart>> {
        let sql = "SELECT part.* FROM delivery JOIN part USING (sha256)
             WHERE generation_id = ?1 AND purpose = ?2 AND state = ?3 AND bytes <= ?4 AND kept_in IS NOT NULL
             ORDER BY kept_in, sha256";
        let params = params![target.id, Purpose::Add, DeliveryState::Confirmed, bytes_max];
        self.read(|db| rows(db, sql, params, |row| self.held_part(row, Standing::Confirmed)))
    }

    pub(super) fn held_part(
        &self,
        row: &Row<'_>,
        standing: Standing,
    ) -> rusqlite::Result<HeldPart> {
        let sha256: String = row.get("sha256")?;
        let path = self.part_path(row.get("kept_in")?, &sha256);
        Ok(HeldPart {
            entries: row.get("entries")?,
            bytes: row.get("bytes")?,
            path,
            standing,
            sha256,
        })
    }

    /// Records that a file of the state directory has all entries of some parts, which are not needed any more.
    pub(crate) fn merged(
        &self,
        target: &Target,
        run: RunId,
        merged: &NewPart<'_>,
        parts: &[HeldPart],
    ) -> Result<()> {
        self.change(|db| {
            keep(db, run, merged)?;
            let mut invalid = 0_u64;
            for part in parts {
                let sql = "SELECT coalesce(sum(entries_invalid), 0) FROM delivery
                     WHERE generation_id = ?1 AND purpose = ?2 AND sha256 = ?3";
                let params = params![target.id, Purpose::Add, part.sha256];
                invalid += db.query_row(sql, params, |row| row.get::<_, u64>(0))?;
            }
            db.execute(
                "INSERT INTO delivery (generation_id, purpose, sha256, state, run_id, file, confirmed_by, confirmed_at, entries_invalid)
                 SELECT ?1, ?2, ?3, ?4, max(run_id), ?5, max(confirmed_by), max(confirmed_at), ?6 FROM delivery WHERE generation_id = ?1 AND purpose = ?2 AND state = ?4
                 ON CONFLICT DO UPDATE SET state = excluded.state, confirmed_by = excluded.confirmed_by,
                 confirmed_at = excluded.confirmed_at, entries_invalid = excluded.entries_invalid",
                params![
                    target.id,
                    Purpose::Add,
                    merged.sha256,
                    DeliveryState::Confirmed,
                    merged.file,
                    invalid
                ],
            )?;
            for part in parts.iter().filter(|part| part.sha256 != merged.sha256) {
                db.execute(
                    "DELETE FROM delivery WHERE generation_id = ?1 AND purpose = ?2 AND sha256 = ?3",
                    params![target.id, Purpose::Add, part.sha256],
                )?;
            }
            Ok(())
        })
    }

    /// Trusts nothing that was confirmed of an audience any more: everybody is sent again, and whoever of it opts out
    /// must go.
    pub(crate) fn distrust(&self, audience: i64) -> Result<()> {
        self.change(|db| {
            db.execute(
                "UPDATE delivery SET state = ?3, confirmed_by = NULL, confirmed_at = NULL, entries_done = 0, entries_invalid = 0
                 WHERE state = ?2 AND generation_id IN
                 (SELECT id FROM generation WHERE audience_id = ?1 AND role IN (?4, ?5))",
                params![
                    audience,
                    DeliveryState::Confirmed,
                    DeliveryState::Unknown,
                    GenerationRole::Live,
                    GenerationRole::Next
                ],
            )
            .map(drop)
        })
    }

    /// Forgets a part whose file is lost.
    pub(crate) fn forget_part(&self, sha256: &str) -> Result<()> {
        self.change(|db| {
            db.execute("UPDATE part SET kept_in = NULL WHERE sha256 = ?1", [sha256]).map(drop)
        })
    }

    /// Records files that lie in the state directory, in the folder of a run.
    pub(crate) fn keep_parts(
        &self,
        run: RunId,
        parts: &[NewPart<'_>],
        options: &str,
    ) -> Result<()> {
        self.change(|db| {
            db.execute("UPDATE run SET options = ?2 WHERE id = ?1", params![run, options])?;
            parts.iter().try_for_each(|part| keep(db, run, part))
        })
    }

    /// The options by which the last run has prepared that kept parts, in JSON.
    pub(crate) fn last_options(&self) -> Result<Option<String>> {
        self.read(|db| {
            let sql = "SELECT options FROM run WHERE options IS NOT NULL ORDER BY id DESC LIMIT 1";
            Ok(rows(db, sql, [], |row| row.get(0))?.pop())
        })
    }
}

/// Within a change: the state directory has a part, in the folder of a run.
pub(super) fn keep(db: &Connection, run: RunId, part: &NewPart<'_>) -> rusqlite::Result<()> {
    db.execute(
        "INSERT INTO part (sha256, entries, bytes, kept_in) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET kept_in = excluded.kept_in",
        params![part.sha256, part.entries, part.bytes, run],
    )
    .map(drop)
}

/// Within a change: the parts that a run is to send to a target.
pub(super) fn plan(
    db: &Connection,
    target: &Target,
    purpose: Purpose,
    run: RunId,
    parts: &[NewPart<'_>],
) -> rusqlite::Result<()> {
    let mut part_row = db.prepare_cached(
        "INSERT INTO part (sha256, entries, bytes) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )?;
    let mut delivery = db.prepare_cached(
        "INSERT INTO delivery (generation_id, purpose, sha256, state, run_id, file) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET run_id = excluded.run_id, file = excluded.file",
    )?;
    for NewPart { sha256, entries, bytes, file } in parts {
        part_row.execute(params![sha256, entries, bytes])?;
        delivery.execute(params![
            target.id,
            purpose,
            sha256,
            DeliveryState::Intended,
            run,
            file
        ])?;
    }
    Ok(())
}

/// Within a change: a request with a part is about to be made.
pub(super) fn send(
    db: &Connection,
    generation: i64,
    (purpose, sha256): (Purpose, &str),
) -> rusqlite::Result<()> {
    db.execute(
        "UPDATE delivery SET state = ?5 WHERE generation_id = ?1 AND purpose = ?2 AND sha256 = ?3 AND state = ?4",
        params![generation, purpose, sha256, DeliveryState::Intended, DeliveryState::Sent],
    )
    .map(drop)
}

/// Within a change: a request with a part has failed. Those with its first batches may have been confirmed before.
pub(super) fn fail(
    db: &Connection,
    generation: i64,
    (purpose, sha256): (Purpose, &str),
    may_have_effect: bool,
) -> rusqlite::Result<()> {
    let to = if may_have_effect { DeliveryState::Unknown } else { DeliveryState::Intended };
    db.execute(
        "UPDATE delivery SET state = CASE WHEN entries_done > 0 THEN ?6 ELSE ?5 END
         WHERE generation_id = ?1 AND purpose = ?2 AND sha256 = ?3 AND state = ?4",
        params![generation, purpose, sha256, DeliveryState::Sent, to, DeliveryState::Unknown],
    )
    .map(drop)
}

/// Within a change: a target has a part for certain, or has it not any more, for which it was planned to be sent.
pub(super) fn confirm(
    db: &Connection,
    generation: i64,
    run: RunId,
    (purpose, sha256): (Purpose, &str),
) -> rusqlite::Result<()> {
    let confirmed = db.execute(
        "UPDATE delivery SET state = ?4, confirmed_by = coalesce(confirmed_by, ?5),
         confirmed_at = coalesce(confirmed_at, ?6)
         WHERE generation_id = ?1 AND purpose = ?2 AND sha256 = ?3",
        params![generation, purpose, sha256, DeliveryState::Confirmed, run, now()],
    )?;
    if confirmed == 1 { Ok(()) } else { Err(rusqlite::Error::StatementChangedRows(confirmed)) }
}

/// Within a change: nothing that was confirmed for a purpose is relied on any more, since the other one is about to be sent.
pub(super) fn doubt(db: &Connection, target: &Target, purpose: Purpose) -> rusqlite::Result<()> {
    db.execute(
        "UPDATE delivery SET state = ?4, confirmed_by = NULL, confirmed_at = NULL, entries_done = 0, entries_invalid = 0
         WHERE generation_id = ?1 AND purpose = ?2 AND (state = ?3 OR entries_done > 0)",
        params![target.id, purpose, DeliveryState::Confirmed, DeliveryState::Unknown],
    )
    .map(drop)
}

/// Within a change: a target was never created, so that it holds nothing.
pub(super) fn take_back(db: &Connection, target: &Target) -> rusqlite::Result<()> {
    db.execute(
        "UPDATE delivery SET state = ?2, confirmed_by = NULL, confirmed_at = NULL, entries_done = 0, entries_invalid = 0
         WHERE generation_id = ?1",
        params![target.id, DeliveryState::Intended],
    )
    .map(drop)
}

/// Within a change: two targets turn out to be one; what is known of the parts of `from` is known of `to`.
pub(super) fn move_all(db: &Connection, from: i64, to: i64) -> rusqlite::Result<()> {
    db.execute(
        "INSERT INTO delivery (generation_id, purpose, sha256, state, run_id, file, confirmed_by, confirmed_at,
             entries_done, entries_invalid, opted_out)
         SELECT ?1, purpose, sha256, state, run_id, file, confirmed_by, confirmed_at, entries_done, entries_invalid, opted_out
         FROM delivery WHERE generation_id = ?2 ON CONFLICT DO UPDATE SET state = excluded.state,
         confirmed_by = excluded.confirmed_by, confirmed_at = excluded.confirmed_at WHERE excluded.state = ?3",
        params![to, from, DeliveryState::Confirmed],
    )?;
    db.execute("DELETE FROM delivery WHERE generation_id = ?1", [from])?;
    db.execute("DELETE FROM session WHERE generation_id = ?1", [from]).map(drop)
}
