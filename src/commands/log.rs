//! The one door to standard error: lines for people, or with `--log json` one object a line for programs.
//!
//! `tracing` is not taken. What throng says is a few dozen lines a run, for people first, and their form (`error: …`,
//! `note: …`) is an interface already: a subscriber would have to rebuild exactly these lines, and its JSON layer brings
//! a dozen crates for one `serde` struct.
//!
//! ```json
//! {"time":"2026-11-24T02:00:05.040Z","level":"info","event":"note","message":"`crm.csv`: ...","fields":{}}
//! ```
//!
//! - `time`: RFC 3339, UTC, with milliseconds.
//! - `level`: `error`, `warn` or `info`.
//! - `event`: what a program tells lines apart by: `error`, `hint`, `warning`, `note`, `retry`, `progress`, `summary`,
//!   `request` (to the sandbox), `message`.
//! - `message`: what people read, without the word at the front that says the event.
//! - `fields`: the figures of it, by event; `{}` if it has none.

use std::fmt::Display;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use throng::quote::{JsonLine, Lines, OneLine};
use throng::utc::Utc;
use throng::{Error, ExitCode};

use crate::cli::{self, LogFormat};

/// Form of standard error. One process has one standard error, so this is one switch of the process.
static IS_JSON: AtomicBool = AtomicBool::new(false);

/// Kind of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Event {
    Error,
    Hint,
    Warning,
    Note,
    Retry,
    Progress,
    Summary,
    #[cfg_attr(not(feature = "sandbox"), expect(dead_code, reason = "of the sandbox"))]
    Request,
    Message,
}

impl Event {
    const fn level(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning | Self::Retry => "warn",
            _ => "info",
        }
    }

    /// The word and colon that a line for people begins with.
    const fn front(self) -> &'static str {
        match self {
            Self::Error => "error: ",
            Self::Hint => "hint: ",
            Self::Warning => "warning: ",
            Self::Note => "note: ",
            Self::Retry => "retry: ",
            Self::Progress | Self::Summary | Self::Request | Self::Message => "",
        }
    }
}

#[derive(Serialize)]
struct Line<F> {
    time: String,
    level: &'static str,
    event: Event,
    message: String,
    fields: F,
}

#[derive(Serialize)]
struct NoFields {}

#[derive(Serialize)]
struct Failed<'a> {
    exit_code: u8,
    hint: Option<&'a str>,
}

/// Decides how standard error is written from here on.
pub(crate) fn choose(format: LogFormat) {
    IS_JSON.store(format == LogFormat::Json, Ordering::Relaxed);
}

/// Decides as [`choose`] does, from arguments that are no valid command line: even that is then said in JSON.
pub(crate) fn choose_from_raw_args() {
    let args = cli::typed();
    let is_flag = args.iter().any(|arg| arg == "--log=json")
        || args.windows(2).any(|pair| pair[0] == "--log" && pair[1] == "json");
    let is_set = std::env::var_os("THRONG_LOG").is_some_and(|format| format == "json");
    IS_JSON.store(is_flag || is_set, Ordering::Relaxed);
}

/// Says whether programs read it: then nothing is drawn there.
pub(crate) fn is_json() -> bool {
    IS_JSON.load(Ordering::Relaxed)
}

/// Says a line.
pub(crate) fn say(event: Event, line: impl Display) {
    tell(event, line, NoFields {});
}

/// Asks a person, who answers on the same line.
pub(crate) fn ask(question: impl Display) {
    let _unread =
        std::io::stderr().write_all(format!("{} ", OneLine(&question.to_string())).as_bytes());
}

/// Says a line that has figures: people read `line`, programs get `fields` as well.
pub(crate) fn tell(event: Event, line: impl Display, fields: impl Serialize) {
    let message = line.to_string();
    if !is_json() {
        write_line(Lines(&format!("{}{message}", event.front())).to_string());
        return;
    }
    let (time, level) = (Utc::now().to_string(), event.level());
    if let Ok(json) = serde_json::to_string(&Line { time, level, event, message, fields }) {
        write_line(JsonLine(&json).to_string());
    }
}

/// Says how a run ended that did not come to its end: for people in one or two lines, for programs in one.
pub(crate) fn fail(error: &Error) {
    fail_with(&error.to_string(), error.hint(), error.exit_code());
}

pub(crate) fn fail_with(message: &str, hint: Option<&str>, exit_code: ExitCode) {
    tell(Event::Error, message, Failed { exit_code: exit_code as u8, hint });
    if let Some(hint) = hint.filter(|_| !is_json()) {
        say(Event::Hint, hint);
    }
}

/// Writes a line at once, so that lines of several processes do not mix. Nobody may be reading there any more; that is
/// no reason to stop.
fn write_line(mut line: String) {
    line.push('\n');
    let _unread = std::io::stderr().write_all(line.as_bytes());
}
