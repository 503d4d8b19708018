//! Blocks of entries on disk, for what the budget does not hold.
//!
//! One file for a run, without a name: the system frees it however the process ends, and nobody else can open it. It
//! is only ever appended to while inputs are read, and only read afterwards.
//!
//! Blocks that belong together are chained: each begins with the place of the one before it, so that memory holds the
//! last place of each chain and not every place. With a small limit and a large input the places alone would otherwise
//! take more memory than the limit allows.
//!
//! ```text
//! +-----------------------+---------------------+---------+-----------------------+----
//! | offset before: 8 bytes | bytes before: 4 bytes | entries | offset before: 8 bytes | ...
//! +-----------------------+---------------------+---------+-----------------------+----
//! ```
//!
//! Numbers are little-endian. A block before of 0 bytes is none.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::disk::private;
use crate::error::{Error, Result};

/// Bytes of a block's head: where the one before it begins, and how long its entries are.
const HEAD_BYTES: usize = 12;

/// Blocks of a spill file that belong together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Chain {
    /// Begin of the last block.
    offset: u64,
    /// Bytes of its entries; 0 if there are no blocks.
    len: u32,
    /// Bytes of the entries of all blocks.
    pub(super) bytes: u64,
}

/// The spill file, made when it is first needed.
#[derive(Debug)]
pub(super) struct SpillFile {
    dir: PathBuf,
    file: OnceLock<File>,
    end: AtomicU64,
}

impl SpillFile {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir, file: OnceLock::new(), end: AtomicU64::new(0) }
    }

    /// Appends a block to a chain. `buffer` is memory to work with.
    pub(super) fn append(
        &self,
        chain: &mut Chain,
        block: &[u8],
        buffer: &mut Vec<u8>,
    ) -> Result<()> {
        buffer.clear();
        buffer.extend_from_slice(&chain.offset.to_le_bytes());
        buffer.extend_from_slice(&chain.len.to_le_bytes());
        buffer.extend_from_slice(block);
        let file = self.file()?;
        let offset = self.end.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        file.write_all_at(buffer, offset).map_err(|e| self.error("write a spill file in", e))?;
        let len = u32::try_from(block.len()).expect("blocks are far below 4 GiB");
        *chain = Chain { offset, len, bytes: chain.bytes + block.len() as u64 };
        Ok(())
    }

    /// Reads the blocks of a chain, the last one first. `buffer` is memory to work with.
    pub(super) fn for_each(
        &self,
        mut chain: Chain,
        buffer: &mut Vec<u8>,
        mut on_block: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        while chain.len > 0 {
            buffer.resize(HEAD_BYTES + chain.len as usize, 0);
            self.file()?
                .read_exact_at(buffer, chain.offset)
                .map_err(|e| self.error("read a spill file in", e))?;
            let (offset, rest) = buffer.split_first_chunk().expect("a block has a head");
            let (len, block) = rest.split_first_chunk().expect("a block has a head");
            on_block(block)?;
            (chain.offset, chain.len) = (u64::from_le_bytes(*offset), u32::from_le_bytes(*len));
        }
        Ok(())
    }

    /// Bytes that were spilled.
    pub(super) fn bytes(&self) -> u64 {
        self.end.load(Ordering::Relaxed)
    }

    fn file(&self) -> Result<&File> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        let creating = |error| self.error("create a spill file in", error);
        let file = private::nameless_file(&self.dir).map_err(creating)?;
        // Another worker may have been faster; its file then is the one.
        Ok(self.file.get_or_init(|| file))
    }

    fn error(&self, operation: &'static str, source: std::io::Error) -> Error {
        Error::writing(operation, Path::new(&self.dir), source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_are_read_backwards_each_on_its_own() {
        let file = SpillFile::new(std::env::temp_dir());
        let mut chains = [Chain::default(); 3];
        let mut buffer = Vec::new();
        for n in 0..100_u8 {
            let block = vec![n; usize::from(n) + 1];
            file.append(&mut chains[usize::from(n % 2)], &block, &mut buffer).expect("spills");
        }
        for (odd, chain) in [0, 1].into_iter().zip(chains) {
            let mut found = Vec::new();
            file.for_each(chain, &mut buffer, |block| {
                assert_eq!(block.len(), usize::from(block[0]) + 1);
                found.push(block[0]);
                Ok(())
            })
            .expect("reads");
            assert!(found.into_iter().eq((0..100).rev().filter(|n| n % 2 == odd)));
        }
        assert_eq!(chains[0].bytes + chains[1].bytes, 5050);
        let nothing = |_: &[u8]| Err(Error::Internal("there is no block"));
        file.for_each(chains[2], &mut buffer, nothing).expect("is empty");
    }
}
