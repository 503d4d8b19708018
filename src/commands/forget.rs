//! `throng forget`: people are held back from now on, and the state directory forgets them.

use std::io;

use throng::forget::{Forget, Forgotten, forget};
use throng::quote::OneLine;
use throng::who::Answers;
use throng::{ExitCode, Result};

use super::who::{tell_unread, tell_where_values_come_from, text};
use super::{Event, api, print, print_json, say};
use crate::cli::ForgetArgs;

pub(crate) fn run(args: &ForgetArgs) -> Result<ExitCode> {
    let dir = api::state_dir(&args.state)?;
    tell_where_values_come_from();
    let how = if args.at_once { Forget::AtOnce } else { Forget::OnceGone };
    let forgotten = forget(&dir, args.user_type, args.rules, io::stdin(), how)?;
    if args.json {
        print_json(&forgotten)?;
    } else {
        print(text(&forgotten.answers))?;
    }
    tell(&forgotten, how);
    tell_unread(&forgotten.answers);
    Ok(tell_rejected(&forgotten.answers))
}

/// Says how many people are not forgotten, since nobody can tell who was meant.
fn tell_rejected(answers: &Answers) -> ExitCode {
    let lines = answers.lines.len();
    let rejected = answers.lines.iter().filter(|line| line.rejected.is_some()).count();
    if lines == 0 {
        say(Event::Warning, "the input is empty: nobody new is forgotten");
    }
    if rejected == 0 {
        return ExitCode::Done;
    }
    say(
        Event::Warning,
        format_args!(
            "{rejected} of {lines} lines could not be read: these people are NOT forgotten; mend the lines and run it again"
        ),
    );
    ExitCode::Input
}

fn tell(forgotten: &Forgotten, how: Forget) {
    let list = OneLine(&forgotten.list.to_string_lossy()).to_string();
    say(
        Event::Message,
        format_args!(
            "{} new entries on `{list}`, which every run of a job holds back; {} lines of files in the state directory are gone",
            forgotten.listed, forgotten.purged
        ),
    );
    if !forgotten.waiting.is_empty() {
        say(
            Event::Note,
            format_args!(
                "{} of them are, or may be, in an audience and stay known until they are taken out: throng sync does it where the \
                 platform can; elsewhere build the audience anew (throng sync JOB --replace)",
                forgotten.waiting.len()
            ),
        );
    } else if how == Forget::AtOnce
        && forgotten.answers.lines.iter().any(|line| !line.found.is_empty())
    {
        say(
            Event::Note,
            "audiences that hold them keep them, and nothing here knows it any more: take them out by hand, or build these anew",
        );
    }
    for path in &forgotten.elsewhere {
        let path = path.to_string_lossy();
        say(
            Event::Note,
            format_args!("`{}` has some of them and is left as it is", OneLine(&path)),
        );
    }
    say(Event::Note, "inputs, backups, reject lists and other copies are left as they are");
}
