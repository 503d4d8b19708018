//! What is read in pieces is what one decoder reads, whatever becomes of the file.

use std::fs::File;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use proptest::prelude::*;

use super::{Ahead, Means};
use crate::source::Counting;
use crate::source::compression::Compression;

/// Text that no format makes much shorter: numbers behind one word.
fn text(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut text = Vec::with_capacity(len + 32);
    while text.len() < len {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        writeln!(text, "person.{}@mail.example", state >> 20).expect("writes to memory");
    }
    text.truncate(len);
    text
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).expect("writes to memory");
    encoder.finish().expect("writes to memory")
}

/// As `bgzip` writes it, with the member without text behind it.
fn bgzf(text: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    for block in text.chunks(0xff00).chain([&[][..]]) {
        let mut deflate =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        deflate.write_all(block).expect("writes to memory");
        let body = deflate.finish().expect("writes to memory");
        let mut sum = flate2::Crc::new();
        sum.update(block);
        packed.extend_from_slice(&[0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 6, 0, b'B', b'C', 2, 0]);
        let len = u16::try_from(body.len() + 25).expect("64 KiB at most");
        packed.extend_from_slice(&len.to_le_bytes());
        packed.extend_from_slice(&body);
        packed.extend_from_slice(&sum.sum().to_le_bytes());
        packed.extend_from_slice(&sum.amount().to_le_bytes());
    }
    packed
}

fn zstd(text: &[u8], has_length: bool) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
    encoder.include_checksum(true).expect("an option");
    if has_length {
        encoder.set_pledged_src_size(Some(text.len() as u64)).expect("an option");
    }
    encoder.write_all(text).expect("writes to memory");
    let frame = encoder.finish().expect("writes to memory");
    // A frame to be passed over, as pzstd puts before each.
    let len = u32::try_from(frame.len()).expect("short");
    [&[0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0], &len.to_le_bytes()[..], &frame].concat()
}

fn bzip2(text: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(text).expect("writes to memory");
    encoder.finish().expect("writes to memory")
}

/// A stream of several blocks, each with its lengths: of streams of one block, joined.
fn xz(text: &[u8]) -> Vec<u8> {
    let mut joined = super::xz::Joined::default();
    for block in text.chunks(200_000) {
        joined.add(&liblzma::encode_all(block, 0).expect("writes to memory"), block.len());
    }
    joined.finish()
}

#[derive(Clone, Copy, Debug)]
enum Pack {
    Gzip,
    Bgzf,
    Zstd,
    ZstdWithoutLength,
    Bzip2,
    Xz,
}

impl Pack {
    const ALL: [Self; 6] =
        [Self::Gzip, Self::Bgzf, Self::Zstd, Self::ZstdWithoutLength, Self::Bzip2, Self::Xz];

    fn pack(self, text: &[u8]) -> Vec<u8> {
        match self {
            Self::Gzip => gzip(text),
            Self::Bgzf => bgzf(text),
            Self::Zstd => zstd(text, true),
            Self::ZstdWithoutLength => zstd(text, false),
            Self::Bzip2 => bzip2(text),
            Self::Xz => xz(text),
        }
    }

    fn compression(self) -> Compression {
        match self {
            Self::Gzip | Self::Bgzf => Compression::Gzip,
            Self::Zstd | Self::ZstdWithoutLength => Compression::Zstd,
            Self::Bzip2 => Compression::Bzip2,
            Self::Xz => Compression::Xz,
        }
    }
}

/// What becomes of a file.
#[derive(Clone, Debug)]
enum Fate {
    Whole,
    /// It ends at this share of its length.
    Torn(f64),
    /// A bit at this share of its length is another one.
    Damaged(f64, u8),
    /// Something else stands behind it.
    Followed(Vec<u8>),
}

impl Fate {
    fn of(&self, mut packed: Vec<u8>) -> Vec<u8> {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            clippy::cast_possible_truncation,
            reason = "a share"
        )]
        let at = |share: f64| (share * packed.len() as f64) as usize;
        match self {
            Self::Whole => {}
            Self::Torn(share) => packed.truncate(at(*share)),
            Self::Damaged(share, bit) => {
                let at = at(*share);
                packed[at] ^= 1 << bit;
            }
            Self::Followed(bytes) => packed.extend_from_slice(bytes),
        }
        packed
    }
}

/// The bytes that a reader gives, the error behind them, and what was counted.
fn read(mut reader: impl Read, piece: usize) -> (Vec<u8>, Option<String>) {
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; piece]);
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return (bytes, None),
            Ok(len) => bytes.extend_from_slice(&buffer[..len]),
            Err(error) => return (bytes, Some(format!("{:?} {error}", error.kind()))),
        }
    }
}

