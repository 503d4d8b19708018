"""Digests as a function of DuckDB's SQL: python with_duckdb.py crm.csv"""

import sys

import duckdb
import pyarrow
from hash_column import hash_column


def add_function(connection):
    """Makes `email_hash(text)` known. DuckDB calls it for some thousand rows at a time."""

    def email_hash(values):
        return pyarrow.array(hash_column(values.to_pylist(), "email_hash"), pyarrow.string())

    connection.create_function(
        "email_hash",
        email_hash,
        [duckdb.sqltype("VARCHAR")],
        duckdb.sqltype("VARCHAR"),
        type="arrow",
        null_handling="special",
    )


if __name__ == "__main__":
    connection = duckdb.connect()
    add_function(connection)
    # As text: ids would lose digits as floats, phone numbers their zeros.
    crm = connection.read_csv(sys.argv[1], all_varchar=True)
    print(connection.sql("SELECT *, email_hash(email) AS digest FROM crm"))
