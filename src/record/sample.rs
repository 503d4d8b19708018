//! Finding the dialect of an input from its beginning.

use std::path::Path;

use crate::config::Format;
use crate::dialect::{Csv, Dialect, Framing, Row, Step};
use crate::encoding;
use crate::trim::trim;

/// Rows of the sample that are looked at: enough that a share of them means something, few enough that nobody notices.
pub(crate) const SAMPLE_ROWS: usize = 200;

/// Delimiters that are tried, the likelier ones first: of two that cut the rows alike, the first is taken.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The rows of a sample.
#[derive(Debug)]
pub struct SampleTable {
    /// Cells of the first rows.
    pub rows: Vec<Vec<Vec<u8>>>,
    /// Begin of the first row: behind a line that names the delimiter, if there is one.
    pub first_row: usize,
    /// Begin of the second row: the bytes that a header takes.
    pub second_row: usize,
}

/// Finds the dialect of a sample, which is all of the input if `is_all`. `format` and `delimiter` are what a person chose.
pub fn detect(
    sample: &[u8],
    is_all: bool,
    path: &Path,
    format: Format,
    delimiter: Option<u8>,
) -> (Dialect, SampleTable) {
    // A CR before an LF is white space; one alone ends lines only where there is no LF at all, as on old Macs.
    let has_lf = memchr::memchr(b'\n', sample).is_some();
    let has_cr = memchr::memchr(b'\r', sample).is_some();
    let line_end = if has_cr && !has_lf { b'\r' } else { b'\n' };
    let (told, first_row) = match (format, delimiter_line(sample)) {
        (Format::Lines, _) | (_, None) => (None, 0),
        (_, Some((delimiter, len))) => (Some(delimiter), len),
    };
    let sample = &sample[first_row..];
    let delimiter = match format {
        Format::Lines | Format::Parquet => None,
        Format::Tsv => Some(b'\t'),
        Format::Csv | Format::Auto if delimiter.or(told).is_some() => delimiter.or(told),
        Format::Csv => Some(sniff(sample, is_all).unwrap_or(b',')),
        Format::Auto => match extension(path).as_deref() {
            // The name says that it is a table, and not which: where the comma is the decimal point it is written with
            // semicolons. With a single column, its quotes still mean something.
            Some("csv") => Some(sniff(sample, is_all).unwrap_or(b',')),
            Some("tsv" | "tab") => Some(b'\t'),
            _ => sniff(sample, is_all),
        },
    };
    match delimiter {
        Some(delimiter) => {
            let mut table = csv_table(sample, is_all, delimiter);
            table.first_row = first_row;
            table.second_row += first_row;
            (Dialect { framing: Framing::Csv(Csv::new(delimiter)), line_end }, table)
        }
        None => (
            Dialect { framing: Framing::Lines { end: line_end }, line_end },
            line_table(sample, is_all, line_end),
        ),
    }
}

/// The delimiter that a first line like `sep=;` names, and the line's length. Excel reads and writes it, and it is no
/// record.
fn delimiter_line(sample: &[u8]) -> Option<(u8, usize)> {
    let end = memchr::memchr2(b'\n', b'\r', sample)?;
    let (line, rest) = sample.split_at(end);
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    let (word, delimiter) = line.split_at_checked(4)?;
    let &[delimiter] = delimiter else { return None };
    let is_delimiter = delimiter.is_ascii_punctuation() || matches!(delimiter, b'\t' | b' ');
    let is_line = word.eq_ignore_ascii_case(b"sep=") && is_delimiter && delimiter != b'"';
    is_line.then_some((delimiter, end + if rest.starts_with(b"\r\n") { 2 } else { 1 }))
}

/// The extension that says what the text is, behind the one of the compression.
fn extension(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
    let name = [".gz", ".zst", ".bz2", ".xz"]
        .iter()
        .find_map(|compressed| name.strip_suffix(compressed))
        .unwrap_or(&name);
    name.rsplit_once('.').map(|(_, extension)| extension.to_owned())
}

/// The delimiter that cuts nearly all rows into the same number of fields, of which there are at least two.
///
/// Four rows of five are enough, because exports have torn rows. Of several delimiters the one with the most fields is it:
/// commas within the addresses of a table with semicolons cut its rows, too, but into fewer.
fn sniff(sample: &[u8], is_all: bool) -> Option<u8> {
    let score = |delimiter: u8| {
        let table = csv_table(sample, is_all, delimiter);
        let widths: Vec<usize> = table.rows.iter().map(Vec::len).collect();
        let usual = widths
            .iter()
            .copied()
            .max_by_key(|width| (widths.iter().filter(|other| *other == width).count(), *width))?;
        let same = widths.iter().filter(|width| **width == usual).count();
        (usual >= 2 && same * 10 >= widths.len() * 8).then_some(usual)
    };
    // The first of the equals wins, hence the reversal.
    DELIMITERS
        .into_iter()
        .rev()
        .filter_map(|delimiter| Some((score(delimiter)?, delimiter)))
        .max_by_key(|(width, _)| *width)
        .map(|(_, delimiter)| delimiter)
}

