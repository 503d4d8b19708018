//! Canonical forms of the identifiers that are uploaded in clear: Facebook ids, third-party ids, advertiser ids.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::column::{self, Column, class};
use super::phone::{DIGITS_MAX, DIGITS_MIN};
use super::{Note, Reason, Verdict, personal, prehashed, spreadsheet};
use crate::hash;
use crate::trim;
use crate::user_type::THIRD_PARTY_BYTES_MAX;

/// The largest Facebook id: `u64::MAX`.
const FBID_MAX: &[u8] = b"18446744073709551615";

/// A device id that a whole generation of Android 2.2 devices reports (Android issue 10603).
const SHARED_ANDROID_ID: &[u8] = b"9774d56d682e549c";

/// Treatment of the letter case of third-party ids.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Case {
    /// Lower-case them, as the API asks for uniform casing, unless that makes two ids of one input the same.
    #[default]
    Auto,
    /// Lower-case them.
    Lower,
    /// Keep them, for ids that are case-sensitive.
    Keep,
}

/// What tells the spelling of an id from others that are the same in lower case: which letters are capital ones, or of what
/// is longer or not ASCII the beginning of a digest. Never 0.
#[cold]
pub(super) fn original(bytes: &[u8], lower: &[u8]) -> u64 {
    let value = trim::trim(bytes);
    let value = trim::without_guard(value).unwrap_or(value);
    if lower.len() <= 64 && value.is_ascii() {
        let bits = value
            .iter()
            .zip(lower)
            .rev()
            .fold(0, |bits, (byte, _)| bits << 1 | u64::from(byte.is_ascii_uppercase()));
        return bits.max(1);
    }
    let digest = hash::digest(value);
    let (first, _) = digest.split_first_chunk().expect("a digest has 32 bytes");
    u64::from_be_bytes(*first) | 1
}

/// Treatment of third-party ids that look like names, postal addresses, dates or national phone numbers.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Ids {
    /// Reject them: ids leave in clear.
    #[default]
    Checked,
    /// Take them, for ids that happen to look so. E-mail addresses and numbers with + never leave.
    Any,
}

/// What is known of a column of Facebook ids.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FbidColumn {
    /// True if it is called like phone numbers, so that what could be one is none.
    pub(super) refuses_phones: bool,
    /// True if a spreadsheet rounded its long numbers.
    pub(super) is_rounded: bool,
}

/// Facebook id: ASCII digits, 1 to `u64::MAX`, no leading zero; the `.0` of a float export is dropped.
#[inline]
pub(super) fn fbid(column: FbidColumn, value: &[u8], out: &mut Vec<u8>) -> Verdict {
    let digits = value.strip_suffix(b".0").unwrap_or(value);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Verdict::Rejected(explain_clear(value, Reason::Malformed));
    }
    if prehashed::is_digest(digits) {
        return Verdict::Rejected(Reason::AlreadyHashed);
    }
    if digits[0] == b'0' {
        let is_zero = digits.iter().all(|digit| *digit == b'0');
        return Verdict::Rejected(if is_zero { Reason::OutOfRange } else { Reason::LeadingZero });
    }
    if digits.len() > FBID_MAX.len() || (digits.len() == FBID_MAX.len() && digits > FBID_MAX) {
        return Verdict::Rejected(Reason::OutOfRange);
    }
    if column.refuses_phones && (DIGITS_MIN..=DIGITS_MAX).contains(&digits.len()) {
        return Verdict::Rejected(Reason::LooksPersonal);
    }
    if column.is_rounded && spreadsheet::is_rounded(digits) {
        return Verdict::Rejected(Reason::SpreadsheetNumber);
    }
    out.extend_from_slice(digits);
    Verdict::Raw(if digits.len() < value.len() { Note::FLOAT } else { Note::PLAIN })
}

/// The rule for third-party ids of one column.
#[derive(Clone, Copy, Debug)]
pub(super) struct ThirdPartyRule {
    pub(super) case: Case,
    pub(super) column: Column,
}

impl ThirdPartyRule {
    /// Third-party id: an opaque token of 1 to 255 bytes without anything that could be taken for a line end, that looks
    /// like the others of its column.
    #[inline]
    pub(super) fn apply(&self, value: &[u8], out: &mut Vec<u8>) -> Verdict {
        let classes = column::classes(value);
        if value.len() <= THIRD_PARTY_BYTES_MAX && self.column.is_clean(value, classes) {
            return self.push_ascii(value, classes, out);
        }
        self.judge(value, classes, out)
    }

    #[inline]
    fn push_ascii(&self, value: &[u8], classes: u8, out: &mut Vec<u8>) -> Verdict {
        let start = out.len();
        out.extend_from_slice(value);
        if self.case != Case::Keep && classes & class::UPPER != 0 {
            out[start..].make_ascii_lowercase();
            return Verdict::Raw(Note::CASE_CHANGED);
        }
        Verdict::Raw(Note::PLAIN)
    }

