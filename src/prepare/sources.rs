//! Sources of a run, in the order in which they are read.

use std::sync::Arc;

use rayon::ThreadPool;

use super::aliases::Alias;
use super::inputs::options;
use super::known;
use super::lists;
use super::notes::{Finding, merged};
use super::plan::{self, Audience, Headers, SourcePlan};
use crate::config::{Content, Input, PrepareConfig, SuppressInput};
use crate::error::{Error, Result};
use crate::quote::Quoted;
use crate::role::Role;
use crate::source::Source;
use crate::stop::Stop;

/// Plans all sources. Suppressed and known ones go first: they are small, and members are then all of one kind.
pub(super) fn plan(
    config: &PrepareConfig,
    audiences: &[Audience],
    pool: &ThreadPool,
    stop: &Stop,
) -> Result<Vec<SourcePlan>> {
    let made = &audiences[..config.audiences.len()];
    let mut planner = Planner {
        config,
        audiences,
        stop,
        headers: Headers::default(),
        plans: Vec::new(),
        lines: Vec::new(),
    };
    for suppress in &config.suppress {
        if let Some(only) = suppress.user_type
            && made.iter().all(|audience| audience.spec.user_type != only)
        {
            return Err(Error::usage(
                format!("a suppression list is for {only}, but no such audience is made"),
                "leave the type out, or add the audience",
            ));
        }
        planner.add(&suppress.input, Some(suppress))?;
    }
    for known in &config.against {
        stop.check()?;
        let plans = known::plan(known, made, pool, stop)?;
        planner.plans.extend(plans.into_iter().map(Some));
    }
    for input in &config.inputs {
        planner.add(input, None)?;
    }
    let mut sources = planner.finish()?;
    for (plan, list) in sources.iter_mut().zip(lists::numbers(&config.suppress)) {
        plan.list = list;
    }
    check_not_all_empty(&sources)?;
    hold_against_largest(&mut sources, made.len());
    Ok(sources)
}

/// Holds ids of columns of which little is known against the one of which most is known, of each audience.
fn hold_against_largest(sources: &mut [SourcePlan], audiences: usize) {
    for audience in 0..audiences {
        let members = sources.iter().filter(|plan| plan.role == Role::Member);
        let feeds = members.flat_map(|plan| &plan.feeds).filter(|feed| feed.audience == audience);
        let rules = feeds.filter_map(|feed| feed.rule.clone());
        let Some(usual) = rules.max_by_key(|rule| rule.known_values()) else { continue };
        let members = sources.iter_mut().filter(|plan| plan.role == Role::Member);
        for feed in members.flat_map(|plan| &mut plan.feeds) {
            if feed.audience == audience
                && let Some(rule) = feed.rule.as_ref().and_then(|rule| rule.held_against(&usual))
            {
                feed.rule = Some(Arc::new(rule));
            }
        }
    }
}

/// Plans inputs. Those of a single line come last, when it is known what others have for a header.
struct Planner<'a> {
    config: &'a PrepareConfig,
    /// The audiences that are made, and behind them those that take the digests of opt-out lists.
    audiences: &'a [Audience],
    stop: &'a Stop,
    headers: Headers,
    plans: Vec<Option<SourcePlan>>,
    /// Inputs of a single line, each with its place among the plans.
    lines: Vec<(usize, Source, Option<&'a SuppressInput>)>,
}

impl<'a> Planner<'a> {
    /// Plans an input, or puts it off; `list` says what is known of a suppression list.
    fn add(&mut self, input: &Input, list: Option<&'a SuppressInput>) -> Result<()> {
        let source = Source::inspect(input, self.stop)?;
        let plan = match input {
            Input::Supply(supply) if supply.content() == Content::Values => {
                let read = &self.config.read;
                let (audiences, first) = self.audiences_of(list)?;
                fed_from(first, plan::plan_values(source, role_of(list), audiences, read, list)?)
            }
            _ if source.is_line() => {
                self.lines.push((self.plans.len(), source, list));
                self.plans.push(None);
                return Ok(());
            }
            _ => self.plan(source, list)?,
        };
        self.plans.push(Some(plan));
        Ok(())
    }

