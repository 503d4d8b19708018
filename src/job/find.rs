//! From the patterns of a job to files.

use std::collections::HashSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{FilePattern, Job, Means};
use crate::config::{Input, Location, PrepareConfig, SuppressInput};
use crate::disk::plain_file;
use crate::emit::RejectWriter;
use crate::error::{Error, Result};
use crate::quote::{Cause, Quoted};
use crate::source::{ExpandError, Listed, expand};
use crate::stop::Stop;

/// The files of a job, as they are now.
#[derive(Clone, Debug)]
pub struct Found {
    /// For each pattern of the inputs.
    pub inputs: Vec<FoundPattern>,
    /// For each pattern of each suppression list.
    pub suppress: Vec<Vec<FoundPattern>>,
}

/// The files of a pattern; at least one.
#[derive(Clone, Debug)]
pub struct FoundPattern {
    /// The pattern.
    pub pattern: FilePattern,
    /// Its files, sorted by path.
    pub files: Vec<FoundFile>,
    /// A note on what was left out.
    pub note: Option<String>,
}

/// A file.
#[derive(Clone, Debug)]
pub struct FoundFile {
    /// Its place.
    pub input: Input,
    /// Its size, if it is a regular file or an object.
    pub bytes: Option<u64>,
    /// Time of the last change, if the system or its store tells.
    pub modified: Option<SystemTime>,
}

impl Job {
    /// Looks for the files.
    pub fn find(&self, stop: &Stop) -> Result<Found> {
        let all =
            |patterns: &[FilePattern]| patterns.iter().map(|p| self.look_for(p, stop)).collect();
        let found = Found {
            inputs: all(&self.inputs)?,
            suppress: self.suppress.iter().map(|list| all(&list.files)).collect::<Result<_>>()?,
        };
        found.check_roles(self)?;
        Ok(found)
    }

    /// Looks for the files of opt-out lists alone; those that are not there are left out.
    pub(crate) fn find_lists(&self, stop: &Stop) -> Found {
        let there = |of: &FilePattern| self.look_for(of, stop).ok();
        let of_list = |list: &super::SuppressList| list.files.iter().filter_map(there).collect();
        Found { inputs: Vec::new(), suppress: self.suppress.iter().map(of_list).collect() }
    }

    /// The whole preparation but for its output directory and earlier results.
    pub fn prepare_config(&self, found: &Found) -> PrepareConfig {
        let mut config = self.prepare.clone();
        let patterns = found.inputs.iter().chain(found.suppress.iter().flatten());
        config.notes.extend(patterns.filter_map(|found| found.note.clone()));
        for file in found.inputs.iter().flat_map(|found| &found.files) {
            let input = file.input.clone();
            // Two patterns can match one file.
            if !config.inputs.contains(&input) {
                config.inputs.push(input);
            }
        }
        let names = super::list_names(&self.suppress);
        for ((list, name), found) in self.suppress.iter().zip(names).zip(&found.suppress) {
            config.suppress.extend(found.iter().flat_map(|found| &found.files).map(|file| {
                SuppressInput {
                    input: file.input.clone(),
                    user_type: list.user_type,
                    digest: list.digest,
                    column: list.column.clone(),
                    list: Some(name.clone()),
                    conditions: list.conditions.clone(),
                }
            }));
        }
        config
    }

    /// Refuses a report in the place of what a run reads, or of another report.
    pub fn check_reports(&self) -> Result<()> {
        let patterns = self.inputs.iter().chain(self.suppress.iter().flat_map(|list| &list.files));
        // A run says what is not there.
        let is_here = |of: &&FilePattern| match &of.means {
            Means::Files { pattern, .. } => matches!(Location::of(pattern), Ok(None)),
            Means::Command(_) => false,
        };
        let look = |of: &FilePattern| self.look_for(of, &Stop::default()).ok();
        let found = patterns.filter(is_here).filter_map(look);
        let mut taken: Vec<PathBuf> =
            found.flat_map(|found| found.files).map(|file| file.input.name()).collect();
        taken.push(self.path.clone());
        taken
            .extend([&self.target.token_file, &self.target.ca_file].into_iter().flatten().cloned());
        let mut taken: HashSet<PathBuf> = taken.iter().map(|path| place(path)).collect();
        for (key, path) in self.reports() {
            if !taken.insert(place(path)) {
                return Err(Error::usage(
                    format!("`{key}` in [report] is {}, which the job has already", Quoted(path)),
                    "give it another name",
                ));
            }
        }
        Ok(())
    }

