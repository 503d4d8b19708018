//! One file a command: from what was typed to what is done, and what people see of it.

mod api;
pub(crate) mod audience;
pub(crate) mod hash;
pub(crate) mod history;
pub(crate) mod log;
pub(crate) mod prepare;
mod progress;
#[cfg(feature = "sandbox")]
pub(crate) mod sandbox;
mod signals;
pub(crate) mod sync;
pub(crate) mod upload;
pub(crate) mod verify;

use self::log::{ask, say, tell};

/// Prints a result as one line of JSON on standard output. A reader that went away does not change what was done.
fn print_json(result: &impl serde::Serialize) -> throng::Result<()> {
    use std::io::Write;
    let line = serde_json::to_string(result)
        .map_err(|_| throng::Error::Internal("the result cannot be written as JSON"))?;
    let _unread = writeln!(std::io::stdout(), "{line}");
    Ok(())
}
