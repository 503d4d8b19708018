"""Disks that fail: ENOSPC, EIO, EDQUOT and the like at every system call that touches files, once or from there on.

Expected are one line that names the file and says what was being done, the documented exit code, and nothing published.
When the disk is well again, the same command does what it would have done."""

import collections
import contextlib
import glob
import os
import random
import re
import shutil
import subprocess
import time

import kills
from stage import Missed, must

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
    "link": [BROKEN, FULL, "EPERM"],
    "linkat": [BROKEN, FULL, "EPERM"],
    "unlink": [BROKEN, "EACCES"],
    "unlinkat": [BROKEN, "EACCES"],
    "rmdir": [BROKEN],
    "mkdir": [FULL, BROKEN, "EACCES"],
    "flock": ["ENOLCK", "EAGAIN", "ENOSYS"],
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

# The standard library takes a directory that cannot be closed for a defect of its user.
CLOSES_FILE = re.compile(r"\.(txt|csv|json|html|prom|sqlite[-\w]*)>")

REMOVES = {"unlink", "unlinkat", "rmdir", "getdents64", "openat", "statx", "newfstatat"}


def cases(place, scene):
    found = []
    # No disk, but refused by the system as well: threads.
    for n in range(1, min(threads(place, scene), 8) + 1):
        found += [(f"EAGAIN at clone3 {n}{lasting}", fail_at("clone3", n, "EAGAIN", lasting, False)) for lasting in ["", "+"]]
    scene.begin(place)
    traced = kills.traced(place, scene.command())
    for name, n in kills.spread(traced):
        if name == "close" and not CLOSES_FILE.search(traced[name, n]):
            continue
        is_repeated = is_checkpoint(traced[name, n], traced.get((name, n + 1), ""))
        for error in ERRORS.get(name, []):
            for lasting in ["", "+"] if name != "close" else [""]:
                found.append((f"{error} at {name} {n}{lasting}", fail_at(name, n, error, lasting, is_repeated)))
    return found


def threads(place, scene):
    """How many threads a run has that one thread began, at most."""
    scene.begin(place)
    place.run(scene.command(), before=place.strace("clone3"))
    began = collections.Counter(line.split()[0] for line in place.traced() if "clone3(" in line)
    return max(began.values(), default=0)


def is_checkpoint(what, then):
    """Whether SQLite syncs its log once more, to move what it holds into the database: if that fails, it stays there."""
    return "sqlite>" in what or "sqlite-wal>" in what and "sqlite>" in then


def fail_at(name, n, error, lasting, is_repeated):
    def attack(place, scene):
        scene.begin(place)
        inject = f"{name}:error={error}:when={n}{lasting}"
        ended = place.run(scene.command(), before=place.strace(name, inject))
        hits = [line.strip() for line in place.traced() if "(INJECTED)" in line]
        if name == "close" and not all(CLOSES_FILE.search(hit) for hit in hits):
            raise Missed
        judge(ended, name, [] if is_repeated else hits, scene.codes)
        scene.look(place)
        if ended.code != 0 and name not in REMOVES:
            must(not place.hidden(), f"left behind: {place.hidden()}: {ended}")
        # Who says that it is done has done it all, but for what could not be removed.
        if ended.code != 0 or name in REMOVES:
            scene.finish(place)
        scene.check(place)
        if not hits:
            raise Missed

    return attack


def judge(ended, name, hits, scene_codes):
    must(ended.code >= 0, f"it died: {ended}")
    must("panicked" not in ended.stderr and "internal error" not in ended.stderr, f"a defect: {ended}")
    if any("write(2<" in hit for hit in hits):
        # Nobody could be told.
        return
    errors = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    if ended.code == 0:
        must(not errors, f"an error, and code 0: {ended}")
        if name in ("fsync", "fdatasync"):
            # SQLite gives up the change whose journal it cannot sync: a new store keeps a mode that is as durable. And it
            # does not look at what became of a directory's sync; ours follows.
            lost = [hit for hit in hits if "sqlite-journal>" not in hit and "/state>" not in hit and not is_told(hit, ended)]
            must(not lost, f"a sync failed, and the code is 0: {lost}")
        return
    must(ended.code in scene_codes, f"not a code for disks: {ended}")
    # Of threads and of other runs there is no file to name.
    must(len(errors) == 1 and ("`" in errors[0] or ended.code in (2, 6)), f"not one error line with a name: {ended}")
    must("(os error" not in ended.stderr, f"not the house style: {ended}")
    if "failed to lock" in errors[0]:
        must("hint: its file system may have no locks" in ended.stderr, f"no hint: {ended}")


