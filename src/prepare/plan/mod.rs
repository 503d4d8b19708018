//! Choosing the columns of an input that feed each audience, from its first rows before anything is read in earnest.

mod audience;
mod beside;
mod empty;
mod finder;
mod found;
mod header;
mod look;
mod one_column;
mod partition;
mod planned;
mod titles;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use self::audience::Audience;
pub use self::empty::{Empty, Headers};
use self::finder::{Finder, Found};
use self::found::find_columns;
use self::look::{Look, Seen};
pub use self::one_column::plan_known;
pub(crate) use self::one_column::{plan_forgotten, plan_values};
pub(super) use self::partition::Partitions;
pub use self::planned::{Feed, Planned, Purpose, RowCondition, SourcePlan};
use super::form::{Digits, Form};
use crate::config::{ColumnSelector, Condition, ReadOptions, SuppressInput};
use crate::dialect::{Column, Dialect, Framing, count_lines};
use crate::error::{Error, Result};
use crate::normalize::{Country, Surroundings};
use crate::record::Places;
use crate::role::Role;
use crate::source::Source;
use crate::source::parquet::Table;
use crate::trim::{is_null_word, trim};

/// Plans an input; `headers` are those of the inputs before it, if they are known.
pub fn plan(source: Source, purpose: Purpose<'_>, headers: Option<&Headers>) -> Result<Planned> {
    let Purpose { role, audiences, read, list, .. } = purpose;
    let partitions = Partitions::of(&source.path);
    let conditions = conditions_of(role, read, list);
    if conditions.iter().any(|condition| partitions.are_left_out(condition)) {
        let dialect = Dialect { framing: Framing::Lines };
        let plan = empty::plan(source, role, dialect, Empty::LeftOut);
        return Ok(Planned::Plan(plan, Headers::default()));
    }
    let own_country = country_of(&source, read, &partitions)?;
    let country_column = read.country_column.as_ref().filter(|_| own_country.is_none());
    let list_column = list.and_then(|list| list.column.as_ref());
    let columns = look::columns(&source, read.format)?;
    let told = told_columns(audiences, country_column, list_column, conditions, &partitions);
    let is_formless = audiences.iter().any(|audience| !audience.spec.user_type.has_form());
    let look = Look { source: &source, role, read, told: &told, is_formless };
    let Seen { dialect, table, notes, has_titles } = look.at(columns.as_ref())?;
    let has_one_type = list.is_some_and(|list| list.user_type.is_some());
    let finder = Finder {
        source,
        table: &table,
        dialect,
        role,
        read,
        has_one_type: role != Role::Suppressed || has_one_type || have_one_type(audiences),
        list_column,
        country_column,
        country: own_country.as_deref(),
        partitions: &partitions,
        columns: columns.as_ref(),
        has_titles,
        has_told_name: titles::has_any(&table, &told),
    };
    if headers.is_none() && finder.may_be_header_alone() {
        return Ok(Planned::Later(finder.source));
    }
    if let Some(empty) = finder.holds_nobody(audiences, headers.unwrap_or(&Headers::default())) {
        let plan = empty::plan(finder.source, role, dialect, empty);
        return Ok(Planned::Plan(plan, Headers::default()));
    }
    let (plan, own) = plan_rows(finder, purpose, conditions, notes)?;
    Ok(Planned::Plan(plan, own))
}

/// Plans an input that has rows, and tells its header; `notes` are those on how it is written.
fn plan_rows(
    finder: Finder<'_>,
    Purpose { role, audiences, list, is_hinted_at, .. }: Purpose<'_>,
    conditions: &[Condition],
    mut notes: Vec<String>,
) -> Result<(SourcePlan, Headers)> {
    let only = list.and_then(|list| list.user_type);
    let mut warnings = Vec::new();
    let found = find_columns(&finder, audiences, only, (&mut notes, &mut warnings))?;
    let country = finder.country_column()?;
    let compared = finder.compared(conditions)?;
    let beside: Vec<Found> = country.iter().chain(compared.iter().flatten()).copied().collect();
    let has_header = finder.has_header(&found, &beside, audiences);
    notes.extend(finder.first_row_note(has_header, &found, &beside, audiences));
    let width = finder.record_width(has_header)?;
    let mut dialect = finder.dialect;
    dialect.set_width(width);
    let wanted = wanted_columns(found.iter().map(|(_, found)| found).chain(&beside));
    let field_of = |index: usize| wanted.partition_point(|wanted| *wanted < index);
    let feeds = feeds_of(&finder, &found, audiences, has_header, field_of, &mut notes);
    let (skip, header, own) = header_of(&finder, has_header);
    check_columns(finder.columns, &feeds, country.as_ref(), &compared)?;
    let (has_other_columns, unread_digests) = finder.unread(audiences, &found, only);
    let columns = if is_hinted_at { finder.columns() } else { Vec::new() };
    let mut plan = SourcePlan {
        role,
        list: 0,
        dialect,
        rows: finder.columns.map(|columns| columns.groups().map(u64::from).sum()),
        country_field: country.map(|found| field_of(found.index)),
        country: finder.country.map(<[u8]>::to_vec),
        conditions: row_conditions(finder.columns, conditions, &compared, field_of),
        wanted,
        feeds,
        is_list_column_told: finder.list_column.is_some(),
        skip,
        header_lines: count_lines(&finder.source.sample[..skip]),
        empty: None,
        header,
        places: width.map_or_else(Places::default, |width| finder.table.places(width)),
        notes,
        warnings,
        columns,
        has_other_columns,
        unread_digests,
        source: finder.source,
    };
    plan.source.forget_sample();
    Ok((plan, own))
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
fn header_of(finder: &Finder<'_>, has_header: bool) -> (usize, Vec<u8>, Headers) {
    let table = finder.table;
    let skip = if has_header { table.second_row } else { table.first_row };
    let header = without_line_ends(&finder.source.sample[table.first_row..skip]).to_vec();
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
