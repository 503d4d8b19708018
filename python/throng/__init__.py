"""Customer exports and columns into advertising audiences: normalised, hashed, each person once, uploaded once.

Columns, in whatever holds them (pyarrow, polars, pandas, DuckDB, a list):

>>> import throng
>>> throng.hash([" Mary@Example.com", None, "mary at example.com"], "email_hash").to_pylist()
['f1904cf1a9d73a55fa5de0ac823c4403ded71afd4c3248d00bdcd0866552bb79', None, None]

Jobs, as the command does them:

- ``throng.prepare(crm, {"email": "email_hash"}, out="audience")`` makes upload files of files or frames,
- ``throng.sync("nightly.toml")`` does the nightly job,
- ``throng.verify("audience")`` says whether a directory is what was prepared.

What cannot be done raises ``throng.Error``, which says what to do about it. The command ``throng`` comes with the package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, Literal, Protocol, TypeAlias, overload

from throng import _throng
from throng._errors import (
    CredentialsError,
    Error,
    InputError,
    InternalError,
    OutputError,
    PartialError,
    StoppedError,
    TemporaryError,
    UnknownError,
    UsageError,
)
from throng._throng import Column, __version__

__all__ = [
    "Column",
    "CredentialsError",
    "Error",
    "InputError",
    "InternalError",
    "OutputError",
    "PartialError",
    "StoppedError",
    "TemporaryError",
    "UnknownError",
    "UsageError",
    "__version__",
    "hash",
    "prepare",
    "sync",
    "verify",
]


class ArrowStream(Protocol):
    """A column or a frame by the Arrow PyCapsule interface."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Give it away."""
        ...


class ArrowArray(Protocol):
    """An array by the Arrow PyCapsule interface."""

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        """Give it away."""
        ...


Values: TypeAlias = ArrowStream | ArrowArray | Iterable[str | bytes | int | None]
Path: TypeAlias = str | PathLike[str]
Inputs: TypeAlias = Path | ArrowStream | Sequence[Path | ArrowStream]
UserType: TypeAlias = Literal[
    "email_hash", "phone_hash", "fbid", "custom_audience_third_party_id", "mobile_advertiser_id"
]
Progress: TypeAlias = Callable[[dict[str, Any]], object]
Prehashed: TypeAlias = Literal["auto", "always", "never"]
Case: TypeAlias = Literal["auto", "lower", "keep"]
Ids: TypeAlias = Literal["checked", "any"]
Idn: TypeAlias = Literal["reject", "punycode"]
Vanity: TypeAlias = Literal["reject", "convert"]
Unprefixed: TypeAlias = Literal["auto", "international", "reject"]


@overload
def hash(
    values: Values,
    user_type: UserType,
    *,
    country: str | None = ...,
    countries: Values | None = ...,
    prehashed: Prehashed | None = ...,
    case: Case | None = ...,
    ids: Ids | None = ...,
    idn: Idn | None = ...,
    vanity: Vanity | None = ...,
    unprefixed: Unprefixed | None = ...,
    reasons: Literal[False] = ...,
) -> Column: ...
@overload
def hash(
    values: Values,
    user_type: UserType,
    *,
    country: str | None = ...,
    countries: Values | None = ...,
    prehashed: Prehashed | None = ...,
    case: Case | None = ...,
    ids: Ids | None = ...,
    idn: Idn | None = ...,
    vanity: Vanity | None = ...,
    unprefixed: Unprefixed | None = ...,
    reasons: Literal[True],
) -> tuple[Column, Column]: ...
def hash(
    values: Values,
    user_type: UserType,
    *,
    country: str | None = None,
    countries: Values | None = None,
    prehashed: Prehashed | None = None,
    case: Case | None = None,
    ids: Ids | None = None,
    idn: Idn | None = None,
    vanity: Vanity | None = None,
    unprefixed: Unprefixed | None = None,
    reasons: bool = False,
) -> Column | tuple[Column, Column]:
    """Normalise and hash a column by the rules of ``throng hash``.

    ``values`` is a column with the Arrow PyCapsule interface (text, large or viewed text, binary, dictionaries, integers), which
    is not copied, or a list of str. As many rows come back, in order: a digest in hex, or the id itself where the type is uploaded
    in clear; None where a value is blank or rejected. With ``reasons=True`` a second column says why, with None for what was
    accepted or blank.

    All cores work on it, the interpreter is free meanwhile, and Ctrl-C ends it.

    ``country`` is the country of telephone numbers that do not say theirs, ``countries`` a column with that of each row. The other
    keywords are the flags of ``throng hash``, which ``throng hash --help`` explains.

    >>> numbers, why = throng.hash(["021 123 4567", "12"], "phone_hash", country="NZ", reasons=True)
    >>> numbers[0] == throng.hash(["+64 21 123 4567"], "phone_hash")[0]
    True
    >>> why.to_pylist()
    [None, 'too_short']
    """
    options = {
        "country": country,
        "prehashed": prehashed,
        "case": case,
        "ids": ids,
        "idn": idn,
        "vanity": vanity,
        "unprefixed": unprefixed,
    }
    entries, why = _throng.hash(values, user_type, options, countries, reasons)
    return entries if why is None else (entries, why)


