//! Decoding one compressed file on several threads, where its format says where it can be split.
//!
//! ```text
//! file     -> window -> splitter: pieces that decode by themselves      members, frames, blocks
//! pieces   -> threads of this file, and whoever reads it and would wait
//! decoded  -> handed over in the order of the file
//! ```
//!
//! A piece is made a complete small file of its format, and the decoder that reads whole files decodes it. Whenever
//! something is not as expected (a piece that is too large, damaged, torn, or none at all), what was handed over stays, and
//! that same decoder reads on from the last place where it can begin. So bytes and errors are those of reading in one go, and
//! a splitter may guess.

mod bzip2;
mod gzip;
#[cfg(test)]
mod tests;
mod window;
mod xz;
mod zstd;

use std::collections::VecDeque;
use std::io::{self, Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{Builder, JoinHandle};

use self::window::Window;
use super::Counting;
use super::compression::Compression;
use super::filled::Filled;
use super::stored::Stored;
use crate::limits::{PIECE_BYTES, PIECE_BYTES_MAX, PIECES_PER_THREAD};
use crate::mutex;

/// Means to decode one file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Means {
    /// Threads, with the one that reads.
    pub(crate) threads: usize,
    /// Memory in bytes for pieces and what they become.
    pub(crate) bytes: u64,
}

impl Means {
    /// One thread.
    #[cfg(any(test, fuzzing))]
    pub(crate) const ALONE: Self = Self { threads: 1, bytes: 0 };
}

/// Compressed bytes that are a file by themselves.
struct Piece {
    packed: Vec<u8>,
    /// Most bytes that they become.
    bytes_max: usize,
    /// Place in the file where a decoder can begin that is to decode them: of this piece or of one before it.
    restart: u64,
}

/// Next step of a splitter.
enum Cut {
    Piece(Piece),
    /// What follows is decoded in one go, from this place in the file on.
    Rest(u64),
    End,
}

/// Finds the pieces of a format.
trait Splitter: Send {
    fn cut(&mut self, window: &mut Window) -> io::Result<Cut>;
}

/// Decoded bytes of a file.
pub(super) struct Ahead {
    compression: Compression,
    means: Means,
    stored: Stored,
    window: Window,
    splitter: Box<dyn Splitter>,
    /// What the splitter found that is no piece.
    stopped: Option<Cut>,
    shared: Arc<Shared>,
    helpers: Vec<JoinHandle<()>>,
    /// Decoded bytes that are handed over.
    decoded: Filled,
    /// Number of these that were read.
    read: usize,
    /// Where a decoder can begin that is to decode what follows, and how much of what it gives was handed over.
    restart: u64,
    handed_over: u64,
    rest: Option<Box<dyn Read + Send>>,
}

/// What the threads look at.
struct Shared {
    state: Mutex<State>,
    moved: Condvar,
    compression: Compression,
}

#[derive(Default)]
struct State {
    slots: VecDeque<Slot>,
    /// Number of the first slot.
    first: u64,
    /// Memory of all slots.
    bytes: u64,
    /// Buffers to be used again.
    spare: Vec<Vec<u8>>,
    is_over: bool,
}

struct Slot {
    restart: u64,
    bytes: u64,
    work: Work,
}

enum Work {
    Waiting(Piece),
    UnderWay,
    /// `None` if it was not what it should be.
    Done(Option<Filled>),
}

impl Ahead {
    /// Decodes a file from its beginning, if its format can be split and the means are enough; else `None`.
    pub(super) fn new(
        stored: &Stored,
        compression: Compression,
        progress: &Arc<AtomicU64>,
        means: Means,
    ) -> Option<Self> {
        let splitter: Box<dyn Splitter> = match compression {
            Compression::Gzip => Box::new(gzip::Gzip::default()),
            Compression::Zstd => Box::new(zstd::Zstd),
            Compression::Bzip2 => Box::new(bzip2::Bzip2::default()),
            Compression::Xz => Box::new(xz::Xz::default()),
            Compression::None => return None,
        };
        if means.threads < 2 {
            return None;
        }
        let limit = usize::try_from(means.bytes / 8).unwrap_or(usize::MAX).min(PIECE_BYTES_MAX);
        let shared = Shared { state: Mutex::default(), moved: Condvar::new(), compression };
        Some(Self {
            compression,
            means,
            stored: stored.clone(),
            window: Window::new(stored.reader(0, means.bytes / 2), Arc::clone(progress), limit),
            splitter,
            stopped: None,
            shared: Arc::new(shared),
            helpers: Vec::new(),
            decoded: Filled::default(),
            read: 0,
            restart: 0,
            handed_over: 0,
            rest: None,
        })
    }

    /// Finds pieces while there is room for them.
    fn find_pieces(&mut self) {
        while self.stopped.is_none() {
            let state = mutex::lock(&self.shared.state);
            let has_room = state.slots.len() < PIECES_PER_THREAD * self.means.threads
                && state.bytes < self.means.bytes / 2;
            if !state.slots.is_empty() && !has_room {
                return;
            }
            drop(state);
            let piece = match self.splitter.cut(&mut self.window) {
                Ok(Cut::Piece(piece)) => piece,
                Ok(stopped) => return self.stopped = Some(stopped),
                // Whoever reads it again finds the same error, behind what is before it.
                Err(_) => return self.stopped = Some(Cut::Rest(self.window.restart())),
            };
            // A decoder may hold as much as it gives.
            let bytes = (piece.packed.len() + 2 * piece.bytes_max) as u64;
            let mut state = mutex::lock(&self.shared.state);
            state.bytes += bytes;
            let slot = Slot { restart: piece.restart, bytes, work: Work::Waiting(piece) };
            state.slots.push_back(slot);
            let are_many = state.slots.len() > 1;
            drop(state);
            self.shared.moved.notify_one();
            if are_many && self.helpers.len() + 1 < self.means.threads {
                self.help();
            }
        }
    }

