//! Upload files: entries in order, one a line, cut into parts.
//!
//! Entries get their places in order, which is quick ([`Parts::place`]), and are then written to them by any thread in
//! any order ([`Placed::write`]), because the length of every line is known before it is written. Whoever writes the
//! last bytes of a part hands it to [`seal`](super::seal).

use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::part_file::{OPEN, Part};
use super::seal::Seals;
use super::{PartManifest, hex};
use crate::buffers::Buffers;
use crate::config::AudienceSpec;
use crate::entries::Entries;
use crate::error::{Error, Result};
use crate::hash::Kernel;
use crate::limits::{PARTS_MAX, WRITE_BYTES};

/// When a part is full.
#[derive(Clone, Copy, Debug)]
pub struct PartLimits {
    /// Most entries; at least 1.
    pub lines: u64,
    /// Most bytes. A part holds at least one entry, whatever this says.
    pub bytes: Option<u64>,
}

/// The parts of an audience, as far as entries were placed.
#[derive(Debug)]
pub struct Parts {
    dir: PathBuf,
    audience: AudienceSpec,
    limits: PartLimits,
    /// Entries that may still come.
    entries_left: u64,
    /// Parts begun so far.
    count: u64,
    open: Option<OpenPart>,
    shared: Arc<Shared>,
}

/// The part that entries are placed in, and what it still takes.
#[derive(Debug)]
struct OpenPart {
    part: Arc<Part>,
    room: PartLimits,
    lines: u64,
    bytes: u64,
}

/// Things that those who write have in common.
#[derive(Debug)]
struct Shared {
    seals: Seals,
    /// Text buffers to be used again.
    buffers: Buffers<Vec<u8>>,
    kernel: Kernel,
}

/// Entries with their places.
#[derive(Debug)]
pub struct Placed {
    entries: Entries,
    pieces: Vec<Piece>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Piece {
    part: Arc<Part>,
    /// Digests by index, lines by byte.
    entries: Range<usize>,
    offset: u64,
}

/// Writes the parts of an audience of at most `entries_max` entries into `dir`. `body` places the entries and sees to
/// it that they are written; its result and the parts are returned. Works on the pool that the caller is in.
pub fn write_parts<T>(
    dir: &Path,
    audience: &AudienceSpec,
    limits: PartLimits,
    entries_max: u64,
    kernel: Kernel,
    threads: usize,
    body: impl FnOnce(&mut Parts) -> Result<T>,
) -> Result<(T, Vec<PartManifest>)> {
    Seals::scope(kernel, threads, |seals| {
        let shared = Shared { seals: seals.clone(), buffers: Buffers::default(), kernel };
        let shared = Arc::new(shared);
        let mut parts = Parts {
            dir: dir.to_owned(),
            audience: audience.clone(),
            limits,
            entries_left: entries_max,
            count: 0,
            open: None,
            shared,
        };
        let result = body(&mut parts)?;
        parts.close()?;
        Ok(result)
    })
}

impl Parts {
    /// Gives entries their places behind those that were placed before.
    pub fn place(&mut self, entries: Entries) -> Result<Placed> {
        let end = end_of(&entries);
        let mut pieces = Vec::new();
        let mut from = 0;
        while from < end {
            let mut open = match self.open.take() {
                Some(open) => open,
                None => self.begin()?,
            };
            let (to, used) = cut(&entries, from, open.room, open.lines == 0);
            if to > from {
                let part = Arc::clone(&open.part);
                part.bytes_left.fetch_add(used.bytes, Ordering::Relaxed);
                pieces.push(Piece { part, entries: from..to, offset: open.bytes });
            }
            from = to;
            open.lines += used.lines;
            open.bytes += used.bytes;
            open.room.lines -= used.lines;
            open.room.bytes = open.room.bytes.map(|bytes| bytes.saturating_sub(used.bytes));
            let is_full = open.room.lines == 0 || open.room.bytes == Some(0) || from < end;
            self.open = Some(open);
            if is_full {
                self.close()?;
            }
        }
        self.entries_left = self.entries_left.saturating_sub(entries.len() as u64);
        Ok(Placed { entries, pieces, shared: Arc::clone(&self.shared) })
    }

