"""The files of a Sentinel-2 product: in its SAFE folder, in a zip archive, or on a server.

A zip archive is read in place: JPEG 2000 does not get smaller by it, so that nothing has to be
inflated, and no copy is made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from strandline.errors import (
    SourceNotFoundError,
    UnknownProductError,
    UnreadableSourceError,
)
from strandline.paths import local_path
from strandline.scenes.cache import Cache, local_copy
from strandline.scenes.redaction import redact_url
from strandline.scenes.remote import remote_content
from strandline.scenes.sentinel.document import LARGEST
from strandline.scenes.storage import is_companion, is_url, local_place
from strandline.scenes.zipped import zip_content, zip_names, zip_place

_SAFE = re.compile(r"\.SAFE/?$", re.IGNORECASE)
_ZIP = re.compile(r"\.zip$", re.IGNORECASE)
_GEOTIFF = re.compile(r"\.tiff?$", re.IGNORECASE)
_PRODUCT_METADATA = re.compile(
    r"(^|/)(MTD_MSIL(1C|2A)|S2[ABC]_[A-Z]{4}_MTD_(SAF|DMP)L(1C|2A)[A-Z0-9_]*)\.xml$", re.IGNORECASE
)
_TILE_METADATA = re.compile(
    r"(^|/)GRANULE/(?P<granule>[^/]+)/(MTD_TL|S2[ABC]_[A-Z]{4}_MTD_L(1C|2A)_[A-Z0-9_]+)\.xml$",
    re.IGNORECASE,
)
_OF_A_GRANULE = re.compile(
    r"(^|/)GRANULE/(?P<granule>[^/]+)/"
    r"(IMG_DATA/([^/]+/)?[^/]+\.jp2|QI_DATA/[^/]*(MSK_CLASSI|MSK_CLOUDS|SCL)[^/]*\.(jp2|gml))$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class SafeFiles:
    """The files of one product.

    Parameters
    ----------
    source : str
        Folder, archive or URL, as it was asked for.
    metadata : str
        Path of the product's XML file inside the product.
    granule : str or None
        Name of the folder of the tile that was asked for.
    names : tuple of str
        Paths inside the product: XML files, images, masks. Of a product on a server, only the
        first of them.
    root : str
        Folder, URL or path of the archive that the paths start from.
    archive : str or None
        Path of the archive, if there is one.
    storage_options : mapping
        For files on a server.
    cache : bool or path-like
        Where copies of such files are kept, if they are.
    """

    source: str
    metadata: str
    granule: str | None
    names: tuple[str, ...]
    root: str
    archive: str | None = None
    storage_options: Mapping[str, Any] = field(default_factory=dict)
    cache: Cache = None

    @property
    def remote(self) -> bool:
        """Whether the files are on a server, where they cannot be listed."""
        return self.archive is None and is_url(self.root)

    def raster(self, name: str) -> str:
        """Path or URL under which the raster reader finds a file; copied, if copies are kept."""
        place = self.place(name)
        if not self.remote:
            return place
        return local_copy(place, storage_options=self.storage_options, cache=self.cache)

    def place(self, name: str) -> str:
        """Path or URL of a file of the product, where the product is."""
        if self.archive is not None:
            return zip_place(self.archive, name)
        return f"{self.root}/{name}"

    def text(self, name: str) -> str:
        """Read an XML or GML file of the product.

        Raises
        ------
        SourceNotFoundError, UnreadableSourceError
            If it cannot be read.
        """
        if self.archive is not None:
            content = zip_content(self.archive, name, LARGEST + 1)
        elif self.remote:
            content = remote_content(self.place(name), self.storage_options, LARGEST + 1)
        else:
            content = _content(Path(self.root) / name)
        return content.decode("utf-8", errors="replace")


def is_safe(text: str) -> bool:
    """Whether a path or URL is a Sentinel-2 product, by its name or by what is in the folder.

    Examples
    --------
    >>> is_safe("S2A_MSIL1C_20200802T184931_N0209_R113_T10SGJ_20200802T222113.SAFE.zip")
    True
    >>> is_safe("LT05_L2SP_042033_19881022_02_T1.tar")
    False
    """
    if _ZIP.search(text):
        return _is_safe_archive(text)
    if _SAFE.search(text) or _PRODUCT_METADATA.search(text):
        return not is_companion(text)
    if is_url(text):
        return False
    folder = local_path(text)
    if not folder.is_dir():
        return False
    return bool(_product_metadata(folder)) or bool(_safe_folders(folder)) or _is_granule(folder)


def _is_safe_archive(text: str) -> bool:
    """Say whether a zip archive is a Sentinel-2 product; of a server's, by its name."""
    if is_url(text):
        return not re.search(r"(^|/)L[COTE]0?\d[^/]*$", text)
    if not local_path(text).is_file():
        return not local_path(text).is_dir()
    try:
        names = zip_names(str(local_path(text)), text)
    except UnreadableSourceError:
        return True  # said, in more words, by whoever opens it
    metadata = any(_PRODUCT_METADATA.search(name) for name in names)
    return metadata or not any(_GEOTIFF.search(name) for name in names)


