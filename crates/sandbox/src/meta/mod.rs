//! Meta's Marketing API, as far as it is about custom audiences of customer files.
//!
//! ```text
//! params   query, form, multipart or JSON                          -> values by name
//! payload  entries under a schema, their place in a session        -> valid entries, number of the others
//! calls    what each call does, in one transaction of the store    -> answer
//! usage    calls within an hour                                    -> headers, refusal
//! wire     audiences with the fields that were asked for
//! ```
//!
//! Where the reference leaves something open, or is laxer in practice:
//! - A path may begin with a version from v22.0 to v26.0. Without one the oldest is meant, as everywhere in the Graph API.
//! - The token may come as `Authorization: Bearer`, as `access_token` in the query or in the body. The log holds none of it.
//! - A form, a multipart form and JSON say the same; objects are JSON in a text, or as they are within JSON.
//! - A batch of a session that has been received already is answered and not carried out again, even if it holds
//!   something else: whoever counts batches wrongly loses entries, and finds out.
//! - A session is about one audience and one kind of change, and its number is used once in an ad account. A batch that
//!   does not fit is refused with code 100 and subcode 1870158: the reference has no codes for this.
//! - `num_received` and `num_invalid_entries` are about the one request.
//! - An audience holds one type of identifiers; Meta would mix them.
//! - While members are being replaced, from the first batch until some time after the last one, any other change is
//!   refused with 2650 (1870147). New members are there as soon as the last batch is; Meta takes hours.
//! - Lists begin with the latest audience. An empty page has no `paging`; `next` holds the token.

mod calls;
mod params;
mod payload;
mod proof;
mod refusal;
mod usage;
mod wire;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, Response, Uri, header};

use self::params::Params;
use self::refusal::GraphError;
use self::usage::Reading;
pub(super) use self::usage::Usage;
use super::answer::json_response;
use super::config::META_BODY_BYTES_MAX;
use super::fault::{Action, Call, GraphFault, When};
use super::nonsense::Usual;
use super::service::{self, Service, Work};

/// Versions that are served: those that have not expired.
const VERSIONS: std::ops::RangeInclusive<u32> = 22..=26;

/// The version that addresses without one are of.
const VERSION: &str = "v22.0";

/// A request as its address tells it.
#[derive(Debug)]
struct Asked {
    call: Call,
    method: String,
    /// As it is in the path.
    version: Option<String>,
    /// `act_` and the number of an ad account, or the number of an audience.
    node: String,
    /// The sandbox as its client calls it.
    host: String,
    /// The number of entries that a fault makes invalid.
    spoilt: usize,
}

/// Everything is served here: nodes and edges are no fixed paths.
pub(super) fn routes(service: Arc<Service>) -> Router {
    Router::new().fallback(serve).with_state(service)
}

/// The answer of a fault.
pub(super) fn faulty(fault: &GraphFault) -> Response<Body> {
    let mut response = GraphError::asked_for(fault).to_response();
    if let Some(minutes) = fault.regain_access {
        let reading = Reading { account: 0, percent: 100, regain_access: Some(minutes) };
        reading.tell(&mut response);
    }
    response
}

async fn serve(State(service): State<Arc<Service>>, request: Request) -> Response<Body> {
    let mut work = Work::new(service, params::shown(request.uri()), &request);
    let answered = answer(&mut work, request).await;
    work.end(answered.unwrap_or_else(|refused| refused.to_response()))
}

async fn answer(work: &mut Work, request: Request) -> Result<Response<Body>, GraphError> {
    let mut params = Params::of_query(request.uri());
    let mut asked = asked(request.method(), request.uri(), request.headers());
    let header_token = bearer(request.headers()).map(str::to_owned);
    let mut request = Some(request);
    if header_token.is_none() && params.text("access_token").is_none() {
        // It can be in the body.
        receive(work, &mut params, request.take()).await?;
    }
    check_token(work, header_token, &params)?;
    let found = asked.as_ref().ok().map(|asked| asked.call);
    if let Some(call) = found {
        work.find_faults(call);
        if let Some(response) = work.strike(When::Head, || usual(call)).await {
            return Ok(response);
        }
    }
    receive(work, &mut params, request).await?;
    check_proof(work, &params)?;
    let call = asked.as_ref().map_err(Clone::clone)?.call;
    if let Some(response) = work.strike(When::Before, || usual(call)).await {
        return Ok(response);
    }
    if let Ok(asked) = &mut asked {
        let spoilt = |action: &Action| match action {
            Action::Invalid(count) => Some(*count),
            _ => None,
        };
        asked.spoilt = work.actions().find_map(spoilt).unwrap_or(0);
    }
    let asked = asked?;
    let performed = work.blocking(move |service| calls::perform(service, &asked, &params));
    let (reading, done) = performed.await?;
    let mut response = match done {
        Ok(done) => {
            work.pending.changed(done.changed.added, done.changed.removed);
            let usual_answer = json_response(200, &done.body);
            work.strike(When::After, || usual(call)).await.unwrap_or(usual_answer)
        }
        Err(refused) => refused.to_response(),
    };
    if let Some(reading) = reading {
        reading.tell(&mut response);
    }
    Ok(response)
}

