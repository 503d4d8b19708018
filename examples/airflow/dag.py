"""The nightly job in Airflow.

The last line that `throng sync` prints on standard output is its summary in JSON, and `do_xcom_push` makes it the task's
result: the tasks behind it read figures from it, such as how many people were uploaded. It holds no raw value and no
token.

Only exit codes 6 (the API is not there) and 7 (partly uploaded) are tried again: the same command goes on where it
stopped. Everything else is for a person, and trying again would change nothing, so the task fails for good. A
BashOperator does not tell these apart by itself, hence the small class below.

The token is a Secret of the workers' environment (THRONG_TOKEN) or a file that the job file names; it is not in here.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta

from airflow.exceptions import AirflowException, AirflowFailException
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import dag, task

JOB = "/etc/throng/nightly.toml"

#: Exit codes after which the same command is run again.
TRY_AGAIN = (6, 7)


class ThrongOperator(BashOperator):
    """A BashOperator that gives up at once where trying again changes nothing."""

    def execute(self, context):
        try:
            return super().execute(context)
        except AirflowException as error:
            if exit_code_of(str(error)) in TRY_AGAIN:
                raise
            raise AirflowFailException(str(error)) from error


def exit_code_of(message: str) -> int | None:
    """The exit code in the message of a BashOperator: `... returned a non-zero exit code 3.`"""
    found = re.search(r"exit code (\d+)", message)
    return int(found[1]) if found else None


@dag(
    schedule="15 3 * * *",
    start_date=datetime(2026, 11, 1),
    catchup=False,
    # A second run would end with 6 at once, since the state is locked.
    max_active_runs=1,
    tags=["audiences"],
)
def throng_nightly():
    sync = ThrongOperator(
        task_id="sync",
        # {date} in the job file means the day of this run, also if it is run later.
        bash_command=f"throng --log json sync --date {{{{ ds }}}} {JOB}",
        append_env=True,
        do_xcom_push=True,
        retries=3,
        retry_delay=timedelta(minutes=30),
        execution_timeout=timedelta(hours=8),
    )

    @task
    def tell(summary: str) -> None:
        """What people want to read in the morning."""
        for audience in json.loads(summary)["audiences"]:
            print(
                f"{audience['name']}: {audience['entries_sent']} uploaded, {audience['held_after']} held,"
                f" {audience['must_go']} must go"
            )

    tell(sync.output)


throng_nightly()
