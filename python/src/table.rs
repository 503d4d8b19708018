//! Frames as inputs of jobs: the columns that are wanted, written as CSV into a reader, batch by batch.
//!
//! Every field is in quotes and quotes in it are doubled, so that it arrives as it is, whatever it holds; the crate knows that
//! it reads such a table and finds out nothing.

use std::io::{self, Read};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::ffi_stream::ArrayStreamReader;
use arrow_array::types::{
    Date32Type, Float32Type, Float64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use arrow_array::{Array, ArrayReader, ArrayRef};
use arrow_schema::{DataType, Field, TimeUnit};
use jiff::civil::date;
use jiff::tz::Offset;
use jiff::{Span, Timestamp};
use pyo3::intern;
use pyo3::prelude::*;
use throng::config::{ColumnSelector, Condition, Input, PrepareConfig, push_quoted};

use crate::capsule;
use crate::jobs::refused;
use crate::values::Texts;

/// Whether it is columns rather than a path.
pub(crate) fn is_table(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    value.hasattr(intern!(value.py(), "__arrow_c_stream__"))
}

/// The columns that a run reads.
pub(crate) fn wanted(config: &PrepareConfig) -> Vec<ColumnSelector> {
    let mapped = config.audiences.iter().flat_map(|audience| &audience.columns);
    let beside = config.read.country_column.iter();
    let conditions = config.read.conditions.iter().map(Condition::column);
    let lists = config.suppress.iter().flat_map(|list| {
        let conditions = list.conditions.iter().map(Condition::column);
        list.column.iter().chain(conditions)
    });
    mapped.chain(beside).chain(conditions).chain(lists).cloned().collect()
}

/// The columns of which the values are identifiers.
fn identifiers(config: &PrepareConfig) -> impl Iterator<Item = &ColumnSelector> {
    config.audiences.iter().flat_map(|audience| &audience.columns)
}

/// A frame, or a single column, as an input of this name.
pub(crate) fn input(
    value: &Bound<'_, PyAny>,
    name: &str,
    wanted: &[ColumnSelector],
    config: &PrepareConfig,
) -> PyResult<Input> {
    let arrays = capsule::stream(value)?
        .ok_or_else(|| refused(format!("{name} has no Arrow stream"), ""))?;
    let DataType::Struct(fields) = arrays.field().data_type().clone() else {
        return column(arrays, name, config);
    };
    if wanted.iter().any(|of| matches!(of, ColumnSelector::Number(_))) {
        return Err(refused(format!("columns of {name} have names, not numbers"), NAME_IT));
    }
    let places: Vec<usize> =
        (0..fields.len()).filter(|place| wanted.iter().any(|of| is(of, &fields[*place]))).collect();
    if places.is_empty() && fields.len() == 1 && config.audiences.len() == 1 {
        return column(arrays, name, config);
    }
    if config.audiences.iter().any(|audience| audience.columns.is_empty()) {
        let message = format!("nobody said which column of {name} is meant");
        return Err(refused(message, NAME_IT));
    }
    if places.is_empty() {
        let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
        let hint = format!("it has {}", names.join(", "));
        return Err(refused(format!("{name} has none of the columns that are wanted"), &hint));
    }
    let mut text = Vec::new();
    for (column, place) in places.iter().enumerate() {
        let field = &fields[*place];
        let is_identifier = identifiers(config).any(|of| is(of, field));
        if !Texts::can_be(field.data_type()) && (is_identifier || !can_be_shown(field.data_type()))
        {
            let (column, of) = (field.name(), field.data_type());
            let message = format!("the column `{column}` of {name} holds {of}, which is not read");
            return Err(refused(message, "cast it to text"));
        }
        push_field(column, field.name().as_bytes(), &mut text);
    }
    text.push(b'\n');
    Ok(Input::table(name, Csv { arrays, places, text, taken: 0 }))
}

const NAME_IT: &str = "name it: {\"email\": \"email_hash\"}";

fn is(selector: &ColumnSelector, field: &Field) -> bool {
    let is_called = |name: &String| name.trim().eq_ignore_ascii_case(field.name().trim());
    matches!(selector, ColumnSelector::Name(name) if is_called(name))
}

/// A single column as an input of values.
fn column(arrays: ArrayStreamReader, name: &str, config: &PrepareConfig) -> PyResult<Input> {
    if config.audiences.len() != 1 {
        return Err(refused(format!("{name} is one column, for one audience"), NAME_IT));
    }
    if !Texts::can_be(column_type(arrays.field().data_type())) {
        let of = arrays.field().data_type();
        return Err(refused(format!("{name} holds {of}, which is not read"), "cast it to text"));
    }
    let chunks = arrays.map(|array| {
        let array = array.map_err(|_| failed())?;
        let array = array.as_struct_opt().map_or(array.clone(), |table| table.column(0).clone());
        Texts::of(&array).map(Arc::new).map_err(|_| failed())
    });
    let values = chunks.flat_map(|chunk| {
        let (chunk, error) = match chunk {
            Ok(chunk) => (chunk, None),
            Err(error) => (Arc::new(Texts::Nulls(0)), Some(Err(error))),
        };
        let rows = (0..chunk.len()).map(move |row| Ok(Cell(chunk.clone(), row)));
        rows.chain(error)
    });
    Ok(Input::values(name, values))
}

/// The type of a table's only column, or of the array itself.
fn column_type(of: &DataType) -> &DataType {
    match of {
        DataType::Struct(fields) if fields.len() == 1 => fields[0].data_type(),
        other => other,
    }
}

/// A value where it stands.
struct Cell(Arc<Texts>, usize);

impl AsRef<[u8]> for Cell {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes(self.1)
    }
}

