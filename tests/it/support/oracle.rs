//! The whole job, naive on purpose: one value after the other, a set from the standard library, the streaming
//! interface of `sha2`, CSV read byte by byte. It shares with throng only the rule of a single value, which `rules.rs` holds
//! to tables.

use std::collections::HashSet;
use std::hash::Hash;

use sha2::{Digest, Sha256};
use throng::normalize::{
    Case, Ids, Normalizer, Reason, RuleOptions, UserType, Value, Verdict, Wrapping,
};

/// Rules by which each value is judged alone, whatever the others of its column and file are.
pub(crate) fn rules() -> RuleOptions {
    RuleOptions { ids: Ids::Any, case: Case::Lower, ..RuleOptions::default() }
}

#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) read: u64,
    pub(crate) blank: u64,
    pub(crate) rejected: u64,
    /// Rows that were refused as a whole; in an opt-out list each may be a person who is missing.
    pub(crate) refused: u64,
    pub(crate) accepted: u64,
    pub(crate) set: HashSet<String>,
}

/// Reads values one by one.
pub(crate) fn read<'a>(
    user_type: UserType,
    normalizer: &Normalizer,
    wrapping: Wrapping,
    values: impl Iterator<Item = (Result<&'a [u8], Reason>, Option<&'a [u8]>)>,
) -> Outcome {
    let mut read = Outcome::default();
    for (bytes, country) in values {
        read.read += 1;
        let mut out = Vec::new();
        match normalizer.one(wrapping, Value { bytes, country }, &mut out) {
            Verdict::Domain => unreachable!("only a rule for opt-outs knows domains"),
            Verdict::Blank => read.blank += 1,
            Verdict::Rejected(_) => read.rejected += 1,
            Verdict::Prehashed(digest) => {
                read.accepted += 1;
                read.set.insert(hex(&digest));
            }
            Verdict::Raw(_) => {
                read.accepted += 1;
                read.set.insert(if user_type.is_hashed() {
                    hex(&Sha256::digest(&out))
                } else {
                    String::from_utf8(out).unwrap()
                });
            }
        }
    }
    read
}

/// The lines of a text as values.
pub(crate) fn read_lines(user_type: UserType, normalizer: &Normalizer, text: &[u8]) -> Outcome {
    let lines = lines(text).into_iter().map(|line| (Ok(line), None));
    read(user_type, normalizer, Wrapping::Line, lines)
}

/// Lines, whatever ends them.
fn lines(text: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut start = 0;
    for at in 0..text.len() {
        match (text[at], text.get(at + 1)) {
            (b'\r', Some(b'\n')) => {}
            (b'\r' | b'\n', _) => {
                lines.push(text[start..at].strip_suffix(b"\r").unwrap_or(&text[start..at]));
                start = at + 1;
            }
            _ => {}
        }
    }
    if start < text.len() {
        lines.push(&text[start..]);
    }
    lines
}

/// Quotes around a field.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quoted {
    Yes,
    No,
    /// It begins with a quote that opens nothing.
    Stray,
}

/// A record of CSV.
pub(crate) struct Row<'a> {
    /// What is in each field, and how it is quoted.
    pub(crate) cells: Vec<(Vec<u8>, Quoted)>,
    /// As it is written, without its line end.
    pub(crate) raw: &'a [u8],
}

/// The records of CSV with doubled quotes. A quote opens a field only where the one that closes it is followed by a
/// delimiter or a line end.
pub(crate) fn rows(text: &[u8], delimiter: u8) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if matches!(text[at], b'\n' | b'\r') {
            at += 1;
            continue;
        }
        let start = at;
        let mut cells = Vec::new();
        loop {
            let (cell, quoted, end) = cell(text, at, delimiter);
            cells.push((cell, quoted));
            at = end;
            if text.get(at) != Some(&delimiter) {
                break;
            }
            at += 1;
        }
        rows.push(Row { cells, raw: &text[start..at] });
    }
    rows
}

