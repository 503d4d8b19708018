//! What Python hands over, as texts: arrays without a copy, lists of str by one.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::LargeBinaryBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, LargeBinaryArray, LargeStringArray, StringArray,
    StringViewArray, UInt64Array,
};
use arrow_buffer::ArrowNativeType;
use arrow_schema::DataType;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyByteArray, PyBytes, PyFloat, PyInt, PyMemoryView, PyString};

use crate::capsule;

/// An array whose values are bytes.
#[derive(Clone, Debug)]
pub(crate) enum Texts {
    Utf8(StringArray),
    LargeUtf8(LargeStringArray),
    Utf8View(StringViewArray),
    Binary(BinaryArray),
    LargeBinary(LargeBinaryArray),
    BinaryView(BinaryViewArray),
    /// So many nulls.
    Nulls(usize),
    /// Places in a dictionary; null where a row is.
    Places(UInt64Array, Arc<Texts>),
}

/// Arrays one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Values {
    chunks: Vec<Texts>,
    /// The row with which each begins, and behind the last the number of rows.
    starts: Vec<usize>,
}

impl Texts {
    /// The array as texts; an error names the type that is none.
    pub(crate) fn of(array: &ArrayRef) -> PyResult<Self> {
        Ok(match array.data_type() {
            DataType::Utf8 => Self::Utf8(array.as_string().clone()),
            DataType::LargeUtf8 => Self::LargeUtf8(array.as_string().clone()),
            DataType::Utf8View => Self::Utf8View(array.as_string_view().clone()),
            DataType::Binary => Self::Binary(array.as_binary().clone()),
            DataType::LargeBinary => Self::LargeBinary(array.as_binary().clone()),
            DataType::BinaryView => Self::BinaryView(array.as_binary_view().clone()),
            DataType::Null => Self::Nulls(array.len()),
            DataType::Dictionary(keys, _) => {
                let dictionary = array.as_any_dictionary();
                let places = places(keys, dictionary.keys());
                Self::Places(places, Arc::new(Self::of(dictionary.values())?))
            }
            DataType::Int8 => digits::<Int8Type>(array),
            DataType::Int16 => digits::<Int16Type>(array),
            DataType::Int32 => digits::<Int32Type>(array),
            DataType::Int64 => digits::<Int64Type>(array),
            DataType::UInt8 => digits::<UInt8Type>(array),
            DataType::UInt16 => digits::<UInt16Type>(array),
            DataType::UInt32 => digits::<UInt32Type>(array),
            DataType::UInt64 => digits::<UInt64Type>(array),
            other => {
                let message = format!(
                    "a column of {other} holds no identifiers: text, binary and integers do"
                );
                return Err(PyTypeError::new_err(message));
            }
        })
    }

    /// Whether arrays of this type are such texts.
    pub(crate) fn can_be(of: &DataType) -> bool {
        match of {
            DataType::Dictionary(_, values) => Self::can_be(values),
            DataType::Null | DataType::Utf8View | DataType::BinaryView => true,
            other => other.is_string() || other.is_binary() || other.is_integer(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Utf8(array) => array.len(),
            Self::LargeUtf8(array) => array.len(),
            Self::Utf8View(array) => array.len(),
            Self::Binary(array) => array.len(),
            Self::LargeBinary(array) => array.len(),
            Self::BinaryView(array) => array.len(),
            Self::Nulls(rows) => *rows,
            Self::Places(places, _) => places.len(),
        }
    }

    /// The bytes of a row; none of a null.
    #[inline]
    pub(crate) fn bytes(&self, row: usize) -> &[u8] {
        match self {
            Self::Utf8(array) if array.is_valid(row) => array.value(row).as_bytes(),
            Self::LargeUtf8(array) if array.is_valid(row) => array.value(row).as_bytes(),
            Self::Utf8View(array) if array.is_valid(row) => array.value(row).as_bytes(),
            Self::Binary(array) if array.is_valid(row) => array.value(row),
            Self::LargeBinary(array) if array.is_valid(row) => array.value(row),
            Self::BinaryView(array) if array.is_valid(row) => array.value(row),
            Self::Places(places, texts) if places.is_valid(row) => {
                usize::try_from(places.value(row)).map_or(b"", |place| texts.bytes(place))
            }
            _ => b"",
        }
    }
}

/// The keys of a dictionary as places in it. One that is not there stays one.
fn places(of: &DataType, keys: &dyn Array) -> UInt64Array {
    fn widened<T: ArrowPrimitiveType>(keys: &dyn Array) -> UInt64Array {
        let keys = keys.as_primitive::<T>();
        let places = keys.values().iter().map(|key| key.as_usize() as u64);
        UInt64Array::new(places.collect(), keys.nulls().cloned())
    }
    match of {
        DataType::Int8 => widened::<Int8Type>(keys),
        DataType::Int16 => widened::<Int16Type>(keys),
        DataType::Int32 => widened::<Int32Type>(keys),
        DataType::Int64 => widened::<Int64Type>(keys),
        DataType::UInt8 => widened::<UInt8Type>(keys),
        DataType::UInt16 => widened::<UInt16Type>(keys),
        DataType::UInt32 => widened::<UInt32Type>(keys),
        _ => widened::<UInt64Type>(keys),
    }
}

/// Whole numbers as text.
fn digits<T: ArrowPrimitiveType<Native: ToString>>(array: &ArrayRef) -> Texts {
    let numbers = array.as_primitive::<T>();
    let mut texts = LargeBinaryBuilder::with_capacity(numbers.len(), numbers.len() * 12);
    numbers.iter().for_each(|number| texts.append_option(number.map(|of| of.to_string())));
    Texts::LargeBinary(texts.finish())
}

impl Values {
    pub(crate) fn new(chunks: Vec<Texts>) -> Self {
        let ends = chunks.iter().scan(0, |rows, chunk| {
            *rows += chunk.len();
            Some(*rows)
        });
        let starts = std::iter::once(0).chain(ends).collect();
        Self { chunks, starts }
    }

