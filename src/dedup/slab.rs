//! Large pieces of memory that blocks are cut from.

use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

use crate::error::{Error, Result};

/// A piece of memory, zero at first.
#[derive(Debug)]
pub(super) struct Slab(MmapMut);

impl Slab {
    /// Asks the system for memory, in large pages if it has them.
    pub(super) fn new(bytes: usize) -> Result<Self> {
        let map = MmapMut::map_anon(bytes)
            .map_err(|_| Error::Internal("the system grants no memory within the limit"))?;
        // The system may know no large pages; small ones only cost time.
        #[cfg(target_os = "linux")]
        let _advice = map.advise(memmap2::Advice::HugePage);
        Ok(Self(map))
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
