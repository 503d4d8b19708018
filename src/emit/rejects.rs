//! The list of rejected values: where, and why; the values themselves only on request.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::config::RejectList;
use crate::disk::hidden;
use crate::error::{Error, Result};
use crate::reason::Reason;
use crate::user_type::UserType;

/// One rejected value.
#[derive(Debug)]
pub struct Reject<'a> {
    /// The input.
    pub path: &'a Path,
    /// The line, counted from 1.
    pub line: u64,
    /// Name of the column in messages.
    pub column: &'a str,
    /// For which audience.
    pub user_type: UserType,
    /// Why.
    pub reason: Reason,
    /// The value.
    pub value: &'a [u8],
}

/// Rows of the reject list, as text.
#[derive(Debug)]
pub struct RejectRows {
    with_values: bool,
    csv: csv::Writer<Vec<u8>>,
    are_none: bool,
}

impl RejectRows {
    /// None yet.
    pub fn new(list: &RejectList) -> Self {
        let csv = csv::Writer::from_writer(Vec::new());
        Self { with_values: list.with_values, csv, are_none: true }
    }

    /// Adds a value.
    pub fn push(&mut self, reject: &Reject<'_>) -> Result<()> {
        let mut record = csv::ByteRecord::new();
        record.push_field(&as_text(reject.path.as_os_str().as_encoded_bytes()));
        record.push_field(reject.line.to_string().as_bytes());
        record.push_field(&as_text(reject.column.as_bytes()));
        record.push_field(reject.user_type.name().as_bytes());
        record.push_field(reject.reason.code().as_bytes());
        if self.with_values {
            record.push_field(&as_text(reject.value));
        }
        self.are_none = false;
        self.csv.write_byte_record(&record).map_err(|_| Error::Internal("a row of rejects"))
    }

    /// Takes the text of what was added.
    pub fn take(&mut self) -> Result<Vec<u8>> {
        if std::mem::replace(&mut self.are_none, true) {
            return Ok(Vec::new());
        }
        let rows = std::mem::replace(&mut self.csv, csv::Writer::from_writer(Vec::new()));
        rows.into_inner().map_err(|_| Error::Internal("rows of rejects"))
    }
}

/// Writes the reject list as CSV beside its final place, and moves it there when it is complete.
#[derive(Debug)]
pub struct RejectWriter {
    path: PathBuf,
    file: hidden::HiddenFile,
    text: BufWriter<File>,
}

impl RejectWriter {
    /// Header of every list.
    pub(crate) const BEGIN: &'static str = "source,line,column,user_type,reason";

    /// Begins the list.
    pub fn create(list: &RejectList) -> Result<Self> {
        let path = list.path.clone();
        let writing = |error| Error::writing("create", &path, error);
        let file = hidden::file(&path)?;
        let mut text = BufWriter::new(file.reopen().map_err(writing)?);
        let value = if list.with_values { ",value" } else { "" };
        writeln!(text, "{}{value}", Self::BEGIN).map_err(writing)?;
        Ok(Self { path, file, text })
    }

    /// Adds rows.
    pub fn write(&mut self, rows: &[u8]) -> Result<()> {
        self.text.write_all(rows).map_err(|error| Error::writing("write", &self.path, error))
    }

    /// Puts the list into place.
    pub fn publish(mut self) -> Result<()> {
        self.text.flush().map_err(|e| Error::writing("write", &self.path, e))?;
        hidden::publish(self.file, &self.path)
    }
}

/// People open the list in a spreadsheet, which would run what begins like a formula: an apostrophe makes it text there.
fn as_text(field: &[u8]) -> Cow<'_, [u8]> {
    match field.first() {
        Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r') => [b"'", field].concat().into(),
        _ => field.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_field_begins_like_a_formula() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("rejects.csv");
        let list = RejectList { path: path.clone(), with_values: true };
        let mut rows = RejectRows::new(&list);
        for value in [&b"=cmd|' /c calc'!A0"[..], b"+1", b"-1", b"@x", b"\t=1", b"a=b"] {
            let (user_type, reason) = (UserType::EmailHash, Reason::NoAtSign);
            let reject = Reject {
                path: Path::new("=1.csv"),
                line: 1,
                column: "@SUM",
                user_type,
                reason,
                value,
            };
            rows.push(&reject).expect("adds");
        }
        let mut writer = RejectWriter::create(&list).expect("creates");
        writer.write(&rows.take().expect("text")).expect("writes");
        writer.publish().expect("publishes");
        let mut reader = csv::Reader::from_path(&path).expect("opens");
        let records: Vec<csv::StringRecord> =
            reader.records().collect::<std::result::Result<_, _>>().expect("reads");
        assert!(records.iter().all(|record| &record[0] == "'=1.csv" && &record[2] == "'@SUM"));
        let values: Vec<&str> = records.iter().map(|record| &record[5]).collect();
        assert_eq!(values, ["'=cmd|' /c calc'!A0", "'+1", "'-1", "'@x", "'\t=1", "a=b"]);
    }
}
