//! Reading: chunk -> records -> canonical forms -> digests -> partitions, on all workers.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::ThreadPool;

use super::SourceTally;
use super::budget::MemoryPlan;
use crate::config::{BATCH_RECORDS, Io, PrepareConfig, RejectList};
use crate::dedup::{self, Budget, Layout, Partitions, Scatter, Store};
use crate::emit::{Reject, RejectWriter};
use crate::error::{Error, ExitCode, Result};
use crate::hash::{Digest, Kernel};
use crate::normalize::{Canonical, Normalizer, Reason, Value, Verdict};
use crate::ordered::{Steps, ordered};
use crate::plan::{Audience, Feed, Role, SourcePlan};
use crate::progress::Progress;
use crate::record::{self, CsvReader, Dialect, LineCounter, Records};
use crate::source::parquet::Rows;
use crate::source::{Chunk, Framing, Torn, record_too_long};
use crate::tally::{Place, Tally};

/// Reads sources and scatters their entries.
pub(super) struct Ingest<'a> {
    pub(super) audiences: &'a [Audience],
    stores: Vec<Store>,
    pub(super) budget: Budget,
    /// One for each worker of the pool, which is the only one to lock it, once a chunk.
    workers: Vec<Mutex<Worker>>,
    pub(super) pool: &'a ThreadPool,
    pub(super) progress: &'a Progress,
    pub(super) memory: &'a MemoryPlan,
    chunk_bytes: usize,
    kernel: Kernel,
    io: Io,
    pub(super) reject_list: Option<&'a RejectList>,
}

/// What a worker keeps from chunk to chunk.
#[derive(Default)]
pub(super) struct Worker {
    pub(super) records: Records,
    csv: Option<CsvReader>,
    pub(super) rows: Rows,
    pub(super) tools: Tools,
}

/// What records pass through on a worker.
#[derive(Default)]
pub(super) struct Tools {
    canonical: Canonical,
    digests: Vec<Digest>,
    clear_entries: Vec<u8>,
    scatters: Vec<Scatter>,
}

/// How the chunks of the current source are worked on.
pub(super) struct Route<'a> {
    pub(super) role: Role,
    pub(super) dialect: Dialect,
    pub(super) feeds: &'a [Feed],
    pub(super) country_field: Option<usize>,
    /// The reject list's options, if there is one.
    pub(super) rejects: Option<&'a RejectList>,
}

/// What a chunk amounts to. Lines are counted from 0 within the chunk.
pub(super) struct ChunkTally {
    pub(super) records: u64,
    pub(super) lines: u64,
    /// For each feed.
    pub(super) tallies: Vec<Tally>,
    pub(super) rejects: Vec<ChunkReject>,
}

/// A rejected value for the reject list.
pub(super) struct ChunkReject {
    record: usize,
    feed: usize,
    line: u64,
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

/// Why a chunk could not be worked on.
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

impl<'a> Ingest<'a> {
    pub(super) fn new(
        config: &'a PrepareConfig,
        audiences: &'a [Audience],
        memory: &'a MemoryPlan,
        pool: &'a ThreadPool,
        progress: &'a Progress,
        tmp_dir: &Path,
    ) -> Self {
        let stores: Vec<Store> = audiences
            .iter()
            .map(|_| {
                Store::new(
                    memory.radix_bits,
                    memory.block_bytes,
                    memory.slab_bytes,
                    tmp_dir.to_owned(),
                )
            })
            .collect();
        let workers = (0..memory.threads)
            .map(|_| {
                let scatters = stores.iter().map(Scatter::new).collect();
                let tools = Tools { scatters, ..Tools::default() };
                Mutex::new(Worker { tools, ..Worker::default() })
            })
            .collect();
        Self {
            audiences,
            stores,
            budget: Budget::new(memory.block_budget),
            workers,
            pool,
            progress,
            memory,
            chunk_bytes: config.resources.chunk_bytes,
            kernel: config.resources.kernel,
            io: config.read.io,
            reject_list: config.output.rejects.as_ref(),
        }
    }

    /// Reads all sources, in order. The reject list is published at the end, whatever is thought of its length.
    pub(super) fn all(
        &mut self,
        sources: Vec<SourcePlan>,
        mut rejects: Option<RejectWriter>,
    ) -> Result<Vec<SourceTally>> {
        let mut tallies = Vec::new();
        for (index, plan) in sources.into_iter().enumerate() {
            let (records, tally) = self.one(plan, rejects.as_mut())?;
            tallies.push(SourceTally { source: index, records, tallies: tally });
        }
        if let Some(rejects) = rejects {
            rejects.publish()?;
        }
        Ok(tallies)
    }

