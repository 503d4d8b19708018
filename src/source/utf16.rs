//! UTF-16 as UTF-8, while it is read. Windows writes it: `Unicode text` of Excel, `>` of PowerShell, `bcp -w`, reports of
//! SQL Server.
//!
//! What cannot be decoded becomes a byte that no UTF-8 has, so that the value it stands in is rejected as `invalid_utf8` at its
//! place. A file that is UTF-16 only in its beginning would become a few long lines of rare letters, and is refused.

use std::fmt;
use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult, UTF_16BE, UTF_16LE};

/// The byte of a code unit that comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteOrder {
    /// The higher one.
    Big,
    /// The lower one.
    Little,
}

/// Bytes that are read at once.
const RAW_BYTES: usize = 64 * 1024;

/// Bytes of UTF-8 that they can become, and one for what cannot be decoded.
const TEXT_BYTES: usize = RAW_BYTES / 2 * 3 + 16;

/// What stands for code units that are no text.
const NO_TEXT: u8 = 0xff;

/// Code units in a row that look like two letters of ASCII, or like one in the other byte order, of which text in Chinese has
/// some: 2 of 5 of its letters are of that kind.
const FOREIGN_MAX: usize = 32;

/// The same at the end of a file if it ends with the line end of a single byte.
const FOREIGN_MAX_AT_END: usize = 6;

/// Says that what began as UTF-16 goes on as something else, behind so many line ends.
#[derive(Debug)]
pub(super) struct OtherEncoding {
    /// Line ends before it.
    pub(super) lines: u64,
}

impl OtherEncoding {
    /// What messages say.
    pub(super) const MESSAGE: &str = "the text begins as UTF-16 and goes on as something else";
}

impl fmt::Display for OtherEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::MESSAGE)
    }
}

impl std::error::Error for OtherEncoding {}

/// Reads UTF-16 as UTF-8.
pub(super) struct Utf16<R> {
    inner: R,
    order: ByteOrder,
    decoder: Decoder,
    raw: Vec<u8>,
    /// What was read and is not decoded yet: nothing or half a code unit.
    raw_len: usize,
    text: Vec<u8>,
    text_len: usize,
    /// Bytes of `text` that were given out.
    given: usize,
    is_ended: bool,
    /// Code units in a row, up to the last, that look like something else.
    foreign: usize,
    last_byte: u8,
    lines: u64,
}

impl<R: Read> Utf16<R> {
    pub(super) fn new(inner: R, order: ByteOrder) -> Self {
        let encoding = match order {
            ByteOrder::Big => UTF_16BE,
            ByteOrder::Little => UTF_16LE,
        };
        Self {
            inner,
            order,
            decoder: encoding.new_decoder_without_bom_handling(),
            raw: vec![0; RAW_BYTES],
            raw_len: 0,
            text: vec![0; TEXT_BYTES],
            text_len: 0,
            given: 0,
            is_ended: false,
            foreign: 0,
            last_byte: 0,
            lines: 0,
        }
    }

    /// Reads and decodes some more.
    fn fill(&mut self) -> io::Result<()> {
        let len = self.inner.read(&mut self.raw[self.raw_len..])?;
        self.is_ended = len == 0;
        self.raw_len += len;
        if let Some(last) = self.raw[..self.raw_len].last() {
            self.last_byte = *last;
        }
        // Whole code units, and at the end what there is.
        let taken = if self.is_ended { self.raw_len } else { self.raw_len / 2 * 2 };
        self.look_at(taken)?;
        self.decode(taken);
        self.raw.copy_within(taken..self.raw_len, 0);
        self.raw_len -= taken;
        Ok(())
    }

    fn decode(&mut self, taken: usize) {
        (self.given, self.text_len) = (0, 0);
        let mut from = 0;
        loop {
            let (raw, text) = (&self.raw[from..taken], &mut self.text[self.text_len..]);
            let (result, read, written) =
                self.decoder.decode_to_utf8_without_replacement(raw, text, self.is_ended);
            from += read;
            self.text_len += written;
            match result {
                DecoderResult::InputEmpty => break,
                DecoderResult::OutputFull => self.text.resize(self.text.len() + TEXT_BYTES, 0),
                DecoderResult::Malformed(..) => {
                    self.text[self.text_len] = NO_TEXT;
                    self.text_len += 1;
                }
            }
        }
        let text = &self.text[..self.text_len];
        self.lines += memchr::memchr_iter(b'\n', text).count() as u64;
    }

