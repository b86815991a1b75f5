"""From data to what a screen shows: fewer pixels, and reflectance as brightness."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from strandline.errors import GridError
from strandline.prepare.classes import NOT_OBSERVED

MAX_PIXELS = 1200
"""Longest side of a displayed image; a printed picture resolves no more."""

_STRETCH_SAMPLE = 400  # longest side of what the percentiles are taken from

_FIXED_POINT = 2.0**20  # steps per unit in which values are summed

_STRIPE_PIXELS = 1 << 22  # of a map that is looked through piece by piece

_WATER_COLOUR = 0.20  # what dark water may differ between bands, as a part of the whole span


@dataclass(frozen=True)
class Extent:
    """Edges of an image in the coordinates of its CRS (or in pixels where it has none)."""

    left: float
    right: float
    bottom: float
    top: float

    def as_tuple(self) -> tuple[float, float, float, float]:
        """Order that matplotlib wants: left, right, bottom, top."""
        return self.left, self.right, self.bottom, self.top


@dataclass(frozen=True)
class Stretch:
    """How reflectance becomes brightness, the same for every scene of a comparison.

    Each channel is ``((value - low) / (high - low)) ** (1 / gamma)``, clipped to 0..1.

    Attributes
    ----------
    low, high : tuple of float
        Reflectance that is black and that is white, per channel.
    gamma : float
        More than 1 brightens what is dark.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    gamma: float = 1.35

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Stretch (channel, y, x) to float32 0..1; NaN stays NaN."""
        low = np.asarray(self.low, dtype=np.float32)[:, None, None]
        high = np.asarray(self.high, dtype=np.float32)[:, None, None]
        scaled = (values.astype(np.float32) - low) / np.maximum(high - low, 1e-12)
        bright: np.ndarray = np.clip(scaled, 0, 1) ** np.float32(1 / self.gamma)
        return bright


def fit_stretch(
    scenes: Iterable[xr.DataArray], bands: Sequence[str], *, natural: bool = True
) -> Stretch:
    """Find one stretch for several scenes.

    The range reaches from the 0.5th percentile, but not below zero, to the
    98.5th, but not beyond 2.2 times the way to the 90th, lest a few clouds
    leave the ground in the dark.

    Parameters
    ----------
    scenes : iterable of DataArray
        Dims (band, y, x).
    bands : sequence of str
        The displayed bands, in order.
    natural : bool
        All bands get the same range, so that grey stays grey and clear water
        keeps its colour; only where a band's darkest pixels lie far above those
        of the others is the excess taken for haze and removed. Otherwise each
        band gets a range of its own.

    Returns
    -------
    Stretch
        Limits per band; 0 and 1 where nothing was observed.

    Examples
    --------
    >>> values = np.linspace(0, 1, 10001).reshape(1, 1, -1)
    >>> scene = xr.DataArray(values, dims=("band", "y", "x"), coords={"band": ["red"]})
    >>> stretch = fit_stretch([scene], ["red"])
    >>> [round(v, 2) for v in (*stretch.low, *stretch.high)]
    [0.01, 0.98]
    """
    values = _pool(scenes, bands)
    if any(v.size == 0 for v in values):
        return Stretch((0.0,) * len(bands), (1.0,) * len(bands))
    dark, bright = [], []
    for v in values:
        bottom, most, top = np.percentile(v, [0.5, 90, 98.5])
        bottom = max(float(bottom), 0.0) if top > 0 else float(bottom)
        dark.append(bottom)
        bright.append(min(float(top), bottom + 2.2 * (float(most) - bottom)))
    spans = [b - d for b, d in zip(bright, dark, strict=True)]
    if not natural:
        return Stretch(tuple(dark), tuple(bright))
    low = [max(min(dark), d - _WATER_COLOUR * max(spans)) for d in dark]
    span = max(b - bottom for b, bottom in zip(bright, low, strict=True))
    return Stretch(tuple(low), tuple(bottom + span for bottom in low))


def _pool(scenes: Iterable[xr.DataArray], bands: Sequence[str]) -> list[np.ndarray]:
    """Thin out the observed values of each band over all scenes."""
    pooled: list[list[np.ndarray]] = [[] for _ in bands]
    for scene in scenes:
        step = max(1, -(-max(scene.shape[-2:]) // _STRETCH_SAMPLE))
        for i, band in enumerate(bands):
            rows, columns = (slice(min(step // 2, n // 2), None, step) for n in scene.shape[-2:])
            thin = np.asarray(scene.sel(band=band)[..., rows, columns])
            pooled[i].append(thin[np.isfinite(thin)])
    return [np.concatenate(parts) if parts else np.empty(0) for parts in pooled]


def reduce_values(layer: xr.DataArray, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Average a layer of measured values down to at most ``max_pixels`` a side.

    Parameters
    ----------
    layer : DataArray
        Dims (y, x), floating point, NaN where not observed; may be lazy.
    max_pixels : int
        Longest side of the result.

    Returns
    -------
    ndarray
        float32; NaN only where a whole block was not observed.

    Examples
    --------
    >>> reduce_values(xr.DataArray([[0.0, 1.0], [np.nan, 2.0]], dims=("y", "x")), 1)
    array([[1.]], dtype=float32)
    """
    step = image_step(layer.shape, max_pixels)
    return np.asarray(layer if step == 1 else _averaged(layer, step), dtype=np.float32)


