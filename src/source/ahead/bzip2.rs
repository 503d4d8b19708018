//! Blocks of bzip2, which begin at any bit. Forty-eight bits tell where: no other place has them but by chance, and then what
//! is before is torn, and no block. A block and what a stream ends with are a stream of their own.

use std::io;

use super::window::Window;
use super::{Cut, Piece, Splitter};
use crate::limits::PIECE_PACKED_BYTES;

/// What a block begins with.
const BLOCK: u64 = 0x3141_5926_5359;

/// What the end of a stream begins with.
const END: u64 = 0x1772_4538_5090;

const MAGIC_BITS: usize = 48;

/// Bits of a magic number and the checksum behind it.
const HEAD_BITS: usize = MAGIC_BITS + 32;

/// Factor between what a block of the largest size is taken to become at most and what is searched for its end.
const BLOCK_EXPANDS: usize = 4;

/// Splits between blocks.
#[derive(Default)]
pub(super) struct Bzip2 {
    stream: Option<Stream>,
}

/// A stream within which the splitter is.
struct Stream {
    head: [u8; 4],
    restart: u64,
    /// Bits of the window's first byte that belong to what is before.
    bit: usize,
    /// Checksum of the blocks so far.
    sum: u32,
}

impl Splitter for Bzip2 {
    fn cut(&mut self, window: &mut Window) -> io::Result<Cut> {
        loop {
            let Some(stream) = &mut self.stream else {
                let restart = window.mark();
                if !window.has(4)? {
                    return Ok(if window.has(1)? { Cut::Rest(restart) } else { Cut::End });
                }
                let &[b'B', b'Z', b'h', level @ b'1'..=b'9', ..] = window.bytes() else {
                    return Ok(Cut::Rest(restart));
                };
                window.pass(4);
                let head = [b'B', b'Z', b'h', level];
                self.stream = Some(Stream { head, restart, bit: 0, sum: 0 });
                continue;
            };
            let rest = Ok(Cut::Rest(stream.restart));
            let len = (stream.bit + HEAD_BITS).div_ceil(8);
            if !window.has(len)? {
                return rest;
            }
            let magic = bits(window.bytes(), stream.bit) >> (64 - MAGIC_BITS);
            let sum = (bits(window.bytes(), stream.bit + MAGIC_BITS) >> 32) as u32;
            match magic {
                END if sum == stream.sum => {
                    window.pass(len);
                    self.stream = None;
                }
                BLOCK => match stream.block(window)? {
                    Some(piece) => {
                        stream.sum = stream.sum.rotate_left(1) ^ sum;
                        return Ok(Cut::Piece(piece));
                    }
                    None => return rest,
                },
                _ => return rest,
            }
        }
    }
}

impl Stream {
    /// Takes the block at the window's begin; `None` if it has no end.
    fn block(&mut self, window: &mut Window) -> io::Result<Option<Piece>> {
        let most = BLOCK_EXPANDS * PIECE_PACKED_BYTES * 2;
        let mut from = self.bit + HEAD_BITS;
        let end = loop {
            if let Some(end) = find_magic(window.bytes(), from) {
                break end;
            }
            let len = window.bytes().len();
            if len > most || !window.has(len + 1)? {
                return Ok(None);
            }
            // One may lie across the end of what was here.
            from = from.max((len * 8).saturating_sub(MAGIC_BITS + 16));
        };
        let mut packed = BitWriter { bytes: self.head.to_vec(), last: 0, used: 0 };
        let sum = bits(window.bytes(), self.bit + MAGIC_BITS) >> 32;
        packed.copy(window.bytes(), self.bit, end);
        packed.push(END, MAGIC_BITS);
        packed.push(sum, 32);
        window.pass(end / 8);
        self.bit = end % 8;
        let bytes_max = window.limit().min(BLOCK_EXPANDS * PIECE_PACKED_BYTES * 4);
        Ok(Some(Piece { packed: packed.finish(), bytes_max, restart: self.restart }))
    }
}

/// The 64 bits from a place on, as far as there are so many.
fn bits(bytes: &[u8], at: usize) -> u64 {
    let mut taken = [0; 16];
    let rest = &bytes[at / 8..];
    let len = rest.len().min(taken.len());
    taken[..len].copy_from_slice(&rest[..len]);
    let high = u128::from_be_bytes(taken) << (at % 8);
    (high >> 64) as u64
}

/// The place of the first magic number from a bit on.
fn find_magic(bytes: &[u8], from: usize) -> Option<usize> {
    const SHIFTS: [u8; 256] = shifts();
    // The third byte of eight shifted magic numbers tells most places apart.
    for (at, third) in bytes.iter().enumerate().skip(from / 8 + 2) {
        let mut shifts = SHIFTS[usize::from(*third)];
        while shifts != 0 {
            let place = (at - 2) * 8 + shifts.trailing_zeros() as usize;
            shifts &= shifts - 1;
            let is_within = place >= from && place + MAGIC_BITS <= bytes.len() * 8;
            if is_within && matches!(bits(bytes, place) >> (64 - MAGIC_BITS), BLOCK | END) {
                return Some(place);
            }
        }
    }
    None
}

/// For each byte, by how many bits a magic number may be shifted of which it is the third byte.
const fn shifts() -> [u8; 256] {
    let mut shifts = [0; 256];
    let mut shift = 0;
    while shift < 8 {
        shifts[((BLOCK >> (24 + shift)) & 0xff) as usize] |= 1 << shift;
        shifts[((END >> (24 + shift)) & 0xff) as usize] |= 1 << shift;
        shift += 1;
    }
    shifts
}

/// Bytes that are made of bits.
struct BitWriter {
    bytes: Vec<u8>,
    /// Bits that are no byte yet, the highest first.
    last: u8,
    used: usize,
}

impl BitWriter {
    /// Appends bits of bytes.
    fn copy(&mut self, bytes: &[u8], from: usize, to: usize) {
        debug_assert_eq!(self.used, 0, "at the begin of a byte");
        let (first, shift) = (from / 8, from % 8);
        let whole = (to - from) / 8;
        let pairs = bytes[first..].windows(2).take(whole);
        let joined = pairs.map(|pair| {
            let pair = u16::from_be_bytes([pair[0], pair[1]]) << shift;
            pair.to_be_bytes()[0]
        });
        self.bytes.extend(joined);
        let left = (to - from) % 8;
        if left > 0 {
            self.push(bits(bytes, from + whole * 8) >> (64 - left), left);
        }
    }

    /// Appends the lowest bits of a number.
    fn push(&mut self, number: u64, len: usize) {
        for at in (0..len).rev() {
            self.last = self.last << 1 | u8::from(number >> at & 1 == 1);
            self.used += 1;
            if self.used == 8 {
                self.bytes.push(self.last);
                (self.last, self.used) = (0, 0);
            }
        }
    }

    fn finish(mut self) -> Vec<u8> {
        if self.used > 0 {
            self.push(0, 8 - self.used);
        }
        self.bytes
    }
}
