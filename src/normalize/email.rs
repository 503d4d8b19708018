//! Canonical form of an e-mail address: trimmed, trailing dots off, ASCII lower case, a subset of RFC 5321 that every
//! mail system accepts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Note, Prehashed, Reason, Verdict, domain, prehashed};

/// Longest address in bytes (RFC 5321 4.5.3.1.3, less the angle brackets).
pub(super) const ADDRESS_BYTES_MAX: usize = 254;
/// Longest local part in bytes (RFC 5321 4.5.3.1.1).
const LOCAL_BYTES_MAX: usize = 64;
/// Longest label of a domain name in bytes (RFC 1035 2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// Treatment of letters outside ASCII in a domain.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Idn {
    /// Reject the address.
    #[default]
    Reject,
    /// Convert the domain by UTS 46.
    Punycode,
}

#[derive(Debug)]
pub(super) struct EmailRule {
    pub(super) prehashed: Prehashed,
    pub(super) idn: Idn,
    /// True in an opt-out list: `@rival.example` stands for everybody there.
    pub(super) takes_domains: bool,
}

impl EmailRule {
    pub(super) fn new(prehashed: Prehashed, idn: Idn) -> Self {
        Self { prehashed, idn, takes_domains: false }
    }

    /// Whether a value of a list may stand for a domain, or be a pattern.
    #[inline]
    pub(super) fn may_be_pattern(&self, value: &[u8]) -> bool {
        self.takes_domains
            && (value.first() == Some(&b'@') || memchr::memchr2(b'*', b'%', value).is_some())
    }

    /// Whether an address in plain text is accepted at all.
    pub(super) fn takes_plain(&self) -> bool {
        self.prehashed != Prehashed::Always
    }

    /// Appends the canonical form of a trimmed, non-blank value to `out`, or says why there is none.
    ///
    /// The plain address, which is nearly every value, costs one pass; everything else goes to [`Self::explain`].
    #[inline]
    pub(super) fn apply(&self, value: &[u8], out: &mut Vec<u8>) -> Verdict {
        if self.may_be_pattern(value)
            && let Some(verdict) = domain::verdict(value, self.idn, out)
        {
            return verdict;
        }
        if self.takes_plain() && push_plain(without_trailing_dots(value), out) {
            return Verdict::Raw(Note::PLAIN);
        }
        self.explain(value, out)
    }

    #[cold]
    fn explain(&self, value: &[u8], out: &mut Vec<u8>) -> Verdict {
        if let Some(verdict) = prehashed::verdict(self.prehashed, value) {
            return verdict;
        }
        let value = without_trailing_dots(value);
        if value.is_ascii() {
            return Verdict::Rejected(reject_reason(value));
        }
        let converted = match (self.idn, std::str::from_utf8(value)) {
            (_, Err(_)) => return Verdict::Rejected(Reason::InvalidUtf8),
            (Idn::Punycode, Ok(text)) => with_ascii_domain(text),
            (Idn::Reject, Ok(_)) => None,
        };
        match converted {
            None => Verdict::Rejected(Reason::NonAscii),
            Some(address) if push_plain(address.as_bytes(), out) => Verdict::Raw(Note::PLAIN),
            Some(address) => Verdict::Rejected(reject_reason(address.as_bytes())),
        }
    }
}

/// Whether a trimmed value is an address that [`EmailRule`] accepts as it stands.
pub(super) fn is_address(value: &[u8]) -> bool {
    let value = without_trailing_dots(value);
    memchr::memchr(b'@', value).is_some_and(|at| {
        value.len() <= ADDRESS_BYTES_MAX && is_local(&value[..at]) && is_domain(&value[at + 1..])
    })
}

/// Whether a byte may stand in a local part, dots aside.
pub(super) fn is_atom_byte(byte: u8) -> bool {
    ATOM[usize::from(byte)]
}

pub(super) fn without_trailing_dots(mut value: &[u8]) -> &[u8] {
    while let [rest @ .., b'.'] = value {
        value = rest;
    }
    value
}

/// Appends a valid address in lower case; appends nothing to an invalid one.
#[inline]
fn push_plain(value: &[u8], out: &mut Vec<u8>) -> bool {
    if !is_address(value) {
        return false;
    }
    let start = out.len();
    out.extend_from_slice(value);
    out[start..].make_ascii_lowercase();
    true
}

/// Bytes of an atom (RFC 5322 3.2.3).
const ATOM: [bool; 256] = {
    let mut table = [false; 256];
    let symbols = b"!#$%&'*+/=?^_`{|}~-";
    let mut index = 0;
    while index < symbols.len() {
        table[symbols[index] as usize] = true;
        index += 1;
    }
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() {
            table[byte as usize] = true;
        }
        byte += 1;
    }
    table
};

/// Dot-atom of 1 to 64 bytes: no dot first, last or beside another.
#[inline]
fn is_local(local: &[u8]) -> bool {
    let mut after_dot = true;
    for &byte in local {
        if byte == b'.' {
            if after_dot {
                return false;
            }
            after_dot = true;
        } else if ATOM[usize::from(byte)] {
            after_dot = false;
        } else {
            return false;
        }
    }
    !after_dot && local.len() <= LOCAL_BYTES_MAX
}

/// At least two labels of letters, digits and inner hyphens; the last one not all digits.
#[inline]
pub(super) fn is_domain(domain: &[u8]) -> bool {
    let mut label_len = 0;
    let mut labels = 1;
    let mut has_letter = false;
    let mut before = b'.';
    for &byte in domain {
        if byte == b'.' {
            if label_len == 0 || before == b'-' {
                return false;
            }
            label_len = 0;
            labels += 1;
            has_letter = false;
        } else {
            let is_letter = byte.is_ascii_alphabetic();
            let is_inner = is_letter || byte.is_ascii_digit() || (byte == b'-' && label_len > 0);
            label_len += 1;
            if !is_inner || label_len > LABEL_BYTES_MAX {
                return false;
            }
            has_letter |= is_letter || byte == b'-';
        }
        before = byte;
    }
    labels >= 2 && label_len > 0 && before != b'-' && has_letter
}

/// Why an ASCII value is no address.
fn reject_reason(value: &[u8]) -> Reason {
    let ats = memchr::memchr_iter(b'@', value).count();
    let at = memchr::memchr(b'@', value).unwrap_or(0);
    if ats == 0 {
        Reason::NoAtSign
    } else if value.len() > ADDRESS_BYTES_MAX {
        Reason::TooLong
    } else if ats > 1 {
        Reason::SeveralAtSigns
    } else if !is_local(&value[..at]) {
        Reason::BadLocalPart
    } else {
        Reason::BadDomain
    }
}

/// The address with its domain converted by UTS 46 (non-transitional), if the local part is ASCII and the domain can
/// be converted.
fn with_ascii_domain(text: &str) -> Option<String> {
    let (local, domain) = text.rsplit_once('@')?;
    if !local.is_ascii() {
        return None;
    }
    let domain = idna::domain_to_ascii(domain).ok()?;
    Some(format!("{local}@{}", domain.trim_end_matches('.')))
}
