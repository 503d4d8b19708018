//! Errors as Meta writes them. A message names parameters and positions, never what they hold.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::http::Response;
use serde_json::json;

use crate::answer::json_response;
use crate::fault::GraphFault;
use crate::service::Defect;
use crate::store::BatchRefused;

/// `error_subcode` of an audience that is flagged.
const FLAGGED: u32 = 1_713_230;

/// `error_subcode` of an audience that cannot be updated now.
const BUSY: u32 = 1_870_147;

/// `error_subcode` of terms that nobody has accepted.
const TERMS: u32 = 1_870_034;

/// `error_subcode` of a session that a batch does not fit. The reference names none; a client has to begin a new one.
const SESSION: u32 = 1_870_158;

/// An error object, and the status that it comes with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GraphError {
    pub(super) status: u16,
    pub(super) code: u32,
    pub(super) subcode: Option<u32>,
    pub(super) is_transient: bool,
    kind: &'static str,
    message: String,
    /// What people are told: a title and a sentence.
    said: Option<(&'static str, &'static str)>,
}

impl GraphError {
    /// A wrong parameter.
    pub(super) fn parameter(message: impl Into<String>) -> Self {
        Self::of(100, None).with_message(format!("(#100) {}", message.into()))
    }

    /// An object that is not there, or not for this token.
    pub(super) fn no_object(method: &str) -> Self {
        let message = format!(
            "Unsupported {} request. The object does not exist, cannot be loaded due to missing permissions, or does not \
             support this operation",
            method.to_lowercase()
        );
        Self::of(100, Some(33)).with_message(message)
    }

    /// The same with another message.
    pub(super) fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// The same with another status.
    pub(super) fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The terms of custom audiences are not accepted.
    pub(super) fn terms() -> Self {
        Self::of(100, Some(TERMS))
    }

    /// The error that a fault asks for.
    pub(super) fn asked_for(fault: &GraphFault) -> Self {
        let mut error = Self::of(fault.code, fault.subcode);
        error.is_transient |= fault.is_transient;
        error.status = fault.status.unwrap_or(error.status);
        error
    }

    /// The error of a code, as it usually comes.
    pub(super) fn of(code: u32, subcode: Option<u32>) -> Self {
        let (status, message) = usual(code);
        let kind = if subcode == Some(33) { "GraphMethodException" } else { "OAuthException" };
        Self {
            status,
            code,
            subcode,
            is_transient: code <= 2,
            kind,
            message: message.to_owned(),
            said: said(subcode),
        }
    }

    pub(super) fn to_response(&self) -> Response<Body> {
        static TRACE: AtomicU64 = AtomicU64::new(1);
        let trace = TRACE.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        let mut error = json!({
            "message": self.message,
            "type": self.kind,
            "code": self.code,
            "fbtrace_id": format!("A{trace:016x}"),
        });
        if let Some(subcode) = self.subcode {
            error["error_subcode"] = json!(subcode);
        }
        if self.is_transient || self.said.is_some() {
            error["is_transient"] = json!(self.is_transient);
        }
        if let Some((title, text)) = self.said {
            error["error_user_title"] = json!(title);
            error["error_user_msg"] = json!(text);
        }
        json_response(self.status, &json!({ "error": error }))
    }
}

/// The status and the message that a code comes with.
fn usual(code: u32) -> (u16, &'static str) {
    match code {
        1 => (500, "An unknown error occurred"),
        2 => (500, "Service temporarily unavailable"),
        3 => (400, "Application does not have the capability to make this API call."),
        4 => (403, "(#4) Application request limit reached"),
        10 => (403, "(#10) Application does not have permission for this action"),
        17 => (400, "(#17) User request limit reached"),
        32 => (403, "(#32) Page request limit reached"),
        100 => (400, "Invalid parameter"),
        102 => (400, "Session has expired"),
        104 => (400, "An access token is required to request this resource."),
        190 => (400, "Invalid OAuth access token."),
        200 => (403, "(#200) Ad account owner has NOT grant ads_management permission"),
        294 => {
            (403, "(#294) Managing advertisements requires the extended permission ads_management")
        }
        368 => (400, "The action attempted has been deemed abusive or is otherwise disallowed"),
        613 => (400, "(#613) Calls to this api have exceeded the rate limit."),
        2635 => (400, "(#2635) You are calling a deprecated version of the Ads API."),
        2650 | 2655 => (400, "Failed to update the custom audience"),
        80000..=80014 => {
            (400, "There have been too many calls to this ad-account. Wait a bit and try again.")
        }
        _ => (400, "An error occurred"),
    }
}

/// What people are told of a subcode: a title and a sentence.
fn said(subcode: Option<u32>) -> Option<(&'static str, &'static str)> {
    match subcode {
        Some(FLAGGED) => Some((
            "Audience Upload Blocked",
            "Before updating user memberships, you must resolve integrity restrictions on this Data File Custom \
                 Audience. Go to Audience Manager to appeal the restrictions.",
        )),
        Some(TERMS | 1_870_090) => Some((
            "Custom Audience Terms Not Accepted",
            "The owner of the ad account has to accept the Custom Audience terms of service first.",
        )),
        Some(BUSY) => Some((
            "Audience Can't Be Updated",
            "This audience is being updated. Try again when that has ended.",
        )),
        _ => None,
    }
}

impl From<rusqlite::Error> for GraphError {
    fn from(error: rusqlite::Error) -> Self {
        Self::of(1, None).with_message(format!("the sandbox's database failed: {error}"))
    }
}

impl From<Defect> for GraphError {
    fn from(Defect: Defect) -> Self {
        Self::of(1, None).with_message("the sandbox has a defect")
    }
}

impl From<BatchRefused> for GraphError {
    fn from(refused: BatchRefused) -> Self {
        match refused {
            BatchRefused::Flagged => Self::of(100, Some(FLAGGED)),
            BatchRefused::Busy => Self::of(2650, Some(BUSY)),
            BatchRefused::OtherType => Self::parameter(refused.to_string()),
            BatchRefused::SessionElsewhere
            | BatchRefused::SessionOver
            | BatchRefused::Gap(_)
            | BatchRefused::AfterLast => {
                Self::of(100, Some(SESSION)).with_message(format!("(#100) session: {refused}"))
            }
            BatchRefused::Database(error) => error.into(),
        }
    }
}
