//! Large pieces of memory that blocks are cut from.
#![cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "stores past the cache"))]

use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

use crate::error::{Error, Result};

/// Bytes of two cache lines, which are written at once. Blocks are a multiple of them.
pub(super) const LINE_BYTES: u32 = 128;

/// A piece of memory, zero at first.
#[derive(Debug)]
pub(super) struct Slab(MmapMut);

impl Slab {
    /// Asks the system for memory, and for all of its pages at once: one by one, as they are first written to, they
    /// cost twice as much. Huge pages would cost least, but only where memory is not in pieces: else the system moves
    /// other pages out of the way first, which took a fifth of a run on a busy machine.
    pub(super) fn new(bytes: usize) -> Result<Self> {
        let map = MmapMut::map_anon(bytes).map_err(|_| {
            Error::usage(
                "the system grants less memory than --memory allows",
                "give less, or raise its limit (ulimit -v)",
            )
        })?;
        // A system that does not know how only takes longer.
        #[cfg(target_os = "linux")]
        let _advice = map.advise(memmap2::Advice::PopulateWrite);
        Ok(Self(map))
    }
}

impl Slab {
    /// Writes whole cache lines past the cache where the machine can. [`settle`] then is to be called before somebody
    /// else reads them.
    #[inline]
    pub(super) fn write_line(&mut self, at: usize, line: &[u8]) {
        write_past_cache(&mut self.0[at..at + line.len()], line);
    }
}

/// Copies a line to a place of its length, past the cache if both are whole pieces of 16 bytes.
#[inline]
fn write_past_cache(place: &mut [u8], line: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    if place.as_ptr().addr().is_multiple_of(16) && line.len().is_multiple_of(16) {
        use std::arch::x86_64::{_mm_loadu_si128, _mm_stream_si128};
        let (places, pieces) = (place.as_chunks_mut::<16>().0, line.as_chunks::<16>().0);
        for (place, piece) in places.iter_mut().zip(pieces) {
            // SAFETY: 16 bytes each; the place is aligned to as many, see above. Every x86-64 has SSE2. The
            // store is ordered before later reads of this thread, and before those of others by `settle`.
            unsafe {
                let piece = _mm_loadu_si128(piece.as_ptr().cast());
                _mm_stream_si128(place.as_mut_ptr().cast(), piece);
            }
        }
        return;
    }
    place.copy_from_slice(line);
}

/// Makes what was written past the cache visible to other threads that learn of it by the usual means.
#[inline]
pub(super) fn settle() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 has SSE.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

impl Deref for Slab {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Slab {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guarded::{Edge, Guarded};

    #[test]
    fn writes_the_line_and_nothing_else_at_every_length_and_alignment() {
        let (mut from, mut to) = (Guarded::new(), Guarded::new());
        let text: Vec<u8> = (0..=250).cycle().take(300).collect();
        for edge in Edge::BOTH {
            for (len, gap) in (0..text.len()).flat_map(|len| (0..32).map(move |gap| (len, gap))) {
                let line = from.hold(edge, len % 7, &text[..len]);
                let place = to.hold(edge, gap, &vec![0; len]);
                write_past_cache(place, line);
                settle();
                assert_eq!(place, line, "{len} {gap}");
            }
        }
    }
}
