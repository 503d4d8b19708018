//! Errors that keep a sandbox from starting or from being looked into.

use std::io;
use std::path::PathBuf;

/// The reason for which a sandbox does not start, or cannot be looked into.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The port is taken, or not for everybody.
    #[error("cannot listen on port {port} of 127.0.0.1")]
    Port {
        /// The port.
        port: u16,
        /// The cause.
        source: io::Error,
    },
    /// The data directory cannot be made or written to.
    #[error("cannot write `{}`", path.display())]
    DataDir {
        /// The directory, or the file in it.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Another sandbox has the data directory.
    #[error("another sandbox uses `{}`", path.display())]
    Busy {
        /// The database.
        path: PathBuf,
    },
    /// The database fails.
    #[error("the sandbox's database `{}` fails", path.display())]
    Database {
        /// The database; an empty path is a temporary one.
        path: PathBuf,
        /// The cause.
        source: rusqlite::Error,
    },
    /// The system grants no thread or no event queue.
    #[error("the system grants no {what}")]
    System {
        /// The missing thing.
        what: &'static str,
        /// The cause.
        source: io::Error,
    },
}
