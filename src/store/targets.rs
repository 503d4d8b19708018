//! Audiences, and their generations: what is uploaded to, and how far its create is.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::words::{Existence, GenerationRole};
use super::{Store, rows};
use crate::disk::sqlite::now;
use crate::error::Result;
use crate::platform::Id;
use crate::user_type::UserType;

const SELECT: &str = "SELECT generation.*, endpoint, ad_account, user_type FROM generation
     JOIN audience ON audience.id = audience_id";

/// A generation of an audience: what is uploaded to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its number in the store.
    pub id: i64,
    /// The number of its audience in the store.
    pub audience: i64,
    /// Its place among the generations of the audience.
    pub role: GenerationRole,
    /// The address of its API.
    pub endpoint: String,
    /// The ad account that it belongs to.
    pub ad_account: String,
    /// The type of its entries.
    pub user_type: UserType,
    /// Its name, if throng was to create it.
    pub name: Option<String>,
    /// How far it is.
    pub state: TargetState,
    /// Facebook's number, if it is known.
    pub fb_id: Option<Id>,
}

/// How far a target is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetState {
    /// It does not exist.
    Planned,
    /// A create may have taken effect; the audience's description then holds this marker, if there is one.
    Intent {
        /// The marker to look for.
        marker: Option<String>,
    },
    /// It exists.
    Ready {
        /// The vendor's number; Facebook's, until the API has told the vendor's.
        audience: Id,
    },
    /// It existed once.
    Deleted,
}

/// What an audience is known by before it has a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetName<'a> {
    /// The ad account.
    pub ad_account: &'a Id,
    /// The type of its entries.
    pub user_type: UserType,
    /// Its name.
    pub name: &'a str,
}

/// What tells an audience of a job from all others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AudienceKey<'a> {
    pub(crate) endpoint: &'a str,
    pub(crate) ad_account: &'a Id,
    pub(crate) user_type: UserType,
    pub(crate) name: &'a str,
    /// The number that it is given by; else it is created by its name.
    pub(crate) given_id: Option<&'a Id>,
}

/// The generations of an audience that exist, may exist or are to exist.
#[derive(Clone, Debug)]
pub(crate) struct Generations {
    /// The number of the audience in the store.
    pub(crate) audience: i64,
    pub(crate) live: Target,
    /// The one that is to take its place, if one is being built.
    pub(crate) next: Option<Target>,
    /// Those whose place another one has taken, and that are to be deleted.
    pub(crate) old: Vec<Target>,
}

impl Generations {
    /// The one that is uploaded to: the next one, if one is being built.
    pub(crate) fn target(&self) -> &Target {
        self.next.as_ref().unwrap_or(&self.live)
    }
}

impl Target {
    /// The number that the API's calls take, if the audience exists.
    pub(crate) fn platform_id(&self) -> Option<&Id> {
        match &self.state {
            TargetState::Ready { audience } => Some(audience),
            TargetState::Planned | TargetState::Intent { .. } | TargetState::Deleted => None,
        }
    }
}

impl Store {
    /// The live target of a create; made if it is new.
    pub(crate) fn target_by_name(&self, endpoint: &str, key: &TargetName<'_>) -> Result<Target> {
        let TargetName { ad_account, user_type, name } = *key;
        let key = AudienceKey { endpoint, ad_account, user_type, name, given_id: None };
        self.change(|db| live(db, audience(db, &key)?, Some(name), None))
    }

    /// The target of an audience that is given by its number; made if it is new.
    pub(crate) fn target_by_number(
        &self,
        endpoint: &str,
        ad_account: &Id,
        user_type: UserType,
        number: &Id,
    ) -> Result<Target> {
        let given_id = Some(number);
        let key = AudienceKey { endpoint, ad_account, user_type, name: "", given_id };
        self.change(|db| match find(db, endpoint, number)? {
            Some(target) => Ok(target),
            None => live(db, audience(db, &key)?, None, given_id),
        })
    }

