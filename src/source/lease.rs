//! Telling if somebody still has a file open for writing.
#![expect(unsafe_code, reason = "no safe crate offers leases")]

use std::fs::File;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// Time that a writer may still have a file: a program that was started while it was written has it until it runs, which
/// takes a while on a busy machine.
const WRITER_LEAVES_WITHIN: Duration = Duration::from_secs(1);

/// Time to wait before looking again.
const PAUSE: Duration = Duration::from_millis(5);

/// `F_SETSIG` of Linux's `fcntl.h`, which the libc crate does not have for every libc.
#[cfg(target_os = "linux")]
const F_SETSIG: libc::c_int = 10;

/// True if a process has the file open for writing, and keeps it open.
pub(super) fn is_open_for_writing(file: &File) -> bool {
    let until = Instant::now() + WRITER_LEAVES_WITHIN;
    while has_writer(file) {
        if Instant::now() >= until {
            return true;
        }
        std::thread::sleep(PAUSE);
    }
    false
}

/// True if a process has the file open for writing right now, as far as the system tells: it grants a read lease only
/// while there is no writer (fcntl(2), "Leases"), and only to the file's owner or root. Where it does not tell,
/// `false`.
#[cfg(target_os = "linux")]
fn has_writer(file: &File) -> bool {
    let fd = file.as_raw_fd();
    // SAFETY: fcntl on a descriptor that `file` keeps open; none of these commands takes a pointer. The lease is held
    // for a moment only; a writer who comes in that moment makes the kernel send SIGURG, which is ignored by default.
    unsafe {
        libc::fcntl(fd, F_SETSIG, libc::SIGURG);
        if libc::fcntl(fd, libc::F_SETLEASE, libc::F_RDLCK) == 0 {
            libc::fcntl(fd, libc::F_SETLEASE, libc::F_UNLCK);
            return false;
        }
    }
    std::io::Error::last_os_error().kind() == std::io::ErrorKind::WouldBlock
}

/// Not known on this system.
#[cfg(not(target_os = "linux"))]
fn has_writer(_: &File) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_who_leaves_at_once_does_not_count_and_one_who_stays_does() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("export.csv");
        let writer = File::create(&path).expect("created");
        let file = File::open(&path).expect("opened");
        assert_eq!(is_open_for_writing(&file), has_writer(&file));
        std::thread::scope(|scope| {
            scope.spawn(move || {
                std::thread::sleep(3 * PAUSE);
                drop(writer);
            });
            assert!(!is_open_for_writing(&file));
        });
    }
}
