//! What a Parquet file holds, from the metadata at its end: columns, row groups, and where their pages are.
//!
//! The `parquet` crate decodes it, and believes it: it descends as deep as the schema says, allocates as many children as
//! an element says to have, and keeps statistics, key-value pairs and some six hundred bytes for each column of each row
//! group. A few bytes could thus overflow the stack or take gigabytes. So an outline is made first, which checks the shape
//! of the schema; and the crate is given nothing but the schema, and then one row group after the other.

use std::ops::Range;

use parquet::basic::Compression;
use parquet::file::metadata::{
    ColumnChunkMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
};
use parquet::schema::types::SchemaDescPtr;

use super::leaf::Leaf;
use super::quiet::quietly;
use super::thrift::{Broken, Reader};

/// Deepest nesting of columns.
const DEPTH_MAX: usize = 64;

/// Most columns of a file; each has a cell in each row that is looked at at first.
pub(super) const COLUMNS_MAX: usize = 10_000;

/// Most elements of a schema: columns, and those that have columns below them.
const ELEMENTS_MAX: usize = 4 * COLUMNS_MAX;

/// Most bytes of the names of all columns. They are written as a tree, so that a long name with many columns below it
/// would be repeated for each.
const NAMES_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why metadata cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    Damaged,
    /// It has so many columns, more than [`COLUMNS_MAX`].
    Columns(usize),
    /// A column is encrypted.
    Encrypted,
}

impl From<Broken> for Unreadable {
    fn from(_: Broken) -> Self {
        Self::Damaged
    }
}

/// A column within a row group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) codec: Compression,
    pub(super) start: u64,
    pub(super) bytes: u64,
    /// Its bytes lie in another file.
    pub(super) is_elsewhere: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) rows: u32,
    /// In the order of the leaves.
    pub(super) columns: Vec<Span>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) leaves: Vec<Leaf>,
    pub(super) groups: Vec<Group>,
}

impl Footer {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Unreadable> {
        let outline = Outline::of(bytes)?;
        let schema = decode_schema(&bytes[outline.schema])?;
        let leaves: Vec<Leaf> = schema.columns().iter().map(|column| Leaf::of(column)).collect();
        let options = ParquetMetaDataOptions::new()
            .with_schema(schema)
            .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
            .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
            .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
        let mut groups = Vec::new();
        Reader::new(&bytes[outline.groups]).list(|reader| {
            let rest = reader.rest();
            group_outline(reader)?;
            let group = &rest[..rest.len() - reader.rest().len()];
            groups.push(decode_group(group, &options).ok_or(Broken::Wrong)?);
            Ok(())
        })?;
        let sum: u64 = groups.iter().map(|group: &Group| u64::from(group.rows)).sum();
        if sum == outline.rows { Ok(Self { leaves, groups }) } else { Err(Unreadable::Damaged) }
    }
}

/// Where the lists of the schema's elements and of the row groups are, and how many rows the file has.
struct Outline {
    schema: Range<usize>,
    groups: Range<usize>,
    rows: u64,
}