    /// The generations of an audience of a job; if the job's label was another audience's before, what there is of that one,
    /// and whether its live generation was deleted, so that there is a new one.
    pub(crate) fn generations_of_job(
        &self,
        label: &str,
        key: &AudienceKey<'_>,
    ) -> Result<(Generations, Option<Vec<Target>>, bool)> {
        self.change(|db| {
            let found = key.given_id.map(|id| find(db, key.endpoint, id)).transpose()?.flatten();
            let audience = found.map_or_else(|| audience(db, key), |target| Ok(target.audience))?;
            let sql = format!("{SELECT} WHERE label = ?1 AND audience_id != ?2 AND state = ?3");
            let former = rows(db, &sql, params![label, audience, Existence::Ready], target)?;
            let moved = db.execute(
                "UPDATE audience SET label = NULL WHERE label = ?1 AND id != ?2",
                params![label, audience],
            )?;
            db.execute("UPDATE audience SET label = ?1 WHERE id = ?2", params![label, audience])?;
            let is_again: bool = db.query_row(
                "SELECT count(*) > 0 AND sum(state != ?2) = 0 FROM generation WHERE audience_id = ?1",
                params![audience, Existence::Deleted],
                |row| row.get::<_, Option<bool>>(0).map(Option::unwrap_or_default),
            )?;
            // One that was given by its number, and that another one has replaced, is known by its name since.
            let is_named: bool = db.query_row(
                "SELECT count(*) > 0 FROM generation WHERE audience_id = ?1 AND name IS NOT NULL",
                [audience],
                |row| row.get(0),
            )?;
            let given_id = key.given_id.filter(|_| !is_named);
            live(db, audience, given_id.is_none().then_some(key.name), given_id)?;
            Ok((generations(db, audience)?, (moved > 0).then_some(former), is_again))
        })
    }

    /// The generations of an audience that has a live one.
    pub(crate) fn generations(&self, audience: i64) -> Result<Generations> {
        self.read(|db| generations(db, audience))
    }

    /// All generations at an endpoint that are to be deleted.
    pub(crate) fn old_targets(&self, endpoint: &str) -> Result<Vec<Target>> {
        let sql = format!(
            "{SELECT} WHERE role = ?1 AND state != ?2 AND endpoint = ?3 ORDER BY generation.id"
        );
        let params = params![GenerationRole::Old, Existence::Deleted, endpoint];
        self.read(|db| rows(db, &sql, params, target))
    }

    /// The target of an audience that exists, by either number of it.
    #[doc(hidden)]
    pub fn find(&self, endpoint: &str, number: &Id) -> Result<Option<Target>> {
        self.read(|db| find(db, endpoint, number))
    }

    /// Looks a target up again, after its lock was taken.
    pub(crate) fn target(&self, id: i64) -> Result<Target> {
        self.read(|db| by_id(db, id))
    }

    /// The marker in the description of a target's audience, if a create was ever intended with one.
    pub(crate) fn marker(&self, target: &Target) -> Result<Option<String>> {
        self.read(|db| {
            db.query_row("SELECT marker FROM generation WHERE id = ?1", [target.id], |row| {
                row.get(0)
            })
        })
    }

    /// Records that the create did not take effect for certain, and neither did any request with its first part.
    pub(crate) fn withdraw(&self, target: &Target) -> Result<()> {
        self.change(|db| {
            let withdrawn = db.execute(
                "UPDATE generation SET state = ?2, marker = NULL WHERE id = ?1 AND state = ?3",
                params![target.id, Existence::Planned, Existence::Intent],
            )?;
            if withdrawn > 0 {
                super::deliveries::take_back(db, target)?;
            }
            Ok(())
        })
    }

    /// Records which audience the target is.
    pub(crate) fn ready(&self, target: &Target, audience: &Id, fb_id: Option<&Id>) -> Result<()> {
        self.change(|db| set_ready(db, target, audience, fb_id))
    }

    /// Records that an audience does not exist any more.
    #[doc(hidden)]
    pub fn forget(&self, endpoint: &str, number: &Id) -> Result<()> {
        self.change(|db| match find(db, endpoint, number)? {
            Some(target) => delete(db, &target),
            None => Ok(()),
        })
    }

    /// Records that an audience does not exist any more. One that was to take its place does so.
    pub(crate) fn deleted(&self, target: &Target) -> Result<()> {
        self.change(|db| delete(db, target))
    }

    /// Records that an audience does not exist any more, and plans a new one of the same name.
    pub(crate) fn start_over(&self, target: &Target) -> Result<Target> {
        self.change(|db| {
            delete(db, target)?;
            live(db, target.audience, target.name.as_deref(), None)
        })
    }

    /// Plans the generation that is to take the place of the live one, called `name`.
    pub(crate) fn begin_next(&self, audience: i64, name: &str) -> Result<Generations> {
        self.change(|db| {
            if generations(db, audience)?.next.is_none() {
                insert(db, audience, GenerationRole::Next, Some(name), None)?;
            }
            generations(db, audience)
        })
    }