    /// Refuses what looks like something else, which would be decoded without a fault.
    fn look_at(&mut self, taken: usize) -> io::Result<()> {
        let (units, _) = self.raw[..taken].as_chunks::<2>();
        let value = |unit: &[u8; 2]| match self.order {
            ByteOrder::Big => u16::from_be_bytes(*unit),
            ByteOrder::Little => u16::from_le_bytes(*unit),
        };
        let lines_in = |units: &[[u8; 2]]| {
            units.iter().filter(|unit| value(unit) == u16::from(b'\n')).count() as u64
        };
        for (index, unit) in units.iter().enumerate() {
            let [high, low] = value(unit).to_be_bytes();
            let is_foreign = is_ascii_text(high) && (low == 0 || is_ascii_text(low));
            self.foreign = if is_foreign { self.foreign + 1 } else { 0 };
            if self.foreign >= FOREIGN_MAX {
                return Err(other_encoding(self.lines + lines_in(&units[..index])));
            }
        }
        let ends_with_line = matches!(self.last_byte, b'\n' | b'\r');
        if self.is_ended && ends_with_line && self.foreign >= FOREIGN_MAX_AT_END {
            return Err(other_encoding(self.lines + lines_in(units)));
        }
        Ok(())
    }
}

fn other_encoding(lines: u64) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, OtherEncoding { lines })
}

fn is_ascii_text(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r')
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text_len && !self.is_ended {
            self.fill()?;
        }
        let text = &self.text[self.given..self.text_len];
        let len = text.len().min(buffer.len());
        buffer[..len].copy_from_slice(&text[..len]);
        self.given += len;
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn units(text: &str, order: ByteOrder) -> Vec<u8> {
        let bytes = |unit: u16| match order {
            ByteOrder::Big => unit.to_be_bytes(),
            ByteOrder::Little => unit.to_le_bytes(),
        };
        text.encode_utf16().flat_map(bytes).collect()
    }

    /// Hands out at most so many bytes at once.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let len = buffer.len().min(self.1);
            self.0.read(&mut buffer[..len])
        }
    }

    fn read(bytes: &[u8], order: ByteOrder, at_once: usize) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        Utf16::new(Slow(bytes, at_once), order).read_to_end(&mut text).map(|_| text)
    }

    const ORDERS: [ByteOrder; 2] = [ByteOrder::Big, ByteOrder::Little];

    proptest! {
        #[test]
        fn text_arrives_as_it_is(
            text in "[a-z@.,\n\r\u{fe0}\u{e4}\u{1f600}]{0,200}", at_once in 1_usize..9)
        {
            for order in ORDERS {
                let arrived = read(&units(&text, order), order, at_once).expect("is read");
                prop_assert_eq!(std::str::from_utf8(&arrived), Ok(&*text));
            }
        }

        /// The standard library's decoder says the same of anything.
        #[test]
        fn what_is_no_text_is_marked_at_its_place(
            units in proptest::collection::vec(
                prop_oneof![Just(0xd83d_u16), Just(0xde00), Just(0x0a), 0x61_u16..0x7b], 0..60),
            is_cut: bool, at_once in 1_usize..9)
        {
            let text = char::decode_utf16(units.iter().copied());
            let mut expected = Vec::new();
            for c in text {
                match c {
                    Ok(c) => expected.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                    Err(_) => expected.push(NO_TEXT),
                }
            }
            let mut bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
            if is_cut {
                bytes.push(b'x');
            }
            let arrived = read(&bytes, ByteOrder::Little, at_once).expect("is read");
            prop_assert!(arrived.starts_with(&expected));
            // Half a code unit is marked, once more or together with half a pair before it.
            prop_assert!(arrived.len() - expected.len() <= usize::from(is_cut));
            prop_assert!(!is_cut || arrived.ends_with(&[NO_TEXT]));
        }
    }

    #[test]
    fn what_goes_on_as_something_else_is_refused() {
        let rows = "ann@example.com\r\nbob@example.com\r\n";
        let long = rows.repeat(4);
        for order in ORDERS {
            let other = ORDERS[usize::from(order == ORDERS[0])];
            let begin = units(rows, order);
            for tail in [long.as_bytes(), &units(&long, other), b"cid@example.com\r\n"] {
                let bytes = [&begin, tail].concat();
                for at_once in [1, 7, 4096] {
                    let error = read(&bytes, order, at_once).expect_err("is refused");
                    let inner = error.get_ref().expect("says where");
                    let found = inner.downcast_ref::<OtherEncoding>().expect("is that");
                    assert_eq!(found.lines, 2);
                }
            }
            let chinese = units("王小明,上海,ann@example.com\n陈上,上上上上", order);
            assert!(read(&chinese, order, 7).is_ok());
        }
    }
}
