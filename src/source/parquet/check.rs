//! What is looked at in a page before the `parquet` crate decodes it.
//!
//! The crate allocates as many lengths and dictionary entries as a page says to have, and ends in a panic where a page
//! contradicts itself in ways that are refused here.

use parquet::basic::Encoding;
use parquet::column::page::Page;

use super::leaf::{Leaf, Physical};
use super::pages::Fault;

/// How the values of a page are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// They are places in the dictionary.
    Places,
    Values,
}

const SHORT: Fault = Fault::Damaged("a page ends too early");
const LENGTHS: Fault = Fault::Damaged("the lengths in a page make no sense");

/// A data page that was looked at.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) page: Page,
    pub(super) kind: Kind,
    /// Memory in bytes that it takes, with what is decoded at once when its first values are asked for.
    pub(super) memory: u64,
}

/// Refuses a dictionary that says to have more entries than its bytes can be.
pub(super) fn check_dictionary(page: &Page, leaf: &Leaf) -> Result<(), Fault> {
    let least = match leaf.physical {
        Physical::Int64 | Physical::Double => 8,
        Physical::Fixed(len) => len,
        Physical::Bool => 1,
        // Text has its length before it.
        Physical::Int32 | Physical::Float | Physical::Bytes | Physical::Other => 4,
    };
    let is_plain = matches!(
        page.encoding(),
        Encoding::PLAIN | Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY
    );
    let bytes = (page.num_values() as usize).checked_mul(least);
    if is_plain && bytes.is_some_and(|bytes| bytes <= page.buffer().len()) {
        Ok(())
    } else {
        Err(Fault::Damaged("its dictionary makes no sense"))
    }
}

/// Refuses a data page that contradicts itself.
pub(super) fn check_data(mut page: Page, leaf: &Leaf) -> Result<Checked, Fault> {
    let values_at = values_at(&page, leaf)?;
    let is_empty = values_at == page.buffer().len();
    let (Page::DataPage { encoding, .. } | Page::DataPageV2 { encoding, .. }) = &mut page else {
        return Err(Fault::Damaged("it has two dictionaries"));
    };
    // Of no values, some writers write nothing, whatever they say to have written it as.
    if is_empty {
        *encoding = Encoding::PLAIN;
    }
    let encoding = *encoding;
    check_split(encoding, &page, leaf, values_at)?;
    let mut memory = page.buffer().len() as u64;
    let kind = match (encoding, leaf.physical) {
        (Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY, _) => Kind::Places,
        (Encoding::PLAIN, _)
        | (
            Encoding::BYTE_STREAM_SPLIT,
            Physical::Int32
            | Physical::Int64
            | Physical::Float
            | Physical::Double
            | Physical::Fixed(_),
        )
        | (Encoding::RLE, Physical::Bool) => Kind::Values,
        (Encoding::DELTA_BINARY_PACKED, Physical::Int32 | Physical::Int64) => {
            pass_deltas(page.buffer(), values_at)?;
            Kind::Values
        }
        (Encoding::DELTA_LENGTH_BYTE_ARRAY, Physical::Bytes) => {
            let (lengths, _) = pass_deltas(page.buffer(), values_at)?;
            memory += check_lengths(lengths, &page)?;
            Kind::Values
        }
        (Encoding::DELTA_BYTE_ARRAY, Physical::Bytes | Physical::Fixed(_)) => {
            let (prefixes, at) = pass_deltas(page.buffer(), values_at)?;
            let (suffixes, _) = pass_deltas(page.buffer(), at)?;
            memory += check_lengths(prefixes, &page)? + check_lengths(suffixes, &page)?;
            Kind::Values
        }
        (unknown, _) => return Err(Fault::Unknown(format!("the encoding {unknown} of its type"))),
    };
    Ok(Checked { page, kind, memory })
}

/// Refuses values that are split into streams of unequal length: all of them would be wrong.
fn check_split(encoding: Encoding, page: &Page, leaf: &Leaf, at: usize) -> Result<(), Fault> {
    let width = match leaf.physical {
        Physical::Int32 | Physical::Float => 4,
        Physical::Int64 | Physical::Double => 8,
        Physical::Fixed(width) => width,
        Physical::Bytes | Physical::Bool | Physical::Other => return Ok(()),
    };
    let bytes = page.buffer().len() - at;
    let is_split = encoding == Encoding::BYTE_STREAM_SPLIT;
    let is_whole = width > 0 && bytes.is_multiple_of(width);
    // Of a column without levels every value is there.
    let is_all = leaf.level_max > 0 || bytes == width.saturating_mul(page.num_values() as usize);
    if is_split && !(is_whole && is_all) { Err(SHORT) } else { Ok(()) }
}