impl Outline {
    fn of(bytes: &[u8]) -> Result<Self, Unreadable> {
        let (mut schema, mut groups, mut rows) = (None, None, None);
        let (mut tree, mut is_encrypted) = (Tree::default(), false);
        Reader::new(bytes).fields(|reader, id, _| {
            let start = reader.position();
            match id {
                2 if schema.is_none() => {
                    reader.list(|reader| tree.add(reader))?;
                    schema = Some(start..reader.position());
                }
                3 => rows = Some(reader.count()?),
                4 if groups.is_none() => {
                    reader.list(|reader| {
                        is_encrypted |= group_outline(reader)?;
                        Ok(())
                    })?;
                    groups = Some(start..reader.position());
                }
                2 | 4 => return Err(Broken::Wrong),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        if tree.leaves > COLUMNS_MAX {
            return Err(Unreadable::Columns(tree.leaves));
        }
        if is_encrypted {
            return Err(Unreadable::Encrypted);
        }
        match (schema, groups, rows) {
            (Some(schema), Some(groups), Some(rows)) if tree.open.is_empty() => {
                Ok(Self { schema, groups, rows })
            }
            _ => Err(Unreadable::Damaged),
        }
    }
}

/// The shape of a schema, which is a tree written from its root on, each element before those below it.
#[derive(Default)]
struct Tree {
    /// Elements that have more below them than was read.
    open: Vec<Branch>,
    elements: usize,
    leaves: usize,
    names_bytes: usize,
}

struct Branch {
    children_left: usize,
    path_bytes: usize,
}

impl Tree {
    /// Reads an element.
    fn add(&mut self, reader: &mut Reader<'_>) -> Result<(), Broken> {
        let (mut name_bytes, mut children) = (0, 0);
        reader.fields(|reader, id, _| {
            match id {
                4 => name_bytes = reader.binary()?.len(),
                5 => children = reader.size()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let path_bytes = match self.open.last_mut() {
            Some(branch) => {
                branch.children_left -= 1;
                branch.path_bytes + name_bytes
            }
            None if self.elements == 0 => 0,
            None => return Err(Broken::Wrong),
        };
        self.elements += 1;
        if children == 0 {
            self.leaves += 1;
            self.names_bytes += path_bytes;
        } else {
            self.open.push(Branch { children_left: children, path_bytes });
        }
        // The crate allocates as many children as an element says.
        if children > ELEMENTS_MAX
            || self.elements > ELEMENTS_MAX
            || self.open.len() > DEPTH_MAX
            || self.names_bytes > NAMES_BYTES_MAX
        {
            return Err(Broken::Wrong);
        }
        while self.open.pop_if(|branch| branch.children_left == 0).is_some() {}
        Ok(())
    }
}

/// Passes over a row group. Whether a column of it is encrypted.
fn group_outline(reader: &mut Reader<'_>) -> Result<bool, Broken> {
    let mut is_encrypted = false;
    reader.fields(|reader, id, _| {
        if id != 1 {
            return Ok(false);
        }
        reader.list(|reader| {
            reader.fields(|_, id, _| {
                is_encrypted |= matches!(id, 8 | 9);
                Ok(false)
            })
        })?;
        Ok(true)
    })?;
    Ok(is_encrypted)
}

/// The first field of metadata: version 1, which nobody looks at.
const VERSION: [u8; 2] = [0x15, 0x02];

fn decode_schema(list: &[u8]) -> Result<SchemaDescPtr, Unreadable> {
    let bytes = [&VERSION[..], &[0x19], list, &[0]].concat();
    quietly(|| ParquetMetaDataReader::decode_schema(&bytes).ok())
        .flatten()
        .ok_or(Unreadable::Damaged)
}

/// Decodes one row group, as if it were the only one.
fn decode_group(group: &[u8], options: &ParquetMetaDataOptions) -> Option<Group> {
    // No rows, and a list of one struct.
    let bytes = [&VERSION[..], &[0x26, 0, 0x19, 0x1c], group, &[0]].concat();
    let decode = || ParquetMetaDataReader::decode_metadata_with_options(&bytes, Some(options));
    let metadata = quietly(decode)?.ok()?;
    let group = metadata.row_groups().first()?;
    Some(Group {
        rows: u32::try_from(group.num_rows()).ok()?,
        columns: group.columns().iter().map(span).collect::<Option<_>>()?,
    })
}

fn span(column: &ColumnChunkMetaData) -> Option<Span> {
    let data = column.data_page_offset();
    // The dictionary comes first. Some writers give an offset of 0 for what is not there.
    let dictionary = column.dictionary_page_offset();
    let dictionary = dictionary.filter(|at| *at > 0 && (*at < data || data == 0));
    Some(Span {
        codec: column.compression(),
        start: u64::try_from(dictionary.unwrap_or(data)).ok()?,
        bytes: u64::try_from(column.compressed_size()).ok()?,
        is_elsewhere: column.file_path().is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A schema: elements by name and children, then no row groups.
    fn parse(elements: &[(&[u8], usize)]) -> Result<usize, Unreadable> {
        let number = |bytes: &mut Vec<u8>, mut value: usize| {
            while value >= 0x80 {
                bytes.push(u8::try_from(value & 0x7f).expect("7 bits") | 0x80);
                value >>= 7;
            }
            bytes.push(u8::try_from(value).expect("7 bits"));
        };
        let mut bytes = vec![0x15, 0x02, 0x19, 0xfc];
        number(&mut bytes, elements.len());
        for (name, children) in elements {
            // Text that need not be there.
            bytes.extend(if *children == 0 {
                &b"\x15\x0c\x25\x02\x18"[..]
            } else {
                b"\x35\x02\x18"
            });
            number(&mut bytes, name.len());
            bytes.extend_from_slice(name);
            if *children > 0 {
                bytes.push(0x15);
                number(&mut bytes, 2 * children);
            }
            bytes.push(0);
        }
        bytes.extend(b"\x16\0\x19\x0c\0");
        Footer::parse(&bytes).map(|footer| footer.leaves.len())
    }

    #[test]
    fn a_long_name_with_many_columns_below_it_is_not_repeated_for_each() {
        for (bytes, expected) in [(0x3fff, Ok(999)), (0x7fff, Err(Unreadable::Damaged))] {
            let name = vec![b'x'; bytes];
            let mut elements = vec![(&b"r"[..], 1), (&name, 999)];
            elements.extend(vec![(&b"y"[..], 0); 999]);
            assert_eq!(parse(&elements), expected);
        }
    }

    #[test]
    fn neither_depth_nor_children_are_believed() {
        let deep = |depth: usize| [vec![(&b"x"[..], 1); depth], vec![(&b"x"[..], 0)]].concat();
        assert_eq!(parse(&deep(DEPTH_MAX)), Ok(1));
        // A hundred thousand overflow the stack of whoever descends into them.
        for depth in [DEPTH_MAX + 1, 100_000] {
            assert_eq!(parse(&deep(depth)), Err(Unreadable::Damaged));
        }
        let wide = [vec![(&b"r"[..], COLUMNS_MAX + 1)], vec![(&b"x"[..], 0); COLUMNS_MAX + 1]];
        assert_eq!(parse(&wide.concat()), Err(Unreadable::Columns(COLUMNS_MAX + 1)));
        for children in [2, 3, i32::MAX as usize] {
            assert_eq!(parse(&[(b"r", children), (b"x", 0)]), Err(Unreadable::Damaged));
        }
        assert_eq!(parse(&[(b"r", 1), (b"x", 0), (b"x", 0)]), Err(Unreadable::Damaged));
    }
}
