"""Work through rows in tiles that fit the cache, with the same bits however the rows arrive.

Four rules keep a result independent of chunking and of the number of threads: every
tile has the same shape, so the matrix product takes the same path for every tile; products
that say something of each row are made by `product`, which rounds all rows of a tile alike;
the linear algebra inside a tile is single-threaded, threads work on different tiles; and
what is summed over tiles is summed in tile order, in float64.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, TypeVar

import numpy as np
import scipy.linalg  # noqa: F401  (loads SciPy's BLAS before the controller looks for it)
import threadpoolctl
from numpy.typing import NDArray

from strandline.errors import ConfigurationError, InvalidDataError

Result = TypeVar("Result")

TILE_ROWS = 2048
"""Rows per tile: a multiple of every BLAS micro-kernel; what is made of them stays in the L2
cache, or nearly. With fewer, threads spend their time handing Python's lock to one another."""

_TILES_AT_ONCE = 8
"""Tiles that a thread takes at once, so that handing out work costs nothing."""

_LANES = 16
"""Columns of a matrix product come in multiples of this: kernels for odd edges may round
the same row differently at different places of a tile."""

_UNROLLED = 8
"""Terms of a dot product from which kernels unroll its loop, and may add in another order."""

NOT_LABELLED = -1
"""The label of a sample that has a NaN among its features."""


_look: ContextVar[Callable[[], None] | None] = ContextVar("looking up from work", default=None)


@contextmanager
def looking_up(look: Callable[[], None]) -> Iterator[None]:
    """Have a function called between the tiles that this thread hands out.

    Fitting and labelling take seconds that nobody can wait out who wants something else by now.
    What the function raises ends them.

    Parameters
    ----------
    look : callable
        Without arguments. It is called often, so it has to be quick.

    Examples
    --------
    >>> looks = []
    >>> with looking_up(lambda: looks.append("up")):
    ...     sums = list(map_tiles(lambda part: part.stop - part.start, 50_000))
    >>> sum(sums), len(looks) > 0
    (50000, True)
    """
    token = _look.set(look)
    try:
        yield
    finally:
        _look.reset(token)


@cache
def _controller() -> threadpoolctl.ThreadpoolController:
    return threadpoolctl.ThreadpoolController()  # type: ignore[no-untyped-call]


def _take_control() -> None:
    """Let the current thread set OpenBLAS's limit.

    Recent threadpoolctl obeys only the first thread that set it, and ignores others silently.
    """
    controller: Any = getattr(threadpoolctl, "OpenBLASController", None)
    if hasattr(controller, "clear_controlling_thread"):
        controller.clear_controlling_thread(force=True)


class _OneBlasThread:
    """Count who needs single-threaded BLAS: the limit is global, its users are threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._limit: Any = None

    def enter(self) -> None:
        with self._lock:
            if self._users == 0:
                _take_control()
                self._limit = _controller().limit(limits=1, user_api="blas")
            self._users += 1

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                _take_control()  # the first one in was perhaps another thread
                self._limit.restore_original_limits()
                self._limit = None
                _take_control()  # the last one out leaves it to whoever comes next


_one_blas_thread = _OneBlasThread()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep BLAS single-threaded while inside; safe when several threads are inside at once."""
    _one_blas_thread.enter()
    try:
        yield
    finally:
        _one_blas_thread.leave()


class _Scratch(threading.local):
    """Memory that a thread uses again and again."""

    def __init__(self) -> None:
        self.parts: dict[str, NDArray[np.uint8]] = {}


_scratch = _Scratch()


