//! One request, one outcome: no retry, no waiting, no memory of what was before.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use ureq::http::{Request, Response, StatusCode};
use ureq::tls::{PemItem, RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, AsSendBody, Body, SendBody, Timeout};

use super::answer;
use super::background;
use super::echo;
use super::endpoint::{Endpoint, Token};
use super::failure::{Call, Failure, FailureKind};
use super::part::{Cut, Part};
use super::proxy;
use super::resolver::PatientResolver;
use crate::api::{self, CustomAudience, Form, Id, ListPage, ListedAudience, Revision};
use crate::error::{Cause, Error, Quoted, Result};
use crate::plain_file;
use crate::stop::Stop;

/// How long a connection may take to be made.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(30);

/// How long to wait for `100 Continue` before the body is sent without it.
const CONTINUE_TIME_MAX: Duration = Duration::from_secs(1);

/// How much later than its deadline a request is ended that does not keep it.
const SHUTDOWN_AFTER: Duration = Duration::from_millis(500);

/// Longest answer that is read, in bytes. Revision A lists all audiences of an account at once.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Longest answer of which an error's text is looked for, in bytes.
const ERROR_BYTES_MAX: u64 = 64 * 1024;

/// Longest file of certificates that is read, in bytes: those that an operating system trusts are a quarter of it.
const CA_BYTES_MAX: u64 = 1024 * 1024;

/// Most pages of a list that are asked for.
const PAGES_MAX: u64 = 10_000;

/// How to reach the API.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Where it is.
    pub endpoint: Endpoint,
    /// What the ledger calls it; its address, if nothing else is said. A sandbox has another port each time.
    pub known_as: Option<String>,
    /// How to get in.
    pub token: Token,
    /// Certificates in PEM to trust instead of the usual ones.
    pub ca_file: Option<PathBuf>,
    /// Whether to go through the proxy that the environment names, if it names one: see [`super::proxy`].
    pub use_proxy: bool,
    /// How long a request may take, from the connection to the end of the answer.
    pub request_time_max: Duration,
}

impl ClientConfig {
    /// How the command reaches an API if nothing but the token is said.
    pub fn new(endpoint: Endpoint, token: Token) -> Self {
        Self {
            endpoint,
            known_as: None,
            token,
            ca_file: None,
            use_proxy: true,
            request_time_max: super::REQUEST_TIME,
        }
    }
}

/// Makes requests.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    endpoint: Endpoint,
    known_as: String,
    token: Token,
    request_time_max: Duration,
    deadline: Option<Instant>,
}

/// What sending a file needs besides its fields.
#[derive(Clone, Copy, Debug)]
pub struct Sending<'a> {
    /// The file.
    pub part: &'a Part,
    /// Grows by the bytes that are sent, and falls by those of a request that failed.
    pub sent: &'a Arc<AtomicU64>,
    /// Ends the request early.
    pub stop: &'a Stop,
}

impl Client {
    /// A client; nothing is sent yet.
    pub fn new(config: ClientConfig) -> Result<Self> {
        let mut tls = TlsConfig::builder();
        if let Some(path) = &config.ca_file {
            tls = tls.root_certs(root_certs(path)?);
        }
        let agent_config = Agent::config_builder()
            .http_status_as_error(false)
            // The token must not follow a redirection to wherever it leads.
            .max_redirects(0)
            .max_redirects_will_error(false)
            // A connection that was kept may be closed by the server just when a request is sent on it; it then
            // could not be told whether the request took effect.
            .max_idle_connections(0)
            .timeout_connect(Some(CONNECT_TIME_MAX))
            .timeout_await_100(Some(CONTINUE_TIME_MAX))
            .proxy(if config.use_proxy { proxy::of_environment(&config.endpoint)? } else { None })
            .tls_config(tls.build())
            .user_agent(concat!("throng/", env!("CARGO_PKG_VERSION")))
            .accept("application/json")
            .build();
        let agent = new_agent(agent_config);
        Ok(Self {
            known_as: config.known_as.unwrap_or_else(|| config.endpoint.to_string()),
            agent,
            endpoint: config.endpoint,
            token: config.token,
            request_time_max: config.request_time_max,
            deadline: None,
        })
    }