    #[cold]
    fn judge(&self, value: &[u8], classes: u8, out: &mut Vec<u8>) -> Verdict {
        if value.len() > THIRD_PARTY_BYTES_MAX {
            return Verdict::Rejected(Reason::TooLong);
        }
        let Ok(text) = std::str::from_utf8(value) else {
            return Verdict::Rejected(Reason::InvalidUtf8);
        };
        // U+2028 and U+2029 end a line for many readers, as U+0085 does, which is a control character.
        let is_control = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        if classes & (class::CONTROL | class::HIGH) != 0 && text.chars().any(is_control) {
            return Verdict::Rejected(Reason::ControlCharacter);
        }
        let (value, float) = match self.column.judge(value) {
            Ok((value, false)) => (value, Note::PLAIN),
            Ok((whole, true)) => (whole, Note::FLOAT),
            Err(reason) => return Verdict::Rejected(reason),
        };
        if classes & class::HIGH == 0 {
            return match self.push_ascii(value, classes, out) {
                Verdict::Raw(note) => Verdict::Raw(note.and(float)),
                verdict => verdict,
            };
        }
        let lower = match self.case {
            Case::Auto | Case::Lower => text.to_lowercase(),
            Case::Keep => text.to_owned(),
        };
        if lower.len() > THIRD_PARTY_BYTES_MAX {
            return Verdict::Rejected(Reason::TooLong);
        }
        // KELVIN SIGN becomes a `k`: what is written must stay what it was.
        if let Err(reason) = self.column.judge(lower.as_bytes()) {
            return Verdict::Rejected(reason);
        }
        out.extend_from_slice(lower.as_bytes());
        Verdict::Raw(if lower == text { Note::PLAIN } else { Note::CASE_CHANGED })
    }
}

/// What 16 decimal digits are in a column of advertising ids. Payment cards have as many, and of Android ids one in 1,844
/// has no letter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Decimals {
    /// An Android id, of which the column has others.
    #[default]
    Take,
    /// An Android id, unless they could be the number of a payment card, or a number that a spreadsheet rounded.
    Doubt,
    /// None: the column holds something else.
    Refuse,
}

impl Decimals {
    /// What they are in a column with these values among others.
    pub(super) fn of_sample<'a>(sample: impl Iterator<Item = &'a [u8]>) -> Self {
        let (mut ids, mut decimals) = (0, 0);
        for value in sample.map(trim::trim).filter(|value| value.len() == 16) {
            if value.iter().all(u8::is_ascii_digit) {
                decimals += 1;
            } else {
                ids += usize::from(value.iter().all(u8::is_ascii_hexdigit));
            }
        }
        match (ids, decimals) {
            (_, 2..) if decimals * 10 > ids => Self::Refuse,
            (0, _) => Self::Doubt,
            _ => Self::Take,
        }
    }

    #[inline]
    fn refuse(self, value: &[u8; 16]) -> Option<Reason> {
        if self == Self::Take || !value.iter().all(u8::is_ascii_digit) {
            return None;
        }
        if spreadsheet::is_rounded(value) {
            return Some(Reason::SpreadsheetNumber);
        }
        (self == Self::Refuse || is_card(value)).then_some(Reason::LooksPersonal)
    }
}

