//! The one module that knows all stages: from a [`PrepareConfig`] to a published directory and a [`Summary`].
//!
//! [`Prepare::plan`] looks at every input and decides how it is read; [`Prepare::run`] reads them one after the other
//! ([`ingest`]), resolves the partitions and writes the parts ([`deliver`]), and publishes.

mod budget;
mod columns;
mod count;
pub(crate) mod deliver;
pub mod engine;
mod ingest;
pub(crate) mod judge;
#[doc(hidden)]
pub mod plan;
pub mod summary;
#[doc(hidden)]
pub mod tally;
mod worker;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;

use rayon::ThreadPool;

use self::budget::MemoryPlan;
use self::ingest::Ingest;
use self::judge::Finding;
use self::plan::{Audience, SourcePlan};
use self::summary::{AudienceSummary, Summary};
use self::tally::Tally;
use crate::config::{
    AudienceSpec, ColumnSelector, Content, Input, KnownInput, PrepareConfig, SuppressInput,
};
use crate::disk::Staging;
use crate::emit::{InputManifest, Manifest, RejectWriter};
use crate::error::{Error, Result};
use crate::machine;
use crate::progress::{Phase, Progress};
use crate::quote::Quoted;
use crate::role::Role;
use crate::source::Source;
use crate::stop::Stop;

/// A run that was planned: inputs were looked at, nothing was written yet.
#[derive(Debug)]
pub struct Prepare {
    config: PrepareConfig,
    audiences: Vec<Audience>,
    sources: Vec<SourcePlan>,
    notes: Vec<String>,
    pool: ThreadPool,
    memory: MemoryPlan,
}

/// What was read of one source.
#[derive(Debug)]
pub(crate) struct SourceTally {
    pub(crate) source: usize,
    pub(crate) records: u64,
    /// Of the audiences that it feeds. There can be many sources and many audiences.
    pub(crate) tallies: Vec<(usize, Tally)>,
}

impl Prepare {
    /// Looks at every input and decides how it is read. `progress` is only asked whether to stop.
    pub fn plan(config: PrepareConfig, progress: &Progress) -> Result<Self> {
        check_labels(&config.audiences)?;
        check_part_bytes(&config)?;
        check_paths(&config)?;
        let kernel = config.resources.kernel;
        let make = |spec: &AudienceSpec| Audience::new(spec.clone(), config.rules, kernel);
        let audiences: Vec<Audience> = config.audiences.iter().map(make).collect();
        let threads = budget::threads(&config.resources);
        let pool = machine::pool(threads)?;
        let sources = plan_sources(&config, &audiences, &pool, &progress.stop)?;
        let memory = MemoryPlan::new(&config.resources, threads, audiences.len(), &sources);
        let notes = notes(&config, &sources)?;
        Ok(Self { config, audiences, sources, notes, pool, memory })
    }

    /// What was found rather than told, and what is remarkable, for people.
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
        let Self { config, audiences, sources, mut notes, pool, memory } = self;
        let staging = Staging::begin(&config.output.dir, config.output.overwrite)?;
        let tmp_dir = config.resources.tmp_dir.clone().unwrap_or_else(|| staging.path().to_owned());
        let rejects = config.output.rejects.as_ref().map(RejectWriter::create).transpose()?;
        let bytes: Option<u64> = sources.iter().map(|source| source.source.bytes).sum();
        progress.bytes_total.store(bytes.unwrap_or(0), Ordering::Relaxed);

        let described: Vec<InputManifest> =
            sources.iter().map(|source| describe(source, &audiences)).collect();
        let judge = judge::Judge::new(&config, &audiences, &sources);
        let mut ingest = Ingest::new(&config, &audiences, &memory, &pool, progress, &tmp_dir);
        let ingested = ingest.all(sources, rejects).map_err(|e| staging.named(e))?;
        let tallies = judge.verdict(&ingested)?;
        notes.extend(merged(judge.findings(&ingested)));
        let stores = ingest.into_partitions()?;

