//! Answers with a body.

use axum::body::Body;
use axum::http::{Response, header};
use serde_json::Value;

/// An answer in JSON.
pub(super) fn json_response(status: u16, body: &Value) -> Response<Body> {
    text_response(status, "application/json; charset=utf-8", body.to_string())
}

/// An answer with a body of any type.
pub(super) fn text_response(status: u16, content_type: &str, body: String) -> Response<Body> {
    let response = Response::builder().status(status).header(header::CONTENT_TYPE, content_type);
    response.body(body.into()).unwrap_or_default()
}
