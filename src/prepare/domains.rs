//! Domains that opted out as a whole: `@rival.example` in a list of e-mail addresses.
//!
//! A member whose canonical address is in one of them is an entry of the list from then on, as if the list had named it:
//! counted, held back and, if it was sent already, reported. Digests cannot be looked into, so that whoever was sent
//! earlier and is in none of tonight's inputs is not found; nor is a member that came as a digest.

use std::collections::HashMap;
use std::path::Path;

use crate::dedup::{Budget, Layer, Scatter, Store};
use crate::error::{Error, Result};
use crate::figures::count;
use crate::hash::Digest;
use crate::limits::{DOMAINS_MAX, LISTS_MAX};
use crate::normalize::Canonical;
use crate::role::Role;

/// A list for each bit.
pub(super) type ListBits = u64;

const _: () = assert!(LISTS_MAX <= 64, "a list has a bit");

/// The domains that opted out of an audience.
#[derive(Debug, Default)]
pub(super) struct Domains {
    /// `rival.example` stands for addresses there, `.rival.example` for those of its sub-domains.
    lists: HashMap<Box<[u8]>, ListBits>,
    has_subdomains: bool,
}

impl Domains {
    pub(super) fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// Adds the domains of a list, each with a line end behind it.
    pub(super) fn add(&mut self, names: &[u8], list: usize, path: &Path) -> Result<()> {
        for name in names.split(|byte| *byte == b'\n').filter(|name| !name.is_empty()) {
            self.has_subdomains |= name[0] == b'.';
            *self.lists.entry(name.into()).or_default() |= 1 << list.min(LISTS_MAX - 1);
        }
        if self.lists.len() as u64 > DOMAINS_MAX {
            return Err(too_many(path));
        }
        Ok(())
    }

    /// The lists by which the domain of a canonical address opted out.
    #[inline]
    pub(super) fn lists_of(&self, address: &[u8]) -> ListBits {
        let at = memchr::memrchr(b'@', address).map_or(0, |at| at + 1);
        let domain = &address[at..];
        let mut lists = self.lists.get(domain).copied().unwrap_or_default();
        if self.has_subdomains {
            for dot in memchr::memchr_iter(b'.', domain) {
                lists |= self.lists.get(&domain[dot..]).copied().unwrap_or_default();
            }
        }
        lists
    }
}

/// Refuses a list of more domains than are worth a set.
pub(super) fn too_many(path: &Path) -> Error {
    let most = count(DOMAINS_MAX);
    Error::input(
        path,
        format!("more than {most} of its lines opt out a whole domain"),
        "give a list of addresses",
    )
}

/// Members whose domain opted out, until they are passed on as entries of the lists.
#[derive(Debug, Default)]
pub(super) struct Held {
    entries: Vec<(ListBits, Digest)>,
}

impl Held {
    /// Most that are kept: what a worker has room for beside a chunk.
    const MOST: usize = 32 * 1024;

    pub(super) fn push(&mut self, lists: ListBits, digest: Digest) {
        self.entries.push((lists, digest));
    }

    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= Self::MOST
    }

    /// Hands out the digests list by list, and forgets them.
    pub(super) fn drain(
        &mut self,
        mut on_list: impl FnMut(usize, &[Digest]) -> Result<()>,
    ) -> Result<()> {
        let all = self.entries.iter().fold(0, |all, (lists, _)| all | lists);
        for list in (0..LISTS_MAX).filter(|list| all >> list & 1 == 1) {
            let entries = self.entries.iter().filter(|(lists, _)| lists >> list & 1 == 1);
            on_list(list, &entries.map(|(_, digest)| *digest).collect::<Vec<_>>())?;
        }
        self.entries.clear();
        Ok(())
    }
}

/// Holds members whose domain opted out.
#[cold]
pub(super) fn hold(
    canonical: &Canonical,
    digests: &[Digest],
    domains: &Domains,
    held: &mut Held,
    mut on_held: impl FnMut(&Digest),
) {
    for (address, digest) in canonical.messages.iter().zip(digests) {
        let lists = domains.lists_of(address);
        if lists != 0 {
            held.push(lists, *digest);
            on_held(digest);
        }
    }
}

/// Passes members whose domain opted out on as entries of the lists; members are scattered before and after.
#[cold]
pub(super) fn pass_on(
    held: &mut Held,
    scatter: &mut Scatter,
    store: &Store,
    budget: &Budget,
) -> Result<()> {
    held.drain(|list, digests| {
        scatter.set_layer(Layer::of_list(list), store, budget)?;
        scatter.push_digests(digests, store, budget)
    })?;
    scatter.set_layer(Layer::of(Role::Member), store, budget)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_of_its_domain_and_of_those_above() {
        let mut domains = Domains::default();
        let path = Path::new("list");
        domains.add(b"rival.example\nother.example\n", 0, path).expect("few");
        assert_eq!(domains.lists_of(b"ann@rival.example"), 1);
        for other in ["ann@mail.rival.example", "ann@arival.example", "rival.example@b.example"] {
            assert_eq!(domains.lists_of(other.as_bytes()), 0, "{other}");
        }
        domains.add(b".rival.example\n", 3, path).expect("few");
        assert_eq!(domains.lists_of(b"ann@rival.example"), 1);
        assert_eq!(domains.lists_of(b"ann@a.mail.rival.example"), 8);
        assert_eq!(domains.lists_of(b"ann@arival.example"), 0);
    }

    #[test]
    fn entries_are_handed_out_to_each_of_their_lists() {
        let mut held = Held::default();
        held.push(0b101, [1; 32]);
        held.push(0b100, [2; 32]);
        let mut seen = Vec::new();
        let mut take = |list, digests: &[Digest]| {
            seen.push((list, digests.to_vec()));
            Ok(())
        };
        held.drain(&mut take).expect("takes");
        held.drain(&mut take).expect("takes nothing");
        assert_eq!(seen, [(0, vec![[1; 32]]), (2, vec![[1; 32], [2; 32]])]);
    }
}
