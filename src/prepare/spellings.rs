//! Third-party ids that lower-casing makes the same: if nobody said that letter case tells nothing apart, two ids of one
//! input must not become one person.

use std::path::PathBuf;

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
    let members = || |source: &&mut SourcePlan| source.role == Role::Member;
    let is_alone = sources.iter_mut().filter(members()).count() == 1;
    for (number, source) in sources.iter_mut().filter(members()).enumerate() {
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

/// The paths of the inputs, in the order in which they are numbered.
pub(super) fn paths(sources: &[SourcePlan]) -> Vec<PathBuf> {
    let members = sources.iter().filter(|source| source.role == Role::Member);
    members.map(|source| source.source.path.clone()).collect()
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
