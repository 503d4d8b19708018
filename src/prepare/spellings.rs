//! Third-party ids that lower-casing makes the same: if nobody said that letter case tells nothing apart, two ids of one
//! input must not become one person. Files that one export was written into are one input.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use super::plan::{Audience, SourcePlan};
use crate::config::PrepareConfig;
use crate::dedup::{Merged, SpelledIn};
use crate::error::{Error, Result};
use crate::normalize::Case;
use crate::quote::Quoted;
use crate::role::Role;
use crate::user_type::UserType;

/// Numbers the inputs within which spellings of ids are compared. Opt-out lists are not among them.
pub(super) fn number(config: &PrepareConfig, audiences: &[Audience], sources: &mut [SourcePlan]) {
    if config.rules.case != Case::Auto {
        return;
    }
    let exports = exports(sources);
    let is_alone = exports.iter().max() == Some(&0);
    let members = sources.iter_mut().filter(|source| source.role == Role::Member);
    for (number, source) in exports.into_iter().zip(members) {
        let spelled_in =
            if is_alone { Some(SpelledIn::ALONE) } else { SpelledIn::one_of_several(number) };
        for feed in &mut source.feeds {
            let user_type = audiences[feed.audience].spec.user_type;
            if user_type == UserType::CustomAudienceThirdPartyId {
                feed.spelled_in = spelled_in;
            }
        }
    }
}

/// The paths of the inputs, in the order in which they are numbered: of an export in several files their folder.
pub(super) fn paths(sources: &[SourcePlan]) -> Vec<PathBuf> {
    let members = sources.iter().filter(|source| source.role == Role::Member);
    let mut paths: Vec<PathBuf> = Vec::new();
    for (number, source) in exports(sources).into_iter().zip(members) {
        let path = &source.source.path;
        match paths.get_mut(number) {
            Some(known) => *known = folder(path),
            None => paths.push(path.clone()),
        }
    }
    paths
}

/// For each input of members the number of its export, counted from 0. Files of one export lie in a folder or its
/// partitions (`country=DE`), and have the same header, or else names that differ in nothing but digits.
fn exports(sources: &[SourcePlan]) -> Vec<usize> {
    let mut known = HashMap::new();
    let members = sources.iter().filter(|source| source.role == Role::Member);
    members
        .map(|source| {
            let path = &source.source.path;
            let likeness = if source.header.is_empty() {
                let name = path.file_name().unwrap_or_default().as_encoded_bytes();
                name.iter().filter(|byte| !byte.is_ascii_digit()).copied().collect()
            } else {
                source.header.clone()
            };
            let next = known.len();
            *known.entry((folder(path), likeness)).or_insert(next)
        })
        .collect()
}

/// The folder of a file, above its partitions.
fn folder(path: &Path) -> PathBuf {
    let parent = path.parent().unwrap_or(path);
    let is_partition = |of: &Component<'_>| of.as_os_str().as_encoded_bytes().contains(&b'=');
    parent.components().take_while(|of| !is_partition(of)).collect()
}

/// Refuses ids of an input of which lower-casing made one.
pub(super) fn check(merged: Merged, paths: &[PathBuf]) -> Result<()> {
    if merged.ids == 0 {
        return Ok(());
    }
    let path = paths.get(usize::from(merged.source.saturating_sub(1)));
    let path = path.ok_or(Error::Internal("ids of an input that is none"))?;
    Err(Error::WrongFile {
        message: format!(
            "lower-casing makes {} ids of {} the same as others of it",
            merged.ids,
            Quoted(path)
        ),
        hint: Some(
            "if letter case tells people apart, --case keep; if it does not, --case lower"
                .to_owned(),
        ),
        limits: None,
    })
}
