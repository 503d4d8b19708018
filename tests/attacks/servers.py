"""Servers, and what stands between: raw sockets that do everything that an API or a proxy can do, and what `throng upload`
and `throng audience list` make of it. Whatever comes, the run ends in time with the code that the README says and one
error line, nothing steers a terminal, the token is nowhere, and an audience is not created a second time. With `--log json`
every line is an object, whatever comes."""

import base64
import gzip
import json
import os
import socket
import ssl
import struct
import subprocess
import threading
import time
import unicodedata
import urllib.parse

from stage import digest, must

# What no output and no file may hold, in any of the ways that a server may write it.
TOKEN = "Canary+token/7431=="
HOST_TOKEN = "canary-of-a-host"
PROXY_USER = "canary-user:canary-password"


def in_base64(text):
    return base64.b64encode(text.encode()).decode().rstrip("=")


OF_TOKEN = [
    TOKEN,
    TOKEN.lower(),
    urllib.parse.quote(TOKEN, safe=""),
    urllib.parse.quote(TOKEN, safe="").lower(),
    urllib.parse.quote(urllib.parse.quote(TOKEN, safe="")),
    "".join(f"\\u{ord(c):04x}" for c in TOKEN),
    "".join(f"&#x{ord(c):x};" for c in TOKEN),
    *(in_base64(before + TOKEN) for before in ("", "x", "xx", "OAuth ")),
    base64.urlsafe_b64encode(TOKEN.encode()).decode(),
    TOKEN.encode().hex(),
]
TRACES = [*OF_TOKEN, HOST_TOKEN, "canary-password", in_base64(PROXY_USER)]

# The deadline of a request to a server that takes its time, and of one to a server that answers.
SHORT, LONG = "400ms", "20s"

# Longest time of a run, with all its requests.
SECONDS_MAX = 15

# Address space of a run: an answer without end would need more.
MEMORY_MAX = 2 << 30

COMMANDS = {
    "list": ["audience", "list", "--ad-account", "7"],
    "create": ["upload", "out", "--create", "News"],
    "add": ["upload", "out", "--audience", "59"],
}

SHOW = ["audience", "show", "7"]

# Exit codes of the three commands: what came is no answer; it is a refusal; it is an answer.
NO_ANSWER = {"list": {6}, "create": {8}, "add": {6}}
REFUSED = {name: {2} for name in COMMANDS}
UNREACHED = {name: {6} for name in COMMANDS}
DONE = {name: {0} for name in COMMANDS}


def good(method):
    """What the API says to a request that it likes."""
    if method == "GET":
        return b"[]"
    return b'{"fb_custom_audience": {"id": 59, "name": "News", "user_type": "email_hash", "fb_id": 7}}'


