//! Requests of the `object_store` crate, made by the same client as those of uploads: one way to proxies, authorities and
//! host names.

use std::io::Read;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body::{Body, Frame};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, SendBody};

use crate::limits::{OBJECT_READ_BYTES, OBJECT_REQUESTS_MAX};
use crate::net::PatientResolver;

/// How long a connection may take to be made.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// How long a server may say nothing.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Makes clients of `ureq`.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    /// Settings with the proxy and the authorities of the environment.
    pub(super) config: ureq::config::Config,
}

impl Connector {
    /// Settings for requests to a store.
    pub(super) fn new(
        proxy: Option<ureq::Proxy>,
        tls: ureq::tls::TlsConfig,
        redirections: u32,
    ) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(redirections)
            .max_redirects_will_error(false)
            .max_idle_connections(OBJECT_REQUESTS_MAX)
            .max_idle_connections_per_host(OBJECT_REQUESTS_MAX)
            .timeout_connect(Some(CONNECT_TIME_MAX))
            .timeout_per_read(Some(SILENCE_MAX))
            .timeout_per_write(Some(SILENCE_MAX))
            .proxy(proxy)
            .tls_config(tls)
            .user_agent(concat!("throng/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { config }
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let connector = DefaultConnector::new();
        let agent = Agent::with_parts(self.config.clone(), connector, PatientResolver);
        Ok(HttpClient::new(Client(agent)))
    }
}

#[derive(Debug)]
struct Client(Agent);

#[async_trait]
impl HttpService for Client {
    /// Makes a request on the thread that asks: each thread waits for one request at a time.
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let body = body.as_bytes().cloned().unwrap_or_default();
        let answer = if body.is_empty() {
            self.0.run(ureq::http::Request::from_parts(parts, SendBody::none()))
        } else {
            self.0.run(ureq::http::Request::from_parts(parts, &body[..]))
        };
        let (parts, body) = answer.map_err(failed)?.into_parts();
        let body = Arriving { reader: Box::new(body.into_reader()) };
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body)))
    }
}

/// Body of an answer while it arrives.
struct Arriving {
    reader: Box<dyn Read + Send + Sync>,
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let mut piece = vec![0; OBJECT_READ_BYTES];
        Poll::Ready(match self.reader.read(&mut piece) {
            Ok(0) => None,
            Ok(len) => {
                piece.truncate(len);
                Some(Ok(Frame::data(piece.into())))
            }
            Err(error) => Some(Err(HttpError::new(HttpErrorKind::Interrupted, error))),
        })
    }
}

/// What a failed request means for trying it again.
fn failed(error: ureq::Error) -> HttpError {
    use ureq::Error as E;
    let kind = match &error {
        E::HostNotFound | E::ConnectionFailed | E::ConnectProxyFailed(_) | E::Tls(_) => {
            HttpErrorKind::Connect
        }
        E::Timeout(_) => HttpErrorKind::Timeout,
        E::Io(_) | E::Protocol(_) => HttpErrorKind::Interrupted,
        _ => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, error)
}
