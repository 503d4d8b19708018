//! Part files that another engine wrote, such as Spark: every line of them is an entry, and each entry is there once.
//!
//! The files are read twice, the second time from the page cache: once each for itself, for its lines and its digest,
//! and once all together through the stages of a preparation, because only there equal entries meet, within the memory
//! limit. Nothing is written but the manifest, and that only if all of it holds.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use rayon::ThreadPool;
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use super::budget::{self, MemoryPlan};
use super::deliver::{SPLIT_BITS, cut};
use super::ingest::Ingest;
use super::plan::{self, Audience};
use super::worker::layout;
use crate::config::{Input, MaxRejects, PrepareConfig, Resources};
use crate::dedup::{Layout, Partitions, Range, resolve};
use crate::disk::plain_file;
use crate::emit::{AudienceManifest, MANIFEST_FILE, Manifest, PartManifest};
use crate::error::{Error, Result};
use crate::machine;
use crate::normalize::{
    Canonical, Case, Normalizer, RuleOptions, UserType, Value, Verdict, Wrapping,
};
use crate::progress::{Phase, Progress};
use crate::role::Role;
use crate::source::{Compression, Source};

/// Bytes of a part that are looked at at once.
const PIECE_BYTES: usize = 256 * 1024;

/// Names of engines' files that are no text, by their ends.
const NO_TEXT: [&str; 12] = [
    "gz", "bz2", "lz4", "snappy", "deflate", "zst", "zstd", "xz", "parquet", "orc", "avro", "json",
];

/// What is to be described.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The directory of the part files.
    pub dir: PathBuf,
    /// What their lines are.
    pub user_type: UserType,
    /// Whether a manifest that is there is replaced.
    pub overwrite: bool,
    /// What to use.
    pub resources: Resources,
}

/// The files of a directory.
#[derive(Debug, Default)]
struct Listing {
    parts: Vec<String>,
    beside: Vec<String>,
}

/// Checks part files that another engine wrote, and describes them in a manifest, which is put beside them.
pub fn describe(config: &EngineConfig, progress: &Progress) -> Result<Manifest> {
    let dir = &config.dir;
    let mut listing = list(config)?;
    let pool = machine::pool(budget::threads(&config.resources))?;
    let sources = inspect(&listing.parts, dir, progress)?;
    let normalizer = Normalizer::new(config.user_type, rules());
    let checker = Checker { dir, user_type: config.user_type, normalizer, progress };
    let read = |name: &String| checker.part(name);
    let parts: Result<Vec<PartManifest>> =
        pool.install(|| listing.parts.par_iter().map(read).collect());
    let (parts, empty): (Vec<_>, Vec<_>) = parts?.into_iter().partition(|part| part.lines > 0);
    let lines: u64 = parts.iter().map(|part| part.lines).sum();
    if lines == 0 {
        return Err(Error::input(
            dir,
            "its parts hold no entries",
            "look at what the engine was asked for",
        ));
    }

    let (accepted, different) = count_different(config, sources, &pool, progress)?;
    if accepted != lines {
        return Err(Error::input(
            dir,
            "its parts changed while they were read",
            "run again when the engine has finished",
        ));
    }
    if different < lines {
        return Err(Error::input(
            dir,
            format!("{} of its {lines} entries are there more than once", lines - different),
            format!(
                "let the engine keep each once (SELECT DISTINCT), or: throng prepare '{}/part-*' -t {} -o OTHER",
                dir.display(),
                config.user_type
            ),
        ));
    }

    progress.begin(Phase::Publishing);
    progress.check()?;
    listing.beside.extend(empty.into_iter().map(|part| part.file));
    let manifest = manifest(config.user_type, parts, listing.beside);
    manifest.replace(dir)?;
    Ok(manifest)
}

