//! Trimming, blankness and textual nulls: what every user type has in common.

/// Words that exports write where there is no value, in lower case.
pub(crate) const NULL_WORDS: &[&str] =
    &["null", "none", "nan", "n/a", "na", "undefined", "\\n", "nil", "-"];

/// The longest of [`NULL_WORDS`], in bytes.
const NULL_WORD_BYTES_MAX: usize = 9;

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

/// Whether a trimmed value is one of the words that exports write for "nothing", in any letter case.
pub(crate) fn is_null_word(value: &[u8]) -> bool {
    value.len() <= NULL_WORD_BYTES_MAX
        && NULL_WORDS.iter().any(|word| word.as_bytes().eq_ignore_ascii_case(value))
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
    }
}
