//! The values of one column of one row group as text, some rows at a time.
//!
//! At any time a page and the column's dictionary are in memory, and what is made of some rows. Values that are in the
//! dictionary can be had as places in it, so that each of them need be looked at only once.

use super::decode::{Runs, deltas};
use super::footer::{Leaf, Physical, Render};
use super::page::{Encoding, Fault, Levels, Page, Pages};
use crate::limits::CHUNK_BYTES;
use crate::limits::VALUE_BYTES_MAX;

/// The place of a row that has no value.
pub(crate) const NO_ENTRY: u32 = u32::MAX;

/// Bytes of a dictionary's entry beside its text.
const ENTRY_BYTES: u64 = 16;

/// Texts one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    pub(crate) bytes: Vec<u8>,
    /// Where each text ends.
    ends: Vec<u32>,
}

impl Texts {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Where a text is in `bytes`.
    pub(crate) fn span(&self, index: usize) -> std::ops::Range<usize> {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        start as usize..self.ends[index] as usize
    }

    fn get(&self, index: u32) -> Option<&[u8]> {
        let index = index as usize;
        (index < self.len()).then(|| &self.bytes[self.span(index)])
    }

    /// Memory that they take.
    fn memory(&self) -> u64 {
        self.bytes.len() as u64 + self.ends.len() as u64 * ENTRY_BYTES
    }

    /// Ends a text.
    #[inline]
    fn finish(&mut self) -> Result<(), Fault> {
        self.ends.push(u32::try_from(self.bytes.len()).map_err(|_| LENGTH)?);
        Ok(())
    }
}

/// Some rows.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// Their values; empty where there is none.
    pub(crate) texts: Texts,
    /// Or, if that was asked for and they are in the dictionary, their places in it.
    pub(crate) entries: Vec<u32>,
}

impl Rows {
    pub(crate) fn clear(&mut self) {
        self.texts.clear();
        self.entries.clear();
    }
}

/// Whether rows of a dictionary may be given as places in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    Texts,
    Entries,
}

/// Rows whose levels are decoded at once.
const ROWS_AHEAD: usize = 8 * 1024;

/// Reads a column from its first row on.
#[derive(Debug)]
pub(super) struct Column<'a> {
    leaf: &'a Leaf,
    render: Render,
    pages: Pages<'a>,
    limit: u64,
    page: Vec<u8>,
    /// Rows of the page that were not looked at.
    rows_left: usize,
    /// Which rows of the page have a value; `None` if all have.
    levels: Option<Runs>,
    values: Values,
    dictionary: Option<Texts>,
    /// Levels of the next rows, from `next` on.
    ahead: Vec<u32>,
    next: usize,
    /// The places in the dictionary of those among them that have a value.
    places: Vec<u32>,
    next_place: usize,
}

/// Where the next value of a page is.
#[derive(Debug)]
enum Values {
    /// At this byte.
    Plain(usize),
    /// Its place in the dictionary is next in the runs.
    Dictionary(Runs),
    Ints(std::vec::IntoIter<i64>),
    /// Lengths, and where the bytes are.
    Lengths(std::vec::IntoIter<i64>, usize),
    /// How many bytes of the value before come first, then as above.
    Prefixed(Prefixed),
    /// First bytes of all values, then second bytes, and so on.
    Split {
        start: usize,
        count: usize,
        next: usize,
    },
}

#[derive(Debug)]
struct Prefixed {
    prefixes: std::vec::IntoIter<i64>,
    suffixes: std::vec::IntoIter<i64>,
    at: usize,
    before: Vec<u8>,
}

const SHORT: Fault = Fault::Damaged("a page ends too early");
const LENGTH: Fault = Fault::Damaged("a length in a page makes no sense");

impl<'a> Column<'a> {
    pub(super) fn new(leaf: &'a Leaf, render: Render, pages: Pages<'a>, limit: u64) -> Self {
        Self {
            leaf,
            render,
            pages,
            limit,
            page: Vec::new(),
            rows_left: 0,
            levels: None,
            values: Values::Plain(0),
            dictionary: None,
            ahead: Vec::new(),
            next: 0,
            places: Vec::new(),
            next_place: 0,
        }
    }

    pub(super) fn dictionary(&self) -> Option<&Texts> {
        self.dictionary.as_ref()
    }

