//! Sources of a run, in the order in which they are read.

use rayon::ThreadPool;

use super::plan::{self, Audience, SourcePlan};
use crate::config::{Content, Input, KnownInput, PrepareConfig, SuppressInput};
use crate::emit::Manifest;
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
        sources.extend(plan_known(known, audiences, pool, stop)?);
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

fn plan_known(
    known: &KnownInput,
    audiences: &[Audience],
    pool: &ThreadPool,
    stop: &Stop,
) -> Result<Vec<SourcePlan>> {
    let dir = &known.dir;
    let manifest = Manifest::read(dir)?;
    if let Some(problem) = pool.install(|| manifest.problems(dir, stop))?.first() {
        return Err(Error::input(
            dir,
            format!("it does not match its manifest: `{}` {}", problem.file, problem.message),
            "restore the directory, or leave --against out to prepare everybody",
        ));
    }
    let mut sources = Vec::new();
    for (index, audience) in audiences.iter().enumerate() {
        let Audience { spec, .. } = audience;
        let parts = match (&known.labels, manifest.parts(dir, spec)) {
            (Some(labels), _) if !labels.contains(&spec.label) => continue,
            (Some(_), None) => continue,
            (_, Some(parts)) => parts,
            (None, None) => {
                let hint = format!("it holds {}", manifest.names());
                return Err(Error::input(dir, format!("it holds no {spec}"), hint));
            }
        };
        for part in parts {
            let source = Source::inspect(&Input::Path(part), stop)?;
            sources.push(plan::plan_known(source, index, known.role));
        }
    }
    Ok(sources)
}
