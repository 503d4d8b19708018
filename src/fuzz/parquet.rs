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
        // Of longer values more or less is kept.
        let cut = |text: &[u8]| text[..text.len().min(VALUE_BYTES_MAX + 1)].to_vec();
        values.extend((0..read.texts.len()).map(|at| cut(&read.texts.bytes[read.texts.span(at)])));
        let entry = |place: &u32| match (*place, column.dictionary()) {
            (NO_ENTRY, _) => Vec::new(),
            (place, Some(entries)) => cut(&entries.bytes()[entries.span(place as usize)]),
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
            _ => {
                header.open(5).int(1, values).int(1, 0).int(1, values).int(1, encoding);
                header.int(1, levels).int(1, 0).close()
            }
        };
        file.extend(header.close().0.iter().chain(&packed));
    }
    let mut footer = Thrift::default();
    footer.int(1, 1).list(1, 2);
    footer.text(4, "root").int(1, 1).close();
    footer.int(1, physical).int(1, 16).int(1, is_optional).text(1, "column");
    if physical == 7 {
        footer.open(6).open(14).close().close();
    }
    footer.close().int(1, rows).list(1, 1).list(1, 1);
    footer.int(2, 0).open(1).int(1, physical).no_ints(1).int(2, codec).int(1, rows);
    footer.int(1, 0).int(1, file.len() - 4).int(2, 4).close().close();
    footer.int(1, 0).int(1, rows).close().close();
    let len = u32::try_from(footer.0.len()).expect("is short");
    [&file[..], &footer.0, &len.to_le_bytes(), b"PAR1"].concat()
}

fn compress(codec: usize, body: &[u8]) -> Vec<u8> {
    match codec {
        1 => as_snappy(body),
        2 => super::compress(0, body),
        6 => super::compress(1, body),
        5 | 7 => lz4_flex::block::compress(body),
        _ => body.to_vec(),
    }
}

/// As Snappy writes what cannot be made shorter: the length, and pieces as they are.
fn as_snappy(body: &[u8]) -> Vec<u8> {
    let mut packed = Thrift::default();
    packed.varint(body.len());
    for piece in body.chunks(256) {
        packed.0.extend([0xf0, u8::try_from(piece.len() - 1).expect("is short")]);
        packed.0.extend(piece);
    }
    packed.0
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

    /// A list of integers that has none.
    fn no_ints(&mut self, above: u8) -> &mut Self {
        self.0.extend([above << 4 | 0x9, 0x5]);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> Vec<Vec<u8>> {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus/parquet");
        let mut paths: Vec<_> = std::fs::read_dir(corpus).expect("a corpus").collect();
        paths.sort_by_key(|entry| entry.as_ref().expect("an entry").path());
        let read = |entry: std::io::Result<std::fs::DirEntry>| {
            std::fs::read(entry.expect("an entry").path()).expect("reads")
        };
        paths.into_iter().map(read).collect()
    }

    /// Else nothing would be decoded, and whatever is asserted would hold.
    #[test]
    fn what_is_built_is_read() {
        // A page of two values: an `a`, and one without letters.
        let body = b"\x01\0\0\0a\0\0\0\0";
        for codec in 0..6 {
            let choices = [&[0, 0, codec, 0, 0, 2, 0, 9][..], body].concat();
            let table = Table::open(Path::new("file"), stored(&built(Choices(&choices))));
            let table = table.unwrap_or_else(|error| panic!("{codec}: {error}"));
            let rows = column(&table, (0, 0), 2, (4096, 1, Want::Texts));
            assert_eq!(rows.expect("reads"), [&b"a"[..], b""], "{codec}");
        }
    }

    /// What the fuzzer kept, changed at random. `THRONG_FUZZ_TRIES` makes more of it.
    #[test]
    fn what_is_nearly_what_was_kept_holds() {
        let tries = std::env::var("THRONG_FUZZ_TRIES")
            .map_or(500, |tries| tries.parse().expect("a number"));
        let mut state = 7_u64;
        let mut below = |bound: usize| {
            // Knuth's multiplier: good enough in its upper half.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(state >> 33).expect("31 bits") % bound
        };
        for of in kept().iter().cycle().take(tries) {
            let mut bytes = of.clone();
            for _ in 0..=below(4) {
                let at = below(bytes.len());
                let byte = u8::try_from(below(256)).expect("a byte");
                match below(5) {
                    0 => bytes[at] ^= 1 << (byte % 8),
                    1 => bytes[at] = byte,
                    2 => bytes[at] = [0, 0xff, 0x7f, 0x80][usize::from(byte % 4)],
                    3 if bytes.len() > 1 => drop(bytes.remove(at)),
                    _ => bytes.insert(at, byte),
                }
            }
            parquet(&bytes);
        }
    }
}