    /// The same client, whose requests end at `deadline` at the latest.
    #[must_use]
    pub(crate) fn until(&self, deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..self.clone() }
    }

    /// Where the API is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What the ledger calls the API.
    #[doc(hidden)]
    pub fn known_as(&self) -> &str {
        &self.known_as
    }

    /// Makes an audience of a part.
    pub(crate) fn create(&self, form: &Form, sending: Sending<'_>) -> Outcome<CustomAudience> {
        let answer = self.send(Call::Create, "POST", api::CREATE_PATH, form, sending)?;
        answer.custom_audience()
    }

    /// Adds a part to an audience.
    pub(crate) fn add(
        &self,
        id: &Id,
        form: &Form,
        sending: Sending<'_>,
    ) -> Outcome<CustomAudience> {
        let path = format!("{}/{id}", api::CREATE_PATH);
        let answer = self.send(Call::Add, "PUT", &path, form, sending)?;
        answer.custom_audience()
    }

    /// All audiences of an ad account. Which revision the server follows is found out.
    pub fn list(&self, ad_account: &Id) -> Outcome<Vec<ListedAudience>> {
        let path =
            |revision: Revision| format!("{}?fb_ad_account_id={ad_account}", revision.list_path());
        match self.get(Call::List, &path(Revision::A)) {
            Err(failure) if failure.kind == FailureKind::NotFound => {}
            answer => return Ok(self.without_token(answer?.list_page()?.audiences)),
        }
        let mut audiences = Vec::new();
        for page in 1..=PAGES_MAX {
            let answer = self.get(Call::List, &format!("{}&page={page}", path(Revision::B)))?;
            let ListPage { audiences: found, total } = answer.list_page()?;
            let is_last = found.is_empty();
            audiences.extend(self.without_token(found));
            if is_last || total.is_none_or(|total| audiences.len() as u64 >= total) {
                break;
            }
        }
        Ok(audiences)
    }

    /// One audience: by Facebook's number in revision A, by the vendor's in revision B.
    pub fn details(&self, id: &Id) -> Outcome<ListedAudience> {
        let path = |revision: Revision| format!("{}/{id}", revision.list_path());
        let audience = match self.get(Call::Details, &path(Revision::A)) {
            Err(failure) if failure.kind == FailureKind::NotFound => {
                self.get(Call::Details, &path(Revision::B))?.listed_audience()?
            }
            answer => answer?.listed_audience()?,
        };
        Ok(self.without_token([audience].into()).remove(0))
    }

    /// Audiences whose texts do not repeat the token.
    fn without_token(&self, mut audiences: Vec<ListedAudience>) -> Vec<ListedAudience> {
        for text in audiences.iter_mut().flat_map(ListedAudience::texts) {
            *text = self.token.redact(text);
        }
        audiences
    }

    /// Deletes an audience.
    pub fn delete(&self, id: &Id) -> Outcome<()> {
        let path = format!("{}/{id}", api::CREATE_PATH);
        self.without_body(Call::Delete, "DELETE", &path).map(drop)
    }

    fn get(&self, call: Call, path: &str) -> Outcome<Answer> {
        self.without_body(call, "GET", path)
    }

    fn without_body(&self, call: Call, method: &'static str, path: &str) -> Outcome<Answer> {
        let mut attempt = Attempt { call, was_sent: true };
        let request = self.request(method, path).body(SendBody::none());
        let request = request.map_err(|_| attempt.fail(FailureKind::Refused, "a bad address"))?;
        let response = self.run(request).map_err(|e| attempt.broken(&e))?;
        self.read(&mut attempt, response)
    }

    fn send(
        &self,
        call: Call,
        method: &'static str,
        path: &str,
        form: &Form,
        sending: Sending<'_>,
    ) -> Outcome<Answer> {
        let mut attempt = Attempt { call, was_sent: false };
        let part = sending.part;
        let file = part.open(sending.sent, sending.stop);
        let mut file = file.map_err(|e| attempt.fail(FailureKind::PartChanged, &e.to_string()))?;
        let boundary = super::random_hex();
        let boundary = boundary.map_err(|e| attempt.fail(FailureKind::Refused, &e.to_string()))?;
        let mut body = form.body(&mut file, &part.file, part.bytes, &boundary);
        let request = self
            .request(method, path)
            .header("Content-Type", body.content_type())
            .header("Content-Length", body.content_length())
            // So that a refused token costs no upload.
            .header("Expect", "100-continue")
            .body(SendBody::from_reader(&mut body));
        let request = request.map_err(|_| attempt.fail(FailureKind::Refused, "a bad address"))?;
        let response = self.run(request);
        attempt.was_sent = body.is_complete();
        let answer = match response {
            Ok(response) if response.status().is_success() && !attempt.was_sent => {
                // Nobody can have done what was not said. What a server means by it, the API's list must tell.
                attempt.was_sent = true;
                Err(Failure {
                    status: Some(response.status().as_u16()),
                    ..attempt.fail(FailureKind::Nonsense, "it came before the file was sent")
                })
            }
            Ok(response) => self.read(&mut attempt, response),
            Err(error) => Err(attempt.broken(&error)),
        };
        answer.map_err(|failure| {
            file.take_back();
            without_entries(failure, part)
        })
    }

    fn run<S: AsSendBody>(
        &self,
        request: Request<S>,
    ) -> std::result::Result<Response<Body>, ureq::Error> {
        let left = self.deadline.map(|at| at.saturating_duration_since(Instant::now()));
        let time_max = left.map_or(self.request_time_max, |left| left.min(self.request_time_max));
        let config = self.agent.config();
        let Some(_) = config.proxy() else {
            let request = self.agent.configure_request(request);
            return self.agent.run(request.timeout_per_call(Some(time_max)).build());
        };
        // An agent of its own, since shutting it down ends all that it does.
        let agent = new_agent(config.clone());
        let _watch = Watch::begin(agent.clone(), time_max + SHUTDOWN_AFTER);
        let request = agent.configure_request(request);
        agent.run(request.timeout_per_call(Some(time_max)).build())
    }

    fn request(&self, method: &'static str, path: &str) -> ureq::http::request::Builder {
        Request::builder()
            .method(method)
            .uri(self.endpoint.url(path))
            .header("Authorization", self.token.header())
    }

    /// Reads an answer: its body if it is a success, else why it is none.
    fn read(&self, attempt: &mut Attempt, mut response: Response<Body>) -> Outcome<Answer> {
        let status = response.status();
        if status.is_success() {
            let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
            return match body {
                Ok(body) => Ok(Answer { call: attempt.call, status, body }),
                Err(ureq::Error::BodyExceedsLimit(_)) => Err(Failure {
                    status: Some(status.as_u16()),
                    ..attempt.fail(FailureKind::Nonsense, "it does not end")
                }),
                Err(error) => Err(attempt.broken(&error)),
            };
        }
        let retry_after =
            response.headers().get("Retry-After").and_then(|value| value.to_str().ok());
        let retry_after =
            retry_after.and_then(|value| answer::retry_after(value, SystemTime::now()));
        let location = response.headers().get("Location").and_then(|value| value.to_str().ok());
        let redirected = location.filter(|_| status.is_redirection());
        let redirected = redirected.map(|to| self.token.redact(&answer::redirected(to)));
        let mut body = Vec::new();
        // What can be read of the answer is enough; its status is known.
        let _partly = response.body_mut().as_reader().take(ERROR_BYTES_MAX).read_to_end(&mut body);
        let said = answer::message(&body)
            .map(|said| answer::sanitized(&echo::plain(&self.token.redact(&said))));
        Err(Failure {
            status: Some(status.as_u16()),
            retry_after,
            ..attempt.fail(
                kind_of(status, said.as_deref().unwrap_or_default()),
                &redirected.or(said).unwrap_or_default(),
            )
        })
    }
}

