//! Summary of a run: for a person at a glance, for a program as one line of JSON.

mod text;

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::deliver::Delivered;
use super::judge::RoleTallies;
use super::persons;
use super::tally::{ColumnTally, Tally};
use crate::audience::{AudienceFigures, ColumnFigures, ListFigures, Rejects, SplitFigures};
use crate::config::{AudienceSpec, ColumnSelector, Label, PrepareConfig};
use crate::emit::{AudienceManifest, DroppedRows, PartManifest};
use crate::machine;
use crate::role::Role;
use crate::user_type::UserType;

/// Summary of a `prepare`.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The output directory.
    pub output: PathBuf,
    /// For each audience.
    pub audiences: Vec<AudienceSummary>,
    /// Notes on what was found out rather than given, and what is remarkable.
    pub notes: Vec<String>,
    /// Warnings: what a person should look at, such as an opt-out list of which nobody is a member.
    pub warnings: Vec<String>,
    /// Records read of all inputs, suppression lists and earlier results.
    pub records: u64,
    /// Rows of members that conditions dropped, each counted for the first that drops it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<DroppedRows>,
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
    /// What was found out about rows, if the identifiers of a row were linked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub links: Option<LinkSummary>,
}

/// Rows by which people were held back.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LinkSummary {
    /// Rows with several identifiers.
    pub rows: u32,
    /// How many times all of their links were gone through.
    pub passes: u32,
    /// Rows with a rejected identifier of which nobody knows whether it opted out, and with others that are used.
    pub unread: u64,
}

/// Figures of one audience.
#[derive(Clone, Debug, Serialize)]
pub struct AudienceSummary {
    /// Its name, which is part of its files' names.
    pub label: Label,
    /// Type of its entries.
    pub user_type: UserType,
    /// Its figures.
    #[serde(flatten)]
    pub figures: AudienceFigures,
    /// True if suppression lists were given.
    #[serde(skip)]
    has_suppression: bool,
    /// True if the identifiers of a row were linked.
    #[serde(skip)]
    is_linked: bool,
    /// True if earlier results were given.
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

impl AudienceSummary {
    pub(crate) fn new(
        spec: &AudienceSpec,
        tallies: RoleTallies,
        delivered: Delivered,
        opt_out_lists: Vec<ListFigures>,
        spilled_bytes: u64,
    ) -> Self {
        let Delivered {
            merged: _,
            counts: sets,
            parts,
            gone: gone_list,
            must_go: must_go_list,
            ..
        } = delivered;
        let [members, suppressed, _known, _unconfirmed] = tallies;
        debug_assert_eq!(Role::ALL[0], Role::Member);
        Self {
            label: spec.label.clone(),
            user_type: spec.user_type,
            figures: AudienceFigures {
                split: (members.split_cells > 0).then_some(SplitFigures {
                    cells: members.split_cells,
                    values: members.split_values,
                }),
                columns: column_figures(spec, &members.columns),
                read: members.read,
                blank: members.blank,
                raw: members.raw,
                prehashed: members.prehashed,
                assumed_international: members.assumed_international,
                case_changed: members.case_changed,
                unguarded: members.unguarded,
                floats: members.floats,
                rejected: members.rejected(),
                rejects: rejects_of(&members),
                duplicates: members.accepted() - sets.members,
                sets,
                suppression_read: suppressed.usable(),
                suppression_rejected: suppressed.rejected(),
                opt_out_lists,
            },
            has_suppression: false,
            is_linked: false,
            has_known: false,
            parts,
            gone_list,
            must_go_list,
            spilled_bytes,
        }
    }

    pub(crate) fn manifest(&self) -> AudienceManifest {
        AudienceManifest {
            label: self.label.clone(),
            user_type: self.user_type,
            figures: self.figures.clone(),
            parts: self.parts.clone(),
            gone_list: self.gone_list.clone(),
            must_go_list: self.must_go_list.clone(),
        }
    }
}

/// What was rejected, by reason.
pub(super) fn rejects_of(tally: &Tally) -> Vec<Rejects> {
    let rejects = tally.reasons().map(|(reason, count, first)| Rejects {
        reason: reason.code().to_owned(),
        advice: reason.advice().to_owned(),
        count,
        first_source: first.path.to_string_lossy().into_owned(),
        first_line: first.line,
    });
    rejects.collect()
}

/// The figures of an audience's columns, if it has several.
fn column_figures(spec: &AudienceSpec, columns: &[ColumnTally]) -> Vec<ColumnFigures> {
    let figures = |(selector, tally): (&ColumnSelector, &ColumnTally)| ColumnFigures {
        column: selector.text(),
        read: tally.read,
        blank: tally.blank,
        rejected: tally.read - tally.blank - tally.accepted,
        accepted: tally.accepted,
    };
    spec.columns.iter().zip(columns).map(figures).collect()
}

/// What was read of all inputs.
pub(crate) struct SummaryRead {
    pub(crate) records: u64,
    /// Bytes as stored, if known.
    pub(crate) bytes: Option<u64>,
    /// Rows of members that conditions dropped.
    pub(crate) dropped: Vec<DroppedRows>,
}

impl Summary {
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more precision than f64 has")]
    pub(crate) fn new(
        config: &PrepareConfig,
        mut audiences: Vec<AudienceSummary>,
        (notes, warnings): (Vec<String>, Vec<String>),
        SummaryRead { records, bytes: input_bytes, dropped }: SummaryRead,
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
            warnings,
            records,
            dropped,
            input_bytes,
            seconds,
            records_per_second: records as f64 / seconds.max(1e-9),
            peak_memory_bytes: machine::peak_memory_bytes(),
            links: None,
        }
    }

    /// The same with what was found out about rows.
    pub(crate) fn with_persons(mut self, found: Option<&persons::Found>) -> Self {
        self.links = found.map(|found| LinkSummary {
            rows: found.rows,
            passes: found.passes,
            unread: found.unread,
        });
        self.spilled_bytes += found.map_or(0, persons::Found::spilled_bytes);
        for audience in &mut self.audiences {
            audience.is_linked = found.is_some();
        }
        self
    }
}
