//! Answers that refuse a request, in one shape. A message names fields and line numbers, never what they hold.

use axum::body::Body;
use axum::http::Response;
use serde_json::json;

use crate::answer::json_response;
use crate::service::Defect;
use crate::store::Failed;

/// The reason for which a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: u16,
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

impl From<Failed> for Refusal {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Line { number, user_type } => {
                Self::field(format!("`file`: line {number} is no {user_type}"))
            }
            Failed::Empty => Self::field("`file` is empty"),
            Failed::Gone => Self::not_found(),
            Failed::Database(_) | Failed::Read(_) => Self::internal(failed.to_string()),
        }
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Failed::from(error).into()
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Failed::from(error).into()
    }
}

impl From<Defect> for Refusal {
    fn from(Defect: Defect) -> Self {
        Self::internal("the sandbox has a defect")
    }
}
