//! The one module that knows all stages: from a [`PrepareConfig`] to a published directory and a [`Summary`].
//!
//! [`Prepare::plan`] looks at every input and decides how it is read; [`Prepare::run`] reads them ([`ingest`]), resolves
//! the partitions and writes the parts ([`deliver`]), and publishes.

mod aliases;
mod assumed;
mod budget;
mod check;
mod columns;
mod count;
pub(crate) mod deliver;
mod domains;
#[doc(hidden)]
pub mod form;
mod dropped;
mod footer;
mod ingest;
mod inputs;
mod known;
mod lists;
pub(crate) mod judge;
mod meant;
mod notes;
mod odd;
mod persons;
mod selection;
#[doc(hidden)]
pub mod plan;
mod sources;
mod spellings;
mod split;
pub mod summary;
#[doc(hidden)]
pub mod tally;
mod texts;
mod worker;

use std::sync::atomic::Ordering;
use std::time::Instant;

use rayon::ThreadPool;

use self::aliases::Alias;
use self::budget::MemoryPlan;
use self::dropped::Conditions;
use self::ingest::Ingest;
use self::lists::Lists;
use self::plan::{Audience, SourcePlan};
use self::summary::{AudienceSummary, Summary, SummaryRead};
use crate::config::{AudienceSpec, PrepareConfig};
use crate::disk::Staging;
use crate::emit::{InputManifest, Manifest, RejectQueue, RejectWriter};
use crate::error::Result;
use crate::machine;
use crate::progress::{Phase, Progress};
use crate::role::Role;

/// A run that was planned: inputs were looked at, nothing was written yet.
#[derive(Debug)]
pub struct Prepare {
    config: PrepareConfig,
    audiences: Vec<Audience>,
    sources: Vec<SourcePlan>,
    notes: Vec<String>,
    warnings: Vec<String>,
    pool: ThreadPool,
    memory: MemoryPlan,
}

impl Prepare {
    /// Looks at every input and decides how it is read. `progress` is only asked whether to stop.
    pub fn plan(config: PrepareConfig, progress: &Progress) -> Result<Self> {
        check::check(&config)?;
        let kernel = config.resources.kernel;
        let audience = |spec: &AudienceSpec| Audience::new(spec.clone(), config.rules, kernel);
        let mut audiences: Vec<Audience> = config.audiences.iter().map(audience).collect();
        let are_of_digests = Alias::all(&config)?.into_iter().map(Alias::audience);
        audiences.extend(are_of_digests.collect::<Result<Vec<_>>>()?);
        let threads = budget::threads(&config.resources);
        let pool = machine::pool(threads)?;
        let mut sources = sources::plan(&config, &audiences, &pool, &progress.stop)?;
        spellings::number(&config, &audiences, &mut sources);
        let made = &audiences[..config.audiences.len()];
        let are_linked = persons::are_linked(&config, made, &sources);
        let memory =
            MemoryPlan::new(&config.resources, threads, audiences.len(), are_linked, &sources);
        let (notes, warnings) = sources::notes(&config, &sources)?;
        Ok(Self { config, audiences, sources, notes, warnings, pool, memory })
    }

    /// Notes for people on what was found out rather than given, and what is remarkable.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Bytes of all inputs as stored, if that is known.
    pub fn input_bytes(&self) -> Option<u64> {
        self.sources.iter().map(|source| source.source.bytes).sum()
    }

    /// Does it.
    pub fn run(self, progress: &Progress) -> Result<Summary> {
        let started = Instant::now();
        let Self { config, audiences, sources, mut notes, mut warnings, pool, memory } = self;
        let staging = Staging::begin(&config.output.dir, config.output.overwrite)?;
        let tmp_dir = config.resources.tmp_dir.clone().unwrap_or_else(|| staging.path().to_owned());
        let rejects = config.output.rejects.as_ref().map(RejectWriter::create).transpose()?;
        let rejects = rejects.map(|list| RejectQueue::new(list, tmp_dir.clone()));
        let bytes: Option<u64> = sources.iter().map(|source| source.source.bytes).sum();
        progress.bytes_total.store(bytes.unwrap_or(0), Ordering::Relaxed);

        let described: Vec<InputManifest> =
            sources.iter().map(|source| inputs::describe(source, &audiences)).collect();
        let judge = judge::Judge::new(&config, &audiences, &sources);
        let members = spellings::paths(&sources);
        let lists = Lists::new(&config, &sources);
        let conditions = Conditions::new(&config, &sources);
        let mut ingest = Ingest::new(&config, &audiences, &memory, &pool, progress, &tmp_dir);
        let ingested = ingest.all(sources, rejects).map_err(|e| staging.named(e))?;
        conditions.verdict(&ingested)?;
        let tallies =
            judge.verdict(&ingested).map_err(|error| conditions.named(error, &ingested))?;
        let (idle, warned) = conditions.notes(&ingested);
        notes.extend(idle);
        warnings.extend(warned);
        warnings.extend(notes::merged(judge.warnings(&ingested)));
        let findings = conditions.findings(&ingested).into_iter().chain(judge.findings(&ingested));
        notes.extend(notes::merged(findings.collect()));
        notes.extend(ingest.aliases.iter().filter_map(|alias| alias.note(&audiences, &tallies)));
        let ingested = aliases::of_made(ingested, &audiences);
        let (stores, persons) = ingest.into_partitions().map_err(|e| staging.named(e))?;

        progress.begin(Phase::Writing);
        let mut manifest = Manifest::new(inputs::options(&config));
        manifest.inputs = inputs::summed(described, &ingested);
        let mut summaries = Vec::new();
        let delivery = deliver::Delivery {
            config: &config,
            memory: &memory,
            pool: &pool,
            progress,
            dir: staging.path(),
        };
        for (index, (tally, partitions)) in tallies.into_iter().zip(stores).enumerate() {
            let audience = &audiences[index];
            let spilled_bytes = partitions.spilled_bytes();
            let companions = persons.as_ref().map(|persons| persons.of_audience(index));
            let delivered = delivery.write(&audience.spec, partitions, companions);
            let delivered = delivered.map_err(|e| staging.named(e))?;
            spellings::check(delivered.merged, &members)?;
            let of_it = lists.of_audience(
                (index, &audience.spec),
                &tally[Role::Member as usize],
                &ingested,
                &delivered.hits,
            );
            let summary =
                AudienceSummary::new(&audience.spec, tally, delivered, of_it, spilled_bytes);
            manifest.audiences.push(summary.manifest());
            summaries.push(summary);
        }
        progress.begin(Phase::Publishing);
        progress.check()?;
        manifest.write(staging.path()).map_err(|e| staging.named(e))?;
        staging.publish()?;
        let records = manifest.inputs.iter().map(|input| input.records).sum();
        let dropped = conditions.sums(&ingested);
        let read = SummaryRead { records, bytes, dropped };
        warnings.extend(lists::warnings(&summaries));
        notes.extend(persons::note(&summaries));
        notes.extend(persons.as_ref().and_then(|found| meant::note(found.unread)));
        let notes = (notes, warnings);
        let summary = Summary::new(&config, summaries, notes, read, started.elapsed());
        Ok(summary.with_persons(persons.as_ref()))
    }
}
