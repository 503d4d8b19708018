"""The recipes of examples/python: digests row by row, the same ones in each, and those of `throng prepare`.

    python3 -m venv target/engines && target/engines/bin/pip install duckdb==2.0.0 pandas==3.1.1 polars==2.1.0 pyarrow==26.0.1
    target/engines/bin/python tests/interop/frames.py target/debug/throng
"""

import csv
import hashlib
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import duckdb
import pandas
import polars

EXAMPLES = pathlib.Path(__file__).parent.parent.parent / "examples" / "python"
sys.path.insert(0, str(EXAMPLES))
import with_duckdb  # noqa: E402
import with_pandas  # noqa: E402
import with_polars  # noqa: E402

ODD = [None, "", " n/a ", "nobody", "two@example.com\nthree@example.com", " MIXED@Example.com\r\n", "ü@example.com"]


def rows():
    made_up = random.Random(5)
    for number in range(5_000):
        is_odd = made_up.randrange(10) == 0
        yield number, made_up.choice(ODD) if is_odd else f"user.{made_up.randrange(3_000)}@example.com"


def expected(email):
    """What the rule makes of the values above."""
    email = (email or "").strip().lower()
    return hashlib.sha256(email.encode()).hexdigest() if email.startswith(("user.", "mixed@")) else None


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    os.environ["PATH"] = f"{binary.parent}:{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        crm = folder / "crm.csv"
        with open(crm, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "email"])
            writer.writerows(rows())
        digests = [(str(number), expected(email)) for number, email in rows()]

        frame = with_pandas.with_digests(pandas.read_csv(crm, dtype=str))
        found = zip(frame["id"], frame["digest"].astype(object).where(frame["digest"].notna(), None))
        assert list(found) == digests, "pandas"

        frame = with_polars.with_digests(polars.read_csv(crm, infer_schema=False))
        assert frame.select("id", "digest").rows() == digests, "polars"

        connection = duckdb.connect()
        with_duckdb.add_function(connection)
        crm_table = connection.read_csv(str(crm), all_varchar=True)  # noqa: F841
        found = connection.sql("SELECT id, email_hash(email) FROM crm_table ORDER BY id::INT").fetchall()
        assert found == digests, "duckdb"

        out = folder / "out"
        prepare = [binary, "prepare", crm, "-t", "email_hash", "-c", "email", "-q", "-o", out]
        subprocess.run([*prepare, "--max-rejects", "50%"], check=True)
        prepared = set((out / "email_hash-00001.txt").read_text().split())
        assert prepared == {digest for _, digest in digests if digest}, "prepare"

        for recipe in ("with_pandas.py", "with_polars.py", "with_duckdb.py"):
            done = subprocess.run([sys.executable, EXAMPLES / recipe, crm], capture_output=True, text=True)
            assert done.returncode == 0 and "digest" in done.stdout, f"{recipe}: {done.stderr}"
    print(f"{len(digests)} digests are the same in pandas, polars, DuckDB and throng prepare")


main()
