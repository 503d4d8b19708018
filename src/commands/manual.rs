//! `throng completions` and `throng man`: what the command line is, for shells and for readers.

use std::fs;

use clap::CommandFactory;
use clap_mangen::Man;
use throng::emit::{Readers, write_whole};
use throng::{Error, ExitCode, Result};

use super::print;
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
    write_pages(&command, args)?;
    Ok(ExitCode::Done)
}

/// The page of a command, and those of the commands below it.
fn write_pages(command: &clap::Command, args: &ManArgs) -> Result<()> {
    let page = Man::new(command.clone());
    let path = args.dir.join(page.get_filename());
    let mut text = Vec::new();
    page.render(&mut text).map_err(|e| Error::writing("write", &path, e))?;
    write_whole(&path, &text, Readers::Everyone)?;
    let visible = command.get_subcommands().filter(|command| !command.is_hide_set());
    visible.into_iter().try_for_each(|command| write_pages(command, args))
}
