//! The pages of a column, each decompressed within the memory that it may take.
//!
//! The `parquet` crate reads them through [`Bounded`], which looks at each header first: the page has to fit the memory
//! that the column may take, as it is stored and as it will be. Gzip, Brotli and Hadoop's LZ4 are decompressed here, since the
//! crate does that without regard to the length that a page says, or not at all, and what it gets is a page of a column that is not compressed.

use std::io::{self, Cursor, Read};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::column::page::{Page, PageReader};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::ColumnDescPtr;

use super::footer::Span;
use super::header::Header;
use super::quiet::quietly;
use super::thrift::Broken;
use crate::mutex::lock;
use crate::source::stored::{Pieces, Stored};

/// Bytes that are read at first to find a page's header; most headers are shorter than a hundred.
const HEADER_BYTES: usize = 512;

/// Longest header of a page. It can hold the least and the greatest value of the page.
const HEADER_BYTES_MAX: usize = 1024 * 1024;

/// What a frame of LZ4 begins with. Blocks are what engines write, with or without Hadoop's lengths.
const LZ4_FRAME: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];

/// Why a column cannot be read on.
#[derive(Debug)]
pub(super) enum Fault {
    /// What is wrong with its bytes.
    Damaged(&'static str),
    /// It is in another file.
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

const COMPRESSED: Fault = Fault::Damaged("the compressed data of a page is damaged");

/// Reads pages from the first one on.
pub(super) struct Pages {
    reader: SerializedPageReader<Bounded>,
    bounded: Arc<Bounded>,
}

impl std::fmt::Debug for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pages").finish_non_exhaustive()
    }
}

impl Pages {
    pub(super) fn new(
        file: &Stored,
        file_bytes: u64,
        span: &Span,
        column: ColumnDescPtr,
    ) -> Result<Self, Fault> {
        if span.is_elsewhere {
            return Err(Fault::Elsewhere);
        }
        let end = span.start.checked_add(span.bytes).filter(|end| *end <= file_bytes);
        let end = end.ok_or(Fault::Damaged("its pages would lie behind the end of the file"))?;
        let codec = match span.codec {
            Compression::LZO => return Err(Fault::Unknown("the compression LZO".to_owned())),
            Compression::GZIP(_) | Compression::BROTLI(_) | Compression::LZ4 => {
                Compression::UNCOMPRESSED
            }
            known => known,
        };
        // They are within the file, so that they fit.
        let signed = |at: u64| i64::try_from(at).unwrap_or(i64::MAX);
        let chunk = ColumnChunkMetaData::builder(column)
            .set_compression(codec)
            .set_data_page_offset(signed(span.start))
            .set_total_compressed_size(signed(span.bytes));
        let bounded = Arc::new(Bounded {
            pieces: Mutex::new(file.section(end)),
            end,
            codec: span.codec,
            state: Mutex::default(),
        });
        let reader = quietly(|| {
            let chunk = chunk.build()?;
            SerializedPageReader::new(Arc::clone(&bounded), &chunk, 0, None)
        });
        let reader = reader.and_then(Result::ok).ok_or(COMPRESSED)?;
        Ok(Self { reader, bounded })
    }

    /// The next page; `None` behind the last one. It may take `limit` bytes of memory.
    pub(super) fn next(&mut self, limit: u64) -> Result<Option<Page>, Fault> {
        lock(&self.bounded.state).limit = limit;
        let page = quietly(|| self.reader.get_next_page());
        match (page, lock(&self.bounded.state).fault.take()) {
            (_, Some(fault)) => Err(fault),
            (Some(Ok(page)), None) => Ok(page),
            (Some(Err(_)) | None, None) => Err(COMPRESSED),
        }
    }
}

/// The file as the crate may read it.
struct Bounded {
    pieces: Mutex<Pieces>,
    /// Where the column ends.
    end: u64,
    /// How it is compressed in truth.
    codec: Compression,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    limit: u64,
    /// The header that was read last.
    header: Header,
    /// Why the crate was given nothing: its own error does not tell.
    fault: Option<Fault>,
}

impl Length for Bounded {
    fn len(&self) -> u64 {
        self.end
    }
}

impl ChunkReader for Bounded {
    type T = Cursor<Vec<u8>>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        self.keep_fault(self.read_header(start)).map(Cursor::new)
    }

    fn get_bytes(&self, start: u64, _: usize) -> Result<Bytes, ParquetError> {
        self.keep_fault(self.read_body(start)).map(Bytes::from)
    }
}

impl Bounded {
    fn keep_fault<T>(&self, read: Result<T, Fault>) -> Result<T, ParquetError> {
        read.map_err(|fault| {
            lock(&self.state).fault = Some(fault);
            ParquetError::General("it was refused".to_owned())
        })
    }

