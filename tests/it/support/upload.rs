//! What tests of uploads share: a prepared directory, the oracle's members, the real binary, and what must hold of
//! sandbox and store when an upload is done.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::Connection;
use throng::api::Form;
use throng::emit::Manifest;
use throng::normalize::{Case, Normalizer, RuleOptions, UserType};
use throng::sandbox::{Exchange, Sandbox};
use throng::store::STORE_FILE;

use super::{Random, config, oracle, run};

/// The token of these tests. It must be nowhere.
pub(crate) const TOKEN: &str = "canary-token-5208";

/// A directory that was prepared, and who must be in its audience.
pub(crate) struct Prepared {
    dir: tempfile::TempDir,
    pub(crate) members: BTreeSet<String>,
    /// Bytes of each part by its digest. Few have the same length, so that the length of a request tells its part.
    pub(crate) parts: BTreeMap<String, u64>,
}

impl Prepared {
    /// `count` ids of customers, some of them twice, in parts of `part_lines`.
    pub(crate) fn new(count: u64, part_lines: u64) -> Self {
        let user_type = UserType::CustomAudienceThirdPartyId;
        let dir = tempfile::tempdir().unwrap();
        let input = dir.path().join("input.txt");
        let mut random = Random(count);
        let mut text = String::new();
        for id in 0..count {
            let tail = "x".repeat(usize::try_from(random.below(150)).unwrap());
            writeln!(text, "canary-id-{id}-{tail}").unwrap();
            if id % 5 == 0 {
                writeln!(text, "  CANARY-ID-{id}-{tail}").unwrap();
            }
        }
        fs::write(&input, &text).unwrap();
        let mut config = config(user_type, &[input], &dir.path().join("out"));
        config.output.part_lines = part_lines;
        config.rules.case = Case::Lower;
        run(config).unwrap();
        let normalizer = Normalizer::new(user_type, RuleOptions::default());
        let members = oracle::read_lines(user_type, &normalizer, text.as_bytes()).set;
        let manifest = Manifest::read(&dir.path().join("out")).unwrap();
        let parts = manifest.audiences.iter().flat_map(|audience| &audience.parts);
        let parts = parts.map(|part| (part.sha256.clone(), part.bytes)).collect();
        Self { dir, members: members.into_iter().collect(), parts }
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.dir.path().join("out")
    }
}

/// One user's state directory, and the command that this user runs.
pub(crate) struct User<'a> {
    pub(crate) prepared: &'a Prepared,
    pub(crate) home: tempfile::TempDir,
    pub(crate) args: Vec<String>,
}

impl<'a> User<'a> {
    pub(crate) fn new(prepared: &'a Prepared, args: &[&str]) -> Self {
        let args = args.iter().map(|&arg| arg.to_owned()).collect();
        Self { prepared, home: tempfile::tempdir().unwrap(), args }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.home.path().join("state")
    }

    /// `throng upload` with the user's arguments and `more`.
    pub(crate) fn command(&self, sandbox: &Sandbox, more: &[&str]) -> Command {
        let mut command = self.command_to(&sandbox.endpoint(), more);
        command.env("THRONG_TOKEN", sandbox.token());
        command
    }

