//! Threads that wait for answers, so that several requests are under way while the workers work.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
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
    let (sender, coming) = bounded(1);
    let job = move || {
        // Nobody may be waiting any more.
        let _unwanted = sender.send(request());
    };
    hand_over(Box::new(job))?;
    Ok(Coming(coming))
}

/// The threads of a process. They are started when all that there are have something to do: the fewer there are, the less memory
/// stays with them.
struct Threads {
    process: u32,
    started: usize,
    /// Threads that have something to do, or will have.
    busy: Arc<AtomicUsize>,
    sender: Sender<Job>,
    jobs: Receiver<Job>,
}

impl Threads {
    fn new(process: u32) -> Self {
        let (sender, jobs) = unbounded::<Job>();
        Self { process, started: 0, busy: Arc::default(), sender, jobs }
    }

    /// Starts one more, if the system gives it.
    fn start(&mut self) {
        let (jobs, busy) = (self.jobs.clone(), Arc::clone(&self.busy));
        let work = move || {
            for job in jobs {
                job();
                busy.fetch_sub(1, Ordering::Relaxed);
            }
        };
        let thread = std::thread::Builder::new().name("throng-fetch".to_owned());
        self.started += usize::from(thread.spawn(work).is_ok());
    }
}

/// Gives a job to a thread. A process that was forked off has none of the threads of the other.
fn hand_over(job: Job) -> Result<()> {
    static THREADS: Mutex<Option<Threads>> = Mutex::new(None);
    let (process, mut threads) = (std::process::id(), mutex::lock(&THREADS));
    let threads = match &mut *threads {
        Some(threads) if threads.process == process => threads,
        others => others.insert(Threads::new(process)),
    };
    let busy = threads.busy.fetch_add(1, Ordering::Relaxed);
    if busy >= threads.started && threads.started < OBJECT_REQUESTS_MAX {
        threads.start();
    }
    if threads.started == 0 {
        threads.busy.store(0, Ordering::Relaxed);
        return Err(machine::no_threads());
    }
    threads.sender.send(job).map_err(|_| Error::Internal("nobody makes requests"))
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
pub(super) fn tried<T>(mut ask: impl FnMut() -> Got<T>) -> Got<T> {
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
