//! Rows as persons: the identifiers of a row are linked while it is read, so that whoever opted out by one of them is held
//! back by all.
//!
//! There are links only if there is an opt-out list, and an input of which more than one column is read; else nothing of
//! this is done.

use std::sync::atomic::{AtomicU64, Ordering};

use rayon::ThreadPool;
use rayon::prelude::*;

use super::budget::MemoryPlan;
use super::plan::{Audience, SourcePlan};
use super::summary::AudienceSummary;
use crate::config::{PrepareConfig, SuppressBy, audience_name};
use crate::dedup::{self, Budget, Companions, Partitions, Persons, Scatter, Store};
use crate::error::{Error, Result};
use crate::figures::count;
use crate::hash::Digest;
use crate::normalize::Verdict;
use crate::progress::Progress;
use crate::role::Role;
use crate::user_type::UserType;

/// More members than these who are held back because of somebody else are worth a note: a number, and a part of all.
const LINKED_SHARE_MAX: (u64, u64) = (100, 10);

/// Places where links go, and how rows are numbered.
#[derive(Debug)]
pub(super) struct Links {
    store: Store,
    /// The number of the next row.
    next: AtomicU64,
    spaces: Vec<u16>,
    /// Fewest columns in which a row can have several identifiers.
    columns_min: usize,
    /// Rows with an identifier that cannot be read.
    unread: AtomicU64,
}

/// True if rows are to be linked.
pub(super) fn are_linked(
    config: &PrepareConfig,
    audiences: &[Audience],
    sources: &[SourcePlan],
) -> bool {
    let spaces = spaces(audiences);
    let is_linked = |plan: &SourcePlan| {
        plan.role == Role::Member
            && spaces_of_feeds(plan, &spaces).iter().flatten().count() >= columns_min(config)
    };
    config.suppress_by == SuppressBy::Person
        && !config.suppress.is_empty()
        && sources.iter().any(is_linked)
}

/// Fewest columns in which a row can have several identifiers: one, if cells are split.
fn columns_min(config: &PrepareConfig) -> usize {
    if config.read.split.is_empty() { 2 } else { 1 }
}

/// The space of identifiers of each audience. Addresses, numbers and ids of devices are the same person's wherever they
/// stand; a third-party id means something in the audience alone of whose column it is.
fn spaces(audiences: &[Audience]) -> Vec<u16> {
    let space = |(index, audience): (usize, &Audience)| {
        let user_type = audience.spec.user_type;
        let space = match user_type {
            UserType::CustomAudienceThirdPartyId => UserType::ALL.len() + index,
            _ => user_type as usize,
        };
        u16::try_from(space).unwrap_or(u16::MAX)
    };
    audiences.iter().enumerate().map(space).collect()
}

/// For each feed of a source the space of its identifiers; `None` if its links are those of a feed before it.
fn spaces_of_feeds(plan: &SourcePlan, spaces: &[u16]) -> Vec<Option<u16>> {
    // Digests of lists are in no space.
    let of_feed: Vec<_> =
        plan.feeds.iter().map(|feed| (feed.field, spaces.get(feed.audience).copied())).collect();
    let is_first = |(index, of): (usize, &(usize, Option<u16>))| {
        of.1.filter(|_| !of_feed[..index].contains(of))
    };
    of_feed.iter().enumerate().map(is_first).collect()
}

impl Links {
    pub(super) fn new(store: Store, audiences: &[Audience], config: &PrepareConfig) -> Self {
        let (spaces, columns_min) = (spaces(audiences), columns_min(config));
        Self { store, next: AtomicU64::new(1), spaces, columns_min, unread: AtomicU64::new(0) }
    }

    /// For each feed of a source the space of its identifiers, if they are to be linked.
    pub(super) fn of_feeds(&self, plan: &SourcePlan) -> Vec<Option<u16>> {
        let spaces = spaces_of_feeds(plan, &self.spaces);
        match plan.role {
            Role::Member if spaces.iter().flatten().count() >= self.columns_min => spaces,
            Role::Suppressed => spaces,
            Role::Member | Role::Known | Role::Unconfirmed => vec![None; spaces.len()],
        }
    }

