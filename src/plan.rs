//! Which columns of an input feed which audience, decided from its first rows before anything is read in earnest.

use crate::config::{AudienceSpec, ColumnSelector, Header, ReadOptions};
use crate::error::{Error, Result};
use crate::normalize::{Normalizer, Note, Reason, Shape, UserType, Value, Verdict, trim};
use crate::record::{self, Column, Dialect, SampleTable};
use crate::source::Source;

/// What an entry's input says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Wants to be in the audience.
    Member,
    /// Must not be in it.
    Suppressed,
    /// Is in it already.
    Known,
}

impl Role {
    /// Every role, in the order of the enum.
    pub const ALL: [Self; 3] = [Self::Member, Self::Suppressed, Self::Known];
}

/// Columns that a hint names at most.
const COLUMNS_SHOWN: usize = 20;

/// An audience and its rule.
#[derive(Debug)]
pub struct Audience {
    /// What was asked for.
    pub spec: AudienceSpec,
    /// The rule of its user type.
    pub normalizer: Normalizer,
}

/// A column that feeds an audience.
#[derive(Clone, Debug)]
pub struct Feed {
    /// Which audience.
    pub audience: usize,
    /// Which column.
    pub column: Column,
    /// Its place among the wanted columns.
    pub field: usize,
}

/// An input, ready to be read.
#[derive(Debug)]
pub struct SourcePlan {
    /// The input.
    pub source: Source,
    /// The role of its entries.
    pub role: Role,
    /// How it is written.
    pub dialect: Dialect,
    /// The columns to read, counted from 0, in ascending order, each once.
    pub wanted: Vec<usize>,
    /// Which of them feed which audience.
    pub feeds: Vec<Feed>,
    /// Which of them holds the country, as a place in `wanted`.
    pub country_field: Option<usize>,
    /// Bytes of the header.
    pub skip: usize,
    /// Line ends in the header.
    pub header_lines: u64,
    /// What was found rather than told, for people.
    pub notes: Vec<String>,
    /// Columns that hold identifiers, as messages call them, and what they hold; for hints.
    pub columns: Vec<(String, &'static str)>,
}

/// Plans an input. `only` restricts a suppression list to one audience.
pub fn plan(
    source: Source,
    role: Role,
    audiences: &[Audience],
    read: &ReadOptions,
    only: Option<UserType>,
) -> Result<SourcePlan> {
    let (dialect, table) =
        record::detect(&source.sample, source.is_sample_all, &source.path, read.format);
    let finder = Finder { source: &source, table: &table, dialect, role, read };
    let mut notes = Vec::new();
    let mut found: Vec<(usize, Found)> = Vec::new();
    for (index, audience) in audiences.iter().enumerate() {
        if only.is_some_and(|only| only != audience.spec.user_type) {
            continue;
        }
        match finder.column(audience) {
            Ok(column) => found.push((index, column)),
            // A suppression list need not concern every audience.
            Err(_) if role == Role::Suppressed && only.is_none() && audiences.len() > 1 => {}
            Err(error) => return Err(error),
        }
    }
    finder.check_suppression(&found, audiences)?;
    let has_header = finder.has_header(&found, audiences);
    let country = finder.country_column()?;
    let mut wanted: Vec<usize> =
        found.iter().map(|(_, found)| found.index).chain(country).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let field_of = |index: usize| wanted.partition_point(|wanted| *wanted < index);
    let mut feeds = Vec::new();
    for (audience, found) in found {
        let name = if has_header { table.header(found.index) } else { None };
        let column = Column { index: found.index, name };
        if found.is_guess && table.width() > 1 {
            let user_type = audiences[audience].spec.user_type;
            notes
                .push(format!("took column {column} for {user_type}: its values are of that type"));
        }
        feeds.push(Feed { audience, field: field_of(column.index), column });
    }
    let skip = if has_header { table.second_row } else { 0 };
    let header_lines = record::count_lines(&source.sample[..skip], dialect.line_end);
    let country_field = country.map(field_of);
    let columns = finder.columns();
    Ok(SourcePlan {
        source,
        role,
        dialect,
        wanted,
        feeds,
        country_field,
        skip,
        header_lines,
        notes,
        columns,
    })
}

/// Plans a part of an earlier run, which throng wrote: one canonical value a line.
pub fn plan_known(source: Source, audience: usize) -> SourcePlan {
    let dialect =
        Dialect { framing: crate::source::Framing::Lines { end: b'\n' }, line_end: b'\n' };
    SourcePlan {
        source,
        role: Role::Known,
        dialect,
        wanted: vec![0],
        feeds: vec![Feed { audience, column: Column { index: 0, name: None }, field: 0 }],
        country_field: None,
        skip: 0,
        header_lines: 0,
        notes: Vec::new(),
        columns: Vec::new(),
    }
}

/// A column, and how it was found.
struct Found {
    index: usize,
    is_named: bool,
    is_guess: bool,
}

struct Finder<'a> {
    source: &'a Source,
    table: &'a SampleTable,
    dialect: Dialect,
    role: Role,
    read: &'a ReadOptions,
}

