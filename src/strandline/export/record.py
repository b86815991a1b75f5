"""The record of a run: all that is needed to repeat it and to know whether the repeat is the same.

`record.json` holds, with sorted keys:

``format``, ``format_version``
    ``"strandline-record"`` and the version of this layout.
``strandline``, ``packages``, ``python``, ``platform``
    What the run was computed with.
``task``
    ``"study"``, ``"timeline"`` or ``"apply"``.
``command``, ``config``, ``seed``
    What was asked for. Secrets (keys, tokens, signatures in URLs) are replaced by ``***``.
``inputs``
    Each input file with its size and SHA-256; for a remote one its URL, and
    size and ETag if the server tells them. A path that is not absolute is that of a file beside
    the record.
``searches``
    Where scenes were found by one: the command that fills the list of scenes, by its file name.
``outputs``
    Each result, its path relative to the record, with size and SHA-256.
``dates``
    For two dates: how far they lie apart, and what was done to make them comparable.
``notes``
    What a reader should know: what could not be written, and why; a grid finer than the data;
    that the scenes are simulated.
``timings``
    Seconds per stage. Together with ``finished`` they are the only entries
    that differ between two equal runs.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import platform as host
import shlex
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from strandline.atomic import write_json
from strandline.errors import RecordError
from strandline.export.fingerprint import file_content
from strandline.export.staging import RECORD_NAME
from strandline.paths import local_path
from strandline.scenes.redaction import REDACTED, SECRET, redact_url

__all__ = ["build_record", "read_record", "write_record"]

FORMAT = "strandline-record"
FORMAT_VERSION = 1

STUDY, TIMELINE, APPLY = "study", "timeline", "apply"

_PACKAGES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "pandas",
    "xarray",
    "dask",
    "distributed",
    "rasterio",
    "odc-geo",
    "pyproj",
    "matplotlib",
    "pillow",
    "Jinja2",
)
_OPTIONAL = ("geopandas", "pyogrio", "pyarrow", "contourpy")
_REQUIRED: dict[str, type | tuple[type, ...]] = {
    "strandline": str,
    "packages": dict,
    "config": dict,
    "inputs": list,
    "outputs": list,
    "timings": dict,
}


def build_record(
    *,
    config: Mapping[str, Any],
    inputs: Sequence[Mapping[str, Any]] = (),
    outputs: str | os.PathLike[str] | Sequence[Mapping[str, Any]] = (),
    timings: Mapping[str, float] | None = None,
    seed: int | None = None,
    command: str | Sequence[str] | None = None,
    dates: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
    searches: Mapping[str, str | Sequence[str]] | None = None,
    task: str = STUDY,
) -> dict[str, Any]:
    """Put together the record of a run.

    Parameters
    ----------
    config : mapping
        The whole configuration; nested mappings, sequences, numbers, strings,
        paths and dates.
    inputs : sequence of mapping
        From `strandline.export.fingerprint`.
    outputs : path-like or sequence of mapping
        Folder of the finished results (all its files are listed, except the
        record), or the list itself.
    timings : mapping of str to float, optional
        Seconds per stage.
    seed : int, optional
        The seed that all random choices came from.
    command : str or sequence of str, optional
        The command line that does the same.
    dates : mapping, optional
        How comparable the two dates were found to be.
    notes : sequence of str
        What a reader of the results has to know.
    searches : mapping of str to str or sequence of str, optional
        The command line that fills a list of scenes, by the name of the list.
    task : {"study", "timeline", "apply"}
        What the configuration is for.

    Returns
    -------
    dict
        Plain JSON types only. See the module's description for its keys.

    Raises
    ------
    RecordError
        If the configuration holds something that JSON cannot.

    Examples
    --------
    >>> record = build_record(config={"clusters": 4}, seed=0, command=["strandline", "demo"])
    >>> record["config"], record["seed"], record["command"]
    ({'clusters': 4}, 0, 'strandline demo')
    """
    if isinstance(outputs, (str, os.PathLike)):
        outputs = _list_outputs(Path(outputs))
    now = datetime.datetime.now(datetime.UTC)
    found: dict[str, Any] = {} if dates is None else {"dates": _plain(dates, "dates")}
    if notes:
        found["notes"] = list(notes)
    if searches:
        found["searches"] = {file: _one_line(search) for file, search in searches.items()}
    return {
        **found,
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "strandline": metadata.version("strandline"),
        "packages": _package_versions(),
        "python": host.python_version(),
        "platform": host.platform(),
        "task": task,
        "command": None if command is None else _one_line(command),
        "config": _plain(config, "config"),
        "seed": seed,
        "inputs": [dict(entry) for entry in inputs],
        "outputs": [dict(entry) for entry in outputs],
        "timings": {stage: round(float(s), 3) for stage, s in (timings or {}).items()},
        "finished": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def write_record(record: Mapping[str, Any], path: str | os.PathLike[str]) -> Path:
    """Write a record as readable JSON with sorted keys.

    Parameters
    ----------
    record : mapping
        From `build_record`.
    path : path-like
        The file, or the folder that gets a ``record.json``.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        If the file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = write_record(build_record(config={"clusters": 4}), folder)
    ...     file.name, read_record(file)["config"]
    ('record.json', {'clusters': 4})
    """
    target = local_path(path)
    if target.is_dir():
        target = target / RECORD_NAME
    return write_json(target, record, sort_keys=True)


def read_record(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a record and check that it is one.

    Parameters
    ----------
    path : path-like
        ``record.json``, or the folder that holds it.

    Returns
    -------
    dict
        As `build_record` made it.

    Raises
    ------
    RecordError
        If the file is missing, damaged, no record, or of a later version.

    Examples
    --------
    >>> read_record("no/such/record.json")
    Traceback (most recent call last):
    strandline.errors.RecordError: Cannot read the record 'no/such/record.json'. ...
    """
    source = local_path(path)
    if source.is_dir():
        source = source / RECORD_NAME
    try:
        record = json.loads(source.read_text(encoding="utf-8"))
    except OSError as reason:
        raise RecordError(
            f"Cannot read the record '{source}'.",
            got=str(reason.strerror or reason),
            remedy="Name the record.json that a run left, or its folder.",
        ) from reason
    except ValueError as reason:
        raise RecordError(
            f"The record '{source}' is damaged: it is not JSON ({reason}).",
            remedy="Restore it from a copy, or repeat the run.",
        ) from reason
    _check(record, source)
    return dict(record)


