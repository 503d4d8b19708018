//! A server that answers with raw bytes, for what HTTP servers do not do.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What to do with a connection.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Read the whole request, then answer with these bytes and close.
    Answer(String),
    /// Read the head only, answer, and close.
    AnswerEarly(String),
    /// Read so many bytes of the request, then close without an answer.
    CutAfter(usize),
    /// Read the whole request, and close without an answer.
    CutBeforeAnswer,
    /// Read the whole request, and say nothing until the client goes away.
    Hang,
    /// Answer with these bytes, and then with garbage without end.
    Endless(String),
}

/// A request as it came in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) head: String,
    pub(crate) body_bytes: usize,
}

pub(crate) struct RawServer {
    pub(crate) endpoint: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    is_done: Arc<AtomicBool>,
}

impl RawServer {
    /// Serves one step for each connection; the last one again and again.
    pub(crate) fn start(steps: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let is_done = Arc::<AtomicBool>::default();
        let (log, is_over) = (Arc::clone(&seen), Arc::clone(&is_done));
        std::thread::spawn(move || {
            let mut steps = steps.into_iter().peekable();
            for stream in listener.incoming() {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                let step = if steps.len() > 1 { steps.next() } else { steps.peek().cloned() };
                let log = Arc::clone(&log);
                std::thread::spawn(move || serve(stream.unwrap(), &step.unwrap(), &log));
            }
        });
        Self { endpoint, seen, is_done }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.is_done.store(true, Ordering::Relaxed);
        let _woken = TcpStream::connect(self.endpoint.trim_start_matches("http://"));
    }
}

fn serve(mut stream: TcpStream, step: &Step, log: &Mutex<Vec<Seen>>) {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    if let Step::CutAfter(bytes) = step {
        let mut some = vec![0; *bytes];
        let _read = stream.read_exact(&mut some);
        log.lock().unwrap().push(Seen::default());
        return;
    }
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut seen = Seen::default();
    while !seen.head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut seen.head).unwrap_or(0) == 0 {
            return;
        }
    }
    let header = |name: &str| {
        let head = seen.head.to_ascii_lowercase();
        head.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
    };
    let length: usize = header("content-length:").map_or(0, |length| length.parse().unwrap());
    let is_early = matches!(step, Step::AnswerEarly(_));
    if !is_early && header("expect:").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
    }
    if !is_early {
        seen.body_bytes =
            std::io::copy(&mut reader.by_ref().take(length as u64), &mut std::io::sink())
                .map_or(0, |read| usize::try_from(read).unwrap());
    }
    log.lock().unwrap().push(seen);
    match step {
        Step::Answer(bytes) => stream.write_all(bytes.as_bytes()).unwrap_or_default(),
        Step::AnswerEarly(bytes) => {
            stream.write_all(bytes.as_bytes()).unwrap_or_default();
            stream.shutdown(std::net::Shutdown::Write).unwrap_or_default();
            // What comes although the answer is no: nothing, if the client waits for it.
            let body = std::io::copy(&mut reader, &mut std::io::sink()).unwrap_or(0);
            log.lock().unwrap().last_mut().unwrap().body_bytes = usize::try_from(body).unwrap();
        }
        Step::Hang => {
            let _gone = reader.read(&mut [0; 1]);
        }
        Step::Endless(bytes) => {
            let mut written = stream.write_all(bytes.as_bytes());
            while written.is_ok() {
                written = stream.write_all(&[b'x'; 1 << 14]);
            }
        }
        Step::CutBeforeAnswer | Step::CutAfter(_) => {}
    }
}

/// An answer with a JSON body.
pub(crate) fn json(status: u16, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// An answer to create or add.
pub(crate) fn audience(id: u64) -> String {
    json(
        200,
        &format!(
            r#"{{"fb_custom_audience": {{"id": {id}, "name": "x", "user_type": "fbid", "fb_id": null}}}}"#
        ),
    )
}
