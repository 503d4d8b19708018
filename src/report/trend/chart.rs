//! A figure over the runs, as a plot.

use serde::Serialize;

use super::usual::{Figure, Point};
use crate::report::outcome::word;
use crate::sync::SyncRecord;
use crate::utc::Utc;

/// Where stopped and failed runs are marked: below the plot, apart from its figures.
const FAILED_Y: f64 = 113.0;

/// A figure over the runs. Positions are in percent of the plot, from its upper left corner.
#[derive(Debug, Serialize)]
pub(super) struct Chart {
    title: &'static str,
    latest: String,
    pub(super) usual: Option<String>,
    is_odd: bool,
    high: String,
    low: String,
    /// The usual range: the corners of an area.
    band: String,
    /// Lines through completed runs.
    lines: Vec<String>,
    pub(super) marks: Vec<Mark>,
    description: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Mark {
    x: f64,
    y: f64,
    pub(super) shape: &'static str,
    title: String,
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
    pub(super) fn of(figure: Figure, runs: &[&SyncRecord], points: &[Point]) -> Self {
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
