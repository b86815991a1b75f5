"""Maps of classes, whatever a reader made of their numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from strandline.errors import ConfigurationError

LAND, WATER = 0, 1
"""Values of a water mask, besides `NOT_OBSERVED`."""

NOT_OBSERVED = 255
"""What every map of classes holds where nothing was observed."""


def stored_classes(classes: xr.DataArray) -> xr.DataArray:
    """Give a map of classes the numbers that it is stored as.

    Readers of NetCDF and Zarr hand a map with a fill value out as floats, with NaN for the
    fill (CF decoding). This takes it back.

    Parameters
    ----------
    classes : DataArray
        Any. Floats with the attribute ``flag_values`` are taken for a decoded map.

    Returns
    -------
    DataArray
        uint8 with 255 for NaN if it was decoded, or else the array itself. Lazy if it is.

    Raises
    ------
    ConfigurationError
        If its values are not classes; for a lazy map, when it is computed.

    Examples
    --------
    >>> water = xr.DataArray([1.0, 0.0, np.nan], dims="x", attrs={"flag_values": [0, 1]})
    >>> stored_classes(water).values.tolist()
    [1, 0, 255]
    """
    if classes.dtype.kind != "f" or "flag_values" not in classes.attrs:
        return classes
    data: Any = classes.data
    if hasattr(data, "__dask_graph__"):
        stored = data.map_blocks(_encoded, dtype=np.uint8, meta=np.empty((0,) * data.ndim, "u1"))
    else:
        stored = _encoded(np.asarray(data))
    result = classes.copy(data=stored)
    result.attrs["_FillValue"] = np.uint8(NOT_OBSERVED)
    result.encoding = {}  # of the floats; it would contradict the attribute when written again
    return result


def _encoded(values: NDArray[Any]) -> NDArray[np.uint8]:
    whole = np.where(np.isnan(values), NOT_OBSERVED, values)
    stored: NDArray[np.uint8] = whole.clip(0, NOT_OBSERVED).astype(np.uint8)
    if (stored != whole).any():
        strange = whole[stored != whole]
        raise ConfigurationError(
            "The map holds values that are not classes.",
            expected="whole numbers from 0 to 254, and NaN where nothing was observed",
            got=f"{strange[0]:g} and {strange.size - 1} more"
            if strange.size > 1
            else f"{strange[0]:g}",
            remedy="Resample maps of classes with 'nearest' or 'mode', never with an average.",
        )
    return stored


def simulated_mark(array: xr.DataArray) -> dict[str, str]:
    """Return the attribute by which maps of a simulated scene say so, or nothing.

    Examples
    --------
    >>> simulated_mark(xr.DataArray(0, attrs={"simulated": "yes", "units": "1"}))
    {'simulated': 'yes'}
    """
    return {name: text for name, text in array.attrs.items() if name == "simulated"}
