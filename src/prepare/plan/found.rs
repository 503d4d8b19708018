//! Finding the columns of all audiences; of an opt-out list, nobody may be left out in silence.

use super::Audience;
use super::finder::{Finder, Found};
use crate::error::{Error, Result};
use crate::role::Role;
use crate::source::parquet::Table;
use crate::user_type::UserType;

/// The columns that feed audiences. `only` restricts a suppression list to a type.
pub(super) fn find_columns(
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
