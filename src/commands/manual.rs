//! `throng completions` and `throng man`: what the command line is, for shells and for readers.

use std::fs;

use clap::CommandFactory;
use throng::disk::{Readers, write_whole};
use throng::utc::Utc;
use throng::{Error, ExitCode, Result};

use super::{page, print};
use crate::cli::{Cli, CompletionsArgs, ManArgs};

pub(crate) fn completions(args: &CompletionsArgs) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "throng", &mut script);
    let script = String::from_utf8(script);
    print(script.map_err(|_| Error::Internal("the completions are not UTF-8"))?)?;
    Ok(ExitCode::Done)
}

pub(crate) fn man(args: &ManArgs) -> Result<ExitCode> {
    fs::create_dir_all(&args.dir).map_err(|e| Error::writing("create", &args.dir, e))?;
    let mut command = Cli::command().disable_help_subcommand(true);
    // Commands below commands learn their whole name by it.
    command.build();
    write_pages(&command, &day().iso_day(), args)?;
    Ok(ExitCode::Done)
}

/// The day that pages are of: packages that are to be the same bytes whenever they are made say it.
fn day() -> Utc {
    let said = std::env::var("SOURCE_DATE_EPOCH").ok();
    let seconds = said.and_then(|seconds| seconds.parse::<i64>().ok()?.checked_mul(1000));
    seconds.map_or_else(Utc::now, Utc)
}

/// The page of a command, and those of the commands below it.
fn write_pages(command: &clap::Command, day: &str, args: &ManArgs) -> Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let path = args.dir.join(format!("{name}.1"));
    let page = page::render(command, day).map_err(|e| Error::writing("write", &path, e))?;
    write_whole(&path, page.as_bytes(), Readers::Everyone)?;
    let below = command.get_subcommands().filter(|below| !below.is_hide_set());
    below.into_iter().try_for_each(|below| write_pages(below, day, args))
}
