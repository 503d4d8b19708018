"""Runs that meet while people are taken out: two of a kind, and those that take out others."""

import json

from leaving import Mirror, nights
from scenes import digests, email
from stage import must

SYNC = ["sync", "nightly.toml"]
FORGET = ["forget", "-t", "email_hash", "--job", "nightly.toml"]

BUSY = ["another run of this job is going on", "a run is going on that uses this state directory", "another throng is uploading to this audience"]


class Crowd(Mirror):
    """A night that takes people out; a directory of others, who are taken out by hand; and a request to be forgotten."""

    by_hand, forgotten = range(20, 30), {40, 88}

    def __init__(self):
        super().__init__("runs that meet and take people out")

    def before(self, place):
        place.write("leaving.txt", "".join(email(person) + "\n" for person in self.by_hand))
        place.ok(["prepare", "leaving.txt", "-t", "email_hash", "-o", "leaving", "-q"])
        place.write("stdin", "".join(email(person) + "\n" for person in self.forgotten))
        history = json.loads(place.ok(["history", "--state", "state", "--json"]).stdout)
        self.audience = history["targets"][0]["audience"]

    def remove(self):
        to = ["--to", "meta", "--audience", self.audience, "--ad-account", "7", "--state", "state"]
        return ["upload", "leaving", "--remove", *to, "--attempts", "2", "--retry-wait", "20ms"]


def is_done_or_refused(ended):
    if ended.code != 0:
        must(ended.code in (6, 7) and any(words in ended.stderr for words in BUSY), f"no clear refusal: {ended}")


def met(place, crowd, meet, *commands):
    crowd.begin(place)
    ended = meet(place, *commands)
    for one in ended:
        is_done_or_refused(one)
    return ended


def sync_both(place, crowd, meet):
    met(place, crowd, meet, SYNC, SYNC)
    crowd.check(place)


def remove_both(place, crowd, meet):
    met(place, crowd, meet, crowd.remove(), crowd.remove())
    place.ok(crowd.remove())
    must(place.audiences() == [("News", digests(set(range(90)) - set(crowd.by_hand)))], "not those who were to stay")


def with_forget(*commands):
    def attack(place, crowd, meet):
        met(place, crowd, meet, *commands)
        for command in FORGET, SYNC:
            place.ok(command)
        wanted = crowd.wanted() - digests(crowd.forgotten)
        must(place.audiences() == [("News", wanted)], "the audience is not the oracle's")
        must(crowd.held(place) == wanted, "the state does not say what the audience holds")
        (gone,) = nights(place, "removed_gone")
        must(gone == len(crowd.gone), f"gone by the nights' own words: {gone}")

    return attack


def with_remove(is_first):
    """Who is taken out by hand, and is a member, is in again after another night."""

    def attack(place, crowd, meet):
        commands = [crowd.remove(), SYNC] if is_first else [SYNC, crowd.remove()]
        met(place, crowd, meet, *commands)
        place.ok(crowd.remove())
        must(not crowd.members(place) & digests(crowd.by_hand), "somebody is in who was taken out")
        place.ok(SYNC)
        must(place.audiences() == [("News", crowd.wanted())], "the audience is not the oracle's")
        must(crowd.held(place) == crowd.wanted(), "the state does not say what the audience holds")

    return attack


def sync_and_look(place, crowd, meet):
    crowd.begin(place)
    night, looked = meet(place, SYNC, ["history", "--state", "state"])
    must(looked.code == 0, f"looking failed: {looked}")
    must(night.code == 0, f"looking stopped a night: {night}")
    crowd.check(place)


Crowd.attacks = {
    "sync twice, mirror": sync_both,
    "remove twice": remove_both,
    "forget, sync": with_forget(FORGET, SYNC),
    "sync, forget": with_forget(SYNC, FORGET),
    "forget twice": with_forget(FORGET, FORGET),
    "remove, sync": with_remove(True),
    "sync, remove": with_remove(False),
    "sync, look, mirror": sync_and_look,
}

Crowd.repeated = ["sync, look, mirror"]
