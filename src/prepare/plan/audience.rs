//! The rules of an audience: one for the values of each role.

use std::sync::Arc;

use crate::config::AudienceSpec;
use crate::hash::{Kernel, ListDigest};
use crate::normalize::{Normalizer, Prehashed, RuleOptions};
use crate::role::Role;
use crate::user_type::UserType;

/// An audience and its rule.
#[derive(Debug)]
pub struct Audience {
    /// The audience as it was asked for.
    pub spec: AudienceSpec,
    /// The digest of opt-out lists that it takes; such an audience has no members and is not written.
    pub digest: Option<ListDigest>,
    /// The rule of its user type for each role.
    normalizers: [Arc<Normalizer>; Role::ALL.len()],
}

impl Audience {
    /// Makes the rules of an audience. `--prehashed` is about members: an opt-out list may hold digests or raw values
    /// whatever the inputs hold, and an earlier result is taken as it stands.
    pub fn new(spec: AudienceSpec, rules: RuleOptions, kernel: Kernel) -> Self {
        let make = |rules| Arc::new(Normalizer::new(spec.user_type, rules).on(kernel));
        let members = make(rules);
        let taken = if spec.user_type.is_hashed() && rules.prehashed != Prehashed::Auto {
            make(RuleOptions { prehashed: Prehashed::Auto, ..rules })
        } else {
            Arc::clone(&members)
        };
        let suppressed = if spec.user_type == UserType::EmailHash {
            let rules = RuleOptions { prehashed: Prehashed::Auto, ..rules };
            Arc::new(Normalizer::new(spec.user_type, rules).on(kernel).for_opt_outs())
        } else {
            Arc::clone(&taken)
        };
        let keeps = spec.user_type != UserType::CustomAudienceThirdPartyId;
        let as_written = || Arc::new(Normalizer::new(spec.user_type, rules).as_written());
        let known = if keeps { taken } else { as_written() };
        let normalizers = [members, suppressed, Arc::clone(&known), known];
        Self { spec, digest: None, normalizers }
    }

    /// Makes one that takes opt-out lists of digests.
    pub fn of_digests(spec: AudienceSpec, digest: ListDigest) -> Self {
        let rule = Arc::new(Normalizer::of_digests(digest));
        let normalizers = Role::ALL.map(|_| Arc::clone(&rule));
        Self { spec, digest: Some(digest), normalizers }
    }

    /// The rule for the values of a role.
    pub fn normalizer(&self, role: Role) -> &Normalizer {
        &self.normalizers[role as usize]
    }
}
