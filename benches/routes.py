"""The routes of `peers.py --routes`: one table in every form that exports come in, and what others do with it.

Every program has the same work: the addresses of one column of seven, trimmed and in lower case, or the numbers of a column of
national phone numbers in digits with the country's code; SHA-256 in hex; each once, one a line.
"""

import json
import os
import random
import shutil
import statistics
import subprocess
import sys

from peers import ROOT, THREADS, WORK, environment, remove, set_of, timed, touch_memory, versions

RESULTS = ROOT / "benches" / "routes.json"
README = ROOT / "README.md"
PLOT = ROOT / "benches" / "routes.svg"
BEGIN, END = "<!-- written by benches/peers.py --routes -->\n", "<!-- up to here -->\n"
PARTS = 12
HEADER = "id,created_at,first_name,last_name,email,city,amount\n"
SHOWN = {"throng": "throng", "clickhouse": "ClickHouse", "polars": "polars", "duckdb": "DuckDB"}

# Of each route: the files, the column, and what throng is told beside it.
ROUTES = {
    "lines": ("lines.txt", "line", ["--format", "lines"]),
    "CSV": ("rows.csv", "email", ["-c", "email"]),
    "CSV, one .gz": ("rows.csv.gz", "email", ["-c", "email"]),
    f"CSV, {PARTS} .gz parts": ("parts/*.csv.gz", "email", ["-c", "email"]),
    "CSV, .zst": ("rows.csv.zst", "email", ["-c", "email"]),
    "Parquet, Snappy": ("rows.parquet", "email", ["-c", "email"]),
    "national phones, CSV": ("phones.csv", "phone", ["-c", "phone", "--country", "DE"]),
}


def rows_of(count):
    """Rows of a table, and the same people's phone numbers."""
    draw = random.Random(1).random
    firsts = "Ann Bob Carla Dmitri Eva Farid Grace Hiro Ines Jonas Katarzyna Liam Maria Noor Oskar Priya".split()
    lasts = "Meyer Smith Garcia Kowalski Tanaka Singh Rossi Dupont Ivanov Okafor Nguyen Larsen Silva Novak".split()
    domains = "mail.example post.example web.example.com gmx.example.net corp.example.org".split()
    cities = ["Berlin", "London", "São Paulo", '"Washington, DC"', "Tokyo", "Lagos", "Paris", "Wien"]
    phones = ["0%s %s", "(0%s) %s", "0%s/%s", "0%s-%s"]
    for number in range(count):
        first, last = firsts[int(draw() * 16)], lasts[int(draw() * 14)]
        domain, city, who = domains[int(draw() * 5)], cities[int(draw() * 8)], int(draw() * count * 2)
        second, amount = int(draw() * 86400), int(draw() * 200000)
        created = f"2025-{1 + who % 12:02}-{1 + who % 28:02}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"
        email = f"{first}.{last}{who}@{domain}"
        phone = phones[who % 4] % (f"1{51 + who % 28}", f"{1000000 + int(draw() * 8999999)}")
        yield f"{1000000 + number},{created},{first},{last},{email},{city},{amount / 100:.2f}\n", email, phone


