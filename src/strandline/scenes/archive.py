"""The files of a product, whether in a folder, a tar archive, or on a server.

Members of an uncompressed tar are read in place. A compressed one has to be inflated from
its start for every read (5.6 s per pass over 190 MB of bands where unpacking takes 4.1 s
once, and 0.3 s per pass after it), so the members that are needed are unpacked once into
a cache.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any

from strandline.atomic import replacing
from strandline.errors import (
    AccessDeniedError,
    MetadataError,
    OutputError,
    SourceNotFoundError,
    UnknownProductError,
    UnreadableSourceError,
)
from strandline.paths import local_path
from strandline.scenes.cache import Cache, cache_folder, local_copy
from strandline.scenes.failures import asking
from strandline.scenes.redaction import redact_url
from strandline.scenes.storage import is_url, listing_options

_ARCHIVE = re.compile(r"\.(tar|tar\.gz|tgz|tar\.bz2|tar\.xz)$", re.IGNORECASE)
_METADATA = re.compile(r"_MTL\.(txt|json|xml)$", re.IGNORECASE)
MAX_TEXT = 1 << 22
"""Bytes of the largest MTL file that is read; real ones have some 15,000."""

_MAX_INFLATED = 1 << 33  # bytes: more than any product has
_MAX_RATIO = 200  # of what an archive holds to its size; images get to 10 at most

_OF_A_PRODUCT = re.compile(r"(\.tiff?|_MTL\.(txt|json|xml))$", re.IGNORECASE)


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
        names = [name for name in self.places if _METADATA.search(name)]
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
            with _tar(self.archive) as tar:
                member = tar.extractfile(self.places[name])
                content = b"" if member is None else member.read(MAX_TEXT + 1)
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
        if self.archive.lower().endswith(".tar"):
            return [f"/vsitar/{self.archive}/{self.places[name]}" for name in names]
        return _unpacked(self.archive, {name: self.places[name] for name in names})


def is_archive(source: str) -> bool:
    """Whether a path is named like a tar archive.

    Examples
    --------
    >>> is_archive("LT05_L2SP_042033_19881022_02_T1.tar"), is_archive("scene.tif")
    (True, False)
    """
    return bool(_ARCHIVE.search(source))


def is_metadata(source: str) -> bool:
    """Whether a path is named like an MTL file."""
    return bool(_METADATA.search(source))


def product_stem(metadata_name: str) -> str:
    """Name of the product that an MTL file belongs to.

    Examples
    --------
    >>> product_stem("LT52240631988227CUB02_MTL.txt")
    'LT52240631988227CUB02'
    """
    return _METADATA.sub("", metadata_name)


def list_product(
    source: str, storage_options: Mapping[str, Any] | None = None, cache: Cache = None
) -> ProductFiles:
    """List the files of a product.

    Parameters
    ----------
    source : str
        A folder, a tar archive, an MTL file, or the URL of a folder or an MTL file.
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
        return ProductFiles(source, _of_archive(copy), archive=copy)
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
    return ProductFiles(source, _of_archive(str(path)), archive=str(path))


def local_place(source: str) -> Path:
    """Find the file or folder on this machine that a source names.

    Raises
    ------
    SourceNotFoundError, AccessDeniedError
        If nothing is there, or a folder above it may not be entered.
    """
    path = local_path(source).absolute()
    try:
        there = path.exists()
    except OSError as error:
        raise AccessDeniedError(f"{source!r} cannot be read: {error.strerror}.") from error
    if not there:
        raise SourceNotFoundError(f"There is no file or folder {source!r}.")
    return path


def place_inside(member: str, archive: str) -> PurePosixPath:
    """Path of an archive's member below the archive's own root.

    Raises
    ------
    UnreadableSourceError
        If it points outside.
    """
    inside = PurePosixPath(member)
    if inside.is_absolute() or ".." in inside.parts:
        raise UnreadableSourceError(
            f"The archive {archive!r} points outside of itself.",
            expected="members below its own root",
            got=repr(member),
            remedy="Do not trust it.",
        )
    return inside


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
        if child.is_file() and _OF_A_PRODUCT.search(child.name)
    }


