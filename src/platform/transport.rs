//! Requests and replies, as far as platforms differ in them: who makes requests adds address, credentials and deadlines.

use std::io::{self, Read};
use std::time::Duration;

use super::{Call, Failure, FailureKind, Id, Outcome};

/// What makes the requests of a platform's calls.
pub(crate) trait Transport {
    /// Makes a request. A reply that says no is a failure, as the platform sees it.
    fn send(&self, request: Request<'_>) -> Outcome<Reply>;

    /// The failure of a call whose entries cannot be read.
    fn unreadable(&self, call: Call, error: &io::Error) -> Failure;
}

/// A request, but for the address of the API and who makes it.
pub(crate) struct Request<'a> {
    pub(crate) call: Call,
    pub(crate) method: &'static str,
    /// The path, and what follows it.
    pub(crate) path: String,
    pub(crate) body: Option<&'a mut dyn Body>,
    /// Whether the server is asked first if it wants the body, so that a token that it refuses costs no upload.
    pub(crate) asks_first: bool,
    /// The ad account that it is about, where limits are told by account.
    pub(crate) ad_account: Option<Id>,
}

impl Request<'_> {
    /// A request without a body.
    pub(crate) fn bare(call: Call, method: &'static str, path: String) -> Self {
        Self { call, method, path, body: None, asks_first: false, ad_account: None }
    }
}

/// A body that is read while it is sent.
pub(crate) trait Body: Read {
    /// The value of `Content-Type`.
    fn content_type(&self) -> &str;

    /// The value of `Content-Length`.
    fn content_length(&self) -> u64;

    /// Whether all of it has been read. A request whose body is not complete cannot take effect.
    fn is_complete(&self) -> bool;
}

/// Entries that go with a request: those of a part, or of a batch of one.
pub(crate) struct Entries<'a> {
    /// The part's name, which the platform may get to see.
    pub(crate) file: &'a str,
    /// Bytes of all lines.
    pub(crate) bytes: u64,
    /// How many there are.
    pub(crate) count: u64,
    /// The lines, each with a line end behind it.
    pub(crate) lines: &'a mut dyn Read,
    /// Which batch of a session they are, where a platform has such.
    pub(crate) place: Option<Place>,
}

/// The place of a batch among those of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The number of the session, of 63 bits.
    pub(crate) session: i64,
    /// The number of the batch within it, counted from 1.
    pub(crate) number: i64,
    /// Whether no other batch follows.
    pub(crate) is_last: bool,
    /// Entries of the whole session, as far as is known.
    pub(crate) total: u64,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) call: Call,
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// Those headers that the platform reads.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// The ad account that the request was about, where limits are told by account.
    pub(crate) ad_account: Option<Id>,
}

impl Reply {
    /// Whether its status is a success.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether its status says that the request was wrong.
    pub(crate) fn is_client_error(&self) -> bool {
        (400..500).contains(&self.status)
    }

    /// Reads its body.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&[u8]) -> Result<T, ContractError>,
    ) -> Outcome<T> {
        read(&self.body).map_err(|error| Failure {
            status: Some(self.status),
            ..Failure::new(self.call, FailureKind::Nonsense, error.to_string())
        })
    }
}

/// Why an answer says no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) kind: FailureKind,
    /// How long to wait, if the platform says it otherwise than by `Retry-After`.
    pub(crate) retry_after: Option<Duration>,
    /// What to do about it, where that is not what it is for all platforms.
    pub(crate) hint: Option<&'static str>,
}

impl From<FailureKind> for Refusal {
    fn from(kind: FailureKind) -> Self {
        Self { kind, retry_after: None, hint: None }
    }
}

/// An answer that is not what the contract says. It tells the place, never the content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ContractError(pub(crate) &'static str);

/// What stands between the fields of a form (RFC 7578): 128 random bits in hex, which are in none of them.
pub(crate) fn boundary() -> crate::error::Result<String> {
    let random = || {
        getrandom::u64()
            .map_err(|_| crate::error::Error::Internal("the system gives no random numbers"))
    };
    Ok(format!("{:016x}{:016x}", random()?, random()?))
}
