"""The people of a table as an audience: each once, nobody who opted out. The same as audience.sql, for PySpark.

    spark-submit --files /usr/local/bin/throng audience.py crm.parquet opt_outs.parquet audience

See README.md beside this file.
"""

import sys

from pyspark.sql import SparkSession

#: Where `--files` puts the binary on every executor. One thread: Spark runs as many of them as there are cores.
FILTER = "./throng hash -t email_hash --threads 1"


def line(row):
    """A value as one line; a line break within it would make two."""
    value = row.email or ""
    return value.replace("\n", " ").replace("\r", " ")


def digests(spark, path):
    """What the filter answers, without the empty lines of what is blank or rejected."""
    lines = spark.read.parquet(path).select("email").rdd.map(line)
    # Without checkCode, a filter that fails would leave people out in silence.
    answers = lines.pipe(FILTER, checkCode=True)
    return spark.createDataFrame(answers.filter(bool).map(lambda digest: (digest,)), "digest string")


def main():
    crm, opt_outs, output = sys.argv[1:]
    spark = SparkSession.builder.appName("audience").getOrCreate()
    members = digests(spark, crm).distinct().join(digests(spark, opt_outs), "digest", "left_anti")
    how = {"compression": "none", "maxRecordsPerFile": 1_000_000}
    members.write.mode("overwrite").options(**how).text(output)
    spark.stop()


main()
