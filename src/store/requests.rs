//! Requests, and what each came to.

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, params};

use super::runs::RunId;
use super::targets::set_ready;
use super::words::{CONFIRMED, Existence, Purpose};
use super::{Store, Target, deliveries, rows};
use crate::disk::sqlite::now;
use crate::error::Result;
use crate::platform::{Call, FailureKind, Id};

/// A request that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId(i64);

impl ToSql for RequestId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for RequestId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Self)
    }
}

/// How a request failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestFailure {
    pub(crate) kind: FailureKind,
    pub(crate) status: Option<u16>,
    /// Whether it may have taken effect all the same.
    pub(crate) may_have_effect: bool,
}

impl Store {
    /// Records that a request is about to be made. To be called, and to succeed, before it is.
    pub(crate) fn begin_request(
        &self,
        run: RunId,
        target: &Target,
        call: Call,
        sha256: Option<&str>,
    ) -> Result<RequestId> {
        self.change(|db| begin(db, (run, target), call, sha256, None))
    }

    /// Records that an audience is about to be created, of its first part or empty. To be called, and to succeed, before it is.
    pub(crate) fn begin_create(
        &self,
        run: RunId,
        target: &Target,
        sha256: Option<&str>,
        marker: Option<&str>,
    ) -> Result<RequestId> {
        self.change(|db| {
            let planned = db.execute(
                "UPDATE generation SET state = ?2, marker = ?3 WHERE id = ?1 AND state IN (?2, ?4)",
                params![target.id, Existence::Intent, marker, Existence::Planned],
            )?;
            if planned == 0 {
                // It exists, or existed: another one would not be this one.
                return Err(rusqlite::Error::StatementChangedRows(planned));
            }
            begin(db, (run, target), Call::Create, sha256, marker)
        })
    }

    /// The markers of creates of a target that may have taken effect, though no answer has confirmed it.
    pub(crate) fn open_markers(&self, target: &Target) -> Result<Vec<String>> {
        let sql = "SELECT marker FROM request
             WHERE generation_id = ?1 AND call = ?2 AND may_hold AND marker IS NOT NULL ORDER BY id";
        self.read(|db| rows(db, sql, params![target.id, Call::Create], |row| row.get(0)))
    }

    /// Records that the create with a marker took effect: the target is that audience, which holds the part that the
    /// request carried. `false` if that part is not known any more.
    pub(crate) fn adopt(
        &self,
        target: &Target,
        marker: &str,
        audience: &Id,
        fb_id: Option<&Id>,
    ) -> Result<bool> {
        self.change(|db| {
            let sql = "SELECT request.id, request.run_id, delivery.sha256 FROM request
                 LEFT JOIN delivery ON delivery.generation_id = ?1 AND delivery.sha256 = request.sha256
                     AND delivery.purpose = ?4
                 WHERE request.generation_id = ?1 AND call = ?2 AND request.marker = ?3
                 AND (request.sha256 IS NULL OR delivery.sha256 IS NOT NULL)";
            let created: Option<(RequestId, RunId, Option<String>)> = db
                .query_row(sql, params![target.id, Call::Create, marker, Purpose::Add], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })
                .optional()?;
            let Some((request, run, sha256)) = created else { return Ok(false) };
            set_ready(db, target, audience, fb_id)?;
            if let Some(sha256) = sha256 {
                deliveries::confirm(db, target.id, run, (Purpose::Add, &sha256))?;
            }
            end(db, request, (CONFIRMED, None), false)?;
            Ok(true)
        })
    }

    /// Records that a request without a part was answered as it should be.
    pub(crate) fn end_request(&self, request: RequestId) -> Result<()> {
        self.change(|db| end(db, request, (CONFIRMED, None), false))
    }

    /// Records that a request has failed.
    pub(crate) fn fail_request(&self, request: RequestId, failure: RequestFailure) -> Result<()> {
        self.change(|db| {
            end(db, request, (failure.kind.word(), failure.status), failure.may_have_effect)?;
            let sent: Option<(i64, Call, Option<String>)> = db
                .query_row(
                    "SELECT generation_id, call, sha256 FROM request WHERE id = ?1",
                    [request],
                    |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
                )
                .optional()?;
            match sent {
                Some((generation, call, Some(sha256))) => {
                    let part = (Purpose::of(call), &*sha256);
                    deliveries::fail(db, generation, part, failure.may_have_effect)
                }
                _ => Ok(()),
            }
        })
    }

    /// Records that the platform has confirmed a part, and with it which audience the target is.
    pub(crate) fn confirm(
        &self,
        (run, target): (RunId, &Target),
        request: Option<RequestId>,
        part: (Purpose, &str),
        audience: &Id,
        fb_id: Option<&Id>,
    ) -> Result<()> {
        self.change(|db| {
            set_ready(db, target, audience, fb_id)?;
            deliveries::confirm(db, target.id, run, part)?;
            request.map_or(Ok(()), |request| end(db, request, (CONFIRMED, None), false))
        })
    }
}

impl Store {
    /// Records that an audience was created, which is empty.
    pub(crate) fn created(&self, target: &Target, request: RequestId, audience: &Id) -> Result<()> {
        self.change(|db| {
            set_ready(db, target, audience, None)?;
            end(db, request, (CONFIRMED, None), false)
        })
    }
}

fn begin(
    db: &Connection,
    (run, target): (RunId, &Target),
    call: Call,
    sha256: Option<&str>,
    marker: Option<&str>,
) -> rusqlite::Result<RequestId> {
    let may_hold = sha256.is_some() || call == Call::Create;
    db.execute(
        "INSERT INTO request (run_id, generation_id, call, sha256, marker, may_hold, began_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![run, target.id, call, sha256, marker, may_hold, now()],
    )?;
    let request = RequestId(db.last_insert_rowid());
    let part = sha256.map(|sha256| (Purpose::of(call), sha256));
    part.map_or(Ok(()), |part| deliveries::send(db, target.id, part))?;
    Ok(request)
}

fn end(
    db: &Connection,
    request: RequestId,
    (outcome, status): (&str, Option<u16>),
    may_hold: bool,
) -> rusqlite::Result<()> {
    db.execute(
        "UPDATE request SET ended_at = ?2, outcome = ?3, status = ?4, may_hold = ?5 WHERE id = ?1",
        params![request, now(), outcome, status, may_hold],
    )
    .map(drop)
}
