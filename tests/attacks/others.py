"""Other users of the machine: modes under every umask, links and FIFOs where throng writes, core files, and what
/proc tells."""

import os
import pathlib
import re
import signal
import stat
import subprocess
import time

import kills
from stage import TOKEN, Missed, must

UMASKS = [0o000, 0o022, 0o077, 0o777]

# Who runs throng, and who else is on the machine.
OWNER, OTHER = 65534, 65533

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
        nameless, count = set(), 0
        with open(place.trace, errors="replace") as trace:
            for line in trace:
                # Nobody but its maker has a way to a file without a name, until its mode is set.
                if "O_TMPFILE" in line:
                    made = re.search(r"= \d+<(.*)>", line)
                    if made:
                        nameless.add(made.group(1))
                    continue
                made = re.search(r"(?:O_CREAT|creat\(|mkdir(?:at)?\().*, (0\d+)(?:\)| <unfinished)", line)
                if made and kills.touches(place, line.split("(", 1)[1]) and "EEXIST" not in line:
                    count += 1
                    left = int(made.group(1), 8) & ~umask
                    must(left & 0o077 == 0, f"made so that others can look: {line.strip()}")
                changed = re.search(r"f?chmod(?:at)?\((.*), (0\d+)(?:\)| <unfinished)", line)
                if changed and int(changed.group(2), 8) & 0o077:
                    must("throng.prom" in changed.group(1), f"opened for others: {line.strip()}")
                elif changed:
                    nameless = {path for path in nameless if path not in changed.group(1)}
        must(count, "it does not see what is made")
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


def as_user(user):
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]


