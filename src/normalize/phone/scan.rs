//! From what people type to digits: separators, extensions, vanity letters, spreadsheet damage.

use super::{Reason, Vanity, several};

/// The digits of a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Digits {
    /// ASCII digits, at least one.
    pub(super) text: String,
    /// Whether a plus sign stands before the first of them.
    pub(super) has_plus: bool,
    /// Whether the first of them stand in brackets, as an area code does.
    pub(super) is_bracketed: bool,
}

/// Reduces a value to its digits. Text before the first digit or plus sign and after the last digit is dropped, an
/// extension is cut off, and whatever stands between digits must be a separator.
pub(super) fn digits(text: &str, vanity: Vanity) -> Result<Digits, Reason> {
    if is_spreadsheet_number(text) {
        return Err(Reason::SpreadsheetNumber);
    }
    let text = without_float_suffix(text);
    let start = text.find(|c| is_plus(c) || digit(c).is_some()).ok_or(Reason::NoDigits)?;
    let number = without_extension(&text[start..]);
    if several::is_several(number) {
        return Err(Reason::SeveralValues);
    }
    let is_bracketed = text[..start].ends_with(['(', '[', '\u{FF08}']);
    let mut found = Digits { text: String::new(), has_plus: false, is_bracketed };
    let mut between = Between::default();
    for c in number.chars() {
        if let Some(digit) = digit(c) {
            between.check()?;
            found.text.push(digit);
        } else if is_plus(c) {
            if !found.text.is_empty() {
                between.has_other = true;
            }
            found.has_plus = true;
        } else if let (Some(key), Vanity::Convert) = (keypad(c), vanity) {
            between.check()?;
            found.text.push(key);
        } else if c.is_alphabetic() {
            between.has_letters |= !found.text.is_empty();
        } else if !is_separator(c) {
            between.has_other |= !found.text.is_empty();
        }
    }
    if found.text.is_empty() {
        return Err(Reason::NoDigits);
    }
    // 1-800-FLOWERS: what is left without the word is no number, and the word is why.
    if between.has_letters && found.text.len() < super::DIGITS_MIN {
        return Err(Reason::Letters);
    }
    Ok(found)
}

/// What was seen since the last digit that is not a separator; only an error once another digit follows.
#[derive(Default)]
struct Between {
    has_letters: bool,
    has_other: bool,
}

impl Between {
    fn check(&self) -> Result<(), Reason> {
        if self.has_letters {
            Err(Reason::Letters)
        } else if self.has_other {
            Err(Reason::Malformed)
        } else {
            Ok(())
        }
    }
}

pub(in crate::normalize) fn is_digit(c: char) -> bool {
    digit(c).is_some()
}

/// The value of a decimal digit of any script (general category Nd), as an ASCII digit.
pub(in crate::normalize) fn digit(c: char) -> Option<char> {
    if c.is_ascii() {
        return c.is_ascii_digit().then_some(c);
    }
    // Digits of a script stand in runs of ten that begin at these code points (Unicode 16, UnicodeData.txt, Nd).
    let code = u32::from(c);
    let index = ZEROS.partition_point(|zero| *zero <= code).checked_sub(1)?;
    char::from_digit(code - ZEROS[index], 10)
}

/// Code points of the zeros of all scripts but ASCII, in order. The mathematical digits U+1D7CE to U+1D7FF are five
/// runs without a gap.
const ZEROS: &[u32] = &[
    0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66,
    0x0DE6, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90,
    0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10,
    0x104A0, 0x10D30, 0x10D40, 0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0,
    0x11650, 0x116C0, 0x116D0, 0x116DA, 0x11730, 0x118E0, 0x11950, 0x11BF0, 0x11C50, 0x11D50,
    0x11DA0, 0x11F50, 0x16130, 0x16A60, 0x16AC0, 0x16B50, 0x16D70, 0x1CCF0, 0x1D7CE, 0x1D7D8,
    0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E4F0, 0x1E5F1, 0x1E950, 0x1FBF0,
];

pub(super) fn is_plus(c: char) -> bool {
    matches!(c, '+' | '\u{FF0B}')
}

/// White space, every hyphen and dash, dots, slashes, brackets, and characters that are not seen.
fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || c.is_ascii_control()
        || matches!(c,
            '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{30FC}' | '\u{FE58}' | '\u{FE63}' | '\u{FF0D}'
            | '\u{058A}' | '\u{2043}'
            | '.' | '\u{FF0E}' | '\u{2024}' | '\u{00B7}' | '\u{30FB}' | '\u{3002}'
            | '/' | '\u{FF0F}' | '\\'
            | '(' | ')' | '[' | ']' | '\u{FF08}' | '\u{FF09}' | '\u{FF3B}' | '\u{FF3D}'
            | '\u{00AD}' | '\u{FEFF}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'
            | '\u{2066}'..='\u{2069}')
}

/// The digit of a letter on a telephone keypad (ITU-T E.161).
fn keypad(c: char) -> Option<char> {
    Some(match c.to_ascii_uppercase() {
        'A'..='C' => '2',
        'D'..='F' => '3',
        'G'..='I' => '4',
        'J'..='L' => '5',
        'M'..='O' => '6',
        'P'..='S' => '7',
        'T'..='V' => '8',
        'W'..='Z' => '9',
        _ => return None,
    })
}

