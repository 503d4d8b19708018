"""Attacks on what throng promises, on the real binary: kills, power cuts, disks that fail, runs that meet, servers, and
other users.

    python3 tests/attacks/run.py target/debug/throng            a spread of all cases, within the time (--seconds)
    python3 tests/attacks/run.py target/debug/throng --full     all of them: some hours on two cores
    python3 tests/attacks/run.py target/debug/throng --only "kills: sync" --case "fsync 3"

Needs strace; what needs root (a tmpfs, another user) is skipped without.
"""

import argparse
import concurrent.futures
import copy
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

# The source folder stays as it is.
sys.dont_write_bytecode = True

import disks
import kills
import leaving_together
import others
import power
import servers
import together
from leaving import LEAVING
from scenes import OUTPUT, SCENES, SPILLING
from stage import Missed, Place, Wrong, must


# Threads come to their n-th call in another order now and then: so often is a case tried that missed.
TRIES = 3

ALL = SCENES + LEAVING
CROWDS = [together.Crowd, leaving_together.Crowd]

# Scenes whose state has little room.
SMALL = ["upload, create", "sync, second night", "upload --remove", "sync, mirror", "forget --job"]

# What part of the cases may miss before the attack itself is wrong.
MISSED_MAX = 0.25


class Attack:
    """Cases against one scene, and how they went. `share` is how much of the time they get."""

    def __init__(self, name, scene, cases, share=1):
        self.name, self.scene, self.cases, self.share = name, copy.deepcopy(scene), cases, share
        self.tries, self.of, self.missed, self.failures = 0, 0, 0, []

    def run(self, throng, until, wanted):
        root = pathlib.Path(tempfile.mkdtemp(prefix="throng-attack-"))
        place = Place(throng, root)
        try:
            self.scene.build(place)
            cases = [case for case in self.cases(place, self.scene) if wanted in case[0]]
            self.of = len(cases)
            must(cases or wanted, "there is nothing that it could attack")
            for name, case in cases:
                if self.tries and time.monotonic() > until:
                    break
                self.tries += 1
                try:
                    self.missed += not any(self.hits(case, place) for _ in range(TRIES))
                except (Wrong, OSError, subprocess.SubprocessError) as wrong:
                    self.fail(name, wrong)
            if self.missed > max(2, self.tries * MISSED_MAX) or 1 < self.tries == self.missed:
                self.fail("all in all", "it does not attack what it is meant to")
        except (Wrong, OSError, subprocess.SubprocessError) as wrong:
            self.fail("before any attack", wrong)
        finally:
            place.stop()
            shutil.rmtree(root, ignore_errors=True)
        missed = f", {self.missed} missed" if self.missed else ""
        print(f"{self.name}: {self.tries} of {self.of} tried{missed}, {len(self.failures)} failed", flush=True)

    def hits(self, case, place):
        try:
            case(place, self.scene)
        except Missed:
            return False
        return True

    def fail(self, case, wrong):
        self.failures.append(case)
        print(f"FAILED {self.name}: {case}: {wrong}", flush=True)


def attacks():
    """All of them, the quick ones first."""
    for scene in ALL:
        yield Attack(f"modes: {scene.name}", scene, others.mode_cases, 0.3)
        yield Attack(f"power cuts: {scene.name}", scene, power.cases, 0.1)
    own = [
        (servers.Servers(), 6),
        (disks.Threadless(), 0.3),
        (disks.Vanishing(OUTPUT, "disk/.out.throng-*", 0.01), 0.5),
        (disks.Vanishing(SPILLING, "tmp", 0.1), 0.5),
        (together.AtRandom(together.Crowd()), 2),
        (together.AtRandom(leaving_together.Crowd(), "runs that meet and take people out"), 2),
    ]
    own += [(together.Interrupted(crowd(), attack), 0.2) for crowd in CROWDS for attack in crowd.attacks]
    if can_mount():
        own += [(disks.Small(OUTPUT, "disk"), 0.5), (disks.Small(SPILLING, "tmp"), 0.5)]
        own += [(disks.Small(scene, "state"), 0.5) for scene in ALL if scene.name in SMALL]
    else:
        print("skipped: a tmpfs cannot be mounted here (needs root)")
    if os.geteuid() == 0 and shutil.which("setpriv"):
        own.append((others.Shared(), 1))
    else:
        print("skipped: other users need root and setpriv")
    for scene, share in own:
        yield Attack(scene.name, scene, lambda place, scene: scene.cases(place), share)
    for scene in ALL:
        yield Attack(f"kills: {scene.name}", scene, kills.cases)
        yield Attack(f"disks: {scene.name}", scene, disks.cases)
        yield Attack(f"random kills: {scene.name}", scene, kills.random_cases, 0.3)


def can_mount():
    with tempfile.TemporaryDirectory() as directory:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", directory], capture_output=True)
        return mounted.returncode == 0 and subprocess.run(["umount", directory]).returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("throng", type=os.path.abspath)
    parser.add_argument("--full", action="store_true", help="every case, however long it takes")
    parser.add_argument("--seconds", type=float, default=200, help="what all attacks may take together")
    parser.add_argument("--only", default="", help="attacks with this in their name")
    parser.add_argument("--case", default="", help="cases with this in their name")
    options = parser.parse_args()
    chosen = [attack for attack in attacks() if options.only in attack.name]
    workers = os.cpu_count() or 1
    end = time.monotonic() + options.seconds
    shares_left = sum(attack.share for attack in chosen)

    def run(attack):
        nonlocal shares_left
        # What others have not used of their time is shared by those that are left.
        share, shares_left = attack.share / shares_left, shares_left - attack.share
        now = time.monotonic()
        until = min(end, now + (end - now) * workers * share)
        if options.full or now < end:
            attack.run(options.throng, float("inf") if options.full else until, options.case)
        else:
            print(f"skipped: {attack.name}: no time left")

    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        list(pool.map(run, chosen))
    failed = sum(len(attack.failures) for attack in chosen)
    missed = sum(attack.missed for attack in chosen)
    tries = sum(attack.tries for attack in chosen)
    print(f"attacks: {tries} tries, {missed} missed, {failed} failed")
    sys.exit(1 if failed or not tries else 0)


if __name__ == "__main__":
    main()