    /// Appends at least one and at most `most` rows. They come from one page, and are fewer if their text is long.
    pub(super) fn read(
        &mut self,
        most: usize,
        want: Want,
        rows: &mut Rows,
    ) -> Result<usize, Fault> {
        if self.next == self.ahead.len() {
            self.look_ahead()?;
        }
        let end = self.ahead.len().min(self.next + most);
        let from = self.next;
        if want == Want::Entries && matches!(self.values, Values::Dictionary(_)) {
            for index in from..end {
                let is_there = self.ahead[index] == self.leaf.level_max;
                rows.entries.push(if is_there { self.place()? } else { NO_ENTRY });
            }
            self.next = end;
            return Ok(end - from);
        }
        let bytes_max = rows.texts.bytes.len() + CHUNK_BYTES;
        while self.next < end && rows.texts.bytes.len() < bytes_max {
            if self.ahead[self.next] == self.leaf.level_max {
                self.push_value(&mut rows.texts)?;
            }
            rows.texts.finish()?;
            self.next += 1;
        }
        Ok(self.next - from)
    }

    /// To be called when all rows were read: whether the column has just as many values.
    pub(super) fn finish(&mut self) -> Result<(), Fault> {
        const MORE: Fault = Fault::Damaged("it has more values than its row group has rows");
        if self.next < self.ahead.len() || self.rows_left > 0 {
            return Err(MORE);
        }
        while let Some(page) = self.pages.next(&mut self.page, self.limit)? {
            if !page.is_dictionary && page.values > 0 {
                return Err(MORE);
            }
        }
        Ok(())
    }

    /// The place of the next value in the dictionary, which has it.
    #[inline]
    fn place(&mut self) -> Result<u32, Fault> {
        let place = *self.places.get(self.next_place).ok_or(SHORT)?;
        self.next_place += 1;
        let len = self.dictionary.as_ref().map_or(0, Texts::len);
        if (place as usize) < len {
            Ok(place)
        } else {
            Err(Fault::Damaged("a value is not in the dictionary"))
        }
    }

    /// Decodes which of the next rows have a value, and their places in the dictionary.
    fn look_ahead(&mut self) -> Result<(), Fault> {
        while self.rows_left == 0 {
            self.next_page()?;
        }
        let count = self.rows_left.min(ROWS_AHEAD);
        self.ahead.clear();
        self.next = 0;
        match &mut self.levels {
            Some(levels) => levels.read(&self.page, count, &mut self.ahead)?,
            None => self.ahead.resize(count, self.leaf.level_max),
        }
        if self.ahead.iter().any(|level| *level > self.leaf.level_max) {
            return Err(Fault::Damaged("a value is nested deeper than its column"));
        }
        if let Values::Dictionary(runs) = &mut self.values {
            let level_max = self.leaf.level_max;
            let there = self.ahead.iter().filter(|level| **level == level_max).count();
            self.places.clear();
            self.next_place = 0;
            runs.read(&self.page, there, &mut self.places)?;
        }
        self.rows_left -= count;
        Ok(())
    }

    fn next_page(&mut self) -> Result<(), Fault> {
        let dictionary = self.dictionary.as_ref().map_or(0, Texts::memory);
        let limit = self.limit.saturating_sub(dictionary);
        let page = self.pages.next(&mut self.page, limit)?;
        let page = page.ok_or(Fault::Damaged("it has fewer values than its row group has rows"))?;
        if page.is_dictionary {
            if self.dictionary.is_some()
                || page.encoding != Encoding::Dictionary && page.encoding != Encoding::Plain
            {
                return Err(Fault::Damaged("its dictionary makes no sense"));
            }
            return self.read_dictionary(page.values);
        }
        self.rows_left = page.values;
        let values_at = self.read_levels(&page)?;
        // What is decoded of a page before its values are asked for.
        let left = limit.saturating_sub(self.page.len() as u64) / size_of::<i64>() as u64 / 2;
        let most = page.values.min(usize::try_from(left).unwrap_or(usize::MAX));
        self.values = self.begin_values(page.encoding, values_at, most)?;
        Ok(())
    }

    /// Finds the definition levels of a page; where its values begin.
    fn read_levels(&mut self, page: &Page) -> Result<usize, Fault> {
        self.levels = None;
        let (start, len) = match page.levels {
            Levels::Bytes(len) => (0, len),
            _ if self.leaf.level_max == 0 => return Ok(0),
            Levels::Prefixed => {
                let len = self.page.first_chunk::<4>().ok_or(SHORT)?;
                (4, u32::from_le_bytes(*len) as usize)
            }
            Levels::Old => return Err(Fault::Unknown("bit-packed levels".to_owned())),
        };
        if self.leaf.level_max == 0 {
            return Ok(len);
        }
        let end = start + len;
        if end > self.page.len() {
            return Err(SHORT);
        }
        let bits = u32::BITS - self.leaf.level_max.leading_zeros();
        self.levels = Some(Runs::new(bits, start..end)?);
        Ok(end)
    }

