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
from strandline.segmentation.sides import STRATA, Sides
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


RARE_PIXELS = 512
"""So many pixels of every kind of wet spectra are drawn besides."""


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
    return draw_with_rare(scene, size, None, seed)[0]


def draw_with_rare(
    scene: xr.DataArray, size: int, sides: Sides | None, seed: int = 0
) -> tuple[IndexedSample, IndexedSample | None]:
    """Draw as `draw_numbered_pixels` does, and in the same pass the first of every wet kind.

    Of a scene of 40 million pixels, one in forty is in a sample of a million: a pond of twenty
    pixels may not be in it at all. Among the wet pixels of its own brightness and index it is
    hardly overlooked, however rare these are.

    Parameters
    ----------
    scene : DataArray of shape (band, y, x) or (time, band, y, x)
        NaN where not observed. A lazy one is read once, or twice where little was observed.
    size : int
        Greatest number of pixels of the sample.
    sides : Sides, optional
        What is wet; its strata are the kinds.
    seed : int

    Returns
    -------
    sample : IndexedSample
        As from `draw_numbered_pixels`.
    rare : IndexedSample or None
        Up to `RARE_PIXELS` of every kind, some of which the sample has too. None without sides,
        and where the sample has room for all pixels of the scene.
    """
    scene = scene.transpose(*(["time"] if "time" in scene.dims else []), "band", "y", "x")
    data = scene.data if scene.ndim == 4 else scene.data[None]
    plane = (int(data.shape[2]), int(data.shape[3]))
    pixels = data.shape[0] * plane[0] * plane[1]
    kinds = None if pixels <= size else sides
    if not is_dask(data):
        sample = draw_indexed_sample(to_samples(scene).data, size, seed)
        if kinds is None:
            return sample, None
        found = _rare(data, _Window(0, 0, 0, plane), kinds, RARE_PIXELS, seed)
        return sample, IndexedSample(found.numbers, found.rows)
    from dask.base import compute
    from dask.delayed import delayed

    windows = _windows(data.rechunk({1: -1}), plane)
    find, merge = delayed(_offer, pure=True), delayed(_merge, pure=True)
    find_rare, merge_rare = delayed(_rare, pure=True), delayed(_merge_rare, pure=True)
    rare = None
    if kinds is not None:
        rare = _in_tree(
            [find_rare(block, window, kinds, RARE_PIXELS, seed) for block, window in windows],
            lambda parts: merge_rare(parts, kinds, RARE_PIXELS),
        )
    limit = _limit(_SPARE * size / max(pixels, 1))
    while True:
        drawn = _in_tree(
            [find(block, window, limit, size, seed) for block, window in windows],
            lambda parts: merge(parts, size),
        )
        drawn, rare = compute(drawn, rare)  # type: ignore[no-untyped-call]  # Dask is untyped
        count = len(drawn.numbers)
        if count == size or limit == _HIGHEST:
            sample = IndexedSample(drawn.numbers, drawn.rows)
            return sample, None if rare is None else IndexedSample(rare.numbers, rare.rows)
        # Too little was observed. How little is known now, with some doubt if it was next to none.
        share = limit / _HIGHEST * 1.5 * size / count if count > 1000 else 1.0
        limit = _limit(share)


def _windows(data: Any, plane: tuple[int, int]) -> list[tuple[Any, _Window]]:
    """Pair each block of lazy data, all bands of it, with the window that it is."""
    dates, _, rows, columns = (
        np.concatenate(([0], np.cumsum(chunks)[:-1])).tolist() for chunks in data.chunks
    )
    blocks = data.to_delayed()
    return [
        (blocks[t, 0, i, j], _Window(date, top, left, plane))
        for t, date in enumerate(dates)
        for i, top in enumerate(rows)
        for j, left in enumerate(columns)
    ]


def _in_tree(parts: list[Any], merge: Any) -> Any:
    """Merge by few at a time, so that no more meet in one memory."""
    while len(parts) > 1:
        parts = [merge(parts[i : i + _MERGED]) for i in range(0, len(parts), _MERGED)]
    return parts[0]


def _rare(block: NDArray[Any], window: _Window, sides: Sides, each: int, seed: int) -> _Candidates:
    """Pick the first pixels of each kind of wet spectra of a block, (date, band, y, x)."""
    dates, _, height, width = block.shape
    at_once = max(1, _SLAB // width)
    parts, waiting = [_no_candidates(block)], 0
    for date in range(dates):
        first = ((window.date + date) * window.plane[0] + window.top) * window.plane[1]
        for top in range(0, height, at_once):
            slab = block[date][:, top : top + at_once]
            both = np.stack([slab[sides.high].ravel(), slab[sides.low].ravel()], axis=1)
            wet = Sides(0, 1, sides.ratio).wet(both)
            row, column = np.divmod(np.flatnonzero(wet), width)
            spectra = slab[:, row, column].T
            numbers = first + (top + row) * window.plane[1] + window.left + column
            seen = observed_rows(spectra)
            kept = slice(None) if seen is None else seen
            priority = mixed_bits(numbers.astype(np.int64).view(np.uint64), seed)
            parts.append(_Candidates(priority[kept], numbers[kept], spectra[kept]))
            waiting += len(parts[-1].numbers)
            if waiting > 2 * each * STRATA:
                parts, waiting = [_merge_rare(parts, sides, each)], 0
    return _merge_rare(parts, sides, each)


def _merge_rare(parts: list[_Candidates], sides: Sides, each: int) -> _Candidates:
    """Keep the `each` first of every kind, in the order of their numbers."""
    priority, numbers, rows = (np.concatenate(column) for column in zip(*parts, strict=True))
    strata = sides.strata(rows)
    order = np.lexsort((priority, strata))
    starts = np.searchsorted(strata[order], np.arange(STRATA))
    rank = np.arange(len(order)) - starts[strata[order]]
    kept = np.sort(order[rank < each])
    kept = kept[np.argsort(numbers[kept])]
    return _Candidates(priority[kept], numbers[kept], np.ascontiguousarray(rows[kept]))


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
