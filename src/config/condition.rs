//! Conditions that rows must fulfil: `accepts_marketing=yes,true,1`, `country!=US,CA`, `unsubscribed_at=`.

use std::fmt;
use std::str::FromStr;

use icu_normalizer::ComposingNormalizerBorrowed;

use super::ColumnSelector;
use crate::encoding::readings;
use crate::normalize::Shape;
use crate::quote::OneLine;
use crate::trim::{is_null_word, trim, without_guard};

/// Null words that are also words of their own: the country NA, the category none.
const AMBIGUOUS_WORDS: [&str; 3] = ["none", "na", "-"];

/// A column, and the values that its cells must have, or must not have.
///
/// Values are compared without regard to letter case, to white space around them and how much of it is between words, to
/// how a letter is composed or how wide it is, and to what a spreadsheet puts in front of text; and `1.0` is `1`. No value stands for
/// cells with nothing in them, which those with a null word are, too.
///
/// ```
/// use throng::config::Condition;
///
/// let condition: Condition = "accepts_marketing=yes, true, 1".parse()?;
/// assert!(condition.holds(b" YES ") && condition.holds(b"1.0"));
/// assert!(!condition.holds(b"no") && !condition.holds(b""));
///
/// let condition: Condition = "unsubscribed_at=".parse()?;
/// assert!(condition.holds(b"") && condition.holds(b"NULL") && !condition.holds(b"2026-11-24"));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    column: ColumnSelector,
    /// True if it holds for cells with none of the values.
    is_negated: bool,
    /// The values, as [`folded`] makes them.
    values: Vec<String>,
    /// True if a cell with nothing in it is one of the values.
    has_blank: bool,
    /// True if cells are booleans, of which `true` is 1 and `false` is 0.
    is_of_booleans: bool,
}

impl Condition {
    /// The column that it looks at.
    pub fn column(&self) -> &ColumnSelector {
        &self.column
    }

    /// Whether it drops cells with one of its values (`!=`).
    pub(crate) fn is_negated(&self) -> bool {
        self.is_negated
    }

    /// The same for a column that holds booleans, or does not.
    pub(crate) fn on_booleans(self, is_of_booleans: bool) -> Self {
        Self { is_of_booleans, ..self }
    }

    /// Whether it holds for a cell; one that is not there has nothing in it.
    pub fn holds(&self, cell: &[u8]) -> bool {
        let cell = trim(cell);
        let mut is_one = self.has(cell);
        if !is_one && matches!(cell.first(), Some(b'\'' | b'=' | b'"')) {
            is_one = without_guard(cell).is_some_and(|inner| self.has(inner));
        }
        if !is_one && self.is_of_booleans {
            is_one = match cell {
                b"true" => self.has(b"1"),
                b"false" => self.has(b"0"),
                _ => false,
            };
        }
        is_one != self.is_negated
    }

    /// Whether a trimmed cell is one of the values.
    fn has(&self, cell: &[u8]) -> bool {
        let cell = without_fraction(cell);
        let is_blank = || cell.is_empty() || is_null_word(cell);
        let is_value = |value: &String| cell.eq_ignore_ascii_case(value.as_bytes());
        self.has_blank && is_blank()
            || self.values.iter().any(is_value)
            || !is_plain(cell) && self.has_folded(cell)
    }

    /// The same of a cell that may be written in another way, or in an encoding that nobody named.
    #[cold]
    fn has_folded(&self, cell: &[u8]) -> bool {
        readings(cell).any(|reading| {
            let text = folded(&reading);
            self.has_blank && text.is_empty() || self.values.contains(&text)
        })
    }
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected COLUMN=VALUE,... or COLUMN!=VALUE,...".to_owned();
        let (column, rest) = match text.trim_start().strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or("a quote is not closed")?,
            None => text.split_at(text.find(['=', '!']).ok_or_else(expected)?),
        };
        let rest = rest.trim_start();
        let (is_negated, values) = match (rest.strip_prefix("!="), rest.strip_prefix('=')) {
            (Some(values), _) => (true, values),
            (None, Some(values)) => (false, values),
            (None, None) => return Err(expected()),
        };
        let column = column.trim();
        if column.ends_with(['<', '>', '~']) || values.starts_with(['=', '~']) {
            return Err("only = and != can be asked for".to_owned());
        }
        let mut condition = Self {
            column: column.parse()?,
            is_negated,
            values: Vec::new(),
            has_blank: false,
            is_of_booleans: false,
        };
        for value in split_values(values)? {
            let is_null = is_null_word(value.as_bytes())
                && !AMBIGUOUS_WORDS.iter().any(|word| word.eq_ignore_ascii_case(&value));
            if value.is_empty() || is_null {
                condition.has_blank = true;
            } else {
                condition.values.push(folded(&value));
            }
        }
        Ok(condition)
    }
}

