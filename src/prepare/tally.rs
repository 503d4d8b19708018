//! Counters of what became of values, and where each reason occurred first.

use std::path::PathBuf;

use super::assumed::Sample;
use super::odd::Oddities;
use crate::normalize::{AssumedNumber, Note, Shape, Verdict, is_bare_domain};
use crate::reason::Reason;
use crate::trim::trim;

/// Counts of the values of one audience, by what became of them.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Records that were read.
    pub read: u64,
    /// Values with nothing in them.
    pub blank: u64,
    /// Accepted raw values.
    pub raw: u64,
    /// Accepted values that were digests already.
    pub prehashed: u64,
    /// Phone numbers without prefix and country that were taken as international.
    pub assumed_international: u64,
    /// Third-party ids that lower-casing changed.
    pub case_changed: u64,
    /// Values from which a spreadsheet's guard was taken off.
    pub unguarded: u64,
    /// Ids from which the `.0` of a float export was dropped.
    pub floats: u64,
    /// Some of the phone numbers without prefix and country, those that are no possible international number among them.
    pub(crate) assumed: Sample,
    /// Some of the phone numbers that are national by their form.
    pub(crate) national: Sample,
    /// Values of an opt-out list that stand for a whole domain.
    pub domains: u64,
    /// Rejected values that are the name of a domain and nothing else.
    pub bare_domains: u64,
    /// The domains of an opt-out list, each with a line end behind it, until they are taken.
    pub(super) domain_names: Vec<u8>,
    /// Cells that were split into several values.
    pub split_cells: u64,
    /// The values in them.
    pub split_values: u64,
    /// The same by column, where an audience has several.
    pub columns: Vec<ColumnTally>,
    rejected: ByReason,
    shapes: [u64; Shape::COUNT],
    /// Rejected values that hold several, by what stands between them.
    separated: [u64; SEPARATORS.len()],
}

/// What stands between several values of a cell, as people write it; the likeliest first.
const SEPARATORS: [(&str, u8); 6] =
    [(";", b';'), ("|", b'|'), (",", b','), ("\\n", b'\n'), ("/", b'/'), (" ", b' ')];

/// Counts of the values of one of an audience's columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ColumnTally {
    /// All values.
    pub read: u64,
    /// Those with nothing in them.
    pub blank: u64,
    /// Those that became entries.
    pub accepted: u64,
}

/// Rejects of every reason, in the order of the reasons.
#[derive(Clone, Debug)]
struct ByReason([Rejects; Reason::COUNT]);

impl Default for ByReason {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Rejects::default()))
    }
}

/// The rejects of one reason.
#[derive(Clone, Debug, Default)]
struct Rejects {
    count: u64,
    first: Option<Place>,
}

/// A place in an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The input; empty while it is counted within one.
    pub path: PathBuf,
    /// The line, counted from 1; from 0 while it is counted within a chunk.
    pub line: u64,
}

/// Counts of one source.
#[derive(Debug)]
pub(crate) struct SourceTally {
    pub(crate) source: usize,
    pub(crate) records: u64,
    /// Rows that each of its conditions dropped.
    pub(crate) dropped: Vec<u64>,
    pub(crate) oddities: Oddities,
    /// Of the audiences that it feeds. There can be many sources and many audiences.
    pub(crate) tallies: Vec<(usize, Tally)>,
}

/// Whether a cell was rejected because it holds several values.
fn holds_several(reason: Reason) -> bool {
    matches!(reason, Reason::SeveralAtSigns | Reason::SeveralValues)
}

impl Tally {
    /// Nothing is known yet of so many records.
    pub fn of_records(read: u64) -> Self {
        Self { read, ..Self::default() }
    }

    /// Counts a verdict other than a rejection, on a value that occurred so many times.
    #[inline]
    pub fn count(&mut self, verdict: Verdict, times: u64) {
        match verdict {
            Verdict::Blank => self.blank += times,
            Verdict::Prehashed(_) => self.prehashed += times,
            Verdict::Raw(note) => {
                self.raw += times;
                if note != Note::PLAIN {
                    self.note(note, times);
                }
            }
            Verdict::Domain => self.domains += times,
            Verdict::Rejected(_) => debug_assert!(false, "rejects are counted with their place"),
        }
    }

    fn note(&mut self, note: Note, times: u64) {
        for (of, count) in [
            (Note::ASSUMED_INTERNATIONAL, &mut self.assumed_international),
            (Note::CASE_CHANGED, &mut self.case_changed),
            (Note::UNGUARDED, &mut self.unguarded),
            (Note::FLOAT, &mut self.floats),
        ] {
            if note.has(of) {
                *count += times;
            }
        }
        if let Some(number) = note.assumed_number() {
            self.assumed.add(number);
        }
    }

    /// Counts a rejected value that occurred so many times, first in this line.
    pub fn reject(&mut self, reason: Reason, line: u64, value: &[u8], times: u64) {
        let rejects = &mut self.rejected.0[reason as usize];
        rejects.count += times;
        let first = rejects.first.get_or_insert_with(|| Place { path: PathBuf::new(), line });
        first.line = first.line.min(line);
        self.shapes[Shape::of(value) as usize] += times;
        if reason == Reason::NoAtSign && is_bare_domain(value) {
            self.bare_domains += times;
        }
        if holds_several(reason) {
            let value = trim(value);
            let between = SEPARATORS.iter().position(|(_, byte)| {
                // Within a phone number these stand, too.
                let may_separate = reason == Reason::SeveralAtSigns || !b"/ ".contains(byte);
                may_separate && value.contains(byte)
            });
            if let Some(between) = between {
                self.separated[between] += times;
            }
        }
        let sample = match reason {
            Reason::NationalNumber => &mut self.national,
            Reason::TooShort
            | Reason::TooLong
            | Reason::InvalidLength
            | Reason::UnknownCallingCode => &mut self.assumed,
            _ => return,
        };
        if let Some(number) = AssumedNumber::of_rejected(value) {
            sample.add(number);
        }
    }

