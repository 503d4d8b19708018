//! The way to the API: TLS with an authority of one's own, proxies, credentials that are refused early.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use throng::sandbox::{Sandbox, SandboxConfig};

use crate::support::upload::{Prepared, TOKEN, User, said};

/// A certificate authority and a server's certificate for `localhost`.
struct Authority {
    pem: String,
    server: Arc<ServerConfig>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "throng test authority");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        Self { pem: authority.pem(), server: Arc::new(server) }
    }
}

fn listen(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || serve(stream.unwrap()));
        }
    });
    port
}

/// Passes bytes on in both directions until both sides have ended.
fn relay(a: &TcpStream, b: &TcpStream) {
    let pass = |mut from: &TcpStream, mut to: &TcpStream| {
        let _broken = std::io::copy(&mut from, &mut to);
        let _closed = to.shutdown(std::net::Shutdown::Write);
    };
    std::thread::scope(|scope| {
        scope.spawn(|| pass(a, b));
        pass(b, a);
    });
}

/// Takes TLS off and passes requests on to a sandbox.
fn https(authority: &Authority, sandbox: &Sandbox) -> u16 {
    let (config, address) = (Arc::clone(&authority.server), address_of(sandbox));
    listen(move |client| {
        let Ok(server) = TcpStream::connect(&address) else { return };
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut client = StreamOwned::new(connection, client);
        // Both directions on one thread: whichever has something to say within a moment.
        for socket in [&client.sock, &server] {
            socket.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
        }
        let mut server = server;
        while pass_on(&mut client, &mut server) && pass_on(&mut server, &mut client) {}
        client.conn.send_close_notify();
        let _closed = client.conn.complete_io(&mut client.sock);
    })
}

