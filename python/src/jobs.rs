//! `throng prepare`, `sync` and `verify` as functions: their flags are keywords, their summaries dictionaries.

use std::ffi::OsString;
use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyList, PyTuple};
use serde_json::Value;
use throng::config::{Input, PrepareConfig, SuppressInput};
use throng::prepare::Prepare;
use throng::stop::Stop;
use throng::sync::SyncProgress;
use throng::{Error, Progress, call};

use crate::errors::{called, dictionary, raised};
use crate::run::{Watched, watched};
use crate::table;

/// Keywords as flags: `max_rejects="1%"` is `--max-rejects=1%`, `True` is a flag alone, a list repeats it, and what is `None`
/// or `False` is not there.
pub(crate) fn flags(options: &Bound<'_, PyDict>) -> PyResult<Vec<OsString>> {
    let mut flags = Vec::new();
    for (name, value) in options.iter() {
        let name = name.extract::<String>()?.trim_end_matches('_').replace('_', "-");
        if let Ok(is_set) = value.cast::<PyBool>() {
            if is_set.is_true() {
                flags.push(format!("--{name}").into());
            }
            continue;
        }
        let values = if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
            value.try_iter()?.collect::<PyResult<Vec<_>>>()?
        } else if value.is_none() {
            Vec::new()
        } else {
            vec![value]
        };
        for value in values {
            let mut flag = OsString::from(format!("--{name}="));
            flag.push(word(&value)?);
            flags.push(flag);
        }
    }
    Ok(flags)
}

/// A path or whatever else has a text.
fn word(value: &Bound<'_, PyAny>) -> PyResult<OsString> {
    match value.extract::<PathBuf>() {
        Ok(path) => Ok(path.into_os_string()),
        Err(_) => Ok(value.str()?.extract::<String>()?.into()),
    }
}

/// Prepares; `inputs` are paths, and tables beside them or instead.
#[pyfunction]
#[pyo3(signature = (inputs, options, suppress, progress=None))]
pub(crate) fn prepare<'py>(
    py: Python<'py>,
    inputs: &Bound<'py, PyList>,
    options: &Bound<'py, PyDict>,
    suppress: &Bound<'py, PyList>,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    called(|| {
        let (config, counters) = (decide(inputs, options, suppress)?, Progress::default());
        let callback = progress.map(|of| of.clone().unbind());
        let figures = |elapsed| call::figures_of_prepare(&counters, elapsed);
        let run = Watched { stop: &counters.stop, callback: callback.as_ref(), figures: &figures };
        let work = || Prepare::plan(config, &counters)?.run(&counters);
        dictionary(py, &watched(py, &run, work)?)
    })
}

/// What is to be prepared.
fn decide(
    given: &Bound<'_, PyList>,
    options: &Bound<'_, PyDict>,
    suppress: &Bound<'_, PyList>,
) -> PyResult<PrepareConfig> {
    let (inputs, lists) = (sorted(given)?, sorted(suppress)?);
    let mut args = flags(options)?;
    for path in &lists.paths {
        let mut flag = OsString::from("--suppress=");
        flag.push(path);
        args.push(flag);
    }
    args.push("--".into());
    // The command wants an input; a table takes its place.
    let needs_input = inputs.paths.is_empty() && !inputs.tables.is_empty();
    args.extend(if needs_input { vec![OsString::from("-")] } else { inputs.paths });
    // Inputs in a store of objects are listed.
    let stop = Stop::default();
    let run = Watched { stop: &stop, callback: None, figures: &|_| Value::Null };
    let mut config = watched(given.py(), &run, || call::prepare(args, &stop))?;
    if needs_input {
        config.inputs.retain(|input| *input != Input::Stdin);
    }
    let wanted = table::wanted(&config);
    let read = |value, name: String| table::input(value, &name, &wanted, &config);
    let mut tables: Vec<Input> = Vec::new();
    for (value, number) in inputs.tables.iter().zip(1..) {
        tables.push(read(value, format!("table {number}"))?);
    }
    let mut list_tables: Vec<SuppressInput> = Vec::new();
    for (value, number) in lists.tables.iter().zip(1..) {
        list_tables.push(read(value, format!("opt-out table {number}"))?.into());
    }
    config.inputs.extend(tables);
    config.suppress.extend(list_tables);
    Ok(config)
}

/// What Python hands over for inputs.
struct Sorted<'py> {
    paths: Vec<OsString>,
    tables: Vec<Bound<'py, PyAny>>,
}

fn sorted<'py>(values: &Bound<'py, PyList>) -> PyResult<Sorted<'py>> {
    let mut sorted = Sorted { paths: Vec::new(), tables: Vec::new() };
    for value in values {
        if table::is_table(&value)? {
            sorted.tables.push(value);
        } else {
            sorted.paths.push(value.extract::<PathBuf>()?.into_os_string());
        }
    }
    Ok(sorted)
}

/// Does the nightly job.
#[pyfunction]
#[pyo3(signature = (job, options, progress=None))]
pub(crate) fn sync<'py>(
    py: Python<'py>,
    job: PathBuf,
    options: &Bound<'py, PyDict>,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    called(|| {
        let mut args = flags(options)?;
        args.extend([OsString::from("--"), job.into_os_string()]);
        let counters = SyncProgress::default();
        let callback = progress.map(|of| of.clone().unbind());
        let figures = |elapsed| call::figures_of_sync(&counters, elapsed);
        let run = Watched { stop: counters.stop(), callback: callback.as_ref(), figures: &figures };
        let (record, outcome) = watched(py, &run, || call::sync(args, &counters, &|_| ()))?;
        match outcome {
            Ok(()) => dictionary(py, &record),
            Err(error) => Err(raised(error.into(), Some(&record))),
        }
    })
}

/// Verifies a directory.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "so pyo3 hands it over")]
pub(crate) fn verify(py: Python<'_>, dir: PathBuf) -> PyResult<Bound<'_, PyAny>> {
    called(|| {
        let stop = Stop::default();
        let run = Watched { stop: &stop, callback: None, figures: &|_| Value::Null };
        let (findings, outcome) = watched(py, &run, || call::verify(&dir, &stop))?;
        match outcome {
            Ok(()) => dictionary(py, &findings),
            Err(error) => Err(raised(error.into(), Some(&findings))),
        }
    })
}

/// A request that the package refuses before the crate sees it.
pub(crate) fn refused(message: impl Into<String>, hint: &str) -> PyErr {
    raised(Error::usage(message, hint).into(), None::<&()>)
}