def list_safe(
    source: str, storage_options: Mapping[str, Any] | None = None, cache: Cache = None
) -> SafeFiles:
    """List the files of a product.

    Parameters
    ----------
    source : str
        The SAFE folder, a folder with one SAFE folder in it, the folder of one tile below
        GRANULE, a zip archive, the product's XML file, or the URL of a SAFE folder or XML file;
        of an archive with `cache`.
    storage_options : mapping, optional
        As fsspec takes them.
    cache : bool or path-like, optional
        Where copies of remote files are kept; None for none.

    Returns
    -------
    SafeFiles

    Raises
    ------
    SourceNotFoundError, UnreadableSourceError
        If it is missing or damaged.
    UnknownProductError
        If it holds no product, or several.
    """
    options = dict(storage_options or {})
    if is_url(source) and _ZIP.search(source) and cache:
        copy = local_copy(source, storage_options=options, cache=cache)
        return _archive(Path(copy), source)
    if is_url(source):
        return _remote(source, options, cache)
    path = local_place(source)
    if path.is_dir():
        return _folder(path, source)
    if _ZIP.search(path.name):
        return _archive(path, source)
    return _below(path.parent, source, None, path.name)


def _product_metadata(folder: Path) -> list[str]:
    try:
        return sorted(
            p.name
            for p in folder.iterdir()
            if _PRODUCT_METADATA.search(p.name) and not is_companion(p.name)
        )
    except OSError as error:
        raise UnreadableSourceError(
            f"The folder '{folder}' cannot be listed: {error.strerror or error}."
        ) from error


def _safe_folders(folder: Path) -> list[Path]:
    return sorted(
        child
        for child in folder.iterdir()
        if _SAFE.search(child.name) and not is_companion(child.name) and child.is_dir()
    )


def _is_granule(folder: Path) -> bool:
    parent = folder.absolute().parent
    return parent.name == "GRANULE" and bool(_product_metadata(parent.parent))


def _folder(folder: Path, source: str) -> SafeFiles:
    if _product_metadata(folder):
        return _below(folder, source, None)
    if _is_granule(folder):
        return _below(folder.parent.parent, source, folder.name)
    inner = _safe_folders(folder)
    if len(inner) == 1:
        return _below(inner[0], source, None)
    raise _no_single(source, [child.name for child in inner])


def _below(root: Path, source: str, granule: str | None, metadata: str | None = None) -> SafeFiles:
    found = _product_metadata(root)
    if metadata is None and len(found) != 1:
        raise _no_single(source, found)
    below = root / "GRANULE"
    names = [path.relative_to(root).as_posix() for path in below.rglob("*") if path.is_file()]
    return SafeFiles(source, metadata or found[0], granule, _of_product(names), str(root))


def _of_product(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(
        sorted(
            name
            for name in names
            if not is_companion(name)
            and (_TILE_METADATA.search(name) or _OF_A_GRANULE.search(name))
        )
    )


def _no_single(source: str, found: Sequence[str]) -> UnknownProductError:
    return UnknownProductError(
        f"{source!r} holds {'several Sentinel-2 products' if found else 'no Sentinel-2 product'}.",
        expected="one product, with its MTD_MSIL1C.xml or MTD_MSIL2A.xml",
        got=f"{len(found)}: {', '.join(found[:3])}" if found else "no such file",
        remedy="Open one of them by its own folder."
        if found
        else "Check the path. Band files alone can be opened as a list, with platform=… and "
        "scale=….",
    )


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except FileNotFoundError as error:
        raise SourceNotFoundError(f"There is no file '{path}'.") from error
    except OSError as error:
        raise UnreadableSourceError(
            f"'{path}' cannot be read: {error.strerror or error}."
        ) from error


# --- zip archives -----------------------------------------------------------------


def _archive(path: Path, source: str) -> SafeFiles:
    names = zip_names(str(path), source, images=True)
    found = [name for name in names if _PRODUCT_METADATA.search(name)]
    if len(found) != 1 or len(set(names)) < len(names):
        raise _no_single(source, found)
    top = found[0][: len(found[0]) - len(PurePosixPath(found[0]).name)]
    own = [name for name in names if name.startswith(top)]
    return SafeFiles(source, found[0], None, _of_product(own), str(path), archive=str(path))


# --- servers ------------------------------------------------------------------------


def _remote(source: str, options: Mapping[str, Any], cache: Cache) -> SafeFiles:
    if _ZIP.search(source):
        raise UnknownProductError(
            f"An archive on a server cannot be read in place: {redact_url(source)!r}.",
            remedy="Pass cache=True to keep a copy of it on this machine, or open the product's "
            "SAFE folder if it is unpacked there.",
        )
    if match := _PRODUCT_METADATA.search(source):
        root = source[: match.start()]
        return SafeFiles(
            source, source[len(root) + 1 :], None, (), root, storage_options=options, cache=cache
        )
    root = source.rstrip("/")
    # Servers need not list folders; the names of files are fixed, and the rest the XML file says.
    level = "1C" if "_MSIL1C_" in root.rsplit("/", 1)[-1] else "2A"
    return SafeFiles(
        source, f"MTD_MSIL{level}.xml", None, (), root, storage_options=options, cache=cache
    )
