//! The pages of a column: their headers, and their bytes as they were before they were compressed.
//!
//! A page says how long it is, and that is checked before anything is allocated: it has to fit the memory that the
//! column may take, and decompressing it ends where it says.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use super::footer::Span;
use super::thrift::{Broken, Kind, Reader};

/// Bytes that are read at first to find a page's header; most headers are shorter than a hundred.
const HEADER_BYTES: usize = 512;

/// Longest header of a page. It can hold the least and the greatest value of the page.
const HEADER_BYTES_MAX: usize = 1024 * 1024;

/// Why a column cannot be read on.
#[derive(Debug)]
pub(super) enum Fault {
    /// What is wrong with its bytes.
    Damaged(&'static str),
    /// It is encrypted, or in another file.
    Elsewhere,
    /// It is written in a way that is not known here.
    Unknown(String),
    /// So many bytes of it would have to be in memory at once, and so many may be.
    TooLarge { bytes: u64, limit: u64 },
    /// The file cannot be read.
    Io(io::Error),
}

impl From<Broken> for Fault {
    fn from(_: Broken) -> Self {
        Self::Damaged("the header of a page makes no sense")
    }
}

/// How the values of a page are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    Dictionary,
    DeltaInts,
    DeltaLengths,
    DeltaStrings,
    SplitBytes,
}

impl Encoding {
    fn of(number: i64) -> Result<Self, Fault> {
        Ok(match number {
            0 => Self::Plain,
            2 | 8 => Self::Dictionary,
            5 => Self::DeltaInts,
            6 => Self::DeltaLengths,
            7 => Self::DeltaStrings,
            9 => Self::SplitBytes,
            other => return Err(Fault::Unknown(format!("encoding {other}"))),
        })
    }
}

/// How the definition levels at the beginning of a page are written, if its column has any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Levels {
    /// As runs of so many bytes.
    Bytes(usize),
    /// As runs behind the number of their bytes.
    Prefixed,
    /// In a way that was given up in 2014. Spark writes its number for columns without levels.
    Old,
}

/// A page as it was written, decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) is_dictionary: bool,
    pub(super) values: usize,
    pub(super) encoding: Encoding,
    pub(super) levels: Levels,
}

#[derive(Debug, Default)]
struct Header {
    kind: i64,
    uncompressed: usize,
    compressed: usize,
    crc: Option<i64>,
    values: usize,
    encoding: i64,
    level_encoding: i64,
    repetition_bytes: usize,
    definition_bytes: usize,
    is_compressed: bool,
    len: usize,
}

/// Kinds of pages.
const DATA: i64 = 0;
const DICTIONARY: i64 = 2;
const DATA_V2: i64 = 3;

