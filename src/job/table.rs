//! Tables of the job file, key by key: every key is known, every value has a place, and every error says where.
//!
//! The reader is asked for each key that a table may have; the list of these is what unknown keys are compared with, and
//! what the schema and the example are held against.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::path::Path;
use std::str::FromStr;

use jiff::civil::Date;
use toml::de::{DeTable, DeValue};

use super::fill::{Env, Filled, fill};
use crate::error::{Error, Result};
use crate::normalize::UserType;
use crate::quote::Quoted;

/// Fewest of all characters that two keys must share to be taken for one: from 0 to 1.
const NEARNESS_MIN: f64 = 0.6;

/// What to do about a file that lacks something, or is none.
pub(super) const INIT_HINT: &str = "throng sync --init shows an example";

/// A table that a job file may have.
#[derive(Debug)]
pub(super) struct TableSpec {
    /// How it is written: `[input]`, `[[audience]]`; nothing for the top of the file.
    pub(super) name: &'static str,
    pub(super) keys: &'static [&'static str],
}

/// The file that is read, and what fills its strings.
#[derive(Clone, Copy)]
pub(super) struct File<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
    pub(super) env: Env<'a>,
    pub(super) date: Date,
    /// All tables there are.
    pub(super) specs: &'static [&'static TableSpec],
}

impl File<'_> {
    /// An error at a place of the file.
    pub(super) fn error(
        &self,
        span: &Range<usize>,
        message: impl Display,
        hint: impl Into<String>,
    ) -> Error {
        let (line, column) = self.place(span);
        let path = Quoted(self.path);
        Error::usage(format!("{path}, line {line}, column {column}: {message}"), hint)
    }

    /// Line and column, both counted from 1.
    pub(super) fn place(&self, span: &Range<usize>) -> (usize, usize) {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

/// A table that is being read.
pub(super) struct Table<'a> {
    pub(super) file: File<'a>,
    pub(super) span: Range<usize>,
    spec: &'static TableSpec,
    entries: &'a DeTable<'a>,
}

impl<'a> Table<'a> {
    /// Takes a table all of whose keys are known.
    pub(super) fn new(
        file: File<'a>,
        span: Range<usize>,
        spec: &'static TableSpec,
        entries: &'a DeTable<'a>,
    ) -> Result<Self> {
        for key in entries.keys() {
            if !spec.keys.contains(&key.get_ref().as_ref()) {
                return Err(unknown(&file, &key.span(), spec, key.get_ref()));
            }
        }
        Ok(Self { file, span, spec, entries })
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &'static str) -> Option<Value<'a>> {
        assert!(self.spec.keys.contains(&key), "a key that is read is a known one");
        let (_, value) = self.entries.iter().find(|(name, _)| name.get_ref() == key)?;
        Some(Value { file: self.file, key, span: value.span(), found: value.get_ref() })
    }

    /// The value of a key that must be there.
    pub(super) fn need(&self, key: &'static str) -> Result<Value<'a>> {
        let needs = if self.spec.name.is_empty() { "the job" } else { self.spec.name };
        let hint = INIT_HINT;
        self.get(key).ok_or_else(|| self.error(format!("{needs} needs `{key}`"), hint))
    }

    /// The tables of a key: `[key]`, or any number of `[[key]]`.
    pub(super) fn tables(&self, key: &'static str, spec: &'static TableSpec) -> Result<Vec<Self>> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let wrong = |span: &Range<usize>, found: &DeValue<'_>| {
            let message = format!("`{key}` must be a table, not {}", kind(found));
            self.file.error(span, message, format!("write {}", spec.name))
        };
        match value.found {
            DeValue::Table(entries) if !spec.name.starts_with("[[") => {
                Ok(vec![Self::new(self.file, value.span, spec, entries)?])
            }
            DeValue::Array(items) if spec.name.starts_with("[[") => items
                .iter()
                .map(|item| match item.get_ref() {
                    DeValue::Table(entries) => Self::new(self.file, item.span(), spec, entries),
                    other => Err(wrong(&item.span(), other)),
                })
                .collect(),
            DeValue::Table(_) => {
                let message = format!("there can be several of `{key}`");
                Err(self.file.error(&value.span, message, format!("write {}", spec.name)))
            }
            DeValue::Array(_) => {
                let message = format!("there is only one `{key}`");
                Err(self.file.error(&value.span, message, format!("write {}", spec.name)))
            }
            other => Err(wrong(&value.span, other)),
        }
    }