/// `4.47E+11`: what a spreadsheet makes of a long number.
fn is_spreadsheet_number(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return false };
    let mantissa = mantissa.strip_prefix('+').unwrap_or(mantissa);
    let exponent = exponent.strip_prefix('+').unwrap_or(exponent);
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_decimal = match mantissa.split_once(['.', ',']) {
        Some((whole, fraction)) => is_digits(whole) && is_digits(fraction),
        None => is_digits(mantissa),
    };
    is_decimal && is_digits(exponent) && exponent.len() <= 2
}

/// Drops the `.0` of a number that was exported as a float, and the `.00` of one from a column of decimals.
fn without_float_suffix(text: &str) -> &str {
    let Some((whole, zeros)) = text.split_once('.') else { return text };
    let digits = whole.strip_prefix('+').unwrap_or(whole);
    let is_float = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let is_whole = zeros == "0"
        || zeros.len() > 1 && zeros.bytes().all(|b| b == b'0') && digits.len() >= super::DIGITS_MIN;
    if is_float && is_whole { whole } else { text }
}

/// Words and signs that begin an extension, in lower case: those of libphonenumber's `extn` pattern, RFC 3966 and
/// dialling pauses. The longer ones go first.
const EXTENSION_MARKS: &[&str] = &[
    ";ext=",
    ";isub=",
    ";phone-context=",
    "extensión",
    "extensio\u{301}n",
    "extension",
    "extn",
    "ext",
    "xtn",
    "anexo",
    "int",
    "доб",
    "durchwahl",
    "dw",
    "poste",
    "ｅｘｔｎ",
    "ｅｘｔ",
    "ｘｔｎ",
    "ｘｔ",
    "ｉｎｔ",
    "ｘ",
    "x",
    "#",
    "＃",
    "~",
    "～",
    ",,",
    ";;",
];

/// Cuts an extension off: a mark after a digit, then at most punctuation before the digits that end the value.
fn without_extension(number: &str) -> &str {
    let lower = number.to_lowercase();
    // Lower-casing can move offsets only where there are letters outside ASCII; those go by the lower-cased text.
    let mut seen_digit = false;
    for (offset, c) in lower.char_indices() {
        if digit(c).is_some() {
            seen_digit = true;
            continue;
        }
        let rest = &lower[offset..];
        let mark = EXTENSION_MARKS.iter().find(|mark| rest.starts_with(**mark));
        if let (true, Some(mark)) = (seen_digit, mark)
            && (mark.starts_with(';') || is_extension_number(&rest[mark.len()..]))
        {
            let chars_before = lower[..offset].chars().count();
            let end = number.char_indices().nth(chars_before).map_or(number.len(), |(at, _)| at);
            return &number[..end];
        }
    }
    number
}

/// Whether text is an extension's number: optional punctuation, one to nine digits, nothing that is a letter after it.
fn is_extension_number(text: &str) -> bool {
    let text =
        text.trim_start_matches(|c: char| is_separator(c) || matches!(c, ':' | '=' | '#' | ','));
    let digits = text.chars().take_while(|c| digit(*c).is_some()).count();
    (1..=9).contains(&digits)
        && text.chars().skip(digits).all(|c| digit(c).is_none() && !c.is_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Result<String, Reason> {
        digits(value, Vanity::Reject).map(|digits| digits.text)
    }

    #[test]
    fn zeros_are_in_order_and_ten_apart() {
        assert!(ZEROS.windows(2).all(|pair| pair[1] - pair[0] >= 10));
        assert_eq!(digit('٣'), Some('3'));
        assert_eq!(digit('９'), Some('9'));
        assert_eq!(digit('²'), None);
    }

    #[test]
    fn cuts_extensions_of_every_kind() {
        for extension in [
            " ext. 12",
            "x12",
            " #12",
            ";ext=12",
            ";isub=3",
            ",,12",
            " доб. 12",
            " anexo 12",
            "～12",
        ] {
            assert_eq!(
                text(&format!("+1 650-253-0000{extension}")).as_deref(),
                Ok("16502530000"),
                "{extension}"
            );
        }
    }

    #[test]
    fn decimals_of_zeros_are_no_digits() {
        for zeros in [".0", ".00", ".000", ".000000"] {
            assert_eq!(text(&format!("4930123456{zeros}")).as_deref(), Ok("4930123456"));
            assert_eq!(text(&format!("+4930123456{zeros}")).as_deref(), Ok("4930123456"));
            assert_eq!(text(&format!("030123456{zeros}")).as_deref(), Ok("030123456"));
        }
        assert_eq!(text("0301.000").as_deref(), Ok("0301000"));
        assert_eq!(text("030.123.000").as_deref(), Ok("030123000"));
    }

    #[test]
    fn names_what_stands_between_digits() {
        assert_eq!(text("020 7946 abc 0018"), Err(Reason::Letters));
        assert_eq!(text("1-800-FLOWERS"), Err(Reason::Letters));
        assert_eq!(text("020 7946 0018 / +44 20 7946 0019"), Err(Reason::SeveralValues));
        assert_eq!(text("020 7946 * 0018"), Err(Reason::Malformed));
        assert_eq!(text("4.47E+11"), Err(Reason::SpreadsheetNumber));
        assert_eq!(text("Tel: +64 3 345 6789 (work)").as_deref(), Ok("6433456789"));
        assert_eq!(
            digits("1-800-FLOWERS", Vanity::Convert).map(|d| d.text).as_deref(),
            Ok("18003569377")
        );
    }
}
