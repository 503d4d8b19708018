//! Errors of the crate as exceptions of the package, and panics as one of them.

use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde::Serialize;
use throng::{Error, ExitCode};

/// Where the last panic was. The text of a panic can quote what was being read: it goes nowhere.
static PLACE: Mutex<String> = Mutex::new(String::new());

/// Remembers where a panic was, and says nothing. This library has a hook of its own, so that other libraries in the process
/// keep theirs.
pub(crate) fn keep_panics_quiet() {
    panic::set_hook(Box::new(|panic: &PanicHookInfo<'_>| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        *PLACE.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }));
}

/// What ended a call.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The crate says so.
    Of(Error),
    /// A check of the crate failed.
    Panic,
    /// Python says so: a signal, or a callback.
    Python(PyErr),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Of(error)
    }
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

/// Does some work of the crate; a panic ends there.
pub(crate) fn guarded<T>(work: impl FnOnce() -> throng::Result<T>) -> Result<T, Failure> {
    match panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(Failure::Of),
        Err(_) => Err(Failure::Panic),
    }
}

/// Does what a function of the module does; a panic ends there.
pub(crate) fn called<T>(work: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    done.unwrap_or_else(|_| Err(Failure::Panic.into()))
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        raised(failure, None::<&()>)
    }
}

/// The exception, with what there is of a summary.
pub(crate) fn raised(failure: Failure, summary: Option<&impl Serialize>) -> PyErr {
    let (message, hint, code) = match failure {
        Failure::Python(error) => return error,
        Failure::Of(error) => {
            (error.to_string(), error.hint().map(str::to_owned), error.exit_code())
        }
        Failure::Panic => {
            let place = PLACE.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let message = format!("internal error: a check failed at {place}");
            let hint = "please report it with what you called".to_owned();
            (message, Some(hint), ExitCode::Internal)
        }
    };
    Python::attach(|py| {
        made(py, &message, hint.as_deref(), code as u8, summary)
            .unwrap_or_else(|_| PyRuntimeError::new_err(message))
    })
}

fn made(
    py: Python<'_>,
    message: &str,
    hint: Option<&str>,
    exit_code: u8,
    summary: Option<&impl Serialize>,
) -> PyResult<PyErr> {
    let class = py.import("throng._errors")?.getattr("BY_EXIT_CODE")?.get_item(exit_code)?;
    let fields = PyDict::new(py);
    fields.set_item("hint", hint)?;
    fields.set_item("summary", summary.map(|summary| dictionary(py, summary)).transpose()?)?;
    Ok(PyErr::from_value(class.call((message,), Some(&fields))?))
}

/// What the command prints with `--json`, as Python reads it.
pub(crate) fn dictionary<'py>(
    py: Python<'py>,
    summary: &impl Serialize,
) -> PyResult<Bound<'py, PyAny>> {
    let text = serde_json::to_string(summary)
        .map_err(|_| PyRuntimeError::new_err("the summary cannot be written as JSON"))?;
    py.import("json")?.call_method1("loads", (text,))
}
