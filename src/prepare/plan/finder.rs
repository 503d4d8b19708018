//! Finding the column that is meant.

use std::collections::BTreeSet;

use super::{Audience, Partitions, Role, titles};
use crate::config::{ColumnSelector, Condition, Header, ReadOptions};
use crate::dialect::Framing;
use crate::dialect::{Column, Dialect, count_lines};
use crate::error::{Error, Result};
use crate::normalize::{Note, Shape, Value, Verdict};
use crate::quote::Quoted;
use crate::reason::Reason;
use crate::record::{SAMPLE_ROWS, SampleTable};
use crate::source::Source;
use crate::source::parquet::Table;
use crate::trim::{is_null_word, trim};
use crate::user_type::UserType;

/// Columns that a hint names at most.
const COLUMNS_SHOWN: usize = 20;

/// A column, and how it was found.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) index: usize,
    pub(super) is_named: bool,
    pub(super) is_guess: bool,
}

pub(super) struct Finder<'a> {
    pub(super) source: Source,
    pub(super) table: &'a SampleTable,
    pub(super) dialect: Dialect,
    pub(super) role: Role,
    pub(super) read: &'a ReadOptions,
    /// True if the input can only be meant for one user type, or must have something for each audience.
    pub(super) has_one_type: bool,
    /// The column of a suppression list, if the user said which.
    pub(super) list_column: Option<&'a ColumnSelector>,
    /// The column of countries, if it is one of the input.
    pub(super) country_column: Option<&'a ColumnSelector>,
    /// The country of all rows, if it is a folder.
    pub(super) country: Option<&'a [u8]>,
    /// The folders that are columns.
    pub(super) partitions: &'a Partitions,
    /// The columns of an input that has them apart.
    pub(super) columns: Option<&'a Table>,
    /// True if the first row is a header because of the titles above it.
    pub(super) has_titles: bool,
    /// True if the first row has one of the names that were told.
    pub(super) has_told_name: bool,
}

