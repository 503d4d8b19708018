//! Reading columns that lie apart: row group by row group, each on one worker, through the stages that text goes
//! through.
//!
//! A value that is in the dictionary of its column is looked at once in a row group, however many rows have it: rows are
//! counted by their place in the dictionary, and at the end each entry passes on its own, with the number of its rows.
//! That is not done where more than the value counts: with a country for each row, for the reject list, and where the
//! identifiers of a row are linked. Such links are made column by column, so each row has its number from the beginning.

use std::sync::atomic::Ordering;

use super::count::{ChunkReject, ChunkTally, FeedTally, Places, SourceSum, give_rejects};
use super::footer::Tail;
use super::ingest::Ingest;
use super::odd::Oddities;
use super::plan::{Feed, SourcePlan};
use super::selection::Selection;
use super::tally::{SourceTally, Tally};
use super::worker::{Route, Worker};
use crate::emit::{RejectQueue, RejectRows};
use crate::error::{Error, ExitCode, Result};
use crate::limits::{CHUNK_BYTES, PARQUET_ROWS};
use crate::ordered::{Steps, ordered};
use crate::record::Records;
use crate::role::Role;
use crate::source::parquet::{ColumnReader, Dictionary, NO_ENTRY, Rows, Table, Want};

/// Bytes that the countries of some rows may have each, on average.
const COUNTRY_BYTES_MAX: usize = 256;

/// A row group to be read.
pub(super) struct Group<'a> {
    pub(super) table: &'a Table,
    pub(super) number: usize,
    pub(super) rows: u32,
    /// The columns that are wanted.
    pub(super) wanted: &'a [usize],
}

/// Rows one behind the other.
#[derive(Default)]
struct RowsFrom {
    first: u32,
    /// Which of them there are, if some were dropped.
    left: Option<Vec<u32>>,
}

impl RowsFrom {
    /// The row of a record.
    fn row(&self, record: usize) -> u32 {
        let record = u32::try_from(record).unwrap_or(u32::MAX);
        self.left.as_ref().map_or(self.first.saturating_add(record), |left| left[record as usize])
    }
}

impl Places for RowsFrom {
    fn line(&mut self, record: usize) -> u64 {
        self.row(record).into()
    }

    fn number(&self, record: usize) -> usize {
        self.row(record) as usize
    }

    fn owner(&self, record: usize) -> usize {
        (self.row(record) - self.first) as usize
    }

    #[inline]
    fn times(&self, _: usize) -> u64 {
        1
    }
}

/// How many rows have an entry of the dictionary, and which is the first.
#[derive(Clone, Copy, Debug, Default)]
struct Uses {
    rows: u32,
    first: u32,
}

/// Entries of a dictionary that rows have.
struct Used(Vec<Uses>);

impl Places for Used {
    fn line(&mut self, record: usize) -> u64 {
        u64::from(self.0[record].first)
    }

    fn number(&self, record: usize) -> usize {
        self.0[record].first as usize
    }

    #[inline]
    fn times(&self, record: usize) -> u64 {
        u64::from(self.0[record].rows)
    }
}

impl Ingest<'_> {
    /// Reads a source whose columns lie apart.
    pub(super) fn row_groups(
        &self,
        index: usize,
        plan: &SourcePlan,
        rejects: Option<&RejectQueue>,
    ) -> Result<SourceTally> {
        let table = plan.source.table()?;
        let spaces = self.spaces(plan);
        let route = self.route(plan, &spaces);
        let mut rows = self.reject_list.map(RejectRows::new);
        let path = plan.source.path.clone();
        let mut total = SourceSum::new(&path, 0, &route);
        let (table_read, wanted) = (&table, &plan.wanted);
        let mut groups = table.groups().enumerate();
        let steps = Steps {
            next: || {
                self.progress.check()?;
                let group = groups.next();
                Ok(group.map(|(number, rows)| Group { table: table_read, number, rows, wanted }))
            },
            work: |group: Group<'_>| {
                self.worker()?.row_group(&group, &route, self).map_err(Into::into)
            },
            sink: |tally| {
                total.add(tally, &route, self.audiences, self.progress, rows.as_mut())?;
                give_rejects(index, rows.as_mut(), rejects)
            },
            lane: |(): &()| None,
            finish: Ok,
        };
        let read = ordered(self.pool, self.memory.in_flight, steps);
        self.progress.check()?;
        match read.as_ref().map_err(Error::exit_code) {
            Ok(()) | Err(ExitCode::Input) => table.check_unchanged().and(read)?,
            Err(_) => read?,
        }
        let read = total.finish(index, &route, self.audiences, rows.as_mut())?;
        give_rejects(index, rows.as_mut(), rejects)?;
        rejects.map_or(Ok(()), |queue| queue.end(index))?;
        Ok(read)
    }
}

