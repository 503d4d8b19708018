//! Rejected identifiers of rows that are linked. Nobody is uploaded by one, but the person whom it names may have opted out by
//! it, and stands in that row with others. So a row is linked to what such a value may have been meant to be as well, and
//! where that cannot be told, it is counted.

use super::aliases::Alias;
use super::domains::Domains;
use super::persons::Linker;
use crate::figures::count;
use crate::hash::{self, Digest, Messages};
use crate::normalize::{Normalizer, Reading, Value, Verdict, may_be_identifier};
use crate::reason::Reason;
use crate::record::Records;

/// Rejected values of a batch, and what they may be.
#[derive(Debug, Default)]
pub(super) struct Meant {
    /// The place of each among the records, and the record that it is of.
    rejected: Vec<(usize, usize)>,
    /// Canonical forms, and their digests.
    values: Messages,
    digests: Vec<Digest>,
}

/// What is needed to read them.
pub(super) struct MeantBy<'a> {
    pub(super) normalizer: &'a Normalizer,
    pub(super) records: &'a Records,
    pub(super) bytes: &'a [u8],
    pub(super) field: usize,
    pub(super) country_field: Option<usize>,
    /// The country of all rows, if it is known.
    pub(super) country: Option<&'a [u8]>,
    /// Domains that opted out.
    pub(super) domains: &'a Domains,
    pub(super) space: u16,
}

impl Meant {
    /// Remembers a rejected value.
    #[inline]
    pub(super) fn note(&mut self, index: usize, record: usize, verdict: Verdict) {
        if let Verdict::Rejected(reason) = verdict
            && may_be_identifier(reason)
        {
            self.rejected.push((index, record));
        }
    }

    /// Links what was rejected of a batch to its rows, and forgets it. True if [`Self::push_aliases`] has something to do.
    #[inline]
    pub(super) fn link(&mut self, by: &MeantBy<'_>, linker: &mut Linker) -> bool {
        !self.rejected.is_empty() && self.link_some(by, linker)
    }

    #[cold]
    fn link_some(&mut self, by: &MeantBy<'_>, linker: &mut Linker) -> bool {
        let Self { rejected, values, digests } = self;
        values.clear();
        digests.clear();
        for (index, record) in rejected.drain(..) {
            let field = |field| {
                let mut one = by.records.fields_of(by.bytes, field, index..index + 1);
                one.next().unwrap_or(Ok(b""))
            };
            let bytes = match field(by.field) {
                Ok(bytes) => bytes,
                // One field of the record cannot be relied on.
                Err(Reason::StrayQuote) => {
                    linker.add_unread(record);
                    continue;
                }
                // A record that is refused as a whole has no other identifiers either.
                Err(_) => continue,
            };
            let country = by.country_field.map(|of| field(of).unwrap_or_default()).or(by.country);
            let value = Value { bytes: Ok(bytes), country };
            let is_known = by.normalizer.readings(value, |reading| {
                let digest = match reading {
                    Reading::Prehashed(digest) => digest,
                    Reading::Raw(value) => {
                        let digest = hash::digest(value);
                        values.push(value);
                        digests.push(digest);
                        if !by.domains.is_empty() && by.domains.lists_of(value) != 0 {
                            linker.opt_out(&digest, by.space);
                        }
                        digest
                    }
                };
                linker.add_meant(&digest, by.space, record);
            });
            if !is_known {
                linker.add_unread(record);
            }
        }
        !values.is_empty()
    }

    /// Makes entries of the values for lists of older digests.
    pub(super) fn push_aliases(&self, alias: Alias, scratch: &mut Vec<u8>) {
        alias.push_members(&self.values, &self.digests, scratch);
    }
}

/// Says how many rows have an identifier of which nobody knows whether it opted out.
pub(super) fn note(unread: u64) -> Option<String> {
    (unread > 0).then(|| {
        let rows = if unread == 1 { "1 row has".to_owned() } else {
            format!("{} rows have", count(unread))
        };
        format!(
            "{rows} a rejected identifier that cannot be read, so that nobody knows whether that person opted out by it; the \
             others of such a row are used (--rejects FILE lists what is rejected)"
        )
    })
}
