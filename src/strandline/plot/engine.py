"""The packages that draw interactive pictures: got when the first one is drawn."""

from __future__ import annotations

from typing import Any

import numpy as np

from strandline.errors import MissingDependencyError, how_to_install


def holoviews(task: str) -> Any:
    """Import HoloViews and have it draw with Bokeh.

    Parameters
    ----------
    task : str
        What it is wanted for, as the name of a function of this package.

    Returns
    -------
    module

    Raises
    ------
    MissingDependencyError
        If it, or what draws with it, is not installed.
    """
    try:
        import bokeh  # noqa: F401  HoloViews imports it later and would say less
        import datashader  # noqa: F401
        import holoviews as hv
        import panel  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            f"strandline.plot.{task} needs '{error.name}', which is not installed.",
            remedy=f"{how_to_install('viz')} (pictures that do not move, strandline.show, need "
            "nothing more)",
        ) from error
    if "bokeh" not in hv.Store.loaded_backends():
        # In a notebook this loads the scripts, from the packages and not from a server.
        hv.extension("bokeh", inline=True, logo=False)
    return hv


def warm_up() -> None:
    """Have the code that thins out large rasters compiled now, not when the first one is drawn.

    Datashader's loops are compiled for each kind of number when they first meet it, which
    takes some seconds. A server calls this before its first visitor comes.

    Raises
    ------
    MissingDependencyError
        If Datashader is not installed.

    Examples
    --------
    >>> warm_up()
    """
    from strandline.plot.zoom import thinned

    holoviews("warm_up")
    for values in (np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.float32)):
        thinned({"values": values}, (8, 8))
