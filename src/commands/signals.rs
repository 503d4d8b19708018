//! SIGINT and SIGTERM end a run cleanly.

use std::thread::Builder;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use throng::stop::Stop;
use throng::{Error, Result, machine};

/// Passes the first SIGINT or SIGTERM on to the run; a second one ends the process at once.
pub(super) fn stop_on_signals(stop: &Stop) -> Result<()> {
    let mut signals =
        Signals::new([SIGINT, SIGTERM]).map_err(|_| Error::Internal("signals cannot be caught"))?;
    let stop = stop.clone();
    let thread = Builder::new().spawn(move || {
        for (count, signal) in signals.forever().enumerate() {
            if count > 0 {
                // Restores the default action and raises the signal again.
                let _ended = signal_hook::low_level::emulate_default_handler(signal);
            }
            stop.request(signal);
        }
    });
    thread.map(drop).map_err(|_| machine::no_threads())
}
