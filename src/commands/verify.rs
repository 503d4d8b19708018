//! `throng verify`: does a directory still match its manifest?

use std::path::Path;

use serde::Serialize;
use serde_json::Value;
use throng::config::Label;
use throng::emit::{Manifest, Problem};
use throng::machine;
use throng::normalize::UserType;
use throng::quote::Quoted;
use throng::stop::Stop;
use throng::{Error, ExitCode, Result};

use super::{Event, print_json, say};
use crate::cli::VerifyArgs;

const HINT: &str = "do not upload this directory; prepare it again with --overwrite";

/// The findings, for programs.
#[derive(Serialize)]
struct Verified<'a> {
    dir: &'a Path,
    matches: bool,
    problems: &'a [Problem],
    audiences: Vec<Audience<'a>>,
}

#[derive(Serialize)]
struct Audience<'a> {
    label: &'a Label,
    user_type: UserType,
    entries: u64,
    parts: usize,
}

pub(crate) fn run(args: &VerifyArgs) -> Result<ExitCode> {
    let (manifest, problems) = look(&args.dir, &Stop::default())?;
    let verified = Verified::of(&args.dir, &manifest, &problems);
    if args.json {
        print_json(&verified)?;
    }
    for problem in &problems {
        say(Event::Error, said(&args.dir, problem));
    }
    if !problems.is_empty() {
        say(Event::Hint, HINT);
        return Ok(ExitCode::Input);
    }
    if !args.quiet {
        for Audience { label, entries, parts, .. } in &verified.audiences {
            let s = if *parts == 1 { "" } else { "s" };
            say(
                Event::Message,
                format_args!("{label}: {entries} entries in {parts} part{s} match the manifest"),
            );
        }
    }
    Ok(ExitCode::Done)
}

/// Verifies for a program that calls the library: the findings, and an error if there are problems.
pub(crate) fn called(dir: &Path, stop: &Stop) -> Result<(Value, Result<()>)> {
    let (manifest, problems) = look(dir, stop)?;
    let findings = serde_json::to_value(Verified::of(dir, &manifest, &problems))
        .map_err(|_| Error::Internal("the result cannot be written as JSON"))?;
    let outcome = problems.first().map_or(Ok(()), |problem| {
        let hint = Some(HINT.to_owned());
        Err(Error::WrongFile { message: said(dir, problem), hint, limits: None })
    });
    Ok((findings, outcome))
}

fn look(dir: &Path, stop: &Stop) -> Result<(Manifest, Vec<Problem>)> {
    let manifest = Manifest::read(dir)?;
    let pool = machine::pool(machine::cores())?;
    let problems = pool.install(|| manifest.problems(dir, stop))?;
    Ok((manifest, problems))
}

fn said(dir: &Path, problem: &Problem) -> String {
    format!("{} {}", Quoted(&dir.join(&problem.file)), problem.message)
}

impl<'a> Verified<'a> {
    fn of(dir: &'a Path, manifest: &'a Manifest, problems: &'a [Problem]) -> Self {
        let audiences = manifest.audiences.iter().map(|audience| Audience {
            label: &audience.label,
            user_type: audience.user_type,
            entries: audience.figures.sets.written,
            parts: audience.parts.len(),
        });
        Self { dir, matches: problems.is_empty(), problems, audiences: audiences.collect() }
    }
}