/// What is told of a frame that does not come to its end: the words of the library may quote values.
fn failed() -> io::Error {
    io::Error::other("the library that it came from failed to give all of it")
}

/// The wanted columns of a frame as CSV.
struct Csv {
    arrays: ArrayStreamReader,
    /// The wanted columns.
    places: Vec<usize>,
    /// Of the header at first, then of one batch.
    text: Vec<u8>,
    /// Bytes of it that were read.
    taken: usize,
}

impl Read for Csv {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.text.len() {
            let Some(array) = self.arrays.next() else { return Ok(0) };
            self.taken = 0;
            self.text.clear();
            let array = array.map_err(|_| failed())?;
            let table = array.as_struct_opt().ok_or_else(failed)?;
            let columns: io::Result<Vec<Cells>> =
                self.places.iter().map(|place| Cells::of(table.column(*place))).collect();
            push_rows(&columns?, table.len(), &mut self.text);
        }
        let rest = &self.text[self.taken..];
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        self.taken += len;
        Ok(len)
    }
}

fn push_rows(columns: &[Cells], rows: usize, text: &mut Vec<u8>) {
    for row in 0..rows {
        for (number, column) in columns.iter().enumerate() {
            match column {
                Cells::Texts(texts) => push_field(number, texts.bytes(row), text),
                Cells::Shown(array) => push_field(number, shown(array, row).as_bytes(), text),
            }
        }
        text.push(b'\n');
    }
}

/// A field in quotes, with a comma in front of it unless it is the first.
fn push_field(number: usize, value: &[u8], text: &mut Vec<u8>) {
    if number > 0 {
        text.push(b',');
    }
    push_quoted(value, text);
}

/// The cells of a column.
enum Cells {
    Texts(Texts),
    /// No identifiers, but what conditions are held against.
    Shown(ArrayRef),
}

impl Cells {
    fn of(array: &ArrayRef) -> io::Result<Self> {
        if can_be_shown(array.data_type()) {
            return Ok(Self::Shown(array.clone()));
        }
        Texts::of(array).map(Self::Texts).map_err(|_| failed())
    }
}

/// Whether values are no identifiers and have a text that a condition can name.
fn can_be_shown(of: &DataType) -> bool {
    matches!(
        of,
        DataType::Boolean
            | DataType::Float32
            | DataType::Float64
            | DataType::Date32
            | DataType::Timestamp(_, _)
    )
}

/// The text of a value, as the crate shows those of Parquet.
fn shown(array: &ArrayRef, row: usize) -> String {
    if array.is_null(row) {
        return String::new();
    }
    match array.data_type() {
        DataType::Boolean => array.as_boolean().value(row).to_string(),
        DataType::Float32 => array.as_primitive::<Float32Type>().value(row).to_string(),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row).to_string(),
        DataType::Date32 => day(array.as_primitive::<Date32Type>().value(row)),
        DataType::Timestamp(unit, _) => moment(array, *unit, row),
        _ => String::new(),
    }
}

/// `2026-11-24`.
fn day(days: i32) -> String {
    let day = Span::new().try_days(days).and_then(|days| date(1970, 1, 1).checked_add(days));
    day.map_or_else(|_| days.to_string(), |day| day.to_string())
}

/// `2026-11-24 02:00:00`, in UTC.
fn moment(array: &ArrayRef, unit: TimeUnit, row: usize) -> String {
    let time = match unit {
        TimeUnit::Second => {
            Timestamp::from_second(array.as_primitive::<TimestampSecondType>().value(row))
        }
        TimeUnit::Millisecond => {
            Timestamp::from_millisecond(array.as_primitive::<TimestampMillisecondType>().value(row))
        }
        TimeUnit::Microsecond => {
            Timestamp::from_microsecond(array.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        TimeUnit::Nanosecond => Timestamp::from_nanosecond(
            array.as_primitive::<TimestampNanosecondType>().value(row).into(),
        ),
    };
    time.map_or_else(
        |_| String::new(),
        |time| Offset::UTC.to_datetime(time).strftime("%F %T%.f").to_string(),
    )
}
