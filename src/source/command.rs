//! The output of a command as an input, which counts only if the command succeeds: in a pipe of the shell, what a producer
//! ended with is lost.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

use super::patient::Patient;
use crate::config::Input;
use crate::error::Error;
use crate::stop::Stop;

/// How often it is looked at whether a command has ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long a command that is not wanted any more has to end by itself.
const GRACE: Duration = Duration::from_secs(2);

/// The output of a command that `sh -c` runs once somebody reads; `number` is its place among others, from 1. Its standard
/// input is empty, and what it says on standard error is seen. If it ends with anything but success, reading fails, and the
/// run with it; if the run ends first, so does the command, with all that it started in its process group.
///
/// Messages and the manifest call it by its number and the name of its program alone, since a command can hold passwords.
pub fn output_of(command: &str, number: usize, stop: &Stop) -> Input {
    let name = name(command, number);
    let output = Output {
        command: command.to_owned(),
        name: name.clone(),
        stop: stop.clone(),
        running: None,
        has_ended: false,
    };
    Input::reader(name, output)
}

/// What a command is called: its program, if that is a plain word.
fn name(command: &str, number: usize) -> PathBuf {
    let words = shlex::split(command).unwrap_or_default();
    // Variables may stand before it: `PGPASSWORD=... psql`.
    let program = words.iter().find(|word| !word.contains('='));
    let program = program.and_then(|path| path.rsplit('/').next());
    let is_plain = |word: &&str| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        (1..=30).contains(&word.len()) && word.chars().all(is_part)
    };
    match program.filter(is_plain) {
        Some(program) => format!("command {number} ({program})").into(),
        None => format!("command {number}").into(),
    }
}

struct Output {
    command: String,
    name: PathBuf,
    stop: Stop,
    running: Option<Running>,
    has_ended: bool,
}

struct Running {
    child: Child,
    output: Patient,
    /// Whether it is known what it ended with.
    has_ended: bool,
}

impl Read for Output {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.has_ended || buffer.is_empty() {
            return Ok(0);
        }
        let running = match &mut self.running {
            Some(running) => running,
            none => none.insert(Running::start(&self.command, &self.stop)?),
        };
        let len = running.output.read(buffer)?;
        if len == 0 {
            let status = running.wait(&self.stop)?;
            self.has_ended = true;
            if !status.success() {
                return Err(io::Error::other(Failed { name: self.name.clone(), status }));
            }
        }
        Ok(len)
    }
}

impl Running {
    fn start(command: &str, stop: &Stop) -> io::Result<Self> {
        let mut child = Command::new("sh")
            .args(["-c", command])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()?;
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
    let failed: &Failed = error.get_ref()?.downcast_ref()?;
    let message = format!("{failed}, so that its output cannot be relied on");
    Some(Error::input(&failed.name, message, "run it by hand to see why"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_called_by_its_program_alone() {
        for (command, expected) in [
            ("psql -c 'SELECT 1'", "command 1 (psql)"),
            ("PGPASSWORD=canary /usr/bin/psql", "command 1 (psql)"),
            ("'canary canary'", "command 1"),
            ("$(canary)", "command 1"),
            ("'unbalanced", "command 1"),
            ("", "command 1"),
        ] {
            assert_eq!(name(command, 1), PathBuf::from(expected), "{command}");
        }
    }
}
