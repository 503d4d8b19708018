//! Bounds on memory, queues, files and threads, all in one place. What a format or a standard limits stands beside the code
//! that knows the format.

use std::time::Duration;

/// Longest record in bytes, without its line end. A longer line is rejected as `too_long`; a longer CSV record ends the
/// run. A quoted field is never longer, so that twice as much bounds what a stream must hold to find a boundary.
#[doc(hidden)]
pub const RECORD_BYTES_MAX: usize = 1024 * 1024;

/// Most bytes of a window, in which record boundaries are looked for: no record that is too long lies within one.
pub(crate) const WINDOW_BYTES_MAX: usize = RECORD_BYTES_MAX / 4;

/// Longest value that is looked at, in bytes: anything beyond is `too_long`, whatever its type. Generous, because
/// white space around a value is part of it.
#[doc(hidden)]
pub const VALUE_BYTES_MAX: usize = 64 * 1024;

/// Bytes of a source that a worker takes at once. With what is made of them (offsets, canonical forms, digests) they
/// fit the second-level cache of a core.
#[doc(hidden)]
pub const CHUNK_BYTES: usize = 256 * 1024;

/// Bytes of a mapped source that have been read before their pages are given back.
#[doc(hidden)]
pub const RELEASE_BYTES: usize = 16 * 1024 * 1024;

/// Records that pass through the stages together: their blocks and digests stay in the first-level cache of a core.
#[doc(hidden)]
pub const BATCH_RECORDS: usize = 512;

/// Decoded bytes of a source that are looked at to find out what it holds. Longer than most first records, shorter
/// than anybody notices.
#[doc(hidden)]
pub const SAMPLE_BYTES: usize = 256 * 1024;

/// Longest metadata of a Parquet file that is read, in bytes: a hundred columns in a thousand row groups have less.
pub const PARQUET_FOOTER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Memory in bytes that a page of a Parquet file may take when its first rows are looked at.
pub const PARQUET_SAMPLE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Rows of a Parquet file that pass through the stages together.
pub const PARQUET_ROWS: usize = 8 * 1024;

/// Least memory budget in bytes with which the fixed buffers still leave room for entries.
#[doc(hidden)]
pub const MEMORY_BYTES_MIN: u64 = 32 * 1024 * 1024;

/// Memory in bytes that a run may take beside its budget: the program itself and the metadata of telephone numbers,
/// and pages of mapped inputs that are not given back yet, which the system can take back at any time.
#[doc(hidden)]
pub const MEMORY_BYTES_BESIDE: u64 = 64 * 1024 * 1024;

/// Memory in bytes that an archive may ask for to be decompressed, beside the budget while it is read. `zstd --long` asks
/// for all of it, `xz -9` for half; what others ask for is a few MiB.
pub const DECODER_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// Decoded bytes of a piece of a compressed file that is decoded by itself, if it can be made of several members or frames.
pub(crate) const PIECE_BYTES: usize = 512 * 1024;

/// The same, of its compressed bytes.
pub(crate) const PIECE_PACKED_BYTES: usize = 256 * 1024;

/// Most bytes of a piece, compressed or decoded.
pub(crate) const PIECE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Compressed bytes in which the end of a gzip member is looked for that does not say where it is.
pub(crate) const MEMBER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Pieces that are found ahead, for each thread that decodes them.
pub(crate) const PIECES_PER_THREAD: usize = 2;

/// Bytes of an object that are fetched at once: at the usual 80 MB/s of a connection the wait for its first byte is half of
/// the time, and others are under way meanwhile.
pub(crate) const OBJECT_RANGE_BYTES: u64 = 2 * 1024 * 1024;

/// Memory in bytes that reading an object takes, when little may be taken: two ranges, and room for two more.
pub(crate) const OBJECT_BYTES_MIN: u64 = 4 * OBJECT_RANGE_BYTES;

/// Ranges of one object that are under way at once.
#[cfg(feature = "object-storage")]
pub(crate) const OBJECT_AHEAD_MAX: usize = 16;

/// Least bytes of a column that are fetched at once.
#[cfg(feature = "object-storage")]
pub(crate) const OBJECT_SECTION_BYTES: u64 = 1024 * 1024;

