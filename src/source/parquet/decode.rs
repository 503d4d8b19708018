//! The encodings of integers within pages: runs of small ones for levels and places in a dictionary, differences for
//! lengths and sorted numbers.

use super::page::Fault;

const SHORT: Fault = Fault::Damaged("a page ends too early");

/// Integers of a fixed number of bits, as runs of one value or bit by bit.
#[derive(Clone, Debug)]
pub(super) struct Runs {
    bits: u32,
    at: usize,
    end: usize,
    run: Run,
}

#[derive(Clone, Copy, Debug)]
enum Run {
    Same {
        value: u32,
        left: usize,
    },
    /// The next value begins at so many bits.
    Packed {
        bit: usize,
        left: usize,
    },
}

impl Runs {
    /// Runs in `bytes` of a page.
    pub(super) fn new(bits: u32, bytes: std::ops::Range<usize>) -> Result<Self, Fault> {
        if bits > 32 {
            return Err(Fault::Damaged("a dictionary would have more than 2^32 values"));
        }
        let run = Run::Same { value: 0, left: 0 };
        Ok(Self { bits, at: bytes.start, end: bytes.end, run })
    }

    /// Appends the next `count` values.
    pub(super) fn read(
        &mut self,
        page: &[u8],
        mut count: usize,
        out: &mut Vec<u32>,
    ) -> Result<(), Fault> {
        let page = page.get(..self.end).ok_or(SHORT)?;
        while count > 0 {
            match &mut self.run {
                Run::Same { left: 0, .. } | Run::Packed { left: 0, .. } => self.begin(page)?,
                Run::Same { value, left } => {
                    let taken = count.min(*left);
                    out.extend(std::iter::repeat_n(*value, taken));
                    *left -= taken;
                    count -= taken;
                }
                Run::Packed { bit, left } => {
                    let taken = count.min(*left);
                    unpack(page, *bit, self.bits, taken, out);
                    *bit += taken * self.bits as usize;
                    *left -= taken;
                    count -= taken;
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, page: &[u8]) -> Result<(), Fault> {
        let header = varint(page, &mut self.at)?;
        let count = usize::try_from(header >> 1).map_err(|_| SHORT)?;
        if header & 1 == 0 {
            let bytes = self.bits.div_ceil(8) as usize;
            let value = page.get(self.at..self.at + bytes).ok_or(SHORT)?;
            self.at += bytes;
            let value = value.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte));
            self.run = Run::Same { value, left: count };
        } else {
            // Groups of eight; the last one of a page may be cut off behind its last value.
            let bytes = count.checked_mul(self.bits as usize).ok_or(SHORT)?;
            let there = bytes.min(page.len().saturating_sub(self.at));
            let left = match self.bits {
                0 => count.checked_mul(8).ok_or(SHORT)?,
                bits => there * 8 / bits as usize,
            };
            if left == 0 && count > 0 {
                return Err(SHORT);
            }
            self.run = Run::Packed { bit: self.at * 8, left };
            self.at += there;
        }
        Ok(())
    }
}

/// Appends `count` values of `bits` bits each, which begin at a bit; the page has them.
fn unpack(page: &[u8], mut bit: usize, bits: u32, count: usize, out: &mut Vec<u32>) {
    let mask = (1_u64 << bits) - 1;
    out.extend((0..count).map(|_| {
        let word = word_at(page, bit / 8) >> (bit % 8);
        bit += bits as usize;
        u32::try_from(word & mask).unwrap_or_default()
    }));
}

/// Eight bytes from a place on, or as many as there are.
#[inline]
fn word_at(page: &[u8], at: usize) -> u64 {
    let rest = page.get(at..).unwrap_or_default();
    match rest.first_chunk::<8>() {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

fn varint(page: &[u8], at: &mut usize) -> Result<u64, Fault> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *page.get(*at).ok_or(SHORT)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Fault::Damaged("a number in a page is too long"))
}

fn zigzag(page: &[u8], at: &mut usize) -> Result<i64, Fault> {
    let value = varint(page, at)?;
    Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
}

/// Reads integers that are written as differences, at most `most` of them, from `at` on, which moves behind them.
pub(super) fn deltas(page: &[u8], at: &mut usize, most: usize) -> Result<Vec<i64>, Fault> {
    const WRONG: Fault = Fault::Damaged("the differences in a page make no sense");
    // Of no values, some writers write nothing.
    if *at == page.len() {
        return Ok(Vec::new());
    }
    let block = usize::try_from(varint(page, at)?).map_err(|_| WRONG)?;
    let minis = usize::try_from(varint(page, at)?).map_err(|_| WRONG)?;
    let total = usize::try_from(varint(page, at)?).map_err(|_| WRONG)?;
    let mut value = zigzag(page, at)?;
    if minis == 0 || block % minis != 0 || !(block / minis).is_multiple_of(8) || total > most {
        return Err(WRONG);
    }
    let per_mini = block / minis;
    let mut values = Vec::new();
    if total > 0 {
        values.push(value);
    }
    while values.len() < total {
        let least = zigzag(page, at)?;
        let widths = page.get(*at..at.saturating_add(minis)).ok_or(SHORT)?;
        *at += minis;
        for width in widths {
            let taken = per_mini.min(total - values.len());
            if taken == 0 {
                // What is left of the last block is not written, whatever its widths say.
                break;
            }
            let width = usize::from(*width);
            let needed = taken.checked_mul(width).ok_or(WRONG)?.div_ceil(8);
            if width > 64 || needed > page.len().saturating_sub(*at) {
                return Err(WRONG);
            }
            let first_bit = *at * 8;
            for index in 0..taken {
                let delta = wide_at(page, first_bit + index * width, width);
                value = value.wrapping_add(least).wrapping_add(delta.cast_signed());
                values.push(value);
            }
            let whole = per_mini.checked_mul(width).ok_or(WRONG)? / 8;
            *at = at.saturating_add(whole).min(page.len());
        }
    }
    Ok(values)
}

/// An integer of up to 64 bits that begins at a bit.
fn wide_at(page: &[u8], bit: usize, width: usize) -> u64 {
    let low = word_at(page, bit / 8) >> (bit % 8);
    let value = match bit % 8 {
        0 => low,
        shift => low | word_at(page, bit / 8 + 8) << (64 - shift),
    };
    match width {
        0 => 0,
        width => value & (u64::MAX >> (64 - width)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(bits: u32, page: &[u8], count: usize) -> Option<Vec<u32>> {
        let mut out = Vec::new();
        let mut runs = Runs::new(bits, 0..page.len()).ok()?;
        // In pieces, since batches end anywhere.
        let mut left = count;
        while left > 0 {
            runs.read(page, left.min(3), &mut out).ok()?;
            left -= left.min(3);
        }
        Some(out)
    }

    #[test]
    fn reads_the_examples_of_the_format() {
        // 0..8 in three bits each, as the format's documentation shows them.
        let packed = [0b11, 0b1000_1000, 0b1100_0110, 0b1111_1010];
        assert_eq!(runs(3, &packed, 8), Some((0..8).collect()));
        assert_eq!(runs(3, &packed, 9), None);
        let mixed = [0b1010, 4, 0b11, 0b1000_1000, 0b1100_0110, 0b1111_1010];
        assert_eq!(runs(3, &mixed, 7), Some(vec![4, 4, 4, 4, 4, 0, 1]));
        assert_eq!(runs(0, &[0b1010], 5), Some(vec![0; 5]));
        assert!(Runs::new(33, 0..1).is_err());
        for endless in [&[0_u8; 9][..], &[1; 9], &[0xff; 9]] {
            assert_eq!(runs(1, endless, 1000), None);
        }
    }

    #[test]
    fn reads_differences() {
        // 1 2 3 4 5: block of 128, four miniblocks, all differences 1.
        let page = [0x80, 0x01, 4, 5, 2, 2, 0, 0, 0, 0];
        let mut at = 0;
        assert_eq!(deltas(&page, &mut at, 5).expect("reads"), [1, 2, 3, 4, 5]);
        assert_eq!(at, page.len());
        assert!(deltas(&page, &mut 0, 4).is_err(), "more than there may be");
        // 7 5 3 1 2 3 4 5: least difference -2, two bits each.
        let page =
            [0x80, 0x01, 4, 8, 14, 3, 2, 0, 0, 0, 0b1100_0000, 0b0011_1111, 0, 0, 0, 0, 0, 0];
        assert_eq!(deltas(&page, &mut 0, 8).expect("reads"), [7, 5, 3, 1, 2, 3, 4, 5]);
        for len in 1..12 {
            assert!(deltas(&page[..len], &mut 0, 8).is_err(), "{len}");
        }
        let all = u64::MAX.to_le_bytes();
        assert_eq!(wide_at(&[all, all].concat(), 7, 64), u64::MAX);
    }
}
