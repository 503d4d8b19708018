//! Which audiences are uploaded to, and how far each is.

use rusqlite::{OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::Ledger;
use crate::api::Id;
use crate::disk::sqlite::now;
use crate::error::Result;
use crate::normalize::UserType;

const FIND: &str =
    "SELECT * FROM target WHERE endpoint = ?1 AND state = 'ready' AND ?2 IN (audience_id, fb_id)";

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

impl Ledger {
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

    /// What the description of a target's audience holds, if a create was ever intended.
    pub(crate) fn marker(&self, target: &Target) -> Result<Option<String>> {
        self.db
            .query_row("SELECT marker FROM target WHERE id = ?1", [target.id], |row| row.get(0))
            .map_err(self.failing("read"))
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
}

/// Within a change: which audience a target is.
pub(super) fn set_ready(
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
