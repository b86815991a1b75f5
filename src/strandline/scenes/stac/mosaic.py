"""The tiles of one pass as one scene."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from strandline.scenes.reflectance import Factors


def covered_by(values: xr.DataArray, factors: Sequence[Factors]) -> xr.DataArray:
    """Find the pixels for which an item holds anything."""
    planes = []
    for index, factor in enumerate(factors):
        plane = values.isel(band=index, drop=True)
        there = plane == plane  # NaN is not equal to itself
        for number in factor.invalid:
            there = there & (plane != number)
        planes.append(there)
    result = planes[0]
    for plane in planes[1:]:
        result = result | plane
    return result


def lay_together(scenes: Sequence[xr.DataArray], covered: Sequence[xr.DataArray]) -> xr.DataArray:
    """Put the tiles of a pass together; where they overlap, all bands are the first one's."""
    first, there = scenes[0], covered[0].variable
    flagged = all("quality" in scene.coords for scene in scenes)
    values, flags = first.variable, first.coords["quality"].variable if flagged else None
    for scene, holds in zip(scenes[1:], covered[1:], strict=True):
        values = values.where(there, scene.variable)  # type: ignore[no-untyped-call]  # untyped
        if flags is not None:
            other = scene.coords["quality"].variable
            flags = flags.where(there, other).astype(np.uint8)
        there = there | holds.variable
    coords = {name: first.coords[name] for name in ("band", "y", "x", "spatial_ref")}
    times = [scene.coords["time"].values for scene in scenes if "time" in scene.coords]
    if times:
        coords["time"] = xr.DataArray(min(times))
    if flags is not None:
        coords["quality"] = xr.DataArray(flags, attrs=first.coords["quality"].attrs)
    mosaic = xr.DataArray(
        values.transpose("band", "y", "x"), coords=coords, name=first.name, attrs=first.attrs
    )
    mosaic.encoding = dict(first.encoding)
    return mosaic
