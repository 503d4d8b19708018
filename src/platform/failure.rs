//! Failures of requests.

use std::time::Duration;

use super::{Call, FailureKind};
use crate::error::{Error, ExitCode};

/// What a request came to.
pub type Outcome<T> = Result<T, Failure>;

impl Call {
    /// Returns what it does, for messages: `failed to ...`.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Create => "create the audience",
            Self::Add => "add a part",
            Self::Remove => "remove a part",
            Self::List => "list the audiences",
            Self::Details => "look up the audience",
            Self::Delete => "delete the audience",
        }
    }
}

/// A request that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The call.
    pub call: Call,
    /// The reason.
    pub kind: FailureKind,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// Words of the server or the system, in one line without token and entries.
    pub detail: String,
    /// Time that the server asks to wait.
    pub retry_after: Option<Duration>,
    /// Set if the whole request had been sent, so that it may have taken effect.
    pub was_sent: bool,
    /// What to do about it, where that is not what it is for all platforms.
    pub hint: Option<&'static str>,
}

impl Failure {
    /// A request that was sent, and that failed for a reason.
    pub(crate) fn new(call: Call, kind: FailureKind, detail: String) -> Self {
        Self { call, kind, status: None, detail, retry_after: None, was_sent: true, hint: None }
    }

    /// A request that was answered for another audience than it was about.
    pub(crate) fn of_other_audience(call: Call) -> Self {
        Self::new(call, FailureKind::Nonsense, String::new())
    }

    /// The same of an audience that was created a moment ago: an API that does not find it has not finished making it.
    pub(crate) fn of_new_audience(self) -> Self {
        if self.kind != FailureKind::NotFound || self.status == Some(410) {
            return self;
        }
        let detail = "it does not find the audience, which was just created".to_owned();
        Self { kind: FailureKind::Busy, detail, hint: None, ..self }
    }

    /// Says whether the API said no, and would say so again.
    pub fn is_refusal(&self) -> bool {
        use FailureKind::{
            BadField, Blocked, Credentials, Flagged, NotFound, Refused, Terms, TooLarge,
        };
        matches!(
            self.kind,
            BadField | Blocked | Credentials | Flagged | NotFound | Refused | Terms | TooLarge
        )
    }

    /// Returns the error that it ends a run with: the only place where a failure becomes an exit code. `parts` tells of an
    /// upload how many of how many are with the API already.
    pub fn into_error(self, parts: Option<(usize, usize)>) -> Error {
        let is_partial = parts.is_some_and(|(confirmed, _)| confirmed > 0);
        self.into_error_of(parts, is_partial)
    }

    /// The same, where some of a part can be with the API though no part is as a whole.
    pub(crate) fn into_error_of(self, parts: Option<(usize, usize)>, is_partial: bool) -> Error {
        let so_far = match parts {
            Some((confirmed, all)) if is_partial => {
                format!("; {confirmed} of {all} parts are confirmed")
            }
            Some(_) => "; nothing is confirmed yet".to_owned(),
            None => String::new(),
        };
        let (code, hint) = self.exit(is_partial);
        let hint = self.hint.unwrap_or(hint);
        Error::api(code, format!("{self}{so_far}"), hint)
    }

    fn exit(&self, is_partial: bool) -> (ExitCode, &'static str) {
        use FailureKind::{
            BadField, Blocked, Broken, Busy, Credentials, Flagged, Nonsense, NotFound, PartChanged,
            RateLimited, Refused, SessionOver, Stopped, Terms, TimedOut, Tls, TooLarge,
            Unreachable,
        };
        let has_body = matches!(self.call, Call::Create | Call::Add | Call::Remove);
        match self.kind {
            Credentials => {
                (ExitCode::Credentials, "check THRONG_TOKEN, and that it may use this ad account")
            }
            Terms => (
                ExitCode::Credentials,
                "open Ads Manager, Audiences, Create Audience, accept the terms, and run again",
            ),
            Flagged | Blocked => (ExitCode::Credentials, "see what the platform says about it"),
            NotFound => match self.call {
                Call::Create | Call::List => (ExitCode::Usage, "check --endpoint"),
                Call::Add | Call::Remove => (
                    ExitCode::Usage,
                    "see throng audience list --ad-account N; one that throng created and somebody deleted: --create-again",
                ),
                Call::Details => (
                    ExitCode::Usage,
                    "some APIs go by Facebook's number here: see throng audience list --ad-account N",
                ),
                Call::Delete => (ExitCode::Usage, "see throng audience list --ad-account N"),
            },
            TooLarge | BadField if !has_body => {
                (ExitCode::Usage, "check --endpoint and the number")
            }
            TooLarge => {
                (ExitCode::Input, "make parts smaller: throng prepare ... --part-bytes 50M")
            }
            BadField => (ExitCode::Input, "the API's own words say which"),
            PartChanged => (ExitCode::Input, "the directory was changed: upload it again"),
            Refused => (ExitCode::Usage, "check --endpoint"),
            Tls => {
                (ExitCode::Usage, "check --endpoint; a certificate of your own goes to --ca-file")
            }
            Unreachable | Broken | TimedOut | RateLimited | Busy | Nonsense | SessionOver
            | Stopped => {
                if is_partial {
                    (ExitCode::Partial, "run the same command again: it goes on where it stopped")
                } else {
                    (ExitCode::Temporary, "run the same command again later")
                }
            }
        }
    }

    /// Says whether it cannot be told if the request took effect.
    pub fn is_unknown(&self) -> bool {
        use FailureKind::{Broken, Busy, Nonsense, RateLimited, Stopped, TimedOut};
        self.was_sent
            && matches!(self.kind, Broken | TimedOut | Busy | RateLimited | Nonsense | Stopped)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "failed to {}: ", self.call.verb())?;
        let status = self.status.map(|status| format!(" (status {status})")).unwrap_or_default();
        let what = match self.kind {
            FailureKind::Unreachable => "the API cannot be reached",
            FailureKind::Tls => "the server's certificate is not trusted",
            FailureKind::Broken => "the connection broke",
            FailureKind::TimedOut => "no answer in time",
            FailureKind::RateLimited => "too many requests",
            FailureKind::Busy => "the server cannot at the moment",
            FailureKind::Nonsense => "the answer is not what the API's contract says",
            FailureKind::Credentials => "the API refuses the token, or it may not do this",
            FailureKind::Terms => "the account's owner has not accepted the Custom Audiences terms",
            FailureKind::NotFound if matches!(self.call, Call::Create | Call::List) => {
                "there is no API at this address"
            }
            FailureKind::NotFound => "there is no such audience",
            FailureKind::TooLarge => "the part is too large for the API",
            FailureKind::BadField => "the API does not accept a field or the file",
            FailureKind::Flagged => "the audience is flagged, and cannot be changed",
            FailureKind::Blocked => "the platform has blocked whoever the token is of",
            FailureKind::SessionOver => "the session of batches does not go on",
            FailureKind::Refused => "the API refused",
            FailureKind::PartChanged => "the part changed while it was sent, and was cut off",
            FailureKind::Stopped => "stopped",
        };
        write!(f, "{what}{status}")?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        match self.retry_after {
            Some(wait) if !wait.is_zero() => {
                write!(f, "; it asks to wait {} s", wait.as_secs().max(1))
            }
            _ => Ok(()),
        }
    }
}
