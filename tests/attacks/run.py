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
import datetime
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
CROWDS = [together.Crowd(), leaving_together.Crowd()]

# Scenes whose state has little room.
SMALL = ["upload, create", "sync, second night", "upload --remove", "sync, mirror", "forget --job"]

# What part of the cases may miss before the attack itself is wrong.
MISSED_MAX = 0.25


class Attack:
    """Cases against a scene, and how they went. `share` is how much of the time they get."""

    def __init__(self, name, cases, share=1.0):
        self.name, self.cases, self.share = name, cases, share
        self.tries, self.of, self.missed, self.failures = 0, 0, 0, []

    def run(self, place, scene, until, wanted):
        try:
            cases = [case for case in self.cases(place, scene) if wanted in case[0]]
            self.of = len(cases)
            must(cases or wanted, "there is nothing that it could attack")
            for name, case in cases:
                if self.tries and time.monotonic() > until:
                    break
                self.tries += 1
                try:
                    self.missed += not any(self.hits(case, place, scene) for _ in range(TRIES))
                except (Wrong, OSError, subprocess.SubprocessError) as wrong:
                    self.fail(name, wrong)
            if self.missed > max(2, self.tries * MISSED_MAX) or 1 < self.tries == self.missed:
                self.fail("all in all", "it does not attack what it is meant to")
        except (Wrong, OSError, subprocess.SubprocessError) as wrong:
            self.fail("before any attack", wrong)
        finally:
            place.stop()
        missed = f", {self.missed} missed" if self.missed else ""
        print(f"{self.name}: {self.tries} of {self.of} tried{missed}, {len(self.failures)} failed", flush=True)

    def hits(self, case, place, scene):
        try:
            case(place, scene)
        except Missed:
            return False
        return True

    def fail(self, case, wrong):
        self.failures.append(case)
        print(f"FAILED {self.name}: {case}: {wrong}", flush=True)


class Target:
    """A scene, which is built once, and the attacks on it, one after the other."""

    def __init__(self, scene, attacks):
        self.scene, self.attacks = copy.deepcopy(scene), attacks

    def run(self, throng, is_time_left, until, wanted):
        root = pathlib.Path(tempfile.mkdtemp(prefix="throng-attack-"))
        place = Place(throng, root)
        try:
            self.scene.build(place)
            for attack in self.attacks:
                if is_time_left():
                    attack.run(place, self.scene, until(attack), wanted)
                else:
                    print(f"skipped: {attack.name}: no time left")
        except (Wrong, OSError, subprocess.SubprocessError) as wrong:
            self.attacks[0].fail("before any attack", wrong)
        finally:
            place.stop()
            shutil.rmtree(root, ignore_errors=True)


def targets():
    """All of them. Where there is no time for all, each day leaves out others of the scenes."""
    rest = [*map(meeting, CROWDS), *map(alone, ALL)]
    day = datetime.date.today().toordinal() % len(rest)
    return own() + rest[day:] + rest[:day]


def meeting(crowd):
    attacks = [Attack(crowd.name, together.at_random, 2)]
    attacks += [Attack(f"runs that are interrupted: {name}", together.interrupted(name), 0.2) for name in crowd.attacks]
    return Target(crowd, attacks)


def alone(scene):
    attacks = [
        Attack(f"modes: {scene.name}", others.mode_cases, 0.3),
        Attack(f"power cuts: {scene.name}", power.cases, 0.1),
        Attack(f"kills: {scene.name}", kills.cases),
        Attack(f"disks: {scene.name}", disks.cases),
        Attack(f"random kills: {scene.name}", kills.random_cases, 0.3),
    ]
    return Target(scene, attacks)


def own():
    """Those that have attacks of their own."""
    scenes = [
        (servers.Servers(), 6),
        (disks.Threadless(), 0.3),
        (disks.Vanishing(OUTPUT, "disk/.out.throng-*", 0.01), 0.5),
        (disks.Vanishing(SPILLING, "tmp", 0.1), 0.5),
    ]
    if can_mount():
        scenes += [(disks.Small(OUTPUT, "disk"), 0.5), (disks.Small(SPILLING, "tmp"), 0.5)]
        scenes += [(disks.Small(scene, "state"), 0.5) for scene in ALL if scene.name in SMALL]
    else:
        print("skipped: a tmpfs cannot be mounted here (needs root)")
    if os.geteuid() == 0 and shutil.which("setpriv"):
        scenes.append((others.Shared(), 1))
    else:
        print("skipped: other users need root and setpriv")
    return [Target(scene, [Attack(scene.name, lambda place, scene: scene.cases(place), share)]) for scene, share in scenes]


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
    chosen = []
    for target in targets():
        target.attacks = [attack for attack in target.attacks if options.only in attack.name]
        chosen += [target] if target.attacks else []
    workers = os.cpu_count() or 1
    end = time.monotonic() + options.seconds
    shares_left = sum(attack.share for target in chosen for attack in target.attacks)

    def until(attack):
        nonlocal shares_left
        if options.full:
            return float("inf")
        # What others have not used of their time is shared by those that are left.
        share, shares_left = attack.share / shares_left, shares_left - attack.share
        now = time.monotonic()
        return min(end, now + max(end - now, 0) * workers * share)

    def is_time_left():
        return options.full or time.monotonic() < end

    def run(target):
        if is_time_left():
            target.run(options.throng, is_time_left, until, options.case)
        else:
            print(f"skipped: {target.attacks[0].name} and the like: no time left")

    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        list(pool.map(run, chosen))
    attacks = [attack for target in chosen for attack in target.attacks]
    failed = sum(len(attack.failures) for attack in attacks)
    missed = sum(attack.missed for attack in attacks)
    tries = sum(attack.tries for attack in attacks)
    print(f"attacks: {tries} tries, {missed} missed, {failed} failed")
    sys.exit(1 if failed or not tries else 0)


if __name__ == "__main__":
    main()
