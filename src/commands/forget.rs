//! `throng forget`: people are held back from now on, and the state directory forgets them.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use serde::Serialize;
use throng::forget::{Forget, Forgotten, forget, forget_after};
use throng::job::{self, Job};
use throng::quote::OneLine;
use throng::sync::{SyncConfig, SyncProgress, TakenOut, take_out};
use throng::who::{Answers, FoundStanding};
use throng::{ExitCode, Result};

use super::who::{named, tell_unread, tell_where_values_come_from, text};
use super::{Event, api, notify, print, print_json, say, shell_command, signals, sync};
use crate::cli::ForgetArgs;

/// What is said for programs.
#[derive(Serialize)]
struct Said<'a> {
    #[serde(flatten)]
    forgotten: &'a Forgotten,
    /// Who was taken out of audiences before.
    taken_out: &'a [TakenOut],
}

pub(crate) fn run(args: &ForgetArgs) -> Result<ExitCode> {
    tell_where_values_come_from();
    let how = if args.at_once { Forget::AtOnce } else { Forget::OnceGone };
    let (forgotten, taken_out) = if let Some(path) = &args.job {
        forget_by_job(path, args, how)?
    } else {
        let dir = api::state_dir(&args.state)?;
        (forget(&dir, args.user_type, args.rules, io::stdin(), how)?, Ok(Vec::new()))
    };
    let of_audiences = taken_out.as_deref().unwrap_or_default();
    if args.json {
        print_json(&Said { forgotten: &forgotten, taken_out: of_audiences })?;
    } else {
        print(text(&forgotten.answers))?;
    }
    tell(&forgotten);
    of_audiences.iter().for_each(tell_taken_out);
    tell_held(&forgotten, how, !of_audiences.is_empty());
    tell_unread(&forgotten.answers);
    let rejected = tell_rejected(&forgotten.answers);
    taken_out.map(|_| rejected)
}

/// Forgets people, and takes them out of the audiences of a job before, where its platform can. That it could not is no reason
/// not to hold them back.
fn forget_by_job(
    path: &Path,
    args: &ForgetArgs,
    how: Forget,
) -> Result<(Forgotten, Result<Vec<TakenOut>>)> {
    let job = Job::load(path, &sync::env, job::today()?)?;
    let dir = job.state_dir.clone();
    // As its audiences have them.
    let rules = (args.user_type, args.rules.or_of_job(job.prepare.rules));
    // A sandbox ends when it is dropped.
    let (client, _sandbox) = sync::reach(&job)?;
    let words = ["throng".to_owned(), "sync".to_owned(), path.to_string_lossy().into_owned()];
    let config = SyncConfig::new(job, client, shell_command(&words));
    let progress = SyncProgress::default();
    signals::stop_on_signals(progress.stop())?;
    let mut taken_out = Ok(Vec::new());
    let mut take_them_out = || {
        taken_out = take_out(&config, &progress, &notify);
        taken_out.as_ref().is_ok_and(|taken_out| taken_out.iter().all(|of| of.left == 0))
    };
    let forgotten = forget_after(&dir, rules, io::stdin(), how, Some(&mut take_them_out))?;
    Ok((forgotten, taken_out))
}

fn tell_taken_out(of: &TakenOut) {
    let TakenOut { audience, entries, left } = of;
    if *entries > 0 {
        say(Event::Message, format_args!("{entries} were taken out of `{audience}`"));
    }
    if *left > 0 {
        say(
            Event::Warning,
            format_args!(
                "{left} who opted out are, or may be, in `{audience}` still: throng sync says why"
            ),
        );
    }
}

/// Says which audiences hold some of them still, and what takes them out.
fn tell_held(forgotten: &Forgotten, how: Forget, was_tried: bool) {
    let waiting: BTreeSet<u64> = forgotten.waiting.iter().copied().collect();
    if !waiting.is_empty() {
        let at_once = if was_tried { "" } else { " (at once: throng forget --job JOB)" };
        say(
            Event::Note,
            format_args!(
                "{} of them are, or may be, in an audience and stay known until they are taken out: throng sync does it where the \
                 platform can{at_once}; elsewhere build the audience anew (throng sync JOB --replace)",
                waiting.len()
            ),
        );
    }
    if how == Forget::OnceGone || was_tried || !waiting.is_empty() {
        return;
    }
    let answers = &forgotten.answers;
    for (place, audience) in answers.audiences.iter().enumerate() {
        let is_held = |standing| matches!(standing, FoundStanding::In | FoundStanding::Possible);
        let is_in = |line: &&throng::who::Answer| {
            line.found.iter().any(|found| found.audience == place && is_held(found.standing))
        };
        let count = answers.lines.iter().filter(is_in).count();
        if count == 0 {
            continue;
        }
        let id = audience.audience.as_deref().unwrap_or("ID");
        say(
            Event::Warning,
            format_args!(
                "{count} of them are, or may be, in {} still, and nothing here knows who: where the platform can, take them out by \
                 throng prepare FILE -t {} -o left, and throng upload left --to meta --audience {id} --ad-account {} --remove; \
                 elsewhere build it anew (throng sync JOB --replace)",
                named(audience),
                answers.user_type.name(),
                audience.ad_account,
            ),
        );
    }
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

fn tell(forgotten: &Forgotten) {
    let list = OneLine(&forgotten.list.to_string_lossy()).to_string();
    say(
        Event::Message,
        format_args!(
            "{} new entries on `{list}`, which every run of a job holds back; {} lines of files in the state directory are gone",
            forgotten.listed, forgotten.purged
        ),
    );
    for path in &forgotten.elsewhere {
        let path = path.to_string_lossy();
        say(
            Event::Note,
            format_args!("`{}` has some of them and is left as it is", OneLine(&path)),
        );
    }
    say(Event::Note, "inputs, backups, reject lists and other copies are left as they are");
}
