"""Inputs in buckets of servers that are not ours: moto for S3, Azurite for Azure, and a proxy that cuts, slows and refuses.

    python3 -m venv target/buckets && target/buckets/bin/pip install 'moto[server,s3]==5.2.5' azure-storage-blob==12.31.1
    npm install --prefix target/azurite azurite@3.35.0
    target/buckets/bin/python tests/interop/buckets.py target/debug/throng target/azurite/node_modules/.bin/azurite-blob

Lines, CSV, gzip parts and Parquet are put there and prepared from there, by name, folder and pattern; the entries must be
those that come from the same files on disk. Google's XML API, which is what is spoken to it, is that of S3 for reading: moto
stands for it, too. Then each is read through the proxy: every audience is whole, or there is none.
"""

import gzip
import http.client
import os
import pathlib
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
from azure.storage.blob import BlobServiceClient

FIXTURES = pathlib.Path(__file__).parent.parent.parent / "fixtures"
AZURITE_ACCOUNT = "devstoreaccount1"
# The key of everybody's emulator: https://learn.microsoft.com/azure/storage/common/storage-use-azurite
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def start(command, port):
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return server
        except OSError:
            assert server.poll() is None, f"{command[0]} ended with {server.returncode}"
            time.sleep(0.1)
    sys.exit(f"{command[0]} does not listen")


class Proxy(BaseHTTPRequestHandler):
    """Hands requests on, and does to the answers what networks do."""

    protocol_version = "HTTP/1.1"
    target = 0
    made_up = random.Random(7)
    share = 0.0
    struck = {}

    def handle_one(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        upstream = http.client.HTTPConnection("127.0.0.1", Proxy.target, timeout=60)
        upstream.request(self.command, self.path, body, dict(self.headers.items()))
        answer = upstream.getresponse()
        content = answer.read()
        kinds = ["none", "cut", "slow", "503", "throttled", "short", "reset"]
        fault = Proxy.made_up.choice(kinds[1:]) if Proxy.made_up.random() < Proxy.share else "none"
        Proxy.struck[fault] = Proxy.struck.get(fault, 0) + 1
        if fault == "reset":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if fault in ("503", "throttled"):
            code, name = (503, "SlowDown") if fault == "503" else (429, "TooManyRequests")
            text = f"<Error><Code>{name}</Code></Error>".encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
            return
        self.send_response(answer.status)
        sent = content
        if fault == "short" and len(content) > 1 and self.command == "GET":
            sent = content[: Proxy.made_up.randrange(1, len(content))]
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(sent))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault == "cut" and sent:
            self.wfile.write(sent[: Proxy.made_up.randrange(len(sent))])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if fault == "slow":
            half = len(sent) // 2
            self.wfile.write(sent[:half])
            self.wfile.flush()
            time.sleep(0.3)
            sent = sent[half:]
        self.wfile.write(sent)

    do_GET = do_HEAD = do_POST = do_PUT = handle_one

    def log_message(self, *_args):
        pass


def files():
    """Name -> bytes, of what people put into buckets."""
    made_up = random.Random(11)
    people = [f"person{made_up.randrange(10**6)}@mail{made_up.randrange(90)}.example" for _ in range(60_000)]
    rows = [f"{number},{email},DE\n" for number, email in enumerate(people)]
    found = {
        "lines.txt": "".join(f"{email}\n" for email in people[:20_000]).encode(),
        "table.csv": ("id,email,country\n" + "".join(rows)).encode(),
        "file.parquet": (FIXTURES / "parquet" / "spark.parquet").read_bytes(),
        "night/_SUCCESS": b"",
        "opt_outs.txt": f"{people[3]}\n{people[40_003]}\n".encode(),
    }
    for part in range(6):
        text = "id,email,country\n" + "".join(rows[part * 10_000 : (part + 1) * 10_000])
        found[f"night/region={part % 2}/part-{part:05}.csv.gz"] = gzip.compress(text.encode(), 1)
    return found


class Desk:
    def __init__(self, binary, folder, environment):
        self.binary, self.folder, self.environment = binary, folder, environment

    def prepare(self, out, args):
        command = [self.binary, "prepare", "-o", out, "--overwrite", "-t", "email_hash", *args]
        environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **self.environment}
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=300)

    def entries(self, out):
        return b"".join(part.read_bytes() for part in sorted((self.folder / out).glob("*.txt")))


