//! Telling a header from a row of data. A header that is taken for a person is one reject; a person who is taken for a header
//! is lost, in an opt-out list uploaded, and shown as the names of columns. So the row is data unless it looks like a header,
//! and the rows below it like people.

use super::Audience;
use super::finder::{Finder, Found};
use crate::config::Header;
use crate::dialect::Framing;
use crate::error::{Error, Result};
use crate::normalize::{Shape, Verdict};
use crate::trim::{is_null_word, trim};

impl Finder<'_> {
    /// True if the first row is a header: because a column was named, or because it looks like one while the rows below
    /// look like people.
    pub(super) fn has_header(
        &self,
        found: &[(usize, Found)],
        beside: &[Found],
        audiences: &[Audience],
    ) -> bool {
        let is_named = found.iter().any(|(_, found)| found.is_named);
        if self.has_names()
            || self.has_titles
            || is_named
            || beside.iter().any(|found| found.is_named)
        {
            return true;
        }
        let may_be_header = self.may_be_header()
            && found.iter().all(|(audience, found)| {
                let audience = &audiences[*audience];
                let cell = self.table.cells(found.index).next().unwrap_or_default();
                match self.judge(audience, cell) {
                    // Nearly anything is a third-party id; those with digits in them are ids rather than names of ids.
                    Verdict::Raw(_) if !audience.spec.user_type.has_form() => {
                        !cell.iter().any(u8::is_ascii_digit)
                    }
                    Verdict::Raw(_) | Verdict::Prehashed(_) | Verdict::Domain => false,
                    Verdict::Blank | Verdict::Rejected(_) => true,
                }
            });
        may_be_header
            && (self.is_header_elsewhere()
                || found.iter().any(|(audience, found)| {
                    let audience = &audiences[*audience];
                    let first = self.table.cells(found.index).next().unwrap_or_default();
                    matches!(self.judge(audience, first), Verdict::Rejected(_))
                        && self.fits(audience, found.index)
                }))
    }

    /// The number of fields that each record must have, which is the header's; `None` if records have none.
    pub(super) fn record_width(&self, has_header: bool) -> Result<Option<usize>> {
        let Framing::Csv(csv) = self.dialect.framing else { return Ok(None) };
        if self.table.rows.is_empty() {
            return Ok(None);
        }
        let usual = self.table.usual_width();
        if usual == 1 && self.read.split.have_line_end() {
            // Each line of a cell would be a row.
            return Ok(None);
        }
        let header = &self.table.rows[0];
        let named = header.iter().rposition(|cell| !trim(cell).is_empty()).map_or(0, |at| at + 1);
        if !has_header || csv.is_ragged || (named..=header.len()).contains(&usual) {
            return Ok(Some(usual));
        }
        let is_blank_beyond =
            |row: &&Vec<Vec<u8>>| row.iter().skip(header.len()).all(|cell| trim(cell).is_empty());
        let rows = &self.table.rows[1..];
        if header.len() < usual && rows.iter().filter(is_blank_beyond).count() * 2 > rows.len() {
            return Ok(Some(header.len()));
        }
        let shifted = "its header may lack a name, as that of row numbers, or values may hold the delimiter: names and \
                       values are one column apart, so mend it";
        Err(Error::input(
            &self.source.path,
            format!(
                "most rows have {usual} fields and the header has {}, separated by `{}`",
                header.len(),
                csv.separator
            ),
            shifted,
        ))
    }

    /// A note for people on how the first row was taken, if they did not say.
    pub(super) fn first_row_note(
        &self,
        has_header: bool,
        found: &[(usize, Found)],
        beside: &[Found],
        audiences: &[Audience],
    ) -> Option<String> {
        let is_told = self.read.header != Header::Auto
            || self.has_names()
            || self.has_titles
            || found.iter().any(|(_, found)| found.is_named)
            || beside.iter().any(|found| found.is_named);
        // In a plain list of addresses or numbers nobody expects a header.
        let is_doubtful = self.table.width() > 1
            || found.iter().any(|(index, _)| !audiences[*index].spec.user_type.has_form());
        match (is_told || self.table.rows.is_empty(), has_header) {
            (false, true) => Some("took the first row for a header".to_owned()),
            (false, false) if is_doubtful => Some("took the first row for data".to_owned()),
            _ => None,
        }
    }

    /// True if other columns show that the first row is a header, for types that accept nearly anything: all its cells
    /// are filled and differ, and none looks like the identifiers below them.
    fn is_header_elsewhere(&self) -> bool {
        let Some(first) = self.table.rows.first() else { return false };
        let is_filled = first.iter().all(|cell| !trim(cell).is_empty());
        let differ = first.iter().enumerate().all(|(at, cell)| !first[..at].contains(cell));
        first.len() > 1 && is_filled && differ && self.shows_header()
    }

    /// True if nothing in the first row speaks against a header. The first row of a list without a header is a person, who
    /// must not get lost.
    fn may_be_header(&self) -> bool {
        self.read.header == Header::Auto && self.table.rows.len() > 1 && self.is_row_of_names()
    }

    /// True if the first row has no identifier, no number, no textual null.
    pub(super) fn is_row_of_names(&self) -> bool {
        let is_name = |cell: &[u8]| {
            let cell = trim(cell);
            let is_number = cell.iter().all(u8::is_ascii_digit);
            cell.is_empty()
                || !(is_number
                    || is_null_word(cell)
                    || cell.contains(&b'@')
                    || Shape::of(cell) != Shape::Other)
        };
        self.table.rows.first().is_some_and(|row| row.iter().all(|cell| is_name(cell)))
    }

    /// True if the first row may be shown to people: it may be a header, and some column below it holds identifiers.
    pub(super) fn shows_header(&self) -> bool {
        if self.has_names() {
            return true;
        }
        let has_shape = |cell: &[u8]| Shape::of(cell) != Shape::Other;
        self.may_be_header()
            && (0..self.table.width()).any(|index| {
                let below = self.table.cells(index).skip(1);
                let (shaped, all) = below.fold((0, 0), |(shaped, all), cell| {
                    (shaped + usize::from(has_shape(cell)), all + 1)
                });
                shaped > 0 && shaped * 2 >= all
            })
    }
}
