//! Batches of sessions: audiences of Meta's are changed by these, each in one transaction.
//!
//! A session is a row of batches, counted from 1, about one audience and one kind of change. A batch that has been
//! received is not carried out again, whatever it holds. What is to replace the members is put aside until the last
//! batch of its session, and forgotten if that does not come in time.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{Audience, Change, Delivery, Store, audience};
use crate::entry::{self, UserType};

pub(super) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS meta_audience (
        id INTEGER PRIMARY KEY,
        customer_file_source TEXT NOT NULL,
        time_created INTEGER NOT NULL,
        busy_until INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE IF NOT EXISTS session (
        account INTEGER NOT NULL,
        id INTEGER NOT NULL,
        audience INTEGER NOT NULL,
        change TEXT NOT NULL,
        started INTEGER NOT NULL,
        last_seq INTEGER NOT NULL DEFAULT 0,
        has_ended INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (account, id)
    ) STRICT;
    CREATE TABLE IF NOT EXISTS staged (
        audience INTEGER NOT NULL,
        entry BLOB NOT NULL,
        PRIMARY KEY (audience, entry)
    ) STRICT, WITHOUT ROWID;
";

/// The fields of create at Meta.
#[derive(Debug)]
pub(crate) struct NewMetaAudience {
    pub(crate) ad_account: u64,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) opt_out_link: Option<String>,
    pub(crate) customer_file_source: String,
}

/// An audience as Meta has it.
#[derive(Clone, Debug)]
pub(crate) struct MetaAudience {
    pub(crate) audience: Audience,
    pub(crate) customer_file_source: String,
    /// Seconds since 1970.
    pub(crate) time_created: i64,
    pub(crate) is_flagged: bool,
    pub(crate) is_busy: bool,
}

/// A batch of a session, or one without.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    pub(crate) change: Change,
    pub(crate) user_type: UserType,
    /// All of them in the form of their type.
    pub(crate) entries: Vec<&'a str>,
    pub(crate) place: Option<Place>,
}

/// The place of a batch in its session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) session: u64,
    /// Counted from 1.
    pub(crate) seq: u64,
    pub(crate) is_last: bool,
}

/// The moment of a change, and how long things last; all in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// Since 1970.
    pub(crate) now: i64,
    pub(crate) session_life: i64,
    pub(crate) replacement: i64,
}

/// The number of members that a batch has added and removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) added: u64,
    pub(crate) removed: u64,
}

/// The reason for which a batch is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BatchRefused {
    #[error("the audience is flagged")]
    Flagged,
    #[error("the members are being replaced")]
    Busy,
    #[error("the audience holds identifiers of another type")]
    OtherType,
    #[error("the session belongs to another audience or another kind of change")]
    SessionElsewhere,
    #[error("the session has been open for too long")]
    SessionOver,
    #[error("the session goes on with batch {0}")]
    Gap(u64),
    #[error("the session has had its last batch")]
    AfterLast,
    #[error("the sandbox's database failed: {0}")]
    Database(#[from] rusqlite::Error),
}

/// A session as it stands.
struct Session {
    audience: u64,
    change: String,
    started: i64,
    last_seq: u64,
    has_ended: bool,
}

impl Change {
    const fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Replace => "replace",
        }
    }
}

impl Store {
    /// Flags an audience or takes the flag back.
    pub(crate) fn set_flagged(&mut self, id: u64, is_flagged: bool) {
        if is_flagged {
            self.flagged.insert(id);
        } else {
            self.flagged.remove(&id);
        }
    }

    /// Makes an audience without members.
    pub(crate) fn create_empty(
        &mut self,
        new: &NewMetaAudience,
        now: i64,
    ) -> rusqlite::Result<u64> {
        let change = self.database.transaction()?;
        change.execute(
            "INSERT INTO audience (account, name, description, opt_out_link, user_type, \
             time_updated, answers_without_fb_id) VALUES (?1, ?2, ?3, ?4, '', ?5, 0)",
            params![new.ad_account, new.name, new.description, new.opt_out_link, now / 1000],
        )?;
        let id = change.last_insert_rowid().unsigned_abs();
        change.execute(
            "INSERT INTO meta_audience (id, customer_file_source, time_created) VALUES (?1, ?2, ?3)",
            params![id, new.customer_file_source, now / 1000],
        )?;
        change.commit()?;
        Ok(id)
    }

