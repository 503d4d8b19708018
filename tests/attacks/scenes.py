"""What is attacked: commands, what is there before them, and what must be there in the end. The oracle is the few lines
of Python that say who belongs into the result; bytes are compared with those of a run that nobody disturbed."""

import csv
import hashlib
import json
import os
import sqlite3

from stage import Wrong, digest, entries_of, files_of, must


def email(person):
    return f"person.{person}@example.com"


def digests(people):
    return {digest(email(person)) for person in people}


class Prepare:
    """`throng prepare`."""

    # How it may end if the system refuses something.
    codes = {2, 3, 4}

    def __init__(self, name, *flags, has_earlier=False, has_rejects=False, spills=False, out="out"):
        self.name, self.flags, self.out = name, list(flags), out
        self.has_earlier, self.has_rejects, self.spills = has_earlier, has_rejects, spills
        self.earlier = self.expected = self.earlier_rejects = self.expected_rejects = None

    def build(self, place):
        if self.spills:
            # 255 bytes each: what does not fit into the least memory that throng takes.
            people = [f"customer-{number}-".ljust(255, "x") for number in range(90_000)]
            members = set(people)
            place.write("export.txt", "\n".join(people) + "\n")
            os.mkdir(place.path("tmp"))
        else:
            # Dirt, and people who are there twice.
            rows = "".join(f" {email(number % 330).upper()},x\n" for number in range(400)) + "nobody,x\n,x\n"
            place.write("export.txt", "email,name\n" + rows)
            place.write("opt_outs.txt", "".join(email(person) + "\n" for person in range(10, 20)))
            members = digests(set(range(330)) - set(range(10, 20)))
        if self.has_earlier:
            place.write("earlier.txt", "".join(f"old.{number}@example.com\n" for number in range(250)))
            place.ok(["prepare", "earlier.txt", "-t", "email_hash", "-o", self.out, "--part-lines", "40", "-q"])
        if self.has_rejects:
            place.write("rejects.csv", "an earlier list\n")
        place.keep()
        place.reset()
        self.earlier, self.earlier_rejects = self.found(place)
        ended = place.ok(self.command() + ["--json"])
        self.expected, self.expected_rejects = self.found(place)
        found = entries_of(place.path(self.out))
        must(len(found) == len(set(found)) and set(found) == members, "the undisturbed run is wrong")
        if self.spills:
            must(json.loads(ended.stdout)["spilled_bytes"] > 0, "it does not spill")
        if self.has_rejects:
            with open(place.path("rejects.csv"), newline="") as file:
                must(len(list(csv.reader(file))) == 2, "the undisturbed reject list is wrong")

    def begin(self, place):
        place.reset()

    def command(self):
        what = ["-t", "custom_audience_third_party_id", "--memory", "32M", "--tmp-dir", "tmp"]
        if not self.spills:
            what = ["-t", "email_hash", "-c", "email", "--suppress", "opt_outs.txt", "--part-lines", "100"]
        return ["prepare", "export.txt", *what, "-o", self.out, "--threads", "2", *self.flags]

    def found(self, place):
        rejects = place.path("rejects.csv")
        return files_of(place.path(self.out)), rejects.read_bytes() if rejects.exists() else None

    def look(self, place):
        """A name holds what it held before, or all of what it is to hold."""
        out, rejects = self.found(place)
        must(out in (self.earlier, self.expected), f"`out` is neither the earlier result nor the new one: {sorted(out or [])}")
        must(rejects in (self.earlier_rejects, self.expected_rejects), "the reject list is neither the earlier nor the new one")

    def finish(self, place):
        again = ["--overwrite"] if place.path(self.out).exists() and "--overwrite" not in self.flags else []
        place.ok(self.command() + again)

    def check(self, place):
        must(self.found(place) == (self.expected, self.expected_rejects), "the rerun gives other bytes")
        must(not place.hidden(), f"left behind: {place.hidden()}")
        if self.spills:
            must(not os.listdir(place.path("tmp")), "left behind in the directory for temporary files")


