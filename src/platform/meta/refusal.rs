//! Error objects, and what follows from each. They come with any status; what counts is code, subcode and whether it passes.

use serde_json::Value;

use super::usage;
use crate::platform::{Call, FailureKind, Refusal, Reply};

/// `error_subcode` of limits.
const LIMITS: [u64; 2] = [2_446_079, 1_487_742];

/// `error_subcode` of terms that nobody has accepted.
const TERMS: [u64; 2] = [1_870_034, 1_870_090];

/// `error_subcode` of an audience that is flagged.
const FLAGGED: u64 = 1_713_230;

/// `error_subcode` of an audience that is being changed.
const UPDATING: [u64; 3] = [1_713_139, 1_870_145, 1_870_147];

/// `error_subcode` of an audience that would become too small.
const TOO_SMALL: u64 = 1_870_047;

/// `error_subcode` of an object that is not there, or not for this token.
const NO_OBJECT: u64 = 33;

/// What an error object says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct GraphError {
    code: u64,
    subcode: u64,
    is_transient: bool,
}

/// Why an answer says no. `said` is the text of its error.
pub(in crate::platform) fn refusal(reply: &Reply, said: &str) -> Option<Refusal> {
    let Some(error) = GraphError::read(&reply.body) else {
        return (!reply.is_success()).then(|| by_status(reply));
    };
    let said = said.to_ascii_lowercase();
    Some(by_code(error, reply, &said).unwrap_or_else(|| by_status(reply)))
}

/// What a code means; `None` if it is not known.
fn by_code(error: GraphError, reply: &Reply, said: &str) -> Option<Refusal> {
    use FailureKind::{
        BadField, Blocked, Busy, Credentials, Flagged, NotFound, Refused, SessionOver, Terms,
    };
    let GraphError { code, subcode, is_transient } = error;
    let stop = |kind, hint| Some(Refusal { hint: Some(hint), ..Refusal::from(kind) });
    match code {
        _ if LIMITS.contains(&subcode) => Some(limited(reply)),
        4 | 17 | 32 | 613 | 80_000..=80_014 => Some(limited(reply)),
        190 | 102 => stop(
            Credentials,
            "the token has expired or was revoked: make another one, and set THRONG_TOKEN",
        ),
        104 => stop(Credentials, APP_SECRET),
        100 if said.contains("appsecret_proof") => stop(Credentials, APP_SECRET),
        _ if TERMS.contains(&subcode) => stop(Terms, ACCEPT),
        100 if said.contains("terms") => stop(Terms, ACCEPT),
        _ if subcode == FLAGGED => stop(
            Flagged,
            "open Audience Manager, and appeal, or create a new audience with other people",
        ),
        _ if UPDATING.contains(&subcode) => Some(Busy.into()),
        2650 | 2655 => Some(Busy.into()),
        _ if subcode == TOO_SMALL => {
            stop(Refused, "Meta keeps an audience from becoming too small: build a new one")
        }
        100 if subcode == NO_OBJECT => match reply.call {
            Call::Create | Call::List => {
                stop(Credentials, "check --ad-account, and that the token may use it")
            }
            Call::Add | Call::Remove | Call::Details | Call::Delete => stop(
                NotFound,
                "see throng audience list --to meta --ad-account N; one that throng created and somebody deleted: --create-again",
            ),
        },
        3 | 10 | 200..=299 => stop(
            Credentials,
            "let the token's user or system user manage this ad account (ads_management), and its app use the Marketing API",
        ),
        368 => stop(Blocked, "Meta has blocked this user or app: see Business Support Home"),
        100 if is_about_session(reply.call, said) => Some(SessionOver.into()),
        2635 => stop(Refused, "this version of the Graph API has ended: get a newer throng"),
        1 | 2 => Some(Busy.into()),
        _ if is_transient => Some(Busy.into()),
        100 => Some(BadField.into()),
        _ => None,
    }
}

const ACCEPT: &str = "accept them at https://business.facebook.com/ads/manage/customaudiences/tos with this ad account, and run again";

const APP_SECRET: &str =
    "the app wants its secret: set THRONG_APP_SECRET to that of the app that the token is of";

/// The reference has no code for a session that does not go on.
fn is_about_session(call: Call, said: &str) -> bool {
    matches!(call, Call::Add | Call::Remove) && said.contains("session")
}

fn limited(reply: &Reply) -> Refusal {
    let retry_after = Some(usage::wait_after_refusal(reply));
    Refusal { retry_after, ..FailureKind::RateLimited.into() }
}

/// What a status means that comes without an error object, or with one that nobody knows.
fn by_status(reply: &Reply) -> Refusal {
    let kind = match reply.status {
        401 | 403 => FailureKind::Credentials,
        404 | 410 => FailureKind::NotFound,
        407 => FailureKind::Unreachable,
        413 => FailureKind::TooLarge,
        429 => return limited(reply),
        408 | 425 | 500..=599 => FailureKind::Busy,
        _ => FailureKind::Refused,
    };
    kind.into()
}

