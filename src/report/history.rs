//! Runs across days, as a page.

use serde::Serialize;

use super::fill;
use super::outcome::{Tone, guard_words, sum, word};
use super::trend::Trend;
use crate::error::Result;
use crate::sync::SyncRecord;

#[derive(Serialize)]
struct HistoryPage<'a> {
    jobs: Vec<Job<'a>>,
}

#[derive(Serialize)]
struct Job<'a> {
    name: &'a str,
    completed: usize,
    stopped: usize,
    last_success_at: Option<i64>,
    held: u64,
    sent: u64,
    trend: Trend,
    runs: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    run: &'a SyncRecord,
    word: &'static str,
    tone: Tone,
    seconds: f64,
    has_figures: bool,
    members: u64,
    new: u64,
    sent: u64,
    rejected: u64,
    values: u64,
    must_go: u64,
    /// Why it did not come to its end.
    why: Option<String>,
}

/// The runs of one job or several as one HTML file that needs nothing else. Runs are given the latest first.
///
/// # Errors
///
/// None that a record could cause; a template that cannot be filled is a defect.
pub fn render_history(records: &[SyncRecord]) -> Result<String> {
    let mut names: Vec<&str> = Vec::new();
    for record in records {
        if !names.contains(&&*record.job) {
            names.push(&record.job);
        }
    }
    let of_job = |name| records.iter().filter(move |record| record.job == name).collect();
    let jobs = names.into_iter().map(|name| Job::of(name, of_job(name))).collect();
    fill("history.html", &HistoryPage { jobs })
}

impl<'a> Job<'a> {
    fn of(name: &'a str, records: Vec<&'a SyncRecord>) -> Self {
        let real: Vec<&SyncRecord> =
            records.iter().rev().copied().filter(|run| !run.is_dry_run).collect();
        let completed = real.iter().filter(|run| run.is_success()).count();
        let last_success = records.iter().find(|run| run.is_success());
        Self {
            name,
            completed,
            stopped: real.len() - completed,
            last_success_at: last_success.map(|run| run.ended_at),
            held: last_success.map_or(0, |run| sum(run, |audience| audience.held_after)),
            sent: real.iter().map(|run| sum(run, |audience| audience.entries_sent)).sum(),
            trend: Trend::of(&real),
            runs: records.into_iter().map(Row::of).collect(),
        }
    }
}

impl<'a> Row<'a> {
    fn of(run: &'a SyncRecord) -> Self {
        let (word, tone) = word(run);
        Self {
            run,
            word,
            tone,
            seconds: run.seconds(),
            has_figures: sum(run, |audience| audience.read) > 0,
            members: sum(run, |audience| audience.members),
            new: sum(run, |audience| audience.new),
            sent: sum(run, |audience| audience.entries_sent),
            rejected: sum(run, |audience| audience.rejected),
            values: sum(run, |audience| audience.read.saturating_sub(audience.blank)),
            must_go: sum(run, |audience| audience.must_go),
            why: run.guard.as_ref().map(guard_words).or_else(|| run.error.clone()),
        }
    }
}
