"""Digests as a column of a polars frame: python with_polars.py crm.csv"""

import sys

import polars
from hash_column import hash_column


def with_digests(frame):
    """The frame with a digest beside each address."""
    digests = hash_column(frame["email"].to_list(), "email_hash")
    return frame.with_columns(polars.Series("digest", digests, dtype=polars.String))


if __name__ == "__main__":
    # As text: ids would lose digits as floats, phone numbers their zeros.
    print(with_digests(polars.read_csv(sys.argv[1], infer_schema=False)))
