//! The bodies of answers: audiences in the JSON of either revision.
//!
//! Nothing of it is shared with any client, so that the two cannot be wrong alike; what binds it is the samples in
//! `fixtures/api`.

use serde_json::{Value, json};

use crate::entry::UserType;
use crate::fault::Call;
use crate::store::Audience;

/// The path of create, and of the calls that change an audience.
pub(super) const CREATE_PATH: &str = "/custom_audiences";

/// The value of `subtype` for an audience that is made from files.
pub(super) const SUBTYPE: &str = "CUSTOM";

/// Audiences on a page of revision B's list.
const PAGE_AUDIENCES: usize = 10;

/// The reference that a sandbox follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Revision {
    /// The reference that throng started from
    #[default]
    A,
    /// The one that the same vendor published later
    B,
}

impl Revision {
    /// Both.
    pub const ALL: [Self; 2] = [Self::A, Self::B];

    /// The path of the list call.
    pub(super) const fn list_path(self) -> &'static str {
        match self {
            Self::A => "/customaudiences",
            Self::B => "/custom_audiences",
        }
    }

    /// The status of the answer to create.
    pub(super) const fn created_status(self) -> u16 {
        match self {
            Self::A => 200,
            Self::B => 201,
        }
    }
}

/// The answer that holds one audience as the vendor has it.
pub(super) fn vendor(audience: &Audience, revision: Revision) -> Value {
    json!({ "fb_custom_audience": vendor_object(audience, revision) })
}

fn vendor_object(audience: &Audience, revision: Revision) -> Value {
    let mut object = json!({
        "id": audience.id,
        "name": audience.name,
        "description": audience.description,
        "opt_out_link": audience.opt_out_link,
    });
    let fb_id = audience.has_fb_id().then_some(audience.fb_id);
    match revision {
        Revision::A => {
            object["user_type"] = json!(audience.user_type.map(UserType::name));
            object["fb_id"] = json!(fb_id);
        }
        Revision::B => {
            object["subtype"] = json!(SUBTYPE);
            object["fb_id"] = json!(fb_id.map(|id| id.to_string()));
        }
    }
    object
}

/// An audience as Facebook has it: revision A's answer to details.
pub(super) fn facebook(audience: &Audience) -> Value {
    json!({
        "id": audience.fb_id.to_string(),
        "account_id": audience.ad_account.to_string(),
        "name": audience.name,
        "description": audience.description,
        "approximate_count": audience.member_count,
        "status": "Normal",
        "run_status": { "code": 200, "description": "Normal" },
        "subtype": SUBTYPE,
        "type": 0,
        "type_name": "Custom Audience",
        "time_updated": audience.time_updated,
        "data_source": { "type": "FILE_IMPORTED", "sub_type": "ANYTHING" },
    })
}

/// Revision B's answer to list: one page of `all`; pages are counted from 1.
pub(super) fn page(all: &[Audience], page: usize) -> Value {
    let on_page = all.iter().skip((page - 1).saturating_mul(PAGE_AUDIENCES)).take(PAGE_AUDIENCES);
    let audiences: Vec<Value> =
        on_page.map(|audience| vendor_object(audience, Revision::B)).collect();
    json!({ "custom_audiences": audiences, "meta": { "page": page, "total": all.len() } })
}

/// The right answer but for the id.
pub(super) fn without_id(call: Call, revision: Revision) -> String {
    let audience = r#"{"name":"Newsletter","description":null}"#;
    match (call, revision) {
        (Call::List, Revision::A) => format!("[{audience}]"),
        (Call::List, Revision::B) => {
            format!(r#"{{"custom_audiences":[{audience}],"meta":{{"page":1,"total":1}}}}"#)
        }
        (Call::Details, Revision::A) => audience.to_owned(),
        _ => format!(r#"{{"fb_custom_audience":{audience}}}"#),
    }
}