/// Whether it may go on.
fn pass_on(from: &mut impl Read, to: &mut impl Write) -> bool {
    let mut buffer = [0; 16 * 1024];
    match from.read(&mut buffer) {
        Ok(0) => false,
        Ok(len) => to.write_all(&buffer[..len]).and_then(|()| to.flush()).is_ok(),
        Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

fn address_of(sandbox: &Sandbox) -> String {
    sandbox.endpoint().trim_start_matches("http://").to_owned()
}

/// A proxy that makes tunnels, unless it answers with `refusal`.
struct Proxy {
    port: u16,
    /// The heads of the requests to it.
    seen: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start(refusal: Option<&'static str>) -> Self {
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&seen);
        let port = listen(move |mut client| {
            let mut head = Vec::new();
            let mut byte = [0; 1];
            while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).unwrap_or(0) == 1 {
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap();
            let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
            log.lock().unwrap().push(head);
            if let Some(refusal) = refusal {
                let _gone = client.write_all(refusal.as_bytes());
                return;
            }
            let Ok(server) = TcpStream::connect(&target) else { return };
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            relay(&client, &server);
        });
        Self { port, seen }
    }

    fn address(&self) -> String {
        format!("http://canary-user:canary-password@127.0.0.1:{}", self.port)
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// What a user of an HTTPS endpoint needs.
struct Rig {
    user: User<'static>,
    sandbox: Sandbox,
    endpoint: String,
    ca_file: PathBuf,
}

impl Rig {
    fn new(prepared: &'static Prepared, authority: &Authority) -> Self {
        let user = User::new(prepared, &["--attempts", "2"]);
        let token = TOKEN.to_owned();
        let sandbox = Sandbox::start(SandboxConfig { token, ..SandboxConfig::default() }).unwrap();
        let endpoint = format!("https://localhost:{}", https(authority, &sandbox));
        let ca_file = user.home.path().join("ca.pem");
        fs::write(&ca_file, &authority.pem).unwrap();
        Self { user, sandbox, endpoint, ca_file }
    }

    /// Uploads with these variables; no other variable about proxies is set.
    fn upload(&self, variables: &[(&str, &str)]) -> Output {
        self.upload_to(&self.endpoint, variables)
    }

    fn upload_to(&self, endpoint: &str, variables: &[(&str, &str)]) -> Output {
        let ca_file = self.ca_file.to_str().unwrap();
        let mut command = self.user.command_to(endpoint, &["--ca-file", ca_file]);
        let output = without_proxy(&mut command).envs(variables.iter().copied()).output().unwrap();
        let said = said(&output);
        for canary in ["canary-password", "canary-user", TOKEN] {
            assert!(!said.contains(canary), "{said}");
        }
        output
    }
}

fn without_proxy(command: &mut Command) -> &mut Command {
    for name in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command
}

fn prepared() -> &'static Prepared {
    use std::sync::OnceLock;
    static PREPARED: OnceLock<Prepared> = OnceLock::new();
    PREPARED.get_or_init(|| Prepared::new(40, 12))
}

#[track_caller]
fn ends(output: &Output, code: i32, message: &str) {
    assert_eq!(output.status.code(), Some(code), "{}", said(output));
    assert!(said(output).contains(message), "{}", said(output));
}

#[test]
fn an_authority_of_ones_own_is_trusted_if_it_is_said_and_the_right_one() {
    let (authority, other) = (Authority::new(), Authority::new());
    let rig = Rig::new(prepared(), &authority);
    let right = rig.ca_file.clone();
    let mut command = rig.user.command_to(&rig.endpoint, &[]);
    ends(
        &without_proxy(&mut command).output().unwrap(),
        2,
        "the server's certificate is not trusted",
    );
    fs::write(&rig.ca_file, &other.pem).unwrap();
    let wrong = rig.upload(&[]);
    ends(&wrong, 2, "the server's certificate is not trusted");
    assert!(said(&wrong).contains("--ca-file"), "{}", said(&wrong));
    fs::write(&rig.ca_file, "-----BEGIN NOTHING-----\n").unwrap();
    ends(&rig.upload(&[]), 2, "holds no certificate in PEM");
    fs::remove_file(&rig.ca_file).unwrap();
    ends(&rig.upload(&[]), 3, "failed to read the CA file");
    assert_eq!(rig.sandbox.exchanges().len(), 0);
    fs::write(right, &authority.pem).unwrap();
    // The name must be the certificate's, too.
    let by_number = rig.endpoint.replace("localhost", "127.0.0.1");
    ends(&rig.upload_to(&by_number, &[]), 2, "the server's certificate is not trusted");
    ends(&rig.upload(&[]), 0, "has all 40 entries");
    rig.user.check_members(&rig.sandbox);
}

#[test]
fn a_proxy_is_the_first_that_a_variable_names() {
    let authority = Authority::new();
    for (right, others) in [
        ("HTTPS_PROXY", &[][..]),
        ("https_proxy", &[]),
        ("HTTP_PROXY", &[]),
        ("http_proxy", &[]),
        ("ALL_PROXY", &["HTTPS_PROXY", "http_proxy"]),
        ("all_proxy", &["https_proxy"]),
        ("HTTPS_PROXY", &["HTTP_PROXY"]),
    ] {
        let rig = Rig::new(prepared(), &authority);
        let (proxy, unused) = (Proxy::start(None), Proxy::start(None));
        let (address, other) = (proxy.address(), unused.address());
        let mut variables = vec![(right, &address[..])];
        variables.extend(others.iter().map(|name| (*name, &other[..])));
        ends(&rig.upload(&variables), 0, "has all 40 entries");
        let seen = proxy.seen();
        assert_eq!((seen.len(), unused.seen().len()), (4, 0), "{right}");
        let target = rig.endpoint.trim_start_matches("https://");
        for head in seen {
            assert!(head.starts_with(&format!("CONNECT {target} HTTP/1.1\r\n")), "{head}");
            // canary-user:canary-password
            let credentials = "proxy-authorization: basic Y2FuYXJ5LXVzZXI6Y2FuYXJ5LXBhc3N3b3Jk";
            assert!(head.to_lowercase().contains(&credentials.to_lowercase()), "{head}");
            assert!(!head.contains(TOKEN), "the token is for the API alone: {head}");
        }
    }
}

#[test]
fn hosts_without_a_proxy_are_reached_directly() {
    let authority = Authority::new();
    for (list, is_direct) in [
        ("localhost", true),
        ("other.example, localhost", true),
        ("*", true),
        ("other.example", false),
    ] {
        let rig = Rig::new(prepared(), &authority);
        let proxy = Proxy::start(None);
        let variables = [("HTTPS_PROXY", &proxy.address()[..]), ("NO_PROXY", list)];
        ends(&rig.upload(&variables), 0, "has all 40 entries");
        assert_eq!(proxy.seen().is_empty(), is_direct, "{list}");
    }
}

#[test]
fn a_proxy_that_refuses_or_cannot_be_used_is_not_gone_around() {
    let authority = Authority::new();
    let rig = Rig::new(prepared(), &authority);
    for (refusal, message) in [
        (
            "HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n",
            "the proxy does not connect to it",
        ),
        (
            "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
            "the proxy does not connect to it",
        ),
        ("", "failed to create the audience"),
    ] {
        let proxy = Proxy::start(Some(refusal));
        ends(&rig.upload(&[("HTTPS_PROXY", &proxy.address())]), 6, message);
        assert_eq!(proxy.seen().len(), 2, "{refusal}");
    }
    ends(
        &rig.upload(&[("HTTPS_PROXY", "http://127.0.0.1:1")]),
        6,
        "the API cannot be reached: the environment's proxy: connection refused",
    );
    for address in [
        "socks5://canary-user:canary-password@127.0.0.1:1",
        "htp://canary-user:canary-password@127.0.0.1:1",
        "http://",
    ] {
        ends(
            &rig.upload(&[("HTTPS_PROXY", address)]),
            2,
            "the proxy in HTTPS_PROXY cannot be used",
        );
    }
    assert_eq!(rig.sandbox.exchanges().len(), 0);
}

#[test]
fn an_api_on_this_machine_without_tls_is_never_asked_through_a_proxy() {
    let user = User::new(prepared(), &[]);
    let sandbox =
        Sandbox::start(SandboxConfig { token: TOKEN.to_owned(), ..SandboxConfig::default() })
            .unwrap();
    let proxy = Proxy::start(None);
    let mut command = user.command(&sandbox, &[]);
    let output = without_proxy(&mut command).env("ALL_PROXY", proxy.address()).output().unwrap();
    ends(&output, 0, "has all 40 entries");
    assert_eq!(proxy.seen().len(), 0);
}

#[test]
fn a_token_that_is_refused_costs_no_body() {
    let prepared = Prepared::new(20_000, 1_000_000);
    let bytes: u64 = prepared.parts.values().sum();
    assert!(bytes > 1_000_000);
    let sandbox = Sandbox::start(SandboxConfig::default()).unwrap();
    let user = User::new(&prepared, &[]);
    let mut command = user.command(&sandbox, &[]);
    let refused = command.env("THRONG_TOKEN", "canary-wrong-token").output().unwrap();
    ends(&refused, 5, "refuses the token");
    assert!(!said(&refused).contains("canary-wrong-token"), "{}", said(&refused));
    assert_eq!(sandbox.exchanges().len(), 1);
    assert!(sandbox.bytes_received() < 2000, "{} bytes", sandbox.bytes_received());
}
