"""Taking people out, where a platform can: by hand, by a night of a mirror, and for those who are to be forgotten."""

import json
import os
import sqlite3

from scenes import Forget, Sync, Upload, digests, email, until_done
from stage import must


class Remove(Upload):
    """`throng upload --remove`: some of an audience, and some who are not in it."""

    # As many as make two batches of one part.
    people, removed = range(11_000), range(500, 11_500)

    def __init__(self, name, is_begun=False):
        super().__init__(name, "remove")
        self.is_begun = is_begun

    def build(self, place):
        place.platform = "meta"
        for directory, people in ("in", self.people), ("out", self.removed):
            place.write("export.txt", "".join(email(person) + "\n" for person in people))
            place.ok(["prepare", "export.txt", "-t", "email_hash", "-o", directory, "-q"])
        place.serve(*(["remove,from=2,code=2"] if self.is_begun else []))
        to = ["--to", "meta", "--ad-account", "7"]
        added = place.ok(["upload", "in", "--create", "News", *to, "--state", "other", "--json", "-q"])
        self.audience = json.loads(added.stdout)["audience"]
        if self.is_begun:
            ended = place.run(self.command())
            must(ended.code == 7, f"the first one is to end early: {ended}")
        place.keep()

    def command(self):
        patience = ["--attempts", "2", "--retry-wait", "20ms"]
        to = ["--to", "meta", "--audience", self.audience, "--ad-account", "7"]
        return ["upload", "out", "--remove", *to, "--state", "state", *patience]

    def look(self, place):
        """Who was to stay is in, whatever became of the others."""
        ((_, members),) = place.audiences()
        place.serve()
        must(members >= self.wanted(), "somebody was taken out who was to stay")

    def wanted(self):
        return digests(set(self.people) - set(self.removed))

    def finish(self, place):
        until_done(place, self.command(), [], 1)

    def check(self, place):
        again = json.loads(place.ok([*self.command(), "--json"]).stdout)
        must((again["parts_sent"], again["entries_sent"]) == (0, 0), "what was confirmed is sent again")
        must(place.audiences() == [("News", self.wanted())], "the audience is not the oracle's")
        counted = accounted(place, "remove")
        must(counted == [("confirmed", len(self.removed), len(self.removed), 0)], f"the state does not say who was taken out: {counted}")
        must(not place.hidden(), f"left behind: {place.hidden()}")


class Mirror(Sync):
    """A night of a job whose audience is to hold just who is a member: people come, leave and opt out."""

    codes = {2, 3, 4, 6, 7, 8}
    opted_out, gone = {10, 11, 12, 13}, {0, 1, 2, 3, 4}

    def __init__(self, name, is_begun=False):
        super().__init__(name, night=2)
        self.is_begun = is_begun

    def target(self):
        return 'platform = "meta"\nremove = "gone"'

    def build(self, place):
        place.platform = "meta"
        super().build(place)

    def before(self, place):
        if self.is_begun:
            place.stop()
            place.serve("remove,code=2,when=after")
            ended = place.run(self.command())
            must(ended.code in (6, 7), f"the night before is to end early: {ended}")

    def look(self, place):
        super().look(place)
        members = self.members(place)
        must(members >= digests(set(range(90)) - self.opted_out - self.gone), "somebody was taken out who is a member")
        must(members <= digests(set(range(130)) - {120}), "somebody is in who opted out before")

    def members(self, place):
        audiences = place.audiences()
        place.serve()
        must(len(audiences) == 1, "a second audience, or none")
        return audiences[0][1]

    def wanted(self):
        return digests(set(range(5, 130)) - self.opted_out - {120})

    def check(self, place):
        super().check(place)
        must(accounted(place, "remove") == [], "removals that are not done with")
        removed = nights(place, "removed_opted_out", "removed_gone")
        must(removed == (len(self.opted_out), len(self.gone)), f"taken out by the nights' own words: {removed}")
        left = [name for name in os.listdir(place.path("state/lists")) if name.endswith(("-gone.txt", "-must-go.txt"))]
        must(not left, f"lists of who is in no more: {left}")


class ForgetNow(Forget):
    """`throng forget --job`: people who are in the audience, who are no members, and who opted out before."""

    codes = {2, 3, 4, 6, 7, 8}
    people = {5, 40, 88, 1234}

    def target(self):
        return 'platform = "meta"'

    def build(self, place):
        place.platform = "meta"
        place.serve()
        self.job(place, "never")
        for people, opted_out in [(range(90), [900]), (range(95), [900, 40])]:
            self.data(place, people, opted_out)
            place.ok(["sync", "nightly.toml", "-q"])
        place.write("stdin", "".join(email(person) + "\n" for person in sorted(self.people)))
        place.keep()

    def command(self):
        return ["forget", "-t", "email_hash", "--job", "nightly.toml"]

    def look(self, place):
        ((_, members),) = place.audiences()
        place.serve()
        must(digests(set(range(95)) - {40} - self.people) <= members <= digests(set(range(95)) - {40}), "it took out others")

    def finish(self, place):
        until_done(place, self.command(), [], 1)

    def check(self, place):
        wanted = digests(set(range(95)) - {40} - self.people)
        must(self.everywhere(place) == {"state/forgotten/email_hash.txt"}, f"they are still in {self.everywhere(place)}")
        must(self.held(place) == wanted, "the state does not know the others")
        must(accounted(place, "remove") == [], "removals that are not done with")
        quiet = json.loads(place.ok(["sync", "nightly.toml"]).stdout.splitlines()[-1])["audiences"][0]
        must((quiet["written"], quiet["removed_opted_out"], quiet["removed_gone"]) == (0, 0, 0), "somebody is new or gone again")
        must(place.audiences() == [("News", wanted)], "the audience is not the oracle's")
        must(not place.hidden(), f"left behind: {place.hidden()}")


def accounted(place, purpose):
    """What the state says of the parts of a purpose: how each stands, its entries, those confirmed, those invalid."""
    db = sqlite3.connect(place.path("state/throng.sqlite"))
    try:
        sql = "SELECT state, entries, entries_done, entries_invalid FROM delivery JOIN part USING (sha256) WHERE purpose = ?"
        return db.execute(sql, [purpose]).fetchall()
    finally:
        db.close()


def nights(place, *figures):
    """Figures of the audience, each summed over all nights."""
    history = json.loads(place.ok(["history", "--state", "state", "--json"]).stdout)
    audiences = [audience for night in history["nights"] for audience in night["audiences"]]
    return tuple(sum(audience[figure] for audience in audiences) for figure in figures)


LEAVING = [
    Remove("upload --remove"),
    Remove("upload --remove, resume", is_begun=True),
    Mirror("sync, mirror"),
    Mirror("sync, mirror, goes on with a removal", is_begun=True),
    ForgetNow("forget --job"),
]
