//! The memory of a sandbox: audiences and their members, in SQLite.
//!
//! A request changes it in one transaction, when its body is whole, so a connection that breaks before that has no
//! effect. The database is a private temporary file that SQLite unlinks at once, or `sandbox.sqlite` in the data
//! directory; memory stays bounded by the page cache either way.

mod audience;
mod batches;
mod lines;

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension};

pub use self::audience::Audience;
use self::audience::COLUMNS;
pub(super) use self::audience::{Key, NewAudience, number};
pub(super) use self::batches::{
    Batch, BatchRefused, Changed, MetaAudience, NewMetaAudience, Place, Times,
};
use super::config::{DATABASE_CACHE_KIB, Platform};
use super::entry::{self, UserType};
use super::error::Error;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS audience (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        account INTEGER NOT NULL,
        name TEXT NOT NULL,
        description TEXT,
        opt_out_link TEXT,
        user_type TEXT NOT NULL,
        member_count INTEGER NOT NULL DEFAULT 0,
        time_updated INTEGER NOT NULL,
        answers_without_fb_id INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS member (
        audience INTEGER NOT NULL,
        entry BLOB NOT NULL,
        PRIMARY KEY (audience, entry)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO sqlite_sequence (name, seq)
        SELECT 'audience', ?1 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence);
";

/// The reason for which a change is not made.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// A line that is no entry.
    #[error("line {number} is no {user_type}")]
    Line { number: u64, user_type: UserType },
    /// No line at all.
    #[error("there is no line")]
    Empty,
    /// The audience is not there.
    #[error("there is no such audience")]
    Gone,
    /// The database.
    #[error("the sandbox's database failed: {0}")]
    Database(#[from] rusqlite::Error),
    /// What was put aside.
    #[error("the sandbox cannot read what it has received: {0}")]
    Read(#[from] io::Error),
}

/// The database.
#[derive(Debug)]
pub(super) struct Store {
    database: Connection,
    /// What took effect, in order, if it is to be remembered.
    deliveries: Option<Vec<Delivery>>,
    /// Audiences of Meta's that are flagged, whether or not they are there.
    flagged: HashSet<u64>,
}

/// The entries of a request that took effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The vendor's number of the audience.
    pub audience: u64,
    /// What it did.
    pub change: Change,
    /// The lines of its file or the entries of its batch, whether or not they were members before.
    pub entries: Vec<String>,
}

/// What a request does to the members of an audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It adds some.
    Add,
    /// It removes some.
    Remove,
    /// It is part of what replaces all.
    Replace,
}

impl Store {
    /// Opens the database of a data directory, or a temporary one.
    pub(super) fn open(
        platform: Platform,
        dir: Option<&Path>,
        keeps_deliveries: bool,
    ) -> Result<Self, Error> {
        let path = match dir {
            Some(dir) => private_file(dir, platform.database())?,
            // An empty name is a temporary database for SQLite.
            None => PathBuf::new(),
        };
        let database =
            with_schema(platform, &path).map_err(|source| match source.sqlite_error_code() {
                Some(rusqlite::ErrorCode::DatabaseBusy) => Error::Busy { path },
                _ => Error::Database { path, source },
            })?;
        Ok(Self { database, deliveries: keeps_deliveries.then(Vec::new), flagged: HashSet::new() })
    }

    /// What took effect, in order; nothing if it is not remembered.
    pub(super) fn deliveries(&self) -> &[Delivery] {
        self.deliveries.as_deref().unwrap_or_default()
    }

    /// Deletes an audience and its members.
    pub(super) fn delete(&mut self, id: u64) -> rusqlite::Result<()> {
        let change = self.database.transaction()?;
        change.execute("DELETE FROM member WHERE audience = ?1", [id])?;
        batches::forget(&change, id)?;
        change.execute("DELETE FROM audience WHERE id = ?1", [id])?;
        change.commit()
    }

    /// One audience.
    pub(super) fn audience(&self, key: Key) -> rusqlite::Result<Option<Audience>> {
        key.id().map_or(Ok(None), |id| audience(&self.database, id))
    }

    /// All audiences, or those of one ad account, oldest first.
    pub(super) fn audiences(&self, ad_account: Option<u64>) -> rusqlite::Result<Vec<Audience>> {
        let query =
            format!("SELECT {COLUMNS} FROM audience WHERE ?1 IS NULL OR account = ?1 ORDER BY id");
        let mut query = self.database.prepare_cached(&query)?;
        query.query_map([ad_account], Audience::read)?.collect()
    }

    /// Notes that an answer has told of these audiences.
    pub(super) fn told(&self, audiences: &[Audience]) -> rusqlite::Result<()> {
        for audience in audiences.iter().filter(|audience| audience.answers_without_fb_id > 0) {
            self.database.execute(
                "UPDATE audience SET answers_without_fb_id = answers_without_fb_id - 1 WHERE id = ?1",
                [audience.id],
            )?;
        }
        Ok(())
    }

    /// Shows each member of an audience, in no particular order.
    pub(super) fn for_each_member(
        &self,
        id: u64,
        mut show: impl FnMut(&str),
    ) -> rusqlite::Result<()> {
        let Some(audience) = self.audience(Key::Any(id))? else { return Ok(()) };
        let Some(user_type) = audience.user_type else { return Ok(()) };
        let mut query = self.database.prepare("SELECT entry FROM member WHERE audience = ?1")?;
        let mut rows = query.query([audience.id])?;
        while let Some(row) = rows.next()? {
            show(&entry::line(user_type, row.get_ref(0)?.as_blob()?));
        }
        Ok(())
    }
}

