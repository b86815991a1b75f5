"""Draw a sample of rows that is the same however the rows are chunked.

Every row has a pseudo-random priority computed from its global index and the seed; the
sample is the rows with the smallest priorities ("bottom-k"). A chunk can find its
candidates alone, and candidates of two chunks merge into those of both, so neither the
chunking nor the order of the work shows in the result.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from strandline.errors import ConfigurationError, InvalidDataError
from strandline.spectral.tiles import observed_rows

_SLAB_ROWS = 1 << 16
_MERGE_WIDTH = 8


class IndexedSample(NamedTuple):
    """Rows drawn from a larger set.

    Attributes
    ----------
    numbers : ndarray of int64
        Global row numbers, ascending.
    rows : ndarray of shape (n, n_features)
        The rows themselves, in their own dtype.
    """

    numbers: NDArray[np.int64]
    rows: NDArray[Any]


def mixed_bits(numbers: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """Scramble 64-bit numbers into uniform ones (SplitMix64's finaliser).

    Parameters
    ----------
    numbers : ndarray of uint64
    seed : int
        Selects one of 2**64 scrambles.

    Returns
    -------
    ndarray of uint64

    References
    ----------
    Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.

    Examples
    --------
    >>> import numpy as np
    >>> hex(int(mixed_bits(np.array([0], np.uint64), 0)[0]))
    '0xe220a8397b1dcdaf'
    """
    start = np.uint64((seed * 0xD1342543DE82EF95 + 0x9E3779B97F4A7C15) % 2**64)
    z = numbers * np.uint64(0x9E3779B97F4A7C15) + start
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def draw_sample(X: Any, size: int, seed: int = 0) -> NDArray[Any]:
    """Draw rows uniformly, without repetition, the same ones under any chunking.

    Rows with a NaN are never drawn. When no more than `size` rows are fully observed,
    all of them come.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        NumPy or Dask array (chunked any way), or an object with such an array as
        ``.data``, like an ``xarray.DataArray``.
    size : int
        Greatest number of rows to draw.
    seed : int
        Another seed draws other rows.

    Returns
    -------
    ndarray of shape (min(size, n_observed), n_features)
        The rows in their own dtype and in their order in `X`.

    Raises
    ------
    InvalidDataError
        If `X` is not two-dimensional, contains infinity, or is a Dask array of
        unknown length.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.arange(20.0).reshape(10, 2)
    >>> draw_sample(X, 3).shape
    (3, 2)
    >>> bool((draw_sample(X, 10) == X).all())
    True
    """
    return draw_indexed_sample(X, size, seed).rows


def draw_indexed_sample(X: Any, size: int, seed: int = 0) -> IndexedSample:
    """Draw rows as `draw_sample` does, and keep their global row numbers."""
    array = plain_array(X)
    if array.ndim != 2:
        raise InvalidDataError(
            "Samples have to form a table.",
            expected="an array of shape (n_samples, n_features)",
            got=f"shape {tuple(array.shape)}",
        )
    if size < 1:
        raise ConfigurationError("A sample needs rows.", expected="size >= 1", got=str(size))
    if is_dask(array):
        return _draw_from_chunks(array, size, seed)
    return _drop_priority(_smallest(np.asarray(array), 0, size, seed))


def plain_array(X: Any) -> Any:
    """Take the array out of an xarray object (known by its ``dims``); else `X` itself."""
    return X.data if hasattr(X, "dims") and hasattr(X, "data") else X


def is_dask(array: Any) -> bool:
    """Whether `array` is a Dask array; does not import Dask."""
    return hasattr(array, "__dask_graph__") and hasattr(array, "rechunk")


class _Candidates(NamedTuple):
    priority: NDArray[np.uint64]
    numbers: NDArray[np.int64]
    rows: NDArray[Any]


def _smallest(block: NDArray[Any], offset: int, size: int, seed: int) -> _Candidates:
    """Candidates of one block whose first row has the global number `offset`."""
    kept = _Candidates(
        np.empty(0, np.uint64), np.empty(0, np.int64), np.empty((0, block.shape[1]), block.dtype)
    )
    limit = np.uint64(2**64 - 1)
    waiting: list[_Candidates] = [kept]
    n_waiting = 0
    for start in range(0, len(block), _SLAB_ROWS):
        slab = block[start : start + _SLAB_ROWS]
        observed = observed_rows(slab)
        numbers = np.arange(offset + start, offset + start + len(slab), dtype=np.int64)
        priority = mixed_bits(numbers.view(np.uint64), seed)
        wanted = priority <= limit
        if observed is not None:
            wanted &= observed
        part = np.flatnonzero(wanted)
        waiting.append(_Candidates(priority[part], numbers[part], slab[part]))
        n_waiting += len(part)
        if n_waiting > 2 * size:
            waiting = [_merge(waiting, size)]
            n_waiting = size
            limit = waiting[0].priority.max()
    return _merge(waiting, size)


def _merge(parts: list[_Candidates], size: int) -> _Candidates:
    """Keep the `size` best of several sets of candidates, by ascending index."""
    priority, numbers, rows = (np.concatenate(column) for column in zip(*parts, strict=True))
    if len(priority) > size:
        # Priorities are distinct (the scramble is a bijection), so the choice is unique.
        best = np.argpartition(priority, size - 1)[:size]
        priority, numbers, rows = priority[best], numbers[best], rows[best]
    order = np.argsort(numbers)
    return _Candidates(priority[order], numbers[order], rows[order])


def _drop_priority(candidates: _Candidates) -> IndexedSample:
    return IndexedSample(candidates.numbers, candidates.rows)


def _draw_from_chunks(array: Any, size: int, seed: int) -> IndexedSample:
    from dask.delayed import delayed

    lengths = array.chunks[0]
    if any(length != length for length in lengths):
        raise InvalidDataError(
            "The Dask array does not know how many rows its chunks have.",
            expected="chunks of known length",
            got=f"chunks {lengths}",
            remedy="Call X.compute_chunk_sizes() first.",
        )
    blocks = array.rechunk({1: -1}).to_delayed()[:, 0]
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(int)
    find, merge = delayed(_smallest, pure=True), delayed(_merge, pure=True)
    parts = [
        find(block, int(offset), size, seed) for block, offset in zip(blocks, offsets, strict=True)
    ]
    while len(parts) > 1:  # a tree, so that no more than a few samples meet in one memory
        parts = [
            merge(parts[i : i + _MERGE_WIDTH], size) for i in range(0, len(parts), _MERGE_WIDTH)
        ]
    return _drop_priority(parts[0].compute())
