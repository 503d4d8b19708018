#!/usr/bin/env python3
"""`throng who` at size: a thousand values against a hundred million entries.

    tests/at_size/who.py target/release/throng [--entries 100000000] [--values 1000]

The first night of a job is real. Parts with made-up digests are put beside its own, as nights would have left them, and
`throng who` is asked about digests of which every other one is in a part: with nothing of the parts in memory, and once
more. Each answer is compared with what was made up.
"""

import argparse
import json
import os
import random
import re
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

PART_LINES = 5_000_000
# What stands behind the 16 digits that tell digests apart.
TAIL = "0123456789abcdef" * 3

JOB = """
name = "nightly"
state = "state"
[input]
files = ["export.csv"]
[[audience]]
user-type = "email_hash"
column = "email"
name = "News"
[target]
ad-account = 7
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("throng", type=Path)
    parser.add_argument("--entries", type=int, default=100_000_000)
    parser.add_argument("--values", type=int, default=1000)
    args = parser.parse_args()
    throng = str(args.throng.resolve())
    with tempfile.TemporaryDirectory(prefix="who-", dir=os.environ.get("SCRATCH")) as scratch:
        os.chdir(scratch)
        first_night(throng)
        values = make_up(args.entries, args.values)
        for state in ("cold", "warm"):
            if state == "cold":
                forget_pages()
            took = ask(throng, values)
            print(f"{args.values} values against {args.entries} entries, {state}: {took:.2f} s")


def first_night(throng):
    Path("export.csv").write_text("email\nann@example.com\n")
    Path("job.toml").write_text(JOB)
    sandbox = subprocess.Popen([throng, "sandbox"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        lines = [sandbox.stdout.readline() for _ in range(2)]
        exports = dict(re.fullmatch(r"export (\w+)=(\S+)\n", line).groups() for line in lines)
        subprocess.run([throng, "sync", "job.toml", "--quiet"], env=os.environ | exports, check=True)
    finally:
        sandbox.terminate()
        sandbox.wait()


def make_up(entries, values):
    """Parts of which the store knows; what to ask, each with whether it is in one."""
    step = 2**64 // entries
    chosen = set(random.Random(7).sample(range(entries), values))
    asked = []
    database = sqlite3.connect("state/throng.sqlite")
    generation, run = database.execute("SELECT generation_id, run_id FROM delivery").fetchone()
    for number, first in enumerate(range(0, entries, PART_LINES)):
        count = min(PART_LINES, entries - first)
        # Its name is its digest, which nobody looks at here.
        name = f"{number:064x}"
        with open(f"state/parts/{run:06}/{name}.txt", "w") as part:
            for block in range(first, first + count, 100_000):
                end = min(block + 100_000, first + count)
                part.write("".join(["%016x%s\n" % (index * step + index * 7919 % step, TAIL) for index in range(block, end)]))
        row = (name, count, count * 65, run)
        database.execute("INSERT INTO part (sha256, entries, bytes, kept_in) VALUES (?, ?, ?, ?)", row)
        database.execute(
            "INSERT INTO delivery (generation_id, purpose, sha256, state, run_id, file, confirmed_by, confirmed_at)"
            " VALUES (?, 'add', ?, 'confirmed', ?, 'email_hash-00001.txt', ?, 1)",
            (generation, name, run, run),
        )
    for index in sorted(chosen):
        key = index * step + index * 7919 % step
        is_in = len(asked) % 2 == 0
        asked.append((("%016x" % key) + (TAIL if is_in else TAIL[:-1] + "0"), is_in))
    database.commit()
    database.close()
    random.Random(8).shuffle(asked)
    return asked


def forget_pages():
    os.sync()
    for path in Path("state/parts").rglob("*.txt"):
        with open(path, "rb") as part:
            os.posix_fadvise(part.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def ask(throng, values):
    text = "".join(value + "\n" for value, _ in values)
    started = time.monotonic()
    ended = subprocess.run(
        [throng, "who", "-t", "email_hash", "--state", "state", "--json"], input=text, capture_output=True, text=True
    )
    took = time.monotonic() - started
    assert ended.returncode == 0, ended.stderr
    answers = json.loads(ended.stdout)
    assert not answers["unread"], answers["unread"]
    found = [bool(line["found"]) for line in answers["lines"]]
    assert found == [is_in for _, is_in in values], "somebody is not where they are, or where they are not"
    return took


if __name__ == "__main__":
    main()
