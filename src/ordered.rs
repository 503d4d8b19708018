//! Work in parallel, results in order: the one place where threads, queues and shutdown are put together.
//!
//! Every thread of the pool does everything in turn: it takes the next job (one thread at a time), works on it, puts
//! the result in its place, takes what is due in order (one thread at a time), and finishes what was taken. So a job's
//! bytes stay in the cache of one core, nobody waits for a thread whose only job is to pass things on, and with one
//! thread nothing ever waits. The earlier design had a thread that made jobs and one that took results: six
//! wake-ups a chunk, which on two cores cost a third of the time.
//!
//! What is left to finish belongs to a lane, such as the file that it is written to: the system lets one thread at a time
//! write to a file, and others would only wait for it. So a lane is in the hands of one thread at a time, and whoever finds
//! no other lane works on the next job instead.
//!
//! A thread that is too far ahead waits until an earlier job is finished. Such a job is in the hands of another
//! thread, or lies among the finishes, which are taken before anything else: so there is always somebody who moves on.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex};

use rayon::ThreadPool;

use crate::error::{Error, Result};
use crate::mutex;

/// Steps of a job.
#[derive(Clone, Copy, Debug)]
pub struct Steps<N, W, S, L, F> {
    /// Makes the next job, `None` when there are no more. Never called by two threads at once.
    pub next: N,
    /// Turns a job into its result, in parallel.
    pub work: W,
    /// Takes the results in the order of the jobs. Never called by two threads at once.
    pub sink: S,
    /// Names the lane that what the sink made of a result belongs to, if it is one.
    pub lane: L,
    /// Does what is left to do with what the sink made of a result, in parallel but for that of one lane, and in no order.
    pub finish: F,
}

/// Runs the steps on the pool until there are no more jobs. At most `in_flight` jobs are begun and not finished. The
/// first error ends all; one of a sink or finish goes before one of `next`.
///
/// # Errors
///
/// The first error of a step.
pub fn ordered<J, R, D>(
    pool: &ThreadPool,
    in_flight: usize,
    steps: Steps<
        impl FnMut() -> Result<Option<J>> + Send,
        impl Fn(J) -> R + Sync,
        impl FnMut(R) -> Result<D> + Send,
        impl Fn(&D) -> Option<u64> + Sync,
        impl Fn(D) -> Result<()> + Sync,
    >,
) -> Result<()>
where
    J: Send,
    R: Send,
    D: Send,
{
    let Steps { next, work, sink, lane, finish } = steps;
    let maker = Mutex::new(Maker { next, made: 0, is_finished: false, error: None });
    let line = Line {
        queue: Mutex::new(Queue {
            sink,
            results: VecDeque::new(),
            taken: 0,
            finishes: Finishes::default(),
            finished: 0,
            is_stopped: false,
            error: None,
        }),
        moved: Condvar::new(),
        in_flight: in_flight.max(1) as u64,
    };
    pool.broadcast(|_| {
        let _stop_others = StopOnPanic(&line);
        while let Some(turn) = line.turn(&maker) {
            match turn {
                Turn::Work(seq, job) => line.deliver(seq, work(job), &lane),
                Turn::Finish(of, done) => line.finished(of, finish(done)),
            }
        }
    });
    let made = mutex::into_inner(maker).error;
    let taken = mutex::into_inner(line.queue).error;
    taken.or(made).map_or(Ok(()), Err)
}

/// Source of jobs.
struct Maker<N> {
    next: N,
    made: u64,
    is_finished: bool,
    error: Option<Error>,
}

/// Queue in which results wait for their turn.
struct Line<S, R, D> {
    queue: Mutex<Queue<S, R, D>>,
    moved: Condvar,
    in_flight: u64,
}

struct Queue<S, R, D> {
    sink: S,
    /// Results by place, from the next one to be taken on.
    results: VecDeque<Option<R>>,
    taken: u64,
    finishes: Finishes<D>,
    finished: u64,
    is_stopped: bool,
    error: Option<Error>,
}

