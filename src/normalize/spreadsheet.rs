//! What spreadsheets and data frames make of ids that are numbers: exponents, `.0`, thousands set apart, zeros for digits.

use std::collections::BTreeSet;

/// Whether a value is a number with an exponent (`1.23457E+11`, `1,23457E+11`): digits are lost. One without a sign and a
/// fraction is no such number, since `12e4` may be an id.
pub(super) fn has_exponent(value: &[u8]) -> bool {
    let Some(at) = value.iter().position(|byte| matches!(byte, b'e' | b'E')) else { return false };
    let (mantissa, exponent) = (&value[..at], &value[at + 1..]);
    let mantissa = mantissa.strip_prefix(b"-").or(mantissa.strip_prefix(b"+")).unwrap_or(mantissa);
    let bare = exponent.strip_prefix(b"+").or(exponent.strip_prefix(b"-"));
    let (whole, fraction) = match mantissa.iter().position(|byte| matches!(byte, b'.' | b',')) {
        Some(point) => (&mantissa[..point], Some(&mantissa[point + 1..])),
        None => (mantissa, None),
    };
    is_number(whole)
        && fraction.is_none_or(is_number)
        && (bare.is_some() || fraction.is_some())
        && is_number(bare.unwrap_or(exponent))
        && bare.unwrap_or(exponent).len() <= 3
}

/// The whole number of a float that has no fraction (`100200.0`, `100200,00`). Three zeros may be thousands.
pub(super) fn whole_of_float(value: &[u8]) -> Option<&[u8]> {
    let point = value.iter().rposition(|byte| matches!(byte, b'.' | b','))?;
    let (whole, zeros) = (&value[..point], &value[point + 1..]);
    let is_float = is_number(whole.strip_prefix(b"-").unwrap_or(whole))
        && matches!(zeros.len(), 1 | 2 | 4..=10)
        && zeros.iter().all(|byte| *byte == b'0');
    is_float.then_some(whole)
}

/// Whether a value has its thousands set apart, always by the same sign: `100,200`, `1.100.200`, `100 200`, `100'200`.
pub(super) fn has_thousands(value: &[u8]) -> bool {
    let Some(first) = value.iter().position(|byte| !byte.is_ascii_digit()) else { return false };
    let sign: &[u8] = match &value[first..] {
        [b',' | b'.' | b' ' | b'\'', ..] => &value[first..=first],
        [0xc2, 0xa0, ..] => &value[first..first + 2],
        [0xe2, 0x80, 0xaf | 0x99, ..] => &value[first..first + 3],
        _ => return false,
    };
    let mut rest = &value[first..];
    while let Some(group) = rest.strip_prefix(sign) {
        let Some((digits, next)) = group.split_at_checked(3) else { return false };
        if !is_number(digits) {
            return false;
        }
        rest = next;
    }
    rest.is_empty() && (1..=3).contains(&first) && value[0] != b'0'
}

/// Digits that a spreadsheet keeps of a number.
const DIGITS_KEPT: usize = 15;

/// Whether a number of more digits than a spreadsheet keeps has zeros in place of the others.
pub(super) fn is_rounded(value: &[u8]) -> bool {
    let lost = value.get(DIGITS_KEPT..).unwrap_or_default();
    is_number(value) && !lost.is_empty() && lost.iter().all(|digit| *digit == b'0')
}

/// Long numbers of a column, and those of them that a spreadsheet may have rounded.
#[derive(Debug, Default)]
pub(super) struct LongNumbers {
    count: usize,
    rounded: usize,
    different: BTreeSet<Vec<u8>>,
}

impl LongNumbers {
    pub(super) fn add(&mut self, value: &[u8]) {
        self.count += usize::from(is_number(value) && value.len() > DIGITS_KEPT);
        if is_rounded(value) {
            self.rounded += 1;
            self.different.insert(value.to_vec());
        }
    }

    /// Whether they were rounded: five different ones at least, and nine of ten.
    pub(super) fn are_rounded(&self) -> bool {
        self.different.len() >= 5 && self.rounded * 10 >= self.count * 9
    }
}

/// Whether there are digits and nothing else.
pub(super) fn is_number(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_are_told_from_ids() {
        for value in ["1.23457E+11", "1,23457E+11", "1e+15", "1.0E9", "-4.5e-05", "1.23457e11"] {
            assert!(has_exponent(value.as_bytes()), "{value}");
        }
        for value in ["12e4", "1e15", "e+11", "1.2E", "1.2E+", "a1.2E+3", "1.2.3E+4", "1E+1234"] {
            assert!(!has_exponent(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn numbers_that_lost_digits_are_told_from_long_ids() {
        let are_rounded = |values: &[&str]| {
            let mut numbers = LongNumbers::default();
            for value in values {
                numbers.add(value.as_bytes());
            }
            numbers.are_rounded()
        };
        let lost = [
            "1234567890123400",
            "1234567890123500",
            "12345678901236000",
            "1234567890123700",
            "1234567890123800",
        ];
        assert!(lost.iter().all(|number| is_rounded(number.as_bytes())));
        assert!(are_rounded(&lost) && !are_rounded(&lost[1..]) && !are_rounded(&[lost[0]; 9]));
        assert!(!are_rounded(&[&lost[..], &["1234567890123456"]].concat()));
        for kept in ["123456789012300", "1234567890123401", "12345678901234010", ""] {
            assert!(!is_rounded(kept.as_bytes()), "{kept}");
        }
    }

    #[test]
    fn floats_without_a_fraction_are_whole_numbers() {
        for (value, whole) in [
            ("100200.0", Some("100200")),
            ("100200,00", Some("100200")),
            ("-1.0", Some("-1")),
            ("7.000000", Some("7")),
            ("100.000", None),
            ("1.5", None),
            ("A7.0", None),
            (".0", None),
            ("7.", None),
            ("1.2.0", None),
        ] {
            let found = whole_of_float(value.as_bytes());
            assert_eq!(found, whole.map(str::as_bytes), "{value}");
        }
    }

    #[test]
    fn thousands_are_set_apart_by_one_sign() {
        for value in
            ["100,200", "1.100.200", "12 345", "100'200", "1\u{a0}000", "1\u{202f}000\u{202f}000"]
        {
            assert!(has_thousands(value.as_bytes()), "{value}");
        }
        for value in ["100200", "1,2", "1000,200", "1,100.200", "0,100", "100,20", "a,100", "", ","]
        {
            assert!(!has_thousands(value.as_bytes()), "{value}");
        }
    }
}