    fn one(
        &mut self,
        plan: SourcePlan,
        mut rejects: Option<&mut RejectWriter>,
    ) -> Result<(u64, Vec<(usize, Tally)>)> {
        self.prepare_workers(&plan)?;
        if plan.dialect.framing == Framing::Columns {
            return self.row_groups(&plan, rejects);
        }
        let path = super::path_of(&plan);
        let SourcePlan { source, role, dialect, feeds, country_field, skip, header_lines, .. } =
            plan;
        let bytes_read = self.progress.bytes_read.clone();
        let mut chunks =
            source.chunks(dialect.framing, skip, self.chunk_bytes, self.io, bytes_read)?;
        let route =
            Route { role, dialect, feeds: &feeds, country_field, rejects: self.reject_list };
        let mut total = SourceSum::new(&path, header_lines, &feeds);
        let mut torn: Option<Torn> = None;
        let steps = Steps {
            next: || {
                self.progress.check()?;
                chunks.next_chunk(self.pool).or_else(|error| {
                    torn = Some(error);
                    Ok(None)
                })
            },
            work: |chunk: Chunk| self.work(&chunk, &route),
            sink: |tally| {
                total.add(tally, &route, self.audiences, self.progress, rejects.as_deref_mut())
            },
            finish: Ok,
        };
        let done = ordered(self.pool, self.memory.in_flight, steps);
        let torn = torn.map(|torn| match torn.lines_behind {
            Some(lines) => torn.error.at_line(total.lines + lines + 1),
            None => torn.error,
        });
        self.progress.check()?;
        let read = done.and_then(|()| torn.map_or(Ok(()), Err));
        // A file that changes while it is read looks damaged in all kinds of ways; the change is why.
        match read.as_ref().map_err(Error::exit_code) {
            Ok(()) | Err(ExitCode::Input) => chunks.check_unchanged().and(read)?,
            Err(_) => read?,
        }
        total.check_known(role)?;
        Ok((total.records, total.tallies))
    }

    fn prepare_workers(&mut self, plan: &SourcePlan) -> Result<()> {
        for worker in &mut self.workers {
            let worker = worker.get_mut().unwrap_or_else(PoisonError::into_inner);
            worker.csv = match plan.dialect.framing {
                Framing::Csv { delimiter } => {
                    Some(CsvReader::new(delimiter, plan.wanted.clone()).on(self.kernel))
                }
                Framing::Lines { .. } | Framing::Columns => None,
            };
            for (scatter, store) in worker.tools.scatters.iter_mut().zip(&self.stores) {
                scatter.set_role(plan.role, store, &self.budget)?;
            }
        }
        Ok(())
    }

    fn work(
        &self,
        chunk: &Chunk,
        route: &Route<'_>,
    ) -> std::result::Result<ChunkTally, ChunkError> {
        let mut worker = self.worker()?;
        worker.read(chunk, route, self.kernel)?;
        worker.process(chunk, route, self)
    }

    /// The worker of this thread.
    pub(super) fn worker(&self) -> Result<MutexGuard<'_, Worker>> {
        let index = self.pool.current_thread_index();
        let worker = index.and_then(|index| self.workers.get(index));
        let worker = worker.ok_or(Error::Internal("work outside of the pool"))?;
        worker.lock().map_err(|_| Error::Internal("a worker panicked"))
    }

    /// The entries of each audience by partition.
    pub(super) fn into_partitions(self) -> Result<Vec<Partitions>> {
        let Self { stores, workers, budget, .. } = self;
        let mut scatters: Vec<Vec<Scatter>> = stores.iter().map(|_| Vec::new()).collect();
        for worker in workers {
            let worker = worker.into_inner().unwrap_or_else(PoisonError::into_inner);
            for (scatters, scatter) in scatters.iter_mut().zip(worker.tools.scatters) {
                scatters.push(scatter);
            }
        }
        let together = stores.into_iter().zip(scatters);
        together.map(|(store, scatters)| Partitions::new(store, scatters, &budget)).collect()
    }
}

