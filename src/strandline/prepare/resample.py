"""Put a scene, a label map or a mask on another grid."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyproj
import xarray as xr
from odc.geo.geobox import GeoBox

from strandline.errors import ConfigurationError
from strandline.prepare.classes import NOT_OBSERVED
from strandline.prepare.georeference import (
    attach_grid,
    crs_of,
    grid_of,
    no_overlap,
    pixel_offset,
    place,
    placed,
    same_grid,
    turned,
)
from strandline.prepare.oversampling import OVERSAMPLING, resampled
from strandline.prepare.warp import KERNEL_RADIUS, Warp, source_pixels, warped_data

MEASURED_UP_TO = 1.5
"""Source pixels per target pixel up to which ``measured`` takes the nearest."""


def regrid(
    scene: xr.DataArray, grid: GeoBox | xr.DataArray, resampling: str = "bilinear"
) -> xr.DataArray:
    """Put a scene, a label map or a mask on another grid.

    A scene that is on the grid already comes back as it is. Where the pixels of the two
    coincide (a crop, or a larger frame), values are copied, bit for bit. Otherwise each
    target pixel is interpolated at its place in the source, which is found to 1/8 source
    pixel or better. Pixels that were not observed take no part in an average: a target pixel
    is not observed if the source pixel below its centre is not, and else it is the mean of
    the observed neighbours with their weights rescaled to one.

    Flags of a quality band (the coordinate ``quality`` of a scene) are those of the source
    pixel below the centre, whatever the method: the one that decides whether the target pixel
    was observed.

    Where target pixels are larger than source pixels, the kernel of ``bilinear``, ``cubic``,
    ``cubic_spline`` and ``lanczos`` grows with them, so that all source pixels count and
    nothing is aliased.

    Parameters
    ----------
    scene : DataArray of shape (…, y, x)
        Reflectance, or a map of classes: an integer array without dimension ``band``, where
        255 (or its ``_FillValue``) means not observed.
    grid : GeoBox or DataArray
        The target, or a scene whose grid is the target.
    resampling : str
        For values: ``bilinear`` (default), ``nearest``, ``cubic``, ``cubic_spline``,
        ``lanczos``, ``average``, ``min``, ``max``, ``med``, ``q1``, ``q3``, ``mode``. Or
        ``measured``, for spectra that are to be classified: ``nearest``, so that each is one
        that was measured and no mixture of neighbours, unless target pixels are larger than
        1.5 source pixels and have to be averages: ``bilinear``.
        Between two classes there is nothing, so for a map of classes ``bilinear`` means
        ``nearest``, or ``mode`` (the most frequent) where target pixels are larger than two
        source pixels; only ``nearest`` and ``mode`` can be asked for besides.

    Returns
    -------
    DataArray
        Same dtype, attributes and coordinates; lazy if `scene` is. Not observed (NaN, or 255)
        outside the source.

    Raises
    ------
    MissingCRSError
        If the scene has no CRS.
    GridError
        If the scene and the grid do not overlap.
    ConfigurationError
        If the method is unknown or makes no sense for classes, or an integer scene does not
        say which value means not observed.

    Examples
    --------
    >>> from strandline.prepare.grid import make_grid
    >>> from strandline.testing.lakes import round_lake
    >>> scene = round_lake(shape=(40, 40))
    >>> coarse = make_grid(like=scene, resolution=60)
    >>> regrid(scene, coarse).shape
    (6, 20, 20)
    """
    scene, target = placed(scene), grid_of(grid)
    source = _same_turn(grid_of(scene), target)
    method = _method(scene, source, target, resampling)
    if same_grid(target, source):
        return scene
    scene = scene.transpose(..., "y", "x")
    fill = _fill_value(scene)
    offset = pixel_offset(target, source)
    if offset is not None:
        data = _copied(scene.data, source, target, offset, fill)
    else:
        data = warped_data(scene.data, Warp(source, target, method, fill))
    return _rebuilt(scene, data, target, resampling)


def _same_turn(source: GeoBox, target: GeoBox) -> GeoBox:
    """Count the longitudes of the source as its place on the target is counted: 241 as -119."""
    rows, columns = target.shape
    x, y = place(target.affine, columns / 2, rows / 2)
    if source.crs != target.crs:
        between = pyproj.Transformer.from_crs(crs_of(target), crs_of(source), always_xy=True)
        x, y = between.transform(x, y)
    return turned(source, x)


def _rebuilt(scene: xr.DataArray, data: Any, target: GeoBox, resampling: str) -> xr.DataArray:
    """Dress the new values in what the scene carried: coordinates, attributes, encoding."""
    crs_coord = scene.odc.grid_mapping
    coords: dict[Any, Any] = {}
    for name, coord in scene.coords.items():
        if name == crs_coord or name in ("y", "x", OVERSAMPLING):
            continue
        if {"y", "x"} <= set(coord.dims):
            georeferenced = coord.reset_coords(drop=True).assign_coords(
                {crs_coord: scene.coords[crs_coord]}
            )
            method = "bilinear" if is_class_map(coord) else resampling
            coords[name] = regrid(georeferenced, target, method).variable
        elif not {"y", "x"} & set(coord.dims):
            coords[name] = coord
    coords |= resampled(scene, grid_of(scene), target)
    result = xr.DataArray(data, coords=coords, dims=scene.dims, attrs=scene.attrs)
    result.name = scene.name  # set here, or a nameless array takes the name of its Dask graph
    result = attach_grid(result, target)
    kept = {"_FillValue", "dtype", "scale_factor", "add_offset"}
    result.encoding = {key: value for key, value in scene.encoding.items() if key in kept}
    return result


# --- what the values are ------------------------------------------------------


def is_class_map(array: xr.DataArray) -> bool:
    """Say whether an array holds classes (labels, a mask, flags) rather than measured values."""
    return array.dtype.kind in "iub" and "band" not in array.dims


def _are_flags(array: xr.DataArray) -> bool:
    """Say what `strandline.scenes.quality.are_flags` does, without importing it."""
    return array.dtype == np.uint8 and "flag_masks" in array.attrs


def _method(scene: xr.DataArray, source: GeoBox, target: GeoBox, resampling: str) -> str:
    if resampling == "measured":
        averaged = is_class_map(scene) or max(source_pixels(source, target)) > MEASURED_UP_TO
        resampling = "bilinear" if averaged else "nearest"
    if resampling not in KERNEL_RADIUS:
        raise ConfigurationError(
            "The resampling method is not known.",
            expected="one of " + ", ".join([*KERNEL_RADIUS, "measured"]),
            got=repr(resampling),
        )
    if not is_class_map(scene):
        return resampling
    if _are_flags(scene):
        return "nearest"  # several reasons in one number: their most frequent mix means little
    if resampling == "bilinear":
        return "mode" if max(source_pixels(source, target)) > 2 else "nearest"
    if resampling not in ("nearest", "mode"):
        raise ConfigurationError(
            "Classes cannot be averaged.",
            expected="resampling 'nearest' or 'mode' for an integer map",
            got=repr(resampling),
        )
    return resampling


def _fill_value(scene: xr.DataArray) -> float | int | bool:
    """Find the value that means not observed."""
    if scene.dtype.kind == "f":
        return math.nan
    if scene.dtype.kind == "b":
        return False
    if _are_flags(scene):
        from strandline.scenes.quality import FILL  # only now: scenes are slow to import

        return FILL
    for holder in (scene.attrs, scene.encoding):
        for key in ("_FillValue", "nodata"):
            values = {
                value for value in np.ravel(holder.get(key, [])).tolist() if value is not None
            }
            if len(values) == 1:
                return int(values.pop())
    if scene.dtype == np.uint8 and is_class_map(scene):
        return NOT_OBSERVED
    raise ConfigurationError(
        "The integer scene does not state its nodata value.",
        expected="one value in attrs['nodata'] or attrs['_FillValue']",
        got="none, or a different one per band",
        remedy="Set it, or open the scene as reflectance.",
    )


# --- copying ------------------------------------------------------------------


def _copied(data: Any, source: GeoBox, target: GeoBox, offset: tuple[int, int], fill: Any) -> Any:
    """Crop and pad, without touching a value."""
    cuts, pads = [], []
    for first, wanted, there in zip(offset, target.shape, source.shape, strict=True):
        start, stop = max(first, 0), min(first + wanted, there)
        if start >= stop:
            raise no_overlap(source, target)
        cuts.append(slice(start, stop))
        pads.append((start - first, first + wanted - stop))
    cut = data[..., cuts[0], cuts[1]]
    if not np.any(pads):
        return cut
    widths = [(0, 0)] * (data.ndim - 2) + pads
    if hasattr(data, "__dask_graph__"):
        import dask.array as da

        return da.pad(cut, widths, constant_values=fill)
    return np.pad(cut, widths, constant_values=fill)
