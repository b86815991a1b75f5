"""A first look at large scenes: the same study of every n-th row and column.

Of a whole scene it takes seconds instead of a minute. The pixels are real ones, none is a mean,
so that the clusters are of the same kinds; but lakes smaller than the step are missed at random.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt
from typing import Any

import xarray as xr
from odc.geo.geobox import GeoBox

from strandline.configuration import StudyConfig
from strandline.prepare.georeference import grid_of
from strandline.stages import study_grid

LARGE = 8_000_000
"""Pixels of all dates together above which there is a preview: more take about ten seconds."""

PIXELS = 800_000
"""Pixels of all dates together that a preview has at most: about what the map shows."""


LARGE_AGAIN = 1_000_000
"""The same where the scenes were read before: somebody tries choices, and looks at each."""

PIXELS_AGAIN = 150_000
"""Pixels of all dates together that a preview of scenes up to `LARGE` has at most."""


def preview_step(
    config: StudyConfig, opened: Sequence[xr.DataArray], *, again: bool = False
) -> int:
    """Choose n, of every n-th row and column of the study's grid that a preview takes.

    Parameters
    ----------
    config : StudyConfig
    opened : sequence of DataArray of shape (band, y, x)
        Its scenes.
    again : bool
        Whether they were read before.

    Returns
    -------
    int
        1 if none is needed.
    """
    rows, columns = study_grid(config, opened[0]).shape
    pixels = rows * columns * len(opened)
    if pixels <= (min(LARGE, LARGE_AGAIN) if again else LARGE):
        return 1
    return ceil(sqrt(pixels / (PIXELS if pixels > LARGE else PIXELS_AGAIN)))


def thin_study(
    config: StudyConfig, opened: Sequence[xr.DataArray], step: int
) -> tuple[StudyConfig, list[xr.DataArray]]:
    """Make the study of every n-th row and column.

    Parameters
    ----------
    config : StudyConfig
    opened : sequence of DataArray of shape (band, y, x)
        Its scenes; nothing of them is read.
    step : int

    Returns
    -------
    config : StudyConfig
        With larger pixels, and without what only all pixels tell: shifts are parts of a pixel,
        and marks are on clusters of another clustering.
    scenes : list of DataArray of shape (band, y, x)
        Lazy; their pixels lie where they lay.
    """
    grid = study_grid(config, opened[0])
    changes: dict[str, Any] = {
        "correct_shift": False,
        "water_labels": None,
        "water_also": None,
        "water_without": None,
    }
    if config.resolution is not None:
        changes["resolution"] = config.resolution * step
    return (
        config.model_copy(update=changes),
        [_thinned(scene, _own_step(scene, grid, step)) for scene in opened],
    )


def _own_step(scene: xr.DataArray, grid: GeoBox, step: int) -> int:
    """Turn a step on the grid into one on a scene, whose pixels may be larger or smaller."""
    own = grid_of(scene)
    if own.crs != grid.crs:
        return step  # their sizes may be in other units; no step is wrong, only more or less fine
    return max(1, round(step * abs(grid.resolution.x) / abs(own.resolution.x)))


def _thinned(scene: xr.DataArray, step: int) -> xr.DataArray:
    # From the middle of the first block, so that the edges of the map stay where they are.
    each = slice(step // 2, None, step)
    return scene[..., each, each]
