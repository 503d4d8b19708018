//! The keys that there are, by table, and what messages say of those that there are not.

use std::sync::LazyLock;

use serde_json::Value;

use super::schema;

/// Fewest of all characters that two keys must share to be taken for one: from 0 to 1.
const NEARNESS_MIN: f64 = 0.6;

/// A table that a job file may have.
#[derive(Debug)]
pub(super) struct KnownTable {
    /// `[input]`, `[[audience]]`; nothing for the top of the file.
    pub(super) header: String,
    pub(super) keys: Vec<String>,
}

/// All tables, the top of the file first.
pub(super) static TABLES: LazyLock<Vec<KnownTable>> = LazyLock::new(|| {
    let schema = schema::value();
    let keys = |table: &Value| -> Vec<String> {
        table["properties"].as_object().into_iter().flat_map(|keys| keys.keys().cloned()).collect()
    };
    let mut tables = vec![KnownTable { header: String::new(), keys: keys(&schema) }];
    for key in keys(&schema) {
        let table = &schema["properties"][&key];
        if table["type"] == "object" {
            tables.push(KnownTable { header: format!("[{key}]"), keys: keys(table) });
        } else if table["type"] == "array" {
            tables.push(KnownTable { header: format!("[[{key}]]"), keys: keys(&table["items"]) });
        }
    }
    tables
});

/// Says that a table lacks a key that it needs.
pub(super) fn needs(header: &str, key: &str) -> String {
    let who = if header.is_empty() { "the job" } else { header };
    let is_its = |table: &&KnownTable| table.header.trim_matches(['[', ']']) == key;
    match TABLES.iter().find(is_its) {
        Some(table) if header.is_empty() => format!("the job needs {}", table.header),
        _ => format!("{who} needs `{key}`"),
    }
}

/// Says that a table lacks what is to be read.
pub(super) fn needs_sources(table: &str) -> String {
    let header = if table == "input" { "[input]" } else { "[[suppress]]" };
    format!("{header} needs `files`, or commands: `from`")
}

/// Says that a table has no such key, and the hint.
pub(super) fn unknown(header: &str, key: &str) -> (String, String) {
    let place = if header.is_empty() { String::new() } else { format!(" in {header}") };
    if key.eq_ignore_ascii_case("token") {
        let hint = "set THRONG_TOKEN, or name a file that only its owner can read: token-file";
        return (format!("a token does not belong into a file{place}"), hint.to_owned());
    }
    let keys = TABLES.iter().find(|table| table.header == header).map(|table| &table.keys[..]);
    let keys: Vec<&str> = keys.into_iter().flatten().map(String::as_str).collect();
    let others = TABLES.iter().filter(|table| table.keys.iter().any(|known| known == key));
    let others: Vec<&str> = others
        .map(|table| if table.header.is_empty() { "the top of the file" } else { &table.header })
        .collect();
    let hint = match nearest(key, &keys) {
        _ if !others.is_empty() => format!("it belongs to {}", others.join(" or ")),
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known keys: {}", keys.join(", ")),
    };
    (format!("unknown key `{}`{place}", key.escape_debug()), hint)
}

/// The word that `text` most likely is meant to be.
pub(super) fn nearest<'a>(text: &str, words: &[&'a str]) -> Option<&'a str> {
    let text = text.to_ascii_lowercase().replace('_', "-");
    let nearness =
        |word: &str| strsim::normalized_damerau_levenshtein(&text, &word.replace('_', "-"));
    words
        .iter()
        .map(|word| (nearness(word), *word))
        .filter(|(nearness, _)| *nearness >= NEARNESS_MIN)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, word)| word)
}
