"""How large a piece of a scene one Dask task reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from strandline.errors import ConfigurationError

ROWS_AND_COLUMNS = {
    **dict.fromkeys(("y", "Y", "lat", "latitude", "northing"), "y"),
    **dict.fromkeys(("x", "X", "lon", "longitude", "easting"), "x"),
}
"""What the dimensions of a map plane are called elsewhere."""

Chunks = int | str | tuple[int, int] | Mapping[str, int] | None

_TARGET = (
    1024  # pixels along a chunk's side: six bands of float32 are 24 MiB, memory that is reused
)


def chunk_shape(height: int, width: int, block: tuple[int, int], chunks: Chunks) -> tuple[int, int]:
    """Work out the rows and columns of a chunk from what a caller may ask for.

    Parameters
    ----------
    height, width : int
        Of the array, pixels.
    block : (int, int)
        Rows and columns that are stored together.
    chunks : int, (int, int), mapping, "auto" or None
        One number, ``(y, x)``, or ``{"y": …, "x": …}`` (``lat`` and ``lon`` count as these); -1
        means all. By default whole storage blocks grouped to about 1024 × 1024 pixels.

    Returns
    -------
    (int, int)

    Raises
    ------
    ConfigurationError
        If it makes no sense.

    Examples
    --------
    >>> chunk_shape(7241, 7961, (256, 256), None)
    (1024, 1024)
    >>> chunk_shape(7241, 7961, (1, 7961), None)
    (131, 7961)
    """
    if chunks is None or chunks == "auto":
        return _default_chunk(height, width, block)
    if isinstance(chunks, Mapping):
        chunks = {ROWS_AND_COLUMNS.get(name, name): size for name, size in chunks.items()}
        default = _default_chunk(height, width, block)
        unknown = set(chunks) - {"band", "y", "x"}
        if unknown:
            raise _bad_chunks(chunks)
        wanted: tuple[Any, Any] = (chunks.get("y", default[0]), chunks.get("x", default[1]))
    elif isinstance(chunks, int):
        wanted = (chunks, chunks)
    elif isinstance(chunks, tuple) and len(chunks) == 2:
        wanted = chunks
    else:
        raise _bad_chunks(chunks)
    if any(not isinstance(n, int) or n == 0 or n < -1 for n in wanted):
        raise _bad_chunks(chunks)
    rows, columns = wanted
    return (
        height if rows == -1 else min(rows, height),
        width if columns == -1 else min(columns, width),
    )


def _bad_chunks(chunks: object) -> ConfigurationError:
    return ConfigurationError(
        "Chunks cannot be made like this.",
        expected='a number, (y, x), {"y": …, "x": …} or "auto"',
        got=repr(chunks),
    )


def _default_chunk(height: int, width: int, block: tuple[int, int]) -> tuple[int, int]:
    """Whole blocks, about 1024 pixels square."""
    rows, columns = min(block[0], height), min(block[1], width)
    if columns >= width:
        # Strips: a narrower chunk would decode every strip once per chunk beside it.
        across = width
        down = max(1, _TARGET * _TARGET // (width * rows)) * rows
    else:
        across = max(1, _TARGET // columns) * columns
        down = max(1, _TARGET // rows) * rows
    return min(down, height), min(across, width)
