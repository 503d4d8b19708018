//! Blocks of xz, as several threads write them: with their lengths in their headers. A block, an index of it and what a stream
//! ends with are a stream of their own.

use std::io;

use super::window::Window;
use super::{Cut, Piece, Splitter};
use crate::limits::PIECE_PACKED_BYTES;

const STREAM_MAGIC: [u8; 6] = [0xfd, b'7', b'z', b'X', b'Z', 0];

/// Length of what a stream begins with, and of what it ends with.
const STREAM_HEADER_BYTES: usize = 12;

/// Longest header of a block.
const BLOCK_HEADER_BYTES: usize = 1024;

/// Length of the checksum of a block, by its number in the stream's header.
const CHECK_BYTES: [usize; 16] = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];

/// Splits between blocks.
#[derive(Default)]
pub(super) struct Xz {
    stream: Option<Stream>,
    restart: u64,
}

/// A stream within which the splitter is.
struct Stream {
    header: [u8; STREAM_HEADER_BYTES],
    /// Its blocks so far, as its index should have them.
    index: Index,
}

#[derive(Default)]
struct Index {
    blocks: u64,
    records: Vec<u8>,
}

/// Lengths of a block.
struct Block {
    /// Without what fills it up to a multiple of four.
    unpadded: usize,
    decoded: usize,
}

impl Splitter for Xz {
    fn cut(&mut self, window: &mut Window) -> io::Result<Cut> {
        loop {
            // A decoder can begin nowhere but with a stream.
            let rest = Ok(Cut::Rest(self.restart));
            let Some(stream) = &mut self.stream else {
                if !window.has(STREAM_HEADER_BYTES)? {
                    return if window.has(1)? { rest } else { Ok(Cut::End) };
                }
                let header = window.bytes().first_chunk::<STREAM_HEADER_BYTES>().copied();
                let Some(header) = header.filter(|header| header.starts_with(&STREAM_MAGIC)) else {
                    return rest;
                };
                self.restart = window.mark();
                window.pass(STREAM_HEADER_BYTES);
                self.stream = Some(Stream { header, index: Index::default() });
                continue;
            };
            if !window.has(1)? {
                return rest;
            }
            if window.bytes()[0] == 0 {
                let end = stream.end(&stream.index);
                if !window.has(end.len())? || !window.bytes().starts_with(&end) {
                    return rest;
                }
                window.pass(end.len());
                self.stream = None;
                continue;
            }
            let limit = window.limit();
            let Some(block) = stream.block(window)? else { return rest };
            let padded = block.unpadded.next_multiple_of(4);
            let is_short = padded <= limit && block.decoded <= limit;
            let may_be_listed = stream.index.records.len() <= PIECE_PACKED_BYTES;
            if !is_short || !may_be_listed || !window.has(padded)? {
                return rest;
            }
            let mut alone = Index::default();
            alone.add(&block);
            stream.index.add(&block);
            let packed = window.take(padded);
            let packed = [&stream.header[..], &packed, &stream.end(&alone)].concat();
            return Ok(Cut::Piece(Piece {
                packed,
                bytes_max: block.decoded,
                restart: self.restart,
            }));
        }
    }
}

impl Stream {
    /// The block at the window's begin, if its header has its lengths.
    fn block(&self, window: &mut Window) -> io::Result<Option<Block>> {
        window.has(BLOCK_HEADER_BYTES)?;
        let header_len = (usize::from(window.bytes()[0]) + 1) * 4;
        let Some(header) = window.bytes().get(..header_len) else { return Ok(None) };
        if header[1] & 0xc0 != 0xc0 {
            return Ok(None);
        }
        let mut rest = &header[2..];
        let lengths = (varint(&mut rest), varint(&mut rest));
        let (Some(packed), Some(decoded)) = lengths else { return Ok(None) };
        let check = CHECK_BYTES[usize::from(self.header[7] & 0xf)];
        let unpadded = header_len.checked_add(packed).and_then(|len| len.checked_add(check));
        let unpadded = unpadded.filter(|len| *len < usize::MAX / 2);
        Ok(unpadded.map(|unpadded| Block { unpadded, decoded }))
    }

    /// What a stream with these blocks ends with.
    fn end(&self, index: &Index) -> Vec<u8> {
        let mut end = vec![0];
        push_varint(&mut end, index.blocks);
        end.extend_from_slice(&index.records);
        end.resize(end.len().next_multiple_of(4), 0);
        let sum = crc32(&end);
        end.extend_from_slice(&sum.to_le_bytes());
        let quads = u32::try_from(end.len() / 4 - 1).unwrap_or(u32::MAX);
        let footer = [&quads.to_le_bytes()[..], &self.header[6..8]].concat();
        end.extend_from_slice(&crc32(&footer).to_le_bytes());
        end.extend_from_slice(&footer);
        end.extend_from_slice(b"YZ");
        end
    }
}

impl Index {
    fn add(&mut self, block: &Block) {
        self.blocks += 1;
        push_varint(&mut self.records, block.unpadded as u64);
        push_varint(&mut self.records, block.decoded as u64);
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = flate2::Crc::new();
    sum.update(bytes);
    sum.sum()
}

/// Takes a number of seven bits a byte, the lowest first.
fn varint(bytes: &mut &[u8]) -> Option<usize> {
    let len = bytes.iter().take(9).position(|byte| byte & 0x80 == 0)? + 1;
    let (number, rest) = bytes.split_at(len);
    *bytes = rest;
    let number = number.iter().rev().fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f));
    usize::try_from(number).ok()
}

fn push_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// Streams of one block, joined to one stream, as several threads would have written it.
#[cfg(test)]
#[derive(Default)]
pub(super) struct Joined {
    stream: Option<Stream>,
    blocks: Vec<u8>,
}

#[cfg(test)]
impl Joined {
    /// Adds the block of a stream whose block has no lengths.
    pub(super) fn add(&mut self, packed: &[u8], decoded: usize) {
        let header = *packed.first_chunk().expect("a header");
        let stream = self.stream.get_or_insert(Stream { header, index: Index::default() });
        let index_len = packed[packed.len() - 8..].first_chunk().copied().expect("its length");
        let index_len = (u32::from_le_bytes(index_len) as usize + 1) * 4;
        let index_at = packed.len() - STREAM_HEADER_BYTES - index_len;
        let block = &packed[STREAM_HEADER_BYTES..index_at];
        if block.is_empty() {
            return;
        }
        let mut record = &packed[index_at + 2..];
        let unpadded = varint(&mut record).expect("a length");
        let old_len = (usize::from(block[0]) + 1) * 4;
        assert_eq!(block[1] & 0xc0, 0, "it has no lengths");
        let mut header = vec![0, block[1] | 0xc0];
        let packed_len = unpadded - old_len - 8;
        push_varint(&mut header, packed_len as u64);
        push_varint(&mut header, decoded as u64);
        // One filter: its number, the length of its properties, and these.
        header.extend_from_slice(&block[2..5]);
        header.resize(header.len().next_multiple_of(4), 0);
        header[0] = u8::try_from(header.len() / 4).expect("short");
        let sum = crc32(&header);
        header.extend_from_slice(&sum.to_le_bytes());
        let unpadded = unpadded - old_len + header.len();
        stream.index.add(&Block { unpadded, decoded });
        self.blocks.extend_from_slice(&header);
        self.blocks.extend_from_slice(&block[old_len..]);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        let Some(stream) = self.stream else {
            return liblzma::encode_all(&[][..], 0).expect("writes to memory");
        };
        [&stream.header[..], &self.blocks, &stream.end(&stream.index)].concat()
    }
}
