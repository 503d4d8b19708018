//! Reading: chunk -> records -> canonical forms -> digests -> partitions, on all workers.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use rayon::ThreadPool;

use super::aliases::{Alias, Aliased};
use super::budget::MemoryPlan;
use super::domains::Domains;
use super::persons::{Found, Links};
use super::plan::{Audience, SourcePlan};
use super::tally::SourceTally;
use super::worker::{Route, Worker};
use crate::config::{Io, PrepareConfig, RejectList, ValueSeparators};
use crate::dedup::{Budget, Partitions, Scatter, Store};
use crate::dialect::Framing;
use crate::emit::RejectQueue;
use crate::error::{Error, Result};
use crate::hash::Kernel;
use crate::mutex;
use crate::progress::Progress;
use crate::role::Role;

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
    pub(super) chunk_bytes: usize,
    pub(super) kernel: Kernel,
    pub(super) io: Io,
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

    /// Reads all sources. Texts whose entries have one layer and that stand one behind the other are read side by side. The
    /// reject list is published at the end, whatever is thought of its length.
    pub(super) fn all(
        &mut self,
        sources: Vec<SourcePlan>,
        rejects: Option<RejectQueue>,
    ) -> Result<Vec<SourceTally>> {
        let mut tallies = Vec::new();
        let mut sources = sources.into_iter().peekable();
        while let Some(plan) = sources.next() {
            let mut plans = vec![plan];
            while let Some(next) = sources.next_if(|next| can_go_beside(next, &plans[0])) {
                plans.push(next);
            }
            let lists: Vec<(PathBuf, usize)> =
                plans.iter().map(|plan| (plan.source.path.clone(), plan.list)).collect();
            for worker in &mut self.workers {
                let worker = mutex::get_mut(worker);
                worker.turn_to(plans[0].layer(), &self.stores, &self.budget)?;
            }
            let (read, done) = self.side_by_side(tallies.len(), plans, rejects.as_ref());
            for (mut read, (path, list)) in read.into_iter().zip(lists) {
                for (audience, tally) in &mut read.tallies {
                    let names = std::mem::take(&mut tally.domain_names);
                    self.domains[*audience].add(&names, list, &path)?;
                }
                tallies.push(read);
            }
            done?;
        }
        if let Some(rejects) = rejects {
            rejects.publish()?;
        }
        Ok(tallies)
    }

    /// Reads sources of which the first one has a number; what was read up to the first error.
    fn side_by_side(
        &self,
        first: usize,
        plans: Vec<SourcePlan>,
        rejects: Option<&RejectQueue>,
    ) -> (Vec<SourceTally>, Result<()>) {
        match &plans[..] {
            [plan] if !is_text(plan) => match self.row_groups(first, plan, rejects) {
                Ok(read) => (vec![read], Ok(())),
                Err(error) => (Vec::new(), Err(error)),
            },
            _ => self.texts(first, plans, rejects),
        }
    }

    /// The way of a source's chunks; `spaces` are those of its feeds.
    pub(super) fn route<'b>(
        &'b self,
        plan: &'b SourcePlan,
        spaces: &'b [Option<u16>],
    ) -> Route<'b> {
        Route {
            role: plan.role,
            dialect: plan.dialect,
            feeds: &plan.feeds,
            country_field: plan.country_field,
            country: plan.country.as_deref(),
            spaces,
            conditions: &plan.conditions,
            split: self.separators(plan.role),
            rejects: self.reject_list,
        }
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

/// True for what is read as text, or not at all.
fn is_text(plan: &SourcePlan) -> bool {
    plan.empty.is_some() || plan.dialect.framing != Framing::Columns
}

/// True if a source can be read while the first of some is: texts of one layer. What can be read only once goes alone: who
/// feeds it may want to be read to the end first.
fn can_go_beside(plan: &SourcePlan, first: &SourcePlan) -> bool {
    let is_file = |plan: &SourcePlan| is_text(plan) && plan.source.is_regular();
    is_file(plan) && is_file(first) && plan.layer() == first.layer()
}
