"""Windows of raster files, read inside of tasks; every failure leaves as an error of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize
from numpy.typing import NDArray
from rasterio.enums import MaskFlags
from rasterio.io import DatasetReader
from rasterio.windows import Window

from strandline.scenes.access import Access
from strandline.scenes.header import RasterHeader
from strandline.scenes.nesting import Nesting, blank_for, spread
from strandline.scenes.reading import opened_raster, tried

_Source = tuple[Access, str, bool, bool]
"""How to reach a file, the type of its numbers, whether quietly, and whether with its mask."""


def lazy_file(header: RasterHeader, shape: tuple[int, int], access: Access) -> da.Array:
    """Make the values of a file a lazy array (band, y, x), one task per chunk of this shape."""
    name = "read-" + tokenize(access.path, header.stamp, header.transform, header.count, shape)
    # One object shared by all tasks; quiet: the header has said already that it has no transform.
    source = (access, header.dtype, not header.georeferenced, header.masked)
    chunks = _chunks(header.count, header, shape)
    return _assembled(name, chunks, header.dtype, lambda place: (_read_window, source, place))


def lazy_nested(
    header: RasterHeader,
    nesting: Nesting,
    first: RasterHeader,
    shape: tuple[int, int],
    access: Access,
) -> tuple[da.Array, list[float | None]]:
    """Bring a coarser file onto a finer grid, in its chunks; and tell what its rim holds."""
    dtype, blank = np.dtype(header.dtype), 0
    nodata: list[float | None] = list(header.nodata)
    if not nesting.covers((first.height, first.width)):
        dtype, blank = blank_for(dtype, nodata[0])
        nodata = [float(blank)] * header.count
    name = "nest-" + tokenize(
        access.path, header.stamp, header.transform, header.count, nesting, shape
    )
    source = (access, str(dtype), False, header.masked)
    chunks = _chunks(header.count, first, shape)
    data = _assembled(
        name, chunks, dtype, lambda place: (_read_nested, source, nesting, place, blank)
    )
    return data, nodata


def _chunks(count: int, grid: RasterHeader, shape: tuple[int, int]) -> Any:
    return da.core.normalize_chunks((count, *shape), (count, grid.height, grid.width))  # type: ignore[no-untyped-call]  # untyped library


def _assembled(
    name: str, chunks: Any, dtype: Any, task: Callable[[tuple[int, int, int, int]], Any]
) -> da.Array:
    """Make an array of tasks, one for the (top, left, rows, columns) of every chunk."""
    tops = np.concatenate(([0], np.cumsum(chunks[1])))[:-1].tolist()
    lefts = np.concatenate(([0], np.cumsum(chunks[2])))[:-1].tolist()
    graph = {
        (name, 0, i, j): task((top, left, rows, columns))
        for i, (top, rows) in enumerate(zip(tops, chunks[1], strict=True))
        for j, (left, columns) in enumerate(zip(lefts, chunks[2], strict=True))
    }
    return da.Array(graph, name, chunks, dtype=np.dtype(dtype))  # type: ignore[no-untyped-call]  # untyped library


def _valid(dataset: DatasetReader, window: Window) -> NDArray[np.bool_]:
    """Read where the masks of a file say that all of its bands are valid; shape (1, y, x)."""
    one_for_all = all(MaskFlags.per_dataset in flags for flags in dataset.mask_flag_enums)
    masks = dataset.read_masks([1] if one_for_all else dataset.indexes, window=window)
    valid: NDArray[np.bool_] = (masks != 0).all(axis=0, keepdims=True)
    return valid


def _read_nested(
    source: _Source,
    nesting: Nesting,
    place: tuple[int, int, int, int],
    blank: Any,
) -> NDArray[Any]:
    """Read the coarse pixels under one window of the finest grid, and repeat them."""
    top, left, rows, columns = place
    first_row, down = nesting.window(top, rows, 0)
    first_column, across = nesting.window(left, columns, 1)
    values = _read_window(source, (first_row, first_column, down, across))
    return spread(values, nesting, (first_row, first_column), place, blank)


def _read_window(source: _Source, place: tuple[int, int, int, int]) -> NDArray[Any]:
    """Read all bands of one window; runs inside a Dask task, in any thread or process."""
    access, dtype, quiet, masked = source
    top, left, rows, columns = place
    window = Window(left, top, columns, rows)

    def read(attempt: int) -> NDArray[Any]:
        with opened_raster(access.anew() if attempt else access, quiet=quiet) as dataset:
            values: NDArray[Any] = dataset.read(window=window, out_dtype=dtype)
            if masked:
                values = np.concatenate([values, _valid(dataset, window).astype(dtype)])
        return values

    return tried(access, read)
