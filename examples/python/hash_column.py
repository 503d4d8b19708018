"""A column of values through `throng hash`."""

import subprocess


def hash_column(values, user_type, *flags, throng="throng"):
    """The entry of each value; None for one that is blank or rejected, and for None.

    `flags` are those of `throng hash`, such as "--country", "DE".
    """
    # A line break within a value would make two lines of it.
    lines = ["" if value is None else str(value).translate(BREAKS) for value in values]
    command = [throng, "hash", "-t", user_type, *flags]
    text = "".join(line + "\n" for line in lines)
    done = subprocess.run(command, input=text.encode(), stdout=subprocess.PIPE, check=True)
    entries = done.stdout.decode().split("\n")[:-1]
    if len(entries) != len(lines):
        raise ValueError(f"{len(lines)} values, {len(entries)} answers")
    return [entry or None for entry in entries]


BREAKS = {ord("\n"): " ", ord("\r"): " "}
