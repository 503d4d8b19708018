//! What a batch holds: identifiers under a schema, and its place in a session.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use serde_json::{Map, Value, json};

use super::refusal::GraphError;
use crate::config::META_BATCH_ENTRIES_MAX;
use crate::entry::{self, UserType};
use crate::store::Place;

/// Most invalid entries that an answer shows.
const SAMPLES_MAX: usize = 100;

/// The parameter `payload`.
#[derive(Debug, Deserialize)]
pub(super) struct Payload {
    schema: Schema,
    data: Vec<Row>,
    #[serde(default)]
    app_ids: Vec<Value>,
    #[serde(default)]
    page_ids: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Schema {
    One(String),
    Several(Vec<String>),
}

/// One identifier, or a row of those under several keys.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Row {
    Text(String),
    Number(u64),
    Keys(Vec<Value>),
}

/// The identifiers of a batch, sorted out.
#[derive(Debug)]
pub(super) struct Entries {
    pub(super) user_type: UserType,
    pub(super) valid: Vec<String>,
    pub(super) received: usize,
    pub(super) invalid: usize,
    samples: Map<String, Value>,
}

impl Payload {
    /// Checks all of it; an identifier without the form of its type is no error but counted. `spoilt` valid ones are
    /// treated like these.
    pub(super) fn entries(self, mut spoilt: usize) -> Result<Entries, GraphError> {
        let (user_type, is_row) = self.user_type()?;
        if user_type == UserType::Fbid && self.app_ids.is_empty() && self.page_ids.is_empty() {
            return Err(GraphError::parameter("payload: UID needs app_ids or page_ids"));
        }
        let received = self.data.len();
        if received == 0 {
            return Err(GraphError::parameter("payload: data is empty"));
        }
        if received > META_BATCH_ENTRIES_MAX {
            let message = format!("payload: data holds more than {META_BATCH_ENTRIES_MAX} entries");
            return Err(GraphError::parameter(message));
        }
        let mut entries =
            Entries { user_type, valid: Vec::new(), received, invalid: 0, samples: Map::new() };
        for (index, row) in self.data.into_iter().enumerate() {
            let entry = row.entry(is_row).ok_or_else(|| {
                let message = format!("payload: data[{index}] does not go with the schema");
                GraphError::parameter(message)
            })?;
            let is_spoilt = spoilt > 0;
            spoilt = spoilt.saturating_sub(1);
            if is_valid(user_type, &entry) && !is_spoilt {
                entries.valid.push(entry);
                continue;
            }
            entries.invalid += 1;
            if entries.samples.len() < SAMPLES_MAX {
                entries.samples.insert(index.to_string(), entry.into());
            }
        }
        Ok(entries)
    }

    /// The type of the identifiers, and true if each is a row of its own.
    fn user_type(&self) -> Result<(UserType, bool), GraphError> {
        let (key, is_row) = match &self.schema {
            Schema::One(key) => (key, false),
            Schema::Several(keys) => match keys.as_slice() {
                [key] => (key, true),
                _ => {
                    return Err(GraphError::parameter(
                        "payload: the sandbox takes one key for each person",
                    ));
                }
            },
        };
        let user_type = match (key.as_str(), is_row) {
            ("EMAIL_SHA256", _) | ("EMAIL", true) => UserType::EmailHash,
            ("PHONE_SHA256", _) | ("PHONE", true) => UserType::PhoneHash,
            ("MOBILE_ADVERTISER_ID", _) | ("MADID", true) => UserType::MobileAdvertiserId,
            ("EXTERN_ID", true) => UserType::CustomAudienceThirdPartyId,
            ("UID", _) => UserType::Fbid,
            _ => return Err(GraphError::parameter("payload: there is no such schema")),
        };
        Ok((user_type, is_row))
    }
}

