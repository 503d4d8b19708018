//! Parquet files: columns, in row groups, in pages.
//!
//! The `parquet` crate decodes them; what is here says which column is wanted and what its values are as text, and looks at
//! what the crate would believe, within the memory that a column may take:
//!
//! ```text
//! footer   metadata: its shape is looked at, then the crate reads it     -> leaves, row groups
//! pages    headers are looked at, then the crate reads a page            -> pages, decompressed
//! digests  columns of bytes that are digests                              -> hex digits
//! check    what a page says of itself                                    -> pages that the crate can decode
//! run      pages that are read in the same way, which the crate asks for
//! column   batches of rows that the crate decodes                        -> text, or places in a dictionary
//! ```
//!
//! What is read is what identifiers are stored as: text, integers and UUIDs in plain columns. A file is opened twice: to
//! look at its first rows, and to be read, row group by row group, each on one thread.

mod check;
mod column;
mod digests;
mod footer;
mod header;
mod leaf;
mod lz4;
mod pages;
pub(crate) mod quiet;
mod run;
mod shape;
mod shown;
mod texts;
mod thrift;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

pub(crate) use self::texts::{Dictionary, NO_ENTRY, Rows, Want};

use self::column::Column;
use self::footer::{COLUMNS_MAX, Footer, Unreadable};
use self::leaf::{Render, Unfit};
use self::pages::{Fault, Pages};
use super::read_error;
use super::stored::Stored;
use super::watch::Watched;
use crate::error::{Error, Result};
use crate::limits::{PARQUET_FOOTER_BYTES_MAX, PARQUET_SAMPLE_BYTES_MAX};
use crate::mutex::lock;
use crate::quote::OneLine;
use crate::user_type::UserType;

/// What a file begins and ends with.
pub(super) const MAGIC: &[u8; 4] = b"PAR1";

/// The magic bytes, twice, and the length of the metadata.
const FRAME_BYTES: u64 = 12;

/// Rows of a column that are looked at to tell whether it holds digests.
const DIGEST_ROWS: usize = 200;

/// Columns that are looked at to find the one that is meant.
const SAMPLE_COLUMNS: usize = 1000;

/// An open file whose metadata was read.
#[derive(Debug)]
pub(crate) struct Table {
    path: PathBuf,
    file: Stored,
    bytes: u64,
    footer: Footer,
    /// Bytes of the digests that a column holds, once somebody has asked.
    digests: Mutex<HashMap<usize, Option<usize>>>,
    watch: Option<Watched>,
}

impl Table {
    pub(crate) fn open(path: &Path, file: impl Into<Stored>) -> Result<Self> {
        let file = file.into();
        let reading = |error| read_error("read", path, error);
        let truncated = || {
            let message = "it begins like a Parquet file and does not end like one";
            Error::input(path, message, "fetch the file again, or wait until it is complete")
        };
        let bytes = file.len().map_err(reading)?;
        if bytes < FRAME_BYTES {
            return Err(truncated());
        }
        let mut tail = [0; 8];
        let mut end = file.end(bytes).map_err(reading)?;
        end.read_exact_at(&mut tail, bytes - 8).map_err(reading)?;
        let [len @ .., _, _, _, _] = tail;
        let len = u64::from(u32::from_le_bytes(len));
        if tail[4..] == *b"PARE" {
            return Err(encrypted(path));
        }
        if tail[4..] != *MAGIC {
            return Err(truncated());
        }
        if len > bytes - FRAME_BYTES {
            return Err(damaged(path, "its metadata would be longer than the file"));
        }
        if len > PARQUET_FOOTER_BYTES_MAX {
            return Err(Error::input(
                path,
                format!("its metadata has {len} bytes, more than {PARQUET_FOOTER_BYTES_MAX}"),
                "write fewer columns or fewer row groups into a file",
            ));
        }
        let mut footer = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        end.read_exact_at(&mut footer, bytes - 8 - len).map_err(reading)?;
        let footer = Footer::parse(&footer).map_err(|unreadable| match unreadable {
            Unreadable::Damaged => damaged(path, "its metadata is damaged"),
            Unreadable::Encrypted => encrypted(path),
            Unreadable::Columns(columns) => Error::input(
                path,
                format!("it has {columns} columns, more than {COLUMNS_MAX}"),
                "write the columns that are wanted into a file of their own",
            ),
        })?;
        Ok(Self {
            path: path.to_owned(),
            file,
            bytes,
            footer,
            digests: Mutex::default(),
            watch: None,
        })
    }

    pub(super) fn watched(self, watch: Watched) -> Self {
        Self { watch: Some(watch), ..self }
    }

    /// Rows of each row group.
    pub(crate) fn groups(&self) -> impl Iterator<Item = u32> {
        self.footer.groups.iter().map(|group| group.rows)
    }

