//! `throng verify`: does a directory still match its manifest?
#![expect(clippy::print_stderr, reason = "this is what people see")]

use throng::emit::Manifest;
use throng::{ExitCode, Result};

use super::machine;
use crate::cli::VerifyArgs;

pub(crate) fn run(args: &VerifyArgs) -> Result<ExitCode> {
    let manifest = Manifest::read(&args.dir)?;
    let pool = machine::pool(machine::threads(None)?)?;
    let problems = pool.install(|| manifest.problems(&args.dir))?;
    for problem in &problems {
        eprintln!("error: `{}` {}", problem.file.escape_debug(), problem.message);
    }
    if !problems.is_empty() {
        eprintln!("hint: prepare again; do not upload this directory");
        return Ok(ExitCode::Input);
    }
    for audience in &manifest.audiences {
        let (parts, lines) = (audience.parts.len(), audience.sets.written);
        eprintln!("{}: {lines} entries in {parts} parts match the manifest", audience.user_type);
    }
    Ok(ExitCode::Done)
}
