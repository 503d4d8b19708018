//! Looking digests up in a part, without reading all of it.
//!
//! The lines of a part are in the order of their digests, and digests are spread evenly, so that where one must stand can
//! be computed: a handful of small reads find it among tens of millions ([`Part::find`]). A part that was merged from
//! small ones is several such rows of lines, one behind the other; it is small enough to be read ([`Part::scan`]).

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{Advice, fadvise};

use crate::disk::plain_file;
use crate::hash::{self, Digest};
use crate::limits::PART_BLOCK_BYTES;

/// Guesses from the spread of digests before a range is halved instead, which always ends.
const GUESSES_MAX: u32 = 12;

/// Bytes whose lines are looked at one by one.
const FEW_LINES_BYTES: u64 = 512;

/// The file of a part.
#[derive(Debug)]
pub(super) struct Part {
    file: File,
    len: u64,
    /// True if lines are digests, false if they are clear ids.
    is_hashed: bool,
    block: Vec<u8>,
}

/// A line and where it stands.
#[derive(Clone, Debug)]
struct Line {
    bytes: Range<u64>,
    digest: Digest,
}

/// The lines of a part are not what they must be.
pub(super) fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "its lines are not those of a part")
}

impl Part {
    pub(super) fn open(path: &Path, is_hashed: bool) -> io::Result<Self> {
        let file = plain_file::open(path)?;
        let len = file.metadata()?.len();
        Ok(Self { file, len, is_hashed, block: Vec::with_capacity(PART_BLOCK_BYTES) })
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Shows the index of each of these digests that the part has. They are in order.
    pub(super) fn find(
        &mut self,
        digests: &[Digest],
        mut show: impl FnMut(usize),
    ) -> io::Result<()> {
        // Reading ahead would read a hundred times as much.
        let _advice = fadvise(&self.file, 0, None, Advice::Random);
        let (Some(first), Some(last)) = (self.line_at(0)?, self.last_line()?) else {
            return Ok(());
        };
        if first.digest > last.digest {
            return Err(damaged());
        }
        let begin = digests.partition_point(|digest| *digest < first.digest);
        let end = digests.partition_point(|digest| *digest <= last.digest);
        let mut from = first.clone();
        for (index, digest) in digests.iter().enumerate().take(end).skip(begin) {
            if self.holds(digest, &mut from, &last)? {
                show(index);
            }
        }
        Ok(())
    }

    /// Tells if a digest is among the lines from `from` to `last`. Leaves `from` at a line that is not behind it.
    fn holds(&mut self, wanted: &Digest, from: &mut Line, last: &Line) -> io::Result<bool> {
        if *wanted == from.digest || *wanted == last.digest {
            return Ok(true);
        }
        // Whatever begins before `low` is smaller, and whatever begins at `high` or behind it is larger.
        let (mut low, mut low_digest) = (from.bytes.end, from.digest);
        let (mut high, mut high_digest) = (last.bytes.start, last.digest);
        let mut guesses = 0;
        while high.saturating_sub(low) > FEW_LINES_BYTES {
            let at = if guesses < GUESSES_MAX {
                guess(wanted, low..high, &low_digest, &high_digest)
            } else {
                low.midpoint(high)
            };
            guesses += 1;
            let line = self.line_at(at)?.filter(|line| line.bytes.start < high);
            let Some(line) = line else {
                // No line begins between these.
                high = at;
                continue;
            };
            if line.digest < low_digest || line.digest > high_digest {
                return Err(damaged());
            }
            match line.digest.cmp(wanted) {
                std::cmp::Ordering::Equal => return Ok(true),
                std::cmp::Ordering::Less => {
                    (low, low_digest) = (line.bytes.end, line.digest);
                    *from = line;
                }
                std::cmp::Ordering::Greater => (high, high_digest) = (at, line.digest),
            }
        }
        while low < high {
            let Some(line) = self.line_at(low)? else { return Ok(false) };
            match line.digest.cmp(wanted) {
                std::cmp::Ordering::Equal => return Ok(true),
                std::cmp::Ordering::Less => low = line.bytes.end,
                std::cmp::Ordering::Greater => return Ok(false),
            }
        }
        Ok(false)
    }

    /// The first line that begins at a place or behind it.
    fn line_at(&mut self, at: u64) -> io::Result<Option<Line>> {
        // The byte before tells whether a line begins here.
        let start = at.saturating_sub(1);
        let wanted = usize::try_from(self.len.saturating_sub(start)).unwrap_or(usize::MAX);
        self.read(start, wanted.min(PART_BLOCK_BYTES))?;
        let skipped = if at == 0 {
            0
        } else {
            match memchr::memchr(b'\n', &self.block) {
                Some(end) => end + 1,
                None if self.block.len() == wanted => return Ok(None),
                None => return Err(damaged()),
            }
        };
        if skipped == self.block.len() && skipped == wanted {
            return Ok(None);
        }
        let rest = &self.block[skipped..];
        let len = memchr::memchr(b'\n', rest).ok_or_else(damaged)?;
        let begin = start + skipped as u64;
        let digest = digest_of(&rest[..len], self.is_hashed)?;
        Ok(Some(Line { bytes: begin..begin + len as u64 + 1, digest }))
    }

    fn last_line(&mut self) -> io::Result<Option<Line>> {
        if self.len == 0 {
            return Ok(None);
        }
        let start = self.len.saturating_sub(PART_BLOCK_BYTES as u64);
        self.read(start, usize::try_from(self.len - start).unwrap_or(PART_BLOCK_BYTES))?;
        let text = self.block.strip_suffix(b"\n").ok_or_else(damaged)?;
        let begin = match memchr::memrchr(b'\n', text) {
            Some(end) => end + 1,
            None if start == 0 => 0,
            None => return Err(damaged()),
        };
        let digest = digest_of(&text[begin..], self.is_hashed)?;
        Ok(Some(Line { bytes: start + begin as u64..self.len, digest }))
    }

    fn read(&mut self, at: u64, len: usize) -> io::Result<()> {
        self.block.resize(len, 0);
        self.file.read_exact_at(&mut self.block, at)
    }

    /// The same as [`Self::find`] for lines in any order: reads all of them.
    pub(super) fn scan(self, digests: &[Digest], mut show: impl FnMut(usize)) -> io::Result<()> {
        // Most lines are told apart by their first bytes.
        let mut leading = vec![false; 1 << 16];
        for digest in digests {
            leading[usize::from(u16::from_be_bytes([digest[0], digest[1]]))] = true;
        }
        let mut lines = BufReader::with_capacity(SCAN_BYTES, self.file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let len = (&mut lines).take(PART_BLOCK_BYTES as u64).read_until(b'\n', &mut line)?;
            if len == 0 {
                return Ok(());
            }
            let text = line.strip_suffix(b"\n").ok_or_else(damaged)?;
            let digest = digest_of(text, self.is_hashed)?;
            if leading[usize::from(u16::from_be_bytes([digest[0], digest[1]]))]
                && let Ok(index) = digests.binary_search(&digest)
            {
                show(index);
            }
        }
    }
}

/// Bytes that a scan reads at once.
const SCAN_BYTES: usize = 1024 * 1024;

/// The digest that a line stands for: what it says, or of clear ids its SHA-256.
pub(crate) fn digest_of(line: &[u8], is_hashed: bool) -> io::Result<Digest> {
    if is_hashed {
        const_hex::decode_to_array(line).map_err(|_| damaged())
    } else {
        Ok(hash::digest(line))
    }
}

/// Where a digest stands between two others, if they are spread evenly; within the range, never at its ends.
fn guess(wanted: &Digest, between: Range<u64>, low: &Digest, high: &Digest) -> u64 {
    let leading = |digest: &Digest| u64::from_be_bytes(*digest.first_chunk().expect("32 bytes"));
    let (from, to) = (leading(low), leading(high));
    let len = between.end - between.start;
    let share = u128::from(leading(wanted).saturating_sub(from)) * u128::from(len)
        / u128::from(to.saturating_sub(from).max(1));
    let ahead = u64::try_from(share).unwrap_or(len);
    (between.start + ahead).clamp(between.start + 1, between.end - 1)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn lines(count: u64, is_hashed: bool) -> Vec<(Digest, String)> {
        let mut lines: Vec<(Digest, String)> = (0..count)
            .map(|number| {
                let text =
                    format!("id {}", "x".repeat(usize::try_from(number % 250).expect("small")))
                        + &number.to_string();
                let digest = hash::digest(text.as_bytes());
                (digest, if is_hashed { const_hex::encode(digest) } else { text })
            })
            .collect();
        lines.sort_unstable();
        lines
    }

    fn text(lines: &[(Digest, String)]) -> String {
        lines.iter().flat_map(|(_, line)| [line.as_str(), "\n"]).collect()
    }

    fn asked(path: &Path, is_hashed: bool, digests: &[Digest]) -> Vec<usize> {
        let mut found = Vec::new();
        Part::open(path, is_hashed)
            .expect("opens")
            .find(digests, |index| found.push(index))
            .expect("finds");
        let mut scanned = Vec::new();
        Part::open(path, is_hashed)
            .expect("opens")
            .scan(digests, |index| scanned.push(index))
            .expect("reads");
        scanned.sort_unstable();
        assert_eq!(found, scanned);
        found
    }

    #[test]
    fn each_line_is_found_and_nothing_else() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("part");
        for is_hashed in [true, false] {
            for count in [0, 1, 2, 3, 62, 63, 64, 65, 1000, 20_000] {
                let all = lines(count * 2, is_hashed);
                // Every other line is in the part.
                let held: Vec<_> = all.iter().step_by(2).cloned().collect();
                fs::write(&path, text(&held)).expect("writes");
                let digests: Vec<Digest> = all.iter().map(|(digest, _)| *digest).collect();
                let expected: Vec<usize> = (0..digests.len()).step_by(2).collect();
                assert_eq!(asked(&path, is_hashed, &digests), expected, "{count} {is_hashed}");
            }
        }
    }

    #[test]
    fn digests_that_are_not_spread_evenly_are_found_too() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("part");
        let mut digests: Vec<Digest> = (0..30_000_u32)
            .map(|number| {
                let mut digest = [0; 32];
                // Nearly all of them begin alike.
                digest[0] = if number % 10_000 == 0 { 0xff } else { 0 };
                digest[28..].copy_from_slice(&number.to_be_bytes());
                digest
            })
            .collect();
        digests.sort_unstable();
        let held: String = digests.iter().map(|digest| const_hex::encode(digest) + "\n").collect();
        fs::write(&path, held).expect("writes");
        assert_eq!(asked(&path, true, &digests).len(), digests.len());
    }

    #[test]
    fn a_part_that_is_none_is_an_error_or_nothing() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("part");
        let digests = [hash::digest(b"x")];
        for text in ["x\n", "\n", &"0".repeat(10_000), &"ab".repeat(32)] {
            fs::write(&path, text).expect("writes");
            let mut part = Part::open(&path, true).expect("opens");
            part.find(&digests, |_| ()).expect_err("no part");
        }
    }
}
