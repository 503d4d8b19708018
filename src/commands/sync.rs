//! `throng sync`: the nightly job.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::Path;
use std::time::SystemTime;

use throng::config::Label;
use throng::disk::{Readers, write_whole};
use throng::job::{self, Job};
use throng::report;
use throng::sync::{SyncConfig, SyncProgress, SyncRecord, records_of};
use throng::upload::{Client, ClientConfig, Notice, Verdict};
use throng::{Error, ExitCode, Result};

use super::{Event, log, notify, print, print_json, progress, rehearsal, say, signals, tell};
use crate::cli::{self, SyncArgs};

/// Earlier runs that a report shows.
const RUNS_SHOWN: u32 = 90;

pub(crate) fn run(args: &SyncArgs) -> Result<ExitCode> {
    let Some(path) = &args.job else {
        print(if args.schema { job::schema() } else { job::EXAMPLE.to_owned() })?;
        return Ok(ExitCode::Done);
    };
    let job = load(path, args)?;
    if args.check { check(&job, args) } else { run_job(job, args) }
}

/// The job, with what stands for the file's word this time.
fn load(path: &Path, args: &SyncArgs) -> Result<Job> {
    let date = args.date.map_or_else(job::today, Ok)?;
    let mut job = Job::load(path, &env, date)?;
    job.override_guards(&args.guards);
    Ok(job)
}

fn check_label(job: &Job, label: &Label) -> Result<()> {
    let labels: Vec<&str> =
        job.audiences.iter().map(|audience| audience.spec.label.as_str()).collect();
    if labels.contains(&label.as_str()) {
        return Ok(());
    }
    let message = format!("the job has no audience `{label}`");
    Err(Error::usage(message, format!("it has {}", labels.join(", "))))
}

/// Says what a run would do, and ends as one would for which something is missing.
fn check(job: &Job, args: &SyncArgs) -> Result<ExitCode> {
    let check = job.check(&env, SystemTime::now());
    if args.show.json {
        print_json(&check)?;
    }
    if !args.show.quiet {
        tell(Event::Summary, &check, &check);
    }
    let mut errors = check.into_errors();
    let last = errors.pop();
    errors.iter().for_each(log::fail);
    last.map_or(Ok(ExitCode::Done), Err)
}

fn run_job(job: Job, args: &SyncArgs) -> Result<ExitCode> {
    let (config, _sandbox) = decide(job, args, cli::typed())?;
    let progress = SyncProgress::default();
    signals::stop_on_signals(progress.stop())?;
    let view = |elapsed| progress::of_sync(&progress, elapsed);
    let watch = |notice: &Notice<'_>| {
        if !args.show.quiet {
            notify(notice);
        }
    };
    let work = || throng::sync::run(&config, &progress, &watch);
    let (record, outcome) = progress::shown(args.show, view, work);
    for error in publish(&config.job, &record) {
        say(Event::Warning, error);
    }
    if !args.show.quiet {
        record.notes.iter().for_each(|note| say(Event::Note, note));
        record.warnings.iter().for_each(|warning| say(Event::Warning, warning));
        tell(Event::Summary, &record, &record);
    }
    let printed = if args.show.json || !(args.show.quiet || std::io::stdout().is_terminal()) {
        print_json(&record)
    } else {
        Ok(())
    };
    outcome.and(printed).map(|()| ExitCode::Done)
}

