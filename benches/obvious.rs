//! The obvious fast program, to compare with: map the file, split it among the threads of rayon, `sha2` on each line, hash
//! sets by the first bits of the digest, hex, one file. No reasons, no counts, no parts, no memory limit, no manifest,
//! nothing synced.
//!
//! `cargo bench --bench obvious -- INPUT OUTPUT` runs it, `-- generate LINES FILE` writes an input for `peers.py`; without
//! arguments it checks itself.
#![expect(unsafe_code, reason = "mapping a file, as everybody does")]
#![expect(clippy::print_stdout, reason = "this is a program")]

#[path = "support/mod.rs"]
mod support;

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Mutex;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

const SHARDS: usize = 256;

fn main() -> std::io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["generate", lines, path] => {
            let lines = lines.parse().expect("a number of lines");
            let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
            support::write_emails(lines, &mut file)?;
            file.flush()
        }
        [input, output] => run(input.as_ref(), output.as_ref()).map(drop),
        _ => check(),
    }
}

fn run(input: &Path, output: &Path) -> std::io::Result<usize> {
    let file = File::open(input)?;
    // SAFETY: nobody changes a generated file while it is read.
    let text = unsafe { memmap2::Mmap::map(&file)? };
    let shards: Vec<Mutex<HashSet<[u8; 32], Spread>>> =
        (0..SHARDS).map(|_| Mutex::default()).collect();
    let pieces = split(&text, 1 << 20);
    pieces.into_par_iter().for_each(|piece| {
        let mut found: Vec<Vec<[u8; 32]>> = vec![Vec::new(); SHARDS];
        for line in piece.split(|byte| *byte == b'\n') {
            if let Some(address) = normalize(line) {
                let digest: [u8; 32] = Sha256::digest(address).into();
                found[usize::from(digest[0])].push(digest);
            }
        }
        for (shard, digests) in shards.iter().zip(found) {
            shard.lock().expect("no panics").extend(digests);
        }
    });
    let mut out = BufWriter::with_capacity(1 << 20, File::create(output)?);
    let mut count = 0;
    for shard in shards {
        for digest in shard.into_inner().expect("no panics") {
            let mut line = [b'\n'; 65];
            const_hex::encode_to_slice(digest, &mut line[..64]).expect("64 digits");
            out.write_all(&line)?;
            count += 1;
        }
    }
    out.flush()?;
    Ok(count)
}

/// Trimmed and in lower case, if it looks like an address at all.
fn normalize(line: &[u8]) -> Option<Vec<u8>> {
    let trimmed = line.trim_ascii();
    let at = memchr::memchr(b'@', trimmed)?;
    let has_dot = memchr::memchr(b'.', &trimmed[at..]).is_some();
    has_dot.then(|| trimmed.to_ascii_lowercase())
}

/// Pieces that end behind a line end.
fn split(text: &[u8], size: usize) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > size {
        let end = memchr::memchr(b'\n', &rest[size..]).map_or(rest.len(), |at| size + at + 1);
        let (piece, behind) = rest.split_at(end);
        pieces.push(piece);
        rest = behind;
    }
    pieces.push(rest);
    pieces
}

/// Digests are evenly spread already.
#[derive(Clone, Copy, Debug, Default)]
struct Spread;

#[derive(Debug)]
struct SpreadHasher(u64);

impl std::hash::BuildHasher for Spread {
    type Hasher = SpreadHasher;

    fn build_hasher(&self) -> SpreadHasher {
        SpreadHasher(0)
    }
}

impl std::hash::Hasher for SpreadHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(word) = bytes.last_chunk() {
            self.0 = u64::from_le_bytes(*word);
        }
    }

    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

fn check() -> std::io::Result<()> {
    let dir = tempfile::tempdir()?;
    let (input, output) = (dir.path().join("input.txt"), dir.path().join("output.txt"));
    support::write_emails(10_000, &mut File::create(&input)?)?;
    let count = run(&input, &output)?;
    let lines = std::fs::read_to_string(&output)?.lines().count();
    assert_eq!(count, lines);
    assert!((7_500..8_000).contains(&count), "{count}");
    println!("obvious: {count} digests of 10,000 lines");
    Ok(())
}
