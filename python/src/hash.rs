//! Columns of values in, columns of digests and reasons out: the rules of `throng hash`, on all cores.
//!
//! Where digests come out, each row has its 64 bytes in the result, also one that is null: so it is known from the beginning
//! where everything goes, and pieces are written side by side into one array.

use std::ffi::OsString;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::types::Int8Type;
use arrow_array::{
    Array, ArrayRef, DictionaryArray, Int8Array, LargeStringArray, StringArray, UInt64Array,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rayon::ThreadPool;
use rayon::prelude::*;
use throng::filter::{Answer, Batch, Filter};
use throng::machine;
use throng::normalize::{Reason, Value};
use throng::{Error, Result};

use crate::column::Column;
use crate::errors::{called, guarded};
use crate::jobs::flags;
use crate::values::{Texts, Values};

/// Rows of a piece, which one thread works on.
const PIECE_ROWS: usize = 4096;

/// Rows between two looks at Python's signals.
const BLOCK_ROWS: usize = 128 * PIECE_ROWS;

/// Bytes of a digest in hex.
const HEX_BYTES: usize = 64;

/// The key of a row that has no reason.
const NO_REASON: i8 = -1;

/// What the rows became.
#[derive(Default)]
struct Found {
    /// The entries, one behind the other.
    text: Vec<u8>,
    /// The end of each row's entry, if they have different lengths.
    ends: Vec<usize>,
    is_valid: Vec<bool>,
    reasons: Vec<i8>,
}

/// Hashes a column: entries, and reasons if they are wanted.
#[pyfunction]
#[pyo3(signature = (values, user_type, options, countries=None, reasons=false))]
pub(crate) fn hash<'py>(
    py: Python<'py>,
    values: &Bound<'py, PyAny>,
    user_type: &str,
    options: &Bound<'py, PyDict>,
    countries: Option<&Bound<'py, PyAny>>,
    reasons: bool,
) -> PyResult<(Column, Option<Column>)> {
    called(|| {
        let mut args = vec![OsString::from(format!("--user-type={user_type}"))];
        args.extend(flags(options)?);
        let filter = guarded(|| throng::call::hash(args))?;
        let values = Values::of(values, "values")?;
        let countries = countries.map(|of| Values::of(of, "countries")).transpose()?;
        if let Some(of) = &countries
            && of.len() != values.len()
        {
            let message = format!("{} values have {} countries", values.len(), of.len());
            return Err(PyValueError::new_err(message));
        }
        let (entries, why) = columns(py, &filter, &values, countries.as_ref(), reasons)?;
        Ok((Column::new(entries), why.map(Column::new)))
    })
}

fn columns(
    py: Python<'_>,
    filter: &Filter,
    values: &Values,
    countries: Option<&Values>,
    reasons: bool,
) -> PyResult<(ArrayRef, Option<ArrayRef>)> {
    let dictionary = countries.is_none().then(|| Dictionary::of(values)).flatten();
    let texts = dictionary.as_ref().map_or(values, |of| &of.texts);
    let places = dictionary.as_ref().map(|of| &of.places);
    let found = all(py, filter, texts, countries)?;
    Ok(py.detach(|| guarded(|| found.into_arrays(filter, reasons, places)))?)
}

/// A column of which each value occurs several times.
struct Dictionary {
    /// The values.
    texts: Values,
    /// The value of each row.
    places: UInt64Array,
}

impl Dictionary {
    /// The dictionaries of the chunks, if all have one and it is worth it.
    fn of(values: &Values) -> Option<Self> {
        let (mut texts, mut places, mut are_valid) = (Vec::new(), Vec::new(), Vec::new());
        let mut before = 0;
        for chunk in values.chunks() {
            let Texts::Places(of, entries) = chunk else { return None };
            places.extend(of.values().iter().map(|place| place + before));
            are_valid.extend((0..of.len()).map(|row| of.is_valid(row)));
            before += entries.len() as u64;
            texts.push(Texts::clone(entries));
        }
        let texts = Values::new(texts);
        let nulls = NullBuffer::from(are_valid);
        let places = UInt64Array::new(places.into(), Some(nulls));
        (2 * texts.len() <= places.len()).then_some(Self { texts, places })
    }
}