    /// One audience as Meta has it.
    pub(crate) fn meta_audience(
        &self,
        id: u64,
        times: Times,
    ) -> rusqlite::Result<Option<MetaAudience>> {
        let Some(audience) = audience(&self.database, id)? else { return Ok(None) };
        let query = "SELECT customer_file_source, time_created FROM meta_audience WHERE id = ?1";
        let found = self.database.query_row(query, [id], |row| Ok((row.get(0)?, row.get(1)?)));
        let Some((customer_file_source, time_created)) = found.optional()? else { return Ok(None) };
        Ok(Some(MetaAudience {
            is_flagged: self.flagged.contains(&id),
            is_busy: is_busy(&self.database, id, times, None)?,
            audience,
            customer_file_source,
            time_created,
        }))
    }

    /// Numbers of the audiences of an ad account, latest first: those after `after` in this order, `limit` at most.
    pub(crate) fn page(
        &self,
        ad_account: u64,
        after: Option<u64>,
        limit: u64,
    ) -> rusqlite::Result<Vec<u64>> {
        let mut query = self.database.prepare_cached(
            "SELECT id FROM audience WHERE account = ?1 AND (?2 IS NULL OR id < ?2) \
             ORDER BY id DESC LIMIT ?3",
        )?;
        query.query_map(params![ad_account, after, limit], |row| row.get(0))?.collect()
    }

    /// Carries out a batch: all of it or nothing.
    pub(crate) fn receive(
        &mut self,
        before: &Audience,
        batch: &Batch<'_>,
        times: Times,
    ) -> Result<Changed, BatchRefused> {
        if self.flagged.contains(&before.id) {
            return Err(BatchRefused::Flagged);
        }
        let change = self.database.transaction()?;
        let is_new = take_place(&change, before, batch, times)?;
        if before.member_count > 0
            && before.user_type.is_some_and(|user_type| user_type != batch.user_type)
        {
            return Err(BatchRefused::OtherType);
        }
        if !is_new {
            return Ok(Changed::default());
        }
        let changed = carry_out(&change, before.id, batch, times)?;
        change.execute(
            "UPDATE audience SET member_count = member_count + ?2 - ?3, user_type = ?4, \
             time_updated = ?5 WHERE id = ?1",
            params![
                before.id,
                changed.added,
                changed.removed,
                batch.user_type.name(),
                times.now / 1000
            ],
        )?;
        change.commit()?;
        if let Some(deliveries) = &mut self.deliveries {
            let entries = batch.entries.iter().map(|entry| (*entry).to_owned()).collect();
            deliveries.push(Delivery { audience: before.id, change: batch.change, entries });
        }
        Ok(changed)
    }
}

/// Forgets what belongs to an audience that is deleted. Its sessions stay, so that none is taken for a new one.
pub(super) fn forget(change: &Transaction<'_>, id: u64) -> rusqlite::Result<()> {
    change.execute("DELETE FROM meta_audience WHERE id = ?1", [id])?;
    change.execute("DELETE FROM staged WHERE audience = ?1", [id])?;
    Ok(())
}

