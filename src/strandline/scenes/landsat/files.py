"""The files of a product, whether in a folder, a tar archive, or on a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from strandline.errors import MetadataError, UnknownProductError
from strandline.scenes.cache import Cache, local_copy
from strandline.scenes.landsat.archive import (
    MAX_TEXT,
    is_zip,
    member_content,
    members_of,
    unpacked,
)
from strandline.scenes.landsat.naming import is_archive, is_metadata, is_of_product, product_stem
from strandline.scenes.redaction import redact_url
from strandline.scenes.remote import remote_content, remote_names
from strandline.scenes.storage import is_url, local_place
from strandline.scenes.zipped import zip_place


@dataclass(frozen=True)
class ProductFiles:
    """The files of one product.

    Parameters
    ----------
    source : str
        Folder, archive or URL, as it was asked for.
    places : dict
        File name (without folders) to its path, URL, or path inside the archive.
    archive : str or None
        Path of the archive, if there is one.
    storage_options : mapping
        For files on a server.
    cache : bool or path-like
        Where copies of such files are kept, if they are.
    """

    source: str
    places: dict[str, str]
    archive: str | None = None
    storage_options: Mapping[str, Any] = field(default_factory=dict)
    cache: Cache = None

    def metadata_names(self) -> list[str]:
        """Return the names of the MTL files, the text one first."""
        names = [name for name in self.places if is_metadata(name)]
        return sorted(names, key=lambda name: ("txt json xml".find(name[-3:].lower()), name))

    def text(self, name: str) -> str:
        """Read a text file of the product.

        Raises
        ------
        UnreadableSourceError
            If it cannot be read.
        MetadataError
            If it is too large to be a metadata file.
        """
        if self.archive is not None:
            content = member_content(self.archive, self.places[name], MAX_TEXT + 1)
        elif is_url(self.places[name]):
            content = remote_content(self.places[name], self.storage_options, MAX_TEXT + 1)
        else:
            with Path(self.places[name]).open("rb") as file:
                content = file.read(MAX_TEXT + 1)
        if len(content) > MAX_TEXT:
            raise MetadataError(
                f"The metadata file {name!r} of {self.source!r} is too large to be one.",
                expected=f"at most {MAX_TEXT:,} bytes",
                got="more",
                remedy="Do not trust it: fetch the product anew.",
            )
        return content.decode("utf-8", errors="replace")

    def rasters(self, names: Sequence[str]) -> list[str]:
        """Paths under which the raster reader finds files of the product.

        Raises
        ------
        UnreadableSourceError
            If the archive is damaged.
        OutputError
            If there is no room to unpack it.
        """
        if self.archive is None:
            return [
                local_copy(
                    self.places[name], storage_options=self.storage_options, cache=self.cache
                )
                for name in names
            ]
        if is_zip(self.archive):
            return [zip_place(self.archive, self.places[name]) for name in names]
        if self.archive.lower().endswith(".tar"):
            return [f"/vsitar/{self.archive}/{self.places[name]}" for name in names]
        return unpacked(self.archive, {name: self.places[name] for name in names})


def list_product(
    source: str, storage_options: Mapping[str, Any] | None = None, cache: Cache = None
) -> ProductFiles:
    """List the files of a product.

    Parameters
    ----------
    source : str
        A folder, a tar or zip archive, an MTL file, or the URL of a folder or an MTL file.
    storage_options : mapping, optional
        As fsspec takes them.
    cache : bool or path-like, optional
        Where copies of remote files are kept; None for none.

    Returns
    -------
    ProductFiles

    Raises
    ------
    SourceNotFoundError, UnreadableSourceError
        If it is missing or damaged.
    UnknownProductError
        If it holds no product, or several.
    """
    options = dict(storage_options or {})
    if is_url(source) and is_archive(source) and cache:
        copy = local_copy(source, storage_options=options, cache=cache)
        return ProductFiles(source, members_of(copy), archive=copy)
    if is_url(source):
        return _remote_product(source, options, cache)
    path = local_place(source)
    if path.is_dir():
        return ProductFiles(source, _of_folder(path, source))
    if is_metadata(source):
        files = _of_folder(path.parent, source)
        stem = product_stem(path.name)
        others = [n for n in files if is_metadata(n) and n != path.name]
        kept = {name: place for name, place in files.items() if name not in others}
        # Two products may share a folder; the MTL file's name says which one is meant.
        own = {name: place for name, place in kept.items() if name.startswith(stem)}
        return ProductFiles(source, own if len(own) > 1 else kept)
    return ProductFiles(source, members_of(str(path)), archive=str(path))


def _of_folder(folder: Path, source: str) -> dict[str, str]:
    files = _product_files(folder)
    if files:
        return files
    inner = {
        child: found
        for child in sorted(folder.iterdir())
        if child.is_dir()
        for found in [_product_files(child)]
        if found
    }
    if len(inner) == 1:
        return next(iter(inner.values()))
    raise UnknownProductError(
        f"The folder {source!r} holds no single product.",
        expected="a product's MTL and GeoTIFF files",
        got=f"{len(inner)} folders with such files" if inner else "neither",
        remedy="Open one of: " + ", ".join(child.name for child in list(inner)[:8])
        if inner
        else "Check the path.",
    )


def _product_files(folder: Path) -> dict[str, str]:
    return {
        child.name: str(child)
        for child in sorted(folder.iterdir())
        if child.is_file() and is_of_product(child.name)
    }


def _remote_product(source: str, options: Mapping[str, Any], cache: Cache) -> ProductFiles:
    if is_archive(source):
        raise UnknownProductError(
            f"An archive on a server cannot be read in place: {redact_url(source)!r}.",
            remedy="Pass cache=True to keep a copy of it on this machine, or open the product's "
            "MTL file if it is unpacked there.",
        )
    folder = source.rsplit("/", 1)[0] if is_metadata(source) else source.rstrip("/")
    places = {
        name: url
        for url in sorted(remote_names(folder, options))
        if is_of_product(name := url.rsplit("/", 1)[-1])
    }
    if not places:
        raise UnknownProductError(
            f"There is no Landsat product at {redact_url(folder)!r}.",
            expected="a product's MTL and GeoTIFF files",
            got="neither",
        )
    if is_metadata(source):
        stem = product_stem(source.rsplit("/", 1)[-1])
        places = {name: url for name, url in places.items() if name.startswith(stem)}
    return ProductFiles(source, places, storage_options=dict(options), cache=cache)
