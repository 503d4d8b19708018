"""What a power cut could take: no run can be cut off from its disk here, but its calls show what it would lose.

Whatever gets its name was synced before, and so was the store before a request begins; at the end of a run nothing is
left that only the memory of the machine has."""

import os
import re

from stage import must

CALLS = (
    "openat,write,writev,pwrite64,pwritev,ftruncate,fallocate,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,"
    "unlinkat,mkdir,mkdirat,connect"
)
WRITES = {"write", "writev", "pwrite64", "pwritev", "ftruncate", "fallocate"}
NAMES = {"rename", "renameat", "renameat2", "link", "linkat"}


def cases(place, scene):
    return [("at any moment", at_any_moment)]


def at_any_moment(place, scene):
    scene.begin(place)
    command = scene.command()
    # One request after the other: when one begins, the store is written of no other.
    is_alone = command[0] == "upload"
    ended = place.run([*command, *(["--parallel", "1"] if is_alone else [])], before=place.strace(CALLS))
    must(ended.code == 0, f"not done: {ended}")
    memory = Memory(place, is_alone)
    for name, what in calls(place.traced()):
        memory.see(name, what)
    must(memory.requests if is_alone else memory.named, "it does not see what it is to look at")
    lost = [path for path in memory.unwritten | (memory.unlisted & memory.named) if not is_made_anew(path)]
    must(not lost, f"never synced: {sorted(lost)}")


def is_made_anew(path):
    """The index of a database, files without a name, and the lists of a state, which every night puts there again."""
    return bool(re.search(r"(-shm|/#\d+|/state/lists)$", path))


def calls(lines):
    """Calls that succeeded and requests that began, in order; what another thread interrupts is put together."""
    begun = {}
    for line in lines:
        thread, _, what = line.partition(" ")
        resumed = re.match(r" *<\.\.\. \w+ resumed>(.*)", what)
        what = begun.pop(thread, "") + resumed[1] if resumed else what.strip()
        if what.endswith(" <unfinished ...>"):
            begun[thread] = what.removesuffix(" <unfinished ...>")
        call = re.match(r"(\w+)\((.*)", what)
        if call and (call[1] == "connect" and not resumed or re.search(r"\) += \d", what)):
            yield call[1], call[2]


class Memory:
    """What the disk may not have yet: bytes of files, and entries of directories."""

    def __init__(self, place, is_alone):
        self.top, self.is_alone = str(place.dir), is_alone
        self.unwritten, self.unlisted, self.named, self.requests = set(), set(), set(), 0

    def see(self, name, what):
        file = re.match(r"\d+<(/[^>]*)>", what)
        paths = [
            os.path.normpath(os.path.join(base or self.top, path))
            for base, path in re.findall(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"([^"]*)"', what)
        ]
        if name in WRITES and file and file[1].startswith(self.top):
            self.unwritten.add(file[1])
        elif name in ("fsync", "fdatasync"):
            self.unwritten.discard(file[1])
            self.unlisted.discard(file[1])
        elif name in ("mkdir", "mkdirat") or "O_CREAT" in what:
            self.unlisted.add(os.path.dirname(paths[0]))
        elif name in ("unlink", "unlinkat"):
            self.unwritten -= self.below(self.unwritten, paths[0])
            self.unlisted -= self.below(self.unlisted, paths[0])
        elif name in NAMES:
            self.give_name(*paths)
        elif name == "connect" and "AF_INET" in what:
            self.requests += 1
            store = [path for path in self.unwritten if "/throng.sqlite" in path and not is_made_anew(path)]
            must(not self.is_alone or not store, f"a request begins before {store} is synced")

    def give_name(self, path, to):
        lost = self.below(self.unwritten, path) | self.below(self.unlisted, path)
        must(not lost, f"{to} gets its name before {sorted(lost)} is synced")
        folder = os.path.dirname(to)
        self.named.add(folder)
        self.unlisted.add(folder)

    def below(self, paths, path):
        return {one for one in paths if one == path or one.startswith(path + "/")}
