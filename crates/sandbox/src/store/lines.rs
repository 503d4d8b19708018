//! Upload files: audiences of the first platform are made of their lines, all of them or none.

use std::io::{self, BufRead, Read};

use rusqlite::{Transaction, params};

use super::{Audience, Change, Delivery, Failed, NewAudience, Store, audience, now};
use crate::config::LINE_BYTES_MAX;
use crate::entry::{self, UserType};

impl Store {
    /// Makes an audience of the lines of a file; all of them or nothing.
    pub(crate) fn create_with(&mut self, new: &NewAudience, entries: impl BufRead) -> Received {
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

    /// Adds the lines to an audience; all of them or nothing.
    pub(crate) fn add_lines(&mut self, before: &Audience, entries: impl BufRead) -> Received {
        let change = self.database.transaction()?;
        let user_type = before.user_type.ok_or(Failed::Gone)?;
        finish(change, before.id, user_type, entries, self.deliveries.as_mut())
    }
}

/// An audience after a change, and how many of its members are new.
type Received = Result<(Audience, u64), Failed>;

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
    let audience = audience(&change, id)?.ok_or(Failed::Gone)?;
    change.commit()?;
    if let Some(deliveries) = deliveries {
        deliveries.push(Delivery { audience: id, change: Change::Add, entries: lines });
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
) -> Result<u64, Failed> {
    let mut insert =
        change.prepare_cached("INSERT OR IGNORE INTO member (audience, entry) VALUES (?1, ?2)")?;
    let (mut line, mut lines, mut added) = (Vec::new(), 0_u64, 0_u64);
    while next_line(&mut entries, &mut line)? {
        lines += 1;
        let Some(entry) = entry::stored(user_type, &line) else {
            return Err(Failed::Line { number: lines, user_type });
        };
        added += u64::from(insert.execute(params![id, entry.bytes()])? == 1);
        keep(&line);
    }
    if lines == 0 {
        return Err(Failed::Empty);
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