        progress.begin(Phase::Writing);
        let mut manifest = Manifest::new(options(&config));
        manifest.inputs = summed(described, &ingested);
        let mut summaries = Vec::new();
        let delivery = deliver::Delivery {
            config: &config,
            memory: &memory,
            pool: &pool,
            progress,
            dir: staging.path(),
        };
        for ((audience, tally), partitions) in audiences.iter().zip(tallies).zip(stores) {
            let spilled_bytes = partitions.spilled_bytes();
            let delivered = delivery.write(&audience.spec, &partitions);
            let delivered = delivered.map_err(|e| staging.named(e))?;
            let summary = AudienceSummary::new(&audience.spec, tally, delivered, spilled_bytes);
            manifest.audiences.push(summary.manifest());
            summaries.push(summary);
        }
        progress.begin(Phase::Publishing);
        progress.check()?;
        manifest.write(staging.path()).map_err(|e| staging.named(e))?;
        staging.publish()?;
        let records = manifest.inputs.iter().map(|input| input.records).sum();
        Ok(Summary::new(&config, summaries, notes, (records, bytes), started.elapsed()))
    }
}

/// Two audiences with one label would write the same files.
fn check_labels(audiences: &[AudienceSpec]) -> Result<()> {
    for (index, audience) in audiences.iter().enumerate() {
        if audiences[..index].iter().any(|other| other.label == audience.label) {
            return Err(Error::usage(
                format!("two audiences are called `{}`", audience.label),
                "give each a label of its own: --map COLUMN=TYPE:LABEL",
            ));
        }
    }
    Ok(())
}

/// A limit that no entry fits into could not be kept.
fn check_part_bytes(config: &PrepareConfig) -> Result<()> {
    let longest = config.audiences.iter().map(|audience| audience.user_type.entry_bytes_max());
    let longest = longest.max().unwrap_or_default() as u64;
    match config.output.part_bytes {
        Some(bytes) if bytes < longest => Err(Error::usage(
            format!("--part-bytes {bytes} is too little: an entry can have {longest} bytes"),
            "it is to be what the API takes at once, such as 50M",
        )),
        _ => Ok(()),
    }
}