    fn begin_values(
        &mut self,
        encoding: Encoding,
        mut at: usize,
        most: usize,
    ) -> Result<Values, Fault> {
        let (page, end) = (&self.page, self.page.len());
        let is_int = matches!(self.leaf.physical, Physical::Int32 | Physical::Int64);
        Ok(match (encoding, self.leaf.physical) {
            (Encoding::Plain, _) => Values::Plain(at),
            (Encoding::Dictionary, _) => {
                // A page without values need not say how many bits they would have.
                let bits = page.get(at).copied().unwrap_or(0);
                Values::Dictionary(Runs::new(u32::from(bits), (at + 1).min(end)..end)?)
            }
            (Encoding::DeltaInts, _) if is_int => {
                Values::Ints(deltas(page, &mut at, most)?.into_iter())
            }
            (Encoding::DeltaLengths, Physical::Bytes) => {
                Values::Lengths(deltas(page, &mut at, most)?.into_iter(), at)
            }
            (Encoding::DeltaStrings, Physical::Bytes | Physical::Fixed(_)) => {
                let prefixes = deltas(page, &mut at, most)?.into_iter();
                let suffixes = deltas(page, &mut at, most)?.into_iter();
                Values::Prefixed(Prefixed { prefixes, suffixes, at, before: Vec::new() })
            }
            (Encoding::SplitBytes, physical) => {
                let width = width(physical)
                    .ok_or(Fault::Damaged("its values have no width to be split by"))?;
                Values::Split { start: at, count: end.saturating_sub(at) / width, next: 0 }
            }
            (encoding, _) => {
                return Err(Fault::Unknown(format!("encoding {encoding:?} of its type")));
            }
        })
    }

    fn read_dictionary(&mut self, values: usize) -> Result<(), Fault> {
        let mut texts = Texts::default();
        let mut at = 0;
        for _ in 0..values {
            push_plain(&self.page, &mut at, self.leaf.physical, self.render, &mut texts)?;
            texts.finish()?;
            if texts.memory() > self.limit / 2 {
                return Err(Fault::TooLarge { bytes: texts.memory() * 2, limit: self.limit });
            }
        }
        self.dictionary = Some(texts);
        Ok(())
    }

    /// Appends the next value, without its end.
    #[inline]
    fn push_value(&mut self, out: &mut Texts) -> Result<(), Fault> {
        let (physical, render) = (self.leaf.physical, self.render);
        match &mut self.values {
            Values::Plain(at) => push_plain(&self.page, at, physical, render, out),
            Values::Dictionary(_) => {
                let place = self.place()?;
                let entry = self.dictionary.as_ref().and_then(|texts| texts.get(place));
                out.bytes.extend_from_slice(entry.unwrap_or_default());
                Ok(())
            }
            Values::Ints(ints) => {
                push_int(ints.next().ok_or(SHORT)?, physical, render, out);
                Ok(())
            }
            Values::Lengths(lengths, at) => {
                let len = usize::try_from(lengths.next().ok_or(SHORT)?).map_err(|_| LENGTH)?;
                let value = take(&self.page, at, len)?;
                push_bytes(value, render, out)
            }
            Values::Prefixed(prefixed) => {
                prefixed.advance(&self.page)?;
                push_bytes(&prefixed.before, render, out)
            }
            Values::Split { start, count, next } => {
                if next == count {
                    return Err(SHORT);
                }
                let mut value = Vec::new();
                let bytes = (0..width(physical).unwrap_or(0))
                    .map(|byte| self.page[*start + byte * *count + *next]);
                value.extend(bytes);
                *next += 1;
                push_plain(&value, &mut 0, physical, render, out)
            }
        }
    }
}

