//! What a rejected value may have been meant to be.
//!
//! For finding out whether a person opted out, never for an audience: a reading that is wrong holds one too many back, and a
//! reading that is missing sends an advertisement to somebody who wants none. So there can be several of one value.

use super::clear::{self, Decimals, FbidColumn, ThirdPartyRule};
use super::column::Column;
use super::email::EmailRule;
use super::{
    Idn, Normalizer, Prehashed, Rule, Value, Vanity, Verdict, phone, prehashed, spreadsheet,
};
use crate::hash::Digest;
use crate::reason::Reason;
use crate::trim::{trim, without_guard};

/// Parts of a cell that are looked at: more are no cell of one person.
const PARTS_MAX: usize = 64;

/// A reading of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum Reading<'a> {
    /// A canonical form.
    Raw(&'a [u8]),
    /// The digest of one.
    Prehashed(Digest),
}

/// Whether what was rejected for a reason could be somebody's identifier.
#[doc(hidden)]
pub const fn may_be_identifier(reason: Reason) -> bool {
    !matches!(
        reason,
        Reason::NullWord
            | Reason::HashOfNothing
            | Reason::TrackingLimited
            | Reason::SharedDeviceId
            | Reason::NoDigits
            | Reason::MissingColumn
            | Reason::RepeatedHeader
    )
}

impl Normalizer {
    /// Calls `each` with what a value that was rejected may have been meant to be. False if some of it cannot be read.
    #[doc(hidden)]
    pub fn readings(&self, value: Value<'_>, each: impl FnMut(Reading<'_>)) -> bool {
        let Ok(bytes) = value.bytes else { return false };
        let text = undamaged(bytes);
        let mut readings = Readings { each, out: Vec::new(), seen: Vec::new() };
        match &self.rule {
            Rule::Email(_) | Rule::Phone(_) if let Some(digest) = prehashed::meant(&text) => {
                readings.take(|_| Verdict::Prehashed(digest))
            }
            Rule::Email(_) => {
                let rule = EmailRule::new(Prehashed::Auto, Idn::Punycode);
                let each =
                    parts_with_at(&text).map(|part| readings.take(|out| rule.apply(part, out)));
                all_of_some(each)
            }
            Rule::Phone(rule) => {
                let mut scan = |text: &str, vanity| {
                    readings.take(|out| rule.scan(text, value.country, vanity, out))
                };
                let Ok(text) = std::str::from_utf8(&text) else { return false };
                // What letters stand for is a guess.
                scan(text, Vanity::Convert);
                let is_one = scan(text, Vanity::Reject);
                is_one || all_of_some(parts_of_numbers(text).map(|part| scan(part, Vanity::Reject)))
            }
            Rule::ThirdParty(ThirdPartyRule { case, .. }, _) => {
                let rule = ThirdPartyRule { case: *case, column: Column::of_readings() };
                any(ids(bytes, &text).iter().map(|id| readings.take(|out| rule.apply(id, out))))
            }
            Rule::Fbid(..) => any(ids(bytes, &text).iter().map(|id| {
                let zeros = id.iter().take_while(|byte| **byte == b'0').count();
                readings.take(|out| clear::fbid(FbidColumn::default(), &id[zeros..], out))
            })),
            Rule::MobileAdvertiserId(..) => {
                let id = mobile_id(&text);
                readings.take(|out| clear::mobile_advertiser_id(Decimals::Take, &id, out))
            }
            Rule::ListDigest(_) => false,
        }
    }
}

/// The readings of a value, each once.
struct Readings<F> {
    each: F,
    out: Vec<u8>,
    seen: Vec<Vec<u8>>,
}

impl<F: FnMut(Reading<'_>)> Readings<F> {
    /// Passes a reading on; false if it is none.
    fn take(&mut self, read: impl FnOnce(&mut Vec<u8>) -> Verdict) -> bool {
        self.out.clear();
        match read(&mut self.out) {
            Verdict::Raw(_) => {
                if !self.seen.contains(&self.out) {
                    (self.each)(Reading::Raw(&self.out));
                    self.seen.push(self.out.clone());
                }
                true
            }
            Verdict::Prehashed(digest) => {
                (self.each)(Reading::Prehashed(digest));
                true
            }
            Verdict::Blank | Verdict::Rejected(_) | Verdict::Domain => false,
        }
    }
}

