"""Meta's own client for Python against `throng sandbox --platform meta`: the sandbox speaks what that client speaks.

    python3 -m venv target/meta_sdk && target/meta_sdk/bin/pip install facebook-business==26.0.3
    target/meta_sdk/bin/python tests/interop/meta_sdk.py target/debug/throng

The package makes audiences, fills them in sessions, removes, replaces, reads, pages and deletes, with the proof of an app
secret, and meets each kind of error. What throng makes, fills and takes people out of is what the package then sees. What
the sandbox holds in the end is read from its database.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import warnings

from facebook_business.adobjects.adaccount import AdAccount
from facebook_business.adobjects.customaudience import CustomAudience
from facebook_business.api import FacebookAdsApi
from facebook_business.exceptions import FacebookRequestError
from facebook_business.session import FacebookSession

ACCOUNT = "act_1234567"
NAME = "\u00dcber 'Summer' \"50%\" & more = \U0001f600"
FIELDS = ["id", "name", "description", "subtype", "operation_status", "delivery_status", "time_updated"]
Schema = CustomAudience.Schema


class Sandbox:
    """A running sandbox, and the package pointed at it."""

    def __init__(self, throng, data, *flags):
        command = [throng, "sandbox", "--platform", "meta", "--data", data, "--require-proof", *flags]
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        lines = [self.process.stdout.readline() for _ in range(3)]
        exports = dict(re.fullmatch(r"export (\w+)=(\S+)\n", line).groups() for line in lines)
        self.exports = exports
        self.token, self.secret = exports["THRONG_TOKEN"], exports["THRONG_APP_SECRET"]
        # The address is a constant of the package's.
        FacebookSession.GRAPH = exports["THRONG_ENDPOINT"]
        self.use(self.token, self.secret)

    def use(self, token, secret):
        FacebookAdsApi.init("1", secret, token, crash_log=False)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)
        self.log.seek(0)
        log = self.log.read()
        for secret in (self.token, self.secret, digest("user1@example.com"), "user1"):
            assert secret not in log, f"the log holds {secret}"
        return log


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def members(data, audience):
    """What the sandbox holds, once it has ended."""
    with contextlib.closing(sqlite3.connect(pathlib.Path(data) / "meta.sqlite")) as database:
        rows = database.execute("SELECT entry FROM member WHERE audience = ?", [int(audience["id"])])
        return {entry.hex() if len(entry) == 32 else entry.decode() for (entry,) in rows}


def session(number, seq, is_last, total=2500):
    return {
        "session_id": number,
        "batch_seq": seq,
        "last_batch_flag": is_last,
        "estimated_num_total": total,
    }


def create(name=NAME, **more):
    params = {
        "name": name,
        "description": "from the CRM [throng 1]",
        "subtype": CustomAudience.Subtype.custom,
        "customer_file_source": CustomAudience.CustomerFileSource.user_provided_only,
    }
    return AdAccount(ACCOUNT).create_custom_audience(params=params | more)


def refused(code, subcode, call):
    try:
        call()
    except FacebookRequestError as error:
        found = (error.api_error_code(), error.api_error_subcode())
        assert found == (code, subcode), f"{found}: {error.api_error_message()}"
        return error
    raise AssertionError(f"{code} was expected")


def check_audiences():
    """Create, read, list in pages, delete."""
    audiences = [create(f"{NAME} {number}") for number in range(7)]
    for number, audience in enumerate(audiences):
        found = audience.api_get(fields=FIELDS)
        assert found["name"] == f"{NAME} {number}" and found["subtype"] == "CUSTOM", found
        assert found["description"] == "from the CRM [throng 1]", found
        assert found["operation_status"]["code"] == 410, found
    listed = AdAccount(ACCOUNT).get_custom_audiences(fields=["name"], params={"limit": 3})
    names = [(each["id"], each["name"]) for each in listed]
    assert names == [(each["id"], each["name"]) for each in reversed(audiences)], names
    assert list(AdAccount("act_2").get_custom_audiences(fields=["name"])) == []
    gone = audiences[0]["id"]
    audiences[0].api_delete()
    refused(100, 33, lambda: CustomAudience(gone).api_get(fields=FIELDS))
    refused(100, None, lambda: audiences[1].api_get(fields=["nonsense"]))
    refused(100, None, lambda: create(customer_file_source="BOUGHT"))
    for audience in audiences[1:]:
        audience.api_delete()


def check_users(audience):
    """Add and remove, in sessions and without; returns who must be in it."""
    values = [f"user{number}@example.com" for number in range(2500)]
    for seq, start in enumerate(range(0, 2500, 1000), start=1):
        batch = values[start : start + 1000]
        is_last = start + 1000 >= 2500
        # The package hashes them, which is one more opinion on digests.
        answer = audience.add_users(Schema.email_hash, batch, session=session(77, seq, is_last)).json()
        assert answer["num_received"] == len(batch) and answer["num_invalid_entries"] == 0, answer
        assert answer["audience_id"] == audience["id"] and answer["session_id"] == "77", answer
        again = audience.add_users(Schema.email_hash, batch, session=session(77, seq, is_last)).json()
        assert again["num_received"] == len(batch), "a repeated batch does no harm"
    refused(100, 1870158, lambda: audience.add_users(Schema.email_hash, values, session=session(77, 4, True)))
    refused(100, 1870158, lambda: audience.add_users(Schema.email_hash, values, session=session(78, 2, True)))
    left = values[100:600]
    for start in range(0, 500, 100):
        # It puts what is to be removed into the address, which bounds the length.
        audience.remove_users(Schema.email_hash, left[start : start + 100])
    created = audience.create_user(
        params={"payload": {"schema": "EMAIL_SHA256", "data": [digest("late@example.com"), "x", "A" * 64]}}
    )
    assert created["num_invalid_entries"] == 2, created
    details = audience.api_get(fields=["approximate_count_lower_bound", "delivery_status", "operation_status"])
    assert details["approximate_count_lower_bound"] == 2000, details
    assert (details["delivery_status"]["code"], details["operation_status"]["code"]) == (200, 200), details
    return {digest(value) for value in values if value not in left} | {digest("late@example.com")}


def check_other_types():
    """Each schema that the package knows; returns audiences with who must be in them."""
    phones = create()
    phones.add_users(Schema.phone_hash, ["442079460001", "442079460002"])
    devices = create()
    device = "6d92078a-8246-4ba4-ae5b-76104861e7dc"
    answer = devices.add_users(Schema.mobile_advertiser_id, [device, "1234567890abcdef"]).json()
    assert answer["num_invalid_entries"] == 1, "an Android id is no advertising id"
    own = create()
    own.add_users([Schema.MultiKeySchema.extern_id], [["Ann-7"], ["ann-7"]], is_raw=True, pre_hashed=True)
    facebook = create()
    facebook.add_users(Schema.uid, ["7", "8"], app_ids=[1])
    payload = {"schema": "UID", "data": ["7"]}
    refused(100, None, lambda: facebook.create_user(params={"payload": payload}))
    return [
        (phones, {digest("442079460001"), digest("442079460002")}),
        (devices, {device}),
        (own, {"Ann-7", "ann-7"}),
        (facebook, {"7", "8"}),
    ]


def check_replace(audience):
    """Replace all members; returns who must be in it."""
    audience.add_users(Schema.email_hash, ["gone@example.com", "stays@example.com"])

    def replace(value, seq, is_last):
        payload = {"schema": "EMAIL_SHA256", "data": [digest(value)]}
        params = {"payload": payload, "session": session(99, seq, is_last)}
        return audience.create_users_replace(params=params)

    replace("stays@example.com", 1, False)
    refused(2650, 1870147, lambda: audience.add_users(Schema.email_hash, ["x@example.com"]))
    replace("new@example.com", 2, True)
    refused(2650, 1870147, lambda: audience.add_users(Schema.email_hash, ["x@example.com"]))
    assert audience.api_get(fields=["operation_status"])["operation_status"]["code"] == 300
    return {digest("stays@example.com"), digest("new@example.com")}


def check_throng(throng, sandbox):
    """What throng uploads is what the package sees; returns who must be in it."""

    def run(*args):
        environment = os.environ | sandbox.exports
        done = subprocess.run([throng, *args], capture_output=True, text=True, env=environment, timeout=60)
        assert done.returncode == 0, f"{args}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def prepare(name, numbers):
        source = home / f"{name}.txt"
        source.write_text("".join(f"  Throng.{number}@Example.com\n" for number in numbers))
        run("prepare", str(source), "-t", "email_hash", "-o", str(home / name), "--part-lines", "15000")

    with tempfile.TemporaryDirectory() as home:
        home = pathlib.Path(home)
        prepare("all", range(25_000))
        prepare("left", range(400))
        to = ["--to", "meta", "--ad-account", ACCOUNT.removeprefix("act_"), "--state", str(home / "state")]
        run("upload", str(home / "all"), "--create", NAME, "--description", "by throng", *to)
        listed = AdAccount(ACCOUNT).get_custom_audiences(fields=["name", "description", "customer_file_source"])
        audience = next(each for each in listed if each["description"].startswith("by throng"))
        assert audience["name"] == NAME and audience["customer_file_source"] == "USER_PROVIDED_ONLY", audience
        run("upload", str(home / "left"), "--audience", audience["id"], "--remove", *to)
        details = audience.api_get(fields=["approximate_count_lower_bound", "operation_status"])
        assert (details["approximate_count_lower_bound"], details["operation_status"]["code"]) == (24_000, 200), details
        # One more by the package, which throng then lists.
        audience.add_users(Schema.email_hash, ["package@example.com"])
        shown = run("audience", "list", "--to", "meta", "--ad-account", ACCOUNT.removeprefix("act_"))
        assert audience["id"] in shown and NAME in shown, shown
    who = {digest(f"throng.{number}@example.com") for number in range(400, 25_000)}
    return audience, who | {digest("package@example.com")}


def check_credentials(sandbox):
    listed = lambda: list(AdAccount(ACCOUNT).get_custom_audiences())
    sandbox.use("wrong", sandbox.secret)
    refused(190, None, listed)
    sandbox.use(sandbox.token, "wrong")
    refused(100, None, listed)
    sandbox.use(sandbox.token, None)
    refused(100, None, listed)


def check_limits(throng):
    """Calls are refused at the limit, with headers that have told of it before."""
    with tempfile.TemporaryDirectory() as data:
        sandbox = Sandbox(throng, data, "--calls-per-hour", "10", "--fault", "add,nth=1,code=2")
        audience = create()
        assert refused(2, None, lambda: audience.add_users(Schema.email_hash, ["a@example.com"])).api_transient_error()
        counts = []
        for number in range(9):
            response = audience.add_users(Schema.email_hash, [f"user{number}@example.com"])
            usage = json.loads(response.headers()["X-Business-Use-Case-Usage"])
            counts.append(usage["1234567"][0]["call_count"])
        assert counts == [20, 30, 40, 50, 60, 70, 80, 90, 100], counts
        error = refused(80003, 2446079, lambda: audience.add_users(Schema.email_hash, ["b@example.com"]))
        assert "estimated_time_to_regain_access" in error.http_headers()["X-Business-Use-Case-Usage"]
        sandbox.end()
        assert len(members(data, audience)) == 9


def main():
    throng = os.path.abspath(sys.argv[1])
    # It warns of what is wrong on purpose.
    warnings.simplefilter("ignore")
    for name in ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"):
        for spelled in (name, name.lower()):
            os.environ.pop(spelled, None)
    with tempfile.TemporaryDirectory() as data:
        sandbox = Sandbox(throng, data, "--replace-time", "3600")
        check_audiences()
        audience = create()
        expected = [(audience, check_users(audience)), *check_other_types()]
        replaced = create()
        expected.append((replaced, check_replace(replaced)))
        expected.append(check_throng(throng, sandbox))
        check_credentials(sandbox)
        log = sandbox.end()
        assert ", 1000 members added" in log and ", 100 members removed" in log, log
        for audience, who in expected:
            assert members(data, audience) == who, f"{audience['id']} holds others than it should"
    check_limits(throng)
    print(f"meta_sdk: {len(expected)} audiences, as facebook-business {FacebookAdsApi.SDK_VERSION} made them")


if __name__ == "__main__":
    main()
