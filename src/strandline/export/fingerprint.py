"""Files known again by their content, remote ones by what their server says of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from strandline.errors import SourceNotFoundError
from strandline.paths import local_path
from strandline.scenes.redaction import redact_url
from strandline.scenes.storage import is_local


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
        if not is_local(str(path)):
            entry = remote_fingerprint(str(path), storage_options or {})
            entries[entry["url"]] = entry
            continue
        local = local_path(path)
        if not local.exists():
            raise SourceNotFoundError(
                f"Cannot take the fingerprint of '{local}': nothing is there.",
                remedy="Check the path.",
            )
        files = [f for f in local.rglob("*") if f.is_file()] if local.is_dir() else [local]
        for file in files:
            absolute = file.resolve()
            entries[str(absolute)] = {"path": str(absolute), **file_content(absolute)}
    return [entries[name] for name in sorted(entries)]


def file_content(file: Path) -> dict[str, Any]:
    """Size in bytes and SHA-256 of a file."""
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"size": file.stat().st_size, "sha256": digest}


def remote_fingerprint(url: str, storage_options: Mapping[str, Any]) -> dict[str, Any]:
    """Ask a server for the size and ETag of a file; what it does not say is left out."""
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
