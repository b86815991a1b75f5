"""Stored numbers to reflectance, once, and a door that impossible values do not pass.

The range is checked inside the tasks that scale, on values that are there anyway: opening
a scene stays free of pixels. Only float data is looked at when it is opened (one chunk),
because for it the type does not tell whether it has been scaled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from strandline.errors import ReflectanceRangeError, ScaleError
from strandline.scenes.identifiers import ProductName

LOWEST, HIGHEST = -0.5, 2.0
"""No reflectance is below the first; only single glinting pixels are above the second."""

BEYOND = 1e30
"""No stored number that was measured is as large; what is stands for no value if anything does."""

_STRAY = 1e-3  # share of values below LOWEST that may be sensor artefacts and become NaN


@dataclass(frozen=True)
class Factors:
    """How one band's stored numbers become reflectance: ``scale · number + offset``.

    Parameters
    ----------
    scale, offset : float or None
        None where not known.
    invalid : tuple of float
        Stored numbers that stand for no value.
    """

    scale: float | None = None
    offset: float | None = None
    invalid: tuple[float, ...] = ()


COLLECTION_2_SURFACE = Factors(2.75e-5, -0.2, (0.0,))
"""Every Collection 2 Level 2 surface reflectance band (USGS LSDS-1618, LSDS-1619)."""

COLLECTION_1_SURFACE = Factors(1e-4, 0.0, (-9999.0,))
"""Every Collection 1 surface reflectance band (USGS LSDS-1370, LSDS-1368)."""

HLS_SURFACE = Factors(1e-4, 0.0, (-9999.0,))
"""Every reflective band of Harmonized Landsat and Sentinel-2 (NASA, HLS User Guide v2.0)."""

GA_SURFACE = Factors(1e-4, 0.0, (-999.0,))
"""Every reflective band of Geoscience Australia's analysis-ready data, Collection 3."""

COLLECTION_1_SATURATED = 20000.0
"""The number that marks saturation in them."""


def published_factors(product: ProductName | None) -> Factors:
    """Give the factors that a product's name settles: one pair for all Level 2 of a collection.

    Parameters
    ----------
    product : ProductName or None

    Returns
    -------
    Factors
        Of None where the name does not settle them: Level 1 needs its MTL file.
    """
    if product is not None and product.level == "L2":
        if product.collection == "02":
            return COLLECTION_2_SURFACE
        if product.collection == "01":
            return COLLECTION_1_SURFACE
        if product.collection == "hls":
            return HLS_SURFACE
        if product.collection == "ga":
            return GA_SURFACE
    return Factors()


def radiance_to_reflectance(irradiance: float, elevation: float, distance: float) -> float:
    """Compute what radiance is multiplied by to give reflectance at the top of the atmosphere.

    Parameters
    ----------
    irradiance : float
        Mean solar irradiance of the band outside the atmosphere, W m⁻² µm⁻¹.
    elevation : float
        Of the Sun, degrees.
    distance : float
        From the Earth to the Sun, astronomical units.

    Returns
    -------
    float
        In m² sr µm W⁻¹: π d² / (E sin(elevation)).

    References
    ----------
    Chander, G., Markham, B. L. and Helder, D. L. (2009), equation 2. Remote Sensing of
    Environment 113, 893-903.

    Examples
    --------
    >>> round(radiance_to_reflectance(1983.0, 90.0, 1.0), 9)
    0.001584263
    """
    return math.pi * distance**2 / (irradiance * math.sin(math.radians(elevation)))


def earth_sun_distance(when: date) -> float:
    """Compute the distance from the Earth to the Sun.

    Parameters
    ----------
    when : date or datetime
        UTC; noon if it has no time.

    Returns
    -------
    float
        Astronomical units, good to about 0.0001.

    References
    ----------
    U.S. Naval Observatory, The Astronomical Almanac: low-precision formulas for the Sun.

    Examples
    --------
    >>> from datetime import date
    >>> round(earth_sun_distance(date(1988, 8, 14)), 4)
    1.0128
    """
    moment = when if isinstance(when, datetime) else datetime(when.year, when.month, when.day, 12)
    days = (moment.replace(tzinfo=None) - datetime(2000, 1, 1, 12)).total_seconds() / 86400
    anomaly = math.radians(357.529 + 0.98560028 * days)
    return 1.00014 - 0.01671 * math.cos(anomaly) - 0.00014 * math.cos(2 * anomaly)