    fn begin(&mut self) -> Result<OpenPart> {
        self.count += 1;
        if self.count > PARTS_MAX {
            return Err(Error::Output {
                path: self.dir.clone(),
                message: format!("more than {PARTS_MAX} parts"),
                hint: Some("make parts larger with --part-lines or --part-bytes".to_owned()),
            });
        }
        let expected = self.audience.user_type.is_hashed().then(|| {
            let lines = self.limits.lines.min(self.entries_left);
            let bytes = lines.saturating_mul(hex::LINE_BYTES as u64);
            bytes.min(self.limits.bytes.unwrap_or(u64::MAX))
        });
        let part = Part::create(&self.dir, &self.audience.label, self.count, expected)?;
        Ok(OpenPart { part: Arc::new(part), room: self.limits, lines: 0, bytes: 0 })
    }

    /// No more entries go into the open part.
    fn close(&mut self) -> Result<()> {
        let Some(OpenPart { part, lines, bytes, .. }) = self.open.take() else { return Ok(()) };
        part.lines.store(lines, Ordering::Relaxed);
        part.bytes.store(bytes, Ordering::Relaxed);
        self.shared.count_down(&part, OPEN)
    }
}

impl Placed {
    /// The part that the last of the entries are written to, if there are any: it may be one that is only begun.
    pub fn part(&self) -> Option<u64> {
        self.pieces.last().map(|piece| piece.part.number)
    }

