//! What the sandbox is told to do wrong, over real sockets: what the client sees, and what has happened.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant, SystemTime};

use throng_sandbox::{Sandbox, SandboxConfig};

use crate::http::{Answer, Request, connect};

const FIELDS: [(&str, &str); 4] =
    [("fb_ad_account_id", "7"), ("user_type", "fbid"), ("name", "x"), ("file", "1\n2\n")];

fn faulty(fault: &str) -> Sandbox {
    let faults = vec![fault.parse().unwrap()];
    Sandbox::start(SandboxConfig { faults, ..SandboxConfig::default() }).unwrap()
}

fn create(sandbox: &Sandbox) -> Request {
    Request::new(sandbox, "POST", "/custom_audiences").form(&FIELDS)
}

fn audiences(sandbox: &Sandbox) -> usize {
    sandbox.audiences().unwrap().len()
}

#[test]
fn a_cut_connection_has_no_answer_and_an_effect_only_after_it() {
    for (fault, effects) in [
        ("create,nth=1,when=head,cut", 0),
        ("create,nth=1,cut", 0),
        ("create,nth=1,when=before,cut", 0),
        ("create,nth=1,when=after,cut", 1),
        ("create,nth=1,at_byte=0,cut", 0),
        ("create,nth=1,at_byte=100,cut", 0),
        ("add,cut", 1),
    ] {
        let sandbox = faulty(fault);
        let answer = create(&sandbox).send(&sandbox);
        assert_eq!(answer.is_some(), fault == "add,cut", "{fault}: {answer:?}");
        assert_eq!(audiences(&sandbox), effects, "{fault}");
        assert_eq!(create(&sandbox).answer(&sandbox).status, 200, "{fault}");
        assert_eq!(audiences(&sandbox), effects + 1, "{fault}");
    }
}

#[test]
fn a_cut_in_the_middle_of_a_body_is_in_the_middle() {
    let sandbox = faulty("create,at_byte=1000000,cut");
    let file = "1\n".repeat(8 << 20);
    let fields = FIELDS.map(|(name, text)| (name, if name == "file" { &file } else { text }));
    let large = Request::new(&sandbox, "POST", "/custom_audiences").form(&fields);
    assert!(large.send(&sandbox).is_none());
    let deadline = Instant::now() + Duration::from_mins(1);
    while sandbox.exchanges().is_empty() {
        assert!(Instant::now() < deadline, "the request gets into the log");
        std::thread::yield_now();
    }
    let exchange = &sandbox.exchanges()[0];
    assert_eq!((exchange.status, exchange.members_added), (None, 0));
    assert!((1_000_000..8_000_000).contains(&exchange.body_bytes), "{}", exchange.body_bytes);
    assert_eq!(audiences(&sandbox), 0);
}

#[test]
fn a_status_comes_with_what_it_was_told() {
    let sandbox = faulty("create,nth=1,status=429,retry_after=17,body=slow down");
    let answer = create(&sandbox).answer(&sandbox);
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("17")));
    assert_eq!(answer.body, "slow down");
    assert_eq!(audiences(&sandbox), 0);
    sandbox.push_fault("create,status=503,retry_date=600,when=after".parse().unwrap());
    let answer = create(&sandbox).answer(&sandbox);
    assert_eq!((answer.status, audiences(&sandbox)), (503, 1));
    assert_eq!(answer.json()["error"]["code"], "fault");
    let date = httpdate::parse_http_date(answer.header("retry-after").unwrap()).unwrap();
    let wait = date.duration_since(SystemTime::now()).unwrap();
    assert!((500..=600).contains(&wait.as_secs()), "{wait:?}");
    sandbox.clear_faults();
    assert_eq!(create(&sandbox).answer(&sandbox).status, 200);
    let statuses: Vec<_> = sandbox.exchanges().iter().map(|each| each.status).collect();
    assert_eq!(statuses, [Some(429), Some(503), Some(200)]);
}

#[test]
fn a_hanging_request_says_nothing_and_holds_up_nobody() {
    for when in ["head", "before", "after"] {
        let sandbox = faulty(&format!("create,nth=1,hang,when={when}"));
        let hanging = create(&sandbox);
        let mut stream = connect(&sandbox);
        stream.write_all(&[hanging.head(), hanging.body].concat()).unwrap();
        if when == "after" {
            let deadline = Instant::now() + Duration::from_mins(1);
            while audiences(&sandbox) == 0 {
                assert!(Instant::now() < deadline, "the effect comes");
                std::thread::yield_now();
            }
        } else {
            // The head must have arrived, or the other request is the first.
            while sandbox.bytes_received() == 0 {
                std::thread::yield_now();
            }
        }
        assert_eq!(create(&sandbox).answer(&sandbox).status, 200);
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let silence = stream.read(&mut [0]).unwrap_err();
        assert!(matches!(silence.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
        drop(sandbox);
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        assert!(stream.read(&mut [0]).is_ok_and(|len| len == 0), "the sandbox's end closes it");
    }
}

#[test]
fn a_delay_goes_with_anything() {
    let sandbox = faulty("delay=0.2,status=500");
    let started = Instant::now();
    assert_eq!(create(&sandbox).answer(&sandbox).status, 500);
    assert!(started.elapsed() >= Duration::from_millis(200));
    sandbox.clear_faults();
    sandbox.push_fault("delay=0.2".parse().unwrap());
    let started = Instant::now();
    assert_eq!(create(&sandbox).answer(&sandbox).status, 200);
    assert!(started.elapsed() >= Duration::from_millis(200));
}

#[test]
fn a_body_is_read_as_slowly_as_it_is_told() {
    let sandbox = faulty("create,slow=2000");
    let slow = create(&sandbox);
    let least = Duration::from_millis(slow.body.len() as u64 / 2);
    let started = Instant::now();
    assert_eq!(slow.answer(&sandbox).status, 200);
    assert!(started.elapsed() >= least);
}

#[test]
fn a_client_that_waits_to_be_told_can_be_kept_waiting() {
    let sandbox = faulty("create,no_continue");
    let request = create(&sandbox).with("Expect: 100-continue");
    let mut stream = connect(&sandbox);
    stream.write_all(&request.head()).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert!(stream.read(&mut [0]).is_err(), "not told");
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    stream.write_all(&request.body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn faults_wait_for_the_right_token() {
    let sandbox = faulty("create,nth=1,cut");
    let wrong = create(&sandbox).with("Authorization: OAuth wrong");
    let answer: Answer = wrong.answer(&sandbox);
    assert_eq!(answer.status, 401);
    assert!(create(&sandbox).send(&sandbox).is_none());
}
