//! Reading the answers of both revisions of the reference.

use serde_json::{Map, Value};

use super::{ContractError, CustomAudience, FacebookAudience, Id, ListPage, ListedAudience};

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
    /// The path of the list call.
    pub const fn list_path(self) -> &'static str {
        match self {
            Self::A => "/customaudiences",
            Self::B => "/custom_audiences",
        }
    }
}

/// The path of create.
pub const CREATE_PATH: &str = "/custom_audiences";

impl CustomAudience {
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
}
