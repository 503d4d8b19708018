//! Finding the dialect of an input from its beginning.

mod candidates;
mod cut;
mod kind;
mod quotes;
mod score;

use std::path::Path;

use icu_normalizer::ComposingNormalizerBorrowed;

use self::candidates::{Candidate, candidates};
use self::cut::{Cut, cut};
use self::kind::Kind;
use self::score::{Score, score};
use super::Places;
use crate::config::{Format, ReadOptions, ValueSeparators};
use crate::dialect::{Csv, Dialect, Framing, Quotes, Separator};
use crate::encoding;
use crate::trim::trim;

pub(crate) use self::score::{TITLE_ROWS, usual_width};

/// Rows of the sample that are looked at: enough that a share of them means something, few enough that nobody notices.
pub(crate) const SAMPLE_ROWS: usize = 200;

/// The rows of a sample.
#[derive(Debug, Default)]
pub struct SampleTable {
    /// Cells of the first rows.
    pub rows: Vec<Vec<Vec<u8>>>,
    /// Begin of the first row: behind a line that names the delimiter, and behind title rows, if there are any.
    pub first_row: usize,
    /// Begin of the second row: the bytes that a header takes.
    pub second_row: usize,
    /// Begin of each row, and the end of the last one.
    starts: Vec<usize>,
    /// True if quotes within fields are doubled, and hardly any stands in a field without quotes around it.
    are_quotes_doubled: bool,
}

/// What the beginning of an input says of how it is written.
#[derive(Debug)]
pub struct Detected {
    /// The notation of its records.
    pub dialect: Dialect,
    /// Its first rows.
    pub table: SampleTable,
    /// A remark for people, where something else could have been expected.
    pub note: Option<String>,
}

/// Finds the dialect of a sample, which is all of the input if `is_all`. `read` has what a person chose.
pub fn detect(sample: &[u8], is_all: bool, path: &Path, read: &ReadOptions) -> Detected {
    let (told, named) = match (read.format, delimiter_line(sample)) {
        (Format::Lines, _) | (_, None) => (None, 0),
        (_, Some((delimiter, len))) => (Some(Separator::from(delimiter)), len),
    };
    let first_row = named.max(skip_lines(sample, read.skip_rows));
    let text = &sample[first_row..];
    let told = read.delimiter.or(told);
    let mut note = None;
    let separator = match read.format {
        Format::Lines | Format::Parquet => None,
        Format::Tsv => Some(Separator::from(b'\t')),
        Format::Csv | Format::Auto if told.is_some() => told,
        Format::Csv => {
            Some(sniff_beside(text, is_all, &read.split).unwrap_or(Separator::from(b',')))
        }
        Format::Auto => {
            let found = sniff_beside(text, is_all, &read.split);
            // The name says that it is a table, and not which: where the comma is the decimal point it is written with
            // semicolons. With a single column, its quotes still mean something.
            let named = match extension(path).as_deref() {
                Some("csv") => Some(b','),
                Some("tsv" | "tab") => Some(b'\t'),
                _ => None,
            };
            note = found.and_then(|found| disagreement(found, named));
            let named = named.map(Separator::from);
            let named = named.filter(|named| !read.split.has(named.bytes()));
            // Only quotes keep the lines of a cell together.
            let quoted = read.split.have_line_end().then_some(Separator::from(b','));
            found.or(named).or(quoted)
        }
    };
    let Some(separator) = separator else {
        let dialect = Dialect { framing: Framing::Lines };
        return Detected { dialect, table: line_table(text, is_all).behind(first_row), note };
    };
    let quotes = read.quotes.unwrap_or_else(|| match quotes::find(text, is_all, separator) {
        Quotes::None if read.split.have_line_end() => Quotes::Doubled,
        Quotes::Escaped if read.split.have_line_end() => Quotes::Backslash,
        found => found,
    });
    if read.quotes.is_none() && quotes != Quotes::Doubled {
        let told = format!("its quotes are read as with --quotes {}", quotes.name());
        note = Some(note.map_or_else(|| told.clone(), |note| format!("{note}; {told}")));
    }
    let csv = Csv { quotes, is_ragged: read.is_ragged, ..Csv::new(separator) };
    let table = SampleTable::of_cut(cut(text, is_all, &csv));
    let dialect = Dialect { framing: Framing::Csv(csv) };
    Detected { dialect, table: table.behind(first_row), note }
}

/// What to say of a delimiter that was found where the name of the file says another, or none of the usual ones was found.
fn disagreement(found: Separator, named: Option<u8>) -> Option<String> {
    match (found.byte(), named) {
        (Some(b',' | b';' | b'\t' | b'|'), Some(b',') | None) | (Some(b'\t'), Some(b'\t')) => None,
        (_, Some(b'\t')) => {
            Some(format!("its name says tabs, its rows are separated by `{found}`"))
        }
        _ => Some(format!("its rows are separated by `{found}`")),
    }
}

