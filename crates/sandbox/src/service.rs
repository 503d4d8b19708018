//! The way of a request: routed, authorised, struck by faults, received, worked on, answered, logged.
//!
//! What can be refused without the body is refused before it is asked for, so a wrong token costs a client that sends
//! `Expect: 100-continue` nothing. Faults strike authorised requests only.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request, State};
use axum::http::{HeaderMap, HeaderValue, Response, header};
use axum::routing::{MethodFilter, MethodRouter};

use super::body::{Limits, WatchedBody};
use super::calls::{self, Done};
use super::config::{SandboxConfig, Terms};
use super::connection::Connection;
use super::fault::{Action, Call, Fault, Faults, When};
use super::form::ReceivedForm;
use super::log::{Log, Pending};
use super::nonsense;
use super::refusal::Refusal;
use super::store::Store;
use super::wire::CREATE_PATH;

/// The state that all connections share.
pub(super) struct Service {
    pub(super) config: SandboxConfig,
    pub(super) store: Mutex<Store>,
    pub(super) faults: Mutex<Faults>,
    pub(super) log: Arc<Log>,
    pub(super) bytes_received: Arc<AtomicU64>,
}

/// A lock whose holder panicked guards data that is whole all the same: every change is one call or one transaction.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The routes of the sandbox's revision; everything else is not found.
pub(super) fn routes(service: Arc<Service>) -> Router {
    let list_path = service.config.revision.list_path();
    let one = |path: &str| format!("{path}/{{id}}");
    Router::new()
        .route(CREATE_PATH, on(MethodFilter::POST, Call::Create))
        .route(&one(CREATE_PATH), on(MethodFilter::PUT, Call::Add))
        .route(&one(CREATE_PATH), on(MethodFilter::DELETE, Call::Delete))
        .route(list_path, on(MethodFilter::GET, Call::List))
        .route(&one(list_path), on(MethodFilter::GET, Call::Details))
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .layer(DefaultBodyLimit::disable())
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
    let mut work = Work {
        pending: Pending::new(&service.log, &request),
        connection: request.extensions().get().cloned().unwrap_or_default(),
        faults: Vec::new(),
        is_body_left: !hyper::body::Body::is_end_stream(request.body()),
        service,
    };
    let answered = work.answer(call, request).await;
    let mut response = answered.unwrap_or_else(|refusal| refusal.to_response());
    if work.is_body_left {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    work.pending.answered(response.status().as_u16());
    response
}

/// A request that is being worked on.
struct Work {
    service: Arc<Service>,
    pending: Pending,
    connection: Arc<Connection>,
    faults: Vec<Fault>,
    is_body_left: bool,
}

impl Work {
    async fn answer(
        &mut self,
        call: Option<Call>,
        request: Request,
    ) -> Result<Response<Body>, Refusal> {
        check_token(request.headers(), &self.service.config.token)?;
        let call = call.ok_or_else(Refusal::not_found)?;
        self.faults = lock(&self.service.faults).strike(call);
        if let Some(response) = self.strike(When::Head, call).await {
            return Ok(response);
        }
        check_accept(request.headers())?;
        let uri = request.uri().clone();
        let form = match call {
            Call::Create | Call::Add => Some(self.receive(call, request).await?),
            Call::List | Call::Details | Call::Delete => None,
        };
        if let Some(response) = self.strike(When::Before, call).await {
            return Ok(response);
        }
        let Done { response, members_added } =
            self.blocking(move |service| calls::perform(service, call, &uri, form)).await?;
        self.pending.added(members_added);
        Ok(self.strike(When::After, call).await.unwrap_or(response))
    }

    /// Receives the whole body, if it is not to be refused before that.
    async fn receive(&mut self, call: Call, request: Request) -> Result<ReceivedForm, Refusal> {
        let config = &self.service.config;
        if call == Call::Create && config.terms == Terms::NotAccepted {
            return Err(Refusal::terms());
        }
        let announced: Option<u64> = request
            .headers()
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok());
        if config.body_bytes_max.is_some_and(|max| announced.is_some_and(|bytes| bytes > max)) {
            return Err(Refusal::too_large());
        }
        if call == Call::Add {
            let uri = request.uri().clone();
            self.blocking(move |service| calls::find_by_either(service, &uri)).await?;
        }
        let body = Multipart::from_request(self.watched(request), &())
            .await
            .map_err(|_| Refusal::new(415, "media_type", "the body must be multipart/form-data"))?;
        let config = &self.service.config;
        let received = ReceivedForm::receive(body, config.data_dir.as_deref()).await;
        let bytes = self.pending.body_bytes().load(Ordering::Relaxed);
        if config.body_bytes_max.is_some_and(|max| bytes > max) {
            return Err(Refusal::too_large());
        }
        let form = received?;
        self.is_body_left = false;
        Ok(form)
    }

    /// The request with a body that does what faults say of it.
    fn watched(&self, request: Request) -> Request {
        let actions = || self.faults.iter().map(|fault| &fault.action);
        self.connection.set_mute(actions().any(|action| *action == Action::NoContinue));
        let limits = Limits {
            bytes_max: self.service.config.body_bytes_max,
            cut_at_byte: actions().find_map(|action| match action {
                Action::CutAtByte(byte) => Some(*byte),
                _ => None,
            }),
            bytes_per_second: actions().find_map(|action| match action {
                Action::Slow(bytes) => Some(*bytes),
                _ => None,
            }),
        };
        let (connection, received) = (&self.connection, self.pending.body_bytes());
        request.map(|body| {
            let (connection, received) = (Arc::clone(connection), Arc::clone(received));
            Body::new(WatchedBody::new(body, limits, connection, received))
        })
    }

    /// Lets faults do what they do at this moment. A fault that leaves no answer does not return.
    async fn strike(&mut self, when: When, call: Call) -> Option<Response<Body>> {
        for fault in self.faults.iter().filter(|fault| fault.when == when) {
            if !fault.delay.is_zero() {
                tokio::time::sleep(fault.delay).await;
            }
            match &fault.action {
                Action::Hang => std::future::pending().await,
                Action::Cut => {
                    self.pending.end();
                    self.connection.cut();
                    std::future::pending::<()>().await;
                }
                action => {
                    let answer = nonsense::answer(action, call, self.service.config.revision);
                    if answer.is_some() {
                        return answer;
                    }
                }
            }
        }
        None
    }

    /// Works with the database, away from the thread that serves connections. It goes on when the client is gone.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Service) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let service = Arc::clone(&self.service);
        let done = tokio::task::spawn_blocking(move || work(&service)).await;
        done.unwrap_or_else(|_| Err(Refusal::internal("the sandbox has a defect")))
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
