//! Values that are digests already.

use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Reason, Shape, Verdict};
use crate::hash::{self, Digest, ListDigest};
use crate::trim::NULL_WORDS;

/// Treatment of values that are digests already.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Prehashed {
    /// Pass them on, hash the others.
    #[default]
    Auto,
    /// Every value must be one.
    Always,
    /// No value may be one.
    Never,
}

/// How much a value looks like a digest.
enum Form {
    Digest(Digest),
    /// A digest of another length, coding or wrapping: the platform would ignore it silently.
    Malformed,
    Other,
}

/// Lengths in hex digits of MD5, SHA-1, SHA-224, SHA-384 and SHA-512, and of a SHA-256 digest that lost or gained some.
const OTHER_DIGEST_LENGTHS: [usize; 10] = [32, 40, 56, 60, 61, 62, 63, 65, 96, 128];

/// What people put before a digest.
const PREFIXES: [&[u8]; 10] = [
    b"sha256:",
    b"sha-256:",
    b"sha256=",
    b"sha256$",
    b"{sha256}",
    b"sha1:",
    b"md5:",
    b"0x",
    b"\\x",
    b"x'",
];

/// The verdict on a trimmed, non-blank value as far as it can be told from looking like a digest; `None` for a raw
/// value that is to be normalised.
pub(super) fn verdict(mode: Prehashed, value: &[u8]) -> Option<Verdict> {
    match form(value) {
        Form::Digest(digest) if NOTHING.contains(&digest) => {
            Some(Verdict::Rejected(Reason::HashOfNothing))
        }
        Form::Digest(_) if mode == Prehashed::Never => {
            Some(Verdict::Rejected(Reason::AlreadyHashed))
        }
        Form::Digest(digest) => Some(Verdict::Prehashed(digest)),
        Form::Malformed => Some(Verdict::Rejected(Reason::MalformedHash)),
        Form::Other if mode == Prehashed::Always => Some(Verdict::Rejected(Reason::NotHashed)),
        Form::Other => None,
    }
}

/// The verdict on a value of a list of other digests: the digest, with zeros behind it.
pub(super) fn of_list(kind: ListDigest, value: &[u8]) -> Verdict {
    let mut digest = Digest::default();
    let place = &mut digest[..kind.bytes()];
    if value.len() != place.len() * 2 || !is_hex(value) {
        return Verdict::Rejected(Reason::MalformedHash);
    }
    if const_hex::decode_to_slice(value, place).is_err() {
        return Verdict::Rejected(Reason::MalformedHash);
    }
    let mut of_nothing = Vec::new();
    kind.append(b"", &mut of_nothing);
    if *place == *of_nothing {
        return Verdict::Rejected(Reason::HashOfNothing);
    }
    Verdict::Prehashed(digest)
}

/// Whether a value is 64 hex digits.
pub(super) fn is_digest(value: &[u8]) -> bool {
    value.len() == 64 && is_hex(value)
}

fn is_hex(value: &[u8]) -> bool {
    value.iter().all(u8::is_ascii_hexdigit)
}

fn form(value: &[u8]) -> Form {
    if value.len() < 32 {
        return Form::Other;
    }
    let mut digest = Digest::default();
    if value.len() == 64 && const_hex::decode_to_slice(value, &mut digest).is_ok() && is_hex(value)
    {
        return Form::Digest(digest);
    }
    let hex_len = value.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    // A run of decimal digits alone is a number that is too long, not a damaged digest.
    let has_letter = value[..hex_len].iter().any(u8::is_ascii_alphabetic);
    let is_digest_length = hex_len == 64 || OTHER_DIGEST_LENGTHS.contains(&hex_len);
    let has_suffix = hex_len < value.len();
    if is_digest_length
        && (has_letter || has_suffix)
        && value.get(hex_len).is_none_or(|next| *next != b'@')
    {
        return Form::Malformed;
    }
    let wrapped = PREFIXES.iter().any(|prefix| {
        value.len() >= prefix.len() + 32
            && value[..prefix.len()].eq_ignore_ascii_case(prefix)
            && value[prefix.len()..prefix.len() + 32].iter().all(u8::is_ascii_hexdigit)
    });
    if wrapped || is_base64_digest(value) { Form::Malformed } else { Form::Other }
}

