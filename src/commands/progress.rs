//! Showing how far a run is: a bar on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal, stderr};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use throng::progress::{Phase, Progress};

use super::{log, tell};

/// How often the bar is drawn.
const TICK: Duration = Duration::from_millis(100);

/// How often a line is printed where there is no terminal.
pub(super) const LINE_EVERY: Duration = Duration::from_secs(30);

/// How often it is for those who want to see it in any case.
pub(super) const LINE_OFTEN: Duration = Duration::from_secs(1);

/// Shows progress until the sender of `done` is dropped.
pub(super) fn show(progress: &Progress, line_every: Duration, done: &Receiver<()>) {
    let bar = (stderr().is_terminal() && !log::is_json()).then(new_bar);
    let started = Instant::now();
    let mut line_at = line_every;
    while done.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
        match &bar {
            Some(bar) => draw(bar, progress),
            None if started.elapsed() >= line_at => {
                line_at += line_every;
                say_progress(progress, started.elapsed());
            }
            None => {}
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}

fn new_bar() -> ProgressBar {
    let bar = ProgressBar::no_length();
    let style = "{spinner} {msg} {wide_bar} {percent}% {per_sec} {eta} left";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar
}

fn draw(bar: &ProgressBar, progress: &Progress) {
    let (message, at, total) = state(progress);
    bar.set_message(message);
    if total > 0 {
        bar.set_length(total);
    }
    bar.set_position(at.min(total.max(at)));
}

/// What is done, how far, and of how much (0 if not known).
fn state(progress: &Progress) -> (&'static str, u64, u64) {
    let get = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    match progress.phase() {
        Phase::Reading => ("reading", get(&progress.bytes_read), get(&progress.bytes_total)),
        Phase::Writing => ("writing", get(&progress.resolved), get(&progress.entries)),
        Phase::Publishing => ("publishing", 1, 1),
    }
}

/// The figures of a progress line.
#[derive(Serialize)]
struct Figures {
    phase: &'static str,
    /// From 0 to 1, if it is known how much there is.
    share: Option<f64>,
    records: u64,
    records_per_second: f64,
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more precision than f64 has")]
fn say_progress(progress: &Progress, elapsed: Duration) {
    let (phase, at, total) = state(progress);
    let records = progress.records.load(Ordering::Relaxed);
    let records_per_second = (records as f64 / elapsed.as_secs_f64()).round();
    let share = (total > 0).then(|| at as f64 / total as f64);
    let percent = share.map_or_else(String::new, |share| format!(" {:.0}%,", share * 100.0));
    let line = format!("{phase}:{percent} {records} records, {records_per_second:.0} records/s");
    tell("progress", line, Figures { phase, share, records, records_per_second });
}