impl Finder<'_> {
    fn column(&self, audience: &Audience) -> Result<Found> {
        let spec = &audience.spec;
        if self.role == Role::Suppressed {
            // The input's column names need not be those of the list, but if they are, they count.
            let selector = self.read.suppress_column.as_ref();
            return match (selector, &spec.column) {
                (Some(selector), _) => self.selected(selector),
                (None, Some(ColumnSelector::Name(name))) if self.table.find(name).is_some() => {
                    self.selected(&ColumnSelector::Name(name.clone()))
                }
                _ => self.guess(audience),
            };
        }
        spec.column.as_ref().map_or_else(|| self.guess(audience), |column| self.selected(column))
    }

    fn selected(&self, selector: &ColumnSelector) -> Result<Found> {
        match selector {
            ColumnSelector::Name(_) if self.read.header == Header::Absent => Err(Error::usage(
                format!("column {selector} cannot be found by name with --no-header"),
                "give its number, counted from 1",
            )),
            ColumnSelector::Name(name) => match self.table.find(name) {
                Some(index) => Ok(Found { index, is_named: true, is_guess: false }),
                None => Err(Error::input(
                    &self.source.path,
                    format!("no column is called {selector}"),
                    self.columns_hint(),
                )),
            },
            ColumnSelector::Number(number) => {
                let width = self.table.width();
                // An empty sample says nothing about columns.
                if *number > width && width > 0 {
                    return Err(Error::input(
                        &self.source.path,
                        format!("there is no column {number}, rows have {width}"),
                        self.columns_hint(),
                    ));
                }
                Ok(Found { index: number - 1, is_named: false, is_guess: false })
            }
        }
    }

    /// The one column that can be meant, by its values and, if these leave a choice, by its header.
    fn guess(&self, audience: &Audience) -> Result<Found> {
        let user_type = audience.spec.user_type;
        let width = self.table.width();
        let found = |index| Ok(Found { index, is_named: false, is_guess: true });
        if width <= 1 && (self.role != Role::Suppressed || self.fits(audience, 0)) {
            return found(0);
        }
        let fitting: Vec<usize> = (0..width).filter(|index| self.fits(audience, *index)).collect();
        match fitting[..] {
            [index] => return found(index),
            [] => {
                return Err(Error::input(
                    &self.source.path,
                    format!("no column holds values for {user_type}"),
                    self.columns_hint(),
                ));
            }
            _ => {}
        }
        let named: Vec<usize> = fitting
            .iter()
            .copied()
            .filter(|index| self.is_called_like(*index, user_type))
            .collect();
        if let [index] = named[..] {
            return found(index);
        }
        let candidates = if named.is_empty() { fitting } else { named };
        let list: Vec<String> = candidates.iter().map(|index| self.describe(*index)).collect();
        Err(Error::usage(
            format!(
                "more than one column of {} can be meant for {user_type}: {}",
                crate::error::Quoted(&self.source.path),
                list.join(", ")
            ),
            "choose one with --column, or with --map COLUMN=TYPE",
        ))
    }

    /// Whether most values of a column, leaving its first cell out, are accepted.
    fn fits(&self, audience: &Audience, index: usize) -> bool {
        let (mut accepted, mut rejected) = (0_usize, 0_usize);
        let first = usize::from(self.table.rows.len() > 1);
        for cell in self.table.cells(index).skip(first) {
            match self.judge(audience, cell) {
                Verdict::Raw(_) | Verdict::Prehashed(_) => accepted += 1,
                Verdict::Rejected(reason) if reason.suggests_wrong_file() => rejected += 1,
                Verdict::Rejected(_) | Verdict::Blank => {}
            }
        }
        accepted > 0 && accepted >= rejected
    }

    fn judge(&self, audience: &Audience, cell: &[u8]) -> Verdict {
        let value = Value { bytes: Some(cell), country: None };
        match audience.normalizer.one(self.dialect.wrapping(), value, &mut Vec::new()) {
            // With the row's country, which is not at hand here, it is a number like any other.
            Verdict::Rejected(Reason::NationalNumber) if self.read.country_column.is_some() => {
                Verdict::Raw(Note::Plain)
            }
            verdict => verdict,
        }
    }

    fn is_called_like(&self, index: usize, user_type: UserType) -> bool {
        let words: &[&str] = match user_type {
            UserType::EmailHash => &["mail"],
            UserType::PhoneHash => &["phone", "tel", "mobile", "cell", "msisdn", "handy"],
            UserType::Fbid => &["facebook", "fbid", "fb_", "fb id"],
            UserType::CustomAudienceThirdPartyId => &["third", "external", "loyalty", "customer"],
            UserType::MobileAdvertiserId => {
                &["idfa", "gaid", "aaid", "maid", "advert", "ad id", "ad_id"]
            }
        };
        let header = self.table.header(index).unwrap_or_default().to_lowercase();
        self.shows_header() && words.iter().any(|word| header.contains(word))
    }

    /// Whether the first row is a header, because of how a column was named or because its cell is no value of the
    /// type while those below are.
    fn has_header(&self, found: &[(usize, Found)], audiences: &[Audience]) -> bool {
        self.read.header == Header::Auto
            && (self.is_header_elsewhere()
                || found.iter().any(|(audience, found)| {
                    let audience = &audiences[*audience];
                    let first = self.table.cells(found.index).next();
                    let is_value = first.is_none_or(|cell| {
                        !matches!(self.judge(audience, cell), Verdict::Rejected(_))
                    });
                    found.is_named
                        || (!is_value
                            && self.table.rows.len() > 1
                            && self.fits(audience, found.index))
                }))
    }

    /// Whether other columns show that the first row is a header, for types that accept nearly anything: all its cells
    /// are filled, differ, and none looks like the identifiers below them.
    fn is_header_elsewhere(&self) -> bool {
        let Some(first) = self.table.rows.first() else { return false };
        let is_filled = first.iter().all(|cell| !trim(cell).is_empty());
        let differ = first.iter().enumerate().all(|(at, cell)| !first[..at].contains(cell));
        first.len() > 1 && is_filled && differ && self.shows_header()
    }

    /// Whether the first row may be shown to people: some column below it holds identifiers, and its own cell there
    /// does not look like one. The first row of a list without a header is a person.
    fn shows_header(&self) -> bool {
        let has_shape = |cell: &[u8]| Shape::of(cell) != Shape::Other;
        let Some(first) = self.table.rows.first() else { return false };
        self.read.header == Header::Auto
            && !first.iter().any(|cell| has_shape(cell))
            && (0..first.len()).any(|index| {
                let below = self.table.cells(index).skip(1);
                let (shaped, all) = below.fold((0, 0), |(shaped, all), cell| {
                    (shaped + usize::from(has_shape(cell)), all + 1)
                });
                shaped > 0 && shaped * 2 >= all
            })
    }

    fn describe(&self, index: usize) -> String {
        let name = if self.shows_header() { self.table.header(index) } else { None };
        Column { index, name }.to_string()
    }

    /// The columns that hold identifiers, and which, leaving the first row out.
    fn columns(&self) -> Vec<(String, &'static str)> {
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

    /// What there is to choose from, for a person who named a column that is not there.
    fn columns_hint(&self) -> String {
        let holds: Vec<String> = self
            .columns()
            .into_iter()
            .map(|(column, what)| format!("column {column} holds {what}"))
            .collect();
        let names = (0..self.table.width()).take(COLUMNS_SHOWN).map(|index| self.describe(index));
        if !holds.is_empty() {
            holds.join("; ")
        } else if self.shows_header() {
            format!("its columns: {}", names.collect::<Vec<_>>().join(", "))
        } else {
            format!("rows have {} columns", self.table.width())
        }
    }

    fn check_suppression(&self, found: &[(usize, Found)], audiences: &[Audience]) -> Result<()> {
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
        let same_column = found.iter().any(|(one, a)| {
            found.iter().any(|(other, b)| one < other && a.index == b.index && !a.is_named)
        });
        if same_column {
            let names: Vec<&str> =
                found.iter().map(|(index, _)| audiences[*index].spec.user_type.name()).collect();
            return Err(Error::input(
                path,
                format!("this suppression list can be meant for {}", names.join(" and for ")),
                "say which: --suppress TYPE=FILE",
            ));
        }
        Ok(())
    }

    fn country_column(&self) -> Result<Option<usize>> {
        match &self.read.country_column {
            None => Ok(None),
            Some(ColumnSelector::Name(name)) if self.role == Role::Suppressed => {
                Ok(self.table.find(name))
            }
            Some(ColumnSelector::Number(number)) if self.role == Role::Suppressed => {
                Ok((*number <= self.table.width() && self.table.width() > 1).then(|| number - 1))
            }
            Some(selector) => self.selected(selector).map(|found| Some(found.index)),
        }
    }
}
