//! Progress of a run, for whoever watches it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use crate::error::Result;
use crate::stop::Stop;

/// Step of a run.
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
    /// Asks the run to stop; it ends after the chunks that are under way.
    pub stop: Stop,
    phase: AtomicU8,
}

impl Progress {
    /// The progress of a run that `stop` can end.
    pub fn of(stop: Stop) -> Self {
        Self { stop, ..Self::default() }
    }

    /// The step that the run is in.
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

    pub(crate) fn check(&self) -> Result<()> {
        self.stop.check()
    }
}
