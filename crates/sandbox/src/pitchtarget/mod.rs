//! The first platform: the Audiences API in either revision of its reference.
//!
//! ```text
//! form     multipart, streaming; the file is put aside            -> fields, file
//! calls    what each call does, in one transaction of the store   -> answer
//! wire     audiences in the JSON of either revision
//! ```
//!
//! Where the reference leaves something open:
//! - add and delete take the vendor's number of an audience, and Facebook's as well: a client that knows an audience
//!   from revision A's list alone has no other number.
//! - Errors are JSON, `{"error": {"code", "message"}}`, with the statuses 400 (terms not accepted, body that is no whole
//!   form), 401, 403 (other ad account), 404, 406, 413, 415 and 422 (field or line).
//! - Lines end with LF; the last one may go without. Digests and advertiser ids are in lower case.
//! - Fields may come in any order, behind the file too.

mod calls;
mod form;
mod refusal;
mod wire;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::{HeaderMap, Response, header};
use axum::routing::{MethodFilter, MethodRouter};

use self::calls::Done;
use self::form::ReceivedForm;
use self::refusal::Refusal;
pub use self::wire::Revision;
use super::config::Terms;
use super::fault::{Call, When};
use super::nonsense::Usual;
use super::service::{self, Service, Work};

/// The routes of the sandbox's revision; everything else is not found.
pub(super) fn routes(service: Arc<Service>) -> Router {
    let list_path = service.config.revision.list_path();
    let one = |path: &str| format!("{path}/{{id}}");
    Router::new()
        .route(wire::CREATE_PATH, on(MethodFilter::POST, Call::Create))
        .route(&one(wire::CREATE_PATH), on(MethodFilter::PUT, Call::Add))
        .route(&one(wire::CREATE_PATH), on(MethodFilter::DELETE, Call::Delete))
        .route(list_path, on(MethodFilter::GET, Call::List))
        .route(&one(list_path), on(MethodFilter::GET, Call::Details))
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .with_state(service)
}

fn on(filter: MethodFilter, call: Call) -> MethodRouter<Arc<Service>> {
    let serve = move |State(service): State<Arc<Service>>, request: Request| {
        serve(service, Some(call), request)
    };
    axum::routing::on(filter, serve)
}

async fn unknown(State(service): State<Arc<Service>>, request: Request) -> Response<Body> {
    serve(service, None, request).await
}

async fn serve(service: Arc<Service>, call: Option<Call>, request: Request) -> Response<Body> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let mut work = Work::new(service, path, &request);
    let answered = answer(&mut work, call, request).await;
    work.end(answered.unwrap_or_else(|refusal| refusal.to_response()))
}

async fn answer(
    work: &mut Work,
    call: Option<Call>,
    request: Request,
) -> Result<Response<Body>, Refusal> {
    check_token(request.headers(), &work.service.config.token)?;
    let call = call.ok_or_else(Refusal::not_found)?;
    let revision = work.service.config.revision;
    let usual = || usual(call, revision);
    work.find_faults(call);
    if let Some(response) = work.strike(When::Head, usual).await {
        return Ok(response);
    }
    check_accept(request.headers())?;
    let uri = request.uri().clone();
    let form = match call {
        Call::Create | Call::Add => Some(receive(work, call, request).await?),
        _ => None,
    };
    if let Some(response) = work.strike(When::Before, usual).await {
        return Ok(response);
    }
    let performed = work.blocking(move |service| calls::perform(service, call, &uri, form)).await;
    let Done { response, members_added } = performed.unwrap_or_else(|defect| Err(defect.into()))?;
    work.pending.changed(members_added, 0);
    Ok(work.strike(When::After, usual).await.unwrap_or(response))
}

/// Receives the whole body, if it is not to be refused before that.
async fn receive(work: &mut Work, call: Call, request: Request) -> Result<ReceivedForm, Refusal> {
    let config = &work.service.config;
    if call == Call::Create && config.terms == Terms::NotAccepted {
        return Err(Refusal::terms());
    }
    let bytes_max = config.body_bytes_max;
    let is_too_large = |bytes: u64| bytes_max.is_some_and(|max| bytes > max);
    if service::announced_bytes(request.headers()).is_some_and(is_too_large) {
        return Err(Refusal::too_large());
    }
    if call == Call::Add {
        let uri = request.uri().clone();
        let found = work.blocking(move |service| calls::find_by_either(service, &uri)).await;
        found.unwrap_or_else(|defect| Err(defect.into()))?;
    }
    let body = Multipart::from_request(work.watched(request, bytes_max), &())
        .await
        .map_err(|_| Refusal::new(415, "media_type", "the body must be multipart/form-data"))?;
    let received = ReceivedForm::receive(body, work.service.config.data_dir.as_deref()).await;
    if is_too_large(work.pending.bytes_so_far()) {
        return Err(Refusal::too_large());
    }
    let form = received?;
    work.is_body_left = false;
    Ok(form)
}

/// What faults make their answers of.
fn usual(call: Call, revision: Revision) -> Usual {
    let without_id = wire::without_id(call, revision);
    Usual {
        success: if call == Call::Create { revision.created_status() } else { 200 },
        refusal: Box::new(|status| {
            Refusal::new(status, "fault", "this fault was asked for").to_response()
        }),
        whole: without_id.replace(r#""name""#, r#""id":59,"name""#),
        without_id,
    }
}

fn check_token(headers: &HeaderMap, token: &str) -> Result<(), Refusal> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match given.map(|value| value.strip_prefix("OAuth ")) {
        Some(Some(given)) if given == token => Ok(()),
        Some(Some(_)) => Err(Refusal::new(401, "unauthorized", "the token is not valid")),
        _ => Err(Refusal::new(401, "unauthorized", "send `Authorization: OAuth <token>`")),
    }
}

fn check_accept(headers: &HeaderMap) -> Result<(), Refusal> {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut types = accepted.flat_map(|value| value.split(','));
    if types.any(|value| value.split(';').next().map(str::trim) == Some("application/json")) {
        return Ok(());
    }
    Err(Refusal::new(406, "not_acceptable", "send `Accept: application/json`"))
}
