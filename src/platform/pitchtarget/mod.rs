//! The Audiences API as data: the requests that throng sends and the answers that it understands.
//!
//! The vendor has published two revisions of the reference. The client sends what satisfies both and understands the
//! answers of both. Samples of every request and answer are in `fixtures/api`; the client is held to them, and so is the
//! sandbox, which shares no code with this.

mod calls;
mod multipart;
mod revision;

pub(super) use self::calls::{
    CAPABILITIES, add, cannot_remove, create, delete, details, list, refusal,
};
#[doc(hidden)]
pub use self::multipart::{Form, MultipartBody};
pub use self::revision::{CREATE_PATH, Revision};
pub use super::id::Id;
pub use super::transport::ContractError;

/// Where the API is, unless it is said otherwise.
pub const ENDPOINT: &str = "https://api.pitchtarget.com";

/// The value of `subtype` for an audience that is made from files.
pub const SUBTYPE: &str = "CUSTOM";

/// The vendor's own record of an audience (`fb_custom_audience`): the answer to create, add users and delete, and to
/// revision B's details and list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomAudience {
    /// The vendor's number, which the calls that change an audience take.
    pub id: Id,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Where people can opt out.
    pub opt_out_link: Option<String>,
    /// What its entries are; only revision A says so.
    pub user_type: Option<String>,
    /// How it came to be; only revision B says so.
    pub subtype: Option<String>,
    /// Facebook's number, once Facebook has answered.
    pub fb_id: Option<Id>,
}

/// Facebook's record of an audience, which revision A's list and details answer with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FacebookAudience {
    /// Facebook's number.
    pub id: Id,
    /// The ad account it belongs to.
    pub account_id: Option<Id>,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// About how many people Facebook knows of it.
    pub approximate_count: Option<u64>,
    /// `Normal` and the like.
    pub status: Option<String>,
    /// What Facebook is doing with it.
    pub run_status: Option<String>,
    /// `CUSTOM`, `LOOKALIKE`, ...
    pub subtype: Option<String>,
    /// Seconds since 1970.
    pub time_updated: Option<i64>,
}

/// An audience as the list or the details call tells of it, in either revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListedAudience {
    /// Revision A.
    Facebook(FacebookAudience),
    /// Revision B.
    Vendor(CustomAudience),
}

impl ListedAudience {
    /// The vendor's number, which revision A does not tell.
    pub fn id(&self) -> Option<&Id> {
        match self {
            Self::Facebook(_) => None,
            Self::Vendor(audience) => Some(&audience.id),
        }
    }

    /// Facebook's number.
    pub fn fb_id(&self) -> Option<&Id> {
        match self {
            Self::Facebook(audience) => Some(&audience.id),
            Self::Vendor(audience) => audience.fb_id.as_ref(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Facebook(audience) => &audience.name,
            Self::Vendor(audience) => &audience.name,
        }
    }

    /// What it is for.
    pub fn description(&self) -> Option<&str> {
        match self {
            Self::Facebook(audience) => audience.description.as_deref(),
            Self::Vendor(audience) => audience.description.as_deref(),
        }
    }
}

/// One answer to the list call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPage {
    /// The audiences on it.
    pub audiences: Vec<ListedAudience>,
    /// How many there are on all pages, if the answer comes in pages.
    pub total: Option<u64>,
}
