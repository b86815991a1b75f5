"""One date after the other: its water mask, and what its spectra look like to the model."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from strandline.errors import ConfigurationError
from strandline.prepare.classes import NOT_OBSERVED
from strandline.prepare.georeference import attach_grid, grid_of
from strandline.prepare.oversampling import OVERSAMPLING, steps_of
from strandline.scenes.conflicts import looks_white
from strandline.segmentation.model import SegmentationModel
from strandline.spectral.sampling import is_dask
from strandline.water import find_water, water_mask
from strandline.water.decision import classes_of
from strandline.water.identify import FRACTION
from strandline.water.shore import share_at_shore

FAR = 4.0
"""Root mean square of the distance to the nearest class, in standard deviations of its cluster,
beyond which a spectrum is unlike all that the model was fitted to."""

LEAST_DEVIATION = 0.05
"""Of a cluster, in units of the spread of all pixels, so that a uniform one tolerates noise."""

SHORE_DATES = 8
"""On so many dates, evenly chosen, it is found which classes of land lie at the shore."""

_TO_BYTE = 16.0  # steps of a standard deviation in which distances are stored
_SLAB = 1 << 16


class Sight(NamedTuple):
    """What was seen on a date.

    Attributes
    ----------
    mask : DataArray of shape (y, x)
        Water mask of the date, in memory, with its ``time`` and ``platform``.
    looks : dict
        ``white_share`` and ``odd_share`` of the observed pixels, and ``white_usual``, the
        share in what the model was fitted to; NaN if not known.
    shares : ndarray of float64, shape (clusters,)
        Share of the observed pixels in each cluster; empty without a model.
    """

    mask: xr.DataArray
    looks: dict[str, float]
    shares: NDArray[np.float64]


class Sights:
    """Look at one date after the other.

    Parameters
    ----------
    dates : DataArray of shape (time, band, y, x) or (time, y, x)
        Scenes, or water masks; with ``time`` and ``platform``.
    fitted : Dataset or SegmentationModel, optional
        The model, for scenes.
    water : optional
        The decision, as for `water_mask`.

    Attributes
    ----------
    decision : DataFrame or None
        What is water, with the part of each class of land that lies at the shore, which is
        found on up to `SHORE_DATES` dates if a map did not tell it. None for masks.

    Raises
    ------
    ConfigurationError
        If a model without signatures comes without a decision.
    """

    def __init__(
        self,
        dates: xr.DataArray,
        fitted: xr.Dataset | SegmentationModel | None,
        water: pd.DataFrame | int | Iterable[int] | None,
    ) -> None:
        self._dates, self._steps = dates, steps_of(dates)
        self._of_date = [
            name for name in ("time", "platform", OVERSAMPLING) if name in dates.coords
        ]
        self._labelled: dict[int, tuple[bytes, bytes]] = {}
        self.decision: pd.DataFrame | None = None
        if fitted is None or "band" not in dates.dims:
            return
        self.model = (
            fitted if isinstance(fitted, SegmentationModel) else SegmentationModel.of(fitted)
        )
        self._classes = _Classes(self.model, fitted if isinstance(fitted, xr.Dataset) else None)
        decision = _decision(fitted, water)
        if decision.attrs.get("shores") == FRACTION and decision["at_shore"].isna().all():
            decision["at_shore"] = self._at_shore(decision)
        self.decision = decision

    def __iter__(self) -> Iterator[Sight]:
        """Yield what was seen on each date.

        A lazy date is read here, block by block; the next one when it is asked for.
        """
        for number in range(self._dates.sizes["time"]):
            if self.decision is None:
                mask = self._dates[number].astype(np.uint8).compute()
                yield Sight(mask, _unknown(np.nan), np.empty(0))
            else:
                yield self._sight(number, self.decision)

    def _at_shore(self, decision: pd.DataFrame) -> NDArray[np.float64]:
        """Find which part of each class of land lies at the shore: on the median date.

        Not on all dates together: on a few of snow or cloud, what else is a mixture on the shore
        may cover whole hills.
        """
        total = self._dates.sizes["time"]
        classes = classes_of(decision, len(self._classes.cluster))
        shares = []
        for number in np.unique(np.linspace(0, total - 1, min(total, SHORE_DATES)).astype(int)):
            subclusters, away = self._label(int(number))
            self._labelled[int(number)] = _packed(subclusters), _packed(away)
            share = share_at_shore(subclusters, classes, self._steps[number : number + 1])
            shares.append(share.take(decision.index.to_numpy()))
        ordered = np.sort(shares, axis=0)  # NaN, where a class does not occur, comes last
        occurs = np.isfinite(ordered).sum(axis=0)
        middle = np.maximum(occurs - 1, 0) // 2
        at_shore: NDArray[np.float64] = ordered[middle, np.arange(len(occurs))]
        return at_shore

    def _label(self, number: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Label a date, and say how far its spectra are from their classes; (y, x) both."""
        if number in self._labelled:
            shape = self._dates.shape[-2:]
            first, second = (
                np.frombuffer(zlib.decompress(data), np.uint8).reshape(shape)
                for data in self._labelled.pop(number)
            )
            return first, second
        return _labelled(self._dates[number], self.model, self._classes)

    def _sight(self, number: int, decision: pd.DataFrame) -> Sight:
        subclusters, away = self._label(number)
        classes, model = self._classes, self.model
        grid = grid_of(self._dates)
        layer = attach_grid(xr.DataArray(subclusters, dims=("y", "x")), grid)
        maps = xr.Dataset({"subclusters": layer}).assign_coords(
            subcluster=np.arange(len(classes.cluster))
        )
        maps = maps.assign_coords(
            {name: self._dates.coords[name][number] for name in self._of_date}
        )
        mask = water_mask(maps, decision)
        seen = np.bincount(subclusters.ravel(), minlength=256)[: len(classes.cluster)]
        observed = int(seen.sum())
        if observed == 0:
            return Sight(mask, _unknown(classes.white_usual), np.zeros(model.n_clusters))
        white = np.nan if classes.white is None else seen[classes.white].sum() / observed
        far = np.count_nonzero(away >= FAR * _TO_BYTE) / observed
        odd = np.nan if classes.mean is None else far
        shares = np.bincount(classes.cluster, seen, model.n_clusters) / observed
        looks = {"white_share": float(white), "odd_share": float(odd)}
        return Sight(mask, {**looks, "white_usual": classes.white_usual}, shares)


