"""Water masks: what the decision about classes says about every pixel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from strandline.prepare.classes import LAND, NOT_OBSERVED, WATER, simulated_mark, stored_classes
from strandline.prepare.oversampling import steps_of
from strandline.water.decision import classes_of
from strandline.water.fraction import by_windows, unmixing_of
from strandline.water.identify import FRACTION, find_water


def water_mask(
    segmentation: xr.Dataset, water: pd.DataFrame | int | Iterable[int] | None = None
) -> xr.DataArray:
    """Turn a segmentation into a water mask.

    Every pixel gets what was decided about its subcluster, but those on a shore are water if
    `water_fraction` says that most of them is.

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
    count = segmentation.sizes["subcluster"]
    if decision.attrs.get("shores") == FRACTION:
        data = by_windows(
            subclusters.data, unmixing_of(decision, count).mask, np.uint8, steps_of(subclusters)
        )
    else:
        data = _by_class(subclusters.data, classes_of(decision, count))
    mask = subclusters.copy(data=data)
    mask.name = "water"
    mask.attrs = simulated_mark(subclusters) | {
        "long_name": "water",
        "_FillValue": np.uint8(NOT_OBSERVED),
        "flag_values": np.array([LAND, WATER], np.uint8),
        "flag_meanings": "not_water water",
        "verdict": decision.attrs.get("verdict", ""),
        "decided_by": decision.attrs.get("decided_by", ""),
    }
    return mask


def _by_class(subclusters: Any, classes: NDArray[np.uint8]) -> Any:
    """Look the class of every pixel up, lazily for a lazy map."""
    if hasattr(subclusters, "map_blocks"):
        return subclusters.map_blocks(classes.take, dtype=np.uint8)
    return classes[subclusters]