/// Where the values of a page begin, behind the definition levels.
fn values_at(page: &Page, leaf: &Leaf) -> Result<usize, Fault> {
    let bytes = page.buffer();
    let at = match page {
        Page::DataPageV2 { rep_levels_byte_len: 1.., .. } => {
            return Err(Fault::Damaged("a page of a plain column has levels of a list"));
        }
        Page::DataPageV2 { def_levels_byte_len, .. } => *def_levels_byte_len as usize,
        _ if leaf.level_max == 0 => 0,
        Page::DataPage { def_level_encoding: Encoding::RLE, .. } => {
            let len = bytes.first_chunk::<4>().ok_or(SHORT)?;
            4 + u32::from_le_bytes(*len) as usize
        }
        // A way that was given up in 2014. Spark writes its number for columns without levels.
        _ => return Err(Fault::Unknown("bit-packed levels".to_owned())),
    };
    if at <= bytes.len() { Ok(at) } else { Err(SHORT) }
}

/// Memory of as many lengths as a page has, which cannot be more than its values.
fn check_lengths(count: usize, page: &Page) -> Result<u64, Fault> {
    if count > page.num_values() as usize {
        return Err(LENGTHS);
    }
    Ok((count * size_of::<i32>()) as u64)
}

/// How many integers are written as differences from `at` on, and where they end.
fn pass_deltas(page: &[u8], mut at: usize) -> Result<(usize, usize), Fault> {
    let number = |at: &mut usize| {
        let rest = page.get(*at..).unwrap_or_default();
        let len = rest.iter().take(10).position(|byte| *byte < 0x80).ok_or(SHORT)? + 1;
        *at += len;
        let number =
            rest[..len].iter().rev().fold(0_u128, |all, byte| all << 7 | u128::from(byte & 0x7f));
        usize::try_from(number).map_err(|_| LENGTHS)
    };
    let (block, minis, total) = (number(&mut at)?, number(&mut at)?, number(&mut at)?);
    let _first = number(&mut at)?;
    if minis == 0 || block > BLOCK_VALUES_MAX || block % minis != 0 {
        return Err(LENGTHS);
    }
    let per_mini = block / minis;
    let mut left = total.saturating_sub(1);
    while left > 0 {
        let _least = number(&mut at)?;
        let widths = page.get(at..at.saturating_add(minis)).ok_or(SHORT)?;
        at += minis;
        for width in widths {
            // What is left of the last block is not written, whatever its widths say.
            if left > 0 {
                at += per_mini * usize::from(*width) / 8;
                left = left.saturating_sub(per_mini.max(1));
            }
        }
    }
    Ok((total, at.min(page.len())))
}

/// Most integers of a block of differences; writers take 128 or 256.
const BLOCK_VALUES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_passed_over() {
        // 1 2 3 4 5: block of 128, four miniblocks, all differences 1.
        let page = [0x80, 0x01, 4, 5, 2, 2, 0, 0, 0, 0];
        assert_eq!(pass_deltas(&page, 0).expect("fits"), (5, page.len()));
        // 7 5 3 1 2 3 4 5: least difference -2, two bits each, then something else.
        let page = [0x80, 0x01, 4, 8, 14, 3, 2, 0, 0, 0, 0xc0, 0x3f, 0, 0, 0, 0, 0, 0, 9];
        assert_eq!(pass_deltas(&page, 0).expect("fits"), (8, page.len() - 1));
        for len in 0..10 {
            assert!(pass_deltas(&page[..len], 0).is_err(), "{len}");
        }
        // None, and as many as a number can say.
        assert_eq!(pass_deltas(&[0x80, 0x01, 4, 0, 0], 0).expect("fits"), (0, 5));
        let many = [&[0x80, 0x01, 4][..], &[0xff; 9], &[0x7f, 0], &[0; 5]].concat();
        assert!(pass_deltas(&many, 0).is_err());
    }
}
