"""Where a scene's bytes are: on this machine, in an archive, or in a store.

Under which names GDAL and fsspec find them; `access.py` says what GDAL must be told besides.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from strandline.errors import (
    AccessDeniedError,
    MissingDependencyError,
    SourceNotFoundError,
    UnknownProductError,
    UnreadableSourceError,
    how_to_install,
)
from strandline.paths import local_path, split_subdataset
from strandline.scenes.redaction import redact_url

_VSI_OF_SCHEME = {
    **dict.fromkeys(("s3", "s3a"), "/vsis3/"),
    **dict.fromkeys(("gs", "gcs"), "/vsigs/"),
    **dict.fromkeys(("az", "abfs", "abfss"), "/vsiaz/"),
}
SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")

# Files that systems and programs put beside data: macOS's halves of files and view settings,
# Windows's previews, and what GDAL and QGIS keep apart from a raster.
_COMPANION = re.compile(
    r"(^|/)(\._[^/]*|\.DS_Store|Thumbs\.db|desktop\.ini|__MACOSX(/.*)?)$"
    r"|\.(aux\.xml|ovr|msk|tfw|tifw|tiffw|wld|prj|qml|qmd)$",
    re.IGNORECASE,
)


def is_url(source: str) -> bool:
    """Whether `source` is a URL with a scheme, other than ``file://``.

    Examples
    --------
    >>> is_url("s3://bucket/scene.tif"), is_url("scene.tif"), is_url("file:///scene.tif")
    (True, False, False)
    """
    return bool(SCHEME.match(source)) and not source.startswith("file://")


def is_local(path: str) -> bool:
    """Whether a path names a plain file on this machine: no URL, nor anything of GDAL's.

    Examples
    --------
    >>> is_local("scene.tif"), is_local("file:///scene.tif"), is_local("/vsizip/scenes.zip")
    (True, True, False)
    >>> is_local('NETCDF:"scene.nc":green')
    False
    """
    return not path.startswith("/vsi") and not is_url(path) and split_subdataset(path) is None


def is_companion(path: str) -> bool:
    """Whether a file only accompanies others, and is no data: ``._B4.TIF``, ``B4.TIF.aux.xml``.

    Examples
    --------
    >>> is_companion("scene/._B4.TIF"), is_companion("B4.TIF.ovr"), is_companion("B4.TIF")
    (True, True, False)
    """
    return bool(_COMPANION.search(path.replace("\\", "/")))


def file_behind(path: str) -> Path | None:
    """Find the file on this machine that a path leads to: itself, an archive, a container.

    Returns
    -------
    pathlib.Path or None
        None for what is on a server.

    Examples
    --------
    >>> file_behind("/vsizip/{scenes.zip}/a.tif").name, file_behind('HDF5:"b.h5"://red').name
    ('scenes.zip', 'b.h5')
    >>> file_behind("s3://bucket/scene.tif") is None
    True
    """
    if inner := split_subdataset(path):
        return file_behind(inner[1])
    if archive := re.match(r"^/vsi(?:zip|tar|gzip)/(\{?)(.+)", path):
        return _archive_of(archive[2], braces=bool(archive[1]))
    return local_path(path) if is_local(path) else None


def _archive_of(path: str, *, braces: bool) -> Path | None:
    """Find where a path into an archive leaves the archive's own path, which may have braces."""
    if not is_local(path):
        return None
    ends = [match.start() for match in re.finditer(r"\}(?=/|$)" if braces else r"(?<!^)/|$", path)]
    places = [local_path(path[:end]) for end in ends] or [local_path(path)]
    return next((place for place in places if place.is_file()), places[0 if braces else -1])


