//! The `throng` command: parse, run, print the error, choose the exit code.
//!
//! It is here rather than in the binary, so that Python packages can have it without a second copy of everything, and can take
//! the same words from programs.

use std::ffi::OsString;
use std::panic::{self, PanicHookInfo};
use std::sync::Arc;

use clap::Parser;
use clap::error::ErrorKind;
use rustix::fs::Mode;
#[cfg(target_os = "linux")]
use rustix::process::DumpableBehavior;
use signal_hook::consts::SIGXFSZ;
use throng::quote::Lines;
use throng::{Error, ExitCode};

use crate::cli;
use crate::commands::{self, log};

/// Does what the command does with these arguments, of which the first is the program. It takes the process for its own: signals,
/// umask, the hook of panics.
pub fn main(args: Vec<OsString>) -> ExitCode {
    panic::set_hook(Box::new(report_panic));
    keep_memory_and_files();
    // A file over the limit (ulimit -f) is an error like any other; the signal would end the process.
    let _default = signal_hook::flag::register(SIGXFSZ, Arc::default());
    match panic::catch_unwind(|| run(cli::type_in(args))) {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => {
            log::fail(&error);
            error.exit_code()
        }
        // The hook has reported it.
        Err(_) => ExitCode::Internal,
    }
}

/// A core file would hold values and the token: there is none, nor can other processes of the user look into this one. A
/// limit alone would not do, since it does not hold for a program that takes core files from the system. And a umask that
/// denies the owner has no say: nobody could read what was written.
fn keep_memory_and_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};
    let limit = Rlimit { current: Some(0), ..getrlimit(Resource::Core) };
    let _unlimited = setrlimit(Resource::Core, limit);
    #[cfg(target_os = "linux")]
    let _visible = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let of_caller = umask(Mode::RWXG | Mode::RWXO);
    umask(of_caller - Mode::RWXU);
}

/// Says where a defect showed, and nothing else: the text of a panic can quote what was being read.
fn report_panic(panic: &PanicHookInfo<'_>) {
    if throng::source::is_quiet() {
        return;
    }
    let place = panic.location().map_or_else(String::new, |place| format!(" at {place}"));
    let hint = "please report it with the command that you ran";
    let message = format!("internal error: a check failed{place}");
    log::fail_with(&message, Some(hint), ExitCode::Internal);
}

fn run(args: &[OsString]) -> Result<ExitCode, Error> {
    let cli = match cli::Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return Ok(explain(&error)),
    };
    log::choose(cli.log);
    match cli.command {
        cli::Command::Prepare(args) => commands::prepare::run(*args),
        cli::Command::Hash(args) => commands::hash::run(&args),
        cli::Command::Verify(args) => commands::verify::run(&args),
        #[cfg(feature = "sandbox")]
        cli::Command::Sandbox(args) => commands::sandbox::run(*args),
        cli::Command::Upload(args) => commands::upload::run(*args),
        cli::Command::Audience(args) => commands::audience::run(args.command),
        cli::Command::Who(args) => commands::who::run(&args),
        cli::Command::Forget(args) => commands::forget::run(&args),
        cli::Command::History(args) => commands::history::run(&args),
        cli::Command::Sync(args) => commands::sync::run(&args),
        cli::Command::Completions(args) => commands::manual::completions(&args),
        cli::Command::Man(args) => commands::manual::man(&args),
    }
}

/// Prints help, the version, or what is wrong with the command line.
fn explain(error: &clap::Error) -> ExitCode {
    log::choose_from_raw_args();
    let text = error.to_string();
    if error.use_stderr() && log::is_json() {
        let message = text.trim_start_matches("error: ").split("\n\n").next().unwrap_or_default();
        log::fail_with(message.trim_end(), hint(error), ExitCode::Usage);
    } else {
        // What was typed, or came from a glob, may hold anything.
        if error.use_stderr() && text != Lines(&text).to_string() {
            log::say(log::Event::Message, text.trim_end());
        } else {
            let _unread = error.print();
        }
        if let Some(hint) = hint(error) {
            log::say(log::Event::Hint, hint);
        }
    }
    if error.use_stderr() { ExitCode::Usage } else { ExitCode::Done }
}