    /// Gives up the next generation of an audience, which is to be deleted, and plans another one, called `name`.
    pub(crate) fn begin_next_again(&self, audience: i64, name: &str) -> Result<Generations> {
        self.change(|db| {
            db.execute(
                "UPDATE generation SET role = ?3 WHERE audience_id = ?1 AND role = ?2 AND state != ?4",
                params![
                    audience,
                    GenerationRole::Next,
                    GenerationRole::Old,
                    Existence::Deleted
                ],
            )?;
            insert(db, audience, GenerationRole::Next, Some(name), None)?;
            generations(db, audience)
        })
    }

    /// The next generation is complete: it is the live one from here on, and the other one is to be deleted.
    pub(crate) fn take_over(&self, audience: i64) -> Result<Generations> {
        self.change(|db| {
            let change = "UPDATE generation SET role = ?3 WHERE audience_id = ?1 AND role = ?2 AND state != ?4";
            db.execute(change, params![audience, GenerationRole::Live, GenerationRole::Old, Existence::Deleted])?;
            db.execute(change, params![audience, GenerationRole::Next, GenerationRole::Live, Existence::Deleted])?;
            generations(db, audience)
        })
    }

    /// Remembers how many entries of an audience must go, as far as is known now.
    pub(crate) fn remember_must_go(&self, audience: i64, entries: u64) -> Result<()> {
        self.change(|db| {
            db.execute(
                "UPDATE audience SET must_go = ?2, must_go_at = ?3 WHERE id = ?1",
                params![audience, entries, now()],
            )
            .map(drop)
        })
    }

    /// How many entries of the audiences with labels must go as far as is known, and since when: label, type, number
    /// and time in milliseconds since 1970.
    pub(crate) fn must_go(&self) -> Result<Vec<(String, String, u64, i64)>> {
        let sql = "SELECT label, user_type, must_go, must_go_at FROM audience
             WHERE label IS NOT NULL AND must_go IS NOT NULL ORDER BY label";
        let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
        self.read(|db| rows(db, sql, [], row))
    }
}

