//! Plans of what has one value a record, of which is known for whom it is: nothing of it has to be found out.

use std::sync::Arc;

use super::{Audience, Feed, SourcePlan, conditions_of};
use crate::config::{ReadOptions, SuppressInput};
use crate::dialect::{Column, Csv, Dialect, Framing};
use crate::error::{Error, Result};
use crate::prepare::form::{Digits, Form};
use crate::quote::Quoted;
use crate::record::Places;
use crate::role::Role;
use crate::source::Source;
use crate::user_type::UserType;

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
pub(super) fn plan_one_column(
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
