//! The last runs side by side, and which of their figures are odd.
//!
//! A figure is odd if it is further from where the completed runs before it lead (28 at most, 7 at least) than six times
//! their median absolute deviation, or a small share where they hardly deviate. Where they lead is a straight line: its
//! slope is the median of the slopes of all pairs of runs (Theil and Sen), since audiences grow, and a plain median lags
//! behind by half a window. Six deviations are four standard deviations of figures that scatter normally, so that ninety
//! quiet nights raise no alarm; and neither line nor deviation is moved by the odd nights among them.

use serde::Serialize;

use super::figures::{count, share};
use super::outcome::{Tone, guard_words, word};
use crate::sync::{AudienceRecord, SyncRecord};
use crate::utc::Utc;

/// Runs that are shown.
pub(super) const RUNS_MAX: usize = 91;

/// Completed runs that say what is usual.
const WINDOW_MAX: usize = 28;
const WINDOW_MIN: usize = 7;

/// How many times the median absolute deviation is still usual.
const REACH: f64 = 6.0;

/// Where stopped and failed runs are marked: below the plot, apart from its figures.
const FAILED_Y: f64 = 113.0;

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

/// A figure over the runs. Positions are in percent of the plot, from its upper left corner.
#[derive(Debug, Serialize)]
struct Chart {
    title: &'static str,
    latest: String,
    usual: Option<String>,
    is_odd: bool,
    high: String,
    low: String,
    /// The usual range: the corners of an area.
    band: String,
    /// Lines through completed runs.
    lines: Vec<String>,
    marks: Vec<Mark>,
    description: String,
}

#[derive(Debug, Serialize)]
struct Mark {
    x: f64,
    y: f64,
    shape: &'static str,
    title: String,
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

/// A figure of an audience that is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Figure {
    Members,
    New,
    RejectedShare,
}

/// A run's figure, with what was usual then.
#[derive(Clone, Copy, Debug, Default)]
struct Point {
    value: Option<f64>,
    is_complete: bool,
    /// Made from nothing: all members are new.
    is_whole: bool,
    usual: Option<(f64, f64)>,
}

impl Point {
    fn is_odd(&self) -> bool {
        matches!((self.value, self.usual), (Some(value), Some((low, high))) if value < low || value > high)
    }
}

impl Figure {
    const ALL: [Self; 3] = [Self::Members, Self::New, Self::RejectedShare];

