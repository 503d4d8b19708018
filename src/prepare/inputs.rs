//! Inputs and options as the manifest has them.

use std::collections::BTreeSet;

use super::plan::{Audience, SourcePlan};
use super::tally::SourceTally;
use crate::config::{ColumnSelector, Header, PrepareConfig};
use crate::emit::{DroppedRows, InputManifest};

/// Describes a source, of which nothing was read yet.
pub(super) fn describe(plan: &SourcePlan, audiences: &[Audience]) -> InputManifest {
    let source = &plan.source;
    let is_earlier = plan.role.is_earlier();
    let path = source.path.parent().filter(|_| is_earlier).unwrap_or(&source.path);
    let columns = plan
        .feeds
        .iter()
        .map(|feed| format!("{} as {}", feed.column, audiences[feed.audience].spec));
    let conditions = plan
        .conditions
        .iter()
        .map(|of| DroppedRows { condition: of.condition.to_string(), rows: 0 });
    let name = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    InputManifest {
        role: name(&serde_json::json!(plan.role)),
        path: path.to_string_lossy().into_owned(),
        bytes: source.bytes,
        modified_ns: source.modified_ns.filter(|_| !is_earlier),
        e_tag: source.e_tag.clone(),
        compression: name(&serde_json::json!(source.compression)),
        format: plan.dialect.name().to_owned(),
        columns: columns.collect(),
        records: 0,
        dropped: conditions.collect(),
    }
}

/// The inputs with what was read of them. A directory of an earlier run is one input, however many parts it has.
pub(super) fn summed(
    described: Vec<InputManifest>,
    ingested: &[SourceTally],
) -> Vec<InputManifest> {
    let mut inputs: Vec<InputManifest> = Vec::new();
    for (mut input, read) in described.into_iter().zip(ingested) {
        input.records = read.records;
        for (dropped, rows) in input.dropped.iter_mut().zip(&read.dropped) {
            dropped.rows = *rows;
        }
        match inputs.last_mut() {
            Some(last)
                if input.is_directory()
                    && (&last.role, &last.path) == (&input.role, &input.path) =>
            {
                last.records += input.records;
                last.bytes = last.bytes.zip(input.bytes).map(|(last, bytes)| last + bytes);
                input.columns.retain(|column| !last.columns.contains(column));
                last.columns.append(&mut input.columns);
            }
            _ => inputs.push(input),
        }
    }
    inputs
}

/// The options that decide what is in the parts, by the names of their flags.
pub(super) fn options(config: &PrepareConfig) -> serde_json::Map<String, serde_json::Value> {
    let rules = &config.rules;
    let json = serde_json::json!({
        "prehashed": rules.prehashed,
        "case": rules.case,
        "ids": rules.ids,
        "idn": rules.idn,
        "vanity": rules.vanity,
        "unprefixed": rules.unprefixed,
        "country": rules.country.map(|country| country.to_string()),
        "country-column": config.read.country_column.as_ref().map(ColumnSelector::text),
        "suppress-by": config.suppress_by,
        "max-rejects": config.max_rejects.to_string(),
        "part-lines": config.output.part_lines,
        "part-bytes": config.output.part_bytes,
    });
    let mut options = match json {
        serde_json::Value::Object(options) => options,
        _ => serde_json::Map::new(),
    };
    if !config.read.conditions.is_empty() {
        let conditions: Vec<String> =
            config.read.conditions.iter().map(ToString::to_string).collect();
        options.insert("where".to_owned(), conditions.into());
    }
    let lists = config.suppress.iter().flat_map(|list| &list.conditions);
    let of_lists: BTreeSet<String> = lists.map(ToString::to_string).collect();
    if !of_lists.is_empty() {
        options.insert("suppress-where".to_owned(), of_lists.into_iter().collect());
    }
    if let Some(quotes) = config.read.quotes {
        options.insert("quotes".to_owned(), quotes.name().into());
    }
    if config.read.is_ragged {
        options.insert("ragged".to_owned(), true.into());
    }
    if config.read.skip_rows > 0 {
        options.insert("skip-rows".to_owned(), config.read.skip_rows.into());
    }
    if config.read.header == Header::Absent {
        options.insert("no-header".to_owned(), true.into());
    }
    if !config.read.split.is_empty() {
        options.insert("split".to_owned(), config.read.split.texts().into());
    }
    options
}
