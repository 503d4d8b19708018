"""Digests as a column of a pandas frame: python with_pandas.py crm.csv"""

import sys

import pandas
from hash_column import hash_column


def with_digests(frame):
    """The frame with a digest beside each address."""
    # A missing value is NaN here, and None there.
    values = frame["email"].astype(object).where(frame["email"].notna(), None)
    return frame.assign(digest=hash_column(values, "email_hash"))


if __name__ == "__main__":
    # As text: ids would lose digits as floats, phone numbers their zeros.
    print(with_digests(pandas.read_csv(sys.argv[1], dtype=str)))
