//! One request, one outcome: no retry, no waiting, no memory of what was before.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant, SystemTime};

use secrecy::{ExposeSecret, SecretString};
use ureq::http::Response;
use ureq::{Agent, AsSendBody, Body, SendBody};

use super::agent;
use super::answer::{self, Said};
use super::attempt::Attempt;
use super::endpoint::{AppSecret, Endpoint, Token};
use super::pace::Paces;
use super::part::{Part, Slice};
use crate::error::Result;
use crate::limits::{ANSWER_BYTES_MAX, ERROR_BYTES_MAX};
use crate::platform::transport::Request;
use crate::platform::{
    Accepted, Audience, Call, Entries, Failure, FailureKind, Id, NewAudience, Outcome, Place,
    Platform, Recipient, Reply, Transport,
};
use crate::stop::Stop;

/// How to reach the API.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Where it is.
    pub endpoint: Endpoint,
    /// The name in the store of it; its address, if nothing else is said. A sandbox has another port each time.
    pub known_as: Option<String>,
    /// Which platform it is of.
    pub platform: Platform,
    /// How to get in.
    pub token: Token,
    /// The secret of the app that the token is of, where a platform's app asks for a proof of it.
    pub app_secret: Option<AppSecret>,
    /// Certificates in PEM to trust instead of the usual ones.
    pub ca_file: Option<PathBuf>,
    /// Whether to go through the proxy that the environment names, if it names one: see [`crate::net`].
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
            platform: Platform::default(),
            token,
            app_secret: None,
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
    platform: Platform,
    endpoint: Endpoint,
    known_as: String,
    token: Token,
    /// What goes into addresses to prove that the secret is known.
    proof: Option<SecretString>,
    request_time_max: Duration,
    deadline: Option<Instant>,
    /// Shared with all that come of it: limits are those of whoever the token is of.
    paces: Arc<Paces>,
}

/// What sending entries needs besides whom they are for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sending<'a> {
    /// The part.
    pub(crate) part: &'a Part,
    /// What of it is sent.
    pub(crate) slice: &'a Slice,
    /// Which batch of a session that is, where a platform has such.
    pub(crate) place: Option<Place>,
    /// Grows by the bytes that are sent, and falls by those of a request that failed.
    pub(crate) sent: &'a Arc<AtomicU64>,
    /// Ends the request early.
    pub(crate) stop: &'a Stop,
}

impl Client {
    /// A client; nothing is sent yet.
    pub fn new(config: ClientConfig) -> Result<Self> {
        Ok(Self {
            agent: agent::new(&config)?,
            platform: config.platform,
            known_as: config.known_as.unwrap_or_else(|| config.endpoint.to_string()),
            endpoint: config.endpoint,
            proof: config.app_secret.map(|secret| config.token.proof(&secret).into()),
            token: config.token,
            request_time_max: config.request_time_max,
            deadline: None,
            paces: Arc::default(),
        })
    }

