//! Sharing out the memory limit, and the number of partitions and threads that it allows.
//!
//! Half of the limit is for blocks of entries, a quarter for partitions that are being resolved, and the last quarter
//! for what is there anyway: chunks under way and what is made of them, the text of parts, stacks and the program.

use super::plan::SourcePlan;
use crate::config::Resources;
use crate::dedup::CLEAR_ENTRY_BYTES_MAX;
use crate::limits::{
    BLOCK_BYTES, IN_FLIGHT_PER_WORKER, PARTITION_ENTRIES, RADIX_BITS_MAX, RANGE_BYTES_MAX,
    SLAB_BYTES, SLAB_BYTES_MIN, SLABS_MIN,
};
use crate::source::Compression;

/// Memory of a worker whatever it works on: a chunk, its offsets, canonical forms and digests.
const WORKER_BYTES: u64 = 4 * 1024 * 1024;

/// Usual bytes of a record, for the number of partitions. A wrong guess costs time, nothing else.
const RECORD_BYTES: u64 = 24;

/// Usual factor between decoded and compressed bytes.
const COMPRESSION_FACTOR: u64 = 4;

/// Entries that an input of unknown length is taken to have.
const UNKNOWN_ENTRIES: u64 = 32 * 1024 * 1024;

/// Bytes of an entry.
const ENTRY_BYTES: u64 = 32;

/// Blocks are not made smaller than this because they would not be filled.
const FILLED_BLOCK_BYTES_MIN: usize = 4096;

/// Least memory for rows that are linked.
const ROWS_BYTES_MIN: u64 = 64 * 1024;

/// Fewest leading bits: partitions for every worker to be busy with.
const RADIX_BITS_MIN: u32 = 4;

/// Ranges that a buffer may have room for which holds one, since it held others before.
const BUFFER_RANGES: u64 = 4;

/// Shares of the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MemoryPlan {
    pub(super) threads: usize,
    /// Chunks or partitions under way.
    pub(super) in_flight: usize,
    /// Partitions are `2^radix_bits`.
    pub(super) radix_bits: u32,
    pub(super) block_bytes: usize,
    pub(super) slab_bytes: usize,
    /// True if the identifiers of a row are linked.
    pub(super) are_linked: bool,
    /// For the rows that are linked. They are all read when chunks, which have that share, are not needed any more.
    pub(super) rows_limit: u64,
    /// For the decoders and mapped pages of inputs that are read side by side. It is half of the share of ranges, which come
    /// later.
    pub(super) inputs_limit: u64,
    /// For blocks of entries.
    pub(super) block_budget: u64,
    /// For the entries of one range that is being resolved.
    pub(super) range_limit: u64,
    /// For entries that are resolved and wait for the thread that has their part in its hands. It is the share of chunks, which
    /// are not needed any more.
    pub(super) waiting_limit: u64,
    /// For the pages of columns that a worker reads at once. They have the share of ranges, which comes later.
    pub(super) pages_limit: u64,
    /// For what is to go into the reject list of one row group.
    pub(super) rejects_limit: u64,
}

/// As many threads as the limit has room for.
pub(super) fn threads(resources: &Resources) -> usize {
    let most = usize::try_from(resources.memory_bytes / 4 / WORKER_BYTES).unwrap_or(usize::MAX);
    resources.threads.min(most).max(1)
}

impl MemoryPlan {
    pub(super) fn new(
        resources: &Resources,
        threads: usize,
        audiences: usize,
        are_linked: bool,
        sources: &[SourcePlan],
    ) -> Self {
        let entries: u64 = sources.iter().map(expected_entries).sum();
        // Links are scattered like the entries of one more audience.
        let stores = audiences + usize::from(are_linked);
        Self { are_linked, ..Self::for_entries(resources, threads, stores, entries) }
    }

    fn for_entries(resources: &Resources, threads: usize, audiences: usize, entries: u64) -> Self {
        let memory = resources.memory_bytes;
        let block_budget = memory / 2;
        let in_flight = threads * IN_FLIGHT_PER_WORKER;
        let wanted = (entries / PARTITION_ENTRIES).max(1).next_power_of_two().ilog2();
        let mut radix_bits = wanted.clamp(RADIX_BITS_MIN, RADIX_BITS_MAX);
        let mut block_bytes = resources.block_bytes.clamp(CLEAR_ENTRY_BYTES_MAX, BLOCK_BYTES);
        // The blocks that every worker must have open may take half of the blocks' share.
        let open_bytes = |radix_bits: u32, block_bytes: usize| {
            (threads * audiences * block_bytes) as u64 * (1 << radix_bits)
        };
        while open_bytes(radix_bits, block_bytes) > block_budget / 2 {
            if block_bytes > 2048 {
                block_bytes /= 2;
            } else if radix_bits > RADIX_BITS_MIN {
                radix_bits -= 1;
            } else {
                break;
            }
        }
        // What is opened and hardly filled is memory that is touched for nothing.
        let entries_bytes = entries.saturating_mul(ENTRY_BYTES);
        while block_bytes >= 2 * FILLED_BLOCK_BYTES_MIN
            && open_bytes(radix_bits, block_bytes) > entries_bytes / 8
        {
            block_bytes /= 2;
        }
        let slabs_min = SLABS_MIN * (threads * audiences) as u64;
        let has_room = block_budget >= slabs_min * SLAB_BYTES as u64;
        let slab_bytes = if has_room { SLAB_BYTES } else { SLAB_BYTES_MIN };
        // A range under way is held as it was gathered, sorted, and as what is written of it.
        let range_limit = (memory / 4 / in_flight as u64 / 3).min(RANGE_BYTES_MAX);
        Self {
            threads,
            in_flight,
            are_linked: false,
            rows_limit: (memory / 8).max(ROWS_BYTES_MIN),
            inputs_limit: memory / 8,
            radix_bits,
            block_bytes,
            slab_bytes,
            block_budget,
            range_limit,
            waiting_limit: memory / 8,
            pages_limit: memory / 4 / threads as u64,
            rejects_limit: memory / 8 / in_flight as u64,
        }
    }
}

