//! What is usual, and what is odd.
//!
//! A figure is odd if it is further from where the completed runs before it lead (28 at most, 7 at least) than six times
//! their median absolute deviation, or a small share where they hardly deviate. Where they lead is a straight line: its
//! slope is the median of the slopes of all pairs of runs (Theil and Sen), since audiences grow, and a plain median lags
//! behind by half a window. Six deviations are four standard deviations of figures that scatter normally, so that ninety
//! quiet nights raise no alarm; and neither line nor deviation is moved by the odd nights among them.

use crate::figures::{count, share};
use crate::sync::{AudienceRecord, SyncRecord};

/// Completed runs that say what is usual.
pub(super) const WINDOW_MAX: usize = 28;
pub(super) const WINDOW_MIN: usize = 7;

/// How many times the median absolute deviation is still usual.
const REACH: f64 = 6.0;

/// A figure of an audience that is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Figure {
    Members,
    New,
    RejectedShare,
}

/// A run's figure, with what was usual then.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Point {
    pub(super) value: Option<f64>,
    pub(super) is_complete: bool,
    /// Made from nothing: all members are new.
    pub(super) is_whole: bool,
    pub(super) usual: Option<(f64, f64)>,
}

impl Point {
    pub(super) fn is_odd(&self) -> bool {
        matches!((self.value, self.usual), (Some(value), Some((low, high))) if value < low || value > high)
    }
}

impl Figure {
    pub(super) const ALL: [Self; 3] = [Self::Members, Self::New, Self::RejectedShare];

    pub(super) fn title(self) -> &'static str {
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
    pub(super) fn shown(self, value: f64) -> String {
        match self {
            Self::Members | Self::New => count(value.round() as u64),
            Self::RejectedShare => share(value),
        }
    }

    pub(super) fn range(self, (low, high): (f64, f64)) -> String {
        format!("{} to {}", self.shown(low), self.shown(high))
    }
}

/// A figure of all runs, with what was usual at each.
pub(super) fn points(
    runs: &[&SyncRecord],
    figure: Figure,
    name: &str,
    user_type: &str,
) -> Vec<Point> {
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
