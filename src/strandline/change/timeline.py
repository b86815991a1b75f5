"""Water over many dates: how much, how often, since when, and which dates do not fit."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from strandline.change.area import water_row
from strandline.change.body import body_region
from strandline.change.interval import INTERVALS
from strandline.change.misfits import LEAST_EXPECTED, area_misfits, spectral_misfits
from strandline.change.pixel_area import pixel_areas
from strandline.change.sights import Sights
from strandline.change.transitions import TRANSITIONS, Counts, Years
from strandline.errors import ConfigurationError, GridMismatchError, SuspiciousSceneWarning
from strandline.prepare.classes import NOT_OBSERVED, WATER, stored_classes
from strandline.prepare.georeference import attach_grid, describe_grid, grid_of, same_grid
from strandline.prepare.oversampling import oversampling_coordinate, oversampling_of
from strandline.prepare.stack import platforms_of, stack_scenes, with_common_names
from strandline.segmentation.model import SegmentationModel
from strandline.segmentation.segment import fit_segmentation, scenes_of

OnDate = Callable[[int, int], None]
"""Is called with how many dates are done, and how many there are."""

OnMask = Callable[[xr.DataArray], None]
"""Is called with the water mask of a date."""

SERIES = (
    *("platform", "pixels", "least", "best", "most", *INTERVALS),
    *("not_observed_km2", "observed_share", "white_share", "odd_share", "fits", "reason"),
)
"""What there is for each date, in the order of the table."""


def timeline(
    scenes: xr.DataArray | xr.Dataset | Iterable[xr.DataArray | xr.Dataset],
    model: xr.Dataset | SegmentationModel | None = None,
    *,
    water: pd.DataFrame | int | Iterable[int] | None = None,
    n_clusters: int | str = 8,
    bands: Sequence[str] | None = None,
    standardize: str = "band",
    random_state: int = 0,
    n_subclusters: int | None = None,
    at: tuple[float, float] | None = None,
    leave_out: bool = True,
    on_date: OnDate | None = None,
    on_mask: OnMask | None = None,
) -> xr.Dataset:
    """Follow the water over many dates.

    One model is fitted to a sample of all dates, and applied to one date after the other; so
    memory does not grow with their number, but for the masks, which are kept compressed.
    Pixels that were not observed on a date count neither as land nor as water on it.

    Parameters
    ----------
    scenes : DataArray or iterable of DataArray
        Scenes (band, y, x), or together (time, band, y, x); or water masks (y, x) or
        (time, y, x); or datasets with one variable per band. Each date has its own time. Scenes
        on other grids are put onto the first one's. Lazy ones are read twice, once to fit the
        model and once to apply it.
    model : Dataset or SegmentationModel, optional
        What `segment` returned for other dates, or an earlier timeline: these dates are
        labelled by its model, and nothing is fitted.
    water : DataFrame, int or iterable of int, optional
        The decision of `find_water` about the model, or labels of clusters. Default: let
        `find_water` decide. Needed with a SegmentationModel, which has no signatures.
    n_clusters, bands, standardize, random_state, n_subclusters : optional
        As for `segment`, of which they say how a model is fitted.
    at : (float, float), optional
        Longitude and latitude of a place in the water. The areas of the series are then those
        of the body of water that contains it: of the pixels that touch, by a side or a corner,
        and were water on any of the dates that fit; ``most`` counts what was hidden of these,
        and what was never observed and touches them. Default: all water. The maps show all.
    leave_out : bool
        Whether the dates that do not fit are left out of the maps. They stay in the series.
    on_date : callable, optional
        Called with the number of dates done, and of all.
    on_mask : callable, optional
        Called with the water mask (y, x) of each date, in the order of time, of those that do
        not fit too. It has the date's ``time`` and ``platform``, and is not kept.

    Returns
    -------
    Dataset
        In memory, in the order of time. For each ``time``: its ``platform`` ("unknown" where
        none is named); ``pixels``, ``least``, ``best``, ``most``, ``low_90``, ``high_90``,
        ``low_95``, ``high_95``, ``not_observed_km2``, ``observed_share`` as from
        ``areas(intervals=True)``; ``white_share`` of the observed pixels looks like snow, ice
        or cloud, ``odd_share`` is unlike all that the model was fitted to (NaN for masks);
        ``fits`` (bool), and the ``reason`` if not. For each pixel (y, x):

        - ``occurrence`` (float32): share of the observed dates with water;
        - ``observed`` (uint16): how many dates that were;
        - ``recurrence`` (float32): share of years with water, of those observed in any of
          the months that ever had water there;
        - ``seasonality`` (uint8): months with water in the last year observed, of
          ``months_observed``;
        - ``transitions`` (uint8): 0 never water, and the ten classes of Pekel et al. 2016
          (flag_meanings), from what the first and the last year observed were: *permanent*
          if every observed month had water, *seasonal* if some had. A month has water if it
          was seen on any of its dates. Ephemeral: dry in the first and the last year, and
          permanent, or only seasonal, in one between;
        - ``first_observed``, ``last_observed`` (datetime64[ns]).

        Never observed is NaN, 255, NaT, and 0 in ``observed``. The signatures of the model
        come along.

    Raises
    ------
    ConfigurationError
        If there is no date, one has no time, or two have the same; or `bands`, `standardize` or
        `n_subclusters` are given where nothing is fitted.
    GridMismatchError
        If masks are on different grids.
    GridError
        If `at` is not a place on the map.
    MissingBandError, InvalidDataError, WaterError
        As `segment` and `find_water`; or there was never water at `at`.

    Warns
    -----
    SuspiciousSceneWarning
        If dates do not fit, with the reasons.

    References
    ----------
    Pekel, Cottam, Gorelick, Belward 2016, High-resolution mapping of global surface water and
    its long-term changes, Nature 540, 418-422.

    Examples
    --------
    >>> from strandline.testing.lakes import round_lake
    >>> years = {"1990-07-01": 600, "2000-07-01": 500, "2010-07-01": 400}
    >>> lakes = [round_lake(radius=radius, time=day) for day, radius in years.items()]
    >>> history = timeline(lakes, n_clusters=3)
    >>> history.best.round(1).values.tolist()
    [1.1, 0.8, 0.5]
    >>> sorted({TRANSITIONS[value] for value in history.transitions.values.ravel()})
    ['lost permanent', 'never water', 'permanent']
    """
    dates, fitted = _dated(scenes), model
    how: dict[str, Any] = {
        "bands": bands,
        "standardize": standardize,
        "n_subclusters": n_subclusters,
    }
    if "band" in dates.dims and fitted is None:
        fitted = fit_segmentation(dates, n_clusters, random_state=random_state, **how)
    else:
        _check_unused(how)
    grid = grid_of(dates)
    areas_of = pixel_areas(grid)
    kept: list[bytes] = []
    rows: list[dict[str, Any]] = []
    shares = []
    total = dates.sizes["time"]
    sights = Sights(dates, fitted, water)
    for sight in sights:
        mask = sight.mask.to_numpy()
        finer = float(oversampling_of(sight.mask)[0])
        rows.append({**water_row(mask, None, areas_of, oversampling=finer), **sight.looks})
        shares.append(sight.shares)
        kept.append(zlib.compress(mask.tobytes(), 1))
        if on_mask is not None:
            on_mask(sight.mask)
        if on_date is not None:
            on_date(len(kept), total)
    times = pd.DatetimeIndex(dates["time"].values)
    masks = _Masks(kept, times, (int(grid.shape[0]), int(grid.shape[1])))
    series = pd.DataFrame(rows, index=times.rename("time"))
    series["platform"] = dates["platform"].to_numpy()
    reasons = _misfits(series, np.array(shares), masks)
    series["fits"] = [not found for found in reasons]
    series["reason"] = ["; ".join(found) for found in reasons]
    _warn(series)
    if at is not None:
        _measure_body(series, masks, grid, at, oversampling_of(dates))
    used = series["fits"].to_numpy() if leave_out else np.ones(total, dtype=bool)
    history = _dataset(series, _maps(masks, used), grid, fitted)
    if "subcluster_mean" in history and sights.decision is not None:
        history["subcluster_at_shore"] = ("subcluster", sights.decision["at_shore"].to_numpy())
    return history if at is None else history.assign_attrs(body_at=list(at))


def series_of(history: xr.Dataset) -> pd.DataFrame:
    """Take the table of dates out of a timeline.

    Parameters
    ----------
    history : Dataset
        From `timeline`.

    Returns
    -------
    DataFrame
        A row per ``time``, with the columns of `SERIES`.
    """
    names = list(SERIES)
    return pd.DataFrame({name: history[name].values for name in names}, index=_index(history))


def _index(history: xr.Dataset) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(history["time"].values, name="time")


# --- dates ------------------------------------------------------------------------


def _dated(
    scenes: xr.DataArray | xr.Dataset | Iterable[xr.DataArray | xr.Dataset],
) -> xr.DataArray:
    """Put the dates together, in the order of time."""
    if isinstance(scenes, xr.DataArray):
        given = with_common_names(scenes)
    else:
        items = [scenes] if isinstance(scenes, xr.Dataset) else list(scenes)
        parts = [part for item in items for part in scenes_of(item)]
        if parts and all(isinstance(one, xr.DataArray) and "band" in one.dims for one in parts):
            given = stack_scenes(parts)
        else:
            given = _stacked_masks(parts)
    is_scene = {"band", "y", "x"} <= set(given.dims) <= {"time", "band", "y", "x"}
    is_mask = {"y", "x"} <= set(given.dims) <= {"time", "y", "x"}
    if not (is_scene or is_mask):
        raise ConfigurationError(
            "What was passed has no dates of water.",
            expected="scenes (time, band, y, x) or water masks (time, y, x), or a list of them",
            got=f"dimensions {tuple(map(str, given.dims))}",
        )
    given = given if is_scene else stored_classes(given)
    if "time" not in given.dims and "time" in given.coords:
        given = given.expand_dims("time")
    if "time" not in given.coords or np.isnat(given["time"].values).any():
        raise ConfigurationError(
            "A scene or mask has no time.",
            expected="a coordinate time",
            got="none",
            remedy="Pass time=… to open_scene, or assign_coords(time=…).",
        )
    given = given.assign_coords(platform=("time", platforms_of(given))).sortby("time")
    if given.indexes["time"].has_duplicates:
        raise ConfigurationError(
            "Two dates have the same time.", expected="one scene or mask per time"
        )
    return given.transpose("time", *(["band"] if is_scene else []), "y", "x")


def _check_unused(how: dict[str, Any]) -> None:
    """Refuse settings of a fit where nothing is fitted."""
    usual = {"bands": None, "standardize": "band", "n_subclusters": None}
    given = [f"{name}={value!r}" for name, value in how.items() if value != usual[name]]
    if given:
        raise ConfigurationError(
            "No model is fitted to water masks, or where a model is given.",
            got=", ".join(given),
            remedy="Leave that out, or pass scenes and no model.",
        )


def _stacked_masks(masks: list[Any]) -> xr.DataArray:
    """Put water masks of one date each together."""
    if not masks or not all(isinstance(mask, xr.DataArray) for mask in masks):
        raise ConfigurationError(
            "There are no dates.",
            expected="scenes, or water masks",
            got=", ".join(sorted({type(mask).__name__ for mask in masks})) or "nothing",
        )
    masks = [stored_classes(mask) for mask in masks]
    grid = grid_of(masks[0])
    for mask in masks:
        if not same_grid(grid, grid_of(mask)):
            raise GridMismatchError(
                "The water masks are not on one grid.",
                expected=describe_grid(grid),
                got=describe_grid(grid_of(mask)),
                remedy="Stack the scenes with stack_scenes, or bring a mask onto the others' "
                "grid with regrid.",
            )
        if "time" not in mask.coords:
            raise ConfigurationError(
                "A scene or mask has no time.",
                expected="a scalar coordinate time",
                got="none",
                remedy="assign_coords(time=…).",
            )
    names = {"y", "x", "time"}
    bare = [
        attach_grid(mask.drop_vars([name for name in mask.coords if name not in names]), grid)
        for mask in masks
    ]
    whole = xr.concat(bare, dim="time", coords="minimal", compat="override", join="override")
    platforms = [name for mask in masks for name in platforms_of(mask)]
    finer = [float(value) for mask in masks for value in oversampling_of(mask)]
    return whole.assign_coords(
        platform=("time", platforms), **oversampling_coordinate(finer, dated=True)
    )


class _Masks:
    """The water masks of all dates, compressed: lakes take a hundredth of their bytes."""

    def __init__(self, kept: list[bytes], times: pd.DatetimeIndex, shape: tuple[int, int]) -> None:
        self._kept, self.times, self.shape = kept, times, shape

    def __len__(self) -> int:
        return len(self._kept)

    def read(self, used: NDArray[np.bool_]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Give the number and the mask of each date that is used."""
        for number in np.flatnonzero(used):
            flat = np.frombuffer(zlib.decompress(self._kept[number]), np.uint8)
            yield int(number), flat.reshape(self.shape)


