"""What happens to the process: interrupts, panics, threads, forks, memory."""

from __future__ import annotations

import multiprocessing
import os
import pathlib
import resource
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pyarrow
import pytest

import throng

ROWS = [f"user.{number}@example.com" for number in range(20_000)]


def test_a_panic_is_an_exception_that_tells_no_value():
    broken = pyarrow.DictionaryArray.from_arrays(
        pyarrow.array([7], pyarrow.int32()), pyarrow.array(["canary@example.com"]), safe=False
    )
    for _ in range(3):
        with pytest.raises(throng.InternalError, match="^internal error: a check failed at ") as raised:
            throng.hash(broken, "email_hash")
        assert raised.value.exit_code == 1 and "report" in raised.value.hint
        assert "canary" not in str(raised.value)
    assert throng.hash(["mary@example.com"], "email_hash").null_count == 0


def test_a_panic_says_nothing_on_standard_error():
    code = (
        "import pyarrow, throng\n"
        "broken = pyarrow.DictionaryArray.from_arrays(pyarrow.array([7], pyarrow.int32()), pyarrow.array(['canary']), safe=False)\n"
        "try:\n throng.hash(broken, 'email_hash')\n"
        "except throng.InternalError: print('caught')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("caught\n", "")


def test_threads_call_at_once():
    expected = throng.hash(ROWS, "email_hash").to_pylist()
    array = pyarrow.array(ROWS)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: throng.hash(array, "email_hash").to_pylist(), range(32)))
    assert all(of == expected for of in found)


def test_the_interpreter_is_free_meanwhile():
    array = pyarrow.array(ROWS * 15)
    ticks, is_done = [], threading.Event()

    def tick():
        while not is_done.wait(0.001):
            ticks.append(time.monotonic())

    ticking = threading.Thread(target=tick)
    ticking.start()
    started = time.monotonic()
    throng.hash(array, "email_hash")
    ended = time.monotonic()
    is_done.set()
    ticking.join()
    assert sum(started < at < ended for at in ticks) > 3


def in_a_child(_):
    return throng.hash(ROWS, "email_hash").to_pylist()


def test_a_fork_can_hash():
    expected = in_a_child(None)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map_async(in_a_child, range(4)).get(timeout=60) == [expected] * 4


def test_memory_stays_flat_over_a_thousand_calls():
    array = pyarrow.array(ROWS[:2000])

    def calls(times):
        for _ in range(times):
            entries, why = throng.hash(array, "email_hash", reasons=True)
            pyarrow.array(entries), pyarrow.array(why), pyarrow.chunked_array(entries)
            with pytest.raises(ValueError):
                throng.hash(array, "mail")

    calls(20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    calls(1000)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    # What a call makes is 0.15 MB.
    assert grown < 15_000, f"{grown} KiB"


def interrupted(code: str, ready: str, cwd: pathlib.Path) -> subprocess.CompletedProcess[str]:
    """Sends SIGINT to a process that has said that it is ready."""
    command = [sys.executable, "-c", code]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd)
    assert process.stdout is not None and process.stdout.readline() == f"{ready}\n"
    time.sleep(0.3)
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    said, error = process.communicate(timeout=60)
    assert time.monotonic() - started < 30
    return subprocess.CompletedProcess(command, process.returncode, said, error)


def test_ctrl_c_ends_a_long_hash(tmp_path):
    code = (
        "import pyarrow, throng\n"
        "values = pyarrow.array(['user@example.com'] * 1_000_000)\n"
        "values = pyarrow.chunked_array([values] * 30)\n"
        "print('ready', flush=True)\n"
        "try:\n"
        "    while True: throng.hash(values, 'email_hash')\n"
        "except KeyboardInterrupt: print('interrupted')\n"
    )
    done = interrupted(code, "ready", tmp_path)
    assert (done.stdout, done.returncode) == ("interrupted\n", 0), done.stderr


def test_ctrl_c_ends_a_job_and_leaves_nothing_half_done(tmp_path):
    (tmp_path / "one.txt").write_text("user@example.com\n" * 3_000_000)
    code = (
        "import throng\n"
        "print('ready', flush=True)\n"
        "try:\n"
        "    while True: throng.prepare(['one.txt'] * 8, 'email_hash', out='out', overwrite=True)\n"
        "except KeyboardInterrupt: print('interrupted')\n"
    )
    done = interrupted(code, "ready", tmp_path)
    assert (done.stdout, done.returncode) == ("interrupted\n", 0), done.stderr
    assert {path.name for path in tmp_path.iterdir()} <= {"one.txt", "out"}


def test_the_command_is_the_command(binary, tmp_path):
    command = pathlib.Path(sys.executable).with_name("throng")
    for arguments in (["--version"], ["help"], ["prepare", "--help"], ["hash"], ["verify", "not-there"]):
        of_wheel, own = (
            subprocess.run([program, *arguments], capture_output=True, text=True, cwd=tmp_path)
            for program in (command, binary)
        )
        assert (of_wheel.returncode, of_wheel.stdout) == (own.returncode, own.stdout), arguments
        assert of_wheel.stderr == own.stderr, arguments
    as_module = subprocess.run([sys.executable, "-m", "throng", "--version"], capture_output=True, text=True)
    assert as_module.stdout == f"throng {throng.__version__}\n"


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_the_command_ends_by_signals_as_the_command_does(sent, tmp_path):
    command = pathlib.Path(sys.executable).with_name("throng")
    os.mkfifo(tmp_path / "waits")
    prepare = [command, "prepare", "waits", "-t", "email_hash"]
    process = subprocess.Popen(prepare, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    time.sleep(1)
    process.send_signal(sent)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 128 + sent
    assert said == f"error: stopped by {sent.name}\n"
    # A filter has nothing to clean up.
    process = subprocess.Popen([command, "hash", "-t", "email_hash"], stdin=subprocess.PIPE)
    time.sleep(1)
    process.send_signal(sent)
    assert process.wait(timeout=30) == -sent
    assert process.stdin is not None
    process.stdin.close()
