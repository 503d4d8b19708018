//! What a run came to: for a person at a glance, for a program as one line of JSON.

mod text;

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::deliver::Delivered;
use super::judge::RoleTallies;
use crate::config::{AudienceSpec, Label, PrepareConfig};
use crate::emit::{AudienceManifest, PartManifest, RejectManifest};
use crate::entries::Counts;
use crate::machine;
use crate::normalize::UserType;
use crate::role::Role;

/// What a `prepare` came to.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The output directory.
    pub output: PathBuf,
    /// For each audience.
    pub audiences: Vec<AudienceSummary>,
    /// What was found rather than told, and what is remarkable.
    pub notes: Vec<String>,
    /// Records read of all inputs, suppression lists and earlier results.
    pub records: u64,
    /// Bytes of all of them as stored, if known.
    pub input_bytes: Option<u64>,
    /// Wall time in seconds.
    pub seconds: f64,
    /// Records for each second.
    pub records_per_second: f64,
    /// Most memory that the process held, in bytes, if the system tells.
    pub peak_memory_bytes: Option<u64>,
    /// Bytes that did not fit the memory limit and went to disk for a while.
    pub spilled_bytes: u64,
}

/// What became of one audience.
#[derive(Clone, Debug, Serialize)]
pub struct AudienceSummary {
    /// What it is called; its parts are named so.
    pub label: Label,
    /// What its entries are.
    pub user_type: UserType,
    /// Member records.
    pub read: u64,
    /// Values with nothing in them.
    pub blank: u64,
    /// Accepted raw values.
    pub raw: u64,
    /// Accepted values that were digests already.
    pub prehashed: u64,
    /// Phone numbers without prefix and country that were taken as international.
    pub assumed_international: u64,
    /// Third-party ids that lower-casing changed.
    pub case_changed: u64,
    /// All rejected values.
    pub rejected: u64,
    /// The rejected values by reason, the frequent ones first.
    pub rejects: Vec<RejectSummary>,
    /// Accepted values that were there already.
    pub duplicates: u64,
    /// Members that are held back because they opted out.
    pub suppressed: u64,
    /// Members that an earlier run has written.
    pub known: u64,
    /// Known, but no member any more. The API cannot remove them.
    pub gone: u64,
    /// Opted out, and known or unconfirmed: they are, or may be, in the live audience and must go.
    pub must_go: u64,
    /// Entries written.
    pub written: u64,
    /// Entries of the suppression lists, before they are made unique.
    pub suppression_read: u64,
    /// Values of the suppression lists that were rejected: these people are not held back.
    pub suppression_rejected: u64,
    /// Whether suppression lists were given.
    #[serde(skip)]
    has_suppression: bool,
    /// Whether earlier results were given.
    #[serde(skip)]
    has_known: bool,
    /// The upload files.
    pub parts: Vec<PartManifest>,
    /// The list of who is gone, if anybody is.
    pub gone_list: Option<PartManifest>,
    /// The list of who must go, if anybody must.
    pub must_go_list: Option<PartManifest>,
    /// Bytes that went to disk for a while.
    #[serde(skip)]
    spilled_bytes: u64,
}

/// The rejects of one reason.
#[derive(Clone, Debug, Serialize)]
pub struct RejectSummary {
    /// The reason's code.
    pub reason: &'static str,
    /// What it means.
    pub advice: &'static str,
    /// How many.
    pub count: u64,
    /// The first input in which it occurred.
    pub first_source: String,
    /// The line there, counted from 1.
    pub first_line: u64,
}

impl AudienceSummary {
    pub(crate) fn new(
        spec: &AudienceSpec,
        tallies: RoleTallies,
        delivered: Delivered,
        spilled_bytes: u64,
    ) -> Self {
        let Delivered { counts, parts, gone: gone_list, must_go: must_go_list } = delivered;
        let [members, suppressed, _known, _unconfirmed] = tallies;
        debug_assert_eq!(Role::ALL[0], Role::Member);
        let rejects = members.reasons().map(|(reason, count, first)| RejectSummary {
            reason: reason.code(),
            advice: reason.advice(),
            count,
            first_source: first.path.to_string_lossy().into_owned(),
            first_line: first.line,
        });
        Self {
            label: spec.label.clone(),
            user_type: spec.user_type,
            read: members.read,
            blank: members.blank,
            raw: members.raw,
            prehashed: members.prehashed,
            assumed_international: members.assumed_international,
            case_changed: members.case_changed,
            rejected: members.rejected(),
            rejects: rejects.collect(),
            duplicates: members.accepted() - counts.members,
            suppressed: counts.suppressed,
            known: counts.known,
            gone: counts.gone,
            must_go: counts.must_go,
            written: counts.written,
            suppression_read: suppressed.accepted(),
            suppression_rejected: suppressed.rejected(),
            has_suppression: false,
            has_known: false,
            parts,
            gone_list,
            must_go_list,
            spilled_bytes,
        }
    }

    pub(crate) fn manifest(&self) -> AudienceManifest {
        let rejected = self.rejects.iter().map(|reject| RejectManifest {
            reason: reject.reason.to_owned(),
            count: reject.count,
            first_source: reject.first_source.clone(),
            first_line: reject.first_line,
        });
        AudienceManifest {
            label: self.label.clone(),
            user_type: self.user_type,
            read: self.read,
            blank: self.blank,
            raw: self.raw,
            prehashed: self.prehashed,
            rejected: rejected.collect(),
            duplicates: self.duplicates,
            sets: Counts {
                members: self.raw + self.prehashed - self.duplicates,
                suppressed: self.suppressed,
                known: self.known,
                gone: self.gone,
                must_go: self.must_go,
                written: self.written,
            },
            parts: self.parts.clone(),
            gone: self.gone_list.clone(),
            must_go: self.must_go_list.clone(),
        }
    }
}

impl Summary {
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more precision than f64 has")]
    pub(crate) fn new(
        config: &PrepareConfig,
        mut audiences: Vec<AudienceSummary>,
        notes: Vec<String>,
        (records, input_bytes): (u64, Option<u64>),
        elapsed: Duration,
    ) -> Self {
        let seconds = elapsed.as_secs_f64();
        for audience in &mut audiences {
            audience.has_suppression = !config.suppress.is_empty();
            audience.has_known = !config.against.is_empty();
        }
        Self {
            output: config.output.dir.clone(),
            spilled_bytes: audiences.iter().map(|audience| audience.spilled_bytes).sum(),
            audiences,
            notes,
            records,
            input_bytes,
            seconds,
            records_per_second: records as f64 / seconds.max(1e-9),
            peak_memory_bytes: machine::peak_memory_bytes(),
        }
    }
}
