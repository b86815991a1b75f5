"""Water masks: what the decision about classes says about every pixel."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from strandline.errors import WaterError
from strandline.prepare.classes import LAND, NOT_OBSERVED, WATER, stored_classes
from strandline.water.identify import find_water


def water_mask(
    segmentation: xr.Dataset, water: pd.DataFrame | int | Iterable[int] | None = None
) -> xr.DataArray:
    """Turn a segmentation into a water mask.

    Parameters
    ----------
    segmentation : Dataset
        From `strandline.segment`, or what its model predicts for another scene.
    water : DataFrame, int or iterable of int, optional
        The decision of `find_water`, or labels of clusters that are water. Default: let
        `find_water` decide by itself. What a model predicts has no signatures to decide by:
        pass the decision about the segmentation that the model comes from.

    Returns
    -------
    DataArray of uint8, shape (y, x) or (time, y, x)
        0 not water, 1 water, 255 not observed. Lazy if the segmentation is. Its attributes
        hold the verdict and what it was decided by.

    Raises
    ------
    WaterError
        As `find_water`; or a decision that belongs to another segmentation.

    Examples
    --------
    >>> import numpy as np
    >>> import strandline as sl
    >>> from strandline.testing.lakes import round_lake
    >>> mask = water_mask(sl.segment(round_lake(radius=300), n_clusters=3))
    >>> np.unique(mask).tolist()
    [0, 1]
    """
    decision = water if isinstance(water, pd.DataFrame) else find_water(segmentation, labels=water)
    subclusters = stored_classes(segmentation["subclusters"])
    values = _lookup(decision, segmentation.sizes["subcluster"])
    data = subclusters.data
    mask = subclusters.copy(
        data=data.map_blocks(values.take, dtype=np.uint8)
        if hasattr(data, "map_blocks")
        else values[data]
    )
    mask.name = "water"
    mask.attrs = {
        "long_name": "water",
        "_FillValue": np.uint8(NOT_OBSERVED),
        "flag_values": np.array([LAND, WATER], np.uint8),
        "flag_meanings": "not_water water",
        "verdict": decision.attrs.get("verdict", ""),
        "decided_by": decision.attrs.get("decided_by", ""),
    }
    return mask


def _lookup(decision: pd.DataFrame, n_subclusters: int) -> NDArray[np.uint8]:
    """Mask value of every subcluster number, 255 for what was not observed."""
    if "water" not in decision or len(decision) != n_subclusters:
        raise WaterError(
            "The decision belongs to another segmentation.",
            expected=f"a row for each of {n_subclusters} subclusters, with a column 'water'",
            got=f"{len(decision)} rows with columns {', '.join(map(str, decision.columns))}",
            remedy="Pass what find_water returned for this segmentation.",
        )
    values = np.full(256, NOT_OBSERVED, np.uint8)
    values[decision.index.to_numpy()] = np.where(decision["water"], WATER, LAND)
    return values
