"""The record of a run: all that is needed to repeat it and to know whether the repeat is the same.

`record.json` holds, with sorted keys:

``format``, ``format_version``
    ``"strandline-record"`` and the version of this layout.
``strandline``, ``packages``, ``python``, ``platform``
    What the run was computed with.
``command``, ``config``, ``seed``
    What was asked for. Secrets (keys, tokens, signatures in URLs) are replaced by ``***``.
``inputs``
    Each input file with its size and SHA-256; for a remote one its URL, and
    size and ETag if the server tells them.
``outputs``
    Each result, its path relative to the record, with size and SHA-256.
``timings``
    Seconds per stage. Together with ``finished`` they are the only entries
    that differ between two equal runs.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import platform as host
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import numpy as np

from strandline.errors import RecordError, SourceNotFoundError
from strandline.export.atomic import RECORD_NAME, replacing

FORMAT = "strandline-record"
FORMAT_VERSION = 1

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
_REQUIRED: dict[str, type | tuple[type, ...]] = {
    "strandline": str,
    "packages": dict,
    "config": dict,
    "inputs": list,
    "outputs": list,
    "timings": dict,
}
_SECRET = re.compile(
    r"(^|[_\-.])(key|secret|token|password|passwd|signature|sig|credentials?|account_key)$", re.I
)
_REDACTED = "***"


def fingerprint(
    paths: Iterable[str | os.PathLike[str]],
    *,
    storage_options: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Identify input files by their content.

    Parameters
    ----------
    paths : iterable of path-like
        Local files, folders (all files below them) and URLs.
    storage_options : mapping, optional
        For fsspec, to ask for the size and ETag of URLs.

    Returns
    -------
    list of dict
        ``path``, ``size`` (bytes) and ``sha256`` of each local file; ``url``
        and, where the server tells them, ``size`` and ``etag`` of each remote
        one. Sorted, each file once.

    Raises
    ------
    SourceNotFoundError
        If a local path does not exist.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "scene.tif").write_bytes(b"II*")
    ...     [(Path(f["path"]).name, f["size"], f["sha256"][:8]) for f in fingerprint([folder])]
    [('scene.tif', 3, '669a62e8')]
    """
    entries: dict[str, dict[str, Any]] = {}
    for path in paths:
        if _is_url(path):
            entry = _remote_fingerprint(str(path), storage_options or {})
            entries[entry["url"]] = entry
            continue
        local = _local(path)
        if not local.exists():
            raise SourceNotFoundError(
                f"Cannot take the fingerprint of '{local}': nothing is there.",
                remedy="Check the path.",
            )
        files = [f for f in local.rglob("*") if f.is_file()] if local.is_dir() else [local]
        for file in files:
            absolute = file.resolve()
            entries[str(absolute)] = {"path": str(absolute), **_content(absolute)}
    return [entries[name] for name in sorted(entries)]


