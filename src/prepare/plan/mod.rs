//! Choosing the columns of an input that feed each audience, from its first rows before anything is read in earnest.

mod audience;
mod beside;
mod empty;
mod finder;
mod header;
mod look;
mod partition;
mod titles;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use self::audience::Audience;
pub use self::empty::{Empty, Headers};
use self::finder::{Finder, Found};
use self::look::{Look, Seen};
pub(super) use self::partition::Partitions;
use super::form::{Digits, Form};
use crate::config::{ColumnSelector, Condition, ReadOptions, SuppressInput};
use crate::dedup::Layer;
use crate::dedup::SpelledIn;
use crate::dialect::Framing;
use crate::dialect::{Column, Csv, Dialect, count_lines};
use crate::error::{Error, Result};
use crate::limits::LISTS_MAX;
use crate::normalize::{Country, Normalizer, Surroundings};
use crate::quote::Quoted;
use crate::record::{Places, SampleTable};
use crate::role::Role;
use crate::source::Source;
use crate::source::parquet::Table;
use crate::trim::{is_null_word, trim};
use crate::user_type::UserType;

/// A column that feeds an audience.
#[derive(Clone, Debug)]
pub struct Feed {
    /// The audience, by its index.
    pub audience: usize,
    /// The column.
    pub column: Column,
    /// Its place among the wanted columns.
    pub field: usize,
    /// What its values look like in the first rows.
    pub form: Form,
    /// How long its numbers are there.
    pub digits: Digits,
    /// The rule for its values, if it has one of its own.
    pub rule: Option<Arc<Normalizer>>,
    /// Its input, if spellings of ids are compared within it.
    pub spelled_in: Option<SpelledIn>,
    /// Its place among the columns of the audience.
    pub number: usize,
}

/// A condition that rows must fulfil.
#[derive(Clone, Debug)]
pub struct RowCondition {
    /// The condition.
    pub condition: Condition,
    /// The place of its column among the wanted ones; `None` if it is a folder, and all rows fulfil it.
    pub field: Option<usize>,
}

/// An input, ready to be read.
#[derive(Debug)]
pub struct SourcePlan {
    /// The input.
    pub source: Source,
    /// The role of its entries.
    pub role: Role,
    /// Number of the opt-out list that it belongs to, counted from 0; 0 for what is none.
    pub list: usize,
    /// Notation of its records.
    pub dialect: Dialect,
    /// Number of its records, if it says so.
    pub rows: Option<u64>,
    /// The columns to read, counted from 0, in ascending order, each once.
    pub wanted: Vec<usize>,
    /// Columns that feed audiences.
    pub feeds: Vec<Feed>,
    /// True if the user said which column of this suppression list is meant.
    pub is_list_column_told: bool,
    /// Index in `wanted` of the column that holds the country.
    pub country_field: Option<usize>,
    /// The country of all its rows, if it is a folder that it is in.
    pub country: Option<Vec<u8>>,
    /// Conditions that its rows must fulfil.
    pub conditions: Vec<RowCondition>,
    /// Bytes of the header.
    pub skip: usize,
    /// Line ends in the header.
    pub header_lines: u64,
    /// What it holds, if it holds nobody. Nothing of it is read.
    pub empty: Option<Empty>,
    /// The header as it is written, without its line end; nothing if there is none.
    pub header: Vec<u8>,
    /// What is known of the places of values.
    pub places: Places,
    /// Notes for people on what was found out rather than given.
    pub notes: Vec<String>,
    /// Warnings of the same kind.
    pub warnings: Vec<String>,
    /// Columns that hold identifiers, as messages call them, and what they hold; of those that hints are about.
    pub columns: Vec<(String, &'static str)>,
    /// True if it has columns that feed no audience.
    pub has_other_columns: bool,
    /// A column with digests as those that are read, and the type that it is called like, if throng chose the type.
    pub unread_digests: Option<(String, UserType)>,
}

impl SourcePlan {
    /// The layer of its entries.
    pub(super) fn layer(&self) -> Layer {
        match self.role {
            Role::Suppressed => Layer::of_list(self.list.min(LISTS_MAX - 1)),
            other => Layer::of(other),
        }
    }
}

/// What an input is planned for.
#[derive(Clone, Copy, Debug)]
pub struct Purpose<'a> {
    /// The role of its entries.
    pub role: Role,
    /// The audiences that it can feed.
    pub audiences: &'a [Audience],
    /// How inputs are read.
    pub read: &'a ReadOptions,
    /// What is known of a suppression list.
    pub list: Option<&'a SuppressInput>,
    /// True if hints on what is wrong with the inputs name its columns.
    pub is_hinted_at: bool,
}

