//! Nothing personal and no token gets anywhere but into the parts and to the API: canaries, and a search of everything
//! that was printed and written.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;
use throng::sandbox::{Revision, Sandbox, SandboxConfig};
use throng::upload::{AppSecret, Client, ClientConfig, Token};

use crate::support::raw::{RawServer, Step, json as answer};
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
        "canary-vip\nKanarienvogel\n",
        ["canary-vip", "kanarienvogel"],
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
        format!(r#"{{"error": {{"code": "{first}", "message": "line {first} of the file"}}}}"#),
        format!(r#"{{"code": {}, "error": "code {first}"}}"#, first.parse().unwrap_or(0_u64)),
    ]
}

/// Ways to write a text.
fn spellings(text: &str) -> Vec<String> {
    let each = |escape: fn(u8) -> String| text.bytes().map(escape).collect::<String>();
    let bytes = text.as_bytes();
    let raw = const_hex::decode(text).unwrap_or_else(|_| bytes.to_vec());
    vec![
        each(|byte| format!("%{byte:02x}")),
        each(|byte| format!("%25{byte:02X}")),
        each(|byte| format!("\\u{byte:04x}")),
        each(|byte| format!("&#{byte};")),
        each(|byte| format!("{byte:02x}")),
        base64(bytes),
        base64(&raw),
        base64(format!("x: {text}").as_bytes()),
        base64(base64(bytes).as_bytes()),
        text.replace(' ', "%20"),
        each(|byte| format!("{byte:02X}")),
        base64(bytes).to_lowercase(),
        base64(bytes).replace('+', "-").replace('/', "_"),
    ]
}

/// Ways to take a text apart.
fn pieces(text: &str) -> Vec<String> {
    let apart = |words: Vec<String>| words.join(" ");
    let other_case = |c: char| {
        if c.is_uppercase() { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() }
    };
    vec![
        apart(text.chars().map(String::from).collect()),
        apart(text.as_bytes().chunks(2).map(const_hex::encode).collect()),
        apart(text.bytes().map(|byte| byte.to_string()).collect()),
        apart(base64(text.as_bytes()).chars().map(String::from).collect()),
        text.chars().rev().collect(),
        text.chars().map(other_case).collect(),
    ]
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letters = bytes.chunks(3).flat_map(|three| {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | usize::from(*three.get(at).unwrap_or(&0)));
        (0..=three.len()).map(move |at| char::from(LETTERS[bits >> (18 - 6 * at) & 63]))
    });
    letters.collect()
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
                let server = RawServer::start(vec![Step::Answer(answer(status, &body))]);
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
fn no_other_spelling_is_repeated_either() {
    for (user_type, input, canaries) in INPUTS {
        let mut home = Home::new();
        let entries = home.prepare(user_type, input);
        let texts = [&entries[0], TOKEN].map(|text| [spellings(text), pieces(text)].concat());
        let texts = texts.concat();
        // Each is the reason of another attempt, and of a retry that is told.
        let body = |text: &String| json!({ "error": format!("what is {text} for?") }).to_string();
        // Waits double, so that there are few of them.
        for texts in texts.chunks(8) {
            let answers = texts.iter().map(|text| Step::Answer(answer(503, &body(text))));
            let server = RawServer::start(answers.collect());
            let attempts = texts.len().to_string();
            let target = ["upload", "out", "--audience", "59", "--ad-account", "7"];
            let retries = ["--retry-wait", "1ms", "--attempts", &attempts];
            let ended = home.throng(&server.endpoint, TOKEN, &[&target[..], &retries].concat());
            assert_eq!(ended.status.code(), Some(6), "{}", home.printed);
        }
        assert_eq!(home.printed.matches("what is ").count(), texts.len(), "{}", home.printed);
        let everything = home.everything();
        assert_absent(&everything, &canaries);
        for text in texts.iter().map(String::as_str).chain([TOKEN, &entries[0]]) {
            assert_absent(&everything, &[text]);
        }
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
    // The second one is made of words that are shown otherwise.
    for token in [TOKEN, "Access-Password"] {
        let mut home = Home::new();
        for status in [401, 404, 422, 503, 200] {
            let body = format!(r#"{{"error": "OAuth {token} is wrong, {token}!"}}"#);
            let server = RawServer::start(vec![Step::Answer(answer(status, &body))]);
            let list = ["audience", "list", "--ad-account", "7"];
            for args in
                [&list[..], &["audience", "show", "7"], &["audience", "delete", "7", "--yes"]]
            {
                home.throng(&server.endpoint, token, args);
            }
        }
        assert!(home.printed.contains("oauth [...] is wrong, [...]"), "{}", home.printed);
        assert_absent(&home.everything(), &[token]);
    }
}

#[test]
fn no_audience_is_called_like_the_token() {
    let mut home = Home::new();
    let spelled = spellings(TOKEN);
    let apart = pieces(TOKEN).remove(0);
    for name in [TOKEN.to_uppercase(), apart].iter().chain(&spelled) {
        let (with_word, link) = (format!("a {name}"), format!("https://example.com/{name}"));
        let facebook = json!({
            "id": "7", "name": with_word, "description": name, "status": name, "subtype": name,
            "run_status": { "description": name },
        });
        let vendor = json!({
            "id": 59, "fb_id": 7, "name": with_word, "description": name, "user_type": name,
            "subtype": name, "opt_out_link": link,
        });
        for (args, body) in [
            (["list", "--ad-account"], json!([facebook])),
            (["list", "--ad-account"], json!({ "custom_audiences": [vendor] })),
            (["show", "--request-time=9s"], facebook.clone()),
            (["show", "--request-time=9s"], json!({ "fb_custom_audience": vendor })),
        ] {
            for format in ["--log=text", "--json"] {
                let server = RawServer::start(vec![Step::Answer(answer(200, &body.to_string()))]);
                let args = ["audience", args[0], args[1], "7", format];
                let ended = home.throng(&server.endpoint, TOKEN, &args);
                assert_eq!(ended.status.code(), Some(0), "{}", home.printed);
            }
        }
    }
    assert!(home.printed.contains("a [...]"), "{}", home.printed);
    for text in &spelled {
        assert_absent(&home.printed, &[TOKEN, text]);
    }
}

/// The secret of an app. It must be nowhere.
const SECRET: &str = "canary-secret-9147";

#[test]
fn debug_output_has_no_token() {
    let config = ClientConfig {
        known_as: None,
        platform: throng::platform::Platform::default(),
        endpoint: "https://api.example.com".parse().unwrap(),
        token: Token::new(TOKEN).unwrap(),
        app_secret: Some(AppSecret::new(SECRET).unwrap()),
        ca_file: None,
        use_proxy: false,
        request_time_max: std::time::Duration::from_secs(1),
    };
    let text = format!("{config:?} {:?}", Client::new(config.clone()).unwrap());
    assert!(text.contains("api.example.com"));
    assert_absent(&text, &[TOKEN, SECRET]);
}
