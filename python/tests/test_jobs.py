"""prepare, sync and verify: what the command does, with dictionaries and exceptions."""

from __future__ import annotations

import datetime
import json
import pathlib
import pickle
import subprocess

import pandas
import polars
import pyarrow
import pytest

import throng

from .conftest import FIXTURES

#: Whatever could be taken for something else on the way.
ODD = ['"quoted"@example.com', "comma,@example.com", "two\nlines@example.com", '"', ',"', "\r\n", "'x@example.com", None, ""]
PEOPLE = [f"user.{number}@example.com" for number in range(2000)]

PHONES = [f"+4420794601{number % 100:02}" for number in range(len(PEOPLE) + len(ODD))]


def entries(directory: pathlib.Path) -> list[str]:
    return [line for part in sorted(directory.rglob("*.txt")) for line in part.read_text().splitlines()]


def without_times(summary: dict) -> dict:
    """What does not depend on the run."""
    return {name: of for name, of in summary.items() if not any(word in name for word in ("second", "memory", "output"))}


def test_a_file_becomes_what_the_command_makes_of_it(binary, tmp_path):
    flags = ["--max-rejects", "10%", "--suppress", FIXTURES / "opt_outs.csv"]
    command = [binary, "prepare", FIXTURES / "crm_export.csv", "--map", "E-mail=email_hash", *flags]
    done = subprocess.run([*command, "-o", tmp_path / "command", "--json", "-q"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    summary = throng.prepare(
        FIXTURES / "crm_export.csv",
        {"E-mail": "email_hash"},
        out=tmp_path / "module",
        max_rejects="10%",
        suppress=FIXTURES / "opt_outs.csv",
    )
    assert without_times(summary) == without_times(json.loads(done.stdout))
    assert entries(tmp_path / "module") == entries(tmp_path / "command")
    assert throng.verify(tmp_path / "module")["matches"] is True


@pytest.mark.parametrize("of", ["pyarrow", "polars", "pandas", "duckdb"])
def test_a_frame_is_an_input(of, tmp_path):
    crm = pyarrow.table({
        "id": list(range(len(PEOPLE) + len(ODD))),
        "email": PEOPLE + ODD,
        "a,b": ["x"] * (len(PEOPLE) + len(ODD)),
        "phone": PHONES,
    })
    if of == "duckdb":
        import duckdb

        frame = duckdb.sql("SELECT * FROM crm")
    else:
        frame = {"pyarrow": lambda: crm, "polars": lambda: polars.from_arrow(crm), "pandas": crm.to_pandas}[of]()
    seen = []
    summary = throng.prepare(
        frame,
        {"email": "email_hash", "phone": "phone_hash"},
        out=tmp_path / "out",
        max_rejects="10%",
        suppress=pyarrow.table({"email": PEOPLE[:7]}),
        suppress_by="identifier",
        progress=seen.append,
    )
    emails, phones = summary["audiences"]
    assert (emails["user_type"], phones["user_type"]) == ("email_hash", "phone_hash")
    expected = {entry for entry in throng.hash(PEOPLE[7:] + ODD, "email_hash") if entry}
    assert set(entries(tmp_path / "out")) == expected | set(throng.hash(PHONES, "phone_hash"))
    assert all("phase" in figures for figures in seen)


def test_values_arrive_as_they_are(tmp_path):
    odd = ['"quoted"', "comma,", '"', ',"', '"",""', " inner  blanks ", "a\tb", "'single'", "=1+1", "end\n", None, ""]
    values = [*(f"Member {number}/x" for number in range(200)), *odd]
    table = pyarrow.table({"id": values, "other": ODD * 20 + [None] * 32})
    throng.prepare(table, {"id": "custom_audience_third_party_id"}, out=tmp_path / "out", ids="any", case="keep", max_rejects="50%")
    found = throng.hash(values, "custom_audience_third_party_id", ids="any", case="keep")
    assert set(entries(tmp_path / "out")) == {of for of in found if of}


def test_commands_are_inputs(tmp_path):
    (tmp_path / "more.csv").write_text("email\nmore@example.com\n")
    command = f"cat {tmp_path}/more.csv"
    table = pyarrow.table({"email": PEOPLE})
    for number, inputs in enumerate([table, []]):
        out = tmp_path / str(number)
        throng.prepare(inputs, {"email": "email_hash"}, from_=command, out=out)
        people = ["more@example.com", *([] if inputs == [] else PEOPLE)]
        assert set(entries(out)) == set(throng.hash(people, "email_hash"))
    with pytest.raises(throng.InputError, match="`command 1 .cat.`: it ended with exit status 7"):
        throng.prepare(table, {"email": "email_hash"}, from_=[f"{command}; exit 7"], out=tmp_path / "out")


def test_a_single_column_needs_no_name(tmp_path):
    for number, column in enumerate([polars.Series(PEOPLE), pyarrow.table({"x": PEOPLE}), pyarrow.chunked_array([PEOPLE])]):
        out = tmp_path / str(number)
        throng.prepare(column, "email_hash", out=out)
        assert set(entries(out)) == set(throng.hash(PEOPLE, "email_hash"))


def test_conditions_hold_for_frames(tmp_path):
    frame = polars.DataFrame({
        "email": PEOPLE[:6],
        "yes": [True, False, None, True, True, True],
        "day": [datetime.date(2026, 11, 24)] * 5 + [None],
        "at": [datetime.datetime(2026, 11, 24, 2)] * 6,
        "float": [1.5] * 4 + [2.0, 1.5],
    })
    throng.prepare(
        frame,
        {"email": "email_hash"},
        out=tmp_path / "out",
        where=["yes=true", "day=2026-11-24", "at=2026-11-24 02:00:00", "float=1.5"],
    )
    assert set(entries(tmp_path / "out")) == set(throng.hash([PEOPLE[0], PEOPLE[3]], "email_hash"))


def test_frames_that_cannot_be_meant_are_refused(tmp_path):
    table = pyarrow.table({"email": ["canary@example.com"], "score": [1.5]})
    for types, message in [
        ("email_hash", "nobody said which column of table 1 is meant"),
        ({"mail": "email_hash"}, "table 1 has none of the columns that are wanted"),
        ({"score": "email_hash"}, "the column `score` of table 1 holds Float64"),
        ({"email": "mail"}, "unknown user type"),
    ]:
        with pytest.raises(throng.UsageError, match=message) as raised:
            throng.prepare(table, types, out=tmp_path / "out")
        assert "canary" not in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_a_frame_that_breaks_off_makes_no_audience(tmp_path):
    def batches():
        yield pyarrow.RecordBatch.from_pydict({"email": PEOPLE})
        raise RuntimeError("canary@example.com")

    reader = pyarrow.RecordBatchReader.from_batches(pyarrow.schema({"email": pyarrow.string()}), batches())
    with pytest.raises(throng.InputError) as raised:
        throng.prepare(reader, {"email": "email_hash"}, out=tmp_path / "out")
    assert "canary" not in str(raised.value) and "table 1" in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_errors_are_those_of_the_command(binary, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    for inputs, code, of in [
        (tmp_path / "not-there", 3, throng.InputError),
        (FIXTURES / "emails.txt", 4, throng.OutputError),
    ]:
        command = [binary, "prepare", inputs, "-t", "email_hash", "-o", tmp_path / "out", "-q", "--max-rejects", "90%"]
        done = subprocess.run(command, capture_output=True, text=True)
        with pytest.raises(of) as raised:
            throng.prepare(inputs, "email_hash", out=tmp_path / "out", max_rejects="90%")
        assert raised.value.exit_code == done.returncode == code
        hint = [f"hint: {raised.value.hint}"] if raised.value.hint else []
        assert done.stderr.splitlines() == [f"error: {raised.value}", *hint]
        copy = pickle.loads(pickle.dumps(raised.value))
        assert (str(copy), copy.hint, copy.exit_code) == (str(raised.value), raised.value.hint, code)


def test_what_the_callback_raises_ends_the_run(tmp_path):
    class Enough(Exception):
        pass

    def tell(figures):
        raise Enough(figures["phase"])

    (tmp_path / "many.txt").write_text("user@example.com\n" * 4_000_000)
    with pytest.raises(Enough):
        for _ in range(10):
            throng.prepare([tmp_path / "many.txt"] * 8, "email_hash", out=tmp_path / "out", overwrite=True, progress=tell)


def test_verify_finds_what_was_changed(tmp_path):
    throng.prepare(pyarrow.chunked_array([PEOPLE]), "email_hash", out=tmp_path / "out")
    assert throng.verify(tmp_path / "out")["audiences"][0]["entries"] == len(PEOPLE)
    (part,) = (tmp_path / "out").glob("*.txt")
    part.write_text(part.read_text()[65:])
    with pytest.raises(throng.InputError) as raised:
        throng.verify(tmp_path / "out")
    assert "prepare it again" in raised.value.hint
    assert raised.value.summary["matches"] is False and raised.value.summary["problems"]


def test_the_nightly_job(tmp_path):
    job = (FIXTURES / "nightly.toml").read_text()
    for name in ("crm_export.csv", "opt_outs.csv", "nightly.toml"):
        (tmp_path / name).write_bytes((FIXTURES / name).read_bytes())
    path = tmp_path / "nightly.toml"
    assert throng.sync(path, dry_run=True)["is_dry_run"] is True
    record = throng.sync(path, date=datetime.date(2026, 11, 24), progress=lambda figures: None)
    assert record["exit_code"] == 0 and record["run"] == 1
    assert all(audience["entries_sent"] > 0 for audience in record["audiences"])
    again = throng.sync(path)
    assert all(audience["entries_sent"] == 0 for audience in again["audiences"])
    (tmp_path / "crm_export.csv").write_text("email\n" + "\n".join(PEOPLE[:10]) + "\n")
    with pytest.raises(throng.Error) as raised:
        throng.sync(path)
    assert raised.value.exit_code == 3 and raised.value.summary["exit_code"] == 3
    path.write_text(job + "\nno_such_key = 1\n")
    with pytest.raises(throng.UsageError, match="no_such_key"):
        throng.sync(path)