fn csv_table(sample: &[u8], is_all: bool, delimiter: u8) -> SampleTable {
    let csv = Csv::new(delimiter);
    let mut rows = Vec::new();
    let mut second_row = 0;
    let (mut row, mut at) = (Row::default(), 0);
    while rows.len() < SAMPLE_ROWS && at < sample.len() {
        match csv.read_row(sample, at, is_all, &mut row) {
            Step::Row => {}
            // The last row of a sample may go on behind it; a first one that does is all that there is to look at.
            Step::Partial if rows.is_empty() => {
                csv.read_row(sample, at, true, &mut row);
            }
            Step::Partial | Step::End => break,
        }
        rows.push(row.cells.iter().map(|cell| csv.cell(sample, *cell)).collect());
        at = row.next;
        if rows.len() == 1 {
            second_row = at;
        }
    }
    SampleTable { rows, first_row: 0, second_row }
}

fn line_table(sample: &[u8], is_all: bool, end: u8) -> SampleTable {
    let mut lines: Vec<&[u8]> = sample.split(|byte| *byte == end).take(SAMPLE_ROWS + 1).collect();
    // Behind the last line end is either nothing or a line that may go on.
    if lines.len() > 1 && (!is_all || lines.last().is_some_and(|line| line.is_empty())) {
        lines.pop();
    }
    let second_row = lines.first().map_or(0, |line| (line.len() + 1).min(sample.len()));
    let rows = lines.into_iter().map(|line| vec![line.to_vec()]).collect();
    SampleTable { rows, first_row: 0, second_row }
}

impl SampleTable {
    /// Most cells of a row.
    pub fn width(&self) -> usize {
        self.rows.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// The cells of a column, the first row's among them, where rows have it.
    pub fn cells(&self, index: usize) -> impl Iterator<Item = &[u8]> {
        self.rows.iter().filter_map(move |row| row.get(index)).map(Vec::as_slice)
    }

    /// Finds the columns of that header, without regard to letter case and surrounding white space.
    pub fn find(&self, name: &str) -> Vec<usize> {
        let wanted = fold(name);
        let first = self.rows.first().map_or(&[][..], Vec::as_slice);
        let is_it = |cell: &[u8]| encoding::readings(trim(cell)).any(|text| fold(&text) == wanted);
        (0..first.len()).filter(|index| is_it(&first[*index])).collect()
    }

    /// The text of a header cell, without control characters.
    pub fn header(&self, index: usize) -> Option<String> {
        let cell = trim(self.rows.first()?.get(index)?);
        let text = encoding::decode(cell);
        Some(text.chars().filter(|c| !c.is_control()).take(60).collect())
    }
}

/// A header as it is compared.
fn fold(text: &str) -> String {
    let text = text.as_bytes();
    let text = trim(text);
    let text = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text);
    encoding::decode(trim(text)).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(sample: &str, name: &str) -> Framing {
        detect(sample.as_bytes(), true, Path::new(name), Format::Auto, None).0.framing
    }

    #[test]
    fn finds_delimiters_by_content_and_name() {
        let csv = |delimiter: u8| Framing::Csv(Csv::new(delimiter));
        let lines = Framing::Lines { end: b'\n' };
        assert_eq!(framing("id;email\n1;a@b.co\n", "x.csv"), csv(b';'));
        assert_eq!(framing("id,email\n1,a@b.co\n", "x.txt"), csv(b','));
        assert_eq!(framing("id|email\n1|a@b.co\n", "x"), csv(b'|'));
        assert_eq!(framing("email\na@b.co\n", "x.csv.gz"), csv(b','));
        assert_eq!(framing("email\na@b.co\n", "x.tsv"), csv(b'\t'));
        assert_eq!(framing("a@b.co\nc@d.co\n", "x.txt"), lines);
        assert_eq!(framing("a@b.co\n\"Doe, J\" c@d.co\ne@f.co\ng@h.co\ni@j.co\n", "x.txt"), lines);
        assert_eq!(framing("a@b.co\rc@d.co\r", "x.txt"), Framing::Lines { end: b'\r' });
    }

    #[test]
    fn line_that_names_the_delimiter_is_no_record() {
        for text in ["sep=;\nid;email\n1;a@b.co\n", "\"SEP=;\"\r\nid;email\r\n1;a@b.co\r\n"] {
            let chosen = [(Format::Auto, None), (Format::Csv, None), (Format::Csv, Some(b';'))];
            for (format, delimiter) in chosen {
                let (dialect, table) =
                    detect(text.as_bytes(), true, Path::new("x.txt"), format, delimiter);
                assert_eq!(dialect.framing, Framing::Csv(Csv::new(b';')));
                assert_eq!(table.find("email"), [1]);
                assert!(text[table.first_row..].starts_with("id;"));
                assert!(text[table.second_row..].trim_start().starts_with("1;"));
            }
        }
        for text in ["sep=x\n", "sep=\"\n", "sep=;;\n", "sep=;", "Sep = ;\n"] {
            assert_eq!(
                detect(text.as_bytes(), true, Path::new("x"), Format::Auto, None).1.first_row,
                0
            );
        }
    }

    #[test]
    fn second_row_is_where_the_header_ends() {
        let (_, table) =
            detect(b"id,email\r\n1,a@b.co\r\n", true, Path::new("x.csv"), Format::Auto, None);
        assert!(matches!(table.second_row, 9 | 10));
        let (_, table) = detect(b"email\na@b.co", true, Path::new("x"), Format::Auto, None);
        assert_eq!(table.second_row, 6);
    }
}
