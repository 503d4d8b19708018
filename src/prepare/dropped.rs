//! Rows that conditions dropped: how many, and what is odd about that.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::notes::{Finding, merged};
use super::plan::{Partitions, SourcePlan};
use super::tally::SourceTally;
use crate::config::{Condition, PrepareConfig};
use crate::emit::DroppedRows;
use crate::error::{Error, Result};
use crate::quote::Quoted;
use crate::role::Role;

/// What a person does about conditions that no row fulfils.
const HINT: &str = "compare its values with those in the column; letter case does not matter, several values are separated by commas, and nothing behind the = means blank cells";

/// The conditions of all sources.
pub(super) struct Conditions {
    /// Those of members.
    members: Vec<Condition>,
    /// For each of them whether it leaves whole inputs out.
    leave_out: Vec<bool>,
    /// Role, path and conditions of each source.
    sources: Vec<(Role, PathBuf, Vec<Condition>)>,
}

impl Conditions {
    pub(super) fn new(config: &PrepareConfig, sources: &[SourcePlan]) -> Self {
        let of_source = |plan: &SourcePlan| {
            let conditions = plan.conditions.iter().map(|of| of.condition.clone());
            (plan.role, plan.source.path.clone(), conditions.collect())
        };
        let members = || sources.iter().filter(|plan| plan.role == Role::Member);
        let leaves_out = |condition: &Condition| {
            members().any(|plan| Partitions::of(&plan.source.path).are_left_out(condition))
        };
        Self {
            leave_out: config.read.conditions.iter().map(leaves_out).collect(),
            members: config.read.conditions.clone(),
            sources: sources.iter().map(of_source).collect(),
        }
    }

    /// Refuses conditions that no row fulfils: those of members leave nobody, those of an opt-out list hold nobody back.
    pub(super) fn verdict(&self, ingested: &[SourceTally]) -> Result<()> {
        for (read, (role, path, conditions)) in ingested.iter().zip(&self.sources) {
            if *role == Role::Suppressed && has_dropped_all(read) {
                let conditions = list(conditions, &read.dropped);
                let path = Quoted(path);
                return Err(wrong(format!(
                    "the suppression list {path} cannot be relied on: --suppress-where drops all its rows: {conditions}"
                )));
            }
        }
        let rows: u64 = self.of_members(ingested).map(|read| read.records).sum();
        let dropped = self.dropped(ingested);
        if rows > 0 && dropped.iter().sum::<u64>() == rows {
            let conditions = list(&self.members, &dropped);
            return Err(wrong(format!("--where drops all rows of the inputs: {conditions}")));
        }
        Ok(())
    }

    /// The verdict on inputs of which conditions dropped most rows, with that said.
    pub(super) fn named(&self, mut error: Error, ingested: &[SourceTally]) -> Error {
        let rows: u64 = self.of_members(ingested).map(|read| read.records).sum();
        let dropped = self.dropped(ingested);
        if let Error::WrongFile { message, .. } = &mut error
            && dropped.iter().sum::<u64>() * 2 > rows
        {
            let conditions = list(&self.members, &dropped);
            let _infallible = write!(message, "; of {rows} rows --where dropped {conditions}");
        }
        error
    }

    /// The conditions of members, and how many rows each dropped.
    pub(super) fn sums(&self, ingested: &[SourceTally]) -> Vec<DroppedRows> {
        let dropped = self.dropped(ingested);
        let of_condition = |(condition, rows): (&Condition, u64)| DroppedRows {
            condition: condition.to_string(),
            rows,
        };
        self.members.iter().zip(dropped).map(of_condition).collect()
    }

