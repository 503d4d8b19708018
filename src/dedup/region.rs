//! Large pieces of memory that blocks are cut from.
#![expect(unsafe_code, reason = "stores past the cache, and giving memory back")]

use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

use crate::error::{Error, Result};

/// Bytes of two cache lines, which are written at once. Blocks are a multiple of them.
pub(super) const LINE_BYTES: u32 = 128;

/// Slabs of the largest region.
const REGION_SLABS_MAX: usize = 16;

/// A range of addresses of which one slab behind the other becomes memory, zero at first.
///
/// The system lets nobody touch new pages while somebody asks for addresses, and the other way round, so that many
/// threads which ask for each slab by itself wait for each other: a tenth of the time of two threads.
#[derive(Debug)]
pub(super) struct Region {
    map: MmapMut,
    /// Bytes that are memory so far.
    granted: usize,
}

impl Region {
    /// Asks the system for the addresses of the `number`-th region of a worker, counted from 0, of slabs of so many bytes:
    /// later ones are larger, so that a worker holds at most twice the addresses that it needs.
    pub(super) fn new(number: usize, slab_bytes: usize) -> Result<Self> {
        let slabs = 1 << number.min(REGION_SLABS_MAX.ilog2() as usize);
        let map = MmapMut::map_anon(slabs * slab_bytes).map_err(|_| {
            Error::usage(
                "the system grants less memory than --memory allows",
                "give less, or raise its limit (ulimit -v)",
            )
        })?;
        Ok(Self { map, granted: 0 })
    }

    /// Bytes that are memory so far.
    pub(super) fn granted(&self) -> usize {
        self.granted
    }

    /// True if all of it is memory.
    pub(super) fn is_full(&self) -> bool {
        self.granted == self.map.len()
    }

    /// Asks the system for all pages of the next slab at once: one by one, as they are first written to, they cost twice as
    /// much. Huge pages would cost least, but only where memory is not in pieces: else the system moves other pages out of
    /// the way first, which took a fifth of a run on a busy machine.
    pub(super) fn grow(&mut self, slab_bytes: usize) {
        let from = self.granted;
        self.granted = (from + slab_bytes).min(self.map.len());
        // A system that does not know how only takes longer.
        #[cfg(target_os = "linux")]
        let _advice =
            self.map.advise_range(memmap2::Advice::PopulateWrite, from, self.granted - from);
    }

    /// Gives the memory back: side by side with others, which unmapping is not.
    pub(super) fn free(self) {
        // SAFETY: the pages read as zero from here on, and nobody reads them, since the region is consumed.
        let _advice = unsafe { self.map.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
    }

    /// Writes whole cache lines past the cache where the machine can. [`settle`] then is to be called before somebody
    /// else reads them.
    #[inline]
    pub(super) fn write_line(&mut self, at: usize, line: &[u8]) {
        write_past_cache(&mut self.map[at..at + line.len()], line);
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

impl Deref for Region {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}

impl DerefMut for Region {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.map
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guarded::{Edge, Guarded};

    #[test]
    fn regions_grow_slab_by_slab_and_are_larger_later() {
        const SLAB: usize = 8192;
        for (number, slabs) in [(0, 1), (1, 2), (4, 16), (5, 16), (100, 16)] {
            let mut region = Region::new(number, SLAB).expect("addresses");
            for slab in 0..slabs {
                assert!(!region.is_full());
                region.grow(SLAB);
                assert_eq!(region.granted(), (slab + 1) * SLAB);
                region[slab * SLAB..].fill(7);
            }
            assert!(region.is_full());
            region.free();
        }
    }

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