/// What became of an input.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "most are plans")]
pub enum Planned {
    /// Its plan, and its header.
    Plan(SourcePlan, Headers),
    /// It can only be planned when the headers of those before it are known.
    Later(Source),
}

/// Plans an input; `headers` are those of the inputs before it, if they are known.
#[expect(
    clippy::too_many_lines,
    reason = "steps that are one line each, and the plan that they lead to"
)]
pub fn plan(
    mut source: Source,
    Purpose { role, audiences, read, list, is_hinted_at }: Purpose<'_>,
    headers: Option<&Headers>,
) -> Result<Planned> {
    let (only, list_column) =
        list.map_or((None, None), |list| (list.user_type, list.column.as_ref()));
    let partitions = Partitions::of(&source.path);
    let conditions = conditions_of(role, read, list);
    if conditions.iter().any(|condition| partitions.are_left_out(condition)) {
        let dialect = Dialect { framing: Framing::Lines };
        let plan = empty::plan(source, role, dialect, Empty::LeftOut);
        return Ok(Planned::Plan(plan, Headers::default()));
    }
    let own_country = country_of(&source, read, &partitions)?;
    let country_column = read.country_column.as_ref().filter(|_| own_country.is_none());
    let columns = look::columns(&source, read.format)?;
    let told = told_columns(audiences, country_column, list_column, conditions, &partitions);
    let is_formless = audiences.iter().any(|audience| !audience.spec.user_type.has_form());
    let look = Look { source: &source, role, read, told: &told, is_formless };
    let Seen { mut dialect, table, mut notes, has_titles } = look.at(columns.as_ref())?;
    let finder = Finder {
        source: &source,
        table: &table,
        dialect,
        role,
        read,
        has_one_type: role != Role::Suppressed || only.is_some() || have_one_type(audiences),
        list_column,
        country_column,
        country: own_country.as_deref(),
        partitions: &partitions,
        columns: columns.as_ref(),
        has_titles,
        has_told_name: titles::has_any(&table, &told),
    };
    if headers.is_none() && finder.may_be_header_alone() {
        return Ok(Planned::Later(source));
    }
    let (mut warnings, none) = (Vec::new(), Headers::default());
    if let Some(empty) = finder.holds_nobody(audiences, headers.unwrap_or(&none)) {
        return Ok(Planned::Plan(empty::plan(source, role, dialect, empty), none));
    }
    let found = find_columns(&finder, audiences, only, (&mut notes, &mut warnings))?;
    let country = finder.country_column()?;
    let compared = finder.compared(conditions)?;
    let beside: Vec<Found> = country.iter().chain(compared.iter().flatten()).copied().collect();
    let has_header = finder.has_header(&found, &beside, audiences);
    notes.extend(finder.first_row_note(has_header, &found, &beside, audiences));
    let width = finder.record_width(has_header)?;
    dialect.set_width(width);
    let places = width.map_or_else(Places::default, |width| table.places(width));
    let wanted = wanted_columns(found.iter().map(|(_, found)| found).chain(&beside));
    let field_of = |index: usize| wanted.partition_point(|wanted| *wanted < index);
    let feeds = feeds_of(&finder, &found, audiences, has_header, field_of, &mut notes);
    let conditions = row_conditions(columns.as_ref(), conditions, &compared, field_of);
    let (skip, header, own) = header_of(&source, &table, has_header);
    let header_lines = count_lines(&source.sample[..skip]);
    let rows = columns.as_ref().map(|columns| columns.groups().map(u64::from).sum());
    check_columns(columns.as_ref(), &feeds, country.as_ref(), &compared)?;
    let (has_other_columns, unread_digests) = finder.unread(audiences, &found, only);
    let columns = if is_hinted_at { finder.columns() } else { Vec::new() };
    source.forget_sample();
    let plan = SourcePlan {
        source,
        role,
        list: 0,
        dialect,
        rows,
        country_field: country.map(|found| field_of(found.index)),
        country: own_country,
        wanted,
        feeds,
        is_list_column_told: list_column.is_some(),
        conditions,
        skip,
        header_lines,
        empty: None,
        header,
        places,
        notes,
        warnings,
        columns,
        has_other_columns,
        unread_digests,
    };
    Ok(Planned::Plan(plan, own))
}

