//! `throng history`: what was uploaded where, and what is unfinished.

use jiff::Timestamp;
use serde_json::json;
use throng::quote::Lines;
use throng::report;
use throng::store::{Store, TargetRecord, UploadRecord};
use throng::sync::{KILLED, SyncRecord, records_of};
use throng::{ExitCode, Result};

use super::{api, print, print_json};
use crate::cli::HistoryArgs;

/// Nights of a job that programs and the page get.
const NIGHTS_MAX: u32 = 400;

/// Nights that are printed.
const NIGHTS_SHOWN: usize = 14;

pub(crate) fn run(args: &HistoryArgs) -> Result<ExitCode> {
    let dir = api::state_dir(&args.state)?;
    let nights = records_of(&dir, NIGHTS_MAX)?;
    if args.html {
        print(report::render_history(&nights)?)?;
        return Ok(ExitCode::Done);
    }
    let history = Store::history_of(&dir)?;
    if args.json {
        print_json(&json!({ "targets": history.targets, "nights": nights }))?;
        return Ok(ExitCode::Done);
    }
    for night in nights.iter().take(NIGHTS_SHOWN).rev() {
        print_night(night)?;
    }
    if history.targets.is_empty() {
        line(format_args!("nothing was uploaded yet\n"))?;
    }
    for target in &history.targets {
        print_target(target)?;
    }
    Ok(ExitCode::Done)
}

fn print_night(night: &SyncRecord) -> Result<()> {
    let sum = |count: fn(&throng::sync::AudienceRecord) -> u64| {
        night.audiences.iter().map(count).sum::<u64>()
    };
    let ended = match night.exit_code {
        0 => "done".to_owned(),
        KILLED => "killed, or still going on".to_owned(),
        code => format!("exit code {code}"),
    };
    let some = |count: u64, what: &str| match count {
        0 => String::new(),
        count => format!(", {count} {what}"),
    };
    line(format_args!(
        "{}  run {} of {}, {ended}: {} members, {} new, {} uploaded{}, {} must go{}\n",
        Timestamp::from_millisecond(night.started_at).map_or_else(|_| "-".to_owned(), date),
        night.run,
        night.job,
        sum(|audience| audience.figures.sets.members),
        sum(|audience| audience.figures.sets.written),
        sum(|audience| audience.entries_sent),
        some(sum(|audience| audience.removed_gone + audience.removed_opted_out), "taken out"),
        night.must_go_entries(),
        some(sum(|audience| audience.entries_invalid), "invalid"),
    ))?;
    if let Some(error) = night.error.as_ref().filter(|_| night.exit_code != KILLED) {
        line(format_args!("  {error}\n"))?;
    }
    for list in &night.opt_out_lists {
        let members = match list.members {
            Some(members) => format!("{members} of the members"),
            None => "members not counted".to_owned(),
        };
        line(format_args!("  opt-outs of {}: {} usable, {members}\n", list.name, list.usable))?;
    }
    Ok(())
}

fn print_target(target: &TargetRecord) -> Result<()> {
    let name = match (&target.name, &target.audience) {
        (Some(name), Some(audience)) => format!("{name} (audience {audience})"),
        (Some(name), None) => name.clone(),
        (None, audience) => format!("audience {}", audience.as_deref().unwrap_or("-")),
    };
    let mark = match &target.state[..] {
        "deleted" => "deleted: ",
        _ if target.is_running => "going on: ",
        _ if target.is_unfinished => "unfinished: ",
        _ => "",
    };
    line(format_args!(
        "{mark}{name}, {} of ad account {} at {}\n",
        target.user_type, target.ad_account, target.endpoint
    ))?;
    let entries = target.entries_confirmed;
    let invalid = match target.entries_invalid {
        0 => String::new(),
        count => format!(", {count} of them invalid for the platform"),
    };
    line(format_args!(
        "  {} of {} parts confirmed, {entries} entries in all{invalid}\n",
        target.parts_confirmed, target.parts
    ))?;
    for (index, run) in target.runs.iter().enumerate() {
        print_run(run, target.is_running && index == 0)?;
    }
    if target.is_unfinished
        && !target.is_running
        && let Some(run) = target.runs.first()
    {
        if target.state == "intent" {
            line(format_args!(
                "  it is not known whether it was created; the command asks the API again\n"
            ))?;
        }
        line(format_args!("  go on with: {}\n", run.command))?;
    }
    Ok(())
}

/// Prints a line, or several. Names and a server's words steer no terminal.
fn line(text: std::fmt::Arguments<'_>) -> Result<()> {
    print(Lines(&text.to_string()))
}

/// A time as people read it.
pub(super) fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn print_run(run: &UploadRecord, is_running: bool) -> Result<()> {
    let at = Timestamp::from_millisecond(run.started_at).map_or_else(|_| "-".to_owned(), date);
    let ended = match (run.ended_at, run.exit_code) {
        (Some(_), Some(0)) => "done".to_owned(),
        (Some(_), Some(code)) => format!("exit code {code}"),
        _ if is_running => "going on".to_owned(),
        _ => "killed".to_owned(),
    };
    let unanswered = match run.unanswered {
        0 => String::new(),
        count => format!(", {count} without an answer"),
    };
    let purpose = if run.purpose == "remove" { "to take out " } else { "" };
    line(format_args!(
        "  {at}  {ended}: {purpose}{} entries in {} parts, {} requests, {} failed{unanswered}\n",
        run.entries, run.parts, run.requests, run.failures
    ))?;
    if let Some(message) = &run.message {
        line(format_args!("    {message}\n"))?;
    }
    Ok(())
}
