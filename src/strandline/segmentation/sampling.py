"""Draw pixels from a scene of any size, window by window as it is stored.

The pixels are those that `strandline.spectral.draw_sample` draws from the table of all of
them, row-major: a pixel's place alone decides, so chunks, threads and workers do not matter.
But the table is never made: each window picks its own candidates where it is read.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from strandline.prepare.samples import to_samples
from strandline.spectral.sampling import (
    IndexedSample,
    draw_indexed_sample,
    is_dask,
    mixed_bits,
)
from strandline.spectral.tiles import observed_rows

_SLAB = 1 << 14  # pixels whose numbers are scrambled together, within the cache
_MERGED = 8  # windows whose candidates meet in one memory
_SPARE = 2.0  # a window offers so many times what would do if everything had been observed
_HIGHEST = 2**64 - 1


class _Window(NamedTuple):
    """Where a block lies: its first date, row and column, and the size of the whole plane."""

    date: int
    top: int
    left: int
    plane: tuple[int, int]


class _Candidates(NamedTuple):
    priority: NDArray[np.uint64]
    numbers: NDArray[np.int64]
    rows: NDArray[Any]


def draw_pixels(scene: xr.DataArray, size: int, seed: int = 0) -> NDArray[Any]:
    """Draw observed pixels uniformly, without repetition.

    Parameters
    ----------
    scene : DataArray of shape (band, y, x) or (time, band, y, x)
        NaN where not observed. A lazy one is read once, or twice where little was observed.
    size : int
        Greatest number of pixels; fewer are all drawn.
    seed : int

    Returns
    -------
    ndarray of shape (n, band)
        ``draw_sample(to_samples(scene), size, seed)``, to the byte.

    Examples
    --------
    >>> from strandline.spectral import draw_sample
    >>> from strandline.testing.lakes import round_lake
    >>> scene = round_lake(shape=(40, 50))
    >>> drawn = draw_pixels(scene.chunk({"y": 7, "x": 30}), 100)
    >>> bool((drawn == draw_sample(to_samples(scene), 100)).all())
    True
    """
    return draw_numbered_pixels(scene, size, seed).rows


def draw_numbered_pixels(scene: xr.DataArray, size: int, seed: int = 0) -> IndexedSample:
    """Draw as `draw_pixels` does, and keep the places: row-major over time, y and x.

    Returns
    -------
    IndexedSample
        ``numbers`` of shape (n,), ascending, and ``rows`` of shape (n, band).
    """
    if not is_dask(scene.data):
        return draw_indexed_sample(to_samples(scene).data, size, seed)
    from dask.delayed import delayed

    scene = scene.transpose(*(["time"] if "time" in scene.dims else []), "band", "y", "x")
    data = scene.data if scene.ndim == 4 else scene.data[None]
    data = data.rechunk({1: -1})
    dates, _, rows, columns = (
        np.concatenate(([0], np.cumsum(chunks)[:-1])).tolist() for chunks in data.chunks
    )
    plane = (int(data.shape[2]), int(data.shape[3]))
    pixels = data.shape[0] * plane[0] * plane[1]
    blocks = data.to_delayed()
    find, merge = delayed(_offer, pure=True), delayed(_merge, pure=True)
    limit = _limit(_SPARE * size / max(pixels, 1))
    while True:
        parts = [
            find(blocks[t, 0, i, j], _Window(date, top, left, plane), limit, size, seed)
            for t, date in enumerate(dates)
            for i, top in enumerate(rows)
            for j, left in enumerate(columns)
        ]
        while len(parts) > 1:
            parts = [merge(parts[i : i + _MERGED], size) for i in range(0, len(parts), _MERGED)]
        drawn: _Candidates = parts[0].compute()
        count = len(drawn.numbers)
        if count == size or limit == _HIGHEST:
            return IndexedSample(drawn.numbers, drawn.rows)
        # Too little was observed. How little is known now, with some doubt if it was next to none.
        share = limit / _HIGHEST * 1.5 * size / count if count > 1000 else 1.0
        limit = _limit(share)


def _limit(share: float) -> int:
    """Priority below which about this share of all pixels lies."""
    return _HIGHEST if share >= 1.0 else int(share * _HIGHEST)


def _offer(block: NDArray[Any], window: _Window, limit: int, size: int, seed: int) -> _Candidates:
    """Pick those pixels of a block, (date, band, y, x), that may be drawn."""
    dates, _, height, width = block.shape
    at_once = max(1, _SLAB // width)
    parts = [_no_candidates(block)]
    for date in range(dates):
        first = ((window.date + date) * window.plane[0] + window.top) * window.plane[1]
        for top in range(0, height, at_once):
            lines = np.arange(top, min(top + at_once, height))[:, None] * window.plane[1]
            numbers = (first + window.left + lines + np.arange(width)).ravel()
            priority = mixed_bits(numbers.view(np.uint64), seed)
            wanted = np.flatnonzero(priority <= np.uint64(limit))
            row, column = np.divmod(wanted, width)
            spectra = block[date][:, top + row, column].T
            seen = observed_rows(spectra)
            kept = slice(None) if seen is None else seen
            parts.append(_Candidates(priority[wanted][kept], numbers[wanted][kept], spectra[kept]))
    return _merge(parts, size)


def _no_candidates(block: NDArray[Any]) -> _Candidates:
    rows = np.empty((0, block.shape[1]), block.dtype)
    return _Candidates(np.empty(0, np.uint64), np.empty(0, np.int64), rows)


def _merge(parts: list[_Candidates], size: int) -> _Candidates:
    """Keep the `size` first of several sets of candidates, in the order of their numbers."""
    priority, numbers, rows = (np.concatenate(column) for column in zip(*parts, strict=True))
    if len(priority) > size:
        first = np.argpartition(priority, size - 1)[:size]  # all different: the choice is unique
        priority, numbers, rows = priority[first], numbers[first], rows[first]
    order = np.argsort(numbers)
    return _Candidates(priority[order], numbers[order], np.ascontiguousarray(rows[order]))
