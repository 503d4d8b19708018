//! How the two revisions of the reference write and read what the API speaks of.

use serde_json::{Map, Value, json};

use super::{
    ContractError, CustomAudience, FacebookAudience, Id, ListPage, ListedAudience, PAGE_AUDIENCES,
};

/// Which reference a server follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Revision {
    /// The reference page that the project started from.
    #[default]
    A,
    /// What the same vendor published later.
    B,
}

impl Revision {
    /// Both.
    pub const ALL: [Self; 2] = [Self::A, Self::B];

    /// The path of the list call.
    pub const fn list_path(self) -> &'static str {
        match self {
            Self::A => "/customaudiences",
            Self::B => "/custom_audiences",
        }
    }

    /// The status of the answer to create.
    pub const fn created_status(self) -> u16 {
        match self {
            Self::A => 200,
            Self::B => 201,
        }
    }

    /// The status of the answer to delete.
    pub const fn deleted_status(self) -> u16 {
        match self {
            Self::A => 200,
            Self::B => 204,
        }
    }
}

/// The path of create.
pub const CREATE_PATH: &str = "/custom_audiences";

impl CustomAudience {
    /// The answer that holds this audience alone.
    pub fn to_json(&self, revision: Revision) -> Value {
        json!({ "fb_custom_audience": self.object(revision) })
    }

    fn object(&self, revision: Revision) -> Value {
        let mut object = json!({
            "id": self.id.to_json_number(),
            "name": self.name,
            "description": self.description,
            "opt_out_link": self.opt_out_link,
        });
        match revision {
            Revision::A => {
                object["user_type"] = json!(self.user_type);
                object["fb_id"] = self.fb_id.as_ref().map_or(Value::Null, Id::to_json_number);
            }
            Revision::B => {
                object["subtype"] = json!(self.subtype);
                object["fb_id"] = self.fb_id.as_ref().map_or(Value::Null, Id::to_json_string);
            }
        }
        object
    }

    /// Reads an answer of either revision that holds one audience.
    pub fn from_json(body: &[u8]) -> Result<Self, ContractError> {
        let body = parse(body)?;
        let object =
            body.get("fb_custom_audience").ok_or(ContractError("no `fb_custom_audience`"))?;
        Self::from_object(object)
    }

    fn from_object(object: &Value) -> Result<Self, ContractError> {
        let object = object.as_object().ok_or(ContractError("an audience that is no object"))?;
        Ok(Self {
            id: id(object, "id").ok_or(ContractError("an audience without `id`"))?,
            name: text(object, "name").unwrap_or_default(),
            description: text(object, "description"),
            opt_out_link: text(object, "opt_out_link"),
            user_type: text(object, "user_type"),
            subtype: text(object, "subtype"),
            fb_id: id(object, "fb_id"),
        })
    }
}

impl FacebookAudience {
    /// The answer to revision A's details call.
    pub fn to_json(&self) -> Value {
        json!({
            "id": self.id.to_json_string(),
            "account_id": self.account_id.as_ref().map(Id::to_json_string),
            "name": self.name,
            "description": self.description,
            "approximate_count": self.approximate_count,
            "status": self.status,
            "run_status": { "code": 200, "description": self.run_status },
            "subtype": self.subtype,
            "type": 0,
            "type_name": "Custom Audience",
            "time_updated": self.time_updated,
            "data_source": { "type": "FILE_IMPORTED", "sub_type": "ANYTHING" },
        })
    }

    fn from_object(object: &Value) -> Result<Self, ContractError> {
        let object = object.as_object().ok_or(ContractError("an audience that is no object"))?;
        let run_status = object.get("run_status").and_then(Value::as_object);
        Ok(Self {
            id: id(object, "id").ok_or(ContractError("an audience without `id`"))?,
            account_id: id(object, "account_id"),
            name: text(object, "name").unwrap_or_default(),
            description: text(object, "description"),
            approximate_count: object.get("approximate_count").and_then(Value::as_u64),
            status: text(object, "status"),
            run_status: run_status.and_then(|status| text(status, "description")),
            subtype: text(object, "subtype"),
            time_updated: object.get("time_updated").and_then(Value::as_i64),
        })
    }
}

impl ListedAudience {
    /// Reads the answer to the details call of either revision.
    pub fn from_json(body: &[u8]) -> Result<Self, ContractError> {
        let body = parse(body)?;
        match body.get("fb_custom_audience") {
            Some(object) => CustomAudience::from_object(object).map(Self::Vendor),
            None => FacebookAudience::from_object(&body).map(Self::Facebook),
        }
    }
}

