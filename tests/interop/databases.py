"""Recipes for databases and engines: what they write on a pipe, read by `throng prepare --from`.

    apt-get install postgresql
    python3 -m venv target/engines && target/engines/bin/pip install duckdb==2.0.0
    target/engines/bin/python tests/interop/databases.py target/debug/throng

A PostgreSQL of its own has a table of made-up people whose names hold quotes, commas and line ends. `psql \\copy`, DuckDB's CSV
and CSV in which every field is quoted, as Snowflake writes it, become the audience that Python makes of the same rows; a
query that fails half-way fails the run.
"""

import csv
import glob
import hashlib
import io
import os
import pathlib
import pwd
import random
import shlex
import subprocess
import sys
import tempfile

NAMES = ['Ann "Anni" Lee', "Doe, John", "two\nlines", "Zoë", "O'Neil", "back\\slash", "", "semi;colon"]


def rows():
    made_up = random.Random(3)
    for number in range(2_000):
        email = None if number % 50 == 0 else f"Person.{made_up.randrange(1_500)}@Mail.example"
        yield number, made_up.choice(NAMES), email


def expected(table):
    addresses = {email.lower() for _, _, email in table if email}
    return sorted(hashlib.sha256(address.encode()).hexdigest() for address in addresses)


def prepare(binary, folder, *commands):
    args = [argument for command in commands for argument in ("--from", command)]
    command = [binary, "prepare", *args, "-t", "email_hash", "-c", "email", "-o", folder / "out", "--overwrite"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def entries(folder):
    parts = sorted((folder / "out").glob("email_hash-*.txt"))
    return [line for part in parts for line in part.read_text().split()]


class PostgreSQL:
    """A cluster in a folder, on a socket there, for a user who is not root: PostgreSQL refuses root."""

    def __init__(self, folder):
        (self.bin,) = glob.glob("/usr/lib/postgresql/*/bin")[-1:]
        self.data, self.socket = folder / "data", folder
        self.user = "postgres" if os.getuid() == 0 else None
        if self.user:
            os.chown(folder, pwd.getpwnam(self.user).pw_uid, -1)
        self.run(f"{self.bin}/initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale", "C.UTF-8")
        options = f"-c listen_addresses='' -k {self.socket} -c fsync=off"
        self.run(f"{self.bin}/pg_ctl", "-D", self.data, "-w", "-l", folder / "log", "-o", options, "start")

    def run(self, *command):
        subprocess.run(command, check=True, user=self.user, stdout=subprocess.DEVNULL, cwd="/")

    def psql(self, sql):
        """A command for the shell."""
        return shlex.join(["psql", "-h", str(self.socket), "-U", "postgres", "-v", "ON_ERROR_STOP=1", "-c", sql])

    def stop(self):
        self.run(f"{self.bin}/pg_ctl", "-D", self.data, "-m", "immediate", "stop")


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    table = list(rows())
    with tempfile.TemporaryDirectory(prefix="throng-") as name:
        folder = pathlib.Path(name)
        os.chmod(folder, 0o755)
        (folder / "pg").mkdir()
        server = PostgreSQL(folder / "pg")
        try:
            text = io.StringIO()
            csv.writer(text).writerows([number, name, email or ""] for number, name, email in table)
            fill = "CREATE TABLE crm (id int, name text, email text)"
            subprocess.run(["sh", "-c", server.psql(fill)], check=True, stdout=subprocess.DEVNULL)
            load = server.psql(r"\copy crm FROM STDIN CSV")
            subprocess.run(["sh", "-c", load], input=text.getvalue(), text=True, check=True, stdout=subprocess.DEVNULL)

            recipe = server.psql(r"\copy (SELECT * FROM crm) TO STDOUT CSV HEADER")
            done = prepare(binary, folder, recipe)
            assert done.returncode == 0, done.stderr
            assert entries(folder) == expected(table), "PostgreSQL"

            # A row in the middle cannot be computed: psql has written those before it.
            broken = server.psql(r"\copy (SELECT id, name, email, 1 / (id - 1500) AS x FROM crm) TO STDOUT CSV HEADER")
            failed = prepare(binary, folder, broken)
            assert failed.returncode == 3 and "command 1 (psql)" in failed.stderr, failed.stderr
            assert entries(folder) == expected(table), "an earlier result is gone"

            halves = [server.psql(rf"\copy (SELECT * FROM crm WHERE id % 2 = {half}) TO STDOUT CSV HEADER") for half in (0, 1)]
            done = prepare(binary, folder, *halves)
            assert done.returncode == 0 and entries(folder) == expected(table), done.stderr
        finally:
            server.stop()

        source = folder / "crm.csv"
        with open(source, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["id", "name", "email"], *([i, n, e or ""] for i, n, e in table)])
        engine = f"import duckdb; duckdb.sql(\"SELECT * FROM '{source}'\").write_csv('/dev/stdout')"
        recipe = shlex.join([sys.executable, "-c", engine])
        done = prepare(binary, folder, recipe)
        assert done.returncode == 0 and entries(folder) == expected(table), done.stderr

        quoted = "import csv, sys; rows = csv.reader(open(sys.argv[1], newline='')); csv.writer(sys.stdout, quoting=csv.QUOTE_ALL).writerows(rows)"
        done = prepare(binary, folder, shlex.join([sys.executable, "-c", quoted, str(source)]))
        assert done.returncode == 0 and entries(folder) == expected(table), done.stderr
    print(f"PostgreSQL, DuckDB and quoted CSV: {len(expected(table))} entries each, and a query that fails fails the run")


main()
