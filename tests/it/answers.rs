//! What servers, and proxies between, can answer: the real binary against raw sockets.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use throng::normalize::UserType;

use crate::support::raw::{RawServer, Seen, Step, audience, json};
use crate::support::{config, run};

const TOKEN: &str = "canary-token-7431";

/// A prepared directory of Facebook ids and a state directory.
struct Case {
    dir: tempfile::TempDir,
}

impl Case {
    fn new(entries: u64, part_lines: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let input = dir.path().join("input.txt");
        let ids: Vec<String> = (1..=entries).map(|id| (id * 1_000_003).to_string()).collect();
        fs::write(&input, ids.join("\n")).unwrap();
        let mut config = config(UserType::Fbid, &[input], &dir.path().join("out"));
        config.output.part_lines = part_lines;
        run(config).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs `throng upload`, and checks that the token is nowhere in what it printed or wrote.
    fn upload(&self, server: &RawServer, args: &[&str]) -> Output {
        self.upload_to(&server.endpoint, args)
    }

    fn upload_to(&self, endpoint: &str, args: &[&str]) -> Output {
        let target: &[&str] =
            if args.contains(&"--audience") { &[] } else { &["--create", "News"] };
        let output = Command::new(env!("CARGO_BIN_EXE_throng"))
            .args(["upload", "--ad-account", "7", "--retry-wait", "1ms", "--parallel", "1"])
            .args(["--endpoint", endpoint])
            .arg("--state")
            .arg(self.path("state"))
            .args(target)
            .args(args)
            .arg(self.path("out"))
            .env("THRONG_TOKEN", TOKEN)
            .output()
            .unwrap();
        let said = [&output.stdout[..], &output.stderr].concat();
        assert!(!String::from_utf8_lossy(&said).contains(TOKEN), "the token is printed");
        for file in fs::read_dir(self.path("state")).unwrap() {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            assert!(
                !bytes.windows(TOKEN.len()).any(|w| w == TOKEN.as_bytes()),
                "it is in the store"
            );
        }
        output
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[track_caller]
fn assert_ends(output: &Output, code: i32, message: &str) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(message), "{said}");
}

fn posts(seen: &[Seen]) -> usize {
    seen.iter().filter(|request| request.head.starts_with("POST")).count()
}

#[test]
fn requests_are_what_the_contract_says() {
    let case = Case::new(5, 2);
    let server = RawServer::start(vec![Step::Answer(audience(59))]);
    let done = case.upload(&server, &["--json"]);
    assert_ends(&done, 0, "audience 59");
    let summary: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(
        (summary["parts_sent"].as_u64(), summary["audience"].as_str()),
        (Some(3), Some("59"))
    );
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen[0].head.starts_with("POST /custom_audiences HTTP/1.1\r\n"), "{}", seen[0].head);
    for request in &seen[1..] {
        assert!(
            request.head.starts_with("PUT /custom_audiences/59 HTTP/1.1\r\n"),
            "{}",
            request.head
        );
    }
    for request in &seen {
        let head = request.head.to_ascii_lowercase();
        assert!(head.contains(&format!("authorization: oauth {TOKEN}\r\n")), "{head}");
        assert!(head.contains("accept: application/json\r\n"), "{head}");
        assert!(head.contains("content-type: multipart/form-data; boundary="), "{head}");
    }
    // Everything is confirmed: nothing is sent again.
    assert_ends(&case.upload(&server, &[]), 0, "0 of 3 parts sent, 3 uploaded before");
    assert_eq!(server.seen().len(), 3);
}

