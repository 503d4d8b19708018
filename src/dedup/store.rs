//! Memory and disk that the scatters of one audience share.

use std::path::PathBuf;

use super::CLEAR_ENTRY_BYTES_MAX;
use super::region::LINE_BYTES;
use super::spill::SpillFile;

/// Sizes and the spill file that the scatters of one audience share.
#[derive(Debug)]
pub struct Store {
    pub(super) radix_bits: u32,
    pub(super) block_bytes: usize,
    pub(super) slab_bytes: usize,
    pub(super) spill: SpillFile,
}

impl Store {
    /// `2^radix_bits` partitions that grow by `block_bytes`, which are cut from slabs of `slab_bytes`; spill files go
    /// to `dir`.
    ///
    /// # Panics
    ///
    /// If a block is smaller than the longest entry or larger than a slab.
    pub fn new(radix_bits: u32, block_bytes: usize, slab_bytes: usize, dir: PathBuf) -> Self {
        assert!(block_bytes >= CLEAR_ENTRY_BYTES_MAX, "a block holds any entry");
        let block_bytes = block_bytes.next_multiple_of(LINE_BYTES as usize);
        assert!(block_bytes <= slab_bytes, "a slab holds a block");
        Self { radix_bits, block_bytes, slab_bytes, spill: SpillFile::new(dir) }
    }

    /// Bytes that were written to disk because memory was full.
    pub fn spilled_bytes(&self) -> u64 {
        self.spill.bytes()
    }
}
