"""Columns of other libraries, and their functions on columns."""

from __future__ import annotations

import duckdb
import pandas
import polars
import pyarrow

import throng

ROWS = ["mary@example.com", None, " Mary@Example.COM ", "nobody"] * 3000
DIGESTS = throng.hash(ROWS, "email_hash").to_pylist()


def test_polars():
    series = polars.Series("email", ROWS)
    assert polars.Series(throng.hash(series, "email_hash")).to_list() == DIGESTS
    assert polars.Series(throng.hash(series.cast(polars.Categorical), "email_hash")).to_list() == DIGESTS
    frame = polars.concat([series.to_frame()] * 2, rechunk=False)
    digest = polars.col("email").map_batches(
        lambda column: polars.Series(throng.hash(column, "email_hash")), return_dtype=polars.String
    )
    assert frame.lazy().with_columns(digest=digest).collect()["digest"].to_list() == DIGESTS * 2
    _, why = throng.hash(series, "email_hash", reasons=True)
    assert polars.Series(why).cast(polars.String).to_list()[:4] == [None, None, None, "no_at_sign"]


def test_pandas():
    frame = pandas.DataFrame({"email": ROWS})
    assert throng.hash(frame["email"], "email_hash").to_pylist() == DIGESTS
    found = pandas.Series.from_arrow(throng.hash(frame["email"], "email_hash"))
    assert found.astype(object).where(found.notna(), None).to_list() == DIGESTS
    assert throng.hash(frame["email"].astype("category"), "email_hash").to_pylist() == DIGESTS
    assert throng.hash(frame["email"].astype(object), "email_hash").to_pylist() == DIGESTS
    assert throng.hash(pandas.Series(ROWS, dtype=pandas.ArrowDtype(pyarrow.string())), "email_hash").to_pylist() == DIGESTS


def test_duckdb():
    crm = pyarrow.table({"row": range(len(ROWS)), "email": ROWS})
    assert crm.num_rows == len(ROWS)
    connection = duckdb.connect()
    relation = connection.sql("SELECT email FROM crm ORDER BY row")
    assert throng.hash(relation, "email_hash").to_pylist() == DIGESTS
    connection.create_function(
        "email_hash",
        lambda column: pyarrow.array(throng.hash(column, "email_hash")),
        ["VARCHAR"],
        "VARCHAR",
        type="arrow",
        null_handling="special",
    )
    found = connection.sql("SELECT email_hash(email) FROM crm ORDER BY row").fetchall()
    assert [digest for (digest,) in found] == DIGESTS
    entries, why = throng.hash(crm["email"], "email_hash", reasons=True)
    answers = pyarrow.table({"digest": entries, "reason": why})
    assert connection.sql("SELECT count(*) FROM answers WHERE reason = 'no_at_sign'").fetchall() == [(3000,)]


def test_pyarrow():
    column = pyarrow.chunked_array([ROWS[:5], ROWS[5:]])
    table = pyarrow.table({"digest": throng.hash(column, "email_hash")})
    assert table["digest"].to_pylist() == DIGESTS
    table.validate(full=True)
