//! One request, one outcome: no retry, no waiting, no memory of what was before.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant, SystemTime};

use ureq::http::{Request, Response, StatusCode};
use ureq::{Agent, AsSendBody, Body, SendBody};

use super::agent;
use super::answer::{self, Said};
use super::attempt::{Attempt, kind_of};
use super::endpoint::{Endpoint, Token};
use super::failure::{Call, Failure, FailureKind};
use super::part::Part;
use crate::api::{self, CustomAudience, Form, Id, ListPage, ListedAudience, Revision};
use crate::error::Result;
use crate::limits::{ANSWER_BYTES_MAX, ERROR_BYTES_MAX};
use crate::stop::Stop;

/// Most pages of a list that are asked for.
const PAGES_MAX: u64 = 10_000;

/// How to reach the API.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Where it is.
    pub endpoint: Endpoint,
    /// The name in the store of it; its address, if nothing else is said. A sandbox has another port each time.
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
            request_time_max: crate::limits::REQUEST_TIME,
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
        Ok(Self {
            agent: agent::new(&config)?,
            known_as: config.known_as.unwrap_or_else(|| config.endpoint.to_string()),
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

    /// The name in the store of the API.
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
        let mut attempt = self.attempt(call, true);
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
        let mut attempt = self.attempt(call, false);
        let part = sending.part;
        let file = part.open(sending.sent, sending.stop);
        let mut file = file.map_err(|e| attempt.fail(FailureKind::PartChanged, &e.to_string()))?;
        let boundary = super::session::random_hex();
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
        answer.inspect_err(|_| file.take_back())
    }

    fn attempt(&self, call: Call, was_sent: bool) -> Attempt {
        Attempt { call, was_sent, by_proxy: self.agent.config().proxy().is_some() }
    }

    fn run<S: AsSendBody>(
        &self,
        request: Request<S>,
    ) -> std::result::Result<Response<Body>, ureq::Error> {
        let left = self.deadline.map(|at| at.saturating_duration_since(Instant::now()));
        let time_max = left.map_or(self.request_time_max, |left| left.min(self.request_time_max));
        agent::run(&self.agent, request, time_max)
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
        let redirected = redirected.map(|to| answer::redirected(to, self.endpoint.as_str()));
        let mut body = Vec::new();
        // What can be read of the answer is enough; its status is known.
        let _partly = response.body_mut().as_reader().take(ERROR_BYTES_MAX).read_to_end(&mut body);
        let said = Said::read(&body);
        Err(Failure {
            status: Some(status.as_u16()),
            retry_after,
            ..attempt.fail(
                kind_of(status, &said.text), // A token that is made of such words alone is hidden, too.
                &self.token.redact(&redirected.unwrap_or_else(|| said.shown())),
            )
        })
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