fn cell(text: &[u8], start: usize, delimiter: u8) -> (Vec<u8>, Quoted, usize) {
    let is_end = |at: usize| {
        text.get(at).is_none_or(|byte| *byte == delimiter || matches!(byte, b'\n' | b'\r'))
    };
    let is_blank = |at: usize| matches!(text.get(at), Some(b' ' | b'\t')) && !is_end(at);
    let mut open = start;
    while is_blank(open) {
        open += 1;
    }
    let is_quote = text.get(open) == Some(&b'"');
    if is_quote {
        let mut inner = Vec::new();
        let mut at = open + 1;
        while at < text.len() {
            if text[at] != b'"' {
                inner.push(text[at]);
                at += 1;
            } else if text.get(at + 1) == Some(&b'"') {
                inner.push(b'"');
                at += 2;
            } else {
                at += 1;
                while is_blank(at) {
                    at += 1;
                }
                if is_end(at) {
                    return (inner, Quoted::Yes, at);
                }
                break;
            }
        }
    }
    let mut end = start;
    while !is_end(end) {
        end += 1;
    }
    let quoted = if is_quote { Quoted::Stray } else { Quoted::No };
    (text[start..end].to_vec(), quoted, end)
}

/// Lines of a record that is refused as a whole, each of which may be a person.
fn refused(
    row: &Row<'_>,
    header: &Row<'_>,
    delimiter: u8,
    has_people: bool,
    are_quotes_doubled: bool,
) -> Option<u64> {
    let width = header.cells.len();
    let lines = lines(row.raw);
    // One behind a line end has nothing in it, and is one all the same.
    let count =
        lines.len() as u64 + u64::from(row.raw.ends_with(b"\n") || row.raw.ends_with(b"\r"));
    let is_blank = |(cell, _): &(Vec<u8>, Quoted)| cell.iter().all(u8::is_ascii_whitespace);
    if row.raw == header.raw {
        return Some(1);
    }
    let is_merged = is_merged(row, width, delimiter, has_people);
    let is_wide = match row.cells.get(width..) {
        Some(beyond) => beyond.iter().all(is_blank),
        None => row.cells.iter().all(is_blank),
    };
    // One field in quotes that became several.
    let strays = row.cells.iter().skip_while(|(_, quoted)| *quoted != Quoted::Stray).skip(1);
    let is_torn = strays
        .filter(|(_, quoted)| *quoted != Quoted::Yes)
        .any(|(cell, _)| cell.trim_ascii_end().ends_with(b"\""));
    let is_torn = is_torn || are_quotes_doubled && row.cells.iter().any(closes_nothing);
    (is_merged || is_torn || !is_wide).then_some(count)
}

/// True if a field ends with a quote that has no other one.
fn closes_nothing((cell, quoted): &(Vec<u8>, Quoted)) -> bool {
    let pieces = cell.split(|byte| *byte == b'"').count();
    *quoted == Quoted::No && cell.trim_ascii_end().ends_with(b"\"") && pieces % 2 == 0
}

/// Places of values, as far as the first rows tell.
struct Places {
    width: usize,
    /// Columns in which four of five values hold an address, some of them nothing else.
    addresses: Vec<usize>,
    /// Those of them that hardly any row leaves blank, if there are several.
    filled: Vec<usize>,
    is_surplus_rare: bool,
    is_surplus_usual: bool,
}

impl Places {
    fn of(rows: &[Row<'_>], width: usize) -> Self {
        let is_even = |row: &&Row<'_>| {
            row.cells.len() >= width && row.cells[width..].iter().all(|(cell, _)| is_blank(cell))
        };
        let rows: Vec<_> = rows.iter().take(199).filter(is_even).collect();
        let count = |at: usize, is: fn(&[u8]) -> bool| {
            rows.iter().filter(|row| is(&row.cells[at].0)).count()
        };
        let filled = |at: usize| count(at, |cell| !is_blank(cell));
        let is_of_addresses = |at: &usize| {
            let (of_people, filled) = (count(*at, holds_address), filled(*at));
            count(*at, is_address) > 0
                && (of_people * 5 >= filled * 4 || of_people > 1 && of_people + 1 == filled)
        };
        let addresses: Vec<usize> = (0..width).filter(is_of_addresses).collect();
        let few = (rows.len() / 20).max(2);
        let hardly_blank = |at: &usize| rows.len() - filled(*at) <= few;
        let wide = rows.iter().filter(|row| row.cells.len() > width).count();
        Self {
            width,
            filled: addresses
                .iter()
                .copied()
                .filter(|at| addresses.len() > 1 && hardly_blank(at))
                .collect(),
            addresses,
            is_surplus_rare: wide <= few,
            is_surplus_usual: wide * 2 > rows.len(),
        }
    }
}

