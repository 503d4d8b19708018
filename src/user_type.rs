//! Types of identifiers, in the API's words.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest third-party id in bytes.
pub(crate) const THIRD_PARTY_BYTES_MAX: usize = 255;

/// Type of the entries of an audience, in the API's words.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    clap::ValueEnum,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
#[schemars(inline)]
pub enum UserType {
    /// E-mail addresses, hashed.
    EmailHash,
    /// Phone numbers, hashed.
    PhoneHash,
    /// Facebook user ids, in clear.
    Fbid,
    /// Ids of your own, in clear.
    CustomAudienceThirdPartyId,
    /// Advertising ids of devices, in clear.
    MobileAdvertiserId,
}

impl UserType {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::EmailHash,
        Self::PhoneHash,
        Self::Fbid,
        Self::CustomAudienceThirdPartyId,
        Self::MobileAdvertiserId,
    ];

    /// The API's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EmailHash => "email_hash",
            Self::PhoneHash => "phone_hash",
            Self::Fbid => "fbid",
            Self::CustomAudienceThirdPartyId => "custom_audience_third_party_id",
            Self::MobileAdvertiserId => "mobile_advertiser_id",
        }
    }

    /// Its identifiers, as people call them.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::EmailHash => "e-mail addresses",
            Self::PhoneHash => "phone numbers",
            Self::Fbid => "Facebook user ids",
            Self::CustomAudienceThirdPartyId => "ids of your own",
            Self::MobileAdvertiserId => "advertising ids of devices",
        }
    }

    /// True if entries are digests; else they are uploaded in clear.
    pub const fn is_hashed(self) -> bool {
        matches!(self, Self::EmailHash | Self::PhoneHash)
    }

    /// Most bytes of an entry, with its line end.
    pub const fn entry_bytes_max(self) -> usize {
        if self.is_hashed() { 65 } else { THIRD_PARTY_BYTES_MAX + 1 }
    }

    /// True if an identifier can be told by its form; a third-party id can look like anything.
    pub const fn has_form(self) -> bool {
        !matches!(self, Self::CustomAudienceThirdPartyId)
    }
}

impl std::fmt::Display for UserType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for UserType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|user_type| user_type.name() == text).ok_or_else(|| {
            let types = Self::ALL.map(|user_type| format!("{user_type} ({})", user_type.noun()));
            format!("unknown user type, expected one of {}", types.join(", "))
        })
    }
}
