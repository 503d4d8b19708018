//! Errors that end a run: the operation, the subject, the position and the cause, in one line that a person can act on.
//!
//! A rejected value is no error; see [`crate::reason::Reason`]. No error text holds bytes of a record.

mod exit_code;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::max_rejects::MaxRejects;
use crate::quote::{Cause, Quoted};

pub use self::exit_code::ExitCode;

/// Result of everything that can end a run.
pub type Result<T> = std::result::Result<T, Error>;

/// Side of the run that a file is on; it decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A file that is read.
    Input,
    /// A file that is written.
    Output,
}

/// Cause of a run's end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request contradicts itself or the state of the file system.
    #[error("{message}")]
    Usage {
        /// The fault.
        message: String,
        /// The remedy.
        hint: Option<String>,
    },
    /// The operating system refused an operation on a file.
    #[error("failed to {operation} {}: {}", Quoted(path), Cause(source))]
    Io {
        /// The operation, as a verb.
        operation: &'static str,
        /// On which file.
        path: PathBuf,
        /// The side of the run.
        side: Side,
        /// The cause.
        source: io::Error,
    },
    /// An input cannot be used.
    #[error("refused {}{}: {message}", Quoted(path), At(*line))]
    Input {
        /// The input.
        path: PathBuf,
        /// On which line, counted from 1.
        line: Option<u64>,
        /// Why.
        message: String,
        /// The remedy.
        hint: Option<String>,
    },
    /// An output cannot be written.
    #[error("cannot write {}: {message}", Quoted(path))]
    Output {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        message: String,
        /// The remedy.
        hint: Option<String>,
    },
    /// Values were rejected that speak for a wrong file.
    #[error("{message}")]
    WrongFile {
        /// The finding, with the counts by reason.
        message: String,
        /// The look of the values.
        hint: Option<String>,
        /// The value of `--max-rejects` and the one that would be enough, if nothing else speaks against the file.
        limits: Option<(MaxRejects, MaxRejects)>,
    },
    /// The memory from run to run cannot be used.
    #[error("failed to {operation} the {what} {}: {message}", Quoted(path))]
    State {
        /// Its name, such as `store`.
        what: &'static str,
        /// The operation, as a verb.
        operation: &'static str,
        /// Its path.
        path: PathBuf,
        /// The cause.
        message: String,
        /// The remedy.
        hint: Option<String>,
    },
    /// The API said no, or could not be reached.
    #[error("{message}")]
    Api {
        /// The exit code.
        code: ExitCode,
        /// The operation and the answer.
        message: String,
        /// The remedy.
        hint: Option<String>,
    },
    /// A signal asked to stop.
    #[error("stopped by {}", if *signal == signal_hook::consts::SIGINT { "SIGINT" } else { "SIGTERM" })]
    Stopped {
        /// The signal's number.
        signal: i32,
    },
    /// A defect of throng.
    #[error("internal error: {0}")]
    Internal(&'static str),
}

impl Error {
    /// An operation on an input failed.
    pub fn reading(operation: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { operation, path: path.to_owned(), side: Side::Input, source }
    }

    /// An operation on an output failed.
    pub fn writing(operation: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { operation, path: path.to_owned(), side: Side::Output, source }
    }

    /// The request is wrong.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: some(hint.into()) }
    }

    /// An input is refused.
    pub fn input(path: &Path, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Input {
            path: path.to_owned(),
            line: None,
            message: message.into(),
            hint: some(hint.into()),
        }
    }

    /// Standard output takes no more, and somebody is reading it still.
    pub fn stdout(source: &io::Error) -> Self {
        Self::Output { path: "stdout".into(), message: Cause(source).to_string(), hint: None }
    }

    /// The API said no, or could not be reached.
    pub fn api(code: ExitCode, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Api { code, message: message.into(), hint: some(hint.into()) }
    }

    /// The same error with the line it is about.
    #[must_use]
    pub fn at_line(mut self, number: u64) -> Self {
        if let Self::Input { line, .. } = &mut self {
            *line = Some(number);
        }
        self
    }

    /// The one thing to do, if there is one.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Usage { hint, .. }
            | Self::Input { hint, .. }
            | Self::Output { hint, .. }
            | Self::WrongFile { hint, .. }
            | Self::State { hint, .. }
            | Self::Api { hint, .. } => hint.as_deref(),
            Self::Io { operation: "lock", side: Side::Output, .. } => {
                Some("its file system may have no locks: choose a directory on a local disk")
            }
            Self::Io { side: Side::Output, source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(
                    "free some space, or choose another place for the output or for spilled entries (tmp-dir)",
                ),
                _ => None,
            },
            Self::Internal(_) => Some("please report it with the command that you ran"),
            Self::Io { .. } | Self::Stopped { .. } => None,
        }
    }

    /// The exit code.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage { .. } => ExitCode::Usage,
            Self::Io { side: Side::Input, .. } | Self::Input { .. } | Self::WrongFile { .. } => {
                ExitCode::Input
            }
            Self::Io { side: Side::Output, .. } | Self::Output { .. } | Self::State { .. } => {
                ExitCode::Output
            }
            Self::Api { code, .. } => *code,
            Self::Stopped { signal } if *signal == signal_hook::consts::SIGINT => {
                ExitCode::Interrupted
            }
            Self::Stopped { .. } => ExitCode::Terminated,
            Self::Internal(_) => ExitCode::Internal,
        }
    }
}

fn some(hint: String) -> Option<String> {
    (!hint.is_empty()).then_some(hint)
}

struct At(Option<u64>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |line| write!(f, ", line {line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_stays_one_line_whatever_the_file_is_called() {
        let error = Error::input(Path::new("a\nb"), "is empty", "");
        assert_eq!(error.to_string(), r"refused `a\nb`: is empty");
        assert_eq!(error.at_line(7).to_string(), r"refused `a\nb`, line 7: is empty");
        let error = Error::input(Path::new("a\u{1b}[2J\u{202e}vsc.b"), "is empty", "");
        assert_eq!(error.to_string(), r"refused `a\u{1b}[2J\u{202e}vsc.b`: is empty");
    }

    #[test]
    fn exit_codes_are_the_documented_ones() {
        let io = || io::Error::from(io::ErrorKind::NotFound);
        for (error, code) in [
            (Error::Internal("x"), 1),
            (Error::usage("x", ""), 2),
            (Error::reading("open", Path::new("x"), io()), 3),
            (Error::input(Path::new("x"), "x", ""), 3),
            (Error::WrongFile { message: String::new(), hint: None, limits: None }, 3),
            (Error::writing("create", Path::new("x"), io()), 4),
            (Error::api(ExitCode::Credentials, "x", ""), 5),
            (Error::api(ExitCode::Temporary, "x", ""), 6),
            (Error::api(ExitCode::Partial, "x", ""), 7),
            (Error::api(ExitCode::Unknown, "x", ""), 8),
            (Error::Stopped { signal: signal_hook::consts::SIGINT }, 130),
            (Error::Stopped { signal: signal_hook::consts::SIGTERM }, 143),
        ] {
            assert_eq!(error.exit_code() as u8, code, "{error}");
        }
    }
}
