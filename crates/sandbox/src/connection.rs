//! One connection, in the sandbox's own hands: it can be cut without an answer, and it counts what comes in.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::config::LINGER;

/// The line that hyper writes as soon as a handler wants a body that the client holds back.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A handler's hold on its connection.
#[derive(Debug, Default)]
pub(super) struct Connection {
    cut: Notify,
    is_mute: AtomicBool,
}

impl Connection {
    /// Closes the socket without another word. The handler that calls this is dropped.
    pub(super) fn cut(&self) {
        self.cut.notify_one();
    }

    /// Holds `100 Continue` back for this request, or does not.
    pub(super) fn set_mute(&self, is_mute: bool) {
        self.is_mute.store(is_mute, Ordering::Relaxed);
    }
}

/// Serves a connection until either side closes it.
pub(super) async fn serve(stream: TcpStream, routes: Router, bytes_received: Arc<AtomicU64>) {
    let connection = Arc::new(Connection::default());
    let wire = Wire { stream, connection: Arc::clone(&connection), bytes_received };
    let routes = routes.layer(Extension(Arc::clone(&connection)));
    let serving = http1::Builder::new()
        .serve_connection(TokioIo::new(wire), TowerToHyperService::new(routes))
        .without_shutdown();
    tokio::select! {
        served = serving => {
            if let Ok(parts) = served {
                linger(parts.io.into_inner()).await;
            }
        }
        // Leaving drops the other branch, and the socket with it.
        () = connection.cut.notified() => {}
    }
}

/// Says goodbye, then swallows what is still under way: closing a socket with unread bytes resets the connection, and
/// the client could lose an answer that it has not read yet.
async fn linger(mut wire: Wire) {
    let _closed = wire.shutdown().await;
    let swallow = async {
        let mut buffer = vec![0; 64 * 1024];
        while wire.read(&mut buffer).await.is_ok_and(|len| len > 0) {}
    };
    let _ended = tokio::time::timeout(LINGER, swallow).await;
}

/// The socket.
struct Wire {
    stream: TcpStream,
    connection: Arc<Connection>,
    bytes_received: Arc<AtomicU64>,
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let len = buffer.filled().len() - before;
        self.bytes_received.fetch_add(len as u64, Ordering::Relaxed);
        polled
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.connection.is_mute.load(Ordering::Relaxed) && bytes.starts_with(CONTINUE) {
            return Poll::Ready(Ok(CONTINUE.len()));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
