//! A store of objects on this machine: what S3 answers to those who list and read, by ranges, and the faults of networks.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What becomes of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fault {
    /// This status, and an error in XML with this code.
    Status(u16, &'static str),
    /// The connection ends behind so many bytes of the body.
    Cut(usize),
    /// The body is shorter than was asked for, by its own account, too.
    Short(usize),
    /// The whole object is sent, whatever range was asked for.
    Whole,
    /// It is at this address now, and says so with a status.
    Moved(u16, String),
    /// Nothing is said for so long.
    Silent(Duration),
    /// The object is another one from now on.
    Replaced(Vec<u8>),
}

/// A request for an object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    pub(crate) key: String,
    /// First byte and the one behind the last.
    pub(crate) range: Option<(usize, usize)>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Vec<u8>>,
    asked: Vec<Asked>,
    /// By the number of the request for an object, counted from 0.
    faults: BTreeMap<usize, Fault>,
    always: Option<Fault>,
    struck: usize,
    page: usize,
    listing: Listing,
}

/// How folders are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Listing {
    /// As S3 does now.
    #[default]
    Usual,
    /// As stores do that know the first version of the protocol alone.
    OfOld,
    /// The last page leads to the first one.
    Round,
    /// No page has anything, and there is always another one.
    Empty,
}

/// A bucket called `exports`.
pub(crate) struct Bucket {
    state: Arc<Mutex<State>>,
    address: SocketAddr,
}

impl Bucket {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State { page: 3, ..State::default() }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve(&connection, &shared));
            }
        });
        Self { state, address }
    }

    pub(crate) fn put(&self, key: &str, bytes: impl Into<Vec<u8>>) {
        self.state.lock().unwrap().objects.insert(key.to_owned(), bytes.into());
    }

    /// How listings are answered from now on.
    pub(crate) fn list_as(&self, listing: Listing) {
        self.state.lock().unwrap().listing = listing;
    }

    /// An object as it is now.
    pub(crate) fn bytes(&self, key: &str) -> Vec<u8> {
        self.state.lock().unwrap().objects[key].clone()
    }

    /// Where S3's clients find it.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The web address of an object.
    pub(crate) fn url(&self, key: &str) -> String {
        format!("{}/exports/{key}", self.endpoint())
    }

    /// What happens to the answers to requests for objects from now on, by their number.
    pub(crate) fn fail(&self, faults: impl IntoIterator<Item = (usize, Fault)>) {
        let mut state = self.state.lock().unwrap();
        state.faults = faults.into_iter().collect();
        (state.always, state.struck) = (None, 0);
        state.asked.clear();
    }

    /// What happens to every answer from now on.
    pub(crate) fn always(&self, fault: Fault) {
        self.fail([]);
        self.state.lock().unwrap().always = Some(fault);
    }

    /// The requests for objects since the faults were set, and how many of them met one.
    pub(crate) fn asked(&self) -> (Vec<Asked>, usize) {
        let state = self.state.lock().unwrap();
        (state.asked.clone(), state.struck)
    }

    /// Environment for the command.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ACCESS_KEY_ID", "canary-key".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "canary-secret".to_owned()),
            ("AWS_REGION", "eu-central-1".to_owned()),
            ("HOME", "/nonexistent".to_owned()),
        ]
    }
}

fn serve(connection: &TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(connection);
    while let Some((line, headers)) = head(&mut reader) {
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let key = decoded(path.trim_start_matches('/'));
        let key = key.strip_prefix("exports").unwrap_or(&key).trim_start_matches('/').to_owned();
        let lists = query.contains("list-type=2");
        let answer = if lists {
            Some(list(&state.lock().unwrap(), query))
        } else {
            object(state, method, &key, &headers)
        };
        let Some(Answer { status, headers, body, cut }) = answer else { return };
        let mut text =
            format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
        if method == "HEAD" {
            text = text.replace("X-Length", "Content-Length");
        }
        let mut out = text.into_bytes();
        if method != "HEAD" {
            out.extend_from_slice(&body[..cut.unwrap_or(body.len()).min(body.len())]);
        }
        let mut connection = connection;
        if connection.write_all(&out).is_err() || cut.is_some() {
            let _closed = connection.shutdown(std::net::Shutdown::Both);
            return;
        }
    }
}

struct Answer {
    status: u16,
    headers: String,
    body: Vec<u8>,
    cut: Option<usize>,
}

/// The request line, and the headers by name.
fn head(reader: &mut impl BufRead) -> Option<(String, BTreeMap<String, String>)> {
    let mut line = String::new();
    reader.by_ref().take(1 << 16).read_line(&mut line).ok().filter(|len| *len > 0)?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        reader.by_ref().take(1 << 16).read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    Some((line, headers))
}

