//! The rules as a filter: one line out for each line in, so that other engines can use them.
//!
//! No state, no set: line n of the output is what line n of the input becomes, or an empty line. Input is worked on as
//! it comes; a line that was read is answered without waiting for the next one, because whoever feeds the filter may be
//! waiting for the answer.

use std::io::{self, Read, Write};

use rayon::ThreadPool;

use crate::config::{CHUNK_BYTES, IN_FLIGHT_PER_WORKER, RECORD_BYTES_MAX};
use crate::error::{Error, Result};
use crate::hash::{Digest, Kernel};
use crate::normalize::{Canonical, Normalizer, UserType, Value, Verdict, Wrapping};
use crate::ordered::{Steps, ordered};
use crate::record::{self, Records};

/// The rules of a user type as a filter.
#[derive(Debug)]
pub struct Filter {
    normalizer: Normalizer,
    user_type: UserType,
}

/// Lines to be answered.
enum Piece {
    /// Whole lines; the last one of the input may lack its end.
    Lines(Vec<u8>),
    /// A line that is longer than the limit.
    Oversize,
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
        let mut lines =
            LineReader { input, pending: Vec::new(), is_skipping: false, is_finished: false };
        let mut write_error = None;
        let steps = Steps {
            next: || lines.next_piece().map_err(|e| Error::reading("read", "stdin".as_ref(), e)),
            work: |piece| self.answer(&piece),
            sink: |text: Vec<u8>| {
                output.write_all(&text).and_then(|()| output.flush()).map_err(|error| {
                    write_error = Some(error);
                    Error::Internal("the output is closed")
                })
            },
            finish: Ok,
        };
        let done = ordered(pool, pool.current_num_threads() * IN_FLIGHT_PER_WORKER, steps);
        match write_error {
            Some(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Some(error) => Err(Error::stdout(&error)),
            None => done,
        }
    }

    fn answer(&self, piece: &Piece) -> Vec<u8> {
        let Piece::Lines(chunk) = piece else { return vec![b'\n'] };
        let mut records = Records::default();
        record::read_lines(Kernel::default(), chunk, b'\n', &mut records);
        let mut canonical = Canonical::default();
        let mut verdicts = Vec::with_capacity(records.len());
        let values = records.fields(chunk, 0).map(|bytes| Value { bytes, country: None });
        self.normalizer.batch(Wrapping::Line, values, &mut canonical, |_, _, v| verdicts.push(v));
        if self.user_type.is_hashed() {
            let mut digests = Vec::new();
            canonical.messages.hash(Kernel::default(), &mut digests);
            hex_lines(&verdicts, &digests)
        } else {
            clear_lines(&verdicts, &canonical)
        }
    }
}

fn hex_lines(verdicts: &[Verdict], digests: &[Digest]) -> Vec<u8> {
    let mut text = Vec::with_capacity(verdicts.len() * 65);
    let mut hashed = digests.iter();
    for verdict in verdicts {
        let digest = match verdict {
            Verdict::Raw(_) => hashed.next(),
            Verdict::Prehashed(digest) => Some(digest),
            Verdict::Blank | Verdict::Rejected(_) => None,
        };
        if let Some(digest) = digest {
            let start = text.len();
            text.resize(start + 64, 0);
            const_hex::encode_to_slice(digest, &mut text[start..]).expect("64 hex digits fit");
        }
        text.push(b'\n');
    }
    text
}

fn clear_lines(verdicts: &[Verdict], canonical: &Canonical) -> Vec<u8> {
    let mut text = Vec::new();
    let mut values = canonical.messages.iter();
    for verdict in verdicts {
        if matches!(verdict, Verdict::Raw(_)) {
            text.extend_from_slice(values.next().unwrap_or_default());
        }
        text.push(b'\n');
    }
    text
}

/// Cuts the input after line ends.
struct LineReader<R> {
    input: R,
    pending: Vec<u8>,
    is_skipping: bool,
    is_finished: bool,
}

impl<R: Read> LineReader<R> {
    fn next_piece(&mut self) -> io::Result<Option<Piece>> {
        while !self.is_finished {
            let scanned = self.pending.len();
            // A single read, which returns what there is.
            self.pending.resize(scanned + CHUNK_BYTES, 0);
            let read = read_some(&mut self.input, &mut self.pending[scanned..]);
            self.pending.truncate(scanned + *read.as_ref().unwrap_or(&0));
            if read? == 0 {
                self.is_finished = true;
                let rest = std::mem::take(&mut self.pending);
                return Ok((!rest.is_empty() && !self.is_skipping).then_some(Piece::Lines(rest)));
            }
            if self.is_skipping {
                let Some(end) = memchr::memchr(b'\n', &self.pending) else {
                    self.pending.clear();
                    continue;
                };
                self.pending.drain(..=end);
                self.is_skipping = false;
            }
            let scanned = scanned.min(self.pending.len());
            if let Some(end) = memchr::memrchr(b'\n', &self.pending[scanned..]) {
                let rest = self.pending.split_off(scanned + end + 1);
                return Ok(Some(Piece::Lines(std::mem::replace(&mut self.pending, rest))));
            }
            if self.pending.len() > RECORD_BYTES_MAX {
                self.pending.clear();
                self.is_skipping = true;
                return Ok(Some(Piece::Oversize));
            }
        }
        Ok(None)
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
