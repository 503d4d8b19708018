//! Members of gzip. BGZF, which `bgzip` writes, says how long they are. Others begin with ten bytes that hardly ever stand
//! elsewhere: where they do, the piece before is torn, and no piece.

use std::io;

use memchr::memmem::Finder;

use super::window::Window;
use super::{Cut, Piece, Splitter};
use crate::limits::{MEMBER_BYTES_MAX, PIECE_BYTES, PIECE_PACKED_BYTES};

/// Length of a header without anything optional.
const HEADER_BYTES: usize = 10;

/// Length of a checksum and of the length behind it.
const TRAILER_BYTES: usize = 8;

/// Length of a BGZF header: one extra field, which has the length of the member.
const BGZF_HEADER_BYTES: usize = 18;

/// Splits between members.
pub(super) struct Gzip {
    finder: Finder<'static>,
    is_first: bool,
}

impl Default for Gzip {
    fn default() -> Self {
        Self { finder: Finder::new(b"\x1f\x8b\x08"), is_first: true }
    }
}

impl Splitter for Gzip {
    fn cut(&mut self, window: &mut Window) -> io::Result<Cut> {
        let restart = window.mark();
        let is_first = std::mem::take(&mut self.is_first);
        let (mut packed, mut bytes_max) = (0, 0);
        while packed < PIECE_PACKED_BYTES && bytes_max < PIECE_BYTES {
            let Some(len) = self.member(window, packed)? else { break };
            let trailer = &window.bytes()[packed + len - 4..packed + len];
            let bytes = trailer.try_into().map_or(u32::MAX, u32::from_le_bytes) as usize;
            // A piece that is too large with this member can do without it.
            if packed > 0 && bytes_max.saturating_add(bytes) > window.limit() {
                break;
            }
            packed += len;
            bytes_max = bytes_max.saturating_add(bytes);
        }
        if packed == 0 {
            return Ok(if window.has(1)? { Cut::Rest(restart) } else { Cut::End });
        }
        // A file of one member is not split.
        let is_all = is_first && !window.has(packed + 1)?;
        if is_all || packed > window.limit() || bytes_max > window.limit() {
            return Ok(Cut::Rest(restart));
        }
        Ok(Cut::Piece(Piece { packed: window.take(packed), bytes_max, restart }))
    }
}

impl Gzip {
    /// Length of the member that begins so far behind the window's begin, if it is known.
    fn member(&self, window: &mut Window, at: usize) -> io::Result<Option<usize>> {
        if window.has(at + BGZF_HEADER_BYTES)?
            && let Some(len) = bgzf_member(&window.bytes()[at..])
        {
            return Ok(window.has(at + len)?.then_some(len));
        }
        if !window.has(at + HEADER_BYTES)? || !is_header(&window.bytes()[at..]) {
            return Ok(None);
        }
        let mut from = at + HEADER_BYTES + TRAILER_BYTES;
        loop {
            let is_there = window.has(from + HEADER_BYTES)?;
            let bytes = window.bytes();
            let found = bytes.get(from..).and_then(|rest| self.finder.find(rest));
            match found.map(|found| from + found) {
                Some(next) if next + HEADER_BYTES > bytes.len() && is_there => from = next,
                Some(next) if is_header(&bytes[next..]) => return Ok(Some(next - at)),
                Some(next) => from = next + 1,
                // The last member.
                None if !is_there => {
                    let len = bytes.len() - at;
                    return Ok((len >= HEADER_BYTES + TRAILER_BYTES).then_some(len));
                }
                None if bytes.len() - at > MEMBER_BYTES_MAX => return Ok(None),
                None => from = from.max(bytes.len() - 2),
            }
        }
    }
}

/// True for what looks like the header of a member.
fn is_header(bytes: &[u8]) -> bool {
    let is_compressor = |extra, system| matches!((extra, system), (0 | 2 | 4, 0..=13 | 255));
    matches!(bytes, [0x1f, 0x8b, 8, flags, _, _, _, _, extra, system, ..]
        if flags & 0xe0 == 0 && is_compressor(*extra, *system))
}

/// Length of a member, if its header says so.
fn bgzf_member(bytes: &[u8]) -> Option<usize> {
    let header = bytes.first_chunk::<BGZF_HEADER_BYTES>()?;
    let is_bgzf = header[..4] == [0x1f, 0x8b, 8, 4] && header[10..16] == [6, 0, b'B', b'C', 2, 0];
    let len = usize::from(u16::from_le_bytes([header[16], header[17]])) + 1;
    (is_bgzf && len >= BGZF_HEADER_BYTES + TRAILER_BYTES).then_some(len)
}
