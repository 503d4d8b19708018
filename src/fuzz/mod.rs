//! What must hold of any bytes, as functions of bytes that panic if it does not.
//!
//! The fuzzer in `tests/fuzz` searches for bytes that break them, guided by what they reach; a test goes through those
//! that it kept. None of this is in a build that is neither of the two.

mod documents;
mod parquet;
mod values;

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use rayon::{ThreadPool, ThreadPoolBuilder};

pub use self::documents::{answers, documents};
pub use self::parquet::parquet;
pub use self::values::{phones, values};
use crate::config::{Io, ReadOptions};
use crate::dialect::{Csv, Framing, Quotes, Reading, Separator};
use crate::hash::Kernel;
use crate::reason::Reason;
use crate::record::{self, CsvReader, Oddity, Records};
use crate::source::{Chunk, Chunks, Means, in_memory};

/// What the fuzzer calls a target, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 7] = [
    ("answers", answers),
    ("compressed", compressed),
    ("documents", documents),
    ("parquet", parquet),
    ("phones", phones),
    ("records", records),
    ("values", values),
];

/// Most decoded bytes that are looked at: a few compressed ones can stand for any number.
const DECODED_BYTES_MAX: usize = 4 * 1024 * 1024;

static POOL: LazyLock<ThreadPool> =
    LazyLock::new(|| ThreadPoolBuilder::new().num_threads(1).build().expect("a thread"));

/// Takes choices from the front of the bytes.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn below(&mut self, bound: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first) % bound
    }
}

type Rows = Vec<Vec<Result<Vec<u8>, Reason>>>;

/// Records are the same whatever the windows that they come in, the route and the kernel; those of CSV are the exact
/// reader's, in every notation.
pub fn records(data: &[u8]) {
    let mut choices = Choices(data);
    let framing = match choices.below(4) {
        0 | 1 => Framing::Lines,
        kind => Framing::Csv(notation(kind == 2, &mut choices)),
    };
    let window = choices.below(96) + 1;
    let io = if choices.below(8) == 0 { Io::Auto } else { Io::Read };
    let wanted: &[usize] = [&[0][..], &[1], &[0, 2], &[1, 2, 4]][choices.below(4)];
    let header_len = choices.below(12);
    let mut text = choices.0;
    // Sources begin behind it.
    while let Some(rest) = text.strip_prefix(b"\xef\xbb\xbf") {
        text = rest;
    }
    let found = record::detect(text, window % 2 == 0, Path::new("x"), &ReadOptions::default());
    assert!(found.table.second_row <= text.len() && !found.dialect.name().is_empty());
    let Framing::Csv(csv) = framing else {
        let whole = lines(text, text.len() + 1, io);
        assert_eq!(lines(text, window, io), whole);
        let plain: Vec<u8> = text
            .iter()
            .enumerate()
            .filter(|(at, byte)| **byte != b'\r' || text.get(at + 1) != Some(&b'\n'))
            .map(|(_, byte)| if *byte == b'\r' { b'\n' } else { *byte })
            .collect();
        let mut naive: Vec<&[u8]> = plain.split(|byte| *byte == b'\n').collect();
        naive.pop_if(|last| last.is_empty());
        assert!(naive.into_iter().eq(whole.iter().map(|line| &**line)));
        return;
    };
    let header = &text[..header_len.min(text.len())];
    let header = header.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    let reader = || CsvReader::new(csv, wanted.to_vec()).with_header(header.to_vec());
    let mut whole = Records::default();
    reader().read(text, Reading::Exact { goes_on: false }, &mut whole).expect("short records");
    let expected = (rows(text, &whole), odd(&whole));
    for kernel in Kernel::all() {
        let read = in_windows(text, (framing, window, io), &mut reader().on(kernel));
        assert_eq!(read, expected, "{}", kernel.name());
    }
}

fn notation(is_plain: bool, choices: &mut Choices<'_>) -> Csv {
    if is_plain {
        return Csv::new([b',', b';'][choices.below(2)]);
    }
    let separator = Separator::new([&b","[..], b"\x01", b"||", b", "][choices.below(4)]);
    Csv {
        quotes: [Quotes::Doubled, Quotes::Backslash, Quotes::None, Quotes::Escaped]
            [choices.below(4)],
        width: Some(choices.below(5)).filter(|width| *width > 0),
        is_ragged: choices.below(4) == 0,
        ..Csv::new(separator.expect("a separator"))
    }
}

fn for_each_chunk(mut chunks: Chunks, mut on_chunk: impl FnMut(&[u8], Reading)) {
    while let Some(chunk) = chunks.next_chunk(&POOL).expect("nothing is refused") {
        assert!(!chunk.is_oversize && !chunk.is_empty());
        on_chunk(&chunk, chunk.reading);
    }
}

