"""What a fit found, without maps, as bytes: an interrupted run need not fit again."""

from __future__ import annotations

from typing import Any

import xarray as xr

from strandline.errors import ModelFileError
from strandline.spectral.archive import pack, unpack

FORMAT = "strandline fitted segmentation"
VERSION = 1


def dump_fitted(fitted: xr.Dataset) -> bytes:
    """Write what `fit_segmentation` returned in an open format.

    Parameters
    ----------
    fitted : Dataset

    Returns
    -------
    bytes
    """
    arrays, variables = {}, {}
    for name, variable in fitted.variables.items():
        text = variable.dtype.kind == "U"  # the names of bands: JSON takes them
        variables[str(name)] = {
            "dims": [str(dim) for dim in variable.dims],
            "attrs": dict(variable.attrs),
            "coord": name in fitted.coords,
            "text": variable.values.tolist() if text else None,
        }
        if not text:
            arrays[str(name)] = variable.values
    header = {
        "format": FORMAT,
        "version": VERSION,
        "variables": variables,
        "attrs": dict(fitted.attrs),
    }
    return pack(arrays, header)


def load_fitted(data: bytes) -> xr.Dataset:
    """Read what `dump_fitted` wrote: the same Dataset.

    Raises
    ------
    ModelFileError
        If the bytes are damaged, something else, or of another version.
    """
    arrays, header = unpack(data, FORMAT, VERSION)
    try:
        parts: dict[bool, dict[str, Any]] = {False: {}, True: {}}
        for name, about in header["variables"].items():
            values = arrays[name] if about["text"] is None else about["text"]
            parts[about["coord"]][name] = (about["dims"], values, about["attrs"])
        return xr.Dataset(parts[False], coords=parts[True], attrs=header["attrs"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError("The saved fit is damaged.", got=repr(error)) from error
