"""Kill everywhere: SIGKILL at every system call that touches files, by name and count, and at random times.

A run is traced once. Then it is killed at the n-th call of each name (strace counts them for each thread; whichever comes
there first), what it left is looked at, and it is run again until it is done, which must give what a run gives that
nobody disturbed."""

import collections
import random
import re
import signal
import time

from stage import Missed, must

FILE_CALLS = (
    "openat,open,creat,read,readv,pread64,preadv,write,writev,pwrite64,pwritev,ftruncate,fallocate,fsync,fdatasync,"
    "sync_file_range,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,fcntl,flock,chmod,fchmod,"
    "fchmodat,mmap,msync,statx,newfstatat,fstat,getdents64,close"
).split(",")

# Where a request begins and ends.
NETWORK_CALLS = "connect,sendto,recvfrom".split(",")

# Calls that change nothing: a kill there is one at the call before.
HARMLESS = {"read", "readv", "pread64", "preadv", "statx", "newfstatat", "fstat", "getdents64", "close", "mmap"}

# How often a scene is killed at random times.
RANDOM_KILLS = 40


def traced(place, command):
    """The calls that touch the place, as strace counts them: by name, and by how many of that name the thread has made.
    Where another thread comes first with the same count, as the one that loads libraries does, an attack would meet that."""
    ended = place.run(command, before=place.strace(",".join(FILE_CALLS + NETWORK_CALLS)))
    must(ended.code == 0, f"it is not done even if nobody attacks it: {ended}")
    counts, seen = collections.Counter(), {}
    for line in place.traced():
        call = re.match(r"(\d+) +(\w+)\((.*)", line)
        if not call:
            continue
        thread, name, what = call.groups()
        counts[thread, name] += 1
        seen.setdefault((name, counts[thread, name]), what)
    return {point: what for point, what in seen.items() if point[0] in NETWORK_CALLS or touches(place, what)}


def touches(place, what):
    """Whether a call is about a file of the place: a descriptor that strace names, or a path."""
    if str(place.dir) in what.replace(f"AT_FDCWD<{place.dir}>", ""):
        return True
    return bool(re.match(r'(AT_FDCWD<[^>]*>, )?"[^"/]', what))


def spread(points):
    """Orders points so that any beginning of the list has something of every call and of every stage of a run."""
    calls = collections.defaultdict(list)
    for name, n in points:
        calls[name].append(n)
    ranked = []
    for name, ns in calls.items():
        ranked += [(van_der_corput(rank), name, n) for rank, n in enumerate(sorted(ns))]
    return [(name, n) for _, name, n in sorted(ranked)]


def van_der_corput(rank):
    value, base = 0.0, 0.5
    while rank:
        value += base * (rank & 1)
        rank, base = rank >> 1, base / 2
    return value


def cases(place, scene):
    scene.begin(place)
    points = [point for point in traced(place, scene.command()) if point[0] not in HARMLESS]
    return [(f"kill at {name} {n}", kill_at(name, n)) for name, n in spread(points)]


def kill_at(name, n):
    def attack(place, scene):
        scene.begin(place)
        ended = place.run(scene.command(), before=place.strace(name, f"{name}:signal=KILL:when={n}"))
        after(place, scene)
        if ended.code != -signal.SIGKILL:
            raise Missed

    return attack


def random_cases(place, scene):
    """Kills at random times of a run."""
    scene.begin(place)
    started = time.monotonic()
    place.run(scene.command())
    took = [time.monotonic() - started]
    chance = random.Random(7)
    shares = [chance.random() for _ in range(RANDOM_KILLS)]
    return [(f"kill after {share:.0%} of its time", kill_after(share, took)) for share in shares]


def kill_after(share, took):
    def attack(place, scene):
        scene.begin(place)
        moment = share * took[0]
        process = place.start(scene.command())
        time.sleep(moment)
        process.kill()
        ended = place.end(process)
        after(place, scene)
        if ended.code != -signal.SIGKILL:
            # The machine was busier when it was timed.
            took[0] = moment
            raise Missed

    return attack


def after(place, scene):
    # A request may be under way still; what is asked next comes after it.
    scene.look(place)
    scene.finish(place)
    scene.check(place)
