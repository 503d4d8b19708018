"""A place where throng is attacked: a directory that every case finds as it was, an API on this machine, and strace."""

import hashlib
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess

# Longest time that a run may take; it turns a hang into a failure.
PATIENCE = 60

TOKEN = "sandbox-token"


class Wrong(Exception):
    """A promise was broken."""


class Missed(Exception):
    """The attack did not reach what it was meant for: nothing is known of the promise."""


def must(condition, message):
    if not condition:
        raise Wrong(message)


class Ended:
    """How a run ended, and what it said."""

    def __init__(self, code, stdout, stderr):
        self.code, self.stdout, self.stderr = code, stdout, stderr

    def __str__(self):
        return f"code {self.code}: {self.stderr.strip()}"


class Place:
    """A directory at one path for all cases, since stores and manifests name paths and addresses."""

    def __init__(self, throng, root):
        self.throng, self.root = throng, pathlib.Path(root)
        self.dir, self.template = self.root / "case", self.root / "template"
        self.trace = self.root / "trace"
        self.dir.mkdir(parents=True)
        self.server, self.port = None, 0
        # Which API is served.
        self.platform = "pitchtarget"

    # Files

    def path(self, name):
        return self.dir / name

    def write(self, name, text):
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def keep(self):
        """What is there now is what every case begins with."""
        self.stop()
        shutil.move(self.dir, self.template)

    def reset(self):
        self.stop()
        subprocess.run(["rm", "-rf", str(self.dir)], check=True)
        subprocess.run(["cp", "-a", str(self.template), str(self.dir)], check=True)

    def hidden(self):
        """Everything that throng means to be temporary and that is still there."""
        found = []
        for top, dirs, files in os.walk(self.dir):
            found += [os.path.join(top, name) for name in dirs + files if name.startswith(".")]
        return sorted(os.path.relpath(path, self.dir) for path in found)

    # Runs

    def env(self):
        env = {"PATH": os.environ["PATH"], "HOME": str(self.dir), "THRONG_TOKEN": TOKEN, "RUST_BACKTRACE": "full"}
        if self.port:
            env["THRONG_ENDPOINT"] = f"http://127.0.0.1:{self.port}"
        return env

    def start(self, args, before=(), **more):
        command = [*before, str(self.throng), *map(str, args)]
        given = self.path("stdin")
        with open(given if given.exists() else os.devnull) as stdin:
            pipes = {"stdin": stdin, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            return subprocess.Popen(command, cwd=self.dir, env=self.env(), text=True, **{**pipes, **more})

    def end(self, process):
        try:
            stdout, stderr = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise Wrong("it hangs") from None
        return Ended(process.returncode, stdout, stderr)

    def run(self, args, before=(), **more):
        return self.end(self.start(args, before, **more))

    def ok(self, args):
        ended = self.run(args)
        must(ended.code == 0, f"{' '.join(map(str, args))}: {ended}")
        return ended

    def strace(self, calls, inject=None):
        """The words that put a run under strace. A filter in the kernel saves time where no signal is sent, which takes a
        stop that the filter does not make."""
        faster = [] if inject and "signal=" in inject else ["--seccomp-bpf"]
        words = ["strace", "-f", *faster, "-qqq", "-y", "-s0", "-o", str(self.trace), "-e", f"trace={calls}"]
        return words + (["-e", f"inject={inject}"] if inject else [])

    def traced(self):
        """What strace wrote, line by line."""
        return self.trace.read_text(errors="replace").splitlines()

    # The API

    def serve(self, *faults):
        """Starts the API; its data lie within the place."""
        args = ["sandbox", "--platform", self.platform, "--data", "api", "--port", str(self.port)]
        for fault in faults:
            args += ["--fault", fault]
        self.server = self.start(args, stderr=subprocess.DEVNULL)
        line = self.server.stdout.readline()
        must("THRONG_ENDPOINT" in line, "the sandbox does not start")
        self.port = int(line.rsplit(":", 1)[1])

    def stop(self):
        if self.server:
            self.server.send_signal(signal.SIGTERM)
            self.server.communicate(timeout=PATIENCE)
            self.server = None

    def audiences(self):
        """Ends the API; what it holds then: name and members of each audience."""
        self.stop()
        db = sqlite3.connect(self.path("api/meta.sqlite" if self.platform == "meta" else "api/sandbox.sqlite"))
        try:
            members = {}
            for number, entry in db.execute("SELECT audience, entry FROM member"):
                members.setdefault(number, set()).add(bytes(entry))
            audiences = db.execute("SELECT id, name, user_type FROM audience ORDER BY id").fetchall()
        finally:
            db.close()
        return [(name, {as_text(user_type, entry) for entry in members.get(number, set())}) for number, name, user_type in audiences]


def as_text(user_type, entry):
    """An entry as an upload file has it; the sandbox keeps digests as bytes."""
    return entry.hex() if user_type.endswith("_hash") and len(entry) == 32 else entry.decode()


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def files_of(directory):
    """The bytes of every file below a directory, or None if it is not there."""
    if not os.path.isdir(directory):
        return None
    found = {}
    for top, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(top, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, directory)] = file.read()
    return found


def entries_of(directory):
    """The entries of an output directory, in order."""
    parts = sorted(name for name in os.listdir(directory) if re.fullmatch(r".+-\d{5}\.txt", name))
    lines = []
    for part in parts:
        lines += (pathlib.Path(directory) / part).read_text().splitlines()
    return lines
