//! What comes back: an array that any library with Arrow takes without a copy.

use arrow_array::cast::AsArray;
use arrow_array::types::Int8Type;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use pyo3::exceptions::{PyIndexError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyList, PyString};

use crate::capsule;

/// A column of text, with None where there is nothing.
///
/// It has the Arrow `PyCapsule` interface, so that other libraries take it as it is, without a copy:
/// ``pyarrow.array(column)``, ``polars.Series(column)``, ``pandas.Series.from_arrow(column)``. It also is a sequence.
#[pyclass(module = "throng", frozen, sequence)]
#[derive(Debug)]
pub(crate) struct Column(ArrayRef);

impl Column {
    pub(crate) fn new(array: ArrayRef) -> Self {
        Self(array)
    }

    fn text(&self, row: usize) -> Option<&str> {
        if self.0.is_null(row) {
            return None;
        }
        match self.0.data_type() {
            DataType::Utf8 => Some(self.0.as_string::<i32>().value(row)),
            DataType::LargeUtf8 => Some(self.0.as_string::<i64>().value(row)),
            _ => {
                let words = self.0.as_dictionary::<Int8Type>();
                Some(words.values().as_string::<i32>().value(words.key(row)?))
            }
        }
    }
}

#[pymethods]
impl Column {
    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __getitem__<'py>(
        &self,
        py: Python<'py>,
        index: isize,
    ) -> PyResult<Option<Bound<'py, PyString>>> {
        let row = if index < 0 { index.checked_add_unsigned(self.0.len()) } else { Some(index) };
        let row = row.and_then(|row| usize::try_from(row).ok()).filter(|row| *row < self.0.len());
        let row = row.ok_or_else(|| PyIndexError::new_err("the column has no such row"))?;
        Ok(self.text(row).map(|text| PyString::new(py, text)))
    }

    fn __repr__(&self) -> String {
        let (rows, nulls) = (self.0.len(), self.0.null_count());
        format!("<throng.Column of {rows} rows, {nulls} of them null>")
    }

    /// How many rows are null.
    #[getter]
    fn null_count(&self) -> usize {
        self.0.null_count()
    }

    /// All of it as a list of str and None.
    fn to_pylist<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let texts = (0..self.0.len()).map(|row| self.text(row));
        PyList::new(py, texts.collect::<Vec<_>>())
    }

    /// Its type, by the Arrow `PyCapsule` interface.
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        capsule::schema_capsule(py, self.0.data_type())
    }

    /// Its array, by the Arrow `PyCapsule` interface. It keeps its type, whatever is asked for.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyCapsule>, Bound<'py, PyCapsule>)> {
        check_request(requested_schema)?;
        let schema = capsule::schema_capsule(py, self.0.data_type())?;
        Ok((schema, capsule::array_capsule(py, &self.0)?))
    }

    /// Its array as a stream of one, by the Arrow `PyCapsule` interface. It keeps its type, whatever is asked for.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        check_request(requested_schema)?;
        capsule::stream_capsule(py, self.0.clone())
    }
}

/// A request for a type is a wish by the protocol; what is no schema is a mistake.
fn check_request(requested: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
    match requested {
        Some(schema) if !schema.is_instance_of::<PyCapsule>() => {
            Err(PyTypeError::new_err("requested_schema must be a PyCapsule or None"))
        }
        _ => Ok(()),
    }
}
