//! What a Parquet file holds, from the metadata at its end: columns, row groups, and where their pages are.

use super::thrift::{Broken, Kind, Reader};

/// Deepest nesting of columns.
const DEPTH_MAX: usize = 64;

/// Most bytes of the names of all columns. They are written as a tree, so that a long name with many columns below it
/// would be repeated for each.
const NAMES_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How the values of a column are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Physical {
    Int32,
    Int64,
    Bytes,
    /// So many bytes each.
    Fixed(usize),
    /// What no identifier is stored as: truth values, floats, old timestamps.
    Other,
}

/// How the values of a column are written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Render {
    /// They are text.
    Text,
    Signed,
    Unsigned,
    Uuid,
}

/// A column without columns below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    /// Its path with dots between names.
    pub(super) name: String,
    pub(super) physical: Physical,
    /// The definition level of values that are there.
    pub(super) level_max: u32,
    /// How its values become text, or why they cannot be identifiers.
    pub(super) render: Result<Render, Unfit>,
}

/// Why a column cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// Its rows hold lists.
    List,
    /// It holds decimal or floating-point numbers, which have lost digits or have some that are not in the number.
    Number,
    /// It holds dates, truth values and the like.
    OtherType,
}

/// A column within a row group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) codec: u8,
    pub(super) start: u64,
    pub(super) bytes: u64,
    /// Its bytes are encrypted, or lie in another file.
    pub(super) is_elsewhere: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) rows: u32,
    /// In the order of the leaves.
    pub(super) columns: Vec<Span>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) leaves: Vec<Leaf>,
    pub(super) groups: Vec<Group>,
}

/// An element of the schema, which is a tree written from its root on, each element before those below it.
#[derive(Debug, Default)]
struct Element {
    physical: Option<i64>,
    length: usize,
    repetition: i64,
    name: String,
    children: usize,
    converted: Option<i64>,
    /// The number of the logical type; for integers, whether they are signed.
    logical: Option<i64>,
    is_signed: Option<bool>,
}

