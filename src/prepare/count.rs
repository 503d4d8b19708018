//! Result of reading: verdicts of a chunk, and their sum over the chunks of a source, in order.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use super::domains::too_many;
use super::footer::Tail;
use super::odd::Oddities;
use super::plan::Audience;
use super::tally::{Place, SourceTally, Tally};
use super::worker::Route;
use crate::emit::{Reject, RejectQueue, RejectRows};
use crate::error::{Error, Result};
use crate::limits::DOMAINS_MAX;
use crate::normalize::Verdict;
use crate::progress::Progress;
use crate::reason::Reason;
use crate::record::{LineCounter, Records, is_ruler};
use crate::role::Role;
use crate::source::record_too_long;

/// Counts of a chunk. Lines are counted from 0 within the chunk.
pub(super) struct ChunkTally {
    pub(super) records: u64,
    pub(super) lines: u64,
    /// Records that each condition dropped.
    pub(super) dropped: Vec<u64>,
    /// For each feed.
    pub(super) tallies: Vec<Tally>,
    pub(super) rejects: Vec<ChunkReject>,
    pub(super) oddities: Oddities,
    pub(super) tail: Tail,
}

/// A rejected value for the reject list.
pub(super) struct ChunkReject {
    record: usize,
    feed: usize,
    line: u64,
    /// Lines that it takes, each of which is listed.
    lines: u64,
    reason: Reason,
    value: Vec<u8>,
}

impl ChunkReject {
    /// By record, so that the list does not depend on where chunks end.
    pub(super) fn order(&self) -> (usize, usize) {
        (self.record, self.feed)
    }

    /// Memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.value.len()
    }
}

/// Error of a chunk.
pub(super) enum ChunkError {
    /// A record over the limit begins behind so many line ends.
    RecordTooLong {
        lines: u64,
    },
    Other(Error),
}

impl From<Error> for ChunkError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// Places of records, and the number of times that each occurred.
pub(super) trait Places {
    /// The line of a record within its chunk, counted from 0. Asked for in ascending order.
    fn line(&mut self, record: usize) -> u64;

    /// Its number within its chunk.
    fn number(&self, record: usize) -> usize;

    /// The record that it is counted for where records of several columns are joined.
    #[inline]
    fn owner(&self, record: usize) -> usize {
        record
    }

    /// Number of times that the record occurred.
    fn times(&self, record: usize) -> u64;

    /// Number of lines that a refused record takes, each of which may be a person.
    fn lines(&self, _record: usize) -> u64 {
        1
    }

    /// True if all of the record is a line between rows.
    fn is_ruler(&self, _record: usize) -> bool {
        false
    }
}

/// The records of a chunk of text.
pub(super) struct LinesOf<'a> {
    pub(super) lines: LineCounter<'a>,
    pub(super) records: &'a Records,
    pub(super) chunk: &'a [u8],
}

impl Places for LinesOf<'_> {
    fn line(&mut self, record: usize) -> u64 {
        self.records.line_of(record, &mut self.lines)
    }

    fn number(&self, record: usize) -> usize {
        record
    }

    #[inline]
    fn times(&self, _: usize) -> u64 {
        1
    }

    fn lines(&self, record: usize) -> u64 {
        self.records.lines_of(record)
    }

    fn is_ruler(&self, record: usize) -> bool {
        is_ruler(self.records.first_line(self.chunk, record))
    }
}

/// Counts the verdicts on one field of a chunk's records.
pub(super) struct FeedTally<'a, P> {
    pub(super) tally: Tally,
    pub(super) places: P,
    pub(super) feed: usize,
    /// The reject list, if there is one: true if it holds values, and what goes into it.
    pub(super) list: Option<(bool, &'a mut Vec<ChunkReject>)>,
}

impl<P: Places> FeedTally<'_, P> {
    #[inline]
    pub(super) fn count(&mut self, index: usize, value: &[u8], verdict: Verdict) {
        match verdict {
            Verdict::Rejected(reason) => self.reject(index, reason, value),
            verdict => self.tally.count(verdict, self.places.times(index)),
        }
    }

    /// Counts the values that a record's cell was split into.
    pub(super) fn count_split(&mut self, values: u64, record: usize) {
        if values > 1 {
            let times = self.places.times(record);
            self.tally.read += (values - 1) * times;
            self.tally.split_cells += times;
            self.tally.split_values += values * times;
        }
    }

    #[cold]
    pub(super) fn reject(&mut self, record: usize, mut reason: Reason, value: &[u8]) {
        if is_ruler(value) && self.places.is_ruler(record) {
            reason = Reason::Ruler;
        }
        let line = self.places.line(record);
        self.tally.reject(
            reason,
            line,
            value,
            self.places.times(record) * self.places.lines(record),
        );
        let lines = self.places.lines(record);
        if let Some((with_values, rejects)) = &mut self.list {
            let value = if *with_values { value } else { b"" };
            let record = self.places.number(record);
            let (feed, value) = (self.feed, value.to_vec());
            rejects.push(ChunkReject { record, feed, line, lines, reason, value });
        }
    }
}

/// The sum over the chunks of a source, in order.
pub(super) struct SourceSum<'a> {
    path: &'a PathBuf,
    /// Line ends before the next chunk.
    pub(super) lines: u64,
    pub(super) records: u64,
    /// Records that each condition dropped.
    pub(super) dropped: Vec<u64>,
    /// Of the audiences that it feeds.
    pub(super) tallies: Vec<(usize, Tally)>,
    pub(super) oddities: Oddities,
    /// What may be a footer.
    tail: Tail,
    /// Its rejects, with their lines in the source, until it is known.
    held: Vec<ChunkReject>,
}

