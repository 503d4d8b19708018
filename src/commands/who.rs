//! `throng who`: in which audiences people are.

use std::io::{self, IsTerminal};

use jiff::Timestamp;
use throng::normalize::Reason;
use throng::quote::OneLine;
use throng::who::{self, Answer, Answers, AskedAudience, Found, FoundStanding};
use throng::{ExitCode, Result};

use super::history::date;
use super::{Event, api, print, print_json, say};
use crate::cli::WhoArgs;

pub(crate) fn run(args: &WhoArgs) -> Result<ExitCode> {
    let dir = api::state_dir(&args.state)?;
    tell_where_values_come_from();
    let answers = who::ask(&dir, args.user_type, args.rules, io::stdin())?;
    if args.json {
        print_json(&answers)?;
    } else {
        print(text(&answers))?;
    }
    tell_unread(&answers);
    Ok(ExitCode::Done)
}

/// Whoever sits there waits for them, and not for an answer.
pub(super) fn tell_where_values_come_from() {
    if io::stdin().is_terminal() {
        say(Event::Message, "reading values from the terminal, one a line; Ctrl-D ends them");
    }
}

/// A line for each audience that a value is in, or one that says that it is in none.
pub(super) fn text(answers: &Answers) -> String {
    answers.lines.iter().flat_map(|answer| lines_of(answers, answer)).collect()
}

fn lines_of(answers: &Answers, answer: &Answer) -> Vec<String> {
    let line = |what: String| format!("line {}: {what}\n", answer.line);
    if let Some(code) = answer.rejected {
        let reason = Reason::ALL.iter().find(|reason| reason.code() == code);
        let advice = reason.map_or("", |reason| reason.advice());
        return vec![line(format!("rejected: {code} ({advice})"))];
    }
    if answer.found.is_empty() {
        return vec![line("in no audience".to_owned())];
    }
    let found = answer.found.iter();
    found.map(|found| line(described(found, &answers.audiences[found.audience]))).collect()
}

fn described(found: &Found, audience: &AskedAudience) -> String {
    let how = match found.standing {
        FoundStanding::In => "in",
        FoundStanding::Possible => "may be in",
        FoundStanding::Intended => "not sent yet to",
        FoundStanding::Removed => "removed from",
    };
    let since = match (found.standing, found.is_exact) {
        (FoundStanding::In, true) => "since run",
        (FoundStanding::In, false) => "since run, at the latest,",
        _ => "by run",
    };
    let at = |what: &str, millis: Option<i64>| {
        let at = millis.and_then(|millis| Timestamp::from_millisecond(millis).ok());
        at.map(|at| format!(", {what} {}", date(at))).unwrap_or_default()
    };
    format!(
        "{how} {}, {since} {}{}{}",
        named(audience),
        found.run,
        at("sent", found.sent_at),
        at("confirmed", found.confirmed_at)
    )
}

pub(super) fn named(audience: &AskedAudience) -> String {
    let number = audience.audience.as_deref().unwrap_or("not created yet");
    let name = audience.name.as_deref().map(|name| format!("`{}` ", OneLine(name)));
    format!(
        "{}({number}, {}, ad account {} at {})",
        name.unwrap_or_default(),
        audience.role,
        audience.ad_account,
        audience.endpoint
    )
}

pub(super) fn tell_unread(answers: &Answers) {
    for part in &answers.unread {
        say(
            Event::Note,
            format_args!(
                "`{}` with {} entries of {} could not be looked into, so that nobody is certain not to be in it: {}",
                OneLine(&part.path.to_string_lossy()),
                part.entries,
                named(&answers.audiences[part.audience]),
                part.why
            ),
        );
    }
}