/// The country of all rows of an input, if the column of countries is a folder that it is in.
fn country_of(
    source: &Source,
    read: &ReadOptions,
    partitions: &Partitions,
) -> Result<Option<Vec<u8>>> {
    let value = read.country_column.as_ref().and_then(|column| partitions.value(column));
    let Some(value) = value else { return Ok(None) };
    let is_blank = trim(value).is_empty() || is_null_word(trim(value));
    if !is_blank && Country::parse(value).is_none() {
        return Err(Error::input(
            &source.path,
            "the folder that is its column of countries names none",
            format!("countries are {}", Country::FORMS),
        ));
    }
    Ok(Some(value.to_vec()))
}

/// Bytes of the header and of what is above it, the header without its line end, and its names.
fn header_of(source: &Source, table: &SampleTable, has_header: bool) -> (usize, Vec<u8>, Headers) {
    let skip = if has_header { table.second_row } else { table.first_row };
    let header = without_line_ends(&source.sample[table.first_row..skip]).to_vec();
    let mut names = Headers::default();
    if let Some(cells) = table.rows.first().filter(|_| has_header) {
        names.add(cells, &header);
    }
    (skip, header, names)
}

/// Columns in ascending order, each once.
fn wanted_columns<'a>(used: impl Iterator<Item = &'a Found>) -> Vec<usize> {
    used.map(|found| found.index).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Conditions with the places of their columns among the wanted ones.
fn row_conditions(
    columns: Option<&Table>,
    conditions: &[Condition],
    compared: &[Option<Found>],
    field_of: impl Fn(usize) -> usize,
) -> Vec<RowCondition> {
    let is_boolean = |found: Found| columns.is_some_and(|of| of.is_of_booleans(found.index));
    let on_row = |(condition, found): (&Condition, &Option<Found>)| RowCondition {
        condition: condition.clone().on_booleans(found.is_some_and(is_boolean)),
        field: found.map(|found| field_of(found.index)),
    };
    conditions.iter().zip(compared).map(on_row).collect()
}

/// True if all audiences are of one user type.
fn have_one_type(audiences: &[Audience]) -> bool {
    audiences.iter().all(|of| of.spec.user_type == audiences[0].spec.user_type)
}

/// The columns that feed audiences, with what is known of them; notes say which were guessed.
fn feeds_of(
    finder: &Finder<'_>,
    found: &[(usize, Found)],
    audiences: &[Audience],
    has_header: bool,
    field_of: impl Fn(usize) -> usize,
    notes: &mut Vec<String>,
) -> Vec<Feed> {
    let (table, role) = (finder.table, finder.role);
    let mut feeds: Vec<Feed> = Vec::new();
    for (audience, found) in found {
        let (number, audience) =
            (feeds.iter().filter(|of| of.audience == *audience).count(), *audience);
        let name = if has_header { table.header(found.index) } else { None };
        let column = Column { index: found.index, name };
        if found.is_guess && table.width() > 1 {
            let spec = &audiences[audience].spec;
            let why = if finder.fits(&audiences[audience], found.index) {
                "its values are of that type"
            } else {
                "it is called so, though it is blank in the first rows"
            };
            notes.push(format!("took column {column} for {spec}: {why}"));
        }
        let around = Surroundings {
            name: column.name.as_deref(),
            is_single: table.width() <= 1 && !finder.has_names(),
            is_member: role == Role::Member,
        };
        let below = || table.cells(found.index).skip(usize::from(has_header));
        let user_type = audiences[audience].spec.user_type;
        let (form, digits) = (Form::of(user_type, below()), Digits::of(user_type, below()));
        let own = audiences[audience].normalizer(role).of_column(below(), around).map(Arc::new);
        let (field, spelled_in) = (field_of(column.index), None);
        feeds.push(Feed { audience, field, column, form, digits, rule: own, spelled_in, number });
    }
    feeds
}

/// A text without the line ends at its end.
fn without_line_ends(text: &[u8]) -> &[u8] {
    let ends = text.iter().rev().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
    &text[..text.len() - ends]
}

/// Refuses columns of a file that has them apart, of which values or conditions cannot be read.
fn check_columns(
    columns: Option<&Table>,
    feeds: &[Feed],
    country: Option<&Found>,
    compared: &[Option<Found>],
) -> Result<()> {
    let Some(columns) = columns else { return Ok(()) };
    let read = feeds.iter().map(|feed| feed.column.index);
    let mut read = read.chain(country.map(|found| found.index));
    read.try_for_each(|index| columns.check_column(index))?;
    compared.iter().flatten().try_for_each(|found| columns.check_compared(found.index))
}

/// The columns that were told for an input; a list that was told one has no others.
fn told_columns<'a>(
    audiences: &'a [Audience],
    country_column: Option<&'a ColumnSelector>,
    list_column: Option<&'a ColumnSelector>,
    conditions: &'a [Condition],
    partitions: &Partitions,
) -> Vec<&'a ColumnSelector> {
    let compared = conditions.iter().map(Condition::column);
    let mut told: Vec<&ColumnSelector> =
        compared.filter(|column| partitions.value(column).is_none()).collect();
    if let Some(column) = list_column {
        told.push(column);
    } else {
        told.extend(audiences.iter().flat_map(|audience| &audience.spec.columns));
        told.extend(country_column);
    }
    told
}