impl Prefixed {
    fn advance(&mut self, page: &[u8]) -> Result<(), Fault> {
        let prefix = usize::try_from(self.prefixes.next().ok_or(SHORT)?).map_err(|_| LENGTH)?;
        let suffix = usize::try_from(self.suffixes.next().ok_or(SHORT)?).map_err(|_| LENGTH)?;
        if prefix > self.before.len() {
            return Err(LENGTH);
        }
        self.before.truncate(prefix);
        self.before.extend_from_slice(take(page, &mut self.at, suffix)?);
        // Each value can be longer than the one before, so that a page has room for more than it holds.
        if self.before.len() > VALUE_BYTES_MAX * 16 {
            return Err(LENGTH);
        }
        Ok(())
    }
}

/// Bytes of each value, if all have the same number.
fn width(physical: Physical) -> Option<usize> {
    match physical {
        Physical::Int32 => Some(4),
        Physical::Int64 => Some(8),
        Physical::Fixed(len) => Some(len),
        Physical::Bytes | Physical::Other => None,
    }
}

fn take<'a>(page: &'a [u8], at: &mut usize, len: usize) -> Result<&'a [u8], Fault> {
    let end = at.checked_add(len).ok_or(SHORT)?;
    let bytes = page.get(*at..end).ok_or(SHORT)?;
    *at = end;
    Ok(bytes)
}

/// Appends a value that is written as it is.
#[inline]
fn push_plain(
    page: &[u8],
    at: &mut usize,
    physical: Physical,
    render: Render,
    out: &mut Texts,
) -> Result<(), Fault> {
    let fixed = match physical {
        Physical::Int32 => {
            let bytes = take(page, at, 4)?.try_into().map_err(|_| SHORT)?;
            push_int(i64::from(i32::from_le_bytes(bytes)), physical, render, out);
            return Ok(());
        }
        Physical::Int64 => {
            let bytes = take(page, at, 8)?.try_into().map_err(|_| SHORT)?;
            push_int(i64::from_le_bytes(bytes), physical, render, out);
            return Ok(());
        }
        Physical::Bytes => {
            let len = take(page, at, 4)?.try_into().map_err(|_| SHORT)?;
            u32::from_le_bytes(len) as usize
        }
        Physical::Fixed(len) => len,
        Physical::Other => return Err(Fault::Damaged("its type has changed")),
    };
    push_bytes(take(page, at, fixed)?, render, out)
}

#[inline]
fn push_bytes(value: &[u8], render: Render, out: &mut Texts) -> Result<(), Fault> {
    if render == Render::Uuid {
        if value.len() != 16 {
            return Err(LENGTH);
        }
        for (index, byte) in value.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                out.bytes.push(b'-');
            }
            out.bytes.extend(
                [byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]),
            );
        }
        return Ok(());
    }
    // A value that is longer than any that is looked at is cut off behind that.
    out.bytes.extend_from_slice(&value[..value.len().min(VALUE_BYTES_MAX + 1)]);
    Ok(())
}

/// Appends a number in decimal.
fn push_int(value: i64, physical: Physical, render: Render, out: &mut Texts) {
    // Differences of narrow integers are differences of 32 bits, which go round.
    let value = match (physical, render) {
        (Physical::Int32, Render::Signed) => value << 32 >> 32,
        (Physical::Int32, _) => value & i64::from(u32::MAX),
        _ => value,
    };
    let is_negative = render == Render::Signed && value < 0;
    let mut left = if is_negative { value.unsigned_abs() } else { value.cast_unsigned() };
    let mut digits = [0; 20];
    let mut from = digits.len();
    loop {
        from -= 1;
        digits[from] = b'0' + u8::try_from(left % 10).unwrap_or_default();
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if is_negative {
        out.bytes.push(b'-');
    }
    out.bytes.extend_from_slice(&digits[from..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_integers_go_round() {
        let text = |value: i64, physical, render| {
            let mut texts = Texts::default();
            push_int(value, physical, render, &mut texts);
            String::from_utf8(texts.bytes).expect("digits")
        };
        // The difference of -2,000,000,000 and 2,000,000,000 as 32 bits hold it.
        let around = -2_000_000_000 - 294_967_296;
        assert_eq!(text(around, Physical::Int32, Render::Signed), "2000000000");
        assert_eq!(text(-1, Physical::Int32, Render::Signed), "-1");
        assert_eq!(text(-1, Physical::Int32, Render::Unsigned), "4294967295");
        assert_eq!(text(around, Physical::Int64, Render::Signed), "-2294967296");
        assert_eq!(text(-1, Physical::Int64, Render::Unsigned), "18446744073709551615");
        assert_eq!(text(i64::MIN, Physical::Int64, Render::Signed), "-9223372036854775808");
    }
}
