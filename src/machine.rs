//! Resources of this machine: cores, and memory as far as cgroups allow.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::limits::THREADS_MAX;
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Memory that is assumed where the system does not tell.
const MEMORY_BYTES_UNKNOWN: u64 = 2 << 30;

/// Threads that can run at once.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX)
}

/// A pool of so many threads.
pub fn pool(threads: usize) -> Result<ThreadPool> {
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|index| format!("throng-{index}"))
        .build()
        .map_err(|_| no_threads())
}

/// The system grants no more threads.
pub fn no_threads() -> Error {
    Error::usage(
        "the system grants no more threads",
        "raise its limit of processes (ulimit -u), or give fewer --threads",
    )
}

/// Half of what the machine has or its cgroups (v2 or v1) allow, whichever is least.
pub fn default_memory_bytes() -> u64 {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = limit_files(&own);
    let limits =
        limits.iter().filter_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok());
    limits.chain(total_memory_bytes()).min().unwrap_or(MEMORY_BYTES_UNKNOWN) / 2
}

/// Files with the limits of a process whose `/proc/self/cgroup` this is: its own and those above it. In a container its
/// own is usually at the root; a service of systemd has one further down. Those that are not there limit nothing.
fn limit_files(own: &str) -> Vec<PathBuf> {
    let mut files = vec![
        PathBuf::from("/sys/fs/cgroup/memory.max"),
        PathBuf::from("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
    ];
    for line in own.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let (root, name) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            of if of.split(',').any(|of| of == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let path = Path::new(path.trim_start_matches('/'));
        files.extend(path.ancestors().map(|above| Path::new(root).join(above).join(name)));
    }
    files
}

fn total_memory_bytes() -> Option<u64> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// The high-water mark of the process's resident memory (`VmHWM` of proc(5)).
pub(crate) fn peak_memory_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_limited_by_its_own_group_and_those_above() {
        let has = |own: &str, path: &str| limit_files(own).contains(&PathBuf::from(path));
        let service = "0::/system.slice/throng.service\n";
        for group in ["", "system.slice/", "system.slice/throng.service/"] {
            assert!(has(service, &format!("/sys/fs/cgroup/{group}memory.max")), "{group}");
        }
        let older = "12:cpu,cpuacct:/a\n4:memory:/docker/0a\n1:name=systemd:/b\n";
        assert!(has(older, "/sys/fs/cgroup/memory/docker/0a/memory.limit_in_bytes"));
        assert!(!has(older, "/sys/fs/cgroup/memory/a/memory.limit_in_bytes"));
        // A container sees its own group as the root.
        for own in ["0::/\n", ""] {
            assert!(has(own, "/sys/fs/cgroup/memory.max"));
            assert!(limit_files(own).iter().all(|path| path.starts_with("/sys/fs/cgroup")));
        }
    }
}
