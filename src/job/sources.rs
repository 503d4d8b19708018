//! Sources of people in a job file: files, or commands in their place.

use std::time::Duration;

use super::document::{Document, INIT_HINT};
use super::file::{Files, InputTable, SuppressTable};
use super::read::is_name;
use super::{FilePattern, JobAudience, ListGuards, Means, SuppressList, known};
use crate::config::{Command, Condition, GuardOptions, Header, Location};
use crate::error::Result;

/// Sources of members.
pub(super) fn inputs(
    document: &Document<'_>,
    input: InputTable,
    max_age: Option<Duration>,
) -> Result<Vec<FilePattern>> {
    let InputTable { files, from, complete, .. } = input;
    let commands = (1..).zip(from.0).map(|(number, text)| Command::of_members(text, number));
    let commands: Vec<Command> = commands.collect();
    if complete && !commands.is_empty() {
        let why = "it is about directories, and `from` says that commands are read";
        return Err(document.wrong("input.complete", why, "leave it out"));
    }
    let (is_aged, key) = (max_age.is_some(), "guards.max-age");
    let patterns = sources(document, "input", files, commands, (is_aged, key))?;
    let marked = |mut pattern: FilePattern| {
        pattern.max_age = max_age;
        if let Means::Files { is_complete, .. } = &mut pattern.means {
            *is_complete = complete;
        }
        pattern
    };
    Ok(patterns.into_iter().map(marked).collect())
}

/// Sources of people who opted out. Their commands are counted through all lists.
pub(super) fn lists(
    document: &Document<'_>,
    tables: Vec<SuppressTable>,
    audiences: &[JobAudience],
    (header, guards): (Header, &GuardOptions),
) -> Result<Vec<SuppressList>> {
    let mut next_command = 1;
    let list_of = |(index, table): (usize, SuppressTable)| {
        let guards = ListGuards::default().overridden(guards);
        let place = (index, next_command);
        next_command += table.from.0.len();
        list(document, place, table, audiences, (header, guards))
    };
    tables.into_iter().enumerate().map(list_of).collect()
}

fn list(
    document: &Document<'_>,
    (index, first_command): (usize, usize),
    table: SuppressTable,
    audiences: &[JobAudience],
    (header, guards): (Header, ListGuards),
) -> Result<SuppressList> {
    let SuppressTable {
        files,
        from,
        user_type,
        digest,
        column,
        conditions,
        max_age,
        max_shrink,
        min_entries,
        min_members,
    } = table;
    let key = |key: &str| format!("suppress.{index}.{key}");
    let is_held = |of| audiences.iter().any(|audience| audience.spec.user_type == of);
    if let Some(of) = user_type.filter(|of| !is_held(*of)) {
        let why = format!("no audience of the job holds {of}");
        return Err(document.wrong(&key("user-type"), why, "leave it out, or add the audience"));
    }
    let is_compared_by_name = conditions.0.iter().map(Condition::column).any(is_name);
    for (of, is_by_name) in
        [("column", column.as_ref().is_some_and(is_name)), ("where", is_compared_by_name)]
    {
        if header == Header::Absent && is_by_name {
            let why = "columns cannot be found by name with no-header in [input]";
            let hint = "give the column's number, counted from 1";
            return Err(document.wrong(&key(of), why, hint));
        }
    }
    let commands = (first_command..).zip(from.0);
    let commands = commands.map(|(number, text)| Command::of_opt_outs(text, number)).collect();
    let table = format!("suppress.{index}");
    let mut files =
        sources(document, &table, files, commands, (max_age.is_some(), &key("max-age")))?;
    for pattern in &mut files {
        pattern.max_age = max_age.map(|age| age.0);
    }
    let guards = guards.overridden(&GuardOptions {
        max_opt_out_shrink: max_shrink,
        min_opt_outs: min_entries,
        min_opt_out_members: min_members,
        ..GuardOptions::default()
    });
    Ok(SuppressList { files, user_type, digest, column, conditions: conditions.0, guards })
}

/// What the keys `files` and `from` of a table say, of which it has one.
fn sources(
    document: &Document<'_>,
    table: &str,
    files: Option<Files>,
    commands: Vec<Command>,
    (is_aged, age): (bool, &str),
) -> Result<Vec<FilePattern>> {
    let from = format!("{table}.from");
    match files {
        Some(_) if !commands.is_empty() => {
            let why = "there are `files`, too";
            Err(document.wrong(&from, why, "leave one of them out"))
        }
        Some(files) => patterns(document, &format!("{table}.files"), files),
        None if commands.is_empty() => {
            Err(document.error(table, known::needs_sources(table), INIT_HINT))
        }
        None if is_aged => {
            let why = "what a command writes has no age";
            Err(document.wrong(age, why, "leave it out, and let the command see to it"))
        }
        None => commands.into_iter().zip(0..).map(|of| command(document, &from, of)).collect(),
    }
}

fn command(
    document: &Document<'_>,
    key: &str,
    (command, index): (Command, usize),
) -> Result<FilePattern> {
    let key = item(document, key, index);
    if command.is_blank() {
        return Err(document.error(&key, "`from` names no command", ""));
    }
    Ok(FilePattern {
        written: command.name().display().to_string(),
        base: document.folder().to_owned(),
        place: document.place(&key),
        means: Means::Command(command.within(document.folder())),
        max_age: None,
    })
}

/// The key of an item of a list, or of the one value that stands in its place.
fn item(document: &Document<'_>, key: &str, index: usize) -> String {
    let is_list = document.get(key).is_some_and(|value| value.get_ref().is_array());
    if is_list { format!("{key}.{index}") } else { key.to_owned() }
}

fn patterns(document: &Document<'_>, key: &str, files: Files) -> Result<Vec<FilePattern>> {
    let pattern = |(index, filled): (usize, String)| {
        let key = item(document, key, index);
        document.path(&key, &filled)?;
        if filled == "-" {
            let why = "a job cannot read standard input";
            return Err(document.wrong(&key, why, "name a file, or a named pipe"));
        }
        Ok(FilePattern {
            // The query of a signed address is a secret.
            written: Location::shown(&document.written(&key)).display().to_string(),
            means: Means::Files { pattern: filled, is_complete: false },
            base: document.folder().to_owned(),
            place: document.place(&key),
            max_age: None,
        })
    };
    files.0.into_iter().enumerate().map(pattern).collect()
}
