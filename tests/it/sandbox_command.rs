//! `throng sandbox`: the real binary.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

use throng::sandbox::{Sandbox, SandboxConfig};

use crate::support::http::Request;

const FIELDS: [(&str, &str); 4] =
    [("fb_ad_account_id", "7"), ("user_type", "fbid"), ("name", "x"), ("file", "1\n2\n3\n")];

/// The binary with the lines that it has printed about where it is.
fn spawn(args: &[&str]) -> (std::process::Child, Vec<String>) {
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("throng"))
        .arg("sandbox")
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let exports = [lines.next(), lines.next()].map(|line| line.unwrap().unwrap());
    (child, exports.to_vec())
}

#[test]
fn the_command_says_where_it_is_and_what_it_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("faults.toml");
    std::fs::write(&script, "[[fault]]\ncreate = true\nnth = 1\ncut = true\n").unwrap();
    let script = script.to_str().unwrap();
    let args = ["--api-revision", "b", "--fault", "add,status=503", "--faults", script];
    let (mut child, exports) = spawn(&args);
    let endpoint = exports[0].strip_prefix("export THRONG_ENDPOINT=http://").unwrap();
    assert_eq!(exports[1], "export THRONG_TOKEN=sandbox-token");
    // The library's sandbox serves as a mould for requests alone.
    let mould = Sandbox::start(SandboxConfig::default()).unwrap();
    let create = Request::new(&mould, "POST", "/custom_audiences").form(&FIELDS);
    let add = Request::new(&mould, "PUT", "/custom_audiences/59").form(&FIELDS);
    let send = |request: &Request| {
        let mut stream = std::net::TcpStream::connect(endpoint).unwrap();
        stream.write_all(&[request.head(), request.body.clone()].concat()).unwrap();
        let mut answer = String::new();
        let _reset = stream.read_to_string(&mut answer);
        answer
    };
    assert_eq!(send(&create), "");
    assert!(send(&create).starts_with("HTTP/1.1 201"));
    assert!(send(&add).starts_with("HTTP/1.1 503"));
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    for line in [
        "POST /custom_audiences: cut, ",
        "POST /custom_audiences: 201, ",
        ", 3 members added",
        "PUT /custom_audiences/59: 503, ",
        "audience 59 `x`: 3 members (fbid)",
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
    assert!(!log.contains("sandbox-token"), "{log}");
}

#[test]
fn a_script_or_port_that_cannot_be_used_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("faults.toml");
    std::fs::write(&script, "[[fault]]\ncreate = true\nnht = 1\n").unwrap();
    let busy = Sandbox::start(SandboxConfig::default()).unwrap();
    let port = busy.endpoint().rsplit(':').next().unwrap().to_owned();
    for (args, code, message) in [
        (
            ["--faults", script.to_str().unwrap()],
            3,
            "line 3: unknown field `nht`; did you mean `nth`?",
        ),
        (["--port", &port], 2, "cannot listen on port"),
        (["--fault", "add,nth=1"], 2, "it does nothing"),
        (["--fault", "add,code=17"], 2, "a fault of Meta's goes with another platform"),
        (["--calls-per-hour", "7"], 2, "--calls-per-hour goes with another platform"),
    ] {
        let output = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin!("throng"))
            .arg("sandbox")
            .args(args)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(message), "{text}");
    }
}

#[test]
fn the_command_is_meta_if_it_is_told_to() {
    let args = ["--platform", "meta", "--require-proof", "--fault", "create,code=2"];
    let (mut child, exports) = spawn(&args);
    assert_eq!(exports[1], "export THRONG_TOKEN=sandbox-token");
    let endpoint = exports[0].strip_prefix("export THRONG_ENDPOINT=http://").unwrap();
    // HMAC-SHA-256 of the token with the secret that it prints.
    let proof = "1b6da06614b46940143cddb599881fa839a8968a679ba837ff0596e07113acd7";
    let body = "name=x&subtype=CUSTOM&customer_file_source=USER_PROVIDED_ONLY";
    let mut stream = std::net::TcpStream::connect(endpoint).unwrap();
    write!(
        stream,
        "POST /v25.0/act_7/customaudiences?appsecret_proof={proof} HTTP/1.1\r\nHost: localhost\r\n\
         Connection: close\r\nAuthorization: Bearer sandbox-token\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    let _reset = stream.read_to_string(&mut answer);
    assert!(answer.contains(r#""code":2"#), "{answer}");
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    child.wait().unwrap();
    assert!(log.contains("POST /v25.0/act_7/customaudiences?appsecret_proof: 500"), "{log}");
    assert!(!log.contains("sandbox-") && !log.contains(&proof[..8]), "{log}");
}
