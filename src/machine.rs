//! What this machine has: cores, and memory as far as cgroups allow.

use std::fs;

use crate::config::THREADS_MAX;
use crate::error::{Error, Result};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Memory that is assumed where the system does not tell.
const MEMORY_BYTES_UNKNOWN: u64 = 2 << 30;

/// How many threads to use.
pub fn threads(asked: Option<usize>) -> Result<usize> {
    match asked {
        Some(count @ 1..=THREADS_MAX) => Ok(count),
        Some(_) => Err(Error::usage(format!("--threads takes 1 to {THREADS_MAX}"), "")),
        None => Ok(std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX)),
    }
}

/// A pool of so many threads.
pub fn pool(threads: usize) -> Result<ThreadPool> {
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|_| Error::Internal("the system grants no threads"))
}

/// Half of what the machine has or its cgroup (v2 or v1) allows, whichever is less.
pub fn default_memory_bytes() -> u64 {
    let files = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let limits = files.iter().filter_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok());
    limits.chain(total_memory_bytes()).min().unwrap_or(MEMORY_BYTES_UNKNOWN) / 2
}

fn total_memory_bytes() -> Option<u64> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
