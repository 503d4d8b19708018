//! Nothing personal and no token gets anywhere but into the parts and to the API: canaries, and a search of everything
//! that was printed and written.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use throng::api::Revision;
use throng::sandbox::{Sandbox, SandboxConfig};
use throng::upload::{Client, ClientConfig, Token};

use crate::support::raw::{RawServer, Step, json};
use crate::support::upload::TOKEN;

/// A home with inputs that are full of canaries, and everything that was printed there.
struct Home {
    dir: tempfile::TempDir,
    printed: String,
}

/// A type of entries, its input, and what of it must not be seen.
const INPUTS: [(&str, &str, [&str; 2]); 5] = [
    (
        "email_hash",
        "canary.ann@example.com\ncanary.bob@example.org\n",
        ["canary.ann", "canary.bob"],
    ),
    ("phone_hash", "+44 20 7946 0018\n+442079460019\n", ["7946 0018", "4420794600"]),
    ("fbid", "1234501\n998877665544\n", ["1234501", "998877665544"]),
    (
        "custom_audience_third_party_id",
        "canary vip\nKanarienvogel\n",
        ["canary vip", "kanarienvogel"],
    ),
    (
        "mobile_advertiser_id",
        "abcdef01-aaaa-4bbb-8ccc-abcdefabcdef\nabcdefabcdefabc1\n",
        ["abcdef01-aaaa", "abcdefabcdefabc1"],
    ),
];

impl Home {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), printed: String::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn throng(&mut self, endpoint: &str, token: &str, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
        command.args(args).current_dir(self.dir.path()).env("THRONG_ENDPOINT", endpoint);
        command
            .env("THRONG_TOKEN", token)
            .env("THRONG_STATE", "state")
            .env("RUST_BACKTRACE", "full");
        let output = command.output().unwrap();
        self.printed.push_str(&String::from_utf8_lossy(&output.stdout));
        self.printed.push_str(&String::from_utf8_lossy(&output.stderr));
        output
    }

    fn prepare(&mut self, user_type: &str, input: &str) -> Vec<String> {
        fs::write(self.path("input.txt"), input).unwrap();
        let args = ["prepare", "input.txt", "-t", user_type, "-o", "out", "--overwrite"];
        let prepared = self.throng("https://api.example.com", TOKEN, &args);
        assert_eq!(prepared.status.code(), Some(0), "{}", self.printed);
        let parts = crate::support::entries(&self.path("out"));
        assert_eq!(parts.len(), 2);
        parts
    }

    /// Everything that was printed, and all files but inputs and parts.
    fn everything(&self) -> String {
        fn files_below(dir: &Path, text: &mut String) {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    files_below(&path, text);
                } else if path.extension().is_none_or(|extension| extension != "txt") {
                    text.push_str(&String::from_utf8_lossy(&fs::read(path).unwrap()));
                }
            }
        }
        let mut text = self.printed.clone();
        files_below(self.dir.path(), &mut text);
        text
    }
}

#[track_caller]
fn assert_absent(everything: &str, canaries: &[&str]) {
    let lower = everything.to_lowercase();
    for canary in canaries {
        let canary = canary.to_lowercase();
        if let Some(at) = lower.find(&canary) {
            let around = &lower[lower[..at].rfind('\n').unwrap_or(0)..at + canary.len()];
            panic!("`{canary}` is in {around}");
        }
    }
}

