"""The table of what was not observed, and what it warns of."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from strandline.errors import SuspiciousSceneWarning
from strandline.prepare.classes import NOT_OBSERVED
from strandline.results.areas import WHOLE_MAP
from strandline.results.dates import dates_of

HIDDEN_SHARE, HIDDEN_PIXELS = 0.05, 20
"""From this share of the water on, and so many pixels, hidden water is warned of."""


def study_quality(
    scenes: xr.DataArray,
    segmentation: xr.Dataset,
    areas: pd.DataFrame,
    counts: NDArray[np.int64] | None = None,
) -> pd.DataFrame:
    """Tabulate what was not observed, and why; warn where a quality band hides much water.

    Parameters
    ----------
    scenes : DataArray of shape (time, band, y, x)
        All dates.
    segmentation : Dataset
        Of them.
    areas : DataFrame
        From `area_table`.
    counts : ndarray of shape (time, 2, 256), optional
        What was counted tile by tile, if it was.

    Returns
    -------
    DataFrame
        As from `strandline.quality_table`.

    Warns
    -----
    SuspiciousSceneWarning
        If pixels that look like water were left out as cloud, cirrus or snow, and they are more
        than 5 % of the water that was observed together with them; or if no pixel was observed
        on both of two dates.
    """
    from strandline.scenes.counts import count_flags, table_of_counts, told_of

    names = dates_of(scenes)
    dates = [scenes.isel(time=number) for number in range(len(names))]
    if counts is None:
        observed = segmentation["labels"].values != NOT_OBSERVED
        flags = [date["quality"].values if "quality" in date.coords else None for date in dates]
        counts = np.stack([count_flags(*both) for both in zip(flags, observed, strict=True)])
    table = table_of_counts(names, counts, map(told_of, dates))
    _warn_of_hidden_water(table, areas)
    _warn_of_nothing_in_common(areas)
    return table


def _warn_of_nothing_in_common(areas: pd.DataFrame) -> None:
    """Say that a change of zero is no finding where nothing was seen on both dates."""
    whole = _pixels(areas)
    if "stable land" not in whole:
        return
    if whole[["stable land", "stable water", "lost", "gained"]].sum() == 0:
        warnings.warn(
            SuspiciousSceneWarning(
                "No pixel was observed on both dates: nothing is known of the change, and a "
                "change of 0 only means that none was observed. Choose other dates; "
                "quality.csv says why."
            ),
            stacklevel=3,
        )


def _warn_of_hidden_water(table: pd.DataFrame, areas: pd.DataFrame) -> None:
    from strandline.scenes.counts import HIDDEN_WATER

    whole = _pixels(areas)
    for name, rows in table.groupby("date", sort=False):
        hidden = int(rows.loc[rows["what"] == HIDDEN_WATER, "pixels"].sum())
        water = int(whole.get("water " + str(name) if name else "water", 0))
        if hidden >= HIDDEN_PIXELS and hidden > HIDDEN_SHARE * (hidden + water):
            where = " of " + str(name) if name else ""
            warnings.warn(
                SuspiciousSceneWarning(
                    f"The quality band{where} calls {hidden:,} pixels cloud, cirrus or snow that "
                    f"look like water by their spectrum; {water:,} pixels were observed as "
                    "water. Look at the picture; if it is water, pass conflicts='spectrum' "
                    "(--conflicts spectrum)."
                ),
                stacklevel=3,
            )


def _pixels(areas: pd.DataFrame) -> pd.Series[int]:
    """Count the pixels of each quantity of the whole map."""
    return areas[areas["area"] == WHOLE_MAP].set_index("quantity")["pixels"]
