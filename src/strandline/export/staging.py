"""The results of a run appear together, in a folder that may hold more than them.

A set of results is written into a hidden folder first and moved file by file at the end, the
record last, so that a folder with a record is always a folder with all that the record names.

A run that fails or is interrupted, also in the middle of the move, leaves the older results as
they were. Only a power cut or a ``kill -9`` within the few milliseconds of the move can leave old
and new files side by side; the old record is moved away first and the new one arrives last, so
such a folder has no record and is recognised as incomplete.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from strandline.atomic import (
    flush,
    make_folder,
    move_files,
    partial_folder,
    reporting,
    sync_folder,
)
from strandline.errors import (
    ConfigurationError,
    IncompleteResultsWarning,
    OutputError,
    RecordError,
    SchedulerError,
)
from strandline.paths import local_path

RECORD_NAME = "record.json"

_ENDS_THE_RUN = (OutputError, SchedulerError)
"""A disk that takes nothing more, or workers that are gone, concern all results."""


@contextlib.contextmanager
def optional_output(name: str, notes: list[str]) -> Iterator[None]:
    """Continue with the other results where an optional one cannot be made.

    Parameters
    ----------
    name : str
        What is missing then, in words: the beginning of the warning.
    notes : list of str
        Receives the reason, for the record.

    Raises
    ------
    OutputError, SchedulerError
        As they come: these concern the other results, too.

    Warns
    -----
    IncompleteResultsWarning
        For any other error, which it names.

    Examples
    --------
    >>> import warnings
    >>> notes = []
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     with optional_output("the shorelines of 1988", notes):
    ...         raise ValueError("a line has one point")
    >>> print(*notes)
    The results lack the shorelines of 1988: ValueError: a line has one point.
    """
    try:
        yield
    except _ENDS_THE_RUN:
        raise
    except Exception as error:  # whatever it is, the maps and areas must not be lost with it
        reason = f"{type(error).__name__}: {error}".rstrip(": .")
        notes.append(f"The results lack {name}: {reason}.")
        warnings.warn(notes[-1], IncompleteResultsWarning, stacklevel=3)


_RESULT = re.compile(
    r"(labels|water|confidence|shoreline)(_\d{4}-\d\d-\d\d\w*)?\.(tif|qml|gpkg|geojson|parquet)"
    r"|(change|occurrence|recurrence|seasonality|transitions)\.(tif|qml|png)"
    r"|(labels|water|signatures|true_colour|false_colour|timeline)\.png"
    r"|(areas|evidence|quality|signatures|timeline)\.csv|report\.html|model\.npz|item\.json"
)
"""Names that a run gives its results."""

_SHOWN = 3


def check_folder(out: str | os.PathLike[str]) -> None:
    """Refuse a folder for results early, if it is plain that it cannot be written.

    Raises
    ------
    OutputError
        If ``out`` is a file, or nobody may write there.
    """
    target = local_path(out)
    with reporting(target):
        existing = next(path for path in (target, *target.absolute().parents) if path.exists())
        if not existing.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(existing))
        if not os.access(existing, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(existing))


def check_replaceable(
    out: str | os.PathLike[str], record: Mapping[str, Any], *, overwrite: bool = False
) -> None:
    """Refuse to replace results that are not of the run that a record describes.

    Parameters
    ----------
    out : path-like
        Folder for the results.
    record : mapping
        Of the run: ``task`` and ``config``, and ``inputs`` where they are known by now.
    overwrite : bool
        Whether the user wants the results of another run replaced.

    Raises
    ------
    OutputError
        If the folder holds the results of another run, or files of unknown origin with the
        names of results.
    ConfigurationError
        If one of the inputs would be replaced, whatever the user wants.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     check_replaceable(folder, {"task": "study", "config": {}})
    ...     _ = (Path(folder) / "areas.csv").write_text("my own table")
    ...     check_replaceable(folder, {"task": "study", "config": {}})
    Traceback (most recent call last):
    strandline.errors.OutputError: '...' holds files with the names of results: areas.csv. ...
    """
    target = local_path(out)
    if not target.is_dir():
        return
    from strandline.export.record import read_record, written_files

    _keep_inputs(target, record, written_files(target / RECORD_NAME))
    if overwrite:
        return
    if (target / RECORD_NAME).exists():
        try:
            earlier = read_record(target)
        except RecordError as error:
            raise _not_ours(target, "a record.json that cannot be read") from error
        for part in ("task", "config", "inputs"):
            if part in record and earlier.get(part) != record[part]:
                command = earlier.get("command")
                raise _not_ours(
                    target, "the results of another run" + (f": {command}" if command else "")
                )
        return
    there = sorted(path.name for path in target.iterdir() if _RESULT.fullmatch(path.name))
    if there:
        more = ", …" if len(there) > _SHOWN else ""
        raise _not_ours(
            target, f"files with the names of results: {', '.join(there[:_SHOWN])}{more}"
        )


def _not_ours(target: Path, holds: str) -> OutputError:
    return OutputError(
        f"'{target}' holds {holds}.",
        remedy="Choose another folder, or pass overwrite=True to replace them.",
    )


def _keep_inputs(target: Path, record: Mapping[str, Any], written: set[str]) -> None:
    """Refuse to write results over the files that they are made from."""
    for entry in record.get("inputs", ()):
        path = Path(entry.get("path", "")).absolute()
        inside = path.parent == target.absolute()
        if inside and (path.name in written or _RESULT.fullmatch(path.name)):
            raise ConfigurationError(
                f"The results would replace the input '{path}'.",
                remedy="Choose another folder for the results.",
            )


@contextlib.contextmanager
def staged_folder(out: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a whole set of results, and let it appear in ``out`` only when it is complete.

    Where ``out`` does not exist yet, the complete folder is renamed into place
    in one step. Where it does, new files replace those of the same name, files
    that only the older run had written (its record names them) go, and files
    that are none of ours stay. If the move fails half-way, it is undone.

    Parameters
    ----------
    out : path-like
        Folder of the results.

    Yields
    ------
    Path
        Empty folder on the same file system to write into.

    Raises
    ------
    OutputError
        If ``out`` is a file or may not be written, or the disk is full.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with staged_folder(Path(folder) / "walker") as staging:
    ...         _ = (staging / "areas.csv").write_text("water,160.2")
    ...     [str(file.relative_to(folder)) for file in Path(folder).rglob("*.csv")]
    ['walker/areas.csv']
    """
    target = local_path(out)
    with contextlib.ExitStack() as cleaning:
        with reporting(target):
            if target.exists() and not target.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(target))
            # An existing folder may be a mount point: only inside it is a rename sure to work.
            new = not target.exists()
            if new:
                make_folder(target.parent)
            parent = target.parent if new else target
            staging = cleaning.enter_context(partial_folder(parent)) / "results"
            staging.mkdir()
        yield staging  # what the block raises is its own affair
        with reporting(target):
            flush(staging)
            if new and not target.exists():
                staging.rename(target)
                sync_folder(target.parent)
            else:
                _replace_results(staging, target)


def _replace_results(staging: Path, target: Path) -> None:
    from strandline.export.record import written_files

    fresh = {str(p.relative_to(staging)) for p in staging.rglob("*") if p.is_file()}
    stale = written_files(target / RECORD_NAME) - fresh
    move_files(fresh, staging, target, last=RECORD_NAME, stale=stale | {RECORD_NAME})
