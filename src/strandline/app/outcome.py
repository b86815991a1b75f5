"""What a study found, as the page has it in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from strandline.configuration import StudyConfig
from strandline.show.interactive.zoom import Raster

if TYPE_CHECKING:
    from strandline.results import Results


@dataclass(frozen=True)
class Prepared:
    """Scenes on their common grid.

    Attributes
    ----------
    scenes : DataArray of shape (time, band, y, x)
        Reflectance; in memory, or lazy if it is large.
    dates : list of DataArray of shape (band, y, x)
        The same one by one.
    views : DataArray of shape (time, band, y, x)
        Thinned out for pictures.
    comparability : mapping or None
        How far two dates lie apart, for the record.
    step : int
        1; or of a preview, that only every so-manieth row and column was taken.
    """

    scenes: xr.DataArray
    dates: list[xr.DataArray]
    views: xr.DataArray
    comparability: dict[str, Any] | None
    step: int = 1


@dataclass(frozen=True)
class Clustered:
    """A segmentation, its maps in memory, and the pixels by quality flags if they were counted."""

    segmentation: xr.Dataset
    counts: NDArray[np.int64] | None


@dataclass(frozen=True)
class Outcome:
    """All that a study found.

    Attributes
    ----------
    config : StudyConfig
        That it belongs to.
    prepared : Prepared
    segmentation : Dataset
        From `strandline.segment`.
    evidence : DataFrame
        From `strandline.find_water`.
    water : DataArray of uint8, shape (time, y, x)
    change : DataArray of uint8, shape (y, x), or None
        For two scenes.
    classes : sequence of Raster
        For each date its layers ``cluster``, ``water`` and, of two scenes, ``change``; what is
        seen of them from afar is kept for all pages.
    areas : DataFrame
        From `strandline.results.area_table`.
    by_date : DataFrame
        From `strandline.areas` of the masks, with intervals.
    quality : DataFrame
        From `strandline.results.study_quality`.
    """

    config: StudyConfig
    prepared: Prepared
    segmentation: xr.Dataset
    evidence: pd.DataFrame
    water: xr.DataArray
    change: xr.DataArray | None
    classes: Sequence[Raster]
    areas: pd.DataFrame
    by_date: pd.DataFrame
    quality: pd.DataFrame

    @property
    def is_preview(self) -> bool:
        """Whether it was found from a few of the pixels, and the rest is still to come."""
        return self.prepared.step > 1

    def results(self) -> Results:
        """Give what `strandline.study.run_study` would write."""
        from strandline.results import Results

        return Results(
            self.config,
            self.prepared.views,
            self.segmentation,
            self.evidence,
            self.water,
            self.change,
            self.areas,
            self.quality,
        )
