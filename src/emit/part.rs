//! Upload files: one entry a line, cut into parts, written and hashed by several threads.
//!
//! Entries come in order, and each part belongs to one writer thread, so that the digests of parts, which can only be
//! computed from front to back, are computed side by side.

use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};
use sha2::{Digest as _, Sha256};

use super::PartManifest;
use super::staging::create_file;
use crate::config::{PARTS_MAX, WRITE_BYTES};
use crate::dedup::Entries;
use crate::error::{Error, Result};
use crate::normalize::UserType;

/// Bytes of a digest in hex with its line end.
const HEX_LINE_BYTES: usize = 65;

/// Pieces of parts that wait for a writer.
const PIECES_WAITING: usize = 2;

/// Most threads that write.
const WRITERS_MAX: usize = 4;

/// When a part is full.
#[derive(Clone, Copy, Debug)]
pub struct PartLimits {
    /// Most entries; at least 1.
    pub lines: u64,
    /// Most bytes. A part holds at least one entry, whatever this says.
    pub bytes: Option<u64>,
}

/// What a writer is told.
enum Job {
    Open(u64),
    /// Digests by index, lines by byte.
    Piece(Arc<Entries>, Range<usize>),
    Close,
}

/// Cuts entries into parts and passes them to their writers.
#[derive(Debug)]
pub struct PartSplitter {
    limits: PartLimits,
    writers: Vec<Sender<Job>>,
    /// Parts begun so far.
    parts: u64,
    /// What the open part still takes; `None` if no part is open.
    room: Option<PartLimits>,
    path: PathBuf,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}

/// Writes the parts of an audience into `dir`. `body` pushes the entries; its result and the parts are returned.
pub fn write_parts<T>(
    dir: &Path,
    user_type: UserType,
    limits: PartLimits,
    threads: usize,
    body: impl FnOnce(&mut PartSplitter) -> Result<T>,
) -> Result<(T, Vec<PartManifest>)> {
    std::thread::scope(|scope| {
        let mut writers = Vec::new();
        let mut handles = Vec::new();
        for _ in 0..threads.clamp(1, WRITERS_MAX) {
            let (sender, jobs) = bounded(PIECES_WAITING);
            writers.push(sender);
            handles.push(scope.spawn(move || run_writer(dir, user_type, jobs)));
        }
        let mut splitter =
            PartSplitter { limits, writers, parts: 0, room: None, path: dir.to_owned() };
        let pushed = body(&mut splitter).and_then(|result| splitter.close().map(|()| result));
        // Without senders the writers end.
        drop(splitter);
        let mut parts = Vec::new();
        for handle in handles {
            let written = handle.join().unwrap_or(Err(Error::Internal("a part's writer panicked")));
            parts.extend(written?);
        }
        parts.sort_by(|a: &PartManifest, b| a.file.cmp(&b.file));
        Ok((pushed?, parts))
    })
}

impl PartSplitter {
    /// Adds entries behind those that were added before.
    pub fn push(&mut self, entries: Entries) -> Result<()> {
        let entries = Arc::new(entries);
        let end = end_of(&entries);
        let mut from = 0;
        while from < end {
            let room = match self.room {
                Some(room) => room,
                None => self.open()?,
            };
            let is_fresh = room.lines == self.limits.lines && room.bytes == self.limits.bytes;
            let (to, used) = cut(&entries, from, room, is_fresh);
            if to > from {
                self.send(Job::Piece(Arc::clone(&entries), from..to))?;
            }
            from = to;
            let left = PartLimits {
                lines: room.lines - used.lines,
                bytes: room.bytes.map(|bytes| bytes.saturating_sub(used.bytes.unwrap_or(0))),
            };
            self.room = Some(left);
            if left.lines == 0 || left.bytes == Some(0) || from < end {
                self.close()?;
            }
        }
        Ok(())
    }

    fn open(&mut self) -> Result<PartLimits> {
        self.parts += 1;
        if self.parts > PARTS_MAX {
            return Err(Error::Output {
                path: self.path.clone(),
                message: format!("more than {PARTS_MAX} parts"),
                hint: Some("make parts larger with --part-lines or --part-bytes".to_owned()),
            });
        }
        self.room = Some(self.limits);
        self.send(Job::Open(self.parts))?;
        Ok(self.limits)
    }

    fn close(&mut self) -> Result<()> {
        if self.room.take().is_some() {
            self.send(Job::Close)?;
        }
        Ok(())
    }

    fn send(&self, job: Job) -> Result<()> {
        let writer =
            usize::try_from(self.parts).expect("at most 99,999 parts") % self.writers.len();
        // A writer is gone only if it failed; its own error goes before this one.
        self.writers[writer].send(job).map_err(|_| Error::Internal("a part's writer stopped"))
    }
}