fn is_blank(cell: &[u8]) -> bool {
    cell.iter().all(u8::is_ascii_whitespace)
}

/// True if there is an `@` within a word.
fn holds_address(cell: &[u8]) -> bool {
    let is_of_word = |byte: u8| byte.is_ascii_alphanumeric() || byte > 0x7f;
    cell.windows(3).any(|of| of[1] == b'@' && is_of_word(of[0]) && is_of_word(of[2]))
}

fn is_address(cell: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(cell) else { return false };
    let is_padding = |c: char| c.is_whitespace() || c.is_control() || c == '\u{200b}';
    let Some((local, domain)) = text.trim_matches(is_padding).split_once('@') else { return false };
    let is_word = |text: &str, signs: &str| {
        !text.is_empty()
            && text.chars().all(|c| c.is_ascii_alphanumeric() || !c.is_ascii() || signs.contains(c))
    };
    let has_dot = domain
        .rsplit_once('.')
        .is_some_and(|(before, after)| !before.is_empty() && !after.is_empty());
    is_word(local, "._-+'&=") && is_word(domain, ".-") && has_dot
}

/// True if a row with blank fields too many, or with a quote that means nothing, has nothing in the wanted ones, or addresses
/// in other columns than the rest.
fn is_shifted(row: &Row<'_>, places: &Places, wanted: &[usize]) -> bool {
    let text = |at: usize| row.cells[at].0.trim_ascii();
    let has_surplus = row.cells.len() > places.width && !places.is_surplus_usual;
    let is_out_of_place = |at: usize| {
        let expected = if text(at).is_empty() { &places.filled } else { &places.addresses };
        text(at).contains(&b'@') != expected.contains(&at)
    };
    let is_doubtful = has_surplus
        || row.cells.len() == places.width
            && row.cells.iter().any(|cell| cell.1 == Quoted::Stray || closes_nothing(cell));
    has_surplus && places.is_surplus_rare && wanted.iter().all(|at| text(*at).is_empty())
        || is_doubtful && (0..places.width).any(is_out_of_place)
}

/// True if a field holds the end of one row and the begin of another. If nearly all rows have an address, such a field has
/// one.
fn is_merged(row: &Row<'_>, width: usize, delimiter: u8, has_people: bool) -> bool {
    let is_blank = |text: &&[u8]| text.iter().all(u8::is_ascii_whitespace);
    let is_gluing = |(at, (text, _)): (usize, &(Vec<u8>, Quoted))| {
        if has_people && width > 1 && !text.contains(&b'@') {
            return false;
        }
        let mut lines = lines(text);
        if text.ends_with(b"\n") || text.ends_with(b"\r") {
            lines.push(b"");
        }
        let [first, inner @ .., last] = lines.as_slice() else { return false };
        let pieces = |line: &[u8]| line.split(|byte| *byte == delimiter).count();
        let (before, behind) = (at, row.cells.len() - at - 1);
        let is_row = |line: &&[u8]| {
            let pieces: Vec<_> = line.split(|byte| *byte == delimiter).collect();
            !line.is_empty() && pieces.len() >= width && pieces[width..].iter().all(is_blank)
        };
        let is_row_and_row = |one: &[u8], other: &[u8]| {
            before + pieces(one) >= width
                && behind + pieces(other) >= width
                && (before > 0 || !is_blank(&one))
                && (behind > 0 || !is_blank(&other))
        };
        let is_break = |at: &usize| matches!(text[*at], b'\n' | b'\r');
        let is_halved = if text.contains(&b'@') {
            (0..text.len()).filter(is_break).any(|at| is_row_and_row(&text[..at], &text[at..]))
        } else {
            is_row_and_row(first, last)
        };
        let bare = text.trim_ascii();
        width > 1 && (bare.starts_with(&[delimiter]) || bare.ends_with(&[delimiter]))
            || is_halved
            || inner.iter().any(is_row)
    };
    row.cells.iter().enumerate().any(is_gluing)
}

