//! A client that says exactly what it is told, over a plain socket.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use throng_sandbox::Sandbox;

const BOUNDARY: &str = "a-boundary";

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (own, value) = line.split_once(": ")?;
            own.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Some(Self { status, head: head.to_owned(), body: body.to_owned() })
    }
}

pub(crate) fn connect(sandbox: &Sandbox) -> TcpStream {
    let address = sandbox.endpoint().strip_prefix("http://").unwrap().to_owned();
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    stream
}

/// Sends these bytes and reads until the sandbox closes the connection. `None` if it closes without an answer.
pub(crate) fn exchange(sandbox: &Sandbox, request: &[u8]) -> Option<Answer> {
    let mut stream = connect(sandbox);
    // A sandbox that cuts the connection does so while this is sending.
    let _sent = stream.write_all(request);
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer);
    Answer::parse(&answer)
}

/// A request for the sandbox, with everything that it asks for.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: Vec<String>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(sandbox: &Sandbox, method: &str, path: &str) -> Self {
        let headers = vec![
            "Host: localhost".to_owned(),
            "Connection: close".to_owned(),
            "Accept: application/json".to_owned(),
            format!("Authorization: OAuth {}", sandbox.token()),
        ];
        Self { line: format!("{method} {path} HTTP/1.1"), headers, body: Vec::new() }
    }

    /// With a form of these fields; the one called `file` is a file.
    pub(crate) fn form(mut self, fields: &[(&str, &str)]) -> Self {
        self.headers.push(format!("Content-Type: multipart/form-data; boundary={BOUNDARY}"));
        for (name, value) in fields {
            let more = match *name {
                "file" => "; filename=\"part.txt\"\r\nContent-Type: text/plain",
                _ => "",
            };
            let disposition = format!("Content-Disposition: form-data; name=\"{name}\"{more}");
            let field = format!("--{BOUNDARY}\r\n{disposition}\r\n\r\n{value}\r\n");
            self.body.extend_from_slice(field.as_bytes());
        }
        self.body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        self
    }

    pub(crate) fn without(mut self, header: &str) -> Self {
        self.headers.retain(|own| !own.starts_with(header));
        self
    }

    pub(crate) fn with(mut self, header: &str) -> Self {
        let name = header.split(':').next().unwrap();
        self = self.without(name);
        self.headers.push(header.to_owned());
        self
    }

    pub(crate) fn head(&self) -> Vec<u8> {
        let length = match self.body.len() {
            0 => String::new(),
            length => format!("Content-Length: {length}\r\n"),
        };
        let headers = self.headers.join("\r\n");
        format!("{}\r\n{headers}\r\n{length}\r\n", self.line).into_bytes()
    }

    pub(crate) fn send(&self, sandbox: &Sandbox) -> Option<Answer> {
        exchange(sandbox, &[self.head(), self.body.clone()].concat())
    }

    pub(crate) fn answer(&self, sandbox: &Sandbox) -> Answer {
        self.send(sandbox).expect("an answer")
    }
}
