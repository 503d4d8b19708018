"""Runs that meet: two of a kind at once, and one that reads what another replaces. Each is refused with a clear line, or
does what it would have done alone.

They meet at random times, and in every order that one interruption can give: the first stands still after one of its calls
that touch files, another in each case, while the second runs from beginning to end."""

import contextlib
import itertools
import json
import os
import random
import signal
import subprocess
import threading
import time

import kills
import scenes
from stage import PATIENCE, Missed, digest, entries_of, files_of, must

# Calls after which nothing is different for another run, nor known that was not known before.
SAME_BEFORE = {"close", "fstat"}

# How long the second may wait for what the first holds, in seconds, until the first goes on.
WAIT_MAX = 1


class Crowd:
    """Two exports, what each of them becomes, and a job."""

    name = "runs that meet"

    def build(self, place):
        self.sets, self.results = [], []
        for name in "ab":
            people = [f"{name}.{number}@example.com" for number in range(3000)]
            place.write(f"{name}.txt", "".join(person + "\n" for person in people) + "nobody\n")
            self.sets.append({digest(person) for person in people})
        self.job = scenes.Sync("sync")
        place.serve()
        self.job.data(place, range(90), [900])
        self.job.job(place, "never")
        place.keep()
        place.reset()
        for name in "ab":
            place.ok(prepare(name, "--overwrite"))
            self.results.append(files_of(place.path("out")))


def at_random(_, crowd):
    """The second begins some time after the first, or is run again and again for as long as the first lasts."""
    chance = random.Random(11)
    found = []
    for number in range(40):
        found += [case(f"{name} {number}", attack, after(chance.uniform(0, 0.1))) for name, attack in crowd.attacks.items()]
        found += [case(f"{name}, all along {number}", crowd.attacks[name], all_along(chance.uniform(0, 0.05))) for name in crowd.repeated]
    return found


def interrupted(name):
    """The second runs while the first stands still."""

    def cases(place, crowd):
        attack, points = crowd.attacks[name], []

        def trace(place, first, *_):
            points.extend(point for point in kills.traced(place, first) if point[0] not in SAME_BEFORE)
            raise Missed

        with contextlib.suppress(Missed):
            attack(place, crowd, trace)
        return [case(f"stop at {call} {n}", attack, stop_at(call, n)) for call, n in kills.spread(points)]

    return cases


def case(name, attack, meet):
    return name, lambda place, crowd: attack(place, crowd, meet)


def after(delay):
    """The second begins so many seconds after the first."""

    def meet(place, first, second, *_):
        first = place.start(first)
        time.sleep(delay)
        second = place.start(second)
        return place.end(first), place.end(second)

    return meet


def all_along(delay):
    """The first begins so many seconds after the second, which are run in turns until the first has ended."""

    def meet(place, first, *seconds):
        ended = []

        def work():
            for second in itertools.cycle(seconds):
                ended.append(place.run(second))
                if ended[-1].code != 0 or done.is_set():
                    return

        done = threading.Event()
        thread = threading.Thread(target=work)
        thread.start()
        time.sleep(delay)
        try:
            first = place.run(first)
        finally:
            done.set()
            thread.join()
        return first, ended[-1]

    return meet


def stop_at(name, n):
    """The second runs while the first stands still after its n-th call of that name."""

    def meet(place, first, second, *_):
        place.trace.unlink(missing_ok=True)
        first = place.start(first, before=place.strace(name, f"{name}:signal=STOP:when={n}"))
        while not stands(place):
            if first.poll() is not None:
                place.end(first)
                raise Missed
            time.sleep(0.001)
        second = place.start(second)
        with contextlib.suppress(subprocess.TimeoutExpired):
            second.wait(timeout=WAIT_MAX)
        go_on(first)
        return place.end(first), place.end(second)

    return meet


def stands(place):
    return place.trace.exists() and any(line.endswith("--- stopped by SIGSTOP ---") for line in place.traced())


def go_on(process):
    """Lets a run go on that stands still under strace, as often as one of its threads makes it stand still."""
    with open(f"/proc/{process.pid}/task/{process.pid}/children") as children:
        (throng,) = map(int, children.read().split())
    until = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(ProcessLookupError):
            os.kill(throng, signal.SIGCONT)
        time.sleep(0.005)


def prepare(name, *more):
    return ["prepare", f"{name}.txt", "-t", "email_hash", "-o", "out", "--part-lines", "500", "--threads", "2", *more]


UPLOAD = ["upload", "out", "--create", "News", "--ad-account", "7", "--state", "state", "--retry-wait", "20ms", "--attempts", "2"]
REPLACE = [prepare("b", "--overwrite", "-q"), prepare("a", "--overwrite", "-q")]
VERIFY = ["verify", "out"]
COMPARE = ["prepare", "a.txt", "-t", "email_hash", "-o", "new", "--against", "out", "--overwrite", "--json", "-q"]