class Upload:
    """`throng upload`."""

    codes = {2, 3, 4, 6, 7, 8}

    def __init__(self, name, kind):
        self.name, self.kind = name, kind

    def build(self, place):
        place.write("export.txt", "".join(email(person) + "\n" for person in range(90)))
        place.ok(["prepare", "export.txt", "-t", "email_hash", "-o", "out", "--part-lines", "30", "-q"])
        if self.kind == "resume":
            place.serve("add,from=2,status=503")
            ended = place.run(self.command() + ["--parallel", "1"])
            must(ended.code == 7, f"the first upload is to end early: {ended}")
        if self.kind == "add":
            place.write("first.txt", email(1000) + "\n")
            place.ok(["prepare", "first.txt", "-t", "email_hash", "-o", "first", "-q"])
            place.serve()
            place.ok(["upload", "first", "--create", "News", "--ad-account", "7", "--state", "other", "-q"])
        if not place.port:
            place.serve()
        place.keep()

    def begin(self, place):
        place.reset()
        place.serve()

    def command(self):
        target = ["--audience", "59"] if self.kind == "add" else ["--create", "News"]
        patience = ["--attempts", "2", "--retry-wait", "20ms"]
        return ["upload", "out", *target, "--ad-account", "7", "--state", "state", *patience]

    def look(self, place):
        must(len(listed(place)) <= 1, "a second audience")

    def finish(self, place):
        until_done(place, self.command(), ["--create-again"], 0)

    def check(self, place):
        again = place.ok(self.command() + ["--json"])
        must(json.loads(again.stdout)["parts_sent"] == 0, "parts are sent again that were confirmed")
        wanted = digests([*range(90), 1000] if self.kind == "add" else range(90))
        must(place.audiences() == [("News", wanted)], "the audience is not the oracle's")
        must(not place.hidden(), f"left behind: {place.hidden()}")


class Sync:
    """`throng sync`."""

    codes = {2, 3, 4, 6, 7, 8}

    def __init__(self, name, *flags, night=1, replace="never"):
        self.name, self.flags, self.night, self.replace = name, list(flags), night, replace
        self.is_replaced = bool(flags) or replace != "never"

    def job(self, place, replace):
        place.write(
            "nightly.toml",
            f"""
name = "nightly"
state = "state"
[input]
files = ["export.csv"]
[[suppress]]
files = ["opt_outs.txt"]
user-type = "email_hash"
[[audience]]
user-type = "email_hash"
column = "email"
name = "News"
replace = "{replace}"
[target]
ad-account = 7
endpoint = "http://127.0.0.1:{place.port}"
{self.target()}
[upload]
attempts = 2
retry-wait = "20ms"
[limits]
part-lines = 30
threads = 2
[guards]
max-shrink = "90%"
max-growth = "900%"
[report]
html = "report.html"
metrics = "throng.prom"
rejects = "rejects.csv"
""",
        )

    def target(self):
        """More about the platform."""
        return ""

    def data(self, place, people, opted_out):
        place.write("export.csv", "email\n" + "".join(email(person) + "\n" for person in people) + "nobody\n")
        place.write("opt_outs.txt", "".join(email(person) + "\n" for person in opted_out))

    def build(self, place):
        place.serve()
        self.data(place, range(90), [900])
        if self.night > 1:
            self.job(place, "never")
            for night in range(1, self.night):
                self.data(place, range(91 - self.night + night), [900])
                place.ok(["sync", "nightly.toml", "-q"])
            self.data(place, range(5, 130), [900, *range(10, 14), 120])
        self.job(place, self.replace)
        self.before(place)
        place.keep()

    def before(self, place):
        """What happens last before the night that is attacked."""

    def begin(self, place):
        place.reset()
        place.serve()

    def command(self):
        return ["sync", "nightly.toml", *self.flags]

    def wanted(self):
        first = digests(range(90))
        second = digests(set(range(5, 130)) - {*range(10, 14), 120})
        if self.night == 1:
            return first
        return second if self.is_replaced else first | second

    def look(self, place):
        must(len(listed(place)) <= (2 if self.is_replaced else 1), "one audience too many")

    def finish(self, place):
        until_done(place, self.command(), ["--create-again", "email_hash"], min(1, self.night - 1))

    def check(self, place):
        quiet = place.ok(["sync", "nightly.toml"])
        must(json.loads(quiet.stdout.splitlines()[-1])["audiences"][0]["written"] == 0, "somebody is new again")
        must(place.audiences() == [("News", self.wanted())], "the audience is not the oracle's")
        must(self.held(place) == self.wanted(), "the state does not say what the audience holds")
        for name in ["report.html", "throng.prom", "rejects.csv"]:
            must(place.path(name).exists(), f"{name} is missing")
        must(not place.hidden(), f"left behind: {place.hidden()}")

    def held(self, place):
        """Who is in the audience as the store has it. Nothing is half done, and files and rows belong together."""
        db = sqlite3.connect(place.path("state/throng.sqlite"))
        try:
            (waiting,) = db.execute("SELECT count(*) FROM generation WHERE state != 'deleted' AND role != 'live'").fetchone()
            must(waiting == 0, "generations that wait for something")
            parts = db.execute(
                "SELECT printf('%06d/%s.txt', kept_in, sha256), sha256, delivery.state FROM delivery JOIN part USING (sha256)"
                " JOIN generation ON generation.id = generation_id WHERE generation.state = 'ready'"
                # Of what was taken out by hand, whoever did it has the files.
                " AND (purpose = 'add' OR kept_in IS NOT NULL)"
            ).fetchall()
        finally:
            db.close()
        folder = place.path("state/parts")
        files = {f"{run}/{file}" for run in os.listdir(folder) for file in os.listdir(folder / run)}
        must(files == {path for path, _, _ in parts}, "files that no row names, or rows without a file")
        held = []
        for path, sha256, state in parts:
            content = (folder / path).read_bytes()
            must(hashlib.sha256(content).hexdigest() == sha256, f"{path} is not what its name says")
            if state == "confirmed":
                held += content.decode().split()
        must(len(held) == len(set(held)), "somebody is held twice")
        return set(held)


