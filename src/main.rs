//! The `throng` command: parse, run, print the error, choose the exit code.
#![expect(clippy::print_stderr, reason = "this is where errors reach people")]

mod cli;
mod commands;

use clap::Parser;
use throng::{Error, ExitCode};

fn main() -> std::process::ExitCode {
    let code = match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            if let Some(hint) = error.hint() {
                eprintln!("hint: {hint}");
            }
            error.exit_code()
        }
    };
    std::process::ExitCode::from(code as u8)
}

fn run() -> Result<ExitCode, Error> {
    match cli::Cli::parse().command {
        cli::Command::Prepare(args) => commands::prepare::run(*args),
        cli::Command::Hash(args) => commands::hash::run(&args),
        cli::Command::Verify(args) => commands::verify::run(&args),
    }
}