/// Refuses paths that would make a run destroy its own inputs.
fn check_paths(config: &PrepareConfig) -> Result<()> {
    let stdin_uses = config.inputs.iter().chain(config.suppress.iter().map(|s| &s.input));
    if stdin_uses.filter(|input| **input == Input::Stdin).count() > 1 {
        return Err(Error::usage("standard input can be read only once", "use - for one input"));
    }
    let inputs = config.inputs.iter().chain(config.suppress.iter().map(|suppress| &suppress.input));
    let paths: Vec<&PathBuf> = inputs
        .filter_map(|input| match input {
            Input::Path(path) => Some(path),
            Input::Stdin | Input::Supply(_) => None,
        })
        .collect();
    if let Ok(dir) = config.output.dir.canonicalize()
        && let Some(path) =
            paths.iter().find(|path| path.canonicalize().is_ok_and(|path| path.starts_with(&dir)))
    {
        return Err(Error::usage(
            format!(
                "the output directory holds the input {}, and is replaced as a whole",
                Quoted(path)
            ),
            "give another directory with -o",
        ));
    }
    if let Some(known) =
        config.against.iter().find(|known| is_same_file(&known.dir, &config.output.dir))
    {
        return Err(Error::usage(
            format!(
                "{} would be replaced by who is not in it: who is would be forgotten",
                Quoted(&known.dir)
            ),
            "give another directory with -o",
        ));
    }
    let Some(list) = &config.output.rejects else { return Ok(()) };
    for path in paths {
        if is_same_file(path, &list.path) {
            return Err(Error::usage(
                format!("--rejects would overwrite the input {}", Quoted(path)),
                "give the reject list another name",
            ));
        }
    }
    if list.path.starts_with(&config.output.dir) {
        return Err(Error::usage(
            "the reject list cannot lie within the output directory, which is published as a whole",
            "put it beside the directory",
        ));
    }
    Ok(())
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// Suppressed and known sources go first: they are small, and members are then all of one kind.
fn plan_sources(
    config: &PrepareConfig,
    audiences: &[Audience],
    pool: &ThreadPool,
    stop: &Stop,
) -> Result<Vec<SourcePlan>> {
    let mut sources = Vec::new();
    for suppress in &config.suppress {
        if let Some(only) = suppress.user_type
            && audiences.iter().all(|audience| audience.spec.user_type != only)
        {
            return Err(Error::usage(
                format!("a suppression list is for {only}, but no such audience is made"),
                "leave the type out, or add the audience",
            ));
        }
        sources.push(plan_source(&suppress.input, audiences, config, Some(suppress), stop)?);
    }
    for known in &config.against {
        stop.check()?;
        sources.extend(plan_known(known, audiences, pool, stop)?);
    }
    for input in &config.inputs {
        sources.push(plan_source(input, audiences, config, None, stop)?);
    }
    Ok(sources)
}

/// `list` says what is known of a suppression list.
fn plan_source(
    input: &Input,
    audiences: &[Audience],
    config: &PrepareConfig,
    list: Option<&SuppressInput>,
    stop: &Stop,
) -> Result<SourcePlan> {
    let source = Source::inspect(input, stop)?;
    let role = if list.is_some() { Role::Suppressed } else { Role::Member };
    match input {
        Input::Supply(supply) if supply.content() == Content::Values => {
            let only = list.and_then(|list| list.user_type);
            plan::plan_values(source, role, audiences, only)
        }
        _ => plan::plan(source, role, audiences, &config.read, list),
    }
}

fn plan_known(
    known: &KnownInput,
    audiences: &[Audience],
    pool: &ThreadPool,
    stop: &Stop,
) -> Result<Vec<SourcePlan>> {
    let dir = &known.dir;
    let manifest = Manifest::read(dir)?;
    if let Some(problem) = pool.install(|| manifest.problems(dir, stop))?.first() {
        return Err(Error::input(
            dir,
            format!("it does not match its manifest: `{}` {}", problem.file, problem.message),
            "restore the directory, or leave --against out to prepare everybody",
        ));
    }
    let mut sources = Vec::new();
    for (index, audience) in audiences.iter().enumerate() {
        let Audience { spec, .. } = audience;
        let parts = match (&known.labels, manifest.parts(dir, spec)) {
            (Some(labels), _) if !labels.contains(&spec.label) => continue,
            (Some(_), None) => continue,
            (_, Some(parts)) => parts,
            (None, None) => {
                let hint = format!("it holds {}", manifest.names());
                return Err(Error::input(dir, format!("it holds no {spec}"), hint));
            }
        };
        for part in parts {
            let source = Source::inspect(&Input::Path(part), stop)?;
            sources.push(plan::plan_known(source, index, known.role));
        }
    }
    Ok(sources)
}

/// What was found before anything is read in earnest.
fn notes(config: &PrepareConfig, sources: &[SourcePlan]) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for plan in sources {
        let path = &plan.source.path;
        let mut found = |text: String| findings.push(Finding { path: path.clone(), text });
        plan.notes.iter().cloned().for_each(&mut found);
        if plan.source.is_empty() && !plan.role.is_earlier() {
            found("the file is empty".to_owned());
        }
    }
    for KnownInput { dir, .. } in &config.against {
        let before = Manifest::read(dir)?.options;
        let now = options(config);
        let differ: Vec<&str> =
            RULE_OPTIONS.into_iter().filter(|name| before.get(*name) != now.get(*name)).collect();
        // What another engine wrote does not say by which options.
        if !differ.is_empty() && !before.is_empty() {
            let text = format!(
                "it was prepared with another --{}: the same people may count as new and as gone",
                differ.join(" and --")
            );
            findings.push(Finding { path: dir.clone(), text });
        }
    }
    let mut notes = merged(findings);
    if config.output.rejects.as_ref().is_some_and(|list| list.with_values) {
        notes.push("the reject list holds raw values: keep it like the inputs".to_owned());
    }
    Ok(notes)
}

