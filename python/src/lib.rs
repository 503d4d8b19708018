//! throng for Python: the module `throng._throng`, behind the package `throng`.
//!
//! Nothing here does what the crate does: values go in, what the crate makes of them comes out.
//!
//! ```text
//! capsule   pointers of other libraries <-> arrays      the only unsafe code
//! values    what Python hands over      -> texts
//! hash      texts -> digests, ids and reasons, all cores, interruptible
//! column    what comes back
//! table     frames -> CSV as a reader, for jobs
//! run       a run in a thread of its own, while Python's signals and callbacks are served
//! jobs      prepare, sync, verify
//! errors    throng::Error -> throng.Error; panics, too
//! command   the command, for the console script
//! ```

mod capsule;
mod column;
mod command;
mod errors;
mod hash;
mod jobs;
mod run;
mod table;
mod values;

use pyo3::prelude::*;

/// The native part of the package `throng`.
#[pymodule(gil_used = false)]
mod _throng {
    use super::{Bound, PyModule, PyModuleMethods, PyResult, errors};

    #[pymodule_export]
    use super::column::Column;
    #[pymodule_export]
    use super::command::main;
    #[pymodule_export]
    use super::hash::hash;
    #[pymodule_export]
    use super::jobs::{prepare, sync, verify};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        errors::keep_panics_quiet();
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
