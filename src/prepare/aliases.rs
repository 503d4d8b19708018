//! Opt-out lists of MD5 or SHA-1 digests: members' values are hashed so, too, and whoever stands in such a list is
//! suppressed as if their own digest stood there.
//!
//! Such a list feeds an audience that is made for it and never written, one for each user type and digest; nothing of
//! this is done without one. Only values of tonight can be compared: of a member that came as SHA-256, and of what was
//! uploaded earlier, nobody knows the MD5.

use super::ingest::Ingest;
use super::judge::RoleTallies;
use super::plan::Audience;
use super::tally::{SourceTally, Tally};
use crate::config::{AudienceSpec, Label, PrepareConfig, SuppressInput};
use crate::dedup::{self, Budget, Layer, Partitions, Scatter, Store};
use crate::error::{Error, Result};
use crate::hash::{Digest, ListDigest, Messages};
use crate::role::Role;
use crate::user_type::UserType;

/// An audience of digests of lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Alias {
    user_type: UserType,
    digest: ListDigest,
}

impl Alias {
    /// What a list holds, if it holds such digests. Those of addresses are meant, if nothing else is said or made.
    pub(super) fn of(list: &SuppressInput, specs: &[AudienceSpec]) -> Result<Option<Self>> {
        let Some(digest) = list.digest else { return Ok(None) };
        let is_made = |of: &UserType| specs.iter().any(|spec| spec.user_type == *of);
        let user_type = match list.user_type {
            Some(user_type) => Some(user_type),
            None => [UserType::EmailHash, UserType::PhoneHash].into_iter().find(is_made),
        };
        let user_type = user_type.filter(|of| of.is_hashed() && is_made(of));
        let user_type = user_type.ok_or_else(|| {
            let held = list.user_type.map_or_else(String::new, |of| format!(" of {of}"));
            Error::usage(
                format!("a suppression list holds {digest} digests{held}, and no audience has such values"),
                "addresses and phone numbers can be held back by digests: --suppress email_hash:md5=FILE",
            )
        })?;
        Ok(Some(Self { user_type, digest }))
    }

    /// The audiences that the lists of a run need, each once.
    pub(super) fn all(config: &PrepareConfig) -> Result<Vec<Self>> {
        let mut all = Vec::new();
        for list in &config.suppress {
            all.extend(Self::of(list, &config.audiences)?.filter(|alias| !all.contains(alias)));
        }
        Ok(all)
    }

    /// The audience that takes the digests of the lists.
    pub(super) fn audience(self) -> Result<Audience> {
        let label: Label =
            self.digest.name().parse().map_err(|_| Error::Internal("a digest's name as label"))?;
        let spec = AudienceSpec { label, ..AudienceSpec::new(self.user_type, None) };
        Ok(Audience::of_digests(spec, self.digest))
    }

    /// What an audience takes that was made for digests.
    pub(super) fn taken_by(audience: &Audience) -> Option<Self> {
        let user_type = audience.spec.user_type;
        audience.digest.map(|digest| Self { user_type, digest })
    }

    /// True for the audience that was made for it.
    pub(super) fn is_taken_by(self, audience: &Audience) -> bool {
        self.is_of(audience.spec.user_type) && audience.digest == Some(self.digest)
    }

    /// The type of the values that were hashed.
    pub(super) fn user_type(self) -> UserType {
        self.user_type
    }

    pub(super) fn is_of(self, user_type: UserType) -> bool {
        self.user_type == user_type
    }

    /// Says how many members cannot be compared.
    pub(super) fn note(self, audiences: &[Audience], tallies: &[RoleTallies]) -> Option<String> {
        let of_type = audiences.iter().zip(tallies);
        let of_type = of_type.filter(|(audience, _)| self.is_of(audience.spec.user_type));
        let members = of_type.map(|(_, tallies)| tallies[Role::Member as usize].prehashed);
        let prehashed = members.max().unwrap_or(0);
        (prehashed > 0).then(|| {
            let Self { user_type, digest } = self;
            format!(
                "{prehashed} of the values for {user_type} came as SHA-256 and cannot be held against {digest} digests: whoever of them opted out there is NOT held back"
            )
        })
    }

