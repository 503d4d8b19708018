"""The people of a table as an audience: each once, nobody who opted out. By columns, with the Python package.

    cp throng-*.whl throng.zip
    spark-submit --archives throng.zip#throng columns.py crm.parquet opt_outs.parquet audience

See README.md beside this file.
"""

import sys

import pyarrow
from pyspark import SparkFiles
from pyspark.sql import SparkSession


def digests(batches):
    """A column of digests for each column of addresses, within the executor."""
    # Where `--archives` has unpacked the wheel; not needed where the package is installed.
    sys.path.insert(0, SparkFiles.get("throng"))
    import throng

    for batch in batches:
        column = throng.hash(batch.column("email"), "email_hash")
        yield pyarrow.RecordBatch.from_arrays([pyarrow.array(column)], ["digest"])


def people(spark, path):
    """The digests of a table, without those of what is blank or rejected."""
    emails = spark.read.parquet(path).select("email")
    return emails.mapInArrow(digests, "digest string").filter("digest IS NOT NULL")


def main():
    crm, opt_outs, output = sys.argv[1:]
    spark = SparkSession.builder.appName("audience").getOrCreate()
    members = people(spark, crm).distinct().join(people(spark, opt_outs), "digest", "left_anti")
    how = {"compression": "none", "maxRecordsPerFile": 1_000_000}
    members.write.mode("overwrite").options(**how).text(output)
    spark.stop()


main()