    fn title(self) -> &'static str {
        match self {
            Self::Members => "Members",
            Self::New => "New",
            Self::RejectedShare => "Rejected",
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a position on a page")]
    fn of(self, audience: &AudienceRecord) -> Option<f64> {
        let values = audience.read - audience.blank.min(audience.read);
        match self {
            _ if audience.read == 0 => None,
            Self::Members => Some(audience.members as f64),
            Self::New => Some(audience.new as f64),
            Self::RejectedShare => (values > 0).then(|| audience.rejected as f64 / values as f64),
        }
    }

    /// The least deviation from what is expected that counts.
    fn floor(self, expected: f64) -> f64 {
        match self {
            Self::Members => expected * 0.01,
            Self::New => (expected * 0.2).max(10.0),
            Self::RejectedShare => (expected * 0.5).max(0.001),
        }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count again")]
    fn shown(self, value: f64) -> String {
        match self {
            Self::Members | Self::New => count(value.round() as u64),
            Self::RejectedShare => share(value),
        }
    }

    fn range(self, (low, high): (f64, f64)) -> String {
        format!("{} to {}", self.shown(low), self.shown(high))
    }
}

impl Trend {
    /// Of runs, the first one first.
    pub(super) fn of(runs: &[&SyncRecord]) -> Self {
        let runs = &runs[runs.len().saturating_sub(RUNS_MAX)..];
        let mut remarks: Vec<Remark> = runs.iter().filter_map(|run| stopped(run)).collect();
        let mut audiences = Vec::new();
        for (name, user_type) in names(runs) {
            let charts = Figure::ALL.map(|figure| {
                let points = points(runs, figure, name, user_type);
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

/// A figure of all runs, with what was usual at each.
fn points(runs: &[&SyncRecord], figure: Figure, name: &str, user_type: &str) -> Vec<Point> {
    let mut usual_before: Vec<f64> = Vec::new();
    let mut points = Vec::new();
    for run in runs {
        let mut audiences = run.audiences.iter();
        let audience = audiences.find(|one| one.name == name && one.user_type == user_type);
        let value = audience.and_then(|audience| figure.of(audience));
        let is_whole = figure == Figure::New
            && audience.is_some_and(|one| matches!(&*one.action, "create" | "replace"));
        let is_complete = run.exit_code == 0;
        let usual = if is_whole { None } else { usual(figure, &usual_before) };
        points.push(Point { value, is_complete, is_whole, usual });
        if let Some(value) = value.filter(|_| is_complete && !is_whole) {
            usual_before.push(value);
        }
    }
    points
}

/// What is usual after these values, the last one last.
#[expect(clippy::cast_precision_loss, reason = "an index of a window")]
fn usual(figure: Figure, before: &[f64]) -> Option<(f64, f64)> {
    let window = &before[before.len().saturating_sub(WINDOW_MAX)..];
    if window.len() < WINDOW_MIN {
        return None;
    }
    let at = |index: usize| index as f64;
    let pairs = (0..window.len()).flat_map(|to| (0..to).map(move |from| (from, to)));
    let slopes = pairs.map(|(from, to)| (window[to] - window[from]) / (at(to) - at(from)));
    let slope = median(slopes.collect());
    let level: Vec<f64> =
        window.iter().enumerate().map(|(index, value)| value - slope * at(index)).collect();
    let middle = median(level.clone());
    let deviation = median(level.into_iter().map(|value| (value - middle).abs()).collect());
    let next = middle + slope * at(window.len());
    let reach = (deviation * REACH).max(figure.floor(next));
    Some(((next - reach).max(0.0), (next + reach).max(0.0)))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) {
        f64::midpoint(values[middle - 1], values[middle])
    } else {
        values[middle]
    }
}

/// Where things are in a plot.
struct Scale {
    low: f64,
    high: f64,
    runs: usize,
}

impl Scale {
    /// Holds what is usual. What is not is shown at its edge, so that one odd night does not flatten all the others.
    fn of(figure: Figure, points: &[Point]) -> Self {
        let usual = points.iter().filter(|point| !point.is_whole && !point.is_odd());
        let values = usual.filter_map(|point| point.value.filter(|_| point.is_complete));
        let bands = points.iter().filter_map(|point| point.usual);
        let mut shown: Vec<f64> = values.chain(bands.flat_map(|(low, high)| [low, high])).collect();
        if shown.is_empty() {
            shown = points.iter().filter_map(|point| point.value).collect();
        }
        let low = shown.iter().copied().fold(f64::INFINITY, f64::min);
        let high = shown.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = if low > high { (0.0, 1.0) } else { (low, high) };
        let low = if figure == Figure::Members { low } else { 0.0 };
        let high = if high > low { high } else { low + 1.0 };
        Self { low, high, runs: points.len() }
    }

    #[expect(clippy::cast_precision_loss, reason = "a position on a page")]
    fn x(&self, index: usize) -> f64 {
        rounded((index as f64 + 0.5) / self.runs.max(1) as f64 * 100.0)
    }

    fn y(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        rounded((1.0 - share.clamp(0.0, 1.0)) * 100.0)
    }

    /// The sign for a value that is odd, or made from nothing.
    fn shape(&self, value: f64) -> &'static str {
        match value {
            _ if value > self.high => "above",
            _ if value < self.low => "below",
            _ => "odd",
        }
    }
}

fn rounded(position: f64) -> f64 {
    (position * 100.0).round() / 100.0
}

impl Chart {
    fn of(figure: Figure, runs: &[&SyncRecord], points: &[Point]) -> Self {
        let scale = Scale::of(figure, points);
        let last = points.last().copied().unwrap_or_default();
        let latest = last.value.map_or_else(|| "–".to_owned(), |value| figure.shown(value));
        let usual = last.usual.map(|usual| figure.range(usual));
        let odd = points.iter().filter(|point| point.is_odd()).count();
        let description = format!(
            "{} runs, {} to {}; the latest is {latest}{}; {odd} odd.",
            points.len(),
            figure.shown(scale.low),
            figure.shown(scale.high),
            usual.as_ref().map_or_else(String::new, |usual| format!(", usual is {usual}")),
        );
        Self {
            title: figure.title(),
            latest,
            usual,
            is_odd: last.is_odd(),
            high: figure.shown(scale.high),
            low: figure.shown(scale.low),
            band: band(&scale, points),
            lines: lines(&scale, points),
            marks: marks(figure, &scale, runs, points),
            description,
        }
    }
}

/// The corners of the usual range: forth along its upper edge, back along its lower one.
fn band(scale: &Scale, points: &[Point]) -> String {
    let usual = |(index, point): (usize, &Point)| Some((scale.x(index), point.usual?));
    let edges: Vec<_> = points.iter().enumerate().filter_map(usual).collect();
    let upper = edges.iter().map(|(x, (_, high))| (*x, scale.y(*high)));
    let lower = edges.iter().rev().map(|(x, (low, _))| (*x, scale.y(*low)));
    joined(upper.chain(lower))
}

/// Lines through completed runs with usual values, interrupted where there is none.
fn lines(scale: &Scale, points: &[Point]) -> Vec<String> {
    let is_shown = |point: &Point| {
        point.value.filter(|_| point.is_complete && !point.is_odd() && !point.is_whole)
    };
    let indexed: Vec<_> = points.iter().map(is_shown).enumerate().collect();
    let pieces = indexed.split(|(_, value)| value.is_none()).filter(|piece| !piece.is_empty());
    let line = |piece: &[(usize, Option<f64>)]| {
        let place =
            |(index, value): &(usize, Option<f64>)| Some((scale.x(*index), scale.y((*value)?)));
        let mut places: Vec<_> = piece.iter().filter_map(place).collect();
        // A line to itself is drawn as a dot.
        places.extend(places.first().copied().filter(|_| piece.len() == 1));
        joined(places.into_iter())
    };
    pieces.map(line).collect()
}

fn joined(places: impl Iterator<Item = (f64, f64)>) -> String {
    places.map(|(x, y)| format!("{x},{y}")).collect::<Vec<_>>().join(" ")
}

fn marks(figure: Figure, scale: &Scale, runs: &[&SyncRecord], points: &[Point]) -> Vec<Mark> {
    let mut marks = Vec::new();
    for (index, (run, point)) in runs.iter().zip(points).enumerate() {
        let (x, day) = (scale.x(index), Utc(run.started_at).day());
        let value = point.value.map(|value| (value, figure.shown(value)));
        if !point.is_complete {
            let title = format!("{day}: {}", word(run).0);
            marks.push(Mark { x, y: FAILED_Y, shape: "failed", title });
        }
        match (value, point.usual) {
            (Some((value, shown)), Some(usual)) if point.is_odd() => {
                let title = format!("{day}: {shown}, usual {}", figure.range(usual));
                marks.push(Mark { x, y: scale.y(value), shape: scale.shape(value), title });
            }
            (Some((value, shown)), _) if point.is_whole => {
                let title = format!("{day}: {shown}, the audience was built anew");
                marks.push(Mark { x, y: scale.y(value), shape: "whole", title });
            }
            (Some((value, shown)), _) if index + 1 == points.len() => {
                let title = format!("{day}: {shown}");
                marks.push(Mark { x, y: scale.y(value), shape: "now", title });
            }
            _ => {}
        }
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

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
