"""The DAG of examples/airflow in Airflow itself: a night is uploaded, and what ends one is tried again or not.

    python3 -m venv target/airflow && target/airflow/bin/pip install apache-airflow target/wheels/throng-*.whl
    target/airflow/bin/python tests/interop/airflow_dag.py

Not in CI: Airflow takes minutes to install.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parent.parent.parent

#: Seconds that a run may take, one that waits for another try among them.
PATIENCE = 60

#: Runs the DAG as `airflow dags test` does, and prints the state of each task.
RUN = """
import sys
sys.path.insert(0, sys.argv[1])
if len(sys.argv) > 2:
    import throng
    def fail(*_, **__):
        raise getattr(throng, sys.argv[2])("made up", "a hint")
    throng.sync = fail
import dag
import datetime
from airflow.sdk.definitions.dag import DAG
(made,) = [of for of in vars(dag).values() if isinstance(of, DAG)] or [dag.throng_nightly()]
run = made.test(logical_date=datetime.datetime(2026, 11, 24, tzinfo=datetime.timezone.utc))
for of in run.get_task_instances():
    print("STATE", of.task_id, of.state, of.try_number)
"""


def run(folder, *error):
    environment = os.environ | {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "examples" / "airflow"),
        "THRONG_JOB": str(folder / "nightly.toml"),
    }
    if not (folder / "airflow").exists():
        subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], env=environment, check=True, capture_output=True)
    command = [sys.executable, "-c", RUN, ROOT / "examples" / "airflow", *error]
    log = folder / "log"
    with open(log, "w") as file:
        try:
            subprocess.run(command, env=environment, stdout=file, stderr=file, timeout=PATIENCE, cwd=folder)
        except subprocess.TimeoutExpired:
            # It waits to try again.
            pass
    said = log.read_text()
    states = dict(line.split()[1:3] for line in said.splitlines() if line.startswith("STATE"))
    return states, said


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name in ("crm_export.csv", "opt_outs.csv", "nightly.toml"):
            (folder / name).write_bytes((ROOT / "fixtures" / name).read_bytes())
        states, said = run(folder)
        assert states == {"sync": "success", "tell": "success"}, said[-4000:]
        assert " uploaded, " in said
        states, said = run(folder, "InputError")
        assert states["sync"] == "failed" and states["tell"] == "upstream_failed", said[-4000:]
        states, said = run(folder, "TemporaryError")
        assert states == {} and "up_for_retry" in said.lower(), said[-4000:]
    print("Airflow uploads a night, tries a temporary failure again, and gives up on what a person must see")


main()
