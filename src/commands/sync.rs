//! `throng sync`: the nightly job.

use std::io::Write;
use std::path::Path;
use std::time::SystemTime;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use throng::job::{self, Job};
use throng::{Error, ExitCode, Result};

use super::{log, print_json, tell};
use crate::cli::SyncArgs;

pub(crate) fn run(args: &SyncArgs) -> Result<ExitCode> {
    if let Some(path) = &args.job {
        return check(&load(path, args)?, args);
    }
    let text = if args.schema { job::SCHEMA } else { job::EXAMPLE };
    let _unread = std::io::stdout().write_all(text.as_bytes());
    Ok(ExitCode::Done)
}

/// The job, with what stands for the file's word this time.
fn load(path: &Path, args: &SyncArgs) -> Result<Job> {
    let date = args.date.map_or_else(today, Ok)?;
    let mut job = Job::load(path, &env, date)?;
    job.override_guards(&args.guards.into());
    Ok(job)
}

/// Says what a run would do, and ends as one would for which something is missing.
fn check(job: &Job, args: &SyncArgs) -> Result<ExitCode> {
    let check = job.check(&env, SystemTime::now());
    if args.json {
        print_json(&check)?;
    }
    if !args.quiet {
        tell("summary", &check, &check);
    }
    let mut errors = check.into_errors();
    let last = errors.pop();
    errors.iter().for_each(log::fail);
    last.map_or(Ok(ExitCode::Done), Err)
}

fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn today() -> Result<Date> {
    let zone = TimeZone::try_system().or_else(|error| match std::env::var_os("TZ") {
        // Where nothing is said, as in many containers, it is UTC.
        None => Ok(TimeZone::UTC),
        Some(_) => Err(error),
    });
    let zone = zone.map_err(|_| {
        Error::usage(
            "the variable TZ names no time zone that this system knows",
            "correct it, or say what day it is: --date YYYY-MM-DD",
        )
    })?;
    Ok(job::date_at(Timestamp::now(), &zone))
}