    fn plan(&mut self, source: Source, list: Option<&SuppressInput>) -> Result<SourcePlan> {
        let read = &self.config.read;
        let (audiences, first) = self.audiences_of(list)?;
        let plan = plan::plan(source, role_of(list), audiences, read, list, &mut self.headers)?;
        Ok(fed_from(first, plan))
    }

    /// The audiences that an input can feed, and the number of the first of them.
    fn audiences_of(&self, list: Option<&SuppressInput>) -> Result<(&'a [Audience], usize)> {
        let (made, of_digests) = self.audiences.split_at(self.config.audiences.len());
        let alias = list.map(|list| Alias::of(list, &self.config.audiences)).transpose()?.flatten();
        let Some(alias) = alias else { return Ok((made, 0)) };
        let place = of_digests.iter().position(|audience| alias.is_taken_by(audience));
        let place = place.ok_or(Error::Internal("digests that nobody takes"))?;
        Ok((&of_digests[place..=place], made.len() + place))
    }

    fn finish(mut self) -> Result<Vec<SourcePlan>> {
        for (at, source, list) in std::mem::take(&mut self.lines) {
            self.plans[at] = Some(self.plan(source, list)?);
        }
        Ok(self.plans.into_iter().flatten().collect())
    }
}

/// A plan whose audiences are counted from `first`.
fn fed_from(first: usize, mut plan: SourcePlan) -> SourcePlan {
    plan.feeds.iter_mut().for_each(|feed| feed.audience += first);
    plan
}

fn role_of(list: Option<&SuppressInput>) -> Role {
    if list.is_some() { Role::Suppressed } else { Role::Member }
}

/// Refuses inputs that hold nobody: they would empty the audience.
fn check_not_all_empty(sources: &[SourcePlan]) -> Result<()> {
    let mut members = sources.iter().filter(|plan| plan.role == Role::Member);
    let Some(first) = members.next() else { return Ok(()) };
    let more = members.clone().count();
    let Some(empty) = first.empty.filter(|_| members.all(|plan| plan.empty.is_some())) else {
        return Ok(());
    };
    let path = Quoted(&first.source.path);
    let which = match more {
        0 => format!("{path} {}", empty.said()),
        _ => format!("{path} and {more} more are empty"),
    };
    Err(Error::WrongFile {
        message: format!("the inputs hold no values: {which}"),
        hint: Some("was the export written to its end?".to_owned()),
        limits: None,
    })
}

/// A note on inputs of a role that hold nobody.
fn empty_note(sources: &[SourcePlan], role: Role) -> Option<String> {
    let of_role = || sources.iter().filter(|plan| plan.role == role);
    let mut empty = of_role().filter_map(|plan| Some((&plan.source.path, plan.empty?)));
    let all = of_role().count();
    let (path, first) = empty.next()?;
    let (path, said) = (Quoted(path), first.said());
    let what = if role == Role::Suppressed { "opt-out lists" } else { "inputs" };
    Some(match empty.count() {
        0 if all == 1 => format!("{path} {said}"),
        0 => format!("1 of {all} {what} {said}: {path}"),
        more => format!("{} of {all} {what} are empty: {path} and {more} more", more + 1),
    })
}

/// Makes the notes on sources that were looked at, before they are read.
pub(super) fn notes(config: &PrepareConfig, sources: &[SourcePlan]) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for plan in sources {
        let path = &plan.source.path;
        let mut found = |text: String| findings.push(Finding { path: path.clone(), text });
        plan.source.encoding_note().map(str::to_owned).into_iter().for_each(&mut found);
        plan.notes.iter().cloned().for_each(&mut found);
    }
    for known in &config.against {
        findings.extend(known::rules_changed(known, &options(config))?);
    }
    let mut notes = config.notes.clone();
    notes.extend(merged(findings));
    notes.extend(empty_note(sources, Role::Suppressed));
    notes.extend(empty_note(sources, Role::Member));
    if config.output.rejects.as_ref().is_some_and(|list| list.with_values) {
        notes.push("the reject list holds raw values: keep it like the inputs".to_owned());
    }
    Ok(notes)
}
