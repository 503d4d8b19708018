"""What the tests share: the real command, and where things are. Run from the root of the repository."""

from __future__ import annotations

import os
import pathlib
import subprocess
from collections.abc import Callable, Sequence

import pytest

ROOT = pathlib.Path(__file__).parent.parent.parent
FIXTURES = ROOT / "fixtures"


@pytest.fixture(scope="session")
def binary() -> pathlib.Path:
    return pathlib.Path(os.environ.get("THRONG_BINARY", ROOT / "target" / "debug" / "throng")).resolve()


@pytest.fixture(scope="session")
def hashed(binary: pathlib.Path) -> Callable[..., list[str | None]]:
    """What `throng hash` answers, line by line."""

    def run(lines: Sequence[bytes], user_type: str, *flags: str) -> list[str | None]:
        command = [binary, "hash", "-t", user_type, *flags]
        done = subprocess.run(command, input=b"\n".join(lines) + b"\n", stdout=subprocess.PIPE, check=True)
        answers = done.stdout.decode().split("\n")[:-1]
        assert len(answers) == len(lines)
        return [answer or None for answer in answers]

    return run