/// What is left to finish, each with its lane.
struct Finishes<D> {
    waiting: VecDeque<(Option<u64>, D)>,
    /// Lanes that are in somebody's hands.
    busy: Vec<u64>,
}

impl<D> Default for Finishes<D> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), busy: Vec::new() }
    }
}

impl<D> Finishes<D> {
    /// The first one whose lane is nobody's; it now is the caller's.
    fn take<J>(&mut self) -> Option<Turn<J, D>> {
        let is_free = |lane: Option<u64>| lane.is_none_or(|lane| !self.busy.contains(&lane));
        let at = self.waiting.iter().position(|(lane, _)| is_free(*lane))?;
        let (lane, done) = self.waiting.remove(at)?;
        self.busy.extend(lane);
        Some(Turn::Finish(lane, done))
    }

    fn give_back(&mut self, lane: Option<u64>) {
        self.busy.retain(|busy| Some(*busy) != lane);
    }
}

/// Next task of a thread.
enum Turn<J, D> {
    Work(u64, J),
    Finish(Option<u64>, D),
}

impl<S, R, D> Line<S, R, D>
where
    S: FnMut(R) -> Result<D>,
{
    /// Waits for the next task; `None` when all is done.
    fn turn<J, N>(&self, maker: &Mutex<Maker<N>>) -> Option<Turn<J, D>>
    where
        N: FnMut() -> Result<Option<J>>,
    {
        if let Some(turn) = mutex::lock(&self.queue).finishes.take() {
            return Some(turn);
        }
        let mut maker = mutex::lock(maker);
        if maker.is_finished {
            drop(maker);
            return mutex::lock(&self.queue).finishes.take();
        }
        let mut queue = mutex::lock(&self.queue);
        loop {
            if queue.is_stopped {
                return None;
            }
            if let Some(turn) = queue.finishes.take() {
                return Some(turn);
            }
            if maker.made < queue.finished + self.in_flight {
                break;
            }
            queue = mutex::wait(&self.moved, queue);
        }
        drop(queue);
        match (maker.next)() {
            Ok(Some(job)) => {
                maker.made += 1;
                Some(Turn::Work(maker.made - 1, job))
            }
            Ok(None) => {
                maker.is_finished = true;
                None
            }
            Err(error) => {
                maker.is_finished = true;
                maker.error = Some(error);
                None
            }
        }
    }

    /// Puts a result in its place, and takes all that are due.
    fn deliver(&self, seq: u64, result: R, lane: impl Fn(&D) -> Option<u64>) {
        let mut guard = mutex::lock(&self.queue);
        let queue = &mut *guard;
        let place = usize::try_from(seq - queue.taken).expect("at most in_flight results wait");
        if queue.results.len() <= place {
            queue.results.resize_with(place + 1, || None);
        }
        queue.results[place] = Some(result);
        while !queue.is_stopped
            && let Some(result) = queue.results.front_mut().and_then(Option::take)
        {
            queue.results.pop_front();
            queue.taken += 1;
            match (queue.sink)(result) {
                Ok(done) => queue.finishes.waiting.push_back((lane(&done), done)),
                Err(error) => queue.stop(error),
            }
        }
        drop(guard);
        self.moved.notify_all();
    }

    fn finished(&self, lane: Option<u64>, outcome: Result<()>) {
        let mut queue = mutex::lock(&self.queue);
        queue.finishes.give_back(lane);
        queue.finished += 1;
        if let Err(error) = outcome {
            queue.stop(error);
        }
        drop(queue);
        self.moved.notify_all();
    }
}

impl<S, R, D> Queue<S, R, D> {
    fn stop(&mut self, error: Error) {
        self.is_stopped = true;
        self.finishes.waiting.clear();
        self.error.get_or_insert(error);
    }
}

/// Ends the waiting of the other threads if this one panics; the panic itself goes on to the caller.
struct StopOnPanic<'a, S, R, D>(&'a Line<S, R, D>);

