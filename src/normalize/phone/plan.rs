//! The numbering plan as a table: the fast path for numbers that need no interpretation.
//!
//! A number is plain if it is digits with at most a leading `+` and simple separators, begins with a calling code, has
//! no zero after it, and has a length that is possible in that country. libphonenumber then changes nothing, because
//! the trunk prefixes that it would strip begin with a zero, or are in [`TRUNK_PREFIXES`], or stripping them would
//! leave a length that is not possible. The lengths come from libphonenumber's metadata when the rule is made; the
//! tests of the parent module compare every answer with the library's.

use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumber};

use super::national::National;
use super::scan::Digits;
use super::{DIGITS_MAX, DIGITS_MIN};
use crate::normalize::Country;
use crate::normalize::country::CODES;

/// National prefixes and carrier codes that do not begin with a zero (`nationalPrefixForParsing` in libphonenumber's
/// `PhoneNumberMetadata.xml`): such numbers are left to the library. Argentina's rule rewrites mobile numbers.
const TRUNK_PREFIXES: &[(u16, &[&str])] = &[
    (54, &[""]),
    (55, &["90"]),
    (61, &["183"]),
    (86, &["11", "12", "179"]),
    (298, &["10"]),
    (352, &["15"]),
    (375, &["8"]),
    (423, &["1001"]),
    (506, &["19"]),
];

/// Longest national number in the table, in digits: with the shortest calling code it is [`DIGITS_MAX`] long.
const NATIONAL_DIGITS_MAX: usize = DIGITS_MAX - 1;

#[derive(Clone, Copy, Debug, Default)]
struct Code {
    /// Bit n is set if national numbers of n digits are possible.
    lengths: u16,
    trunk_prefixes: &'static [&'static str],
    /// The way of the country by whose rules international numbers with that code are read.
    national: National,
}

/// Calling codes of one to three digits with the lengths of their national numbers.
#[derive(Debug)]
pub(super) struct Plan {
    codes: Box<[Code]>,
    /// By the place of a country's code.
    countries: Box<[National]>,
}

impl Plan {
    /// Asks libphonenumber's metadata for the possible lengths of every calling code.
    pub(super) fn from_metadata() -> Self {
        let mut codes = vec![Code::default(); 1000].into_boxed_slice();
        for code in Self::calling_codes() {
            let trunk_prefixes = TRUNK_PREFIXES
                .iter()
                .find(|(listed, _)| *listed == code)
                .map_or(&[][..], |(_, prefixes)| prefixes);
            let lengths = (2..=NATIONAL_DIGITS_MAX)
                .filter(|len| is_possible(code, *len))
                .fold(0, |lengths, len| lengths | 1 << len);
            let region = PHONE_NUMBER_UTIL.get_region_for_country_code(i32::from(code));
            let country = Country::all().find(|country| Some(country.region()) == region);
            let national = country.map_or_else(National::default, |of| National::of(of, code));
            codes[usize::from(code)] = Code { lengths, trunk_prefixes, national };
        }
        let mut countries = vec![National::default(); CODES].into_boxed_slice();
        for country in Country::all() {
            let code = PHONE_NUMBER_UTIL.get_country_code_for_region(country.region());
            if let Some(code) = code.and_then(|code| u16::try_from(code).ok()) {
                countries[country.place()] = National::of(country, code);
            }
        }
        Self { codes, countries }
    }

    /// Appends the digits of a country's plain national number, with its code; appends nothing and returns `false` where the
    /// library has to decide.
    #[inline]
    pub(super) fn push_national(&self, value: &[u8], country: Country, out: &mut Vec<u8>) -> bool {
        let national = self.countries[country.place()];
        if national.code == 0 {
            return false;
        }
        let Some((buffer, len)) = digits(value) else { return false };
        self.push_as(national, &buffer[..len], out)
    }

    /// Appends the number that scanned digits are, international or of a country; appends nothing and returns `false` where
    /// the library has to decide.
    pub(super) fn push_scanned(
        &self,
        digits: &Digits,
        country: Option<Country>,
        out: &mut Vec<u8>,
    ) -> bool {
        let text = digits.text.as_bytes();
        let national = country.map(|country| self.countries[country.place()]);
        if text.len() > DIGITS_MAX + 2 {
            return false;
        }
        match (text, national) {
            _ if digits.has_plus => self.push_international(text, out),
            ([b'0', b'0', rest @ ..], None) => self.push_international(rest, out),
            ([b'0', b'0', rest @ ..], Some(national)) => {
                national.has_exit_zeros && self.push_international(rest, out)
            }
            (_, Some(national)) => national.code != 0 && self.push_as(national, text, out),
            (_, None) => false,
        }
    }

    /// Appends an international number, without the trunk zero behind its code if there is one.
    fn push_international(&self, number: &[u8], out: &mut Vec<u8>) -> bool {
        if (DIGITS_MIN..=DIGITS_MAX).contains(&number.len()) && self.is_plain(number) {
            out.extend_from_slice(number);
            return true;
        }
        let Some((national, written)) = self.national_of(number) else { return false };
        national.has_trunk_zero && written.starts_with(b"0") && self.push_as(national, written, out)
    }

