//! The rules as a filter: one line out for each line in, so that other engines can use them.
//!
//! No state, no set: line n of the output is what line n of the input becomes, or an empty line. Input is worked on as
//! it comes; a line that was read is answered without waiting for the next one, because whoever feeds the filter may be
//! waiting for the answer.
//!
//! All memory is used again, chunk after chunk: 2 page faults a thousand lines, where fresh memory for each took 10.

use std::io::{self, Read, Write};

use rayon::ThreadPool;

use crate::buffers::Buffers;
use crate::dialect::Wrapping;
use crate::error::{Error, Result};
use crate::hash::{Digest, Kernel};
use crate::limits::{CHUNK_BYTES, IN_FLIGHT_PER_WORKER, RECORD_BYTES_MAX};
use crate::normalize::{Canonical, Normalizer, Value, Verdict};
use crate::ordered::{Steps, ordered};
use crate::reason::Reason;
use crate::record::{self, Records};
use crate::user_type::UserType;

/// The rules of a user type as a filter.
#[derive(Debug)]
pub struct Filter {
    normalizer: Normalizer,
    user_type: UserType,
}

/// Lines to be answered.
enum Piece {
    /// Whole lines, as many bytes from the beginning; the last one of the input may lack its end.
    Lines(Vec<u8>, usize),
    /// A line that is longer than the limit.
    Oversize,
}