/// What all rows became; in blocks, between which Python's signals are served.
fn all(
    py: Python<'_>,
    filter: &Filter,
    values: &Values,
    countries: Option<&Values>,
) -> PyResult<Found> {
    let mut found = Found::new(values.len(), filter.user_type().is_hashed());
    let task = Task { filter, values, countries, memory: Mutex::default() };
    for start in (0..values.len()).step_by(BLOCK_ROWS) {
        py.check_signals()?;
        let rows = start..values.len().min(start + BLOCK_ROWS);
        py.detach(|| guarded(|| found.block(&task, rows)))?;
    }
    Ok(found)
}

impl Found {
    fn new(rows: usize, is_hashed: bool) -> Self {
        let text = if is_hashed { vec![0; rows * HEX_BYTES] } else { Vec::new() };
        Self { text, ends: Vec::new(), is_valid: vec![false; rows], reasons: vec![NO_REASON; rows] }
    }

    /// What the rows of a block became.
    fn block(&mut self, task: &Task<'_>, rows: Range<usize>) -> Result<()> {
        let Self { text, ends, is_valid, reasons } = self;
        let pieces: Vec<Range<usize>> = pieces(&rows).collect();
        let are_valid = is_valid[rows.clone()].chunks_mut(PIECE_ROWS);
        let reasons = reasons[rows.clone()].chunks_mut(PIECE_ROWS);
        let slots = pieces.iter().cloned().zip(are_valid).zip(reasons);
        if task.filter.user_type().is_hashed() {
            let text = &mut text[rows.start * HEX_BYTES..rows.end * HEX_BYTES];
            let jobs = slots.zip(text.chunks_mut(PIECE_ROWS * HEX_BYTES));
            let jobs = jobs.map(|(((rows, is_valid), reasons), hex)| Job {
                rows,
                is_valid,
                reasons,
                entries: Entries::Hex(hex),
            });
            return task.work_on(jobs.collect());
        }
        let mut ids = vec![Ids::default(); pieces.len()];
        let jobs = slots.zip(&mut ids).map(|(((rows, is_valid), reasons), ids)| Job {
            rows,
            is_valid,
            reasons,
            entries: Entries::Ids(ids),
        });
        task.work_on(jobs.collect())?;
        for piece in ids {
            let start = text.len();
            text.extend_from_slice(&piece.text);
            ends.extend(piece.ends.into_iter().map(|end| start + end));
        }
        Ok(())
    }

    /// Entries, and reasons if they are wanted; of the rows that stand at `places`, if these are given.
    fn into_arrays(
        self,
        filter: &Filter,
        has_reasons: bool,
        places: Option<&UInt64Array>,
    ) -> Result<(ArrayRef, Option<ArrayRef>)> {
        let Self { text, ends, is_valid, reasons } = self;
        let rows = is_valid.len();
        let nulls = Some(NullBuffer::new(BooleanBuffer::from(is_valid)));
        let lengths =
            if filter.user_type().is_hashed() { Lengths::Same(rows) } else { Lengths::Ends(&ends) };
        // Entries that stand there several times take more room.
        let most = filter.user_type().entry_bytes_max();
        let bytes_max = text.len().max(places.map_or(0, |of| of.len() * most));
        let entries = strings(text, &lengths, nulls, i32::try_from(bytes_max).is_err())?;
        let why = if has_reasons { Some(words(reasons)?) } else { None };
        let Some(places) = places else { return Ok((entries, why)) };
        let at = |array: ArrayRef| arrow_select::take::take(&array, places, None);
        let entries = at(entries).map_err(|_| UNFIT)?;
        Ok((entries, why.map(at).transpose().map_err(|_| UNFIT)?))
    }
}

const UNFIT: Error = Error::Internal("a column that does not fit together");

/// What is to be done with all rows.
struct Task<'a> {
    filter: &'a Filter,
    values: &'a Values,
    countries: Option<&'a Values>,
    /// Memory that was used for a piece.
    memory: Mutex<Vec<Batch>>,
}

/// A piece, and where its results go.
struct Job<'a> {
    rows: Range<usize>,
    is_valid: &'a mut [bool],
    reasons: &'a mut [i8],
    entries: Entries<'a>,
}

