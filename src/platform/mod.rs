//! Platforms that audiences are uploaded to: what each can do, its calls on the wire, and what its answers mean.
//!
//! One folder for each. What is here is data and decisions alone: requests are put together and answers are read, and
//! whoever uploads makes the requests ([`Transport`]), waits, tries again and remembers, without
//! knowing which platform it is. `docs/platforms.md` says how another one is added.
//!
//! ```text
//! call           the calls that there are, and the reasons why one fails
//! failure        a request that failed: whether it may have taken effect, and how a run ends by it
//! transport      requests and replies
//! pitchtarget    the Audiences API: whole parts, nobody can be removed
//! meta           the Marketing API: batches within a session, people can be removed
//! ```

mod call;
pub(crate) mod failure;
mod id;
pub mod meta;
pub mod pitchtarget;
pub(crate) mod transport;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::call::{Call, FailureKind};
pub use self::failure::{Failure, Outcome};
pub use self::id::Id;
pub(crate) use self::transport::{Entries, Place, Refusal, Reply, Transport};
use crate::user_type::UserType;

/// A platform that audiences are uploaded to.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Platform {
    /// The Audiences API of pitchtarget.
    #[default]
    #[value(name = "pitchtarget")]
    Pitchtarget,
    /// The Marketing API of Meta.
    Meta,
}

/// How customers' data was collected, as Meta wants it to be said of an audience that is created.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum CustomerFileSource {
    /// By the advertiser, from its customers.
    #[default]
    UserProvidedOnly,
    /// By partners of the advertiser.
    PartnerProvidedOnly,
    /// By both.
    BothUserAndPartnerProvided,
}

impl CustomerFileSource {
    /// What the platform calls it.
    pub(crate) const fn wire_name(self) -> &'static str {
        match self {
            Self::UserProvidedOnly => "USER_PROVIDED_ONLY",
            Self::PartnerProvidedOnly => "PARTNER_PROVIDED_ONLY",
            Self::BothUserAndPartnerProvided => "BOTH_USER_AND_PARTNER_PROVIDED",
        }
    }
}

/// What a platform can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Capabilities {
    /// Where it is, unless it is said otherwise.
    pub endpoint: &'static str,
    /// Whether people can be taken out of an audience.
    pub can_remove: bool,
    /// Whether an audience is created by the request that carries its first entries; else it is empty at first.
    pub creates_with_entries: bool,
    /// Most entries of a request, if requests carry batches that are cut from parts; else they carry whole parts.
    pub batch_entries_max: Option<u64>,
    /// Fewest entries of an audience that can be used, if that is known.
    pub usable_entries_min: Option<u64>,
    /// Whether apps have secrets, and may ask for a proof of theirs.
    pub takes_app_secret: bool,
    /// Whether connections are kept from request to request: not where it must be known of each if it took effect, since one that
    /// the server closes just when a request is sent on it would leave that unknown.
    pub(crate) keeps_connections: bool,
    /// The word before the token in `Authorization`.
    pub(crate) authorization: &'static str,
    /// Headers of answers that it reads.
    pub(crate) headers: &'static [&'static str],
}

/// What a platform asks of entries: its profile of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether third-party ids are told apart by letter case.
    pub keeps_case: bool,
    /// Whether ids of 16 digits, which Android devices have, are none for it.
    pub refuses_android_ids: bool,
}

/// An audience that is to be created.
#[derive(Clone, Debug)]
pub(crate) struct NewAudience {
    pub(crate) ad_account: Id,
    pub(crate) user_type: UserType,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) opt_out_link: Option<String>,
    pub(crate) customer_file_source: CustomerFileSource,
}

/// The audience that a request with entries is about.
#[derive(Clone, Debug)]
pub(crate) struct Recipient {
    pub(crate) audience: Id,
    pub(crate) ad_account: Id,
    pub(crate) user_type: UserType,
}

/// What a platform says to a request that has changed an audience.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Accepted {
    /// The number of the audience.
    pub(crate) id: Id,
    /// Facebook's number of it, where that is another one, and known.
    pub(crate) fb_id: Option<Id>,
    /// What its entries are, if the answer says so.
    pub(crate) user_type: Option<String>,
    /// Entries that were received, if the answer says so: those of the request, or of its whole session so far.
    pub(crate) received: u64,
    /// Those of them that are none.
    pub(crate) invalid: u64,
    /// How the platform's limits stand, as far as it is told.
    pub(crate) limits: Limits,
}

/// How the limits of a platform stand.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Limits {
    /// The largest share that is used of any, in percent.
    pub(crate) percent: f64,
    /// Time until requests are accepted again, if it is told.
    pub(crate) regain: Option<Duration>,
}