fn new_agent(config: ureq::config::Config) -> Agent {
    Agent::with_parts(config, DefaultConnector::new(), PatientResolver)
}

/// Ends what an agent does unless it is dropped in time. While a proxy is asked for a tunnel, the agent's own deadline
/// begins anew with each byte that it says.
struct Watch {
    _is_done: Sender<()>,
}

impl Watch {
    fn begin(agent: Agent, time: Duration) -> Self {
        let (is_done, done) = bounded::<()>(0);
        // Without a thread nobody watches.
        let _unwatched = background::spawn(move || {
            if done.recv_timeout(time) == Err(RecvTimeoutError::Timeout) {
                agent.shutdown();
            }
        });
        Self { _is_done: is_done }
    }
}

/// Result of a request.
pub type Outcome<T> = std::result::Result<T, Failure>;

/// An answer with a status of success.
struct Answer {
    call: Call,
    status: StatusCode,
    body: Vec<u8>,
}

impl Answer {
    fn custom_audience(&self) -> Outcome<CustomAudience> {
        self.check(CustomAudience::from_json(&self.body))
    }

    fn list_page(&self) -> Outcome<ListPage> {
        self.check(ListPage::from_json(&self.body))
    }

    fn listed_audience(&self) -> Outcome<ListedAudience> {
        self.check(ListedAudience::from_json(&self.body))
    }

    fn check<T>(&self, parsed: std::result::Result<T, api::ContractError>) -> Outcome<T> {
        parsed.map_err(|error| Failure {
            call: self.call,
            kind: FailureKind::Nonsense,
            status: Some(self.status.as_u16()),
            detail: error.to_string(),
            retry_after: None,
            was_sent: true,
        })
    }
}

/// The same failure without entries of the part in the server's words.
fn without_entries(mut failure: Failure, part: &Part) -> Failure {
    if failure.status.is_some() && !failure.detail.is_empty() {
        let part = plain_file::open(&part.path).map(io::BufReader::new);
        failure.detail = part
            .map_or_else(|_| String::new(), |part| answer::without_entries(&failure.detail, part));
    }
    failure
}

