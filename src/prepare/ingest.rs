//! Reading: chunk -> records -> canonical forms -> digests -> partitions, on all workers.

use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use rayon::ThreadPool;

use super::aliases::{Alias, Aliased};
use super::budget::MemoryPlan;
use super::count::{ChunkError, ChunkTally, SourceSum};
use super::domains::Domains;
use super::odd::Oddities;
use super::persons::{Found, Links};
use super::plan::{Audience, SourcePlan};
use super::tally::SourceTally;
use super::worker::{Route, Worker};
use crate::config::{Io, PrepareConfig, RejectList, ValueSeparators};
use crate::dedup::{Budget, Partitions, Scatter, Store};
use crate::dialect::Framing;
use crate::emit::RejectWriter;
use crate::error::{Error, ExitCode, Result};
use crate::hash::Kernel;
use crate::mutex;
use crate::ordered::{Steps, ordered};
use crate::progress::Progress;
use crate::role::Role;
use crate::source::{Chunk, Torn};

/// Reads sources and scatters their entries.
pub(super) struct Ingest<'a> {
    /// The audiences that are made, and behind them those that take the digests of opt-out lists.
    pub(super) audiences: &'a [Audience],
    /// The latter's digests, in their order.
    pub(super) aliases: Vec<Alias>,
    pub(super) stores: Vec<Store>,
    /// Place of links between the identifiers of a row, if there are any.
    pub(super) links: Option<Links>,
    pub(super) budget: Budget,
    /// One for each worker of the pool, which is the only one to lock it, once a chunk.
    workers: Vec<Mutex<Worker>>,
    pub(super) pool: &'a ThreadPool,
    pub(super) progress: &'a Progress,
    pub(super) memory: &'a MemoryPlan,
    chunk_bytes: usize,
    pub(super) kernel: Kernel,
    io: Io,
    pub(super) reject_list: Option<&'a RejectList>,
    /// For each audience, domains that opted out.
    pub(super) domains: Vec<Domains>,
    split: &'a ValueSeparators,
    /// For what throng wrote itself: one value a line.
    no_split: ValueSeparators,
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
        let store = || {
            Store::new(memory.radix_bits, memory.block_bytes, memory.slab_bytes, tmp_dir.to_owned())
        };
        let stores: Vec<Store> = audiences.iter().map(|_| store()).collect();
        let aliases: Vec<Alias> = audiences.iter().filter_map(Alias::taken_by).collect();
        let made = &audiences[..audiences.len() - aliases.len()];
        let links = memory.are_linked.then(|| Links::new(store(), made, config));
        let worker = |_| Mutex::new(Worker::new(&stores, links.as_ref()));
        let workers = (0..memory.threads).map(worker).collect();
        Self {
            audiences,
            aliases,
            stores,
            links,
            budget: Budget::new(memory.block_budget),
            workers,
            pool,
            progress,
            memory,
            chunk_bytes: config.resources.chunk_bytes,
            kernel: config.resources.kernel,
            io: config.read.io,
            reject_list: config.output.rejects.as_ref(),
            domains: audiences.iter().map(|_| Domains::default()).collect(),
            split: &config.read.split,
            no_split: ValueSeparators::default(),
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
            let (path, list) = (plan.source.path.clone(), plan.list);
            let mut read = self.one(index, plan, rejects.as_mut())?;
            for (audience, tally) in &mut read.tallies {
                let names = std::mem::take(&mut tally.domain_names);
                self.domains[*audience].add(&names, list, &path)?;
            }
            tallies.push(read);
        }
        if let Some(rejects) = rejects {
            rejects.publish()?;
        }
        Ok(tallies)
    }

    fn one(
        &mut self,
        index: usize,
        plan: SourcePlan,
        mut rejects: Option<&mut RejectWriter>,
    ) -> Result<SourceTally> {
        if plan.is_empty {
            plan.source.check_unchanged()?;
            let (dropped, oddities, tallies) = (Vec::new(), Oddities::default(), Vec::new());
            return Ok(SourceTally { source: index, records: 0, dropped, oddities, tallies });
        }
        for worker in &mut self.workers {
            let worker = mutex::get_mut(worker);
            worker.turn_to(&plan, self.kernel, &self.stores, &self.budget)?;
        }
        if plan.dialect.framing == Framing::Columns {
            return self.row_groups(index, &plan, rejects);
        }
        let spaces = self.spaces(&plan);
        let path = plan.source.path.clone();
        let SourcePlan { source, skip, header_lines, .. } = plan;
        let bytes_read = self.progress.bytes_read.clone();
        let mut chunks =
            source.chunks(plan.dialect.framing, skip, self.chunk_bytes, self.io, bytes_read)?;
        let route = Route {
            role: plan.role,
            dialect: plan.dialect,
            feeds: &plan.feeds,
            country_field: plan.country_field,
            spaces: &spaces,
            conditions: &plan.conditions,
            split: self.separators(plan.role),
            rejects: self.reject_list,
        };
        let mut total = SourceSum::new(&path, header_lines, &route);
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
        total.check_known(route.role)?;
        total.finish(index, &route, self.audiences, rejects)
    }

    fn work(
        &self,
        chunk: &Chunk,
        route: &Route<'_>,
    ) -> std::result::Result<ChunkTally, ChunkError> {
        let mut worker = self.worker()?;
        worker.work(chunk, route, self)
    }

    /// What stands between several values of a cell, in sources of a role.
    pub(super) fn separators(&self, role: Role) -> &ValueSeparators {
        if role.is_earlier() { &self.no_split } else { self.split }
    }

    /// The worker of this thread.
    pub(super) fn worker(&self) -> Result<MutexGuard<'_, Worker>> {
        let index = self.pool.current_thread_index();
        let worker = index.and_then(|index| self.workers.get(index));
        let worker = worker.ok_or(Error::Internal("work outside of the pool"))?;
        worker.lock().map_err(|_| Error::Internal("a worker panicked"))
    }

    /// The digests of opt-out lists, and those of members.
    fn take_aliased(&mut self) -> Result<Vec<Aliased>> {
        let made = self.audiences.len() - self.aliases.len();
        let mut of_workers: Vec<_> = self
            .workers
            .iter_mut()
            .map(|worker| mutex::get_mut(worker).tools.split_off(made).into_iter())
            .collect();
        let stores = self.stores.split_off(made);
        let aliased = self.aliases.iter().zip(stores).map(|(alias, store)| {
            let scatters = of_workers.iter_mut().filter_map(Iterator::next).collect();
            Aliased::new(*alias, store, scatters, &self.budget)
        });
        aliased.collect()
    }

    /// For each feed of a source the space in which its identifiers are linked to their rows, if they are.
    pub(super) fn spaces(&self, plan: &SourcePlan) -> Vec<Option<u16>> {
        let none = || vec![None; plan.feeds.len()];
        self.links.as_ref().map_or_else(none, |links| links.of_feeds(plan))
    }

    /// The entries of each audience by partition, and who is linked to somebody who opted out, if rows are linked.
    pub(super) fn into_partitions(mut self) -> Result<(Vec<Partitions>, Option<Found>)> {
        for aliased in self.take_aliased()? {
            aliased.suppress(&self)?;
        }
        let Self { stores, links, workers, budget, pool, progress, memory, .. } = self;
        let mut scatters: Vec<Vec<Scatter>> = stores.iter().map(|_| Vec::new()).collect();
        let mut of_links = Vec::new();
        for worker in workers {
            let worker = mutex::into_inner(worker);
            let (of_stores, of_worker) = worker.into_scatters(&stores, &budget)?;
            for (scatters, scatter) in scatters.iter_mut().zip(of_stores) {
                scatters.push(scatter);
            }
            of_links.extend(of_worker);
        }
        let together = stores.into_iter().zip(scatters);
        let partitions = together
            .map(|(store, scatters)| Partitions::new(store, scatters, &budget))
            .collect::<Result<_>>()?;
        let found = links
            .map(|links| links.resolve(of_links, &budget, (memory, pool), progress))
            .transpose()?;
        Ok((partitions, found))
    }
}