impl ListPage {
    /// Revision A's answer: everything in a bare array.
    pub fn to_json_a(audiences: &[FacebookAudience]) -> Value {
        audiences.iter().map(FacebookAudience::to_json).collect()
    }

    /// Revision B's answer: one page of `all`; pages are counted from 1.
    pub fn to_json_b(all: &[CustomAudience], page: usize) -> Value {
        let on_page = all.iter().skip(page.saturating_sub(1) * PAGE_AUDIENCES).take(PAGE_AUDIENCES);
        let audiences: Vec<Value> = on_page.map(|audience| audience.object(Revision::B)).collect();
        json!({ "custom_audiences": audiences, "meta": { "page": page, "total": all.len() } })
    }

    /// Reads the answer to the list call of either revision.
    pub fn from_json(body: &[u8]) -> Result<Self, ContractError> {
        let body = parse(body)?;
        if let Value::Array(audiences) = &body {
            let audiences = audiences
                .iter()
                .map(|a| FacebookAudience::from_object(a).map(ListedAudience::Facebook));
            return Ok(Self { audiences: audiences.collect::<Result<_, _>>()?, total: None });
        }
        let audiences = body.get("custom_audiences").and_then(Value::as_array);
        let audiences = audiences.ok_or(ContractError("no `custom_audiences`"))?;
        let total = body.get("meta").and_then(|meta| meta.get("total")).and_then(Value::as_u64);
        let audiences =
            audiences.iter().map(|a| CustomAudience::from_object(a).map(ListedAudience::Vendor));
        Ok(Self { audiences: audiences.collect::<Result<_, _>>()?, total })
    }
}

fn parse(body: &[u8]) -> Result<Value, ContractError> {
    serde_json::from_slice(body).map_err(|_| ContractError("no JSON"))
}

/// An optional text; of another type it is as good as missing.
fn text(object: &Map<String, Value>, key: &str) -> Option<String> {
    object.get(key)?.as_str().map(str::to_owned)
}

fn id(object: &Map<String, Value>, key: &str) -> Option<Id> {
    Id::from_json(object.get(key)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vendor() -> CustomAudience {
        CustomAudience {
            id: 59.into(),
            name: "Newsletter".to_owned(),
            description: None,
            opt_out_link: Some("https://example.com/opt-out".to_owned()),
            user_type: Some("email_hash".to_owned()),
            subtype: None,
            fb_id: Some(6_017_382_038_943.into()),
        }
    }

    #[test]
    fn an_answer_without_what_is_needed_is_no_audience() {
        for body in [
            "",
            "<html></html>",
            "[]",
            "{}",
            r#"{"fb_custom_audience": null}"#,
            r#"{"fb_custom_audience": {"name": "x"}}"#,
            r#"{"fb_custom_audience": {"id": "../1"}}"#,
            r#"{"fb_custom_audience": {"id": 59}"#,
        ] {
            assert!(CustomAudience::from_json(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn missing_and_unknown_fields_are_no_error() {
        let body = br#"{"fb_custom_audience": {"id": "59", "fb_id": null, "name": 7, "new": []}}"#;
        let audience = CustomAudience::from_json(body).expect("an audience");
        assert_eq!((audience.id.as_str(), audience.fb_id), ("59", None));
    }

    #[test]
    fn pages_hold_ten_and_the_last_what_is_left() {
        let all = vec![vendor(); 23];
        for (page, count) in [(1, 10), (2, 10), (3, 3), (4, 0)] {
            let body = serde_json::to_vec(&ListPage::to_json_b(&all, page)).expect("JSON");
            let page = ListPage::from_json(&body).expect("a page");
            assert_eq!((page.audiences.len(), page.total), (count, Some(23)));
        }
    }

    #[test]
    fn what_one_side_writes_the_other_reads() {
        let body = serde_json::to_vec(&vendor().to_json(Revision::A)).expect("JSON");
        assert_eq!(CustomAudience::from_json(&body), Ok(vendor()));
        let in_b =
            CustomAudience { user_type: None, subtype: Some("CUSTOM".to_owned()), ..vendor() };
        let body = serde_json::to_vec(&in_b.to_json(Revision::B)).expect("JSON");
        assert_eq!(CustomAudience::from_json(&body), Ok(in_b.clone()));
        assert_eq!(ListedAudience::from_json(&body), Ok(ListedAudience::Vendor(in_b)));
    }
}
