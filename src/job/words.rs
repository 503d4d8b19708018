//! The words of a job for what the stages of a preparation call by flags, which `throng sync` does not have.

use crate::error::Error;

/// A flag as messages have it, and what a job file has instead; a longer one before those that it begins with.
const WORDS: &[(&str, &str)] = &[
    ("--column or --map COLUMN=TYPE", "`column` in [[audience]]"),
    ("--map COLUMN=TYPE:LABEL", "`label` in [[audience]]"),
    ("--column", "`column` in [[audience]]"),
    ("-c COLUMN", "`column` in [[audience]]"),
    ("--suppress-column COLUMN", "`column` in [[suppress]]"),
    ("--suppress-column", "`column` in [[suppress]]"),
    ("--suppress-by identifier", "`suppress-by = \"identifier\"`"),
    ("--suppress email_hash:md5=FILE", "`user-type` and `digest` in [[suppress]]"),
    ("--suppress md5=FILE, --suppress sha1=FILE", "`digest = \"md5\"` or \"sha1\" in [[suppress]]"),
    ("--suppress md5=FILE", "`digest = \"md5\"` in [[suppress]]"),
    ("--suppress sha1=FILE", "`digest = \"sha1\"` in [[suppress]]"),
    ("--suppress phone_hash:md5=FILE", "`user-type` and `digest` in [[suppress]]"),
    ("--suppress TYPE=FILE", "`user-type` in [[suppress]]"),
    ("--user-type", "`user-type`"),
    ("--split", "`split` in [input]"),
    ("--suppress-where", "`where` in [[suppress]]"),
    ("--where", "`where` in [input]"),
    ("--country-column", "`country-column` in [input]"),
    ("--country XX", "`country` in [rules]"),
    ("--country", "`country` in [rules]"),
    ("--format lines", "`format = \"lines\"` in [input]"),
    ("--format csv", "`format = \"csv\"` in [input]"),
    ("--delimiter", "`delimiter` in [input]"),
    ("--skip-rows", "`skip-rows` in [input]"),
    ("--quotes", "`quotes` in [input]"),
    ("--ragged", "`ragged = true` in [input]"),
    ("--no-header", "`no-header` in [input]"),
    ("--complete", "`complete` in [input]"),
    ("--prehashed always", "`prehashed = \"always\"` in [rules]"),
    ("--unprefixed international", "`unprefixed = \"international\"` in [rules]"),
    ("--vanity convert", "`vanity = \"convert\"` in [rules]"),
    ("--ids any", "`ids = \"any\"` in [rules]"),
    ("--case lower", "`case = \"lower\"` in [rules]"),
    ("--case keep", "`case = \"keep\"` in [rules]"),
    ("--rejects FILE", "`rejects` in [report]"),
    ("--rejects", "`rejects` in [report]"),
    ("--max-rejects", "max-rejects"),
    ("--memory", "`memory` in [limits]"),
    ("--threads", "`threads` in [limits]"),
    ("--part-lines", "`part-lines` in [limits]"),
    ("--part-bytes", "`part-bytes` in [limits]"),
    ("leave --against out to prepare everybody", "upload everybody again: throng sync --full"),
    ("another directory with -o", "another `state`"),
];

/// Says by keys of the job file what a message says by flags. What stands in backticks is somebody's own.
pub(crate) fn by_keys(message: &str) -> String {
    let parts = message
        .split('`')
        .enumerate()
        .map(|(index, part)| if index % 2 == 1 { part.to_owned() } else { replaced(part) });
    parts.collect::<Vec<_>>().join("`")
}

fn replaced(part: &str) -> String {
    let mut said = String::with_capacity(part.len());
    let mut rest = part;
    while !rest.is_empty() {
        if let Some((flag, key)) = WORDS.iter().find(|(flag, _)| rest.starts_with(flag)) {
            said.push_str(key);
            rest = &rest[flag.len()..];
        } else {
            let next = rest.char_indices().nth(1).map_or(rest.len(), |(at, _)| at);
            said.push_str(&rest[..next]);
            rest = &rest[next..];
        }
    }
    said
}

/// The error in the words of a job.
pub(crate) fn error_by_keys(mut error: Error) -> Error {
    if let Error::Usage { message, hint }
    | Error::Input { message, hint, .. }
    | Error::Output { message, hint, .. }
    | Error::WrongFile { message, hint, .. } = &mut error
    {
        *message = by_keys(message);
        *hint = hint.as_deref().map(by_keys);
    }
    error
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn flags_become_keys_except_within_names() {
        for (by_flags, expected) in [
            ("choose one with --suppress-column", "choose one with `column` in [[suppress]]"),
            (
                "give it with --country XX, or its column with --country-column",
                "give it with `country` in [rules], or its column with `country-column` in [input]",
            ),
            ("column 2 `--column` holds phone numbers", "column 2 `--column` holds phone numbers"),
            ("more than --max-rejects 10% allows", "more than max-rejects 10% allows"),
            ("ü: --memory", "ü: `memory` in [limits]"),
        ] {
            assert_eq!(by_keys(by_flags), expected);
        }
    }

    /// A job has a word for every flag that the stages name.
    #[test]
    fn every_flag_in_messages_of_a_preparation_has_its_key() {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let (mut files, mut seen) = (Vec::new(), 0);
        for room in ["source", "record", "prepare", "emit", "normalize", "dedup", "machine.rs"] {
            collect(&src.join(room), &mut files);
        }
        for file in files {
            let text = std::fs::read_to_string(&file).expect("a source file");
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            for line in lines {
                let is_flag = |text: &str| {
                    // Flags of zstd, and of `throng sync`.
                    let is_other = ["--long", "--full"].iter().any(|of| text.starts_with(of));
                    text[2..].starts_with(|next: char| next.is_ascii_lowercase()) && !is_other
                };
                let flags = |text: &str| {
                    text.match_indices("--").filter(|(at, _)| is_flag(&text[*at..])).count()
                };
                assert_eq!(flags(&replaced(line)), 0, "{}: {line}", file.display());
                seen += flags(line);
            }
        }
        assert!(seen > 20, "{seen}");
    }

    fn collect(path: &Path, files: &mut Vec<std::path::PathBuf>) {
        if !path.is_dir() {
            return files.push(path.to_owned());
        }
        for entry in std::fs::read_dir(path).expect("a folder") {
            collect(&entry.expect("an entry").path(), files);
        }
    }
}
