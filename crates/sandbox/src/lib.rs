//! The API of a platform on this machine, as strict as the platform would be, to rehearse on and to test against.
//!
//! A [`Sandbox`] serves the calls of one [`Platform`] on 127.0.0.1: the Audiences API in either revision of its reference,
//! or Meta's Marketing API. It checks the token, the fields and every entry, keeps members in a database and tells how
//! many there are. It parses requests and writes answers with code of its own, so that a client and the sandbox cannot be
//! wrong together. Nothing leaves the machine.
//!
//! ```text
//! connection   a socket that can be cut at any moment                  -> request
//! service      faults, and the order in which things happen            -> request
//! pitchtarget  multipart forms with files                              -> answer
//! meta         parameters with batches of sessions, limits on calls    -> answer
//! store        audiences, members and sessions, in transactions
//! log          what was asked, and how it ended
//! ```
//!
//! What a platform's reference leaves open, and how the sandbox takes it, stands on top of `pitchtarget` and `meta`.
//!
//! [`fault`] is about what can be made to go wrong.
//!
//! ```
//! use throng_sandbox::{Sandbox, SandboxConfig};
//!
//! // The first audience is made, but nobody is told.
//! let faults = vec!["create,nth=1,when=after,cut".parse()?];
//! let sandbox = Sandbox::start(SandboxConfig { faults, ..SandboxConfig::default() })?;
//! // A client is now to be pointed at these.
//! let (endpoint, token) = (sandbox.endpoint(), sandbox.token());
//! assert!(endpoint.starts_with("http://127.0.0.1:"));
//! assert!(sandbox.audiences()?.is_empty() && sandbox.exchanges().is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod fault;
mod config;
mod error;
mod connection;
mod service;
mod body;
mod pitchtarget;
mod meta;
mod entry;
mod store;
mod answer;
mod nonsense;
mod clock;
mod log;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime;
use tokio::sync::oneshot;

use self::clock::Clock;
pub use self::config::{APP_SECRET, Platform, SandboxConfig, TOKEN, Terms};
pub use self::entry::UserType;
pub use self::error::Error;
pub use self::fault::Fault;
use self::fault::Faults;
pub use self::log::Exchange;
use self::log::Log;
use self::meta::Usage;
pub use self::pitchtarget::Revision;
use self::service::{Service, lock};
use self::store::Store;
pub use self::store::{Audience, Change, Delivery};

/// A running sandbox. It ends when this is dropped.
pub struct Sandbox {
    service: Arc<Service>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Starts a sandbox on a thread of its own. It can be reached as soon as this returns.
    pub fn start(config: SandboxConfig) -> Result<Self, Error> {
        Self::start_with_observer(config, |_| {})
    }

    /// The same; `observer` is shown each request when it has ended.
    pub fn start_with_observer(
        mut config: SandboxConfig,
        observer: impl Fn(&Exchange) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let mut store =
            Store::open(config.platform, config.data_dir.as_deref(), config.keeps_deliveries)?;
        let (listener, address) = listen(config.port)?;
        let mut faults = Faults::default();
        for fault in std::mem::take(&mut config.faults) {
            faults.push(fault);
        }
        for id in &config.flagged {
            store.set_flagged(*id, true);
        }
        let usage = Usage::new(config.calls_per_hour);
        let service = Arc::new(Service {
            config,
            clock: Clock::new(),
            store: Mutex::new(store),
            usage: Mutex::new(usage),
            faults: Mutex::new(faults),
            log: Arc::new(Log::new(observer)),
            bytes_received: Arc::new(AtomicU64::new(0)),
        });
        let (stop, stopped) = oneshot::channel();
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| Error::System { what: "event queue", source })?;
        let served = Arc::clone(&service);
        let run = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, served) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_timeout(config::SHUTDOWN);
        };
        let thread = std::thread::Builder::new()
            .name("sandbox".to_owned())
            .spawn(run)
            .map_err(|source| Error::System { what: "thread", source })?;
        Ok(Self { service, address, stop: Some(stop), thread: Some(thread) })
    }

    /// The address, such as `http://127.0.0.1:49152`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The token that it accepts.
    pub fn token(&self) -> &str {
        &self.service.config.token
    }

    /// All audiences, oldest first.
    pub fn audiences(&self) -> Result<Vec<Audience>, Error> {
        lock(&self.service.store).audiences(None).map_err(|source| self.unreadable(source))
    }

    /// Shows each member of an audience as the line that it was, in no particular order. `id` is either number of it. The
    /// sandbox waits meanwhile, so `show` must not ask it for anything.
    pub fn for_each_member(&self, id: u64, show: impl FnMut(&str)) -> Result<(), Error> {
        lock(&self.service.store)
            .for_each_member(id, show)
            .map_err(|source| self.unreadable(source))
    }

    /// The members of an audience, sorted; none if there is no such audience.
    pub fn members(&self, id: u64) -> Result<Vec<String>, Error> {
        let mut members = Vec::new();
        self.for_each_member(id, |member| members.push(member.to_owned()))?;
        members.sort_unstable();
        Ok(members)
    }

    /// The entries of every request that took effect, in that order, if [`SandboxConfig::keeps_deliveries`] says so.
    pub fn deliveries(&self) -> Vec<Delivery> {
        lock(&self.service.store).deliveries().to_vec()
    }

    /// The requests that have ended, in the order of their ends.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.service.log.exchanges()
    }

    /// All bytes that have come in on all connections: heads, bodies, and what was sent without being asked for.
    pub fn bytes_received(&self) -> u64 {
        self.service.bytes_received.load(Ordering::Relaxed)
    }

    /// Makes one more thing go wrong from now on.
    pub fn push_fault(&self, fault: Fault) {
        lock(&self.service.faults).push(fault);
    }

    /// Nothing goes wrong any more.
    pub fn clear_faults(&self) {
        lock(&self.service.faults).clear();
    }

    /// Lets so much time pass at once: limits on calls, sessions and replacements at Meta take it into account.
    pub fn advance(&self, by: Duration) {
        self.service.clock.advance(by);
    }

    /// Flags an audience of Meta's, or takes the flag back. Nothing can be done to the members of a flagged one.
    pub fn set_flagged(&self, id: u64, is_flagged: bool) {
        lock(&self.service.store).set_flagged(id, is_flagged);
    }

    fn unreadable(&self, source: rusqlite::Error) -> Error {
        Error::Database { path: self.service.config.data_dir.clone().unwrap_or_default(), source }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // If the thread is gone already, so much the better.
            let _gone = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("address", &self.address).finish_non_exhaustive()
    }
}

fn listen(port: u16) -> Result<(TcpListener, SocketAddr), Error> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).and_then(|listener| {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    });
    bound.map_err(|source| Error::Port { port, source })
}

async fn accept(listener: TcpListener, service: Arc<Service>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let routes = service::routes(Arc::clone(&service));
    loop {
        // A connection that was gone before it was accepted, or no descriptor for it: the next one may do better.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(config::ACCEPT_PAUSE).await;
            continue;
        };
        let received = Arc::clone(&service.bytes_received);
        tokio::spawn(connection::serve(stream, routes.clone(), received));
    }
}