/// True if any is; all are looked at.
fn any(each: impl Iterator<Item = bool>) -> bool {
    each.fold(false, |any, is| any | is)
}

/// True if all are, and there are some; all are looked at.
fn all_of_some(each: impl Iterator<Item = bool>) -> bool {
    let (count, all) = each.fold((0, true), |(count, all), is| (count + 1, all & is));
    count > 0 && all
}

/// A value without what hides it: signs around it, characters that are not seen, digits and signs in another script or width.
fn undamaged(value: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(value);
    let text: String = text.chars().filter_map(in_ascii).collect();
    let value = trim(text.as_bytes());
    let value = without_guard(value).unwrap_or(value);
    let is_around = |byte: &u8| b"\"'`<>{}[]=".contains(byte) || byte.is_ascii_whitespace();
    let start = value.iter().position(|byte| !is_around(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_around(byte)).map_or(start, |last| last + 1);
    value[start..end].to_vec()
}

/// A character as ASCII has it; `None` for what is not seen.
fn in_ascii(c: char) -> Option<char> {
    match c {
        '\u{AD}'
        | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{2069}'
        | '\u{FEFF}' => None,
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => Some('-'),
        _ if c.is_control() && !c.is_whitespace() => None,
        _ => Some(phone::digit(c).unwrap_or(c)),
    }
}

/// The words of a text that could be addresses.
fn parts_with_at(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_between = |byte: &u8| byte.is_ascii_whitespace() || b";,|<>()[]\"\\:".contains(byte);
    let parts = text.split(is_between).map(|part| {
        let part = part.strip_prefix(b"'").unwrap_or(part);
        part.strip_suffix(b"'").unwrap_or(part)
    });
    parts.filter(|part| part.contains(&b'@')).take(PARTS_MAX)
}

/// What of a text could be phone numbers, if it holds several.
fn parts_of_numbers(text: &str) -> impl Iterator<Item = &str> {
    let mut start = 0;
    let ends = text.char_indices().filter(|(_, c)| "/;,|&\n\t+".contains(*c));
    let ends = ends.map(|(at, _)| at).chain([text.len()]);
    let parts = ends.map(move |end| &text[std::mem::replace(&mut start, end)..end]);
    // A plus sign is part of the number that it begins.
    let parts = parts.map(|part| part.trim_start_matches(|c| "/;,|&\n\t ".contains(c)));
    parts.filter(|part| !part.is_empty()).take(PARTS_MAX)
}

/// An id as it stands there, without its damage, and as the number that it may be.
fn ids(bytes: &[u8], text: &[u8]) -> Vec<Vec<u8>> {
    let bytes = trim(bytes);
    let mut ids = vec![without_guard(bytes).unwrap_or(bytes).to_vec(), text.to_vec()];
    if let Some(whole) = spreadsheet::whole_of_float(text) {
        ids.push(whole.to_vec());
    }
    let whole = ids.last().map_or(text, |whole| whole);
    if spreadsheet::has_thousands(whole) {
        ids.push(whole.iter().copied().filter(u8::is_ascii_digit).collect());
    }
    ids.retain(|id| !id.is_empty());
    ids
}

/// The hex digits of an id of a device, with the hyphens that it should have.
fn mobile_id(text: &[u8]) -> Vec<u8> {
    let start = text.iter().rposition(|byte| *byte == b':').map_or(0, |colon| colon + 1);
    let mut id: Vec<u8> = text[start..].iter().copied().filter(u8::is_ascii_hexdigit).collect();
    if id.len() == 32 {
        for at in [20, 16, 12, 8] {
            id.insert(at, b'-');
        }
    }
    id
}

#[cfg(test)]
mod tests {
    use super::super::{RuleOptions, UserType};
    use super::*;
    use crate::hash;

    fn readings(user_type: UserType, value: &str) -> Vec<String> {
        let options = RuleOptions { country: "DE".parse().ok(), ..RuleOptions::default() };
        let rule = Normalizer::new(user_type, options);
        let value = Value { bytes: Ok(value.as_bytes()), country: None };
        let mut found = Vec::new();
        let is_known = rule.readings(value, |reading| {
            found.push(match reading {
                Reading::Raw(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                Reading::Prehashed(digest) => const_hex::encode(digest),
            });
        });
        assert_eq!(is_known, !found.is_empty());
        found
    }

    #[test]
    fn damage_is_undone_and_several_values_are_each_taken() {
        use UserType::{
            CustomAudienceThirdPartyId, EmailHash, Fbid, MobileAdvertiserId, PhoneHash,
        };
        let uuid = "01234567-89ab-cdef-0123-456789abcdef";
        for (user_type, value, expected) in [
            (EmailHash, "Ann Lee <Ann@b.example>", &["ann@b.example"][..]),
            (EmailHash, "mailto:ann@b.example; cy@d.example", &["ann@b.example", "cy@d.example"]),
            (EmailHash, "'ann@b.example'", &["ann@b.example"]),
            (EmailHash, "an\u{200b}n\u{ff20}b.example", &["ann@b.example"]),
            (EmailHash, "ann@b\u{fc}cher.example", &["ann@xn--bcher-kva.example"]),
            (EmailHash, "ann at b.example", &[]),
            (PhoneHash, "030 901820 / 030 901821", &["4930901820", "4930901821"]),
            (PhoneHash, "+49 30 901820 +49 30 901821", &["4930901820", "4930901821"]),
            (PhoneHash, "12", &[]),
            (CustomAudienceThirdPartyId, "100311.0", &["100311"]),
            (CustomAudienceThirdPartyId, "100,311", &["100,311", "100311"]),
            (CustomAudienceThirdPartyId, "\"K-7\"", &["\"k-7\"", "k-7"]),
            (
                CustomAudienceThirdPartyId,
                "\u{ff11}\u{ff10}\u{ff10}",
                &["\u{ff11}\u{ff10}\u{ff10}", "100"],
            ),
            (CustomAudienceThirdPartyId, "1.23E+11", &[]),
            (CustomAudienceThirdPartyId, "ann@b.example", &[]),
            (Fbid, "0100.200.300", &[]),
            (Fbid, "100.200.300", &["100200300"]),
            (Fbid, "0100200300", &["100200300"]),
            (MobileAdvertiserId, "{0123456789ABCDEF0123456789ABCDEF}", &[uuid]),
            (MobileAdvertiserId, "urn:uuid:01234567-89ab-cdef-0123-456789abcdef", &[uuid]),
        ] {
            assert_eq!(readings(user_type, value), expected, "{value}");
        }
    }

    #[test]
    fn digests_are_found_in_other_clothes() {
        let digest = hash::digest(b"ann@b.example");
        let hex = const_hex::encode(digest);
        // 32 bytes in Base64, by hand.
        let mut base64 = String::new();
        let alphabet: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').collect();
        let sign = |six: u8| match six {
            62 => '+',
            63 => '/',
            six => alphabet[usize::from(six)],
        };
        for group in digest.chunks(3) {
            let mut bytes = [0; 3];
            bytes[..group.len()].copy_from_slice(group);
            let [a, b, c] = bytes;
            let sixes = [a >> 2, (a & 3) << 4 | b >> 4, (b & 15) << 2 | c >> 6, c & 63];
            base64.extend(sixes.into_iter().take(group.len() + 1).map(sign));
        }
        for value in [format!("sha256:{hex}"), format!("0x{hex}"), base64.clone(), base64 + "="] {
            assert_eq!(
                readings(UserType::EmailHash, &value),
                std::slice::from_ref(&hex),
                "{value}"
            );
        }
        let short = "00".to_owned() + &hex[2..];
        assert_eq!(readings(UserType::PhoneHash, short.trim_start_matches("00")), [short]);
    }
}