    /// Scatters the digests of a list.
    pub(super) fn push_listed(self, digests: &[Digest], scratch: &mut Vec<u8>) {
        scratch.clear();
        for digest in digests {
            dedup::push_alias(&digest[..self.digest.bytes()], None, scratch);
        }
    }

    /// Makes entries of members' values.
    pub(super) fn push_members(self, values: &Messages, own: &[Digest], scratch: &mut Vec<u8>) {
        scratch.clear();
        let mut alias = Vec::with_capacity(self.digest.bytes());
        for (value, own) in values.iter().zip(own) {
            alias.clear();
            self.digest.append(value, &mut alias);
            dedup::push_alias(&alias, Some(own), scratch);
        }
    }
}

/// The counts of sources, those of lists of digests as counts of the audiences that are made of their type.
pub(super) fn of_made(mut ingested: Vec<SourceTally>, audiences: &[Audience]) -> Vec<SourceTally> {
    for read in &mut ingested {
        let of_digests = |(index, _): &mut (usize, Tally)| audiences[*index].digest.is_some();
        for (index, tally) in read.tallies.extract_if(.., of_digests).collect::<Vec<_>>() {
            let user_type = audiences[index].spec.user_type;
            for (made, audience) in audiences.iter().enumerate() {
                if audience.digest.is_none() && audience.spec.user_type == user_type {
                    read.tallies.push((made, tally.clone()));
                }
            }
        }
    }
    ingested
}

/// Entries by their older digests, when all inputs are read.
pub(super) struct Aliased {
    alias: Alias,
    partitions: Partitions,
}

impl Aliased {
    pub(super) fn new(
        alias: Alias,
        store: Store,
        scatters: Vec<Scatter>,
        budget: &Budget,
    ) -> Result<Self> {
        Ok(Self { alias, partitions: Partitions::new(store, scatters, budget)? })
    }

    /// Suppresses members whose older digest stands in a list.
    pub(super) fn suppress(&self, ingest: &Ingest<'_>) -> Result<()> {
        use rayon::prelude::*;
        let ranges: Vec<_> = self.partitions.ranges().collect();
        let bytes = self.alias.digest.bytes();
        ingest.pool.install(|| {
            ranges.par_iter().try_for_each(|range| {
                ingest.progress.check()?;
                let limit = ingest.memory.range_limit;
                let mut listed: Vec<(usize, Digest)> = Vec::new();
                dedup::find_listed(&self.partitions, *range, bytes, limit, &mut |list, own| {
                    listed.push((list, *own));
                    if listed.len() * size_of::<(usize, Digest)>() < crate::limits::WRITE_BYTES {
                        return Ok(());
                    }
                    self.give(&mut listed, ingest)
                })?;
                self.give(&mut listed, ingest)
            })
        })
    }

    /// Gives digests that are suppressed to all audiences of their type.
    fn give(&self, listed: &mut Vec<(usize, Digest)>, ingest: &Ingest<'_>) -> Result<()> {
        if listed.is_empty() {
            return Ok(());
        }
        listed.sort_unstable();
        listed.dedup();
        let mut worker = ingest.worker()?;
        for of_list in listed.chunk_by(|one, other| one.0 == other.0) {
            let digests: Vec<Digest> = of_list.iter().map(|(_, own)| *own).collect();
            let layer = Layer::of_list(of_list[0].0);
            for (index, audience) in ingest.audiences.iter().enumerate() {
                if self.alias.is_of(audience.spec.user_type) && audience.digest.is_none() {
                    worker.tools.suppress(index, layer, &digests, ingest)?;
                }
            }
        }
        listed.clear();
        Ok(())
    }
}