    /// Remarks on conditions that do nothing, or leave nothing of a source.
    pub(super) fn findings(&self, ingested: &[SourceTally]) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (read, (role, path, conditions)) in ingested.iter().zip(&self.sources) {
            let mut found = |text| findings.push(Finding { path: path.clone(), text });
            if *role == Role::Member && has_dropped_all(read) {
                found("--where drops all its rows".to_owned());
            }
            for (condition, dropped) in conditions.iter().zip(&read.dropped) {
                let is_idle = *dropped == 0 && !is_of_folder(condition, path);
                if *role == Role::Suppressed && is_idle && read.records > 0 {
                    found(format!("--suppress-where `{condition}` drops none of its rows"));
                }
            }
        }
        findings
    }

    /// The same about all members: remarks, and warnings about conditions that were to keep people out and did not.
    pub(super) fn notes(&self, ingested: &[SourceTally]) -> (Vec<String>, Vec<String>) {
        let rows: u64 = self.of_members(ingested).map(|read| read.records).sum();
        let dropped = self.dropped(ingested);
        let conditions = self.members.iter().zip(dropped).zip(&self.leave_out);
        let idle = conditions.filter(|((_, dropped), leaves_out)| *dropped == 0 && !**leaves_out);
        let (warnings, notes): (Vec<_>, Vec<_>) = idle
            .filter(|_| rows > 0)
            .map(|((condition, _), _)| condition)
            .partition(|condition| condition.is_negated());
        let told = |conditions: Vec<&Condition>| {
            conditions.iter().map(|of| format!("--where `{of}` drops no row")).collect()
        };
        let mut warnings: Vec<String> = told(warnings);
        warnings.extend(merged(self.idle_here(ingested)));
        (told(notes), warnings)
    }

    /// Inputs of which a condition that keeps people out drops nobody, though it drops so many of others that it should:
    /// they may say it otherwise.
    fn idle_here(&self, ingested: &[SourceTally]) -> Vec<Finding> {
        let dropped = self.dropped(ingested);
        let here = |read: &SourceTally, at: usize| read.dropped.get(at).copied().unwrap_or(0);
        let records_of = |at: usize| {
            let with = self.of_members(ingested).filter(|read| here(read, at) > 0);
            with.map(|read| read.records).sum::<u64>()
        };
        let others: Vec<u64> = (0..self.members.len()).map(records_of).collect();
        let mut findings = Vec::new();
        for (read, (role, path, _)) in ingested.iter().zip(&self.sources) {
            if *role != Role::Member {
                continue;
            }
            for (at, condition) in self.members.iter().enumerate() {
                let expected = u128::from(dropped[at]) * u128::from(read.records);
                let is_idle = here(read, at) == 0 && dropped[at] > 0;
                let is_idle = is_idle && !is_of_folder(condition, path);
                if condition.is_negated() && is_idle && expected >= u128::from(others[at]) {
                    let text = format!(
                        "--where `{condition}` drops none of its rows, though it drops rows of other inputs: does it say that otherwise?"
                    );
                    findings.push(Finding { path: path.clone(), text });
                }
            }
        }
        findings
    }

    /// Rows of members that each condition dropped.
    fn dropped(&self, ingested: &[SourceTally]) -> Vec<u64> {
        let mut sums = vec![0; self.members.len()];
        for read in self.of_members(ingested) {
            for (sum, dropped) in sums.iter_mut().zip(&read.dropped) {
                *sum += dropped;
            }
        }
        sums
    }

    fn of_members<'a>(
        &'a self,
        ingested: &'a [SourceTally],
    ) -> impl Iterator<Item = &'a SourceTally> {
        let with_roles = ingested.iter().zip(&self.sources);
        with_roles.filter(|(_, (role, ..))| *role == Role::Member).map(|(read, _)| read)
    }
}

/// True if a condition is about a folder that a file is in.
fn is_of_folder(condition: &Condition, path: &Path) -> bool {
    Partitions::of(path).value(condition.column()).is_some()
}

fn has_dropped_all(read: &SourceTally) -> bool {
    read.records > 0 && read.dropped.iter().sum::<u64>() == read.records
}

/// The conditions, and how many rows each of them dropped.
fn list(conditions: &[Condition], dropped: &[u64]) -> String {
    let one = |(condition, rows): (&Condition, &u64)| format!("`{condition}` {rows}");
    conditions.iter().zip(dropped).map(one).collect::<Vec<_>>().join(", ")
}

fn wrong(message: String) -> Error {
    Error::WrongFile { message, hint: Some(HINT.to_owned()), limits: None }
}
