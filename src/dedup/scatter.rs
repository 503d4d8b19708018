//! Sorting entries into partitions while inputs are read.
//!
//! Each worker has a scatter of its own: for every partition an open block that entries are appended to, no lock, no
//! sharing. Digests are first staged, four to a partition, which fill two cache lines: they then go to their block past
//! the cache, because a block is not looked at again before all are full, and fetching its lines only to overwrite
//! them, and to drive out what is in use, cost as much again.
//! A full block stays where it is as long as the budget grants another one; after that it is written to the
//! spill file and used again. So the first part of a large input stays in memory and the rest goes to disk.

use super::region::{self, LINE_BYTES, Region};
use super::spill::Chain;
use super::store::Store;
use super::{Budget, CLEAR_ENTRY_BYTES_MAX, Layer, key_of};
use crate::error::Result;
use crate::hash::Digest;
use crate::role::Role;

/// One worker's entries of one audience.
#[derive(Debug)]
pub struct Scatter {
    open: Vec<OpenBlock>,
    /// Digests of each partition that are not in its block yet.
    staged: Vec<CacheLine>,
    staged_len: Vec<u8>,
    pub(super) regions: Vec<Region>,
    /// Bytes of the last region that blocks were cut from.
    used: usize,
    pub(super) extents: Vec<Extent>,
    /// For each layer that has any, the spilled blocks of each partition.
    pub(super) spilled: Vec<Vec<Chain>>,
    spill_buffer: Vec<u8>,
    layer: Layer,
}

/// The block that a partition's entries are appended to.
#[derive(Clone, Copy, Debug, Default)]
struct OpenBlock {
    region: u32,
    /// Begin of the entries of the current layer.
    from: u32,
    at: u32,
    end: u32,
}

/// Place in memory of entries of one partition and layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    pub(super) partition: u32,
    pub(super) layer: Layer,
    pub(super) scatter: u32,
    pub(super) region: u32,
    pub(super) start: u32,
    pub(super) len: u32,
}

impl Scatter {
    /// Nothing scattered yet.
    pub fn new(store: &Store) -> Self {
        Self {
            open: vec![OpenBlock::default(); 1 << store.radix_bits],
            staged: Vec::new(),
            staged_len: Vec::new(),
            regions: Vec::new(),
            used: 0,
            extents: Vec::new(),
            spilled: Vec::new(),
            spill_buffer: Vec::new(),
            layer: Layer::of(Role::Member),
        }
    }

    /// The entries from here on are of this layer.
    pub fn set_layer(&mut self, layer: Layer, store: &Store, budget: &Budget) -> Result<()> {
        if self.layer != layer {
            self.seal(store, budget)?;
            self.layer = layer;
        }
        Ok(())
    }

    /// Scatters digests.
    pub fn push_digests(
        &mut self,
        digests: &[Digest],
        store: &Store,
        budget: &Budget,
    ) -> Result<()> {
        if self.staged.is_empty() {
            self.staged = vec![CacheLine::default(); 1 << store.radix_bits];
            self.staged_len = vec![0; 1 << store.radix_bits];
        }
        for digest in digests {
            let partition = partition_of(key_of(digest), store.radix_bits);
            let len = &mut self.staged_len[partition];
            self.staged[partition].0[usize::from(*len) % LINE_DIGESTS] = *digest;
            *len += 1;
            if usize::from(*len) == LINE_DIGESTS {
                *len = 0;
                self.flush(partition, store, budget)?;
            }
        }
        region::settle();
        Ok(())
    }

    /// Appends a full line of staged digests to the block of its partition.
    #[inline]
    fn flush(&mut self, partition: usize, store: &Store, budget: &Budget) -> Result<()> {
        if ((self.open[partition].end - self.open[partition].at) as usize) < size_of::<CacheLine>()
        {
            self.turn_over(partition, store, budget)?;
        }
        let open = &mut self.open[partition];
        let line = self.staged[partition].0.as_flattened();
        self.regions[open.region as usize].write_line(open.at as usize, line);
        open.at += place(line.len());
        Ok(())
    }

    /// Scatters clear entries that lie one behind the other.
    pub fn push_clear(&mut self, mut entries: &[u8], store: &Store, budget: &Budget) -> Result<()> {
        while !entries.is_empty() {
            let (_, len) = super::clear_value(entries);
            self.push(&entries[..len], store, budget)?;
            entries = &entries[len..];
        }
        Ok(())
    }

    #[inline]
    fn push(&mut self, entry: &[u8], store: &Store, budget: &Budget) -> Result<()> {
        let partition = partition_of(key_of(entry), store.radix_bits);
        let open = &self.open[partition];
        if (open.end - open.at) as usize >= entry.len() {
            self.append(partition, entry);
            return Ok(());
        }
        self.turn_over(partition, store, budget)?;
        self.append(partition, entry);
        Ok(())
    }

