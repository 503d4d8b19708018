//! Entries that are in an audience already: directories of earlier runs, or single parts.

use std::path::{Path, PathBuf};

use rayon::ThreadPool;
use rayon::prelude::*;
use serde_json::{Map, Value};

use super::notes::Finding;
use super::plan::{self, Audience, SourcePlan};
use crate::config::{Input, KnownInput, KnownPart, KnownSource};
use crate::emit::{Manifest, PartManifest};
use crate::error::{Error, Result};
use crate::source::Source;
use crate::stop::Stop;

/// Options that decide what a value becomes.
const RULE_OPTIONS: [&str; 5] = ["case", "idn", "vanity", "country", "country-column"];

/// Plans the parts of what is known, after they were compared with what is known of their bytes.
pub(super) fn plan(
    known: &KnownInput,
    audiences: &[Audience],
    pool: &ThreadPool,
    stop: &Stop,
) -> Result<Vec<SourcePlan>> {
    let parts = match &known.source {
        KnownSource::Directory(dir) => of_directory(dir, audiences, pool, stop)?,
        KnownSource::Parts { label, parts, .. } => {
            let index = audiences.iter().position(|audience| audience.spec.label == *label);
            let index = index.ok_or(Error::Internal("parts of an audience that is not made"))?;
            pool.install(|| parts.par_iter().try_for_each(|part| check(part, stop)))?;
            parts.iter().map(|part| (part.path.clone(), index)).collect()
        }
    };
    let source = |(part, index): (PathBuf, usize)| {
        let source = Source::inspect(&Input::Path(part), stop)?;
        Ok(plan::plan_known(source, index, known.role))
    };
    pool.install(|| parts.into_par_iter().map(source).collect::<Vec<_>>()).into_iter().collect()
}

/// The parts of a directory, each with the index of its audience.
fn of_directory(
    dir: &Path,
    audiences: &[Audience],
    pool: &ThreadPool,
    stop: &Stop,
) -> Result<Vec<(PathBuf, usize)>> {
    let manifest = Manifest::read(dir)?;
    if let Some(problem) = pool.install(|| manifest.problems(dir, stop))?.first() {
        return Err(Error::input(
            dir,
            format!("it does not match its manifest: `{}` {}", problem.file, problem.message),
            "restore the directory, or leave --against out to prepare everybody",
        ));
    }
    let mut parts = Vec::new();
    for (index, Audience { spec, .. }) in audiences.iter().enumerate() {
        let of_audience = manifest.parts(dir, spec).ok_or_else(|| {
            let hint = format!("it holds {}", manifest.names());
            Error::input(dir, format!("it holds no {spec}"), hint)
        })?;
        parts.extend(of_audience.into_iter().map(|part| (part, index)));
    }
    Ok(parts)
}

/// Refuses a part that has changed or is lost.
fn check(part: &KnownPart, stop: &Stop) -> Result<()> {
    let KnownPart { path, lines, bytes, sha256 } = part;
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::Internal("a part without a name"));
    };
    let file = name.to_string_lossy().into_owned();
    let manifest = PartManifest { file, lines: *lines, bytes: *bytes, sha256: sha256.clone() };
    match manifest.problem(dir, stop)? {
        None => Ok(()),
        Some(problem) => {
            let message = format!("it {}", problem.message.replace("the manifest says", "it had"));
            Err(Error::input(path, message, ""))
        }
    }
}

/// A note for the case that known entries were made by other rules than those of `options`.
pub(super) fn rules_changed(
    known: &KnownInput,
    options: &Map<String, Value>,
) -> Result<Option<Finding>> {
    let (path, before) = match &known.source {
        KnownSource::Directory(dir) => (dir.clone(), Manifest::read(dir)?.options),
        KnownSource::Parts { parts, options, .. } => {
            let dir = parts.first().and_then(|part| part.path.parent()).unwrap_or(Path::new(""));
            (dir.to_owned(), serde_json::from_str(options).unwrap_or_default())
        }
    };
    // What `auto` lower-cases, an earlier version called `lower`.
    let said = |options: &Map<String, Value>, name: &str| match options.get(name) {
        Some(case) if name == "case" && case == "lower" => Some(Value::from("auto")),
        other => other.cloned(),
    };
    let is_changed = |name: &&str| said(&before, name) != said(options, name);
    let differ: Vec<&str> = RULE_OPTIONS.into_iter().filter(is_changed).collect();
    // Not everything says by which options it was made.
    if differ.is_empty() || before.is_empty() {
        return Ok(None);
    }
    let text = format!(
        "it was prepared with another --{}: the same people may count as new and as gone",
        differ.join(" and --")
    );
    Ok(Some(Finding { path, text }))
}