    /// Files that the job writes beside its results, by key.
    fn reports(&self) -> impl Iterator<Item = (&'static str, &PathBuf)> {
        let rejects = self.prepare.output.rejects.as_ref().map(|list| &list.path);
        [
            ("html", self.report.html.as_ref()),
            ("metrics", self.report.metrics.as_ref()),
            ("rejects", rejects),
        ]
        .into_iter()
        .filter_map(|(key, path)| Some((key, path?)))
    }

    /// Reports that an earlier run wrote. A file in the place of one that begins otherwise is somebody else's: it is an
    /// input still, and [`Job::check_reports`] refuses to write over it.
    fn own_reports(&self) -> HashSet<PathBuf> {
        let begins = |path: &Path, text: &str| {
            let mut start = Vec::new();
            let read = plain_file::open(path)
                .and_then(|file| file.take(text.len() as u64).read_to_end(&mut start));
            read.is_ok() && start.eq_ignore_ascii_case(text.as_bytes())
        };
        let text = |key: &str| match key {
            "rejects" => RejectWriter::BEGIN,
            "html" => "<!doctype html>",
            _ => "# HELP throng_",
        };
        self.reports()
            .filter(|(key, path)| begins(path, text(key)))
            .map(|(_, path)| place(path))
            .collect()
    }

    /// The files of one pattern.
    pub(super) fn look_for(&self, pattern: &FilePattern, stop: &Stop) -> Result<FoundPattern> {
        let (filled, is_complete) = match &pattern.means {
            Means::Files { pattern, is_complete } => (pattern, *is_complete),
            Means::Command(command) => {
                let input = Input::Command(command.clone());
                let files = vec![FoundFile { input, bytes: None, modified: None }];
                return Ok(FoundPattern { pattern: pattern.clone(), files, note: None });
            }
        };
        let refuse = |message: String, hint: &str| {
            let (line, column) = pattern.place;
            let place = format!("{}, line {line}, column {column}", Quoted(&self.path));
            Error::input(pattern.written.as_ref(), format!("{message} ({place})"), hint)
        };
        let expanded =
            expand(&pattern.base, filled, is_complete, stop).map_err(|error| match error {
                ExpandError::NoGlob(why) => refuse(format!("no valid glob: {why}"), ""),
                ExpandError::Unreadable(_, error) => {
                    refuse(format!("cannot be searched: {}", Cause(&error)), "")
                }
                ExpandError::NoFiles(message, "") => {
                    refuse(message, "paths are relative to the job file's folder")
                }
                ExpandError::NoFiles(message, hint) => refuse(message, hint),
                ExpandError::Failed(error) => error,
            })?;
        let note = expanded.note(pattern.written.as_ref());
        let files = expanded.files;
        // A glob means what others put there, not what this job wrote there the night before.
        let written = Input::Path(pattern.base.join(filled));
        let is_glob = !matches!(&files[..], [file] if file.input == written);
        let own = if is_glob { self.own_reports() } else { HashSet::new() };
        let is_other = |file: &Listed| match &file.input {
            Input::Path(path) => !own.contains(&place(path)),
            _ => true,
        };
        let files: Vec<Listed> = files.into_iter().filter(is_other).collect();
        if files.is_empty() {
            return Err(refuse(
                "no file matches but this job's own reports".to_owned(),
                "make the pattern narrower",
            ));
        }
        let look = |file: Listed| {
            let Input::Path(path) = &file.input else {
                let Listed { input, facts } = file;
                let (bytes, modified) = facts.map(|facts| (facts.bytes, facts.modified)).unzip();
                if pattern.max_age.is_some() && modified.is_none() {
                    let why = "its store does not say how old it is, and max-age asks for it";
                    return Err(refuse(
                        why.to_owned(),
                        "leave max-age out for it, or a signed address",
                    ));
                }
                return Ok(FoundFile { input, bytes, modified });
            };
            let meta = std::fs::metadata(path).map_err(|error| {
                refuse(Cause(&error).to_string(), "paths are relative to the job file's folder")
            })?;
            let bytes = meta.is_file().then_some(meta.len());
            Ok(FoundFile { bytes, modified: meta.modified().ok(), input: file.input })
        };
        let files = files.into_iter().map(look).collect::<Result<_>>()?;
        Ok(FoundPattern { pattern: pattern.clone(), files, note })
    }
}

