"""Small files and folders on a server, through fsspec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from strandline.scenes.failures import asking
from strandline.scenes.storage import listing_options


def remote_content(url: str, options: Mapping[str, Any] | None, limit: int = -1) -> bytes:
    """Read a small remote file.

    Parameters
    ----------
    url : str
    options : mapping or None
        As fsspec takes them.
    limit : int
        Bytes to read at most; -1 for all.

    Returns
    -------
    bytes

    Raises
    ------
    SourceNotFoundError, AccessDeniedError, UnreachableSourceError, UnreadableSourceError
        If it cannot be read.
    """

    def read() -> bytes:
        import fsspec

        with fsspec.open(url, "rb", **listing_options(options)) as handle:  # type: ignore[no-untyped-call]  # untyped library
            content: bytes = handle.read(limit)
        return content

    return asking(url, read)


def remote_names(folder: str, options: Mapping[str, Any] | None) -> list[str]:
    """List the URLs of what a remote folder holds.

    Raises
    ------
    SourceNotFoundError, AccessDeniedError, UnreachableSourceError, UnreadableSourceError
        If it cannot be listed.
    """

    def listed() -> list[str]:
        from fsspec.core import url_to_fs

        system, path = url_to_fs(folder, **listing_options(options))  # type: ignore[no-untyped-call]  # untyped library
        return [str(system.unstrip_protocol(name)) for name in system.ls(path, detail=False)]

    return asking(folder, listed, task="Listing")
