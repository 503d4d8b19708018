//! A request's body on its way in: counted, limited, slowed down and cut off as it is told.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::{Body as _, Frame};
use tokio::time::Sleep;

use super::connection::Connection;

/// The limits that a body is held to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    /// Most bytes that are accepted.
    pub(super) bytes_max: Option<u64>,
    /// Bytes after which the connection is cut.
    pub(super) cut_at_byte: Option<u64>,
    /// Bytes that are read in a second.
    pub(super) bytes_per_second: Option<u64>,
}

/// A body that is counted, limited, slowed down and cut off.
pub(super) struct WatchedBody {
    inner: Body,
    limits: Limits,
    connection: Arc<Connection>,
    received: Arc<AtomicU64>,
    /// A frame that is there already, and the wait before it is handed on.
    held: Option<(Pin<Box<Sleep>>, Frame<Bytes>)>,
    has_handed_on: bool,
    is_gone: bool,
}

impl WatchedBody {
    /// Watches `inner`, which comes in on this connection, and counts it in `received`.
    pub(super) fn new(
        inner: Body,
        limits: Limits,
        connection: Arc<Connection>,
        received: Arc<AtomicU64>,
    ) -> Self {
        Self {
            inner,
            limits,
            connection,
            received,
            held: None,
            has_handed_on: false,
            is_gone: false,
        }
    }

    /// Closes the connection. Nothing more comes, not even an end: the handler goes with it.
    fn cut<T>(&mut self) -> Poll<T> {
        self.is_gone = true;
        self.connection.cut();
        Poll::Pending
    }

    fn is_to_be_cut(&self) -> bool {
        let received = self.received.load(Ordering::Relaxed);
        self.is_gone || self.limits.cut_at_byte.is_some_and(|at| received >= at)
    }

    fn poll_inner(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.is_to_be_cut() {
            return self.cut();
        }
        let frame = match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            // The client went away in the middle of it; there is nobody to answer.
            Some(Err(_)) => return self.cut(),
            None => return Poll::Ready(None),
        };
        let len = frame.data_ref().map_or(0, Bytes::len) as u64;
        let received = self.received.fetch_add(len, Ordering::Relaxed) + len;
        if self.is_to_be_cut() {
            return self.cut();
        }
        if self.limits.bytes_max.is_some_and(|max| received > max) {
            return Poll::Ready(Some(Err(axum::Error::new("too large"))));
        }
        Poll::Ready(Some(Ok(frame)))
    }

    #[expect(clippy::cast_precision_loss, reason = "a wait needs no more precision than f64 has")]
    fn wait(&self, len: usize) -> Option<Pin<Box<Sleep>>> {
        let seconds = len as f64 / self.limits.bytes_per_second? as f64;
        Some(Box::pin(tokio::time::sleep(Duration::from_secs_f64(seconds))))
    }
}

impl hyper::body::Body for WatchedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        // The form parser collects all that it gets until there is nothing more for the moment; behind a fast client
        // that is the whole body. So there is nothing more after every frame.
        if std::mem::take(&mut self.has_handed_on) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.held.is_none() {
            let Some(frame) = ready!(self.poll_inner(cx)?) else { return Poll::Ready(None) };
            let len = frame.data_ref().map_or(0, Bytes::len);
            let Some(wait) = self.wait(len) else {
                self.has_handed_on = true;
                return Poll::Ready(Some(Ok(frame)));
            };
            self.held = Some((wait, frame));
        }
        let Some((wait, _)) = &mut self.held else { return Poll::Pending };
        ready!(wait.as_mut().poll(cx));
        self.has_handed_on = true;
        Poll::Ready(self.held.take().map(|(_, frame)| Ok(frame)))
    }
}