impl<S, R, D> Drop for StopOnPanic<'_, S, R, D> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            mutex::lock(&self.0.queue).stop(Error::Internal("a worker panicked"));
            self.0.moved.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(threads: usize) -> ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads")
    }

    #[test]
    fn results_come_in_order_with_any_number_of_threads() {
        for threads in [1, 2, 8] {
            let mut jobs = 0..1000_u64;
            let mut results = Vec::new();
            let finished = std::sync::atomic::AtomicU64::new(0);
            let steps = Steps {
                next: || Ok(jobs.next()),
                work: |job| (0..job % 97).fold(job, |sum, n| std::hint::black_box(sum + n) - n),
                sink: |result| {
                    results.push(result);
                    Ok(result)
                },
                lane: |_: &_| None,
                finish: |result| {
                    finished.fetch_add(result, std::sync::atomic::Ordering::Relaxed);
                    Ok(())
                },
            };
            ordered(&pool(threads), 4, steps).expect("no error");
            assert_eq!(results, (0..1000).collect::<Vec<_>>());
            assert_eq!(finished.into_inner(), 499_500);
        }
    }

    #[test]
    fn no_more_jobs_are_begun_and_not_finished_than_allowed() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let (begun, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let mut jobs = 0..500;
        let steps = Steps {
            next: || {
                Ok(jobs.next().inspect(|_| {
                    let now = begun.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                }))
            },
            work: |job| job,
            sink: Ok,
            lane: |_: &_| None,
            finish: |_| {
                begun.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            },
        };
        ordered(&pool(8), 3, steps).expect("no error");
        assert!(most.into_inner() <= 3);
    }

    #[test]
    fn a_lane_is_in_the_hands_of_one_thread_and_others_go_on() {
        use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
        const LANES: usize = 4;
        let busy: [AtomicBool; LANES] = Default::default();
        let (at_once, most, done) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let mut jobs = 0..400_usize;
        let steps = Steps {
            next: || Ok(jobs.next()),
            work: |job| job,
            sink: Ok,
            lane: |job: &usize| Some((job % LANES) as u64),
            finish: |job: usize| {
                assert!(!busy[job % LANES].swap(true, Ordering::SeqCst), "two threads in one lane");
                most.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(std::time::Duration::from_micros(50));
                at_once.fetch_sub(1, Ordering::SeqCst);
                busy[job % LANES].store(false, Ordering::SeqCst);
                done.fetch_add(1, Ordering::SeqCst);
                Ok(())
            },
        };
        ordered(&pool(8), 24, steps).expect("no error");
        assert_eq!(done.into_inner(), 400);
        assert!(most.into_inner() > 1, "lanes are finished side by side");
    }

    #[test]
    fn an_error_of_any_step_ends_it() {
        let endless = || Ok(Some(()));
        let steps = Steps {
            next: endless,
            work: |()| (),
            sink: |()| Err(Error::Internal("sink")),
            lane: |(): &()| None,
            finish: |()| Ok(()),
        };
        assert!(matches!(ordered(&pool(2), 2, steps), Err(Error::Internal("sink"))));
        let steps = Steps {
            next: endless,
            work: |()| (),
            sink: Ok,
            lane: |(): &()| None,
            finish: |()| Err(Error::Internal("finish")),
        };
        assert!(matches!(ordered(&pool(2), 2, steps), Err(Error::Internal("finish"))));
        let mut left = 10;
        let steps = Steps {
            next: || {
                left -= 1;
                if left == 0 { Err(Error::Internal("next")) } else { Ok(Some(())) }
            },
            work: |()| (),
            sink: Ok,
            lane: |(): &()| None,
            finish: |()| Ok(()),
        };
        assert!(matches!(ordered(&pool(2), 2, steps), Err(Error::Internal("next"))));
    }

    #[test]
    #[should_panic(expected = "work")]
    fn a_panic_in_a_step_reaches_the_caller() {
        let steps = Steps {
            next: || Ok(Some(())),
            work: |()| panic!("work"),
            sink: Ok,
            lane: |(): &()| None,
            finish: |()| Ok(()),
        };
        let _never = ordered(&pool(2), 2, steps);
    }
}