    /// Bytes of a row group's columns as stored.
    pub(crate) fn group_bytes(&self, group: usize) -> u64 {
        self.footer.groups[group]
            .columns
            .iter()
            .map(|column| column.bytes)
            .fold(0, u64::saturating_add)
    }

    /// The names of all columns, then the first rows; cells of columns that cannot be read are empty.
    pub(crate) fn sample(&self, count: usize) -> Vec<Vec<Vec<u8>>> {
        let leaves = &self.footer.leaves;
        let mut table = vec![leaves.iter().map(|leaf| leaf.name.clone().into_bytes()).collect()];
        let Some(group) = self.first_group() else { return table };
        let rows = (self.footer.groups[group].rows as usize).min(count);
        table.extend(vec![vec![Vec::new(); leaves.len()]; rows]);
        for leaf in (0..leaves.len()).take(SAMPLE_COLUMNS) {
            let digests = self.digest_bytes(leaf);
            let cells = self.sample_column(group, leaf, rows, digests);
            for (row, cell) in table[1..].iter_mut().zip(cells) {
                row[leaf] = cell;
            }
        }
        table
    }

    fn first_group(&self) -> Option<usize> {
        self.footer.groups.iter().position(|group| group.rows > 0)
    }

    /// The first cells of a column, or as many as can be read: whoever wants it will learn why it cannot be.
    fn sample_column(
        &self,
        group: usize,
        leaf: usize,
        rows: usize,
        digests: Option<usize>,
    ) -> Vec<Vec<u8>> {
        let mut cells = Rows::default();
        let texts = |cells: &Rows| cells.texts.len();
        if self.footer.leaves[leaf].render.is_ok()
            && let Ok(mut column) = self.column(group, leaf, PARQUET_SAMPLE_BYTES_MAX)
        {
            column.set_digests(digests);
            while texts(&cells) < rows
                && column.read(rows - texts(&cells), Want::Texts, &mut cells).is_ok()
            {}
        }
        let cell = |index| cells.texts.bytes[cells.texts.span(index)].to_vec();
        (0..texts(&cells)).map(cell).collect()
    }

    /// Bytes of the digests that a column holds, if it holds such.
    fn digest_bytes(&self, leaf: usize) -> Option<usize> {
        let group = self.first_group().filter(|_| self.footer.leaves[leaf].is_binary)?;
        let mut known = lock(&self.digests);
        *known.entry(leaf).or_insert_with(|| {
            let rows = (self.footer.groups[group].rows as usize).min(DIGEST_ROWS);
            let cells = self.sample_column(group, leaf, rows, None);
            digests::bytes_of(cells.iter().map(Vec::as_slice))
        })
    }

    /// Whether a column could hold identifiers of a type, though not as they can be read.
    pub(crate) fn hides(&self, leaf: usize, user_type: UserType) -> bool {
        let is_number = matches!(user_type, UserType::PhoneHash | UserType::Fbid);
        match self.footer.leaves[leaf].render {
            Err(Unfit::List) => true,
            Err(Unfit::Number) => is_number,
            _ => false,
        }
    }

    /// Whether the values of a column can be identifiers; else why not.
    pub(crate) fn check_column(&self, leaf: usize) -> Result<()> {
        let Some(column) = self.footer.leaves.get(leaf) else {
            return Err(Error::Internal("a column that is not there"));
        };
        let name = OneLine(&column.name);
        let Err(unfit) = column.render else { return Ok(()) };
        let (message, hint) = match unfit {
            Unfit::List => (
                format!("the rows of column `{name}` hold lists"),
                format!(
                    "make a row of each element first: SELECT unnest({name}) AS {name} FROM 'FILE'"
                ),
            ),
            Unfit::Number => (
                format!(
                    "column `{name}` holds decimal or floating-point numbers, which can have lost digits"
                ),
                format!("write it as text or as a whole number: CAST({name} AS BIGINT)"),
            ),
            Unfit::OtherType => (
                format!("column `{name}` holds neither text nor whole numbers"),
                "name the column of the identifiers with --column".to_owned(),
            ),
        };
        Err(Error::input(&self.path, message, hint))
    }

    /// Whether the values of a column can be compared with those of a condition; else why not.
    pub(crate) fn check_compared(&self, leaf: usize) -> Result<()> {
        let Some(column) = self.footer.leaves.get(leaf) else {
            return Err(Error::Internal("a column that is not there"));
        };
        if column.compared.is_some() {
            return Ok(());
        }
        let name = OneLine(&column.name);
        Err(Error::input(
            &self.path,
            format!("the values of column `{name}` are of a type that cannot be compared"),
            format!("write it as text: CAST({name} AS VARCHAR)"),
        ))
    }

