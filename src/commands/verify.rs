//! `throng verify`: does a directory still match its manifest?

use serde::Serialize;
use throng::config::Label;
use throng::emit::{Manifest, Problem};
use throng::machine;
use throng::normalize::UserType;
use throng::quote::Quoted;
use throng::stop::Stop;
use throng::{ExitCode, Result};

use super::{Event, print_json, say};
use crate::cli::VerifyArgs;

/// The findings, for programs.
#[derive(Serialize)]
struct Verified<'a> {
    dir: &'a std::path::Path,
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
    let manifest = Manifest::read(&args.dir)?;
    let pool = machine::pool(machine::cores())?;
    let problems = pool.install(|| manifest.problems(&args.dir, &Stop::default()))?;
    let audiences = manifest.audiences.iter().map(|audience| Audience {
        label: &audience.label,
        user_type: audience.user_type,
        entries: audience.figures.sets.written,
        parts: audience.parts.len(),
    });
    let verified = Verified {
        dir: &args.dir,
        matches: problems.is_empty(),
        problems: &problems,
        audiences: audiences.collect(),
    };
    if args.json {
        print_json(&verified)?;
    }
    for problem in &problems {
        let path = args.dir.join(&problem.file);
        say(Event::Error, format_args!("{} {}", Quoted(&path), problem.message));
    }
    if !problems.is_empty() {
        say(Event::Hint, "do not upload this directory; prepare it again with --overwrite");
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
