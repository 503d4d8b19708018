//! Mapped files that survive being truncated.
//!
//! Reading a page of a mapping behind the end of its file raises SIGBUS, which ends the process. A file can shrink at
//! any time, so a handler maps zero pages over the torn tail and sets a flag; the reader then reports an error instead
//! of a short audience. The handler only touches atomics and calls `mmap`, which is async-signal-safe on Linux.
#![expect(unsafe_code, reason = "memory maps and signal handlers cannot be had without")]

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::ops::{Deref, Range};
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use memmap2::{Mmap, UncheckedAdvice};

/// Number of files that can be mapped at once.
const SLOTS: usize = 64;

/// Bytes that Linux maps at once, aligned, around a page that is touched, as far as it is in the page cache
/// (`fault_around_bytes`, 64 KiB unless somebody changes it).
const FAULT_AROUND_BYTES: usize = 64 * 1024;

/// A range of addresses that the handler guards. `start` is 0 while the slot is free.
struct Slot {
    taken: AtomicBool,
    start: AtomicUsize,
    len: AtomicUsize,
    torn: AtomicBool,
}

static GUARDED: [Slot; SLOTS] = [const {
    Slot {
        taken: AtomicBool::new(false),
        start: AtomicUsize::new(0),
        len: AtomicUsize::new(0),
        torn: AtomicBool::new(false),
    }
}; SLOTS];

/// A read-only mapping of a whole file behind the guard.
#[derive(Debug)]
pub(crate) struct Mapping {
    map: Mmap,
    slot: usize,
}

impl Mapping {
    /// Maps a file. Fails if the system cannot map it, or if too many files are mapped already.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        install_handler()?;
        // SAFETY: memmap2 asks that the file is not changed while it is mapped, because the bytes behind a `&[u8]`
        // would change. Nobody can rule that out. What throng does with the bytes does not depend on them staying the
        // same for memory safety: every index is checked against slices, UTF-8 is checked where it is used, and no
        // length is read from the bytes. A file that shrinks is what the guard is for; a file that changed is refused
        // at the end of the run, see `Identity`.
        let map = unsafe { Mmap::map(file)? };
        let slot = GUARDED
            .iter()
            .position(|slot| !slot.taken.swap(true, Ordering::AcqRel))
            .ok_or_else(|| io::Error::other("too many mapped files"))?;
        let guard = &GUARDED[slot];
        guard.torn.store(false, Ordering::Relaxed);
        guard.len.store(map.len(), Ordering::Relaxed);
        guard.start.store(map.as_ptr() as usize, Ordering::Release);
        Ok(Self { map, slot })
    }

    /// True if a page was read that the file no longer had.
    pub(crate) fn is_torn(&self) -> bool {
        GUARDED[self.slot].torn.load(Ordering::Acquire)
    }

    /// Gives the pages of `range` back to the page cache, so that a mapped file does not count as memory of this
    /// process once it has been read.
    ///
    /// The range is widened to whole windows of [`FAULT_AROUND_BYTES`]: what the neighbours still need of them is mapped
    /// again when they touch it. Without that, a little would stay at every border of two chunks, and the resident
    /// memory would grow with the file.
    pub(crate) fn release(&self, range: Range<usize>) {
        let window = FAULT_AROUND_BYTES.max(page_bytes());
        let start = range.start / window * window;
        let end = range.end.next_multiple_of(window).min(self.map.len());
        if start < end {
            // SAFETY: MADV_DONTNEED on a read-only mapping of a file drops no data: the next access reads the page
            // again, also that of another thread at this moment. Pages of the torn tail read as zero before and after.
            // A failure only means that the pages stay.
            let _advice = unsafe {
                self.map.unchecked_advise_range(UncheckedAdvice::DontNeed, start, end - start)
            };
        }
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let guard = &GUARDED[self.slot];
        guard.start.store(0, Ordering::Release);
        guard.taken.store(false, Ordering::Release);
    }
}