    /// Begins to read a column of a row group, of which `limit` bytes may be in memory at once.
    pub(crate) fn column(&self, group: usize, leaf: usize, limit: u64) -> Result<ColumnReader<'_>> {
        self.open_column(group, leaf, self.footer.leaves[leaf].render.ok(), limit)
    }

    /// True if the values of a column are booleans.
    pub(crate) fn is_of_booleans(&self, leaf: usize) -> bool {
        self.footer.leaves.get(leaf).is_some_and(|of| of.compared == Some(Render::Bool))
    }

    /// Begins to read a column whose values are compared with those of a condition.
    pub(crate) fn compared_column(
        &self,
        group: usize,
        leaf: usize,
        limit: u64,
    ) -> Result<ColumnReader<'_>> {
        self.open_column(group, leaf, self.footer.leaves[leaf].compared, limit)
    }

    fn open_column(
        &self,
        group: usize,
        leaf: usize,
        render: Option<Render>,
        limit: u64,
    ) -> Result<ColumnReader<'_>> {
        let (of, span) = (&self.footer.leaves[leaf], &self.footer.groups[group].columns[leaf]);
        let render = render.ok_or(Error::Internal("a column of a type that is not read"))?;
        let named = ColumnReader { table: self, group, leaf, column: None };
        let column = Column::new(of, render, limit, |shape| {
            Pages::new(&self.file, self.bytes, span, shape.column())
        });
        let column = column.map_err(|fault| named.error(fault))?;
        Ok(ColumnReader { column: Some(column), ..named })
    }

    /// To be called when all was read: whether the file was the same all the time.
    pub(crate) fn check_unchanged(&self) -> Result<()> {
        self.watch.as_ref().map_or(Ok(()), Watched::check)
    }
}

/// A column that is read, and what messages call it.
#[derive(Debug)]
pub(crate) struct ColumnReader<'a> {
    table: &'a Table,
    group: usize,
    leaf: usize,
    column: Option<Column>,
}

impl ColumnReader<'_> {
    /// Reads digests as hex digits, if the column holds digests. To be called before anything is read.
    pub(crate) fn with_digests(mut self) -> Self {
        self.set_digests(self.table.digest_bytes(self.leaf));
        self
    }

    fn set_digests(&mut self, bytes: Option<usize>) {
        if let Some(column) = &mut self.column {
            column.set_digests(bytes);
        }
    }

    /// Appends at least one and at most `most` rows.
    pub(crate) fn read(&mut self, most: usize, want: Want, rows: &mut Rows) -> Result<usize> {
        let column = self.column.as_mut().ok_or(Error::Internal("a column without pages"))?;
        column.read(most, want, rows).map_err(|fault| self.error(fault))
    }

    /// To be called when all rows were read: whether the column has just as many values.
    pub(crate) fn finish(&mut self) -> Result<()> {
        let column = self.column.as_mut().ok_or(Error::Internal("a column without pages"))?;
        column.finish().map_err(|fault| self.error(fault))
    }

    /// The dictionary, once a row that is in it has been read.
    pub(crate) fn dictionary(&self) -> Option<&Dictionary> {
        self.column.as_ref()?.dictionary()
    }

    /// The error of a column that cannot be used for what it is asked for.
    pub(crate) fn refuse(&self, what: &str) -> Error {
        self.refusal(what, "look at what the column holds")
    }

    fn refusal(&self, what: &str, hint: &str) -> Error {
        let Self { table, group, leaf, .. } = self;
        let name = OneLine(&table.footer.leaves[*leaf].name);
        let message = format!("column `{name}` of row group {}: {what}", group + 1);
        Error::input(&table.path, message, hint)
    }

    fn error(&self, fault: Fault) -> Error {
        let refuse = |what: &str, hint: &str| self.refusal(what, hint);
        match fault {
            Fault::Damaged(what) => refuse(what, FETCH_AGAIN),
            Fault::Elsewhere => refuse("it is in another file", "write all columns into one file"),
            Fault::Unknown(what) => refuse(
                &format!("it is written with {what}"),
                "write the file again with DuckDB, pyarrow or Spark",
            ),
            Fault::TooLarge { bytes, limit } => refuse(
                &format!("a page takes {bytes} bytes of memory, and may take {limit}"),
                "raise --memory, lower --threads, or write smaller pages",
            ),
            Fault::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                refuse("the file ends too early", FETCH_AGAIN)
            }
            Fault::Io(error) => read_error("read", &self.table.path, error),
        }
    }
}

const FETCH_AGAIN: &str = "fetch the file again";

fn damaged(path: &Path, message: &str) -> Error {
    Error::input(path, message, FETCH_AGAIN)
}

pub(super) fn encrypted(path: &Path) -> Error {
    Error::input(path, "it is an encrypted Parquet file", "write it without encryption")
}
