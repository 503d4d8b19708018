//! The way of a request, whatever the platform: struck by faults, received, worked on, answered, logged.
//!
//! What can be refused without the body is refused before it is asked for, so a wrong token costs a client that sends
//! `Expect: 100-continue` nothing. Faults strike authorised requests only.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderMap, HeaderValue, Response, header};

use super::body::{Limits, WatchedBody};
use super::clock::Clock;
use super::config::{Platform, SandboxConfig};
use super::connection::Connection;
use super::fault::{Action, Call, Fault, Faults, When};
use super::log::{Log, Pending};
use super::meta::{self, Usage};
use super::nonsense::{self, Usual};
use super::pitchtarget;
use super::store::Store;

/// The state that all connections share.
pub(super) struct Service {
    pub(super) config: SandboxConfig,
    pub(super) clock: Clock,
    pub(super) store: Mutex<Store>,
    pub(super) usage: Mutex<Usage>,
    pub(super) faults: Mutex<Faults>,
    pub(super) log: Arc<Log>,
    pub(super) bytes_received: Arc<AtomicU64>,
}

/// A lock whose holder panicked guards data that is whole all the same: every change is one call or one transaction.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The routes of the sandbox's platform.
pub(super) fn routes(service: Arc<Service>) -> Router {
    let routes = match service.config.platform {
        Platform::PitchTarget => pitchtarget::routes(service),
        Platform::Meta => meta::routes(service),
    };
    routes.layer(DefaultBodyLimit::disable())
}

/// The length of the body that the head tells.
pub(super) fn announced_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Work that panicked.
#[derive(Debug)]
pub(super) struct Defect;

/// A request that is being worked on.
pub(super) struct Work {
    pub(super) service: Arc<Service>,
    pub(super) pending: Pending,
    pub(super) is_body_left: bool,
    connection: Arc<Connection>,
    faults: Vec<Fault>,
}

impl Work {
    /// Begins; `path` is what the log may hold of the address.
    pub(super) fn new(service: Arc<Service>, path: String, request: &Request) -> Self {
        Self {
            pending: Pending::new(&service.log, path, request),
            connection: request.extensions().get().cloned().unwrap_or_default(),
            faults: Vec::new(),
            is_body_left: !hyper::body::Body::is_end_stream(request.body()),
            service,
        }
    }

    /// Ends with this answer.
    pub(super) fn end(mut self, mut response: Response<Body>) -> Response<Body> {
        if self.is_body_left {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        self.pending.answered(response.status().as_u16());
        response
    }

    /// Finds the faults that strike this request, once it is authorised.
    pub(super) fn find_faults(&mut self, call: Call) {
        self.faults = lock(&self.service.faults).strike(call);
    }

    /// What faults do, in the order in which they were given.
    pub(super) fn actions(&self) -> impl Iterator<Item = &Action> {
        self.faults.iter().map(|fault| &fault.action)
    }

    /// The request with a body that does what faults say of it.
    pub(super) fn watched(&self, request: Request, bytes_max: Option<u64>) -> Request {
        self.connection.set_mute(self.actions().any(|action| *action == Action::NoContinue));
        let limits = Limits {
            bytes_max,
            cut_at_byte: self.actions().find_map(|action| match action {
                Action::CutAtByte(byte) => Some(*byte),
                _ => None,
            }),
            bytes_per_second: self.actions().find_map(|action| match action {
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
    pub(super) async fn strike(
        &mut self,
        when: When,
        usual: impl Fn() -> Usual,
    ) -> Option<Response<Body>> {
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
                Action::Graph(error) if self.service.config.platform == Platform::Meta => {
                    return Some(meta::faulty(error));
                }
                action => {
                    let answer = nonsense::answer(action, &usual);
                    if answer.is_some() {
                        return answer;
                    }
                }
            }
        }
        None
    }

    /// Works with the database, away from the thread that serves connections. It goes on when the client is gone.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Service) -> T + Send + 'static,
    ) -> Result<T, Defect> {
        let service = Arc::clone(&self.service);
        tokio::task::spawn_blocking(move || work(&service)).await.map_err(|_| Defect)
    }
}