/// A column of CSV with a header.
pub(crate) fn read_csv(
    user_type: UserType,
    normalizer: &Normalizer,
    text: &[u8],
    delimiter: u8,
    column: usize,
    country: Option<usize>,
) -> Outcome {
    let rows = rows(text, delimiter);
    let Some((header, rows)) = rows.split_first() else { return Outcome::default() };
    let (mut refused_rows, mut refused_lines) = (0, 0);
    let mut values = Vec::new();
    let places = Places::of(rows, header.cells.len());
    let wanted: Vec<usize> = country.into_iter().chain([column]).collect();
    let first_rows = || std::iter::once(header).chain(rows).take(200).flat_map(|row| &row.cells);
    let with_quotes = |is_quoted: bool| {
        let is_so = |quoted: &Quoted| (*quoted == Quoted::Yes) == is_quoted;
        first_rows().filter(|(cell, quoted)| is_so(quoted) && cell.contains(&b'"')).count()
    };
    let are_doubled = with_quotes(true) > 0 && with_quotes(false) * 4 <= with_quotes(true);
    let mut goes_on = false;
    for row in rows {
        let has_people = !places.addresses.is_empty();
        let lines = lines(row.raw).len() as u64;
        let is_continued = std::mem::take(&mut goes_on);
        let is_short = row.cells.len() < places.width;
        let ends_open = row.cells.last().is_some_and(|cell| cell.1 == Quoted::Stray);
        goes_on = is_short && (is_continued || ends_open);
        let refused = refused(row, header, delimiter, has_people, are_doubled)
            .or_else(|| (is_continued || is_shifted(row, &places, &wanted)).then_some(lines));
        if let Some(lines) = refused {
            refused_rows += 1;
            refused_lines += lines;
            continue;
        }
        let cell = |at: usize| row.cells.get(at).map(|(cell, _)| cell.as_slice());
        let value = match row.cells.get(column) {
            Some((_, Quoted::Stray)) => Err(Reason::StrayQuote),
            Some((cell, _)) => Ok(cell.as_slice()),
            None => Ok(&b""[..]),
        };
        values.push((value, country.map(|country| cell(country).unwrap_or_default())));
    }
    let mut outcome = read(user_type, normalizer, Wrapping::Field, values.into_iter());
    outcome.refused = refused_rows;
    outcome.read += refused_lines;
    outcome.rejected += refused_lines;
    outcome
}

/// The order in which entries come out: by digest, clear ids by the first 64 bits of theirs.
pub(crate) fn in_order(user_type: UserType, set: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut entries: Vec<String> = set.into_iter().collect();
    if user_type.is_hashed() {
        entries.sort();
    } else {
        entries
            .sort_by_key(|entry| (Sha256::digest(entry.as_bytes())[..8].to_vec(), entry.clone()));
    }
    entries
}

/// Everybody who is held back: the identifiers that opted out, and all that can be reached from them from row to row.
pub(crate) fn held_back<I: Clone + Eq + Hash>(
    rows: &[Vec<I>],
    opted_out: &HashSet<I>,
) -> HashSet<I> {
    let mut held_back = opted_out.clone();
    loop {
        let before = held_back.len();
        for row in rows {
            if row.iter().any(|identifier| held_back.contains(identifier)) {
                held_back.extend(row.iter().cloned());
            }
        }
        if held_back.len() == before {
            return held_back;
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|n| DIGITS[usize::from(n)] as char)
        .collect()
}