def _decision(
    fitted: xr.Dataset | SegmentationModel, water: pd.DataFrame | int | Iterable[int] | None
) -> pd.DataFrame:
    if isinstance(water, pd.DataFrame):
        return water.copy()
    if isinstance(fitted, SegmentationModel):
        raise ConfigurationError(
            "A model from a file does not say which of its classes are water.",
            expected="water=…, what find_water said of the segmentation it comes from",
            got=repr(water),
            remedy="Pass that, or the segmentation itself as model=….",
        )
    return find_water(fitted, labels=water)


def _packed(values: NDArray[np.uint8]) -> bytes:
    return zlib.compress(values.tobytes(), 1)


class _Classes:
    """Means and deviations of the subclusters, to hold spectra against."""

    def __init__(self, model: SegmentationModel, fitted: xr.Dataset | None) -> None:
        cluster = model.subclusters.cluster
        self.cluster = cluster
        self.white: NDArray[np.bool_] | None = None
        self.white_usual = np.nan
        self.mean: NDArray[np.float32] | None = None
        if fitted is None:
            return
        self.mean = fitted["subcluster_mean"].values.astype(np.float32)
        whole = np.broadcast_to(np.asarray(model.standardizer.scale_), self.mean.shape[1:])
        deviation = np.maximum(fitted["signature_std"].values, LEAST_DEVIATION * whole)
        self.per_deviation = (1 / deviation[cluster]).astype(np.float32)
        if fitted["subcluster_mean"].attrs.get("units") == "1":
            self.white = _white(self.mean, [str(name) for name in fitted["band"].values])
        if self.white is not None:
            self.white_usual = float(fitted["subcluster_share"].values[self.white].sum())

    def distance(self, rows: NDArray[Any], subcluster: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Distance of spectra to their class in sixteenths of a standard deviation, as bytes."""
        away = np.zeros(len(rows), np.uint8)
        if self.mean is None:
            return away
        for start in range(0, len(rows), _SLAB):
            part = slice(start, start + _SLAB)
            numbers = np.minimum(subcluster[part], len(self.mean) - 1)
            scaled = (rows[part] - self.mean[numbers]) * self.per_deviation[numbers]
            far = _TO_BYTE * np.sqrt(np.mean(scaled * scaled, axis=1))
            far = np.nan_to_num(far, nan=0.0, posinf=255.0)
            away[part] = np.minimum(far, 255.0).astype(np.uint8)
        return away


def _white(mean: NDArray[np.float32], bands: list[str]) -> NDArray[np.bool_] | None:
    """Find the means of snow, ice and cloud: white, and brighter in green than in SWIR."""
    swir = next((name for name in ("swir16", "swir22") if name in bands), "swir16")
    names = ("green", "red", "nir08" if "nir08" in bands else "nir", swir)
    if not set(names) <= set(bands):
        return None
    green, red, nir, shortwave = (mean[:, bands.index(name)] for name in names)
    white: NDArray[np.bool_] = looks_white(green, red, nir) & (green > shortwave)
    return white


def _labelled(
    scene: xr.DataArray, model: SegmentationModel, classes: _Classes
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    maps = model.predict(scene.drop_vars("quality", errors="ignore"))  # checks the bands
    data = scene.sel(band=list(model.bands)).transpose("band", "y", "x").data
    subclusters = maps["subclusters"].data
    if is_dask(data):
        import dask
        import dask.array as da

        data = data.rechunk({0: -1})
        away = da.map_blocks(  # type: ignore[no-untyped-call]  # Dask is untyped
            _distances,
            data,
            subclusters.rechunk(data.chunks[1:])[None],
            classes=classes,
            dtype=np.uint8,
            chunks=((1,), *data.chunks[1:]),
            meta=np.empty((0, 0, 0), np.uint8),
        )
        subclusters, away = dask.compute(subclusters, away)  # type: ignore[attr-defined,no-untyped-call]
    else:
        away = _distances(data, subclusters[None], classes)
    return np.asarray(subclusters), np.asarray(away)[0]


def _unknown(white_usual: float) -> dict[str, float]:
    return {"white_share": np.nan, "odd_share": np.nan, "white_usual": white_usual}


def _distances(
    block: NDArray[Any], subcluster: NDArray[np.uint8], classes: _Classes
) -> NDArray[np.uint8]:
    """Distances of spectra of shape (band, y, x) to their classes of shape (1, y, x)."""
    rows = block.reshape(len(block), -1).T
    away = classes.distance(rows, subcluster.ravel())
    away[subcluster.ravel() == NOT_OBSERVED] = 0
    return away.reshape(subcluster.shape)
