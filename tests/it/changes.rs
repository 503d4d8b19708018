//! What happens to the real binary while it runs: signals, files that change, readers that go away. Nothing here depends
//! on timing: the run waits for its standard input, which the test holds, or is stopped in a file too large to be through.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// More than throng looks at before it begins.
const MORE_THAN_A_SAMPLE: usize = throng::limits::SAMPLE_BYTES * 2;

/// A run of the binary in a folder of its own.
struct Run {
    dir: TempDir,
    child: Child,
}

impl Run {
    fn start(dir: TempDir, args: &[&str]) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_throng"))
            .current_dir(dir.path())
            .args(["prepare", "-t", "fbid", "-o", "out"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { dir, child }
    }

    /// A run that reads standard input and does not come to its end.
    fn reading_stdin(dir: TempDir, args: &[&str]) -> Self {
        let mut run = Self::start(dir, args);
        let lines = "123456789\n".repeat(MORE_THAN_A_SAMPLE / 10);
        run.child.stdin.as_mut().unwrap().write_all(lines.as_bytes()).unwrap();
        run.wait_for_staging();
        run
    }

    /// Inputs have been looked at once the hidden directory is there.
    fn wait_for_staging(&mut self) {
        let started = Instant::now();
        while hidden(self.dir.path()).is_empty() {
            assert!(self.child.try_wait().unwrap().is_none(), "ended before it began");
            assert!(started.elapsed() < Duration::from_mins(1), "does not begin");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Closes standard input; exit code and standard error.
    fn end(mut self) -> (Option<i32>, String, TempDir) {
        drop(self.child.stdin.take());
        self.wait()
    }

    /// Exit code and standard error while standard input stays open.
    fn wait(mut self) -> (Option<i32>, String, TempDir) {
        let stdin = self.child.stdin.take();
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        let code = self.child.wait().unwrap().code();
        drop(stdin);
        (code, text, self.dir)
    }
}

fn hidden(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with('.')).collect()
}

fn folder(name: &str, text: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(name), text).unwrap();
    dir
}

#[test]
fn signals_end_a_run_that_waits_for_its_input_and_leave_nothing() {
    for (signal, code) in [("-TERM", 143), ("-INT", 130)] {
        let run = Run::reading_stdin(tempfile::tempdir().unwrap(), &["-"]);
        run.signal(signal);
        let (status, text, dir) = run.wait();
        assert_eq!(status, Some(code), "{text}");
        assert!(text.contains("error: stopped by SIG"), "{text}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}

#[test]
fn signal_ends_a_run_that_waits_for_the_writer_of_a_fifo() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let mut run = Run::start(dir, &["fifo"]);
    // It may not have come as far as catching signals; until then it is ended by the signal itself.
    std::thread::sleep(Duration::from_millis(200));
    assert!(run.child.try_wait().unwrap().is_none());
    run.signal("-TERM");
    let (status, text, _dir) = run.wait();
    assert!(matches!(status, Some(143) | None), "{text}");
}

#[test]
fn fifo_is_read_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let run = Run::start(dir, &["fifo", "--json"]);
    let mut writer = File::options().write(true).open(&fifo).unwrap();
    for number in 1..=50_000 {
        writeln!(writer, "{number}").unwrap();
    }
    drop(writer);
    let (status, text, dir) = run.end();
    assert_eq!(status, Some(0), "{text}");
    assert_eq!(crate::support::entries(&dir.path().join("out")).len(), 50_000);
}

#[test]
fn file_that_changes_before_its_turn_is_refused() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 5] = [
        ("it shrank while it was read", |path| {
            OpenOptions::new().write(true).open(path).unwrap().set_len(4).unwrap();
        }),
        ("it grew while it was read", |path| {
            OpenOptions::new().append(true).open(path).unwrap().write_all(b"7\n").unwrap();
        }),
        ("it was replaced while it was read", |path| {
            let text = fs::read(path).unwrap();
            fs::rename(path, path.with_extension("old")).unwrap();
            fs::write(path, text).unwrap();
        }),
        ("it was written to while it was read", |path| {
            let file = OpenOptions::new().write(true).open(path).unwrap();
            (&file).write_all(b"124").unwrap();
            file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        }),
        ("no such file", |path| fs::remove_file(path).unwrap()),
    ];
    for (message, change) in changes {
        let run = Run::reading_stdin(folder("second.txt", "123\n456\n789\n"), &["-", "second.txt"]);
        change(&run.dir.path().join("second.txt"));
        let (status, text, dir) = run.end();
        assert_eq!(status, Some(3), "{text}");
        assert!(text.to_lowercase().contains(message), "{message}: {text}");
        assert!(!dir.path().join("out").exists() && hidden(dir.path()).is_empty());
    }
}

