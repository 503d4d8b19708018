//! Whether and when a failed request is made again: a function of its arguments. Who calls it waits.

use std::time::Duration;

use crate::config::SendOptions;
use crate::platform::{Call, Failure, FailureKind};

/// How patient an upload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Most times that one request is made.
    pub attempts_max: u32,
    /// The longest wait before the second attempt. It doubles with each further one.
    pub wait_first: Duration,
    /// The longest wait there is, unless the server asks for a longer one.
    pub wait_max: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::from(&SendOptions::default())
    }
}

impl From<&SendOptions> for RetryPolicy {
    fn from(options: &SendOptions) -> Self {
        Self {
            attempts_max: options.attempts_max(),
            wait_first: options.retry_wait.0,
            wait_max: Duration::from_mins(1),
        }
    }
}

/// What to do about a failed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Make it again after this time.
    RetryAfter(Duration),
    /// It may have taken effect and must not be repeated: find out.
    FindOut,
    /// Do not make it again.
    GiveUp,
}

impl RetryPolicy {
    /// Decides about a request that failed for the `attempts`th time. `time_left` is what is left until the deadline,
    /// `random` a number from 0 to 1.
    ///
    /// Waits are "full jitter": anything from nothing to the longest wait of that attempt, so that many clients that
    /// were refused at once do not come back at once.
    pub(crate) fn decide(
        &self,
        failure: &Failure,
        attempts: u32,
        time_left: Duration,
        random: f64,
    ) -> Decision {
        if failure.call == Call::Create && failure.is_unknown() {
            return Decision::FindOut;
        }
        if !is_temporary(failure.kind) || attempts >= self.attempts_max {
            return Decision::GiveUp;
        }
        let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1));
        let longest = self.wait_first.saturating_mul(doubled).min(self.wait_max);
        let wait = longest.mul_f64(random.clamp(0.0, 1.0));
        let wait = wait.max(failure.retry_after.unwrap_or_default());
        if wait > time_left { Decision::GiveUp } else { Decision::RetryAfter(wait) }
    }
}

/// Whether the same request may succeed later.
fn is_temporary(kind: FailureKind) -> bool {
    match kind {
        FailureKind::Unreachable
        | FailureKind::Broken
        | FailureKind::TimedOut
        | FailureKind::RateLimited
        | FailureKind::Busy
        | FailureKind::Nonsense
        | FailureKind::SessionOver => true,
        FailureKind::Tls
        | FailureKind::Credentials
        | FailureKind::Terms
        | FailureKind::NotFound
        | FailureKind::TooLarge
        | FailureKind::BadField
        | FailureKind::Flagged
        | FailureKind::Blocked
        | FailureKind::Refused
        | FailureKind::PartChanged
        | FailureKind::Stopped => false,
    }
}

#[cfg(test)]
mod tests {
    use super::Decision::{FindOut, GiveUp, RetryAfter};
    use super::FailureKind::*;
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn failure(call: Call, kind: FailureKind, was_sent: bool) -> Failure {
        Failure { was_sent, ..Failure::new(call, kind, String::new()) }
    }

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    /// Every row of the table: call, kind, whether the request was sent whole, what follows.
    #[test]
    fn every_kind_of_failure_of_every_call() {
        let again = RetryAfter(secs(1));
        for (kind, create_unsent, create_sent, others) in [
            (Unreachable, again, again, again),
            (Tls, GiveUp, GiveUp, GiveUp),
            (Broken, again, FindOut, again),
            (TimedOut, again, FindOut, again),
            (RateLimited, again, FindOut, again),
            (Busy, again, FindOut, again),
            (Nonsense, again, FindOut, again),
            (Credentials, GiveUp, GiveUp, GiveUp),
            (Terms, GiveUp, GiveUp, GiveUp),
            (NotFound, GiveUp, GiveUp, GiveUp),
            (TooLarge, GiveUp, GiveUp, GiveUp),
            (BadField, GiveUp, GiveUp, GiveUp),
            (Refused, GiveUp, GiveUp, GiveUp),
            (PartChanged, GiveUp, GiveUp, GiveUp),
            (Flagged, GiveUp, GiveUp, GiveUp),
            (Blocked, GiveUp, GiveUp, GiveUp),
            (SessionOver, again, again, again),
            (Stopped, GiveUp, FindOut, GiveUp),
        ] {
            let decide = |call, was_sent| {
                RetryPolicy::default().decide(&failure(call, kind, was_sent), 1, HOUR, 1.0)
            };
            assert_eq!(decide(Call::Create, false), create_unsent, "{kind:?}");
            assert_eq!(decide(Call::Create, true), create_sent, "{kind:?}");
            for call in [Call::Add, Call::Remove, Call::List, Call::Details, Call::Delete] {
                assert_eq!(decide(call, false), others, "{kind:?}");
                assert_eq!(decide(call, true), others, "{kind:?}");
            }
        }
    }

    #[test]
    fn waits_double_up_to_the_longest_and_end_with_the_attempts() {
        let policy = RetryPolicy::default();
        let busy = failure(Call::Add, Busy, true);
        let waits = (1..=8).map(|attempts| policy.decide(&busy, attempts, HOUR, 1.0));
        let expected = [1, 2, 4, 8, 16, 32, 60].map(|wait| RetryAfter(secs(wait)));
        assert_eq!(waits.collect::<Vec<_>>(), [&expected[..], &[GiveUp]].concat());
        assert_eq!(policy.decide(&busy, 3, HOUR, 0.0), RetryAfter(secs(0)));
        assert_eq!(policy.decide(&busy, 3, HOUR, 0.5), RetryAfter(secs(2)));
        let patient = RetryPolicy { attempts_max: u32::MAX, ..policy };
        assert_eq!(patient.decide(&busy, 4_000_000_000, HOUR, 1.0), RetryAfter(secs(60)));
    }

    #[test]
    fn the_server_may_ask_for_a_longer_wait_but_not_beyond_the_deadline() {
        let policy = RetryPolicy::default();
        let asks =
            |wait| Failure { retry_after: Some(wait), ..failure(Call::Add, RateLimited, false) };
        assert_eq!(policy.decide(&asks(secs(300)), 1, HOUR, 1.0), RetryAfter(secs(300)));
        assert_eq!(policy.decide(&asks(secs(0)), 1, HOUR, 1.0), RetryAfter(secs(1)));
        assert_eq!(policy.decide(&asks(secs(300)), 1, secs(299), 1.0), GiveUp);
    }
}
