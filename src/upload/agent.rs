//! What makes the requests of a [`Client`](super::client::Client): connections, TLS, and an end to what takes too long.

use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use ureq::http::{Request, Response};
use ureq::tls::TlsConfig;
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, AsSendBody, Body};

use super::background;
use super::client::ClientConfig;
use crate::error::Result;
use crate::net::{PatientResolver, authorities, proxy};

/// How long a connection may take to be made.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(30);

/// Connections that are kept from request to request.
const IDLE_CONNECTIONS_MAX: usize = 1;

/// How long to wait for `100 Continue` before the body is sent without it.
const CONTINUE_TIME_MAX: Duration = Duration::from_secs(1);

/// How much later than its deadline a request is ended that does not keep it.
const SHUTDOWN_AFTER: Duration = Duration::from_millis(500);

/// An agent for an API; nothing is sent yet.
pub(super) fn new(config: &ClientConfig) -> Result<Agent> {
    let mut tls = TlsConfig::builder();
    if let Some(path) = &config.ca_file {
        tls = tls.root_certs(authorities(path)?);
    }
    let keeps_connections = config.platform.capabilities().keeps_connections;
    let config = Agent::config_builder()
        .http_status_as_error(false)
        // The token must not follow a redirection to wherever it leads.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_idle_connections(if keeps_connections { IDLE_CONNECTIONS_MAX } else { 0 })
        .timeout_connect(Some(CONNECT_TIME_MAX))
        .timeout_await_100(Some(CONTINUE_TIME_MAX))
        .proxy(if config.use_proxy { proxy(config.endpoint.has_tls())? } else { None })
        .tls_config(tls.build())
        .user_agent(concat!("throng/", env!("CARGO_PKG_VERSION")))
        .accept("application/json")
        .build();
    Ok(with_config(config))
}

/// Makes one request, which is ended after `time_max`.
pub(super) fn run<S: AsSendBody>(
    agent: &Agent,
    request: Request<S>,
    time_max: Duration,
) -> std::result::Result<Response<Body>, ureq::Error> {
    let config = agent.config();
    if config.proxy().is_none() {
        let request = agent.configure_request(request);
        return agent.run(request.timeout_per_call(Some(time_max)).build());
    }
    // An agent of its own, since shutting it down ends all that it does.
    let agent = with_config(config.clone());
    let _watch = Watch::begin(agent.clone(), time_max + SHUTDOWN_AFTER);
    let request = agent.configure_request(request);
    agent.run(request.timeout_per_call(Some(time_max)).build())
}

fn with_config(config: ureq::config::Config) -> Agent {
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
