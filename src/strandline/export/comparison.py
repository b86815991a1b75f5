"""Whether files are still what a record says of them: the inputs, and the results."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from strandline.export.fingerprint import file_content, remote_fingerprint
from strandline.paths import local_path


def verify_inputs(
    record: Mapping[str, Any],
    *,
    storage_options: Mapping[str, Any] | None = None,
    files: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Name the inputs that are no longer what they were when the record was made.

    Parameters
    ----------
    record : mapping
        From `read_record`.
    storage_options : mapping, optional
        For fsspec, to ask for the size and ETag of URLs.
    files : mapping of str to str, optional
        The names that the record has of files that it has no paths of, by their paths: those
        of `naming_of`.

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
    places = {name: path for path, name in (files or {}).items()}
    for entry in record["inputs"]:
        if "path" in entry:
            name = entry["path"]
            problem = _difference(Path(places.get(name, name)), entry)
        else:
            name = entry["url"]
            now = remote_fingerprint(name, storage_options or {})
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
        problem = _difference(local_path(folder) / entry["path"], entry)
        if problem:
            wrong[entry["path"]] = problem
    return wrong


def _difference(file: Path, entry: Mapping[str, Any]) -> str | None:
    if not file.is_file():
        return "is gone"
    if file.stat().st_size != entry.get("size"):
        return f"has {file.stat().st_size} bytes now, it had {entry.get('size')}"
    if file_content(file)["sha256"] != entry["sha256"]:
        return "has other bytes now"
    return None