    /// The header at a place, and not a byte more.
    fn read_header(&self, start: u64) -> Result<Vec<u8>, Fault> {
        let left = usize::try_from(self.end.saturating_sub(start)).unwrap_or(usize::MAX);
        let (mut bytes, mut window) = (Vec::new(), HEADER_BYTES);
        let header = loop {
            bytes.resize(window.min(left), 0);
            lock(&self.pieces).read_exact_at(&mut bytes, start).map_err(Fault::Io)?;
            match Header::parse(&bytes) {
                Err(Broken::Short) if window < left.min(HEADER_BYTES_MAX) => window *= 16,
                parsed => break parsed?,
            }
        };
        if header.compressed > left - header.len {
            return Err(Fault::Damaged("a page would go on behind the end of its column"));
        }
        if !header.is_known() {
            return Err(Fault::Unknown("a kind of pages that is not known".to_owned()));
        }
        let mut state = lock(&self.state);
        let (memory, limit) = (header.compressed as u64 + header.uncompressed as u64, state.limit);
        if memory > limit {
            return Err(Fault::TooLarge { bytes: memory, limit });
        }
        state.header = header;
        bytes.truncate(header.len);
        Ok(bytes)
    }

    /// The bytes of the page whose header was read last.
    fn read_body(&self, start: u64) -> Result<Vec<u8>, Fault> {
        let header = lock(&self.state).header;
        let mut body = vec![0; header.compressed];
        lock(&self.pieces).read_exact_at(&mut body, start).map_err(Fault::Io)?;
        // Spark writes a checksum for each page.
        if let Some(expected) = header.crc {
            let mut crc = flate2::Crc::new();
            crc.update(&body);
            if i64::from(crc.sum().cast_signed()) != expected {
                return Err(Fault::Damaged("a page has another checksum than it says"));
            }
        }
        let plain = header.plain_bytes();
        if plain > body.len() || plain > header.uncompressed {
            return Err(Fault::Damaged("the levels of a page are longer than the page"));
        }
        let (packed, len) = (&body[plain..], header.uncompressed - plain);
        let decoder: Box<dyn Read + '_> = match self.codec {
            // Some writers leave out what is compressed if nothing is.
            _ if len == 0 => Box::new(io::empty()),
            Compression::GZIP(_) => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
            Compression::BROTLI(_) => {
                Box::new(brotli_decompressor::Decompressor::new(packed, 4096))
            }
            Compression::UNCOMPRESSED if packed.len() != len => {
                return Err(Fault::Damaged("a page has another length than it says"));
            }
            // The crate fills up with zeros what Snappy has less than the page says.
            Compression::SNAPPY if snappy_len(packed) != Some(len) => return Err(COMPRESSED),
            Compression::LZ4 if packed.starts_with(&LZ4_FRAME) => {
                return Err(Fault::Unknown("frames of LZ4".to_owned()));
            }
            Compression::LZ4 => {
                let mut bytes = body[..plain].to_vec();
                let done = super::lz4::decompress(packed, len, &mut bytes);
                return done.map(|()| bytes).ok_or(COMPRESSED);
            }
            _ => return Ok(body),
        };
        let mut bytes = Vec::with_capacity(header.uncompressed + 1);
        bytes.extend_from_slice(&body[..plain]);
        read_just(len, decoder, &mut bytes).map(|()| bytes)
    }
}

/// The length that Snappy's bytes say they have uncompressed: they begin with it, seven bits a byte, the lowest first.
fn snappy_len(packed: &[u8]) -> Option<usize> {
    let len = packed.iter().take(5).position(|byte| *byte < 0x80)? + 1;
    let bits = packed[..len].iter().rev();
    usize::try_from(bits.fold(0_u64, |all, byte| all << 7 | u64::from(byte & 0x7f))).ok()
}

/// Appends what was compressed, which must be just `len` bytes; one byte more is read at most.
fn read_just(len: usize, decoder: impl Read, bytes: &mut Vec<u8>) -> Result<(), Fault> {
    match decoder.take(len as u64 + 1).read_to_end(bytes) {
        Ok(read) if read == len => Ok(()),
        _ => Err(COMPRESSED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_snappy_says_of_its_length_is_read() {
        for (packed, len) in [
            (&[3, 8, b'a', b'b', b'c'][..], Some(3)),
            (&[0x80, 0x01], Some(128)),
            (&[0xfe, 0xff, 0x7f], Some(2_097_150)),
            (&[], None),
            (&[0x80, 0x80], None),
            (&[0xff; 6], None),
        ] {
            assert_eq!(snappy_len(packed), len, "{packed:?}");
        }
    }

    #[test]
    fn a_page_is_not_decompressed_beyond_what_it_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/parquet/bomb.parquet");
        let file = std::fs::read(path).expect("reads");
        let header = Header::parse(&file[4..]).expect("a header");
        let packed = &file[4 + header.len..][..header.compressed];
        let (whole, mut bytes) = (header.uncompressed, Vec::new());
        for (says, is_right) in
            [(1000, false), (whole - 1, false), (whole, true), (whole + 1, false)]
        {
            bytes.clear();
            let decoder = brotli_decompressor::Decompressor::new(packed, 4096);
            assert_eq!(read_just(says, decoder, &mut bytes).is_ok(), is_right, "{says}");
            assert!(bytes.len() <= says + 1, "{}", bytes.len());
        }
    }
}
