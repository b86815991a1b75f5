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
from strandline.plot.zoom import Raster
from strandline.prepare.classes import NOT_OBSERVED
from strandline.prepare.georeference import grid_of

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
        1; or n, of a preview that has every n-th row and column alone.
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

    def pixel(self, x: float, y: float, date: int = 0) -> dict[str, Any] | None:
        """Say what is at a place of the map.

        Parameters
        ----------
        x, y : float
            In the coordinates of the map.
        date : int
            Number of the scene.

        Returns
        -------
        dict or None
            ``row``, ``column``, ``lon``, ``lat``, ``cluster`` and ``water`` (None where not
            observed), ``change`` (of two scenes), ``spectrum`` (band to reflectance). None
            beside the map.
        """
        grid = grid_of(self.water)
        column, row = (int(np.floor(value)) for value in ~grid.affine @ (x, y))
        rows, columns = grid.shape
        if not (0 <= row < rows and 0 <= column < columns):
            return None
        place = {"y": row, "x": column}
        scenes, change = self.prepared.scenes, self.change
        values = scenes.isel({"time": date, **place}).compute()
        lon, lat = _degrees(grid, x, y)
        return {
            "row": row,
            "column": column,
            "lon": lon,
            "lat": lat,
            "cluster": _class_at(self.segmentation["labels"].isel(time=date), place),
            "water": _class_at(self.water.isel(time=date), place),
            "change": None if change is None else _class_at(change, place),
            "spectrum": {
                str(band): float(value)
                for band, value in zip(values["band"].values, values.values, strict=True)
            },
        }

    def lit_up(
        self, date: int, bands: tuple[str, str], box: tuple[float, float, float, float]
    ) -> NDArray[np.bool_]:
        """Find the pixels whose spectrum lies in a box of the spectral space.

        Parameters
        ----------
        date : int
            Number of the scene.
        bands : (str, str)
            Across and up.
        box : (float, float, float, float)
            Left, bottom, right, top, in reflectance.

        Returns
        -------
        ndarray of bool, shape (y, x)
            On the grid of the pictures: `Prepared.views`.
        """
        view = self.prepared.views.isel(time=date)
        across, up = (np.asarray(view.sel(band=band)) for band in bands)
        left, bottom, right, top = box
        lit: NDArray[np.bool_] = (across >= left) & (across <= right) & (up >= bottom) & (up <= top)
        return lit

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


def _class_at(classes: xr.DataArray, place: dict[str, int]) -> int | None:
    value = int(classes.isel(place))
    return None if value == NOT_OBSERVED else value


def _degrees(grid: Any, x: float, y: float) -> tuple[float, float]:
    from pyproj import Transformer

    lon, lat = Transformer.from_crs(grid.crs, 4326, always_xy=True).transform(x, y)
    return float(lon), float(lat)
