//! The sandbox's time. It runs like any other, and a test can push it forward.

use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::service::lock;

/// A clock that can be pushed forward.
#[derive(Debug)]
pub(super) struct Clock {
    started: Instant,
    pushed: Mutex<Duration>,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), pushed: Mutex::default() }
    }

    /// Lets so much time pass at once.
    pub(super) fn advance(&self, by: Duration) {
        *lock(&self.pushed) += by;
    }

    /// Time since the start.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed() + *lock(&self.pushed)
    }

    /// Milliseconds since 1970.
    pub(super) fn unix_millis(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = since + *lock(&self.pushed);
        now.as_millis().try_into().unwrap_or(i64::MAX)
    }
}
