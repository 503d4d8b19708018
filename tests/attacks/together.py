"""Runs that meet: two of a kind at once, and one that reads what another replaces. Each is refused with a clear line, or
does what it would have done alone."""

import json
import random
import threading
import time

import scenes
from stage import digest, entries_of, files_of, must


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

    def cases(self, place):
        rounds = [prepare_both, prepare_both_over, upload_both, sync_both, upload_while_replaced, read_while_replaced, look_while_syncing]
        chance = random.Random(11)
        return [(f"{attack.__name__} {number}", at(attack, chance.uniform(0, 0.1))) for number in range(40) for attack in rounds]


def at(attack, delay):
    """The second of two begins so much later."""
    return lambda place, crowd: attack(place, crowd, delay)


def prepare(name, *more):
    return ["prepare", f"{name}.txt", "-t", "email_hash", "-o", "out", "--part-lines", "500", "--threads", "2", *more]


UPLOAD = ["upload", "out", "--create", "News", "--ad-account", "7", "--state", "state", "--retry-wait", "20ms", "--attempts", "2"]


def both(place, one, other, delay):
    first = place.start(one)
    time.sleep(delay)
    second = place.start(other)
    return place.end(first), place.end(second)


def refused(ended, code, words):
    must(ended.code == code and words in ended.stderr, f"no clear refusal: {ended}")


def prepare_both(place, crowd, delay):
    place.reset()
    ended = both(place, prepare("a"), prepare("b"), delay)
    done = [number for number in (0, 1) if ended[number].code == 0]
    must(len(done) == 1, f"not one of two: {ended[0]} {ended[1]}")
    refused(ended[1 - done[0]], 4, "it exists and is not empty")
    must(files_of(place.path("out")) == crowd.results[done[0]], "not the result of the one that was done")
    must(not place.hidden(), f"left behind: {place.hidden()}")


def prepare_both_over(place, crowd, delay):
    place.reset()
    place.ok(prepare("a", "-q"))
    more = ["--overwrite", "--rejects", "rejects.csv"]
    for ended in both(place, prepare("a", *more), prepare("b", *more), delay):
        must(ended.code == 0, f"it was not done: {ended}")
    must(files_of(place.path("out")) in crowd.results, "a mixture of two results")
    must(len(place.path("rejects.csv").read_text().splitlines()) == 2, "a mixture of two reject lists")
    must(not place.hidden(), f"left behind: {place.hidden()}")


def upload_both(place, crowd, delay):
    place.reset()
    place.serve()
    place.ok(prepare("a", "-q"))
    for ended in both(place, UPLOAD, UPLOAD, delay):
        if ended.code != 0:
            refused(ended, 6, "another throng is uploading to this audience")
    place.ok(UPLOAD)
    must(place.audiences() == [("News", crowd.sets[0])], "the audience is not the oracle's")


def sync_both(place, crowd, delay):
    place.reset()
    place.serve()
    for ended in both(place, crowd.job.command(), crowd.job.command(), delay):
        if ended.code != 0:
            refused(ended, 6, "another run of this job is going on")
    crowd.job.check(place)


class Replacing:
    """Puts one result after the other into the place of `out` for as long as it lasts."""

    def __init__(self, place):
        self.place, self.stop, self.failed = place, threading.Event(), []
        self.thread = threading.Thread(target=self.work)

    def work(self):
        turn = 0
        while not self.stop.is_set():
            turn += 1
            ended = self.place.run(prepare("ab"[turn % 2], "--overwrite", "-q"))
            if ended.code != 0:
                self.failed.append(str(ended))

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        must(not self.failed, f"a reader stopped a writer: {self.failed[:1]}")


CHANGED = ["it does not match its manifest", "the directory was changed", "it has no manifest.json", "no such file"]


def upload_while_replaced(place, crowd, delay):
    place.reset()
    place.serve()
    place.ok(prepare("a", "-q"))
    with Replacing(place):
        time.sleep(delay)
        ended = place.run(UPLOAD)
    if ended.code != 0:
        must(ended.code == 3 and any(words in ended.stderr for words in CHANGED), f"no clear refusal: {ended}")
    audiences = place.audiences()
    if ended.code == 0:
        must(len(audiences) == 1 and audiences[0][1] in crowd.sets, "another audience than that of one result")
    for _, members in audiences:
        must(members <= crowd.sets[0] or members <= crowd.sets[1], "an audience of two results")


def read_while_replaced(place, crowd, delay):
    place.reset()
    place.ok(prepare("a", "-q"))
    against = ["prepare", "a.txt", "-t", "email_hash", "-o", "new", "--against", "out", "--overwrite", "--json", "-q"]
    with Replacing(place):
        time.sleep(delay)
        verified, compared = place.run(["verify", "out"]), place.run(against)
    for ended in verified, compared:
        must(ended.code in (0, 3), f"neither done nor refused: {ended}")
    if compared.code == 0:
        audience = json.loads(compared.stdout)["audiences"][0]
        must(audience["known"] in (0, 3000) and audience["known"] + audience["gone"] == 3000, f"a mixture was read: {audience}")
        must(len(entries_of(place.path("new"))) == 3000 - audience["known"], "not who is new")


def look_while_syncing(place, crowd, delay):
    place.reset()
    place.serve()
    night = place.start(crowd.job.command())
    time.sleep(delay)
    while night.poll() is None:
        ended = place.run(["history", "--state", "state"])
        must(ended.code == 0, f"looking failed: {ended}")
    ended = place.end(night)
    must(ended.code == 0, f"looking stopped a night: {ended}")
    crowd.job.check(place)
