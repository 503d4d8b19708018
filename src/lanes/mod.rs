//! Several lines of jobs at once, each with its results in order: what [`ordered`](mod@crate::ordered) does for one.
//!
//! A compressed input is decoded by one thread at a time, and that decides how fast it is read. Where there are several,
//! the threads of the pool therefore take jobs of whichever lane nobody else is making one of, the first lanes first:
//! every thread decodes, and works on what it has decoded while it lies in the cache of its core. Only where there are
//! fewer lanes than threads, so that one has nothing to do, it is given the job, and whoever made it makes the next one
//! without a pause.
//!
//! Nothing of that can be seen in what comes out. The results of a lane come in the order of its jobs; an error ends the
//! lanes behind its own and leaves those before it to be finished, one of which may have an error that goes before it.
//!
//! Nobody waits for ever: a thread waits only while all open lanes have somebody who makes a job or ends them, or while
//! as many jobs as may be are under way. A job under way is in the hands of another thread, or its result waits for an
//! earlier one of its lane, which is; one that is handed over is taken before anything else. Whoever makes a turn possible
//! wakes one thread, and a thread that takes a turn and sees another one wakes the next.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard};

use rayon::ThreadPool;

use crate::error::{Error, Result};
use crate::mutex;

/// Steps of lanes. Those that take parts of a lane are never called by two threads at once for the same lane.
#[derive(Clone, Copy, Debug)]
pub struct Steps<B, N, W, S, E> {
    /// Opens the lane of a number: what makes its jobs, and what sums its results.
    pub open: B,
    /// Makes the next job of a lane, `None` when there are no more.
    pub next: N,
    /// Turns a job of the lane of a number into its result, in parallel.
    pub work: W,
    /// Takes the results of a lane in the order of its jobs.
    pub sink: S,
    /// Ends a lane, with its error if there was one, when all of its results were taken.
    pub end: E,
}

/// Bounds of what is under way.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Lanes.
    pub lanes: usize,
    /// Lanes that are open at once.
    pub open: usize,
    /// Jobs that are begun and whose results were not taken.
    pub in_flight: usize,
}

/// Runs the steps on the pool until all lanes have ended: what the lanes ended with, in their order, up to the first one
/// that has an error, and that error.
pub fn lanes<L, J, R, S, O>(
    pool: &ThreadPool,
    bounds: Bounds,
    steps: Steps<
        impl Fn(usize) -> Result<(L, S)> + Sync,
        impl Fn(&mut L) -> Result<Option<J>> + Sync,
        impl Fn(usize, J) -> R + Sync,
        impl Fn(&mut S, R) -> Result<()> + Sync,
        impl Fn(L, S, Result<()>) -> Result<O> + Sync,
    >,
) -> (Vec<O>, Result<()>)
where
    L: Send,
    J: Send,
    R: Send,
    S: Send,
    O: Send,
{
    let Steps { open, next, work, sink, end } = steps;
    let board = Board::new(bounds);
    pool.broadcast(|_| {
        let _stop_others = StopOnPanic(&board);
        while let Some(turn) = board.turn() {
            let (lane, job) = match turn {
                Turn::Open(lane) => {
                    board.opened(lane, open(lane));
                    (lane, None)
                }
                Turn::Make(lane, mut maker) => loop {
                    let job = next(&mut maker);
                    match board.made(lane, maker, job) {
                        Made::Handed(again) => maker = again,
                        Made::Job(job) => break (lane, job),
                    }
                },
                Turn::Work(lane, job) => (lane, Some(job)),
            };
            if let Some((seq, job)) = job {
                board.deliver(lane, seq, work(lane, job), &sink);
            }
            board.end(lane, &end);
        }
    });
    let State { mut ended, error, .. } = mutex::into_inner(board.state);
    let end = error.as_ref().map_or(usize::MAX, |(lane, _)| *lane);
    ended.retain(|(lane, _)| *lane < end);
    ended.sort_unstable_by_key(|(lane, _)| *lane);
    let ended = ended.into_iter().map(|(_, outcome)| outcome).collect();
    (ended, error.map_or(Ok(()), |(_, error)| Err(error)))
}

/// What all threads look at.
struct Board<L, J, R, S, O> {
    state: Mutex<State<L, J, R, S, O>>,
    moved: Condvar,
    bounds: Bounds,
}

struct State<L, J, R, S, O> {
    /// The open lanes by number.
    open: BTreeMap<usize, Lane<L, R, S>>,
    /// Jobs for threads that wait, each with its lane and its place there.
    handed: VecDeque<(usize, (u64, J))>,
    /// Number of lanes that were opened.
    opened: usize,
    /// Number of lanes that are to be gone through: fewer once one has an error.
    lanes: usize,
    /// Jobs that are made or worked on, and results that wait.
    in_flight: usize,
    /// Threads that wait.
    waiting: usize,
    ended: Vec<(usize, O)>,
    /// The first lane with an error, and that.
    error: Option<(usize, Error)>,
    is_stopped: bool,
}

