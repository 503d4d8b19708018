//! A request that is under way, and what it means if it does not succeed.

use std::io;

use ureq::Timeout;

use super::part::Cut;
use crate::platform::{Call, Failure, FailureKind};
use crate::quote::Cause;

/// A request that is under way.
pub(super) struct Attempt {
    pub(super) call: Call,
    /// Whether the whole request was sent, so that it may have taken effect.
    pub(super) was_sent: bool,
    /// Whether it is a proxy that is connected to.
    pub(super) by_proxy: bool,
}

impl Attempt {
    pub(super) fn fail(&self, kind: FailureKind, detail: &str) -> Failure {
        let was_sent = self.was_sent;
        Failure { was_sent, ..Failure::new(self.call, kind, detail.to_owned()) }
    }

    /// The entries of the request cannot be read.
    pub(super) fn unreadable(&self, error: &io::Error) -> Failure {
        match cut(error) {
            Some(Cut::Stopped) => self.fail(FailureKind::Stopped, ""),
            Some(Cut::Changed) => self.fail(FailureKind::PartChanged, ""),
            None => self.fail(FailureKind::PartChanged, &error.to_string()),
        }
    }

    /// The request ended without a whole answer.
    pub(super) fn broken(&self, error: &ureq::Error) -> Failure {
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
                None if is_unreachable(error) => {
                    let whose = if self.by_proxy { "the environment's proxy: " } else { "" };
                    self.fail(Unreachable, &format!("{whose}{}", Cause(error)))
                }
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