enum Entries<'a> {
    /// 64 bytes for each row.
    Hex(&'a mut [u8]),
    Ids(&'a mut Ids),
}

/// Ids one behind the other, and where each row's ends.
#[derive(Clone, Default)]
struct Ids {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Task<'_> {
    /// Works on pieces on all cores; on a single one here.
    fn work_on(&self, jobs: Vec<Job<'_>>) -> Result<()> {
        if jobs.len() > 1 {
            pool()?.install(|| jobs.into_par_iter().for_each(|job| self.piece(job)));
        } else {
            for job in jobs {
                self.piece(job);
            }
        }
        Ok(())
    }

    fn piece(&self, Job { rows, is_valid, reasons, mut entries }: Job<'_>) {
        let mut row = 0;
        let each = |answer: Answer<'_>| {
            match (answer, &mut entries) {
                (Answer::Digest(digest), Entries::Hex(hex)) => {
                    let slot = &mut hex[row * HEX_BYTES..][..HEX_BYTES];
                    is_valid[row] = const_hex::encode_to_slice(digest, slot).is_ok();
                }
                (Answer::Clear(id), Entries::Ids(ids)) => {
                    ids.text.extend_from_slice(id);
                    is_valid[row] = true;
                }
                (Answer::Rejected(reason), _) => reasons[row] = key_of(reason),
                _ => {}
            }
            if let Entries::Ids(Ids { text, ends }) = &mut entries {
                ends.push(text.len());
            }
            row += 1;
        };
        let taken = lock(&self.memory).pop();
        let mut memory = taken.unwrap_or_default();
        let bytes = self.values.rows(rows.clone());
        if let Some(countries) = self.countries {
            let pairs = bytes.zip(countries.rows(rows));
            let values = pairs.map(|(of, country)| Value { bytes: Ok(of), country: Some(country) });
            self.filter.batch(values, &mut memory, each);
        } else {
            let values = bytes.map(|of| Value { bytes: Ok(of), country: None });
            self.filter.batch(values, &mut memory, each);
        }
        lock(&self.memory).push(memory);
    }
}

fn pieces(rows: &Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = rows.end;
    rows.clone().step_by(PIECE_ROWS).map(move |start| start..end.min(start + PIECE_ROWS))
}

/// Text as an array; large if it must be.
fn strings(
    text: Vec<u8>,
    lengths: &Lengths<'_>,
    nulls: Option<NullBuffer>,
    is_large: bool,
) -> Result<ArrayRef> {
    let text = Buffer::from_vec(text);
    if is_large {
        let offsets = OffsetBuffer::new(lengths.offsets::<i64>()?);
        let array = LargeStringArray::try_new(offsets, text, nulls).map_err(|_| UNFIT)?;
        return Ok(Arc::new(array));
    }
    let offsets = OffsetBuffer::new(lengths.offsets::<i32>()?);
    Ok(Arc::new(StringArray::try_new(offsets, text, nulls).map_err(|_| UNFIT)?))
}

/// Where the entries of rows end.
enum Lengths<'a> {
    /// So many rows of digests.
    Same(usize),
    Ends(&'a [usize]),
}

impl Lengths<'_> {
    fn offsets<T: TryFrom<usize> + arrow_buffer::ArrowNativeType>(
        &self,
    ) -> Result<ScalarBuffer<T>> {
        let offset = |at: usize| T::try_from(at).map_err(|_| UNFIT);
        let offsets: Result<Vec<T>> = match self {
            Self::Same(rows) => (0..=*rows).map(|row| offset(row * HEX_BYTES)).collect(),
            Self::Ends(ends) => {
                std::iter::once(0).chain(ends.iter().copied()).map(offset).collect()
            }
        };
        Ok(ScalarBuffer::from(offsets?))
    }
}

fn key_of(reason: Reason) -> i8 {
    i8::try_from(reason as usize).unwrap_or(NO_REASON)
}

/// Reasons as an array of places in the list of all.
fn words(keys: Vec<i8>) -> Result<ArrayRef> {
    let nulls = NullBuffer::new(keys.iter().map(|key| *key != NO_REASON).collect());
    let keys = keys.into_iter().map(|key| key.max(0)).collect();
    let keys = Int8Array::new(keys, Some(nulls));
    let codes = StringArray::from_iter_values(Reason::ALL.iter().map(|reason| reason.code()));
    let array = DictionaryArray::<Int8Type>::try_new(keys, Arc::new(codes)).map_err(|_| UNFIT)?;
    Ok(Arc::new(array))
}

/// The pool of this process, and which process that is: threads do not survive a fork.
static POOL: Mutex<Option<(u32, Arc<ThreadPool>)>> = Mutex::new(None);

fn pool() -> Result<Arc<ThreadPool>> {
    let mut pool = lock(&POOL);
    let process = std::process::id();
    if let Some((of, pool)) = &*pool
        && *of == process
    {
        return Ok(pool.clone());
    }
    let fresh = Arc::new(machine::pool(machine::cores())?);
    // That of a parent process has no threads here to end.
    std::mem::forget(pool.replace((process, fresh.clone())));
    Ok(fresh)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
