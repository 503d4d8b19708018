//! The memory of a sandbox: audiences and their members, in SQLite.
//!
//! A request changes it in one transaction, when its body is whole, so a connection that breaks before that has no
//! effect. The database is a private temporary file that SQLite unlinks at once, or `sandbox.sqlite` in the data
//! directory; memory stays bounded by the page cache either way.

mod audience;

use std::fs;
use std::io::{self, BufRead, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension, Transaction, params};

pub use self::audience::Audience;
use self::audience::COLUMNS;
pub(super) use self::audience::{Key, NewAudience, number};
use super::config::{DATABASE_CACHE_KIB, ID_FIRST, LINE_BYTES_MAX};
use super::entry::{self, UserType};
use super::error::Error;
use super::refusal::Refusal;

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

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::internal(format!("the sandbox's database failed: {error}"))
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::internal(format!("the sandbox cannot read what it has received: {error}"))
    }
}

/// The database.
#[derive(Debug)]
pub(super) struct Store {
    database: Connection,
    /// What took effect, in order, if it is to be remembered.
    deliveries: Option<Vec<Delivery>>,
}

/// The entries of a request that took effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The vendor's number of the audience.
    pub audience: u64,
    /// The lines of its file, whether or not they were members before.
    pub entries: Vec<String>,
}

impl Store {
    /// Opens the database of a data directory, or a temporary one.
    pub(super) fn open(dir: Option<&Path>, keeps_deliveries: bool) -> Result<Self, Error> {
        let path = match dir {
            Some(dir) => private_file(dir)?,
            // An empty name is a temporary database for SQLite.
            None => PathBuf::new(),
        };
        let database = with_schema(&path).map_err(|source| match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy) => Error::Busy { path },
            _ => Error::Database { path, source },
        })?;
        Ok(Self { database, deliveries: keeps_deliveries.then(Vec::new) })
    }

    /// What took effect, in order; nothing if it is not remembered.
    pub(super) fn deliveries(&self) -> &[Delivery] {
        self.deliveries.as_deref().unwrap_or_default()
    }

    /// Makes an audience of the entries; all of them or nothing.
    pub(super) fn create(&mut self, new: &NewAudience, entries: impl BufRead) -> Received {
        let change = self.database.transaction()?;
        change.execute(
            "INSERT INTO audience (account, name, description, opt_out_link, user_type, \
             time_updated, answers_without_fb_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                new.ad_account,
                new.name,
                new.description,
                new.opt_out_link,
                new.user_type.name(),
                now(),
                new.fb_id_after,
            ],
        )?;
        let id = change.last_insert_rowid().unsigned_abs();
        finish(change, id, new.user_type, entries, self.deliveries.as_mut())
    }

    /// Adds the entries to an audience; all of them or nothing.
    pub(super) fn add(&mut self, before: &Audience, entries: impl BufRead) -> Received {
        let change = self.database.transaction()?;
        finish(change, before.id, before.user_type, entries, self.deliveries.as_mut())
    }

    /// Deletes an audience and its members.
    pub(super) fn delete(&mut self, id: u64) -> rusqlite::Result<()> {
        let change = self.database.transaction()?;
        change.execute("DELETE FROM member WHERE audience = ?1", [id])?;
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
        let mut query = self.database.prepare("SELECT entry FROM member WHERE audience = ?1")?;
        let mut rows = query.query([audience.id])?;
        while let Some(row) = rows.next()? {
            show(&entry::line(audience.user_type, row.get_ref(0)?.as_blob()?));
        }
        Ok(())
    }
}

fn with_schema(path: &Path) -> rusqlite::Result<Connection> {
    let database = Connection::open(path)?;
    database.busy_timeout(Duration::ZERO)?;
    database.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    database.pragma_update(None, "synchronous", "NORMAL")?;
    database.pragma_update(None, "cache_size", -DATABASE_CACHE_KIB)?;
    let first = (ID_FIRST - 1).to_string();
    database
        .execute_batch(&format!("BEGIN IMMEDIATE; {} COMMIT;", SCHEMA.replace("?1", &first)))?;
    Ok(database)
}

fn audience(database: &Connection, id: u64) -> rusqlite::Result<Option<Audience>> {
    let mut query =
        database.prepare_cached(&format!("SELECT {COLUMNS} FROM audience WHERE id = ?1"))?;
    query.query_row([id], Audience::read).optional()
}

/// Makes the data directory and the database in it, for its owner alone.
fn private_file(dir: &Path) -> Result<PathBuf, Error> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| Error::DataDir { path, source }
    };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed(dir))?;
    let path = dir.join("sandbox.sqlite");
    // SQLite gives its journal the mode of the database.
    let mut options = fs::OpenOptions::new();
    options.create(true).append(true).mode(0o600).open(&path).map_err(failed(&path))?;
    Ok(path)
}

