//! Trimming, blankness and textual nulls: what every user type has in common.

/// Words that exports write where there is no value, in lower case.
pub(crate) const NULL_WORDS: &[&str] = &[
    "null",
    "none",
    "nan",
    "n/a",
    "na",
    "undefined",
    "\\n",
    "nil",
    "-",
    "(null)",
    "<null>",
    "[null]",
    "(none)",
    "<none>",
    "(blank)",
    "<na>",
    "nat",
    "<nat>",
];

/// The longest of [`NULL_WORDS`], in bytes.
const NULL_WORD_BYTES_MAX: usize = 9;

/// Errors of spreadsheets that do not end in `!` or `?`, in several languages, in lower case.
const SPREADSHEET_ERRORS: &[&str] =
    &["#n/a", "#nv", "#n/d", "#n/b", "#i/t", "#n/a n/a", "#getting_data", "#busy"];

/// The longest error of a spreadsheet, in bytes.
const SPREADSHEET_ERROR_BYTES_MAX: usize = 24;

/// Whether a character is cut off at both ends of a value: Unicode white space, ASCII control characters, the byte
/// order mark, zero-width characters and bidi marks.
fn is_trimmed(c: char) -> bool {
    c.is_whitespace()
        || c.is_ascii_control()
        || matches!(c,
            '\u{FEFF}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}' | '\u{2066}'..='\u{2069}')
}

/// Cuts off at both ends what [`is_trimmed`] names. Bytes that are not UTF-8 stay: they are rejected later, not
/// repaired.
pub(crate) fn trim(mut value: &[u8]) -> &[u8] {
    let is_plain = |byte: &u8| matches!(byte, 0x21..=0x7e);
    if value.first().is_some_and(is_plain) && value.last().is_some_and(is_plain) {
        return value;
    }
    while let Some((c, rest)) = split_first_char(value) {
        if !is_trimmed(c) {
            break;
        }
        value = rest;
    }
    while let Some((c, rest)) = split_last_char(value) {
        if !is_trimmed(c) {
            break;
        }
        value = rest;
    }
    value
}

fn split_first_char(value: &[u8]) -> Option<(char, &[u8])> {
    let window = &value[..value.len().min(4)];
    let valid = match std::str::from_utf8(window) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&window[..error.valid_up_to()]).ok()?,
    };
    let c = valid.chars().next()?;
    Some((c, &value[c.len_utf8()..]))
}

fn split_last_char(value: &[u8]) -> Option<(char, &[u8])> {
    for len in 1..=value.len().min(4) {
        let start = value.len() - len;
        if value[start] & 0xc0 != 0x80 {
            let c = std::str::from_utf8(&value[start..]).ok()?.chars().next()?;
            return Some((c, &value[..start]));
        }
    }
    None
}

/// Takes one pair of double quotes around a whole value off, and trims what was inside.
pub(crate) fn unquote(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] => trim(inner),
        _ => value,
    }
}

/// Takes off what spreadsheets put around a trimmed value to keep it text: `="..."`, and an apostrophe in front of what
/// does not end in one, too. `None` if there is no such guard.
#[cold]
pub(crate) fn without_guard(value: &[u8]) -> Option<&[u8]> {
    let mut inner = value;
    loop {
        inner = trim(match inner {
            // Bare, or as a field of CSV has it whose quotes nobody took off.
            [b'=', b'"', inner @ .., b'"']
            | [b'"', b'=', b'"', b'"', inner @ .., b'"', b'"', b'"'] => inner,
            [b'\'', rest @ ..] if rest.last() != Some(&b'\'') => rest,
            _ => return (inner.len() < value.len()).then_some(inner),
        });
    }
}

/// Whether a trimmed value is one of the words that exports write for "nothing", in any letter case, or a spreadsheet's
/// error.
pub(crate) fn is_null_word(value: &[u8]) -> bool {
    match value.first() {
        Some(b'#') => is_spreadsheet_error(value),
        Some(b'n' | b'N' | b'u' | b'U' | b'\\' | b'-' | b'(' | b'<' | b'[') => {
            value.len() <= NULL_WORD_BYTES_MAX
                && NULL_WORDS.iter().any(|word| word.as_bytes().eq_ignore_ascii_case(value))
        }
        _ => false,
    }
}