/// A request that is under way.
struct Attempt {
    call: Call,
    was_sent: bool,
}

impl Attempt {
    fn fail(&self, kind: FailureKind, detail: &str) -> Failure {
        Failure {
            call: self.call,
            kind,
            status: None,
            detail: detail.to_owned(),
            retry_after: None,
            was_sent: self.was_sent,
        }
    }

    /// The request ended without a whole answer.
    fn broken(&self, error: &ureq::Error) -> Failure {
        use FailureKind::{Broken, PartChanged, Stopped, TimedOut, Tls, Unreachable};
        match error {
            ureq::Error::HostNotFound => self.fail(Unreachable, NO_SUCH_HOST),
            ureq::Error::ConnectionFailed => self.fail(Unreachable, ""),
            ureq::Error::ConnectProxyFailed(_) | ureq::Error::InvalidProxyUrl => {
                self.fail(Unreachable, "the proxy does not connect to it")
            }
            ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
                self.fail(Unreachable, "no connection in time")
            }
            ureq::Error::Timeout(_) => self.fail(TimedOut, ""),
            ureq::Error::Tls(_) | ureq::Error::Rustls(_) => self.fail(Tls, &error.to_string()),
            ureq::Error::Io(error) => match cut(error) {
                Some(Cut::Changed) => self.fail(PartChanged, ""),
                Some(Cut::Stopped) => self.fail(Stopped, ""),
                None if is_certificate(error) => self.fail(Tls, &Cause(error).to_string()),
                None if is_unknown_name(error) => self.fail(Unreachable, NO_SUCH_HOST),
                None if is_unreachable(error) => self.fail(Unreachable, &Cause(error).to_string()),
                None => self.fail(Broken, &Cause(error).to_string()),
            },
            _ => self.fail(Broken, "the answer is not HTTP"),
        }
    }
}

fn cut(error: &io::Error) -> Option<Cut> {
    error.get_ref()?.downcast_ref::<Cut>().copied()
}

/// rustls reports what it thinks of a certificate through the first read or write.
fn is_certificate(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData && error.to_string().contains("certificate")
}

const NO_SUCH_HOST: &str =
    "no such host: is its address right, and that of the proxy if there is one?";

/// The standard library has no kind of error for it.
fn is_unknown_name(error: &io::Error) -> bool {
    error.to_string().starts_with("failed to lookup address information")
}

fn is_unreachable(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkDown, NetworkUnreachable};
    matches!(error.kind(), ConnectionRefused | HostUnreachable | NetworkDown | NetworkUnreachable)
}

/// What a status means. The contract says nothing of errors, so these are the usual meanings; that the terms are not
/// accepted is told by the text alone.
fn kind_of(status: StatusCode, said: &str) -> FailureKind {
    let said = said.to_ascii_lowercase();
    if status.is_client_error() && said.contains("terms") && said.contains("custom audience") {
        return FailureKind::Terms;
    }
    match status.as_u16() {
        401 | 403 => FailureKind::Credentials,
        404 | 410 => FailureKind::NotFound,
        413 => FailureKind::TooLarge,
        400 | 422 => FailureKind::BadField,
        429 => FailureKind::RateLimited,
        408 | 425 | 500..=599 => FailureKind::Busy,
        407 => FailureKind::Unreachable,
        _ => FailureKind::Refused,
    }
}

fn root_certs(path: &std::path::Path) -> Result<RootCerts> {
    let mut pem = Vec::new();
    let read =
        std::fs::File::open(path).and_then(|file| file.take(CA_BYTES_MAX).read_to_end(&mut pem));
    read.map_err(|e| Error::reading("read the CA file", path, e))?;
    let items = ureq::tls::parse_pem(&pem).collect::<std::result::Result<Vec<_>, _>>();
    let certificates: Vec<_> = items
        .unwrap_or_default()
        .into_iter()
        .filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(Error::usage(
            format!("the CA file {} holds no certificate in PEM", Quoted(path)),
            "it begins with -----BEGIN CERTIFICATE-----",
        ));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

#[cfg(test)]
mod tests {
    use std::net::ToSocketAddrs;

    use super::*;

    /// Names that no resolver has to be asked for.
    #[test]
    fn a_name_that_stands_for_no_host_is_told_from_a_connection_that_broke() {
        for name in ["a..b", "."] {
            let error = (name, 443).to_socket_addrs().expect_err(name);
            assert!(is_unknown_name(&error), "{error}");
        }
        assert!(!is_unknown_name(&io::ErrorKind::ConnectionReset.into()));
    }
}
