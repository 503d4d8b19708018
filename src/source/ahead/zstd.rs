//! Frames of Zstandard, as `pzstd` and formats with an index write them. How long one is, the lengths of its blocks say.

use std::io;

use super::window::Window;
use super::{Cut, Piece, Splitter};
use crate::limits::{PIECE_BYTES, PIECE_PACKED_BYTES};

/// Most bytes that a block becomes.
const BLOCK_BYTES: usize = 128 * 1024;

/// Splits between frames.
pub(super) struct Zstd;

/// Facts of a frame.
struct Frame {
    packed: usize,
    /// Most bytes that it becomes.
    bytes_max: usize,
}

impl Splitter for Zstd {
    fn cut(&mut self, window: &mut Window) -> io::Result<Cut> {
        let restart = window.mark();
        let (mut packed, mut bytes_max) = (0, 0_usize);
        while packed < PIECE_PACKED_BYTES && bytes_max < PIECE_BYTES {
            let Some(frame) = frame(window, packed)? else { break };
            if packed > 0 && bytes_max.saturating_add(frame.bytes_max) > window.limit() {
                break;
            }
            packed += frame.packed;
            bytes_max = bytes_max.saturating_add(frame.bytes_max);
        }
        if packed == 0 {
            return Ok(if window.has(1)? { Cut::Rest(restart) } else { Cut::End });
        }
        // A file of one frame is not split.
        let is_all = restart == 0 && !window.has(packed + 1)?;
        if is_all || bytes_max > window.limit() {
            return Ok(Cut::Rest(restart));
        }
        Ok(Cut::Piece(Piece { packed: window.take(packed), bytes_max, restart }))
    }
}

/// The frame that begins so far behind the window's begin; `None` if it is too long, or none.
fn frame(window: &mut Window, at: usize) -> io::Result<Option<Frame>> {
    if !window.has(at + 8)? {
        return Ok(None);
    }
    let limit = window.limit();
    let bytes = &window.bytes()[at..];
    if bytes[1..4] == [0x2a, 0x4d, 0x18] && bytes[0] & 0xf0 == 0x50 {
        let packed = 8 + number(&bytes[4..8]);
        let is_there = packed <= limit && window.has(at + packed)?;
        return Ok(is_there.then_some(Frame { packed, bytes_max: 0 }));
    }
    if bytes[..4] != [0x28, 0xb5, 0x2f, 0xfd] {
        return Ok(None);
    }
    let descriptor = bytes[4];
    let is_single = descriptor & 0x20 != 0;
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let content = [usize::from(is_single), 2, 4, 8][usize::from(descriptor >> 6)];
    let content_at = 5 + usize::from(!is_single) + dictionary;
    let mut len = content_at + content;
    if !window.has(at + len)? {
        return Ok(None);
    }
    let content = &window.bytes()[at + content_at..at + len];
    let content = match content.len() {
        0 => None,
        2 => Some(number(content) + 256),
        _ => Some(number(content)),
    };
    if content.is_some_and(|content| content > limit) {
        return Ok(None);
    }
    let mut blocks = 0;
    loop {
        if len > limit || !window.has(at + len + 3)? {
            return Ok(None);
        }
        let header = number(&window.bytes()[at + len..at + len + 3]);
        let (is_last, kind, size) = (header & 1 == 1, header >> 1 & 3, header >> 3);
        len += 3 + if kind == 1 { 1 } else { size };
        blocks += 1;
        if is_last {
            break;
        }
    }
    len += if descriptor & 4 == 0 { 0 } else { 4 };
    let bytes_max = content.unwrap_or(blocks * BLOCK_BYTES);
    let is_there = len <= limit && window.has(at + len)?;
    Ok(is_there.then_some(Frame { packed: len, bytes_max }))
}

/// A number of at most eight bytes, the lowest first.
fn number(bytes: &[u8]) -> usize {
    let number = bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    usize::try_from(number).unwrap_or(usize::MAX)
}