impl Worker {
    fn read(
        &mut self,
        chunk: &Chunk,
        route: &Route<'_>,
        kernel: Kernel,
    ) -> std::result::Result<(), ChunkError> {
        match (route.dialect.framing, &mut self.csv) {
            (Framing::Csv { .. }, Some(csv)) => {
                csv.read(chunk, chunk.is_exact, &mut self.records).map_err(|long| {
                    let lines = record::count_lines(&chunk[..long.start], route.dialect.line_end);
                    ChunkError::RecordTooLong { lines }
                })
            }
            (Framing::Lines { end }, _) => {
                record::read_lines(kernel, chunk, end, &mut self.records);
                Ok(())
            }
            (Framing::Csv { .. } | Framing::Columns, _) => {
                Err(Error::Internal("a chunk without its reader").into())
            }
        }
    }

    fn process(
        &mut self,
        chunk: &Chunk,
        route: &Route<'_>,
        ingest: &Ingest<'_>,
    ) -> std::result::Result<ChunkTally, ChunkError> {
        let Self { records, tools, .. } = self;
        let line_end = route.dialect.line_end;
        let mut sum = ChunkTally {
            records: records.len() as u64 + u64::from(chunk.is_oversize),
            lines: count_lines(chunk, records, route) + u64::from(chunk.is_oversize),
            tallies: Vec::with_capacity(route.feeds.len()),
            rejects: Vec::new(),
        };
        for (index, feed) in route.feeds.iter().enumerate() {
            let mut counts = FeedTally {
                tally: Tally::of_records(sum.records),
                places: LinesOf { lines: LineCounter::new(chunk, line_end), records },
                feed: index,
                list: route.rejects.map(|list| (list.with_values, &mut sum.rejects)),
            };
            if chunk.is_oversize {
                counts.reject(0, Reason::TooLong, b"");
            }
            tools.pass(records, chunk, feed, route, ingest, &mut counts)?;
            let tally = counts.tally;
            sum.tallies.push(tally);
        }
        sum.rejects.sort_by_key(ChunkReject::order);
        Ok(sum)
    }
}

impl Tools {
    /// Passes one field of some records on: canonical forms, digests, partitions.
    pub(super) fn pass(
        &mut self,
        records: &Records,
        bytes: &[u8],
        feed: &Feed,
        route: &Route<'_>,
        ingest: &Ingest<'_>,
        counts: &mut FeedTally<'_, impl Places>,
    ) -> Result<()> {
        let Self { canonical, digests, clear_entries, scatters } = self;
        let audience = &ingest.audiences[feed.audience];
        let (scatter, store) = (&mut scatters[feed.audience], &ingest.stores[feed.audience]);
        for start in (0..records.len()).step_by(BATCH_RECORDS) {
            let batch = start..(start + BATCH_RECORDS).min(records.len());
            let normalizer = audience.normalizer(route.role);
            normalize(normalizer, (records, bytes, batch), feed.field, route, canonical, counts);
            canonical.messages.hash(ingest.kernel, digests);
            if layout(audience) == Layout::Digest {
                scatter.push_digests(digests, store, &ingest.budget)?;
                scatter.push_digests(&canonical.digests, store, &ingest.budget)?;
                continue;
            }
            clear_entries.clear();
            for (value, digest) in canonical.messages.iter().zip(&*digests) {
                dedup::push_clear_entry(value, digest, clear_entries);
            }
            scatter.push_clear(clear_entries, store, &ingest.budget)?;
        }
        Ok(())
    }
}

/// Line ends of a chunk.
fn count_lines(chunk: &[u8], records: &Records, route: &Route<'_>) -> u64 {
    match route.dialect.framing {
        // They were counted when the lines were read; the last line may have none.
        Framing::Lines { end } => {
            records.len() as u64 - u64::from(chunk.last().is_some_and(|last| *last != end))
        }
        Framing::Csv { .. } | Framing::Columns => {
            record::count_lines(chunk, route.dialect.line_end)
        }
    }
}

/// How the entries of an audience are laid out.
pub(super) fn layout(audience: &Audience) -> Layout {
    if audience.spec.user_type.is_hashed() { Layout::Digest } else { Layout::Clear }
}

/// Normalises one field of some records.
fn normalize(
    normalizer: &Normalizer,
    (records, chunk, batch): (&Records, &[u8], Range<usize>),
    field: usize,
    route: &Route<'_>,
    canonical: &mut Canonical,
    counts: &mut FeedTally<'_, impl Places>,
) {
    canonical.clear();
    let wrapping = route.dialect.wrapping();
    let first = batch.start;
    let fields = records.fields_of(chunk, field, batch.clone());
    let on_verdict = |index, value: &[u8], verdict| counts.count(first + index, value, verdict);
    match route.country_field {
        None => {
            let values = fields.map(|bytes| Value { bytes, country: None });
            normalizer.batch(wrapping, values, canonical, on_verdict);
        }
        Some(country) => {
            let countries = records.fields_of(chunk, country, batch);
            let values = fields.zip(countries).map(|(bytes, country)| Value {
                bytes,
                country: Some(country.unwrap_or_default()),
            });
            normalizer.batch(wrapping, values, canonical, on_verdict);
        }
    }
}

