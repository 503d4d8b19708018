//! A run in a thread of its own, while Python's signals and callbacks are served.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use serde_json::Value;
use signal::SIGINT;
use throng::stop::Stop;
use throng::{Result, machine};

use crate::errors::{Failure, dictionary, guarded};

mod signal {
    /// What Ctrl-C sends, on every Unix.
    pub(super) const SIGINT: i32 = 2;
}

/// Time between two looks at Python's signals.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Time between two calls of the callback.
const TELL_EVERY: Duration = Duration::from_millis(500);

/// A run as Python sees it: how to stop it, and how far it is.
pub(crate) struct Watched<'a> {
    pub(crate) stop: &'a Stop,
    /// Who is told how far it is.
    pub(crate) callback: Option<&'a Py<PyAny>>,
    pub(crate) figures: &'a (dyn Fn(Duration) -> Value + Sync),
}

/// Does the work. A signal whose handler raises, or a callback that raises, stops it, and goes on to the caller when it has
/// ended.
pub(crate) fn watched<T: Send>(
    py: Python<'_>,
    watched: &Watched<'_>,
    work: impl FnOnce() -> Result<T> + Send,
) -> std::result::Result<T, Failure> {
    py.detach(|| {
        std::thread::scope(|scope| {
            let (sender, done) = sync_channel(1);
            let run = move || {
                // The other end waits until something comes.
                let _received = sender.send(guarded(work));
            };
            std::thread::Builder::new()
                .name("throng-run".to_owned())
                .spawn_scoped(scope, run)
                .map_err(|_| Failure::Of(machine::no_threads()))?;
            let started = Instant::now();
            let mut tell_at = TELL_EVERY;
            let mut raised = None;
            loop {
                match done.recv_timeout(LOOK_EVERY) {
                    Ok(ended) => return raised.map_or(ended, |error| Err(Failure::Python(error))),
                    Err(RecvTimeoutError::Disconnected) => return Err(Failure::Panic),
                    Err(RecvTimeoutError::Timeout) => {}
                }
                if raised.is_some() {
                    continue;
                }
                let elapsed = started.elapsed();
                let callback = watched.callback.filter(|_| elapsed >= tell_at);
                if callback.is_some() {
                    tell_at = elapsed + TELL_EVERY;
                }
                let figures = callback.map(|callback| (callback, (watched.figures)(elapsed)));
                if let Err(error) = Python::attach(|py| serve(py, figures)) {
                    raised = Some(error);
                    watched.stop.request(SIGINT);
                }
            }
        })
    })
}

/// Lets Python handle its signals, and tells how far the run is.
fn serve(py: Python<'_>, figures: Option<(&Py<PyAny>, Value)>) -> PyResult<()> {
    py.check_signals()?;
    if let Some((callback, figures)) = figures {
        callback.call1(py, (dictionary(py, &figures)?,))?;
    }
    Ok(())
}
