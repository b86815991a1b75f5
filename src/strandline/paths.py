"""Paths as people write them."""

from __future__ import annotations

import os
from pathlib import Path


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