def to_reflectance(
    stored: xr.DataArray, factors: Sequence[Factors], valid: xr.DataArray | None = None
) -> xr.DataArray:
    """Turn stored numbers into reflectance.

    Parameters
    ----------
    stored : xarray.DataArray
        Dims (band, y, x), any number type, NumPy or Dask.
    factors : sequence of Factors
        One per band.
    valid : xarray.DataArray of bool, optional
        Dims (band, y, x), where `band` may be 1 for all. Whatever is stored where it is False
        stands for no value, and need not be possible.

    Returns
    -------
    xarray.DataArray
        float32 reflectance; NaN where the stored number stands for no value, and where a single
        value cannot be reflectance. Lazy if `stored` is.

    Raises
    ------
    ScaleError
        If a factor is unknown for integers, or would be applied to reflectance.
    ReflectanceRangeError
        If the result cannot be reflectance; for lazy integers, when it is computed.

    Examples
    --------
    >>> dn = xr.DataArray(np.array([[[0, 10000]]], np.uint16), dims=("band", "y", "x"))
    >>> to_reflectance(dn, [COLLECTION_2_SURFACE]).values.round(4).tolist()
    [[[nan, 0.07500000298023224]]]
    """
    return _apply(stored, _checked(stored, factors, valid), valid, strict=True)


def to_float(
    stored: xr.DataArray, factors: Sequence[Factors], valid: xr.DataArray | None = None
) -> xr.DataArray:
    """Turn stored numbers into float32 as they are, with NaN where there is no value.

    Parameters
    ----------
    stored : xarray.DataArray
        Dims (band, y, x).
    factors : sequence of Factors
        One per band; only `invalid` counts.
    valid : xarray.DataArray of bool, optional
        As for `to_reflectance`.

    Returns
    -------
    xarray.DataArray
    """
    raw = [Factors(1.0, 0.0, factor.invalid) for factor in factors]
    return _apply(stored, raw, valid, strict=False)


def _checked(
    stored: xr.DataArray, factors: Sequence[Factors], valid: xr.DataArray | None
) -> list[Factors]:
    """Factors without gaps, or an error that asks for what is unknown."""
    complete = []
    floating = np.issubdtype(stored.dtype, np.floating)
    for band, factor in zip(stored["band"].values, factors, strict=True):
        if factor.scale is None and not floating:
            raise ScaleError(
                f"How the numbers of band {str(band)!r} become reflectance is unknown.",
                expected="factors in the file or the product's metadata",
                got=f"{stored.dtype} numbers without any",
                remedy="Pass scale=… and offset=… (1e-4 and 0 are common for int16; Landsat "
                "Collection 2 surface reflectance has 2.75e-5 and -0.2), or reflectance=False "
                "for the numbers as they are.",
            )
        scale = 1.0 if factor.scale is None else float(factor.scale)
        offset = 0.0 if factor.offset is None else float(factor.offset)
        if not (math.isfinite(scale) and math.isfinite(offset) and scale != 0):
            raise ScaleError(
                f"The factors of band {str(band)!r} cannot be used.",
                expected="finite numbers, and a scale other than 0",
                got=f"scale {scale} and offset {offset}",
            )
        complete.append(Factors(scale, offset, factor.invalid))
    if floating:
        _check_floats(stored, complete, valid)
    return complete


def _check_floats(
    stored: xr.DataArray, factors: Sequence[Factors], valid: xr.DataArray | None
) -> None:
    values = _sample(stored, factors, valid)
    if not values.size:
        return
    low, high = np.percentile(values, [2, 98])
    scaled = [factor for factor in factors if factor.scale != 1 or factor.offset != 0]
    seen = f"values of about {low:.4g} to {high:.4g}"
    if scaled and low >= LOWEST and high <= HIGHEST:
        raise ScaleError(
            "The scale would be applied twice: the values look like reflectance already.",
            expected=f"stored numbers for a scale of {scaled[0].scale:g}",
            got=seen,
            remedy="Leave scale and offset out.",
        )
    if not scaled and high > HIGHEST:
        raise ReflectanceRangeError(
            "The values cannot be reflectance.",
            expected="values around 0 to 1",
            got=seen,
            remedy="Pass scale=… and offset=…, or reflectance=False for the numbers as they are.",
        )