fn check(
    compression: Compression,
    stored: &[u8],
    means: &[Means],
    piece: usize,
) -> Result<(), TestCaseError> {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(stored).expect("written");
    let raw = Counting::all(std::io::Cursor::new(stored.to_vec()), Arc::default());
    let decoder = compression.decoder(Box::new(raw)).expect("a decoder");
    let expected = read(decoder, piece);
    let stored_file = file.into();
    for means in means {
        let progress = Arc::default();
        let ahead = Ahead::new(&stored_file, compression, &progress, *means);
        let found = read(ahead.expect("several threads"), piece);
        prop_assert_eq!(&found.1, &expected.1, "{:?}", means);
        let (short, long) =
            (found.0.len().min(expected.0.len()), found.0.len().max(expected.0.len()));
        prop_assert!(found.0[..short] == expected.0[..short]);
        // A decoder loses what it has decoded for the read that finds an error.
        let is_lost = long - short < piece && found.1.is_some();
        prop_assert!(short == long || is_lost, "{} and {} bytes", found.0.len(), expected.0.len());
        let counted = progress.load(Ordering::Relaxed);
        prop_assert!(counted <= stored.len() as u64, "{} of {}", counted, stored.len());
        prop_assert!(found.1.is_some() || counted == stored.len() as u64, "{}", counted);
    }
    Ok(())
}

fn fates() -> impl Strategy<Value = Fate> {
    let noise = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..40),
        prop::collection::vec(Just(0), 1..40),
        Just(b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec()),
        Just(b"BZh9".to_vec()),
    ];
    prop_oneof![
        3 => Just(Fate::Whole),
        2 => (0.0..1.0).prop_map(Fate::Torn),
        2 => (0.0..1.0, 0..8_u8).prop_map(|(share, bit)| Fate::Damaged(share, bit)),
        1 => noise.prop_map(Fate::Followed),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 8, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn pieces_are_what_one_decoder_reads(
        pack in prop::sample::select(Pack::ALL.to_vec()),
        parts in prop::collection::vec((0..700_000_usize, any::<u64>()), 1..6),
        are_small in any::<bool>(),
        fate in fates(),
        piece in prop_oneof![Just(8 * 1024), Just(256 * 1024)],
    ) {
        let size = |len: usize| if are_small { len / 2000 } else { len };
        let parts = parts.iter().flat_map(|(len, seed)| pack.pack(&text(size(*len), *seed)));
        let stored = fate.of(parts.collect());
        let means = [(2, 1 << 30), (3, 16 << 20), (8, 1 << 30), (2, 1 << 20), (2, 0)];
        let means = means.map(|(threads, bytes)| Means { threads, bytes });
        check(pack.compression(), &stored, &means, piece)?;
    }
}

/// A file of many pieces is read in pieces to its end: nothing of it is left to be read in one go.
#[test]
fn files_that_can_be_split_are() {
    let text = text(3_000_000, 7);
    for pack in Pack::ALL {
        let stored: Vec<u8> = text.chunks(1_000_000).flat_map(|part| pack.pack(part)).collect();
        let mut file: File = tempfile::tempfile().expect("a file");
        file.write_all(&stored).expect("written");
        let means = Means { threads: 3, bytes: 1 << 30 };
        let ahead = Ahead::new(&file.into(), pack.compression(), &Arc::default(), means);
        let mut ahead = ahead.expect("several threads");
        let mut bytes = Vec::new();
        ahead.read_to_end(&mut bytes).expect("whole");
        assert!(bytes == text, "{pack:?}");
        assert!(ahead.rest.is_none(), "{pack:?} was read in one go");
        assert_eq!(ahead.helpers.len(), 2, "{pack:?}");
    }
}

/// What one member or frame holds is not held in memory as a whole.
#[test]
fn a_file_of_one_piece_is_read_in_one_go() {
    let text = text(300_000, 7);
    for pack in [Pack::Gzip, Pack::Zstd] {
        let mut file: File = tempfile::tempfile().expect("a file");
        file.write_all(&pack.pack(&text)).expect("written");
        let means = Means { threads: 3, bytes: 1 << 30 };
        let ahead = Ahead::new(&file.into(), pack.compression(), &Arc::default(), means);
        let mut ahead = ahead.expect("several threads");
        let mut bytes = Vec::new();
        ahead.read_to_end(&mut bytes).expect("whole");
        assert!(bytes == text && ahead.rest.is_some() && ahead.helpers.is_empty(), "{pack:?}");
    }
}
