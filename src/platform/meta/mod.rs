//! Meta's Marketing API, as far as it is about custom audiences of customer files.
//!
//! ```text
//! calls     requests and answers
//! payload   entries and their place in a session -> the body of a request
//! refusal   error objects -> what follows
//! usage     headers about limits -> how long to wait
//! ```
//!
//! Requests carry batches of at most 10,000 entries, numbered within a session. Adding and removing is idempotent.

mod calls;
mod payload;
mod refusal;
mod usage;

pub(super) use self::calls::{add, create, delete, details, list, remove};
pub(super) use self::refusal::refusal;
use super::Capabilities;
use crate::user_type::UserType;

/// The version of the Graph API that is spoken.
pub const VERSION: &str = "v25.0";

/// What it can do.
pub(super) const CAPABILITIES: Capabilities = Capabilities {
    endpoint: "https://graph.facebook.com",
    can_remove: true,
    creates_with_entries: false,
    batch_entries_max: Some(10_000),
    usable_entries_min: Some(100),
    takes_app_secret: true,
    keeps_connections: true,
    authorization: "Bearer",
    headers: &usage::HEADERS,
};

/// What it calls a type. Facebook user ids need the ids of the apps or pages that collected them, which nobody here knows.
pub(super) const fn type_name(user_type: UserType) -> Option<&'static str> {
    match user_type {
        UserType::EmailHash => Some("EMAIL_SHA256"),
        UserType::PhoneHash => Some("PHONE_SHA256"),
        UserType::MobileAdvertiserId => Some("MOBILE_ADVERTISER_ID"),
        UserType::CustomAudienceThirdPartyId => Some("EXTERN_ID"),
        UserType::Fbid => None,
    }
}
