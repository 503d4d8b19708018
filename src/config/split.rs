//! Cells that hold several values, and what stands between them.

use std::ops::Range;
use std::str::FromStr;

use crate::trim::{trim, unquote};

/// What stands between the values of a cell: one or more characters, with `\t`, `\n`, `\r` and `\\` for what is hard to type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueSeparator(String);

impl ValueSeparator {
    /// It, as people type it.
    pub fn text(&self) -> String {
        self.0.escape_debug().to_string()
    }
}

impl FromStr for ValueSeparator {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut separator = String::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            separator.push(match (c, chars.clone().next()) {
                ('\\', Some(escaped)) => {
                    chars.next();
                    match escaped {
                        't' => '\t',
                        'n' => '\n',
                        'r' => '\r',
                        '\\' => '\\',
                        _ => return Err("only \\t, \\n, \\r and \\\\ can be escaped".to_owned()),
                    }
                }
                _ => c,
            });
        }
        // These stand within identifiers, which would be cut.
        let is_inner = |c: char| c.is_alphanumeric() || "@.+-_\"".contains(c);
        if separator.chars().all(is_inner) {
            return Err("expected what stands between values, such as ; or ,".to_owned());
        }
        Ok(Self(separator))
    }
}

crate::written::written! {
    ValueSeparator: { "type": "string", "minLength": 1 },
}

/// All that may stand between the values of a cell; nothing, if a cell is one value.
#[derive(Clone, Debug)]
pub struct ValueSeparators {
    /// The longer ones first.
    texts: Vec<Vec<u8>>,
    /// Whether one begins with a byte.
    begins: [bool; 256],
}

impl Default for ValueSeparators {
    fn default() -> Self {
        Self { texts: Vec::new(), begins: [false; 256] }
    }
}

impl FromIterator<ValueSeparator> for ValueSeparators {
    fn from_iter<I: IntoIterator<Item = ValueSeparator>>(separators: I) -> Self {
        let mut all = Self::default();
        all.texts.extend(separators.into_iter().map(|of| of.0.into_bytes()));
        all.texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        all.texts.dedup();
        for text in &all.texts {
            all.begins[usize::from(text[0])] = true;
        }
        all
    }
}

impl ValueSeparators {
    /// True if a cell is one value.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// True if that stands between values.
    pub(crate) fn has(&self, text: &[u8]) -> bool {
        self.texts.iter().any(|of| trim(of) == text)
    }

    /// True if one of them ends lines, so that cells go over several.
    pub(crate) fn have_line_end(&self) -> bool {
        self.texts.iter().any(|of| of.iter().any(|byte| matches!(byte, b'\n' | b'\r')))
    }

    /// How people type them.
    pub fn texts(&self) -> Vec<String> {
        let text =
            |text: &Vec<u8>| ValueSeparator(String::from_utf8_lossy(text).into_owned()).text();
        self.texts.iter().map(text).collect()
    }

    /// Calls `each` with the place of each value of a cell, without white space and quotes around it; a cell without
    /// values has an empty one.
    ///
    /// A cell without a separator is left as it is. One with some may be a list in quotes or brackets.
    pub(crate) fn split(&self, cell: &[u8], mut each: impl FnMut(Range<usize>)) {
        if self.find(cell).is_none() {
            return each(0..cell.len());
        }
        let mut rest = whole_list(trim(cell));
        let (mut count, mut is_last) = (0, false);
        while !is_last {
            let found = self.find(rest);
            is_last = found.is_none();
            let end = found.clone().map_or(rest.len(), |found| found.start);
            let value = unquote(trim(&rest[..end]));
            if !value.is_empty() {
                each(range_in(cell, value));
                count += 1;
            }
            rest = &rest[found.map_or(rest.len(), |found| found.end)..];
        }
        if count == 0 {
            each(0..0);
        }
    }

    /// The place of the first separator.
    fn find(&self, bytes: &[u8]) -> Option<Range<usize>> {
        let begin = |(at, byte): (usize, &u8)| {
            if !self.begins[usize::from(*byte)] {
                return None;
            }
            let text = self.texts.iter().find(|text| bytes[at..].starts_with(text))?;
            Some(at..at + text.len())
        };
        bytes.iter().enumerate().find_map(begin)
    }
}

/// A list without what stands around it as a whole: `"a; b"`, `[a, b]`, `{a,b}`.
fn whole_list(cell: &[u8]) -> &[u8] {
    match cell {
        [b'"', inner @ .., b'"'] if !inner.contains(&b'"') => inner,
        [b'[', inner @ .., b']'] | [b'{', inner @ .., b'}'] => inner,
        _ => cell,
    }
}

/// Where a part of a cell is in it.
fn range_in(cell: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr() - cell.as_ptr().addr();
    start..start + part.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn separators(texts: &[&str]) -> ValueSeparators {
        texts.iter().map(|text| text.parse::<ValueSeparator>().expect("a separator")).collect()
    }

    fn parts<'a>(separators: &ValueSeparators, cell: &'a str) -> Vec<&'a str> {
        let mut parts = Vec::new();
        separators.split(cell.as_bytes(), |range| parts.push(&cell[range]));
        parts
    }

    #[test]
    fn cells_are_cut_where_people_see_it() {
        let semicolon = separators(&[";"]);
        for (cell, expected) in [
            ("a", &["a"][..]),
            (" a ", &[" a "]),
            ("", &[""]),
            ("a;b", &["a", "b"]),
            (" a ;\u{a0}b\t", &["a", "b"]),
            ("a;;b;", &["a", "b"]),
            (";", &[""]),
            (" ; ; ", &[""]),
            ("\"a\"; \"b\"", &["a", "b"]),
            ("\"a;b\"", &["a", "b"]),
            ("[a;b]", &["a", "b"]),
            ("{\"a\";\"b\"}", &["a", "b"]),
            ("{a}", &["{a}"]),
            ("\"a\"", &["\"a\""]),
            ("ä;ö", &["ä", "ö"]),
        ] {
            assert_eq!(parts(&semicolon, cell), expected, "{cell:?}");
        }
        assert_eq!(parts(&separators(&[",", "\\n"]), "a,b\nc"), ["a", "b", "c"]);
        assert_eq!(parts(&separators(&["|", "||", " or "]), "a||b|c or d"), ["a", "b", "c", "d"]);
        assert_eq!(parts(&ValueSeparators::default(), "a;b"), ["a;b"]);
    }

    #[test]
    fn what_stands_within_identifiers_is_no_separator() {
        for text in ["", "a", "@", ".", "-", "_", "+", "\"", "or", "\\x", "\\q;"] {
            assert!(text.parse::<ValueSeparator>().is_err(), "{text:?}");
        }
        for text in [";", ",", "|", " ", "/", "\\t", "\\n", "\\\\", " or ", "\u{1}", "\u{3001}"] {
            assert!(text.parse::<ValueSeparator>().is_ok(), "{text:?}");
        }
    }

    proptest! {
        /// The values are those of a plain cut, without the empty ones.
        #[test]
        fn cuts_like_the_standard_library(cell in "[ab;| ]{0,12}") {
            let naive: Vec<&str> = cell.split([';', '|']).map(str::trim).filter(|part| !part.is_empty()).collect();
            let found = parts(&separators(&[";", "|"]), &cell);
            if !cell.contains([';', '|']) {
                prop_assert_eq!(found, vec![&*cell]);
            } else if naive.is_empty() {
                prop_assert_eq!(found, vec![""]);
            } else {
                prop_assert_eq!(found, naive);
            }
        }
    }
}
