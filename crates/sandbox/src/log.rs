//! The log of requests and their ends. No token and no value gets in here.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::Request;

use super::config::LOG_REQUESTS_MAX;

/// A request and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Exchange {
    /// `GET`, ...
    pub method: String,
    /// Path and query. At Meta a parameter that can hold a token or values is there by its name alone.
    pub path: String,
    /// True if the client asked to be told to go on before it sends the body (`Expect: 100-continue`).
    pub expects_continue: bool,
    /// Bytes of the body that the sandbox has asked for and received.
    pub body_bytes: u64,
    /// The answer; nothing if there was none, because either side closed the connection. What a client asked for before
    /// it went away may have been done all the same.
    pub status: Option<u16>,
    /// Number of members that were added.
    pub members_added: u64,
    /// Number of members that were removed.
    #[serde(skip_serializing_if = "is_zero")]
    pub members_removed: u64,
    /// Time between the sandbox's start and the arrival of its head.
    #[serde(skip)]
    pub at: Duration,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The latest requests, and who wants to hear of each.
pub(super) struct Log {
    started: Instant,
    exchanges: Mutex<VecDeque<Exchange>>,
    observer: Box<dyn Fn(&Exchange) + Send + Sync>,
}

impl Log {
    pub(super) fn new(observer: impl Fn(&Exchange) + Send + Sync + 'static) -> Self {
        Self { started: Instant::now(), exchanges: Mutex::default(), observer: Box::new(observer) }
    }

    pub(super) fn exchanges(&self) -> Vec<Exchange> {
        let exchanges = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner);
        exchanges.iter().cloned().collect()
    }

    fn push(&self, exchange: Exchange) {
        (self.observer)(&exchange);
        let mut exchanges = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner);
        if exchanges.len() == LOG_REQUESTS_MAX {
            exchanges.pop_front();
        }
        exchanges.push_back(exchange);
    }
}

/// A request that is being worked on. It gets into the log when this is dropped, also with its connection.
pub(super) struct Pending {
    log: Arc<Log>,
    exchange: Option<Exchange>,
    body_bytes: Arc<AtomicU64>,
}

impl Pending {
    /// `path` is what may be seen of the request's address.
    pub(super) fn new<B>(log: &Arc<Log>, path: String, request: &Request<B>) -> Self {
        let exchange = Exchange {
            method: request.method().to_string(),
            path,
            expects_continue: request.headers().contains_key("expect"),
            body_bytes: 0,
            status: None,
            members_added: 0,
            members_removed: 0,
            at: log.started.elapsed(),
        };
        Self { log: Arc::clone(log), exchange: Some(exchange), body_bytes: Arc::default() }
    }

    /// Counts the bytes of the body.
    pub(super) fn body_bytes(&self) -> &Arc<AtomicU64> {
        &self.body_bytes
    }

    /// The bytes of the body that are here.
    pub(super) fn bytes_so_far(&self) -> u64 {
        self.body_bytes.load(Ordering::Relaxed)
    }

    /// Notes how many members were added and removed.
    pub(super) fn changed(&mut self, added: u64, removed: u64) {
        if let Some(exchange) = &mut self.exchange {
            (exchange.members_added, exchange.members_removed) = (added, removed);
        }
    }

    pub(super) fn answered(&mut self, status: u16) {
        if let Some(exchange) = &mut self.exchange {
            exchange.status = Some(status);
        }
    }

    /// Puts it into the log now.
    pub(super) fn end(&mut self) {
        if let Some(mut exchange) = self.exchange.take() {
            exchange.body_bytes = self.body_bytes.load(Ordering::Relaxed);
            self.log.push(exchange);
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.end();
    }
}