def check_local(source: str) -> None:
    """Refuse a local path that the system cannot hold, and one that is neither file nor folder.

    Reading a pipe or a device may wait, or go on, for ever.

    Parameters
    ----------
    source : str
        Path or URL; only local paths are looked at, and need not exist.

    Raises
    ------
    SourceNotFoundError
        If no file can have this name.
    UnreadableSourceError
        If it is a pipe, a socket or a device.

    Examples
    --------
    >>> check_local("scene.tif")
    >>> check_local("/dev/zero")
    Traceback (most recent call last):
    ...
    strandline.errors.UnreadableSourceError: '/dev/zero' is not a file. Expected a file or ...
    """
    inner = split_subdataset(source)
    if inner is not None:
        check_local(inner[1])
        return
    if not is_local(source):
        return
    try:
        mode = local_path(source).stat().st_mode
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        if isinstance(error, PermissionError | NotADirectoryError):
            return  # whoever opens it says so
        raise SourceNotFoundError(
            f"Not a valid file name: {source[:60]!r}{'…' if len(source) > 60 else ''}.",
            remedy="Check the path: it is too long, a link that leads to itself, or no path.",
        ) from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise UnreadableSourceError(
            f"{source!r} is not a file.",
            expected="a file or a folder",
            got="a pipe, a socket or a device",
            remedy="Write its content to a file first.",
        )


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


def gdal_path(url: str | Path) -> str:
    """Path under which GDAL finds `url`.

    Parameters
    ----------
    url : str or Path
        A local path, a GDAL ``/vsi…`` path or subdataset, or a URL: ``file``, ``s3``, ``gs``,
        ``az``, ``abfs``, ``http(s)``, or any other that fsspec knows.

    Returns
    -------
    str
        Local paths come back absolute, because a worker process may sit in another folder. URLs
        that only fsspec knows come back as they are.

    Raises
    ------
    UnknownProductError
        If nobody knows the scheme.

    Examples
    --------
    >>> gdal_path("s3://landsat-pds/scene.tif")
    '/vsis3/landsat-pds/scene.tif'
    >>> gdal_path("https://example.org/scene.tif")
    '/vsicurl/https://example.org/scene.tif'
    """
    text = str(url)
    if text.startswith("/vsi"):
        return text
    if inner := split_subdataset(text):
        return f"{inner[0]}{gdal_path(inner[1])}{inner[2]}"
    if is_url(text):
        scheme = urlsplit(text).scheme.lower()
        if scheme in ("http", "https"):
            return f"/vsicurl/{text}"
        if scheme in _VSI_OF_SCHEME:
            return _VSI_OF_SCHEME[scheme] + _bucket_and_key(text, scheme)
        if _known_to_fsspec(scheme):
            return text
        raise UnknownProductError(
            f"Rasters cannot be read from {redact_url(text)!r}.",
            expected="a local path, or a URL such as s3://, gs://, az:// or https://",
            got=f"{scheme}://",
        )
    return str(local_path(text).absolute())


def _bucket_and_key(url: str, scheme: str) -> str:
    place = url.split("://", 1)[1]
    container, at, rest = place.partition("@")
    if at and scheme in ("abfs", "abfss") and "/" not in container:
        return f"{container}/{rest.partition('/')[2]}"  # container@account.dfs…/key
    return place


def _known_to_fsspec(scheme: str) -> bool:
    from fsspec.registry import known_implementations, registry

    return scheme in registry or scheme in known_implementations


def listing_options(storage_options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Storage options as an fsspec file system takes them.

    Catalogues write S3's region at the top level and GDAL options in capitals among the others;
    file systems accept neither.

    Examples
    --------
    >>> listing_options({"anon": True, "region_name": "us-east-1"})["client_kwargs"]
    {'region_name': 'us-east-1'}
    """
    given = dict(storage_options or {})
    options = {name: value for name, value in given.items() if not name.isupper()}
    if str(given.get("AWS_NO_SIGN_REQUEST", "")).upper() in ("YES", "TRUE", "ON", "1"):
        options.setdefault("anon", True)
    client = dict(options.pop("client_kwargs", None) or {})
    for name in ("region_name", "verify"):
        if name in options:
            client.setdefault(name, options.pop(name))
    if client:
        options["client_kwargs"] = client
    # A listing that was kept from earlier would miss files that came since.
    return options | {"use_listings_cache": False}


def needs_package(task: str, error: ImportError) -> MissingDependencyError:
    """Make the error for a store whose package is not installed; `task` says what was tried."""
    return MissingDependencyError(
        f"{task} needs another package: {error}.",
        remedy=how_to_install("io", "stac"),  # s3fs for S3, aiohttp for HTTP
    )