/// Options that decide what a value becomes.
const RULE_OPTIONS: [&str; 5] = ["case", "idn", "vanity", "country", "country-column"];

/// One note for what is the same of several sources.
fn merged(findings: Vec<Finding>) -> Vec<String> {
    let mut merged: Vec<(Finding, usize)> = Vec::new();
    for finding in findings {
        match merged.iter_mut().find(|(first, _)| first.text == finding.text) {
            Some((_, more)) => *more += 1,
            None => merged.push((finding, 0)),
        }
    }
    let note = |(Finding { path, text }, more): &(Finding, usize)| match more {
        0 => format!("{}: {text}", Quoted(path)),
        _ => format!("{} and {more} more: {text}", Quoted(path)),
    };
    merged.iter().map(note).collect()
}

fn describe(plan: &SourcePlan, audiences: &[Audience]) -> InputManifest {
    let source = &plan.source;
    let is_earlier = plan.role.is_earlier();
    let path = source.path.parent().filter(|_| is_earlier).unwrap_or(&source.path);
    let columns = plan
        .feeds
        .iter()
        .map(|feed| format!("{} as {}", feed.column, audiences[feed.audience].spec));
    let name = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    InputManifest {
        role: name(&serde_json::json!(plan.role)),
        path: path.to_string_lossy().into_owned(),
        bytes: source.bytes,
        modified_ns: source.modified_ns.filter(|_| !is_earlier),
        compression: name(&serde_json::json!(source.compression)),
        format: plan.dialect.name().to_owned(),
        columns: columns.collect(),
        records: 0,
    }
}

/// The inputs with what was read of them. A directory of an earlier run is one input, however many parts it has.
fn summed(described: Vec<InputManifest>, ingested: &[SourceTally]) -> Vec<InputManifest> {
    let mut inputs: Vec<InputManifest> = Vec::new();
    for (mut input, read) in described.into_iter().zip(ingested) {
        input.records = read.records;
        match inputs.last_mut() {
            Some(last)
                if input.is_directory()
                    && (&last.role, &last.path) == (&input.role, &input.path) =>
            {
                last.records += input.records;
                last.bytes = last.bytes.zip(input.bytes).map(|(last, bytes)| last + bytes);
                input.columns.retain(|column| !last.columns.contains(column));
                last.columns.append(&mut input.columns);
            }
            _ => inputs.push(input),
        }
    }
    inputs
}

/// The options that decide what is in the parts, by the names of their flags.
fn options(config: &PrepareConfig) -> serde_json::Map<String, serde_json::Value> {
    let rules = &config.rules;
    let lower = |debug: String| debug.to_ascii_lowercase();
    let json = serde_json::json!({
        "prehashed": lower(format!("{:?}", rules.prehashed)),
        "case": lower(format!("{:?}", rules.case)),
        "idn": lower(format!("{:?}", rules.idn)),
        "vanity": lower(format!("{:?}", rules.vanity)),
        "country": rules.country.map(|country| country.to_string()),
        "country-column": config.read.country_column.as_ref().map(ColumnSelector::text),
        "max-rejects": config.max_rejects.to_string(),
        "part-lines": config.output.part_lines,
        "part-bytes": config.output.part_bytes,
    });
    match json {
        serde_json::Value::Object(options) => options,
        _ => serde_json::Map::new(),
    }
}

/// The name of a source in messages.
pub(crate) fn path_of(plan: &SourcePlan) -> PathBuf {
    plan.source.path.clone()
}