/// Next task of a thread.
enum Turn<L, J> {
    Open(usize),
    Make(usize, L),
    Work(usize, (u64, J)),
}

/// What a thread that has made a job of a lane does next.
enum Made<L, J> {
    /// Another thread has it: make the next one.
    Handed(L),
    /// Work on it, if there is one.
    Job(Option<(u64, J)>),
}

struct Lane<L, R, S> {
    /// What makes its jobs; not here while somebody makes one.
    maker: Option<L>,
    /// What sums its results; not here while somebody adds one.
    sum: Option<S>,
    made: u64,
    /// Results by place, from the next one to be taken on.
    results: VecDeque<Option<R>>,
    taken: u64,
    /// Threads that open it, make a job of it, or end it, and jobs that are worked on or handed to somebody.
    hands: usize,
    /// There are no more jobs.
    is_made: bool,
    /// An error of a result, or else of a job.
    outcome: Result<()>,
    /// No further result is taken, because one was not accepted, or because a lane before it has an error.
    is_broken: bool,
}

impl<L, R, S> Lane<L, R, S> {
    /// A lane that a thread is about to open.
    fn new() -> Self {
        Self {
            maker: None,
            sum: None,
            made: 0,
            results: VecDeque::new(),
            taken: 0,
            hands: 1,
            is_made: false,
            outcome: Ok(()),
            is_broken: false,
        }
    }

    fn can_make(&self) -> bool {
        !self.is_made && self.maker.is_some()
    }

    /// Makes and takes nothing more; the number of results that waited.
    fn stop(&mut self) -> usize {
        self.is_made = true;
        self.is_broken = true;
        let waiting = self.results.iter().flatten().count();
        self.results.clear();
        waiting
    }

    /// The next result and what it is added to, if it is there and nobody adds one.
    fn take_due(&mut self) -> Option<(R, S)> {
        let sum = self.sum.take_if(|_| matches!(self.results.front(), Some(Some(_))))?;
        self.taken += 1;
        let due = self.results.pop_front().flatten();
        Some((due.expect("it was just seen"), sum))
    }
}

impl<L, J, R, S, O> Board<L, J, R, S, O> {
    fn new(bounds: Bounds) -> Self {
        let state = State {
            open: BTreeMap::new(),
            handed: VecDeque::new(),
            opened: 0,
            lanes: bounds.lanes,
            in_flight: 0,
            waiting: 0,
            ended: Vec::new(),
            error: None,
            is_stopped: false,
        };
        let (open, in_flight) = (bounds.open.max(1), bounds.in_flight.max(1));
        let bounds = Bounds { open, in_flight, ..bounds };
        Self { state: Mutex::new(state), moved: Condvar::new(), bounds }
    }

    /// Waits for something to do; `None` when all is done. Before it waits, it helps whoever makes a job and has split that
    /// for the pool.
    fn turn(&self) -> Option<Turn<L, J>> {
        let mut state = mutex::lock(&self.state);
        let mut may_help = true;
        loop {
            if state.is_over() {
                self.wake(state);
                return None;
            }
            if let Some((lane, job)) = state.handed.pop_front() {
                self.wake(state);
                return Some(Turn::Work(lane, job));
            }
            if let Some(lane) = state.lane_to_make(&self.bounds) {
                let open = state.open.get_mut(&lane)?;
                let maker = open.maker.take()?;
                open.hands += 1;
                state.in_flight += 1;
                self.wake(state);
                return Some(Turn::Make(lane, maker));
            }
            if state.may_open(&self.bounds) {
                let lane = state.opened;
                state.opened += 1;
                state.open.insert(lane, Lane::new());
                self.wake(state);
                return Some(Turn::Open(lane));
            }
            if may_help {
                drop(state);
                may_help = rayon::yield_now() == Some(rayon::Yield::Executed);
                state = mutex::lock(&self.state);
                continue;
            }
            state.waiting += 1;
            state = mutex::wait(&self.moved, state);
            state.waiting -= 1;
            may_help = true;
        }
    }

    /// Lets go of the state, and wakes a thread if there is something for it to do.
    fn wake(&self, state: MutexGuard<'_, State<L, J, R, S, O>>) {
        let has_turn = state.waiting > 0
            && (state.is_over()
                || !state.handed.is_empty()
                || state.may_open(&self.bounds)
                || state.lane_to_make(&self.bounds).is_some());
        drop(state);
        if has_turn {
            self.moved.notify_one();
        }
    }

    /// Puts the parts of a lane that was opened in their place.
    fn opened(&self, number: usize, parts: Result<(L, S)>) {
        let mut state = mutex::lock(&self.state);
        let Some(lane) = state.open.get_mut(&number) else { return };
        lane.hands -= 1;
        match parts {
            Ok((maker, sum)) => {
                lane.maker = Some(maker);
                lane.sum = Some(sum);
            }
            Err(error) => state.fail(number, error),
        }
        self.wake(state);
    }

