//! Runs as rows of a table, with what was odd about each of them.
//!
//! A figure is odd if it is far from its median over the completed runs before: [`WINDOW`] of them, [`WINDOW_MIN`] at
//! least. A median is not moved by the odd runs among them, and lags behind a growing audience by a week, which is within
//! the tenth that is allowed. Limits are fixed, so that who is woken by one can check it by hand.

use serde::Serialize;

use super::outcome::{Tone, guard_words, sum, word};
use crate::figures::{count, share};
use crate::sync::{AudienceRecord, SyncRecord};

/// Completed runs that say what is usual, and how many of them are needed to say it.
const WINDOW: usize = 14;
const WINDOW_MIN: usize = 5;

/// A run.
#[derive(Debug, Serialize)]
pub(super) struct Row<'a> {
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
    /// Reason for which it did not come to its end.
    why: Option<String>,
    /// Its odd figures, in words.
    odd: Vec<String>,
}

impl Row<'_> {
    /// Says whether somebody should know of it.
    pub(super) fn is_remarkable(&self) -> bool {
        !self.run.is_dry_run && (self.run.exit_code != 0 || !self.odd.is_empty())
    }
}

/// The rows of the runs of a job, the latest first like them.
pub(super) fn rows<'a>(runs: &[&'a SyncRecord]) -> Vec<Row<'a>> {
    runs.iter().enumerate().map(|(index, run)| row(run, &runs[index + 1..])).collect()
}

fn row<'a>(run: &'a SyncRecord, earlier: &[&SyncRecord]) -> Row<'a> {
    let (word, tone) = word(run);
    // Why a run was stopped says more than its figures.
    let odd = if run.is_success() { odd(run, earlier) } else { Vec::new() };
    Row {
        run,
        word,
        tone,
        seconds: run.seconds(),
        has_figures: sum(run, |audience| audience.figures.read) > 0,
        members: sum(run, |audience| audience.figures.sets.members),
        new: sum(run, |audience| audience.figures.sets.written),
        sent: sum(run, |audience| audience.entries_sent),
        rejected: sum(run, |audience| audience.figures.rejected),
        values: sum(run, |audience| audience.figures.values()),
        must_go: run.must_go_entries(),
        why: run.guard.as_ref().map(guard_words).or_else(|| run.error.clone()),
        odd,
    }
}

fn odd(run: &SyncRecord, earlier: &[&SyncRecord]) -> Vec<String> {
    let read = run.audiences.iter().filter(|audience| audience.figures.read > 0);
    read.flat_map(|audience| odd_figures(audience, earlier)).collect()
}

fn odd_figures(audience: &AudienceRecord, earlier: &[&SyncRecord]) -> Vec<String> {
    let is_same = |one: &&AudienceRecord| {
        one.figures.read > 0 && one.name == audience.name && one.user_type == audience.user_type
    };
    let completed = earlier.iter().filter(|run| run.is_success());
    let same: Vec<&AudienceRecord> =
        completed.filter_map(|run| run.audiences.iter().find(is_same)).take(WINDOW).collect();
    let usual = |figure: fn(&AudienceRecord) -> u64| {
        median(same.iter().map(|audience| figure(audience)).collect())
    };
    let mut odd = Vec::new();
    let mut say = |shown: String, usual: String| {
        odd.push(format!("{}: {shown}, usually {usual}", audience.name));
    };
    let (members, new) = (audience.figures.sets.members, audience.figures.sets.written);
    if let Some(usual) = usual(|audience| audience.figures.sets.members)
        && members.abs_diff(usual) > usual / 10
    {
        say(format!("{} members", count(members)), count(usual));
    }
    let added: Vec<u64> = same
        .iter()
        .filter(|one| !is_built(one))
        .map(|audience| audience.figures.sets.written)
        .collect();
    if let Some(usual) = median(added)
        && !is_built(audience)
        && (new > (3 * usual).max(usual + 100) || new == 0 && usual >= 10)
    {
        say(format!("{} new", count(new)), count(usual));
    }
    let now = rejected_ppm(audience);
    if let Some(usual) = usual(rejected_ppm)
        && now > (2 * usual).max(usual + 10_000)
    {
        say(format!("{} rejected", share_of(now)), share_of(usual));
    }
    odd
}

/// Tells an audience that was made from nothing: then all its members are new.
fn is_built(audience: &AudienceRecord) -> bool {
    matches!(&*audience.action, "create" | "replace")
}