/// Whether digits are those of a payment card: the last one checks the others (ISO/IEC 7812-1, annex B).
fn is_card(digits: &[u8; 16]) -> bool {
    let sum: u32 = digits
        .iter()
        .enumerate()
        .map(|(at, digit)| match (at % 2, u32::from(digit - b'0')) {
            (0, digit) => digit * 2 / 10 + digit * 2 % 10,
            (_, digit) => digit,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Advertiser id: 8-4-4-4-12 hex digits (IDFA, Google), or 16 (Android ID), in lower case. Where Android ids cannot be
/// expected, 16 decimal digits are none.
#[inline]
pub(super) fn mobile_advertiser_id(decimals: Decimals, value: &[u8], out: &mut Vec<u8>) -> Verdict {
    match (value.as_array::<36>(), value.as_array::<16>()) {
        (Some(uuid), _) => lower_hex(uuid, UUID_HYPHENS, out),
        (_, Some(android_id)) => match decimals.refuse(android_id) {
            Some(reason) => Verdict::Rejected(reason),
            None => lower_hex(android_id, 0, out),
        },
        _ => Verdict::Rejected(explain_clear(value, Reason::Malformed)),
    }
}

/// The same where Android ids are none.
pub(super) fn advertising_id(decimals: Decimals, value: &[u8], out: &mut Vec<u8>) -> Verdict {
    let start = out.len();
    match mobile_advertiser_id(decimals, value, out) {
        Verdict::Raw(_) if value.len() == 16 => {
            out.truncate(start);
            Verdict::Rejected(Reason::AndroidId)
        }
        verdict => verdict,
    }
}

/// Which bytes of a UUID are hyphens.
const UUID_HYPHENS: u64 = 1 << 8 | 1 << 13 | 1 << 18 | 1 << 23;

/// Hex digits, and hyphens where `hyphens` has a bit. Nothing is decided byte by byte, so that the compiler compares many
/// at once and no branch is foretold wrongly: 5 ns an id, and 16 with its block.
#[inline]
fn lower_hex<const LEN: usize>(value: &[u8; LEN], hyphens: u64, out: &mut Vec<u8>) -> Verdict {
    let (mut wrong, mut differs) = (0_u8, 0_u8);
    // Digits and hyphens have this bit already.
    let lower = value.map(|byte| byte | 0x20);
    for (index, (&byte, &low)) in value.iter().zip(&lower).enumerate() {
        let is_hyphen = hyphens >> index & 1 != 0;
        let is_hex = (byte.wrapping_sub(b'0') < 10) | (low.wrapping_sub(b'a') < 6);
        wrong |= u8::from(if is_hyphen { byte != b'-' } else { !is_hex });
        differs |= if is_hyphen { 0 } else { byte ^ b'0' };
    }
    if wrong != 0 {
        return Verdict::Rejected(explain_clear(value, Reason::Malformed));
    }
    if differs == 0 {
        return Verdict::Rejected(Reason::TrackingLimited);
    }
    if lower == SHARED_ANDROID_ID {
        return Verdict::Rejected(Reason::SharedDeviceId);
    }
    out.extend_from_slice(&lower);
    Verdict::Raw(Note::PLAIN)
}

/// The reason for a value that does not have the form of its type, where a more telling one is known.
#[cold]
fn explain_clear(value: &[u8], otherwise: Reason) -> Reason {
    if trim::is_null_word(value) {
        Reason::NullWord
    } else if std::str::from_utf8(value).is_err() {
        Reason::InvalidUtf8
    } else if prehashed::is_digest(value) {
        Reason::AlreadyHashed
    } else if spreadsheet::has_exponent(value) {
        Reason::SpreadsheetNumber
    } else if personal::is_raw(&personal::plain(value)) {
        Reason::RawPersonalData
    } else {
        otherwise
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rule on one byte after the other.
    fn by_byte(value: &[u8]) -> Option<Vec<u8>> {
        let is_hex = |(index, byte): (usize, &u8)| match (value.len(), index) {
            (36, 8 | 13 | 18 | 23) => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        };
        let is_id = matches!(value.len(), 16 | 36) && value.iter().enumerate().all(is_hex);
        let is_told = value.iter().any(|byte| !matches!(byte, b'0' | b'-'));
        let lower = value.to_ascii_lowercase();
        (is_id && is_told && lower != SHARED_ANDROID_ID).then_some(lower)
    }

    #[test]
    fn where_android_ids_are_none_only_they_are_refused() {
        for (id, refused) in [
            (&b"0123aBcD-4567-89ef-fedc-0F9E8d7c6b5a"[..], None),
            (b"0123456789abcDEF", Some(Reason::AndroidId)),
            (b"0000000000000000", Some(Reason::TrackingLimited)),
            (b"0123456789abcDEg", Some(Reason::Malformed)),
        ] {
            let mut out = Vec::new();
            let verdict = advertising_id(Decimals::Take, id, &mut out);
            match refused {
                None => assert_eq!(verdict, Verdict::Raw(Note::PLAIN)),
                Some(reason) => {
                    assert_eq!(verdict, Verdict::Rejected(reason));
                    assert!(out.is_empty());
                }
            }
        }
    }

    #[test]
    fn every_byte_at_every_place_of_an_advertiser_id_is_judged_as_by_itself() {
        for id in [
            &b"0123aBcD-4567-89ef-fedc-0F9E8d7c6b5a"[..],
            b"00000000-0000-0000-0000-000000000000",
            b"0123456789abcDEF",
            b"0000000000000000",
            SHARED_ANDROID_ID,
        ] {
            let mut id = id.to_vec();
            for at in 0..id.len() {
                for byte in 0..=255 {
                    let before = std::mem::replace(&mut id[at], byte);
                    let mut out = Vec::new();
                    let verdict = mobile_advertiser_id(Decimals::Take, &id, &mut out);
                    let accepted = (verdict == Verdict::Raw(Note::PLAIN)).then_some(out);
                    assert_eq!(accepted, by_byte(&id), "{:?}", id.escape_ascii().to_string());
                    id[at] = before;
                }
            }
        }
        for len in 0..40 {
            let (id, mut out) = (vec![b'a'; len], Vec::new());
            let is_accepted =
                mobile_advertiser_id(Decimals::Take, &id, &mut out) == Verdict::Raw(Note::PLAIN);
            assert_eq!(is_accepted.then_some(out), by_byte(&id), "{len}");
        }
    }
}
