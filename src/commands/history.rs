//! `throng history`: what was uploaded where, and what is unfinished.
#![expect(clippy::print_stdout, reason = "the history is data")]

use jiff::Timestamp;
use throng::upload::{RunRecord, TargetRecord};
use throng::{ExitCode, Result};

use super::{api, print_json};
use crate::cli::HistoryArgs;

pub(crate) fn run(args: &HistoryArgs) -> Result<ExitCode> {
    let history = api::ledger(&args.state)?.history()?;
    if args.json {
        print_json(&history)?;
        return Ok(ExitCode::Done);
    }
    if history.targets.is_empty() {
        println!("nothing was uploaded yet");
    }
    for target in &history.targets {
        print_target(target);
    }
    Ok(ExitCode::Done)
}

fn print_target(target: &TargetRecord) {
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
    println!(
        "{mark}{name}, {} of ad account {} at {}",
        target.user_type, target.ad_account, target.endpoint
    );
    let entries = target.entries_acknowledged;
    println!(
        "  {} of {} parts confirmed, {entries} entries in all",
        target.parts_acknowledged, target.parts
    );
    for (index, run) in target.runs.iter().enumerate() {
        print_run(run, target.is_running && index == 0);
    }
    if target.is_unfinished
        && !target.is_running
        && let Some(run) = target.runs.first()
    {
        if target.state == "intent" {
            println!("  it is not known whether it was created; the command asks the API again");
        }
        println!("  go on with: {}", run.command);
    }
}

/// A time as people read it.
pub(super) fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn print_run(run: &RunRecord, is_running: bool) {
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
    println!(
        "  {at}  {ended}: {} entries in {} parts, {} requests, {} failed{unanswered}",
        run.entries, run.parts, run.attempts, run.failures
    );
    if let Some(message) = &run.message {
        println!("    {message}");
    }
}
