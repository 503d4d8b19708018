"""The jobs of examples/spark on a real cluster: a standalone master with two workers.

    python3 -m venv target/engines && target/engines/bin/pip install pyspark==4.3.0 pyarrow==26.0.1
    target/engines/bin/python tests/interop/spark.py target/debug/throng target/wheels/throng-*.whl

All forms of the job must give the entries that `throng prepare` gives, pass `throng prepare` as
they are, and upload; also if a worker is killed in the middle; and a filter that fails must fail the job.
"""

import contextlib
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import pyarrow
import pyarrow.parquet
import pyspark

from snappy_for_spark import choose_library

EXAMPLES = pathlib.Path(__file__).parent.parent.parent / "examples" / "spark"
SPARK = pathlib.Path(pyspark.__file__).parent
ROWS = 100_000
#: How long anything may take before the test has failed.
PATIENCE = 120


def write_tables(folder):
    """The CRM in eight files, so that there are tasks for two workers, and who opted out; both also as CSV."""
    made_up = random.Random(3)
    odd = [None, "", "\tn/a ", "not an address", "two@example.com\nthree@example.com", "  MIXED@Example.com \r\n", "ü@example.com"]
    people = [
        made_up.choice(odd) if made_up.randrange(20) == 0 else f"user.{made_up.randrange(ROWS * 2 // 3)}@example.com"
        for _ in range(ROWS)
    ]
    (folder / "crm").mkdir()
    for part in range(8):
        table = pyarrow.table({"id": range(ROWS // 8), "email": people[part::8]})
        pyarrow.parquet.write_table(table, folder / "crm" / f"{part}.parquet")
    opt_outs = [f" User.{number}@example.com" for number in range(0, ROWS, 50)]
    (folder / "opt_outs").mkdir()
    pyarrow.parquet.write_table(pyarrow.table({"email": opt_outs}), folder / "opt_outs" / "0.parquet")


class Cluster:
    """A master and two workers, each in a process group of its own with all that it starts."""

    def __init__(self, folder):
        self.folder, self.processes, self.master = folder, [], None

    def __enter__(self):
        here = "127.0.0.1"
        log = self.start("master", "master.Master", "--host", here, "--port", "0", "--webui-port", "0")
        self.master = self.wait_for(log, r"Starting Spark master at (spark://\S+)")
        for name in ("worker-1", "worker-2"):
            self.add_worker(name)
        return self

    def add_worker(self, name):
        what = ("--host", "127.0.0.1", "--cores", "1", "--memory", "1g", "--webui-port", "0")
        log = self.start(name, "worker.Worker", *what, "--work-dir", self.folder / name, self.master)
        self.wait_for(log, r"(Successfully registered) with master")

    def start(self, name, of, *arguments):
        log = self.folder / f"{name}.log"
        command = [SPARK / "bin" / "spark-class", f"org.apache.spark.deploy.{of}", *arguments]
        with open(log, "w") as file:
            process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
        self.processes.append((name, process))
        return log

    def wait_for(self, log, pattern):
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            found = re.search(pattern, log.read_text())
            if found:
                return found[1]
            time.sleep(0.1)
        raise AssertionError(f"{log.name}: {log.read_text()[-2000:]}")

    def kill(self, name):
        (process,) = [process for its, process in self.processes if its == name]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def __exit__(self, *_):
        for name, _ in self.processes:
            self.kill(name)


def submit(cluster, form, shipped, output):
    """Starts a job in one of its forms; the binary, or for columns the wheel, is shipped to the executors."""
    folder = cluster.folder
    inputs = [folder / "crm", folder / "opt_outs", output]
    ship = ["--archives", f"{shipped}#throng"] if form == "columns" else ["--files", shipped]
    common = ["--master", cluster.master, *ship, "--conf", "spark.ui.enabled=false"]
    if form == "sql":
        names = ("crm", "opt_outs", "output")
        defines = [word for name, path in zip(names, inputs) for word in ("-d", f"{name}={path}")]
        command = [SPARK / "bin" / "spark-sql", *common, *defines, "-f", EXAMPLES / "audience.sql"]
    else:
        program = "columns.py" if form == "columns" else "audience.py"
        command = [SPARK / "bin" / "spark-submit", *common, EXAMPLES / program, *inputs]
    environment = os.environ | {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    # Where spark-sql keeps its catalogue.
    where = {"cwd": folder, "env": environment, "start_new_session": True}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **where)


def finish(job):
    try:
        said, _ = job.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(job.pid, signal.SIGKILL)
        raise
    return job.returncode, said


def throng(binary, *arguments):
    done = subprocess.run([binary, *arguments], capture_output=True, text=True)
    return done.returncode, done.stderr


def entries(directory, pattern):
    lines = [line for part in sorted(directory.glob(pattern)) for line in part.read_text().splitlines()]
    assert len(set(lines)) == len(lines), "an entry occurs twice"
    return set(lines)


def filter_script(path, text):
    """A program that is called throng; `--files` keeps the name."""
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def check_result(binary, output, expected, form):
    assert (output / "_SUCCESS").exists()
    prepared = output.with_name(f"{form}-prepared")
    digests = ["-t", "email_hash", "--prehashed", "always", "--max-rejects", "0"]
    code, said = throng(binary, "prepare", output / "part-*", *digests, "-q", "-o", prepared)
    assert code == 0, f"{form}: {said}"
    found = entries(prepared, "*.txt")
    assert found == entries(output, "part-*"), f"{form}: prepare takes other entries than Spark wrote"
    assert found == expected, f"{form}: {len(found - expected)} more and {len(expected - found)} fewer than prepare"


def main():
    binary, wheel = (pathlib.Path(path).resolve() for path in sys.argv[1:])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        folder = pathlib.Path(folder)
        choose_library(folder)
        write_tables(folder)
        prepared = folder / "prepared"
        crm = [folder / "crm" / f"{part}.parquet" for part in range(8)]
        opt_outs = folder / "opt_outs" / "0.parquet"
        job = ["prepare", *crm, "-t", "email_hash", "-c", "email", "--suppress", opt_outs, "-q", "-o", prepared]
        code, said = throng(binary, *job)
        assert code == 0, said
        expected = entries(prepared, "*.txt")
        with Cluster(folder) as cluster:
            for form in ("sql", "python"):
                output = folder / f"{form}-audience"
                code, said = finish(submit(cluster, form, binary, output))
                assert code == 0, f"{form}: {said[-4000:]}"
                check_result(binary, output, expected, form)

                # The first half of its input is answered, then it fails.
                failing = f"head -n 5000 | {binary} \"$@\"; exit 7\n"
                failing = filter_script(folder / f"{form}-failing" / "throng", failing)
                output = folder / f"{form}-failed"
                code, said = finish(submit(cluster, form, failing, output))
                assert code != 0, f"{form}: a filter that fails does not fail the job"
                assert not (output / "_SUCCESS").exists(), f"{form}: a job that failed looks finished"

            # Spark unpacks what is called a zip, and a wheel is one.
            shutil.copy(wheel, folder / "throng.zip")
            output = folder / "columns-audience"
            code, said = finish(submit(cluster, "columns", folder / "throng.zip", output))
            assert code == 0, f"columns: {said[-4000:]}"
            check_result(binary, output, expected, "columns")

            upload = ["upload", folder / "sql-prepared", "--create", "x", "--ad-account", "1"]
            code, said = throng(binary, *upload, "--sandbox", "--state", folder / "state")
            assert code == 0, said

            # Every filter of the first worker hangs, until that is killed: its tasks are run again by the other one.
            hanging = folder / "worker-1"
            script = f"case $PWD in {hanging}/*) touch {folder}/hangs; sleep 1000;; esac; exec {binary} \"$@\"\n"
            slow = filter_script(folder / "slow" / "throng", script)
            output = folder / "killed-audience"
            job = submit(cluster, "python", slow, output)
            until = time.monotonic() + PATIENCE
            while not (folder / "hangs").exists():
                assert time.monotonic() < until and job.poll() is None, job.communicate()[0][-4000:]
                time.sleep(0.1)
            cluster.kill("worker-1")
            code, said = finish(job)
            assert code == 0, f"killed: {said[-4000:]}"
            check_result(binary, output, expected, "killed")
    print(f"Spark gives the {len(expected)} entries that prepare gives, fails with its filter, and survives a worker")


main()