def _of_archive(path: str) -> dict[str, str]:
    places: dict[str, str] = {}
    with _tar(path) as tar:
        size, inflated = Path(path).stat().st_size, 0
        for member in tar:
            inflated += member.size
            # Before it is skipped over, for that inflates it.
            if (inflated > _MAX_INFLATED and inflated > _MAX_RATIO * size) or (
                is_metadata(member.name) and member.size > MAX_TEXT
            ):
                raise UnreadableSourceError(
                    f"The archive {path!r} would inflate out of bounds.",
                    expected=f"at most {_MAX_INFLATED:,} bytes in all, {MAX_TEXT:,} of metadata",
                    got=f"{member.size:,} for {member.name!r}",
                    remedy="Do not trust it.",
                )
            inside = place_inside(member.name, path)
            if member.isfile() and _OF_A_PRODUCT.search(inside.name):
                if inside.name in places:
                    raise UnknownProductError(
                        f"The archive {path!r} holds {inside.name!r} more than once.",
                        remedy="Unpack it, and open one of its folders.",
                    )
                places[inside.name] = member.name
    if not places:
        raise UnknownProductError(
            f"The archive {path!r} holds no Landsat product.",
            expected="a product's MTL and GeoTIFF files",
            got="neither",
        )
    return places


@contextmanager
def _tar(path: str) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path) as tar:
            yield tar
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UnreadableSourceError(
            f"The archive {path!r} cannot be read: {error or 'it ends too early'}.",
            remedy="It may be truncated or damaged: fetch it again.",
        ) from error


def _unpacked(archive: str, members: Mapping[str, str]) -> list[str]:
    status = Path(archive).stat()
    key = f"{archive}:{status.st_size}:{status.st_mtime_ns}"
    folder = cache_folder() / hashlib.sha256(key.encode()).hexdigest()[:20]
    missing = {inside: name for name, inside in members.items() if not (folder / name).exists()}
    if missing:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _tar(archive) as tar:
                for member in tar:
                    if member.name in missing:
                        _write(tar, member, folder / missing[member.name])
        except UnreadableSourceError:
            raise
        except OSError as error:
            raise OutputError(
                f"{archive!r} cannot be unpacked into {folder}: {_reason(error)}",
                remedy="Make room, or name another folder in STRANDLINE_CACHE.",
            ) from error
    return [str(folder / name) for name in members]


def _reason(error: OSError) -> str:
    return error.problem if isinstance(error, OutputError) else f"{error}."


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    """Write one member under a name of ours; complete or not at all."""
    content = tar.extractfile(member)
    if content is None:
        return
    with replacing(target) as partial_file, partial_file.open("wb") as out:
        for block in _blocks(content):
            out.write(block)


def _blocks(content: IO[bytes]) -> Iterator[bytes]:
    try:
        while block := content.read(1 << 20):
            yield block
    except gzip.BadGzipFile as error:  # an OSError, but not one of the disk that is written to
        raise tarfile.ReadError(str(error)) from error


def _remote_product(source: str, options: Mapping[str, Any], cache: Cache) -> ProductFiles:
    if is_archive(source):
        raise UnknownProductError(
            f"An archive on a server cannot be read in place: {redact_url(source)!r}.",
            remedy="Pass cache=True to keep a copy of it on this machine, or open the product's "
            "MTL file if it is unpacked there.",
        )
    folder = source.rsplit("/", 1)[0] if is_metadata(source) else source.rstrip("/")
    found = asking(folder, partial(_listed, folder, options), task="Listing")
    places = {
        name: url for url in sorted(found) if _OF_A_PRODUCT.search(name := url.rsplit("/", 1)[-1])
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


def _listed(folder: str, options: Mapping[str, Any]) -> list[str]:
    from fsspec.core import url_to_fs

    system, path = url_to_fs(folder, **listing_options(options))  # type: ignore[no-untyped-call]  # untyped library
    return [str(system.unstrip_protocol(name)) for name in system.ls(path, detail=False)]


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
