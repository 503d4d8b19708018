//! The last runs side by side, and which of their figures are odd.

mod chart;
mod usual;

use serde::Serialize;

use self::chart::Chart;
use self::usual::{Figure, Point, WINDOW_MAX, WINDOW_MIN};
use super::outcome::{Tone, guard_words, word};
use crate::sync::SyncRecord;
use crate::utc::Utc;

/// Runs that are shown.
pub(super) const RUNS_MAX: usize = 91;

/// Odd nights that are listed.
const REMARKS_MAX: usize = 12;

/// The last runs.
#[derive(Debug, Serialize)]
pub(super) struct Trend {
    runs: usize,
    first_day: String,
    last_day: String,
    /// How each run ended, the first one first.
    cells: Vec<Cell>,
    /// What the cells say, in words.
    completed: usize,
    stopped: usize,
    audiences: Vec<AudienceTrend>,
    remarks: Vec<Remark>,
    remarks_left_out: usize,
    window_min: usize,
    window_max: usize,
}

#[derive(Debug, Serialize)]
struct Cell {
    x: f64,
    width: f64,
    tone: Tone,
    is_complete: bool,
    title: String,
}

#[derive(Debug, Serialize)]
struct AudienceTrend {
    name: String,
    user_type: String,
    charts: Vec<Chart>,
}

/// A run that one should know of.
#[derive(Debug, Serialize)]
struct Remark {
    run: i64,
    started_at: i64,
    word: &'static str,
    tone: Tone,
    texts: Vec<String>,
}

impl Trend {
    /// Of runs, the first one first.
    pub(super) fn of(runs: &[&SyncRecord]) -> Self {
        let runs = &runs[runs.len().saturating_sub(RUNS_MAX)..];
        let mut remarks: Vec<Remark> = runs.iter().filter_map(|run| stopped(run)).collect();
        let mut audiences = Vec::new();
        for (name, user_type) in names(runs) {
            let charts = Figure::ALL.map(|figure| {
                let points = usual::points(runs, figure, name, user_type);
                for (run, point) in runs.iter().zip(&points) {
                    add_odd(&mut remarks, run, figure, name, point);
                }
                Chart::of(figure, runs, &points)
            });
            let (name, user_type) = (name.to_owned(), user_type.to_owned());
            audiences.push(AudienceTrend { name, user_type, charts: charts.into() });
        }
        remarks.sort_by_key(|remark| std::cmp::Reverse(remark.run));
        let remarks_left_out = remarks.len().saturating_sub(REMARKS_MAX);
        remarks.truncate(REMARKS_MAX);
        let completed = runs.iter().filter(|run| run.exit_code == 0).count();
        let day = |run: Option<&&SyncRecord>| {
            run.map_or_else(String::new, |run| Utc(run.started_at).day())
        };
        Self {
            runs: runs.len(),
            first_day: day(runs.first()),
            last_day: day(runs.last()),
            cells: cells(runs),
            completed,
            stopped: runs.len() - completed,
            audiences,
            remarks,
            remarks_left_out,
            window_min: WINDOW_MIN,
            window_max: WINDOW_MAX,
        }
    }
}