impl Accepted {
    /// An answer that tells nothing but the number of the audience.
    pub(crate) fn of(id: Id) -> Self {
        let limits = Limits::default();
        Self { id, fb_id: None, user_type: None, received: 0, invalid: 0, limits }
    }
}

/// An audience as a platform tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Audience {
    /// The number that calls take, if it is told.
    pub id: Option<Id>,
    /// Facebook's number, where that is another one, and known.
    pub fb_id: Option<Id>,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// About how many people it reaches.
    pub approximate_count: Option<u64>,
    /// Whether it can be used.
    pub status: Option<String>,
    /// What is being done with it.
    pub run_status: Option<String>,
    /// How it came to be.
    pub subtype: Option<String>,
    /// Where people can opt out.
    pub opt_out_link: Option<String>,
    /// Seconds since 1970.
    pub time_updated: Option<i64>,
}

impl Audience {
    /// All its texts.
    pub(crate) fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        let Self { name, description, status, run_status, subtype, opt_out_link, .. } = self;
        let others = [description, status, run_status, subtype, opt_out_link];
        others.into_iter().flatten().chain([name])
    }
}

/// Everything that differs from platform to platform.
impl Platform {
    /// What it can do.
    pub const fn capabilities(self) -> &'static Capabilities {
        match self {
            Self::Pitchtarget => &pitchtarget::CAPABILITIES,
            Self::Meta => &meta::CAPABILITIES,
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pitchtarget => "pitchtarget",
            Self::Meta => "meta",
        }
    }

    /// The flag by which a command means it, behind a space; nothing for the first one, which commands mean if they name none.
    pub(crate) fn flag(self) -> String {
        match self {
            Self::Pitchtarget => String::new(),
            Self::Meta => format!(" --to {}", self.name()),
        }
    }

    /// What it calls a type of entries; `None` if it does not take them.
    pub const fn type_name(self, user_type: UserType) -> Option<&'static str> {
        match self {
            Self::Pitchtarget => Some(user_type.name()),
            Self::Meta => meta::type_name(user_type),
        }
    }

    /// What it asks of entries, where that is not what it is for the first platform.
    pub const fn rules(self) -> Rules {
        match self {
            Self::Pitchtarget => Rules { keeps_case: false, refuses_android_ids: false },
            Self::Meta => Rules { keeps_case: true, refuses_android_ids: true },
        }
    }

    /// Creates an audience, with its first entries where they go with it.
    pub(crate) fn create(
        self,
        wire: &dyn Transport,
        new: &NewAudience,
        entries: Option<Entries<'_>>,
    ) -> Outcome<Accepted> {
        match self {
            Self::Pitchtarget => pitchtarget::create(wire, new, entries),
            Self::Meta => meta::create(wire, new),
        }
    }

    /// Adds entries to an audience.
    pub(crate) fn add(
        self,
        wire: &dyn Transport,
        to: &Recipient,
        entries: Entries<'_>,
    ) -> Outcome<Accepted> {
        match self {
            Self::Pitchtarget => pitchtarget::add(wire, to, entries),
            Self::Meta => meta::add(wire, to, entries),
        }
    }

    /// Takes entries out of an audience.
    pub(crate) fn remove(
        self,
        wire: &dyn Transport,
        from: &Recipient,
        entries: Entries<'_>,
    ) -> Outcome<Accepted> {
        match self {
            Self::Pitchtarget => Err(pitchtarget::cannot_remove()),
            Self::Meta => meta::remove(wire, from, entries),
        }
    }

    /// All audiences of an ad account.
    pub(crate) fn list(self, wire: &dyn Transport, ad_account: &Id) -> Outcome<Vec<Audience>> {
        match self {
            Self::Pitchtarget => pitchtarget::list(wire, ad_account),
            Self::Meta => meta::list(wire, ad_account),
        }
    }

    /// One audience.
    pub(crate) fn details(self, wire: &dyn Transport, id: &Id) -> Outcome<Audience> {
        match self {
            Self::Pitchtarget => pitchtarget::details(wire, id),
            Self::Meta => meta::details(wire, id),
        }
    }

    /// Deletes an audience.
    pub(crate) fn delete(self, wire: &dyn Transport, id: &Id) -> Outcome<()> {
        match self {
            Self::Pitchtarget => pitchtarget::delete(wire, id),
            Self::Meta => meta::delete(wire, id),
        }
    }

    /// Why an answer says no; `None` if it says yes. `said` is the text of its error.
    pub(crate) fn refusal(self, reply: &Reply, said: &str) -> Option<Refusal> {
        match self {
            Self::Pitchtarget => pitchtarget::refusal(reply, said),
            Self::Meta => meta::refusal(reply, said),
        }
    }
}
