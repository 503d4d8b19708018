//! Requests on threads of their own, so that whoever waits for one can stop waiting.
//!
//! A thread that is left alone goes on until its request ends, at the latest at the request's deadline, or the process
//! does. What it may still achieve is as unknown as after a kill, and the store is made for that.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use crate::error::{Error, Result};
use crate::machine;
use crate::stop::Stop;

/// How often whoever waits looks whether to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long requests that are under way may still take once the run was asked to stop.
const GRACE: Duration = Duration::from_secs(2);

/// Makes a request in the background; its result, or an error if the run is asked to stop.
pub(super) fn run<T: Send + 'static>(
    stop: &Stop,
    request: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let (sender, result) = bounded(1);
    spawn(move || {
        // Nobody may be waiting any more.
        let _unwanted = sender.send(request());
    })?;
    loop {
        match receive(&result, stop, LOOK_EVERY)? {
            Some(result) => return Ok(result),
            None => stop.check()?,
        }
    }
}

/// Starts a thread.
pub(super) fn spawn(work: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = std::thread::Builder::new().name("throng-upload".to_owned()).spawn(work);
    thread.map(drop).map_err(|_| machine::no_threads())
}

/// What comes within `time`, if anything does. Once the run is asked to stop, what comes within the grace, which all
/// requests share.
pub(super) fn receive<T>(results: &Receiver<T>, stop: &Stop, time: Duration) -> Result<Option<T>> {
    let until = Instant::now() + time;
    loop {
        let stopped = stop.since();
        let left = until.saturating_duration_since(Instant::now());
        let wait = match stopped {
            Some(since) => (since + GRACE).saturating_duration_since(Instant::now()),
            None => left.min(LOOK_EVERY),
        };
        match results.recv_timeout(wait) {
            Ok(result) => return Ok(Some(result)),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Error::Internal("a request's thread ended without a result"));
            }
            Err(RecvTimeoutError::Timeout) if stopped.is_some() || left.is_zero() => {
                return Ok(None);
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_ends_the_wait_but_not_before_the_grace() {
        let stop = Stop::default();
        assert_eq!(run(&stop, || 7).expect("not stopped"), 7);
        stop.request(15);
        // It comes within the grace.
        assert_eq!(run(&stop, || 7).expect("comes in time"), 7);
        let (never, results) = bounded::<()>(1);
        assert_eq!(receive(&results, &stop, Duration::from_hours(1)).expect("no error"), None);
        drop(never);
    }

    #[test]
    fn a_panic_of_the_request_is_an_error() {
        let result = run(&Stop::default(), || -> () { panic!("expected in this test") });
        assert!(matches!(result, Err(Error::Internal(_))));
    }
}
