//! What was sent and what the API has confirmed: a database that survives whatever ends the process.
//!
//! The tables are in `schema.sql` beside this file, for whoever wants to query them. Every change is a transaction of
//! its own, synced before it returns (WAL, `synchronous=FULL`), so that at any point a killed run leaves:
//!
//! | killed | the ledger says | the next run |
//! |---|---|---|
//! | before the intent is written | `planned` | creates the audience |
//! | between the intent and the acknowledgement | `intent`, with the marker | asks the API's list for the marker |
//! | after the audience is acknowledged | `ready`, some parts acknowledged | sends the others |
//! | between a part's answer and its acknowledgement | the part is not acknowledged | sends it again, which changes nothing |
//!
//! There is no token in it, and no entry: parts are known by the digest of the whole file.

mod history;
mod lock;
mod runs;
mod targets;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::disk::sqlite;
use crate::error::{Error, Result};

pub use self::history::{History, RunRecord, TargetRecord};
pub use self::lock::TargetLock;
pub use self::runs::{AttemptId, RunId};
pub use self::targets::{Target, TargetName, TargetState};

/// The ledger's name within the state directory.
pub const LEDGER_FILE: &str = "ledger.sqlite";

/// The version of the tables (`PRAGMA user_version`).
const SCHEMA_VERSION: i32 = 1;

/// What messages call it.
const WHAT: &str = "ledger";

/// The ledger of a state directory.
#[derive(Debug)]
pub struct Ledger {
    db: Connection,
    dir: PathBuf,
}

impl Ledger {
    /// Opens the ledger of a state directory, and makes both if they are not there.
    pub fn open(dir: &Path) -> Result<Self> {
        let path = dir.join(LEDGER_FILE);
        let db = sqlite::open(WHAT, &path, include_str!("schema.sql"), SCHEMA_VERSION)?;
        Ok(Self { db, dir: dir.to_owned() })
    }

    fn change(&self, sql: &str, params: impl rusqlite::Params) -> Result<()> {
        self.db.execute(sql, params).map(drop).map_err(self.failing("write"))
    }

    fn failing(&self, operation: &'static str) -> impl Fn(rusqlite::Error) -> Error + use<> {
        let path = self.dir.join(LEDGER_FILE);
        move |error| sqlite::error(WHAT, operation, &path, &error)
    }
}