    /// Writes the entries to their places, and gives them back: their memory can be used again.
    pub fn write(self) -> Result<Entries> {
        let buffers = &self.shared.buffers;
        let mut buffer = buffers.take();
        for piece in &self.pieces {
            piece.write(&self.entries, self.shared.kernel, &mut buffer)?;
        }
        buffers.give(buffer);
        for Piece { part, entries, offset } in &self.pieces {
            let bytes = match self.entries {
                Entries::Digests(_) => entries.len() * hex::LINE_BYTES,
                Entries::Lines { .. } => entries.len(),
            };
            let bytes = bytes as u64;
            self.shared.seals.begin(part, *offset..offset + bytes);
            self.shared.count_down(part, bytes)?;
        }
        Ok(self.entries)
    }
}

impl Piece {
    fn write(&self, entries: &Entries, kernel: Kernel, buffer: &mut Vec<u8>) -> Result<()> {
        let mut offset = self.offset;
        if offset == 0 {
            self.part.preallocate();
        }
        let mut write = |text: &[u8]| {
            let written = self.part.file.write_all_at(text, offset);
            offset += text.len() as u64;
            written.map_err(|error| Error::writing("write", &self.part.path, error))
        };
        match entries {
            Entries::Digests(digests) => digests[self.entries.clone()]
                .chunks(WRITE_BYTES / hex::LINE_BYTES)
                .try_for_each(|digests| {
                    hex::lines(kernel, digests, buffer);
                    write(buffer)
                }),
            Entries::Lines { text, .. } => {
                text[self.entries.clone()].chunks(WRITE_BYTES).try_for_each(write)
            }
        }
    }
}

impl Shared {
    /// So many bytes of a part are no longer waited for; at 0 it is complete.
    fn count_down(&self, part: &Arc<Part>, bytes: u64) -> Result<()> {
        // Whoever comes to 0 must see what the others wrote about the part.
        if part.bytes_left.fetch_sub(bytes, Ordering::AcqRel) == bytes {
            part.cut()?;
            self.seals.seal(part)?;
        }
        Ok(())
    }
}

fn end_of(entries: &Entries) -> usize {
    match entries {
        Entries::Digests(digests) => digests.len(),
        Entries::Lines { text, .. } => text.len(),
    }
}

/// Lines and bytes of a piece.
struct Used {
    lines: u64,
    bytes: u64,
}

/// Counts how far entries from `from` on fit into the room, and what they use of it.
fn cut(entries: &Entries, from: usize, room: PartLimits, is_fresh: bool) -> (usize, Used) {
    let at_least = u64::from(is_fresh);
    match entries {
        Entries::Digests(digests) => {
            let line_bytes = hex::LINE_BYTES as u64;
            let by_bytes = room.bytes.map_or(u64::MAX, |bytes| bytes / line_bytes);
            let lines = by_bytes.max(at_least).min(room.lines).min((digests.len() - from) as u64);
            let to = from + usize::try_from(lines).expect("at most the digests there are");
            (to, Used { lines, bytes: lines * line_bytes })
        }
        // Nearly always all of them fit, and nobody needs to look for line ends.
        Entries::Lines { text, count }
            if from == 0
                && *count as u64 <= room.lines
                && room.bytes.is_none_or(|bytes| text.len() as u64 <= bytes) =>
        {
            (text.len(), Used { lines: *count as u64, bytes: text.len() as u64 })
        }
        Entries::Lines { text, .. } => {
            let (mut to, mut lines) = (from, 0);
            while to < text.len() && lines < room.lines {
                let next = memchr::memchr(b'\n', &text[to..]).map_or(text.len(), |at| to + at + 1);
                let is_over = room.bytes.is_some_and(|bytes| (next - from) as u64 > bytes);
                if is_over && lines >= at_least {
                    break;
                }
                to = next;
                lines += 1;
            }
            (to, Used { lines, bytes: (to - from) as u64 })
        }
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::user_type::UserType;

    fn parts_of(entries: Vec<Entries>, lines: u64, bytes: Option<u64>) -> Vec<(u64, u64)> {
        let dir = tempfile::tempdir().expect("temporary folder");
        let limits = PartLimits { lines, bytes };
        let count = entries.iter().map(|entries| entries.len() as u64).sum();
        let kernel = Kernel::default();
        let audience = AudienceSpec {
            label: "a".parse().expect("a label"),
            ..AudienceSpec::new(UserType::EmailHash, None)
        };
        let ((), parts) = write_parts(dir.path(), &audience, limits, count, kernel, 2, |parts| {
            let placed: Result<Vec<Placed>> =
                entries.into_iter().map(|entries| parts.place(entries)).collect();
            // Any order will do.
            placed?.into_iter().rev().try_for_each(|placed| placed.write().map(drop))
        })
        .expect("writes");
        for part in &parts {
            let text = std::fs::read(dir.path().join(&part.file)).expect("reads");
            assert_eq!(const_hex::encode(Sha256::digest(&text)), part.sha256);
            assert_eq!(text.len() as u64, part.bytes);
            assert_eq!(memchr::memchr_iter(b'\n', &text).count() as u64, part.lines);
            assert!(!text.contains(&0));
        }
        for (index, part) in parts.iter().enumerate() {
            assert_eq!(part.file, format!("a-{:05}.txt", index + 1));
        }
        parts.iter().map(|part| (part.lines, part.bytes)).collect()
    }

    fn lines(count: usize) -> Entries {
        Entries::Lines { text: b"12345\n".repeat(count), count }
    }

    #[test]
    fn parts_are_full_but_the_last() {
        assert_eq!(parts_of(vec![lines(5), lines(4)], 4, None), [(4, 24), (4, 24), (1, 6)]);
        assert_eq!(parts_of(vec![lines(8)], 4, None), [(4, 24), (4, 24)]);
        assert_eq!(parts_of(vec![lines(5)], 100, Some(13)), [(2, 12), (2, 12), (1, 6)]);
        assert_eq!(parts_of(vec![], 4, None), []);
        let digests = Entries::Digests(vec![[7; 32]; 5]);
        assert_eq!(parts_of(vec![digests], 100, Some(130)), [(2, 130), (2, 130), (1, 65)]);
    }

    #[test]
    fn a_part_holds_at_least_one_entry() {
        assert_eq!(parts_of(vec![lines(2)], 100, Some(1)), [(1, 6), (1, 6)]);
        let digests = Entries::Digests(vec![[7; 32]; 2]);
        assert_eq!(parts_of(vec![digests], 100, Some(1)), [(1, 65), (1, 65)]);
    }

    #[test]
    fn entries_of_many_pieces_lie_one_behind_the_other() {
        let digests = |from: u32, to: u32| {
            let digest = |n: u32| {
                let mut digest = [0; 32];
                digest[28..].copy_from_slice(&n.to_be_bytes());
                digest
            };
            Entries::Digests((from..to).map(digest).collect())
        };
        let pieces = vec![digests(0, 3), digests(3, 30_000), digests(30_000, 30_001)];
        assert_eq!(parts_of(pieces, 20_000, None), [(20_000, 1_300_000), (10_001, 650_065)]);
    }
}
