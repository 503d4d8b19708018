#!/usr/bin/env python3
"""A job with fifty audiences after ten years of nights: how long the next night, its history and its dry run take.

    tests/at_size/ten_years.py target/release/throng [--nights 3650] [--audiences 50]

The first night is real. The ones after it are written as throng would have written them, with people made up, and
then two more are real. What they uploaded, and whom they took for known, is compared with what was made up.
"""

import argparse
import csv
import hashlib
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# SMALL_PARTS_MAX in src/limits.rs, and one run's more.
KEPT = 65


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("throng", type=Path)
    parser.add_argument("--nights", type=int, default=3650)
    parser.add_argument("--audiences", type=int, default=50)
    parser.add_argument("--new", type=int, default=5, help="people who are new to an audience in a night")
    args = parser.parse_args()
    throng = str(args.throng.resolve())
    with tempfile.TemporaryDirectory(prefix="ten-years-") as scratch:
        os.chdir(scratch)
        live_through(throng, args)


def person(audience, night, number):
    return f"a{audience}.n{night}.p{number}@example.com"


def live_through(throng, args):
    write_job(args.audiences)
    write_export(args, nights=1)
    run("first night", throng, "sync", "job.toml", "--json")
    started = time.monotonic()
    make_up_nights(args)
    print(f"{args.nights - 1} nights made up in {time.monotonic() - started:.0f} s")
    nights = args.nights + 1
    write_export(args, nights)
    run("dry run", throng, "sync", "job.toml", "--json", "--dry-run")
    for what in ("next night", "night after it"):
        record = json.loads(run(what, throng, "sync", "job.toml", "--json"))
        phases = " ".join(f"{phase['name']} {phase['seconds']:.2f}" for phase in record["phases"])
        print(f"    {phases}; peak {record['peak_memory_bytes'] >> 20} MiB")
        new = args.new if what == "next night" else 0
        for audience in record["audiences"]:
            found = (audience["written"], audience["known"], audience["gone"])
            wanted = (new, nights * args.new - new, 0)
            if found != wanted:
                raise SystemExit(f"{what}: {audience['name']} has new, known, gone = {found} instead of {wanted}")
    folders = len(list(Path("state/parts").iterdir()))
    if folders > KEPT:
        raise SystemExit(f"{folders} folders of parts are left, not at most {KEPT}")
    run("history", throng, "history", "--state", "state")


def write_job(audiences):
    job = ['name = "ten years"', 'state = "state"', "[input]", 'files = "export.csv"']
    for number in range(audiences):
        job += ["[[audience]]", f'label = "a{number}"', 'user-type = "email_hash"', f'column = "a{number}"', f'name = "A{number}"']
    job += ["[target]", 'sandbox = "sandbox"', "ad-account = 1", "[guards]", 'max-growth = "100000000%"']
    Path("job.toml").write_text("\n".join(job) + "\n")


def write_export(args, nights):
    with open("export.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(f"a{audience}" for audience in range(args.audiences))
        for night in range(1, nights + 1):
            for number in range(args.new):
                rows.writerow(person(audience, night, number) for audience in range(args.audiences))


def make_up_nights(args):
    store = sqlite3.connect("state/throng.sqlite")
    day = 86_400_000
    (run,) = store.execute("SELECT command, version, started_at, options, record FROM run WHERE id = 1").fetchall()
    generations = store.execute(
        "SELECT label, generation.id FROM generation JOIN audience ON audience.id = audience_id ORDER BY label"
    ).fetchall()
    number_of = lambda label: int(label.removeprefix("a"))
    for night in range(2, args.nights + 1):
        at = run[2] + night * day
        folder = Path(f"state/parts/{night:06}")
        folder.mkdir(mode=0o700)
        store.execute("INSERT INTO run VALUES (?, ?, ?, ?, ?, ?)", (night, *run[:2], at, *run[3:]))
        for label, generation in generations:
            digests = sorted(
                hashlib.sha256(person(number_of(label), night, one).encode()).hexdigest() for one in range(args.new)
            )
            content = "".join(digest + "\n" for digest in digests).encode()
            sha256, entries, size = hashlib.sha256(content).hexdigest(), len(digests), len(content)
            (folder / f"{sha256}.txt").write_bytes(content)
            store.execute("INSERT INTO part VALUES (?, ?, ?, ?)", (sha256, entries, size, night))
            store.execute(
                "INSERT INTO delivery VALUES (?, 'add', ?, 'confirmed', ?, ?, ?, ?, 0, 0, 0)",
                (generation, sha256, night, f"{label}-00001.txt", night, at),
            )
            store.execute(
                "INSERT INTO upload VALUES (?, ?, 'add', ?, 1, ?, ?, ?, ?, 0, NULL)",
                (night, generation, str(folder), entries, size, at, at),
            )
            store.execute(
                "INSERT INTO request (run_id, generation_id, call, sha256, may_hold, began_at, ended_at, outcome)"
                " VALUES (?, ?, 'add', ?, 0, ?, ?, 'confirmed')",
                (night, generation, sha256, at, at),
            )
    store.commit()


def run(what, *command):
    started = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{what}: {time.monotonic() - started:.2f} s, {processor:.2f} s of processor")
    if done.returncode != 0:
        raise SystemExit(f"{what} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    main()