    /// The space of an audience's identifiers.
    pub(super) fn space_of(&self, audience: usize) -> u16 {
        self.spaces[audience]
    }

    /// Numbers for so many rows: the first of them.
    pub(super) fn take_rows(&self, count: u32) -> Result<u32> {
        let first = self.next.fetch_add(count.into(), Ordering::Relaxed);
        let is_number = u32::try_from(first + u64::from(count)).is_ok();
        u32::try_from(first).ok().filter(|_| is_number).ok_or_else(|| {
            Error::usage(
                "there are more rows with several identifiers than 4,294,967,295",
                "prepare them in several runs, or hold back by --suppress-by identifier",
            )
        })
    }

    /// Finds out who is linked to somebody who opted out.
    pub(super) fn resolve(
        self,
        scatters: Vec<Scatter>,
        budget: &Budget,
        (memory, pool): (&MemoryPlan, &ThreadPool),
        progress: &Progress,
    ) -> Result<Found> {
        let rows = u32::try_from(self.next.into_inner() - 1).unwrap_or(u32::MAX);
        let unread = self.unread.into_inner();
        let bytes = Persons::bytes(rows);
        if bytes > memory.rows_limit {
            return Err(Error::usage(
                format!("--memory is too low for {rows} rows with several identifiers"),
                format!("give at least --memory {}M", (bytes * 8).div_ceil(1 << 20)),
            ));
        }
        let mut persons = Persons::new(Partitions::new(self.store, scatters, budget)?, rows);
        let ranges: Vec<_> = persons.ranges().collect();
        if Persons::bytes_in_groups(rows) <= memory.rows_limit {
            persons = persons.in_groups(rows);
            let join = |range: &_| {
                progress.check()?;
                persons.join(*range, memory.range_limit)
            };
            pool.install(|| ranges.par_iter().try_for_each(join))?;
            persons.reach_joined();
            return Ok(Found { persons, spaces: self.spaces, rows, passes: 1, unread });
        }
        let mut passes = 0;
        loop {
            passes += 1;
            let spread = |range: &_| {
                progress.check()?;
                persons.spread(*range, memory.range_limit)
            };
            let is_any_new = pool.install(|| {
                ranges.par_iter().map(spread).try_reduce(|| false, |one, other| Ok(one | other))
            })?;
            if !is_any_new {
                break;
            }
        }
        Ok(Found { persons, spaces: self.spaces, rows, passes, unread })
    }
}

/// Persons of whom is known who is held back.
#[derive(Debug)]
pub(crate) struct Found {
    persons: Persons,
    spaces: Vec<u16>,
    /// Rows with several identifiers.
    pub(super) rows: u32,
    /// Passes that it took.
    pub(super) passes: u32,
    /// Rows with an identifier that is rejected and cannot be read, beside others.
    pub(super) unread: u64,
}

impl Found {
    /// Those of an audience who are held back.
    pub(super) fn of_audience(&self, audience: usize) -> Companions<'_> {
        Companions { persons: &self.persons, space: self.spaces[audience] }
    }

    pub(super) fn spilled_bytes(&self) -> u64 {
        self.persons.spilled_bytes()
    }
}

/// Says that so many are held back because of somebody else that a placeholder may be the reason.
pub(super) fn note(audiences: &[AudienceSummary]) -> Option<String> {
    let is_odd = |of: &&AudienceSummary| {
        let sets = &of.figures.sets;
        sets.linked > LINKED_SHARE_MAX.0 && sets.linked > sets.members / LINKED_SHARE_MAX.1
    };
    let AudienceSummary { label, user_type, figures, .. } = audiences.iter().find(is_odd)?;
    Some(format!(
        "{} of {} members of {} are held back because another identifier of their row opted out: one that stands in many \
         rows, such as a shop's own number, may be on the list; --suppress-by identifier holds back what stands there alone",
        count(figures.sets.linked),
        count(figures.sets.members),
        audience_name(label, *user_type),
    ))
}

