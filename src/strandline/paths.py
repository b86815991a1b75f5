"""Paths as people write them."""

from __future__ import annotations

import os
import re
from pathlib import Path

from strandline.errors import SourceNotFoundError

LONGEST_SHOWN = 300
"""Longer paths are cut in messages."""

_INSIDE = re.compile(r"^(?P<file>.+\.(ya?ml|json)):[^/\\]+$", re.IGNORECASE)
# NETCDF:"scene.nc":green, HDF5:"scene.h5"://green, GTIFF_DIR:2:scene.tif
_SUBDATASET = re.compile(r"^(?P<driver>[A-Z][A-Z0-9_]+):(?!//)(?P<rest>.+)$", re.IGNORECASE)
_SUBDATASETS_OF = frozenset({"GTIFF_DIR", "HDF4_EOS", "HDF4_SDS", "HDF5", "NETCDF", "ZARR"})


def local_path(given: str | os.PathLike[str]) -> Path:
    """Path of a file or folder on this machine that a user named.

    Parameters
    ----------
    given : path-like
        ``~`` at its beginning is the home folder, as in a shell: where nobody of a name is known
        (``~x.zarr``), it is part of the name of a file. ``file://`` before it may be there or not.

    Returns
    -------
    Path
        Relative if the given one is.

    Examples
    --------
    >>> local_path("~/scenes/lake.tif") == Path.home() / "scenes" / "lake.tif"
    True
    >>> local_path("file:///data/lake.tif").as_posix(), local_path("~lake.tif").as_posix()
    ('/data/lake.tif', '~lake.tif')
    """
    path = Path(os.fspath(given).removeprefix("file://"))
    try:
        return path.expanduser()
    except RuntimeError:  # nobody of that name, or a user without a home
        return path


def split_subdataset(text: str) -> tuple[str, str, str] | None:
    """Take GDAL's name of a subdataset apart.

    Parameters
    ----------
    text : str
        Such as ``NETCDF:"scene.nc":green``, as GDAL and our messages write it.

    Returns
    -------
    (str, str, str) or None
        What stands before the path of the file, the path, and what stands after it; None if it
        is no such name, or the name of an existing file.

    Examples
    --------
    >>> split_subdataset('NETCDF:"scenes/a.nc":green')
    ('NETCDF:"', 'scenes/a.nc', '":green')
    >>> split_subdataset("GTIFF_DIR:2:a.tif"), split_subdataset("a.tif")
    (('GTIFF_DIR:2:', 'a.tif', ''), None)
    """
    found = _SUBDATASET.match(text)
    if found is None or found["driver"].upper() not in _SUBDATASETS_OF:
        return None
    if Path(text).exists():
        return None
    if quoted := re.match(r'^([^"]*")([^"]+)(".*)$', text):
        return quoted[1], quoted[2], quoted[3]
    if directory := re.match(r"^(GTIFF_DIR:(?:off:)?\d+:)(.+)$", text, re.IGNORECASE):
        return directory[1], directory[2], ""
    # Without quotes: the path ends at the first colon behind its extension.
    plain = re.match(r"^([^:]+:)(.+?\.[A-Za-z0-9]+)(:.*)?$", text)
    return (plain[1], plain[2], plain[3] or "") if plain else None


def check_there(source: str | os.PathLike[str]) -> None:
    """Refuse the path of a local file or folder that does not exist.

    Nothing heavy is imported for it. URLs, patterns and whatever else only its reader can look up
    are let pass; of a source in a catalogue or a saved search, the file is looked for.

    Parameters
    ----------
    source : path-like
        As for `strandline.open_scene`.

    Raises
    ------
    SourceNotFoundError
        If nothing is there.

    Examples
    --------
    >>> check_there("s3://bucket/scene.tif"), check_there("scene_*.tif")
    (None, None)
    >>> check_there("nowhere.tif")
    Traceback (most recent call last):
    strandline.errors.SourceNotFoundError: There is no file 'nowhere.tif'. Check the path.
    """
    text = os.fspath(source)
    inside = _INSIDE.match(text)
    name = inside["file"] if inside else text
    plain = name.removeprefix("file://")
    if ":" in plain or name.startswith("/vsi"):
        return
    try:
        there = os.path.lexists(local_path(name))
    except (OSError, ValueError):  # a name that no file can have, as its reader says
        return
    if not there and not any(letter in plain for letter in "*?[{"):
        shown = name if len(name) <= LONGEST_SHOWN else f"{name[:LONGEST_SHOWN]}…"
        raise SourceNotFoundError(f"There is no file {shown!r}.", remedy="Check the path.")
