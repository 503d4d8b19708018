//! Files whose columns lie apart.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use super::Choices;
use crate::error::{Error, ExitCode};
use crate::limits::VALUE_BYTES_MAX;
use crate::limits::{CHUNK_BYTES, PARQUET_ROWS};
use crate::source::parquet::{NO_ENTRY, Rows, Table, Want};

/// Rows of a row group that are looked at: a few bytes can stand for any number.
const ROWS_MAX: usize = 20_000;

/// Columns and row groups that are looked at.
const COLUMNS_MAX: usize = 4;

/// A file is read or refused, and its rows are the same whether a few are asked for or many, as values or as places in
/// the dictionary.
pub fn parquet(data: &[u8]) {
    let mut choices = Choices(data);
    let is_whole_file = choices.below(2) == 0;
    let limit = 1 << (12 + choices.below(12));
    let few = 1 + choices.below(40);
    let file = if is_whole_file { choices.0.to_vec() } else { built(choices) };
    let table = match Table::open(Path::new("file"), stored(&file)) {
        Ok(table) => table,
        Err(error) => return check(&error),
    };
    let sample = table.sample(few);
    assert!(sample.len() <= few + 1 && sample.iter().all(|row| row.len() == sample[0].len()));
    let groups: Vec<usize> = table.groups().map(|rows| rows as usize).collect();
    for (group, rows) in groups.into_iter().enumerate().take(COLUMNS_MAX) {
        for leaf in (0..sample[0].len()).take(COLUMNS_MAX) {
            if let Err(error) = table.check_column(leaf) {
                check(&error);
                continue;
            }
            let read = |most, want| {
                column(&table, (group, leaf), rows, (limit, most, want)).inspect_err(check).ok()
            };
            assert_eq!(read(few, Want::Entries), read(PARQUET_ROWS, Want::Texts));
        }
    }
}

/// The rows of a column, or as many of them as are looked at.
fn column(
    table: &Table,
    (group, leaf): (usize, usize),
    rows: usize,
    (limit, most, want): (u64, usize, Want),
) -> Result<Vec<Vec<u8>>, Error> {
    let mut column = table.column(group, leaf, limit)?;
    let mut values = Vec::new();
    let mut read = Rows::default();
    while values.len() < rows.min(ROWS_MAX) {
        read.clear();
        let most = most.min(rows - values.len());
        let count = column.read(most, want, &mut read)?;
        assert!((1..=most).contains(&count) && read.texts.len() + read.entries.len() == count);
        assert!(read.texts.bytes.len() <= CHUNK_BYTES + 16 * VALUE_BYTES_MAX);
        values
            .extend((0..read.texts.len()).map(|at| read.texts.bytes[read.texts.span(at)].to_vec()));
        let entry = |place: &u32| match (*place, column.dictionary()) {
            (NO_ENTRY, _) => Vec::new(),
            (place, Some(texts)) => texts.bytes[texts.span(place as usize)].to_vec(),
            (_, None) => panic!("a place in no dictionary"),
        };
        values.extend(read.entries.iter().map(entry));
    }
    if values.len() == rows {
        column.finish()?;
    }
    values.truncate(ROWS_MAX);
    Ok(values)
}

fn check(error: &Error) {
    let text = format!("{error}{}", error.hint().unwrap_or_default());
    assert!(!text.chars().any(char::is_control), "{text:?}");
    assert_eq!(error.exit_code(), ExitCode::Input, "{text}");
}

fn stored(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("temporary file");
    file.write_all(bytes).expect("writes");
    file
}

/// Kinds of pages.
const DATA: usize = 0;
const DICTIONARY: usize = 2;
const DATA_V2: usize = 3;

/// A file of one column whose metadata makes sense, so that the bytes are what its pages hold.
fn built(mut choices: Choices<'_>) -> Vec<u8> {
    let physical = [6, 6, 2, 1, 7][choices.below(5)];
    let is_optional = choices.below(2);
    let codec = [0, 1, 2, 5, 6, 7][choices.below(6)];
    let (mut file, mut rows) = (b"PAR1".to_vec(), 0);
    while !choices.0.is_empty() {
        let kind = [DATA, DICTIONARY, DATA_V2, DATA][choices.below(4)];
        let encoding = [0, 8, 5, 6, 7, 9, 2, 4][choices.below(8)];
        let (values, levels, len) = (choices.below(256), choices.below(16), choices.below(256));
        let (body, rest) = choices.0.split_at(len.min(choices.0.len()));
        choices.0 = rest;
        let levels = levels.min(body.len());
        let plain = if kind == DATA_V2 { levels } else { 0 };
        let packed = [&body[..plain], &compress(codec, &body[plain..])].concat();
        rows += if kind == DICTIONARY { 0 } else { values };
        let mut header = Thrift::default();
        header.int(1, kind).int(1, body.len()).int(1, packed.len());
        match kind {
            DATA => header.open(2).int(1, values).int(1, encoding).int(1, 3).int(1, 3).close(),
            DICTIONARY => header.open(4).int(1, values).int(1, encoding).close(),
            _ => header.open(5).int(1, values).int(3, encoding).int(1, levels).int(1, 0).close(),
        };
        file.extend(header.close().0.iter().chain(&packed));
    }
    let mut footer = Thrift::default();
    footer.list(2, 2);
    footer.text(4, "root").int(1, 1).close();
    footer.int(1, physical).int(1, 16).int(1, is_optional).text(1, "column");
    if physical == 7 {
        footer.open(6).open(14).close().close();
    }
    footer.close().int(1, rows).list(1, 1).list(1, 1);
    footer.open(3).int(4, codec).int(3, file.len() - 4).int(2, 4).close().close();
    footer.int(2, rows).close().close();
    let len = u32::try_from(footer.0.len()).expect("is short");
    [&file[..], &footer.0, &len.to_le_bytes(), b"PAR1"].concat()
}

fn compress(codec: usize, body: &[u8]) -> Vec<u8> {
    match codec {
        1 => snap::raw::Encoder::new().compress_vec(body).expect("is short"),
        2 => super::compress(0, body),
        6 => super::compress(1, body),
        5 | 7 => lz4_flex::block::compress(body),
        _ => body.to_vec(),
    }
}

/// Writes Thrift's compact protocol; a field is told by how much its number is above that of the one before.
#[derive(Default)]
struct Thrift(Vec<u8>);

impl Thrift {
    fn int(&mut self, above: u8, value: usize) -> &mut Self {
        self.0.push(above << 4 | 0x6);
        self.varint(2 * value)
    }

    fn text(&mut self, above: u8, text: &str) -> &mut Self {
        self.0.push(above << 4 | 0x8);
        self.varint(text.len()).0.extend(text.as_bytes());
        self
    }

    /// Begins a list of structs.
    fn list(&mut self, above: u8, count: u8) -> &mut Self {
        self.0.extend([above << 4 | 0x9, count << 4 | 0xc]);
        self
    }

    fn open(&mut self, above: u8) -> &mut Self {
        self.0.push(above << 4 | 0xc);
        self
    }

    fn close(&mut self) -> &mut Self {
        self.0.push(0);
        self
    }

    fn varint(&mut self, mut value: usize) -> &mut Self {
        while value >= 0x80 {
            self.0.push(u8::try_from(value & 0x7f).expect("7 bits") | 0x80);
            value >>= 7;
        }
        self.0.push(u8::try_from(value).expect("7 bits"));
        self
    }
}