/// Millionths of the values that were rejected.
fn rejected_ppm(audience: &AudienceRecord) -> u64 {
    let ppm = u128::from(audience.figures.rejected) * 1_000_000
        / u128::from(audience.figures.values().max(1));
    u64::try_from(ppm).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "it is rounded to be shown")]
fn share_of(ppm: u64) -> String {
    share(ppm as f64 / 1e6)
}

/// The upper median; `None` of fewer than are needed.
fn median(mut figures: Vec<u64>) -> Option<u64> {
    figures.sort_unstable();
    (figures.len() >= WINDOW_MIN).then(|| figures[figures.len() / 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audience::AudienceFigures;
    use crate::entries::Counts;

    fn night(run: i64, members: u64, exit_code: u8) -> SyncRecord {
        let sets = Counts { members, written: 40, ..Counts::default() };
        let figures = AudienceFigures { read: members, sets, ..AudienceFigures::default() };
        let audience = AudienceRecord { figures, ..AudienceRecord::default() };
        SyncRecord { run, exit_code, audiences: vec![audience], ..SyncRecord::default() }
    }

    /// The odd figures by run, the latest first.
    fn odd(nights: &[SyncRecord]) -> Vec<(i64, Vec<String>)> {
        let latest_first: Vec<&SyncRecord> = nights.iter().rev().collect();
        let rows = rows(&latest_first).into_iter().filter(|row| !row.odd.is_empty());
        rows.map(|row| (row.run.run, row.odd)).collect()
    }

    /// Grows by a hundredth every night.
    fn growing(run: i64) -> u64 {
        100_000 + 1_000 * u64::try_from(run).expect("a count")
    }

    #[test]
    fn quiet_growth_is_not_odd() {
        let nights: Vec<_> = (1..=91).map(|run| night(run, growing(run), 0)).collect();
        assert!(odd(&nights).is_empty());
    }

    #[test]
    fn a_half_written_export_is_odd_and_does_not_become_usual() {
        let mut nights: Vec<_> = (1..=91).map(|run| night(run, growing(run), 0)).collect();
        for night in &mut nights[40..44] {
            night.audiences[0].figures.sets.members = 50_000;
        }
        let odd = odd(&nights);
        assert_eq!(odd.iter().map(|(run, _)| *run).collect::<Vec<_>>(), [44, 43, 42, 41]);
        assert_eq!(odd[3].1, [": 50,000 members, usually 134,000"]);
    }

    #[test]
    fn new_and_rejected_are_odd_where_they_jump_or_stop() {
        let mut nights: Vec<_> = (1..=9).map(|run| night(run, 100_000, 0)).collect();
        let mut last = |change: fn(&mut AudienceRecord)| {
            nights[8].audiences[0] = nights[7].audiences[0].clone();
            change(&mut nights[8].audiences[0]);
            odd(&nights).into_iter().flat_map(|(_, odd)| odd).collect::<Vec<_>>()
        };
        assert_eq!(last(|audience| audience.figures.sets.written = 0), [": 0 new, usually 40"]);
        assert_eq!(last(|audience| audience.figures.sets.written = 141), [": 141 new, usually 40"]);
        assert!(last(|audience| audience.figures.sets.written = 140).is_empty());
        let built = |audience: &mut AudienceRecord| {
            (audience.figures.sets.written, audience.action) = (100_000, "replace".to_owned());
        };
        assert!(last(built).is_empty());
        assert_eq!(
            last(|audience| audience.figures.rejected = 1_100),
            [": 1.10% rejected, usually 0%"]
        );
        assert!(last(|audience| audience.figures.rejected = 900).is_empty());
    }

    #[test]
    fn a_few_runs_say_nothing_about_what_is_usual() {
        let nights: Vec<_> = (1..=5).map(|run| night(run, growing(run), 0)).collect();
        assert!(odd(&[&nights[..4], &[night(5, 5, 0)]].concat()).is_empty());
        assert_eq!(odd(&[nights, vec![night(6, 5, 0)]].concat()).len(), 1);
    }

    #[test]
    fn stopped_runs_do_not_count_as_usual_and_are_remarkable_without_figures() {
        let mut nights: Vec<_> = (1..=30).map(|run| night(run, 100_000, 0)).collect();
        nights.extend((31..=60).map(|run| night(run, 9, 6)));
        nights.push(night(61, 100_000, 0));
        assert!(odd(&nights).is_empty());
        let latest_first: Vec<&SyncRecord> = nights.iter().rev().collect();
        assert_eq!(rows(&latest_first).iter().filter(|row| row.is_remarkable()).count(), 30);
    }
}
