//! The command's words from a program: what `throng` would do with these arguments, without a process, a terminal or signals of
//! its own. Bindings to other languages are made of it, so that they have each flag, default and message of the command.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use clap::Parser;
use serde_json::Value;
use throng::config::PrepareConfig;
use throng::filter::Filter;
use throng::stop::Stop;
use throng::sync::{SyncProgress, SyncRecord};
use throng::upload::Notice;
use throng::{Error, Progress, Result};

use crate::cli::{Cli, Command};
use crate::commands;

/// The rules of `throng hash` with these arguments behind it.
pub fn hash(args: Vec<OsString>) -> Result<Filter> {
    match parse("hash", args)?.0 {
        Command::Hash(args) => Ok(commands::hash::filter(&args)),
        _ => Err(OTHER),
    }
}

/// What `throng prepare` would be decided to do with these arguments behind it. Waiting for stores of objects ends when `stop`
/// says so.
pub fn prepare(args: Vec<OsString>, stop: &Stop) -> Result<PrepareConfig> {
    match parse("prepare", args)?.0 {
        Command::Prepare(args) => commands::prepare::decide(*args, stop),
        _ => Err(OTHER),
    }
}

/// Does what `throng sync` does with these arguments behind it: what came of it, if it began, and how it ended.
pub fn sync(
    args: Vec<OsString>,
    progress: &SyncProgress,
    watch: &(dyn Fn(&Notice<'_>) + Sync),
) -> Result<(SyncRecord, Result<()>)> {
    match parse("sync", args)? {
        (Command::Sync(args), words) => commands::sync::called(&args, &words, progress, watch),
        _ => Err(OTHER),
    }
}

/// Does what `throng verify` does: its findings, and how it ended.
pub fn verify(dir: &Path, stop: &Stop) -> Result<(Value, Result<()>)> {
    commands::verify::called(dir, stop)
}

/// How far a preparation is, in the figures of `--log json`.
pub fn figures_of_prepare(progress: &Progress, elapsed: Duration) -> Value {
    commands::progress::of_prepare(progress, elapsed).into_fields()
}

/// How far a nightly job is, in the figures of `--log json`.
pub fn figures_of_sync(progress: &SyncProgress, elapsed: Duration) -> Value {
    commands::progress::of_sync(progress, elapsed).into_fields()
}

const OTHER: Error = Error::Internal("another command was parsed");

/// The arguments as the command understands them, and the whole command line.
fn parse(command: &str, args: Vec<OsString>) -> Result<(Command, Vec<OsString>)> {
    let mut words = vec![OsString::from("throng"), command.into()];
    words.extend(args);
    let cli = Cli::try_parse_from(&words).map_err(|error| refused(&error))?;
    Ok((cli.command, words))
}

/// The first paragraph of what is wrong, which has the values that are possible, in one line.
fn refused(error: &clap::Error) -> Error {
    let text = error.to_string();
    let text = text.trim_start_matches("error: ").split("\n\n").next().unwrap_or_default();
    Error::usage(text.split_whitespace().collect::<Vec<_>>().join(" "), "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split(' ').map(Into::into).collect()
    }

    #[test]
    fn what_is_wrong_is_one_line_that_names_the_choices() {
        let error = hash(words("-t mail")).expect_err("no such type");
        let said = error.to_string();
        assert!(said.starts_with("invalid value 'mail' for '--user-type <TYPE>'"), "{said}");
        assert!(said.contains("[possible values: email_hash, phone_hash"), "{said}");
        assert!(!said.contains('\n'), "{said}");
        assert!(prepare(words("x.csv"), &Stop::default()).is_err());
        assert!(hash(words("-t email_hash")).is_ok());
    }
}