# --- what comes out ---------------------------------------------------------------


def _counted(masks: _Masks, used: NDArray[np.bool_]) -> Counts:
    counts = Counts(masks.shape)
    for number, mask in masks.read(used):
        counts.add(mask, number, int(masks.times[number].month))
    return counts


def _measure_body(
    series: pd.DataFrame,
    masks: _Masks,
    grid: GeoBox,
    at: tuple[float, float],
    finer: NDArray[np.float64],
) -> None:
    """Put the areas of the body of water at a place into the series, instead of all water."""
    ever, never = np.uint8(1), np.uint8(2)
    flags = np.full(masks.shape, never)
    # Snow or shadow taken for water would join lakes that never touched.
    fits = series["fits"].to_numpy()
    for _, mask in masks.read(fits if fits.any() else ~fits):
        flags[mask != NOT_OBSERVED] &= ~never
        flags[mask == WATER] |= ever
    region, areas_of = body_region(flags, grid, at), pixel_areas(grid)
    rows = [
        water_row(mask, region, areas_of, oversampling=float(finer[number]))
        for number, mask in masks.read(np.full(len(masks), True))
    ]
    for name in rows[0]:
        series[name] = [row[name] for row in rows]


def _misfits(series: pd.DataFrame, shares: NDArray[np.float64], masks: _Masks) -> list[list[str]]:
    reasons = spectral_misfits(series, shares)
    judged = np.array([not found for found in reasons])
    # What the mean of the dates that look right would have shown in the pixels of each date.
    usual = np.nan_to_num(_counted(masks, judged).occurrence)
    whole = float(usual.sum(dtype=np.float64))
    ratio = np.full(len(masks), np.nan)
    for number, mask in masks.read(judged):
        expected = float(usual[mask != NOT_OBSERVED].sum(dtype=np.float64))
        if expected > LEAST_EXPECTED * whole:
            ratio[number] = int((mask == WATER).sum()) / expected
    for number, reason in area_misfits(ratio, judged).items():
        reasons[number].append(reason)
    return reasons


