//! Sources of a run, in the order in which they are read.

use std::sync::Arc;

use rayon::ThreadPool;
use rayon::prelude::*;

use super::aliases::Alias;
use super::inputs::options;
use super::known;
use super::lists;
use super::notes::{Finding, merged};
use super::plan::{self, Audience, Empty, Headers, Planned, Purpose, SourcePlan};
use crate::audience::FORGOTTEN_LIST;
use crate::config::{
    Content, Format, Header, Input, PrepareConfig, Quotes, ReadOptions, SuppressInput,
};
use crate::error::{Error, Result};
use crate::limits::INPUTS_PLANNED_PER_WORKER;
use crate::quote::Quoted;
use crate::role::Role;
use crate::source::{Opening, Source};
use crate::stop::Stop;
use crate::user_type::UserType;

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
    }
    let asked = |input, list| Asked { input, list, is_hinted_at: false };
    let lists = config.suppress.iter().map(|list| asked(&list.input, Some(list)));
    planner.add(&lists.collect::<Vec<_>>(), pool)?;
    for known in &config.against {
        stop.check()?;
        let plans = known::plan(known, made, pool, stop)?;
        planner.plans.extend(plans.into_iter().map(Some));
    }
    let mut members: Vec<Asked<'_>> =
        config.inputs.iter().map(|input| asked(input, None)).collect();
    if let Some(first) = members.first_mut() {
        first.is_hinted_at = true;
    }
    planner.add(&members, pool)?;
    let mut sources = planner.finish()?;
    for (plan, list) in sources.iter_mut().zip(lists::numbers(&config.suppress)) {
        plan.list = list;
    }
    check_not_all_empty(&sources)?;
    check_digests_are_read(&sources, audiences, made.len())?;
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

/// An input that is to be planned.
#[derive(Clone, Copy)]
struct Asked<'a> {
    input: &'a Input,
    /// What is known of a suppression list.
    list: Option<&'a SuppressInput>,
    /// True if hints on what is wrong with the inputs name its columns.
    is_hinted_at: bool,
}

