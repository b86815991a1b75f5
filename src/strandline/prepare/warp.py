"""Warp arrays from one grid to another, tile by tile.

The target is cut into tiles that depend on the two grids alone, never on the chunks of the
source, and every tile is warped from the part of the source that it needs: so a lazy array,
chunked in whatever way, and the same array in memory give the same bytes.
"""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyproj
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.types import Shape2d
from odc.geo.warp import rio_reproject
from rasterio.errors import NotGeoreferencedWarning

from strandline.prepare.georeference import crs_of, no_overlap, place, recentred

KERNEL_RADIUS = {
    "nearest": 1,
    "bilinear": 1,
    "cubic": 2,
    "cubic_spline": 2,
    "lanczos": 3,
    "average": 1,
    "mode": 1,
    "min": 1,
    "max": 1,
    "med": 1,
    "q1": 1,
    "q3": 1,
}
"""Resampling methods, with the pixels that each reaches beyond its own."""

TILE = 1024
"""Side of a target tile in source pixels: bounds the memory of a task."""

COARSER = 1.25
"""From so many source pixels per target pixel on, a kernel is widened to average them."""

_PROBES = 17  # a tile's place in the source is found from so many points along each side
_NO_TRUTH = 255  # a third value for booleans while they are warped


class Warp(NamedTuple):
    """What is warped to where, how, and what stands for not observed."""

    source: GeoBox
    target: GeoBox
    method: str
    fill: Any


class _Tile(NamedTuple):
    target: tuple[slice, slice]
    source: tuple[slice, slice] | None  # None: the tile lies outside of the source


def warped_data(data: Any, warp: Warp) -> Any:
    """Warp an array of shape (…, y, x); lazily if it is a Dask array."""
    warp = warp._replace(source=recentred(warp.source))
    tiles = list(_tiles(warp))
    if all(tile.source is None for tile in tiles):
        raise no_overlap(warp.source, warp.target)
    scales = _kernel_scales(warp)
    if not hasattr(data, "__dask_graph__"):
        whole = np.full((*data.shape[:-2], *warp.target.shape), warp.fill, data.dtype)
        for tile in tiles:
            if tile.source is not None:
                function = _tile_function(warp, tile, scales)
                whole[(..., *tile.target)] = function(data[(..., *tile.source)])
        return whole
    return _assembled(data, warp, tiles, scales)


def _assembled(data: Any, warp: Warp, tiles: list[_Tile], scales: dict[str, float]) -> Any:
    """Build the lazy result tile by tile."""
    import dask.array as da

    rows: dict[int, list[Any]] = {}
    for tile in tiles:
        shape = tuple(side.stop - side.start for side in tile.target)
        chunks = (*data.chunks[:-2], (shape[0],), (shape[1],))
        if tile.source is None:
            block = da.full(  # type: ignore[no-untyped-call]  # Dask is untyped
                (*data.shape[:-2], *shape), warp.fill, dtype=data.dtype, chunks=chunks
            )
        else:
            window = data[(..., *tile.source)].rechunk({-2: -1, -1: -1})
            block = window.map_blocks(
                _tile_function(warp, tile, scales),
                chunks=chunks,
                dtype=data.dtype,
                meta=np.empty((0,) * data.ndim, data.dtype),
            )
        rows.setdefault(tile.target[0].start, []).append(block)
    return da.block(list(rows.values()))  # type: ignore[no-untyped-call]  # Dask is untyped