fn end_of(entries: &Entries) -> usize {
    match entries {
        Entries::Digests(digests) => digests.len(),
        Entries::Lines { text, .. } => text.len(),
    }
}

/// How far entries from `from` on fit into the room, and what they use of it.
fn cut(entries: &Entries, from: usize, room: PartLimits, is_fresh: bool) -> (usize, PartLimits) {
    let at_least = u64::from(is_fresh);
    match entries {
        Entries::Digests(digests) => {
            let by_bytes = room.bytes.map_or(u64::MAX, |bytes| bytes / HEX_LINE_BYTES as u64);
            let lines = by_bytes.max(at_least).min(room.lines).min((digests.len() - from) as u64);
            let used = PartLimits { lines, bytes: Some(lines * HEX_LINE_BYTES as u64) };
            (from + usize::try_from(lines).expect("at most the digests there are"), used)
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
            (to, PartLimits { lines, bytes: Some((to - from) as u64) })
        }
    }
}

fn run_writer(dir: &Path, user_type: UserType, jobs: Receiver<Job>) -> Result<Vec<PartManifest>> {
    let mut done = Vec::new();
    let mut open: Option<PartWriter> = None;
    for job in jobs {
        match (job, &mut open) {
            (Job::Open(number), _) => open = Some(PartWriter::create(dir, user_type, number)?),
            (Job::Piece(entries, range), Some(part)) => part.write(&entries, range)?,
            (Job::Close, _) => done.extend(open.take().map(PartWriter::finish).transpose()?),
            (Job::Piece(..), None) => return Err(Error::Internal("a piece without a part")),
        }
    }
    Ok(done)
}

/// One part that is being written.
struct PartWriter {
    path: PathBuf,
    name: String,
    file: File,
    hasher: Sha256,
    text: Vec<u8>,
    lines: u64,
    bytes: u64,
}

impl PartWriter {
    fn create(dir: &Path, user_type: UserType, number: u64) -> Result<Self> {
        let name = format!("{user_type}-{number:05}.txt");
        let path = dir.join(&name);
        let file = create_file(&path)?;
        let text = Vec::with_capacity(WRITE_BYTES + HEX_LINE_BYTES);
        Ok(Self { path, name, file, hasher: Sha256::new(), text, lines: 0, bytes: 0 })
    }

    fn write(&mut self, entries: &Entries, range: Range<usize>) -> Result<()> {
        match entries {
            Entries::Digests(digests) => {
                for digest in &digests[range] {
                    let mut line = [b'\n'; HEX_LINE_BYTES];
                    const_hex::encode_to_slice(digest, &mut line[..HEX_LINE_BYTES - 1])
                        .expect("64 hex digits fit");
                    self.text.extend_from_slice(&line);
                    self.lines += 1;
                    if self.text.len() >= WRITE_BYTES {
                        self.flush()?;
                    }
                }
            }
            Entries::Lines { text, .. } => {
                let text = &text[range];
                self.lines += memchr::memchr_iter(b'\n', text).count() as u64;
                for piece in text.chunks(WRITE_BYTES) {
                    self.text.extend_from_slice(piece);
                    if self.text.len() >= WRITE_BYTES {
                        self.flush()?;
                    }
                }
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.hasher.update(&self.text);
        self.bytes += self.text.len() as u64;
        let written = self.file.write_all(&self.text);
        self.text.clear();
        written.map_err(|error| Error::writing("write", &self.path, error))
    }

    fn finish(mut self) -> Result<PartManifest> {
        self.flush()?;
        self.file.sync_all().map_err(|error| Error::writing("sync", &self.path, error))?;
        Ok(PartManifest {
            file: self.name,
            lines: self.lines,
            bytes: self.bytes,
            sha256: const_hex::encode(self.hasher.finalize()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts_of(entries: Vec<Entries>, lines: u64, bytes: Option<u64>) -> Vec<(u64, u64)> {
        let dir = tempfile::tempdir().expect("temporary folder");
        let limits = PartLimits { lines, bytes };
        let ((), parts) = write_parts(dir.path(), UserType::Fbid, limits, 3, |splitter| {
            entries.into_iter().try_for_each(|entries| splitter.push(entries))
        })
        .expect("writes");
        for part in &parts {
            let text = std::fs::read(dir.path().join(&part.file)).expect("reads");
            assert_eq!(const_hex::encode(Sha256::digest(&text)), part.sha256);
            assert_eq!(text.len() as u64, part.bytes);
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
}