/// An audience after a change, and how many of its members are new.
type Received = Result<(Audience, u64), Refusal>;

/// Ends a change with the entries of a file.
fn finish(
    change: Transaction<'_>,
    id: u64,
    user_type: UserType,
    entries: impl BufRead,
    deliveries: Option<&mut Vec<Delivery>>,
) -> Received {
    let mut lines = Vec::new();
    let keep = |line: &[u8]| lines.push(String::from_utf8_lossy(line).into_owned());
    let added = match &deliveries {
        Some(_) => insert(&change, id, user_type, entries, keep)?,
        None => insert(&change, id, user_type, entries, |_| ())?,
    };
    let audience = audience(&change, id)?.ok_or_else(Refusal::not_found)?;
    change.commit()?;
    if let Some(deliveries) = deliveries {
        deliveries.push(Delivery { audience: id, entries: lines });
    }
    Ok((audience, added))
}

/// Checks and inserts the lines of a file; tells how many were new.
fn insert(
    change: &Transaction<'_>,
    id: u64,
    user_type: UserType,
    mut entries: impl BufRead,
    mut keep: impl FnMut(&[u8]),
) -> Result<u64, Refusal> {
    let mut insert =
        change.prepare_cached("INSERT OR IGNORE INTO member (audience, entry) VALUES (?1, ?2)")?;
    let (mut line, mut lines, mut added) = (Vec::new(), 0_u64, 0_u64);
    while next_line(&mut entries, &mut line)? {
        lines += 1;
        let Some(entry) = entry::stored(user_type, &line) else {
            return Err(Refusal::field(format!("`file`: line {lines} is no {user_type}")));
        };
        added += u64::from(insert.execute(params![id, entry.bytes()])? == 1);
        keep(&line);
    }
    if lines == 0 {
        return Err(Refusal::field("`file` is empty"));
    }
    change.execute(
        "UPDATE audience SET member_count = member_count + ?2, time_updated = ?3 WHERE id = ?1",
        params![id, added, now()],
    )?;
    Ok(added)
}

/// Reads a line without its end. One that is too long comes cut off, and is still too long for any type.
fn next_line(entries: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    entries.take(LINE_BYTES_MAX + 1).read_until(b'\n', line)?;
    if line.is_empty() {
        return Ok(false);
    }
    line.pop_if(|byte| *byte == b'\n');
    Ok(true)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs().try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> Store {
        Store::open(None, false).expect("a database")
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
            store.create(&new(UserType::Fbid), &b"1\n2\n1\n"[..]).expect("creates");
        assert_eq!((audience.id, audience.member_count, added), (59, 2, 2));
        let (audience, added) = store.add(&audience, &b"2\n3"[..]).expect("adds");
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
            (b"", "empty"),
            (&[b'1'; 5000], "line 1 is no fbid"),
        ] {
            let refused = store.create(&new(UserType::Fbid), file).expect_err("refuses");
            assert_eq!(refused.status, 422);
            assert!(format!("{refused:?}").contains(message), "{refused:?}");
            assert_eq!(store.audiences(None), Ok(vec![]));
        }
        let (audience, _) = store.create(&new(UserType::Fbid), &b"1\n"[..]).expect("creates");
        store.add(&audience, &b"2\nx\n"[..]).expect_err("refuses");
        assert_eq!(members(&store, audience.id), ["1"]);
    }

    #[test]
    fn numbers_are_never_given_twice() {
        let mut store = store();
        let (first, _) = store.create(&new(UserType::Fbid), &b"1\n"[..]).expect("creates");
        let (second, _) = store.create(&new(UserType::Fbid), &b"1\n"[..]).expect("creates");
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
        let (third, _) = store.create(&new(UserType::Fbid), &b"1\n"[..]).expect("creates");
        assert_eq!(third.id, 61);
    }

    #[test]
    fn a_data_directory_keeps_audiences_for_one_sandbox_at_a_time() {
        let dir = tempfile::tempdir().expect("a directory");
        let dir = dir.path().join("data");
        let mut store = Store::open(Some(&dir), false).expect("opens");
        let digest = "ab".repeat(32);
        let (made, _) =
            store.create(&new(UserType::EmailHash), digest.as_bytes()).expect("creates");
        let error = Store::open(Some(&dir), false).expect_err("in use");
        assert!(matches!(error, Error::Busy { .. }), "{error}");
        drop(store);
        let store = Store::open(Some(&dir), false).expect("opens again");
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