class _QuietWarps:
    """Silences rasterio about its own temporary arrays, which it says have no transform.

    rasterio does so itself, but the filters of warnings belong to the process, and threads
    that change them at the same time undo each other's work. Here the first thread that
    warps sets the filter and the last one takes it back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._filters: warnings.catch_warnings[None] | None = None

    def __enter__(self) -> None:
        with self._lock:
            self._users += 1
            if self._filters is None:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.simplefilter("ignore", NotGeoreferencedWarning)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0 and self._filters is not None:
                self._filters.__exit__(None, None, None)
                self._filters = None


_quiet = _QuietWarps()


@dataclass(frozen=True)
class _TileFunction:
    """Warps one window of the source to one tile of the target; travels to workers."""

    source: GeoBox
    target: GeoBox
    method: str
    fill: Any
    scales: tuple[tuple[str, float], ...]

    def __call__(self, window: NDArray[Any]) -> NDArray[Any]:
        boolean = window.dtype == bool
        values = window.astype(np.uint8) if boolean else np.ascontiguousarray(window)
        fill = _NO_TRUTH if boolean else self.fill
        warped = np.full((*values.shape[:-2], *self.target.shape), fill, values.dtype)
        with _quiet:
            rio_reproject(
                values,
                warped,
                self.source,
                self.target,
                self.method,
                src_nodata=fill,
                dst_nodata=fill,
                ydim=None,
                **dict[str, Any](self.scales),
            )
        return warped == 1 if boolean else warped


def _tile_function(warp: Warp, tile: _Tile, scales: dict[str, float]) -> _TileFunction:
    return _TileFunction(
        warp.source[tile.source],
        warp.target[tile.target],
        warp.method,
        warp.fill,
        tuple(scales.items()),
    )


def _tiles(warp: Warp) -> Iterator[_Tile]:
    """Cut the target into tiles, row by row, and find for each what it needs of the source."""
    coarsening = max(1.0, *source_pixels(warp.source, warp.target))
    side = 2 ** int(math.log2(TILE / coarsening)) if coarsening < TILE else 1
    reach = math.ceil(KERNEL_RADIUS[warp.method] * coarsening) + 2
    to_source = _pixel_transform(warp.target, warp.source)
    rows, columns = warp.target.shape
    for top in range(0, rows, side):
        for left in range(0, columns, side):
            target = slice(top, min(top + side, rows)), slice(left, min(left + side, columns))
            yield _Tile(target, _window(target, to_source, warp.source.shape, reach))


def _window(
    target: tuple[slice, slice],
    to_source: Callable[..., tuple[NDArray[np.float64], NDArray[np.float64]]],
    shape: Shape2d,
    reach: int,
) -> tuple[slice, slice] | None:
    y, x = (np.linspace(side.start, side.stop, _PROBES) for side in target)
    at_x, at_y = to_source(*(plane.ravel() for plane in np.meshgrid(x, y)))
    seen = np.isfinite(at_x) & np.isfinite(at_y)
    if not seen.any():
        return None
    window = []
    for at, size in ((at_y[seen], shape[0]), (at_x[seen], shape[1])):
        # Between the probes a curved edge may bulge by a small part of its length.
        bulge = 0.01 * (at.max() - at.min())
        start, stop = math.floor(at.min() - bulge), math.ceil(at.max() + bulge)
        if stop <= 0 or start >= size:
            return None
        window.append(slice(max(start - reach, 0), min(stop + reach, size)))
    return window[0], window[1]


def _pixel_transform(
    grid: GeoBox, other: GeoBox
) -> Callable[..., tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Make the function that takes pixel positions (x, y) of one grid to those of another."""
    between = pyproj.Transformer.from_crs(crs_of(grid), crs_of(other), always_xy=True)
    back = ~other.affine

    def transform(
        x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        there_x, there_y = between.transform(*place(grid.affine, x, y))
        # Infinity times a zero of the affine would warn; NaN means the same here.
        lost = ~(np.isfinite(there_x) & np.isfinite(there_y))
        there_x, there_y = np.where(lost, np.nan, there_x), np.where(lost, np.nan, there_y)
        return place(back, there_x, there_y)

    return transform


def source_pixels(source: GeoBox, target: GeoBox) -> tuple[float, float]:
    """Count the source pixels, along x and y of the source, that a target pixel spans."""
    source = recentred(source)
    rows, columns = target.shape
    middle_x, middle_y = columns / 2, rows / 2
    x = middle_x + np.array([-0.5, 0.5, 0, 0])
    y = middle_y + np.array([0, 0, -0.5, 0.5])
    at_x, at_y = _pixel_transform(target, source)(x, y)
    spans = (
        math.hypot(at_x[1] - at_x[0], at_x[3] - at_x[2]),
        math.hypot(at_y[1] - at_y[0], at_y[3] - at_y[2]),
    )
    return spans if np.all(np.isfinite(spans)) else (1.0, 1.0)


def _kernel_scales(warp: Warp) -> dict[str, float]:
    """Say to GDAL how wide a kernel is, once for the whole grid.

    Left to itself GDAL decides from the shape of each window, so tiles would differ; odc-geo's
    default is never to widen, which aliases.
    """
    x, y = source_pixels(warp.source, warp.target)
    return {
        "XSCALE": 1 / x if x >= COARSER else 1.0,
        "YSCALE": 1 / y if y >= COARSER else 1.0,
    }
