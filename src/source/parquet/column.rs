//! The values of one column of one row group as text, some rows at a time, as the `parquet` crate decodes them.
//!
//! Values that are in the dictionary can be had as places in it, so that each of them need be looked at only once.

use std::sync::{Arc, Mutex};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, FixedSizeBinaryArray, Float32Array, Float64Array,
    Int32Array, Int64Array, RecordBatch,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::basic::Encoding;

use super::check::Checked;
use super::digests;
use super::leaf::{Leaf, Physical, Render};
use super::pages::{Fault, Pages};
use super::quiet::quietly;
use super::run::{Run, Source};
use super::shape::Shape;
use super::texts::{Dictionary, Int, NO_ENTRY, Rows, Texts, Want};
use crate::limits::{CHUNK_BYTES, PARQUET_ROWS};
use crate::mutex::lock;

const VALUES: Fault = Fault::Damaged("the values of a page make no sense");

/// Reads a column from its first row on.
#[derive(Debug)]
pub(super) struct Column {
    physical: Physical,
    render: Render,
    shape: Shape,
    source: Arc<Mutex<Source>>,
    reader: Option<Decoder>,
    batch: Batch,
    /// Rows of the batch that were given out.
    next: usize,
    dictionary: Option<Dictionary>,
    /// Bytes of the values that become hex digits, because they are digests.
    digest_bytes: Option<usize>,
}

struct Decoder(ParquetRecordBatchReader);

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").finish_non_exhaustive()
    }
}

/// Some rows as they were decoded.
#[derive(Debug)]
enum Batch {
    /// Places in the dictionary.
    Places(Int32Array),
    Texts(BinaryArray),
    Fixed(FixedSizeBinaryArray),
    Narrow(Int32Array),
    Wide(Int64Array),
    Bools(BooleanArray),
    Floats(Float32Array),
    Doubles(Float64Array),
}

impl Batch {
    fn len(&self) -> usize {
        match self {
            Self::Places(array) | Self::Narrow(array) => array.len(),
            Self::Texts(array) => array.len(),
            Self::Fixed(array) => array.len(),
            Self::Wide(array) => array.len(),
            Self::Bools(array) => array.len(),
            Self::Floats(array) => array.len(),
            Self::Doubles(array) => array.len(),
        }
    }
}

impl Column {
    pub(super) fn new(
        leaf: &Leaf,
        render: Render,
        limit: u64,
        pages: impl FnOnce(&Shape) -> Result<Pages, Fault>,
    ) -> Result<Self, Fault> {
        if let Physical::Fixed(len) = leaf.physical
            && len as u64 > limit / 2
        {
            return Err(Fault::TooLarge { bytes: 2 * len as u64, limit });
        }
        let shape = quietly(|| Shape::of(leaf)).and_then(Result::ok);
        let shape = shape.ok_or(Fault::Damaged("its type makes no sense"))?;
        let pages = pages(&shape)?;
        Ok(Self {
            physical: leaf.physical,
            render,
            source: Arc::new(Mutex::new(Source::new(leaf, pages, limit))),
            shape,
            reader: None,
            batch: Batch::Places(Int32Array::from(Vec::<i32>::new())),
            next: 0,
            dictionary: None,
            digest_bytes: None,
        })
    }

    /// Makes hex digits of values with so many bytes. To be called before anything is read.
    pub(super) fn set_digests(&mut self, bytes: Option<usize>) {
        self.digest_bytes = bytes;
    }

    pub(super) fn dictionary(&self) -> Option<&Dictionary> {
        self.dictionary.as_ref()
    }

    /// Appends at least one and at most `most` rows. They are fewer at the end of a page or a batch, and if their text is
    /// long.
    pub(super) fn read(
        &mut self,
        most: usize,
        want: Want,
        rows: &mut Rows,
    ) -> Result<usize, Fault> {
        while self.next == self.batch.len() {
            if !self.next_batch()? {
                return Err(Fault::Damaged("it has fewer values than its row group has rows"));
            }
        }
        let (from, end) = (self.next, self.batch.len().min(self.next + most));
        let read = match (&self.batch, want) {
            (Batch::Places(places), Want::Entries) => {
                push_places(places, from..end, self.dictionary.as_ref(), &mut rows.entries)?
            }
            (Batch::Texts(texts), _) if rows.texts.extend(texts, from..end) => end - from,
            _ => self.push_texts(from..end, &mut rows.texts)?,
        };
        self.next += read;
        Ok(read)
    }

    /// To be called when all rows were read: whether the column has just as many values.
    pub(super) fn finish(&mut self) -> Result<(), Fault> {
        if self.next < self.batch.len() || self.next_batch()? {
            return Err(Fault::Damaged("it has more values than its row group has rows"));
        }
        Ok(())
    }

    /// Appends the texts of rows of the batch until they are long.
    fn push_texts(&self, rows: std::ops::Range<usize>, texts: &mut Texts) -> Result<usize, Fault> {
        let (bytes_max, from) = (texts.bytes.len() + CHUNK_BYTES, rows.start);
        for row in rows.clone() {
            if texts.bytes.len() >= bytes_max {
                return Ok(row - from);
            }
            match &self.batch {
                Batch::Places(places) if places.is_valid(row) => {
                    let dictionary = self.dictionary.as_ref().ok_or(VALUES)?;
                    texts.push(
                        &dictionary.bytes()[dictionary.span(place(places, row, dictionary.len())?)],
                    );
                }
                Batch::Texts(array) if array.is_valid(row) => texts.push(array.value(row)),
                Batch::Fixed(array) if array.is_valid(row) => {
                    texts.push_fixed(array.value(row), self.render);
                }
                Batch::Narrow(array) if array.is_valid(row) => {
                    texts.push_int(Int::Narrow(array.value(row)), self.render);
                }
                Batch::Wide(array) if array.is_valid(row) => {
                    texts.push_int(Int::Wide(array.value(row)), self.render);
                }
                Batch::Bools(array) if array.is_valid(row) => {
                    texts.push(if array.value(row) { b"true" } else { b"false" });
                }
                Batch::Floats(array) if array.is_valid(row) => texts.push_shown(array.value(row)),
                Batch::Doubles(array) if array.is_valid(row) => texts.push_shown(array.value(row)),
                _ => {}
            }
            texts.finish();
        }
        Ok(rows.len())
    }

