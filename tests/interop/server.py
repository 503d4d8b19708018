"""Uploads to a server that is not ours: Flask, whose multipart parser is werkzeug's.

    python3 -m venv target/interop && target/interop/bin/pip install flask==3.1.2
    target/interop/bin/python tests/interop/server.py target/debug/throng

The real binary prepares all five types and uploads each as an audience, with texts that are hard to get right in a form.
The server answers as revision A of the reference. Then every request is checked: its head as it came in, its fields, and
the bytes of its file, which must be those of the part on disk.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import threading

from flask import Flask, jsonify, request
from werkzeug.serving import WSGIRequestHandler, make_server

TOKEN = "interop-token"
ACCOUNT = "1234567"
NAME = 'Ann\'s "Summer"; 50% off = \u00fcber-\u30c6\u30b9\u30c8 \U0001f600'
DESCRIPTION = "two  spaces, a semicolon; and --dashes--"
LINK = "https://example.com/opt-out?a=1&b=%20"

INPUTS = {
    "email_hash": [f"user{number}@example.com" for number in range(25)],
    "phone_hash": [f"+4420794600{number:02}" for number in range(25)],
    "fbid": [str(10**9 + number) for number in range(25)],
    "custom_audience_third_party_id": [f'id "{number}" \u00e9 --x--' for number in range(25)],
    "mobile_advertiser_id": [f"{number:08x}-1234-4abc-8def-0123456789ab" for number in range(1, 26)],
}

app = Flask("interop")
received = []
audiences = []


class Handler(WSGIRequestHandler):
    """Keeps the head of each request as it came in."""

    protocol_version = "HTTP/1.1"
    head = ""

    def parse_request(self):
        parsed = super().parse_request()
        Handler.head = self.raw_requestline.decode("latin-1") + str(self.headers)
        return parsed

    def handle_expect_100(self):
        Handler.waited = True
        return super().handle_expect_100()

    def log(self, *_args):
        pass


def take():
    file = request.files["file"]
    received.append(
        {
            "method": request.method,
            "path": request.path,
            "head": Handler.head,
            "fields": request.form.to_dict(flat=False),
            "files": list(request.files.keys()),
            "file_name": file.filename,
            "file_type": file.mimetype,
            "bytes": file.stream.read(),
        }
    )


@app.post("/custom_audiences")
def create():
    take()
    audience = {
        "id": 59 + len(audiences),
        "name": request.form["name"],
        "description": request.form.get("description"),
        "opt_out_link": request.form.get("opt_out_link"),
        "user_type": request.form["user_type"],
        "fb_id": 6017382038943 + len(audiences),
    }
    audiences.append(audience)
    return jsonify(fb_custom_audience=audience)


@app.put("/custom_audiences/<int:number>")
def add(number):
    take()
    return jsonify(fb_custom_audience=audiences[number - 59])


@app.get("/customaudiences")
def listed():
    return jsonify([{"id": str(a["fb_id"]), "name": a["name"]} for a in audiences])


def run(throng, *args):
    done = subprocess.run([throng, *args], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{args}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def check_head(request, length_of_file):
    lines = request["head"].splitlines()
    headers = {}
    for line in lines[1:]:
        if line:
            name, value = line.split(": ", 1)
            assert name.lower() not in headers, f"{name} is sent twice"
            headers[name.lower()] = value
    assert lines[0] == f"{request['method']} {request['path']} HTTP/1.1", lines[0]
    assert int(headers["content-length"]) > length_of_file, headers
    assert "transfer-encoding" not in headers, headers
    assert headers["expect"] == "100-continue", headers
    assert headers["authorization"] == f"OAuth {TOKEN}", headers
    assert headers["accept"] == "application/json", headers
    assert headers["content-type"].startswith("multipart/form-data; boundary="), headers
    assert headers["user-agent"].startswith("throng/"), headers
    assert headers["host"].startswith("127.0.0.1:"), headers


def check(number, user_type, parts, requests):
    assert len(requests) == len(parts) == 3, (len(requests), len(parts))
    for index, request in enumerate(requests):
        part = next(part for part in parts if part.name == request["file_name"])
        fields = {"fb_ad_account_id": [ACCOUNT], "user_type": [user_type]}
        if index == 0:
            assert (request["method"], request["path"]) == ("POST", "/custom_audiences")
            fields |= {"name": [NAME], "subtype": ["CUSTOM"], "opt_out_link": [LINK]}
            description = request["fields"].pop("description")[0]
            assert description.startswith(DESCRIPTION + " [throng "), description
        else:
            assert (request["method"], request["path"]) == ("PUT", f"/custom_audiences/{number}")
        assert request["fields"] == fields, request["fields"]
        assert request["files"] == ["file"] and request["file_type"] == "text/plain"
        assert request["bytes"] == part.read_bytes(), f"{part.name} arrived with other bytes"
        check_head(request, part.stat().st_size)
    names = sorted(request["file_name"] for request in requests)
    assert names == sorted(part.name for part in parts), "each part once"


def main():
    throng = os.path.abspath(sys.argv[1])
    server = make_server("127.0.0.1", 0, app, request_handler=Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"):
        os.environ.pop(name, None)
    os.environ |= {
        "THRONG_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "THRONG_TOKEN": TOKEN,
    }
    for number, (user_type, values) in enumerate(INPUTS.items(), start=59):
        with tempfile.TemporaryDirectory() as home:
            home = pathlib.Path(home)
            source, out, state = home / "input.txt", home / "out", home / "state"
            source.write_text("\n".join(values) + "\n", encoding="utf-8")
            run(throng, "prepare", str(source), "-t", user_type, "-o", str(out), "--part-lines", "10")
            upload = ["upload", str(out), "--create", NAME, "--description", DESCRIPTION]
            upload += ["--opt-out-link", LINK, "--ad-account", ACCOUNT, "--state", str(state)]
            received.clear()
            summary = run(throng, *upload, "--json")
            assert f'"audience":"{number}"' in summary, summary
            check(number, user_type, sorted(out.glob("*.txt")), list(received))
            received.clear()
            run(throng, *upload)
            assert not received, "nothing is sent again"
    names = run(throng, "audience", "list", "--ad-account", ACCOUNT).splitlines()[1:]
    assert len(names) == len(INPUTS) and all(line.endswith(NAME) for line in names), names
    assert getattr(Handler, "waited", False), "the server was asked to say 100 Continue"
    print(f"interop: {len(INPUTS)} audiences, each request as the contract says")


if __name__ == "__main__":
    main()
