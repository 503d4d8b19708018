//! Title rows: what reports and people write above a header.
//!
//! A title row that is taken for a person is one reject, and a header that is not found is a run that stops. A person who is
//! taken for a title is lost. So rows are titles only if they say less than the header below them, and nobody is in them.

use crate::config::ColumnSelector;
use crate::normalize::Shape;
use crate::record::{SampleTable, TITLE_ROWS, usual_width};
use crate::trim::{is_null_word, trim};

/// Number of title rows above the header, which is the first row that has all the names; or without names, the first one of
/// the usual width, if it looks like a header and rows above it do not.
///
/// `is_doubtful` says that a row of words may be somebody.
pub(super) fn count(table: &SampleTable, names: &[&str], is_doubtful: bool) -> usize {
    let rows = 1..table.rows.len().min(TITLE_ROWS + 1);
    if names.iter().any(|name| !table.find(name).is_empty()) {
        return 0;
    }
    let has_names = |row: usize| names.iter().all(|name| !table.find_in(row, name).is_empty());
    if !names.is_empty()
        && let Some(header) = rows.into_iter().find(|row| has_names(*row))
    {
        let are_less = are_titles(table, header, |row| says_less(row, &table.rows[header]));
        let has_digits_there = |row: &Vec<Vec<u8>>| {
            let columns = names.iter().flat_map(|name| table.find_in(header, name));
            let mut cells = columns.filter_map(|column| row.get(column));
            cells.any(|cell| trim(cell).iter().any(u8::is_ascii_digit))
        };
        // None of these would become an entry, however many cells they fill.
        let is_no_value = |row: &Vec<Vec<u8>>| !has_address(row) && !has_digits_there(row);
        let are_titles = are_less
            || !is_doubtful
                && are_titles(table, header, is_no_value)
                && !(0..header).any(|title| is_like_values(table, title, header));
        return if are_titles { header } else { 0 };
    }
    let Some(usual) = usual_width(table.rows.iter().map(Vec::len)) else { return 0 };
    // Borders and trailing delimiters make columns that nothing is in.
    let is_used = |column: &usize| table.cells(*column).any(|cell| !is_ruled(cell));
    let used = (0..usual).filter(is_used).count();
    let is_table = |row: &usize| {
        let cells = &table.rows[*row];
        cells.len() >= usual && filled(cells) * 2 > used
    };
    let first = (0..table.rows.len()).take(TITLE_ROWS + 1).find(is_table);
    let are_less =
        |header: &usize| are_titles(table, *header, |row| says_less(row, &table.rows[*header]));
    first
        .filter(|row| *row > 0 && are_less(row) && is_header(table, *row))
        .filter(|row| !table.rows[..*row].iter().any(|row| has_address(row)))
        .filter(|row| !(0..*row).any(|title| is_like_values(table, title, *row)))
        .unwrap_or(0)
}

/// The row, counted from 0, that has a name and nobody in it, while rows above it are no titles: to point at.
pub(super) fn row_with(table: &SampleTable, name: &str) -> Option<usize> {
    let has_name = |row: &usize| !table.find_in(*row, name).is_empty();
    let has_nobody = |row: &usize| !table.rows[*row].iter().any(|cell| cell.contains(&b'@'));
    (1..table.rows.len().min(TITLE_ROWS + 1)).filter(has_nobody).find(has_name)
}

/// The names among columns that were told.
pub(super) fn names<'a>(columns: impl Iterator<Item = &'a ColumnSelector>) -> Vec<&'a str> {
    let name = |column: &'a ColumnSelector| match column {
        ColumnSelector::Name(name) => Some(name.as_str()),
        ColumnSelector::Number(_) => None,
    };
    columns.filter_map(name).collect()
}

/// True if the first row has one of the names that were told.
pub(super) fn has_any(table: &SampleTable, told: &[&ColumnSelector]) -> bool {
    names(told.iter().copied()).iter().any(|name| !table.find(name).is_empty())
}

/// True if all rows above a header are titles, and nobody is in the header either.
fn are_titles(
    table: &SampleTable,
    header: usize,
    says_less: impl Fn(&Vec<Vec<u8>>) -> bool,
) -> bool {
    let cells = &table.rows[header];
    let has_nobody = |row: &Vec<Vec<u8>>| row.iter().all(|cell| Shape::of(cell) == Shape::Other);
    let above = &table.rows[..header];
    has_nobody(cells) && above.iter().all(|row| has_nobody(row) && says_less(row))
}

/// True if a row has fewer cells than the header, or at most half of them filled.
fn says_less(row: &[Vec<u8>], header: &[Vec<u8>]) -> bool {
    let width = header.len();
    if width == 1 {
        return row.iter().all(|cell| is_heading(trim(cell)));
    }
    filled(row) < filled(header) && (row.len() < width || filled(row) * 2 <= width)
}

fn has_address(row: &[Vec<u8>]) -> bool {
    row.iter().any(|cell| cell.contains(&b'@'))
}

/// True if something in a row is written like what stands in its column below the header: `A1` above `A2`.
fn is_like_values(table: &SampleTable, title: usize, header: usize) -> bool {
    let form = |cell: &[u8]| {
        let kind = |byte: &u8| match byte {
            b'0'..=b'9' => b'9',
            byte if byte.is_ascii_alphabetic() => b'a',
            byte => *byte,
        };
        let mut form: Vec<u8> = trim(cell).iter().map(kind).collect();
        form.dedup();
        form
    };
    table.rows[title].iter().enumerate().any(|(column, cell)| {
        let of_title = form(cell);
        let below = table.rows[header + 1..].iter().filter_map(|row| row.get(column));
        of_title.contains(&b'9') && below.map(|cell| form(cell)).any(|form| form == of_title)
    })
}

/// True for a line above a list: no id, which has digits and no spaces.
fn is_heading(text: &[u8]) -> bool {
    text.contains(&b' ') || !text.iter().any(u8::is_ascii_digit)
}

/// True if a row can be nothing but a header: its cells are filled, but for columns that hold nothing at all, they differ,
/// none is a value, and some column below holds identifiers.
fn is_header(table: &SampleTable, row: usize) -> bool {
    let cells: Vec<&[u8]> = table.rows[row].iter().map(|cell| trim(cell)).collect();
    // Lines between rows and totals are narrower.
    let below = || table.rows[row + 1..].iter().filter(|row| row.len() >= cells.len());
    let is_blank =
        |column: usize| below().all(|row| row.get(column).is_none_or(|cell| trim(cell).is_empty()));
    let is_name = |(at, cell): (usize, &&[u8])| {
        if cell.is_empty() {
            return is_blank(at);
        }
        !cell.iter().all(u8::is_ascii_digit)
            && !cell.contains(&b'@')
            && !is_null_word(cell)
            && !cells[..at].contains(cell)
    };
    let holds_identifiers = |column: usize| {
        let filled =
            below().filter_map(|row| row.get(column)).filter(|cell| !trim(cell).is_empty());
        let (shaped, all) = filled.fold((0, 0), |(shaped, all), cell| {
            (shaped + usize::from(Shape::of(cell) != Shape::Other), all + 1)
        });
        shaped > 0 && shaped * 2 >= all
    };
    cells.iter().enumerate().all(is_name) && (0..cells.len()).any(holds_identifiers)
}

/// True for a cell with nothing in it but a line between rows.
fn is_ruled(cell: &[u8]) -> bool {
    cell.iter().all(|byte| b" -+=|".contains(byte))
}

/// Cells with something in them.
fn filled(row: &[Vec<u8>]) -> usize {
    row.iter().filter(|cell| !is_ruled(trim(cell))).count()
}