impl GraphError {
    /// Reads an error object, if the answer is one.
    fn read(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let error = body.get("error")?.as_object()?;
        let number = |name: &str| error.get(name).and_then(Value::as_u64).unwrap_or_default();
        Some(Self {
            code: number("code"),
            subcode: number("error_subcode"),
            is_transient: error.get("is_transient").and_then(Value::as_bool).unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn judged(call: Call, status: u16, error: &Value, message: &str) -> Refusal {
        let body = json!({ "error": error }).to_string().into_bytes();
        let reply = Reply { call, status, body, headers: Vec::new(), ad_account: None };
        refusal(&reply, message).expect("a refusal")
    }

    /// Every row of the table: code, subcode, what follows.
    #[test]
    fn every_code_of_the_table() {
        use FailureKind::{
            BadField, Blocked, Busy, Credentials, Flagged, NotFound, RateLimited, Refused, Terms,
        };
        for (code, subcode, kind) in [
            (1, 0, Busy),
            (1, 99, Busy),
            (2, 0, Busy),
            (4, 0, RateLimited),
            (17, 2_446_079, RateLimited),
            (32, 0, RateLimited),
            (613, 1_487_742, RateLimited),
            (80_000, 0, RateLimited),
            (80_003, 0, RateLimited),
            (80_014, 0, RateLimited),
            (190, 0, Credentials),
            (190, 463, Credentials),
            (102, 0, Credentials),
            (104, 0, Credentials),
            (10, 0, Credentials),
            (200, 0, Credentials),
            (294, 0, Credentials),
            (3, 0, Credentials),
            (100, 1_870_034, Terms),
            (100, 1_870_090, Terms),
            (200, 1_870_034, Terms),
            (100, 1_713_230, Flagged),
            (100, 33, NotFound),
            (2650, 0, Busy),
            (2650, 1_870_147, Busy),
            (2655, 0, Busy),
            (100, 1_713_139, Busy),
            (100, 1_870_147, Busy),
            (200, 1_870_047, Refused),
            (368, 0, Blocked),
            (2635, 0, Refused),
            (100, 0, BadField),
            (100, 1_487_694, BadField),
        ] {
            let error = json!({ "code": code, "error_subcode": subcode, "message": "no" });
            // Also 200 at times.
            for status in [400, 403, 500, 200] {
                let found = judged(Call::Add, status, &error, "no");
                assert_eq!(found.kind, kind, "{code} {subcode} {status}");
                let is_for_people = matches!(kind, Credentials | Terms | Flagged | Blocked);
                assert!(!is_for_people || found.hint.is_some(), "{code} {subcode}");
            }
        }
    }

    #[test]
    fn what_passes_by_itself_is_tried_again_whatever_its_code() {
        let error = json!({ "code": 1234, "is_transient": true });
        assert_eq!(judged(Call::Add, 400, &error, "").kind, FailureKind::Busy);
        let error = json!({ "code": 1234, "is_transient": false });
        assert_eq!(judged(Call::Add, 400, &error, "").kind, FailureKind::Refused);
        assert_eq!(judged(Call::Add, 503, &error, "").kind, FailureKind::Busy);
    }

    #[test]
    fn texts_decide_where_there_is_no_subcode() {
        let error = json!({ "code": 100 });
        for (call, said, kind) in [
            (Call::Create, "Custom Audience Terms not accepted", FailureKind::Terms),
            (Call::List, "Invalid appsecret_proof provided", FailureKind::Credentials),
            (Call::Add, "(#100) session: it goes on with batch 2", FailureKind::SessionOver),
            (Call::Remove, "Invalid session", FailureKind::SessionOver),
            (Call::Create, "Invalid session", FailureKind::BadField),
        ] {
            assert_eq!(judged(call, 400, &error, said).kind, kind, "{said}");
        }
    }

    #[test]
    fn an_account_that_the_token_does_not_see_is_no_missing_audience() {
        let error = json!({ "code": 100, "error_subcode": 33 });
        for (call, kind) in [
            (Call::Create, FailureKind::Credentials),
            (Call::List, FailureKind::Credentials),
            (Call::Delete, FailureKind::NotFound),
            (Call::Details, FailureKind::NotFound),
        ] {
            assert_eq!(judged(call, 400, &error, "").kind, kind);
        }
    }

    #[test]
    fn a_status_counts_where_there_is_no_error_object() {
        let reply = |status, body: &str| Reply {
            call: Call::Add,
            status,
            body: body.as_bytes().to_vec(),
            headers: Vec::new(),
            ad_account: None,
        };
        for (status, kind) in [
            (401, FailureKind::Credentials),
            (404, FailureKind::NotFound),
            (413, FailureKind::TooLarge),
            (500, FailureKind::Busy),
            (503, FailureKind::Busy),
            (302, FailureKind::Refused),
        ] {
            let found = refusal(&reply(status, "<html>"), "").expect("a refusal");
            assert_eq!(found.kind, kind, "{status}");
        }
        let limited = refusal(&reply(429, ""), "").expect("a refusal");
        assert_eq!(limited.retry_after, Some(Duration::from_mins(1)));
        assert_eq!(refusal(&reply(200, "{}"), ""), None);
        assert_eq!(refusal(&reply(200, r#"{"error": null}"#), ""), None);
    }
}
