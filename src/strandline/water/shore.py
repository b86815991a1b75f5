"""Where classes lie: which spectra occur next to water and nowhere else.

A spectrum between water's and land's may be a mixture of both, or some third thing: wet
soil, a burnt field, woods in shade. Mixtures occur on shores alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strandline.prepare.classes import LAND, WATER

RIM = 2
"""Land as near to water as this (in pixels, diagonals too) lies at the shore."""


def share_at_shore(
    subclusters: Any, classes: NDArray[np.uint8], steps: Sequence[int] = (1,)
) -> NDArray[np.float64]:
    """Compute for each class of land how much of it lies at the shore.

    Parameters
    ----------
    subclusters : ndarray or dask.array.Array of uint8, shape (…, y, x)
        The map; a lazy one is computed.
    classes : ndarray of uint8, shape (256,)
        Water, land or not observed, by subcluster number.
    steps : sequence of int
        Pixels of the grid along the side of a pixel of the data, one for all dates or one each.

    Returns
    -------
    ndarray of float64, shape (256,)
        0 … 1; NaN for what is not land, or does not occur.

    Examples
    --------
    >>> import numpy as np
    >>> classes = np.array([1, 0, 0] + 253 * [255], np.uint8)
    >>> share_at_shore(np.array([[0, 1, 1, 2, 2, 2]], np.uint8), classes)[:3].round(2).tolist()
    [nan, 1.0, 0.0]
    """
    if (classes != WATER).all():
        return np.where(classes == LAND, 0.0, np.nan)
    if len(set(steps)) == 1:
        near_water, everywhere = _counted(subclusters, classes, RIM * steps[0])
    else:
        near_water, everywhere = np.sum(
            [
                _counted(plane, classes, RIM * step)
                for plane, step in zip(subclusters, steps, strict=True)
            ],
            axis=0,
        )
    share = np.full(256, np.nan)
    np.divide(near_water, everywhere, out=share, where=everywhere > 0)
    return share


def _counted(subclusters: Any, classes: NDArray[np.uint8], rim: int) -> NDArray[np.int64]:
    """Count as `_count` does, on a map of any size."""
    if hasattr(subclusters, "map_blocks"):
        import dask.array as da
        from dask.delayed import delayed

        depth = (0,) * (subclusters.ndim - 2) + (rim, rim)
        wide = da.overlap.overlap(subclusters, depth=depth, boundary=255)  # type: ignore[no-untyped-call]  # Dask is untyped
        count, total = delayed(_count, pure=True), delayed(sum, pure=True)
        parts = [count(block, classes, rim) for block in wide.to_delayed().ravel()]
        counts: NDArray[np.int64] = total(parts).compute()
        return counts
    edges = ((0, 0),) * (subclusters.ndim - 2) + ((rim, rim),) * 2
    return _count(np.pad(subclusters, edges, constant_values=255), classes, rim)


def near(where: NDArray[np.bool_], distance: int) -> NDArray[np.bool_]:
    """Find what lies within a distance (pixels, diagonals too) of where something is.

    Parameters
    ----------
    where : ndarray of bool, shape (y, x)
    distance : int

    Returns
    -------
    ndarray of bool, shape (y, x)

    Examples
    --------
    >>> import numpy as np
    >>> near(np.array([[True, False, False, False]]), 2).tolist()
    [[True, True, True, False]]
    """
    result = where
    for axis in (0, 1):
        spread = result.copy()
        for step in range(1, min(distance, result.shape[axis] - 1) + 1):
            ahead: list[slice] = [slice(None)] * 2
            behind: list[slice] = [slice(None)] * 2
            ahead[axis], behind[axis] = slice(step, None), slice(None, -step)
            spread[tuple(ahead)] |= result[tuple(behind)]
            spread[tuple(behind)] |= result[tuple(ahead)]
        result = spread
    return result


def _count(block: NDArray[np.uint8], classes: NDArray[np.uint8], rim: int) -> NDArray[np.int64]:
    """Count the land of each class at the shore, and all of it, without the block's rim."""
    counts = np.zeros((2, 256), np.int64)
    inner = (slice(rim, -rim), slice(rim, -rim))
    for plane in block.reshape(-1, *block.shape[-2:]):
        kinds = classes[plane]
        dry = (kinds == LAND)[inner]
        at_shore = dry & near(kinds == WATER, rim)[inner]
        counts[0] += np.bincount(plane[inner][at_shore], minlength=256)
        counts[1] += np.bincount(plane[inner][dry], minlength=256)
    return counts