/// A record's number within its chunk.
fn number(record: usize) -> u32 {
    u32::try_from(record).expect("a chunk has fewer records")
}

/// Rows of which links are made column by column: which have an identifier that is used, and which one that cannot be
/// read.
#[derive(Debug, Default)]
struct Group {
    /// The number of the first.
    first: u32,
    /// A bit for each of the first rows.
    used: Vec<u64>,
    unread: Vec<u64>,
    /// Unread values of others.
    unread_beyond: u64,
}

/// Rows of a group that are told apart: two bits each.
const GROUP_ROWS_MAX: u32 = 8 * 1024 * 1024;

impl Group {
    fn begin(&mut self, first: u32, rows: u32) {
        self.first = first;
        let words = (rows.min(GROUP_ROWS_MAX) as usize).div_ceil(64);
        for bits in [&mut self.used, &mut self.unread] {
            bits.clear();
            bits.resize(words, 0);
        }
        self.unread_beyond = 0;
    }

    fn add_used(&mut self, row: u32) {
        if let Some(word) = self.used.get_mut(row as usize / 64) {
            *word |= 1 << (row % 64);
        }
    }

    fn add_unread(&mut self, row: u32) {
        match self.unread.get_mut(row as usize / 64) {
            Some(word) => *word |= 1 << (row % 64),
            None => self.unread_beyond += 1,
        }
    }

    /// Rows that have both.
    fn unread(&self) -> u64 {
        let both = self.used.iter().zip(&self.unread).map(|(used, unread)| used & unread);
        both.map(|bits| u64::from(bits.count_ones())).sum::<u64>() + self.unread_beyond
    }
}

/// The links that a worker makes.
#[derive(Debug, Default)]
pub(super) struct Linker {
    scatter: Option<Scatter>,
    /// The records of a batch that became entries, in the order of these: raw values, and digests that came as such.
    raw: Vec<u32>,
    prehashed: Vec<u32>,
    /// Links of a chunk to its records, which are counted from 0, as long as rows have no numbers.
    waiting: Vec<Digest>,
    /// Links of a chunk to what rejected values may have been meant to be.
    meant: Vec<Digest>,
    /// Records of a chunk with rejected values of which that cannot be told.
    unread: Vec<u32>,
    /// Links of members whose domain opted out to the opt-out lists.
    opted_out: Vec<Digest>,
    /// The rows of a group of which links are made column by column.
    group: Group,
    /// For each record of a chunk how many identifiers it has, then its row's number.
    rows: Vec<u32>,
}

impl Linker {
    pub(super) fn new(links: Option<&Links>) -> Self {
        Self { scatter: links.map(|links| Scatter::new(&links.store)), ..Self::default() }
    }

    pub(super) fn into_scatter(self) -> Option<Scatter> {
        self.scatter
    }

    pub(super) fn begin_batch(&mut self) {
        self.raw.clear();
        self.prehashed.clear();
    }

    /// Remembers of which record an entry of the batch is.
    #[inline]
    pub(super) fn note(&mut self, record: usize, verdict: Verdict) {
        let of_kind = match verdict {
            Verdict::Raw(_) => &mut self.raw,
            Verdict::Prehashed(_) => &mut self.prehashed,
            Verdict::Blank | Verdict::Rejected(_) | Verdict::Domain => return,
        };
        of_kind.push(number(record));
    }

    /// Links entries of a batch to their records.
    pub(super) fn add(&mut self, raw: &[Digest], prehashed: &[Digest], space: u16) {
        let of_raw = raw.iter().zip(&self.raw);
        let all = of_raw.chain(prehashed.iter().zip(&self.prehashed));
        self.waiting.extend(all.map(|(digest, record)| dedup::link(digest, space, *record)));
    }

    /// Links a member to the opt-out lists, as if one named it.
    pub(super) fn opt_out(&mut self, member: &Digest, space: u16) {
        self.opted_out.push(dedup::link(member, space, dedup::OPTED_OUT_ROW));
    }

