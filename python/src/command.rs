//! The command, for the console script.

use std::ffi::OsString;

use pyo3::prelude::*;

/// Does what the command does with these arguments, of which the first is the program: its exit code. It takes the process for its
/// own.
#[pyfunction]
pub(crate) fn main(py: Python<'_>, args: Vec<OsString>) -> u8 {
    py.detach(|| throng::command::main(args) as u8)
}
