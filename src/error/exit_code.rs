//! Exit codes, the contract with schedulers.

/// End of the process. Documented in the README for schedulers; the numbers never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Done; also when there was nothing to do.
    Done = 0,
    /// A defect of throng.
    Internal = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// An input was refused: wrong file, too many rejects, damaged, changed while it was read.
    Input = 3,
    /// Output or disk: no space, no permission, already there.
    Output = 4,
    /// The API refused the token, the account lacks a permission or has not accepted the terms, or an object may not be read.
    Credentials = 5,
    /// Retries of requests to the API or to a store of objects are used up, and nothing was uploaded: run again later.
    Temporary = 6,
    /// Partly uploaded: the same command goes on where it stopped.
    Partial = 7,
    /// The effect of a request cannot be found out: a person must decide.
    Unknown = 8,
    /// Interrupted by SIGINT.
    Interrupted = 130,
    /// Ended by SIGTERM.
    Terminated = 143,
}
