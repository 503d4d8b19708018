#!/usr/bin/env python3
"""Times throng against what people use today for the same job, on the same file, and checks that all agree.

    benches/peers.py                      the table: 10 million lines, five runs each
    benches/peers.py --lines 1 10 50 100  in millions, for the plot
    benches/peers.py --plot               benches/peers.svg from benches/peers.json
    benches/peers.py --routes             every route (routes.py): README.md's table, benches/routes.{json,svg}

The job: of every line of a text file the address, trimmed and in lower case, if it has an `@` with something before
it and a dot behind it; SHA-256 in hex; each once, one a line. The generated addresses are such that this rule and
throng's, which is stricter, accept the same ones. Others than throng write no manifest and sync nothing.

It needs cargo, Python 3.9 or later, and the network for the first run: the peers come from PyPI into a virtual
environment in target/peers. Files lie there too: 3 GB for 10 million lines, 30 GB for 100 million.

Before each run, memory is touched and freed: some machines give free memory back to their host, and whoever touches
it first then pays for all. Programs take turns, so that a busy minute hits all of them.
"""

import argparse
import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "target" / "peers"
RESULTS = ROOT / "benches" / "peers.json"
THREADS = os.cpu_count() or 1

PACKAGES = {"clickhouse": "chdb", "duckdb": "duckdb", "polars": "polars"}


def run_clickhouse(source, target):
    import chdb

    # The addresses are grouped before they are hashed, in small pieces of the file: the fastest form that was found.
    chdb.query(
        f"""SELECT lower(hex(SHA256(address))) FROM (
            SELECT lower(trim(BOTH ' ' FROM line)) AS address FROM file('{source}', 'LineAsString', 'line String')
            WHERE address LIKE '%_@_%.%' GROUP BY address)
        INTO OUTFILE '{target}' FORMAT TSVRaw
        SETTINGS max_threads = {THREADS}, min_chunk_bytes_for_parallel_parsing = 2097152,
            output_format_parallel_formatting = 1"""
    )


def run_duckdb(source, target):
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"SET threads = {THREADS}; SET preserve_insertion_order = false")
    connection.execute(
        f"""COPY (SELECT DISTINCT sha256(address) FROM (
            SELECT lower(trim(line)) AS address FROM read_csv('{source}', columns = {{'line': 'VARCHAR'}},
                header = false, delim = '\\x01', quote = '', escape = '', auto_detect = false)
            ) WHERE address LIKE '%_@_%.%') TO '{target}' (HEADER false, QUOTE '', DELIMITER '\\x01')"""
    )


def run_polars(source, target):
    import polars as pl

    import polars_hash as plh

    line = pl.col("line").str.strip_chars().str.to_lowercase()
    addresses = (
        pl.scan_csv(source, has_header=False, new_columns=["line"], separator="\x01", quote_char=None)
        .select(line)
        .filter(pl.col("line").str.contains("@", literal=True) & pl.col("line").str.contains(".", literal=True))
        .unique()
    )
    # Without the plugin polars has no SHA-256.
    hashed = addresses.select(plh.col("line").chash.sha2_256())
    hashed.sink_csv(target, include_header=False, quote_style="never")


def run_python(source, target):
    digests = set()
    with open(source, "rb") as lines:
        for line in lines:
            address = line.strip().lower()
            at = address.find(b"@")
            if at > 0 and b"." in address[at:]:
                digests.add(hashlib.sha256(address).digest())
    with open(target, "w") as out:
        out.writelines(digest.hex() + "\n" for digest in digests)


IN_PYTHON = {
    "clickhouse": run_clickhouse,
    "duckdb": run_duckdb,
    "polars": run_polars,
    "python": run_python,
}


def cargo_bench(name):
    """The executable of a bench, built."""
    command = ["cargo", "bench", "--bench", name, "--no-run", "--message-format=json"]
    built = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    for line in built.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message.get("target", {}).get("name") == name:
            return message["executable"]
    raise SystemExit(f"cargo did not say where the bench {name} is")


def environment():
    """The interpreter of a virtual environment with the peers."""
    path = WORK / "venv"
    interpreter = path / "bin" / "python"
    if not interpreter.exists():
        venv.create(path, with_pip=True)
        install = [interpreter, "-m", "pip", "install", "-q", *PACKAGES.values(), "polars-hash"]
        subprocess.run(install, check=True)
    return str(interpreter)