def reduce_scenes(scenes: xr.DataArray, max_pixels: int = MAX_PIXELS) -> xr.DataArray:
    """Average scenes down to what pictures show, reading a lazy one once.

    Parameters
    ----------
    scenes : DataArray
        Dims (time, band, y, x) or (band, y, x); NaN where not observed.
    max_pixels : int
        Longest side of the result.

    Returns
    -------
    DataArray
        In memory, with the coordinates of the larger pixels; the attribute ``pixel_size``
        says how large they were. The scenes themselves if they are small enough.

    Examples
    --------
    >>> scene = xr.DataArray(np.ones((1, 4, 4)), dims=("band", "y", "x"))
    >>> reduce_scenes(scene, 2).sizes["x"]
    2
    """
    step = image_step(scenes.shape, max_pixels)
    if step == 1:
        return scenes.compute()
    y, x = scenes.dims[-2:]
    reduced = scenes.isel({y: slice(0, None, step), x: slice(0, None, step)})
    reduced = reduced.copy(data=block_means(scenes, step))
    extent = image_extent(scenes, max_pixels)
    for dim, first, last in ((y, extent.top, extent.bottom), (x, extent.left, extent.right)):
        if dim in scenes.coords:
            count = reduced.sizes[dim]
            centres = first + (last - first) * (np.arange(count) + 0.5) / count
            reduced = reduced.assign_coords({dim: (dim, centres, scenes[dim].attrs)})
    return reduced.assign_attrs(pixel_size=abs(_edge_and_step(scenes, x)[1]))