/// Whether a value is what a spreadsheet shows for a formula that has no result (`#REF!`, `#WERT!`, `#¡VALOR!`), or
/// for a column that is too narrow (`####`).
#[cold]
fn is_spreadsheet_error(value: &[u8]) -> bool {
    if value.len() > SPREADSHEET_ERROR_BYTES_MAX {
        return value.iter().all(|byte| *byte == b'#');
    }
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let is_inner =
        |c: char| c.is_alphabetic() || matches!(c, '/' | '0' | '_' | '\u{a1}' | '\u{bf}');
    let word = text.strip_prefix('#').and_then(|rest| rest.strip_suffix(['!', '?']));
    word.is_some_and(|word| word.chars().any(char::is_alphabetic) && word.chars().all(is_inner))
        || SPREADSHEET_ERRORS.iter().any(|error| error.eq_ignore_ascii_case(text))
        || text.len() > 2 && text.bytes().all(|byte| byte == b'#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trims_every_class_at_both_ends_and_nothing_inside() {
        for c in [
            ' ', '\t', '\0', '\u{7f}', '\u{a0}', '\u{85}', '\u{3000}', '\u{2028}', '\u{2029}',
            '\u{feff}', '\u{200b}', '\u{200d}', '\u{2060}', '\u{200e}', '\u{202e}', '\u{2069}',
        ] {
            let text = format!("{c}{c}a{c}b{c}");
            assert_eq!(trim(text.as_bytes()), format!("a{c}b").as_bytes(), "{c:?}");
            assert_eq!(trim(c.to_string().as_bytes()), b"", "{c:?}");
        }
    }

    #[test]
    fn keeps_bytes_that_are_not_utf8() {
        assert_eq!(trim(b" \xffa\xc3 "), b"\xffa\xc3");
        assert_eq!(trim(b"\x80"), b"\x80");
        assert_eq!(trim(b" \xe3\x80"), b"\xe3\x80");
    }

    #[test]
    fn null_word_bound_is_the_longest_word() {
        assert_eq!(NULL_WORDS.iter().map(|word| word.len()).max(), Some(NULL_WORD_BYTES_MAX));
        assert!(is_null_word(b"\\N") && is_null_word(b"N/A") && !is_null_word(b"nobody"));
        // Each begins with what is looked at first.
        for word in NULL_WORDS {
            assert!(is_null_word(word.as_bytes()) && is_null_word(word.to_uppercase().as_bytes()));
        }
    }

    #[test]
    fn errors_of_spreadsheets_are_no_values() {
        for error in [
            "#N/A",
            "#REF!",
            "#VALUE!",
            "#NAME?",
            "#DIV/0!",
            "#NUM!",
            "#NULL!",
            "#NV",
            "#BEZUG!",
            "#WERT!",
            "#\u{a1}VALOR!",
            "#\u{bf}NOMBRE?",
            "#V\u{c4}RDEFEL!",
            "#n/a",
            "#####",
            "#SPILL!",
        ] {
            assert!(is_null_word(error.as_bytes()), "{error}");
        }
        for value in ["#", "##", "#123", "#A17", "#!", "#team", "C#", "#12/0!"] {
            assert!(!is_null_word(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn guards_of_spreadsheets_come_off() {
        for (value, inner) in [
            ("'-A0", Some("-A0")),
            ("=\"000120\"", Some("000120")),
            ("\"=\"\"000120\"\"\"", Some("000120")),
            ("'=\" +49 30 1 \"", Some("+49 30 1")),
            ("'", Some("")),
            ("=\"\"", Some("")),
            ("'abc'", None),
            ("=000120", None),
            ("\"abc\"", None),
            ("it's", None),
        ] {
            let found = without_guard(value.as_bytes()).map(String::from_utf8_lossy);
            assert_eq!(found.as_deref(), inner, "{value}");
        }
    }
}
