"""Which maps are held in memory, so that what follows does not make them again."""

from __future__ import annotations

from typing import Any

import xarray as xr
from numpy.typing import NDArray

MAPS_IN_MEMORY = 1 << 28
"""Maps up to this size (bytes) are held in memory; larger ones stay lazy, or on disk."""

CHUNK_SIDE = 2048
"""They are in chunks all the same, so that what follows needs no large copies of them."""


def hold(layer: xr.DataArray) -> xr.DataArray:
    """Compute a lazy map once for all that follow, if it fits into memory.

    Parameters
    ----------
    layer : DataArray
        Dims (…, y, x).

    Returns
    -------
    DataArray
        The same; of Dask, if it was.
    """
    if layer.chunks is None or layer.nbytes > MAPS_IN_MEMORY:
        return layer
    return layer.copy(data=in_chunks(layer.compute().values))


def in_chunks(whole: NDArray[Any]) -> Any:
    """Make a Dask array of an array of shape (…, y, x) in memory, without another copy of it."""
    import dask.array as da

    chunks = (1,) * (whole.ndim - 2) + (CHUNK_SIDE, CHUNK_SIDE)
    return da.from_array(whole, chunks=chunks, name=False)  # type: ignore[no-untyped-call]  # Dask is untyped
