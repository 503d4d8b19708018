//! Memory between two pages that nobody may touch, for tests: a kernel that reads or writes a byte beyond what it was
//! given is ended by the processor.
#![expect(unsafe_code, reason = "pages without access, and values of a type put into bytes")]

use std::ops::Range;
use std::{ptr, slice};

use memmap2::{MmapMut, MmapRaw};

/// Bytes between the two: whole pages on every machine.
const ROOM_BYTES: usize = 64 * 1024;

/// Filling of the room where no values are.
const UNUSED: u8 = 0xa5;

/// As far from the values as writes are looked for: what a kernel that is wrong would write with one store, and more.
const NEAR_BYTES: usize = 256;

/// The page that values are put beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    Front,
    Back,
}

impl Edge {
    pub(crate) const BOTH: [Self; 2] = [Self::Front, Self::Back];
}

/// A room that holds one slice of values at a time.
pub(crate) struct Guarded {
    pages: MmapRaw,
    used: Range<usize>,
}

impl Guarded {
    pub(crate) fn new() -> Self {
        let page = rustix::param::page_size();
        let mut pages = MmapMut::map_anon(page + ROOM_BYTES + page).expect("memory");
        pages.fill(UNUSED);
        let pages = MmapRaw::from(pages);
        for at in [0, page + ROOM_BYTES] {
            // SAFETY: a page of the mapping; no reference to it is ever made.
            let status =
                unsafe { libc::mprotect(pages.as_mut_ptr().add(at).cast(), page, libc::PROT_NONE) };
            assert_eq!(status, 0);
        }
        Self { pages, used: 0..0 }
    }

    /// Copies of values, `gap` bytes away from the page. Those that were there before are gone, and nothing may have
    /// been written beside them.
    pub(crate) fn hold<T: Copy>(&mut self, edge: Edge, gap: usize, values: &[T]) -> &mut [T] {
        self.check();
        let used = self.used.clone();
        self.room()[used].fill(UNUSED);
        let len = size_of_val(values);
        let start = match edge {
            Edge::Front => gap,
            Edge::Back => ROOM_BYTES - gap - len,
        };
        self.used = start..start + len;
        let place = self.room()[start..start + len].as_mut_ptr().cast::<T>();
        assert!(place.is_aligned(), "the gap is a multiple of the alignment");
        // SAFETY: the place has as many bytes as the values and is aligned for them; copies of them are valid, and
        // the room stays borrowed as long as they are.
        unsafe {
            ptr::copy_nonoverlapping(values.as_ptr(), place, values.len());
            slice::from_raw_parts_mut(place, values.len())
        }
    }

    fn check(&mut self) {
        let Range { start, end } = self.used;
        let room = self.room();
        let before = &room[start.saturating_sub(NEAR_BYTES)..start];
        let behind = &room[end..ROOM_BYTES.min(end + NEAR_BYTES)];
        for beside in [before, behind] {
            assert_eq!(beside, &[UNUSED; NEAR_BYTES][..beside.len()], "written beside the values");
        }
    }

    fn room(&mut self) -> &mut [u8] {
        let page = rustix::param::page_size();
        // SAFETY: the bytes between the two pages, which `self` owns, and which were filled.
        unsafe { slice::from_raw_parts_mut(self.pages.as_mut_ptr().add(page), ROOM_BYTES) }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.check();
        }
    }
}