/// Receives the body of a request that has not been received yet.
async fn receive(
    work: &mut Work,
    params: &mut Params,
    request: Option<Request>,
) -> Result<(), GraphError> {
    let Some(request) = request else { return Ok(()) };
    let bytes_max = work.service.config.body_bytes_max.unwrap_or(META_BODY_BYTES_MAX);
    let too_large = || GraphError::parameter("the body is too large").with_status(413);
    if service::announced_bytes(request.headers()).is_some_and(|bytes| bytes > bytes_max) {
        return Err(too_large());
    }
    let received = params.receive(work.watched(request, Some(bytes_max))).await;
    if work.pending.bytes_so_far() > bytes_max {
        return Err(too_large());
    }
    received?;
    work.is_body_left = false;
    Ok(())
}

/// Finds out what is asked for. An address that leads nowhere is told after the token.
fn asked(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Asked, GraphError> {
    let no_object = || GraphError::no_object(method.as_str());
    let mut parts: Vec<&str> = uri.path().split('/').skip(1).collect();
    // The SDK ends the path of a node with a slash.
    parts.pop_if(|last| last.is_empty());
    let version = parts.first().copied().filter(|first| is_version(first));
    if let Some(version) = version {
        parts.remove(0);
        check_version(version)?;
    }
    let (node, edge) = match parts.as_slice() {
        [node] => (*node, ""),
        [node, edge] => (*node, *edge),
        _ => return Err(no_object()),
    };
    let call = match (method.as_str(), edge, node.starts_with("act_")) {
        ("POST", "customaudiences", true) => Call::Create,
        ("GET", "customaudiences", true) => Call::List,
        ("GET", "", false) => Call::Details,
        ("DELETE", "", false) => Call::Delete,
        ("POST", "users", false) => Call::Add,
        ("DELETE", "users", false) => Call::Remove,
        ("POST", "usersreplace", false) => Call::Replace,
        _ => return Err(no_object()),
    };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    Ok(Asked {
        call,
        method: method.to_string(),
        version: version.map(str::to_owned),
        node: node.to_owned(),
        host: host.to_owned(),
        spoilt: 0,
    })
}

fn is_version(part: &str) -> bool {
    part.strip_prefix('v')
        .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}

fn check_version(version: &str) -> Result<(), GraphError> {
    let major = version.strip_prefix('v').and_then(|rest| rest.strip_suffix(".0"));
    match major.and_then(|major| major.parse::<u32>().ok()) {
        Some(major) if VERSIONS.contains(&major) => Ok(()),
        Some(major) if major < *VERSIONS.start() => Err(GraphError::of(2635, None)),
        _ => Err(GraphError::of(2500, None).with_message("Unknown path components")),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("OAuth "))
}

fn check_token(work: &Work, header: Option<String>, params: &Params) -> Result<(), GraphError> {
    match header.or_else(|| params.text("access_token")) {
        Some(given) if given == work.service.config.token => Ok(()),
        Some(_) => Err(GraphError::of(190, None)),
        None => Err(GraphError::of(104, None)),
    }
}

fn check_proof(work: &Work, params: &Params) -> Result<(), GraphError> {
    let config = &work.service.config;
    let Some(secret) = &config.app_secret else { return Ok(()) };
    let proof = proof::proof(secret, &config.token);
    match params.text("appsecret_proof") {
        Some(given) if given == proof => Ok(()),
        Some(_) => {
            Err(GraphError::parameter("Invalid appsecret_proof provided in the API argument"))
        }
        None => Err(GraphError::parameter(
            "API calls from the server require an appsecret_proof argument",
        )),
    }
}

/// What faults make their answers of.
fn usual(call: Call) -> Usual {
    let (whole, without_id) = match call {
        Call::Create => (r#"{"id":"120210000000000059"}"#, "{}"),
        Call::List => (
            r#"{"data":[{"id":"120210000000000059","name":"Newsletter"}]}"#,
            r#"{"data":[{"name":"Newsletter"}]}"#,
        ),
        Call::Details => {
            (r#"{"id":"120210000000000059","name":"Newsletter"}"#, r#"{"name":"Newsletter"}"#)
        }
        Call::Delete => (r#"{"success":true}"#, r#"{"success":false}"#),
        Call::Add | Call::Remove | Call::Replace => (
            r#"{"audience_id":"120210000000000059","session_id":"1","num_received":1,"num_invalid_entries":0}"#,
            r#"{"session_id":"1","num_received":1,"num_invalid_entries":0}"#,
        ),
    };
    Usual {
        success: 200,
        refusal: Box::new(|status| {
            let code = match status {
                401 => 190,
                403 => 200,
                429 => 4,
                400..500 => 100,
                _ => 2,
            };
            let error = GraphError::of(code, None).with_message("this fault was asked for");
            error.with_status(status).to_response()
        }),
        whole: whole.to_owned(),
        without_id: without_id.to_owned(),
    }
}
