//! Places of a byte in a chunk, 64 bytes at once where the machine can.
#![cfg_attr(
    target_arch = "x86_64",
    expect(unsafe_code, reason = "loads of vectors, and a function for an instruction set")
)]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    _mm512_cmpeq_epi8_mask, _mm512_loadu_si512, _mm512_maskz_loadu_epi8, _mm512_set1_epi8,
};

use crate::hash::Kernel;

/// Tells `on_place` every place of `byte`, in order.
///
/// Line ends are so frequent that finding the next one costs more than looking for it: `memchr` takes 4.3 ns a line of
/// 25 bytes, and walking over the bits of a comparison takes 2.2 (`benches/stages.rs`, `record/lines`).
#[inline]
pub(super) fn for_each_place(
    kernel: Kernel,
    bytes: &[u8],
    byte: u8,
    mut on_place: impl FnMut(usize),
) {
    #[cfg(target_arch = "x86_64")]
    if kernel.has_avx512() {
        // SAFETY: the kernel says that the machine has what the function asks for.
        unsafe { for_each_place_avx512(bytes, byte, on_place) };
        return;
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = kernel;
    memchr::memchr_iter(byte, bytes).for_each(&mut on_place);
}

/// Tells `on_place` every place of an LF, and of a CR that none follows, in order.
#[inline]
pub(super) fn for_each_line_end(kernel: Kernel, bytes: &[u8], mut on_place: impl FnMut(usize)) {
    #[cfg(target_arch = "x86_64")]
    if kernel.has_avx512() {
        // SAFETY: the kernel says that the machine has what the function asks for.
        unsafe { for_each_line_end_avx512(bytes, on_place) };
        return;
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = kernel;
    let is_end = |at: &usize| bytes[*at] == b'\n' || bytes.get(at + 1) != Some(&b'\n');
    memchr::memchr2_iter(b'\n', b'\r', bytes).filter(is_end).for_each(&mut on_place);
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f,avx512bw,bmi1,bmi2,lzcnt,popcnt")]
fn for_each_line_end_avx512(bytes: &[u8], mut on_place: impl FnMut(usize)) {
    let (lf, cr) = (_mm512_set1_epi8(0x0a), _mm512_set1_epi8(0x0d));
    let (pieces, rest) = bytes.as_chunks::<64>();
    for (index, piece) in pieces.iter().enumerate() {
        // SAFETY: 64 bytes; the load does not ask for alignment.
        let piece = unsafe { _mm512_loadu_si512(piece.as_ptr().cast()) };
        let mut ends = _mm512_cmpeq_epi8_mask(piece, lf);
        let crs = _mm512_cmpeq_epi8_mask(piece, cr);
        if crs != 0 {
            let is_next = bytes.get(index * 64 + 64) == Some(&b'\n');
            ends |= crs & !(ends >> 1 | u64::from(is_next) << 63);
        }
        walk(index * 64, ends, &mut on_place);
    }
    let all = (1_u64 << rest.len()) - 1;
    // SAFETY: only the bytes of the rest are read; a masked load does not touch what lies beyond.
    let last = unsafe { _mm512_maskz_loadu_epi8(all, rest.as_ptr().cast()) };
    let ends = _mm512_cmpeq_epi8_mask(last, lf) & all;
    let crs = _mm512_cmpeq_epi8_mask(last, cr) & all;
    walk(pieces.len() * 64, ends | crs & !(ends >> 1), &mut on_place);
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f,avx512bw,bmi1,bmi2,lzcnt,popcnt")]
fn for_each_place_avx512(bytes: &[u8], byte: u8, mut on_place: impl FnMut(usize)) {
    let wanted = _mm512_set1_epi8(byte.cast_signed());
    let (pieces, rest) = bytes.as_chunks::<64>();
    for (index, piece) in pieces.iter().enumerate() {
        // SAFETY: 64 bytes; the load does not ask for alignment.
        let piece = unsafe { _mm512_loadu_si512(piece.as_ptr().cast()) };
        walk(index * 64, _mm512_cmpeq_epi8_mask(piece, wanted), &mut on_place);
    }
    let all = (1_u64 << rest.len()) - 1;
    // SAFETY: only the bytes of the rest are read; a masked load does not touch what lies beyond.
    let last = unsafe { _mm512_maskz_loadu_epi8(all, rest.as_ptr().cast()) };
    walk(pieces.len() * 64, _mm512_cmpeq_epi8_mask(last, wanted) & all, &mut on_place);
}

/// Tells the places of the bits that are set.
#[cfg(target_arch = "x86_64")]
#[inline]
fn walk(start: usize, mut found: u64, on_place: &mut impl FnMut(usize)) {
    while found != 0 {
        on_place(start + found.trailing_zeros() as usize);
        found &= found - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{Csv, Reading};
    use crate::guarded::{Edge, Guarded};
    use crate::record::{CsvReader, Records, read_lines};

    #[test]
    fn every_kernel_finds_every_place_at_every_length() {
        let bytes: Vec<u8> = (0..400_u32).map(|at| u8::from(at * at % 7 >= 2)).collect();
        for kernel in Kernel::all() {
            for len in 0..200 {
                for byte in [0, 1, 2] {
                    let bytes = &bytes[len / 3..len / 3 + len];
                    let mut found = Vec::new();
                    for_each_place(kernel, bytes, byte, |at| found.push(at));
                    let expected = bytes.iter().enumerate().filter(|(_, b)| **b == byte);
                    assert!(expected.map(|(at, _)| at).eq(found), "{} {len}", kernel.name());
                }
            }
        }
    }

    #[test]
    fn no_scanner_reads_beyond_its_chunk() {
        let text = b"1,mary@example.com,,x\r\n".repeat(20);
        let mut room = Guarded::new();
        let mut records = Records::default();
        for (kernel, edge) in Kernel::all().flat_map(|k| Edge::BOTH.map(|edge| (k, edge))) {
            for len in 0..=text.len() {
                let chunk = &*room.hold(edge, 0, &text[text.len() - len..]);
                read_lines(kernel, chunk, &mut records);
                let lines = chunk.split(|b| *b == b'\n');
                let lines = lines.map(|line| Ok(line.strip_suffix(b"\r").unwrap_or(line)));
                assert!(records.fields(chunk, 0).eq(lines.take(records.len())));
                let reader = CsvReader::new(Csv::new(b','), vec![0, 1, 5]).on(kernel);
                reader.read(chunk, Reading::Fast, &mut records).expect("short records");
                let bytes: usize = records.fields(chunk, 1).flatten().map(<[u8]>::len).sum();
                assert!(bytes <= len, "{}", kernel.name());
            }
        }
    }
}
