//! Addresses of hosts, within the time that a request has.
//!
//! `ureq` looks a host up on a thread of its own, and takes it for a defect if the system has none to give. Here that is
//! a request that failed, and is tried again.

use crossbeam_channel::{RecvTimeoutError, bounded};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use ureq::unversioned::transport::time::Duration;

/// How a client looks up hosts.
#[derive(Debug)]
pub(crate) struct PatientResolver;

impl Resolver for PatientResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let (sender, found) = bounded(1);
        let (uri, config, reason) = (uri.clone(), config.clone(), timeout.reason);
        let untimed = NextTimeout { after: Duration::NotHappening, ..timeout };
        let look_up = move || {
            // Nobody may be waiting any more.
            let _unwanted = sender.send(DefaultResolver::default().resolve(&uri, &config, untimed));
        };
        std::thread::Builder::new().name("throng-resolver".to_owned()).spawn(look_up)?;
        match found.recv_timeout(*timeout.after) {
            Ok(found) => found,
            Err(RecvTimeoutError::Timeout) => Err(ureq::Error::Timeout(reason)),
            Err(RecvTimeoutError::Disconnected) => Err(ureq::Error::HostNotFound),
        }
    }
}
