"""What ends a call, sorted by what to do about it: the exit codes of the command."""

from __future__ import annotations

from typing import Any, ClassVar


class Error(Exception):
    """What ended a call, in one line that a person can act on.

    It holds no value of anybody. Catch the subclass that you can do something about; ``retry`` says whether the same call can
    succeed later.
    """

    #: The exit code with which the command ends then.
    exit_code: ClassVar[int] = 1
    #: Whether the same call, made again later, goes on where this one stopped.
    retry: ClassVar[bool] = False

    #: The one thing to do about it, if there is one.
    hint: str | None
    #: What came of the run so far, if it had begun: what the call would have returned.
    summary: dict[str, Any] | None

    def __init__(self, message: str, hint: str | None = None, summary: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.summary = summary


class InternalError(Error):
    """A defect of throng: please report it."""


class UsageError(Error, ValueError):
    """The arguments, the configuration or an audience's number are wrong."""

    exit_code = 2


class InputError(Error):
    """An input was refused: wrong file, a guard, damaged, still being written."""

    exit_code = 3


class OutputError(Error):
    """Output or disk: no space, no permission, exists already."""

    exit_code = 4


class CredentialsError(Error):
    """The token is refused, a permission is missing, terms are not accepted."""

    exit_code = 5


class TemporaryError(Error):
    """Temporary, and nothing was uploaded: call it again later."""

    exit_code = 6
    retry = True


class PartialError(Error):
    """Partly uploaded: the same call goes on where it stopped."""

    exit_code = 7
    retry = True


class UnknownError(Error):
    """What a request came to is unknown: the message says how to decide."""

    exit_code = 8


class StoppedError(Error):
    """Stopped by a signal."""

    exit_code = 130


BY_EXIT_CODE: dict[int, type[Error]] = {
    1: InternalError,
    2: UsageError,
    3: InputError,
    4: OutputError,
    5: CredentialsError,
    6: TemporaryError,
    7: PartialError,
    8: UnknownError,
    130: StoppedError,
    143: StoppedError,
}
