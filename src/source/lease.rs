//! Whether somebody still has a file open for writing.
#![expect(unsafe_code, reason = "no safe crate offers leases")]

use std::fs::File;
use std::os::fd::AsRawFd;

/// `F_SETSIG` of Linux's `fcntl.h`, which the libc crate does not have for every libc.
#[cfg(target_os = "linux")]
const F_SETSIG: libc::c_int = 10;

/// Whether a process has the file open for writing, as far as the system tells: it grants a read lease only while
/// there is no writer (fcntl(2), "Leases"), and only to the file's owner or root. Where it does not tell, `false`.
#[cfg(target_os = "linux")]
pub(super) fn is_open_for_writing(file: &File) -> bool {
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
pub(super) fn is_open_for_writing(_: &File) -> bool {
    false
}
