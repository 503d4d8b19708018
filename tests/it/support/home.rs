//! Where a nightly job lives: its file, its inputs, its state, and the real binary that runs it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use throng::sandbox::{Sandbox, SandboxConfig};

use super::digest_hex;
use super::upload::TOKEN;

/// Longest wait for something that happens; it only turns a hang into a failure.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct Home {
    dir: tempfile::TempDir,
}

pub(crate) fn email(person: u64) -> String {
    format!("person.{person}@example.com")
}

/// An export of these people.
pub(crate) fn emails(people: impl IntoIterator<Item = u64>) -> String {
    let mut text = String::from("email\n");
    for person in people {
        writeln!(text, "{}", email(person)).unwrap();
    }
    text
}

/// What an audience of these people holds.
pub(crate) fn digests(people: impl IntoIterator<Item = u64>) -> BTreeSet<String> {
    people.into_iter().map(|person| digest_hex(email(person).as_bytes())).collect()
}

/// What a command says that reads this from its standard input.
pub(crate) fn output_for(command: &mut Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The last line of standard output, as a scheduler reads it.
#[track_caller]
pub(crate) fn summary(output: &Output) -> Value {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let line = text.lines().last().unwrap_or_else(|| panic!("no output: {}", stderr(output)));
    serde_json::from_str(line).unwrap()
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn make_dir(&self, name: &str) {
        fs::create_dir_all(self.path(name)).unwrap();
    }

    /// The names in a folder, sorted.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(name)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// All files.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        fn below(dir: &Path, files: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { below(&path, files) } else { files.push(path) }
            }
        }
        let mut files = Vec::new();
        below(self.dir.path(), &mut files);
        files
    }

    /// Writes the job file, with these guards.
    pub(crate) fn job(&self, sandbox: &Sandbox, guards: &str) {
        self.job_with(sandbox, guards, |job| job);
    }

    pub(crate) fn job_with(
        &self,
        sandbox: &Sandbox,
        guards: &str,
        change: impl FnOnce(String) -> String,
    ) {
        let job = format!(
            r#"
name = "nightly"
state = "state"

[input]
files = ["export.csv"]

[[suppress]]
files = ["opt_outs.txt"]
user-type = "email_hash"

[[audience]]
user-type = "email_hash"
column = "email"
name = "News"

[target]
ad-account = 7
endpoint = "{}"

[upload]
parallel = 1
attempts = 2
retry-wait = "1ms"

[limits]
part-lines = 10
threads = 2

[guards]
{guards}

[report]
html = "report.html"
metrics = "throng.prom"
rejects = "rejects.csv"
"#,
            sandbox.endpoint()
        );
        self.write("nightly.toml", &change(job));
    }

    /// The job with two audiences of the same people.
    pub(crate) fn two_audiences(&self, sandbox: &Sandbox) {
        let one = "[[audience]]\nuser-type = \"email_hash\"\ncolumn = \"email\"\nname = \"News\"\n";
        let named = |label: &str, name: &str| {
            one.replace("name = \"News\"", &format!("label = \"{label}\"\nname = \"{name}\""))
        };
        let two = named("first", "First") + &named("second", "Second");
        self.job_with(sandbox, "", |job| job.replace(one, &two));
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.dir.path()).stdin(Stdio::null());
        command.env_clear().env("THRONG_TOKEN", TOKEN).env("PATH", "/usr/bin:/bin");
        command
    }

    pub(crate) fn throng(&self, args: &[&str]) -> Output {
        self.command(env!("CARGO_BIN_EXE_throng"), args).output().unwrap()
    }

    pub(crate) fn sync(&self, args: &[&str]) -> Output {
        self.throng(&[&["sync", "nightly.toml"], args].concat())
    }

    pub(crate) fn start(&self, args: &[&str]) -> Child {
        let args = [&["sync", "nightly.toml"], args].concat();
        let mut command = self.command(env!("CARGO_BIN_EXE_throng"), &args);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Runs a command that was printed, as a person would who pastes it.
    pub(crate) fn shell(&self, command: &str) -> Output {
        let mut shell = self.command("sh", &["-c", command]);
        shell.current_dir("/").output().unwrap()
    }

    /// Whether a run has the state.
    pub(crate) fn is_running(&self) -> bool {
        let lock = fs::File::options().append(true).open(self.path("state/lock"));
        lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(fs::TryLockError::WouldBlock)))
    }

    #[track_caller]
    #[expect(clippy::unused_self, reason = "what is waited for happens here")]
    pub(crate) fn wait_for(&self, mut happened: impl FnMut() -> bool) {
        let started = Instant::now();
        while !happened() {
            assert!(started.elapsed() < PATIENCE, "it does not happen");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

pub(crate) fn sandbox() -> Sandbox {
    let token = TOKEN.to_owned();
    Sandbox::start(SandboxConfig { token, ..SandboxConfig::default() }).unwrap()
}

/// A home with customers, and what the sandbox's only audience must hold.
pub(crate) fn first_night(customers: u64) -> (Home, Sandbox) {
    let (home, sandbox) = (Home::new(), sandbox());
    home.write("export.csv", &emails(0..customers));
    home.write("opt_outs.txt", "");
    home.job(&sandbox, "");
    (home, sandbox)
}

/// How many requests of a method the sandbox has seen.
pub(crate) fn requests(sandbox: &Sandbox, method: &str) -> usize {
    sandbox.exchanges().iter().filter(|exchange| exchange.method == method).count()
}

/// Who is in the sandbox's only audience.
pub(crate) fn members(sandbox: &Sandbox) -> BTreeSet<String> {
    let audiences = sandbox.audiences().unwrap();
    assert_eq!(audiences.len(), 1);
    sandbox.members(audiences[0].id).unwrap().into_iter().collect()
}