    /// The same client, whose requests end at `deadline` at the latest.
    #[must_use]
    pub(crate) fn until(&self, deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..self.clone() }
    }

    /// The platform that it speaks to.
    pub fn platform(&self) -> Platform {
        self.platform
    }

    /// Where the API is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The pace at which requests are made.
    pub(super) fn paces(&self) -> &Paces {
        &self.paces
    }

    /// The name in the store of the API.
    #[doc(hidden)]
    pub fn known_as(&self) -> &str {
        &self.known_as
    }

    /// Creates an audience, of a part where the platform wants one.
    pub(crate) fn create(
        &self,
        new: &NewAudience,
        sending: Option<Sending<'_>>,
    ) -> Outcome<Accepted> {
        match sending {
            None => self.platform.create(self, new, None),
            Some(sending) => self.with_entries(Call::Create, sending, |entries| {
                self.platform.create(self, new, Some(entries))
            }),
        }
    }

    /// Adds entries to an audience.
    pub(crate) fn add(&self, to: &Recipient, sending: Sending<'_>) -> Outcome<Accepted> {
        self.with_entries(Call::Add, sending, |entries| self.platform.add(self, to, entries))
    }

    /// Takes entries out of an audience.
    pub(crate) fn remove(&self, from: &Recipient, sending: Sending<'_>) -> Outcome<Accepted> {
        let remove = |entries: Entries<'_>| self.platform.remove(self, from, entries);
        self.with_entries(Call::Remove, sending, remove)
    }

    /// Makes a request with the entries of a part; if it fails, they count as not sent.
    fn with_entries<T>(
        &self,
        call: Call,
        Sending { part, slice, place, sent, stop }: Sending<'_>,
        request: impl FnOnce(Entries<'_>) -> Outcome<T>,
    ) -> Outcome<T> {
        let unsent = |error: io::Error| {
            self.attempt(call, false).fail(FailureKind::PartChanged, &error.to_string())
        };
        let mut lines = part.open(slice, sent, stop).map_err(unsent)?;
        request(Entries {
            file: &part.file,
            bytes: slice.bytes,
            count: slice.entries,
            lines: &mut lines,
            place,
        })
        .inspect_err(|_| lines.take_back())
    }

    /// All audiences of an ad account.
    pub fn list(&self, ad_account: &Id) -> Outcome<Vec<Audience>> {
        let mut audiences = self.platform.list(self, ad_account)?;
        for audience in &mut audiences {
            self.hide_token(audience);
        }
        Ok(audiences)
    }

    /// One audience, by the number that the platform wants here.
    pub fn details(&self, id: &Id) -> Outcome<Audience> {
        let mut audience = self.platform.details(self, id)?;
        self.hide_token(&mut audience);
        Ok(audience)
    }

    /// Hides the token where the texts of an audience repeat it.
    fn hide_token(&self, audience: &mut Audience) {
        for text in audience.texts() {
            *text = self.token.redact(text);
        }
    }

    /// Deletes an audience.
    pub fn delete(&self, id: &Id) -> Outcome<()> {
        self.platform.delete(self, id)
    }

    /// A path with the proof that the app's secret is known, if it is.
    fn with_proof(&self, path: String) -> String {
        match &self.proof {
            None => path,
            Some(proof) => {
                let joint = if path.contains('?') { '&' } else { '?' };
                format!("{path}{joint}appsecret_proof={}", proof.expose_secret())
            }
        }
    }

    fn attempt(&self, call: Call, was_sent: bool) -> Attempt {
        Attempt { call, was_sent, by_proxy: self.agent.config().proxy().is_some() }
    }

    fn run<S: AsSendBody>(
        &self,
        request: ureq::http::Request<S>,
    ) -> std::result::Result<Response<Body>, ureq::Error> {
        let left = self.deadline.map(|at| at.saturating_duration_since(Instant::now()));
        let time_max = left.map_or(self.request_time_max, |left| left.min(self.request_time_max));
        agent::run(&self.agent, request, time_max)
    }

    /// Reads an answer: what it says if it is a success, else why it is none.
    fn read(
        &self,
        attempt: &Attempt,
        mut response: Response<Body>,
        ad_account: Option<Id>,
    ) -> Outcome<Reply> {
        let status = response.status();
        let mut body = Vec::new();
        if status.is_success() {
            let read = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
            body = read.map_err(|error| match error {
                ureq::Error::BodyExceedsLimit(_) => Failure {
                    status: Some(status.as_u16()),
                    ..attempt.fail(FailureKind::Nonsense, "it does not end")
                },
                error => attempt.broken(&error),
            })?;
        } else {
            // What can be read of the answer is enough; its status is known.
            let _partly =
                response.body_mut().as_reader().take(ERROR_BYTES_MAX).read_to_end(&mut body);
        }
        let header = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let headers = self.platform.capabilities().headers.iter();
        let headers = headers.filter_map(|name| Some((*name, header(name)?))).collect();
        let reply =
            Reply { call: attempt.call, status: status.as_u16(), body, headers, ad_account };
        let said = Said::read(&reply.body);
        let Some(refusal) = self.platform.refusal(&reply, &said.text) else { return Ok(reply) };
        let retry_after = header("Retry-After");
        let retry_after =
            retry_after.and_then(|value| answer::retry_after(&value, SystemTime::now()));
        let location = header("Location").filter(|_| status.is_redirection());
        let redirected = location.map(|to| answer::redirected(&to, self.endpoint.as_str()));
        Err(Failure {
            status: Some(reply.status),
            retry_after: refusal.retry_after.max(retry_after),
            hint: refusal.hint,
            ..attempt.fail(
                refusal.kind, // A token that is made of such words alone is hidden, too.
                &self.token.redact(&redirected.unwrap_or_else(|| said.shown())),
            )
        })
    }
}

impl Transport for Client {
    fn send(&self, request: Request<'_>) -> Outcome<Reply> {
        let Request { call, method, path, body, asks_first, ad_account } = request;
        let mut attempt = self.attempt(call, body.is_none());
        let bad = |_| attempt.fail(FailureKind::Refused, "a bad address");
        let authorization = self.token.header(self.platform.capabilities().authorization);
        let mut builder = ureq::http::Request::builder()
            .method(method)
            .uri(self.endpoint.url(&self.with_proof(path)))
            .header("Authorization", authorization);
        let Some(mut body) = body else {
            let request = builder.body(SendBody::none()).map_err(bad)?;
            let response = self.run(request).map_err(|error| attempt.broken(&error))?;
            return self.read(&attempt, response, ad_account);
        };
        builder = builder
            .header("Content-Type", body.content_type())
            .header("Content-Length", body.content_length());
        if asks_first {
            builder = builder.header("Expect", "100-continue");
        }
        let request = builder.body(SendBody::from_reader(&mut body)).map_err(bad)?;
        let response = self.run(request);
        attempt.was_sent = body.is_complete();
        match response {
            Ok(response) if response.status().is_success() && !attempt.was_sent => {
                // Nobody can have done what was not said. What a server means by it, the API's list must tell.
                attempt.was_sent = true;
                Err(Failure {
                    status: Some(response.status().as_u16()),
                    ..attempt.fail(FailureKind::Nonsense, "it came before the file was sent")
                })
            }
            Ok(response) => self.read(&attempt, response, ad_account),
            Err(error) => Err(attempt.broken(&error)),
        }
    }

    fn unreadable(&self, call: Call, error: &io::Error) -> Failure {
        self.attempt(call, false).unreadable(error)
    }
}