impl Footer {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Broken> {
        let mut elements = Vec::new();
        let mut groups: Vec<Group> = Vec::new();
        let mut rows = 0;
        Reader::new(bytes).fields(|reader, id, _| {
            match id {
                3 => rows = reader.count()?,
                2 => reader.list(|reader| {
                    elements.push(element(reader)?);
                    Ok(())
                })?,
                4 => reader.list(|reader| {
                    groups.push(group(reader)?);
                    Ok(())
                })?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let leaves = leaves(elements)?;
        let is_whole = |group: &Group| group.columns.len() == leaves.len();
        let sum: u64 = groups.iter().map(|group| u64::from(group.rows)).sum();
        if groups.iter().all(is_whole) && sum == rows {
            Ok(Self { leaves, groups })
        } else {
            Err(Broken::Wrong)
        }
    }
}

fn element(reader: &mut Reader<'_>) -> Result<Element, Broken> {
    let mut element = Element::default();
    reader.fields(|reader, id, _| {
        match id {
            1 => element.physical = Some(reader.int()?),
            2 => element.length = reader.size()?,
            3 => element.repetition = reader.int()?,
            4 => element.name = String::from_utf8_lossy(reader.binary()?).into_owned(),
            5 => element.children = reader.size()?,
            6 => element.converted = Some(reader.int()?),
            10 => reader.fields(|reader, id, _| {
                element.logical = Some(id);
                if id != 10 {
                    return Ok(false);
                }
                element.is_signed = Some(is_signed(reader)?);
                Ok(true)
            })?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(element)
}

/// The part of an integer's logical type that matters.
fn is_signed(reader: &mut Reader<'_>) -> Result<bool, Broken> {
    let mut is_signed = true;
    reader.fields(|_, id, kind| {
        if id == 2 {
            is_signed = kind == Kind::TRUE;
        }
        Ok(false)
    })?;
    Ok(is_signed)
}

fn group(reader: &mut Reader<'_>) -> Result<Group, Broken> {
    let mut group = Group::default();
    reader.fields(|reader, id, _| {
        match id {
            1 => reader.list(|reader| {
                group.columns.push(column(reader)?);
                Ok(())
            })?,
            3 => group.rows = u32::try_from(reader.size()?).map_err(|_| Broken::Wrong)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(group)
}

fn column(reader: &mut Reader<'_>) -> Result<Span, Broken> {
    let (mut span, mut is_described, mut is_apart) = (Span::default(), false, false);
    reader.fields(|reader, id, _| {
        match id {
            // In another file, or encrypted.
            1 | 8 | 9 => {
                is_apart = true;
                return Ok(false);
            }
            3 => {
                is_described = true;
                let (mut data, mut dictionary) = (0, None);
                reader.fields(|reader, id, _| {
                    match id {
                        4 => span.codec = u8::try_from(reader.int()?).map_err(|_| Broken::Wrong)?,
                        7 => span.bytes = reader.count()?,
                        9 => data = reader.count()?,
                        11 => dictionary = Some(reader.count()?),
                        _ => return Ok(false),
                    }
                    Ok(true)
                })?;
                // The dictionary comes first. Some writers give an offset of 0 for what is not there.
                let dictionary = dictionary.filter(|at| *at > 0 && (*at < data || data == 0));
                span.start = dictionary.unwrap_or(data);
            }
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    span.is_elsewhere = is_apart || !is_described;
    Ok(span)
}

/// The columns without columns below them, in order.
fn leaves(elements: Vec<Element>) -> Result<Vec<Leaf>, Broken> {
    /// A column with columns below it.
    struct Branch {
        children_left: usize,
        level: u32,
        is_list: bool,
    }
    let mut elements = elements.into_iter();
    let root = elements.next().ok_or(Broken::Wrong)?;
    let mut branches = vec![Branch { children_left: root.children, level: 0, is_list: false }];
    let mut path: Vec<String> = Vec::new();
    let (mut leaves, mut names_bytes) = (Vec::new(), 0);
    while let Some(branch) = branches.last_mut() {
        if branch.children_left == 0 {
            branches.pop();
            path.pop();
            continue;
        }
        branch.children_left -= 1;
        let element = elements.next().ok_or(Broken::Wrong)?;
        // Required, optional, repeated.
        let level = branch.level + u32::from(element.repetition != 0);
        let is_list = branch.is_list || element.repetition == 2;
        if element.physical.is_none() {
            if branches.len() == DEPTH_MAX {
                return Err(Broken::Wrong);
            }
            path.push(element.name);
            branches.push(Branch { children_left: element.children, level, is_list });
            continue;
        }
        names_bytes += path.iter().map(String::len).sum::<usize>() + element.name.len();
        if names_bytes > NAMES_BYTES_MAX {
            return Err(Broken::Wrong);
        }
        let name: Vec<&str> = path.iter().map(String::as_str).chain([&*element.name]).collect();
        let physical = physical(&element)?;
        let render = if is_list { Err(Unfit::List) } else { render(&element, physical) };
        let name = name.join(".");
        let name = if is_list { without_list_names(&name).to_owned() } else { name };
        leaves.push(Leaf { name, physical, level_max: level, render });
    }
    Ok(leaves)
}

/// The name of a list as people know it; what writers call the levels below it says nothing.
fn without_list_names(name: &str) -> &str {
    [".list.element", ".list.item", ".bag.array_element", ".array"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(name)
}

fn physical(element: &Element) -> Result<Physical, Broken> {
    match element.physical {
        Some(1) => Ok(Physical::Int32),
        Some(2) => Ok(Physical::Int64),
        Some(6) => Ok(Physical::Bytes),
        Some(7) if element.length > 0 => Ok(Physical::Fixed(element.length)),
        Some(0 | 3..=5) => Ok(Physical::Other),
        _ => Err(Broken::Wrong),
    }
}

/// How values become text, by the logical type or, in files of older writers, the converted type. What is neither text
/// nor an integer is no identifier.
fn render(element: &Element, physical: Physical) -> Result<Render, Unfit> {
    let is_signed = element.is_signed.unwrap_or(!matches!(element.converted, Some(11..=14)));
    match (physical, element.logical, element.converted) {
        (_, Some(5 | 15), _) | (_, None, Some(5)) => Err(Unfit::Number),
        (Physical::Other, ..) if matches!(element.physical, Some(4 | 5)) => Err(Unfit::Number),
        (Physical::Int32 | Physical::Int64, Some(10 | 11), _)
        | (Physical::Int32 | Physical::Int64, None, None | Some(11..=18)) => {
            Ok(if is_signed { Render::Signed } else { Render::Unsigned })
        }
        (Physical::Bytes, Some(1 | 4 | 11 | 12), _)
        | (Physical::Bytes, None, None | Some(0 | 4 | 19))
        | (Physical::Fixed(_), None, None) => Ok(Render::Text),
        (Physical::Fixed(16), Some(14), _) => Ok(Render::Uuid),
        _ => Err(Unfit::OtherType),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_with_many_columns_below_it_is_not_repeated_for_each() {
        let parse = |name_bytes: usize| {
            let mut bytes = b"\x29\xfc\xe9\x07\x48\x01r\x15\x02\0\x48\xff\xff\x07".to_vec();
            bytes[13] = u8::try_from(name_bytes >> 14).expect("is short");
            bytes.extend(vec![b'x'; name_bytes]);
            bytes.extend(b"\x15\xce\x0f\0");
            bytes.extend(b"\x15\x0c\x38\0\0".repeat(999));
            bytes.push(0);
            Footer::parse(&bytes).map(|footer| footer.leaves.len())
        };
        assert_eq!(parse(0x3fff), Ok(999));
        assert_eq!(parse(0x7fff), Err(Broken::Wrong));
    }
}
