"""Spark's Snappy library on a machine that has musl beside its own C library: it would take the library for musl."""

import os
import pathlib
import zipfile


def choose_library(folder):
    """Unpacks the library of the usual kind into `folder`, and tells every Java that is started from here on."""
    import pyspark

    if not os.path.exists("/lib/ld-musl-x86_64.so.1"):
        return
    (jar,) = pathlib.Path(pyspark.__file__).parent.glob("jars/snappy-java-*.jar")
    name = "org/xerial/snappy/native/Linux/x86_64/libsnappyjava.so"
    library = zipfile.ZipFile(jar).extract(name, folder)
    path = f"-Dorg.xerial.snappy.lib.path={pathlib.Path(library).parent}"
    os.environ["JAVA_TOOL_OPTIONS"] = f"{path} -Dorg.xerial.snappy.lib.name=libsnappyjava.so"
