//! Which audiences there are, what is in them, and the runs that put it there: one database that survives whatever ends
//! the process.
//!
//! The tables are in `schema.sql` beside this file, for whoever wants to query them. Part files never change and are
//! known by the digest of their bytes; what each is for, and how far it is, is a row ([`deliveries`](self)). Every
//! change is one transaction, synced before it returns (WAL, `synchronous=FULL`), so that at any point a killed run
//! leaves:
//!
//! | killed | the store says | the next run |
//! |---|---|---|
//! | before the intent is written | generation `planned` | creates the audience |
//! | between the intent and the answer | `intent`, with the marker; the first part `sent` | asks the API's list for the marker |
//! | after the audience is confirmed | `ready`, some parts `confirmed` | sends the others |
//! | between a request and its answer | the part is `sent`: it may be in | counts it as possible until a request with it is confirmed |
//! | before or after another generation takes over | `live` and `next`, or `old` and `live`: one transaction | goes on with it |
//! | between a removal and its answer | a removal that is not confirmed | removes first, and then rewrites what was added |
//! | after a removal, while parts are rewritten without who left | a removal that is confirmed | rewrites the others |
//! | while files are put into `parts/` | files that no row names | removes them |
//!
//! `throng upload` and `throng sync` share all of it. There is no token in it, and no entry.

pub(crate) mod deliveries;
mod expire;
mod files;
mod forget;
mod history;
mod lock;
mod removals;
mod requests;
mod runs;
mod sessions;
mod targets;
#[cfg(test)]
mod tests;
mod whereabouts;
mod words;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::disk::sqlite::{self, Schema};
use crate::error::{Error, Result};

pub(crate) use self::deliveries::{HeldPart, Standing};
pub(crate) use self::forget::Rewritten;
pub use self::history::{History, TargetRecord, UploadRecord};
pub use self::lock::TargetLock;
pub(crate) use self::removals::Removed;
pub(crate) use self::requests::RequestFailure;
pub use self::requests::RequestId;
pub use self::runs::RunId;
pub(crate) use self::sessions::{Batch, SessionState};
pub(crate) use self::targets::{AudienceKey, Generations};
pub use self::targets::{Target, TargetName, TargetState};
pub(crate) use self::whereabouts::{DeliveredPart, PartFile};
pub use self::words::{DeliveryState, GenerationRole, Purpose};
pub use crate::platform::{Call, FailureKind};

/// The store's name within the state directory.
pub const STORE_FILE: &str = "throng.sqlite";

/// The databases of a layout that was never released.
const EARLIER_FILES: [&str; 2] = ["ledger.sqlite", "sync.sqlite"];

/// The tables. Those of earlier versions become them when they are opened.
const SCHEMA: Schema = Schema {
    sql: include_str!("schema.sql"),
    version: 3,
    steps: &[include_str!("from_1_to_2.sql"), include_str!("from_2_to_3.sql")],
};

/// Pages that are copied at once.
const COPIED_PAGES: i32 = 4096;

/// The name that messages have for it.
const NAME: &str = "store";

/// The store of a state directory.
#[derive(Debug)]
pub struct Store {
    db: Connection,
    dir: PathBuf,
}

impl Store {
    /// Opens the store of a state directory, and makes both if they are not there.
    ///
    /// # Errors
    ///
    /// If it cannot be read or written, is damaged, or is of a later version or another layout.
    pub fn open(dir: &Path) -> Result<Self> {
        let path = dir.join(STORE_FILE);
        if !path.exists()
            && let Some(file) = EARLIER_FILES.into_iter().find(|file| dir.join(file).exists())
        {
            return Err(Error::State {
                what: NAME,
                operation: "open",
                path: dir.to_owned(),
                message: format!("its {file} is of an earlier layout, which this throng does not read"),
                hint: Some("move the directory away, and give audiences that exist by their number: `id` in a job, --audience ID".to_owned()),
            });
        }
        let db = sqlite::open(NAME, &path, &SCHEMA)?;
        Ok(Self { db, dir: dir.to_owned() })
    }

    /// The state directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A copy in memory, for a dry run: it may change what it likes, and holds nobody up.
    pub(crate) fn in_memory(&self) -> Result<Self> {
        let copied = (|| {
            let mut db = Connection::open_in_memory()?;
            Backup::new(&self.db, &mut db)?.run_to_completion(
                COPIED_PAGES,
                Duration::ZERO,
                None,
            )?;
            Ok(db)
        })();
        Ok(Self { db: copied.map_err(self.failing("read"))?, dir: self.dir.clone() })
    }

    /// Makes a change whole or not at all.
    fn change<T>(&self, change: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let result = (|| {
            let whole = Transaction::new_unchecked(&self.db, TransactionBehavior::Immediate)?;
            let value = change(&whole)?;
            whole.commit().map(|()| value)
        })();
        result.map_err(self.failing("write"))
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        read(&self.db).map_err(self.failing("read"))
    }

    fn failing(&self, operation: &'static str) -> impl Fn(rusqlite::Error) -> Error + use<> {
        let path = self.dir.join(STORE_FILE);
        move |error| sqlite::error(NAME, operation, &path, &error)
    }
}

/// All rows of a query.
fn rows<T>(
    db: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    row: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    db.prepare_cached(sql)?.query_map(params, row)?.collect()
}