/// How many entries the parts have, and how many different ones.
fn count_different(
    config: &EngineConfig,
    sources: Vec<Source>,
    pool: &ThreadPool,
    progress: &Progress,
) -> Result<(u64, u64)> {
    let job = PrepareConfig {
        rules: rules(),
        max_rejects: MaxRejects::Count(0),
        resources: config.resources.clone(),
        ..PrepareConfig::new(config.user_type, config.dir.clone())
    };
    let audience = Audience::new(job.audiences[0].clone(), rules(), config.resources.kernel);
    let layout = layout(&audience);
    let plans: Vec<_> =
        sources.into_iter().map(|source| plan::plan_known(source, 0, Role::Member)).collect();
    let memory = MemoryPlan::new(&config.resources, pool.current_num_threads(), 1, &plans);
    let tmp_dir = config.resources.tmp_dir.as_ref().unwrap_or(&config.dir);
    let audiences = [audience];
    let mut ingest = Ingest::new(&job, &audiences, &memory, pool, progress, tmp_dir);
    let accepted: u64 = ingest
        .all(plans, None)?
        .iter()
        .flat_map(|read| &read.tallies)
        .map(|(_, tally)| tally.accepted())
        .sum();
    progress.begin(Phase::Writing);
    let mut different = 0;
    for partitions in ingest.into_partitions()? {
        let count = |range| count(&partitions, range, layout, memory.range_limit, progress);
        let ranges: Vec<Range> = partitions
            .ranges()
            .flat_map(|range| cut(range, &partitions, memory.range_limit))
            .collect();
        different += pool.install(|| ranges.into_par_iter().map(count).sum::<Result<u64>>())?;
    }
    Ok((accepted, different))
}

/// Clear ids are taken as they stand.
fn rules() -> RuleOptions {
    RuleOptions { case: Case::Keep, ..RuleOptions::default() }
}

/// Finds the parts, and refuses what is not complete or not text.
fn list(config: &EngineConfig) -> Result<Listing> {
    let dir = &config.dir;
    let reading = |error| Error::reading("read", dir, error);
    let mut listing = Listing::default();
    let (mut has_success, mut is_of_hadoop) = (false, false);
    for entry in fs::read_dir(dir).map_err(reading)? {
        let entry = entry.map_err(reading)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        let is_dir = fs::metadata(&path).is_ok_and(|meta| meta.is_dir());
        if name == MANIFEST_FILE {
            if !config.overwrite {
                return Err(Error::Output {
                    path,
                    message: "it exists".to_owned(),
                    hint: Some(
                        "compare with throng verify, or replace it with --overwrite".to_owned(),
                    ),
                });
            }
        } else if name == "_temporary" {
            return Err(incomplete(dir, "a job is still writing to it, or was killed"));
        } else if is_dir {
            return Err(Error::input(
                &path,
                "it is a directory, and parts are files",
                "let the engine write one plain directory of text files, without partitions",
            ));
        } else if name.starts_with(['_', '.']) {
            has_success |= name == "_SUCCESS";
            listing.beside.push(name);
        } else {
            is_of_hadoop |= name.starts_with("part-");
            listing.parts.push(name);
        }
    }
    listing.parts.sort();
    listing.beside.sort();
    if is_of_hadoop && !has_success {
        return Err(incomplete(
            dir,
            "it has parts and no _SUCCESS: the job that wrote them has not finished",
        ));
    }
    if listing.parts.is_empty() {
        return Err(Error::input(
            dir,
            "it has no parts",
            "give the directory that the engine wrote",
        ));
    }
    let odd = listing.parts.iter().find(|name| !PartManifest::is_plain_name(name));
    if let Some(name) = odd {
        return Err(Error::input(
            &dir.join(name),
            "its name cannot be sent to the API",
            "parts are named by letters, digits, `-`, `_` and `.` only",
        ));
    }
    Ok(listing)
}

fn incomplete(dir: &Path, why: &str) -> Error {
    Error::input(
        dir,
        why,
        "wait for the job, or run it again; if it is told to write no _SUCCESS and has finished: touch DIR/_SUCCESS",
    )
}

/// Looks at the beginning of every part.
fn inspect(parts: &[String], dir: &Path, progress: &Progress) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for name in parts {
        let path = dir.join(name);
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        let no_text = || {
            Error::input(
                &path,
                "it is compressed or no text, and the API takes plain lines",
                "let the engine write text: .write.option(\"compression\", \"none\").text(DIR)",
            )
        };
        if NO_TEXT.contains(&extension.as_str()) {
            return Err(no_text());
        }
        // A FIFO would be waited for until somebody writes to it.
        plain_file::open(&path).map_err(|error| Error::reading("open", &path, error))?;
        let source = Source::inspect(&Input::Path(path.clone()), &progress.stop)?;
        if source.compression != Compression::None {
            return Err(no_text());
        }
        sources.push(source);
    }
    Ok(sources)
}