    /// Hands the job that was made of a lane to a thread that waits for one, or else puts back what made it.
    fn made(&self, number: usize, maker: L, job: Result<Option<J>>) -> Made<L, J> {
        let mut guard = mutex::lock(&self.state);
        let state = &mut *guard;
        let Some(lane) = state.open.get_mut(&number) else { return Made::Job(None) };
        let made = match job {
            Ok(Some(job)) if !lane.is_broken => {
                lane.made += 1;
                let job = (lane.made - 1, job);
                let is_wanted = state.waiting > state.handed.len();
                if is_wanted && state.in_flight < self.bounds.in_flight {
                    state.handed.push_back((number, job));
                    lane.hands += 1;
                    state.in_flight += 1;
                    self.wake(guard);
                    return Made::Handed(maker);
                }
                Some(job)
            }
            Ok(_) => None,
            Err(error) => {
                if lane.outcome.is_ok() {
                    lane.outcome = Err(error);
                }
                None
            }
        };
        lane.maker = Some(maker);
        if made.is_none() {
            lane.is_made = true;
            lane.hands -= 1;
            state.in_flight -= 1;
        }
        self.wake(guard);
        Made::Job(made)
    }

    /// Puts a result in its place. Whoever finds the sum there adds all that are due.
    fn deliver(&self, number: usize, seq: u64, result: R, sink: &impl Fn(&mut S, R) -> Result<()>) {
        let mut state = mutex::lock(&self.state);
        let Some(lane) = state.open.get_mut(&number) else { return };
        if lane.is_broken {
            state.in_flight -= 1;
        } else {
            let place = usize::try_from(seq - lane.taken).expect("at most in_flight results wait");
            if lane.results.len() <= place {
                lane.results.resize_with(place + 1, || None);
            }
            lane.results[place] = Some(result);
        }
        while let Some((due, mut sum)) = state.open.get_mut(&number).and_then(Lane::take_due) {
            drop(state);
            let accepted = sink(&mut sum, due);
            state = mutex::lock(&self.state);
            let mut done = 1;
            if let Some(lane) = state.open.get_mut(&number) {
                lane.sum = Some(sum);
                if let Err(error) = accepted {
                    // It stands before the place where jobs ended.
                    lane.outcome = Err(error);
                    done += lane.stop();
                }
            }
            state.in_flight -= done;
        }
        if let Some(lane) = state.open.get_mut(&number) {
            lane.hands -= 1;
        }
        self.wake(state);
    }

    /// Ends a lane if it is in nobody's hands any more and has no more jobs.
    fn end(&self, number: usize, end: &impl Fn(L, S, Result<()>) -> Result<O>) {
        let mut state = mutex::lock(&self.state);
        let is_due = number < state.lanes;
        let Some(lane) = state.open.get_mut(&number).filter(|of| of.is_made && of.hands == 0)
        else {
            return;
        };
        let parts = lane.maker.take().zip(lane.sum.take());
        let outcome = std::mem::replace(&mut lane.outcome, Ok(()));
        lane.hands = 1;
        drop(state);
        let ended = parts.filter(|_| is_due).map(|(maker, sum)| end(maker, sum, outcome));
        let mut state = mutex::lock(&self.state);
        state.open.remove(&number);
        match ended {
            Some(Ok(ended)) => state.ended.push((number, ended)),
            Some(Err(error)) => state.fail(number, error),
            None => {}
        }
        self.wake(state);
    }
}

impl<L, J, R, S, O> State<L, J, R, S, O> {
    fn is_over(&self) -> bool {
        self.is_stopped || self.open.is_empty() && self.opened >= self.lanes
    }

    /// The first lane that a job can be made of.
    fn lane_to_make(&self, bounds: &Bounds) -> Option<usize> {
        let has_room = self.in_flight < bounds.in_flight;
        let mut open = self.open.iter().filter(|_| has_room);
        open.find(|(_, lane)| lane.can_make()).map(|(number, _)| *number)
    }

    fn may_open(&self, bounds: &Bounds) -> bool {
        let has_room = self.in_flight < bounds.in_flight && self.open.len() < bounds.open;
        has_room && self.opened < self.lanes
    }

    /// Stops the lanes behind one with an error; those before it may have one, too, which then goes before this one.
    fn fail(&mut self, number: usize, error: Error) {
        self.lanes = self.lanes.min(number);
        if self.error.as_ref().is_none_or(|(first, _)| number < *first) {
            self.error = Some((number, error));
        }
        let behind = self.open.range_mut(number..);
        let waiting: usize = behind.map(|(_, lane)| lane.stop()).sum();
        self.in_flight -= waiting;
        // Those that are in somebody's hands are over when they come back.
        self.open.retain(|of, lane| *of < number || lane.hands > 0);
    }
}

/// Ends the waiting of the other threads if this one panics; the panic itself goes on to the caller.
struct StopOnPanic<'a, L, J, R, S, O>(&'a Board<L, J, R, S, O>);

impl<L, J, R, S, O> Drop for StopOnPanic<'_, L, J, R, S, O> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            mutex::lock(&self.0.state).is_stopped = true;
            self.0.moved.notify_all();
        }
    }
}
