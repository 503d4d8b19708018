"""The nightly job in Airflow.

`throng.sync` returns its summary, which is the task's result: the tasks behind it read figures from it, such as how many people were
uploaded. It holds no raw value and no token.

Only what may go away by itself is tried again (the API is not there, or a part was not uploaded): the same job goes on where it stopped.
Everything else is for a person, and trying again would change nothing, so the task fails for good.

The token is a Secret of the workers' environment (THRONG_TOKEN) or a file that the job file names; it is not in here. The workers need
the Python package of throng.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta

import throng
from airflow.exceptions import AirflowFailException
from airflow.sdk import dag, task

JOB = os.environ.get("THRONG_JOB", "/etc/throng/nightly.toml")


@dag(
    schedule="15 3 * * *",
    start_date=datetime(2026, 11, 1),
    catchup=False,
    # A second run would end as temporary at once, since the state is locked.
    max_active_runs=1,
    tags=["audiences"],
)
def throng_nightly():
    # {date} in the job file means the day of this run, also if it is run later.
    @task(retries=3, retry_delay=timedelta(minutes=30), execution_timeout=timedelta(hours=8))
    def sync(ds=None) -> dict:
        try:
            return throng.sync(JOB, date=ds)
        except throng.Error as error:
            if error.retry:
                raise
            raise AirflowFailException(f"{error} (exit code {error.exit_code}; {error.hint})") from error

    @task
    def tell(summary: dict) -> None:
        """What people want to read in the morning."""
        for audience in summary["audiences"]:
            print(
                f"{audience['name']}: {audience['entries_sent']} uploaded, {audience['held_after']} held,"
                f" {audience['must_go']} must go"
            )

    tell(sync())


throng_nightly()
