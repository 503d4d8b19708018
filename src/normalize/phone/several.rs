//! Two numbers in one cell: `030 1234 or 0170 1234`, `12345-67/68`. Read as one they would be somebody else's.
//!
//! A slash is both: what stands between two numbers, and what stands behind an area code. It is taken as a separator only
//! where an area code can end, or where it separates all groups of a number alike.

use super::scan;

/// Words that stand between two numbers.
const WORDS: &[&str] = &[
    "or", "and", "oder", "und", "bzw", "resp", "sowie", "ou", "et", "o", "y", "e", "u", "of", "en",
    "og", "och", "eller", "lub", "i", "ili", "nebo", "vagy", "sau", "si", "ve", "veya", "или", "и",
];

/// Digits that may stand before a slash: the longest area code with its trunk zero.
const AREA_DIGITS_MAX: usize = 6;
/// Digits that must stand behind a slash that ends an area code.
const SUBSCRIBER_DIGITS_MIN: usize = 4;
/// Digits from which on a number may be complete, so that what follows can be another one.
const NUMBER_DIGITS_MIN: usize = 7;
/// The same where a line ends, which is no place for a number to be broken.
const LINE_DIGITS_MIN: usize = 5;
/// More groups than any number is written in.
const GROUPS_MAX: usize = 12;

/// What stands between two groups of digits.
#[derive(Clone, Copy, Default)]
struct Gap {
    has_slash: bool,
    has_hyphen: bool,
    has_space: bool,
}

/// A number cut into its groups of digits.
struct Groups {
    len: usize,
    /// Digits of each group.
    digits: [usize; GROUPS_MAX],
    /// What stands behind each group.
    gaps: [Gap; GROUPS_MAX],
    begins_with_two_zeros: bool,
}

/// Whether text that begins with the digits or the plus sign of a number holds more than one.
pub(super) fn is_several(number: &str) -> bool {
    let begins_with_plus = number.starts_with(scan::is_plus);
    match groups(number) {
        None => true,
        Some(groups) => groups.has_slash() && !groups.has_slash_of_one(begins_with_plus),
    }
}

/// The groups of digits; `None` if something stands between them that stands between two numbers only.
fn groups(number: &str) -> Option<Groups> {
    let mut groups = Groups {
        len: 0,
        digits: [0; GROUPS_MAX],
        gaps: [Gap::default(); GROUPS_MAX],
        begins_with_two_zeros: false,
    };
    let mut seen = 0;
    let mut rest = number;
    while let Some(start) = rest.find(scan::is_digit) {
        if groups.len > 0 {
            groups.gaps[groups.len - 1] = gap(&rest[..start], seen)?;
        }
        let group = &rest[start..];
        let end = group.find(|c| !scan::is_digit(c)).unwrap_or(group.len());
        let digits = group[..end].chars().count();
        if groups.len == GROUPS_MAX {
            // So many groups of two digits are no number; what they are is told by their digits.
            return Some(Groups { gaps: [Gap::default(); GROUPS_MAX], ..groups });
        }
        if groups.len == 0 {
            groups.begins_with_two_zeros = group.starts_with("00");
        }
        groups.digits[groups.len] = digits;
        groups.len += 1;
        seen += digits;
        rest = &group[end..];
    }
    Some(groups)
}

/// What a gap behind so many digits is; `None` if it stands between two numbers.
fn gap(text: &str, seen: usize) -> Option<Gap> {
    let mut gap = Gap::default();
    let mut spaces = 0;
    for c in text.chars() {
        match c {
            ',' | ';' | '&' | '|' | '\u{ff0c}' | '\u{ff1b}' => return None,
            _ if scan::is_plus(c) => return None,
            '\n' | '\r' | '\t' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}'
                if seen >= LINE_DIGITS_MIN =>
            {
                return None;
            }
            '(' | '\u{ff08}' if seen >= NUMBER_DIGITS_MIN => return None,
            // `4711/-12`: another extension of the same number.
            '/' | '\\' | '\u{ff0f}' | '-' | '\u{2010}'..='\u{2015}' if gap.has_slash => {
                return None;
            }
            '/' | '\\' | '\u{ff0f}' => gap.has_slash = true,
            '-' | '\u{2010}'..='\u{2015}' => gap.has_hyphen = true,
            _ if c.is_whitespace() => spaces += 1,
            _ => {}
        }
    }
    gap.has_space = spaces > 0;
    let is_between = |word: &str| WORDS.contains(&word.to_lowercase().as_str());
    let mut words = text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    (!words.any(is_between)).then_some(gap)
}

impl Groups {
    fn has_slash(&self) -> bool {
        self.gaps[..self.len].iter().any(|gap| gap.has_slash)
    }