    /// An error about the table as a whole.
    pub(super) fn error(&self, message: impl Display, hint: impl Into<String>) -> Error {
        self.file.error(&self.span, message, hint)
    }
}

/// The value of a key.
pub(super) struct Value<'a> {
    pub(super) file: File<'a>,
    pub(super) key: &'static str,
    pub(super) span: Range<usize>,
    found: &'a DeValue<'a>,
}

impl<'a> Value<'a> {
    /// A string with its variables filled in.
    pub(super) fn text(&self) -> Result<Filled> {
        match self.found {
            DeValue::String(text) => self.fill(text, &self.span, None),
            other => Err(self.is_not("a string", other, &self.span)),
        }
    }

    /// A path of a file: with dates, too. What is written is returned as well, for messages.
    pub(super) fn dated(&self) -> Result<(&'a str, Filled)> {
        match self.found {
            DeValue::String(text) => self.path(text, &self.span),
            other => Err(self.is_not("a string", other, &self.span)),
        }
    }

    /// One path of a file, or several of them, with their places.
    pub(super) fn dated_list(&self) -> Result<Vec<(&'a str, Filled, Range<usize>)>> {
        let DeValue::Array(items) = self.found else {
            let (text, path) = self.dated()?;
            return Ok(vec![(text, path, self.span.clone())]);
        };
        if items.is_empty() {
            return Err(self.error(format!("`{}` is empty", self.key), "name a file"));
        }
        let path = |item: &'a toml::Spanned<DeValue<'a>>| match item.get_ref() {
            DeValue::String(text) => {
                self.path(text, &item.span()).map(|(text, path)| (text, path, item.span()))
            }
            other => Err(self.is_not("a list of strings", other, &item.span())),
        };
        items.iter().map(path).collect()
    }

    /// A string that stands for something else.
    pub(super) fn parsed<T: FromStr<Err = String>>(&self) -> Result<T> {
        self.parsed_by(str::parse)
    }

    /// A string that `parse` makes something of.
    pub(super) fn parsed_by<T>(
        &self,
        parse: impl FnOnce(&str) -> std::result::Result<T, String>,
    ) -> Result<T> {
        let filled = self.text()?;
        parse(&filled.text).map_err(|why| self.wrong(&why))
    }

    /// A string, or a number that `parse` takes as a string of its digits.
    pub(super) fn parsed_or_number<T>(
        &self,
        parse: impl FnOnce(&str) -> std::result::Result<T, String>,
    ) -> Result<T> {
        match self.found {
            DeValue::Integer(number) if number.radix() == 10 => {
                parse(number.as_str()).map_err(|why| self.wrong(&why))
            }
            DeValue::Float(number) => parse(number.as_str()).map_err(|why| self.wrong(&why)),
            _ => self.parsed_by(parse),
        }
    }

