"""Other users of the machine: modes under every umask, links and FIFOs where throng writes, core files, and what
/proc tells."""

import ctypes
import os
import re
import signal
import stat
import subprocess
import time

import kills
from stage import TOKEN, must, wait_until

UMASKS = [0o000, 0o022, 0o077, 0o777]
NOBODY = 65534

# What is to be read by others: the metrics file.
OPEN_TO_ALL = {"throng.prom": 0o644}


def mode_cases(place, scene):
    return [(f"umask {umask:03o}", modes(umask)) for umask in UMASKS]


def modes(umask):
    """Everything that is made, also what is gone at the end, is for its owner alone from the moment it is there."""

    def attack(place, scene):
        scene.begin(place)
        before = {os.path.join(top, name) for top, dirs, files in os.walk(place.dir) for name in dirs + files}
        ended = place.run(scene.command(), before=place.strace("openat,creat,mkdir,mkdirat,chmod,fchmod,fchmodat"), umask=umask)
        must(ended.code == 0, f"not done: {ended}")
        nameless = set()
        with open(place.trace, errors="replace") as trace:
            for line in trace:
                # Nobody but its maker has a way to a file without a name, until its mode is set.
                if "O_TMPFILE" in line:
                    nameless.add(re.search(r"= \d+<(.*)>", line).group(1))
                    continue
                made = re.search(r'(?:O_CREAT|O_TMPFILE|creat\(|mkdir(?:at)?\().*, (0\d+)\)', line)
                if made and kills.touches(place, line.split("(", 1)[1]) and "EEXIST" not in line:
                    left = int(made.group(1), 8) & ~umask
                    must(left & 0o077 == 0, f"made so that others can look: {line.strip()}")
                changed = re.search(r"f?chmod(?:at)?\((.*), (0\d+)\)", line)
                if changed and int(changed.group(2), 8) & 0o077:
                    must("throng.prom" in changed.group(1), f"opened for others: {line.strip()}")
                elif changed:
                    nameless = {path for path in nameless if path not in changed.group(1)}
        must(not nameless, f"open for others: {nameless}")
        for top, dirs, files in os.walk(place.dir):
            for name in dirs + files:
                path = os.path.join(top, name)
                if path in before or os.path.relpath(path, place.dir).startswith("api"):
                    continue
                found = stat.S_IMODE(os.lstat(path).st_mode)
                wanted = OPEN_TO_ALL.get(name, 0o700 if os.path.isdir(path) else 0o600)
                must(found == wanted, f"{path} has mode {found:o}")

    return attack