/// Reads parts line by line.
struct Checker<'a> {
    dir: &'a Path,
    user_type: UserType,
    normalizer: Normalizer,
    progress: &'a Progress,
}

impl Checker<'_> {
    /// Checks every line of a part.
    fn part(&self, name: &str) -> Result<PartManifest> {
        let path = self.dir.join(name);
        let reading = |operation| {
            let path = &path;
            move |error| Error::reading(operation, path, error)
        };
        let mut file = plain_file::open(&path).map_err(reading("open"))?;
        let mut hasher = Sha256::new();
        let (mut lines, mut bytes) = (0_u64, 0_u64);
        let mut pending = Vec::new();
        let mut canonical = Canonical::default();
        loop {
            self.progress.check()?;
            let carried = pending.len();
            let limit = PIECE_BYTES as u64;
            let read =
                (&mut file).take(limit).read_to_end(&mut pending).map_err(reading("read"))?;
            if read == 0 {
                break;
            }
            hasher.update(&pending[carried..]);
            bytes += read as u64;
            let whole = memchr::memrchr(b'\n', &pending).map_or(0, |at| at + 1);
            if let Some(before) = self.first_wrong(&pending[..whole], &mut canonical) {
                return Err(self.no_entry(&path).at_line(lines + before + 1));
            }
            lines += memchr::memchr_iter(b'\n', &pending[..whole]).count() as u64;
            pending.drain(..whole);
            if pending.len() > self.user_type.entry_bytes_max() {
                return Err(self.no_entry(&path).at_line(lines + 1));
            }
        }
        if !pending.is_empty() {
            let message = "the last line has no end: the file was cut off";
            return Err(Error::input(&path, message, "run the job again").at_line(lines + 1));
        }
        let sha256 = const_hex::encode(hasher.finalize());
        Ok(PartManifest { file: name.to_owned(), lines, bytes, sha256 })
    }

    /// How many lines stand before the first one that is not an entry as an upload file holds it.
    fn first_wrong(&self, text: &[u8], canonical: &mut Canonical) -> Option<u64> {
        let text = text.strip_suffix(b"\n")?;
        canonical.clear();
        let mut wrong = None;
        let mut accepted = Vec::new();
        let values = text.split(|byte| *byte == b'\n');
        let values = values.map(|bytes| Value { bytes: Some(bytes), country: None });
        self.normalizer.batch(Wrapping::Field, values, canonical, |index, bytes, verdict| {
            match verdict {
                Verdict::Prehashed(_) if is_lower_digest(bytes) => {}
                Verdict::Raw(_) if !self.user_type.is_hashed() => accepted.push((index, bytes)),
                _ => wrong = wrong.or(Some(index)),
            }
        });
        let changed = accepted.iter().zip(canonical.messages.iter());
        let changed = changed.filter(|((_, bytes), message)| bytes != message);
        let changed = changed.map(|((index, _), _)| *index).next();
        wrong.into_iter().chain(changed).min().map(|index| index as u64)
    }

    fn no_entry(&self, path: &Path) -> Error {
        let hint = if self.user_type.is_hashed() {
            "each line is to be 64 hex digits in lower case; leave out what throng hash answers with an empty line: WHERE digest <> ''"
        } else {
            "each line is to be what throng hash answers; leave out empty ones: WHERE id <> ''"
        };
        Error::input(path, format!("the line is no {} entry", self.user_type), hint)
    }
}

fn is_lower_digest(line: &[u8]) -> bool {
    line.len() == 64 && !line.iter().any(u8::is_ascii_uppercase)
}

/// How many different entries a range has; in pieces, if that is more than the limit holds.
fn count(
    partitions: &Partitions,
    range: Range,
    layout: Layout,
    limit: u64,
    progress: &Progress,
) -> Result<u64> {
    progress.check()?;
    match resolve(partitions, range, layout, limit)? {
        Some(resolved) => {
            partitions.recycle(resolved.entries);
            Ok(resolved.counts.members)
        }
        None => range
            .split(SPLIT_BITS)
            .map(|piece| count(partitions, piece, layout, limit, progress))
            .sum(),
    }
}

fn manifest(user_type: UserType, parts: Vec<PartManifest>, beside: Vec<String>) -> Manifest {
    let mut manifest = Manifest::new(serde_json::Map::new());
    manifest.beside = beside;
    manifest.audiences.push(AudienceManifest::of_parts(user_type.into(), user_type, parts));
    manifest
}
