//! A real browser, over `DevTools` protocol: messages of JSON that end with a NUL, on file descriptors 3 and 4 of
//! Chromium (`--remote-debugging-pipe`). No port, no driver, no crate.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

/// Longest wait for an answer. Far more than a busy machine needs: it only turns a hang into a failure.
const PATIENCE: Duration = Duration::from_mins(2);

const FLAGS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
];

pub(crate) struct Browser {
    child: Child,
    /// `None` once the browser is to end.
    commands: Option<ChildStdin>,
    answers: Receiver<Value>,
    reader: Option<JoinHandle<()>>,
    sent: u64,
    session: Option<String>,
    /// What happened meanwhile.
    events: Vec<Value>,
    _profile: tempfile::TempDir,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) scheme: &'static str,
}

impl Browser {
    /// Starts Chromium; `None` if there is none. Where `THRONG_BROWSER=required`, that is a failure.
    pub(crate) fn start() -> Option<Self> {
        let profile = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        // The protocol's pipes are the shell's standard streams, moved to where Chromium expects them.
        command.args(["-c", "exec \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null", "sh", "chromium"]);
        command.args(FLAGS).arg(format!("--user-data-dir={}", profile.path().display()));
        command.env("HOME", profile.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let commands = child.stdin.take();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, answers) = channel();
        let reader = std::thread::spawn(move || {
            let mut message = Vec::new();
            while stdout.read_until(0, &mut message).is_ok_and(|read| read > 0) {
                message.pop();
                if sender.send(serde_json::from_slice(&message).unwrap()).is_err() {
                    return;
                }
                message.clear();
            }
        });
        let mut browser = Self {
            child,
            commands,
            answers,
            reader: Some(reader),
            sent: 0,
            session: None,
            events: Vec::new(),
            _profile: profile,
        };
        let is_there = browser.call("Browser.getVersion", &json!({})).is_some();
        let is_required =
            std::env::var_os("THRONG_BROWSER").is_some_and(|value| value == "required");
        assert!(is_there || !is_required, "chromium cannot be started");
        is_there.then_some(browser)
    }

    /// The answer to a command; `None` if the browser has ended.
    fn call(&mut self, method: &str, params: &Value) -> Option<Value> {
        self.sent += 1;
        let mut message = json!({ "id": self.sent, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut message = serde_json::to_vec(&message).unwrap();
        message.push(0);
        self.commands.as_mut()?.write_all(&message).ok()?;
        loop {
            let answer = self.answers.recv_timeout(PATIENCE).ok()?;
            if answer["id"] == self.sent {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return Some(answer["result"].clone());
            }
            self.events.push(answer);
        }
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.call(method, params).unwrap_or_else(|| panic!("no answer to {method}"))
    }

    /// Opens a file in a new tab of such a screen, and waits until it is there.
    pub(crate) fn open(&mut self, path: &Path, screen: Screen) {
        self.session = None;
        let target = self.ask("Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.ask("Target.attachToTarget", &attach);
        self.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.ask(&format!("{domain}.enable"), &json!({}));
        }
        let Screen { width, height, scheme } = screen;
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.ask("Emulation.setDeviceMetricsOverride", &metrics);
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.ask("Emulation.setEmulatedMedia", &json!({ "features": [feature] }));
        self.events.clear();
        let url = format!("file://{}", path.display());
        self.ask("Page.navigate", &json!({ "url": url }));
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.answers.recv_timeout(PATIENCE).expect("the page does not load");
            self.events.push(event);
        }
    }

    /// What an expression comes to in the page.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "returnByValue": true });
        let result = self.ask("Runtime.evaluate", &params);
        assert!(result.get("exceptionDetails").is_none(), "{result}");
        result["result"]["value"].clone()
    }

    /// Addresses that were asked for since the page was opened.
    pub(crate) fn requests(&self) -> Vec<String> {
        let of_network = |event: &&Value| event["method"] == "Network.requestWillBeSent";
        let url = |event: &Value| event["params"]["request"]["url"].as_str().unwrap().to_owned();
        self.events.iter().filter(of_network).map(url).collect()
    }

    /// What the browser complained about since the page was opened.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let complaints = ["Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"];
        let is_complaint = |event: &&Value| complaints.iter().any(|name| event["method"] == *name);
        self.events.iter().filter(is_complaint).map(|event| event["params"].to_string()).collect()
    }

    /// The whole page as PNG.
    pub(crate) fn screenshot(&mut self) -> Vec<u8> {
        let params = json!({ "format": "png", "captureBeyondViewport": true });
        let taken = self.ask("Page.captureScreenshot", &params);
        base64(taken["data"].as_str().unwrap())
    }

    /// The page as it is printed, as PDF.
    pub(crate) fn print(&mut self) -> Vec<u8> {
        let printed = self.ask("Page.printToPDF", &json!({ "printBackground": true }));
        base64(printed["data"].as_str().unwrap())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.commands = None;
        let _killed = self.child.kill();
        let _ended = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _joined = reader.join();
        }
    }
}

fn base64(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'=').collect();
    let mut bytes = Vec::new();
    for group in digits.chunks(4) {
        let bits = group.iter().fold(0_u32, |bits, digit| bits << 6 | u32::from(value(*digit)));
        let bits = bits << (6 * (4 - group.len()));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    bytes
}
