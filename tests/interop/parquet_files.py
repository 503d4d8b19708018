"""Parquet files of pyarrow and DuckDB, in every encoding and compression that they write: throng makes of them what it makes
of the same data in CSV, byte by byte and count by count.

    parquet_files.py THRONG [NAME=FILE ...]

Further files with the same data, which other engines wrote, can be given; `parquet_files.py --csv FILE` writes that data.
"""

import csv
import itertools
import json
import pathlib
import random
import subprocess
import sys
import tempfile

# More than a page, and more than a row group of the smaller files.
ROWS = 45_000
CODECS = ["none", "snappy", "gzip", "brotli", "lz4", "zstd"]
COLUMNS = ["email", "phone", "fbid", "unsigned", "country", "contact.email", "city"]
AUDIENCES = [
    "email=email_hash",
    "phone=phone_hash",
    "fbid=fbid",
    "unsigned=fbid:big",
    "contact.email=email_hash:contact",
    "city=custom_audience_third_party_id",
]


def rows():
    """Repeated people, few cities, nulls, dirt."""
    made_up = random.Random(7)
    odd = [None, "", "  ", "n/a", "not an address", "zażółć@example.com", " Mary@Example.com ", "x" * 70_000, "a,\"b\"\nc"]
    for _ in range(ROWS):
        person = made_up.randrange(ROWS // 2)
        is_odd = made_up.randrange(20) == 0
        email = made_up.choice(odd) if is_odd else f"user.{person}@mail{person % 7}.example.com"
        phone = None if is_odd else made_up.choice([f"+4420{70_000_000 + person}", f"07911 {100_000 + person}"])
        fbid = None if person % 9 == 0 else 0 if person % 101 == 0 else 10**9 + person * 7
        unsigned = 2**64 - 1 - person
        country = made_up.choice(["GB", "gb", "DE", None])
        contact = None if person % 5 == 0 else f"contact{person % 300}@example.com"
        city = made_up.choice(["Wellington", "Genève", "city 3", None])
        yield email, phone, fbid, unsigned, country, contact, city


def write_csv(path):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows())


def prepare(throng, path, out, *more):
    maps = [word for audience in AUDIENCES for word in ("--map", audience)]
    command = [throng, "prepare", path, *maps, "--max-rejects", "100%", "-q", "-o", out, *more]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{path.name} {more}: {done.stderr}"


def result(out, header_lines):
    """Every part, and what is counted; of inputs, what does not depend on the format."""
    files = {file.name: file.read_bytes() for file in out.iterdir() if file.name != "manifest.json"}
    manifest = json.loads((out / "manifest.json").read_text())
    for audience in manifest["audiences"]:
        for reject in audience["rejected"]:
            del reject["first_source"]
            reject["first_row"] = None
            del reject["first_line"]
    records = [source["records"] for source in manifest["inputs"]]
    return files, manifest["audiences"], records


def rejects(path):
    with open(path, newline="", encoding="utf-8") as file:
        return [row[2:] for row in csv.reader(file)]


class Comparison:
    def __init__(self, throng, folder):
        self.throng, self.folder, self.count = throng, folder, 0
        self.csv = folder / "data.csv"
        write_csv(self.csv)
        self.expected = {more: self.run(self.csv, more) for more in self.options()}

    def options(self):
        return [(), ("--country-column", "country"), ("--rejects", str(self.folder / "rejects.csv"))]

    def run(self, path, more):
        out = self.folder / "out"
        prepare(self.throng, path, out, *more, "--overwrite")
        listed = rejects(self.folder / "rejects.csv") if "--rejects" in more else None
        return *result(out, 0), listed

    def check(self, name, path, *options):
        """The same as the same data in CSV; with all options that decide how columns are read, unless some are given."""
        for more in options or self.options()[:1]:
            found = self.run(path, more)
            for what, expected, got in zip(("files", "counts", "records", "rejects"), self.expected[more], found):
                assert expected == got, f"{name} {more}: {what} differ from those of CSV"
        self.count += 1


def pyarrow_files(folder):
    import pyarrow
    import pyarrow.parquet

    columns = list(zip(*rows()))
    types = [pyarrow.string(), pyarrow.large_string(), pyarrow.int64(), pyarrow.uint64(), pyarrow.string()]
    arrays = [pyarrow.array(column, type=of) for column, of in zip(columns, types)]
    contact = pyarrow.array([None if value is None else {"email": value} for value in columns[5]])
    city = pyarrow.array(columns[6]).dictionary_encode()
    names = [*COLUMNS[:5], "contact", "city"]
    table = pyarrow.table([*arrays, contact, city], names=names)

    def write(name, **how):
        path = folder / f"pyarrow-{name}.parquet"
        pyarrow.parquet.write_table(table, path, **how)
        return name, path

    for codec, version in itertools.product(CODECS, ["1.0", "2.0"]):
        yield write(f"{codec}-{version}", compression=codec, data_page_version=version)
    # A codec of every kind: strings and integers in each encoding.
    strings = ["email", "phone", "country", "contact.email"]
    for text, number in [
        ("PLAIN", "PLAIN"),
        ("DELTA_BYTE_ARRAY", "DELTA_BINARY_PACKED"),
        ("DELTA_LENGTH_BYTE_ARRAY", "BYTE_STREAM_SPLIT"),
    ]:
        encodings = {name: text for name in strings} | {"fbid": number, "unsigned": number}
        for version in ["1.0", "2.0"]:
            how = {"use_dictionary": ["city"], "column_encoding": encodings, "data_page_version": version}
            yield write(f"{text}-{version}", **how)
    yield write("checksums", write_page_checksum=True, row_group_size=1000)
    # The dictionary is given up in the middle of a column.
    yield write("fallback", dictionary_pagesize_limit=50_000, data_page_size=5_000, row_group_size=20_000)
    yield write("bit-of-each", row_group_size=777, data_page_size=100, use_dictionary=False)
    yield write("old", version="1.0", store_schema=False)


def duckdb_files(folder):
    import duckdb

    source = folder / "pyarrow-old.parquet"
    for codec, version in itertools.product(["uncompressed", *CODECS[1:], "lz4_raw"], ["V1", "V2"]):
        path = folder / f"duckdb-{codec}-{version}.parquet"
        how = f"FORMAT parquet, COMPRESSION {codec}, PARQUET_VERSION {version}, ROW_GROUP_SIZE 20480"
        duckdb.sql(f"COPY (FROM '{source}') TO '{path}' ({how})")
        yield f"{codec}-{version}", path


def main():
    if sys.argv[1] == "--csv":
        write_csv(sys.argv[2])
        return
    with tempfile.TemporaryDirectory() as folder:
        comparison = Comparison(sys.argv[1], pathlib.Path(folder))
        for name, path in pyarrow_files(comparison.folder):
            every = name in ("snappy-1.0", "fallback", "DELTA_BYTE_ARRAY-2.0")
            comparison.check(f"pyarrow {name}", path, *(comparison.options() if every else ()))
        for name, path in duckdb_files(comparison.folder):
            comparison.check(f"duckdb {name}", path)
        for argument in sys.argv[2:]:
            name, path = argument.split("=", 1)
            comparison.check(name, pathlib.Path(path), *comparison.options())
    print(f"{comparison.count} Parquet files give what the same data in CSV gives")


main()