/// Guesses what somebody wants who has not used a command before.
fn hint(error: &clap::Error) -> Option<&'static str> {
    let text = error.to_string();
    let is_of = |command: &str| text.contains(&format!("Usage: throng {command} "));
    match error.kind() {
        ErrorKind::MissingRequiredArgument if text.contains("  --user-type <TYPE>\n") => Some(
            "say what the values are: -t email_hash for e-mail addresses, -t phone_hash for phone numbers; --help has all types",
        ),
        ErrorKind::InvalidValue if text.contains("'--user-type <TYPE>'") => Some(
            "email_hash is for e-mail addresses, phone_hash for phone numbers; --help has all types",
        ),
        ErrorKind::MissingRequiredArgument if is_of("upload") => {
            Some("to see what would happen, without an account: --create NAME --sandbox")
        }
        ErrorKind::MissingRequiredArgument if is_of("sync") => {
            Some("throng sync --init > nightly.toml writes a job file to begin with")
        }
        ErrorKind::UnknownArgument if is_of("hash") && !text.contains("argument '-") => Some(
            "it reads standard input: throng hash -t TYPE < FILE; for whole files: throng prepare",
        ),
        ErrorKind::InvalidSubcommand if !text.contains("  tip: ") && !is_of("audience") => {
            Some("to make upload files of a file: throng prepare FILE -t email_hash")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Output};

    use throng::{Input, Prepare, PrepareConfig, Progress, UserType};

    use super::{log, panic, report_panic};
    use crate::cli::LogFormat;

    /// Set in the process that panics, to the way in which it logs.
    const PANICKING: &str = "THRONG_PANICKING_TEST";

    /// Panics with a value in the text, as a defect may, while values are read, in a thread and in none.
    fn panic_with_values(format: LogFormat) {
        panic::set_hook(Box::new(report_panic));
        log::choose(format);
        let read = || {
            let dir = tempfile::tempdir().expect("a temporary directory");
            let mut config = PrepareConfig::new(UserType::EmailHash, dir.path().join("out"));
            let values = (0..9).map(|n| match n {
                7 => panic!("canary.{n}@example.com"),
                _ => Ok(format!("canary.{n}@example.com")),
            });
            config.inputs.push(Input::values("people", values));
            let progress = Progress::default();
            Prepare::plan(config, &progress).and_then(|plan| plan.run(&progress)).map(drop)
        };
        assert!(panic::catch_unwind(read).is_err());
        let indexing = || "canary.8@example.com"[..].split_at(usize::MAX);
        assert!(panic::catch_unwind(indexing).is_err());
        let unwrapping = || "".parse::<u32>().expect("canary.9");
        assert!(std::thread::spawn(unwrapping).join().is_err());
    }

    fn in_a_process(format: &str) -> Output {
        let mut command = Command::new(std::env::current_exe().expect("it has a path"));
        let name = "command::tests::a_panic_does_not_tell_what_was_read";
        command.args([name, "--exact", "--nocapture"]).env("RUST_BACKTRACE", "full");
        command.env(PANICKING, format).output().expect("it runs")
    }

    #[test]
    fn a_panic_does_not_tell_what_was_read() {
        match std::env::var(PANICKING).as_deref() {
            Ok("json") => return panic_with_values(LogFormat::Json),
            Ok(_) => return panic_with_values(LogFormat::Text),
            Err(_) => {}
        }
        for (format, line) in [
            ("text", "error: internal error: a check failed at "),
            ("json", r#""message":"internal error: a check failed at "#),
        ] {
            let ended = in_a_process(format);
            let said = String::from_utf8([ended.stdout, ended.stderr].concat()).expect("text");
            assert!(ended.status.success(), "{said}");
            assert_eq!(said.matches(line).count(), 3, "{said}");
            assert!(!said.contains("canary") && !said.contains("backtrace"), "{said}");
        }
    }
}