impl Row {
    fn entry(self, is_row: bool) -> Option<String> {
        match (self, is_row) {
            (Self::Text(text), false) => Some(text),
            (Self::Number(number), false) => Some(number.to_string()),
            (Self::Keys(keys), true) => match <[Value; 1]>::try_from(keys).ok()? {
                [Value::String(text)] => Some(text),
                [Value::Number(number)] => Some(number.to_string()),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Android ids are no advertising ids: Meta takes the latter alone.
fn is_valid(user_type: UserType, entry: &str) -> bool {
    let is_android = user_type == UserType::MobileAdvertiserId && entry.len() == 16;
    !is_android && entry::stored(user_type, entry.as_bytes()).is_some()
}

impl Entries {
    /// The answer to a batch.
    pub(super) fn answer(&self, audience: u64, session: u64) -> Value {
        json!({
            "audience_id": audience.to_string(),
            "session_id": session.to_string(),
            "num_received": self.received,
            "num_invalid_entries": self.invalid,
            "invalid_entry_samples": self.samples,
        })
    }
}

/// The parameter `session`.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Session {
    #[serde(rename = "session_id", deserialize_with = "number")]
    id: u64,
    #[serde(deserialize_with = "number")]
    batch_seq: u64,
    #[serde(deserialize_with = "truth")]
    last_batch_flag: bool,
    #[expect(dead_code, reason = "it must be a number, and nobody holds a client to it")]
    #[serde(default, deserialize_with = "optional_number")]
    estimated_num_total: Option<u64>,
}

impl Session {
    /// The place that it gives a batch.
    pub(super) fn place(self) -> Result<Place, GraphError> {
        let bounds = 1..=i64::MAX.unsigned_abs();
        if !bounds.contains(&self.id) || !bounds.contains(&self.batch_seq) {
            let message = "session: session_id and batch_seq are positive numbers of 64 bits";
            return Err(GraphError::parameter(message));
        }
        let (session, seq, is_last) = (self.id, self.batch_seq, self.last_batch_flag);
        Ok(Place { session, seq, is_last })
    }
}

/// A number, or one in a text.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
    .ok_or_else(|| D::Error::custom("no number"))
}

fn optional_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    number(deserializer).map(Some)
}

/// A truth value, or one in a text.
fn truth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Bool(truth) => Some(truth),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
    .ok_or_else(|| D::Error::custom("neither true nor false"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(payload: Value) -> Result<Entries, GraphError> {
        let payload: Payload = serde_json::from_value(payload).expect("a payload");
        payload.entries(0)
    }

    #[test]
    fn each_schema_takes_its_own_form_alone_and_counts_the_rest() {
        let digest = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8";
        let upper = digest.to_uppercase();
        let uuid = "6d92078a-8246-4ba4-ae5b-76104861e7dc";
        for (schema, data, valid) in [
            (json!("EMAIL_SHA256"), json!([digest, upper, "ann@example.com", ""]), vec![digest]),
            (json!(["PHONE_SHA256"]), json!([[digest], [""]]), vec![digest]),
            (json!("MOBILE_ADVERTISER_ID"), json!([uuid, "1234567890abcdef"]), vec![uuid]),
            (json!(["EXTERN_ID"]), json!([["Ann-7"], ["ann-7"], [7]]), vec!["Ann-7", "ann-7", "7"]),
            (json!("UID"), json!([7, "8", "x"]), vec!["7", "8"]),
        ] {
            let entries = entries(json!({ "schema": schema, "data": data, "app_ids": [1] }));
            let entries = entries.unwrap_or_else(|error| panic!("{schema}: {error:?}"));
            assert_eq!(entries.valid, valid);
            assert_eq!(entries.received, data.as_array().map_or(0, Vec::len));
            assert_eq!(entries.invalid, entries.received - valid.len());
            assert_eq!(entries.samples.len(), entries.invalid);
        }
    }

    #[test]
    fn what_is_no_batch_is_refused() {
        let many = vec!["x"; META_BATCH_ENTRIES_MAX + 1];
        for payload in [
            json!({ "schema": "EMAIL_SHA256", "data": [] }),
            json!({ "schema": "EMAIL_SHA256", "data": many }),
            json!({ "schema": "EMAIL", "data": ["x"] }),
            json!({ "schema": "EXTERN_ID", "data": ["x"] }),
            json!({ "schema": "UID", "data": ["7"] }),
            json!({ "schema": ["EXTERN_ID"], "data": ["x"] }),
            json!({ "schema": ["EXTERN_ID"], "data": [["x", "y"]] }),
            json!({ "schema": ["EMAIL", "PHONE"], "data": [["x", "y"]] }),
            json!({ "schema": "EMAIL_SHA256", "data": [["x"]] }),
        ] {
            let refused = entries(payload.clone()).expect_err("refuses");
            assert_eq!(refused.code, 100, "{payload}");
        }
    }

    #[test]
    fn a_session_is_written_in_numbers_or_texts() {
        let place = |session: Value| {
            let session: Session = serde_json::from_value(session).ok()?;
            session.place().ok()
        };
        let place_of_text = place(
            json!({ "session_id": "9223372036854775807", "batch_seq": "1", "last_batch_flag": "true" }),
        );
        let found = place_of_text.expect("a session");
        assert_eq!((found.session, found.seq, found.is_last), (i64::MAX.unsigned_abs(), 1, true));
        for session in [
            json!({ "session_id": 0, "batch_seq": 1, "last_batch_flag": true }),
            json!({ "session_id": 1, "batch_seq": 0, "last_batch_flag": true }),
            json!({ "session_id": 9_223_372_036_854_775_808_u64, "batch_seq": 1, "last_batch_flag": true }),
            json!({ "session_id": 1, "batch_seq": 1 }),
            json!({ "batch_seq": 1, "last_batch_flag": true }),
            json!({ "session_id": 1, "batch_seq": 1, "last_batch_flag": true, "estimated_num_total": "x" }),
        ] {
            assert!(place(session.clone()).is_none(), "{session}");
        }
    }
}