    /// The way of the code that an international number begins with, and what is behind it.
    fn national_of<'a>(&self, number: &'a [u8]) -> Option<(National, &'a [u8])> {
        let mut code = 0;
        for code_len in 1..=3.min(number.len()) {
            code = code * 10 + usize::from(number[code_len - 1] - b'0');
            if code == 0 {
                return None;
            }
            let entry = &self.codes[code];
            if entry.lengths != 0 {
                return Some((entry.national, &number[code_len..]));
            }
        }
        None
    }

    /// Appends digits as a country's national number.
    #[inline]
    fn push_as(&self, national: National, written: &[u8], out: &mut Vec<u8>) -> bool {
        let mut code = [0; 3];
        let code_len = write_code(national.code, &mut code);
        let code = &code[..code_len];
        let Some(number) = national.number(written, code) else { return false };
        let is_possible = number.len() <= NATIONAL_DIGITS_MAX
            && self.codes[usize::from(national.code)].lengths & (1 << number.len()) != 0
            && (DIGITS_MIN..=DIGITS_MAX).contains(&(code.len() + number.len()));
        if is_possible {
            out.extend_from_slice(code);
            out.extend_from_slice(number);
        }
        is_possible
    }

    /// Every calling code that libphonenumber knows, of countries and of global networks.
    pub(super) fn calling_codes() -> impl Iterator<Item = u16> {
        PHONE_NUMBER_UTIL
            .get_supported_calling_codes()
            .chain(PHONE_NUMBER_UTIL.get_supported_global_network_calling_codes())
            .filter_map(|code| u16::try_from(code).ok())
    }

    /// Appends the digits of a plain international number, and returns them with zeros behind; appends nothing where the
    /// library has to decide.
    #[inline]
    pub(super) fn push_plain(
        &self,
        value: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<[u8; DIGITS_MAX + 1]> {
        let (buffer, len) = digits(value.strip_prefix(b"+").unwrap_or(value))?;
        let number = &buffer[..len];
        if len < DIGITS_MIN || !self.is_plain(number) {
            return None;
        }
        out.extend_from_slice(number);
        Some(buffer)
    }

    fn is_plain(&self, number: &[u8]) -> bool {
        let mut code = 0;
        for code_len in 1..=3 {
            code = code * 10 + usize::from(number[code_len - 1] - b'0');
            let entry = &self.codes[code];
            // No calling code begins another one, so the first that is known is the one.
            if entry.lengths != 0 {
                let national = &number[code_len..];
                return code >= if code_len == 1 { 1 } else { 10 }
                    && national.len() <= NATIONAL_DIGITS_MAX
                    && entry.lengths & (1 << national.len()) != 0
                    && national[0] != b'0'
                    && !entry
                        .trunk_prefixes
                        .iter()
                        .any(|prefix| national.starts_with(prefix.as_bytes()));
            }
            if code == 0 {
                return false;
            }
        }
        false
    }
}

/// The digits of a value of digits and simple separators, with zeros behind, and how many they are.
#[inline]
fn digits(value: &[u8]) -> Option<([u8; DIGITS_MAX + 1], usize)> {
    // `447911123456.0` is a float, not a number that ends in a zero.
    if matches!(value, [.., b'.', _] | [.., b'0', b'0']) && has_decimals(value) {
        return None;
    }
    let mut buffer = [0; DIGITS_MAX + 1];
    let mut len = 0;
    for &byte in value {
        if byte.is_ascii_digit() {
            if len == DIGITS_MAX {
                return None;
            }
            buffer[len] = byte;
            len += 1;
        } else if !(matches!(byte, b' ' | b'-' | b'.' | b')') || byte == b'(' && len < DIGITS_MIN) {
            return None;
        }
    }
    Some((buffer, len))
}

/// Whether a value ends in a point and a single digit, or in a point and zeros, however many.
fn has_decimals(value: &[u8]) -> bool {
    let zeros = value.iter().rev().take_while(|byte| **byte == b'0').count();
    matches!(value, [.., b'.', _]) || value[..value.len() - zeros].ends_with(b".")
}

/// Writes a calling code in digits, and returns how many.
#[inline]
fn write_code(code: u16, digits: &mut [u8; 3]) -> usize {
    let digit = |value: u16| b'0' + u8::try_from(value % 10).unwrap_or(0);
    *digits = match code {
        ..10 => [digit(code), 0, 0],
        10..100 => [digit(code / 10), digit(code), 0],
        _ => [digit(code / 100), digit(code / 10), digit(code)],
    };
    match code {
        ..10 => 1,
        10..100 => 2,
        _ => 3,
    }
}

fn is_possible(code: u16, national_len: usize) -> bool {
    let number = PhoneNumber {
        country_code: i32::from(code),
        national_number: 10_u64.pow(u32::try_from(national_len - 1).expect("at most 14")),
        ..PhoneNumber::default()
    };
    PHONE_NUMBER_UTIL.is_possible_number_with_reason(&number) == Ok(NumberLengthType::IsPossible)
}