    /// The same to another address of the API.
    pub(crate) fn command_to(&self, endpoint: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
        command
            .arg("upload")
            .arg(self.prepared.out())
            .args(["--create", "News", "--ad-account", "7", "--retry-wait", "1ms"])
            .args(["--endpoint", endpoint])
            .arg("--state")
            .arg(self.state())
            .args(&self.args)
            .args(more)
            .env("THRONG_TOKEN", TOKEN)
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn upload(&self, sandbox: &Sandbox, more: &[&str]) -> Output {
        self.command(sandbox, more).output().unwrap()
    }

    pub(crate) fn start(&self, sandbox: &Sandbox) -> Child {
        let mut command = self.command(sandbox, &["--quiet"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Runs the same command until it is done; where a person must decide, looks at the vendor and does as the message
    /// says. Returns the exit codes.
    pub(crate) fn upload_until_done(&self, sandbox: &Sandbox) -> Vec<i32> {
        let mut codes = Vec::new();
        let mut decided: Vec<String> = Vec::new();
        for _ in 0..8 {
            let more: Vec<&str> = decided.iter().map(String::as_str).collect();
            let output = self.upload(sandbox, &more);
            let said = said(&output);
            let code = output.status.code().unwrap_or_else(|| panic!("killed: {said}"));
            codes.push(code);
            decided.clear();
            match code {
                0 => return codes,
                6 | 7 => assert!(said.contains("run the same command again"), "{said}"),
                8 if said.contains("run the same command again: it asks the list") => {}
                8 => {
                    assert!(said.contains("--adopt ID; if not, with --create-again"), "{said}");
                    decided = match &sandbox.audiences().unwrap()[..] {
                        [] => vec!["--create-again".to_owned()],
                        [audience] => vec!["--adopt".to_owned(), audience.id.to_string()],
                        more => panic!("created {} times", more.len()),
                    };
                }
                _ => panic!("exit code {code}: {said}"),
            }
        }
        panic!("never done: {codes:?}")
    }

    /// Checks that the sandbox has one audience with exactly the oracle's members.
    pub(crate) fn check_members(&self, sandbox: &Sandbox) {
        let audiences = sandbox.audiences().unwrap();
        assert_eq!(audiences.len(), 1, "audiences");
        let members = sandbox.members(audiences[0].id).unwrap();
        assert!(members.iter().eq(self.prepared.members.iter()), "other members than the oracle's");
    }

    /// Checks the members, and that store and sandbox agree on what was sent: nothing again that was confirmed.
    pub(crate) fn check_done(&self, sandbox: &Sandbox) {
        self.check_members(sandbox);
        let attempts = self.attempts();
        let exchanges = sandbox.exchanges();
        let creates = exchanges.iter().filter(|one| one.method == "POST" && one.members_added > 0);
        assert_eq!(creates.count(), 1, "creates that took effect");
        let has_marker = !self.args.iter().any(|arg| arg == "--no-marker");
        let sent = sent_by_length(&exchanges, has_marker);
        for (part, bytes) in &self.prepared.parts {
            let of_part: Vec<_> = attempts.iter().filter(|(sha256, _)| sha256 == part).collect();
            let confirmed = of_part.iter().filter(|(_, outcome)| outcome == "confirmed").count();
            assert_eq!(confirmed, 1, "a part is confirmed once: {of_part:?}");
            assert_eq!(of_part.last().unwrap().1, "confirmed", "and not sent again: {of_part:?}");
            let as_long = |sha256: &str| self.prepared.parts.get(sha256) == Some(bytes);
            let parts = self.prepared.parts.keys().filter(|part| as_long(part)).count();
            let recorded = attempts.iter().filter(|(sha256, _)| as_long(sha256)).count();
            let requests = sent.get(bytes).copied().unwrap_or(0);
            let is_recorded = (parts..=recorded).contains(&requests);
            assert!(is_recorded, "{requests} requests for {parts} parts, {recorded} recorded");
        }
        // The end of a request of which the client is gone may be noticed, and logged, at any later time.
        let last = exchanges.iter().map(|exchange| exchange.at).max();
        let again = self.upload(sandbox, &[]);
        assert_eq!(again.status.code(), Some(0), "{}", said(&again));
        assert!(said(&again).contains("0 of "), "{}", said(&again));
        let is_new = |exchange: &&Exchange| Some(exchange.at) > last;
        let exchanges = sandbox.exchanges();
        let new: Vec<_> = exchanges.iter().filter(is_new).collect();
        assert!(new.is_empty(), "nothing is left to be asked: {new:?}");
    }

    /// Part and outcome of the requests that carried a part, as the store has them, in order.
    pub(crate) fn attempts(&self) -> Vec<(String, String)> {
        let store = open_store(&self.state());
        let mut query = store
            .prepare("SELECT sha256, coalesce(outcome, '') FROM request WHERE sha256 IS NOT NULL ORDER BY id")
            .unwrap();
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }
}

pub(crate) fn open_store(state: &Path) -> Connection {
    Connection::open(state.join(STORE_FILE)).unwrap()
}

/// How many files of each length came in as a whole: the form around them has one length in all requests of a kind.
fn sent_by_length(exchanges: &[Exchange], has_marker: bool) -> BTreeMap<u64, usize> {
    let user_type = UserType::CustomAudienceThirdPartyId;
    let marker = format!("[throng {}]", "0".repeat(32));
    let marker = has_marker.then_some(&marker[..]);
    let create = Form::create("7", "News", user_type, marker, None);
    let around = |form: &Form| {
        let name = format!("{user_type}-00001.txt");
        form.body(std::io::empty(), &name, 0, &"0".repeat(32)).content_length()
    };
    let (around_create, around_add) = (around(&create), around(&Form::add("7", user_type)));
    let mut sent = BTreeMap::new();
    for exchange in exchanges {
        let around = if exchange.method == "POST" { around_create } else { around_add };
        if let Some(bytes) = exchange.body_bytes.checked_sub(around) {
            *sent.entry(bytes).or_insert(0) += 1;
        }
    }
    sent
}

/// All that a process has printed.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

/// Runs a check for each case, several at once, since most of them wait; then tells which ones failed.
pub(crate) fn for_each<T: Sync>(
    cases: &[T],
    name: impl Fn(&T) -> String + Sync,
    check: impl Fn(&T) + Sync,
) {
    const AT_ONCE: usize = 32;
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(case))) {
                        let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                        failed.lock().unwrap().push(format!("{}: {text}", name(case)));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), cases.len(), failed.join("\n"));
}
