//! How far a run is, for whoever watches it, and whether it is asked to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU64, Ordering};

use crate::error::{Error, Result};

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Inputs are read.
    Reading,
    /// Partitions are resolved and parts written.
    Writing,
    /// The result is put into place.
    Publishing,
}

/// Counters that a run keeps up to date. All of them may be read at any time.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes of inputs as stored that have been read.
    pub bytes_read: Arc<AtomicU64>,
    /// Bytes of inputs as stored; 0 if not known for all of them.
    pub bytes_total: AtomicU64,
    /// Records read.
    pub records: AtomicU64,
    /// Entries accepted, of all audiences and roles.
    pub entries: AtomicU64,
    /// Entries resolved so far in [`Phase::Writing`].
    pub resolved: AtomicU64,
    phase: AtomicU8,
    stop: Stop,
}

/// Whether somebody asked to stop.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicI32>);

impl Stop {
    /// Fails with [`Error::Stopped`] once a signal asked to stop.
    pub fn check(&self) -> Result<()> {
        match self.0.load(Ordering::Relaxed) {
            0 => Ok(()),
            signal => Err(Error::Stopped { signal }),
        }
    }
}

impl Progress {
    /// What the run is doing.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Reading,
            1 => Phase::Writing,
            _ => Phase::Publishing,
        }
    }

    pub(crate) fn begin(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// Asks the run to stop, because of a signal. It ends with [`Error::Stopped`] after the chunks that are under way.
    pub fn stop(&self, signal: i32) {
        self.stop.0.store(signal, Ordering::Relaxed);
    }

    /// For those who have to wait without a progress to tell.
    pub fn stop_flag(&self) -> &Stop {
        &self.stop
    }

    pub(crate) fn check(&self) -> Result<()> {
        self.stop.check()
    }
}
