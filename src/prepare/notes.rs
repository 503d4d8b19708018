//! Notes for people: what was found rather than told, and what is remarkable.

use std::path::PathBuf;

use super::inputs::options;
use super::known;
use super::plan::SourcePlan;
use crate::config::PrepareConfig;
use crate::error::Result;
use crate::quote::Quoted;

/// A remark about a source.
pub(super) struct Finding {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// Notes on sources that were looked at, before they are read.
pub(super) fn before(config: &PrepareConfig, sources: &[SourcePlan]) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for plan in sources {
        let path = &plan.source.path;
        let mut found = |text: String| findings.push(Finding { path: path.clone(), text });
        plan.notes.iter().cloned().for_each(&mut found);
        if plan.source.is_empty() && !plan.role.is_earlier() {
            found("the file is empty".to_owned());
        }
    }
    for known in &config.against {
        findings.extend(known::rules_changed(known, &options(config))?);
    }
    let mut notes = merged(findings);
    if config.output.rejects.as_ref().is_some_and(|list| list.with_values) {
        notes.push("the reject list holds raw values: keep it like the inputs".to_owned());
    }
    Ok(notes)
}

/// One note for what is the same of several sources.
pub(super) fn merged(findings: Vec<Finding>) -> Vec<String> {
    let mut merged: Vec<(Finding, usize)> = Vec::new();
    for finding in findings {
        match merged.iter_mut().find(|(first, _)| first.text == finding.text) {
            Some((_, more)) => *more += 1,
            None => merged.push((finding, 0)),
        }
    }
    let note = |(Finding { path, text }, more): &(Finding, usize)| match more {
        0 => format!("{}: {text}", Quoted(path)),
        _ => format!("{} and {more} more: {text}", Quoted(path)),
    };
    merged.iter().map(note).collect()
}
