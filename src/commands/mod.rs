//! One file a command: from what was typed to what is done, and what people see of it.

mod api;
pub(crate) mod audience;
pub(crate) mod forget;
pub(crate) mod hash;
pub(crate) mod history;
pub(crate) mod log;
pub(crate) mod manual;
mod page;
pub(crate) mod prepare;
pub(crate) mod progress;
#[cfg(feature = "sandbox")]
mod rehearsal;
#[cfg(not(feature = "sandbox"))]
#[path = "no_sandbox.rs"]
mod rehearsal;
#[cfg(feature = "sandbox")]
pub(crate) mod sandbox;
mod signals;
pub(crate) mod sync;
pub(crate) mod upload;
pub(crate) mod verify;
pub(crate) mod who;

use throng::upload::Notice;

use self::log::{Event, ask, say, tell};

/// Says what an upload found out on its way.
fn notify(notice: &Notice<'_>) {
    let event = if matches!(notice, Notice::Retry { .. }) { Event::Retry } else { Event::Note };
    say(event, notice);
}

/// A command as it can be pasted into a shell: the program, then its arguments.
fn shell_command(words: &[String]) -> String {
    let quoted = |word: &str| shlex::try_quote(word).map_or_else(|_| word.to_owned(), Into::into);
    let mut words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    // Whoever has no throng on the path has typed where it is.
    if let Some(program) = words.first_mut().filter(|program| !program.contains('/')) {
        "throng".clone_into(program);
    }
    let command = words.join(" ");
    match std::env::current_dir() {
        Ok(dir) => format!("cd {} && {command}", quoted(&dir.to_string_lossy())),
        Err(_) => command,
    }
}

/// Prints data on standard output. A reader that went away does not change what was done; a disk that is full does.
fn print(text: impl std::fmt::Display) -> throng::Result<()> {
    use std::io::{ErrorKind, Write};
    let mut stdout = std::io::stdout().lock();
    match write!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(throng::Error::stdout(&error)),
        _ => Ok(()),
    }
}

/// Prints a result as one line of JSON on standard output.
fn print_json(result: &impl serde::Serialize) -> throng::Result<()> {
    let line = serde_json::to_string(result)
        .map_err(|_| throng::Error::Internal("the result cannot be written as JSON"))?;
    print(format_args!("{}\n", throng::quote::JsonLine(&line)))
}