def refused(ended, code, words):
    must(ended.code == code and words in ended.stderr, f"no clear refusal: {ended}")


def prepare_both(place, crowd, meet):
    place.reset()
    ended = meet(place, prepare("a"), prepare("b"))
    done = [number for number in (0, 1) if ended[number].code == 0]
    must(len(done) == 1, f"not one of two: {ended[0]} {ended[1]}")
    refused(ended[1 - done[0]], 4, "it exists and is not empty")
    must(files_of(place.path("out")) == crowd.results[done[0]], "not the result of the one that was done")
    must(not place.hidden(), f"left behind: {place.hidden()}")


def prepare_both_over(place, crowd, meet):
    place.reset()
    place.ok(prepare("a", "-q"))
    more = ["--overwrite", "--rejects", "rejects.csv"]
    for ended in meet(place, prepare("a", *more), prepare("b", *more)):
        must(ended.code == 0, f"it was not done: {ended}")
    must(files_of(place.path("out")) in crowd.results, "a mixture of two results")
    must(len(place.path("rejects.csv").read_text().splitlines()) == 2, "a mixture of two reject lists")
    must(not place.hidden(), f"left behind: {place.hidden()}")


def upload_both(place, crowd, meet):
    place.reset()
    place.serve()
    place.ok(prepare("a", "-q"))
    for ended in meet(place, UPLOAD, UPLOAD):
        if ended.code != 0:
            refused(ended, 6, "another throng is uploading to this audience")
    place.ok(UPLOAD)
    must(place.audiences() == [("News", crowd.sets[0])], "the audience is not the oracle's")


def sync_both(place, crowd, meet):
    place.reset()
    place.serve()
    for ended in meet(place, crowd.job.command(), crowd.job.command()):
        if ended.code != 0:
            refused(ended, 6, "another run of this job is going on")
    crowd.job.check(place)


CHANGED = ["it does not match its manifest", "the directory was changed", "it has no manifest.json", "no such file"]


def read_and_replace(command, judge):
    """Who reads may be refused and sees nothing that never was; who writes is not held up."""

    def attack(place, crowd, meet):
        begin_reading(place)
        reader, writer = meet(place, command, *REPLACE)
        must(writer.code == 0, f"a reader stopped a writer: {writer}")
        judge(place, crowd, reader)

    return attack


def replace_and_read(command, judge):
    def attack(place, crowd, meet):
        begin_reading(place)
        writer, reader = meet(place, REPLACE[0], command)
        must(writer.code == 0, f"a reader stopped a writer: {writer}")
        judge(place, crowd, reader)

    return attack


def begin_reading(place):
    place.reset()
    place.serve()
    place.ok(prepare("a", "-q"))


def is_uploaded(place, crowd, ended):
    if ended.code != 0:
        must(ended.code == 3 and any(words in ended.stderr for words in CHANGED), f"no clear refusal: {ended}")
    audiences = place.audiences()
    if ended.code == 0:
        must(len(audiences) == 1 and audiences[0][1] in crowd.sets, "another audience than that of one result")
    for _, members in audiences:
        must(members <= crowd.sets[0] or members <= crowd.sets[1], "an audience of two results")


def is_verified(place, crowd, ended):
    must(ended.code in (0, 3), f"neither done nor refused: {ended}")


def is_compared(place, crowd, ended):
    must(ended.code in (0, 3), f"neither done nor refused: {ended}")
    if ended.code == 0:
        audience = json.loads(ended.stdout)["audiences"][0]
        must(audience["known"] in (0, 3000) and audience["known"] + audience["gone"] == 3000, f"a mixture was read: {audience}")
        must(len(entries_of(place.path("new"))) == 3000 - audience["known"], "not who is new")


def sync_and_look(place, crowd, meet):
    place.reset()
    place.serve()
    night, looked = meet(place, crowd.job.command(), ["history", "--state", "state"])
    must(looked.code == 0, f"looking failed: {looked}")
    must(night.code == 0, f"looking stopped a night: {night}")
    crowd.job.check(place)


ATTACKS = {
    "prepare twice": prepare_both,
    "prepare --overwrite twice": prepare_both_over,
    "upload twice": upload_both,
    "sync twice": sync_both,
    "upload, replace": read_and_replace(UPLOAD, is_uploaded),
    "verify, replace": read_and_replace(VERIFY, is_verified),
    "compare, replace": read_and_replace(COMPARE, is_compared),
    "replace, upload": replace_and_read(UPLOAD, is_uploaded),
    "replace, verify": replace_and_read(VERIFY, is_verified),
    "replace, compare": replace_and_read(COMPARE, is_compared),
    "sync, look": sync_and_look,
}

Crowd.attacks = ATTACKS

# Of these, the second can be run again and again.
Crowd.repeated = ["upload, replace", "verify, replace", "compare, replace", "sync, look"]
