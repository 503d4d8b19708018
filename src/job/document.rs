//! The text of a job file: its variables and dates are filled in, and every error about it says where and why.
//!
//! Keys are written with dots here: `input.files`, `audience.0.name`. Serde's messages repeat the values they are about,
//! which can have come from variables that hold secrets; so only their form is read, and what people see is made of the
//! file's keys.

use std::borrow::Cow;
use std::fmt::Display;
use std::ops::Range;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::JobFile;
use super::fill::{Env, fill};
use super::known::{self, nearest};
use crate::error::{Error, Result};
use crate::quote::Quoted;

/// Hint about a file that lacks something, or is none.
pub(super) const INIT_HINT: &str = "throng sync --init shows an example";

/// Keys whose strings are paths or commands with dates.
const DATED: [&str; 4] = ["files", "from", "html", "rejects"];

/// Tables whose keys may stand in another one as well: how to send beside where to, what stops a run among its limits,
/// and what values become beside where they come from.
const ALSO_IN: [(&str, &str); 3] = [("target", "upload"), ("limits", "guards"), ("input", "rules")];

/// A job file that is TOML.
pub(super) struct Document<'a> {
    pub(super) path: &'a Path,
    pub(super) date: Date,
    text: &'a str,
    table: DeTable<'a>,
}