fn lines(text: &[u8], window: usize, io: Io) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut records = Records::default();
    for_each_chunk(in_memory::chunks(text, Framing::Lines, window, io), |chunk, _| {
        record::read_lines(Kernel::default(), chunk, &mut records);
        found.extend(records.fields(chunk, 0).map(|line| line.expect("present").to_vec()));
    });
    found
}

/// Rows, and what was odd about some of them.
type Read = (Rows, Vec<(usize, Option<Reason>, u64)>);

fn in_windows(
    text: &[u8],
    (framing, window, io): (Framing, usize, Io),
    reader: &mut CsvReader,
) -> Read {
    let mut read = Read::default();
    let mut records = Records::default();
    for_each_chunk(in_memory::chunks(text, framing, window, io), |chunk, reading| {
        reader.read(chunk, reading, &mut records).expect("short records");
        let before = read.0.len();
        read.1.extend(odd(&records).into_iter().map(|(at, of, lines)| (before + at, of, lines)));
        read.0.extend(rows(chunk, &records));
    });
    read
}

fn rows(text: &[u8], records: &Records) -> Rows {
    let own = |field: Result<&[u8], Reason>| field.map(<[u8]>::to_vec);
    let columns: Vec<Vec<_>> =
        (0..records.width()).map(|field| records.fields(text, field).map(own).collect()).collect();
    let row = |at: usize| columns.iter().map(|column| column[at].clone()).collect();
    (0..records.len()).map(row).collect()
}

fn odd(records: &Records) -> Vec<(usize, Option<Reason>, u64)> {
    let of = |odd: &Oddity| (odd.record, odd.reason, odd.lines);
    records.oddities().iter().map(of).collect()
}

/// Bytes that pretend to be compressed end, and break nothing; what was compressed in two members comes back whole, and
/// if it was cut off or changed, then not as something else.
pub fn compressed(data: &[u8]) {
    let mut choices = Choices(data);
    let codec = choices.below(8);
    if codec >= 4 {
        let _refused = decoded(choices.0, |chunk| !chunk.is_oversize);
        return;
    }
    let (split, damage, at, mask) =
        (choices.below(256), choices.below(4), choices.below(256), choices.below(256));
    // Text, so that it is not taken for something else.
    let text: Vec<u8> =
        [b"a".as_slice(), choices.0].concat().iter().map(|byte| byte & 0x7f | 0x20).collect();
    let (first, second) = text.split_at(split.min(text.len()));
    let whole = [compress(codec, first), compress(codec, second)].concat();
    let at = at * (whole.len() - 1) / 255;
    let mut stored = whole.clone();
    match damage {
        1 => stored.truncate(at),
        2 => stored[at] ^= u8::try_from(mask).expect("a byte"),
        3 => stored.extend_from_slice(&[0x42, 0, 0x42]),
        _ => {}
    }
    let is_raw = |bytes: &[u8]| bytes == stored;
    match (damage, decoded(&stored, |_| true)) {
        (0, read) => assert!(read.is_ok_and(|read| read == text)),
        (1, Ok(read)) => assert!(read == text || read == first || is_raw(&read), "cut at {at}"),
        // Zstandard's frames have checksums only if whoever wrote them wanted some.
        (2, Ok(read)) => assert!(codec == 1 || read == text || is_raw(&read), "{mask} at {at}"),
        (3, Ok(_)) => panic!("garbage behind the last member is accepted"),
        _ => {}
    }
}

fn compress(codec: usize, text: &[u8]) -> Vec<u8> {
    let packed = match codec {
        0 => {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(text).and_then(|()| encoder.finish())
        }
        1 => zstd::encode_all(text, 1),
        2 => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(text).and_then(|()| encoder.finish())
        }
        _ => liblzma::encode_all(text, 0),
    };
    packed.expect("writes to memory")
}

/// What is decoded, as long as `goes_on` says so; an error comes behind what is not right.
fn decoded(stored: &[u8], goes_on: impl Fn(&Chunk) -> bool) -> Result<Vec<u8>, ()> {
    let source = in_memory::inspect(stored).map_err(drop)?;
    let framing = Framing::Lines;
    let (window, read, buffers) = (DECODED_BYTES_MAX / 64, Arc::default(), Arc::default());
    let chunks = source.chunks(framing, 0, window, Io::Read, read, (&buffers, Means::ALONE));
    let mut chunks = chunks.map_err(drop)?;
    let mut read = Vec::new();
    while let Some(chunk) = chunks.next_chunk(&POOL).map_err(drop)? {
        read.extend_from_slice(&chunk);
        if read.len() > DECODED_BYTES_MAX || !goes_on(&chunk) {
            break;
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_fuzzer_kept_holds() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
        for (name, target) in TARGETS {
            let entries = std::fs::read_dir(corpus.join(name)).expect("a corpus");
            let mut count = 0;
            for entry in entries {
                target(&std::fs::read(entry.expect("an entry").path()).expect("reads"));
                count += 1;
            }
            assert!(count > 0, "{name}");
        }
    }
}
