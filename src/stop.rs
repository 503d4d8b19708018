//! Requests to stop a run, and waiting that ends with one.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::mutex;

/// Shared by whoever works and whoever may ask to stop. Clones are the same flag.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    shared: Arc<(Mutex<Option<Request>>, Condvar)>,
}

/// A signal and when it came.
type Request = (i32, Instant);

impl Stop {
    /// Asks the run to stop, because of a signal. It ends with [`Error::Stopped`] as soon as it can.
    pub fn request(&self, signal: i32) {
        let (requested, changed) = &*self.shared;
        mutex::lock(requested).get_or_insert((signal, Instant::now()));
        changed.notify_all();
    }

    /// An error if the run was asked to stop.
    pub fn check(&self) -> Result<()> {
        let requested = mutex::lock(&self.shared.0);
        requested.map_or(Ok(()), |(signal, _)| Err(Error::Stopped { signal }))
    }

    /// When the run was asked to stop, if it was.
    pub fn since(&self) -> Option<Instant> {
        let requested = mutex::lock(&self.shared.0);
        requested.map(|(_, at)| at)
    }

    /// Waits, but not longer than until the run is asked to stop, which is an error.
    pub fn wait(&self, time: Duration) -> Result<()> {
        let (requested, changed) = &*self.shared;
        let requested = mutex::lock(requested);
        let waited = changed.wait_timeout_while(requested, time, |requested| requested.is_none());
        drop(waited);
        self.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_ends_waiting_and_the_first_signal_counts() {
        let stop = Stop::default();
        assert!(stop.wait(Duration::from_millis(1)).is_ok());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| stop.wait(Duration::from_hours(1)));
            stop.request(15);
            stop.request(2);
            let ended = waiting.join().expect("no panic");
            assert!(matches!(ended, Err(Error::Stopped { signal: 15 })));
        });
        assert!(stop.check().is_err());
    }
}