def prepare(
    inputs: Inputs,
    types: UserType | Mapping[str, str],
    *,
    out: Path,
    from_: str | Sequence[str] | None = None,
    overwrite: bool = False,
    column: str | Sequence[str] | None = None,
    where: str | Sequence[str] | None = None,
    for_: Literal["pitchtarget", "meta"] | None = None,
    suppress: Inputs | None = None,
    suppress_column: str | None = None,
    suppress_by: Literal["person", "identifier"] | None = None,
    suppress_where: str | Sequence[str] | None = None,
    against: Path | Sequence[Path] | None = None,
    max_rejects: float | str | None = None,
    rejects: Path | None = None,
    rejects_with_values: bool = False,
    country: str | None = None,
    country_column: str | None = None,
    prehashed: Prehashed | None = None,
    case: Case | None = None,
    ids: Ids | None = None,
    idn: Idn | None = None,
    vanity: Vanity | None = None,
    unprefixed: Unprefixed | None = None,
    format: str | None = None,
    delimiter: str | None = None,
    quotes: str | None = None,
    ragged: bool = False,
    skip_rows: int | None = None,
    no_header: bool = False,
    complete: bool = False,
    split: str | Sequence[str] | None = None,
    part_lines: int | None = None,
    part_bytes: int | str | None = None,
    threads: int | None = None,
    memory: int | str | None = None,
    tmp_dir: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Make upload files, as ``throng prepare`` does: normalised, hashed, each person once, nobody who opted out.

    ``inputs`` are files, quoted globs, ``-`` for standard input, or frames with the Arrow PyCapsule interface, of which only the
    columns that are named are read; so is ``suppress``, whoever opted out. ``from_`` are commands whose output is read behind them, or
    instead if ``inputs`` is ``[]``: if one fails, so does the call. ``types`` is the type of the entries, or says it for
    each column: ``{"email": "email_hash", "phone": "phone_hash:callers"}``. The directory ``out`` is complete or absent.

    The other keywords are the flags of ``throng prepare``, which ``throng prepare --help`` explains. What comes back is what it
    prints with ``--json``. ``progress`` is called twice a second with what ``--log json`` says of progress. Ctrl-C, or whatever
    ``progress`` raises, ends it cleanly.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     summary = throng.prepare("fixtures/emails.txt", "email_hash", out=f"{folder}/audience", max_rejects="50%")
    ...     throng.verify(f"{folder}/audience")["matches"]
    True
    >>> summary["audiences"][0]["user_type"]
    'email_hash'
    """
    options: dict[str, Any] = {
        "user_type": types if isinstance(types, str) else None,
        "map": None if isinstance(types, str) else [f"{name}={of}" for name, of in types.items()],
        "output": out,
        "from_": from_,
        "overwrite": overwrite,
        "column": column,
        "where": where,
        "for_": for_,
        "suppress_column": suppress_column,
        "suppress_by": suppress_by,
        "suppress_where": suppress_where,
        "against": against,
        "max_rejects": max_rejects,
        "rejects": rejects,
        "rejects_with_values": rejects_with_values,
        "country": country,
        "country_column": country_column,
        "prehashed": prehashed,
        "case": case,
        "ids": ids,
        "idn": idn,
        "vanity": vanity,
        "unprefixed": unprefixed,
        "format": format,
        "delimiter": delimiter,
        "quotes": quotes,
        "ragged": ragged,
        "skip_rows": skip_rows,
        "no_header": no_header,
        "complete": complete,
        "split": split,
        "part_lines": part_lines,
        "part_bytes": part_bytes,
        "threads": threads,
        "memory": memory,
        "tmp_dir": tmp_dir,
    }
    return _throng.prepare(_listed(inputs), options, _listed(suppress), progress)


def sync(
    job: Path,
    *,
    dry_run: bool = False,
    full: bool = False,
    replace: bool = False,
    adopt: str | Sequence[str] | None = None,
    create_again: str | Sequence[str] | None = None,
    date: object | None = None,
    max_rejects: float | str | None = None,
    max_shrink: float | str | None = None,
    max_growth: float | str | None = None,
    max_opt_out_shrink: float | str | None = None,
    min_entries: int | None = None,
    min_opt_outs: int | None = None,
    min_opt_out_members: int | None = None,
    max_age: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Do the nightly job of a job file, as ``throng sync`` does.

    Call it every night, and again after any failure: it goes on where it stopped. The keywords are the flags of ``throng sync``,
    which ``throng sync --help`` explains; ``date`` is a ``datetime.date`` or the text of one. What comes back is what it prints with
    ``--json``; what it raises has the same in ``summary``, if the run had begun. ``progress`` is called twice a second.

    >>> try:
    ...     throng.sync("not_there.toml")
    ... except throng.Error as error:
    ...     print(error.exit_code, error.retry)
    2 False
    """
    options = {
        "dry_run": dry_run,
        "full": full,
        "replace": replace,
        "adopt": adopt,
        "create_again": create_again,
        "date": date,
        "max_rejects": max_rejects,
        "max_shrink": max_shrink,
        "max_growth": max_growth,
        "max_opt_out_shrink": max_opt_out_shrink,
        "min_entries": min_entries,
        "min_opt_outs": min_opt_outs,
        "min_opt_out_members": min_opt_out_members,
        "max_age": max_age,
    }
    return _throng.sync(job, options, progress)


def verify(dir: Path) -> dict[str, Any]:
    """Say what a prepared directory holds, if it still is what was prepared; else raise ``InputError``, as ``throng verify`` ends.

    >>> throng.verify("fixtures")
    Traceback (most recent call last):
    ...
    throng.InputError: ...
    """
    return _throng.verify(dir)


def _listed(inputs: Inputs | None) -> list[Path | ArrowStream]:
    """One as a list of one."""
    if inputs is None:
        return []
    return list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]  # type: ignore[list-item]