/// Larger than can be read while the run is being stopped; all but its beginning is a hole.
const HUGE_BYTES: u64 = 8 << 30;

/// Stops a run as soon as it begins, truncates its input, and lets it go on.
fn truncated_under_the_reader(
    path: &Path,
    dir: TempDir,
    args: &[&str],
) -> (Option<i32>, String, TempDir) {
    let mut run = Run::start(dir, args);
    run.wait_for_staging();
    run.signal("-STOP");
    OpenOptions::new().write(true).open(path).unwrap().set_len(4097).unwrap();
    run.signal("-CONT");
    run.end()
}

#[test]
fn file_that_is_truncated_under_the_reader_is_an_error_and_no_crash() {
    for io in ["auto", "read"] {
        let dir = folder("huge.txt", &"123456789\n".repeat(MORE_THAN_A_SAMPLE / 10));
        let path = dir.path().join("huge.txt");
        OpenOptions::new().write(true).open(&path).unwrap().set_len(HUGE_BYTES).unwrap();
        let (status, text, dir) = truncated_under_the_reader(&path, dir, &["huge.txt", "--io", io]);
        assert_eq!(status, Some(3), "{io}: {text}");
        assert!(text.contains("refused `huge.txt`: it shrank while it was read"), "{text}");
        assert!(text.contains("hint: run again when its writer has finished"), "{text}");
        assert!(!dir.path().join("out").exists() && hidden(dir.path()).is_empty());
    }
}

#[test]
fn truncated_table_is_refused_for_that_and_not_for_its_last_quote() {
    // Nearly every place in it is within quotes.
    let note = "of two lines ".repeat(16);
    let mut rows = String::new();
    for number in 1..=100_000 {
        rows.extend([&number.to_string(), ",\"a note\n ", &note, "\"\n"]);
    }
    for io in ["auto", "read"] {
        // On a machine that is busy with other things the run may be through before it is stopped.
        let refused = (0..20).find_map(|_| {
            let dir = folder("table.csv", &rows);
            let path = dir.path().join("table.csv");
            let (status, text, _) =
                truncated_under_the_reader(&path, dir, &["table.csv", "-c", "1", "--io", io]);
            (status != Some(0)).then_some((status, text))
        });
        let (status, text) = refused.expect("one of many runs is stopped in time");
        assert_eq!(status, Some(3), "{io}: {text}");
        assert!(text.contains("it shrank while it was read"), "{io}: {text}");
    }
}

/// Runs on a list of one id with standard error or output going nowhere.
fn with_output(args: &[&str], stdout: Stdio, stderr: Stdio) -> (Output, TempDir) {
    let dir = folder("in.txt", "123\n");
    let output = Command::new(env!("CARGO_BIN_EXE_throng"))
        .current_dir(dir.path())
        .args(["prepare", "in.txt", "-t", "fbid", "-o", "out"])
        .args(args)
        .stdout(stdout)
        .stderr(stderr)
        .output()
        .unwrap();
    (output, dir)
}

#[test]
fn what_cannot_be_printed_undoes_nothing() {
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    // Whoever asks for the result and does not get it is told so.
    for (stdout, stderr, code) in [(Stdio::piped(), full(), 0), (full(), Stdio::piped(), 4)] {
        let (output, dir) = with_output(&["--json", "--progress", "always"], stdout, stderr);
        assert_eq!(output.status.code(), Some(code));
        assert!(dir.path().join("out/manifest.json").exists());
    }
}
