//! Canonical forms of the identifiers that are uploaded in clear: Facebook ids, third-party ids, advertiser ids.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Note, Reason, Verdict, email, phone, prehashed};
use crate::trim::{self, trim};
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
    /// Lower-case them: the API asks for uniform casing.
    #[default]
    Lower,
    /// Keep them, for ids that are case-sensitive.
    Keep,
}

/// Facebook id: ASCII digits, 1 to `u64::MAX`, no leading zero; the `.0` of a float export is dropped.
#[inline]
pub(super) fn fbid(value: &[u8], out: &mut Vec<u8>) -> Verdict {
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
    out.extend_from_slice(digits);
    Verdict::Raw(Note::PLAIN)
}

/// Third-party id: an opaque token of 1 to 255 bytes without anything that could be taken for a line end.
#[inline]
pub(super) fn third_party(case: Case, value: &[u8], out: &mut Vec<u8>) -> Verdict {
    if trim::is_null_word(value) {
        return Verdict::Rejected(Reason::NullWord);
    }
    if value.len() > THIRD_PARTY_BYTES_MAX {
        return Verdict::Rejected(Reason::TooLong);
    }
    if !value.is_ascii() {
        return third_party_unicode(case, value, out);
    }
    if value.iter().any(u8::is_ascii_control) {
        return Verdict::Rejected(Reason::ControlCharacter);
    }
    if is_raw_personal_data(value) {
        return Verdict::Rejected(Reason::RawPersonalData);
    }
    let start = out.len();
    out.extend_from_slice(value);
    if case == Case::Lower && value.iter().any(u8::is_ascii_uppercase) {
        out[start..].make_ascii_lowercase();
        return Verdict::Raw(Note::CASE_CHANGED);
    }
    Verdict::Raw(Note::PLAIN)
}

#[cold]
fn third_party_unicode(case: Case, value: &[u8], out: &mut Vec<u8>) -> Verdict {
    let Ok(text) = std::str::from_utf8(value) else {
        return Verdict::Rejected(Reason::InvalidUtf8);
    };
    // U+2028 and U+2029 end a line for many readers, as U+0085 does, which is a control character.
    if text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
        return Verdict::Rejected(Reason::ControlCharacter);
    }
    let lower = match case {
        Case::Lower => text.to_lowercase(),
        Case::Keep => text.to_owned(),
    };
    if lower.len() > THIRD_PARTY_BYTES_MAX {
        return Verdict::Rejected(Reason::TooLong);
    }
    // KELVIN SIGN becomes a `k`: only what is written shows what it is.
    if is_raw_personal_data(lower.as_bytes()) {
        return Verdict::Rejected(Reason::RawPersonalData);
    }
    out.extend_from_slice(lower.as_bytes());
    Verdict::Raw(if lower == text { Note::PLAIN } else { Note::CASE_CHANGED })
}

/// An e-mail address, or an international phone number with `+`, bare or wrapped as people wrap them: it must not leave
/// unhashed.
fn is_raw_personal_data(value: &[u8]) -> bool {
    if memchr::memchr2(b'@', b'+', value).is_none() && value.is_ascii() {
        return false;
    }
    let bare = unwrapped(value);
    email::is_address(bare) || email::is_international_address(bare) || phone::has_plus(bare)
}

/// Without quotes or angle brackets around it, and without `mailto:` or `tel:` before it.
fn unwrapped(mut value: &[u8]) -> &[u8] {
    loop {
        let scheme = [&b"mailto:"[..], b"tel:"].into_iter().find(|scheme| {
            value.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        });
        value = match (scheme, value) {
            (Some(scheme), _) => trim(&value[scheme.len()..]),
            (
                None,
                [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] | [b'<', inner @ .., b'>'],
            ) => trim(inner),
            _ => return value,
        };
    }
}

/// Advertiser id: 8-4-4-4-12 hex digits (IDFA, Google), or 16 (Android ID), in lower case.
#[inline]
pub(super) fn mobile_advertiser_id(value: &[u8], out: &mut Vec<u8>) -> Verdict {
    match (value.as_array::<36>(), value.as_array::<16>()) {
        (Some(uuid), _) => lower_hex(uuid, UUID_HYPHENS, out),
        (_, Some(android_id)) => lower_hex(android_id, 0, out),
        _ => Verdict::Rejected(explain_clear(value, Reason::Malformed)),
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
                    let verdict = mobile_advertiser_id(&id, &mut out);
                    let accepted = (verdict == Verdict::Raw(Note::PLAIN)).then_some(out);
                    assert_eq!(accepted, by_byte(&id), "{:?}", id.escape_ascii().to_string());
                    id[at] = before;
                }
            }
        }
        for len in 0..40 {
            let (id, mut out) = (vec![b'a'; len], Vec::new());
            let is_accepted = mobile_advertiser_id(&id, &mut out) == Verdict::Raw(Note::PLAIN);
            assert_eq!(is_accepted.then_some(out), by_byte(&id), "{len}");
        }
    }
}