def build_record(
    *,
    config: Mapping[str, Any],
    inputs: Sequence[Mapping[str, Any]] = (),
    outputs: str | os.PathLike[str] | Sequence[Mapping[str, Any]] = (),
    timings: Mapping[str, float] | None = None,
    seed: int | None = None,
    command: str | Sequence[str] | None = None,
) -> dict[str, Any]:
    """Put together the record of a run.

    Parameters
    ----------
    config : mapping
        The whole configuration; nested mappings, sequences, numbers, strings,
        paths and dates.
    inputs : sequence of mapping
        From `fingerprint`.
    outputs : path-like or sequence of mapping
        Folder of the finished results (all its files are listed, except the
        record), or the list itself.
    timings : mapping of str to float, optional
        Seconds per stage.
    seed : int, optional
        The seed that all random choices came from.
    command : str or sequence of str, optional
        The command line that does the same.

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
    if command is not None and not isinstance(command, str):
        command = shlex.join(redact_url(part) for part in command)
    now = datetime.datetime.now(datetime.UTC)
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "strandline": metadata.version("strandline"),
        "packages": _package_versions(),
        "python": host.python_version(),
        "platform": host.platform(),
        "command": command,
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
    target = Path(path)
    if target.is_dir():
        target = target / RECORD_NAME
    text = json.dumps(record, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    with replacing(target) as partial:
        partial.write_text(text + "\n", encoding="utf-8", newline="\n")
    return target


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
    source = Path(path)
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


def verify_inputs(
    record: Mapping[str, Any], *, storage_options: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """Name the inputs that are no longer what they were when the record was made.

    Parameters
    ----------
    record : mapping
        From `read_record`.
    storage_options : mapping, optional
        For fsspec, to ask for the size and ETag of URLs.

    Returns
    -------
    dict of str to str
        Path or URL to what is wrong with it; empty if all inputs are the same.
        A remote input of which neither size nor ETag is known is not judged.

    Examples
    --------
    >>> verify_inputs({"inputs": [{"path": "/no/such.tif", "size": 3, "sha256": "f7"}]})
    {'/no/such.tif': 'is gone'}
    """
    wrong: dict[str, str] = {}
    for entry in record["inputs"]:
        if "path" in entry:
            problem = _difference(Path(entry["path"]), entry)
            name = entry["path"]
        else:
            name = entry["url"]
            now = _remote_fingerprint(name, storage_options or {})
            known = [k for k in ("size", "etag") if k in entry and k in now]
            changed = [k for k in known if entry[k] != now[k]]
            problem = f"has another {' and '.join(changed)} now" if changed else None
        if problem:
            wrong[name] = problem
    return wrong


def compare_outputs(record: Mapping[str, Any], folder: str | os.PathLike[str]) -> dict[str, str]:
    """Name the results in a folder whose bytes are not those that the record names.

    Parameters
    ----------
    record : mapping
        From `read_record`.
    folder : path-like
        The results to compare with it.

    Returns
    -------
    dict of str to str
        Relative path to what is wrong; empty if all are byte for byte the same.

    Examples
    --------
    >>> compare_outputs({"outputs": [{"path": "areas.csv", "size": 3, "sha256": "f7"}]}, "/no")
    {'areas.csv': 'is gone'}
    """
    wrong = {}
    for entry in record["outputs"]:
        problem = _difference(Path(folder) / entry["path"], entry)
        if problem:
            wrong[entry["path"]] = problem
    return wrong


def written_files(record_path: Path) -> set[str]:
    """Results that an earlier run left beside its record; empty if there is no readable record."""
    try:
        record = read_record(record_path)
    except RecordError:
        return set()
    paths = [PurePosixPath(entry["path"]) for entry in record["outputs"]]
    return {str(p) for p in paths if not p.is_absolute() and ".." not in p.parts}


def redact_url(text: str) -> str:
    """Remove passwords and signatures from a URL; other text comes back as it is.

    Examples
    --------
    >>> redact_url("https://blob.example/B3.tif?se=2026&sig=abc")
    'https://blob.example/B3.tif?***'
    """
    if not _is_url(text):
        return text
    try:
        parts = urlsplit(text)
        hostname, port = parts.hostname, parts.port
    except ValueError:
        return text
    netloc = parts.netloc
    if "@" in netloc:
        netloc = f"{_REDACTED}@{hostname or ''}" + (f":{port}" if port else "")
    signed = any(_SECRET.search(name) for name, _ in parse_qsl(parts.query, True))
    query = _REDACTED if signed else parts.query
    return urlunsplit((parts.scheme, netloc, parts.path, query, parts.fragment))


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


def _difference(file: Path, entry: Mapping[str, Any]) -> str | None:
    if not file.is_file():
        return "is gone"
    if file.stat().st_size != entry.get("size"):
        return f"has {file.stat().st_size} bytes now, it had {entry.get('size')}"
    if _content(file)["sha256"] != entry["sha256"]:
        return "has other bytes now"
    return None


def _content(file: Path) -> dict[str, Any]:
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"size": file.stat().st_size, "sha256": digest}


def _list_outputs(folder: Path) -> list[dict[str, Any]]:
    files = sorted(f for f in folder.rglob("*") if f.is_file() and f != folder / RECORD_NAME)
    return [{"path": f.relative_to(folder).as_posix(), **_content(f)} for f in files]


def _is_url(path: object) -> bool:
    return bool(re.match(r"[a-z][a-z0-9+.\-]+://|/vsi", str(path))) and not str(path).startswith(
        "file://"
    )


def _local(path: str | os.PathLike[str]) -> Path:
    return Path(str(path).removeprefix("file://"))


def _remote_fingerprint(url: str, storage_options: Mapping[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {"url": redact_url(url)}
    if url.startswith("/vsi"):
        return entry
    import fsspec

    try:
        filesystem, path = fsspec.core.url_to_fs(url, **storage_options)  # type: ignore[no-untyped-call]  # fsspec is untyped
        info = filesystem.info(path)
    except Exception:  # whatever a remote store raises: its size stays unknown, the run goes on
        return entry
    if info.get("size") is not None:
        entry["size"] = int(info["size"])
    etag = next((v for k, v in info.items() if k.lower() == "etag" and v), None)
    if etag:
        entry["etag"] = str(etag).strip('"')
    return entry


def _package_versions() -> dict[str, str]:
    import rasterio

    versions = {"GDAL": str(rasterio.__gdal_version__)}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # some distributions leave the metadata out
            versions[name] = "unknown"
    return versions


def _plain(value: Any, where: str) -> Any:
    """Turn a configuration into JSON types, without secrets."""
    if isinstance(value, Mapping):
        return {
            str(key): _REDACTED
            if _SECRET.search(str(key)) and isinstance(item, str)
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