impl<'a> Document<'a> {
    /// Reads TOML and fills in variables and dates.
    pub(super) fn parse(text: &'a str, path: &'a Path, env: Env<'_>, date: Date) -> Result<Self> {
        let mut document = Self { path, date, text, table: DeTable::new() };
        let mut table = match DeTable::parse(text) {
            Ok(table) => table.into_inner(),
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                let message = format!("not TOML: {}", error.message());
                return Err(document.error_at(&span, message, INIT_HINT));
            }
        };
        document.fill(&mut table, env)?;
        for (from, to) in ALSO_IN {
            gather(&mut table, from, to);
        }
        document.table = table;
        Ok(document)
    }

    fn fill(&self, table: &mut DeTable<'_>, env: Env<'_>) -> Result<()> {
        table.iter_mut().try_for_each(|(key, value)| self.fill_value(key.get_ref(), value, env))
    }

    fn fill_value(&self, key: &str, value: &mut Spanned<DeValue<'_>>, env: Env<'_>) -> Result<()> {
        let span = value.span();
        match value.get_mut() {
            DeValue::String(text) => {
                let date = DATED.contains(&key).then_some(self.date);
                let filled = fill(text, env, date).map_err(|flaw| {
                    self.error_at(&span, format!("`{key}`: {}", flaw.message), flaw.hint)
                })?;
                *text = Cow::Owned(filled);
                Ok(())
            }
            DeValue::Array(items) => {
                items.iter_mut().try_for_each(|item| self.fill_value(key, item, env))
            }
            DeValue::Table(table) => self.fill(table, env),
            _ => Ok(()),
        }
    }

    /// The tables of the file.
    pub(super) fn read(&self) -> Result<JobFile> {
        self.check_tables()?;
        let table = Spanned::new(0..0, self.table.clone());
        JobFile::deserialize(toml::Deserializer::from(table)).map_err(|error| self.explain(&error))
    }

    /// Refuses other values in the place of tables: serde would read the items of a list as a table's values.
    fn check_tables(&self) -> Result<()> {
        for known::KnownTable { header, .. } in &known::TABLES[1..] {
            let key = header.trim_matches(['[', ']']);
            let Some(value) = self.get(key) else { continue };
            let wrong = |value: &Spanned<DeValue<'_>>, message: String| {
                Err(self.error_at(&value.span(), message, format!("write {header}")))
            };
            let no_table = |value: &Spanned<DeValue<'_>>| {
                let kind = kind(value.get_ref());
                wrong(value, format!("`{key}` must be a table, not {kind}"))
            };
            match (header.starts_with("[["), value.get_ref()) {
                (true, DeValue::Array(items)) => {
                    if let Some(item) = items.iter().find(|item| !item.get_ref().is_table()) {
                        return no_table(item);
                    }
                }
                (true, DeValue::Table(_)) => {
                    return wrong(value, format!("there can be several of `{key}`"));
                }
                (false, DeValue::Table(_)) => {}
                (false, DeValue::Array(items))
                    if items.iter().any(|of| of.get_ref().is_table()) =>
                {
                    return wrong(value, format!("there is only one `{key}`"));
                }
                _ => return no_table(value),
            }
        }
        Ok(())
    }

    /// The value of a key, if there is one.
    pub(super) fn get(&self, key: &str) -> Option<&Spanned<DeValue<'a>>> {
        let mut steps = key.split('.');
        let mut value = member(&self.table, steps.next()?)?;
        for step in steps {
            value = match value.get_ref() {
                DeValue::Table(table) => member(table, step)?,
                DeValue::Array(items) => items.get(step.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        Some(value)
    }

    /// Line and column of a value, both counted from 1.
    pub(super) fn place(&self, key: &str) -> (usize, usize) {
        self.place_at(&self.span(key))
    }

    /// A string as it stands in the file, with its variables.
    pub(super) fn written(&self, key: &str) -> String {
        let text = self.text.get(self.span(key)).unwrap_or_default();
        let value = DeValue::parse(text).ok();
        let string = value.as_ref().and_then(|value| value.get_ref().as_str());
        string.unwrap_or(text).to_owned()
    }

    /// A path that is written here, relative to the folder of the job file.
    pub(super) fn path(&self, key: &str, text: &str) -> Result<PathBuf> {
        if text.is_empty() || text.contains('\0') {
            return Err(self.error(key, format!("`{}` names no file", leaf(key)), ""));
        }
        if text.starts_with("~/") {
            return Err(self.wrong(key, "~ is not known in a job file", "write ${HOME}"));
        }
        Ok(self.folder().join(text))
    }

    /// The folder of the job file.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// An error about a value, or a table.
    pub(super) fn error(&self, key: &str, message: impl Display, hint: &str) -> Error {
        self.error_at(&self.span(key), message, hint)
    }

    /// An error that says why a value is wrong.
    pub(super) fn wrong(&self, key: &str, why: impl Display, hint: &str) -> Error {
        self.error(key, format!("`{}`: {why}", leaf(key)), hint)
    }

    fn span(&self, key: &str) -> Range<usize> {
        self.get(key).map_or(0..0, Spanned::span)
    }

    fn error_at(
        &self,
        span: &Range<usize>,
        message: impl Display,
        hint: impl Into<String>,
    ) -> Error {
        let (line, column) = self.place_at(span);
        let path = Quoted(self.path);
        Error::usage(format!("{path}, line {line}, column {column}: {message}"), hint)
    }

    fn place_at(&self, span: &Range<usize>) -> (usize, usize) {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// Says in the words of the file what serde found.
    fn explain(&self, error: &toml::de::Error) -> Error {
        let span = error.span().unwrap_or(0..0);
        let message = error.message();
        let quoted = message.split('`').nth(1).unwrap_or_default();
        let places = self.places();
        let place = places.iter().find(|place| place.span == span);
        let (message, hint) = match place {
            _ if message.starts_with("missing field ") => {
                let table = place.map_or_else(String::new, Place::header);
                (known::needs(&table, quoted), INIT_HINT.to_owned())
            }
            Some(place) if message.starts_with("unknown field ") => {
                known::unknown(&place.table, place.key)
            }
            Some(Place { key, value: Some(value), .. }) => {
                let is_text = !self.text.get(span.clone()).is_some_and(|of| of.contains("${"));
                explain_value(key, value, message, is_text, place.is_some_and(|of| of.is_item))
            }
            _ => (message.to_owned(), String::new()),
        };
        self.error_at(&span, message, hint)
    }

    /// Everything that an error can be about.
    fn places(&self) -> Vec<Place<'_>> {
        let mut places = Vec::new();
        collect(&self.table, "", &mut places);
        places
    }
}

/// A key, a value, or an item of a list.
struct Place<'a> {
    span: Range<usize>,
    /// The header of its table.
    table: String,
    key: &'a str,
    /// Nothing for a key.
    value: Option<&'a DeValue<'a>>,
    is_item: bool,
}

