"""Parquet files of pyarrow, DuckDB and Spark, in every encoding and compression that they write: throng makes of them what
it makes of the same data in CSV, byte by byte and count by count.

    python3 -m venv target/engines && target/engines/bin/pip install pyarrow==26.0.1 duckdb==2.0.0 pyspark==4.3.0
    target/engines/bin/python tests/interop/parquet_files.py target/debug/throng
"""

import csv
import itertools
import json
import pathlib
import random
import subprocess
import sys
import tempfile

from snappy_for_spark import choose_library

# More than a page, and more than a row group of the smaller files.
ROWS = 25_000
#: A value longer than a page stands in so few rows that a debug build is not busy with nothing else.
LONG_EVERY = ROWS // 12
CODECS = ["none", "snappy", "gzip", "brotli", "lz4", "zstd"]
COLUMNS = ["email", "phone", "fbid", "unsigned", "country", "contact.email", "city"]
#: Files that are also read with a column of countries, and with a reject list.
EVERY_OPTION = ("snappy-1.0", "fallback", "DELTA_BYTE_ARRAY-2.0", "zstd-V2", "lz4-v1")
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
    odd = [None, "", "  ", "n/a", "not an address", "zażółć@example.com", " Mary@Example.com ", "a,\"b\"\nc"]
    for row in range(ROWS):
        person = made_up.randrange(ROWS // 2)
        is_odd = made_up.randrange(20) == 0
        long = "x" * 70_000 if row % LONG_EVERY == LONG_EVERY - 1 else None
        email = long or made_up.choice(odd) if is_odd or long else f"user.{person}@mail{person % 7}.example.com"
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
    command = [throng, "prepare", path, *maps, "--max-rejects", "100%", "--ids", "any", "--case", "lower", "-q", "-o", out, *more]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{path.name} {more}: {done.stderr}"


def result(out):
    """Every part, and what is counted. Where a reject occurred first depends on line breaks within values."""
    files = {file.name: file.read_bytes() for file in out.iterdir() if file.name != "manifest.json"}
    manifest = json.loads((out / "manifest.json").read_text())
    for audience in manifest["audiences"]:
        for reject in audience["rejects"]:
            del reject["first_source"], reject["first_line"]
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
        return *result(out), listed

    def check(self, name, path, options=((),)):
        for more in options:
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
    yield write("fallback", dictionary_pagesize_limit=50_000, data_page_size=5_000, row_group_size=12_000)
    yield write("bit-of-each", row_group_size=777, data_page_size=100, use_dictionary=False)
    yield write("old", version="1.0", store_schema=False)


def duckdb_files(folder):
    import duckdb

    source = folder / "pyarrow-old.parquet"
    for codec, version in itertools.product(["uncompressed", *CODECS[1:], "lz4_raw"], ["V1", "V2"]):
        path = folder / f"duckdb-{codec}-{version}.parquet"
        how = f"FORMAT parquet, COMPRESSION {codec}, PARQUET_VERSION {version}, ROW_GROUP_SIZE 10240"
        duckdb.sql(f"COPY (FROM '{source}') TO '{path}' ({how})")
        yield f"{codec}-{version}", path


def check_long_list(throng, folder):
    """The rejects of a row group are kept until it is its turn: no more of them than the memory limit allows."""
    import pyarrow
    import pyarrow.parquet

    path, out, listed = folder / "rejects.parquet", folder / "out", folder / "rejects.csv"
    pyarrow.parquet.write_table(pyarrow.table({"email": ["nobody"] * 50_000}), path)
    command = [throng, "prepare", path, "-t", "email_hash", "-o", out, "--overwrite", "--memory", "32M", "--rejects", listed]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 3 and "their list is too long" in done.stderr, done.stderr


def spark_files(folder):
    import pyspark.sql

    choose_library(folder)
    session = pyspark.sql.SparkSession.builder.master("local[2]")
    session = session.config("spark.ui.enabled", "false").config("spark.log.level", "ERROR").getOrCreate()
    # Spark has no unsigned integers.
    # And a column without nulls is one that cannot have any.
    source = session.read.parquet(str(folder / "pyarrow-old.parquet"))
    source = source.withColumn("unsigned", pyspark.sql.functions.expr("coalesce(string(unsigned), '')"))
    source = source.coalesce(1).cache()
    for codec, version in itertools.product(["none", "snappy", "gzip", "lz4", "lz4_raw", "zstd"], ["v1", "v2"]):
        path = folder / f"spark-{codec}-{version}"
        how = {"compression": codec, "parquet.writer.version": version, "parquet.enable.dictionary": codec != "lz4"}
        source.write.options(**how).parquet(str(path))
        (part,) = path.glob("part-*.parquet")
        yield f"{codec}-{version}", part
    session.stop()


def main():
    with tempfile.TemporaryDirectory() as folder:
        comparison = Comparison(sys.argv[1], pathlib.Path(folder))
        for writer, files in [("pyarrow", pyarrow_files), ("duckdb", duckdb_files), ("spark", spark_files)]:
            for name, path in files(comparison.folder):
                options = comparison.options() if name in EVERY_OPTION else ((),)
                comparison.check(f"{writer} {name}", path, options)
            print(f"{comparison.count} files, the last ones of {writer}", flush=True)
        check_long_list(sys.argv[1], comparison.folder)
    print(f"{comparison.count} Parquet files give what the same data in CSV gives")


main()
