//! Requests of the `object_store` crate, made by the same client as those of uploads: one way to proxies, authorities and
//! host names.

use std::io::{self, Cursor, Read};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body::{Body, Frame};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use object_store::{ClientConfigKey, ClientOptions};
use ureq::http::StatusCode;
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, SendBody};

use super::fault::{NO_KEYS, NO_TLS};
use crate::limits::{OBJECT_PAGE_BYTES_MAX, OBJECT_READ_BYTES, OBJECT_REQUESTS_MAX};
use crate::net::PatientResolver;

/// How long a connection may take to be made.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// How long one to a service of the machine may take, which is there at once or not at all.
const METADATA_CONNECT_TIME_MAX: Duration = Duration::from_secs(2);

/// How long a server may say nothing.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// How long a request may take with its answer, of which 2 MiB are asked for as a rule.
const REQUEST_TIME_MAX: Duration = Duration::from_mins(5);

/// Makes clients of `ureq`.
#[derive(Debug)]
pub(super) struct Connector {
    pub(super) proxy: Option<ureq::Proxy>,
    pub(super) tls: ureq::tls::TlsConfig,
    /// Redirections that are followed.
    pub(super) redirections: u32,
}

impl HttpConnector for Connector {
    /// Makes a client that speaks without TLS only where the options allow it: with this machine, with metadata services,
    /// or where a variable says so. No proxy is asked there, nor does a redirection lead there.
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let allows_http = options.get_config_value(&ClientConfigKey::AllowHttp);
        let allows_http = allows_http.is_some_and(|value| value == "true");
        // The crate gives the machine's own services less time.
        let connect_time =
            |options: &ClientOptions| options.get_config_value(&ClientConfigKey::ConnectTimeout);
        let is_of_metadata = connect_time(options) != connect_time(&ClientOptions::new());
        let connect_time_max =
            if is_of_metadata { METADATA_CONNECT_TIME_MAX } else { CONNECT_TIME_MAX };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .https_only(!allows_http)
            .max_redirects(self.redirections)
            .max_redirects_will_error(false)
            .max_idle_connections(OBJECT_REQUESTS_MAX)
            .max_idle_connections_per_host(OBJECT_REQUESTS_MAX)
            .timeout_global(Some(REQUEST_TIME_MAX))
            .timeout_connect(Some(connect_time_max))
            .timeout_per_read(Some(SILENCE_MAX))
            .timeout_per_write(Some(SILENCE_MAX))
            .proxy(self.proxy.clone().filter(|_| !allows_http))
            .tls_config(self.tls.clone())
            .user_agent(concat!("throng/", env!("CARGO_PKG_VERSION")))
            .build();
        let agent = Agent::with_parts(config, DefaultConnector::new(), PatientResolver);
        Ok(HttpClient::new(Client { agent, is_of_metadata }))
    }
}

#[derive(Debug)]
struct Client {
    agent: Agent,
    /// True for one that asks the machine that this runs on for keys.
    is_of_metadata: bool,
}

#[async_trait]
impl HttpService for Client {
    /// Makes a request on the thread that asks: each thread waits for one request at a time.
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let lists = parts.uri.query().is_some_and(|query| {
            query.split('&').any(|pair| matches!(pair, "list-type=2" | "comp=list"))
        });
        let body = body.as_bytes().cloned().unwrap_or_default();
        let run = |parts: ureq::http::request::Parts| {
            let ran = if body.is_empty() {
                self.agent.run(ureq::http::Request::from_parts(parts, SendBody::none()))
            } else {
                self.agent.run(ureq::http::Request::from_parts(parts, &body[..]))
            };
            ran.map_err(failed)
        };
        let answer = if self.is_of_metadata {
            // Where there is no such service there will be none in a minute either.
            run(parts.clone()).or_else(|_| run(parts)).map_err(|_| no_keys())?
        } else {
            run(parts)?
        };
        // Of one that refuses, the crate may ask in the way of old.
        let status = answer.status();
        let is_refused = status.is_client_error()
            && !matches!(status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS);
        if self.is_of_metadata && is_refused {
            return Err(no_keys());
        }
        let (parts, body) = answer.into_parts();
        let mut reader = body.into_reader();
        if lists && parts.status.is_success() {
            let whole = listing(&mut reader)?;
            let body = Arriving { reader: Box::new(Cursor::new(whole)) };
            return Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body)));
        }
        let body = Arriving { reader: Box::new(reader) };
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body)))
    }
}

/// A page of a listing, which must be one, and say where the next one begins if it is not the last: the crate takes whatever
/// has no such place for the last.
fn listing(reader: &mut impl Read) -> Result<Vec<u8>, HttpError> {
    let garbled = |why: &str| HttpError::new(HttpErrorKind::Decode, io::Error::other(why));
    let mut page = Vec::new();
    let read = reader.take(OBJECT_PAGE_BYTES_MAX + 1).read_to_end(&mut page);
    read.map_err(|error| HttpError::new(HttpErrorKind::Interrupted, error))?;
    if page.len() as u64 > OBJECT_PAGE_BYTES_MAX {
        return Err(garbled("a page of its listing is too long"));
    }
    let has = |text: &str| memchr::memmem::find(&page, text.as_bytes()).is_some();
    if !has("<ListBucketResult") && !has("<EnumerationResults") {
        return Err(garbled("it lists its objects in a way that is not understood"));
    }
    if has("<IsTruncated>true</IsTruncated>") && !has("<NextContinuationToken>") {
        return Err(garbled("its listing is cut off, and does not say how it goes on"));
    }
    Ok(page)
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

/// Nobody says who asks.
fn no_keys() -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, io::Error::other(NO_KEYS))
}

/// What a failed request means for trying it again.
fn failed(error: ureq::Error) -> HttpError {
    use ureq::Error as E;
    if let E::RequireHttpsOnly(_) = error {
        return HttpError::new(HttpErrorKind::Unknown, io::Error::other(NO_TLS));
    }
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