impl Worker {
    /// Reads a row group, one column after the other.
    fn row_group(
        &mut self,
        group: &Group<'_>,
        route: &Route<'_>,
        ingest: &Ingest<'_>,
    ) -> Result<ChunkTally> {
        let limit = ingest.memory.pages_limit;
        let stop = &ingest.progress.stop;
        let selection = Selection::of(group, route.conditions, &mut self.rows, limit, stop)?;
        let dropped = selection.as_ref().map_or_else(Vec::new, |of| of.dropped.clone());
        let kept = u64::from(group.rows) - dropped.iter().sum::<u64>();
        let mut sum = ChunkTally {
            records: group.rows.into(),
            lines: group.rows.into(),
            dropped,
            tallies: Vec::with_capacity(route.feeds.len()),
            rejects: Vec::new(),
            oddities: Oddities::default(),
            tail: Tail::default(),
        };
        let are_rows_linked =
            route.role == Role::Member && route.spaces.iter().any(Option::is_some);
        let links = ingest.links.as_ref().filter(|_| are_rows_linked);
        if let Some(links) = links {
            self.tools.linker.begin_group(links.take_rows(group.rows)?, group.rows);
        }
        for (index, feed) in route.feeds.iter().enumerate() {
            let list = route.rejects.map(|list| (list.with_values, &mut sum.rejects));
            let tally = Tally::of_records(kept);
            let counts = FeedTally { tally, places: RowsFrom::default(), feed: index, list };
            let of_group = (group, selection.as_ref());
            let tally = self.column(of_group, feed, counts, (route, links.is_some()), ingest)?;
            sum.tallies.push(tally);
        }
        if let Some(links) = links {
            self.tools.linker.finish_group(links);
        }
        sum.rejects.sort_by_key(ChunkReject::order);
        let bytes = group.table.group_bytes(group.number);
        ingest.progress.bytes_read.fetch_add(bytes, Ordering::Relaxed);
        Ok(sum)
    }

