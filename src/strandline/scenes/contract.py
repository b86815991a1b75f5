"""The contract of a scene, checked at its door: whether it can be reflectance of these bands.

What is wrong is an error, what is suspicious a `SuspiciousSceneWarning`. Scaling has checked
already that single values are possible (`strandline.scenes.reflectance`); here the scene is
looked at as a whole, on a sample of its pixels: bands that are constant or the same twice, a
number for "no data" that passes as a value, factors of another product, bands under wrong names.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from strandline.errors import (
    ConfigurationError,
    MetadataError,
    ReflectanceRangeError,
    ScaleError,
    SuspiciousSceneWarning,
)
from strandline.scenes.band_order import contradictions

SAMPLE = 1 << 16
"""A scene is judged by at most about so many of its pixels."""

FIRST_IMAGE = np.datetime64("1972-07-23")
"""Landsat 1 was launched; no satellite image of reflectance is older."""

_FEWEST = 64  # pixels below which nothing is said about a scene as a whole
_DARK = 1e-3  # nothing that the Sun shines on is darker than this in all bands
_FILL_SHARE = 0.01  # share of pixels with one and the same number in every band
_NEVER = -0.05  # no surface reflects less than this over a share of a scene
_NEGATIVE = -0.03  # below what atmospheric correction makes of dark water
_MANY = 0.2
_BRIGHT = 0.5  # somewhere in a scene, some band is darker than this

_ON_A_CORNER = 0.05  # of a pixel: coordinates in float32 are not exact
_SAME_STEP = 1e-3  # of a pixel

_LAUNCHED = {
    "landsat-4": "1982-07-16",
    "landsat-5": "1984-03-01",
    "landsat-7": "1999-04-15",
    "landsat-8": "2013-02-11",
    "landsat-9": "2021-09-27",
    "sentinel-2a": "2015-06-23",
    "sentinel-2b": "2017-03-07",
    "sentinel-2c": "2024-09-05",
}


def placed_by_transform(
    array: xr.DataArray, attrs: Mapping[str, Any] | None = None
) -> xr.DataArray:
    """Move coordinates that name corners of pixels to their centres.

    Arrays of stackstac count ``x`` and ``y`` from the upper left corner of each pixel unless they
    are asked not to, and only the attribute ``transform`` says so; a ``GeoTransform`` beside the
    CRS can say it too. Where coordinates and transform agree about the centres, where the array
    was thinned or averaged since (so that the transform is another grid's), and where there is no
    transform, the coordinates stay. Without coordinates, ``transform`` gives them.

    Parameters
    ----------
    array : DataArray
        With dims y and x.
    attrs : mapping, optional
        Where to look for ``transform``; by default the array's own attributes.

    Returns
    -------
    DataArray

    Warns
    -----
    SuspiciousSceneWarning
        If a GeoTransform contradicts the coordinates: readers differ in which of them they trust.

    Examples
    --------
    >>> from affine import Affine
    >>> array = xr.DataArray(
    ...     np.zeros((2, 2)), dims=("y", "x"), coords={"y": [60.0, 30.0], "x": [0.0, 30.0]},
    ...     attrs={"transform": Affine(30, 0, 0, 0, -30, 60)},
    ... )
    >>> placed_by_transform(array).x.values.tolist()
    [15.0, 45.0]
    """
    transform, beside_crs = _own_transform(array, array.attrs if attrs is None else attrs)
    if transform is None or not {"y", "x"} <= set(array.dims):
        return array
    a, b, c, d, e, f = transform
    if b or d or not a or not e:
        return array
    if not {"y", "x"} & set(array.coords) and not beside_crs:  # stackstac with xy_coords=False
        rows, columns = np.arange(array.sizes["y"]) + 0.5, np.arange(array.sizes["x"]) + 0.5
        return array.assign_coords(y=f + e * rows, x=c + a * columns)
    if not {"y", "x"} <= set(array.coords):
        return array
    moved = {}
    for dim, origin, step in (("x", c, a), ("y", f, e)):
        if array[dim].ndim != 1 or array[dim].dtype.kind not in "iuf":
            return array
        places = array[dim].values.astype(np.float64)
        if places.size > 1 and abs(abs((places[1] - places[0]) / step) - 1) > _SAME_STEP:
            return array
        position = (places[0] - origin) / step
        if not math.isfinite(position):
            return array  # refused where the coordinates are checked
        if abs(position - round(position)) < _ON_A_CORNER:
            moved[dim] = (dim, places + step / 2, array[dim].attrs)
    if not moved or (beside_crs and len(moved) < 2):
        return array  # along one dim alone it is not a convention, but a move on purpose
    if beside_crs:
        warnings.warn(
            SuspiciousSceneWarning(
                f"The coordinates {' and '.join(moved)} lie on the corners of the pixels that the "
                "GeoTransform beside the CRS describes. The pixels are placed by the GeoTransform."
            ),
            stacklevel=2,
        )
    return array.assign_coords(moved)


def _own_transform(
    array: xr.DataArray, attrs: Mapping[str, Any]
) -> tuple[tuple[float, ...] | None, bool]:
    """Find the affine transform that an array carries; and whether it stands beside the CRS."""
    try:
        if "transform" in attrs:
            numbers = tuple(float(number) for number in tuple(attrs["transform"])[:6])
            return (numbers if len(numbers) == 6 else None), False
        for coord in array.coords.values():
            told = coord.attrs.get("GeoTransform")
            if told is not None and coord.ndim == 0:
                words = told.split() if isinstance(told, str) else told
                c, a, b, f, d, e = (float(number) for number in words)
                return (a, b, c, d, e, f), True
    except (TypeError, ValueError):
        pass
    return None, False


def check_scene(scene: xr.DataArray) -> pd.DataFrame:
    """Check whether a scene can be what it says.

    The same is checked by itself where scenes go in: dates by `strandline.open_scene`, pixels by
    it too if they are in memory, and by `strandline.segment` and `strandline.run_study` on the
    sample that they read anyway. Here it can be asked for before anything is computed.

    Parameters
    ----------
    scene : DataArray of shape (band, y, x) or (time, band, y, x)
        Reflectance (units "1") or stored numbers, NaN where not observed. Of a lazy one, five
        small windows are read.

    Returns
    -------
    DataFrame
        One row per band: ``observed`` (share of the pixels looked at), ``minimum``, ``dark`` (1st
        percentile), ``median``, ``bright`` (99th), ``maximum``, ``negative`` and ``above_one``
        (shares of the observed), and ``findings``: what was warned of, empty mostly.

    Raises
    ------
    ConfigurationError
        If it is not a scene.
    MetadataError
        If its date lies in the future, or before its satellite was launched.
    ReflectanceRangeError
        If most of a scene is negative, or a number for "no data" is among the values.
    ScaleError
        If all values are so small that they were scaled twice.

    Warns
    -----
    SuspiciousSceneWarning
        Of bands that are constant, identical, or look like another band than they are named
        after; of one number in all bands that may stand for no data; of many negative values or
        no dark ones; of a scene without a single observed pixel.

    Examples
    --------
    >>> from strandline.testing.lakes import round_lake
    >>> table = check_scene(round_lake())
    >>> float(table.loc["nir08", "above_one"]), table.loc["nir08", "findings"]
    (0.0, '')
    """
    if not isinstance(scene, xr.DataArray) or not {"band", "y", "x"} <= set(scene.dims):
        raise ConfigurationError(
            "Only scenes can be checked.",
            expected="a DataArray of dimensions (band, y, x)",
            got=f"dimensions {tuple(map(str, scene.dims))}"
            if isinstance(scene, xr.DataArray)
            else type(scene).__name__,
            remedy="Open files with open_scene(…) first.",
        )
    bands = [str(name) for name in np.atleast_1d(scene["band"].values)]
    reflectance = scene.attrs.get("units") == "1"
    found: list[str] = []
    parts = []
    for date in _dates(scene):
        name = describe(date)
        check_time(
            date["time"].values if "time" in date.coords else None,
            str(date.coords.get("platform", xr.DataArray(scene.attrs.get("platform", ""))).values),
            name,
        )
        spectra = thinned(date)
        parts.append(spectra)
        found += check_spectra(spectra, bands, reflectance=reflectance, name=name)
    return _table(np.concatenate(parts), bands, found)


def check_time(time: Any, platform: str | None, name: str) -> None:
    """Refuse a date that no image of this satellite can have.

    Parameters
    ----------
    time : datetime64 or None
        UTC; None if not known.
    platform : str or None
        Such as "landsat-5", if known.
    name : str
        Of the scene, for messages.

    Raises
    ------
    MetadataError
        If the date is later than tomorrow, or before the satellite's launch.

    Warns
    -----
    SuspiciousSceneWarning
        If the date is before the first satellite image, and the platform is not known.

    Examples
    --------
    >>> check_time(np.datetime64("1988-10-22"), "landsat-5", "a scene")
    """
    if time is None or np.isnat(time):
        return
    day = np.datetime64(time, "D")
    # Clocks and time zones may be off; a day is enough for both.
    tomorrow = np.datetime64((datetime.now(UTC) + timedelta(days=1)).date())
    if day > tomorrow:
        raise MetadataError(
            f"The date of {name} lies in the future.",
            expected=f"a date up to {tomorrow}",
            got=str(day),
            remedy="Pass the right one with time=….",
        )
    launch = np.datetime64(_LAUNCHED[platform]) if platform in _LAUNCHED else None
    if launch is not None and day < launch:
        raise MetadataError(
            f"The date of {name} is before {platform} was launched.",
            expected=f"a date from {launch}",
            got=str(day),
            remedy="Pass the right one with time=…, or the right platform=….",
        )
    if day < FIRST_IMAGE:
        _warn([f"its date is {day}, and there are no satellite images before {FIRST_IMAGE}"], name)


def check_spectra(
    spectra: NDArray[Any], bands: Sequence[str], *, reflectance: bool, name: str
) -> list[str]:
    """Check spectra from all over a scene.

    Parameters
    ----------
    spectra : ndarray of shape (n_samples, n_bands)
        NaN where not observed. Of more than `SAMPLE`, evenly chosen ones are looked at.
    bands : sequence of str
        One per column.
    reflectance : bool
        Whether the values are reflectance (or stored numbers).
    name : str
        Of the scene, for messages.

    Returns
    -------
    list of str
        What was warned of.

    Raises
    ------
    ReflectanceRangeError, ScaleError
        As `check_scene`.

    Warns
    -----
    SuspiciousSceneWarning
        As `check_scene`.
    """
    rows = np.asarray(spectra[:: max(1, len(spectra) // SAMPLE)])
    found = _suspicions(rows, bands, reflectance, name)
    if found:
        _warn(found, name)
    return found


def _suspicions(
    rows: NDArray[Any], bands: Sequence[str], reflectance: bool, name: str
) -> list[str]:
    """Say what looks wrong; refuse what is wrong."""
    if len(rows) >= _FEWEST and not np.isfinite(rows).any():
        return ["none of the pixels that were checked was observed"]
    whole = rows[np.isfinite(rows).all(axis=1)].astype(np.float64)
    if len(whole) < _FEWEST:
        return []
    if reflectance:
        _check_levels(whole, bands, name)
    # Digital numbers may be anything, but a band is a band in them too.
    found = [*_same_bands(whole, bands), *_fill(whole, bands, reflectance, name)]
    if reflectance:
        found += _unlikely(whole, bands)
    if found:
        return found
    wrong = contradictions(whole, list(bands), reflectance=reflectance)
    if wrong:
        return ["its bands seem to be misnamed or in another order: " + "; ".join(wrong)]
    return []


def _warn(found: Sequence[str], name: str) -> None:
    warnings.warn(
        SuspiciousSceneWarning(f"Look at {name}: {'. Also, '.join(found)}."), stacklevel=4
    )


def _check_levels(rows: NDArray[np.float64], bands: Sequence[str], name: str) -> None:
    """Refuse what cannot be reflectance at all."""
    brightest = float(np.percentile(np.abs(rows).max(axis=1), 99))
    if 0 < brightest < _DARK:
        raise ScaleError(
            f"The values of {name} are too small for reflectance.",
            expected="some above 0.001",
            got=f"at most about {brightest:.3g}",
            remedy="They may have been scaled twice: leave scale and offset out, or check them.",
        )
    below = (rows < 0).mean(axis=0)
    if (below > 0.9).all() and np.median(rows) < _NEGATIVE:
        raise ReflectanceRangeError(
            f"Nearly all values of {name} are negative.",
            expected="reflectance around 0 to 1",
            got=f"a median of {np.median(rows):.3g}",
            remedy="The factors may be those of another product: check scale and offset.",
        )


def _same_bands(rows: NDArray[np.float64], bands: Sequence[str]) -> Iterator[str]:
    constant = [name for name, column in zip(bands, rows.T, strict=True) if np.ptp(column) == 0]
    if constant and len(bands) > len(constant):
        yield f"{' and '.join(constant)} has one value everywhere"
    for i, first in enumerate(bands):
        for j in range(i + 1, len(bands)):
            varied = first not in constant
            if varied and np.array_equal(rows[:, i], rows[:, j]):
                yield f"{first} and {bands[j]} are identical"


def _fill(
    rows: NDArray[np.float64], bands: Sequence[str], reflectance: bool, name: str
) -> Iterator[str]:
    """Look for a number in all bands of many pixels at once: 0, or an end of the range."""
    if len(bands) < 2:
        return
    alike = rows[(rows == rows[:, :1]).all(axis=1), 0]
    if len(alike) < _FILL_SHARE * len(rows):
        return
    numbers, counts = np.unique(alike, return_counts=True)
    number, count = float(numbers[counts.argmax()]), int(counts.max())
    ends = (0.0, rows.min(), rows.max())
    if count < _FILL_SHARE * len(rows) or number not in ends or count > 0.999 * len(rows):
        return
    share = f"{count / len(rows):.1%}"
    if reflectance and number < _NEVER:
        raise ReflectanceRangeError(
            f"A nodata value is probably among the values of {name}.",
            expected="reflectance",
            got=f"{number:.4g} in all bands of {share} of the pixels",
            remedy="Pass the stored number with nodata=… (often 0 or -9999).",
        )
    yield (
        f"{share} of the pixels have {number:g} in all bands, which may mean nodata "
        "(then pass nodata=…)"
    )


def _unlikely(rows: NDArray[np.float64], bands: Sequence[str]) -> Iterator[str]:
    below = (rows < _NEGATIVE).mean(axis=0)
    worst = int(below.argmax())
    if below[worst] > _MANY:
        yield (
            f"{below[worst]:.0%} of {bands[worst]} are below {_NEGATIVE}: the factors may be "
            "another product's"
        )
    if len(bands) > 2 and (np.percentile(rows, 1, axis=0) > _BRIGHT).all():
        yield (
            f"nothing in it is darker than {np.percentile(rows, 1, axis=0).min():.2f} in any band: "
            "the factors may be another product's"
        )
    above = (rows > 1).mean(axis=0)
    bright = int(above.argmax())
    if above[bright] > _MANY:
        yield f"{above[bright]:.0%} of {bands[bright]} are above 1"


# --- what is looked at ------------------------------------------------------------


def describe(scene: xr.DataArray) -> str:
    """Name a scene for messages: by its source, or its date."""
    date = str(scene["time"].values.astype("datetime64[D]")) if "time" in scene.coords else ""
    source = str(scene.attrs.get("source", ""))
    if source:
        return repr(source)
    return f"the scene of {date}" if date else "the scene"


def _dates(scene: xr.DataArray) -> list[xr.DataArray]:
    if "time" not in scene.dims:
        return [scene]
    return [scene.isel(time=number) for number in range(scene.sizes["time"])]


def thinned(scene: xr.DataArray) -> NDArray[Any]:
    """Read spectra from all over a scene: evenly thinned, or five windows of a lazy one.

    Parameters
    ----------
    scene : DataArray of shape (band, y, x)

    Returns
    -------
    ndarray of shape (n, band)
        NaN where not observed. The same for the same scene, whatever its chunks.
    """
    scene = scene.transpose("band", "y", "x")
    if scene.chunks is None:
        parts = [scene]
        side = 1 << 8
    else:
        side = 1 << 7
        tops, lefts = (_spots(scene.sizes[dim], side) for dim in ("y", "x"))
        corners = {(tops[i], lefts[j]) for i, j in ((0, 0), (0, 2), (1, 1), (2, 0), (2, 2))}
        parts = [
            scene.isel(y=slice(top, top + side), x=slice(left, left + side))
            for top, left in sorted(corners)
        ]
        from dask.base import compute

        parts = list(compute(*parts))  # type: ignore[no-untyped-call]  # untyped library
    steps = [(max(1, part.sizes["y"] // side), max(1, part.sizes["x"] // side)) for part in parts]
    thin = [
        part.values[:, ::rows, ::columns]
        for part, (rows, columns) in zip(parts, steps, strict=True)
    ]
    return np.concatenate([part.reshape(len(part), -1).T for part in thin])


def _spots(size: int, side: int) -> list[int]:
    """Where three windows of a side begin: at a sixth, a half and five sixths of the way."""
    middles = (round(size * part) for part in (1 / 6, 1 / 2, 5 / 6))
    return [max(0, min(size - side, middle - side // 2)) for middle in middles]


def _table(rows: NDArray[Any], bands: Sequence[str], found: Sequence[str]) -> pd.DataFrame:
    columns = {}
    for name, column in zip(bands, rows.T, strict=True):
        values = column[np.isfinite(column)].astype(np.float64)
        shown = values if values.size else np.array([np.nan])
        levels = np.percentile(shown, [0, 1, 50, 99, 100])
        columns[name] = [
            values.size / max(len(column), 1),
            *levels.tolist(),
            float((shown < 0).mean()),
            float((shown > 1).mean()),
            "; ".join(found),
        ]
    names = [
        *("observed", "minimum", "dark", "median", "bright", "maximum"),
        *("negative", "above_one", "findings"),
    ]
    table = pd.DataFrame.from_dict(columns, orient="index", columns=names)
    table.index.name = "band"
    return table