    /// Links a record to what a rejected value of it may have been meant to be.
    pub(super) fn add_meant(&mut self, digest: &Digest, space: u16, record: usize) {
        self.meant.push(dedup::link(digest, space, number(record)));
    }

    /// Remembers a record of which a value cannot be read.
    pub(super) fn add_unread(&mut self, record: usize) {
        self.unread.push(number(record));
    }

    /// Gives the records of a chunk that have several identifiers the numbers of rows, and their links away.
    pub(super) fn finish_chunk(
        &mut self,
        records: usize,
        links: &Links,
        budget: &Budget,
    ) -> Result<()> {
        let Self { scatter: Some(scatter), waiting, meant, unread, opted_out, rows, .. } = self
        else {
            return Ok(());
        };
        rows.clear();
        rows.resize(records, 0);
        for link in &*waiting {
            rows[dedup::row_of(link) as usize] += 1;
        }
        // Of a row without others nothing is used.
        unread.dedup();
        unread.sort_unstable();
        unread.dedup();
        let counted = unread.drain(..).filter(|record| rows[*record as usize] > 0).count();
        links.unread.fetch_add(counted as u64, Ordering::Relaxed);
        for link in &*meant {
            rows[dedup::row_of(link) as usize] += 1;
        }
        waiting.append(meant);
        let linked = rows.iter().filter(|count| **count > 1).count();
        let mut next = links.take_rows(u32::try_from(linked).unwrap_or(u32::MAX))?;
        for row in rows.iter_mut() {
            let is_linked = *row > 1;
            *row = if is_linked { next } else { 0 };
            next += u32::from(is_linked);
        }
        waiting.retain_mut(|link| {
            let row = rows[dedup::row_of(link) as usize];
            dedup::set_row(link, row);
            row > 0
        });
        scatter.push_digests(waiting, &links.store, budget)?;
        scatter.push_digests(opted_out, &links.store, budget)?;
        waiting.clear();
        opted_out.clear();
        Ok(())
    }

    /// The rows from here on are those of a group, of which the first has this number.
    pub(super) fn begin_group(&mut self, first: u32, rows: u32) {
        self.group.begin(first, rows);
    }

    /// Counts the rows of a group with values that cannot be read.
    pub(super) fn finish_group(&mut self, links: &Links) {
        links.unread.fetch_add(self.group.unread(), Ordering::Relaxed);
    }

    /// Gives away links to rows that begin so far behind the first of the group.
    pub(super) fn finish_rows(
        &mut self,
        behind: u32,
        links: &Links,
        budget: &Budget,
    ) -> Result<()> {
        let Self { scatter: Some(scatter), waiting, meant, unread, opted_out, group, .. } = self
        else {
            return Ok(());
        };
        for link in &*waiting {
            group.add_used(behind + dedup::row_of(link));
        }
        unread.drain(..).for_each(|record| group.add_unread(behind + record));
        waiting.append(meant);
        for link in &mut *waiting {
            dedup::set_row(link, group.first + behind + dedup::row_of(link));
        }
        scatter.push_digests(waiting, &links.store, budget)?;
        scatter.push_digests(opted_out, &links.store, budget)?;
        waiting.clear();
        opted_out.clear();
        Ok(())
    }

    /// Links identifiers that opted out.
    pub(super) fn add_opted_out(
        &mut self,
        digests: &[Digest],
        space: u16,
        links: &Links,
        budget: &Budget,
    ) -> Result<()> {
        let link = |digest| dedup::link(digest, space, dedup::OPTED_OUT_ROW);
        self.waiting.extend(digests.iter().map(link));
        self.finish_list(links, budget)
    }

    /// Gives away links to the opt-out lists.
    pub(super) fn finish_list(&mut self, links: &Links, budget: &Budget) -> Result<()> {
        let Self { scatter: Some(scatter), waiting, .. } = self else { return Ok(()) };
        for link in &mut *waiting {
            dedup::set_row(link, dedup::OPTED_OUT_ROW);
        }
        scatter.push_digests(waiting, &links.store, budget)?;
        waiting.clear();
        Ok(())
    }
}
