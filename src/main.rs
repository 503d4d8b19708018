//! The `throng` command: parse, run, print the error, choose the exit code.

mod cli;
mod commands;

use std::panic::{self, PanicHookInfo};

use clap::Parser;
use commands::say;
use throng::{Error, ExitCode};

fn main() -> std::process::ExitCode {
    panic::set_hook(Box::new(report_panic));
    let code = match panic::catch_unwind(run) {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => {
            say(format_args!("error: {error}"));
            if let Some(hint) = error.hint() {
                say(format_args!("hint: {hint}"));
            }
            error.exit_code()
        }
        // The hook has reported it.
        Err(_) => ExitCode::Internal,
    };
    std::process::ExitCode::from(code as u8)
}

/// Says where a defect showed, and nothing else: the text of a panic can quote what was being read.
fn report_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map_or_else(String::new, |place| format!(" at {place}"));
    say(format_args!("error: internal error: a check failed{place}"));
    say("hint: please report it with the command that you ran");
}

fn run() -> Result<ExitCode, Error> {
    match cli::Cli::parse().command {
        cli::Command::Prepare(args) => commands::prepare::run(*args),
        cli::Command::Hash(args) => commands::hash::run(&args),
        cli::Command::Verify(args) => commands::verify::run(&args),
        #[cfg(feature = "sandbox")]
        cli::Command::Sandbox(args) => commands::sandbox::run(*args),
    }
}
