#!/usr/bin/env python3
"""A job with fifty audiences after ten years of nights: how long the next night, its history and its dry run take.

    tests/at_size/ten_years.py target/release/throng [--nights 3650] [--audiences 50]

The first night is real. The ones after it are written as throng would have written them, with people made up, and
then two more are real. What they uploaded, and whom they took for known, is compared with what was made up.
"""

import argparse
import copy
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

# HOLDINGS_MAX in src/config/bounds.rs.
KEPT = 64


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
            found = (audience["new"], audience["known"], audience["gone"])
            wanted = (new, nights * args.new - new, 0)
            if found != wanted:
                raise SystemExit(f"{what}: {audience['name']} has new, known, gone = {found} instead of {wanted}")
    directories = len(list(Path("state/runs").iterdir()))
    if directories > KEPT:
        raise SystemExit(f"{directories} directories of runs are left, not at most {KEPT}")
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
    runs = Path("state/runs")
    first = runs / "000001"
    manifest = json.loads((first / "manifest.json").read_text())
    state = sqlite3.connect("state/sync.sqlite")
    ledger = sqlite3.connect("state/ledger.sqlite")
    ((record,),) = state.execute("SELECT record FROM run WHERE id = 1")
    day = 86_400_000
    uploads = state.execute("SELECT label, target_id FROM upload WHERE run_id = 1").fetchall()
    targets = dict(uploads)
    ledger_runs = {row[1]: row for row in ledger.execute("SELECT * FROM run")}
    next_run = 1 + max(row[0] for row in ledger_runs.values())
    next_attempt = 1 + ledger.execute("SELECT max(id) FROM attempt").fetchone()[0]
    for night in range(2, args.nights + 1):
        directory = runs / f"{night:06}"
        directory.mkdir(mode=0o700)
        made = copy.deepcopy(manifest)
        for number, audience in enumerate(made["audiences"]):
            digests = sorted(
                hashlib.sha256(person(number, night, one).encode()).hexdigest() for one in range(args.new)
            )
            content = "".join(digest + "\n" for digest in digests).encode()
            (part,) = audience["parts"]
            (directory / part["file"]).write_bytes(content)
            part["lines"], part["bytes"] = len(digests), len(content)
            part["sha256"] = hashlib.sha256(content).hexdigest()
            target = targets[audience["label"]]
            run = list(ledger_runs[target])
            run[0], run[2], run[8], run[9] = next_run, str(directory), run[8] + night * day, run[9] + night * day
            ledger.execute(f"INSERT INTO run VALUES ({','.join('?' * len(run))})", run)
            ledger.execute(
                "INSERT INTO part VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (target, part["sha256"], part["file"], len(digests), len(content), next_run, next_run, run[9]),
            )
            ledger.execute(
                "INSERT INTO attempt VALUES (?, ?, 'add', ?, ?, ?, 'acknowledged', NULL)",
                (next_attempt, next_run, part["sha256"], run[8], run[9]),
            )
            next_run += 1
            next_attempt += 1
        (directory / "manifest.json").write_text(json.dumps(made))
        state.execute("INSERT INTO run VALUES (?, 'settled', ?, ?)", (night, night * day, record))
        state.executemany("INSERT INTO upload VALUES (?, ?, ?)", [(night, *upload) for upload in uploads])
    state.commit()
    ledger.commit()


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