/// The condition as messages, manifest and report have it. Values that look like somebody's identifier are not shown.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = if self.is_negated { "!=" } else { "=" };
        write!(f, "{}{operator}", OneLine(&self.column.text()))?;
        if self.values.iter().any(|value| is_personal(value)) {
            return f.write_str("(not shown)");
        }
        for (index, value) in self.values.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let quote = if value.contains([',', '"']) { "\"" } else { "" };
            let value = value.replace('"', "\"\"");
            write!(f, "{comma}{quote}{}{quote}", OneLine(&value))?;
        }
        let has_both = self.has_blank && !self.values.is_empty();
        f.write_str(if has_both { "," } else { "" })
    }
}

crate::written::written! {
    Condition: { "type": "string", "pattern": "!?=" },
}

/// Values between commas; what is between quotes may hold commas, and quotes that are doubled.
fn split_values(text: &str) -> Result<Vec<String>, String> {
    let mut values = Vec::new();
    let mut rest = text;
    loop {
        let mut value = String::new();
        rest = rest.trim_start();
        if let Some(mut quoted) = rest.strip_prefix('"') {
            loop {
                let (part, behind) = quoted.split_once('"').ok_or("a quote is not closed")?;
                value.push_str(part);
                let Some(again) = behind.strip_prefix('"') else {
                    rest = behind.trim_start();
                    break;
                };
                value.push('"');
                quoted = again;
            }
            if !rest.is_empty() && !rest.starts_with(',') {
                return Err("a quote ends within a value".to_owned());
            }
        } else {
            let (part, behind) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
            (value, rest) = (part.to_owned(), behind);
        }
        values.push(String::from_utf8_lossy(trim(value.as_bytes())).into_owned());
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None => return Ok(values),
        }
    }
}

/// A value in lower case, without the `.0` of a float; what looks the same is the same: composed and decomposed letters,
/// full-width ones, one space and several.
fn folded(value: &str) -> String {
    let normalizer = ComposingNormalizerBorrowed::new_nfkc();
    let text = normalizer.normalize(value);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let whole = without_fraction(trim(text.as_bytes()));
    let lower =
        String::from_utf8_lossy(whole).chars().flat_map(char::to_lowercase).collect::<String>();
    normalizer.normalize(&lower).into_owned()
}

/// Whether a cell can be compared as it is written: it is ASCII, and has no white space but single spaces.
fn is_plain(cell: &[u8]) -> bool {
    let is_single = |pair: &[u8]| pair != b"  ";
    cell.iter().all(|byte| matches!(byte, b' '..=b'~')) && cell.windows(2).all(is_single)
}

/// A whole number without the zeros that programs write behind its point when they take it for a float.
fn without_fraction(cell: &[u8]) -> &[u8] {
    let Some(point) = memchr::memchr(b'.', cell) else { return cell };
    let (whole, zeros) = (&cell[..point], &cell[point + 1..]);
    let digits = whole.strip_prefix(b"-").unwrap_or(whole);
    let is_whole = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let is_zero = !zeros.is_empty() && zeros.iter().all(|byte| *byte == b'0');
    if is_whole && is_zero { whole } else { cell }
}