/// The audiences of the runs, those of the last one first.
fn names<'a>(runs: &[&'a SyncRecord]) -> Vec<(&'a str, &'a str)> {
    let mut names = Vec::new();
    for audience in runs.iter().rev().flat_map(|run| &run.audiences) {
        let name = (&*audience.name, &*audience.user_type);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

#[expect(clippy::cast_precision_loss, reason = "a position on a page")]
fn cells(runs: &[&SyncRecord]) -> Vec<Cell> {
    let step = 100.0 / runs.len().max(1) as f64;
    let cell = |(index, run): (usize, &&SyncRecord)| {
        let (word, tone) = word(run);
        let title = format!("{}, run {}: {word}", Utc(run.started_at).day(), run.run);
        let x = index as f64 * step + step * 0.12;
        Cell { x, width: step * 0.76, tone, is_complete: run.exit_code == 0, title }
    };
    runs.iter().enumerate().map(cell).collect()
}

fn stopped(run: &SyncRecord) -> Option<Remark> {
    if run.exit_code == 0 {
        return None;
    }
    let guard = run.guard.as_ref().map(guard_words);
    Some(Remark::of(run, guard.or_else(|| run.error.clone()).into_iter().collect()))
}

impl Remark {
    fn of(run: &SyncRecord, texts: Vec<String>) -> Self {
        let (word, tone) = word(run);
        Self { run: run.run, started_at: run.started_at, word, tone, texts }
    }
}

fn add_odd(remarks: &mut Vec<Remark>, run: &SyncRecord, figure: Figure, name: &str, point: &Point) {
    // Why a run was stopped says more than its figures.
    let is_told = point.is_odd() && point.is_complete;
    let (true, Some(value), Some(usual)) = (is_told, point.value, point.usual) else { return };
    let title = figure.title().to_lowercase();
    let text = format!("{name}: {title} {}, usual {}", figure.shown(value), figure.range(usual));
    if let Some(remark) = remarks.iter_mut().find(|remark| remark.run == run.run) {
        remark.texts.push(text);
    } else {
        remarks.push(Remark::of(run, vec![text]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::AudienceRecord;

    fn night(run: i64, members: u64, exit_code: u8) -> SyncRecord {
        let audience =
            AudienceRecord { read: members, members, new: 40, ..AudienceRecord::default() };
        let started_at = 86_400_000 * run;
        SyncRecord {
            run,
            started_at,
            exit_code,
            audiences: vec![audience],
            ..SyncRecord::default()
        }
    }

    fn trend(nights: &[SyncRecord]) -> Trend {
        Trend::of(&nights.iter().collect::<Vec<_>>())
    }

    /// Grows by a thousandth every night, and scatters a little.
    fn growing(run: i64) -> u64 {
        let run = u64::try_from(run).unwrap();
        100_000 + 100 * run + run * 7919 % 61
    }

    #[test]
    fn quiet_growth_is_not_odd() {
        let nights: Vec<_> = (1..=91).map(|run| night(run, growing(run), 0)).collect();
        assert!(trend(&nights).remarks.is_empty());
    }

    #[test]
    fn a_half_written_export_is_odd_and_does_not_become_usual() {
        let mut nights: Vec<_> = (1..=91).map(|run| night(run, growing(run), 0)).collect();
        for night in &mut nights[40..44] {
            night.audiences[0].members = 50_000;
        }
        let trend = trend(&nights);
        let odd: Vec<i64> = trend.remarks.iter().map(|remark| remark.run).collect();
        assert_eq!(odd, [44, 43, 42, 41]);
        assert!(trend.remarks[0].texts[0].contains("members 50,000, usual"), "{:?}", trend.remarks);
        let marks = &trend.audiences[0].charts[0].marks;
        assert_eq!(marks.iter().filter(|mark| mark.shape == "below").count(), 4);
    }

    #[test]
    fn a_few_runs_say_nothing_about_what_is_usual() {
        let nights: Vec<_> = (1..=7).map(|run| night(run, growing(run), 0)).collect();
        assert!(trend(&nights).audiences[0].charts[0].usual.is_none());
        let eighth = [nights, vec![night(8, 5, 0)]].concat();
        assert_eq!(trend(&eighth).remarks.len(), 1);
    }

    #[test]
    fn stopped_runs_are_remarked_and_do_not_count_as_usual() {
        let mut nights: Vec<_> = (1..=30).map(|run| night(run, growing(run), 0)).collect();
        nights.extend((31..=60).map(|run| night(run, 9, 6)));
        nights.push(night(61, growing(61), 0));
        let trend = trend(&nights);
        assert_eq!((trend.completed, trend.stopped), (31, 30));
        assert_eq!(trend.remarks.len() + trend.remarks_left_out, 31);
        assert_eq!(trend.remarks[0].run, 61);
    }

    #[test]
    fn nothing_at_all_is_no_reason_to_fail() {
        assert_eq!(trend(&[]).runs, 0);
        let empty = SyncRecord::default();
        assert_eq!(Trend::of(&[&empty]).audiences.len(), 0);
    }
}