def _sample(
    stored: xr.DataArray, factors: Sequence[Factors], valid: xr.DataArray | None
) -> NDArray[np.float64]:
    """Observed values of the chunk in the middle, thinned."""
    from dask.base import compute

    windows = [slice(None), slice(None)]
    if stored.chunks is not None:
        windows = [_middle(stored.chunks[axis]) for axis in (1, 2)]
    inside = stored.isel(y=windows[0], x=windows[1])
    steps = {dim: slice(None, None, max(1, inside.sizes[dim] // 256)) for dim in ("y", "x")}
    place = dict(zip(("y", "x"), windows, strict=True))
    mask = None if valid is None else valid.isel(place).isel(steps)
    part, mask = compute(inside.isel(steps), mask)  # type: ignore[no-untyped-call]  # untyped library
    values: NDArray[np.float64] = np.array(part.values, np.float64)
    for layer, factor in zip(values, factors, strict=True):
        for number in factor.invalid:
            layer[_stands_for_none(layer, number)] = np.nan
    if mask is not None:
        values[~np.broadcast_to(mask.values, values.shape)] = np.nan
    return values[np.isfinite(values)]


def _middle(chunks: tuple[int, ...]) -> slice:
    index = len(chunks) // 2
    start = sum(chunks[:index])
    return slice(start, start + chunks[index])


def _apply(
    stored: xr.DataArray,
    factors: Sequence[Factors],
    valid: xr.DataArray | None,
    *,
    strict: bool,
) -> xr.DataArray:
    names = [str(name) for name in stored["band"].values]
    if stored.chunks is None:
        mask = () if valid is None else (np.asarray(valid.data),)
        data: Any = _scale_block(
            np.asarray(stored.data), _table(factors), *mask, names=names, strict=strict
        )
    else:
        import dask.array as da

        # One small row of factors per band, cut along band like the data.
        table = da.from_array(_table(factors), chunks=(stored.chunks[0], -1, -1))  # type: ignore[no-untyped-call]  # untyped library
        data = da.map_blocks(  # type: ignore[no-untyped-call]  # untyped library
            _scale_block,
            stored.data,
            table,
            *(() if valid is None else (valid.data,)),
            names=names,
            strict=strict,
            dtype=np.float32,
            chunks=stored.chunks,
            meta=np.empty((0, 0, 0), np.float32),
        )
    return stored.copy(data=data)


def _table(factors: Sequence[Factors]) -> NDArray[np.float64]:
    """Rows of scale, offset and the invalid numbers, shape (band, 1, 2 + n)."""
    widest = max(len(factor.invalid) for factor in factors)
    table = np.full((len(factors), 1, 2 + widest), np.nan)
    for row, factor in zip(table, factors, strict=True):
        row[0, :2] = factor.scale, factor.offset
        row[0, 2 : 2 + len(factor.invalid)] = factor.invalid
    return table


def _scale_block(
    stored: NDArray[Any],
    table: NDArray[np.float64],
    valid: NDArray[np.bool_] | None = None,
    *,
    names: Sequence[str],
    strict: bool,
) -> NDArray[np.float32]:
    result = np.empty(stored.shape, np.float32)
    known = len(names) == len(stored)  # a block of some bands does not know which they are
    for index, (numbers, values, row) in enumerate(zip(stored, result, table[:, 0], strict=True)):
        scale, offset = np.float32(row[0]), np.float32(row[1])
        with np.errstate(over="ignore"):  # ends of the range of float64, which stand for no value
            if scale == 1:
                np.add(numbers, offset, out=values, casting="unsafe", dtype=np.float32)
            else:
                np.multiply(numbers, scale, out=values, casting="unsafe", dtype=np.float32)
                values += offset
        for invalid in row[2:]:
            values[_stands_for_none(numbers, float(invalid))] = np.nan
        if valid is not None:
            values[~valid[index if len(valid) > 1 else 0]] = np.nan
        if strict:
            _check_range(values, numbers, names[index] if known else "", float(row[0]))
    return result


def _stands_for_none(numbers: NDArray[Any], invalid: float) -> Any:
    """Find where stored numbers are the one that stands for no value.

    An end of the range of floats is written in many ways: as infinity, as the lowest number of
    either precision, with more or fewer digits. Whatever is beyond `BEYOND` on its side is meant.
    """
    if math.isnan(invalid):
        return np.isnan(numbers) if numbers.dtype.kind == "f" else False
    if abs(invalid) >= BEYOND and numbers.dtype.kind == "f":
        return numbers <= -BEYOND if invalid < 0 else numbers >= BEYOND
    exact = _as_stored(invalid, numbers.dtype)
    return False if exact is None else numbers == exact


def _as_stored(number: float, dtype: np.dtype[Any]) -> Any:
    """Return `number` in the stored type, or None where no stored number can equal it.

    Comparing within one type spares a copy of the block in float64.
    """
    if not math.isfinite(number):
        return None
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        if not number.is_integer() or not limits.min <= number <= limits.max:
            return None
    return dtype.type(number)


def _check_range(
    values: NDArray[np.float32], numbers: NDArray[Any], name: str, scale: float
) -> None:
    """Refuse a block of values that cannot be reflectance; NaN for strays."""
    where = f" in band {name!r}" if name else ""
    observed = values.size - int(np.count_nonzero(np.isnan(values)))
    low = values < LOWEST
    count = int(np.count_nonzero(low))
    if count > max(3, _STRAY * observed):
        raise ReflectanceRangeError(
            f"{count} values{where} cannot be reflectance.",
            expected=f"values above {LOWEST}",
            got=f"{values[low].min():.4g} from the stored number {numbers[low].min()}",
            remedy="If that number means nodata, pass nodata=…; otherwise check scale and offset.",
        )
    high = int(np.count_nonzero(values > HIGHEST))
    # A sliver at the scene's edge may be all glint; most of a block may not.
    if high > observed / 2 and observed > values.size / 10:
        raise ReflectanceRangeError(
            f"Most values{where} cannot be reflectance.",
            expected="values around 0 to 1",
            got=f"a median of {np.nanmedian(values):.4g} with a scale of {scale:g}",
            remedy="Check scale=… and offset=…, or pass reflectance=False for the numbers as "
            "they are.",
        )
    if count:
        values[low] = np.nan