class Shared:
    """throng in a directory that everybody can write to, with what another user has put there before."""

    name = "other users"

    def build(self, place):
        # The other users have to get there, and to the program.
        os.chmod(place.root, 0o755)
        program = place.root / "throng"
        subprocess.run(["cp", place.throng, program], check=True)
        place.throng = program
        place.write("precious", "the owner's own\n")
        place.write("export.txt", "".join(f"person.{number}@example.com\n" for number in range(300)))
        os.chmod(place.dir, 0o777)
        for name in "precious", "export.txt":
            os.chown(place.path(name), OWNER, OWNER)
            os.chmod(place.path(name), 0o600)
        place.keep()

    def cases(self, place):
        traps = ["ln -s precious NAME", "ln -s nothing NAME", "mkfifo NAME", "mkdir NAME", "ln -s . NAME", "touch NAME"]
        names = ["out", "rejects.csv", ".out.throng-1-0", ".rejects.csv.throng-1"]
        found = [(f"{trap} as {name}", self.trap(trap.replace("NAME", name), sticky)) for trap in traps for name in names for sticky in (0, 0o1000)]
        return found + [("another directory as a left-over", self.renamed), ("a panic", self.panic), ("a core file", self.core), ("what /proc tells", self.told), ("names of spill files", self.nameless)]

    def trap(self, trap, sticky):
        def attack(place, _):
            place.reset()
            os.chmod(place.dir, 0o777 | sticky)
            subprocess.run([*as_user(OTHER), "sh", "-c", trap], cwd=place.dir, check=True)
            before = place.path("precious").stat()
            command = ["prepare", "export.txt", "-t", "email_hash", "-o", "out", "--rejects", "rejects.csv", "--overwrite"]
            ended = place.run(command, before=as_user(OWNER))
            must(ended.code in (0, 2, 3, 4), f"neither done nor refused: {ended}")
            after = place.path("precious").stat()
            must(place.path("precious").read_text() == "the owner's own\n" and (before.st_mode, before.st_ino) == (after.st_mode, after.st_ino), "it got at another file")
            if ended.code == 0:
                for path in [place.path("out"), *place.path("out").iterdir(), place.path("rejects.csv")]:
                    found = path.lstat()
                    must(found.st_uid == OWNER and found.st_mode & 0o077 == 0, f"{path} is not its owner's alone")
            left = [name for name in place.hidden() if place.path(name).lstat().st_uid == OWNER]
            must(not left, f"left behind: {left}")

        return attack

    def waiting(self, place):
        """A run that has begun, and waits for more input."""
        before = ["sh", "-c", 'ulimit -c unlimited; exec "$0" "$@"', *as_user(OWNER)]
        process = place.start(["hash", "-t", "email_hash"], before=before, stdin=subprocess.PIPE)
        process.stdin.write("canary@example.com\n")
        process.stdin.flush()
        process.stdout.readline()
        return process

    def core(self, place, _):
        place.reset()
        for number in signal.SIGABRT, signal.SIGSEGV, signal.SIGQUIT:
            process = self.waiting(place)
            os.kill(process.pid, number)
            process.stdin.close()
            status = os.waitpid(process.pid, 0)[1]
            process.returncode = 0
            must(not os.WCOREDUMP(status), f"a core file after signal {number}")
        # Others leave one here.
        status = os.waitpid(subprocess.Popen(["sh", "-c", "ulimit -c unlimited; kill -ABRT $$"], cwd=place.dir).pid, 0)[1]
        if not os.WCOREDUMP(status):
            raise Missed

    def renamed(self, place, _):
        """Others cannot remove the owner's directory; nor can they have throng do it."""
        place.reset()
        os.chmod(place.dir, 0o777)
        place.write("letters/january.txt", "the owner's own\n")
        place.write("killed/email_hash-00001.txt", "x\n")
        for name in "letters", "letters/january.txt", "killed", "killed/email_hash-00001.txt":
            os.chown(place.path(name), OWNER, OWNER)
        for name in "letters", "killed":
            os.chmod(place.path(name), 0o700)
            subprocess.run([*as_user(OTHER), "mv", name, f".out.throng-1-{name}"], cwd=place.dir, check=True)
        ended = place.run(["prepare", "export.txt", "-t", "email_hash", "-o", "out"], before=as_user(OWNER))
        must(ended.code == 0, f"not done: {ended}")
        must(place.path(".out.throng-1-letters/january.txt").exists(), "it removed the owner's directory")
        must(not place.path(".out.throng-1-killed").exists(), "what is left over of a killed run stays")

    def panic(self, place, _):
        """A defect, here of the system: more was read than there is room for. No value is told, whatever is asked for."""
        place.reset()
        place.write("in.txt", "canary@example.com\n" * 100)
        inject = ["strace", "-f", "-qqq", "-o", str(place.trace), "-P", str(place.path("in.txt")), "-e", "inject=read:retval=99999999:when=1"]
        for log in "text", "json":
            with open(place.path("in.txt")) as values:
                ended = place.run(["hash", "-t", "email_hash", "--log", log], before=inject, stdin=values)
            must(ended.code == 1 and "internal error: a check failed at src/" in ended.stderr, f"no panic: {ended}")
            # The text of the panic has the number of bytes.
            told = [word for word in ("canary", "backtrace", "99999999") if word in ended.stdout + ended.stderr]
            must(not told, f"it tells: {ended}")

    def told(self, place, _):
        """Not even the owner's other processes get at the token or at values."""
        place.reset()
        process = self.waiting(place)
        try:
            must(TOKEN.encode() not in pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes(), "the token is an argument")
            must(TOKEN.encode() in pathlib.Path(f"/proc/{process.pid}/environ").read_bytes(), "the attack looks in the wrong place")
            for user in OWNER, OTHER:
                for file in "environ", "mem", "maps", "fd/0":
                    read = subprocess.run([*as_user(user), "head", "-c1", f"/proc/{process.pid}/{file}"], capture_output=True)
                    must(b"ermission denied" in read.stderr, f"user {user} reads {file}")
        finally:
            process.kill()
            process.communicate()

    def nameless(self, place, _):
        """Spill files have no name at any moment."""
        place.reset()
        os.mkdir(place.path("tmp"))
        ids = "".join(f"customer-{number}-".ljust(255, "x") + "\n" for number in range(90_000))
        place.write("ids.txt", ids)
        command = ["prepare", "ids.txt", "-t", "custom_audience_third_party_id", "--memory", "32M", "--tmp-dir", "tmp", "-o", "spilled", "-q", "--json"]
        process = place.start(command)
        seen, held = set(), False
        while process.poll() is None:
            seen.update(os.listdir(place.path("tmp")))
            held = held or any(str(place.path("tmp")) in link for link in links(process.pid))
            time.sleep(0.001)
        ended = place.end(process)
        must(ended.code == 0 and held and not seen, f"names of spill files: {seen}, {ended}")


def links(pid):
    """What a process has open."""
    found = []
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            found.append(os.readlink(f"/proc/{pid}/fd/{name}"))
    except OSError:
        pass
    return found