/// Where records are, and how often each occurred.
pub(super) trait Places {
    /// The line of a record within its chunk, counted from 0. Asked for in ascending order.
    fn line(&mut self, record: usize) -> u64;

    /// Its number within its chunk.
    fn number(&self, record: usize) -> usize;

    /// How often the record occurred.
    fn times(&self, record: usize) -> u64;
}

/// The records of a chunk of text.
struct LinesOf<'a> {
    lines: LineCounter<'a>,
    records: &'a Records,
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
}

/// Counts the verdicts on one field of a chunk's records.
pub(super) struct FeedTally<'a, P> {
    pub(super) tally: Tally,
    pub(super) places: P,
    pub(super) feed: usize,
    /// Whether the reject list holds values, and what goes into it.
    pub(super) list: Option<(bool, &'a mut Vec<ChunkReject>)>,
}

impl<P: Places> FeedTally<'_, P> {
    #[inline]
    fn count(&mut self, index: usize, value: &[u8], verdict: Verdict) {
        match verdict {
            Verdict::Rejected(reason) => self.reject(index, reason, value),
            verdict => self.tally.count(verdict, self.places.times(index)),
        }
    }

    #[cold]
    fn reject(&mut self, record: usize, reason: Reason, value: &[u8]) {
        let line = self.places.line(record);
        self.tally.reject(reason, line, value, self.places.times(record));
        if let Some((with_values, rejects)) = &mut self.list {
            let value = if *with_values { value.to_vec() } else { Vec::new() };
            let record = self.places.number(record);
            rejects.push(ChunkReject { record, feed: self.feed, line, reason, value });
        }
    }
}

/// The sum over the chunks of a source, in order.
pub(super) struct SourceSum<'a> {
    path: &'a PathBuf,
    /// Line ends before the next chunk.
    lines: u64,
    pub(super) records: u64,
    /// Of the audiences that it feeds.
    pub(super) tallies: Vec<(usize, Tally)>,
}

impl<'a> SourceSum<'a> {
    pub(super) fn new(path: &'a PathBuf, header_lines: u64, feeds: &[Feed]) -> Self {
        let mut fed: Vec<usize> = feeds.iter().map(|feed| feed.audience).collect();
        fed.sort_unstable();
        fed.dedup();
        let tallies = fed.into_iter().map(|audience| (audience, Tally::default())).collect();
        Self { path, lines: header_lines, records: 0, tallies }
    }

    pub(super) fn add(
        &mut self,
        chunk: std::result::Result<ChunkTally, ChunkError>,
        route: &Route<'_>,
        audiences: &[Audience],
        progress: &Progress,
        rejects: Option<&mut RejectWriter>,
    ) -> Result<()> {
        let chunk = chunk.map_err(|error| match error {
            ChunkError::Other(error) => error,
            ChunkError::RecordTooLong { lines } => {
                record_too_long(self.path, true).at_line(self.lines + lines + 1)
            }
        })?;
        if let Some(rejects) = rejects {
            for reject in &chunk.rejects {
                let feed = &route.feeds[reject.feed];
                rejects.write(&Reject {
                    path: self.path,
                    line: self.lines + reject.line + 1,
                    column: &feed.column.to_string(),
                    user_type: audiences[feed.audience].spec.user_type,
                    reason: reject.reason,
                    value: &reject.value,
                })?;
            }
        }
        let mut entries = 0;
        for (feed, tally) in route.feeds.iter().zip(chunk.tallies) {
            entries += tally.accepted();
            let (path, lines) = (self.path, self.lines);
            let of_audience =
                self.tallies.iter_mut().find(|(audience, _)| *audience == feed.audience);
            if let Some((_, sum)) = of_audience {
                sum.add(tally, |place| Place { path: path.clone(), line: lines + place.line + 1 });
            }
        }
        self.records += chunk.records;
        self.lines += chunk.lines;
        progress.records.fetch_add(chunk.records, Ordering::Relaxed);
        progress.entries.fetch_add(entries, Ordering::Relaxed);
        Ok(())
    }

    /// What throng wrote, throng must be able to read.
    fn check_known(&self, role: Role) -> Result<()> {
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