fn with_schema(platform: Platform, path: &Path) -> rusqlite::Result<Connection> {
    let database = Connection::open(path)?;
    database.busy_timeout(Duration::ZERO)?;
    database.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    database.pragma_update(None, "synchronous", "NORMAL")?;
    database.pragma_update(None, "cache_size", -DATABASE_CACHE_KIB)?;
    let before_first = (platform.id_first() - 1).to_string();
    let schema = SCHEMA.replace("?1", &before_first);
    database.execute_batch(&format!("BEGIN IMMEDIATE; {schema} {} COMMIT;", batches::SCHEMA))?;
    Ok(database)
}

fn audience(database: &Connection, id: u64) -> rusqlite::Result<Option<Audience>> {
    let mut query =
        database.prepare_cached(&format!("SELECT {COLUMNS} FROM audience WHERE id = ?1"))?;
    query.query_row([id], Audience::read).optional()
}

/// Makes the data directory and the database in it, for its owner alone.
fn private_file(dir: &Path, name: &str) -> Result<PathBuf, Error> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| Error::DataDir { path, source }
    };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed(dir))?;
    let path = dir.join(name);
    // SQLite gives its journal the mode of the database.
    let mut options = fs::OpenOptions::new();
    options.create(true).append(true).mode(0o600).open(&path).map_err(failed(&path))?;
    Ok(path)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs().try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> Store {
        Store::open(Platform::PitchTarget, None, false).expect("a database")
    }

    fn new(user_type: UserType) -> NewAudience {
        NewAudience {
            ad_account: 7,
            name: "Newsletter".to_owned(),
            description: None,
            opt_out_link: None,
            user_type,
            fb_id_after: 0,
        }
    }

    fn members(store: &Store, id: u64) -> Vec<String> {
        let mut members = Vec::new();
        store.for_each_member(id, |member| members.push(member.to_owned())).expect("reads");
        members
    }

    #[test]
    fn a_member_is_in_an_audience_once() {
        let mut store = store();
        let (audience, added) =
            store.create_with(&new(UserType::Fbid), &b"1\n2\n1\n"[..]).expect("creates");
        assert_eq!((audience.id, audience.member_count, added), (59, 2, 2));
        let (audience, added) = store.add_lines(&audience, &b"2\n3"[..]).expect("adds");
        assert_eq!((audience.member_count, added), (3, 1));
        assert_eq!(members(&store, audience.id), ["1", "2", "3"]);
    }

    #[test]
    fn a_file_with_one_wrong_line_changes_nothing() {
        let mut store = store();
        for (file, message) in [
            (&b"1\n2\nx\n"[..], "line 3 is no fbid"),
            (b"1\n\n2\n", "line 2 is no fbid"),
            (b"1\r\n", "line 1 is no fbid"),
            (b"", "there is no line"),
            (&[b'1'; 5000], "line 1 is no fbid"),
        ] {
            let refused = store.create_with(&new(UserType::Fbid), file).expect_err("refuses");
            assert_eq!(refused.to_string(), message);
            assert_eq!(store.audiences(None), Ok(vec![]));
        }
        let (audience, _) = store.create_with(&new(UserType::Fbid), &b"1\n"[..]).expect("creates");
        store.add_lines(&audience, &b"2\nx\n"[..]).expect_err("refuses");
        assert_eq!(members(&store, audience.id), ["1"]);
    }

    #[test]
    fn numbers_are_never_given_twice() {
        let mut store = store();
        let (first, _) = store.create_with(&new(UserType::Fbid), &b"1\n"[..]).expect("creates");
        let (second, _) = store.create_with(&new(UserType::Fbid), &b"1\n"[..]).expect("creates");
        assert_eq!((second.id, second.fb_id), (60, 6_017_382_038_944));
        for (key, id) in [
            (Key::Vendor(second.id), Some(second.id)),
            (Key::Any(second.fb_id), Some(second.id)),
            (Key::Facebook(first.fb_id), Some(first.id)),
            (Key::Facebook(second.id), None),
            (Key::Vendor(second.fb_id), None),
            (Key::Any(1), None),
        ] {
            let found = store.audience(key).expect("reads");
            assert_eq!(found.map(|audience| audience.id), id, "{key:?}");
        }
        store.delete(second.id).expect("deletes");
        assert_eq!(members(&store, second.id), [""; 0]);
        let (third, _) = store.create_with(&new(UserType::Fbid), &b"1\n"[..]).expect("creates");
        assert_eq!(third.id, 61);
    }

    #[test]
    fn a_data_directory_keeps_audiences_for_one_sandbox_at_a_time() {
        let dir = tempfile::tempdir().expect("a directory");
        let dir = dir.path().join("data");
        let mut store = Store::open(Platform::PitchTarget, Some(&dir), false).expect("opens");
        let digest = "ab".repeat(32);
        let (made, _) =
            store.create_with(&new(UserType::EmailHash), digest.as_bytes()).expect("creates");
        let error = Store::open(Platform::PitchTarget, Some(&dir), false).expect_err("in use");
        assert!(matches!(error, Error::Busy { .. }), "{error}");
        drop(store);
        let store = Store::open(Platform::PitchTarget, Some(&dir), false).expect("opens again");
        assert_eq!(store.audiences(Some(7)), Ok(vec![made.clone()]));
        assert_eq!(store.audiences(Some(8)), Ok(vec![]));
        assert_eq!(members(&store, made.id), [digest]);
        for entry in fs::read_dir(&dir).expect("lists") {
            use std::os::unix::fs::PermissionsExt;
            let metadata = entry.expect("entry").metadata().expect("metadata");
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        }
    }
}