def block_means(scenes: xr.DataArray, step: int) -> np.ndarray:
    """Mean of the observed values of each block, chunk by chunk; the chunks do not matter.

    Parameters
    ----------
    scenes : DataArray
        Dims (..., y, x); NaN where not observed; may be lazy.
    step : int
        Side of a block in pixels; those at the right and at the bottom may be smaller.

    Returns
    -------
    ndarray of float32
        NaN where nothing of a block was observed.
    """
    if step == 1:
        return np.asarray(scenes, dtype=np.float32)
    *outer, rows, columns = scenes.shape
    totals = np.zeros((2, math.prod(outer), -(-rows // step), -(-columns // step)))
    for layer, top, left, sums in _parts(scenes, step):
        first, start = top // step, left // step
        height, width = sums.shape[1:]
        totals[:, layer, first : first + height, start : start + width] += sums
    total, count = totals
    means = np.full(total.shape, np.nan, dtype=np.float32)
    np.divide(total, count * _FIXED_POINT, out=means, where=count > 0, casting="same_kind")
    return means.reshape(*outer, *means.shape[1:])


def _parts(scenes: xr.DataArray, step: int) -> Iterator[tuple[int, int, int, np.ndarray]]:
    """Give for each chunk of each layer: layer, first row and column, sums and counts."""
    flat = scenes.data.reshape(-1, *scenes.shape[-2:])
    if scenes.chunks is None:
        for layer, values in enumerate(flat):
            yield layer, 0, 0, _block_sums(values[None], 0, 0, step)
        return
    from dask.base import compute
    from dask.delayed import delayed

    flat = flat.rechunk({0: 1})
    tops, lefts = (np.cumsum((0, *sizes[:-1])).tolist() for sizes in flat.chunks[1:])
    places = [(k, top, left) for k in range(flat.shape[0]) for top in tops for left in lefts]
    function = delayed(_block_sums, pure=True)
    sums = compute(  # type: ignore[no-untyped-call]  # Dask is untyped
        [
            function(block, top, left, step)
            for block, (_, top, left) in zip(flat.to_delayed().ravel(), places, strict=True)
        ]
    )[0]
    for place, part in zip(places, sums, strict=True):
        yield *place, part


def _block_sums(values: np.ndarray, top: int, left: int, step: int) -> np.ndarray:
    """Sum and count what was observed in each block that a chunk, (1, y, x), has a part in.

    The sums are of whole numbers, so they are exact: it does not matter where chunks end.
    """
    (layer,) = values
    rows, columns = layer.shape
    edges = [0, *range(step - left % step, columns, step)]
    first = top // step
    sums = np.zeros((2, (top + rows - 1) // step - first + 1, len(edges)))
    for number in range(sums.shape[1]):
        start = max((first + number) * step - top, 0)
        stripe = layer[start : (first + number + 1) * step - top].astype(np.float64)
        seen = np.isfinite(stripe)
        stripe[~seen] = 0.0
        stripe *= _FIXED_POINT
        np.rint(stripe, out=stripe)
        sums[0, number] = np.add.reduceat(stripe.sum(axis=0), edges)
        sums[1, number] = np.add.reduceat(seen.sum(axis=0, dtype=np.float64), edges)
    return sums


def _averaged(values: xr.DataArray, step: int) -> xr.DataArray:
    """Mean of the observed values of each block; NaN where there are none."""
    y, x = values.dims[-2:]
    values = values.astype(np.float32)
    seen = values.notnull()
    blocks = {y: step, x: step}
    total = values.where(seen, 0).coarsen(blocks, boundary="pad").sum()
    count = seen.astype(np.float32).coarsen(blocks, boundary="pad").sum()
    return (total / count.where(count > 0)).astype(np.float32)


def reduce_classes(classes: xr.DataArray, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Thin a map of classes to at most ``max_pixels`` a side, each block by its commonest class.

    Parameters
    ----------
    classes : DataArray
        Dims (y, x), uint8.
    max_pixels : int
        Longest side of the result.

    Returns
    -------
    ndarray
        uint8; on a tie the lowest class.

    Examples
    --------
    >>> classes = xr.DataArray(np.array([[0, 3], [3, 1]], np.uint8), dims=("y", "x"))
    >>> reduce_classes(classes, 1)
    array([[3]], dtype=uint8)
    """
    return thin_classes(classes, image_step(classes.shape, max_pixels))


def thin_classes(classes: xr.DataArray, step: int) -> np.ndarray:
    """Thin a map of classes, (y, x), to the commonest class of each block of ``step`` pixels.

    Examples
    --------
    >>> thin_classes(xr.DataArray(np.array([[2, 2, 5]], np.uint8), dims=("y", "x")), 2)
    array([[2, 5]], dtype=uint8)
    """
    if step == 1:
        return np.asarray(classes, dtype=np.uint8)
    parts = [_commonest(np.asarray(part, dtype=np.uint8), step) for part in stripes(classes, step)]
    return np.concatenate(parts)


def stripes(classes: xr.DataArray, multiple: int = 1) -> Iterator[xr.DataArray]:
    """Cut a map, (y, x), into stripes of at most some four million pixels, from the top.

    Parameters
    ----------
    classes : DataArray
        In memory or lazy.
    multiple : int
        Of this many rows each stripe has a multiple; the last one may have fewer.

    Yields
    ------
    DataArray
    """
    rows, columns = classes.shape
    height = max(1, _STRIPE_PIXELS // max(1, columns * multiple)) * multiple
    for top in range(0, rows, height):
        yield classes[top : top + height]


def _commonest(values: np.ndarray, step: int) -> np.ndarray:
    """Give each block its commonest class."""
    rows, columns = (-(-n // step) for n in values.shape)
    padding = ((0, rows * step - values.shape[0]), (0, columns * step - values.shape[1]))
    # The last block repeats the edge, so that its own pixels decide.
    blocks = np.pad(values, padding, mode="edge").reshape(rows, step, columns, step)
    best = np.full((rows, columns), NOT_OBSERVED, dtype=np.uint8)
    most = np.zeros((rows, columns), dtype=np.int64)
    for value in np.flatnonzero(np.bincount(values.ravel(), minlength=256)):
        # Down the rows first, in bytes: that is fast, and a block has few rows.
        per_column = (blocks == value).sum(axis=1, dtype=np.uint8 if step < 256 else np.int64)
        count = per_column.sum(axis=2, dtype=np.int64)
        best[count > most] = value
        most = np.maximum(most, count)
    return best


def north_up(data: xr.DataArray) -> xr.DataArray:
    """Turn a map so that its rows run from north to south, its columns from west to east.

    Parameters
    ----------
    data : DataArray
        The last two dims are the map; may be lazy. Without a CRS it comes back as it is.

    Returns
    -------
    DataArray

    Raises
    ------
    GridError
        If its grid is rotated: no picture with coordinates along its edges can show it.

    Examples
    --------
    >>> from strandline.testing.lakes import round_lake
    >>> scene = round_lake()
    >>> turned = north_up(scene[:, ::-1, ::-1])
    >>> bool((turned == scene).all())
    True
    """
    import odc.geo.xr  # noqa: F401  registers the .odc accessor

    grid = data.odc.geobox
    if grid is None or grid.crs is None:
        return data
    if not grid.axis_aligned:
        raise GridError(
            "The grid of the map is rotated, and cannot be drawn.",
            expected="rows along x and columns along y",
            got=f"the transform {tuple(grid.affine)[:6]}",
            remedy="Put it on another grid first: strandline.regrid(data, "
            "strandline.make_grid(like=data, crs=data.odc.crs, resolution=…)).",
        )
    turned = {}
    for dim, falls in zip(data.dims[-2:], (True, False), strict=True):
        if dim in data.coords and data.sizes[dim] > 1:
            first, last = data[dim].values[[0, -1]]
            if (first > last) != falls:
                turned[dim] = slice(None, None, -1)
    return data.isel(turned) if turned else data


def image_extent(data: xr.DataArray, max_pixels: int = MAX_PIXELS) -> Extent:
    """Edges of the reduced image: its last row and column may reach beyond the data.

    Parameters
    ----------
    data : DataArray
        The last two dims are the image.
    max_pixels : int
        As for the reduction.

    Returns
    -------
    Extent
        In CRS coordinates, or in pixels for data without coordinates.
    """
    step = image_step(data.shape[-2:], max_pixels)
    (top, row), (left, column) = (_edge_and_step(data, d) for d in data.dims[-2:])
    rows, columns = (-(-n // step) * step for n in data.shape[-2:])
    return Extent(left, left + columns * column, top + rows * row, top)


def data_extent(data: xr.DataArray) -> Extent:
    """Edges of the data themselves."""
    return image_extent(data, max(data.shape[-2:]))


def _edge_and_step(data: xr.DataArray, dim: object) -> tuple[float, float]:
    """First edge and signed pixel size along a dimension."""
    if dim in data.coords and data[dim].size > 1:
        centres = data[dim].values
        size = float(centres[-1] - centres[0]) / (len(centres) - 1)
        return float(centres[0]) - size / 2, size
    if dim in data.coords:
        grid = data.odc.geobox
        if grid is not None:
            affine = grid.affine
            return (affine.f, affine.e) if dim == data.dims[-2] else (affine.c, affine.a)
    return 0.0, 1.0 if dim == data.dims[-1] else -1.0


def image_step(shape: Sequence[int], max_pixels: int = MAX_PIXELS) -> int:
    """Side of the blocks, in pixels, that an image is thinned by to at most ``max_pixels``."""
    return max(1, -(-max(shape[-2:]) // max_pixels))
