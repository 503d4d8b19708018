//! What holds for the values of every type, around the rule of one.

use super::{Canonical, Note, Value, Verdict, Wrapping, clear};
use crate::reason::Reason;
use crate::trim::{is_null_word, trim, unquote, without_guard};

/// The loop of a batch, once for each rule, so that the rule is inlined into it.
#[inline]
pub(super) fn run<'a>(
    wrapping: Wrapping,
    values: impl Iterator<Item = Value<'a>>,
    canonical: &mut Canonical,
    mut on_verdict: impl FnMut(usize, &'a [u8], Verdict),
    rule: impl Fn(&[u8], Option<&[u8]>, &mut Vec<u8>) -> Verdict,
) {
    for (index, value) in values.enumerate() {
        let bytes = match value.bytes {
            Ok(bytes) => bytes,
            Err(reason) => {
                on_verdict(index, b"", Verdict::Rejected(reason));
                continue;
            }
        };
        let verdict = push(wrapping, bytes, value.country, canonical, &rule);
        on_verdict(index, bytes, verdict);
    }
}

/// The verdict on one value, whose canonical form or digest is added to the batch.
#[inline]
pub(super) fn push(
    wrapping: Wrapping,
    bytes: &[u8],
    country: Option<&[u8]>,
    canonical: &mut Canonical,
    rule: impl Fn(&[u8], Option<&[u8]>, &mut Vec<u8>) -> Verdict,
) -> Verdict {
    canonical.value.clear();
    let verdict = judge(wrapping, bytes, country, &mut canonical.value, rule);
    match verdict {
        Verdict::Raw(note) => {
            if note.has(Note::CASE_CHANGED) && canonical.keeps_originals {
                let original = clear::original(bytes, &canonical.value);
                canonical.originals.push((canonical.messages.len(), original));
            }
            canonical.messages.push(&canonical.value);
        }
        Verdict::Prehashed(digest) => canonical.digests.push(digest),
        Verdict::Domain => {
            canonical.domains.extend_from_slice(&canonical.value);
            canonical.domains.push(b'\n');
        }
        Verdict::Blank | Verdict::Rejected(_) => {}
    }
    verdict
}

/// What holds for every type, then the type's rule.
#[inline]
fn judge(
    wrapping: Wrapping,
    bytes: &[u8],
    country: Option<&[u8]>,
    out: &mut Vec<u8>,
    rule: impl Fn(&[u8], Option<&[u8]>, &mut Vec<u8>) -> Verdict,
) -> Verdict {
    if bytes.len() > crate::limits::VALUE_BYTES_MAX {
        return Verdict::Rejected(Reason::TooLong);
    }
    let mut value = trim(bytes);
    if wrapping == Wrapping::Line {
        value = unquote(value);
    }
    if value.is_empty() {
        return Verdict::Blank;
    }
    if matches!(value[0], b'\'' | b'=' | b'"')
        && let Some(inner) = without_guard(value)
    {
        return guarded(value, inner, country, out, rule);
    }
    match rule(value, country, out) {
        Verdict::Rejected(_) if is_null_word(value) => Verdict::Rejected(Reason::NullWord),
        verdict => verdict,
    }
}

/// The verdict on a value that a spreadsheet guards, of which `inner` is what was guarded.
#[cold]
fn guarded(
    value: &[u8],
    inner: &[u8],
    country: Option<&[u8]>,
    out: &mut Vec<u8>,
    rule: impl Fn(&[u8], Option<&[u8]>, &mut Vec<u8>) -> Verdict,
) -> Verdict {
    if inner.is_empty() {
        return Verdict::Blank;
    }
    let start = out.len();
    match rule(inner, country, out) {
        Verdict::Raw(note) => Verdict::Raw(note.and(Note::UNGUARDED)),
        Verdict::Rejected(_) if is_null_word(inner) => Verdict::Rejected(Reason::NullWord),
        // `'.ann@example.com` is an address only with its apostrophe.
        Verdict::Rejected(Reason::BadLocalPart) => {
            out.truncate(start);
            rule(value, country, out)
        }
        verdict => verdict,
    }
}