    #[inline]
    fn append(&mut self, partition: usize, entry: &[u8]) {
        let open = &mut self.open[partition];
        let at = open.at as usize;
        self.regions[open.region as usize][at..at + entry.len()].copy_from_slice(entry);
        open.at += place(entry.len());
    }

    /// Makes room in a partition whose block is full.
    #[cold]
    fn turn_over(&mut self, partition: usize, store: &Store, budget: &Budget) -> Result<()> {
        let full = self.open[partition];
        if full.end == 0 {
            self.open[partition] = self.new_block(store, budget, Need::Must)?;
            return Ok(());
        }
        let next = self.new_block(store, budget, Need::May)?;
        if next.end != 0 {
            self.keep(partition);
            self.open[partition] = next;
            return Ok(());
        }
        let block = &self.regions[full.region as usize][full.from as usize..full.at as usize];
        if !block.is_empty() {
            let layer = self.layer.index();
            if self.spilled.len() <= layer {
                self.spilled.resize_with(layer + 1, Vec::new);
            }
            let chains = &mut self.spilled[layer];
            chains.resize(1 << store.radix_bits, Chain::default());
            store.spill.append(&mut chains[partition], block, &mut self.spill_buffer)?;
        }
        let open = &mut self.open[partition];
        open.at = open.from;
        // Entries of an earlier layer may have left less than an entry's room.
        if ((open.end - open.from) as usize) < CLEAR_ENTRY_BYTES_MAX {
            self.open[partition] = self.new_block(store, budget, Need::Must)?;
        }
        Ok(())
    }

    /// Cuts a block from the last region; an empty block if the budget does not grant another slab.
    fn new_block(&mut self, store: &Store, budget: &Budget, need: Need) -> Result<OpenBlock> {
        let granted = self.regions.last().map_or(0, Region::granted);
        if self.used + store.block_bytes > granted {
            let bytes = store.slab_bytes as u64;
            match need {
                Need::Must => budget.reserve(bytes),
                Need::May if budget.try_reserve(bytes) => {}
                Need::May => return Ok(OpenBlock::default()),
            }
            if self.regions.last().is_none_or(Region::is_full) {
                self.regions.push(Region::new(self.regions.len(), store.slab_bytes)?);
                self.used = 0;
            }
            if let Some(region) = self.regions.last_mut() {
                region.grow(store.slab_bytes);
            }
        }
        let start = place(self.used);
        self.used += store.block_bytes;
        let end = place(self.used);
        Ok(OpenBlock { region: place(self.regions.len() - 1), from: start, at: start, end })
    }

    /// Remembers what an open block holds of the current layer.
    fn keep(&mut self, partition: usize) {
        let open = &mut self.open[partition];
        let len = open.at - open.from;
        if len > 0 {
            self.extents.push(Extent {
                partition: place(partition),
                layer: self.layer,
                // Which scatter it is gets known when all are put together.
                scatter: 0,
                region: open.region,
                start: open.from,
                len,
            });
            open.from = open.at;
        }
    }

    /// Puts everything into blocks, and remembers what they hold. What comes after begins at whole lines again.
    pub(super) fn seal(&mut self, store: &Store, budget: &Budget) -> Result<()> {
        for partition in 0..self.staged.len() {
            let len = usize::from(std::mem::take(&mut self.staged_len[partition]));
            let line = self.staged[partition];
            for digest in &line.0[..len] {
                self.push(digest, store, budget)?;
            }
        }
        for partition in 0..self.open.len() {
            self.keep(partition);
            let open = &mut self.open[partition];
            open.at = open.at.next_multiple_of(LINE_BYTES).min(open.end);
            open.from = open.at;
        }
        Ok(())
    }
}

/// Digests that are staged of a partition.
const LINE_DIGESTS: usize = 4;

#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
struct CacheLine([Digest; LINE_DIGESTS]);

const _: () = assert!(size_of::<CacheLine>() == LINE_BYTES as usize, "a line is full of digests");

/// Need of a worker for a block.
#[derive(Clone, Copy)]
enum Need {
    Must,
    May,
}

#[inline]
fn partition_of(key: u64, radix_bits: u32) -> usize {
    // A shift by 64 is none, hence two.
    usize::try_from(key >> 1 >> (63 - radix_bits)).expect("at most 2^12 partitions")
}

/// An offset into a region, or a number of regions or partitions.
#[inline]
pub(super) fn place(position: usize) -> u32 {
    u32::try_from(position).expect("regions are far below 4 GiB")
}
