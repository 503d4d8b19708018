//! Threads that wait for answers, so that several requests are under way while the workers work.

use std::cell::RefCell;
use std::sync::Mutex;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use tokio::runtime::{Builder, Runtime};

use super::fault::{Fault, Got};
use crate::error::{Error, Result};
use crate::limits::{OBJECT_REQUESTS_MAX, OBJECT_TRIES};
use crate::machine;
use crate::mutex;
use crate::stop::Stop;

/// How often whoever waits looks whether to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

type Job = Box<dyn FnOnce() + Send>;

/// Answers that will come.
pub(super) struct Coming<T>(Receiver<T>);

/// Begins a request on another thread.
pub(super) fn begin<T: Send + 'static>(
    request: impl FnOnce() -> T + Send + 'static,
) -> Result<Coming<T>> {
    let jobs = jobs()?;
    let (sender, coming) = bounded(1);
    let job = move || {
        // Nobody may be waiting any more.
        let _unwanted = sender.send(request());
    };
    jobs.send(Box::new(job)).map_err(|_| Error::Internal("nobody makes requests"))?;
    Ok(Coming(coming))
}

/// Where requests go. A process that was forked off has none of the threads of the other.
fn jobs() -> Result<Sender<Job>> {
    static JOBS: Mutex<Option<(u32, Sender<Job>)>> = Mutex::new(None);
    let (process, mut jobs) = (std::process::id(), mutex::lock(&JOBS));
    match &*jobs {
        Some((of, jobs)) if *of == process => Ok(jobs.clone()),
        _ => {
            let started = start().ok_or_else(machine::no_threads)?;
            Ok(jobs.insert((process, started)).1.clone())
        }
    }
}

/// Starts the threads, as many as the system gives.
fn start() -> Option<Sender<Job>> {
    let (sender, jobs) = unbounded::<Job>();
    let work = |jobs: Receiver<Job>| move || jobs.iter().for_each(|job| job());
    let start = |_| {
        let thread = std::thread::Builder::new().name("throng-fetch".to_owned());
        thread.spawn(work(jobs.clone())).ok()
    };
    let started = (0..OBJECT_REQUESTS_MAX).map_while(start).count();
    (started > 0).then_some(sender)
}

impl<T> Coming<T> {
    /// Waits for the answer, or until the run is asked to stop.
    pub(super) fn wait(&self, stop: &Stop) -> Result<T> {
        loop {
            match self.0.recv_timeout(LOOK_EVERY) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Timeout) => stop.check()?,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::Internal("a request ended without an answer"));
                }
            }
        }
    }
}

/// Asks again while the answers are garbled: the crate tries again what does not come at all.
pub(super) fn tried<T>(ask: impl Fn() -> Got<T>) -> Got<T> {
    let mut tries = 1;
    loop {
        match ask() {
            Err(fault) if fault.is_garbled() && tries < OBJECT_TRIES => tries += 1,
            got => return got,
        }
    }
}

/// Waits for what the `object_store` crate does, on this thread.
pub(super) fn block_on<T>(asked: impl Future<Output = object_store::Result<T>>) -> Got<T> {
    thread_local! {
        static RUNTIME: RefCell<Option<Runtime>> = const { RefCell::new(None) };
    }
    RUNTIME.with_borrow_mut(|runtime| {
        let runtime = match runtime {
            Some(runtime) => runtime,
            none => {
                let made = Builder::new_current_thread().enable_time().build();
                none.insert(made.map_err(|_| Fault::no_runtime())?)
            }
        };
        runtime.block_on(asked).map_err(|error| Fault::of(&error))
    })
}