/// Last bytes of an object that are fetched to find the metadata of Parquet in them.
pub(crate) const OBJECT_FOOTER_BYTES: u64 = 64 * 1024;

/// Longest page of a listing, in bytes: a thousand keys of a kilobyte, and what is said of them, are two million.
#[cfg(feature = "object-storage")]
pub(crate) const OBJECT_PAGE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Most pages of a listing, one behind the other, without a key. Stores give some where many objects were deleted.
#[cfg(feature = "object-storage")]
pub(crate) const OBJECT_EMPTY_PAGES_MAX: usize = 1000;

/// Most keys of a folder that are listed: two gigabytes, as they are kept.
#[cfg(feature = "object-storage")]
pub(crate) const OBJECT_KEYS_MAX: usize = 10_000_000;

/// Bytes of an answer that are read at once.
#[cfg(feature = "object-storage")]
pub(crate) const OBJECT_READ_BYTES: usize = 64 * 1024;

/// Requests to stores that are under way at once.
#[cfg(feature = "object-storage")]
pub(crate) const OBJECT_REQUESTS_MAX: usize = 32;

/// How often a range is fetched whose answer ends too early, beside what the crate tries again.
#[cfg(feature = "object-storage")]
pub(crate) const OBJECT_TRIES: u32 = 4;

/// Opt-out lists whose entries are kept apart, so that it is known how many of each are members. Those beyond share the
/// last number: each has room of its own in every partition of every worker.
#[doc(hidden)]
pub const LISTS_MAX: usize = 64;

/// Domains that opt-out lists may hold back as a whole: they are looked up for each member.
#[doc(hidden)]
pub const DOMAINS_MAX: u64 = 250_000;

/// Bytes of a block: what one partition of one worker grows by, and what is written to a spill file at once.
#[doc(hidden)]
pub const BLOCK_BYTES: usize = 16 * 1024;

/// Bytes of a slab, a piece of memory that blocks are cut from, so that it is asked for rarely.
#[doc(hidden)]
pub const SLAB_BYTES: usize = 2 * 1024 * 1024;

/// Bytes of a slab where the memory limit is so low that larger ones would go beyond it.
#[doc(hidden)]
pub const SLAB_BYTES_MIN: usize = 256 * 1024;

/// The blocks' share of the memory limit holds at least so many slabs of each worker and audience.
#[doc(hidden)]
pub const SLABS_MIN: u64 = 8;

/// Most leading bits of a digest that choose its partition: 4096 partitions.
#[doc(hidden)]
pub const RADIX_BITS_MAX: u32 = 12;

/// Entries that a partition should hold: 32 bytes each, so that sorting one stays in the cache of a core.
#[doc(hidden)]
pub const PARTITION_ENTRIES: u64 = 16 * 1024;

/// Chunks or partitions that are under way at once, for each worker.
#[doc(hidden)]
pub const IN_FLIGHT_PER_WORKER: usize = 3;

/// Inputs that are looked at together, for each worker.
pub(crate) const INPUTS_PLANNED_PER_WORKER: usize = 16;

/// Text inputs that are open at once: each has a decoder, or is mapped, and has a descriptor or two.
pub(crate) const INPUTS_OPEN_MAX: usize = 64;

/// Bytes of the reject list that an input keeps in memory while those before it are still being read.
pub(crate) const REJECTS_WAITING_BYTES: usize = 64 * 1024;

/// Most threads.
#[doc(hidden)]
pub const THREADS_MAX: usize = 1024;

/// Longest label of an audience, in bytes.
#[doc(hidden)]
pub const LABEL_BYTES_MAX: usize = 64;

/// Default of `--part-lines`.
#[doc(hidden)]
pub const PART_LINES: u64 = 1_000_000;

/// Most parts of one audience: their numbers have five digits.
#[doc(hidden)]
pub const PARTS_MAX: u64 = 99_999;

/// Bytes of text that are made and written at once. Few enough to be in the cache of a core when the system copies them.
#[doc(hidden)]
pub const WRITE_BYTES: usize = 256 * 1024;

