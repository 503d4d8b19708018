//! What the system refuses, and what other users put in the way: one clear line, and nothing is left behind.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGABRT, SIGTERM};

use crate::support::fixture;

/// Longest wait for what happens at once; it only turns a hang into a failure.
const PATIENCE: Duration = Duration::from_mins(1);

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn names(&self) -> Vec<OsString> {
        let mut names: Vec<OsString> = fs::read_dir(self.dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    }

    /// throng with these arguments, in a shell that has been told something before.
    fn command(&self, before: &str, args: &[&str]) -> Command {
        let mut command = Command::new("sh");
        let script = format!("{before}; exec \"$0\" \"$@\"");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_throng")]).args(args);
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        command
    }

    fn prepare(&self, before: &str, more: &[&str]) -> Output {
        let input = fixture("emails.txt");
        let args = ["prepare", input.to_str().unwrap(), "-t", "email_hash", "--threads", "2"];
        self.command(before, &[&args[..], more].concat()).output().unwrap()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_file_over_the_limit_is_an_error_and_nothing_is_left() {
    let place = Place::new();
    let ended = place.prepare("ulimit -f 1", &["-o", "out"]);
    assert_eq!(ended.status.code(), Some(4), "{}", said(&ended));
    assert!(
        said(&ended).contains("`out/email_hash-00001.txt`: file too large\n"),
        "{}",
        said(&ended)
    );
    assert_eq!(place.names(), [""; 0]);
}

#[test]
fn few_open_files_are_an_error_and_nothing_is_left() {
    let mut failed = 0;
    for limit in 4..16 {
        let place = Place::new();
        let ended = place.prepare(&format!("ulimit -n {limit}"), &["-o", "out"]);
        match ended.status.code() {
            Some(0) => assert_eq!(place.names(), ["out"], "{limit}"),
            // The system cannot even load it.
            Some(127) => {}
            _ => {
                failed += 1;
                assert_eq!(place.names(), [""; 0], "{limit}: {}", said(&ended));
            }
        }
    }
    assert!(failed > 0);
}

#[test]
fn a_symbolic_link_in_the_place_of_the_output_is_called_one() {
    let place = Place::new();
    fs::create_dir(place.path("there")).unwrap();
    symlink("there", place.path("out")).unwrap();
    for out in ["out", "out/"] {
        let ended = place.prepare("true", &["-o", out, "--overwrite"]);
        assert_eq!(ended.status.code(), Some(4));
        assert!(said(&ended).starts_with("error: cannot write `out`: it is a symbolic link\n"));
    }
    assert_eq!(place.names(), ["out", "there"]);
}

#[test]
fn what_others_put_beside_the_output_holds_nothing_up() {
    let place = Place::new();
    let secret = place.path("secret");
    fs::write(&secret, "precious").unwrap();
    for name in [".out.throng-1", ".rejects.csv.throng-1"] {
        let fifo = Command::new("mkfifo").arg(place.path(name)).status().unwrap();
        assert!(fifo.success());
    }
    symlink("secret", place.path(".out.throng-2")).unwrap();
    symlink("nothing", place.path(".rejects.csv.throng-2")).unwrap();
    let input = fixture("emails.txt");
    let prepare = ["prepare", input.to_str().unwrap(), "-t", "email_hash", "-q"];
    let ended = assert_cmd::Command::cargo_bin("throng")
        .unwrap()
        .args(prepare)
        .args(["-o", "out", "--rejects", "rejects.csv"])
        .current_dir(place.dir.path())
        .timeout(PATIENCE)
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", said(&ended));
    assert_eq!(fs::read_to_string(&secret).unwrap(), "precious");
}

#[test]
fn directories_on_the_way_are_for_their_owner_alone() {
    let place = Place::new();
    let ended = place.prepare("umask 0", &["-o", "new/newer/out"]);
    assert_eq!(ended.status.code(), Some(0), "{}", said(&ended));
    for dir in ["new", "new/newer", "new/newer/out"] {
        assert_eq!(mode(&place.path(dir)), 0o700, "{dir}");
    }
}

#[test]
fn a_state_directory_may_be_called_like_an_address() {
    let place = Place::new();
    place.prepare("true", &["-o", "out", "-q"]);
    let upload = ["upload", "out", "--audience", "1", "--ad-account", "1", "--dry-run"];
    let mut command = place.command("true", &upload);
    command.args(["--state", "file:state", "--endpoint", "http://127.0.0.1:1"]);
    let ended = command.env("THRONG_TOKEN", "canary").output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", said(&ended));
    assert!(place.path("file:state/throng.sqlite").exists());
}

#[test]
fn no_core_file_is_written_whatever_the_limit_was() {
    let place = Place::new();
    let mut filter = place
        .command("ulimit -c unlimited", &["hash", "-t", "fbid"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, mut stdout) = (filter.stdin.take().unwrap(), filter.stdout.take().unwrap());
    std::io::Write::write_all(&mut stdin, b"7\n").unwrap();
    std::io::Read::read_exact(&mut stdout, &mut [0; 2]).unwrap();
    let aborted = Command::new("kill").args(["-ABRT", &filter.id().to_string()]).status().unwrap();
    assert!(aborted.success());
    let ended = filter.wait().unwrap();
    assert_eq!(ended.signal(), Some(SIGABRT));
    assert!(!ended.core_dumped());
}

#[test]
fn sigterm_ends_the_comparison_with_the_manifest() {
    let place = Place::new();
    place.prepare("true", &["-o", "out", "-q"]);
    // Holes cost no room, and reading them takes minutes.
    let bytes = 1_u64 << 40;
    let part = File::options().write(true).open(place.path("out/email_hash-00001.txt")).unwrap();
    part.set_len(bytes).unwrap();
    let mut upload = place
        .command("true", &["upload", "out", "--audience", "1", "--ad-account", "1"])
        .args(["--state", "state", "--endpoint", "http://127.0.0.1:1"])
        .env("THRONG_TOKEN", "canary")
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pid = upload.id().to_string();
    // Before it listens, the first signal would end it at once.
    wait_for(|| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
        (caught & (1 << (SIGTERM - 1)) != 0).then_some(())
    });
    Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    let ended = wait_for(|| upload.try_wait().unwrap());
    upload.kill().unwrap();
    assert_eq!(ended.and_then(|ended| ended.code()), Some(143));
}

/// What comes of it, once it does; `None` if it does not.
fn wait_for<T>(mut what: impl FnMut() -> Option<T>) -> Option<T> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Some(found) = what() {
            return Some(found);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}
