//! Notes for people on sources: what was found out rather than given, and what is remarkable.

use std::path::PathBuf;

use crate::quote::Quoted;

/// A remark about a source.
pub(super) struct Finding {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// Makes one note of what is the same of several sources.
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