def scratch(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Give an array for an intermediate result of a tile; its contents are arbitrary.

    The next call with the same name, in the same thread, gives the same memory. Asking the
    system for it every time takes longer than the work where memory is returned to it at
    once, as in the worker processes of Dask.

    Parameters
    ----------
    name : str
        What it is for.
    shape : tuple of int
    dtype : numpy.dtype

    Returns
    -------
    ndarray

    Examples
    --------
    >>> first = scratch("example", (2, 3), np.dtype("float32"))
    >>> bool(np.shares_memory(first, scratch("example", (3,), np.dtype("float64"))))
    True
    """
    size = math.prod(shape) * dtype.itemsize
    part = _scratch.parts.get(name)
    if part is None or part.nbytes < size:
        part = _scratch.parts[name] = np.empty(size, np.uint8)
    return part[:size].view(dtype).reshape(shape)


def whole_lanes(matrix: NDArray[Any], axis: int = 1) -> NDArray[Any]:
    """Fill up with zeros to a whole number of lanes, for the right side of a product.

    Examples
    --------
    >>> whole_lanes(np.ones((2, 17))).shape
    (2, 32)
    """
    missing = -matrix.shape[axis] % _LANES
    widths = [(0, missing if i == axis else 0) for i in range(matrix.ndim)]
    return np.ascontiguousarray(np.pad(matrix, widths))


def product(left: NDArray[Any], right: NDArray[Any], out: NDArray[Any]) -> NDArray[Any]:
    """Compute ``left @ right`` with the same bits for equal rows, wherever they lie in the tile.

    Some kernels of BLAS (OpenBLAS's sgemm for AVX2, from eight columns on) add the terms of half
    of the rows in another order than those of the other half. Where the kernels of this
    processor do, the product is made in float64, whose kernels do not, and rounded.

    Parameters
    ----------
    left : ndarray of shape (n_rows, k)
    right : ndarray of shape (k, m)
        From `whole_lanes`.
    out : ndarray of shape (n_rows, m)
        Where the product is put, of the type of both.

    Returns
    -------
    ndarray
        `out`.

    Examples
    --------
    >>> left, right = np.ones((3, 2)), whole_lanes(np.ones((2, 1)))
    >>> product(left, right, np.empty((3, 16)))[:, 0].tolist()
    [2.0, 2.0, 2.0]
    """
    if out.dtype != np.float32 or len(right) < _UNROLLED or _rounds_rows_alike():
        return np.matmul(left, right, out=out)
    wide = scratch("wide rows", left.shape, np.dtype(np.float64))
    wide[...] = left
    exact = scratch("wide product", out.shape, np.dtype(np.float64))
    out[...] = np.matmul(wide, right.astype(np.float64), out=exact)
    return out


@cache
def _rounds_rows_alike() -> bool:
    """Return whether the float32 product of this machine's BLAS gives equal rows the same bits."""
    rng = np.random.default_rng(0)
    with one_blas_thread():
        for columns, lanes in ((_UNROLLED, _LANES), (256, 2 * _LANES), (333, 16 * _LANES)):
            row = rng.standard_normal(columns).astype(np.float32)
            right = rng.standard_normal((columns, lanes)).astype(np.float32)
            result = np.tile(row, (TILE_ROWS, 1)) @ right
            if (result != result[0]).any():
                return False
    return True


def thread_count(n_jobs: int | None) -> int:
    """Turn scikit-learn's ``n_jobs`` into a number of threads; None means every usable CPU."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cpus = usable or 1
    if n_jobs is None:
        return cpus
    if n_jobs == 0:
        raise ConfigurationError(
            "n_jobs is zero.", expected="a positive number, a negative one or None", got="0"
        )
    return n_jobs if n_jobs > 0 else max(1, cpus + 1 + n_jobs)


def map_tiles(
    function: Callable[[slice], Result],
    n_rows: int,
    n_jobs: int | None = None,
    *,
    at_once: int = _TILES_AT_ONCE,
) -> Iterator[Result]:
    """Apply `function` to consecutive slices of `n_rows` rows; results come in tile order.

    A thread takes `at_once` tiles and keeps what comes of them until the last is done.
    """
    slices = [slice(i, min(i + TILE_ROWS, n_rows)) for i in range(0, n_rows, TILE_ROWS)]
    groups = [slices[i : i + at_once] for i in range(0, len(slices), at_once)]
    for results in _in_threads(lambda group: list(map(function, group)), groups, n_jobs):
        yield from results


def _in_threads(
    function: Callable[[Any], Result], parts: Sequence[Any], n_jobs: int | None
) -> Iterator[Result]:
    """Apply `function` to parts of the work, several at a time; results come in order."""
    threads = min(thread_count(n_jobs), len(parts))
    with one_blas_thread():
        if threads <= 1:
            yield from _looked_up(map(function, parts))
        else:
            # What is not begun yet is dropped where the work is given up.
            with (
                ThreadPoolExecutor(threads) as pool,
                closing(pool.map(function, parts)) as results,  # type: ignore[type-var]
            ):
                yield from _looked_up(results)


def _looked_up(results: Iterable[Result]) -> Iterator[Result]:
    """Look up from the work after each part of it."""
    for result in results:
        look = _look.get()
        if look is not None:
            look()
        yield result


def map_rows(
    function: Callable[[NDArray[Any]], NDArray[Any]],
    rows: NDArray[Any],
    out: NDArray[Any],
    n_jobs: int | None = None,
) -> NDArray[Any]:
    """Fill `out` with ``function(part)`` for every fully observed row of `rows`.

    Parameters
    ----------
    function : callable
        Takes any number of rows without NaN, returns as many. What it says of a row must
        not depend on the others: it uses `in_tiles` for its products of matrices.
    rows : ndarray of shape (n_samples, n_features)
        Samples, of any numeric type. Rows with NaN keep what `out` holds for them.
    out : ndarray of shape (n_samples, ...)
        Results, written in place.
    n_jobs : int or None
        Number of threads; None uses every CPU.

    Returns
    -------
    ndarray
        `out`.

    Raises
    ------
    InvalidDataError
        If a value is infinite.
    """
    size = TILE_ROWS * _TILES_AT_ONCE

    def work(start: int) -> None:
        block, results = rows[start : start + size], out[start : start + size]
        observed = observed_rows(block)
        if observed is None:
            results[...] = function(block)
        elif observed.any():
            results[observed] = function(block[observed])

    for _ in _in_threads(work, range(0, len(rows), size), n_jobs):
        pass
    return out


def in_tiles(function: Callable[..., NDArray[Any]], *tables: NDArray[Any]) -> NDArray[Any]:
    """Apply `function` to tiles of one shape, the last filled up with zeros.

    Parameters
    ----------
    function : callable
        Takes TILE_ROWS rows of each table, returns as many.
    *tables : ndarray of shape (n, ...)
        At least one row each, and as many as the others.

    Returns
    -------
    ndarray of shape (n, ...)

    Examples
    --------
    >>> in_tiles(lambda tile: tile.sum(axis=1), np.ones((3, 2))).tolist()
    [2.0, 2.0, 2.0]
    """
    count = len(tables[0])
    whole = count // TILE_ROWS * TILE_ROWS
    parts = [
        function(*(table[i : i + TILE_ROWS] for table in tables))
        for i in range(0, whole, TILE_ROWS)
    ]
    if whole < count:
        parts.append(function(*(_filled_up(table[whole:]) for table in tables))[: count - whole])
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _filled_up(rows: NDArray[Any]) -> NDArray[Any]:
    tile = np.zeros((TILE_ROWS, *rows.shape[1:]), rows.dtype)
    tile[: len(rows)] = rows
    return tile


def observed_rows(block: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Which rows have no NaN: a boolean per row, or None when all have none.

    Raises
    ------
    InvalidDataError
        If a value is infinite.
    """
    if block.dtype.kind != "f":
        return None
    with np.errstate(all="ignore"):  # the sum only serves to find out that all is well
        if np.isfinite(block.sum(dtype=np.float64)):
            return None
    finite = np.isfinite(block)
    if finite.all():
        return None
    if np.isinf(block).any():
        raise InvalidDataError(
            "The samples contain infinity.",
            expected="finite values, or NaN where nothing was observed",
            got=f"{int(np.isinf(block).sum())} infinite values among {len(block)} samples",
            remedy="Mask them with NaN.",
        )
    observed: NDArray[np.bool_] = finite.all(axis=1)
    return observed
