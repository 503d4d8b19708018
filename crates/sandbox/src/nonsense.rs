//! The answers of faults.

use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};

use super::answer::text_response;
use super::fault::{Action, RetryAfter};

const JSON: &str = "application/json; charset=utf-8";

/// How the platform answers a call, for faults to make something else of.
pub(super) struct Usual {
    /// The status of success.
    pub(super) success: u16,
    /// A refusal with this status.
    pub(super) refusal: Box<dyn Fn(u16) -> Response<Body> + Send>,
    /// An answer that could be the right one.
    pub(super) whole: String,
    /// The same without the audience's id.
    pub(super) without_id: String,
}

/// The answer of a fault, if it answers.
pub(super) fn answer(action: &Action, usual: impl FnOnce() -> Usual) -> Option<Response<Body>> {
    Some(match action {
        Action::Status { status, retry_after, body } => {
            let mut response = match body {
                Some(body) => text_response(*status, "text/plain", body.clone()),
                None => (usual().refusal)(*status),
            };
            if let Some(value) = retry_after.and_then(RetryAfter::header) {
                response.headers_mut().insert(header::RETRY_AFTER, value);
            }
            response
        }
        Action::Html => {
            let page = "<!DOCTYPE html><html><body><h1>Welcome</h1></body></html>";
            text_response(usual().success, "text/html", page.to_owned())
        }
        Action::WrongJson => text_response(usual().success, JSON, r#"{"ok":true}"#.to_owned()),
        Action::Truncated => {
            let usual = usual();
            let half = usual.whole[..usual.whole.len() / 2].to_owned();
            text_response(usual.success, JSON, half)
        }
        Action::NoId => {
            let usual = usual();
            text_response(usual.success, JSON, usual.without_id)
        }
        Action::Hang
        | Action::Cut
        | Action::CutAtByte(_)
        | Action::Slow(_)
        | Action::NoContinue
        | Action::Invalid(_)
        | Action::Graph(_)
        | Action::Nothing => return None,
    })
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