    /// A column, or a list, of Python. `what` is what messages call it.
    pub(crate) fn of(value: &Bound<'_, PyAny>, what: &str) -> PyResult<Self> {
        if let Some(arrays) = capsule::stream(value)? {
            let mut chunks = Vec::new();
            for array in arrays {
                value.py().check_signals()?;
                let array = array.map_err(|_| broken(what))?;
                chunks.push(Texts::of(&only_column(array, what)?)?);
            }
            return Ok(Self::new(chunks));
        }
        if let Some(array) = capsule::array(value)? {
            return Ok(Self::new(vec![Texts::of(&only_column(array, what)?)?]));
        }
        Ok(Self::new(vec![list(value, what)?]))
    }

    pub(crate) fn chunks(&self) -> &[Texts] {
        &self.chunks
    }

    pub(crate) fn len(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// The bytes of some rows; none of nulls.
    pub(crate) fn rows(&self, rows: Range<usize>) -> impl Iterator<Item = &[u8]> {
        let first = self.starts.partition_point(|start| *start <= rows.start).saturating_sub(1);
        self.chunks.iter().zip(&self.starts).skip(first).flat_map(move |(chunk, start)| {
            let from = rows.start.max(*start);
            let to = rows.end.min(start + chunk.len()).max(from);
            (from - start..to - start).map(|row| chunk.bytes(row))
        })
    }
}

/// The producer's message may quote values.
fn broken(what: &str) -> PyErr {
    PyValueError::new_err(format!("{what}: the library that it came from failed to give all of it"))
}

/// A table's only column, or the array itself.
fn only_column(array: ArrayRef, what: &str) -> PyResult<ArrayRef> {
    let Some(table) = array.as_struct_opt() else { return Ok(array) };
    match (table.columns(), table.column_names()) {
        ([column], _) => Ok(column.clone()),
        (_, names) => Err(PyTypeError::new_err(format!(
            "{what} is a table of {} columns: pass one of them",
            names.len()
        ))),
    }
}

/// A list, or whatever else can be gone through.
fn list(value: &Bound<'_, PyAny>, what: &str) -> PyResult<Texts> {
    let is_one = value.is_instance_of::<PyString>()
        || value.is_instance_of::<PyBytes>()
        || value.is_instance_of::<PyByteArray>()
        || value.is_instance_of::<PyMemoryView>();
    let items = if is_one { None } else { value.try_iter().ok() };
    let items = items.ok_or_else(|| {
        let class = class_of(value);
        PyTypeError::new_err(format!("{what} must be an Arrow column or a list, not {class}"))
    })?;
    let mut texts = LargeBinaryBuilder::new();
    for (row, item) in items.enumerate() {
        if row % 65_536 == 0 {
            value.py().check_signals()?;
        }
        push(&item?, &mut texts).map_err(|class| match class {
            Refused::Class(class) => PyTypeError::new_err(format!(
                "{what}[{row}] is of {class}: str, bytes, int and None are taken"
            )),
            Refused::Failed(error) => error,
        })?;
    }
    Ok(Texts::LargeBinary(texts.finish()))
}

enum Refused {
    Class(String),
    Failed(PyErr),
}

fn push(item: &Bound<'_, PyAny>, texts: &mut LargeBinaryBuilder) -> Result<(), Refused> {
    if let Ok(text) = item.cast::<PyString>() {
        if let Ok(text) = text.to_str() {
            texts.append_value(text);
        } else {
            // Half of a surrogate pair is no text: the rules refuse it.
            let bytes = text.call_method1("encode", ("utf-8", "surrogatepass"));
            let bytes = bytes.map_err(Refused::Failed)?;
            let bytes = bytes.extract::<&[u8]>().map_err(|of| Refused::Failed(of.into()))?;
            texts.append_value(bytes);
        }
    } else if item.is_none() || item.extract::<f64>().is_ok_and(f64::is_nan) {
        // Frames have not-a-number where there is nothing.
        texts.append_null();
    } else if let Ok(bytes) = item.cast::<PyBytes>() {
        texts.append_value(bytes.as_bytes());
    } else if !item.is_instance_of::<PyBool>()
        && !item.is_instance_of::<PyFloat>()
        && let Some(number) = whole(item)
    {
        texts.append_value(number.to_str().map_err(Refused::Failed)?);
    } else {
        return Err(Refused::Class(class_of(item)));
    }
    Ok(())
}

/// The digits of a whole number, however long.
fn whole<'py>(item: &Bound<'py, PyAny>) -> Option<Bound<'py, PyString>> {
    let number = item.call_method0("__index__").ok()?;
    number.is_instance_of::<PyInt>().then(|| number.str().ok()).flatten()
}

fn class_of(value: &Bound<'_, PyAny>) -> String {
    let name = value.get_type().name().map(|name| name.to_string());
    format!("class {}", name.unwrap_or_default())
}