/// The conditions for the rows of an input.
fn conditions_of<'a>(
    role: Role,
    read: &'a ReadOptions,
    list: Option<&'a SuppressInput>,
) -> &'a [Condition] {
    match (role, list) {
        (Role::Member, _) => &read.conditions,
        (_, Some(list)) => &list.conditions,
        _ => &[],
    }
}

/// Refuses an opt-out list with a column that is called like identifiers and is of a type that is not read: another
/// one must not take its place, and not nobody either.
fn check_hidden(
    columns: &Table,
    finder: &Finder<'_>,
    found: &[(usize, Found)],
    audiences: &[Audience],
    only: Option<UserType>,
) -> Result<()> {
    for (index, audience) in audiences.iter().enumerate() {
        let user_type = audience.spec.user_type;
        let is_meant = |column: usize| finder.is_called_like(column, user_type);
        let is_found = |(of, found): &(usize, Found)| {
            *of == index && (!found.is_guess || is_meant(found.index))
        };
        if only.is_some_and(|only| only != user_type) || found.iter().any(is_found) {
            continue;
        }
        let mut hidden =
            (0..finder.table.width()).filter(|of| is_meant(*of) && columns.hides(*of, user_type));
        hidden.try_for_each(|column| columns.check_column(column))?;
    }
    Ok(())
}

/// The columns that feed audiences. `only` restricts a suppression list to a type.
fn find_columns(
    finder: &Finder<'_>,
    audiences: &[Audience],
    only: Option<UserType>,
    (notes, warnings): (&mut Vec<String>, &mut Vec<String>),
) -> Result<Vec<(usize, Found)>> {
    let mut found: Vec<(usize, Found)> = Vec::new();
    let mut lacking = Vec::new();
    for (index, audience) in audiences.iter().enumerate() {
        if only.is_some_and(|only| only != audience.spec.user_type) {
            continue;
        }
        match finder.columns_of(audience) {
            Ok(columns) => found.extend(columns.into_iter().map(|column| (index, column))),
            // A suppression list need not concern every audience; but where it can be meant in two ways, nobody may be
            // left out of it in silence.
            Err(error @ Error::Input { .. }) if finder.role == Role::Suppressed => {
                lacking.push((index, error));
            }
            Err(error) => return Err(error),
        }
    }
    for (index, audience) in audiences.iter().enumerate() {
        let own = found.iter().filter(|(of, _)| *of == index).map(|(_, found)| *found);
        let note = finder.unread_note(audience, &own.collect::<Vec<_>>(), &found);
        notes.extend(note.filter(|note| !notes.contains(note)));
    }
    if finder.role == Role::Suppressed {
        share_opt_outs(&mut found, audiences);
    }
    for (index, error) in lacking {
        if found.iter().any(|(audience, _)| *audience == index) {
            continue;
        }
        if !finder.may_lack_types() {
            return Err(error);
        }
        warnings.push(finder.lacking(&audiences[index], &found));
    }
    finder.check_suppression(&found, audiences)?;
    if let Some(columns) = finder.columns.filter(|_| finder.role == Role::Suppressed) {
        check_hidden(columns, finder, &found, audiences, only)?;
    }
    Ok(found)
}