impl MemoryPlan {
    /// Ranges that may be under way when parts are written, of which the largest has so many bytes. One thread at a time
    /// writes to a part, so that all threads are busy only if more parts are open than one: another one for two threads. Where
    /// memory is short, none is.
    pub(super) fn ranges_in_flight(&self, range_bytes: u64, part_bytes: u64) -> usize {
        let parts_beside = self.threads as u64 / 2;
        let range_bytes = range_bytes.clamp(1, self.range_limit.max(1));
        let waiting = parts_beside.saturating_mul(part_bytes) / range_bytes;
        let has_room = waiting.saturating_mul(range_bytes * BUFFER_RANGES) <= self.waiting_limit;
        self.in_flight + if has_room { usize::try_from(waiting).unwrap_or(0) } else { 0 }
    }
}

fn expected_entries(plan: &SourcePlan) -> u64 {
    if let Some(rows) = plan.rows {
        return rows;
    }
    let Some(bytes) = plan.source.bytes else {
        let sample = plan.source.sample_bytes as u64 / RECORD_BYTES;
        return if plan.source.is_sample_all { sample } else { UNKNOWN_ENTRIES };
    };
    let factor = if plan.source.compression == Compression::None { 1 } else { COMPRESSION_FACTOR };
    // Rows of a table are longer than lines of a list; their length is in the sample.
    bytes.saturating_mul(factor) / RECORD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(memory_bytes: u64, threads: usize, entries: u64) -> MemoryPlan {
        let resources = Resources {
            threads,
            memory_bytes,
            tmp_dir: None,
            chunk_bytes: crate::limits::CHUNK_BYTES,
            block_bytes: BLOCK_BYTES,
            kernel: crate::hash::Kernel::default(),
        };
        MemoryPlan::for_entries(&resources, self::threads(&resources), 1, entries)
    }

    #[test]
    fn open_blocks_take_at_most_a_quarter_of_the_limit() {
        for memory in [32 << 20, 64 << 20, 512 << 20, 8_u64 << 30] {
            for threads in [1, 2, 16, 128] {
                for entries in [0, 1_000, 10_000_000, 10_000_000_000] {
                    let plan = plan(memory, threads, entries);
                    let open = (plan.threads * plan.block_bytes) as u64 * (1 << plan.radix_bits);
                    assert!(open <= memory / 4, "{plan:?}");
                    assert!(plan.range_limit * 3 * plan.in_flight as u64 <= memory / 4, "{plan:?}");
                }
            }
        }
    }

    #[test]
    fn the_buffers_of_ranges_that_wait_take_at_most_an_eighth_of_the_limit() {
        const PART_BYTES: u64 = 32_000_000;
        assert_eq!(plan(8 << 30, 1, 10_000_000).ranges_in_flight(320_000, PART_BYTES), 3);
        assert_eq!(plan(8 << 30, 2, 10_000_000).ranges_in_flight(320_000, PART_BYTES), 6 + 100);
        assert_eq!(plan(8 << 30, 16, 10_000_000).ranges_in_flight(320_000, PART_BYTES), 48 + 800);
        assert_eq!(plan(64 << 20, 2, 10_000_000).ranges_in_flight(320_000, PART_BYTES), 6);
        for memory in [32 << 20, 512 << 20, 8_u64 << 30] {
            for (threads, range) in [(4, 1), (16, 320_000), (128, u64::MAX)] {
                let plan = plan(memory, threads, 10_000_000);
                let waiting = plan.ranges_in_flight(range, PART_BYTES) - plan.in_flight;
                assert!(waiting as u64 * range.min(plan.range_limit) <= memory / 32, "{plan:?}");
            }
        }
    }

    #[test]
    fn blocks_are_smaller_where_many_threads_would_not_fill_them() {
        assert_eq!(plan(8 << 30, 2, 10_000_000).block_bytes, BLOCK_BYTES);
        assert_eq!(plan(8 << 30, 16, 10_000_000).block_bytes, FILLED_BLOCK_BYTES_MIN);
        assert_eq!(plan(64 << 30, 16, 10_000_000_000).block_bytes, BLOCK_BYTES);
    }

    #[test]
    fn ten_million_entries_go_to_1024_partitions() {
        assert_eq!(plan(8 << 30, 2, 10_000_000).radix_bits, 10);
    }
}
