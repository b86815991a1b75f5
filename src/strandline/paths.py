"""Paths as people write them."""

from __future__ import annotations

import os
import re
from pathlib import Path

from strandline.errors import SourceNotFoundError

_INSIDE = re.compile(r"^(?P<file>.+\.(ya?ml|json)):[^/\\]+$", re.IGNORECASE)


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
        raise SourceNotFoundError(f"There is no file {name!r}.", remedy="Check the path.")