/// Whoever opted out of one audience of a type opted out of all of them, whatever their columns are called.
fn share_opt_outs(found: &mut Vec<(usize, Found)>, audiences: &[Audience]) {
    let type_of = |index: usize| audiences[index].spec.user_type;
    for (of, column) in found.clone() {
        for (index, audience) in audiences.iter().enumerate() {
            let has_it =
                found.iter().any(|(other, has)| *other == index && has.index == column.index);
            if audience.spec.user_type == type_of(of) && !has_it {
                found.push((index, column));
            }
        }
    }
}

/// Plans a part of an earlier run, which throng wrote: one canonical value a line.
pub fn plan_known(mut source: Source, audience: usize, role: Role) -> SourcePlan {
    source.forget_sample();
    plan_one_column(source, role, Framing::Lines, [audience])
}

/// Plans the list of those who were forgotten, which throng wrote: one entry a line for all audiences of its type, however
/// other files are read.
pub(crate) fn plan_forgotten(
    mut source: Source,
    audiences: &[Audience],
    user_type: UserType,
) -> SourcePlan {
    source.forget_sample();
    let is_of_type = |index: &usize| audiences[*index].spec.user_type == user_type;
    let fed = (0..audiences.len()).filter(is_of_type);
    let mut plan = plan_one_column(source, Role::Suppressed, Framing::Lines, fed);
    for feed in &mut plan.feeds {
        let rule = audiences[feed.audience].normalizer(Role::Suppressed);
        feed.rule = rule.of_written_ids().map(Arc::new);
    }
    plan
}

/// Plans values that a program hands over one by one: all audiences of one type have them.
pub(crate) fn plan_values(
    source: Source,
    role: Role,
    audiences: &[Audience],
    read: &ReadOptions,
    list: Option<&SuppressInput>,
) -> Result<SourcePlan> {
    if let Some(condition) = conditions_of(role, read, list).first() {
        return Err(Error::usage(
            format!("the values of {} have no column for `{condition}`", Quoted(&source.path)),
            "hand over those that are meant",
        ));
    }
    let only = list.and_then(|list| list.user_type);
    let type_of = |index: usize| audiences[index].spec.user_type;
    let fed: Vec<usize> = (0..audiences.len())
        .filter(|index| only.is_none_or(|only| only == type_of(*index)))
        .collect();
    if fed.iter().any(|index| type_of(*index) != type_of(fed[0])) {
        return Err(Error::usage(
            format!(
                "the values of {} can be meant for more than one user type",
                Quoted(&source.path)
            ),
            "make the audiences one by one, and say which type a suppression list is for",
        ));
    }
    Ok(plan_one_column(source, role, Framing::Csv(Csv::new(b',')), fed))
}

/// A source whose records have one value, of which is known for whom it is.
fn plan_one_column(
    source: Source,
    role: Role,
    framing: Framing,
    audiences: impl IntoIterator<Item = usize>,
) -> SourcePlan {
    let column = Column { index: 0, name: None };
    let form = Form::Unknown;
    let feed = |audience| Feed {
        audience,
        column: column.clone(),
        field: 0,
        form,
        digits: Digits::default(),
        rule: None,
        spelled_in: None,
        number: 0,
    };
    SourcePlan {
        source,
        role,
        list: 0,
        dialect: Dialect { framing },
        rows: None,
        wanted: vec![0],
        feeds: audiences.into_iter().map(feed).collect(),
        is_list_column_told: false,
        country_field: None,
        country: None,
        conditions: Vec::new(),
        skip: 0,
        header_lines: 0,
        empty: None,
        header: Vec::new(),
        places: Places::default(),
        notes: Vec::new(),
        warnings: Vec::new(),
        columns: Vec::new(),
        has_other_columns: false,
        unread_digests: None,
    }
}
