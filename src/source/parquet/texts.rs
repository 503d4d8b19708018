//! Values as text, one behind the other, and how they become that.

use std::io::Write as _;

use arrow_array::{Array, BinaryArray};

use super::leaf::Render;
use super::shown::{Date, Decimal, Moment};
use crate::limits::{CHUNK_BYTES, VALUE_BYTES_MAX};

/// The place of a row that has no value.
pub(crate) const NO_ENTRY: u32 = u32::MAX;

/// Texts one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    pub(crate) bytes: Vec<u8>,
    /// Where each text ends.
    ends: Vec<usize>,
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
        start..self.ends[index]
    }

    /// Ends a text.
    #[inline]
    pub(super) fn finish(&mut self) {
        self.ends.push(self.bytes.len());
    }

    /// Appends a part of a text. A value that is longer than any that is looked at is cut off behind that.
    #[inline]
    pub(super) fn push(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(&value[..value.len().min(VALUE_BYTES_MAX + 1)]);
    }

    /// Appends rows of an array as they are; `false` if they are too long for that.
    pub(super) fn extend(&mut self, array: &BinaryArray, rows: std::ops::Range<usize>) -> bool {
        let offsets = &array.value_offsets()[rows.start..=rows.end];
        let place = |offset: i32| usize::try_from(offset).unwrap_or_default();
        let (start, end) = (place(offsets[0]), place(offsets[rows.len()]));
        if end - start > CHUNK_BYTES {
            return false;
        }
        let before = self.bytes.len();
        self.bytes.extend_from_slice(&array.value_data()[start..end]);
        self.ends.extend(offsets[1..].iter().map(|offset| before + place(*offset) - start));
        true
    }

    /// Appends the text of bytes of a fixed number.
    pub(super) fn push_fixed(&mut self, value: &[u8], render: Render) {
        if render != Render::Uuid {
            self.push(value);
            return;
        }
        for (index, byte) in value.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                self.bytes.push(b'-');
            }
            self.bytes.extend(
                [byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]),
            );
        }
    }

    /// Appends what is printed of a value.
    pub(super) fn push_shown(&mut self, value: impl std::fmt::Display) {
        let _infallible = write!(self.bytes, "{value}");
    }

    /// Appends a number in decimal, or what it stands for.
    pub(super) fn push_int(&mut self, value: Int, render: Render) {
        let number = match value {
            Int::Narrow(value) => value.into(),
            Int::Wide(value) => value,
        };
        match render {
            Render::Date => return self.push_shown(Date(number)),
            Render::Moment(part) => return self.push_shown(Moment(number, part)),
            Render::Decimal(places) => return self.push_shown(Decimal(number, places)),
            _ => {}
        }
        let (is_negative, mut left) = match (value, render) {
            (Int::Narrow(value), Render::Signed) => (value < 0, u64::from(value.unsigned_abs())),
            (Int::Narrow(value), _) => (false, u64::from(value.cast_unsigned())),
            (Int::Wide(value), Render::Signed) => (value < 0, value.unsigned_abs()),
            (Int::Wide(value), _) => (false, value.cast_unsigned()),
        };
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
            self.bytes.push(b'-');
        }
        self.bytes.extend_from_slice(&digits[from..]);
    }
}

/// An integer as it is stored; whether its highest bit is a sign is for the column to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Int {
    Narrow(i32),
    Wide(i64),
}

/// The entries of a column's dictionary.
#[derive(Debug)]
pub(crate) struct Dictionary(pub(super) BinaryArray);

impl Dictionary {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.value_data()
    }

    /// Where an entry is in the bytes.
    pub(crate) fn span(&self, index: usize) -> std::ops::Range<usize> {
        let offsets = self.0.value_offsets();
        let place = |index: usize| usize::try_from(offsets[index]).unwrap_or_default();
        place(index)..place(index + 1)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_a_sign_or_not() {
        let text = |value, render| {
            let mut texts = Texts::default();
            texts.push_int(value, render);
            String::from_utf8(texts.bytes).expect("digits")
        };
        assert_eq!(text(Int::Narrow(-1), Render::Signed), "-1");
        assert_eq!(text(Int::Narrow(-1), Render::Unsigned), "4294967295");
        assert_eq!(text(Int::Narrow(i32::MIN), Render::Signed), "-2147483648");
        assert_eq!(text(Int::Wide(-1), Render::Unsigned), "18446744073709551615");
        assert_eq!(text(Int::Wide(i64::MIN), Render::Signed), "-9223372036854775808");
        assert_eq!(text(Int::Wide(0), Render::Signed), "0");
    }
}