/// What a value is that looks like a digest but is none that is compared.
pub(super) fn malformed(value: &[u8]) -> Option<Shape> {
    if !matches!(form(value), Form::Malformed) {
        return None;
    }
    let is_whole = is_hex(value);
    Some(match value.len() {
        32 if is_whole => Shape::Md5,
        40 if is_whole => Shape::Sha1,
        60..=63 if is_whole => Shape::ShortDigest,
        _ if is_whole => Shape::OtherDigest,
        _ if is_base64_digest(value) => Shape::Base64Digest,
        _ => Shape::WrappedDigest,
    })
}

/// The digest that a value is in another notation: behind a prefix, in Base64, without its leading zeros.
pub(super) fn meant(value: &[u8]) -> Option<Digest> {
    if is_base64_digest(value) {
        return of_base64(value);
    }
    let prefix = PREFIXES.iter().find(|prefix| {
        value.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    });
    let value = &value[prefix.map_or(0, |prefix| prefix.len())..];
    let hex = &value[..value.iter().take_while(|byte| byte.is_ascii_hexdigit()).count()];
    let is_whole = hex.len() == 64 && value.get(64) != Some(&b'@');
    let is_short = (60..64).contains(&hex.len()) && hex.len() == value.len();
    if !is_whole && !is_short {
        return None;
    }
    let mut padded = [b'0'; 64];
    padded[64 - hex.len()..].copy_from_slice(hex);
    let mut digest = Digest::default();
    const_hex::decode_to_slice(padded, &mut digest).ok()?;
    (!NOTHING.contains(&digest)).then_some(digest)
}

/// The 32 bytes that 43 digits of Base64 or base64url stand for.
fn of_base64(value: &[u8]) -> Option<Digest> {
    let (mut digest, mut bits, mut held, mut at) = (Digest::default(), 0_u32, 0_u32, 0);
    for byte in value.iter().take(43) {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        (bits, held) = ((bits << 6 | u32::from(six)) & 0x3fff, held + 6);
        if held >= 8 {
            held -= 8;
            *digest.get_mut(at)? = u8::try_from(bits >> held & 0xff).ok()?;
            at += 1;
        }
    }
    (at == 32).then_some(digest)
}

/// Base64 or base64url of 32 bytes: 43 digits, and mostly one `=`.
fn is_base64_digest(value: &[u8]) -> bool {
    let digits = value.strip_suffix(b"=").unwrap_or(value);
    digits.len() == 43
        && digits.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte))
        && digits.iter().any(u8::is_ascii_alphabetic)
}

/// Digests of the empty string and of the null words as people write them: somebody hashed the blanks of a column.
static NOTHING: LazyLock<Vec<Digest>> = LazyLock::new(|| {
    let capitalised = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    let mut words = vec![String::new(), "NaN".to_owned(), "\\N".to_owned()];
    for word in NULL_WORDS {
        words.extend([(*word).to_owned(), word.to_ascii_uppercase(), capitalised(word)]);
    }
    words.iter().map(|word| hash::digest(word.as_bytes())).collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_digits_alone_are_no_damaged_digest() {
        assert!(matches!(form(&[b'1'; 40]), Form::Other));
        assert!(matches!(form(&[b'1'; 64]), Form::Digest(_)));
        assert!(matches!(form(&[b'a'; 40]), Form::Malformed));
    }

    #[test]
    fn long_local_part_of_hex_digits_is_an_address() {
        let address = format!("{}@example.com", "a1".repeat(16));
        assert!(matches!(form(address.as_bytes()), Form::Other));
    }
}