    /// Decodes the next rows; `false` behind the last.
    fn next_batch(&mut self) -> Result<bool, Fault> {
        loop {
            let Some(Decoder(reader)) = &mut self.reader else {
                if self.next_run()? {
                    continue;
                }
                return Ok(false);
            };
            let batch = quietly(|| reader.next());
            if let Some(fault) = lock(&self.source).take_fault() {
                return Err(fault);
            }
            match batch {
                Some(None) => self.reader = None,
                Some(Some(Ok(batch))) => {
                    self.set_batch(&batch)?;
                    return Ok(true);
                }
                Some(Some(Err(_))) | None => return Err(VALUES),
            }
        }
    }

    /// Begins to decode the next pages of one kind; `false` behind the last.
    fn next_run(&mut self) -> Result<bool, Fault> {
        let mut source = lock(&self.source);
        let room = source.room();
        let Some(checked) = source.peek()? else { return Ok(false) };
        let (kind, batch) = (checked.kind, batch_rows(checked, self.physical, room));
        drop(source);
        let run = Run::begin(&self.source, kind, self.dictionary.as_ref());
        let reader = quietly(|| self.shape.reader(kind, run, batch)).and_then(Result::ok);
        self.reader = Some(Decoder(reader.ok_or(VALUES)?));
        Ok(true)
    }

    fn set_batch(&mut self, batch: &RecordBatch) -> Result<(), Fault> {
        let mut array = ArrayRef::clone(batch.columns().first().ok_or(VALUES)?);
        // What is missing on the way down to a value is missing in the innermost array too.
        while let Some(group) = array.as_struct_opt() {
            array = ArrayRef::clone(group.columns().first().ok_or(VALUES)?);
        }
        self.next = 0;
        self.batch = if let Some(places) = array.as_dictionary_opt::<Int32Type>() {
            if self.dictionary.is_none() && !places.values().is_empty() {
                let entries = places.values().as_binary_opt().ok_or(VALUES)?;
                let entries = match self.digest_bytes {
                    Some(bytes) => digests::in_hex(entries, bytes),
                    None => entries.clone(),
                };
                self.dictionary = Some(Dictionary(entries));
            }
            Batch::Places(places.keys().clone())
        } else if let Some(texts) = array.as_binary_opt::<i32>() {
            Batch::Texts(match self.digest_bytes {
                Some(bytes) => digests::in_hex(texts, bytes),
                None => texts.clone(),
            })
        } else if let Some(fixed) = array.as_fixed_size_binary_opt() {
            match self.digest_bytes {
                Some(bytes) => Batch::Texts(digests::fixed_in_hex(fixed, bytes)),
                None => Batch::Fixed(fixed.clone()),
            }
        } else if let Some(ints) = array.as_primitive_opt::<Int32Type>() {
            Batch::Narrow(ints.clone())
        } else if let Some(ints) = array.as_primitive_opt::<Int64Type>() {
            Batch::Wide(ints.clone())
        } else if let Some(bools) = array.as_boolean_opt() {
            Batch::Bools(bools.clone())
        } else if let Some(floats) = array.as_primitive_opt::<Float32Type>() {
            Batch::Floats(floats.clone())
        } else if let Some(floats) = array.as_primitive_opt::<Float64Type>() {
            Batch::Doubles(floats.clone())
        } else {
            return Err(VALUES);
        };
        Ok(())
    }
}

/// How many rows are decoded at once: fewer if values may be much longer than they are in the page.
fn batch_rows(checked: &Checked, physical: Physical, room: u64) -> usize {
    let longest = match (checked.page.encoding(), physical) {
        // Each value can begin with all of the one before.
        (Encoding::DELTA_BYTE_ARRAY, Physical::Bytes) => checked.page.buffer().len(),
        (_, Physical::Fixed(len)) => len,
        _ => 1,
    };
    let rows = room.saturating_sub(checked.memory) / longest.max(1) as u64;
    usize::try_from(rows).unwrap_or(usize::MAX).clamp(1, PARQUET_ROWS)
}

fn place(places: &Int32Array, row: usize, entries: usize) -> Result<usize, Fault> {
    match usize::try_from(places.value(row)) {
        Ok(place) if place < entries => Ok(place),
        _ => Err(Fault::Damaged("a value is not in the dictionary")),
    }
}

/// Appends the places of rows in the dictionary; how many.
fn push_places(
    places: &Int32Array,
    rows: std::ops::Range<usize>,
    dictionary: Option<&Dictionary>,
    entries: &mut Vec<u32>,
) -> Result<usize, Fault> {
    let len = dictionary.map_or(0, Dictionary::len);
    for row in rows.clone() {
        entries.push(if places.is_valid(row) {
            u32::try_from(place(places, row, len)?).map_err(|_| VALUES)?
        } else {
            NO_ENTRY
        });
    }
    Ok(rows.len())
}
