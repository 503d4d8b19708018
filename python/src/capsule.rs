//! Arrays by the Arrow `PyCapsule` interface: the one place where pointers of other libraries are believed.
//!
//! What a producer hands over must be as the Arrow C data interface says; nothing could check that. Everything else is the
//! arrow crate's and pyo3's.

#![expect(unsafe_code, reason = "the C data interface is pointers")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::NonNull;

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi};
use arrow_array::ffi_stream::{ArrayStreamReader, FFI_ArrowArrayStream};
use arrow_array::{Array, ArrayRef, make_array};
use arrow_schema::DataType;
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

const ARRAY: &CStr = c"arrow_array";
const SCHEMA: &CStr = c"arrow_schema";
const STREAM: &CStr = c"arrow_array_stream";

/// The arrays of an object that has some, one after the other.
pub(crate) fn stream(value: &Bound<'_, PyAny>) -> PyResult<Option<ArrayStreamReader>> {
    let method = intern!(value.py(), "__arrow_c_stream__");
    if !value.hasattr(method)? {
        return Ok(None);
    }
    let capsule = value.call_method0(method)?.cast_into::<PyCapsule>()?;
    let pointer = pointer_of::<FFI_ArrowArrayStream>(&capsule, STREAM)?;
    // SAFETY: a capsule of this name holds such a struct; it is ours to move out of, which leaves a released one behind.
    let stream = unsafe { FFI_ArrowArrayStream::from_raw(pointer.as_ptr()) };
    let reader = ArrayStreamReader::try_new(stream);
    reader.map(Some).map_err(|_| PyValueError::new_err("its Arrow stream cannot be read"))
}

/// The array of an object that has one.
pub(crate) fn array(value: &Bound<'_, PyAny>) -> PyResult<Option<ArrayRef>> {
    let method = intern!(value.py(), "__arrow_c_array__");
    if !value.hasattr(method)? {
        return Ok(None);
    }
    let capsules = value.call_method0(method)?;
    let (schema, array): (Bound<'_, PyCapsule>, Bound<'_, PyCapsule>) = capsules.extract()?;
    let schema = pointer_of::<FFI_ArrowSchema>(&schema, SCHEMA)?;
    let array = pointer_of::<FFI_ArrowArray>(&array, ARRAY)?;
    // SAFETY: capsules of these names hold such structs; they are ours to move out of, which leaves released ones behind.
    let (schema, array) = unsafe {
        (FFI_ArrowSchema::from_raw(schema.as_ptr()), FFI_ArrowArray::from_raw(array.as_ptr()))
    };
    if array.is_released() {
        return Err(PyValueError::new_err("its Arrow array was taken by somebody else"));
    }
    // SAFETY: the producer vouches for the array and its schema.
    let data = unsafe { from_ffi(array, &schema) };
    let data = data.map_err(|_| PyValueError::new_err("its Arrow array cannot be read"))?;
    Ok(Some(make_array(data)))
}

fn pointer_of<T>(capsule: &Bound<'_, PyCapsule>, name: &'static CStr) -> PyResult<NonNull<T>> {
    Ok(capsule.pointer_checked(Some(name))?.cast())
}

/// A type for other libraries.
pub(crate) fn schema_capsule<'py>(
    py: Python<'py>,
    data_type: &DataType,
) -> PyResult<Bound<'py, PyCapsule>> {
    let schema = FFI_ArrowSchema::try_from(data_type)
        .map_err(|_| PyValueError::new_err("the type cannot be handed over"))?;
    PyCapsule::new_with_value(py, schema, SCHEMA)
}

/// An array for other libraries, without a copy.
pub(crate) fn array_capsule<'py>(
    py: Python<'py>,
    array: &dyn Array,
) -> PyResult<Bound<'py, PyCapsule>> {
    PyCapsule::new_with_value(py, FFI_ArrowArray::new(&array.to_data()), ARRAY)
}

/// An array for other libraries as a stream of one, without a copy.
pub(crate) fn stream_capsule(py: Python<'_>, array: ArrayRef) -> PyResult<Bound<'_, PyCapsule>> {
    let one = Box::new(One { data_type: array.data_type().clone(), array: Some(array) });
    let own = Box::into_raw(one).cast::<c_void>();
    // SAFETY: the callbacks take `own` for a `One`, which it is, and `release` frees it once.
    let stream = unsafe {
        FFI_ArrowArrayStream::new_unchecked(
            Some(get_schema),
            Some(get_next),
            Some(get_last_error),
            Some(release),
            own,
        )
    };
    PyCapsule::new_with_value(py, stream, STREAM)
}

/// What a stream of one array owns.
struct One {
    data_type: DataType,
    array: Option<ArrayRef>,
}

/// What a callback fails with: invalid argument.
const EINVAL: c_int = 22;

unsafe extern "C" fn get_schema(
    stream: *mut FFI_ArrowArrayStream,
    out: *mut FFI_ArrowSchema,
) -> c_int {
    // SAFETY: the consumer passes the stream, which was not released and which nobody else uses meanwhile.
    let own = unsafe { &*(*stream).private_data().cast::<One>() };
    let Ok(schema) = FFI_ArrowSchema::try_from(&own.data_type) else { return EINVAL };
    // SAFETY: the consumer passes a place for a schema.
    unsafe { out.write(schema) };
    0
}

unsafe extern "C" fn get_next(
    stream: *mut FFI_ArrowArrayStream,
    out: *mut FFI_ArrowArray,
) -> c_int {
    // SAFETY: as above.
    let own = unsafe { &mut *(*stream).private_data().cast::<One>() };
    let next = own.array.take();
    let next = next.map_or_else(FFI_ArrowArray::empty, |of| FFI_ArrowArray::new(&of.to_data()));
    // SAFETY: the consumer passes a place for an array.
    unsafe { out.write(next) };
    0
}

unsafe extern "C" fn get_last_error(_: *mut FFI_ArrowArrayStream) -> *const c_char {
    std::ptr::null()
}

unsafe extern "C" fn release(stream: *mut FFI_ArrowArrayStream) {
    // SAFETY: the consumer passes the stream, once; what it owns was made by `Box::into_raw`.
    unsafe {
        drop(Box::from_raw((*stream).private_data().cast::<One>()));
        (*stream).set_private_data(std::ptr::null_mut());
        (*stream).set_release(None);
    }
}
