//! The output of a command as an input, which counts only if the command succeeds: in a pipe of the shell, what a producer
//! ended with is lost.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

use super::patient::Patient;
use crate::config::Command;
use crate::error::Error;
use crate::mutex;
use crate::stop::Stop;

/// How often it is looked at whether a command has ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long a command that is not wanted any more has to end by itself.
const GRACE: Duration = Duration::from_secs(2);

/// How long a command whose output cannot be read has to say by its end that this is no wonder.
const DAMAGE_TIME_MAX: Duration = Duration::from_secs(5);

/// How much of its output is let go at once.
const PIECE_BYTES: usize = 64 * 1024;

/// Output of a command, which is run when somebody reads. Clones are the same.
#[derive(Clone)]
pub(super) struct Output(Arc<Mutex<Run>>);

struct Run {
    command: Command,
    stop: Stop,
    running: Option<Running>,
    ended: Option<ExitStatus>,
}

struct Running {
    child: Child,
    output: Patient,
    /// Whether it is known what it ended with.
    has_ended: bool,
}

impl Output {
    pub(super) fn of(command: &Command, stop: &Stop) -> Self {
        let (command, stop) = (command.clone(), stop.clone());
        Self(Arc::new(Mutex::new(Run { command, stop, running: None, ended: None })))
    }

    /// What the command failed with, if it did: asked when its output cannot be read, which is then no wonder. Output that
    /// nobody has read is let go, so that the command can come to its end, for a while.
    fn failure(&self) -> Option<Failed> {
        let mut run = mutex::lock(&self.0);
        let until = Instant::now() + DAMAGE_TIME_MAX;
        while run.ended.is_none() && Instant::now() < until && run.let_go().is_ok() {}
        run.failure()
    }

    /// The error of the command in the place of one that its output caused.
    pub(super) fn explained(&self, error: Error) -> Error {
        self.failure().map_or(error, Failed::into_error)
    }

    /// What was made of the output, with the error of the command in the place of one that its output caused.
    pub(super) fn judge(self, made: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
        Box::new(Judged { made, output: self })
    }
}

impl Read for Output {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        mutex::lock(&self.0).read(buffer)
    }
}

impl Run {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended.is_some() || buffer.is_empty() {
            return Ok(0);
        }
        let running = match &mut self.running {
            Some(running) => running,
            none => none.insert(Running::start(&self.command, &self.stop)?),
        };
        let len = running.output.read(buffer)?;
        if len == 0 {
            self.ended = Some(running.wait(&self.stop)?);
            if let Some(failed) = self.failure() {
                return Err(io::Error::other(failed));
            }
        }
        Ok(len)
    }

    /// Lets a piece of the output go, or waits a moment for the end of the command.
    fn let_go(&mut self) -> io::Result<()> {
        let running = self.running.as_mut().ok_or(io::ErrorKind::NotFound)?;
        let is_over = running.output.is_ready(LOOK_EVERY)?
            && running.output.read(&mut vec![0; PIECE_BYTES])? == 0;
        if is_over {
            self.stop.wait(LOOK_EVERY).map_err(|_| io::Error::other("stopped"))?;
        }
        self.ended = running.child.try_wait()?;
        running.has_ended = self.ended.is_some();
        Ok(())
    }

    fn failure(&self) -> Option<Failed> {
        let status = self.ended.filter(|status| !status.success())?;
        Some(Failed { name: self.command.name().to_owned(), status })
    }
}

/// Whatever is made of the output of a command.
struct Judged {
    made: Box<dyn Read + Send>,
    output: Output,
}

impl Read for Judged {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.made.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            _ => self.output.failure().map_or(error, io::Error::other),
        })
    }
}

impl Running {
    fn start(command: &Command, stop: &Stop) -> io::Result<Self> {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", command.text()]).stdin(Stdio::null()).stdout(Stdio::piped());
        if command.dir() != Path::new("") {
            shell.current_dir(command.dir());
        }
        let mut child = shell.process_group(0).spawn()?;
        let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let output = Patient::new(File::from(OwnedFd::from(output)), stop.clone());
        Ok(Self { child, output, has_ended: false })
    }

    /// Waits until the command has ended, or until the run is asked to stop.
    fn wait(&mut self, stop: &Stop) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                self.has_ended = true;
                return Ok(status);
            }
            // The text is seen by nobody: a run that was asked to stop says that.
            stop.wait(LOOK_EVERY).map_err(|_| io::Error::other("stopped"))?;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        let group = Pid::from_child(&self.child);
        let until = Instant::now() + GRACE;
        // Nobody can be told of what fails here; the command gets no reader any more, whatever it does. The shell may have
        // ended before those that it started: so the group is asked, before the shell is reaped and its number is free.
        let _gone = kill_process_group(group, Signal::TERM);
        while matches!(self.child.try_wait(), Ok(None)) || test_kill_process_group(group).is_ok() {
            if Instant::now() >= until {
                let _gone = kill_process_group(group, Signal::KILL);
                let _reaped = self.child.wait();
                return;
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// A command that did not succeed.
#[derive(Debug)]
struct Failed {
    name: PathBuf,
    status: ExitStatus,
}

impl Failed {
    fn into_error(self) -> Error {
        let message = format!("{self}, so that its output cannot be relied on");
        Error::input(&self.name, message, "run it by hand to see why")
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.status.code(), self.status.signal()) {
            (Some(code), _) => write!(f, "it ended with exit status {code}"),
            (None, Some(signal)) => write!(f, "it was ended by signal {signal}"),
            (None, None) => f.write_str("it did not succeed"),
        }
    }
}

impl std::error::Error for Failed {}

/// The error of the run that a reader's error is, if a command did not succeed.
pub(super) fn of_reader(error: &io::Error) -> Option<Error> {
    let Failed { name, status } = error.get_ref()?.downcast_ref()?;
    Some(Failed { name: name.clone(), status: *status }.into_error())
}