/// Answers that repeat all that a server knows.
fn echoes(entries: &[String]) -> Vec<String> {
    let [first, second] = entries else { panic!("two entries") };
    let upper = second.to_uppercase();
    vec![
        format!(r#"{{"error": "line 1: {first} is not known"}}"#),
        format!(r#"{{"error": {{"message": "OAuth {TOKEN}: \"{upper}\", {second}; {first}."}}}}"#),
        format!(r#"{{"errors": {{"file": ["{first}", "{second} is wrong"], "{first}": "x"}}}}"#),
        format!("<html>{TOKEN} {first}</html>"),
        format!(r#"{{"message": "{} {first}"}}"#, "x ".repeat(95)),
    ]
}

#[test]
fn no_entry_and_no_token_is_repeated_whatever_a_server_says() {
    for (user_type, input, canaries) in INPUTS {
        let mut home = Home::new();
        let entries = home.prepare(user_type, input);
        let upload = ["upload", "out", "--ad-account", "7", "--retry-wait", "1ms"];
        for body in echoes(&entries) {
            for (target, status, attempts) in [
                (["--create", "News"], 422, "1"),
                (["--create", "News"], 401, "1"),
                (["--audience", "59"], 422, "1"),
                (["--audience", "59"], 503, "2"),
                (["--audience", "59"], 302, "1"),
                (["--audience", "59"], 200, "2"),
            ] {
                let server = RawServer::start(vec![Step::Answer(json(status, &body))]);
                for format in [&["--json"][..], &["--log", "json", "--progress", "always"]] {
                    let args = [&upload[..], &target, &["--attempts", attempts], format].concat();
                    let ended = home.throng(&server.endpoint, TOKEN, &args);
                    assert_ne!(ended.status.code(), Some(0));
                }
            }
        }
        home.throng("http://127.0.0.1:1", TOKEN, &["history"]);
        home.throng("http://127.0.0.1:1", TOKEN, &["history", "--json"]);
        let everything = home.everything();
        assert!(everything.contains("[...]"), "something was said");
        assert_absent(&everything, &canaries);
        assert_absent(&everything, &[TOKEN, &entries[0], &entries[1]]);
    }
}

#[test]
fn the_sandbox_and_good_days_leave_no_trace_either() {
    for revision in Revision::ALL {
        for (user_type, input, canaries) in INPUTS {
            let mut home = Home::new();
            let entries = home.prepare(user_type, input);
            let token = TOKEN.to_owned();
            let sandbox =
                Sandbox::start(SandboxConfig { revision, token, ..SandboxConfig::default() })
                    .unwrap();
            let endpoint = sandbox.endpoint();
            let upload =
                ["upload", "out", "--create", "News", "--ad-account", "7", "--log", "json"];
            assert_eq!(
                home.throng(&endpoint, TOKEN, &upload).status.code(),
                Some(0),
                "{}",
                home.printed
            );
            let wrong = ["upload", "out", "--create", "Other", "--ad-account", "7"];
            assert_eq!(home.throng(&endpoint, "canary-of-a-token", &wrong).status.code(), Some(5));
            home.throng(&endpoint, TOKEN, &["history"]);
            home.throng(&endpoint, TOKEN, &["verify", "out", "--json"]);
            let shown = format!("{sandbox:?} {:?}", sandbox.exchanges());
            home.printed.push_str(&shown);
            let everything = home.everything();
            assert_absent(&everything, &canaries);
            assert_absent(&everything, &[TOKEN, "canary-of-a-token", &entries[0], &entries[1]]);
        }
    }
}

#[test]
fn calls_without_entries_do_not_repeat_the_token_either() {
    let mut home = Home::new();
    for status in [401, 404, 422, 503, 200] {
        let body = format!(r#"{{"error": "OAuth {TOKEN} is wrong, {TOKEN}!"}}"#);
        let server = RawServer::start(vec![Step::Answer(json(status, &body))]);
        let list = ["audience", "list", "--ad-account", "7"];
        for args in [&list[..], &["audience", "show", "7"], &["audience", "delete", "7", "--yes"]] {
            home.throng(&server.endpoint, TOKEN, args);
        }
    }
    assert!(home.printed.contains("[token]"), "{}", home.printed);
    assert_absent(&home.everything(), &[TOKEN]);
}

#[test]
fn debug_output_has_no_token() {
    let config = ClientConfig {
        known_as: None,
        endpoint: "https://api.example.com".parse().unwrap(),
        token: Token::new(TOKEN).unwrap(),
        ca_file: None,
        use_proxy: false,
        request_time_max: std::time::Duration::from_secs(1),
    };
    let text = format!("{config:?} {:?}", Client::new(config.clone()).unwrap());
    assert!(text.contains("api.example.com"));
    assert_absent(&text, &[TOKEN]);
}