def touch_memory(size):
    """Touches and frees memory in a process of its own."""
    code = f"b = b'x' * {size}"
    subprocess.run([sys.executable, "-c", code], check=True)


def timed(command):
    """Wall seconds, processor seconds and peak MiB of a command."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{command[0]} failed: {errors.decode(errors='replace')[-2000:]}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def remove(path):
    if path.is_dir():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()


def set_of(path):
    """A digest of the sorted lines of a file, or of the parts in a directory."""
    files = sorted(path.glob("*.txt")) if path.is_dir() else [path]
    sort = subprocess.Popen(
        ["sort", "-u", "-S", "1G", *map(str, files)], stdout=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"}
    )
    digest = hashlib.sha256()
    while piece := sort.stdout.read(1 << 20):
        digest.update(piece)
    if sort.wait() != 0:
        raise SystemExit(f"{path} cannot be sorted")
    return digest.hexdigest()


def versions(interpreter):
    code = (
        "import importlib.metadata as m, json;"
        f"print(json.dumps({{p: m.version(p) for p in {list(PACKAGES.values()) + ['polars-hash']}}}))"
    )
    found = json.loads(subprocess.run([interpreter, "-c", code], check=True, stdout=subprocess.PIPE).stdout)
    throng = subprocess.run([ROOT / "target/release/throng", "--version"], check=True, stdout=subprocess.PIPE)
    return {**found, "throng": throng.stdout.decode().split()[-1], "python": platform.python_version()}


def compare(million, names, runs, programs, check):
    source = WORK / f"{million}m.txt"
    lines = int(million * 1_000_000)
    if not source.exists():
        subprocess.run([programs["generate"], "generate", str(lines), str(source)], check=True)
    with open(source, "rb") as file:
        while file.read(1 << 24):
            pass
    measured = {name: [] for name in names}
    sets = {}
    for run in range(runs):
        for name in names:
            target = WORK / f"out-{name}"
            remove(target)
            os.sync()
            touch_memory(min(int(lines * 150) + (1 << 28), 12 << 30))
            measured[name].append(timed([*map(str, programs[name](source, target))]))
            if run == 0 and check:
                sets[name] = set_of(target)
        print(f"  {million} M lines: run {run + 1} of {runs}", file=sys.stderr)
    if check and len(set(sets.values())) != 1:
        raise SystemExit(f"the programs do not agree: {sets}")
    # Throng's result is on the disk when it ends, as a copy is that was synced; the others' is not.
    copies = {"cp of the result": "cp -r $0 $1", "cp and sync of the result": "cp -r $0 $1 && sync $1/* $1"}
    copying = {name: [] for name in copies}
    for _ in range(runs):
        for name, command in copies.items():
            remove(WORK / "copy")
            os.sync()
            touch_memory(min(int(lines * 150) + (1 << 28), 12 << 30))
            copying[name].append(timed(["sh", "-c", command, str(WORK / "out-throng"), str(WORK / "copy")])[0])
    for path in WORK.glob("out-*"):
        remove(path)
    remove(WORK / "copy")
    rows = {
        name: {
            "seconds": statistics.median(sample[0] for sample in samples),
            "least": min(sample[0] for sample in samples),
            "processor": statistics.median(sample[1] for sample in samples),
            "mib": max(sample[2] for sample in samples),
            # In turns, so that each run has a neighbour that had the same machine.
            "ratio": statistics.median(
                sample[0] / ours[0] for sample, ours in zip(samples, measured["throng"])
            ),
        }
        for name, samples in measured.items()
    }
    for name, seconds in copying.items():
        rows[name] = {"seconds": statistics.median(seconds), "least": min(seconds), "processor": 0, "mib": 0}
        rows[name]["ratio"] = rows[name]["seconds"] / rows["throng"]["seconds"]
    return rows


def table(million, rows):
    out = [
        f"| {million} M lines | wall s | M lines/s | times throng's | processor s | peak MiB |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in sorted(rows.items(), key=lambda item: item[1]["seconds"]):
        rate = million / row["seconds"]
        out.append(
            f"| {name} | {row['seconds']:.2f} | {rate:.1f} | {row['ratio']:.2f} |"
            f" {row['processor']:.2f} | {row['mib']:.0f} |"
        )
    return "\n".join(out)


def polyline(points, sx, sy, color):
    path = " ".join(f"{sx(x):.1f},{sy(y):.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{sx(x):.1f}" cy="{sy(y):.1f}" r="3" fill="{color}"/>' for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>{dots}'


def panel(results, key, title, ticks, left):
    """Both axes logarithmic: what grows linearly is a straight line of slope 1."""
    import math

    colors = {"throng": "#c2185b", "obvious": "#455a64", "clickhouse": "#f9a825", "duckdb": "#2e7d32",
              "polars": "#1565c0", "python": "#8d6e63"}
    width, height, top = 320, 260, 40
    xs = sorted(float(million) for million in results)
    low, high = math.log10(ticks[0]), math.log10(ticks[-1])
    span = math.log10(xs[-1] / xs[0]) or 1

    def sx(x):
        return left + width * math.log10(x / xs[0]) / span

    def sy(y):
        return top + height * (1 - (math.log10(y) - low) / (high - low))

    out = [f'<text x="{left}" y="20" font-weight="bold">{title}</text>']
    for tick in ticks:
        out.append(f'<line x1="{left}" x2="{left + width}" y1="{sy(tick):.1f}" y2="{sy(tick):.1f}" stroke="#ddd"/>')
        out.append(f'<text x="{left - 6}" y="{sy(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for x in xs:
        out.append(f'<text x="{sx(x):.1f}" y="{top + height + 18}" text-anchor="middle">{x:g} M</text>')
    for name, color in colors.items():
        points = [(float(m), rows[name][key]) for m, rows in results.items() if name in rows]
        points.sort()
        if points:
            out.append(polyline(points, sx, sy, color))
            x, y = points[-1]
            out.append(f'<text x="{sx(x) + 6:.1f}" y="{sy(y) + 4:.1f}" fill="{color}">{name}</text>')
    return "".join(out)


def plot(results):
    body = panel(results, "seconds", "seconds, by lines", [0.01, 0.1, 1, 10, 100], 60)
    body += panel(results, "mib", "peak memory in MiB, by lines", [10, 100, 1000, 10_000, 100_000], 560)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="980" height="330" font-family="sans-serif" font-size="12">'
        f'<rect width="980" height="330" fill="white"/>{body}</svg>\n'
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=float, nargs="+", default=[10], help="millions of lines (default 10)")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", nargs="+", help="these programs, beside throng")
    parser.add_argument("--no-check", action="store_true", help="do not compare the results")
    parser.add_argument("--plot", action="store_true", help="draw what was measured before")
    parser.add_argument("--routes", action="store_true", help="one table in every form: CSV, compressed, in parts, ...")
    parser.add_argument("--rows", type=int, default=6_000_000, help="rows of that table (default 6 million)")
    parser.add_argument("--throng", type=Path, help="this executable instead of one that is built first")
    parser.add_argument("--route-peer", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--peer", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        name, source, target = args.peer
        IN_PYTHON[name](source, target)
        return
    if args.routes or args.route_peer:
        import routes

        if args.route_peer:
            routes.peer(*args.route_peer)
            return
        WORK.mkdir(parents=True, exist_ok=True)
        if not args.throng:
            subprocess.run(["cargo", "build", "--release"], cwd=ROOT, check=True)
        names = ["throng", *(args.only or routes.IN_PYTHON)]
        measured = routes.measure(args.rows, args.runs, args.throng or ROOT / "target/release/throng", names)
        routes.write(measured)
        print(routes.table(measured))
        return
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if not args.plot:
        WORK.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cargo", "build", "--release"], cwd=ROOT, check=True)
        throng, obvious, interpreter = ROOT / "target/release/throng", cargo_bench("obvious"), environment()
        programs = {
            "generate": obvious,
            "throng": lambda source, target: [throng, "prepare", "-q", source, "-t", "email_hash", "-o", target],
            "obvious": lambda source, target: [obvious, source, target],
        }
        for name in IN_PYTHON:
            programs[name] = lambda source, target, name=name: [
                interpreter, __file__, "--peer", name, source, target
            ]
        names = ["throng", *(args.only or ["obvious", *IN_PYTHON])]
        print(json.dumps(versions(interpreter)))
        for million in args.lines:
            million = int(million) if million == int(million) else million
            rows = compare(million, names, args.runs, programs, not args.no_check)
            print(table(million, rows))
            # Figures of another run are not comparable.
            results[str(million)] = rows
        results = dict(sorted(results.items(), key=lambda item: float(item[0])))
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    (ROOT / "benches" / "peers.svg").write_text(plot(results))


if __name__ == "__main__":
    main()
