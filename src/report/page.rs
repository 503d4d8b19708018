//! The page for one run.

use serde::Serialize;

use super::fill;
use super::funnel::{self, Step};
use super::outcome::{Outcome, sum};
use super::runs::{Row, rows};
use crate::error::Result;
use crate::sync::{AudienceRecord, SyncRecord};

#[derive(Serialize)]
struct Page<'a> {
    run: &'a SyncRecord,
    seconds: f64,
    outcome: Outcome,
    must_go: u64,
    opt_outs_unread: u64,
    audiences: Vec<AudiencePage<'a>>,
    phases: Vec<Phase<'a>>,
    runs: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct AudiencePage<'a> {
    audience: &'a AudienceRecord,
    steps: Vec<Step>,
    /// Values that are not blank: what rejects are a share of.
    values: u64,
    added: u64,
}

#[derive(Serialize)]
struct Phase<'a> {
    name: &'a str,
    seconds: f64,
    percent: f64,
    start: f64,
    /// Number of its colour.
    shade: usize,
}

/// Shades that phases take in turn.
const SHADES: usize = 5;

/// The last runs, this one among them, that stand on its page; of those before, the ones to know of do, too.
const RUNS_SHOWN: usize = 14;

/// The page for `current`: one HTML file that needs nothing else. `earlier` are the runs before it, the latest first.
///
/// # Errors
///
/// None that a record could cause; a template that cannot be filled is a defect.
pub fn render(current: &SyncRecord, earlier: &[SyncRecord]) -> Result<String> {
    // Dry runs changed nothing and are no nights.
    let real = earlier.iter().filter(|run| !run.is_dry_run);
    let runs: Vec<&SyncRecord> = std::iter::once(current).chain(real).collect();
    let rows = rows(&runs).into_iter().enumerate();
    let runs = rows.filter(|(index, row)| *index < RUNS_SHOWN || row.is_remarkable());
    fill(
        "page.html",
        &Page {
            run: current,
            seconds: current.seconds(),
            outcome: Outcome::of(current),
            must_go: current.must_go_entries(),
            opt_outs_unread: sum(current, |audience| audience.figures.suppression_rejected),
            audiences: current.audiences.iter().map(audience_page).collect(),
            phases: phases(current),
            runs: runs.map(|(_, row)| row).collect(),
        },
    )
}

fn audience_page(audience: &AudienceRecord) -> AudiencePage<'_> {
    AudiencePage {
        steps: funnel::steps(audience),
        values: audience.figures.values(),
        added: audience.held_after.saturating_sub(audience.held_before),
        audience,
    }
}

fn phases(run: &SyncRecord) -> Vec<Phase<'_>> {
    let whole: f64 = run.phases.iter().map(|phase| phase.seconds).sum();
    let mut start = 0.0;
    let mut phases = Vec::new();
    for (index, phase) in run.phases.iter().enumerate() {
        let percent = if whole > 0.0 { phase.seconds / whole * 100.0 } else { 0.0 };
        let shade = index % SHADES;
        phases.push(Phase { name: &phase.name, seconds: phase.seconds, percent, start, shade });
        start += percent;
    }
    phases
}
