"""Disks that fail: ENOSPC, EIO, EDQUOT and the like at every system call that touches files, once or from there on.

Expected are one line that names the file and says what was being done, the documented exit code, and nothing published.
When the disk is well again, the same command does what it would have done."""

import re

import kills
from stage import Wrong, must

FULL, BROKEN, QUOTA = "ENOSPC", "EIO", "EDQUOT"

# What each call can fail with.
ERRORS = {
    "write": [FULL, BROKEN, QUOTA],
    "pwrite64": [FULL, BROKEN, QUOTA],
    "writev": [FULL, BROKEN],
    "ftruncate": [BROKEN, FULL],
    "fallocate": [FULL, "EOPNOTSUPP", BROKEN],
    "fsync": [BROKEN, FULL, QUOTA],
    "fdatasync": [BROKEN, FULL, QUOTA],
    "sync_file_range": [BROKEN],
    "openat": [FULL, BROKEN, "EACCES", "EMFILE"],
    "rename": [BROKEN, FULL, "EACCES"],
    "renameat": [BROKEN, FULL],
    "renameat2": [BROKEN, FULL, "EINVAL"],
    "link": [BROKEN, FULL, "EMLINK"],
    "linkat": [BROKEN, FULL, "EMLINK"],
    "unlink": [BROKEN, "EACCES"],
    "unlinkat": [BROKEN, "EACCES"],
    "rmdir": [BROKEN],
    "mkdir": [FULL, BROKEN, "EACCES"],
    "flock": ["ENOLCK", "EAGAIN"],
    "fchmod": [BROKEN, "EPERM"],
    "chmod": [BROKEN, "EPERM"],
    "mmap": ["ENOMEM", "ENODEV"],
    "read": [BROKEN],
    "pread64": [BROKEN],
    "getdents64": [BROKEN],
    "statx": [BROKEN],
    "newfstatat": [BROKEN],
    "fstat": [BROKEN],
    "close": [BROKEN],
}

REMOVES = {"unlink", "unlinkat", "rmdir", "getdents64", "openat", "statx", "newfstatat"}


def cases(place, scene):
    found = []
    traced = kills.traced(place, scene)
    for name, n in kills.spread(traced):
        # The standard library takes a directory that cannot be closed for a defect of its user.
        if name == "close" and not re.search(r"\.(txt|csv|json|html|prom|sqlite[-\w]*)>", traced[name, n]):
            continue
        is_repeated = is_checkpoint(traced[name, n], traced.get((name, n + 1), ""))
        for error in ERRORS.get(name, []):
            for lasting in ["", "+"] if name != "close" else [""]:
                found.append((f"{error} at {name} {n}{lasting}", fail_at(name, n, error, lasting, is_repeated)))
    return found


def is_checkpoint(what, then):
    """Whether SQLite syncs its log once more, to move what it holds into the database: if that fails, it stays there."""
    return "sqlite>" in what or "sqlite-wal>" in what and "sqlite>" in then


def fail_at(name, n, error, lasting, is_repeated):
    def attack(place, scene):
        scene.begin(place)
        inject = f"{name}:error={error}:when={n}{lasting}"
        ended = place.run(scene.command(), before=place.strace(name, inject))
        hits = [line.strip() for line in open(place.trace, errors="replace") if "(INJECTED)" in line]
        judge(ended, name, [] if is_repeated else hits)
        scene.look(place)
        if ended.code != 0 and name not in REMOVES:
            must(not place.hidden(), f"left behind: {place.hidden()}: {ended}")
        scene.finish(place)
        scene.check(place)

    return attack


def judge(ended, name, hits):
    must(ended.code >= 0, f"it died: {ended}")
    must("panicked" not in ended.stderr and "internal error" not in ended.stderr, f"a defect: {ended}")
    if any("write(2<" in hit for hit in hits):
        # Nobody could be told.
        return
    errors = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    if ended.code == 0:
        must(not errors, f"an error, and code 0: {ended}")
        if name in ("fsync", "fdatasync"):
            # SQLite gives up the change whose journal it cannot sync: a new ledger keeps a mode that is as durable.
            lost = [hit for hit in hits if "sqlite-journal>" not in hit]
            must(not lost, f"a sync failed, and the code is 0: {lost}")
        return
    must(len(errors) == 1, f"not one error line: {ended}")
    must("(os error" not in ended.stderr, f"not the house style: {ended}")