/// Checks a batch's place in its session and notes it; false if the batch has been received before.
fn take_place(
    change: &Transaction<'_>,
    audience: &Audience,
    batch: &Batch<'_>,
    times: Times,
) -> Result<bool, BatchRefused> {
    let Some(place) = batch.place else {
        if is_busy(change, audience.id, times, None)? {
            return Err(BatchRefused::Busy);
        }
        return Ok(true);
    };
    let key = (audience.ad_account, place.session);
    let session = find_session(change, key)?;
    if let Some(session) = &session {
        if session.audience != audience.id || session.change != batch.change.name() {
            return Err(BatchRefused::SessionElsewhere);
        }
        if place.seq <= session.last_seq {
            return Ok(false);
        }
        if session.has_ended {
            return Err(BatchRefused::AfterLast);
        }
        if session.started + times.session_life <= times.now {
            return Err(BatchRefused::SessionOver);
        }
    }
    let next = session.map_or(1, |session| session.last_seq + 1);
    if place.seq != next {
        return Err(BatchRefused::Gap(next));
    }
    if is_busy(change, audience.id, times, Some(place.session))? {
        return Err(BatchRefused::Busy);
    }
    if next == 1 && batch.change == Change::Replace {
        // What an earlier replacement left that did not end in time.
        change.execute("DELETE FROM staged WHERE audience = ?1", [audience.id])?;
    }
    change.execute(
        "INSERT INTO session (account, id, audience, change, started, last_seq, has_ended) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
         ON CONFLICT DO UPDATE SET last_seq = ?6, has_ended = ?7",
        params![
            key.0,
            key.1,
            audience.id,
            batch.change.name(),
            times.now,
            place.seq,
            place.is_last
        ],
    )?;
    Ok(true)
}

fn find_session(change: &Connection, key: (u64, u64)) -> rusqlite::Result<Option<Session>> {
    let mut query = change.prepare_cached(
        "SELECT audience, change, started, last_seq, has_ended FROM session \
         WHERE account = ?1 AND id = ?2",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Session {
            audience: row.get(0)?,
            change: row.get(1)?,
            started: row.get(2)?,
            last_seq: row.get(3)?,
            has_ended: row.get(4)?,
        })
    };
    query.query_row([key.0, key.1], read).optional()
}

/// Tells if the members of an audience are being replaced, by another session than this one.
fn is_busy(
    database: &Connection,
    id: u64,
    times: Times,
    session: Option<u64>,
) -> rusqlite::Result<bool> {
    let mut query = database.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM meta_audience WHERE id = ?1 AND busy_until > ?2) \
         OR EXISTS (SELECT 1 FROM session WHERE audience = ?1 AND change = 'replace' \
         AND has_ended = 0 AND started + ?3 > ?2 AND id IS NOT ?4)",
    )?;
    query.query_row(params![id, times.now, times.session_life, session], |row| row.get(0))
}

fn carry_out(
    change: &Transaction<'_>,
    id: u64,
    batch: &Batch<'_>,
    times: Times,
) -> rusqlite::Result<Changed> {
    let statement = match batch.change {
        Change::Add => "INSERT OR IGNORE INTO member (audience, entry) VALUES (?1, ?2)",
        Change::Remove => "DELETE FROM member WHERE audience = ?1 AND entry = ?2",
        Change::Replace => "INSERT OR IGNORE INTO staged (audience, entry) VALUES (?1, ?2)",
    };
    let mut statement = change.prepare_cached(statement)?;
    let mut count = 0;
    for entry in &batch.entries {
        if let Some(stored) = entry::stored(batch.user_type, entry.as_bytes()) {
            count += u64::from(statement.execute(params![id, stored.bytes()])? == 1);
        }
    }
    let mut changed = Changed::default();
    match batch.change {
        Change::Add => changed.added = count,
        Change::Remove => changed.removed = count,
        Change::Replace if batch.place.is_some_and(|place| place.is_last) => {
            changed = replace(change, id)?;
            change.execute(
                "UPDATE meta_audience SET busy_until = ?2 WHERE id = ?1",
                params![id, times.now + times.replacement],
            )?;
        }
        Change::Replace => {}
    }
    Ok(changed)
}

/// Puts what was put aside in the place of the members.
fn replace(change: &Transaction<'_>, id: u64) -> rusqlite::Result<Changed> {
    let removed = change.execute(
        "DELETE FROM member WHERE audience = ?1 \
         AND entry NOT IN (SELECT entry FROM staged WHERE audience = ?1)",
        [id],
    )?;
    let added = change
        .execute("INSERT OR IGNORE INTO member SELECT * FROM staged WHERE audience = ?1", [id])?;
    change.execute("DELETE FROM staged WHERE audience = ?1", [id])?;
    Ok(Changed { added: added as u64, removed: removed as u64 })
}