    /// Reads the column of a feed, and that of countries beside it.
    fn column(
        &mut self,
        (group, selection): (&Group<'_>, Option<&Selection>),
        feed: &Feed,
        mut counts: FeedTally<'_, RowsFrom>,
        (route, are_linked): (&Route<'_>, bool),
        ingest: &Ingest<'_>,
    ) -> Result<Tally> {
        let Self { records, rows, tools, .. } = self;
        let columns = 1 + u64::from(route.country_field.is_some());
        let open = |field: usize| {
            let limit = ingest.memory.pages_limit / columns;
            group.table.column(group.number, group.wanted[field], limit)
        };
        let is_hashed = ingest.audiences[feed.audience].spec.user_type.is_hashed();
        let mut values = open(feed.field)?;
        if is_hashed {
            values = values.with_digests();
        }
        let mut countries = route.country_field.map(open).transpose()?;
        let want = match (&countries, &counts.list, are_linked) {
            (None, None, false) => Want::Entries,
            _ => Want::Texts,
        };
        // Fields are numbered by wanted columns; here are only those that this feed needs.
        let feed = Feed { field: 0, ..feed.clone() };
        let route = Route { country_field: countries.as_ref().map(|_| 1), ..*route };
        let mut uses: Vec<Uses> = Vec::new();
        let (mut kept, mut read) = (Kept::default(), 0);
        while read < group.rows {
            ingest.progress.check()?;
            rows.clear();
            let most = PARQUET_ROWS.min((group.rows - read) as usize);
            let count = values.read(most, want, rows)?;
            if rows.entries.is_empty() {
                set_records(records, rows, countries.as_mut())?;
                let left = selection.map(|of| drop_rows(records, &rows.texts.bytes, read, of));
                counts.places = RowsFrom { first: read, left };
                tools.pass(records, &rows.texts.bytes, &feed, &route, ingest, &mut counts)?;
                tools.finish_row_links(are_linked.then_some(read), &route, ingest)?;
            } else {
                counts.tally.blank += count_uses(&rows.entries, read, selection, &mut uses);
            }
            if let Some((_, rejects)) = &counts.list {
                kept.check(rejects, &values, ingest.memory.rejects_limit)?;
            }
            read += u32::try_from(count).unwrap_or(u32::MAX);
        }
        values.finish()?;
        countries.as_mut().map_or(Ok(()), ColumnReader::finish)?;
        let FeedTally { tally, feed: number, .. } = counts;
        let Some(dictionary) = values.dictionary().filter(|_| !uses.is_empty()) else {
            return Ok(tally);
        };
        set_used(records, dictionary, &mut uses);
        let mut counts = FeedTally { tally, places: Used(uses), feed: number, list: None };
        tools.pass(records, dictionary.bytes(), &feed, &route, ingest, &mut counts)?;
        tools.finish_row_links(None, &route, ingest)?;
        Ok(counts.tally)
    }
}

/// Makes records of the rows, with their countries if there is a column of them.
fn set_records(
    records: &mut Records,
    rows: &mut Rows,
    countries: Option<&mut ColumnReader<'_>>,
) -> Result<()> {
    let count = rows.texts.len();
    let Some(countries) = countries else {
        records.set(1, (0..count).map(|row| rows.texts.span(row)));
        return Ok(());
    };
    let bytes_max = rows.texts.bytes.len() + COUNTRY_BYTES_MAX * count;
    while rows.texts.len() < 2 * count {
        countries.read(2 * count - rows.texts.len(), Want::Texts, rows)?;
        if rows.texts.bytes.len() > bytes_max + CHUNK_BYTES {
            return Err(countries.refuse("its values are too long for countries"));
        }
    }
    let span = |field: usize| rows.texts.span(field / 2 + field % 2 * count);
    records.set(2, (0..2 * count).map(span));
    Ok(())
}

/// Drops the records of rows from `read` on that are not selected; the rows that are left.
fn drop_rows(records: &mut Records, texts: &[u8], read: u32, selection: &Selection) -> Vec<u32> {
    let mut left = Vec::new();
    records.retain(texts, |record| {
        let row = read.saturating_add(u32::try_from(record.index).unwrap_or(u32::MAX));
        let is_selected = selection.has(row);
        if is_selected {
            left.push(row);
        }
        Ok(is_selected)
    });
    left
}

/// Counts selected rows by their entries, from row `read` on; how many have none.
fn count_uses(
    entries: &[u32],
    read: u32,
    selection: Option<&Selection>,
    uses: &mut Vec<Uses>,
) -> u64 {
    let mut blank = 0;
    for (row, entry) in (read..).zip(entries) {
        if selection.is_some_and(|of| !of.has(row)) {
            continue;
        }
        if *entry == NO_ENTRY {
            blank += 1;
            continue;
        }
        let index = *entry as usize;
        if index >= uses.len() {
            uses.resize(index + 1, Uses::default());
        }
        let of = &mut uses[index];
        if of.rows == 0 {
            of.first = row;
        }
        of.rows += 1;
    }
    blank
}

/// Makes records of the entries that rows have, and leaves only these in `uses`.
fn set_used(records: &mut Records, dictionary: &Dictionary, uses: &mut Vec<Uses>) {
    let is_used = |(_, of): &(usize, &Uses)| of.rows > 0;
    let entries = uses.iter().enumerate().filter(is_used);
    records.set(1, entries.map(|(index, _)| dictionary.span(index)));
    uses.retain(|of| of.rows > 0);
}

/// The rejects of a row group are kept until it is its turn.
#[derive(Default)]
struct Kept {
    seen: usize,
    bytes: u64,
}

impl Kept {
    fn check(
        &mut self,
        rejects: &[ChunkReject],
        column: &ColumnReader<'_>,
        limit: u64,
    ) -> Result<()> {
        self.bytes += rejects[self.seen..].iter().map(|of| of.bytes() as u64).sum::<u64>();
        self.seen = rejects.len();
        if self.bytes > limit {
            return Err(
                column.refuse("so many of its values are rejected that their list is too long")
            );
        }
        Ok(())
    }
}