/// Length of the lines that a person said to skip.
fn skip_lines(sample: &[u8], count: usize) -> usize {
    let Some(last) = count.checked_sub(1) else { return 0 };
    let is_end = |at: &usize| sample[*at] == b'\n' || sample.get(at + 1) != Some(&b'\n');
    let mut ends = memchr::memchr2_iter(b'\n', b'\r', sample).filter(is_end);
    ends.nth(last).map_or(sample.len(), |at| at + 1)
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

/// The delimiter that explains a sample best; `None` if it is a list.
pub fn sniff(sample: &[u8], is_all: bool) -> Option<Separator> {
    sniff_beside(sample, is_all, &ValueSeparators::default())
}

/// The same where cells hold several values: what stands between these is a delimiter only if some cells have it in quotes.
fn sniff_beside(sample: &[u8], is_all: bool, values: &ValueSeparators) -> Option<Separator> {
    let has_escapes = memchr::memmem::find(sample, b"\\\"").is_some();
    let quotes =
        if has_escapes { &[Quotes::Doubled, Quotes::Backslash][..] } else { &[Quotes::Doubled] };
    let mut best: Option<(Score, Separator)> = None;
    for Candidate { separator, needs_proof } in candidates(sample) {
        for quotes in quotes {
            let csv = Csv { quotes: *quotes, ..Csv::new(separator) };
            let rows = cut(sample, is_all, &csv);
            if values.has(separator.bytes()) && !rows.has_quoted(separator) {
                continue;
            }
            let Some(score) = score(&rows, &csv) else { continue };
            let is_better = best.is_none_or(|(best, _)| score.value > best.value + 1e-9);
            if is_better && score.is_table && (score.is_proven || !needs_proof) {
                best = Some((score, separator));
            }
        }
    }
    best.map(|(_, separator)| separator)
}

/// Lines as rows of one cell.
fn line_table(sample: &[u8], is_all: bool) -> SampleTable {
    let (mut rows, mut starts, mut at) = (Vec::new(), vec![0], 0);
    while rows.len() < SAMPLE_ROWS && at < sample.len() {
        let rest = &sample[at..];
        let end = memchr::memchr2(b'\n', b'\r', rest);
        // Behind the last line end is a line that may go on.
        if end.is_none() && !is_all && !rows.is_empty() {
            break;
        }
        let (line, behind) = rest.split_at(end.unwrap_or(rest.len()));
        rows.push(vec![line.to_vec()]);
        at += line.len() + if behind.starts_with(b"\r\n") { 2 } else { behind.len().min(1) };
        starts.push(at);
    }
    SampleTable::new(rows, starts)
}

impl SampleTable {
    /// Rows that begin at `starts`, the last of which is where the last row ends.
    fn new(rows: Vec<Vec<Vec<u8>>>, starts: Vec<usize>) -> Self {
        let place = |row: usize| starts.get(row).or(starts.last()).copied().unwrap_or(0);
        let (first_row, second_row) = (place(0), place(1));
        Self { rows, first_row, second_row, starts, are_quotes_doubled: false }
    }

    fn of_cut(cut: Cut<'_>) -> Self {
        let starts = cut.rows.iter().map(|row| row.start).chain([cut.end]).collect();
        let with_quotes = |is_quoted| {
            let cells = cut.rows.iter().flat_map(|row| &row.cells);
            cells.filter(|of| of.is_quoted == is_quoted && of.text.contains(&b'"')).count()
        };
        let (doubled, bare) = (with_quotes(true), with_quotes(false));
        let are_quotes_doubled = doubled > 0 && bare * 4 <= doubled;
        let text = |cell: cut::Cell<'_>| cell.text.into_owned();
        let texts = |row: cut::Row<'_>| row.cells.into_iter().map(text).collect();
        let rows = cut.rows.into_iter().map(texts).collect();
        Self { are_quotes_doubled, ..Self::new(rows, starts) }
    }

    /// Rows of columns that lie apart.
    pub fn of_columns(rows: Vec<Vec<Vec<u8>>>) -> Self {
        Self { rows, ..Self::default() }
    }

    /// The same rows behind some bytes.
    fn behind(mut self, bytes: usize) -> Self {
        self.starts.iter_mut().for_each(|start| *start += bytes);
        let are_quotes_doubled = self.are_quotes_doubled;
        Self { are_quotes_doubled, ..Self::new(self.rows, self.starts) }
    }

    /// Leaves rows at the top out, so that the one behind them is the first.
    pub(crate) fn drop_titles(&mut self, count: usize) {
        self.rows.drain(..count);
        self.starts.drain(..count);
        let (rows, starts) = (std::mem::take(&mut self.rows), std::mem::take(&mut self.starts));
        let are_quotes_doubled = self.are_quotes_doubled;
        *self = Self { are_quotes_doubled, ..Self::new(rows, starts) };
    }

    /// Most cells of a row.
    pub fn width(&self) -> usize {
        self.rows.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// The number of cells that most rows have; of equals that of the first row.
    pub(crate) fn usual_width(&self) -> usize {
        let widths = || self.rows.iter().map(Vec::len);
        let count = |width: usize| widths().filter(|other| *other == width).count();
        let first = widths().next().unwrap_or(0);
        widths().fold(first, |best, width| if count(width) > count(best) { width } else { best })
    }

    /// Leaves out rows of which columns are shifted, but for the first one, which may be a header.
    pub(crate) fn drop_uneven(&mut self) {
        let usual = self.usual_width();
        let is_even = |row: &[Vec<u8>]| {
            row.len() >= usual && row[usual..].iter().all(|cell| trim(cell).is_empty())
        };
        let rows = std::mem::take(&mut self.rows).into_iter().zip(&self.starts).enumerate();
        let even = rows.filter(|(at, (row, _))| *at == 0 || is_even(row));
        let (rows, mut starts): (Vec<_>, Vec<usize>) =
            even.map(|(_, (row, start))| (row, *start)).unzip();
        starts.extend(self.starts.last());
        (self.rows, self.starts) = (rows, starts);
    }

    /// What the rows say of the places of values, if they should have so many cells.
    pub(crate) fn places(&self, width: usize) -> Places {
        let rows = self.rows.len().saturating_sub(1);
        let wide = self.rows.iter().skip(1).filter(|row| row.len() > width).count();
        let few = (rows / 20).max(2);
        let kinds = |column: usize| self.cells(column).skip(1).map(Kind::of).collect();
        let kinds: Vec<Vec<Kind>> = (0..width).map(kinds).collect();
        let count = |column: usize, is: &dyn Fn(Kind) -> bool| {
            kinds[column].iter().filter(|kind| is(**kind)).count()
        };
        let filled = |column: usize| count(column, &|kind| kind != Kind::Empty);
        let is_of_addresses = |column: &usize| {
            let has_address = |kind| matches!(kind, Kind::Address | Kind::Around);
            let (of_people, filled) = (count(*column, &has_address), filled(*column));
            // Of few rows, one may be damaged.
            kinds[*column].contains(&Kind::Address)
                && (of_people * 5 >= filled * 4 || of_people > 1 && of_people + 1 == filled)
        };
        let addresses: Vec<usize> = (0..width).filter(is_of_addresses).collect();
        let is_filled = |at: &usize| filled(*at) + few >= rows && addresses.len() > 1;
        Places {
            filled_addresses: addresses.iter().copied().filter(is_filled).collect(),
            addresses,
            is_surplus_rare: wide <= few,
            is_surplus_usual: wide * 2 > rows,
            are_quotes_doubled: self.are_quotes_doubled,
        }
    }

    /// Where a row begins.
    pub(crate) fn begin_of(&self, row: usize) -> usize {
        self.starts.get(row).or(self.starts.last()).copied().unwrap_or(0)
    }

    /// The cells of a column, the first row's among them, where rows have it.
    pub fn cells(&self, index: usize) -> impl Iterator<Item = &[u8]> {
        self.rows.iter().filter_map(move |row| row.get(index)).map(Vec::as_slice)
    }

    /// Finds the columns of that header, without regard to letter case and white space beyond a space between words.
    pub fn find(&self, name: &str) -> Vec<usize> {
        self.find_in(0, name)
    }

    /// The same if another row were the header.
    pub(crate) fn find_in(&self, row: usize, name: &str) -> Vec<usize> {
        let wanted = fold(name);
        let cells = self.rows.get(row).map_or(&[][..], Vec::as_slice);
        let is_it = |cell: &[u8]| encoding::readings(trim(cell)).any(|text| fold(&text) == wanted);
        (0..cells.len()).filter(|index| is_it(&cells[*index])).collect()
    }

    /// The text of a header cell, without control characters.
    pub fn header(&self, index: usize) -> Option<String> {
        let cell = trim(self.rows.first()?.get(index)?);
        let text = one_line(&encoding::decode(cell));
        Some(text.chars().filter(|c| !c.is_control()).take(60).collect())
    }
}

/// A header as it is compared.
fn fold(text: &str) -> String {
    let text = trim(text.as_bytes());
    let text = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text);
    let text = one_line(&encoding::decode(trim(text)));
    // A Mac decomposes letters: the same name in other bytes.
    ComposingNormalizerBorrowed::new_nfc().normalize(&text).to_lowercase()
}

/// A text with a space for line breaks and other white space: cells of a spreadsheet have them where people pressed a key
/// to make a heading narrower.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