    /// Whether the slashes are separators of one number.
    fn has_slash_of_one(&self, begins_with_plus: bool) -> bool {
        let digits = &self.digits[..self.len];
        let gaps = &self.gaps[..self.len - 1];
        let slashes = gaps.iter().filter(|gap| gap.has_slash).count();
        let first = gaps.iter().position(|gap| gap.has_slash).unwrap_or(0);
        let (before, after) = digits.split_at(first + 1);
        if let (true, [1..=3, 2..=AREA_DIGITS_MAX, last], [code, area]) =
            (begins_with_plus && slashes == 2, digits, gaps)
            && ![code, area].iter().any(|gap| gap.has_hyphen || gap.has_space)
        {
            // +49/30/1234567: calling code, area code, number
            return *last >= SUBSCRIBER_DIGITS_MIN;
        }
        if slashes > 1 {
            // 415/555/2671, 06/12/34/56/78, +44/20/7946/0123
            let (last, inner) = after.split_last().unwrap_or((&0, &[]));
            let inner_max = if begins_with_plus { 4 } else { 3 };
            return slashes == gaps.len() - first
                && gaps[first..].iter().all(|gap| !gap.has_hyphen && !gap.has_space)
                && self.ends_area_code(before, begins_with_plus)
                && inner.iter().all(|digits| (2..=inner_max).contains(digits))
                && (2..=4).contains(last)
                && inner.iter().all(|digits| digits <= last);
        }
        self.ends_area_code(before, begins_with_plus)
            && after.iter().sum::<usize>() >= SUBSCRIBER_DIGITS_MIN
    }

    /// Whether groups at the beginning are a prefix and an area code, and nothing of the number behind it.
    fn ends_area_code(&self, before: &[usize], begins_with_plus: bool) -> bool {
        let is_area = |digits: usize| digits <= AREA_DIGITS_MAX;
        let has_zeros_apart = self.begins_with_two_zeros && before[0] == 2;
        match before {
            // 00 49 171/2345678: the zeros are what the plus sign is.
            [_, rest @ ..] if has_zeros_apart && !begins_with_plus && !rest.is_empty() => {
                self.ends_area_code(rest, true)
            }
            // +49171/2345678: calling code and area code in one
            [all] if begins_with_plus => *all <= 3 + AREA_DIGITS_MAX,
            [all] if self.begins_with_two_zeros => *all <= 5 + AREA_DIGITS_MAX,
            // +49 171/2345678
            [code, area] if begins_with_plus => *code <= 3 && is_area(*area),
            [code, area] if self.begins_with_two_zeros => *code <= 5 && is_area(*area),
            // +49 (0) 171/2345678
            [code, 1, area] if begins_with_plus => *code <= 3 && is_area(*area),
            [code, 1, area] if self.begins_with_two_zeros => *code <= 5 && is_area(*area),
            // 030/123456, 1 415/555-2671, (0) 30/123456
            [area] | [1, area] => is_area(*area),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_several;

    #[test]
    fn a_slash_behind_an_area_code_is_a_separator() {
        for number in [
            "030/123456",
            "030 / 123456",
            "0171/234 56 78",
            "06221/12345-67",
            "033701/1234",
            "+49 30/1234567",
            "+49171/2345678",
            "+49 (0)30/1234567",
            "+49/171/234/5678",
            "+44/20/7946/0123",
            "+49/30/1234567",
            "+43/664/1234567",
            "0049 171/2345678",
            "00 49 171/2345678",
            "1 415/555-2671",
            "415/555-2671",
            "415/555/2671",
            "06/12/34/56/78",
            "(0) 30/1234567",
            "+64 21 123 4567",
            "020 7946 0958",
            "030 1234567-69",
            "(06221) 12345",
            "030\n123456",
        ] {
            assert!(!is_several(number), "{number}");
        }
    }

    #[test]
    fn two_numbers_are_told_from_one() {
        for number in [
            "089 1234 / 5678",
            "06221 12345-67/68",
            "06221/12345-67/68",
            "030 4711-0 / -12",
            "4711/-12",
            "4711-0, -12",
            "030/4711-0/-12",
            "030 1234 or 0170 1234",
            "030 1234 u. 0170 1234",
            "030 1234 UND 0170 1234",
            "030 1234, 0170 1234",
            "030 1234; 0170 1234",
            "030 1234 & 0170 1234",
            "030 1234\n0170 1234",
            "030 1234\r\n0170 1234",
            "030 1234\u{2028}0170 1234",
            "+49 30 1234 +49 170 1234",
            "+49 30 123456 / +49 170 1234",
            "+49 30 123456 / 0170 1234",
            "0171/2345678 / 030/123456",
            "0171/2345678/030/1234567",
            "1234567/7654321",
            "12345/67",
            "0301234567(01701234567)",
            "+49 30 1234 / 5678",
            "415-555-2671//415-555-2672",
        ] {
            assert!(is_several(number), "{number:?}");
        }
    }
}