def is_told(hit, ended):
    """Whether it is said: the report and the metrics of a night that was uploaded are named, and parts that
    were to be merged stay as they are for the time being."""
    within = re.search(r"<[^>]*?/case/?([^>]*)>", hit)
    if within and re.match(r"state/(prepared/merged|parts)", within.group(1)):
        return "note: parts of earlier runs could not be merged: failed to sync" in ended.stderr
    name = within and re.sub(r"(^|/)\.([^/]+)\.throng-.*", r"\1\2", within.group(1) or ".")
    return name and f"warning: failed to sync `{name}`" in ended.stderr


class Small:
    """A scene of which one directory lies on a file system with little room beside what is there, until there is more."""

    def __init__(self, scene, directory):
        self.scene, self.directory = scene, directory
        self.name = f"disks: {scene.name}: little room in `{directory}`"

    def build(self, place):
        self.scene.build(place)

    def cases(self, place):
        found = [(f"{kib} KiB are left", self.with_room(kib, 10_000)) for kib in [0, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256]]
        return found + [(f"{files} files are left", self.with_room(65_536, files)) for files in range(12)]

    def with_room(self, kib, files):
        def attack(place, _):
            self.scene.begin(place)
            disk = place.path(self.directory)
            os.makedirs(disk, exist_ok=True)
            subprocess.run(["cp", "-a", str(disk), str(place.root / "kept")], check=True)
            subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", str(disk)], check=True)
            try:
                subprocess.run(["cp", "-a", f"{place.root}/kept/.", str(disk)], check=True)
                there = os.statvfs(disk)
                # None at all would stand for no limit.
                size = max((there.f_blocks - there.f_bfree) * there.f_frsize + kib * 1024, 4096)
                remount(disk, f"size={size},nr_inodes={there.f_files - there.f_ffree + files}")
                ended = place.run(self.scene.command())
                judge(ended, "", [], self.scene.codes)
                self.scene.look(place)
                must(ended.code == 0 or not place.hidden(), f"left behind: {place.hidden()}: {ended}")
                remount(disk, "size=256m,nr_inodes=10000")
                self.scene.finish(place)
                self.scene.check(place)
            finally:
                place.stop()
                subprocess.run(["umount", "-l", str(disk)], check=True)
                shutil.rmtree(place.root / "kept", ignore_errors=True)

        return attack


def remount(disk, options):
    subprocess.run(["mount", "-o", f"remount,{options}", str(disk)], check=True)


class Threadless:
    """An upload of many parts whose requests are refused a thread late, when it has all of its own."""

    name = "disks: upload of many parts without threads"

    def build(self, place):
        place.write("export.txt", "".join(f"person.{number}@example.com\n" for number in range(48)))
        place.ok(["prepare", "export.txt", "-t", "email_hash", "-o", "out", "--part-lines", "2", "-q"])
        place.keep()

    def cases(self, place):
        return [(f"EAGAIN at clone3 {n}, {parallel} at once", self.refused(n, parallel)) for n in range(9, 14) for parallel in (1, 2)]

    def refused(self, n, parallel):
        def attack(place, _):
            place.reset()
            upload = ["upload", "out", "--create", "News", "--sandbox", "--parallel", str(parallel), "-q"]
            ended = place.run(upload, before=place.strace("clone3", f"clone3:error=EAGAIN:when={n}"))
            must(ended.code == 0 and "error" not in ended.stderr, f"a request that got no thread is not made again: {ended}")

        return attack


class Vanishing:
    """A scene during which a directory is taken away, at random times within `seconds` of its being there."""

    def __init__(self, scene, pattern, seconds):
        self.scene, self.pattern, self.seconds = scene, pattern, seconds
        self.name = f"disks: {scene.name}: `{pattern}` vanishes"

    def build(self, place):
        self.scene.build(place)

    def cases(self, place):
        chance = random.Random(5)
        moments = [chance.uniform(0, self.seconds) for _ in range(60)]
        return [(f"after {moment * 1000:.1f} ms", self.after(moment)) for moment in moments]

    def after(self, moment):
        """How long a run lasts is not known: it is taken away sooner until it is there still."""

        def attack(place, _):
            if not any(self.is_taken(place, moment / 2**attempt) for attempt in range(8)):
                raise Missed

        return attack

    def is_taken(self, place, moment):
        self.scene.begin(place)
        process = place.start(self.scene.command())
        found = None
        while not found and process.poll() is None:
            found = next(glob.iglob(str(place.path(self.pattern))), None)
        time.sleep(moment)
        kept = place.root / "kept"
        if found:
            # The run may have put it at its final name in between.
            with contextlib.suppress(FileNotFoundError):
                os.rename(found, kept)
        ended = place.end(process)
        judge(ended, "", [], self.scene.codes)
        is_taken = kept.exists()
        if is_taken and os.path.exists(os.path.dirname(found)) and not os.path.exists(found):
            os.rename(kept, found)
        self.scene.finish(place)
        self.scene.check(place)
        return is_taken