/// Does the job for a program that calls the library by the words of the command: what came of it, if it began, and how it
/// ended.
pub(crate) fn called(
    args: &SyncArgs,
    words: &[OsString],
    progress: &SyncProgress,
    watch: &(dyn Fn(&Notice<'_>) + Sync),
) -> Result<(SyncRecord, Result<()>)> {
    let path = args.job.as_deref().ok_or(Error::Internal("a job without a file"))?;
    let (config, _sandbox) = decide(load(path, args)?, args, words)?;
    let (mut record, outcome) = throng::sync::run(&config, progress, watch);
    let unwritten = publish(&config.job, &record);
    record.warnings.extend(unwritten.iter().map(ToString::to_string));
    Ok((record, outcome))
}

/// What one run is to do, and the sandbox that it does it to, which ends when it is dropped.
fn decide(
    job: Job,
    args: &SyncArgs,
    words: &[OsString],
) -> Result<(SyncConfig, Option<impl Sized + use<>>)> {
    let decided = args.adopt.iter().map(|(label, _)| label).chain(&args.create_again);
    decided.into_iter().try_for_each(|label| check_label(&job, label))?;
    job.check_reports()?;
    let (client, sandbox) = reach(&job)?;
    let adopted = args.adopt.iter().map(|(label, id)| (label.clone(), Verdict::Is(id.clone())));
    let again = args.create_again.iter().map(|label| (label.clone(), Verdict::IsNot));
    let config = SyncConfig {
        command_now: command(words, false),
        is_dry_run: args.dry_run,
        is_full: args.full,
        is_replacing: args.replace,
        verdicts: adopted.chain(again).collect(),
        ..SyncConfig::new(job, client, command(words, true))
    };
    Ok((config, sandbox))
}

/// What reaches the API of a job, and the sandbox that is it, if it rehearses.
pub(super) fn reach(job: &Job) -> Result<(Client, Option<impl Sized + use<>>)> {
    let client_config = |token| job.client_config(token);
    if let Some(dir) = &job.target.sandbox {
        return rehearsal::reach(Some(dir), client_config)
            .map(|(client, sandbox)| (client, Some(sandbox)));
    }
    let app_secret = job.app_secret(&env)?;
    let config = ClientConfig { app_secret, ..client_config(job.token(&env)?) };
    Ok((Client::new(config)?, None))
}

/// Writes the report and the metrics. What was uploaded stays uploaded if that fails, so that it is only told.
fn publish(job: &Job, record: &SyncRecord) -> Vec<Error> {
    // Of a run that did not begin because of another one, that one tells.
    let is_elsewhere = record.run == 0 && record.exit_code == ExitCode::Temporary as u8;
    if record.is_dry_run || is_elsewhere {
        return Vec::new();
    }
    let earlier = records_of(&job.state_dir, RUNS_SHOWN + 1).unwrap_or_default();
    let earlier: Vec<SyncRecord> =
        earlier.into_iter().filter(|earlier| earlier.run != record.run).collect();
    let html = job.report.html.as_ref().map(|path| {
        let page = report::render(record, &earlier)?;
        write_whole(path, page.as_bytes(), Readers::Owner)
    });
    let metrics = job.report.metrics.as_ref().map(|path| {
        let last_success = earlier.iter().find(|earlier| earlier.is_success());
        let text = report::metrics(record, last_success.map(|earlier| earlier.ended_at));
        write_whole(path, text.as_bytes(), Readers::Everyone)
    });
    [html, metrics].into_iter().flatten().filter_map(Result::err).collect()
}

/// The command that runs the job again, for any shell; without what was said for this run alone, or with it.
fn command(typed: &[OsString], is_usual: bool) -> String {
    let once = ["--full", "--replace", "--dry-run", "--create-again", "--adopt"];
    let once_with_value = [
        "--max-rejects",
        "--max-shrink",
        "--max-growth",
        "--min-entries",
        "--max-opt-out-shrink",
        "--min-opt-outs",
        "--min-opt-out-members",
        "--max-age",
    ];
    let mut words = Vec::new();
    let mut is_value = false;
    for word in typed.iter().filter_map(|word| word.to_str()) {
        let name = word.split('=').next().unwrap_or_default();
        let has_value =
            once_with_value.contains(&name) || matches!(name, "--adopt" | "--create-again");
        let is_once = is_usual && (has_value || once.contains(&name));
        if std::mem::replace(&mut is_value, is_once && has_value && !word.contains('=')) || is_once
        {
            continue;
        }
        words.push(word.to_owned());
    }
    super::shell_command(&words)
}

pub(super) fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
