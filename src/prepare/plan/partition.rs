//! Columns that are folders, as engines write them: `export/country=DE/part-0.csv`. All rows of the files below have the same
//! value, and the files have no column of that name.

use std::path::{Component, Path};

use crate::config::{ColumnSelector, Condition};
use crate::trim::trim;

/// The value that Hive, Spark and what follows them write for no value.
const NO_VALUE: &[u8] = b"__HIVE_DEFAULT_PARTITION__";

/// The partitions that a file is in, the innermost first.
pub(in crate::prepare) struct Partitions(Vec<Partition>);

struct Partition {
    name: String,
    value: Vec<u8>,
}

impl Partitions {
    /// Those of a path.
    pub(in crate::prepare) fn of(path: &Path) -> Self {
        let folders = path.parent().into_iter().flat_map(Path::components).rev();
        let partition = |component| match component {
            Component::Normal(name) => Partition::of(name.as_encoded_bytes()),
            _ => None,
        };
        Self(folders.filter_map(partition).collect())
    }

    /// True if no row fulfils a condition, because of a folder.
    pub(in crate::prepare) fn are_left_out(&self, condition: &Condition) -> bool {
        self.value(condition.column()).is_some_and(|value| !condition.holds(value))
    }

    /// The value of all rows in a column, if the column is a partition. It goes before a column of the file, as engines have
    /// it.
    pub(in crate::prepare) fn value(&self, column: &ColumnSelector) -> Option<&[u8]> {
        let ColumnSelector::Name(name) = column else { return None };
        let name = name.trim().to_lowercase();
        self.0.iter().find(|of| of.name == name).map(|of| &*of.value)
    }
}

impl Partition {
    fn of(folder: &[u8]) -> Option<Self> {
        let at = memchr::memchr(b'=', folder).filter(|at| *at > 0)?;
        let (name, value) = (decoded(&folder[..at]), decoded(&folder[at + 1..]));
        let name = String::from_utf8_lossy(trim(&name)).to_lowercase();
        let value = if value == NO_VALUE { Vec::new() } else { value };
        Some(Self { name, value })
    }
}

/// What stands for a percent sign and two hex digits is the byte of that number.
fn decoded(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        let byte = behind.get(..2).filter(|_| *first == b'%').and_then(hex);
        decoded.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &behind[2..] } else { behind };
    }
    decoded
}

fn hex(digits: &[u8]) -> Option<u8> {
    let are_digits = digits.iter().all(u8::is_ascii_hexdigit);
    u8::from_str_radix(std::str::from_utf8(digits).ok().filter(|_| are_digits)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_columns() {
        let path =
            "/in=1/Region=S%C3%BCd%20%/country=/d=__HIVE_DEFAULT_PARTITION__/=x/k=a=b/x=y.csv";
        let partitions = Partitions::of(Path::new(path));
        let value = |name: &str| partitions.value(&ColumnSelector::Name(name.to_owned()));
        assert_eq!(value(" region "), Some("S\u{fc}d %".as_bytes()));
        assert_eq!((value("country"), value("D")), (Some(&b""[..]), Some(&b""[..])));
        assert_eq!((value("k"), value("in")), (Some(&b"a=b"[..]), Some(&b"1"[..])));
        assert_eq!((value(""), value("x"), value("e")), (None, None, None));
        assert_eq!(partitions.value(&ColumnSelector::Number(1)), None);
        assert_eq!(Partitions::of(Path::new("a=1/a=2/x.csv")).0[0].value, b"2");
    }
}
