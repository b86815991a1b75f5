"""How much finer a grid is than the data on it.

Resampling onto finer pixels adds pixels, no information: neighbours then repeat one measurement.
What is counted in pixels (how wide a shore is mixed, how precisely its area is known) has to be
counted in those of the data.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from strandline.errors import FinerGridWarning

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

OVERSAMPLING = "oversampling"
"""Coordinate of scenes and maps, a number or one per date: pixels of the grid along the side of
a pixel of the data. Absent where the grid is as coarse as the data."""

LEAST = 1.05
"""Below this it is a change of the projection, not of the pixel: UTM zones differ by less."""

WARN_FROM = 1.5
"""From here on a user is warned: pixels are repeated."""

_ATTRS = {"long_name": "pixels of the grid along the side of a pixel of the data", "units": "1"}


def oversampling_of(data: xr.DataArray | xr.Dataset) -> NDArray[np.float64]:
    """Return the oversampling of each date.

    Parameters
    ----------
    data : DataArray or Dataset
        Scenes or maps, of one date or of several.

    Returns
    -------
    ndarray of float64, shape (n_dates,)
        1 or more.

    Examples
    --------
    >>> from strandline.prepare import make_grid, regrid
    >>> from strandline.testing.lakes import round_lake
    >>> scene = round_lake(shape=(40, 40))
    >>> oversampling_of(scene).tolist()
    [1.0]
    >>> oversampling_of(regrid(scene, make_grid(like=scene, resolution=10))).tolist()
    [3.0]
    """
    dates = (int(data.sizes.get("time", 1)),)
    if OVERSAMPLING not in data.coords:
        return np.ones(dates)
    values = np.asarray(data.coords[OVERSAMPLING].values, np.float64)
    return np.maximum(np.nan_to_num(np.broadcast_to(values, dates), nan=1.0), 1.0)


def steps_of(data: xr.DataArray | xr.Dataset) -> list[int]:
    """Return the oversampling of each date in whole pixels of the grid."""
    return [max(1, round(value)) for value in oversampling_of(data).tolist()]


def oversampling_coordinate(
    values: Sequence[float] | NDArray[np.float64], *, dated: bool
) -> dict[str, Any]:
    """Return the coordinate for some oversampling; none where no date has any.

    Parameters
    ----------
    values : sequence of float
        One per date.
    dated : bool
        Whether the array has a dimension ``time``; without it there is one value.

    Returns
    -------
    dict
        For ``assign_coords``.
    """
    each = np.asarray(values, np.float64)
    if not (each > LEAST).any():
        return {}
    dims = ("time",) if dated else ()
    return {OVERSAMPLING: xr.Variable(dims, each if dated else each[0], _ATTRS)}


def resampled(scene: xr.DataArray, source: GeoBox, target: GeoBox) -> dict[str, Any]:
    """Return the coordinate that a scene has once it is on another grid.

    Parameters
    ----------
    scene : DataArray
        On the source grid.
    source, target : GeoBox

    Returns
    -------
    dict
        For ``assign_coords``.
    """
    from strandline.prepare.warp import source_pixels

    finer = 1.0 / math.sqrt(math.prod(source_pixels(source, target)))
    # Rounded, so that the size of the grid, in whose middle it is measured, makes no difference.
    values = np.round(oversampling_of(scene) * finer, 3)
    return oversampling_coordinate(values, dated="time" in scene.dims)


def warn_of_finer_grid(data: xr.DataArray, pixel: float | None = None) -> None:
    """Warn where a grid is finer than the data on it.

    Parameters
    ----------
    data : DataArray
        On the grid.
    pixel : float, optional
        Side of a pixel of the grid in metres, to be named.

    Warns
    -----
    FinerGridWarning
        If a date has an oversampling of `WARN_FROM` or more.
    """
    text = finer_grid_text(data, pixel)
    if text:
        warnings.warn(
            f"{text} Areas are counted on the grid; intervals, confidence and mixed pixels follow "
            "the pixels of the data. A grid as coarse as the data has the same information.",
            FinerGridWarning,
            stacklevel=3,
        )


def finer_grid_text(data: xr.DataArray | xr.Dataset, pixel: float | None = None) -> str:
    """Return a sentence on how much finer a grid is than the data; empty where it is not.

    Examples
    --------
    >>> from strandline.prepare import make_grid, regrid
    >>> from strandline.testing.lakes import round_lake
    >>> scene = round_lake(shape=(40, 40))
    >>> finer_grid_text(regrid(scene, make_grid(like=scene, resolution=10)), 10)
    'The grid is finer than the data: pixels of 10 m for data of 30 m.'
    """
    values = oversampling_of(data)
    finer = values[values >= WARN_FROM]
    if not len(finer):
        return ""
    ends = [f"{value * (pixel or 1):.3g}" for value in (finer.min(), finer.max())]
    sizes = " to ".join(dict.fromkeys(ends))
    if pixel is None:
        return f"The grid is finer than the data, by a factor of {sizes}."
    return f"The grid is finer than the data: pixels of {pixel:.3g} m for data of {sizes} m."