    /// Counts rows that were taken for a footer, and have others behind them, for what they are.
    pub fn deny_footer(&mut self) {
        let footer = std::mem::take(&mut self.rejected.0[Reason::Footer as usize]);
        let of_width = &mut self.rejected.0[Reason::RowWidth as usize];
        of_width.count += footer.count;
        of_width.first = of_width.first.take().or(footer.first);
    }

    /// What stands between the values of most of the rejected cells that hold several, and how many these are.
    pub fn separator(&self) -> Option<(&'static str, u64)> {
        let several: u64 =
            self.reasons().filter(|(of, ..)| holds_several(*of)).map(|(_, n, _)| n).sum();
        let separated = SEPARATORS.iter().zip(self.separated);
        separated.map(|((text, _), count)| (*text, count)).find(|(_, count)| count * 2 > several)
    }

    /// Takes these counts for those of a column of its audience.
    pub fn set_column(&mut self, number: usize) {
        let column = ColumnTally { read: self.read, blank: self.blank, accepted: self.accepted() };
        self.columns.resize(number, ColumnTally::default());
        self.columns.push(column);
    }

    /// Adds what follows in order: the tally of the next chunk or of the next input. `place` completes its places.
    pub fn add(&mut self, mut next: Self, place: impl Fn(Place) -> Place) {
        self.read += next.read;
        self.blank += next.blank;
        self.raw += next.raw;
        self.prehashed += next.prehashed;
        self.assumed_international += next.assumed_international;
        self.case_changed += next.case_changed;
        self.unguarded += next.unguarded;
        self.floats += next.floats;
        self.domains += next.domains;
        self.bare_domains += next.bare_domains;
        self.domain_names.append(&mut next.domain_names);
        self.assumed.merge(next.assumed);
        self.national.merge(next.national);
        self.split_cells += next.split_cells;
        self.split_values += next.split_values;
        for (mine, theirs) in self.separated.iter_mut().zip(next.separated) {
            *mine += theirs;
        }
        self.columns.resize(self.columns.len().max(next.columns.len()), ColumnTally::default());
        for (mine, theirs) in self.columns.iter_mut().zip(next.columns) {
            mine.read += theirs.read;
            mine.blank += theirs.blank;
            mine.accepted += theirs.accepted;
        }
        for (mine, theirs) in self.rejected.0.iter_mut().zip(next.rejected.0) {
            mine.count += theirs.count;
            if mine.first.is_none() {
                mine.first = theirs.first.map(&place);
            }
        }
        for (mine, theirs) in self.shapes.iter_mut().zip(next.shapes) {
            *mine += theirs;
        }
    }

    /// Values that are not blank. What is around rows is none.
    pub fn values(&self) -> u64 {
        let around = self.rejected_as(Reason::Ruler) + self.rejected_as(Reason::Footer);
        self.read - self.blank - around
    }

    /// Values that became entries.
    pub fn accepted(&self) -> u64 {
        self.raw + self.prehashed
    }

    /// Values by which somebody is in an audience, or held back.
    pub fn usable(&self) -> u64 {
        self.accepted() + self.domains
    }

    /// All rejected values.
    pub fn rejected(&self) -> u64 {
        self.rejected.0.iter().map(|rejects| rejects.count).sum()
    }

    /// Rejected values that speak for a wrong file.
    pub fn suspicious(&self) -> u64 {
        self.reasons()
            .filter(|(reason, ..)| reason.suggests_wrong_file())
            .map(|(_, count, _)| count)
            .sum()
    }

    /// The most frequent reason that speaks for a wrong file, or else of all.
    pub fn most_suspicious(&self) -> Option<Reason> {
        let mut reasons = self.reasons().map(|(reason, ..)| reason);
        let first = reasons.next();
        first
            .filter(|of| of.suggests_wrong_file())
            .or_else(|| reasons.find(|of| of.suggests_wrong_file()))
            .or(first)
    }

    /// Values that were rejected for a reason.
    pub fn rejected_as(&self, reason: Reason) -> u64 {
        self.rejected.0[reason as usize].count
    }

    /// Reasons that occurred, with count and first place, the frequent ones first.
    pub fn reasons(&self) -> impl Iterator<Item = (Reason, u64, &Place)> {
        let mut reasons: Vec<_> = Reason::ALL
            .iter()
            .zip(&self.rejected.0)
            .filter_map(|(reason, rejects)| Some((*reason, rejects.count, rejects.first.as_ref()?)))
            .collect();
        reasons.sort_by_key(|(_, count, _)| std::cmp::Reverse(*count));
        reasons.into_iter()
    }

    /// The shape of more than half of the rejected values, if they have one.
    pub fn usual_shape(&self) -> Option<Shape> {
        Shape::ALL.into_iter().find(|shape| {
            self.shapes[*shape as usize] * 2 > self.rejected() && *shape != Shape::Other
        })
    }
}
