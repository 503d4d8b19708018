//! The types of members, and the form of a line in an upload file of each type.

use std::fmt;
use std::str::FromStr;

/// Longest third-party id in bytes.
const THIRD_PARTY_BYTES_MAX: usize = 255;

/// The type of the members of an audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserType {
    /// SHA-256 of an e-mail address.
    EmailHash,
    /// SHA-256 of a phone number.
    PhoneHash,
    /// Facebook's number of a person.
    Fbid,
    /// The customer's own id of a person.
    CustomAudienceThirdPartyId,
    /// The advertising id of a device.
    MobileAdvertiserId,
}

impl UserType {
    const ALL: [Self; 5] = [
        Self::EmailHash,
        Self::PhoneHash,
        Self::Fbid,
        Self::CustomAudienceThirdPartyId,
        Self::MobileAdvertiserId,
    ];

    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EmailHash => "email_hash",
            Self::PhoneHash => "phone_hash",
            Self::Fbid => "fbid",
            Self::CustomAudienceThirdPartyId => "custom_audience_third_party_id",
            Self::MobileAdvertiserId => "mobile_advertiser_id",
        }
    }
}

impl fmt::Display for UserType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for UserType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|user_type| user_type.name() == text);
        found.ok_or_else(|| "there is no such user type".to_owned())
    }
}

/// An entry as the database keeps it: a digest as its 32 bytes, anything else as it is; `None` if the line does not have
/// the form of its type.
pub(super) fn stored(user_type: UserType, line: &[u8]) -> Option<Stored<'_>> {
    let is_well_formed = match user_type {
        UserType::EmailHash | UserType::PhoneHash => return digest(line).map(Stored::Digest),
        UserType::Fbid => is_fbid(line),
        UserType::CustomAudienceThirdPartyId => is_third_party_id(line),
        UserType::MobileAdvertiserId => is_advertiser_id(line),
    };
    is_well_formed.then_some(Stored::Text(line))
}

/// An entry as the database keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored<'a> {
    Digest([u8; 32]),
    Text(&'a [u8]),
}

impl Stored<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Digest(digest) => digest,
            Self::Text(text) => text,
        }
    }
}

/// The line that an entry was.
pub(super) fn line(user_type: UserType, stored: &[u8]) -> String {
    if matches!(user_type, UserType::EmailHash | UserType::PhoneHash) {
        const_hex::encode(stored)
    } else {
        String::from_utf8_lossy(stored).into_owned()
    }
}

fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

fn digest(line: &[u8]) -> Option<[u8; 32]> {
    if line.len() != 64 || !line.iter().all(|byte| is_lower_hex(*byte)) {
        return None;
    }
    const_hex::decode_to_array(line).ok()
}

fn is_fbid(line: &[u8]) -> bool {
    line.first().is_some_and(|first| *first != b'0')
        && std::str::from_utf8(line).is_ok_and(|text| {
            text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u64>().is_ok()
        })
}

fn is_third_party_id(line: &[u8]) -> bool {
    (1..=THIRD_PARTY_BYTES_MAX).contains(&line.len())
        && std::str::from_utf8(line)
            .is_ok_and(|text| !text.contains(char::is_control) && text.trim().len() == text.len())
}

fn is_advertiser_id(line: &[u8]) -> bool {
    match line.len() {
        16 => line.iter().all(|byte| is_lower_hex(*byte)),
        36 => {
            line.split(|byte| *byte == b'-').map(<[u8]>::len).eq([8, 4, 4, 4, 12])
                && line.iter().all(|byte| *byte == b'-' || is_lower_hex(*byte))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_taken(user_type: UserType, line: &str) -> bool {
        let stored = stored(user_type, line.as_bytes());
        if let Some(stored) = &stored {
            assert_eq!(super::line(user_type, stored.bytes()), line, "comes back as it was");
        }
        stored.is_some()
    }

    #[test]
    fn each_type_takes_its_own_form_alone() {
        let digest = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8";
        let upper = digest.to_uppercase();
        let (short, long, id) = (&digest[1..], format!("{digest}0"), "x".repeat(255));
        let too_long = "x".repeat(256);
        let uuid = "6d92078a-8246-4ba4-ae5b-76104861e7dc";
        let cases: [(UserType, &[&str], &[&str]); 4] = [
            (UserType::EmailHash, &[digest], &["", short, &long, &upper, "ann@example.com"]),
            (
                UserType::Fbid,
                &["1", "6017382038943", "18446744073709551615"],
                &["", "0", "01", "18446744073709551616", "-1", "+1", "1.0", digest],
            ),
            (
                UserType::CustomAudienceThirdPartyId,
                &["x", "a b,c", "\u{e9}t\u{e9}", &id],
                &["", " x", "x ", "a\tb", "a\rb", "x\r", "a\u{85}b", &too_long],
            ),
            (
                UserType::MobileAdvertiserId,
                &[uuid, "1234567890abcdef"],
                &["", "6D92078A-8246-4BA4-AE5B-76104861E7DC", &uuid[1..], "1234567890ABCDEF"],
            ),
        ];
        for (user_type, taken, refused) in cases {
            for line in taken {
                assert!(is_taken(user_type, line), "{user_type}: {line}");
            }
            for line in refused {
                assert!(!is_taken(user_type, line), "{user_type}: {line}");
            }
        }
        let moved = "6d92078a8-246-4ba4-ae5b-76104861e7dc";
        assert!(!is_taken(UserType::MobileAdvertiserId, moved));
        assert!(is_taken(UserType::PhoneHash, digest));
    }
}
