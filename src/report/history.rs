//! Runs across days, as a page.

use serde::Serialize;

use super::fill;
use super::outcome::sum;
use super::runs::{Row, rows};
use crate::error::Result;
use crate::sync::SyncRecord;

/// Runs to know of that stand above all the others.
const REMARKABLE_MAX: usize = 12;

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
    remarkable: Vec<&'a Row<'a>>,
    runs: &'a [Row<'a>],
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
    let of_job =
        |name: &&str| records.iter().filter(|record| record.job == *name).collect::<Vec<_>>();
    let records: Vec<_> = names.iter().map(of_job).collect();
    let rows: Vec<_> = records.iter().map(|records| rows(records)).collect();
    let jobs = names.into_iter().zip(&records).zip(&rows);
    let jobs = jobs.map(|((name, records), rows)| Job::of(name, records, rows)).collect();
    fill("history.html", &HistoryPage { jobs })
}

impl<'a> Job<'a> {
    fn of(name: &'a str, records: &[&'a SyncRecord], rows: &'a [Row<'a>]) -> Self {
        let real: Vec<_> = records.iter().filter(|run| !run.is_dry_run).collect();
        let completed = real.iter().filter(|run| run.is_success()).count();
        let last_success = records.iter().find(|run| run.is_success());
        Self {
            name,
            completed,
            stopped: real.len() - completed,
            last_success_at: last_success.map(|run| run.ended_at),
            held: last_success.map_or(0, |run| sum(run, |audience| audience.held_after)),
            sent: real.iter().map(|run| sum(run, |audience| audience.entries_sent)).sum(),
            remarkable: rows
                .iter()
                .filter(|row| row.is_remarkable())
                .take(REMARKABLE_MAX)
                .collect(),
            runs: rows,
        }
    }
}
