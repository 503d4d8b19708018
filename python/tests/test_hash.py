"""Columns: the same entries as the command's, whatever they come in."""

from __future__ import annotations

import csv
import hashlib
import re
import typing

import pyarrow
import pytest

import throng

from .conftest import FIXTURES

MARY = hashlib.sha256(b"mary@example.com").hexdigest()
ROWS = ["mary@example.com", None, " Mary@Example.COM ", "nobody", "", "ü@example.com", "null"]
DIGESTS = [MARY, None, MARY, None, None, None, None]
REASONS = [None, None, None, "no_at_sign", None, "non_ascii", "null_word"]


def unescaped(text: str) -> bytes:
    """The bytes of a cell of fixtures/normalize."""
    escapes = {"t": b"\t", "n": b"\n", "r": b"\r", "\\": b"\\"}
    found = bytearray()
    for part in re.split(r"(\\x..|\\u\{[0-9a-fA-F]+\}|\\.)", text):
        if part.startswith("\\x"):
            found += bytes.fromhex(part[2:])
        elif part.startswith("\\u"):
            found += chr(int(part[3:-1], 16)).encode()
        elif part.startswith("\\"):
            found += escapes[part[1]]
        else:
            found += part.encode()
    return bytes(found)


@pytest.mark.parametrize("user_type", typing.get_args(throng.UserType))
def test_entries_and_reasons_are_those_of_the_tables(user_type, hashed):
    by_options: dict[str, list[tuple[bytes, str]]] = {}
    with open(FIXTURES / "normalize" / f"{user_type}.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            value = unescaped(row["input"])
            # A line has no line ends in it, and the last one of a file is blank or is not there.
            if "mode=csv" not in row["options"] and b"\n" not in value:
                by_options.setdefault(row["options"], []).append((value, row["expected"]))
    assert by_options
    for options, cases in by_options.items():
        values = [value for value, _ in cases]
        keywords = dict(option.split("=") for option in options.split())
        # No country that the command would take, but a row can have it.
        is_of_rows = keywords.get("country") == "ZZ"
        if is_of_rows:
            keywords = {"countries": [keywords["country"]] * len(values)}
        entries, why = throng.hash(pyarrow.array(values, pyarrow.binary()), user_type, reasons=True, **keywords)
        if not is_of_rows:
            assert entries.to_pylist() == hashed(values, user_type, *(f"--{option}" for option in options.split()))
        for (value, expected), entry, reason in zip(cases, entries, why, strict=True):
            if expected in ("accepted", "prehashed"):
                assert (entry is not None, reason) == (True, None), value
            else:
                assert (entry, reason) == (None, None if expected == "blank" else expected), value


@pytest.mark.parametrize(
    ("file", "user_type"),
    [("emails.txt", "email_hash"), ("phones.txt", "phone_hash"), ("crm_export.csv", "email_hash")],
)
def test_lines_of_files_become_what_the_command_makes_of_them(file, user_type, hashed):
    lines = (FIXTURES / file).read_bytes().split(b"\n")[:-1]
    assert throng.hash(lines, user_type).to_pylist() == hashed(lines, user_type)
    many = lines * (20_000 // len(lines))
    assert throng.hash(pyarrow.array(many), user_type).to_pylist() == hashed(many, user_type)


def arrays():
    """The same rows in each type."""
    for of in (pyarrow.string(), pyarrow.large_string(), pyarrow.string_view()):
        yield str(of), pyarrow.array(ROWS, of)
    encoded = [row and row.encode() for row in ROWS]
    for of in (pyarrow.binary(), pyarrow.large_binary(), pyarrow.binary_view()):
        yield str(of), pyarrow.array(encoded, of)
    yield "dictionary", pyarrow.array(ROWS).dictionary_encode()
    yield "dictionary of large strings", pyarrow.array(ROWS, pyarrow.large_string()).dictionary_encode()
    many = pyarrow.array(["x", *ROWS, "x"])
    yield "slice", many.slice(1, len(ROWS))
    yield "slice of a view", many.cast(pyarrow.string_view()).slice(1, len(ROWS))
    yield "slice of a dictionary", many.dictionary_encode().slice(1, len(ROWS))
    yield "chunks", pyarrow.chunked_array([ROWS[:1], [], ROWS[1:4], ROWS[4:]])
    yield "chunks of dictionaries", pyarrow.chunked_array([ROWS[:3], ROWS[3:]]).dictionary_encode()
    yield "table of a column", pyarrow.table({"email": ROWS})
    yield "batch of a column", pyarrow.RecordBatch.from_pydict({"email": ROWS})


@pytest.mark.parametrize(("name", "array"), list(arrays()), ids=lambda of: of if isinstance(of, str) else "")
def test_every_type_gives_the_same(name, array):
    entries, why = throng.hash(array, "email_hash", reasons=True)
    assert entries.to_pylist() == DIGESTS, name
    assert why.to_pylist() == REASONS, name
    assert pyarrow.array(entries).to_pylist() == DIGESTS, name
    assert pyarrow.array(why).to_pylist() == REASONS, name


def test_a_list_and_what_can_be_gone_through_are_columns():
    assert throng.hash(ROWS, "email_hash").to_pylist() == DIGESTS
    assert throng.hash(tuple(ROWS), "email_hash").to_pylist() == DIGESTS
    assert throng.hash(iter(ROWS), "email_hash").to_pylist() == DIGESTS
    assert throng.hash([row and row.encode() for row in ROWS], "email_hash").to_pylist() == DIGESTS
    assert throng.hash(["mary@example.com", float("nan")], "email_hash").to_pylist() == [MARY, None]


@pytest.mark.parametrize(
    "of", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
)
def test_whole_numbers_are_their_digits(of):
    numbers = pyarrow.array([1, None, 127], getattr(pyarrow, of)())
    assert throng.hash(numbers, "fbid").to_pylist() == ["1", None, "127"]
    assert throng.hash([1, None, 2**64 - 1, 2**64], "fbid").to_pylist() == ["1", None, str(2**64 - 1), None]


def test_nothing_becomes_nothing():
    for nothing in ([], pyarrow.array([], pyarrow.string()), pyarrow.chunked_array([], pyarrow.string())):
        entries, why = throng.hash(nothing, "email_hash", reasons=True)
        assert (len(entries), entries.to_pylist(), why.to_pylist()) == (0, [], [])
        assert pyarrow.array(entries).type == pyarrow.string()
    nulls = pyarrow.nulls(3)
    assert throng.hash(nulls, "email_hash").to_pylist() == [None] * 3
    assert throng.hash(nulls.cast(pyarrow.string()).dictionary_encode(), "email_hash").to_pylist() == [None] * 3
    assert throng.hash(nulls, "fbid").to_pylist() == [None] * 3


def test_long_values_are_too_long():
    value = "a" * 10_000_000 + "@example.com"
    entries, why = throng.hash([value, "mary@example.com"], "email_hash", reasons=True)
    assert (entries.to_pylist(), why.to_pylist()) == ([None, MARY], ["too_long", None])


def test_half_a_surrogate_pair_is_no_text():
    _, why = throng.hash(["\ud800@example.com"], "email_hash", reasons=True)
    assert why.to_pylist() == ["invalid_utf8"]


def test_rows_keep_their_order_over_pieces_and_chunks():
    rows = [f"user.{number}@example.com" if number % 7 else None for number in range(50_000)]
    expected = [row and hashlib.sha256(row.encode()).hexdigest() for row in rows]
    chunks = pyarrow.chunked_array([rows[start : start + 3001] for start in range(0, len(rows), 3001)])
    assert throng.hash(chunks, "email_hash").to_pylist() == expected
    assert throng.hash(rows, "email_hash").to_pylist() == expected
    ids = [row and f"Id-{number}" for number, row in enumerate(rows)]
    found = throng.hash(pyarrow.array(ids), "custom_audience_third_party_id", case="keep")
    assert found.to_pylist() == ids


def test_values_that_come_again_are_the_same_from_a_dictionary():
    rows = ROWS * 1000
    dictionary = pyarrow.chunked_array([rows[:2345], rows[2345:]]).dictionary_encode()
    entries, why = throng.hash(dictionary, "email_hash", reasons=True)
    assert entries.to_pylist() == DIGESTS * 1000
    assert why.to_pylist() == REASONS * 1000


def test_each_row_has_its_country():
    numbers = ["021 123 4567", "020 7946 0123", "+64 21 123 4567", "021 123 4567"]
    one = throng.hash(numbers[:1], "phone_hash", country="NZ")[0]
    for countries in (["NZ", "GB", "GB", None], pyarrow.array(["NZ", "GB", "GB", None])):
        entries, why = throng.hash(numbers, "phone_hash", countries=countries, reasons=True)
        assert (entries[0], entries[2], entries[3]) == (one, one, None)
        assert entries[1] == throng.hash(["+442079460123"], "phone_hash")[0]
        assert why.to_pylist() == [None, None, None, "national_number"]
    with pytest.raises(ValueError, match="4 values have 1 countries"):
        throng.hash(numbers, "phone_hash", countries=["NZ"])


def test_a_column_is_a_sequence():
    column = throng.hash(ROWS, "email_hash")
    assert (len(column), column[0], column[-1], list(column)) == (len(ROWS), MARY, None, DIGESTS)
    assert MARY in column
    assert column.null_count == 5
    assert repr(column) == "<throng.Column of 7 rows, 5 of them null>"
    for index in (7, -8):
        with pytest.raises(IndexError):
            column[index]
    assert pyarrow.chunked_array(column).to_pylist() == DIGESTS
    # Each time anew.
    assert pyarrow.array(column) == pyarrow.array(column)
    pyarrow.array(column).validate(full=True)


def test_what_is_wrong_is_said_with_what_would_be_right():
    with pytest.raises(ValueError, match="possible values: email_hash, phone_hash, fbid") as raised:
        throng.hash([], "mail")
    assert isinstance(raised.value, throng.UsageError)
    assert raised.value.exit_code == 2 and not raised.value.retry
    with pytest.raises(ValueError, match="Germany"):
        throng.hash([], "phone_hash", country="Atlantis")
    with pytest.raises(ValueError, match="possible values: auto, always, never"):
        throng.hash([], "phone_hash", prehashed="perhaps")
    with pytest.raises(TypeError):
        throng.hash([], "email_hash", no_such_keyword=1)


SECRET = "canary@example.com"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (SECRET, "values must be an Arrow column or a list, not class str"),
        (SECRET.encode(), "values must be an Arrow column or a list, not class bytes"),
        (7, "values must be an Arrow column or a list, not class int"),
        (None, "values must be an Arrow column or a list, not class NoneType"),
        ([SECRET, 1.5], r"values\[1\] is of class float"),
        ([True], r"values\[0\] is of class bool"),
        ([[SECRET]], r"values\[0\] is of class list"),
        (pyarrow.array([1.5]), "a column of Float64 holds no identifiers"),
        (pyarrow.array([[SECRET]]), "a column of List"),
        (pyarrow.table({"a": [SECRET], "b": [SECRET]}), "values is a table of 2 columns"),
    ],
)
def test_what_is_no_column_is_refused_without_its_values(values, message):
    with pytest.raises(TypeError, match=message) as raised:
        throng.hash(values, "email_hash")
    assert SECRET not in str(raised.value)