class Forget(Sync):
    """`throng forget`, of people who are on the list already and in the audience."""

    codes = {2, 3, 4, 6}
    people = {5, 40, 88, 91}

    def build(self, place):
        place.serve()
        self.job(place, "never")
        for people, opted_out in [(range(90), [900]), (range(95), [900, 40])]:
            self.data(place, people, opted_out)
            place.ok(["sync", "nightly.toml", "-q"])
        place.write("request.txt", "".join(email(person) + "\n" for person in self.people))
        with open(place.path("request.txt")) as request:
            ended = place.run(["forget", "-t", "email_hash", "--state", "state"], stdin=request)
        must(ended.code == 0 and self.everywhere(place) > {"state/forgotten/email_hash.txt"}, f"they are not to be there: {ended}")
        os.remove(place.path("request.txt"))
        place.keep()

    def command(self):
        return ["forget", "-t", "email_hash", "--state", "state", "--at-once"]

    def look(self, place):
        must("state/forgotten/email_hash.txt" in self.everywhere(place), "the list is gone")

    def finish(self, place):
        place.ok(self.command())

    def check(self, place):
        must(self.everywhere(place) == {"state/forgotten/email_hash.txt"}, f"they are still in {self.everywhere(place)}")
        must(self.held(place) == digests(set(range(95)) - self.people), "the state does not know the others")
        quiet = place.ok(["sync", "nightly.toml"])
        must(json.loads(quiet.stdout.splitlines()[-1])["audiences"][0]["written"] == 0, "somebody is new again")
        must(place.audiences() == [("News", digests(range(95)))], "the audience is not the oracle's")
        must(not place.hidden(), f"left behind: {place.hidden()}")

    def everywhere(self, place):
        """Files of the state that have any of them."""
        wanted = [digest.encode() for digest in digests(self.people)]
        files = files_of(place.path("state"))
        return {f"state/{name}" for name, text in files.items() if any(digest in text for digest in wanted)}


def listed(place):
    return json.loads(place.ok(["audience", "list", "--to", place.platform, "--ad-account", "7", "--json"]).stdout)


def until_done(place, command, decision, before):
    """Runs a command again and again, as a scheduler does, and decides what a person has to decide, as the message says:
    whether there is an audience more than `before`."""
    more = []
    for _ in range(6):
        ended = place.run(command + more)
        more = []
        if ended.code == 0:
            return
        if ended.code == 8 and "--create-again" in ended.stderr:
            must(len(listed(place)) == before, "it was created, and was not found")
            more = decision
        elif ended.code not in (6, 7, 8):
            raise Wrong(f"the rerun: {ended}")
    raise Wrong("never done")


# Scenes of which one directory can be small, or vanish.
OUTPUT = Prepare("prepare --overwrite", "--overwrite", has_earlier=True, out="disk/out")
SPILLING = Prepare("prepare, spilling", spills=True)

SCENES = [
    SPILLING,
    Prepare("prepare"),
    Prepare("prepare --overwrite", "--overwrite", has_earlier=True),
    Prepare("prepare --rejects", "--rejects", "rejects.csv", "--rejects-with-values", has_rejects=True),
    Upload("upload, create", "create"),
    Upload("upload, add", "add"),
    Upload("upload, resume", "resume"),
    Sync("sync, first night"),
    Sync("sync, second night", night=2),
    Sync("sync, merges the parts of 65 nights", night=65),
    Sync("sync --replace", "--replace", night=2),
    Sync("sync, replaces when opted out", night=2, replace="when-opted-out"),
    Forget("forget --at-once"),
]
