//! Sources of a run, in the order in which they are read.

use rayon::ThreadPool;

use super::inputs::options;
use super::known;
use super::notes::{Finding, merged};
use super::plan::{self, Audience, SourcePlan};
use crate::config::{Content, Input, PrepareConfig, SuppressInput};
use crate::error::{Error, Result};
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
    let mut sources = Vec::new();
    for suppress in &config.suppress {
        if let Some(only) = suppress.user_type
            && audiences.iter().all(|audience| audience.spec.user_type != only)
        {
            return Err(Error::usage(
                format!("a suppression list is for {only}, but no such audience is made"),
                "leave the type out, or add the audience",
            ));
        }
        sources.push(plan_source(&suppress.input, audiences, config, Some(suppress), stop)?);
    }
    for known in &config.against {
        stop.check()?;
        sources.extend(known::plan(known, audiences, pool, stop)?);
    }
    for input in &config.inputs {
        sources.push(plan_source(input, audiences, config, None, stop)?);
    }
    Ok(sources)
}

/// Plans an input; `list` says what is known of a suppression list.
fn plan_source(
    input: &Input,
    audiences: &[Audience],
    config: &PrepareConfig,
    list: Option<&SuppressInput>,
    stop: &Stop,
) -> Result<SourcePlan> {
    let source = Source::inspect(input, stop)?;
    let role = if list.is_some() { Role::Suppressed } else { Role::Member };
    match input {
        Input::Supply(supply) if supply.content() == Content::Values => {
            let only = list.and_then(|list| list.user_type);
            plan::plan_values(source, role, audiences, only)
        }
        _ => plan::plan(source, role, audiences, &config.read, list),
    }
}

/// Makes the notes on sources that were looked at, before they are read.
pub(super) fn notes(config: &PrepareConfig, sources: &[SourcePlan]) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for plan in sources {
        let path = &plan.source.path;
        let mut found = |text: String| findings.push(Finding { path: path.clone(), text });
        plan.source.encoding_note().map(str::to_owned).into_iter().for_each(&mut found);
        plan.notes.iter().cloned().for_each(&mut found);
        if plan.source.is_empty() && !plan.role.is_earlier() {
            found("the file is empty".to_owned());
        }
    }
    for known in &config.against {
        findings.extend(known::rules_changed(known, &options(config))?);
    }
    let mut notes = config.notes.clone();
    notes.extend(merged(findings));
    if config.output.rejects.as_ref().is_some_and(|list| list.with_values) {
        notes.push("the reject list holds raw values: keep it like the inputs".to_owned());
    }
    Ok(notes)
}
