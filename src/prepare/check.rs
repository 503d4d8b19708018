//! Refusals before anything is touched: what contradicts itself, or would destroy something.

use std::path::{Path, PathBuf};

use crate::config::{AudienceSpec, Format, Input, KnownSource, PrepareConfig};
use crate::error::{Error, Result};
use crate::quote::Quoted;

/// Refuses what cannot be done, or would destroy its own inputs.
pub(super) fn check(config: &PrepareConfig) -> Result<()> {
    check_labels(&config.audiences)?;
    check_format(config)?;
    check_part_bytes(config)?;
    check_paths(config)
}

/// What is said of CSV would be passed over where no CSV is read.
fn check_format(config: &PrepareConfig) -> Result<()> {
    let flag = match (config.read.quotes, config.read.is_ragged) {
        (Some(_), _) => "--quotes",
        (None, true) => "--ragged",
        (None, false) => return Ok(()),
    };
    match config.read.format {
        Format::Auto | Format::Csv | Format::Tsv => Ok(()),
        Format::Lines | Format::Parquet => Err(Error::usage(
            format!("{flag} is about CSV, and the inputs are said to be none"),
            "leave one of them out",
        )),
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
            Input::Object(_) | Input::Stdin | Input::Command(_) | Input::Supply(_) => None,
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
    if let Some(known) = config.against.iter().find_map(|known| match &known.source {
        KnownSource::Directory(dir) => is_same_file(dir, &config.output.dir).then_some(dir),
        KnownSource::Parts { .. } => None,
    }) {
        return Err(Error::usage(
            format!(
                "{} would be replaced by who is not in it: who is would be forgotten",
                Quoted(known)
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
