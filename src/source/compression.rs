//! Compressed inputs: telling them by their first bytes, and decoding them.

use std::io::{self, BufReader, Read};
use std::path::Path;

use liblzma::stream::{CONCATENATED, Stream};

use super::command;
use super::utf16::OtherEncoding;
use crate::error::Error;
use crate::limits::DECODER_BYTES_MAX;
use crate::object;

/// Compression of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, any number of members.
    Gzip,
    /// Zstandard, any number of frames.
    Zstd,
    /// bzip2, any number of streams.
    Bzip2,
    /// xz, any number of streams.
    Xz,
}

/// Number of bytes that tell the compression.
pub(super) const MAGIC_BYTES: usize = 8;

impl Compression {
    /// Finds the compression by magic bytes.
    pub(super) fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // A frame, or a skippable one, which parallel compressors write first.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            // A block, or the end of a stream that holds nothing.
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, ..] => Self::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            _ => Self::None,
        }
    }

    /// Most memory in bytes that its decoder takes: for windows that are as long as may be.
    pub(super) fn decoder_bytes(self) -> u64 {
        const MIB: u64 = 1024 * 1024;
        match self {
            Self::None => 0,
            Self::Gzip => MIB,
            Self::Bzip2 => 8 * MIB,
            Self::Zstd | Self::Xz => DECODER_BYTES_MAX,
        }
    }

    /// True if its decoder may take so much memory that few can be at work at once.
    pub(super) fn may_be_large(self) -> bool {
        self.decoder_bytes() == DECODER_BYTES_MAX
    }

    /// Wraps a reader in the decoder. Every decoder reads on behind the end of a member, frame or stream: the single
    /// ones stop there silently, and the rest of a concatenated file would be lost.
    pub(super) fn decoder(self, raw: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
        let buffered = |raw| BufReader::with_capacity(DECODER_INPUT_BYTES, raw);
        Ok(match self {
            Self::None => raw,
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(buffered(raw))),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(buffered(raw))?;
                decoder.window_log_max(DECODER_BYTES_MAX.ilog2())?;
                Box::new(decoder)
            }
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(buffered(raw))),
            Self::Xz => {
                let stream = Stream::new_stream_decoder(DECODER_BYTES_MAX, CONCATENATED)?;
                Box::new(liblzma::bufread::XzDecoder::new_stream(buffered(raw), stream))
            }
        })
    }
}

/// Compressed bytes that are read at once.
const DECODER_INPUT_BYTES: usize = 128 * 1024;

/// Error of a failed read. One of a compressed input is nearly always a damaged or truncated file.
pub(super) fn decode_error(path: &Path, compression: Compression, error: io::Error) -> Error {
    use io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
    if let Some(OtherEncoding { lines }) = error.get_ref().and_then(|of| of.downcast_ref()) {
        let hint = "two files may have been joined: convert each to UTF-8 by itself";
        return Error::input(path, OtherEncoding::MESSAGE, hint).at_line(lines + 1);
    }
    if let Some(error) = object::of_reader(&error).or_else(|| command::of_reader(&error)) {
        return error;
    }
    let is_damage = matches!(error.kind(), InvalidData | InvalidInput | Other | UnexpectedEof);
    if compression == Compression::None || !is_damage {
        return Error::reading("read", path, error);
    }
    // What the libraries say of a window or dictionary that goes beyond the limit that they were given.
    let said = error.to_string();
    if said.contains("requires too much memory") || said.contains("memory limit") {
        let limit = DECODER_BYTES_MAX / 1024 / 1024;
        return Error::input(
            path,
            format!("to decompress it takes more than {limit} MiB of memory"),
            "pipe it in: xz -dc FILE | throng prepare - ..., or zstd -dc --long=31 FILE | ...",
        );
    }
    let message = if error.kind() == UnexpectedEof {
        "the compressed data ends too early".to_owned()
    } else {
        format!("the compressed data is damaged ({error})")
    };
    Error::input(path, message, "fetch the file again")
}