/// What a value became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// Nothing: it is blank.
    Blank,
    /// Nothing, and why.
    Rejected(Reason),
    /// A digest.
    Digest(&'a Digest),
    /// An id in clear.
    Clear(&'a [u8]),
}

/// Memory for the work on a batch of values.
#[derive(Debug, Default)]
pub struct Batch {
    canonical: Canonical,
    verdicts: Vec<Verdict>,
    digests: Vec<Digest>,
}

/// Memory for the work on a piece.
#[derive(Debug, Default)]
struct Work {
    records: Records,
    batch: Batch,
    /// The answer.
    text: Vec<u8>,
}

impl Filter {
    /// The filter of a user type.
    pub fn new(user_type: UserType, normalizer: Normalizer) -> Self {
        Self { normalizer, user_type }
    }

    /// Answers every line of `input` on `output`. Ends quietly if nobody reads `output` any more.
    pub fn run(
        &self,
        input: impl Read + Send,
        mut output: impl Write + Send,
        pool: &ThreadPool,
    ) -> Result<()> {
        let (buffers, works) = (Buffers::default(), Buffers::default());
        let mut lines = LineReader::new(input, &buffers);
        let mut write_error = None;
        let mut is_begun = false;
        let steps = Steps {
            next: || {
                let piece = lines.next_piece();
                let piece = piece.map_err(|e| Error::reading("read", "stdin".as_ref(), e))?;
                match &piece {
                    Some(Piece::Lines(text, _)) if !is_begun => check_encoding(text)?,
                    _ => {}
                }
                is_begun = true;
                Ok(piece)
            },
            work: |piece| {
                let mut work: Work = works.take();
                match piece {
                    Piece::Lines(buffer, len) => {
                        self.answer(&buffer[..len], &mut work);
                        buffers.give(buffer);
                    }
                    Piece::Oversize => b"\n"[..].clone_into(&mut work.text),
                }
                work
            },
            sink: |work: Work| {
                let written = output.write_all(&work.text).and_then(|()| output.flush());
                written.map(|()| work).map_err(|error| {
                    write_error = Some(error);
                    Error::Internal("the output is closed")
                })
            },
            lane: |_: &_| None,
            finish: |work| {
                works.give(work);
                Ok(())
            },
        };
        let done = ordered(pool, pool.current_num_threads() * IN_FLIGHT_PER_WORKER, steps);
        match write_error {
            Some(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Some(error) => Err(Error::stdout(&error)),
            None => done,
        }
    }

    /// Tells `each` what every value became, in their order.
    pub fn batch<'a>(
        &self,
        values: impl Iterator<Item = Value<'a>>,
        memory: &mut Batch,
        mut each: impl FnMut(Answer<'_>),
    ) {
        let Batch { canonical, verdicts, digests } = memory;
        canonical.clear();
        verdicts.clear();
        self.normalizer.batch(Wrapping::Line, values, canonical, |_, _, v| verdicts.push(v));
        if self.user_type.is_hashed() {
            canonical.messages.hash(Kernel::default(), digests);
            answers(verdicts, digests.iter().map(Answer::Digest), &mut each);
        } else {
            answers(verdicts, canonical.messages.iter().map(Answer::Clear), &mut each);
        }
    }

    /// The type of the values.
    pub fn user_type(&self) -> UserType {
        self.user_type
    }

    fn answer(&self, chunk: &[u8], work: &mut Work) {
        let Work { records, batch, text } = work;
        record::read_lf_lines(Kernel::default(), chunk, records);
        let values = records.fields(chunk, 0).map(|bytes| Value { bytes, country: None });
        text.clear();
        self.batch(values, batch, |answer| {
            match answer {
                Answer::Digest(digest) => {
                    let start = text.len();
                    text.resize(start + 64, 0);
                    const_hex::encode_to_slice(digest, &mut text[start..])
                        .expect("64 hex digits fit");
                }
                Answer::Clear(id) => text.extend_from_slice(id),
                Answer::Blank | Answer::Rejected(_) => {}
            }
            text.push(b'\n');
        });
    }
}

/// Gives each verdict its entry; those of raw values come one by one.
#[inline]
fn answers<'a>(
    verdicts: &[Verdict],
    mut entries: impl Iterator<Item = Answer<'a>>,
    mut each: impl FnMut(Answer<'_>),
) {
    for verdict in verdicts {
        each(match verdict {
            Verdict::Raw(_) => entries.next().unwrap_or(Answer::Blank),
            Verdict::Prehashed(digest) => Answer::Digest(digest),
            Verdict::Rejected(reason) => Answer::Rejected(*reason),
            Verdict::Blank | Verdict::Domain => Answer::Blank,
        });
    }
}

/// Refuses text whose mark says that it is UTF-16: no line of it would get an answer.
fn check_encoding(text: &[u8]) -> Result<()> {
    if !(text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff")) {
        return Ok(());
    }
    let hint = "convert it first: iconv -f UTF-16 -t UTF-8 FILE | throng hash ...";
    Err(Error::input("stdin".as_ref(), "the text is UTF-16, not UTF-8", hint))
}

/// Cuts the input after line ends.
struct LineReader<'a, R> {
    input: R,
    /// Begin of what was read and not handed out; what lies behind `filled` is there to be overwritten.
    buffer: Vec<u8>,
    filled: usize,
    /// Buffers of pieces that were worked on.
    buffers: &'a Buffers<Vec<u8>>,
    is_skipping: bool,
    is_finished: bool,
}

impl<'a, R: Read> LineReader<'a, R> {
    fn new(input: R, buffers: &'a Buffers<Vec<u8>>) -> Self {
        let buffer = Vec::new();
        Self { input, buffer, filled: 0, buffers, is_skipping: false, is_finished: false }
    }

    fn next_piece(&mut self) -> io::Result<Option<Piece>> {
        while !self.is_finished {
            let mut scanned = self.filled;
            make_room(&mut self.buffer, scanned + CHUNK_BYTES);
            // A single read, which returns what there is.
            let read = read_some(&mut self.input, &mut self.buffer[scanned..])?;
            self.filled += read;
            if read == 0 {
                self.is_finished = true;
                let (rest, len) = (std::mem::take(&mut self.buffer), self.filled);
                return Ok((len > 0 && !self.is_skipping).then_some(Piece::Lines(rest, len)));
            }
            if self.is_skipping {
                let Some(end) = memchr::memchr(b'\n', &self.buffer[..self.filled]) else {
                    self.filled = 0;
                    continue;
                };
                self.buffer.copy_within(end + 1..self.filled, 0);
                self.filled -= end + 1;
                self.is_skipping = false;
                scanned = 0;
            }
            if let Some(end) = memchr::memrchr(b'\n', &self.buffer[scanned..self.filled]) {
                return Ok(Some(self.take(scanned + end + 1)));
            }
            if self.filled > RECORD_BYTES_MAX {
                self.filled = 0;
                self.is_skipping = true;
                return Ok(Some(Piece::Oversize));
            }
        }
        Ok(None)
    }

    /// Hands out the first `len` bytes; the rest moves to another buffer.
    fn take(&mut self, len: usize) -> Piece {
        let mut next = self.buffers.take();
        let rest = &self.buffer[len..self.filled];
        make_room(&mut next, rest.len());
        next[..rest.len()].copy_from_slice(rest);
        self.filled = rest.len();
        Piece::Lines(std::mem::replace(&mut self.buffer, next), len)
    }
}

/// Makes a buffer at least `len` bytes long.
fn make_room(buffer: &mut Vec<u8>, len: usize) {
    if buffer.len() < len {
        buffer.resize(len, 0);
    }
}

fn read_some(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalize::RuleOptions;

    /// Gives its bytes in pieces of a prime length.
    struct Dribble<'a>(&'a [u8]);

    impl Read for Dribble<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let len = self.0.len().min(7).min(buffer.len());
            buffer[..len].copy_from_slice(&self.0[..len]);
            self.0 = &self.0[len..];
            Ok(len)
        }
    }

    fn run(user_type: UserType, input: impl Read + Send) -> Vec<u8> {
        let normalizer = Normalizer::new(user_type, RuleOptions::default());
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("threads");
        let mut output = Vec::new();
        Filter::new(user_type, normalizer).run(input, &mut output, &pool).expect("filters");
        output
    }

    #[test]
    fn one_line_out_for_each_line_in() {
        let input = b"5\n\nx\r\n 7 \n\n0\n9";
        assert_eq!(run(UserType::Fbid, Dribble(input)), b"5\n\n\n7\n\n\n9\n");
        assert_eq!(run(UserType::Fbid, &input[..]), b"5\n\n\n7\n\n\n9\n");
        assert_eq!(run(UserType::Fbid, &b""[..]), b"");
    }

    #[test]
    fn a_line_over_the_limit_is_one_empty_line() {
        let mut input = b"1\n".to_vec();
        input.resize(input.len() + 3 * RECORD_BYTES_MAX, b'1');
        input.extend_from_slice(b"\n2\n");
        assert_eq!(run(UserType::Fbid, &*input), b"1\n\n2\n");
        input.truncate(input.len() - 3);
        assert_eq!(run(UserType::Fbid, &*input), b"1\n\n");
    }

    #[test]
    fn digests_are_passed_on_in_their_place() {
        let digest = "AB".repeat(32);
        let input = format!("mary@example.com\n{digest}\nnobody\n");
        let expected = format!(
            "f1904cf1a9d73a55fa5de0ac823c4403ded71afd4c3248d00bdcd0866552bb79\n{}\n\n",
            digest.to_lowercase()
        );
        assert_eq!(run(UserType::EmailHash, input.as_bytes()), expected.as_bytes());
    }
}