/// Whether a value may be somebody's: messages must not show it.
fn is_personal(value: &str) -> bool {
    value.contains('@') || Shape::of(value.as_bytes()) != Shape::Other
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn condition(text: &str) -> Condition {
        text.parse().expect(text)
    }

    #[test]
    fn cells_are_compared_as_people_read_them() {
        for (text, cell, holds) in [
            ("a=yes", "yes", true),
            ("a=yes", " YES\u{a0}", true),
            ("a=Yes", "y", false),
            ("a=yes,1", "1.00", true),
            ("a=1.0", "1", true),
            ("a=1", "1.01", false),
            ("a=1", ".0", false),
            ("a=-1", "-1.0", true),
            ("a=ÄRGER", "ärger", true),
            ("a=k", "\u{212a}", true),
            ("a!=yes", "no", true),
            ("a!=yes", "YES", false),
            ("a!=1", "1.0", false),
            ("a!=yes", "", true),
            ("a!=yes,", "", false),
            ("a=", " ", true),
            ("a=", "nothing", false),
            ("a=", "\\N", true),
            ("a!=", "null", false),
            ("a!=", "x", true),
            ("a=NULL", "", true),
            ("a!=null", "", false),
            ("a=NA", "na", true),
            ("a=NA", "", false),
            ("a=\"x,y\",z", "X,Y", true),
            ("a=\"x,y\",z", "z", true),
            ("a=\"say \"\"hi\"\"\"", "say \"hi\"", true),
            ("a=x y", "x y", true),
        ] {
            assert_eq!(condition(text).holds(cell.as_bytes()), holds, "{text} {cell:?}");
        }
        for (text, cell) in [
            ("a=gelöscht", &b"gel\xf6scht"[..]),
            ("a=gelöscht", "gelo\u{308}scht".as_bytes()),
            ("a=gelo\u{308}scht", "GELÖSCHT".as_bytes()),
            ("a=opted out", b"Opted  out"),
            ("a=opted  out", b"opted\tout"),
            ("a=opted out", "opted\u{a0}out".as_bytes()),
            ("a=opted out", b"opted\xa0out"),
            ("a=no", "ＮＯ".as_bytes()),
            ("a=1", "１．０".as_bytes()),
            ("a=no", b"'no"),
            ("a=no", b" =\"No\""),
            ("a=0", b"'0.0"),
            ("a='no", b"'no"),
            ("a=", b"'"),
            ("a=", b"\xa0"),
        ] {
            let negated = text.replacen('=', "!=", 1);
            assert!(
                condition(text).holds(cell) && !condition(&negated).holds(cell),
                "{text} {cell:?}"
            );
        }
        assert!(!condition("a=x").holds(b"\xff") && condition("a!=x").holds(b"\xff"));
    }

    #[test]
    fn columns_are_named_as_elsewhere() {
        let name = |name: &str| ColumnSelector::Name(name.to_owned());
        assert_eq!(condition(" a b = x").column, name("a b"));
        assert_eq!(condition("\"a=b!\"!=x").column, name("a=b!"));
        assert_eq!(condition("3=x").column, ColumnSelector::Number(3));
        for text in [
            "", "a", "=x", "0=x", "a!x", "a==x", "a>=5", "a<=5", "a=~x", "a=\"x", "a=\"x\"y",
            "\"a=x",
        ] {
            assert!(text.parse::<Condition>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_may_be_somebodys_is_not_shown() {
        for (text, shown) in [
            ("Country != us , CA", "Country!=us,ca"),
            ("a=", "a="),
            ("a=x,", "a=x,"),
            ("a=\"x,y\"", "a=\"x,y\""),
            ("since=2026-11-24", "since=2026-11-24"),
            ("mail!=test@corp.example,b", "mail!=(not shown)"),
            ("phone!=+49 30 1234567", "phone!=(not shown)"),
        ] {
            assert_eq!(condition(text).to_string(), shown);
        }
    }

    proptest! {
        /// Any value that is quoted is itself, and the negation of a condition holds for the other cells.
        #[test]
        fn a_quoted_value_is_found(values in proptest::collection::vec("[a-zA-Z0-9 ,\"=!.äß]{0,6}", 1..4), cell in "[a-c,\"]{0,3}") {
            let quoted = |value: &String| format!("\"{}\"", value.replace('"', "\"\""));
            let list = values.iter().map(quoted).collect::<Vec<_>>().join(",");
            let (one, other) = (condition(&format!("a={list}")), condition(&format!("a!={list}")));
            for text in values.iter().chain([&cell]) {
                prop_assert_eq!(one.holds(text.as_bytes()), !other.holds(text.as_bytes()));
            }
            for value in &values {
                // `ß` has no capital letter of its own.
                prop_assert!(one.holds(value.to_uppercase().as_bytes()) || value.contains('ß'));
                prop_assert!(one.holds(value.as_bytes()));
            }
        }
    }
}