impl<'a> SourceSum<'a> {
    pub(super) fn new(path: &'a PathBuf, header_lines: u64, route: &Route<'_>) -> Self {
        let mut fed: Vec<usize> = route.feeds.iter().map(|feed| feed.audience).collect();
        fed.sort_unstable();
        fed.dedup();
        let tallies = fed.into_iter().map(|audience| (audience, Tally::default())).collect();
        let (dropped, oddities) = (vec![0; route.conditions.len()], Oddities::default());
        let (tail, held) = (Tail::default(), Vec::new());
        Self { path, lines: header_lines, records: 0, dropped, tallies, oddities, tail, held }
    }

    pub(super) fn add(
        &mut self,
        chunk: std::result::Result<ChunkTally, ChunkError>,
        route: &Route<'_>,
        audiences: &[Audience],
        progress: &Progress,
        mut rejects: Option<&mut RejectRows>,
    ) -> Result<()> {
        let mut chunk = chunk.map_err(|error| match error {
            ChunkError::Other(error) => error,
            ChunkError::RecordTooLong { lines } => {
                record_too_long(self.path).at_line(self.lines + lines + 1)
            }
        })?;
        if !self.tail.add(chunk.tail) {
            self.deny_footer();
            self.list_held(route, audiences, rejects.as_deref_mut())?;
        }
        if rejects.is_some() {
            chunk.rejects.iter_mut().for_each(|reject| reject.line += self.lines);
            self.held.append(&mut chunk.rejects);
            let may_be_footer = |of: &ChunkReject| of.reason == Reason::Footer;
            if !self.held.iter().any(may_be_footer) {
                self.list_held(route, audiences, rejects)?;
            }
        }
        self.oddities.add(&chunk.oddities, self.lines, self.path)?;
        let mut entries = 0;
        for (feed, mut tally) in route.feeds.iter().zip(chunk.tallies) {
            if audiences[feed.audience].spec.columns.len() > 1 && route.role == Role::Member {
                tally.set_column(feed.number);
            }
            entries += tally.accepted();
            let (path, lines) = (self.path, self.lines);
            let of_audience =
                self.tallies.iter_mut().find(|(audience, _)| *audience == feed.audience);
            if let Some((_, sum)) = of_audience {
                sum.add(tally, |place| Place { path: path.clone(), line: lines + place.line + 1 });
                if sum.domains > DOMAINS_MAX {
                    return Err(too_many(self.path));
                }
            }
        }
        if self.tail.is_too_long() {
            self.deny_footer();
        }
        for (sum, dropped) in self.dropped.iter_mut().zip(chunk.dropped) {
            *sum += dropped;
        }
        self.records += chunk.records;
        self.lines += chunk.lines;
        progress.records.fetch_add(chunk.records, Ordering::Relaxed);
        progress.entries.fetch_add(entries, Ordering::Relaxed);
        Ok(())
    }

    /// What was taken for a footer are rows of another width than the others.
    fn deny_footer(&mut self) {
        self.tallies.iter_mut().for_each(|(_, tally)| tally.deny_footer());
        let of_footer = self.held.iter_mut().filter(|of| of.reason == Reason::Footer);
        of_footer.for_each(|reject| reject.reason = Reason::RowWidth);
    }

    /// Lists the rejects that were held.
    fn list_held(
        &mut self,
        route: &Route<'_>,
        audiences: &[Audience],
        rejects: Option<&mut RejectRows>,
    ) -> Result<()> {
        let Some(rejects) = rejects else { return Ok(()) };
        for reject in self.held.drain(..) {
            let feed = &route.feeds[reject.feed];
            for line in reject.line..reject.line + reject.lines {
                rejects.push(&Reject {
                    path: self.path,
                    line: line + 1,
                    column: &feed.column.to_string(),
                    user_type: audiences[feed.audience].spec.user_type,
                    reason: reject.reason,
                    value: &reject.value,
                })?;
            }
        }
        Ok(())
    }

    /// The sum, of that source.
    pub(super) fn finish(
        mut self,
        source: usize,
        route: &Route<'_>,
        audiences: &[Audience],
        rejects: Option<&mut RejectRows>,
    ) -> Result<SourceTally> {
        self.list_held(route, audiences, rejects)?;
        let Self { records, dropped, tallies, oddities, .. } = self;
        Ok(SourceTally { source, records, dropped, oddities, tallies })
    }

    /// Refuses rejects among what throng wrote itself.
    pub(super) fn check_known(&self, role: Role) -> Result<()> {
        let is_read = self.tallies.iter().all(|(_, tally)| tally.read == tally.accepted());
        if role.is_earlier() && !is_read {
            return Err(Error::input(
                self.path,
                "it holds entries that these rules do not accept",
                "prepare with the options that are in its manifest",
            ));
        }
        Ok(())
    }
}

/// Gives the rejects of a source that were listed since the last time to the list of all.
pub(super) fn give_rejects(
    source: usize,
    rows: Option<&mut RejectRows>,
    all: Option<&RejectQueue>,
) -> Result<()> {
    all.zip(rows).map_or(Ok(()), |(all, rows)| all.add(source, &rows.take()?))
}