impl Place<'_> {
    /// The header of the table that this is.
    fn header(&self) -> String {
        if self.is_item { format!("[[{}]]", self.key) } else { format!("[{}]", self.key) }
    }
}

fn collect<'a>(table: &'a DeTable<'a>, header: &str, places: &mut Vec<Place<'a>>) {
    for (key, value) in table {
        let place = |span, value, is_item| Place {
            span,
            table: header.to_owned(),
            key: key.get_ref(),
            value,
            is_item,
        };
        places.push(place(key.span(), None, false));
        let items = value.get_ref().as_array().into_iter().flatten();
        let values = items.map(|item| (item, true)).chain([(value, false)]);
        for (value, is_item) in values {
            let own = place(value.span(), Some(value.get_ref()), is_item);
            if let DeValue::Table(table) = value.get_ref() {
                collect(table, &own.header(), places);
            }
            places.push(own);
        }
    }
}

/// Says why a value is wrong, and the hint; `is_text` if a hint may be made from it.
fn explain_value(
    key: &str,
    value: &DeValue<'_>,
    message: &str,
    is_text: bool,
    is_item: bool,
) -> (String, String) {
    let Some((_, expected)) = message.rsplit_once(", expected ") else {
        let why = if message == "wanted string or table" {
            format!("`{key}` must be a string, not {}", kind(value))
        } else {
            format!("`{key}`: {message}")
        };
        return (why, String::new());
    };
    let kind = kind(value);
    if message.starts_with("unknown variant ") {
        let words: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        let near = value.as_str().filter(|_| is_text).and_then(|text| nearest(text, &words));
        let hint = near.map_or_else(String::new, |word| format!("did you mean `{word}`?"));
        return (format!("`{key}`: expected one of {}", words.join(", ")), hint);
    }
    if !message.starts_with("invalid type: ") {
        return (format!("`{key}`: {message}"), String::new());
    }
    let expected = match expected {
        "a boolean" => "true or false",
        _ if is_item => "a list of strings",
        other => other,
    };
    (format!("`{key}` must be {expected}, not {kind}"), String::new())
}

fn member<'t, 'a>(table: &'t DeTable<'a>, key: &str) -> Option<&'t Spanned<DeValue<'a>>> {
    table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
}

/// The key at the end of a way to a value.
fn leaf(key: &str) -> &str {
    let is_key = |step: &&str| step.parse::<usize>().is_err();
    key.rsplit('.').find(is_key).unwrap_or(key)
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Moves keys of the table `to` that stand in `from` to where they belong. One that stands in both is left, and refused
/// as unknown in `from`.
fn gather(table: &mut DeTable<'_>, from: &str, to: &str) {
    let known = |name: &str| {
        let header = format!("[{name}]");
        let of_name = known::TABLES.iter().find(|table| table.header == header);
        of_name.map_or(&[][..], |table| &table.keys[..])
    };
    let has = |table: &DeTable<'_>, name: &str, key: &str| {
        table
            .get(name)
            .and_then(|of| of.get_ref().as_table())
            .is_some_and(|of| of.contains_key(key))
    };
    let is_moved =
        |key: &&String| !known(from).contains(key) && has(table, from, key) && !has(table, to, key);
    let keys: Vec<&String> = known(to).iter().filter(is_moved).collect();
    for key in keys {
        let Some(DeValue::Table(given)) = table.get_mut(from).map(Spanned::get_mut) else { return };
        let Some((key, value)) = given.remove_entry(key.as_str()) else { continue };
        let span = value.span();
        let name = Spanned::new(span.clone(), Cow::Owned(to.to_owned()));
        let own =
            table.entry(name).or_insert_with(|| Spanned::new(span, DeValue::Table(DeTable::new())));
        if let DeValue::Table(own) = own.get_mut() {
            own.insert(key, value);
        }
    }
}