def make_data(work, count, interpreter):
    """Writes what is not there yet."""
    done = work / "done"
    if done.exists():
        return
    shutil.rmtree(work, ignore_errors=True)
    (work / "parts").mkdir(parents=True)
    with open(work / "rows.csv", "w") as rows, open(work / "lines.txt", "w") as lines, \
            open(work / "phones.csv", "w") as phones:
        rows.write(HEADER)
        phones.write("id,phone\n")
        for number, (row, email, phone) in enumerate(rows_of(count)):
            rows.write(row)
            lines.write(f"{email}\n")
            phones.write(f"{number},{phone}\n")
    subprocess.run(["gzip", "-k", "-6", work / "rows.csv"], check=True)
    subprocess.run(["zstd", "-q", "-k", work / "rows.csv"], check=True)
    with open(work / "rows.csv") as rows:
        next(rows)
        for part in range(PARTS):
            path = work / "parts" / f"part-{part:02}.csv"
            with open(path, "w") as out:
                out.write(HEADER)
                for _, row in zip(range(-(-count // PARTS)), rows):
                    out.write(row)
            subprocess.run(["gzip", "-6", path], check=True)
    code = (
        f"import duckdb; duckdb.connect().execute(\"COPY (FROM read_csv('{work}/rows.csv'))"
        f" TO '{work}/rows.parquet' (FORMAT parquet, COMPRESSION snappy)\")"
    )
    subprocess.run([interpreter, "-c", code], check=True)
    done.touch()


COLUMNS = "id UInt64, created_at String, first_name String, last_name String, email String, city String, amount Float64"


def run_clickhouse(source, column, target):
    import chdb

    if column == "line":
        table, value = f"file('{source}', 'LineAsString', 'line String')", "lower(trim(BOTH ' ' FROM line))"
    elif column == "phone":
        table = f"file('{source}', 'CSVWithNames', 'id UInt64, phone String')"
        value = "concat('49', substring(replaceRegexpAll(phone, '[^0-9]', ''), 2))"
    else:
        form = "'Parquet'" if source.endswith(".parquet") else f"'CSVWithNames', '{COLUMNS}'"
        table, value = f"file('{source}', {form})", "lower(trim(BOTH ' ' FROM email))"
    where = "" if column == "phone" else "WHERE value LIKE '%_@_%.%'"
    chdb.query(
        f"""SELECT lower(hex(SHA256(value))) FROM (SELECT {value} AS value FROM {table} {where} GROUP BY value)
        INTO OUTFILE '{target}' FORMAT TSVRaw
        SETTINGS max_threads = {THREADS}, output_format_parallel_formatting = 1"""
    )


def run_duckdb(source, column, target):
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"SET threads = {THREADS}; SET preserve_insertion_order = false")
    if column == "line":
        table = (
            f"read_csv('{source}', columns = {{'line': 'VARCHAR'}}, header = false, delim = '\\x01', quote = '',"
            " escape = '', auto_detect = false)"
        )
    elif source.endswith(".parquet"):
        table = f"read_parquet('{source}')"
    else:
        table = f"read_csv('{source}', header = true, all_varchar = true)"
    value, where = f"lower(trim({column}))", "WHERE value LIKE '%_@_%.%'"
    if column == "phone":
        value, where = "'49' || substr(regexp_replace(phone, '[^0-9]', '', 'g'), 2)", ""
    connection.execute(
        f"""COPY (SELECT DISTINCT sha256(value) FROM (SELECT {value} AS value FROM {table}) {where})
        TO '{target}' (HEADER false, QUOTE '', DELIMITER '\\x01')"""
    )


def run_polars(source, column, target):
    import polars as pl

    import polars_hash as plh

    if column == "line":
        frame = pl.scan_csv(source, has_header=False, new_columns=["line"], separator="\x01", quote_char=None)
    elif source.endswith(".parquet"):
        frame = pl.scan_parquet(source)
    else:
        frame = pl.scan_csv(source, infer_schema=False)
    if column == "phone":
        digits = pl.col(column).str.replace_all(r"[^0-9]", "")
        frame = frame.select(value=pl.lit("49") + digits.str.slice(1))
    else:
        frame = frame.select(value=pl.col(column).str.strip_chars().str.to_lowercase()).filter(
            pl.col("value").str.contains("@", literal=True) & pl.col("value").str.contains(".", literal=True)
        )
    hashed = frame.unique().select(plh.col("value").chash.sha2_256())
    hashed.sink_csv(target, include_header=False, quote_style="never")


IN_PYTHON = {"clickhouse": run_clickhouse, "polars": run_polars, "duckdb": run_duckdb}


def commands(throng, interpreter):
    """What each program is called with for a route."""

    def of_throng(source, _column, options, target, kind):
        # The glob is throng's to expand, as it is the others'.
        return [throng, "prepare", "-q", source, "-t", kind, "-o", target, *options]

    def of_peer(name):
        script = str(ROOT / "benches" / "peers.py")
        return lambda source, column, _options, target, _kind: [
            interpreter, script, "--route-peer", name, source, column, target
        ]

    return {"throng": of_throng, **{name: of_peer(name) for name in IN_PYTHON}}


def measure(count, runs, throng, names):
    interpreter = environment()
    work = WORK / f"routes-{count}"
    make_data(work, count, interpreter)
    programs = commands(throng, interpreter)
    results = {}
    for route, (files, column, options) in ROUTES.items():
        source = str(work / files)
        kind = "phone_hash" if column == "phone" else "email_hash"
        for path in sorted(work.glob(files)):
            path.read_bytes()
        samples, sets = {name: [] for name in names}, {}
        for run in range(runs):
            for name in names:
                target = WORK / f"route-{name}"
                remove(target)
                os.sync()
                touch_memory(min(count * 150 + (1 << 28), 12 << 30))
                command = programs[name](source, column, options, target, kind)
                samples[name].append(timed([*map(str, command)]))
                if run == 0:
                    sets[name] = set_of(target)
                remove(target)
        if len(set(sets.values())) != 1:
            raise SystemExit(f"{route}: the programs do not agree: {sets}")
        results[route] = {
            name: {
                "seconds": statistics.median(sample[0] for sample in of),
                "processor": statistics.median(sample[1] for sample in of),
                # In turns, so that each run has a neighbour that had the same machine.
                "ratio": statistics.median(s[0] / ours[0] for s, ours in zip(of, samples["throng"])),
            }
            for name, of in samples.items()
        }
        print(route, json.dumps(results[route]), file=sys.stderr)
    return {"rows": count, "runs": runs, "versions": versions(interpreter), "routes": results}


def table(measured):
    names = list(next(iter(measured["routes"].values())))
    peers = names[1:]
    out = [
        "| route | throng, s | M rows/s | " + " | ".join(f"{SHOWN[name]}, s (times throng's)" for name in peers) + " |",
        "|---" * (3 + len(peers)) + "|",
    ]
    for route, row in measured["routes"].items():
        seconds = row["throng"]["seconds"]
        cells = [f"{row[name]['seconds']:.2f} ({row[name]['ratio']:.1f})" for name in peers]
        out.append(f"| {route} | {seconds:.2f} | {measured['rows'] / seconds / 1e6:.1f} | " + " | ".join(cells) + " |")
    return "\n".join(out) + "\n"


def plot(measured):
    """A bar for each program and route: how many times as long as throng it takes."""
    colors = {"clickhouse": "#f9a825", "polars": "#1565c0", "duckdb": "#2e7d32"}
    out, y, left, scale = [], 40, 190, 60
    widest = max(row[name]["ratio"] for row in measured["routes"].values() for name in row)
    for at, (name, color) in enumerate(colors.items()):
        out.append(f'<rect x="{left + at * 130}" y="10" width="12" height="12" fill="{color}"/>')
        out.append(f'<text x="{left + at * 130 + 18}" y="20">{SHOWN[name]}</text>')
    for route, row in measured["routes"].items():
        out.append(f'<text x="{left - 8}" y="{y + 25}" text-anchor="end">{route}</text>')
        for name, color in colors.items():
            if name in row:
                width = row[name]["ratio"] * scale
                out.append(f'<rect x="{left}" y="{y}" width="{width:.0f}" height="11" fill="{color}"/>')
                out.append(f'<text x="{left + width + 4:.0f}" y="{y + 10}">{row[name]["ratio"]:.1f}</text>')
                y += 13
        y += 12
    out.append(f'<line x1="{left + scale}" x2="{left + scale}" y1="34" y2="{y}" stroke="#c2185b" stroke-width="2"/>')
    out.append(f'<text x="{left + scale}" y="{y + 14}" text-anchor="middle" fill="#c2185b">throng</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + widest * scale + 60:.0f}" height="{y + 24}"'
        f' font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>{"".join(out)}</svg>\n'
    )


def write(measured):
    RESULTS.write_text(json.dumps(measured, indent=1) + "\n")
    PLOT.write_text(plot(measured))
    text = README.read_text()
    before, rest = text.split(BEGIN)
    _, behind = rest.split(END)
    README.write_text(f"{before}{BEGIN}\n{table(measured)}\n{END}{behind}")


def peer(name, source, column, target):
    IN_PYTHON[name](source, column, target)