    /// One of several words.
    pub(super) fn choice<T: Copy>(&self, choices: &[(&'static str, T)]) -> Result<T> {
        let filled = self.text()?;
        if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == filled.text) {
            return Ok(*choice);
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let hint = match nearest(&filled.text, words.iter().copied()) {
            Some(word) if !filled.has_variables => format!("did you mean `{word}`?"),
            _ => String::new(),
        };
        let message = format!("`{}`: expected one of {}", self.key, words.join(", "));
        Err(self.error(message, hint))
    }

    /// A number within a range; a string with a variable may hold one, too.
    pub(super) fn number(&self, range: RangeInclusive<u64>) -> Result<u64> {
        let digits = match self.found {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
            DeValue::String(text) if text.contains("${") => self.text()?.text,
            DeValue::Float(_) => {
                let message = format!("`{}` must be a number, not a fraction", self.key);
                return Err(self.error(message, ""));
            }
            other => return Err(self.is_not("a number", other, &self.span)),
        };
        digits.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
            let (least, most) = (range.start(), range.end());
            let takes = if *most == u64::MAX {
                format!("`{}` takes whole numbers from {least}", self.key)
            } else {
                format!("`{}` takes {least} to {most}", self.key)
            };
            self.error(takes, "")
        })
    }

    /// A user type.
    pub(super) fn user_type(&self) -> Result<UserType> {
        self.choice(&UserType::ALL.map(|user_type| (user_type.name(), user_type)))
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self) -> Result<bool> {
        match self.found {
            DeValue::Boolean(value) => Ok(*value),
            other => Err(self.is_not("true or false", other, &self.span)),
        }
    }

    /// An error about the value.
    pub(super) fn error(&self, message: impl Display, hint: impl Into<String>) -> Error {
        self.file.error(&self.span, message, hint)
    }

    fn wrong(&self, why: &str) -> Error {
        self.error(format!("`{}`: {why}", self.key), "")
    }

    fn path(&self, text: &'a str, span: &Range<usize>) -> Result<(&'a str, Filled)> {
        let filled = self.fill(text, span, Some(self.file.date))?;
        if filled.text.is_empty() || filled.text.contains('\0') {
            return Err(self.file.error(span, format!("`{}` names no file", self.key), ""));
        }
        if filled.text.starts_with("~/") {
            let message = format!("`{}`: ~ is not known in a job file", self.key);
            return Err(self.file.error(span, message, "write ${HOME}"));
        }
        Ok((text, filled))
    }

    fn fill(&self, text: &str, span: &Range<usize>, date: Option<Date>) -> Result<Filled> {
        fill(text, self.file.env, date).map_err(|flaw| {
            self.file.error(span, format!("`{}`: {}", self.key, flaw.message), flaw.hint)
        })
    }

    fn is_not(&self, wanted: &str, found: &DeValue<'_>, span: &Range<usize>) -> Error {
        let message = format!("`{}` must be {wanted}, not {}", self.key, kind(found));
        self.file.error(span, message, "")
    }
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

fn unknown(file: &File<'_>, span: &Range<usize>, spec: &TableSpec, key: &str) -> Error {
    let place = if spec.name.is_empty() { String::new() } else { format!(" in {}", spec.name) };
    if key.eq_ignore_ascii_case("token") {
        let message = format!("a token does not belong into a file{place}");
        let hint = "set THRONG_TOKEN, or name a file that only its owner can read: token-file";
        return file.error(span, message, hint);
    }
    let elsewhere = file.specs.iter().find(|other| other.keys.contains(&key));
    let hint = match (nearest(key, spec.keys.iter().copied()), elsewhere) {
        (_, Some(other)) if other.name.is_empty() => "it belongs to the top of the file".to_owned(),
        (_, Some(other)) => format!("it belongs to {}", other.name),
        (Some(near), None) => format!("did you mean `{near}`?"),
        (None, None) => format!("known keys: {}", spec.keys.join(", ")),
    };
    file.error(span, format!("unknown key `{}`{place}", key.escape_debug()), hint)
}

/// The word that `text` most likely is meant to be.
fn nearest<'a>(text: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let text = text.to_ascii_lowercase().replace('_', "-");
    let nearness =
        |word: &str| strsim::normalized_damerau_levenshtein(&text, &word.replace('_', "-"));
    words
        .map(|word| (nearness(word), word))
        .filter(|(nearness, _)| *nearness >= NEARNESS_MIN)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, word)| word)
}