def answer(body, status="200 OK", *headers):
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class Listener:
    """Reads requests, and answers as it is told: `play(connection, method)`, or bytes. With `is_early` it does so at the
    end of the head; with `tls` behind a handshake; with `is_raw` before it has read anything. What comes after an answer
    is in `rest`."""

    def __init__(self, play, is_early=False, tls=None, is_raw=False):
        self.play = play if callable(play) else lambda connection, _: connection.sendall(play)
        self.is_early, self.tls, self.is_raw = is_early, tls, is_raw
        self.heads, self.bodies, self.rest, self.connections = [], [], b"", 0
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.socket.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self.work, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def posts(self):
        return sum(head.startswith("POST") for head in self.heads)

    def work(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            with connection:
                connection.settimeout(SECONDS_MAX)
                if self.tls:
                    connection = self.tls.wrap_socket(connection, server_side=True)
                method = None if self.is_raw else self.read(connection)
                self.play(connection, method)
                # What was said arrives even if more came than was read.
                connection.shutdown(socket.SHUT_WR)
                while more := connection.recv(1 << 16):
                    self.rest += more
        except OSError:
            pass

    def read(self, connection):
        head = b""
        while b"\r\n\r\n" not in head:
            more = connection.recv(1 << 16)
            if not more:
                raise OSError("no request")
            head += more
        head, body = head.split(b"\r\n\r\n", 1)
        head = head.decode()
        self.heads.append(head)
        if not self.is_early:
            lines = [line.lower() for line in head.split("\r\n")]
            length = sum(int(line.split(":")[1]) for line in lines if line.startswith("content-length:"))
            if "expect: 100-continue" in lines:
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            while len(body) < length:
                more = connection.recv(1 << 16)
                if not more:
                    raise OSError("the body ends early")
                body += more
        self.bodies.append(body)
        return head.split(" ", 1)[0]


# How standard error is written; a case is tried with both.
LOGS = ["text", "json"]


def with_log(log, attack):
    def attack_with_log(place, scene):
        place.log = log
        attack(place, scene)

    return attack_with_log


def errors_of(log, stderr):
    """What is said of errors."""
    lines = stderr.splitlines()
    if log == "text":
        return [line for line in lines if line.startswith("error: ")]
    try:
        objects = [json.loads(line) for line in lines]
    except ValueError:
        objects = [None]
    must(all(isinstance(o, dict) and set(o) == {"time", "level", "event", "message", "fields"} for o in objects), f"not an object a line: {stderr!r}")
    return [o for o in objects if o["event"] == "error"]


def run(place, command, *, listener=None, endpoint=None, deadline=LONG, more=(), token=TOKEN, env=()):
    """Runs a command against a listener, and checks what is true however it ends."""
    endpoint = endpoint or f"http://127.0.0.1:{listener.port}"
    args = [*(COMMANDS.get(command) or SHOW), "--log", place.log, "--endpoint", endpoint, "--request-time", deadline, *more]
    if command in ("create", "add"):
        args += ["--ad-account", "7", "--state", "state", "--attempts", "2", "--retry-wait", "1ms", "-q"]
    started = time.monotonic()
    ended = place.run(args, before=["prlimit", f"--as={MEMORY_MAX}", "env", f"THRONG_TOKEN={token}", *env])
    took = time.monotonic() - started
    must(took < SECONDS_MAX, f"{command}: it took {took:.1f} s")
    errors = errors_of(place.log, ended.stderr)
    must(len(errors) == (0 if ended.code == 0 else 1), f"{command}: not one error line: {ended!s}")
    steering = [c for c in ended.stderr + ended.stdout if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")]
    must(not steering, f"{command}: {steering[:3]} reach the terminal: {ended.stderr!r}")
    must("panicked" not in ended.stderr, f"{command}: {ended}")
    held = b"".join(file.read_bytes() for file in place.path("state").rglob("*") if file.is_file())
    for trace in TRACES:
        must(trace not in ended.stdout + ended.stderr, f"{command}: the token is printed: {ended}")
        must(trace.encode() not in held, f"{command}: the token is in the state directory")
    return ended


def against(play, codes, deadline=LONG, posts=1, commands=COMMANDS, token=TOKEN, **listening):
    """A case: all commands against one server. A second run of the create does not post again where the first cannot
    know what became of it."""

    def attack(place, _):
        for command in commands:
            place.reset()
            with Listener(play, **listening) as listener:
                ended = run(place, command, listener=listener, deadline=deadline, token=token)
                must(ended.code in codes[command], f"{command}: {ended}")
                if command == "create" and ended.code == 8:
                    again = run(place, command, listener=listener, deadline=deadline, token=token)
                    must(again.code == 8, f"{command}, again: {again}")
                    must(listener.posts() <= posts, f"{listener.posts()} posts")

    return attack


# What a server sends


def to_each(head):
    """What depends on the request: `head(body)` gives the bytes."""
    return lambda connection, method: connection.sendall(head(good(method)))


def without_end(start, again, pause=0.0):
    def play(connection, _):
        connection.sendall(start)
        while True:
            connection.sendall(again)
            time.sleep(pause)

    return play


def slowly(make, pause):
    def play(connection, method):
        for byte in make(good(method)):
            connection.sendall(bytes([byte]))
            time.sleep(pause)

    return play


def silent(connection, _):
    while connection.recv(1 << 16):
        pass


def reset(connection, _):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def chunked(*chunks):
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + b"".join(chunks)


def with_lengths(*lengths):
    def head(body):
        fields = "".join(f"Content-Length: {length(len(body)) if callable(length) else length}\r\n" for length in lengths)
        return f"HTTP/1.1 200 OK\r\n{fields}Connection: close\r\n\r\n".encode() + body

    return to_each(head)


def answers():
    """Answers of which the code is the same whenever they come: name, what is sent, codes, and how it is sent."""
    ok = b"HTTP/1.1 200 OK\r\n"
    yield "header lines without end", without_end(ok, b"X-Filler: abcdefgh\r\n" * 500), NO_ANSWER, {}
    yield "a header without end", without_end(ok + b"X: ", b"x" * 9000), NO_ANSWER, {}
    yield "a status line without end", without_end(b"HTTP/1.1 200 ", b"x" * 9000), NO_ANSWER, {}
    yield "chunk extensions without end", without_end(chunked(b"2;x="), b"x" * 9000), NO_ANSWER, {"deadline": "2s"}
    yield "trailers without end", without_end(chunked(b"2\r\n[]\r\n0\r\n"), b"X-Filler: x\r\n" * 500), None, {"deadline": SHORT}
    yield "a body of spaces without end", without_end(ok + b"\r\n", b" " * 65536), NO_ANSWER, {}
    yield "a slow head", slowly(answer, 0.05), NO_ANSWER, {"deadline": SHORT}
    yield "a slow body", slowly(lambda body: answer(body + b" " * 200), 0.01), NO_ANSWER, {"deadline": SHORT}
    yield "slow chunks", without_end(chunked(), b"1\r\n \r\n", 0.05), NO_ANSWER, {"deadline": SHORT}
    yield "silence", silent, NO_ANSWER, {"deadline": SHORT}
    yield "a reset", reset, NO_ANSWER, {}
    zipped = ["Content-Encoding: gzip"]
    yield "gzip", to_each(lambda body: answer(gzip.compress(body), "200 OK", *zipped)), None, {}
    bomb = gzip.compress(gzip.compress(b" " * (1 << 28)))
    yield "a gzip bomb", answer(bomb, "200 OK", *zipped), NO_ANSWER, {}
    yield "a gzip bomb as an error", answer(bomb, "503 X", *zipped), NO_ANSWER, {}
    yield "length too large", with_lengths(lambda n: n + 1), NO_ANSWER, {}
    yield "length too small", with_lengths(lambda n: n - 1), NO_ANSWER, {}
    yield "length 2^64", with_lengths(1 << 64), None, {}
    yield "length 2^63", with_lengths((1 << 63) - 1), NO_ANSWER, {}
    yield "length negative", with_lengths(-1), None, {}
    yield "length no number", with_lengths("two"), None, {}
    yield "lengths that differ", with_lengths(lambda n: n, lambda n: n - 1), None, {}
    yield "lengths that differ, the small one first", with_lengths(lambda n: n - 1, lambda n: n), None, {}
    both = "Transfer-Encoding: chunked"
    yield "length and chunked, not chunked", to_each(lambda body: answer(body, "200 OK", both)), NO_ANSWER, {}
    for name, chunks in {
        "no number": b"zz\r\n[]\r\n0\r\n\r\n",
        "negative": b"-2\r\n[]\r\n0\r\n\r\n",
        "2^64": b"10000000000000000\r\n[]\r\n0\r\n\r\n",
        "2^64 - 1": b"ffffffffffffffff\r\n[]\r\n0\r\n\r\n",
        "too large": b"9\r\n[]\r\n0\r\n\r\n",
        "too small": b"1\r\n[]\r\n0\r\n\r\n",
        "none": b"\r\n[]\r\n0\r\n\r\n",
    }.items():
        yield f"size of a chunk: {name}", chunked(chunks), NO_ANSWER, {}
    yield "chunks without an end", chunked(b"2\r\n[]\r\n"), NO_ANSWER, {}
    for name, noise in {
        "nothing": b"",
        "HTTP/0.9": b'{"fb_custom_audience": {"id": 59}}',
        "HTTP/2": b"\0\0\x12\x04\0\0\0\0\0" + b"\0" * 18,
        "HTTP/9.9": b"HTTP/9.9 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        "no status": b"HTTP/1.1\r\n\r\n[]",
        "status 000": b"HTTP/1.1 000 X\r\nContent-Length: 2\r\n\r\n[]",
        "status 2000": b"HTTP/1.1 2000 X\r\nContent-Length: 2\r\n\r\n[]",
        "zeros": b"\0" * 4096,
        "bytes": bytes(range(256)) * 16,
        "a TLS alert": b"\x15\x03\x03\x00\x02\x02\x28",
        "an SSH greeting": b"SSH-2.0-OpenSSH_9.9\r\n",
        "a head with NUL": b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\n{}",
        "a header without a colon": b"HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 2\r\n\r\n{}",
        "204": b"HTTP/1.1 204 No Content\r\n\r\n",
        "206": answer(b'{"fb_cust', "206 Partial Content", "Content-Range: bytes 0-8/90"),
        "deep JSON": answer(b"[" * 200_000),
        "101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    }.items():
        yield noise and f"noise: {name}" or "no byte", noise, NO_ANSWER if name != "101" else REFUSED, {"deadline": "2s"}
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    for name, interim in {"100": b"HTTP/1.1 100 Continue\r\n\r\n", "102": b"HTTP/1.1 102 Processing\r\n\r\n", "103": hints}.items():
        yield f"{name} without end", without_end(interim, interim * 100), NO_ANSWER, {"deadline": "2s"}
        yield f"{name} a hundred times, then an answer", to_each(lambda body, i=interim: i * 100 + answer(body)), None, {}
    for status in [300, 303, 304, 305, 399]:
        yield f"status {status}", answer(b"", f"{status} X", "Location: http://localhost:1/"), REFUSED, {}


# What a server knows, and how it may say it.
ESCAPES = "\x1b[31mred\x1b]0;title\x07\x9b31m\u202egnol\u2066x\u200b\u2028y\x00\x08\r\nerror: forged"


def named(words):
    """An audience whose every text is of the server's choice is listed and shown."""

    def attack(place, _):
        place.reset()
        texts = {"name": f"a {words}", "description": words, "status": words, "subtype": words, "opt_out_link": words, "run_status": {"description": words}}
        facebook, vendor = {"id": "7", **texts}, {"fb_custom_audience": {"id": 59, "user_type": words, **texts}}
        for command, body in ("list", [facebook]), ("list", {"custom_audiences": [vendor["fb_custom_audience"]]}), ("show", facebook), ("show", vendor):
            for more in [], ["--json"]:
                with Listener(answer(json.dumps(body).encode())) as listener:
                    ended = run(place, command, listener=listener, more=more)
                must(ended.code == 0, f"{command}: {ended}")
                must(not more or json.loads(ended.stdout), f"{command}: no JSON")

    return attack


def echoes():
    said = [*OF_TOKEN, f"OAuth {TOKEN}", f"x={urllib.parse.quote(TOKEN, safe='')}&y", ESCAPES]
    for number, words in enumerate(said):
        name = f"words {number}"
        for status, codes in [(401, {5}), (422, {2, 3}), (503, {6, 8}), (418, {2})]:
            body = {"error": {"message": f"bad {words} here"}} if number % 2 == status % 2 else {"errors": {words: [words]}}
            yield f"{name}, {status}", answer(json.dumps(body).encode(), f"{status} X"), {c: codes for c in COMMANDS}
    raw = ESCAPES.replace("\r\n", "").replace("\0", "").encode()
    yield "escapes in the status line", b"HTTP/1.1 503 " + raw + b"\r\nContent-Length: 0\r\n\r\n", NO_ANSWER
    yield "the token in the status line", answer(b"", f"401 {TOKEN}", f"WWW-Authenticate: OAuth {TOKEN}"), {c: {5} for c in COMMANDS}
    yield "the token as Retry-After", answer(b"", "503 X", f"Retry-After: {TOKEN}"), NO_ANSWER
    for location in [f"https://{TOKEN}@example.com/", f"https://example.com/{TOKEN}", f"https://{TOKEN}/", f"{TOKEN}://x/"]:
        yield f"redirected to {location}", answer(b"", "302 X", f"Location: {location}"), REFUSED
    yield "redirected to escapes", b"HTTP/1.1 302 X\r\nLocation: https://" + raw + b"/\r\nContent-Length: 0\r\n\r\n", NO_ANSWER


def redirect(status, scheme):
    """The token does not follow to another host, whatever the scheme."""

    def attack(place, _):
        with Listener(answer(b"[]")) as other:
            where = {
                "file": "file:///etc/passwd",
                "https": f"https://127.0.0.1:{other.port}/",
                "//": f"//127.0.0.1:{other.port}/",
                "http": f"http://localhost:{other.port}/customaudiences",
            }[scheme]
            play = answer(b"", f"{status} X", f"Location: {where}", f"Refresh: 0; url={where}")
            against(play, REFUSED)(place, None)
            must(other.connections == 0, "it went to another host")

    return attack


# The way of a request


def early_success(place, _):
    """An answer before the body has come cannot be about it: no entry may be taken for uploaded."""
    for command in "create", "add":
        place.reset()
        with Listener(to_each(answer), is_early=True) as listener:
            ended = run(place, command, listener=listener)
        must(ended.code in (6, 7, 8), f"{command}: taken for done without its entries: {ended}")
        must(not any(listener.bodies), "it sent entries")


def never_continued(place, _):
    """The body is sent without having been asked for, after a while."""

    def play(connection, method):
        body = b""
        while not body.endswith(b"--\r\n"):
            body += connection.recv(1 << 16)
        must(digest("person.1@example.com").encode() in body, "no body")
        connection.sendall(answer(good(method)))

    against(play, DONE, is_early=True, commands=["create", "add"])(place, None)


def continued_and_closed(connection, method):
    if method != "GET":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


# Cuts at each byte. A case takes every eighth length, so that any beginning of the list has lengths of all stages.

STRIDE = 8


def cut_list(first):
    audience = {"id": "7", "name": "News", "approximate_count": 3, "status": "ready"}
    whole = answer(json.dumps([audience]).encode())

    def attack(place, _):
        place.reset()
        for length in range(first, len(whole), STRIDE):
            with Listener(whole[:length]) as listener:
                ended = run(place, "list", listener=listener)
            must(ended.code == 6 and not ended.stdout, f"cut after {length}: {ended}")

    return attack


def cut_create(first):
    whole = answer(good("POST"))

    def attack(place, _):
        for length in range(first, len(whole), STRIDE):
            place.reset()
            plays = {"POST": whole[:length], "GET": answer(b"[]")}
            with Listener(lambda connection, method, plays=plays: connection.sendall(plays[method])) as listener:
                # The list says that there is none: the same run believes that not, the next one does.
                for posts in (1, 2):
                    ended = run(place, "create", listener=listener)
                    must(ended.code == 8, f"cut after {length}: {ended}")
                    must(listener.posts() == posts, f"cut after {length}: {listener.posts()} posts")

    return attack


def cut_add(first):
    whole = answer(good("PUT"))

    def attack(place, _):
        place.reset()
        for length in range(first, len(whole), STRIDE):
            with Listener(whole[:length]) as listener:
                ended = run(place, "add", listener=listener)
            must(ended.code == 6, f"cut after {length}: {ended}")
        with Listener(whole) as listener:
            ended = run(place, "add", listener=listener)
        must(ended.code == 0 and len(listener.bodies) == 1, f"the whole answer: {ended}")

    return attack


# TLS


def openssl(place, *args):
    done = subprocess.run(["openssl", *map(str, args)], cwd=place.root, capture_output=True, text=True)
    must(done.returncode == 0, f"openssl {args[0]}: {done.stderr}")


def certify(place, name, start, end):
    """A key and a certificate for `localhost`, of an authority that is made with the first; times as YYYYMMDDHHMMSSZ."""
    if not (place.root / "ca.pem").exists():
        openssl(place, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test", "-days", "30")
        (place.root / "index").touch()
        (place.root / "ca.cnf").write_text(
            "[ca]\ndefault_ca=own\n[own]\ndatabase=index\nnew_certs_dir=.\ncertificate=ca.pem\nprivate_key=ca.key\nrand_serial=yes\n"
            "default_md=sha256\npolicy=any\nx509_extensions=leaf\nunique_subject=no\n[any]\ncommonName=supplied\n"
            "[leaf]\nsubjectAltName=DNS:localhost\n"
        )
    openssl(place, "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", "/CN=localhost")
    openssl(place, "ca", "-batch", "-config", "ca.cnf", "-in", f"{name}.csr", "-out", f"{name}.pem", "-startdate", start, "-enddate", end, "-notext")


def with_certificate(name, codes, play=None, start="20200101000000Z", end="20490101000000Z", ca="ca.pem"):
    def attack(place, _):
        certify(place, name, start, end)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(place.root / f"{name}.pem", place.root / f"{name}.key")
        for command in COMMANDS:
            place.reset()
            with Listener(play or to_each(answer), tls=tls) as listener:
                more = ["--ca-file", place.root / (ca or f"{name}.pem")]
                ended = run(place, command, endpoint=f"https://localhost:{listener.port}", more=more, deadline="5s")
                must(ended.code in codes[command], f"{command}: {ended}")
                must(codes is not REFUSED or not listener.heads, "the token was sent to whom it is not for")

    return attack


def no_tls(play, deadline=LONG):
    """A port that is to speak TLS, and does not; the token is not said to it."""

    def attack(place, _):
        for command in COMMANDS:
            place.reset()
            with Listener(play, is_raw=True) as listener:
                ended = run(place, command, endpoint=f"https://localhost:{listener.port}", deadline=deadline)
                must(ended.code in (2, 6), f"{command}: {ended}")
                must(listener.connections and TOKEN.encode() not in listener.rest, "the token is said to it")

    return attack


def through(play, codes, deadline="2s"):
    """A proxy that was asked for a tunnel; it is not told the token, and not gone around."""

    def attack(place, _):
        for command in COMMANDS:
            place.reset()
            with Listener(b"", is_raw=True) as api, Listener(play) as proxy:
                env = [f"HTTPS_PROXY=http://{PROXY_USER}@127.0.0.1:{proxy.port}"]
                ended = run(place, command, endpoint=f"https://localhost:{api.port}", deadline=deadline, env=env)
                must(ended.code in codes, f"{command}: {ended}")
                must(proxy.heads and all(head.startswith("CONNECT ") for head in proxy.heads), f"no tunnel: {proxy.heads}")
                must(TOKEN not in "".join(proxy.heads) and TOKEN.encode() not in proxy.rest, "the proxy was told the token")
                must(api.connections == 0, "the proxy was gone around")

    return attack


def proxies():
    """What a proxy may say to CONNECT. Nothing was sent yet, so that it is never unknown what became of it."""
    ok = b"HTTP/1.1 200 Connection established\r\n\r\n"
    for name, play in {
        "a slow answer": slowly(lambda _: ok, 0.2),
        "an answer without end, slowly": without_end(ok[:-2], b"X", 0.05),
        "nothing": b"",
        "yes, and closed": ok,
        "yes, and noise": ok + bytes(range(256)) * 64,
        "yes, and an HTTP answer": ok + answer(good("POST")),
        "yes, and a TLS alert": ok + b"\x15\x03\x03\x00\x02\x02\x28",
        "yes, with a body": answer(b"x" * 5000),
        "204": b"HTTP/1.1 204 No Content\r\n\r\n",
        "101": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "407": answer(in_base64(PROXY_USER).encode(), f"407 {PROXY_USER}", f"Proxy-Authenticate: Basic realm={in_base64(PROXY_USER)}"),
        "403": answer(PROXY_USER.encode(), "403 Forbidden"),
        "503": answer(b"", "503 X", "Retry-After: 1"),
        "302": answer(b"", "302 X", "Location: http://localhost:1/"),
        "no HTTP": b"SSH-2.0-OpenSSH_9.9\r\n" * 20,
        "zeros": b"\0" * 4096,
        "header lines without end": without_end(b"HTTP/1.1 200 OK\r\n", b"X-Filler: abcdefgh\r\n" * 500),
        "a header without end": without_end(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 9000),
        "100 without end": without_end(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        "escapes": b"HTTP/1.1 502 " + ESCAPES.replace("\r\n", "").encode() + b"\r\n\r\n",
        "silence": silent,
        "a reset": reset,
    }.items():
        yield f"proxy: {name}", through(play, {2, 6}, SHORT if "slow" in name or name == "silence" else "2s")


def no_such_host(place, _):
    for command in COMMANDS:
        place.reset()
        ended = run(place, command, endpoint="https://nothing.invalid", deadline="5s")
        must(ended.code == 6, f"{command}: {ended}")


class Servers:
    """A prepared directory, and servers that mean no good."""

    name = "servers"

    def build(self, place):
        place.write("export.txt", "".join(f"person.{number}@example.com\n" for number in range(30)))
        place.ok(["prepare", "export.txt", "-t", "email_hash", "-o", "out", "-q"])
        place.keep()

    def cases(self, place):
        found = [
            ("a success before the body", early_success),
            ("100 is never said", never_continued),
            ("100, then closed", against(continued_and_closed, NO_ANSWER, is_early=True)),
            ("closed instead of 100", against(b"", UNREACHED, posts=9, is_early=True)),
            ("the token as a host", against(answer(b"", "302 X", f"Location: https://{HOST_TOKEN}.example.com/"), REFUSED, token=HOST_TOKEN)),
            ("no such host", no_such_host),
            ("certificate: good", with_certificate("good", DONE)),
            ("certificate: expired", with_certificate("expired", REFUSED, end="20210101000000Z")),
            ("certificate: not yet", with_certificate("early", REFUSED, start="20480101000000Z")),
            ("certificate: itself as the authority", with_certificate("itself", REFUSED, ca=None)),
            ("TLS: cut within the answer", with_certificate("cut", NO_ANSWER, play=answer(b"[]")[:-1])),
            ("TLS: plain HTTP", no_tls(answer(b"[]"))),
            ("TLS: noise", no_tls(bytes(range(256)) * 64)),
            ("TLS: an alert", no_tls(b"\x15\x03\x03\x00\x02\x02\x28")),
            ("TLS: records without end", no_tls(without_end(b"", b"\x16\x03\x03\x00\x04\x0e\x00\x00\x00"))),
            ("TLS: silence", no_tls(silent, SHORT)),
        ]
        found += [(name, against(play, codes or {c: NO_ANSWER[c] | {0} for c in COMMANDS}, **more)) for name, play, codes, more in answers()]
        found += [(f"echo: {name}", against(play, codes)) for name, play, codes in echoes()]
        found += [(f"redirect {status} to {scheme}", redirect(status, scheme)) for status in (301, 302, 307, 308) for scheme in ("http", "https", "//", "file")]
        cuts = [
            (f"cut within the answer to {name}, from {first} on", cut(first))
            for first in range(STRIDE)
            for name, cut in (("list", cut_list), ("create", cut_create), ("add", cut_add))
        ]
        found += [(f"called {number}", named(words)) for number, words in enumerate([*OF_TOKEN, ESCAPES])]
        cases = cuts[:3] + list(proxies()) + found + cuts[3:]
        # Neighbours are tried in different ways, so that any beginning of the list has both.
        ways = [[(f"{name}, {log}", with_log(log, case)) for log in LOGS] for name, case in cases]
        return [way[number % 2] for number, way in enumerate(ways)] + [way[1 - number % 2] for number, way in enumerate(ways)]
