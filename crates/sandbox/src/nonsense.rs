//! The answers of faults.

use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};

use super::fault::{Action, Call, RetryAfter};
use super::refusal::{Refusal, text_response};
use super::wire::Revision;

const JSON: &str = "application/json; charset=utf-8";

/// The answer of a fault, if it answers.
pub(super) fn answer(action: &Action, call: Call, revision: Revision) -> Option<Response<Body>> {
    let success = if call == Call::Create { revision.created_status() } else { 200 };
    Some(match action {
        Action::Status { status, retry_after, body } => {
            let mut response = match body {
                Some(body) => text_response(*status, "text/plain", body.clone()),
                None => Refusal::new(*status, "fault", "this fault was asked for").to_response(),
            };
            if let Some(value) = retry_after.and_then(RetryAfter::header) {
                response.headers_mut().insert(header::RETRY_AFTER, value);
            }
            response
        }
        Action::Html => {
            let page = "<!DOCTYPE html><html><body><h1>Welcome</h1></body></html>";
            text_response(success, "text/html", page.to_owned())
        }
        Action::WrongJson => text_response(success, JSON, r#"{"ok":true}"#.to_owned()),
        Action::Truncated => {
            let audience = without_id(call, revision).replace(r#""name""#, r#""id":59,"name""#);
            text_response(success, JSON, audience[..audience.len() / 2].to_owned())
        }
        Action::NoId => text_response(success, JSON, without_id(call, revision)),
        Action::Hang
        | Action::Cut
        | Action::CutAtByte(_)
        | Action::Slow(_)
        | Action::NoContinue
        | Action::Nothing => return None,
    })
}

/// The right answer but for the id.
fn without_id(call: Call, revision: Revision) -> String {
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

impl RetryAfter {
    fn header(self) -> Option<HeaderValue> {
        match self {
            Self::Seconds(seconds) => Some(seconds.into()),
            Self::Date(seconds) => {
                let at = SystemTime::now().checked_add(Duration::from_secs(seconds))?;
                HeaderValue::from_str(&httpdate::fmt_http_date(at)).ok()
            }
        }
    }
}