fn page_bytes() -> usize {
    rustix::param::page_size()
}

/// Installs the handler once for the process.
fn install_handler() -> io::Result<()> {
    static INSTALLED: Once = Once::new();
    let mut result = Ok(());
    INSTALLED.call_once(|| {
        // SAFETY: `action` is fully initialised before it is passed on: zeroes are a valid `sigaction`, with an empty
        // mask. The handler has the signature that SA_SIGINFO asks for.
        let status = unsafe {
            let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
            action.sa_sigaction = on_sigbus as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut())
        };
        if status != 0 {
            result = Err(io::Error::last_os_error());
        }
    });
    result
}

/// Maps zero pages from the faulting page to the end of the guarded range, if the address is guarded; else the default
/// action follows, which ends the process as it would have without this handler.
extern "C" fn on_sigbus(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid `siginfo_t` to a handler that was installed with SA_SIGINFO, and `si_addr` is
    // set for SIGBUS.
    let address = unsafe { (*info).si_addr() } as usize;
    for slot in &GUARDED {
        let start = slot.start.load(Ordering::Acquire);
        let end = start + slot.len.load(Ordering::Relaxed);
        if start != 0 && (start..end).contains(&address) {
            let page = address / page_bytes() * page_bytes();
            // SAFETY: the range from `page` to `end` lies within a mapping that `Mapping` owns, so that MAP_FIXED
            // replaces pages of that mapping and of nothing else. They stay readable, which is all that anybody holds
            // references for.
            let mapped = unsafe {
                libc::mmap(
                    page as *mut libc::c_void,
                    end - page,
                    libc::PROT_READ,
                    libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
                    -1,
                    0,
                )
            };
            if mapped != libc::MAP_FAILED {
                slot.torn.store(true, Ordering::Release);
                return;
            }
        }
    }
    // SAFETY: resetting a signal's action is async-signal-safe. The faulting instruction runs again and raises the
    // signal with its default action.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
    }
}

/// True for a file on a local disk. A mapping of a network file can fail in ways that no handler mends, and its
/// pages come one by one.
pub(super) fn is_local(file: &File) -> bool {
    // statfs(2); the values are those of linux/magic.h.
    const REMOTE: [i64; 9] = [
        0x6969,      // NFS
        0x517B,      // SMB
        0xFF53_4D42, // CIFS
        0xFE53_4D42, // SMB2
        0x6573_5546, // FUSE
        0x0102_1997, // 9P
        0x00C3_6400, // Ceph
        0x0BD0_0BD0, // Lustre
        0x5346_414F, // AFS
    ];
    rustix::fs::fstatfs(file).is_ok_and(|stat| !REMOTE.contains(&stat.f_type))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn truncated_file_reads_as_zeros_and_is_torn() {
        let mut file = tempfile::tempfile().expect("temporary file");
        let bytes = vec![b'x'; 8 * page_bytes()];
        file.write_all(&bytes).expect("write");
        let mapping = Mapping::of(&file).expect("map");
        assert_eq!(mapping[5 * page_bytes()], b'x');
        file.set_len(3 * page_bytes() as u64).expect("truncate");
        assert!(!mapping.is_torn());
        assert_eq!(mapping[6 * page_bytes()], 0);
        assert_eq!(mapping[0], b'x');
        assert!(mapping.is_torn());
    }

    #[test]
    fn released_pages_read_the_same() {
        let mut file = tempfile::tempfile().expect("temporary file");
        let bytes: Vec<u8> = (0..=250).cycle().take(4 * page_bytes()).collect();
        file.write_all(&bytes).expect("write");
        let mapping = Mapping::of(&file).expect("map");
        assert_eq!(*mapping, *bytes);
        mapping.release(1..bytes.len() - 1);
        assert_eq!(*mapping, *bytes);
        assert!(!mapping.is_torn());
    }
}