    /// Starts one more thread. Without it the others do its work.
    fn help(&mut self) {
        let shared = Arc::clone(&self.shared);
        let work = move || {
            while let Some((number, piece)) = shared.wait_for_piece() {
                shared.decode(number, piece);
            }
        };
        let helper = Builder::new().name("throng-decode".to_owned()).spawn(work);
        self.helpers.extend(helper);
    }

    /// Takes what the next piece has become; `None` behind the last one, or if it is to be read in one go.
    fn next_decoded(&mut self) -> Option<Filled> {
        loop {
            self.find_pieces();
            let mut state = mutex::lock(&self.shared.state);
            let front = state.slots.front()?;
            if matches!(front.work, Work::Done(_)) {
                let Slot { restart, bytes, work } = state.slots.pop_front()?;
                state.first += 1;
                state.bytes -= bytes;
                if restart != self.restart {
                    (self.restart, self.handed_over) = (restart, 0);
                }
                let Work::Done(Some(decoded)) = work else {
                    state.slots.clear();
                    drop(state);
                    self.stopped = Some(Cut::Rest(restart));
                    return None;
                };
                self.handed_over += decoded.len() as u64;
                return Some(decoded);
            }
            // Rather than wait, what comes later is done.
            if let Some((number, piece)) = state.take_piece() {
                drop(state);
                self.shared.decode(number, piece);
            } else {
                drop(mutex::wait(&self.shared.moved, state));
            }
        }
    }

    /// Reads on without splitting anything.
    fn read_rest(&mut self, from: u64) -> io::Result<()> {
        self.stop_helpers();
        let handed_over = if from == self.restart { self.handed_over } else { 0 };
        // What the window has read is counted.
        let uncounted = self.window.read_to().saturating_sub(from);
        let inner = self.stored.reader(from, self.means.bytes / 2);
        let count = self.window.progress();
        let raw = Box::new(Counting { inner, count, uncounted });
        let mut rest = self.compression.decoder(raw)?;
        io::copy(&mut (&mut rest).take(handed_over), &mut io::sink())?;
        self.rest = Some(rest);
        Ok(())
    }

    fn stop_helpers(&mut self) {
        mutex::lock(&self.shared.state).is_over = true;
        self.shared.moved.notify_all();
        for helper in self.helpers.drain(..) {
            // A panic is the run's end anyway: what it was to decode is missing.
            drop(helper.join());
        }
    }
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(rest) = &mut self.rest {
                return rest.read(buffer);
            }
            let len = buffer.len().min(self.decoded.len() - self.read);
            if len > 0 || buffer.is_empty() {
                buffer[..len].copy_from_slice(&self.decoded[self.read..][..len]);
                self.read += len;
                return Ok(len);
            }
            let done = std::mem::take(&mut self.decoded).into_buffer();
            self.read = 0;
            mutex::lock(&self.shared.state).keep(done);
            if let Some(decoded) = self.next_decoded() {
                self.decoded = decoded;
                continue;
            }
            match self.stopped {
                Some(Cut::Rest(from)) => self.read_rest(from)?,
                _ => return Ok(0),
            }
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.stop_helpers();
    }
}

impl State {
    /// Keeps a buffer to be used again, if it is of the usual size.
    fn keep(&mut self, buffer: Vec<u8>) {
        if (1..=8 * PIECE_BYTES).contains(&buffer.capacity()) {
            self.spare.push(buffer);
        }
    }

    /// The first piece that nobody has begun, and its number.
    fn take_piece(&mut self) -> Option<(u64, Piece)> {
        let is_waiting = |slot: &Slot| matches!(slot.work, Work::Waiting(_));
        let at = self.slots.iter().position(is_waiting)?;
        let work = std::mem::replace(&mut self.slots[at].work, Work::UnderWay);
        let Work::Waiting(piece) = work else { return None };
        Some((self.first + at as u64, piece))
    }
}

impl Shared {
    /// Waits for a piece; `None` when there will be no more.
    fn wait_for_piece(&self) -> Option<(u64, Piece)> {
        let mut state = mutex::lock(&self.state);
        while !state.is_over {
            if let Some(piece) = state.take_piece() {
                return Some(piece);
            }
            state = mutex::wait(&self.moved, state);
        }
        None
    }

    fn decode(&self, number: u64, piece: Piece) {
        let buffer = mutex::lock(&self.state).spare.pop().unwrap_or_default();
        let mut decoded = Filled::none(buffer);
        // Whoever waits for it must not wait for ever: if its decoder panics, so does the one that reads all.
        let decode = AssertUnwindSafe(|| piece.decode(self.compression, &mut decoded));
        let is_right = catch_unwind(decode).unwrap_or(false);
        let mut state = mutex::lock(&self.state);
        let at = number.checked_sub(state.first).and_then(|at| usize::try_from(at).ok());
        if let Some(slot) = at.and_then(|at| state.slots.get_mut(at)) {
            slot.work = Work::Done(is_right.then_some(decoded));
        }
        drop(state);
        self.moved.notify_all();
    }
}

impl Piece {
    /// Decodes it; `false` if it is not what it should be.
    fn decode(self, compression: Compression, decoded: &mut Filled) -> bool {
        let Ok(mut reader) = compression.decoder(Box::new(Cursor::new(self.packed))) else {
            return false;
        };
        // Most become much less than they may.
        while decoded.len() <= self.bytes_max {
            let step = PIECE_BYTES.min(self.bytes_max + 1 - decoded.len());
            match decoded.read(&mut reader, step) {
                Ok(len) if len < step => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
        false
    }
}