#[test]
fn a_refusal_is_told_with_what_to_do_and_not_repeated() {
    for (status, body, code, message, hint) in [
        (401, "{}", 5, "refuses the token", "THRONG_TOKEN"),
        (403, r#"{"error": "no permission"}"#, 5, "no permission", "THRONG_TOKEN"),
        (
            400,
            r#"{"error": {"message": "Custom Audience Terms not accepted"}}"#,
            5,
            "has not accepted the Custom Audiences terms",
            "Ads Manager",
        ),
        (404, "{}", 2, "there is no API at this address", "--endpoint"),
        (
            400,
            r#"{"error": {"message": "(#100) Param name must be set", "code": 100}}"#,
            3,
            "(status 400): [...] param name must be set (code 100)",
            "own words",
        ),
        (413, "", 3, "too large", "--part-bytes"),
        (422, r#"{"errors": {"name": ["is too long"]}}"#, 3, "name is too long", "own words"),
        (302, "", 2, "refused", "--endpoint"),
    ] {
        let case = Case::new(3, 100);
        let server = RawServer::start(vec![Step::Answer(json(status, body))]);
        let refused = case.upload(&server, &[]);
        assert_ends(&refused, code, message);
        assert!(stderr(&refused).contains("hint: ") && stderr(&refused).contains(hint));
        assert_eq!(server.seen().len(), 1, "{status}");
        // A refusal is no audience: the next run may create it.
        let server = RawServer::start(vec![Step::Answer(audience(59))]);
        let again = case.upload(&server, &[]);
        assert_ends(&again, 0, "audience 59");
    }
}

#[test]
fn an_early_refusal_costs_no_body() {
    let case = Case::new(200_000, 1_000_000);
    let server = RawServer::start(vec![Step::AnswerEarly(json(401, "{}"))]);
    assert_ends(&case.upload(&server, &[]), 5, "refuses the token");
    let seen = server.seen();
    assert_eq!((seen.len(), seen[0].body_bytes), (1, 0));
}

#[test]
fn a_success_before_the_entries_were_sent_is_none() {
    let case = Case::new(3, 100);
    let server = RawServer::start(vec![Step::AnswerEarly(audience(59))]);
    let args = ["--audience", "59", "--attempts", "2"];
    assert_ends(&case.upload(&server, &args), 6, "it came before the file was sent");
    assert_eq!(server.seen().len(), 2);
    let empty = Step::Answer(json(200, "[]"));
    let server = RawServer::start(vec![Step::AnswerEarly(audience(59)), empty]);
    assert_ends(&case.upload(&server, &[]), 8, "it is not known whether `News` was created");
    assert_eq!(posts(&server.seen()), 1);
}

#[test]
fn a_token_that_is_echoed_and_an_entry_that_is_quoted_are_not_repeated() {
    let case = Case::new(3, 100);
    let body = format!(r#"{{"error": "token {TOKEN} at line 2: 2000006 is no fbid"}}"#);
    let server = RawServer::start(vec![Step::Answer(json(422, &body))]);
    let refused = case.upload(&server, &[]);
    assert_ends(&refused, 3, "token [...] at line [...] is no fbid");
    assert!(!stderr(&refused).contains("2000006"));
}

#[test]
fn a_redirection_is_not_followed() {
    let case = Case::new(3, 100);
    let other = RawServer::start(vec![Step::Answer(audience(59))]);
    let location = format!("{}/custom_audiences", other.endpoint);
    for status in [301, 302, 307, 308] {
        let answer = format!(
            "HTTP/1.1 {status} X\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        let server = RawServer::start(vec![Step::Answer(answer)]);
        assert_ends(&case.upload(&server, &[]), 2, "it redirects to http://127.0.0.1");
    }
    assert_eq!(other.seen().len(), 0);
}

#[test]
fn an_answer_that_is_none_leaves_the_create_undecided() {
    for answer in [
        Step::Answer(
            "HTTP/1.1 200 OK\r\nContent-Length: 13\r\nConnection: close\r\n\r\n<html></html>"
                .to_owned(),
        ),
        Step::Answer(json(200, r#"{"fb_custom_audience": {"name": "x"}}"#)),
        Step::Answer(json(200, r#"{"fb_custom_audience": {"id": 59"#)),
        Step::Answer(json(200, "")),
        Step::Answer("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"fb_custom".to_owned()),
        Step::Answer("HTTP/1.1 200 OK\r\nContent-Le".to_owned()),
        Step::Answer("220 ftp.example.com ready\r\n\r\n".to_owned()),
        Step::CutBeforeAnswer,
    ] {
        let case = Case::new(3, 100);
        // The create, and then a list without the marker.
        let empty = Step::Answer(json(200, "[]"));
        let server = RawServer::start(vec![answer.clone(), empty.clone()]);
        assert_ends(&case.upload(&server, &[]), 8, "it is not known whether `News` was created");
        assert_eq!(posts(&server.seen()), 1, "{answer:?}");
    }
}

/// A list without audiences, as often as it is asked for a marker that it does not have.
fn empty_lists() -> Vec<Step> {
    vec![Step::Answer(json(200, "[]")); 6]
}

#[test]
fn a_person_decides_what_became_of_a_create() {
    let case = Case::new(3, 100);
    // The second run is told that there is none, and makes sure.
    let one_more = Step::Answer(json(200, "[]"));
    let steps = [vec![Step::CutBeforeAnswer], empty_lists(), vec![one_more]].concat();
    let server = RawServer::start([steps, vec![Step::Answer(audience(60))]].concat());
    assert_ends(&case.upload(&server, &[]), 8, "--create-again");
    assert_eq!(posts(&server.seen()), 1);
    assert_ends(&case.upload(&server, &["--create-again"]), 0, "audience 60");
    assert_eq!(posts(&server.seen()), 2);
}

#[test]
fn a_later_run_that_does_not_find_the_audience_makes_it_again() {
    let case = Case::new(3, 100);
    // It looks more often than the run that lost the answer.
    let more = vec![Step::Answer(json(200, "[]")); 9];
    let steps = [vec![Step::CutBeforeAnswer], empty_lists(), more].concat();
    let server = RawServer::start([steps, vec![Step::Answer(audience(60))]].concat());
    assert_ends(&case.upload(&server, &[]), 8, "the API's list does not have it");
    assert_eq!(posts(&server.seen()), 1);
    let again = case.upload(&server, &[]);
    assert_ends(&again, 0, "audience 60");
    assert!(stderr(&again).contains("does not have the audience: it is created again"));
    assert_eq!(posts(&server.seen()), 2);
}

#[test]
fn a_create_that_failed_in_the_server_is_made_again_if_the_list_does_not_have_it() {
    for failure in [json(500, ""), json(503, r#"{"error": "busy"}"#)] {
        let case = Case::new(3, 100);
        let failed = [vec![Step::Answer(failure)], empty_lists()].concat();
        let server = RawServer::start([failed.clone(), vec![Step::Answer(audience(60))]].concat());
        assert_ends(&case.upload(&server, &[]), 0, "audience 60");
        assert_eq!(posts(&server.seen()), 2);
        // As often as other requests, and no more. After the last time it is looked for as long as a later run does.
        let case = Case::new(3, 100);
        let more = vec![Step::Answer(json(200, "[]")); 3];
        let steps = [failed.clone(), failed, more, vec![Step::Answer(audience(61))]].concat();
        let server = RawServer::start(steps);
        let busy = case.upload(&server, &["--attempts", "2"]);
        assert_ends(&busy, 6, "nothing is confirmed yet");
        assert_eq!((posts(&server.seen()), server.seen().len()), (2, 2 + 6 + 9));
        assert_ends(&case.upload(&server, &[]), 0, "audience 61");
        assert_eq!(posts(&server.seen()), 3);
    }
}

#[test]
fn a_body_that_was_cut_is_sent_again_without_asking() {
    // The boundary that closes the request was never sent, so that it cannot have taken effect.
    let case = Case::new(400_000, 1_000_000);
    let server = RawServer::start(vec![Step::CutAfter(2000), Step::Answer(audience(59))]);
    let done = case.upload(&server, &[]);
    assert_ends(&done, 0, "audience 59");
    assert_eq!(server.seen().iter().filter(|seen| seen.head.starts_with("GET")).count(), 0);
}

#[test]
fn parts_are_retried_until_the_attempts_are_used_up_and_the_next_run_goes_on() {
    let case = Case::new(4, 2);
    let server = RawServer::start(vec![
        Step::Answer(audience(59)),
        Step::Answer(json(502, "")),
        Step::CutBeforeAnswer,
        Step::Answer(json(429, "")),
        Step::Answer(json(503, r#"{"error": "busy"}"#)),
        Step::Answer(audience(59)),
    ]);
    let failed = case.upload(&server, &["--attempts", "4"]);
    assert_ends(&failed, 7, "(status 503): busy; 1 of 2 parts are confirmed");
    assert_eq!(stderr(&failed).matches("retry: ").count(), 3, "{}", stderr(&failed));
    assert_eq!(server.seen().len(), 5);
    assert_ends(&case.upload(&server, &[]), 0, "1 of 2 parts sent, 1 uploaded before");
    assert_eq!(server.seen().len(), 6);
}

#[test]
fn a_server_that_is_not_there_is_temporary() {
    let case = Case::new(3, 100);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = format!("http://{free}");
    let failed = case.upload_to(&endpoint, &["--attempts", "2"]);
    assert_ends(&failed, 6, "the API cannot be reached");
    assert!(stderr(&failed).contains("hint: run the same command again later"));
}

#[test]
fn a_server_that_hangs_is_left_at_the_deadline() {
    let case = Case::new(3, 100);
    let server = RawServer::start(vec![Step::Hang]);
    let started = Instant::now();
    let args = ["--audience", "59", "--request-time", "300ms", "--attempts", "2"];
    assert_ends(&case.upload(&server, &args), 6, "no answer in time");
    assert!(started.elapsed() < Duration::from_secs(15));
    assert_eq!(server.seen().len(), 2);
}

#[test]
fn an_answer_without_end_is_left() {
    let case = Case::new(3, 100);
    for head in [
        "HTTP/1.1 200 OK\r\nX: ",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 500 X\r\n\r\n",
    ] {
        let server = RawServer::start(vec![Step::Endless(head.to_owned())]);
        let args = ["--audience", "59", "--attempts", "1", "--request-time", "20s"];
        let failed = case.upload(&server, &args);
        assert_eq!(failed.status.code(), Some(6), "{head}: {}", stderr(&failed));
    }
}

#[test]
fn a_long_wait_that_the_server_asks_for_ends_the_run_at_its_time_limit() {
    let case = Case::new(3, 100);
    for value in ["3600", "Fri, 31 Dec 2100 23:59:59 GMT"] {
        let answer = format!(
            "HTTP/1.1 429 X\r\nRetry-After: {value}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        let server = RawServer::start(vec![Step::Answer(answer)]);
        let failed = case.upload(&server, &["--audience", "59", "--time-limit", "30s"]);
        assert_ends(&failed, 6, "too many requests (status 429)");
        assert_eq!(server.seen().len(), 1);
    }
}

#[test]
fn the_wrong_audience_is_noticed() {
    let case = Case::new(3, 100);
    let other = json(
        200,
        r#"{"fb_custom_audience": {"id": 59, "name": "x", "user_type": "phone_hash", "fb_id": 1}}"#,
    );
    let server = RawServer::start(vec![Step::Answer(other)]);
    assert_ends(&case.upload(&server, &["--audience", "59"]), 2, "does not hold fbid");
    let server = RawServer::start(vec![Step::Answer(audience(60))]);
    assert_ends(&case.upload(&server, &["--audience", "59"]), 8, "60 answered");
}

#[test]
fn a_directory_that_changed_is_not_uploaded() {
    let case = Case::new(5, 2);
    let server = RawServer::start(vec![Step::Answer(audience(59))]);
    fs::write(case.path("out/fbid-00002.txt"), "1\n2\n").unwrap();
    assert_ends(&case.upload(&server, &[]), 3, "does not match its manifest");
    assert_eq!(server.seen().len(), 0);
}

#[test]
fn a_dry_run_sends_nothing() {
    let case = Case::new(5, 2);
    let server = RawServer::start(vec![Step::Answer(audience(59))]);
    let planned = case.upload(&server, &["--dry-run"]);
    assert_ends(&planned, 0, "create `News`");
    assert!(stderr(&planned).contains("3 parts, 5 entries"), "{}", stderr(&planned));
    // Nor does it ask for a token, since it says it to nobody.
    let planned = Command::new(env!("CARGO_BIN_EXE_throng"))
        .args(["upload", "--dry-run", "--ad-account", "7", "--create", "News", "--endpoint"])
        .arg(&server.endpoint)
        .arg("--state")
        .arg(case.path("state"))
        .arg(case.path("out"))
        .env_remove("THRONG_TOKEN")
        .output()
        .unwrap();
    assert_ends(&planned, 0, "create `News`");
    assert_eq!(server.seen().len(), 0);
}
