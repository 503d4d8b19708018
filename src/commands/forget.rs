//! `throng forget`: people are held back from now on, and the state directory forgets them.

use std::io;

use throng::forget::{Forget, Forgotten, forget};
use throng::quote::OneLine;
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
    Ok(ExitCode::Done)
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