READS = [
    ("lines.txt", []),
    ("table.csv", ["-c", "email"]),
    ("file.parquet", ["-c", "email"]),
    ("night/", ["-c", "email", "--complete"]),
    ("night/region=*/part-0000[0-3].csv.gz", ["-c", "email", "--where", "country=DE"]),
]


def compare(desk, root, faulty):
    """Reads all from a store and from disk."""
    whole = refused = 0
    for name, args in READS:
        args = [*args, "--suppress"]
        disk = desk.prepare("disk", [name, *args, "opt_outs.txt"])
        assert disk.returncode == 0, disk.stderr
        for _ in range(2 if faulty else 1):
            subprocess.run(["rm", "-rf", "bucket"], cwd=desk.folder, check=True)
            store = desk.prepare("bucket", [f"{root}/{name}", *args, f"{root}/opt_outs.txt"])
            assert AZURITE_KEY not in store.stderr and "canary" not in store.stderr, store.stderr
            if store.returncode == 0:
                assert desk.entries("bucket") == desk.entries("disk"), f"{root}/{name} is not as on disk"
                whole += 1
            else:
                assert faulty and store.returncode in (3, 5, 6), f"{root}/{name}: {store.stderr}"
                assert not (desk.folder / "bucket").exists(), f"{root}/{name}"
                refused += 1
                print(f"  {store.stderr.splitlines()[0]}")
    return whole, refused


def main():
    binary, azurite = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
    moto_port, azure_port, proxy_port = free_port(), free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        moto = pathlib.Path(sys.executable).parent / "moto_server"
        servers = [
            start([str(moto), "-H", "127.0.0.1", "-p", str(moto_port)], moto_port),
            start(
                [azurite, "--silent", "--skipApiVersionCheck", "--blobPort", str(azure_port), "--location", str(folder / "azurite")],
                azure_port,
            ),
        ]
        try:
            work = folder / "work"
            s3 = boto3.client(
                "s3",
                endpoint_url=f"http://127.0.0.1:{moto_port}",
                aws_access_key_id="canary",
                aws_secret_access_key="canary",
                region_name="us-east-1",
            )
            # Google's clients ask an emulator without a key.
            s3.create_bucket(Bucket="exports", ACL="public-read")

            def connection(port):
                endpoint = f"http://127.0.0.1:{port}/{AZURITE_ACCOUNT}"
                return f"AccountName={AZURITE_ACCOUNT};AccountKey={AZURITE_KEY};BlobEndpoint={endpoint};"

            blobs = BlobServiceClient.from_connection_string("DefaultEndpointsProtocol=http;" + connection(azure_port))
            container = blobs.create_container("exports")
            for name, content in files().items():
                path = work / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                s3.put_object(Bucket="exports", Key=name, Body=content, ACL="public-read")
                container.upload_blob(name, content)

            def stores(s3_port, az_port):
                keys = {"AWS_ACCESS_KEY_ID": "canary", "AWS_SECRET_ACCESS_KEY": "canary", "AWS_REGION": "us-east-1"}
                return [
                    ("s3://exports", s3_port, {**keys, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{s3_port}"}),
                    ("gs://exports", s3_port, {"STORAGE_EMULATOR_HOST": f"127.0.0.1:{s3_port}"}),
                    ("az://exports", az_port, {"AZURE_STORAGE_CONNECTION_STRING": connection(az_port)}),
                ]

            for root, _, environment in stores(moto_port, azure_port):
                whole, _ = compare(Desk(binary, work, environment), root, False)
                print(f"{root}: {whole} reads as from disk")
                assert whole == len(READS)

            # Whoever talks to it closes connections, too.
            ThreadingHTTPServer.handle_error = lambda *_: None
            proxy = ThreadingHTTPServer(("127.0.0.1", proxy_port), Proxy)
            threading.Thread(target=proxy.serve_forever, daemon=True).start()
            Proxy.share = 0.25
            for (root, _, environment), target in zip(
                stores(proxy_port, proxy_port), [moto_port, moto_port, azure_port], strict=True
            ):
                Proxy.target, Proxy.struck = target, {}
                whole, refused = compare(Desk(binary, work, environment), root, True)
                faults = {name: count for name, count in Proxy.struck.items() if name != "none"}
                print(f"{root} through the proxy: {whole} whole, {refused} refused, faults {faults}")
                assert whole > 0 and sum(faults.values()) > 10, "the proxy did nothing"
        finally:
            for server in servers:
                server.kill()


main()
