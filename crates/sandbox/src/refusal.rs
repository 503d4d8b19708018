//! Answers that refuse a request, in one shape. A message names fields and line numbers, never what they hold.

use axum::body::Body;
use axum::http::{Response, header};
use serde_json::{Value, json};

/// The reason for which a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    code: &'static str,
    message: String,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// A field that is missing or wrong.
    pub(super) fn field(message: impl Into<String>) -> Self {
        Self::new(422, "invalid_field", message)
    }

    /// An address that leads nowhere.
    pub(super) fn not_found() -> Self {
        Self::new(404, "not_found", "there is nothing at this address")
    }

    /// An ad account that the token, or the audience, does not go with.
    pub(super) fn forbidden() -> Self {
        Self::new(403, "forbidden", "no permission for this ad account")
    }

    /// The owner of the ad account has something to do first.
    pub(super) fn terms() -> Self {
        let message = "the owner of the ad account has not accepted the Custom Audiences terms";
        Self::new(400, "terms_not_accepted", message)
    }

    /// A body over the limit.
    pub(super) fn too_large() -> Self {
        Self::new(413, "too_large", "the body is too large")
    }

    /// The sandbox itself has failed.
    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "internal", message)
    }

    pub(super) fn to_response(&self) -> Response<Body> {
        let error = json!({ "error": { "code": self.code, "message": self.message } });
        json_response(self.status, &error)
    }
}

/// An answer in JSON.
pub(super) fn json_response(status: u16, body: &Value) -> Response<Body> {
    text_response(status, "application/json; charset=utf-8", body.to_string())
}

/// An answer with a body of any type.
pub(super) fn text_response(status: u16, content_type: &str, body: String) -> Response<Body> {
    let response = Response::builder().status(status).header(header::CONTENT_TYPE, content_type);
    response.body(body.into()).unwrap_or_default()
}
