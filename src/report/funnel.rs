//! From what was read to what was uploaded, as a waterfall: what is left is solid, what went is shown where it went.

use serde::Serialize;

use crate::audience::AudienceFigures;
use crate::entries::Counts;
use crate::sync::AudienceRecord;

/// Thinnest bar, in percent: what is there can be seen.
const WIDTH_MIN: f64 = 0.4;

/// A row of the funnel.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    label: &'static str,
    note: &'static str,
    pub(super) count: u64,
    kind: Kind,
    /// Start and width of its bar, in percent of what was read.
    pub(super) start: f64,
    pub(super) width: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// Records or entries that are left.
    Left,
    /// Those that are not.
    Gone,
    /// Those that the API has confirmed.
    Sent,
}

/// The rows for an audience; none if nothing was read.
pub(super) fn steps(audience: &AudienceRecord) -> Vec<Step> {
    let AudienceFigures { read, blank, rejected, duplicates, sets, .. } = &audience.figures;
    let (read, blank, rejected, duplicates) = (*read, *blank, *rejected, *duplicates);
    let Counts { members, suppressed, linked, known, written, .. } = *sets;
    if read == 0 {
        return Vec::new();
    }
    let mut steps = vec![
        (Kind::Left, "Read", "member records", read),
        (Kind::Gone, "Blank", "nothing in them", blank),
        (Kind::Gone, "Rejected", "by reason below", rejected),
        (Kind::Gone, "Duplicates", "the same people again", duplicates),
        (Kind::Left, "Members", "different people", members),
        (Kind::Gone, "Opted out", "held back, never sent", suppressed),
        (Kind::Gone, "Known already", "not sent again", known),
        (Kind::Left, "New", "to be sent", written),
    ];
    if linked > 0 {
        let note = "another identifier of their row opted out";
        let behind = steps.len() - 2;
        steps.insert(behind, (Kind::Gone, "Held back with them", note, linked));
    }
    steps.push((Kind::Sent, "Uploaded", "confirmed by the API", audience.entries_sent));
    let removed = audience.removed_gone + audience.removed_opted_out;
    if removed > 0 {
        steps.push((Kind::Sent, "Taken out", "no members any more, or opted out", removed));
    }
    let mut left = 0;
    let step = |(kind, label, note, count): (Kind, &'static str, &'static str, u64)| {
        let start = match kind {
            Kind::Left => {
                left = count;
                0
            }
            Kind::Gone => {
                left = left.saturating_sub(count);
                left
            }
            Kind::Sent => 0,
        };
        let (start, width) = bar(start, count, read);
        Step { label, note, count, kind, start, width }
    };
    steps.into_iter().map(step).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a position on a page")]
fn bar(start: u64, count: u64, whole: u64) -> (f64, f64) {
    if count == 0 {
        return (0.0, 0.0);
    }
    let percent = |number: u64| (number as f64 / whole as f64 * 100.0).min(100.0);
    let width = percent(count).max(WIDTH_MIN);
    (percent(start).min(100.0 - width), width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_ends_where_what_is_left_begins() {
        let sets =
            Counts { members: 800, suppressed: 200, known: 500, written: 100, ..Counts::default() };
        let audience = AudienceRecord {
            figures: AudienceFigures {
                read: 1000,
                blank: 100,
                rejected: 1,
                duplicates: 99,
                sets,
                ..AudienceFigures::default()
            },
            entries_sent: 2000,
            ..AudienceRecord::default()
        };
        let bars: Vec<_> = steps(&audience).iter().map(|step| (step.start, step.width)).collect();
        let expected = [
            (0.0, 100.0),
            (90.0, 10.0),
            (89.9, 0.4),
            (80.0, 9.9),
            (0.0, 80.0),
            (60.0, 20.0),
            (10.0, 50.0),
            (0.0, 10.0),
            (0.0, 100.0),
        ];
        for (found, expected) in bars.iter().zip(expected) {
            assert!((found.0 - expected.0).abs() < 1e-9 && (found.1 - expected.1).abs() < 1e-9);
        }
        assert_eq!(bars.len(), expected.len());
        assert!(steps(&AudienceRecord::default()).is_empty());
    }
}