impl Finder<'_> {
    /// The columns that were named, in that order, or else the one that can be meant.
    pub(super) fn columns_of(&self, audience: &Audience) -> Result<Vec<Found>> {
        // The input's column names need not be those of a list, but if they are, they count.
        let is_there = |selector: &&ColumnSelector| match selector {
            ColumnSelector::Name(name) => !self.table.find(name).is_empty(),
            ColumnSelector::Number(_) => false,
        };
        let named = audience.spec.columns.iter();
        let named: Vec<&ColumnSelector> = match (self.role, self.list_column) {
            (Role::Suppressed, Some(selector)) => vec![selector],
            (Role::Suppressed, None) => named.filter(is_there).collect(),
            _ => named.collect(),
        };
        if named.is_empty() {
            let mut found = vec![self.guess(audience)?];
            found.extend(self.others_of_list(audience, &found));
            return Ok(found);
        }
        let mut found: Vec<Found> = Vec::new();
        for (at, selector) in named.iter().enumerate() {
            let column = self.selected(selector)?;
            if let Some(other) = found.iter().position(|other| other.index == column.index) {
                let path = Quoted(&self.source.path);
                return Err(Error::usage(
                    format!("{} and {} are the same column of {path}", named[other], named[at]),
                    "name each column once",
                ));
            }
            found.push(column);
        }
        found.extend(self.others_of_list(audience, &found));
        found.extend(self.others_of_told(audience, &found));
        Ok(found)
    }

    pub(super) fn selected(&self, selector: &ColumnSelector) -> Result<Found> {
        match selector {
            ColumnSelector::Name(_) if self.read.header == Header::Absent && !self.has_names() => {
                Err(Error::usage(
                    format!("column {selector} cannot be found by name with --no-header"),
                    "give its number, counted from 1",
                ))
            }
            ColumnSelector::Name(name) => match self.table.find(name)[..] {
                [index] => Ok(Found { index, is_named: true, is_guess: false }),
                [] => Err(Error::input(
                    &self.source.path,
                    format!("no column is called {selector}: {}", self.read_as()),
                    self.name_hint(name),
                )),
                ref several => {
                    let path = Quoted(&self.source.path);
                    let list: Vec<String> =
                        several.iter().map(|index| (index + 1).to_string()).collect();
                    Err(Error::usage(
                        format!("columns {} of {path} are all called {selector}", list.join(", ")),
                        "give the column's number",
                    ))
                }
            },
            ColumnSelector::Number(number) => {
                let width = self.table.width();
                // An empty sample says nothing about columns.
                if *number > width && width > 0 {
                    return Err(Error::input(
                        &self.source.path,
                        format!("there is no column {number}: {}", self.read_as()),
                        self.columns_hint(),
                    ));
                }
                Ok(Found { index: number - 1, is_named: false, is_guess: false })
            }
        }
    }

    /// The one column that can be meant, by its values and, if these leave a choice, by its header. In this order, because
    /// a header is a claim and values are evidence: a column `email` with phone numbers makes it the wrong file. Where both
    /// leave a choice a person is asked, since a platform takes a wrong column without a word.
    fn guess(&self, audience: &Audience) -> Result<Found> {
        let user_type = audience.spec.user_type;
        let width = self.table.width();
        let found = |index| Ok(Found { index, is_named: false, is_guess: true });
        // Whether a list can be relied on is judged when it has been read; here it is whether it is meant at all.
        let is_certain = self.has_one_type || width == 0 || self.fits(audience, 0);
        if width <= 1 && is_certain {
            return self.check_told_apart(0, user_type).and_then(|()| found(0));
        }
        let is_called = |index: &usize| self.is_called_like(*index, user_type);
        let is_called_just = |index: &usize| self.is_called_just(*index, user_type);
        let fitting: Vec<usize> = (0..width).filter(|index| self.fits(audience, *index)).collect();
        let named: Vec<usize> = fitting.iter().copied().filter(is_called).collect();
        let mut candidates = match (&fitting[..], &named[..]) {
            // Of a list with columns for several types, one is often filled for few people.
            ([], _) if self.role == Role::Suppressed => {
                self.blank().filter(is_called_just).collect()
            }
            (_, []) => fitting,
            _ => named,
        };
        if let [index] = candidates[..] {
            candidates.extend(self.rivals(index, user_type));
            candidates.sort_unstable();
        }
        match candidates[..] {
            [] => {
                return Err(Error::input(
                    &self.source.path,
                    format!("no column holds values for {user_type}: {}", self.read_as()),
                    self.nothing_fits_hint(audience),
                ));
            }
            [index] => return self.check_told_apart(index, user_type).and_then(|()| found(index)),
            _ => {}
        }
        let describe = |index: &usize| {
            let note = if self.fits(audience, *index) { "" } else { " (blank in the first rows)" };
            format!("{}{note}", self.describe(*index))
        };
        let list: Vec<String> = candidates.iter().map(describe).collect();
        Err(Error::usage(
            format!(
                "more than one column of {} can be meant for {user_type}: {}",
                Quoted(&self.source.path),
                list.join(", ")
            ),
            match self.role {
                Role::Suppressed => "choose one with --suppress-column",
                Role::Member | Role::Known | Role::Unconfirmed => {
                    "choose one with --column or --map COLUMN=TYPE, several if all of them are meant"
                }
            },
        ))
    }

    /// Row numbers, phone numbers, dates and card numbers are Facebook ids by their form. A column that is found by its
    /// values must be called like them, or strangers would be uploaded, and other numbers in clear; or, if its header
    /// says nothing, have more digits than customer and phone numbers. The only one need not, but for one of another
    /// type.
    fn check_told_apart(&self, index: usize, user_type: UserType) -> Result<()> {
        let cells = || self.table.cells(index).skip(self.first_row()).map(trim);
        let filled = || cells().filter(|cell| !cell.is_empty() && !is_null_word(cell));
        // Longer than customer numbers, and no shorter than the longest phone number (E.164).
        let is_long = || filled().filter(|cell| cell.len() >= 15).count() * 2 >= filled().count();
        // An id has no letters, so what has some is a header, if it is no reject.
        let name = self.name_of(index);
        let speaks_of = |of: UserType| words(of).iter().any(|word| name.contains(word));
        let says_nothing = !name.contains(char::is_alphabetic)
            || ["id", "ids", "uid", "user", "user id"].contains(&name.trim());
        let is_told = self.role != Role::Member
            || user_type != UserType::Fbid
            || speaks_of(user_type)
            || self.table.width() <= 1 && !UserType::ALL.into_iter().any(speaks_of)
            || self.table.width() > 1 && says_nothing && is_long();
        if is_told {
            return Ok(());
        }
        Err(Error::usage(
            format!(
                "column {} of {} may hold other numbers than Facebook ids",
                self.describe(index),
                Quoted(&self.source.path)
            ),
            format!("if it holds them, name column {} with --column", index + 1),
        ))
    }

    /// The remedy if no column fits.
    fn nothing_fits_hint(&self, audience: &Audience) -> String {
        if self.table.rows.len() == 1 && !self.has_names() {
            // A day on which nobody opted out, perhaps.
            return match self.role {
                Role::Suppressed => "it has a single row: if that is a header, name its column with --suppress-column",
                _ => "it has a single row: is that a header, and nothing was exported?",
            }
            .to_owned();
        }
        let lacks_country = |index: &usize| {
            self.fits_if(audience, *index, |reason| reason == Reason::NationalNumber)
        };
        if let Some(index) = (0..self.table.width()).find(lacks_country) {
            return format!(
                "column {} holds national numbers: give their country with --country XX, or its column with --country-column",
                self.describe(index)
            );
        }
        self.columns_hint()
    }

    /// Columns that have no values in the sample, and may have some behind it.
    pub(super) fn blank(&self) -> impl Iterator<Item = usize> {
        let rows = self.table.rows.len();
        let is_sample_all = match self.columns {
            Some(columns) => columns.groups().map(u64::from).sum::<u64>() < rows as u64,
            None => self.source.is_sample_all && rows < SAMPLE_ROWS,
        };
        (0..self.table.width()).filter(move |index| {
            let is_readable = self.columns.is_none_or(|of| of.check_column(*index).is_ok());
            !is_sample_all && is_readable && !self.is_filled(*index)
        })
    }

    /// True if a column has different values in the sample: one alone stands for none (`unknown`, `0`).
    fn is_filled(&self, index: usize) -> bool {
        let cells = self.table.cells(index).skip(1).map(trim);
        let mut filled = cells.filter(|cell| !cell.is_empty() && !is_null_word(cell));
        let first = filled.next();
        filled.any(|cell| Some(cell) != first)
    }

    /// Columns without values in the sample that may be meant rather than the one that has them: what is uploaded, and
    /// who is held back, must not depend on how far down a column begins to be filled.
    fn rivals(&self, index: usize, user_type: UserType) -> impl Iterator<Item = usize> {
        let is_called = self.is_called_like(index, user_type);
        let is_just_that = self.is_called_just(index, user_type);
        let is_doubtful =
            self.role == Role::Suppressed && !is_called && !self.is_of_different_people(index);
        let may_be_meant = move |rival: &usize| {
            let is_nameless = self.shows_header() && self.name_of(*rival).trim().is_empty();
            *rival != index
                && (self.is_called_just(*rival, user_type)
                    || !is_called && self.is_called_like(*rival, user_type)
                    || is_doubtful && !is_nameless)
        };
        self.blank().filter(move |rival| !is_just_that && may_be_meant(rival))
    }

    /// True if a column has somebody else in most rows, as one has that says whom a row is about. One of few people says who
    /// wrote it, and to hold these back would hold back nobody who opted out.
    pub(super) fn is_of_different_people(&self, index: usize) -> bool {
        let cells = self.table.cells(index).skip(self.first_row()).map(trim);
        let filled: Vec<&[u8]> = cells.filter(|cell| !cell.is_empty()).collect();
        let different: BTreeSet<&&[u8]> = filled.iter().collect();
        different.len() * 2 > filled.len()
    }

    /// True if the names of columns are known and no row of their own.
    pub(super) fn has_names(&self) -> bool {
        self.dialect.framing == Framing::Columns
    }

    /// True if most values of a column, leaving its first cell out, are accepted. Half is enough to know what is meant; whether
    /// so many rejects are too many is judged when all rows were read.
    pub(super) fn fits(&self, audience: &Audience, index: usize) -> bool {
        self.fits_if(audience, index, |_| false)
    }

    /// The same if values that are rejected for some reasons were accepted.
    fn fits_if(
        &self,
        audience: &Audience,
        index: usize,
        is_forgiven: impl Fn(Reason) -> bool,
    ) -> bool {
        let (mut accepted, mut rejected) = (0_usize, 0_usize);
        for cell in self.table.cells(index).skip(self.first_row()) {
            match self.judge(audience, cell) {
                Verdict::Raw(_) | Verdict::Prehashed(_) | Verdict::Domain => accepted += 1,
                // Columns of which most people have no value are usual.
                Verdict::Rejected(Reason::NullWord | Reason::TrackingLimited) | Verdict::Blank => {}
                Verdict::Rejected(reason) if is_forgiven(reason) => accepted += 1,
                Verdict::Rejected(_) => rejected += 1,
            }
        }
        accepted > 0 && accepted >= rejected
    }

    /// The first row that can hold values, as long as it is not known whether there is a header.
    pub(super) fn first_row(&self) -> usize {
        usize::from(self.table.rows.len() > 1 || self.has_names())
    }

    pub(super) fn judge(&self, audience: &Audience, cell: &[u8]) -> Verdict {
        if self.read.split.is_empty() {
            return self.judge_value(audience, cell);
        }
        // A cell is as good as the worst of its values.
        let mut verdict = Verdict::Blank;
        self.read.split.split(cell, |range| {
            if !matches!(verdict, Verdict::Rejected(_)) {
                verdict = self.judge_value(audience, &cell[range]);
            }
        });
        verdict
    }

    fn judge_value(&self, audience: &Audience, cell: &[u8]) -> Verdict {
        let value = Value { bytes: Ok(cell), country: self.country };
        match audience.normalizer(self.role).one(self.dialect.wrapping(), value, &mut Vec::new()) {
            // With the row's country, which is not at hand here, it is a number like any other.
            Verdict::Rejected(Reason::NationalNumber) if self.country_column.is_some() => {
                Verdict::Raw(Note::PLAIN)
            }
            verdict => verdict,
        }
    }

    /// True if the header of a column speaks of a type.
    pub(super) fn is_called_like(&self, index: usize, user_type: UserType) -> bool {
        let header = self.name_of(index);
        self.shows_header() && words(user_type).iter().any(|word| header.contains(word))
    }

    /// True if it speaks of nothing else: `E-mail address`, but not `e-mail status`.
    pub(super) fn is_called_just(&self, index: usize, user_type: UserType) -> bool {
        let letters = |text: &str| text.replace(' ', "");
        let header = letters(&self.name_of(index));
        // What headers add to the word of a type without meaning anything else by it.
        let ends = ["address", "adresse", "number", "nummer", "id"];
        let short = ends.iter().find_map(|end| header.strip_suffix(end));
        let is_word = |name: &str| words(user_type).iter().any(|word| letters(word) == name);
        let name = short.unwrap_or(&header);
        self.shows_header()
            && (is_word(name) || is_word(&header) || name.strip_prefix('e').is_some_and(is_word))
    }

    /// Its words in lower case, a space around each.
    pub(super) fn name_of(&self, index: usize) -> String {
        let name = self.table.header(index).unwrap_or_default().to_lowercase();
        let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        format!(" {} ", words.collect::<Vec<_>>().join(" "))
    }

    /// True if a suppression list may have nothing for one of several user types.
    pub(super) fn may_lack_types(&self) -> bool {
        !self.has_one_type && self.list_column.is_none()
    }

    pub(super) fn describe(&self, index: usize) -> String {
        let name = if self.knows_header() { self.table.header(index) } else { None };
        Column { index, name }.to_string()
    }

    /// True if the first row may be shown, because it has a name that was told or looks like a header.
    fn knows_header(&self) -> bool {
        self.shows_header() || self.has_told_name && self.read.header == Header::Auto
    }

    /// The columns that hold identifiers, and which, leaving the first row out.
    pub(super) fn columns(&self) -> Vec<(String, &'static str)> {
        if self.table.width() < 2 {
            return Vec::new();
        }
        let shape_of = |index: usize| {
            let cells = self.table.cells(index).skip(1).filter(|cell| !trim(cell).is_empty());
            let mut counts = [0_usize; Shape::COUNT];
            cells.for_each(|cell| counts[Shape::of(cell) as usize] += 1);
            let all: usize = counts.iter().sum();
            Shape::ALL.into_iter().find(|shape| counts[*shape as usize] * 2 > all)
        };
        (0..self.table.width())
            .filter_map(|index| Some((index, shape_of(index)?.describe()?.0)))
            .map(|(index, what)| (self.describe(index), what))
            .collect()
    }

    /// How the input is read, for messages about columns that are not there.
    fn read_as(&self) -> String {
        let width = self.table.width();
        let columns = if width == 1 { "column" } else { "columns" };
        match self.dialect.framing {
            Framing::Lines => "it is read as one value a line".to_owned(),
            Framing::Csv(csv) => {
                format!("it is read as {width} {columns} separated by `{}`", csv.separator)
            }
            Framing::Columns => format!("it has {width} {columns}"),
        }
    }

    /// The remedy if no column has the name that was told.
    fn name_hint(&self, name: &str) -> String {
        if self.partitions.value(&ColumnSelector::Name(name.to_owned())).is_some() {
            return "a folder of its path is called so: that can be a condition or the column of countries, and its value is the same for all rows".to_owned();
        }
        let Some(row) = titles::row_with(self.table, name) else { return self.columns_hint() };
        let head = &self.source.sample[..self.table.begin_of(row)];
        let lines = count_lines(head);
        let remedy = match self.role {
            Role::Suppressed => "take the lines above it out".to_owned(),
            Role::Member | Role::Known | Role::Unconfirmed => format!("--skip-rows {lines}"),
        };
        format!("line {} has that name: if it is the header, {remedy}", lines + 1)
    }

    /// Columns to choose from, for a person who named a column that is not there.
    fn columns_hint(&self) -> String {
        let holds = self.columns().into_iter();
        let holds = holds.map(|(column, what)| format!("column {column} holds {what}"));
        let names = (0..self.table.width()).take(COLUMNS_SHOWN).map(|index| self.describe(index));
        let names = names.collect::<Vec<_>>().join(", ");
        let more = if self.table.width() > COLUMNS_SHOWN { ", ..." } else { "" };
        let header = self.knows_header().then(|| format!("its columns: {names}{more}"));
        let hints: Vec<String> = holds.chain(header).collect();
        if hints.is_empty() {
            return "is it separated by something else? say so with --delimiter".to_owned();
        }
        hints.join("; ")
    }

    pub(super) fn check_suppression(
        &self,
        found: &[(usize, Found)],
        audiences: &[Audience],
    ) -> Result<()> {
        if self.role != Role::Suppressed || self.table.rows.is_empty() {
            return Ok(());
        }
        let path = &self.source.path;
        if found.is_empty() {
            return Err(Error::input(
                path,
                "no column of this suppression list holds values for any audience",
                self.columns_hint(),
            ));
        }
        let type_of = |index: usize| audiences[index].spec.user_type;
        let same_column = found.iter().any(|(one, a)| {
            found.iter().any(|(other, b)| {
                type_of(*one) < type_of(*other) && a.index == b.index && !a.is_named
            })
        });
        if same_column {
            let types: BTreeSet<UserType> =
                found.iter().map(|(index, _)| type_of(*index)).collect();
            let names: Vec<&str> = types.into_iter().map(UserType::name).collect();
            return Err(Error::input(
                path,
                format!("this suppression list can be meant for {}", names.join(" and for ")),
                "say which: --suppress TYPE=FILE",
            ));
        }
        Ok(())
    }

    /// The columns of conditions; none of those that are folders.
    pub(super) fn compared(&self, conditions: &[Condition]) -> Result<Vec<Option<Found>>> {
        let found = |of: &Condition| match self.partitions.value(of.column()) {
            Some(_) => Ok(None),
            None => self.selected(of.column()).map(Some),
        };
        conditions.iter().map(found).collect()
    }

    pub(super) fn country_column(&self) -> Result<Option<Found>> {
        let is_list = self.role == Role::Suppressed;
        match self.country_column {
            None => Ok(None),
            // An opt-out list need not have one.
            Some(ColumnSelector::Name(name)) if is_list && self.table.find(name).is_empty() => {
                Ok(None)
            }
            Some(ColumnSelector::Number(number)) if is_list && *number > self.table.width() => {
                Ok(None)
            }
            Some(selector) => self.selected(selector).map(Some),
        }
    }
}

/// Words of which headers of a type have one; a space is where a word begins or ends, so that ` tel` is not in `hotel`, and
/// ` cell` not in `cancelled`.
pub(super) fn words(user_type: UserType) -> &'static [&'static str] {
    match user_type {
        UserType::EmailHash => &["mail"],
        UserType::PhoneHash => &["phone", " tel", "mobile", " cell", "msisdn", "handy"],
        UserType::Fbid => &["facebook", "fbid", "fbuid", " fb ", " meta id "],
        UserType::CustomAudienceThirdPartyId => &["third", "external", "loyalty", "customer"],
        UserType::MobileAdvertiserId => &["idfa", "gaid", "aaid", "maid", "advert", " ad id "],
    }
}