def written_files(record_path: Path) -> set[str]:
    """Results that an earlier run left beside its record; empty if there is no readable record."""
    try:
        record = read_record(record_path)
    except RecordError:
        return set()
    paths = [PurePosixPath(entry["path"]) for entry in record["outputs"]]
    return {str(p) for p in paths if not p.is_absolute() and ".." not in p.parts}


def _check(record: object, source: Path) -> None:
    remedy = "Restore it from a copy, or repeat the run."
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise RecordError(
            f"'{source}' is not a record of Strandline.",
            remedy="Name the record.json that a run left, or its folder.",
        )
    version = record.get("format_version")
    if version != FORMAT_VERSION:
        raise RecordError(
            f"The record '{source}' has a layout that this version cannot read.",
            expected=f"format_version {FORMAT_VERSION}",
            got=repr(version),
            remedy=f"It was written by Strandline {record.get('strandline')}; install that one.",
        )
    for key, kind in _REQUIRED.items():
        if not isinstance(record.get(key), kind):
            raise RecordError(
                f"The record '{source}' is damaged: '{key}' is missing or of the wrong kind.",
                remedy=remedy,
            )
    for entry in [*record["inputs"], *record["outputs"]]:
        if not isinstance(entry, dict) or not ({"path", "sha256"} <= set(entry) or "url" in entry):
            raise RecordError(
                f"The record '{source}' is damaged: a file in it has no path or SHA-256.",
                got=repr(entry),
                remedy=remedy,
            )


def _one_line(command: str | Sequence[str]) -> str:
    """Write a command line, without secrets, unless it is written already."""
    if isinstance(command, str):
        return command
    return shlex.join(redact_url(part) for part in command)


def _list_outputs(folder: Path) -> list[dict[str, Any]]:
    files = sorted(f for f in folder.rglob("*") if f.is_file() and f != folder / RECORD_NAME)
    return [{"path": f.relative_to(folder).as_posix(), **file_content(f)} for f in files]


def _package_versions() -> dict[str, str]:
    import rasterio

    versions = {"GDAL": str(rasterio.__gdal_version__)}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # some distributions leave the metadata out
            versions[name] = "unknown"
    for name in _OPTIONAL:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def _plain(value: Any, where: str) -> Any:
    """Turn a configuration into JSON types, without secrets."""
    if isinstance(value, Mapping):
        return {
            str(key): REDACTED
            if SECRET.search(str(key)) and isinstance(item, str)
            else _plain(item, f"{where}.{key}")
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value, key=str) if isinstance(value, (set, frozenset)) else value
        return [_plain(item, f"{where}[{i}]") for i, item in enumerate(items)]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist(), where)
    if isinstance(value, np.datetime64):
        return str(value)
    if isinstance(value, np.generic):
        return _plain(value.item(), where)
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, float) and not np.isfinite(value):
        raise RecordError(f"'{where}' is {value}, which JSON cannot hold.", remedy="Use None.")
    if isinstance(value, str):
        return redact_url(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    raise RecordError(
        f"'{where}' cannot be kept in a record.",
        expected="numbers, strings, dates, paths, lists and mappings",
        got=type(value).__name__,
    )