/// A path by which a file is known, however it was written.
fn place(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

impl Found {
    /// Refuses inputs and suppression lists that are older than the job allows.
    pub fn check_age(&self, now: SystemTime) -> Result<()> {
        let lists = self.suppress.iter().flatten();
        self.inputs.iter().chain(lists).try_for_each(|found| found.check_age(now))
    }

    /// The age of the oldest of those that are too old, and what the job allows it.
    pub fn too_old(&self, now: SystemTime) -> Option<(Duration, Duration)> {
        let lists = self.suppress.iter().flatten();
        self.inputs.iter().chain(lists).filter_map(|found| found.too_old(now)).max()
    }

    /// Nobody is left if members are opted out as well; that is a mistake in the file.
    fn check_roles(&self, job: &Job) -> Result<()> {
        for list in self.suppress.iter().flatten() {
            let is_input = |file: &FoundFile| {
                self.inputs.iter().flat_map(|found| &found.files).any(|of| of.input == file.input)
            };
            if list.files.iter().any(is_input) {
                let (line, column) = list.pattern.place;
                let (what, hint) = match &list.pattern.means {
                    Means::Files { .. } => ("file", "make one of the two patterns narrower"),
                    Means::Command(_) => ("command", "leave one of the two out"),
                };
                let place = format!("{}, line {line}, column {column}", Quoted(&job.path));
                let message = format!("{place}: a {what} is both input and suppression list");
                return Err(Error::usage(message, hint));
            }
        }
        Ok(())
    }
}

impl FoundPattern {
    /// Bytes of all files, if they are regular ones.
    pub fn bytes(&self) -> Option<u64> {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Time of the last change of the newest file.
    pub fn newest(&self) -> Option<SystemTime> {
        self.files.iter().filter_map(|file| file.modified).max()
    }

    /// Its age and what is allowed, if that is less. A file from the future is new.
    fn too_old(&self, now: SystemTime) -> Option<(Duration, Duration)> {
        let (max_age, newest) = (self.pattern.max_age?, self.newest()?);
        let age = now.duration_since(newest).unwrap_or_default();
        (age > max_age).then_some((age, max_age))
    }

    /// Refuses files of which the newest is too old.
    pub(super) fn check_age(&self, now: SystemTime) -> Result<()> {
        let Some((age, max_age)) = self.too_old(now) else { return Ok(()) };
        Err(Error::input(
            self.pattern.written.as_ref(),
            format!("it is {} old, more than max-age {} allows", Age(age), Age(max_age)),
            "was it exported? go on with --max-age TIME once you have looked",
        ))
    }
}

/// A time in its two largest units.
pub(crate) struct Age(pub(crate) Duration);

impl std::fmt::Display for Age {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let minutes = self.0.as_secs() / 60;
        let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
        match (days, hours, minutes) {
            (0, 0, 0) => write!(f, "{} s", self.0.as_secs()),
            (0, 0, minutes) => write!(f, "{minutes} min"),
            (0, hours, 0) => write!(f, "{hours} h"),
            (0, hours, minutes) => write!(f, "{hours} h {minutes} min"),
            (days, 0, _) => write!(f, "{days} d"),
            (days, hours, _) => write!(f, "{days} d {hours} h"),
        }
    }
}