/// An input that was looked at.
#[expect(clippy::large_enum_variant, reason = "most are planned")]
enum Looked {
    Planned(Planned),
    /// It is of a single line.
    Line(Source),
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
    lines: Vec<(usize, Source, Asked<'a>)>,
}

impl<'a> Planner<'a> {
    /// Plans inputs, or puts them off. Files that stand one behind the other are looked at side by side, a few for each
    /// thread so that an error does not wait for thousands behind it.
    fn add(&mut self, asked: &[Asked<'a>], pool: &ThreadPool) -> Result<()> {
        let are_files = |one: &Asked<'_>, next: &Asked<'_>| {
            Source::is_file(one.input) && Source::is_file(next.input)
        };
        let most = pool.current_num_threads() * INPUTS_PLANNED_PER_WORKER;
        for asked in asked.chunk_by(are_files).flat_map(|files| files.chunks(most)) {
            let begun = asked.iter().map(|asked| Source::begin(asked.input).transpose());
            let begun = begun.collect::<Result<Vec<_>>>()?;
            let look = |(asked, opening): (&Asked<'a>, Option<Opening>)| self.look(*asked, opening);
            let looked: Vec<Result<Looked>> =
                pool.install(|| asked.par_iter().zip(begun.into_par_iter()).map(look).collect());
            for (asked, looked) in asked.iter().zip(looked) {
                self.take(*asked, looked?)?;
            }
        }
        Ok(())
    }

    /// Looks at an input, and plans it if that does not depend on others.
    fn look(&self, asked: Asked<'a>, opening: Option<Opening>) -> Result<Looked> {
        let Asked { input, list, .. } = asked;
        let source = match (opening, input) {
            (Some(opening), Input::Object(location)) => {
                Source::inspect_opening(opening, location, self.stop)?
            }
            _ => Source::inspect(input, self.stop)?,
        };
        let planned = match input {
            Input::Supply(supply) if supply.content() == Content::Values => {
                let read = &self.config.read;
                let (audiences, first) = self.audiences_of(list)?;
                let plan = plan::plan_values(source, role_of(list), audiences, read, list)?;
                Planned::Plan(fed_from(first, plan), Headers::default())
            }
            _ if let Some(user_type) = list.and_then(forgotten) => {
                let (audiences, first) = self.audiences_of(list)?;
                let plan = plan::plan_forgotten(source, audiences, user_type);
                Planned::Plan(fed_from(first, plan), Headers::default())
            }
            _ if source.is_line() => return Ok(Looked::Line(source)),
            // The first rows of a table can take much memory.
            _ if source.is_parquet => Planned::Later(source),
            _ => self.plan(source, asked, None)?,
        };
        Ok(Looked::Planned(planned))
    }

    /// Takes an input whose turn it is.
    fn take(&mut self, asked: Asked<'a>, looked: Looked) -> Result<()> {
        let plan = match looked {
            Looked::Line(source) => {
                self.lines.push((self.plans.len(), source, asked));
                None
            }
            Looked::Planned(planned) => Some(self.finished(planned, asked)?),
        };
        self.plans.push(plan);
        Ok(())
    }

    /// The plan of an input, now that the headers of those before it are known.
    fn finished(&mut self, planned: Planned, asked: Asked<'a>) -> Result<SourcePlan> {
        let planned = match planned {
            Planned::Later(source) => self.plan(source, asked, Some(&self.headers))?,
            planned @ Planned::Plan(..) => planned,
        };
        let Planned::Plan(plan, own) = planned else {
            return Err(Error::Internal("an input is planned when all is known"));
        };
        self.headers.extend(own);
        Ok(plan)
    }

    fn plan(&self, source: Source, asked: Asked<'a>, headers: Option<&Headers>) -> Result<Planned> {
        let Asked { list, is_hinted_at, .. } = asked;
        let (audiences, first) = self.audiences_of(list)?;
        let own;
        let (role, mut read) = (role_of(list), &self.config.read);
        if let Input::Supply(supply) = asked.input
            && supply.content() == Content::Table
        {
            own = of_table(read);
            read = &own;
        }
        let purpose = Purpose { role, audiences, read, list, is_hinted_at };
        Ok(match plan::plan(source, purpose, headers)? {
            Planned::Plan(plan, own) => Planned::Plan(fed_from(first, plan), own),
            Planned::Later(source) => Planned::Later(source),
        })
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
        for (at, source, asked) in std::mem::take(&mut self.lines) {
            self.plans[at] = Some(self.finished(Planned::Later(source), asked)?);
        }
        Ok(self.plans.into_iter().flatten().collect())
    }
}

/// The type of the state's own list of those who were forgotten, if it is that one.
fn forgotten(list: &SuppressInput) -> Option<UserType> {
    list.user_type.filter(|_| list.list.as_deref() == Some(FORGOTTEN_LIST))
}

/// A plan whose audiences are counted from `first`.
fn fed_from(first: usize, mut plan: SourcePlan) -> SourcePlan {
    plan.feeds.iter_mut().for_each(|feed| feed.audience += first);
    plan
}

/// How a table is read that a program wrote, whatever the form of the other inputs.
fn of_table(read: &ReadOptions) -> ReadOptions {
    ReadOptions {
        format: Format::Csv,
        delimiter: Some(b','.into()),
        quotes: Some(Quotes::Doubled),
        // All quotes are meant: what is within them is not held against what rows look like.
        is_ragged: true,
        skip_rows: 0,
        header: Header::Auto,
        ..read.clone()
    }
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
    let is_left_out = |plan: &SourcePlan| plan.empty == Some(Empty::LeftOut);
    if sources.iter().filter(|plan| plan.role == Role::Member).all(is_left_out) {
        let inputs = more + 1;
        return Err(Error::WrongFile {
            message: format!(
                "the conditions leave out the partitions of all inputs, {inputs} files as {path}"
            ),
            hint: Some("check --where, and that the export has the partition".to_owned()),
            limits: None,
        });
    }
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

/// Refuses lists of digests that have some for another audience, too, in a column that nobody reads.
fn check_digests_are_read(
    sources: &[SourcePlan],
    audiences: &[Audience],
    made: usize,
) -> Result<()> {
    for plan in sources {
        let Some((column, user_type)) = &plan.unread_digests else { continue };
        let feeds_it = |of: &SourcePlan| {
            let is_of_type = |feed: &plan::Feed| {
                let audience = &audiences[feed.audience];
                audience.digest.is_some() && audience.spec.user_type == *user_type
            };
            of.source.path == plan.source.path && of.feeds.iter().any(is_of_type)
        };
        let is_made = audiences[..made].iter().any(|of| of.spec.user_type == *user_type);
        let Some(feed) = plan.feeds.first().filter(|_| is_made) else { continue };
        if sources.iter().any(feeds_it) {
            continue;
        }
        let spec = &audiences[feed.audience].spec;
        return Err(Error::usage(
            format!(
                "the suppression list {} is read for {} alone, and column {column} holds digests, too",
                Quoted(&plan.source.path),
                spec.user_type
            ),
            "give the file once for each type (--suppress email_hash:md5=FILE), or name its column with --suppress-column",
        ));
    }
    Ok(())
}

/// A note on inputs of a role that hold nobody.
fn empty_note(sources: &[SourcePlan], role: Role) -> Option<String> {
    let of_role = || {
        let is_read = |plan: &&SourcePlan| plan.empty != Some(Empty::LeftOut);
        sources.iter().filter(move |plan| plan.role == role).filter(is_read)
    };
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

/// A note on inputs of a role that are in partitions that conditions leave out.
fn left_out_note(sources: &[SourcePlan], role: Role) -> Option<String> {
    let of_role = || sources.iter().filter(|plan| plan.role == role);
    let mut left_out = of_role().filter(|plan| plan.empty == Some(Empty::LeftOut));
    let first = Quoted(&left_out.next()?.source.path);
    let what = if role == Role::Suppressed { "opt-out lists" } else { "inputs" };
    let (count, all) = (left_out.count() + 1, of_role().count());
    Some(format!(
        "{count} of {all} {what} are not read, since conditions leave their partitions out, as {first}"
    ))
}

/// The warning that all opt-out lists are empty.
fn all_lists_empty(sources: &[SourcePlan]) -> Option<String> {
    let mut lists = sources.iter().filter(|plan| plan.role == Role::Suppressed).peekable();
    let is_any = lists.peek().is_some();
    let note = empty_note(sources, Role::Suppressed)
        .or_else(|| left_out_note(sources, Role::Suppressed))
        .filter(|_| is_any)?;
    lists.all(|plan| plan.empty.is_some()).then(|| format!("{note}: NOBODY is held back"))
}

/// Makes the notes on sources that were looked at, before they are read, and the warnings.
pub(super) fn notes(
    config: &PrepareConfig,
    sources: &[SourcePlan],
) -> Result<(Vec<String>, Vec<String>)> {
    let (mut findings, mut warnings) = (Vec::new(), Vec::new());
    for plan in sources {
        let path = &plan.source.path;
        let mut found = |text: String| findings.push(Finding { path: path.clone(), text });
        plan.source.encoding_note().map(str::to_owned).into_iter().for_each(&mut found);
        plan.notes.iter().cloned().for_each(&mut found);
        let warned = plan.warnings.iter().cloned();
        warnings.extend(warned.map(|text| Finding { path: path.clone(), text }));
    }
    for known in &config.against {
        findings.extend(known::rules_changed(known, &options(config))?);
    }
    let mut notes = config.notes.clone();
    notes.extend(merged(findings));
    let mut warnings = merged(warnings);
    match all_lists_empty(sources) {
        Some(warning) => warnings.push(warning),
        None => notes.extend(empty_note(sources, Role::Suppressed)),
    }
    notes.extend(empty_note(sources, Role::Member));
    notes.extend(
        [Role::Suppressed, Role::Member].iter().filter_map(|role| left_out_note(sources, *role)),
    );
    if config.output.rejects.as_ref().is_some_and(|list| list.with_values) {
        notes.push("the reject list holds raw values: keep it like the inputs".to_owned());
    }
    Ok((notes, warnings))
}
