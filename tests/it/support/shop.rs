//! A made-up shop's export, in which rows have consents, countries and several addresses.

use std::fs;
use std::path::{Path, PathBuf};

use arrow_array::{ArrayRef, RecordBatch};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use throng::config::{AudienceSpec, ColumnSelector, Condition, PrepareConfig};
use throng::normalize::UserType;

use super::{config, digest_hex};

pub(crate) const SHOP: &str = "id,Email,Accepts Marketing,Country,Backup\n\
    1,ann@example.com,yes,NZ,\n\
    2,bob@example.com,no,NZ,bob@example.org\n\
    3,not an address,Yes,NZ,\n\
    4,cy@example.com, YES ,US,cy@example.org;cy@example.net\n\
    5,dee@example.com,,DE,\n\
    6,nobody,no,DE,\n\
    7,eve@example.com,1.0,DE,eve.example.org\n";

pub(crate) struct Desk(pub(crate) tempfile::TempDir);

impl Desk {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.0.path().join("out")
    }

    pub(crate) fn config(&self, text: &str, columns: &[&str]) -> PrepareConfig {
        let input = self.write("shop.csv", text);
        let mut config = config(UserType::EmailHash, &[input], &self.out());
        config.audiences = vec![AudienceSpec::new(UserType::EmailHash, selectors(columns))];
        config
    }
}

pub(crate) fn selectors(columns: &[&str]) -> Vec<ColumnSelector> {
    columns.iter().map(|column| column.parse().unwrap()).collect()
}

pub(crate) fn conditions(texts: &[&str]) -> Vec<Condition> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

pub(crate) fn digests(values: &[&str]) -> Vec<String> {
    let mut digests: Vec<String> =
        values.iter().map(|value| digest_hex(value.as_bytes())).collect();
    digests.sort();
    digests
}

/// Writes columns as Parquet, in row groups of so many rows.
pub(crate) fn write_parquet(
    path: &Path,
    columns: Vec<(&str, ArrayRef)>,
    rows: usize,
    has_dictionary: bool,
) {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .unwrap();
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(rows))
        .set_dictionary_enabled(has_dictionary)
        .build();
    let file = fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}
