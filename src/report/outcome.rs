//! The outcome of a run at a glance: in a word, in a sentence, and what to do.

use serde::Serialize;

use crate::figures::count;
use crate::sync::{AudienceRecord, GuardRecord, KILLED, SyncRecord};

/// Seriousness of an outcome. The page shows it by word, sign and colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Tone {
    /// It did what it was to do.
    Good,
    /// Nothing was to be done.
    Calm,
    /// It can be run again as it is.
    Warn,
    /// Somebody must look.
    Bad,
}

/// Texts of the top of the page.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    pub(super) tone: Tone,
    pub(super) word: &'static str,
    pub(super) sentence: String,
    pub(super) advice: &'static str,
    /// Figure that the guard found, and limit that it allows.
    guard: Option<String>,
    pub(super) commands: Vec<Command>,
}

/// A command to copy.
#[derive(Debug, Serialize)]
pub(super) struct Command {
    label: &'static str,
    command: String,
}

/// Word, tone, sentence and advice for an exit code other than 0; see [`crate::ExitCode`].
fn failure(exit_code: u8) -> (&'static str, Tone, &'static str, &'static str) {
    const AGAIN: &str = "The next run does it. To do it now, run it again.";
    match exit_code {
        2 => (
            "Not started",
            Tone::Bad,
            "The job file or the command line is wrong.",
            "Correct it, check it with --check, and run it again.",
        ),
        3 => (
            "Input refused",
            Tone::Bad,
            "An input could not be used. Nothing was sent.",
            "Look at the input, let it be exported again, and run it again.",
        ),
        4 => (
            "Not written",
            Tone::Bad,
            "A file could not be written.",
            "Make room or give permission, and run it again: it goes on where it stopped.",
        ),
        5 => (
            "No access",
            Tone::Bad,
            "The API refused the token, or the account lacks a permission or the terms.",
            "See to the access, and run it again.",
        ),
        6 => ("Not uploaded", Tone::Warn, "The API did not do its part. Nothing was sent.", AGAIN),
        7 => (
            "Partly uploaded",
            Tone::Warn,
            "The upload stopped on its way.",
            "The next run goes on where it stopped. To go on now, run it again.",
        ),
        8 => (
            "Undecided",
            Tone::Bad,
            "It cannot be found out what a request came to.",
            "A person must decide: compare the audience with what is said below.",
        ),
        KILLED => ("Killed", Tone::Bad, "The run was killed, or the machine went down.", AGAIN),
        130 | 143 => ("Interrupted", Tone::Warn, "The run was stopped by a signal.", AGAIN),
        _ => (
            "Failed",
            Tone::Bad,
            "A check inside throng failed.",
            "Please report it with the command that was run.",
        ),
    }
}

/// Names the outcome of a run in a word, for lists.
pub(super) fn word(run: &SyncRecord) -> (&'static str, Tone) {
    match run.exit_code {
        0 if run.is_dry_run => ("Dry run", Tone::Calm),
        0 if sum(run, |audience| audience.entries_sent) == 0 => ("Nothing to do", Tone::Calm),
        0 => ("Done", Tone::Good),
        3 if run.guard.is_some() => ("Stopped by a guard", Tone::Warn),
        code => (failure(code).0, failure(code).1),
    }
}

impl Outcome {
    pub(super) fn of(run: &SyncRecord) -> Self {
        let (word, tone) = word(run);
        let (sentence, advice) = match (run.exit_code, &run.guard) {
            (0, _) => (done(run), ""),
            (3, Some(_)) => (
                "Nothing was sent: the figures are not what this job allows.".to_owned(),
                "Compare the inputs with those of the night before. If they are wrong, let them be \
                 exported again and run the job again; if they are right, go on.",
            ),
            (7, _) => (partly(run), failure(7).3),
            (code, _) => (failure(code).2.to_owned(), failure(code).3),
        };
        let mut commands = Vec::new();
        push(
            &mut commands,
            if run.exit_code == 7 { "Go on" } else { "Run it again" },
            &run.command,
        );
        if let Some(guard) = &run.guard {
            push(&mut commands, "Go on nevertheless, once somebody has looked", &guard.command);
        }
        let guard = run.guard.as_ref().map(guard_words);
        Self { tone, word, sentence, advice, guard, commands }
    }
}

fn push(commands: &mut Vec<Command>, label: &'static str, command: &str) {
    if !command.is_empty() {
        commands.push(Command { label, command: command.to_owned() });
    }
}

/// A guard in a sentence.
pub(super) fn guard_words(guard: &GuardRecord) -> String {
    let what = match guard.name.as_str() {
        "max_rejects" => "rejected values",
        "max_shrink" => "fewer members than before",
        "max_growth" => "more members than before",
        "min_entries" => "members",
        "max_opt_out_shrink" => "fewer records in an opt-out list than before",
        "min_opt_outs" => "records of an opt-out list",
        "min_opt_out_members" => "members on an opt-out list",
        "max_age" => "age of an input",
        other => other,
    };
    let whose = guard.audience.as_ref().map_or_else(String::new, |name| format!(" ({name})"));
    let GuardRecord { name, found, limit, .. } = guard;
    format!("{what}{whose}: {found}, where `{name}` allows {limit}")
}

/// The sentence for a run that came to its end.
fn done(run: &SyncRecord) -> String {
    let sent = sum(run, |audience| audience.entries_sent);
    let new = sum(run, |audience| audience.figures.sets.written);
    let entries = |number: u64| if number == 1 { "entry" } else { "entries" };
    if run.is_dry_run {
        return format!("Nothing was sent. {} new {} would be uploaded.", count(new), entries(new));
    }
    if sent == 0 {
        return "Everyone in the inputs is in the audience already or opted out.".to_owned();
    }
    let audiences = run.audiences.iter().filter(|audience| audience.entries_sent > 0).count();
    let s = if audiences == 1 { "" } else { "s" };
    format!("{} {} were uploaded to {audiences} audience{s}.", count(sent), entries(sent))
        .replace("entry were", "entry was")
}

/// The sentence for an upload that stopped on its way.
fn partly(run: &SyncRecord) -> String {
    let sent = count(sum(run, |audience| audience.entries_sent));
    let (done, parts) =
        (sum(run, |audience| audience.parts_sent), sum(run, |audience| audience.parts));
    format!(
        "{sent} entries were uploaded, {} of {} parts, before it stopped. What the API confirmed is kept and not \
         sent again.",
        count(done),
        count(parts)
    )
}

pub(super) fn sum(run: &SyncRecord, figure: impl Fn(&AudienceRecord) -> u64) -> u64 {
    run.audiences.iter().map(figure).sum()
}
