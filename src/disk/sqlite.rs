//! SQLite as throng keeps things in it: for its owner alone, durable before a change returns, and with a version.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{private, sync_dir};
use crate::error::{Error, Result};

/// Time to wait for another process that is writing.
const BUSY_TIME_MAX: Duration = Duration::from_secs(30);

/// The tables of a database.
pub(crate) struct Schema {
    /// What makes them.
    pub(crate) sql: &'static str,
    /// Their version (`PRAGMA user_version`), counted from 1.
    pub(crate) version: i32,
    /// What makes those of version 2 of those of version 1, and so on.
    pub(crate) steps: &'static [&'static str],
}

/// Opens a database, and makes it and its directory if they are not there. Tables of an earlier version become those of this
/// one, whole or not at all. `what` is what messages call it.
pub(crate) fn open(what: &'static str, path: &Path, schema: &Schema) -> Result<Connection> {
    if let Some(dir) = path.parent() {
        private::create_dirs(dir)
            .map_err(|e| Error::writing("create the state directory", dir, e))?;
    }
    // SQLite gives its other files the mode of this one.
    private::open_or_create(path)?;
    let failed = |error| self::error(what, "open", path, &error);
    // Without `CREATE`, which would make it for others to read.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // What begins with `file:` is an address to SQLite.
    let mut db = Connection::open_with_flags(Path::new(".").join(path), flags).map_err(failed)?;
    set_up(&mut db, schema).map_err(failed)?;
    let found: i32 = db.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    // Its log is there now, and must be after a power cut: SQLite syncs the directory too, but goes on if that fails.
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).map_or(Ok(()), sync_dir)?;
    let version = schema.version;
    if found != version {
        return Err(Error::State {
            what,
            operation: "open",
            path: path.to_owned(),
            message: format!("it has version {found}, this throng reads {version}"),
            hint: Some("use the version of throng that wrote it".to_owned()),
        });
    }
    Ok(db)
}

fn set_up(db: &mut Connection, schema: &Schema) -> rusqlite::Result<()> {
    db.busy_timeout(BUSY_TIME_MAX)?;
    let until = Instant::now() + BUSY_TIME_MAX;
    // SQLite does not wait by itself if several processes change the mode of a new file at once.
    while let Err(error) = db.pragma_update(None, "journal_mode", "WAL") {
        let is_busy = error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy);
        if !is_busy || Instant::now() > until {
            return Err(error);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", true)?;
    // What is deleted is not to be read in the file any more.
    db.pragma_update(None, "secure_delete", true)?;
    let version_of = |db: &Connection| -> rusqlite::Result<i32> {
        db.query_row("PRAGMA user_version", [], |row| row.get(0))
    };
    // Whoever finds the tables does not wait for one who is writing.
    if !(0..schema.version).contains(&version_of(db)?) {
        return Ok(());
    }
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    match usize::try_from(version_of(&change)?) {
        Ok(0) => change.execute_batch(schema.sql)?,
        Ok(earlier) => {
            let steps = schema.steps.get(earlier - 1..).unwrap_or_default();
            steps.iter().try_for_each(|step| change.execute_batch(step))?;
        }
        Err(_) => return Ok(()),
    }
    change.pragma_update(None, "user_version", schema.version)?;
    change.commit()
}

/// An error of the database at `path`.
pub(crate) fn error(
    what: &'static str,
    operation: &'static str,
    path: &Path,
    error: &rusqlite::Error,
) -> Error {
    use rusqlite::ErrorCode::{
        DatabaseBusy, DatabaseCorrupt, DiskFull, NotADatabase, SystemIoFailure,
    };
    let (message, hint) = match error.sqlite_error_code() {
        Some(DatabaseCorrupt | NotADatabase) => (
            "it is damaged".to_owned(),
            Some(
                "restore it from a backup; without it nothing is known of audiences that were created: go on with --audience ID"
                    .to_owned(),
            ),
        ),
        Some(DiskFull) => {
            ("no space left on the disk".to_owned(), Some("free some space".to_owned()))
        }
        // A full disk as well, if it was a map of the file that could not grow.
        Some(SystemIoFailure) => {
            (error.to_string(), Some("is there space left, and is the disk in order?".to_owned()))
        }
        Some(DatabaseBusy) => ("another process keeps it busy".to_owned(), None),
        _ => (error.to_string(), None),
    };
    Error::State { what, operation, path: path.to_owned(), message, hint }
}

/// Milliseconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_database_can_be_opened_by_many_at_once() {
        for _ in 0..20 {
            let dir = tempfile::tempdir().expect("temporary folder");
            let path = dir.path().join("new/x.sqlite");
            std::thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        let sql = "CREATE TABLE t (x INTEGER) STRICT;";
                        let schema = Schema { sql, version: 1, steps: &[] };
                        let opened = open("store", &path, &schema);
                        assert!(opened.is_ok(), "{opened:?}");
                    });
                }
            });
        }
    }
}