def _warn(series: pd.DataFrame) -> None:
    odd = series[~series["fits"]]
    if len(odd):
        told = "; ".join(f"{str(time)[:10]}: {why}" for time, why in odd["reason"].items())
        warnings.warn(
            SuspiciousSceneWarning(
                f"{len(odd)} of {len(series)} dates do not fit the others. {told}."
            ),
            stacklevel=3,
        )


def _maps(masks: _Masks, used: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    counts = _counted(masks, used)
    years = Years(counts)
    for number, mask in masks.read(used):
        time = masks.times[number]
        years.add(mask, int(time.year), int(time.month))
    return {
        "occurrence": counts.occurrence,
        "observed": counts.observed,
        **years.finish(),
        "first_observed": counts.times(counts.first, masks.times.values),
        "last_observed": counts.times(counts.last, masks.times.values),
    }


def _dataset(
    series: pd.DataFrame,
    maps: dict[str, NDArray[Any]],
    grid: GeoBox,
    fitted: xr.Dataset | SegmentationModel | None,
) -> xr.Dataset:
    words = {name: ("time", series[name].to_numpy(dtype=str)) for name in ("platform", "reason")}
    of_dates = {name: ("time", series[name].to_numpy()) for name in SERIES if name not in words}
    of_dates["reason"] = words["reason"]
    layers = {
        name: attach_grid(xr.DataArray(values, dims=("y", "x"), attrs=_ABOUT[name]), grid)
        for name, values in maps.items()
    }
    coords = {"time": series.index.to_numpy(), "platform": words["platform"]}
    result = xr.Dataset(layers).assign_coords(coords).assign(of_dates)
    for name, units in _UNITS.items():
        result[name].attrs["units"] = units
    if isinstance(fitted, xr.Dataset):
        result = result.assign({name: fitted[name] for name in _OF_MODEL if name in fitted})
        result = result.assign_coords(band=fitted["band"]).assign_attrs(model=fitted.attrs["model"])
    return result


_OF_MODEL = (
    *("signature_mean", "signature_std"),
    *("subcluster_mean", "subcluster_share", "subcluster_cluster"),
)
_SHARES = ("observed_share", "white_share", "odd_share", "occurrence", "recurrence")
_UNITS = {
    **dict.fromkeys(("least", "best", "most", *INTERVALS, "not_observed_km2"), "km2"),
    **dict.fromkeys(_SHARES, "1"),
}
_CLASSES = {
    "_FillValue": np.uint8(NOT_OBSERVED),
    "flag_values": np.arange(len(TRANSITIONS), dtype=np.uint8),
    "flag_meanings": " ".join(name.replace(" ", "_") for name in TRANSITIONS),
}
_MONTHS = {
    "_FillValue": np.uint8(NOT_OBSERVED),
    "flag_values": np.arange(13, dtype=np.uint8),
    "flag_meanings": " ".join(f"{number}_months" for number in range(13)),
}
_ABOUT: dict[str, dict[str, Any]] = {
    "occurrence": {"long_name": "share of the observed dates with water"},
    "observed": {"long_name": "number of dates observed"},
    "recurrence": {"long_name": "share of the observed years with water"},
    "seasonality": {"long_name": "months with water in the last year observed", **_MONTHS},
    "months_observed": {"long_name": "months observed in the last year observed", **_MONTHS},
    "transitions": {"long_name": "water in the first and the last year observed", **_CLASSES},
    "first_observed": {"long_name": "first date observed"},
    "last_observed": {"long_name": "last date observed"},
}
