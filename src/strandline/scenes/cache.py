"""Copies of remote files on this machine, for those who read them more than once.

A copy belongs to one version of its source, known by the ETag, the time of change and
the size that the store tells; a changed source gets a new copy, and the old one goes.
An interrupted copy is continued where it stopped. Blocks are written at their place in
the file, so two processes that copy the same version do each other no harm.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from strandline.errors import (
    ConfigurationError,
    OutputError,
    SceneError,
    StaleCopyWarning,
    UnreachableSourceError,
)
from strandline.paths import local_path
from strandline.scenes.failures import asking, unreachable
from strandline.scenes.redaction import redact_url
from strandline.scenes.storage import is_url, listing_options

Cache = bool | str | os.PathLike[str] | None
"""Where copies are kept: nowhere (None, False), in the usual folder (True), or in a folder."""

BLOCK = 8 << 20  # bytes per request
KEPT_SECONDS = 86_400  # for a run that still reads the copy of an earlier version


def cache_folder() -> Path:
    """Folder for what is kept: ``$STRANDLINE_CACHE``, or the user's cache folder.

    Raises
    ------
    ConfigurationError
        If neither is there.
    """
    named = os.environ.get("STRANDLINE_CACHE")
    if named:
        return local_path(named).absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache").absolute() / "strandline"
    except RuntimeError as error:
        raise ConfigurationError(
            "There is no folder for what is kept: the user has no home.",
            expected="a folder that may be written to",
            remedy="Set STRANDLINE_CACHE to one.",
        ) from error


def local_copy(
    url: str,
    *,
    storage_options: Mapping[str, Any] | None = None,
    cache: Cache = True,
) -> str:
    """Copy a remote file to this machine, unless it is there already.

    Parameters
    ----------
    url : str
        Any URL that fsspec knows. Local paths come back as they are.
    storage_options : mapping, optional
        As fsspec takes them.
    cache : bool or path-like
        Folder for the copies; True for the usual one. None or False copies nothing.

    Returns
    -------
    str
        Path of the whole file.

    Raises
    ------
    SourceNotFoundError, AccessDeniedError, UnreachableSourceError
        If it cannot be fetched; what has come so far is kept, and continued next time.
    OutputError
        If there is no room for it.

    Examples
    --------
    >>> local_copy("scene.tif")
    'scene.tif'
    """
    if not cache or not is_url(url):
        return url
    base = cache_folder() if cache is True else local_path(cache).absolute()
    place = base / "copies" / hashlib.sha256(_identity(url).encode()).hexdigest()[:20]
    source = _Source(url, storage_options)
    try:
        version = source.version()
    except UnreachableSourceError as error:
        kept = _whole_copies(place)
        if not kept:
            raise
        warnings.warn(
            StaleCopyWarning(
                f"Whether {redact_url(url)!r} has changed could not be asked: {error.got}. "
                f"The copy at {kept[-1]} is used."
            ),
            stacklevel=2,
        )
        return str(kept[-1])
    target = place / version / _file_name(url)
    if not target.exists():
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            source.fetch(target)
            _remove_others(place, version)
        except SceneError:
            raise
        except OSError as error:
            raise OutputError(
                f"{redact_url(url)!r} cannot be copied into {place}: {error.strerror}.",
                remedy="Make room, or name another folder in STRANDLINE_CACHE.",
            ) from error
    return str(target)


def clear_cache() -> int:
    """Remove all copies and unpacked archives; return how many bytes they took.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     os.environ["STRANDLINE_CACHE"] = folder
    ...     clear_cache()
    0
    """
    folder = cache_folder()
    size = cache_size()
    if folder.is_dir():
        shutil.rmtree(folder)
    return size


def cache_size() -> int:
    """Count the bytes in the usual folder."""
    folder = cache_folder()
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


class _Source:
    """A remote file, asked through fsspec."""

    def __init__(self, url: str, storage_options: Mapping[str, Any] | None) -> None:
        self.url = url
        self.options = listing_options(storage_options)
        self.info: dict[str, Any] = {}

    def _asked(self, action: Callable[[Any, str], Any]) -> Any:
        from fsspec.core import url_to_fs

        def ask() -> Any:
            system, path = url_to_fs(self.url, **self.options)  # type: ignore[no-untyped-call]  # untyped library
            return action(system, path)

        return asking(self.url, ask, task="Copying")

    def version(self) -> str:
        """Name of the version that is there now."""
        self.info = dict(self._asked(lambda system, path: system.info(path)))
        facts = {name.lower().replace("_", "-"): self.info[name] for name in self.info}
        known = [
            f"{name}={facts[name]}"
            for name in ("etag", "content-md5", "md5hash", "crc32c", "generation", "last-modified",
                         "lastmodified", "mtime", "size")
            if facts.get(name)
        ]  # fmt: skip
        return hashlib.sha256("\n".join(known).encode()).hexdigest()[:16]

    def fetch(self, target: Path) -> None:
        """Write the whole file, or leave what came in a file that says it is a part."""
        part = target.with_name(target.name + ".part")
        size = self.info.get("size")
        with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT, 0o644), "r+b") as out:
            if size is None or self.info.get("partial") is False:
                content = self._asked(lambda system, path: system.cat_file(path))
                out.write(content)
                out.truncate(len(content))
            else:
                self._continue(out, int(size))
        try:
            part.replace(target)
        except FileNotFoundError:
            if not target.exists():  # otherwise another process was faster
                raise

    def _continue(self, out: Any, size: int) -> None:
        start = min(out.seek(0, os.SEEK_END), size)
        while start < size:
            block = self._asked(partial(_block, start, min(start + BLOCK, size)))
            out.seek(start)
            out.write(block)
            out.flush()
            start += len(block)
        out.truncate(size)


def _block(start: int, end: int, system: Any, path: str) -> bytes:
    block: bytes = system.cat_file(path, start=start, end=end)
    if len(block) != end - start:
        raise unreachable(path, f"{len(block)} bytes instead of {end - start}")
    return block


def _identity(url: str) -> str:
    """Return the URL without a signature: a signed link changes, its file does not."""
    return redact_url(url)


def _file_name(url: str) -> str:
    name = re.split(r"[?#]", url.rstrip("/"))[0].rsplit("/", 1)[-1]
    return re.sub(r"[^\w.\-]", "_", name) or "file"


def _whole_copies(place: Path) -> list[Path]:
    """List the complete copies of all versions, the newest last."""
    found = [file for file in place.glob("*/*") if file.suffix != ".part"]
    return sorted(found, key=lambda file: file.stat().st_mtime)


def _remove_others(place: Path, version: str) -> None:
    """Remove copies of earlier versions that no run can be reading any more."""
    for other in place.iterdir():
        if other.name != version and time.time() - other.stat().st_mtime > KEPT_SECONDS:
            shutil.rmtree(other, ignore_errors=True)
