//! Looking at the beginning of an input: how it is written, and where its header is.

use super::titles;
use crate::config::{ColumnSelector, Format, Header, ReadOptions};
use crate::dialect::{Dialect, Framing, Separator, count_lines};
use crate::error::{Error, Result};
use crate::quote::Quoted;
use crate::record::{self, Detected, SAMPLE_ROWS, SampleTable};
use crate::role::Role;
use crate::source::Source;
use crate::source::parquet::Table;

/// Characters of which one in most values of a list says that it may be no list.
const LIKELY: &[u8] = b",;\t|^~\x01";

/// Those of them that an address may have, so that a row can be taken for one.
const LIKELY_IN_ADDRESSES: &[u8] = b"|^~";

/// What is known of an input before its columns are looked for.
pub(super) struct Look<'a> {
    pub(super) source: &'a Source,
    pub(super) role: Role,
    pub(super) read: &'a ReadOptions,
    /// The columns that were told for this input.
    pub(super) told: &'a [&'a ColumnSelector],
    /// True if values are of a type that nearly anything fits.
    pub(super) is_formless: bool,
}

/// The notation of an input, its first rows from the header on, and notes on both.
pub(super) struct Seen {
    pub(super) dialect: Dialect,
    pub(super) table: SampleTable,
    pub(super) notes: Vec<String>,
    /// True if rows above the first one were left out because it is a header.
    pub(super) has_titles: bool,
}

impl Look<'_> {
    /// Finds the dialect of an input, and its first rows.
    pub(super) fn at(&self, columns: Option<&Table>) -> Result<Seen> {
        let source = self.source;
        if self.read.format == Format::Auto
            && let Some((message, hint)) = source.document()
        {
            return Err(Error::input(&source.path, message, hint));
        }
        if let Some(columns) = columns {
            let table = SampleTable::of_columns(columns.sample(SAMPLE_ROWS));
            let dialect = Dialect::COLUMNS;
            return Ok(Seen { dialect, table, notes: Vec::new(), has_titles: false });
        }
        // An opt-out list need not have the titles of the inputs, and nobody must be skipped in one.
        let skip_rows = if self.role == Role::Suppressed { 0 } else { self.read.skip_rows };
        let read = ReadOptions { skip_rows, ..self.read.clone() };
        let detect =
            |read| record::detect(&source.sample, source.is_sample_all, &source.path, read);
        let mut found = detect(&read);
        if let Some((separator, other)) = self.other_separator(&found) {
            if self.role != Role::Suppressed {
                return Err(self.wrong_separator(separator, other));
            }
            // Lists need not be written like the inputs.
            found = detect(&ReadOptions {
                format: Format::Csv,
                delimiter: Some(other),
                ..read.clone()
            });
            found.note = Some(format!("its rows are separated by `{other}`, not by `{separator}`"));
        }
        let Detected { dialect, mut table, note } = found;
        if skip_rows > 0 && !source.is_sample_all && table.first_row >= source.sample.len() {
            return Err(Error::usage(
                format!(
                    "the first {skip_rows} lines of {} are more than its first 256 KiB",
                    Quoted(&source.path)
                ),
                "skip fewer with --skip-rows",
            ));
        }
        self.check_list(dialect, &table)?;
        let mut notes: Vec<String> = note.into_iter().collect();
        let titles = self.titles(&table);
        if titles > 0 {
            table.drop_titles(titles);
            let lines = count_lines(&source.sample[..table.first_row]);
            notes.push(format!(
                "took line {} for the header: what is above it is skipped",
                lines + 1
            ));
        }
        if !self.read.is_ragged {
            table.drop_uneven();
        }
        Ok(Seen { dialect, table, notes, has_titles: titles > 0 })
    }

    /// The delimiter that was told, and the one by which the rows are cut, if that is another one.
    fn other_separator(&self, found: &Detected) -> Option<(Separator, Separator)> {
        let Framing::Csv(csv) = found.dialect.framing else { return None };
        let is_told = self.read.format == Format::Tsv || self.read.delimiter.is_some();
        let is_cut = found.table.rows.iter().filter(|row| row.len() > 1).count() * 2;
        if !is_told || is_cut > found.table.rows.len() {
            return None;
        }
        let text = &self.source.sample[found.table.first_row.min(self.source.sample.len())..];
        let other = record::sniff(text, self.source.is_sample_all)?;
        (other != csv.separator).then_some((csv.separator, other))
    }

    fn wrong_separator(&self, separator: Separator, other: Separator) -> Error {
        Error::input(
            &self.source.path,
            format!("its rows are separated by `{other}`, not by `{separator}`"),
            "leave the delimiter and the format out: they are found by content",
        )
    }

    /// Refuses a list of which most rows hold a character that separates columns elsewhere: whole rows, with names and
    /// addresses in them, would be uploaded as ids. Addresses take some of these characters, too: `17|ann@example.com` is one.
    fn check_list(&self, dialect: Dialect, table: &SampleTable) -> Result<()> {
        let is_list = match dialect.framing {
            Framing::Lines => self.read.format != Format::Lines,
            Framing::Csv(_) => self.read.delimiter.is_none() && table.usual_width() == 1,
            Framing::Columns => false,
        };
        if !is_list || table.rows.len() < 2 {
            return Ok(());
        }
        let suspects = if self.is_formless { LIKELY } else { LIKELY_IN_ADDRESSES };
        let has = |byte: u8| table.cells(0).filter(|cell| cell.contains(&byte)).count();
        let Some(byte) = suspects.iter().copied().find(|byte| has(*byte) * 2 > table.rows.len())
        else {
            return Ok(());
        };
        let separator = Separator::from(byte);
        Err(Error::input(
            &self.source.path,
            format!("most of its rows hold `{separator}`, and it is read as one value a row"),
            format!(
                "if it separates columns, say --delimiter '{separator}'; if it is a part of values, --format lines"
            ),
        ))
    }

    /// Number of title rows.
    fn titles(&self, table: &SampleTable) -> usize {
        if self.read.header == Header::Absent {
            return 0;
        }
        let mut names = titles::names(self.told.iter().copied());
        if self.role == Role::Suppressed {
            // A list has those of the names that concern it.
            names.retain(|name| {
                !table.find(name).is_empty() || titles::row_with(table, name).is_some()
            });
        }
        // Nobody may be in what is skipped of a list, whatever it looks like.
        let is_doubtful = self.is_formless || self.role == Role::Suppressed;
        titles::count(table, &names, is_doubtful)
    }
}

/// The columns of a file that has them apart; `None` if it is text.
pub(super) fn columns(source: &Source, format: Format) -> Result<Option<Table>> {
    match (source.is_parquet, format) {
        (true, Format::Auto | Format::Parquet) => source.table().map(Some),
        (false, Format::Parquet) => Err(Error::input(
            &source.path,
            "it is no Parquet file",
            "leave the format out: it is found by content",
        )),
        (true, _) => Err(Error::input(
            &source.path,
            "it is a Parquet file, and another format was given",
            "leave the format out: it is found by content",
        )),
        (false, _) => Ok(None),
    }
}