fn object(
    state: &Mutex<State>,
    method: &str,
    key: &str,
    headers: &BTreeMap<String, String>,
) -> Option<Answer> {
    let mut state = state.lock().unwrap();
    let asked_for = headers.get("range").map(|range| {
        let (from, to) = range.trim_start_matches("bytes=").split_once('-').unwrap();
        (from.parse::<usize>().unwrap(), to.parse::<usize>().unwrap() + 1)
    });
    let number = state.asked.len();
    state.asked.push(Asked { key: key.to_owned(), range: asked_for });
    let fault = state.faults.remove(&number).or_else(|| state.always.clone());
    state.struck += usize::from(fault.is_some());
    let mut cut = None;
    let (mut less, mut ranges) = (0, asked_for);
    match fault {
        Some(Fault::Status(status, code)) => return Some(error(status, code)),
        Some(Fault::Moved(status, to)) => {
            let headers = if to.is_empty() { String::new() } else { format!("Location: {to}\r\n") };
            return Some(Answer { status, headers, body: Vec::new(), cut: None });
        }
        Some(Fault::Cut(at)) => cut = Some(at),
        Some(Fault::Short(by)) => less = by,
        Some(Fault::Whole) => ranges = None,
        Some(Fault::Silent(time)) => {
            drop(state);
            std::thread::sleep(time);
            return None;
        }
        Some(Fault::Replaced(bytes)) => {
            state.objects.insert(key.to_owned(), bytes);
        }
        None => {}
    }
    let Some(bytes) = state.objects.get(key) else { return Some(error(404, "NoSuchKey")) };
    let tag = tag(bytes);
    if headers.get("if-match").is_some_and(|wanted| *wanted != tag) {
        return Some(error(412, "PreconditionFailed"));
    }
    let of = bytes.len();
    let common = format!("ETag: {tag}\r\nLast-Modified: {MODIFIED}\r\nAccept-Ranges: bytes\r\n");
    let Some((from, to)) = ranges else {
        let headers = if method == "HEAD" { format!("X-Length: {of}\r\n{common}") } else { common };
        return Some(Answer { status: 200, headers, body: bytes.clone(), cut });
    };
    if from >= of {
        return Some(error(416, "InvalidRange"));
    }
    let to = to.min(of);
    let headers = format!("Content-Range: bytes {from}-{}/{of}\r\n{common}", to - 1);
    let body = bytes[from..to - less.min(to - from)].to_vec();
    Some(Answer { status: 206, headers, body, cut })
}

const MODIFIED: &str = "Fri, 27 Nov 2026 02:00:00 GMT";

fn tag(bytes: &[u8]) -> String {
    let sum = bytes.iter().fold(bytes.len() as u64, |sum, byte| {
        sum.wrapping_mul(1_099_511_628_211) ^ u64::from(*byte)
    });
    format!("\"{sum:016x}\"")
}

fn error(status: u16, code: &str) -> Answer {
    let body = format!(
        "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>canary</Message></Error>"
    );
    Answer { status, headers: String::new(), body: body.into_bytes(), cut: None }
}

/// A page of a folder, as `ListObjectsV2` gives it.
fn list(state: &State, query: &str) -> Answer {
    let value = |name: &str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.clone().find(|(key, _)| *key == name).map(|(_, value)| decoded(value))
    };
    let (prefix, after) = (value("prefix").unwrap_or_default(), value("continuation-token"));
    let mut items: BTreeMap<String, Option<&Vec<u8>>> = BTreeMap::new();
    for (key, bytes) in &state.objects {
        let Some(rest) = key.strip_prefix(&prefix) else { continue };
        match rest.split_once('/') {
            Some((folder, _)) => items.insert(format!("{prefix}{folder}/"), None),
            None => items.insert(key.clone(), Some(bytes)),
        };
    }
    let rest: Vec<_> = items
        .into_iter()
        .filter(|(key, _)| after.as_ref().is_none_or(|after| key > after))
        .collect();
    let is_empty = state.listing == Listing::Empty;
    let page = if is_empty { &[][..] } else { &rest[..rest.len().min(state.page)] };
    let mut body = String::from("<?xml version=\"1.0\"?><ListBucketResult>");
    for (key, bytes) in page {
        let key_text = key.replace('&', "&amp;").replace('<', "&lt;");
        match bytes {
            Some(bytes) => write!(
                body,
                "<Contents><Key>{key_text}</Key><LastModified>2026-11-27T02:00:00.000Z</LastModified>\
                 <ETag>{}</ETag><Size>{}</Size></Contents>",
                tag(bytes),
                bytes.len()
            ),
            None => write!(body, "<CommonPrefixes><Prefix>{key_text}</Prefix></CommonPrefixes>"),
        }
        .unwrap();
    }
    let is_more = rest.len() > page.len() || state.listing == Listing::Round;
    write!(body, "<IsTruncated>{is_more}</IsTruncated>").unwrap();
    let next = match (state.listing, page.last()) {
        (Listing::Usual, Some((last, _))) if is_more => last.clone(),
        (Listing::Round, Some((last, _))) if rest.len() > page.len() => last.clone(),
        (Listing::Round, _) => "!".to_owned(),
        (Listing::Empty, _) => {
            let number = after.and_then(|after| after[1..].parse::<u32>().ok()).unwrap_or_default();
            format!("!{}", number + 1)
        }
        _ => String::new(),
    };
    if !next.is_empty() {
        write!(body, "<NextContinuationToken>{next}</NextContinuationToken>").unwrap();
    }
    body += "</ListBucketResult>";
    Answer { status: 200, headers: String::new(), body: body.into_bytes(), cut: None }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let hex = behind
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8(bytes).unwrap()
}
