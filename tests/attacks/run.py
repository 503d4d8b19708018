"""Attacks on what throng promises, on the real binary: kills, disks that fail, runs that meet, and other users.

    python3 tests/attacks/run.py target/debug/throng            a spread of all cases, within the time (--seconds)
    python3 tests/attacks/run.py target/debug/throng --full     all of them
    python3 tests/attacks/run.py target/debug/throng --only "kills: sync" --case "fsync 3"

Needs strace; what needs root (a tmpfs, another user) is skipped without.
"""

import argparse
import concurrent.futures
import copy
import os
import pathlib
import shutil
import sys
import tempfile
import time

import disks
import kills
import others
import together
from scenes import SCENES
from stage import Place, Wrong


class Attack:
    """Cases against one scene, and how they went."""

    def __init__(self, name, scene, cases, share):
        self.name, self.scene, self.cases, self.share = name, copy.copy(scene), cases, share
        self.tries, self.of, self.failures = 0, 0, []


def run(attack, options, deadline_of):
    root = pathlib.Path(tempfile.mkdtemp(prefix="throng-attack-"))
    place = Place(options.throng, root)
    try:
        attack.scene.build(place)
        cases = [case for case in attack.cases(place, attack.scene) if options.case in case[0]]
        attack.of = len(cases)
        until = deadline_of(attack)
        for name, case in cases:
            if time.monotonic() > until:
                break
            attack.tries += 1
            try:
                case(place, attack.scene)
            except Wrong as wrong:
                attack.failures.append(f"{attack.name}: {name}: {wrong}")
                print("FAILED", attack.failures[-1], flush=True)
    except Wrong as wrong:
        attack.failures.append(f"{attack.name}: before any attack: {wrong}")
    finally:
        place.stop()
        shutil.rmtree(root, ignore_errors=True)
    print(f"{attack.name}: {attack.tries} of {attack.of} tried, {len(attack.failures)} failed", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("throng", type=os.path.abspath)
    parser.add_argument("--full", action="store_true", help="every case, however long it takes")
    parser.add_argument("--seconds", type=float, default=230, help="what all attacks may take together")
    parser.add_argument("--only", default="", help="attacks with this in their name")
    parser.add_argument("--case", default="", help="cases with this in their name")
    options = parser.parse_args()
    if not shutil.which("strace"):
        sys.exit("strace is not installed")
    attacks = [Attack(f"kills: {scene.name}", scene, kills.cases, 1) for scene in SCENES]
    attacks += [Attack(f"random kills: {scene.name}", scene, kills.random_cases, 0.3) for scene in SCENES]
    attacks += [Attack(f"disks: {scene.name}", scene, disks.cases, 1) for scene in SCENES]
    crowd = together.Crowd()
    attacks.append(Attack(crowd.name, crowd, crowd.cases, 3))
    attacks += [Attack(f"modes: {scene.name}", scene, others.mode_cases, 0.3) for scene in SCENES]
    attacks = [attack for attack in attacks if options.only in attack.name]
    workers = os.cpu_count() or 1
    shares = sum(attack.share for attack in attacks)
    seconds = options.seconds * workers

    def deadline_of(attack):
        return float("inf") if options.full else time.monotonic() + seconds * attack.share / shares

    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda attack: run(attack, options, deadline_of), attacks))
    failures = [failure for attack in attacks for failure in attack.failures]
    print(f"attacks: {sum(attack.tries for attack in attacks)} tries, {len(failures)} failed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
