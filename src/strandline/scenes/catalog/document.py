"""A catalogue: named data sources out of a YAML file."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from strandline.errors import (
    CatalogError,
    UnknownSourceError,
)
from strandline.paths import local_path
from strandline.scenes.catalog.source import Source
from strandline.scenes.catalog.text import MAX_BYTES, parse_yaml
from strandline.scenes.failures import asking
from strandline.scenes.remote import remote_content
from strandline.scenes.storage import check_local, is_url


def open_catalog(path: str | Path, *, storage_options: Mapping[str, Any] | None = None) -> Catalog:
    """Open an intake version-1 catalogue.

    Opening reads the YAML file alone. No code in it is run: templates know the source's
    parameters and ``{{ CATALOG_DIR }}``, while ``env(…)`` and ``shell(…)`` are refused and
    ``plugins:`` are not loaded. ``cache:`` is taken for a remark, as in today's intake: GDAL keeps
    what it has read of a remote file in memory. Relative paths start at the catalogue's folder.

    Parameters
    ----------
    path : str or Path
        Local path or URL of the YAML file.
    storage_options : mapping, optional
        To reach the YAML file itself, as fsspec takes them, e.g. ``{"anon": True}``. Sources have
        their own.

    Returns
    -------
    Catalog

    Raises
    ------
    SourceNotFoundError
        If there is no such file.
    CatalogError
        If it is not a catalogue.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "catalog.yml")
    >>> _ = path.write_text(
    ...     "sources: {lake: {driver: rasterio, args: {urlpath: 'LT05_band{band:d}.tif'}}}"
    ... )
    >>> list(open_catalog(path))
    ['lake']
    """
    check_local(str(path))
    text = _read_text(str(path), storage_options)
    document = parse_yaml(text, str(path))
    sources = document.get("sources")
    if not isinstance(sources, dict):
        raise CatalogError(
            f"{str(path)!r} is not an intake version-1 catalogue.",
            expected="a mapping of sources under the key 'sources'",
            got="no such key" if sources is None else type(sources).__name__,
            remedy="Catalogues of version 2 (key 'entries') open with intake; pass what their "
            "readers return to open_scene."
            if "entries" in document
            else None,
        )
    for name, entry in sources.items():
        if not isinstance(name, str) or not isinstance(entry, dict) or "driver" not in entry:
            raise CatalogError(
                f"The source {name!r} of the catalogue {str(path)!r} is malformed.",
                expected="a name, and under it a mapping with driver and args",
                got=repr(entry)[:80],
            )
    return Catalog(str(path), document, storage_options=storage_options)


def _read_text(path: str, storage_options: Mapping[str, Any] | None) -> str:
    if is_url(path):
        raw = remote_content(path, storage_options, MAX_BYTES + 1)
    else:
        raw = asking(path, partial(_start, local_path(path)))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CatalogError(
            f"{path!r} is not a catalogue.", expected="a YAML file in UTF-8", got="other bytes"
        ) from error


def _start(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(MAX_BYTES + 1)


class Catalog(Mapping[str, Any]):
    """Named data sources.

    Sources are items and, where Python's grammar and the names below allow it, attributes:
    ``catalog["landsat_5"]`` is ``catalog.landsat_5``. `open_catalog` makes one.

    Parameters
    ----------
    path : str
        Where the YAML file is.
    document : mapping
        Its content.
    storage_options : mapping, optional
        That it was read with.

    Attributes
    ----------
    path : str
    name, description : str
    metadata : dict
    """

    def __init__(
        self,
        path: str,
        document: Mapping[str, Any],
        *,
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.path = path
        self.name = str(document.get("name") or Path(path).stem)
        self.description = str(document.get("description") or "")
        metadata = document.get("metadata") or {}
        self.metadata = dict(metadata) if isinstance(metadata, dict) else {"metadata": metadata}
        self._entries: dict[str, dict[str, Any]] = dict(document["sources"])
        self._storage_options = storage_options

    def __getitem__(self, name: str) -> Any:
        """Return the `Source` of this name, or the `Catalog` that it leads to."""
        if name not in self._entries:
            close = difflib.get_close_matches(str(name), self._entries, n=3, cutoff=0.5)
            raise UnknownSourceError(
                f"The catalogue {self.path!r} has no source {name!r}.",
                expected=", ".join(self._entries) or "none: it is empty",
                got=repr(name),
                remedy=f"Did you mean {' or '.join(map(repr, close))}?" if close else None,
            )
        source = Source(name, self._entries[name], self.path)
        if source.kind != "catalog":
            return source
        return open_catalog(source.nested_path, storage_options=self._storage_options)

    def __getattr__(self, name: str) -> Any:
        # Copying and unpickling ask for attributes before there are any entries.
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(name for name in self._entries if name.isidentifier())]

    def __repr__(self) -> str:
        lines = [f"<Catalog {self.name!r}: {len(self)} sources, {self.path}>"]
        for name, entry in self._entries.items():
            about = " ".join(str(entry.get("description") or "").split())
            lines.append(f"  {name} ({entry['driver']})" + (f": {about}" if about else ""))
        return "\n".join(lines)
