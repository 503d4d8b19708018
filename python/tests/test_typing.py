"""Types, stubs, examples and help."""

from __future__ import annotations

import doctest
import os
import pydoc
import subprocess
import sys

import throng

from .conftest import ROOT

#: Stubs of the test's own environment are not there.
MYPY = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--no-error-summary"]

PROGRAM = """
import throng

digests: throng.Column = throng.hash(["mary@example.com", None], "email_hash")
first: str | None = digests[0]
entries, why = throng.hash(["+442079460123"], "phone_hash", country="GB", reasons=True)
words: list[str | None] = why.to_pylist()
try:
    summary = throng.prepare("crm.csv", {"email": "email_hash"}, out="audience", where=["a=b"], progress=print)
    print(summary["audiences"])
except throng.Error as error:
    code: int = error.exit_code
    again: bool = error.retry
    print(error.hint or "")
"""


def test_a_strict_checker_accepts_a_program_and_refuses_a_wrong_one(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "wrong.py").write_text('import throng\n\nthrong.hash(["x"], "mail")\nnumber: int = throng.hash(["x"], "fbid")[0]\n')
    done = subprocess.run([*MYPY, "program.py"], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout
    done = subprocess.run([*MYPY, "wrong.py"], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.count("error:") == 2, done.stdout


def test_stubs_are_what_is_there(tmp_path):
    command = [sys.executable, "-m", "mypy.stubtest", "throng._throng", "--concise"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_examples_do_what_they_say():
    here = os.getcwd()
    os.chdir(ROOT)
    try:
        failed, attempted = doctest.testmod(throng, extraglobs={"throng": throng}, optionflags=doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL)
    finally:
        os.chdir(here)
    assert attempted >= 8 and failed == 0


def test_help_reads_well():
    text = pydoc.plain(pydoc.render_doc(throng))
    for word in ("hash(", "prepare(", "sync(", "verify(", "class Column", "retry"):
        assert word in text, word
    for name in ("hash", "prepare", "sync", "verify", "Column", "Error"):
        of = getattr(throng, name)
        assert of.__doc__ and len(of.__doc__.splitlines()[0]) < 130