impl Header {
    fn parse(bytes: &[u8]) -> Result<Self, Broken> {
        let mut header = Self { is_compressed: true, ..Self::default() };
        let mut reader = Reader::new(bytes);
        reader.fields(|reader, id, _| {
            match id {
                1 => header.kind = reader.int()?,
                2 => header.uncompressed = reader.size()?,
                3 => header.compressed = reader.size()?,
                4 => header.crc = Some(reader.int()?),
                5 | 7 => reader.fields(|reader, id, _| header.data(reader, id))?,
                8 => reader.fields(|reader, id, kind| header.data_v2(reader, id, kind))?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        header.len = reader.position();
        Ok(header)
    }

    /// Of a data page of the first version, or a dictionary.
    fn data(&mut self, reader: &mut Reader<'_>, id: i64) -> Result<bool, Broken> {
        match id {
            1 => self.values = reader.size()?,
            2 => self.encoding = reader.int()?,
            3 if self.kind == DATA => self.level_encoding = reader.int()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn data_v2(&mut self, reader: &mut Reader<'_>, id: i64, kind: Kind) -> Result<bool, Broken> {
        match id {
            1 => self.values = reader.size()?,
            4 => self.encoding = reader.int()?,
            5 => self.definition_bytes = reader.size()?,
            6 => self.repetition_bytes = reader.size()?,
            7 => {
                self.is_compressed = kind == Kind::TRUE;
                return Ok(false);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Reads the pages of a column one after the other.
#[derive(Debug)]
pub(super) struct Pages<'a> {
    file: &'a File,
    codec: u8,
    at: u64,
    end: u64,
    header: Vec<u8>,
    body: Vec<u8>,
}

impl<'a> Pages<'a> {
    pub(super) fn new(file: &'a File, file_bytes: u64, span: &Span) -> Result<Self, Fault> {
        if span.is_elsewhere {
            return Err(Fault::Elsewhere);
        }
        let end = span.start.checked_add(span.bytes).filter(|end| *end <= file_bytes);
        let end = end.ok_or(Fault::Damaged("its pages would lie behind the end of the file"))?;
        let (header, body) = (Vec::new(), Vec::new());
        Ok(Self { file, codec: span.codec, at: span.start, end, header, body })
    }

    /// Puts the next page into `bytes`; `None` behind the last one. It may take `limit` bytes of memory.
    pub(super) fn next(&mut self, bytes: &mut Vec<u8>, limit: u64) -> Result<Option<Page>, Fault> {
        loop {
            if self.at == self.end {
                return Ok(None);
            }
            let header = self.read_header()?;
            let body_bytes = header.compressed as u64;
            let body_at = self.at + header.len as u64;
            self.at = body_at.saturating_add(body_bytes);
            if self.at > self.end {
                return Err(Fault::Damaged("a page would go on behind the end of its column"));
            }
            if !matches!(header.kind, DATA | DICTIONARY | DATA_V2) {
                // An index, or something that later versions know.
                continue;
            }
            let memory = body_bytes + header.uncompressed as u64;
            if memory > limit {
                return Err(Fault::TooLarge { bytes: memory, limit });
            }
            self.body.resize(header.compressed, 0);
            self.file.read_exact_at(&mut self.body, body_at).map_err(Fault::Io)?;
            self.check_crc(&header)?;
            return self.unpack(&header, bytes).map(Some);
        }
    }

    fn read_header(&mut self) -> Result<Header, Fault> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let mut window = HEADER_BYTES;
        loop {
            self.header.resize(window.min(left), 0);
            self.file.read_exact_at(&mut self.header, self.at).map_err(Fault::Io)?;
            match Header::parse(&self.header) {
                Err(Broken::Short) if window < left.min(HEADER_BYTES_MAX) => window *= 16,
                parsed => return Ok(parsed?),
            }
        }
    }

    /// Spark writes a checksum for each page.
    fn check_crc(&self, header: &Header) -> Result<(), Fault> {
        let Some(expected) = header.crc else { return Ok(()) };
        let mut crc = flate2::Crc::new();
        crc.update(&self.body);
        if i64::from(crc.sum().cast_signed()) == expected {
            Ok(())
        } else {
            Err(Fault::Damaged("a page has another checksum than it says"))
        }
    }

    fn unpack(&self, header: &Header, bytes: &mut Vec<u8>) -> Result<Page, Fault> {
        let is_v2 = header.kind == DATA_V2;
        let levels = header.repetition_bytes.saturating_add(header.definition_bytes);
        // Levels of the second version are never compressed.
        let plain = if is_v2 { levels } else { 0 };
        let is_plain = is_v2 && !header.is_compressed;
        if plain > self.body.len() || plain > header.uncompressed {
            return Err(Fault::Damaged("the levels of a page are longer than the page"));
        }
        bytes.clear();
        bytes.extend_from_slice(&self.body[..plain]);
        let codec = if is_plain { UNCOMPRESSED } else { self.codec };
        decompress(codec, &self.body[plain..], header.uncompressed - plain, bytes)?;
        if is_v2 && header.repetition_bytes > 0 {
            return Err(Fault::Damaged("a page of a plain column has levels of a list"));
        }
        Ok(Page {
            is_dictionary: header.kind == DICTIONARY,
            values: header.values,
            encoding: Encoding::of(header.encoding)?,
            levels: match header.level_encoding {
                _ if is_v2 => Levels::Bytes(levels),
                LEVELS_RLE => Levels::Prefixed,
                _ => Levels::Old,
            },
        })
    }
}

/// The encoding of levels that all writers use.
const LEVELS_RLE: i64 = 3;

/// The codec of columns that are not compressed.
const UNCOMPRESSED: u8 = 0;

/// Appends what was compressed, which must be just `len` bytes.
fn decompress(codec: u8, packed: &[u8], len: usize, bytes: &mut Vec<u8>) -> Result<(), Fault> {
    let damaged = || Fault::Damaged("the compressed data of a page is damaged");
    let from = bytes.len();
    // Some writers leave out what is compressed if nothing is.
    if len == 0 {
        return Ok(());
    }
    match codec {
        UNCOMPRESSED => bytes.extend_from_slice(packed),
        2 => read_all(flate2::bufread::MultiGzDecoder::new(packed), len, bytes)?,
        4 => read_all(brotli_decompressor::Decompressor::new(packed, 4096), len, bytes)?,
        1 | 5..=7 => {
            bytes.resize(from + len, 0);
            let out = &mut bytes[from..];
            let written = match codec {
                1 => snap::raw::Decoder::new().decompress(packed, out).ok(),
                5 => lz4_of_hadoop(packed, out)
                    .or_else(|| lz4_flex::block::decompress_into(packed, out).ok()),
                6 => zstd::bulk::decompress_to_buffer(packed, out).ok(),
                _ => lz4_flex::block::decompress_into(packed, out).ok(),
            };
            if written != Some(len) {
                return Err(damaged());
            }
        }
        3 => return Err(Fault::Unknown("the compression LZO".to_owned())),
        other => return Err(Fault::Unknown(format!("compression {other}"))),
    }
    if bytes.len() == from + len { Ok(()) } else { Err(damaged()) }
}

/// Reads at most one byte more than there should be.
fn read_all(decoder: impl Read, len: usize, bytes: &mut Vec<u8>) -> Result<(), Fault> {
    let read = decoder.take(len as u64 + 1).read_to_end(bytes);
    read.map(drop).map_err(|_| Fault::Damaged("the compressed data of a page is damaged"))
}

/// LZ4 as Hadoop frames it: blocks, each its plain length and then pieces of which each has its packed length before it,
/// until that many bytes are there; lengths in big endian.
fn lz4_of_hadoop(mut packed: &[u8], out: &mut [u8]) -> Option<usize> {
    fn take_len(packed: &mut &[u8]) -> Option<usize> {
        let (len, rest) = packed.split_first_chunk::<4>()?;
        *packed = rest;
        usize::try_from(u32::from_be_bytes(*len)).ok()
    }
    let mut written = 0_usize;
    while !packed.is_empty() {
        let end = written.checked_add(take_len(&mut packed)?)?;
        while written < end {
            let len = take_len(&mut packed)?;
            let piece = packed.split_off(..len)?;
            let room = out.get_mut(written..end)?;
            written += lz4_flex::block::decompress_into(piece, room).ok().filter(|len| *len > 0)?;
        }
    }
    Some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lz4_of_hadoop_is_blocks_of_pieces() {
        let pieces: Vec<Vec<u8>> = (1..=5_u8).map(|byte| vec![byte; 1000]).collect();
        let len = |len: usize| u32::try_from(len).expect("is short").to_be_bytes();
        let mut packed = Vec::new();
        for block in pieces.chunks(2) {
            packed.extend(len(block.concat().len()));
            for piece in block {
                let piece = lz4_flex::block::compress(piece);
                packed.extend(len(piece.len()));
                packed.extend(piece);
            }
        }
        let mut bytes = Vec::new();
        decompress(5, &packed, 5000, &mut bytes).expect("decompresses");
        assert_eq!(bytes, pieces.concat());
        for cut in 0..packed.len() {
            assert!(decompress(5, &packed[..cut], 5000, &mut Vec::new()).is_err(), "{cut}");
        }
        assert!(decompress(5, &packed, 4999, &mut Vec::new()).is_err());
        assert!(decompress(5, &packed, 5001, &mut Vec::new()).is_err());
    }
}