/// The audience of a key; made if it is new.
fn audience(db: &Connection, key: &AudienceKey<'_>) -> rusqlite::Result<i64> {
    let name = key.given_id.is_none().then_some(key.name);
    let given_id = key.given_id.map(Id::as_str);
    // One that was given by its number may have been replaced by one of that name.
    let named: Option<i64> = db
        .query_row(
            "SELECT audience_id FROM generation JOIN audience ON audience.id = audience_id
             WHERE endpoint = ?1 AND ad_account = ?2 AND user_type = ?3 AND generation.name = ?4 AND state != ?5
             ORDER BY generation.id DESC LIMIT 1",
            params![
                key.endpoint,
                key.ad_account.as_str(),
                key.user_type.name(),
                name,
                Existence::Deleted
            ],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(audience) = named {
        return Ok(audience);
    }
    db.execute(
        "INSERT INTO audience (endpoint, ad_account, user_type, name, given_id) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO NOTHING",
        params![key.endpoint, key.ad_account.as_str(), key.user_type.name(), name, given_id],
    )?;
    db.query_row(
        "SELECT id FROM audience WHERE endpoint = ?1 AND
         CASE WHEN ?5 IS NULL THEN ad_account = ?2 AND user_type = ?3 AND name = ?4 ELSE given_id = ?5 END",
        params![key.endpoint, key.ad_account.as_str(), key.user_type.name(), name, given_id],
        |row| row.get(0),
    )
}

/// The live generation of an audience; made if there is none.
fn live(
    db: &Connection,
    audience: i64,
    name: Option<&str>,
    given_id: Option<&Id>,
) -> rusqlite::Result<Target> {
    let sql = format!("{SELECT} WHERE audience_id = ?1 AND role = ?2 AND state != ?3");
    let params = params![audience, GenerationRole::Live, Existence::Deleted];
    let found = db.query_row(&sql, params, target).optional()?;
    found.map_or_else(|| insert(db, audience, GenerationRole::Live, name, given_id), Ok)
}

fn insert(
    db: &Connection,
    audience: i64,
    role: GenerationRole,
    name: Option<&str>,
    given_id: Option<&Id>,
) -> rusqlite::Result<Target> {
    let state = if given_id.is_some() { Existence::Ready } else { Existence::Planned };
    db.execute(
        "INSERT INTO generation (audience_id, number, role, state, name, platform_id, created_at)
         SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3, ?4, ?5, ?6 FROM generation WHERE audience_id = ?1",
        params![audience, role, state, name, given_id.map(Id::as_str), now()],
    )?;
    by_id(db, db.last_insert_rowid())
}

fn by_id(db: &Connection, id: i64) -> rusqlite::Result<Target> {
    db.query_row(&format!("{SELECT} WHERE generation.id = ?1"), [id], target)
}

fn find(db: &Connection, endpoint: &str, number: &Id) -> rusqlite::Result<Option<Target>> {
    let sql = format!("{SELECT} WHERE endpoint = ?1 AND state = ?3 AND ?2 IN (platform_id, fb_id)");
    db.query_row(&sql, params![endpoint, number.as_str(), Existence::Ready], target).optional()
}

fn generations(db: &Connection, audience: i64) -> rusqlite::Result<Generations> {
    let sql = format!("{SELECT} WHERE audience_id = ?1 AND state != ?2 ORDER BY generation.id");
    let (mut live, mut next, mut old) = (None, None, Vec::new());
    for target in rows(db, &sql, params![audience, Existence::Deleted], target)? {
        match target.role {
            GenerationRole::Live => live = Some(target),
            GenerationRole::Next => next = Some(target),
            GenerationRole::Old => old.push(target),
        }
    }
    let live = live.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    Ok(Generations { audience, live, next, old })
}

/// Within a change: an audience does not exist any more. One that was to take its place does so.
fn delete(db: &Connection, target: &Target) -> rusqlite::Result<()> {
    db.execute(
        "UPDATE generation SET state = ?2 WHERE id = ?1",
        params![target.id, Existence::Deleted],
    )?;
    if target.role == GenerationRole::Live {
        db.execute(
            "UPDATE generation SET role = ?3 WHERE audience_id = ?1 AND role = ?2 AND state != ?4",
            params![
                target.audience,
                GenerationRole::Next,
                GenerationRole::Live,
                Existence::Deleted
            ],
        )?;
    }
    Ok(())
}

/// Within a change: which audience a target is.
pub(super) fn set_ready(
    db: &Connection,
    target: &Target,
    audience: &Id,
    fb_id: Option<&Id>,
) -> rusqlite::Result<()> {
    // The same audience may have been given by its number before it was known to be the one that was created.
    let other: Option<(i64, i64)> = db
        .query_row(
            "SELECT generation.id, audience_id FROM generation JOIN audience ON audience.id = audience_id
             WHERE endpoint = ?1 AND platform_id = ?2 AND generation.id != ?3 AND state = ?4",
            params![target.endpoint, audience.as_str(), target.id, Existence::Ready],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    if let Some((other, its_audience)) = other {
        super::deliveries::move_all(db, other, target.id)?;
        for change in [
            "UPDATE OR IGNORE upload SET generation_id = ?1 WHERE generation_id = ?2",
            "UPDATE request SET generation_id = ?1 WHERE generation_id = ?2",
        ] {
            db.execute(change, params![target.id, other])?;
        }
        db.execute("DELETE FROM upload WHERE generation_id = ?1", [other])?;
        db.execute("DELETE FROM generation WHERE id = ?1", [other])?;
        db.execute(
            "DELETE FROM audience WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM generation WHERE audience_id = ?1)",
            [its_audience],
        )?;
    }
    db.execute(
        "UPDATE generation SET state = ?2, platform_id = ?3, fb_id = coalesce(?4, fb_id) WHERE id = ?1",
        params![target.id, Existence::Ready, audience.as_str(), fb_id.map(Id::as_str)],
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
    Ok(Target {
        id: row.get("id")?,
        audience: row.get("audience_id")?,
        role: row.get("role")?,
        endpoint: row.get("endpoint")?,
        ad_account: row.get("ad_account")?,
        user_type: user_type.parse().map_err(|_| bad("user_type"))?,
        name: row.get("name")?,
        state: match (row.get("state")?, id("platform_id")?) {
            (Existence::Planned, _) => TargetState::Planned,
            (Existence::Intent, _) => TargetState::Intent { marker: row.get("marker")? },
            (Existence::Ready, Some(audience)) => TargetState::Ready { audience },
            (Existence::Ready, None) => return Err(bad("platform_id")),
            (Existence::Deleted, _) => TargetState::Deleted,
        },
        fb_id: id("fb_id")?,
    })
}
