//! Reading from pipes without getting stuck: whoever feeds a pipe may take hours or never come, and a run that is asked
//! to stop must not wait for them.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::stop::Stop;

/// Time to wait before looking again whether to stop.
const LOOK_UP: Duration = Duration::from_millis(100);

/// Reads a pipe, terminal or socket; fails when it is asked to stop.
#[derive(Debug)]
pub(super) struct Patient {
    file: File,
    stop: Stop,
}

impl Patient {
    pub(super) fn new(file: File, stop: Stop) -> Self {
        Self { file, stop }
    }

    /// True if there is something to read, or the end, within a time.
    pub(super) fn is_ready(&self, time: Duration) -> io::Result<bool> {
        // The text is seen by nobody: a run that was asked to stop says that.
        self.stop.check().map_err(|_| io::Error::other("stopped"))?;
        let time = Timespec::try_from(time).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&self.file, PollFlags::IN)], Some(&time)) {
            Err(rustix::io::Errno::INTR) => Ok(false),
            found => Ok(found? > 0),
        }
    }
}

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.is_ready(LOOK_UP)? {}
        self.file.read(buffer)
    }
}

/// Opens a FIFO without waiting for its writer. Linux keeps such a FIFO from being at its end before a writer came and
/// went; elsewhere opening it waits.
pub(super) fn open_fifo(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(target_os = "linux")]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    let file = options.open(path)?;
    rustix::fs::fcntl_setfl(&file, rustix::fs::OFlags::empty())?;
    Ok(file)
}