/// Bytes of a part that are read at once when digests are looked up in it: any line fits with the one before it.
pub(crate) const PART_BLOCK_BYTES: usize = 1024;

/// Reads of parts that are under way at once when digests are looked up: a disk answers many in the time of one.
pub(crate) const LOOKUP_THREADS: usize = 16;

/// Digests that one of these looks up in a part, at least.
pub(crate) const LOOKUP_DIGESTS: usize = 16;

/// Most values that can be asked about at once.
pub const VALUES_ASKED_MAX: usize = 1_000_000;

/// Small parts of an audience that are kept one by one. Beyond that they are merged, so that a night does not take the
/// longer the more nights there were.
pub const SMALL_PARTS_MAX: usize = 64;

/// Most entries of a part that is taken out of an audience.
pub(crate) const REMOVAL_ENTRIES: u64 = 1_000_000;

/// The same of ids in clear, which are held in memory while they are looked for.
pub(crate) const REMOVAL_ENTRIES_CLEAR: u64 = 250_000;

/// Most of those who were taken out because they opted out that are remembered of an audience, to know an opt-out list again.
pub(crate) const OPTED_OUT_KEPT: usize = 100_000;

/// Bytes of a part that is merged from smaller ones; one with half of that is no small part.
pub const MERGED_PART_BYTES: u64 = 64 * 1024 * 1024;

/// Pieces and complete parts that wait to go to the disk before those who write must wait too.
#[doc(hidden)]
pub const SYNCS_WAITING: usize = 64;

/// Complete parts that wait to be hashed; each is an open file.
#[doc(hidden)]
pub const PARTS_COMPLETE_MAX: usize = 64;

/// Longest manifest that is read, in bytes: 99,999 parts of five audiences need less.
pub(crate) const MANIFEST_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Most bytes of a range that is being resolved: places within it are `u32`.
pub(crate) const RANGE_BYTES_MAX: u64 = 1 << 30;

/// Longest answer that is read, in bytes. Revision A lists all audiences of an account at once.
pub(crate) const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Longest answer of which an error's text is looked for, in bytes.
pub(crate) const ERROR_BYTES_MAX: u64 = 64 * 1024;

/// Longest file of certificates that is read, in bytes: those that an operating system trusts are a quarter of it.
pub(crate) const CA_BYTES_MAX: u64 = 1024 * 1024;

/// Longest token in bytes; what is longer is not a token but the wrong file.
pub(crate) const TOKEN_BYTES_MAX: usize = 4096;

/// Most parts of an upload that may be in flight at once.
pub const PARALLEL_MAX: usize = 64;

/// Parts of an upload in flight at once, unless somebody chooses otherwise.
pub const PARALLEL: usize = 3;

/// Most times that a request is made, unless somebody chooses otherwise.
pub const ATTEMPTS: u32 = 8;

/// Longest wait before the second attempt, unless somebody chooses otherwise.
pub const RETRY_WAIT: Duration = Duration::from_secs(1);

/// Longest time of a request, unless somebody chooses otherwise.
pub const REQUEST_TIME: Duration = Duration::from_mins(15);

/// Longest time of an upload, unless somebody chooses otherwise.
pub const TIME_LIMIT: Duration = Duration::from_hours(6);

/// Fewest members of an audience, unless a job chooses otherwise.
pub const MIN_ENTRIES: u64 = 1;

/// Bytes that a message repeats of a server's words.
pub(crate) const SHOWN_BYTES_MAX: usize = 200;

/// Entries taken for none that are too many: one of so many.
pub const INVALID_SHARE: u64 = 10;

const _: () = {
    assert!(
        CHUNK_BYTES + RECORD_BYTES_MAX < u32::MAX as usize / 4,
        "offsets within a chunk are u32"
    );
    assert!(VALUE_BYTES_MAX < RECORD_BYTES_MAX, "an oversize line is an oversize value");
    assert!(SLAB_BYTES.is_multiple_of(BLOCK_BYTES), "slabs are cut into whole blocks");
    assert!(SLAB_BYTES_MIN.is_multiple_of(BLOCK_BYTES), "slabs are cut into whole blocks");
    assert!(BLOCK_BYTES.is_multiple_of(32), "blocks hold whole digests");
};
