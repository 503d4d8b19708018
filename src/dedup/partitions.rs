//! Entries by partition, when all inputs are read.

use rayon::ThreadPool;
use rayon::prelude::*;

use super::range::Range;
use super::region::Region;
use super::scatter::{Extent, Scatter, place};
use super::sort::Scratch;
use super::spill::Chain;
use super::store::Store;
use super::{Budget, Layer, Layout};
use crate::buffers::Buffers;
use crate::entries::Entries;
use crate::error::Result;
use crate::hash::Digest;

/// All entries of an audience by partition.
#[derive(Debug)]
pub struct Partitions {
    store: Store,
    regions: Vec<Vec<Region>>,
    /// Of each scatter, the spilled blocks of each layer and partition.
    spilled: Vec<Vec<Vec<Chain>>>,
    /// Number of the last list that has entries, counted from 1.
    lists: usize,
    extents: Vec<Extent>,
    /// Begin of each partition in `extents`; one more than there are partitions.
    starts: Vec<usize>,
    /// Memory of digests that were written, to be used again.
    pub(super) digests: Buffers<Vec<Digest>>,
    /// Memory to sort with.
    pub(super) scratches: Buffers<Scratch>,
}

impl Partitions {
    /// Puts the scatters of all workers together.
    pub fn new(store: Store, scatters: Vec<Scatter>, budget: &Budget) -> Result<Self> {
        let mut regions = Vec::new();
        let mut spilled = Vec::new();
        let mut extents: Vec<Extent> = Vec::new();
        for (index, mut scatter) in scatters.into_iter().enumerate() {
            scatter.seal(&store, budget)?;
            for mut extent in scatter.extents {
                extent.scatter = place(index);
                extents.push(extent);
            }
            regions.push(scatter.regions);
            spilled.push(scatter.spilled);
        }
        extents.sort_by_key(|extent| extent.partition);
        let in_memory = extents.iter().filter_map(|extent| extent.layer.list());
        let on_disk = spilled
            .iter()
            .filter_map(|layers: &Vec<_>| layers.len().checked_sub(Layer::of_list(0).index() + 1));
        let lists = in_memory.chain(on_disk).map(|list| list + 1).max().unwrap_or(0);
        let count = 1_u32 << store.radix_bits;
        let starts = (0..=count)
            .map(|partition| extents.partition_point(|extent| extent.partition < partition))
            .collect();
        let (digests, scratches) = (Buffers::default(), Buffers::default());
        Ok(Self { store, regions, spilled, lists, extents, starts, digests, scratches })
    }

    /// Every partition's range, in digest order.
    pub fn ranges(&self) -> impl Iterator<Item = Range> + use<> {
        let bits = self.store.radix_bits;
        (0..1 << bits).map(move |value| Range { bits, value })
    }

    /// Bytes of the entries of the partition that `range` is or lies in.
    pub fn bytes(&self, range: Range) -> u64 {
        let in_memory: u64 =
            self.extents_of(range).iter().map(|extent| u64::from(extent.len)).sum();
        let partition = self.partition(range);
        let chains = self.spilled.iter().flatten().filter_map(|chains| chains.get(partition));
        in_memory + chains.map(|chain| chain.bytes).sum::<u64>()
    }

    fn partition(&self, range: Range) -> usize {
        usize::try_from(range.value >> (range.bits - self.store.radix_bits))
            .expect("at most 2^12 partitions")
    }

    fn extents_of(&self, range: Range) -> &[Extent] {
        let partition = self.partition(range);
        &self.extents[self.starts[partition]..self.starts[partition + 1]]
    }

    /// Number of lists whose suppressed entries are kept apart.
    pub(super) fn lists(&self) -> usize {
        self.lists
    }

    /// The spilled blocks of a range's partition that hold entries of a layer.
    fn chains_of(&self, range: Range, layer: Layer) -> impl Iterator<Item = Chain> {
        let partition = self.partition(range);
        let of_layer = self.spilled.iter().filter_map(move |layers| layers.get(layer.index()));
        let chains = of_layer.filter_map(move |chains| chains.get(partition));
        chains.copied().filter(|chain| chain.bytes > 0)
    }

    /// True for a range that is a whole partition.
    pub(super) fn is_whole(&self, range: Range) -> bool {
        range.bits == self.store.radix_bits
    }

    /// At least as many entries as there are.
    pub fn entries_max(&self, layout: Layout) -> u64 {
        let in_memory: u64 = self.extents.iter().map(|extent| u64::from(extent.len)).sum();
        let chains = self.spilled.iter().flatten().flatten();
        let bytes = in_memory + chains.map(|chain| chain.bytes).sum::<u64>();
        match layout {
            Layout::Digest => bytes / size_of::<Digest>() as u64,
            Layout::Clear => bytes / (super::KEY_BYTES + 2) as u64,
        }
    }

    /// Takes back entries that were written, so that their memory can be used again.
    pub fn recycle(&self, entries: Entries) {
        match entries {
            Entries::Digests(digests) => self.digests.give(digests),
            Entries::Lines { .. } => {}
        }
    }

    /// The blocks of a range's partition that hold entries of a layer, if all of them are in memory.
    pub(super) fn memory_blocks(&self, range: Range, layer: Layer) -> Option<Vec<&[u8]>> {
        let is_spilled = self.chains_of(range, layer).next().is_some();
        (!is_spilled).then(|| self.blocks_in_memory(range, layer).collect())
    }

    fn blocks_in_memory(&self, range: Range, layer: Layer) -> impl Iterator<Item = &[u8]> {
        self.extents_of(range).iter().filter(move |extent| extent.layer == layer).map(|extent| {
            let region = &self.regions[extent.scatter as usize][extent.region as usize];
            let start = extent.start as usize;
            &region[start..start + extent.len as usize]
        })
    }

    /// Hands out the blocks of a range's partition that hold entries of a layer; a spilled one is read into `buffer`.
    pub(super) fn for_each_block(
        &self,
        range: Range,
        layer: Layer,
        buffer: &mut Vec<u8>,
        mut on_block: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        self.blocks_in_memory(range, layer).try_for_each(&mut on_block)?;
        let mut chains = self.chains_of(range, layer);
        chains.try_for_each(|chain| self.store.spill.for_each(chain, buffer, &mut on_block))
    }

    /// Gives the memory of all entries back, on all threads of a pool.
    pub fn free(self, pool: &ThreadPool) {
        let regions = self.regions.into_par_iter().flatten();
        pool.install(|| regions.for_each(Region::free));
    }

    /// Bytes that were written to disk because memory was full.
    pub fn spilled_bytes(&self) -> u64 {
        self.store.spilled_bytes()
    }
}
