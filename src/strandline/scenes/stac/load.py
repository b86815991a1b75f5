"""Items of one pass as a scene: odc-stac plans what to read, each item in its own numbers.

Every item is read and scaled by itself and put together afterwards, so that tiles with
different bands, factors or offsets can lie in one mosaic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from strandline.errors import (
    ConfigurationError,
    GridMismatchError,
    MissingBandError,
    MissingCRSError,
)
from strandline.scenes.cache import Cache, local_copy
from strandline.scenes.chunking import Chunks, chunk_shape
from strandline.scenes.header import read_header
from strandline.scenes.quality import (
    DEFAULT_REASONS,
    check_reasons,
    merge_flags,
    quality_flags,
)
from strandline.scenes.scene import Stored, finish
from strandline.scenes.selection import choose_bands, default_bands, override
from strandline.scenes.stac.access import best_address, signed
from strandline.scenes.stac.item import Described, Layer, describe_item
from strandline.scenes.stac.passes import check_one_pass
from strandline.scenes.stac.sampling import lattice_offset
from strandline.scenes.stac.service import needing_packages
from strandline.scenes.stac.source import items_of, split_name
from strandline.scenes.storage import is_url

if TYPE_CHECKING:
    import pystac

_KINDS = ("qa_pixel", "scl", "qa60")  # quality bands that say what hid the ground
_BLOCK = (512, 512)  # how cloud-optimised files are usually cut; only sizes of chunks depend on it


@dataclass(frozen=True)
class _Plan:
    """One item, and which of its layers are read with what."""

    item: Described
    bands: dict[str, Layer]
    quality: dict[str, Layer]


def open_items(
    source: Any,
    *,
    bands: Iterable[str] | None = None,
    reflectance: bool = True,
    scale: float | None = None,
    offset: float | None = None,
    nodata: float | None = None,
    platform: str | None = None,
    time: Any = None,
    crs: Any = None,
    mask: Iterable[str] = DEFAULT_REASONS,
    conflicts: str | None = None,
    chunks: Chunks = None,
    storage_options: Mapping[str, Any] | None = None,
    cache: Cache = None,
    grid: Any = None,
) -> xr.DataArray:
    """Open the STAC items of one pass as a scene.

    Parameters
    ----------
    source : str, Path, pystac.Item, mapping, or collection of items
        As `items_of` of `source.py` takes them.
    bands, reflectance, scale, offset, nodata, platform, time, crs, mask, conflicts, chunks,
    storage_options, cache
        As for `strandline.open_scene`.
    grid : GeoBox, optional
        Where to read: each pixel gets the number stored below its centre. By default the grid
        of the files, pixel for pixel.

    Returns
    -------
    xarray.DataArray
        A scene.

    Raises
    ------
    SourceNotFoundError, UnreadableSourceError, UnknownProductError, MetadataError
        If items are missing, damaged, or say nothing usable; unreadable files raise when they
        are computed, and are named.
    ConfigurationError
        If the items are of several passes.
    MissingBandError
        If a band is not there.
    GridMismatchError
        If tiles do not share one grid, and none was given.
    """
    reasons = check_reasons(mask)
    items = check_one_pass(items_of(source))
    settle = reflectance and offset is None
    described = [describe_item(item, platform, settle_offset=settle) for item in items]
    names = _wanted(described, bands, reflectance)
    plans = [_plan(one, names, reasons, storage_options, cache) for one in described]
    target = _target(plans, names, grid)
    stored = [_read(plan, target, chunks, storage_options) for plan in plans]
    sources = " ".join(dict.fromkeys(plan.item.source for plan in plans))
    parts = []
    for one in stored:
        one = replace(
            one,
            factors=override(one.factors, scale, offset, nodata),
            source=sources,
            time=one.time if time is None else time,
        )
        scene = finish(one, reflectance=reflectance, crs=crs, mask=reasons, conflicts=conflicts)
        parts.append((scene, _covered(one) if len(stored) > 1 else None))
    return _mosaic(parts)


def item_files(source: str) -> list[str]:
    """List the files of what :func:`open_items` may read: bands and quality bands, unsigned.

    Parameters
    ----------
    source : str
        As for :func:`open_items`. A local JSON file is listed too.

    Returns
    -------
    list of str
    """
    path, _ = split_name(source)
    found = [] if is_url(path) else [path]
    for item in check_one_pass(items_of(source)):
        described = describe_item(item, settle_offset=False)
        layers = [*described.bands.values(), *described.quality.values()]
        found += sorted({layer.href for layer in layers})
    return found


def _wanted(
    described: Sequence[Described], bands: Iterable[str] | None, reflectance: bool
) -> list[str]:
    """Name the bands to read: those that all items have."""
    first = described[0]
    there = [name for name in first.bands if all(name in one.bands for one in described)]
    if bands is not None:
        return choose_bands(there, bands, first.sensor, first.source)
    if first.sensor is not None and reflectance:
        usual = [name for name in first.sensor.default_bands if name in there]
        if usual:
            return usual
    chosen = default_bands(there, reflectance=reflectance)
    if not chosen:
        raise MissingBandError(
            "The items have no band in common.",
            got="; ".join(f"{one.id}: {', '.join(one.bands)}" for one in described[:3]),
        )
    return chosen


def _plan(
    item: Described,
    names: Sequence[str],
    reasons: Sequence[str],
    storage_options: Mapping[str, Any] | None,
    cache: Cache,
) -> _Plan:
    kinds = [kind for kind in _KINDS if kind in item.quality][:1]
    beyond = set(reasons) - {"fill", "saturated"}
    if beyond and tuple(reasons) != DEFAULT_REASONS and not kinds:
        raise MissingBandError(
            f"{item.source!r} has no quality band to find {', '.join(sorted(beyond))} in.",
            expected=f"an asset {' or '.join(_KINDS)}",
            got=", ".join(item.quality) or "none",
            remedy="Leave mask out.",
        )
    kinds += ["qa_radsat"] if "qa_radsat" in item.quality else []
    sign = signed if item.planetary_computer else str
    complete = partial(_complete, storage_options=storage_options, cache=cache, sign=sign)
    bands = {name: complete(item.bands[name]) for name in names}
    quality = {kind: complete(item.quality[kind]) for kind in kinds}
    return _Plan(item, bands, quality)


def _complete(
    layer: Layer,
    *,
    storage_options: Mapping[str, Any] | None,
    cache: Cache,
    sign: Callable[[str], str],
) -> Layer:
    """Ask the file itself for what the item does not say, and settle what stands for no value."""
    href = best_address(layer.href, layer.alternates, storage_options)
    if cache:
        href = local_copy(sign(href), storage_options=storage_options, cache=cache)
    layer = replace(layer, href=href)
    fill = layer.nodata
    if fill is None and layer.factors.invalid:
        fill = layer.factors.invalid[0]
    dtype, grid = layer.dtype, layer.grid
    if grid is None or dtype is None:
        header = read_header(href, storage_options=storage_options, address=sign(href))
        grid, dtype = header.geobox, header.dtype
        if fill is None and header.nodata[layer.index - 1] is not None:
            fill = header.nodata[layer.index - 1]
        if grid.crs is None:
            raise MissingCRSError(
                f"{href!r} has no CRS, and its STAC item gives none.",
                remedy="Georeference the file.",
            )
    kind = np.dtype(dtype)
    if fill is None:
        # What the file cannot hold stands for what lies outside of it.
        kind, fill = _beyond(kind)
    elif kind.kind in "iu" and not math.isnan(fill):
        kind = np.result_type(kind, np.min_scalar_type(int(fill)))
    elif math.isnan(fill) and kind.kind in "iu":
        kind, fill = _beyond(kind)
    invalid = layer.factors.invalid
    if not math.isnan(fill):
        invalid = tuple(sorted({*invalid, float(fill)}))
    return replace(
        layer,
        grid=grid,
        dtype=kind.name,
        nodata=float(fill),
        factors=replace(layer.factors, invalid=invalid),
    )


def _beyond(kind: np.dtype[Any]) -> tuple[np.dtype[Any], float]:
    """Find a type with a number that the given type has not."""
    if kind.kind == "f":
        return kind, math.nan
    wider = np.result_type(kind, np.int8 if kind.kind == "u" else f"i{min(kind.itemsize * 2, 8)}")
    if wider.kind == "f":  # 64 bits, unsigned: no image needs them
        return wider, math.nan
    return wider, float(np.iinfo(wider).min)


def _target(plans: Sequence[_Plan], names: Sequence[str], grid: Any) -> GeoBox:
    """Give the grid to read on: the caller's, or the finest of the files, over all tiles."""
    if grid is not None:
        if not isinstance(grid, GeoBox):
            grid = getattr(getattr(grid, "odc", None), "geobox", None)
        if not isinstance(grid, GeoBox) or grid.crs is None:
            raise ConfigurationError(
                "The grid cannot be used.",
                expected="a GeoBox with a CRS, as make_grid(…) gives, or a scene that has one",
                got="something else",
            )
        return grid
    finest = []
    for plan in plans:
        grids = [plan.bands[name].grid for name in names]
        finest.append(min((g for g in grids if g is not None), key=lambda g: abs(g.resolution.x)))
    first = finest[0]
    if all(other == first for other in finest):
        return first
    return _union(finest)


def _union(grids: Sequence[GeoBox]) -> GeoBox:
    first = grids[0]
    spans = []
    for grid in grids:
        offset = lattice_offset(first, grid)
        if offset is None:
            raise GridMismatchError(
                "The tiles of the pass do not share one grid.",
                expected=f"the pixels of {first.crs}, {first.resolution}",
                got=f"{grid.crs}, {grid.resolution}",
                remedy="Pass grid=make_grid(…), on which they are put together.",
            )
        row, column = offset
        spans.append((row, column, row + grid.shape[0], column + grid.shape[1]))
    top, left = min(span[0] for span in spans), min(span[1] for span in spans)
    bottom, right = max(span[2] for span in spans), max(span[3] for span in spans)
    return GeoBox(
        (bottom - top, right - left), first.transform * Affine.translation(left, top), first.crs
    )


def _read(
    plan: _Plan,
    target: GeoBox,
    chunks: Chunks,
    storage_options: Mapping[str, Any] | None,
) -> Stored:
    layers = [*plan.bands.values(), *plan.quality.values()]
    planes = _planes(plan.item, layers, target, chunks, storage_options)
    names = list(plan.bands)
    coords = xr_coords(target, dims=("y", "x"))
    values = xr.DataArray(
        _stacked(planes[: len(names)]),
        dims=("band", "y", "x"),
        coords={"band": names, **coords},
        attrs={"georeferenced": True},
    )
    quality = {
        kind: xr.DataArray(plane, dims=("y", "x"), coords={"y": values["y"], "x": values["x"]})
        for kind, plane in zip(plan.quality, planes[len(names) :], strict=True)
    }
    sensor = plan.item.sensor
    extra = {"platform": plan.item.platform} if sensor is None and plan.item.platform else {}
    return Stored(
        values=values,
        factors=tuple(layer.factors for layer in plan.bands.values()),
        source=plan.item.source,
        sensor=sensor,
        level=plan.item.level,
        time=plan.item.time,
        quality=_flags(plan, quality),
        extra=extra,
    )


def _stacked(planes: Sequence[Any]) -> Any:
    import dask.array as da

    return da.stack(planes)  # type: ignore[no-untyped-call]  # untyped library


def _planes(
    item: Described,
    layers: Sequence[Layer],
    target: GeoBox,
    chunks: Chunks,
    storage_options: Mapping[str, Any] | None,
) -> list[Any]:
    """Let odc-stac plan the reading of layers onto a grid; one lazy plane for each."""
    with needing_packages():
        import odc.stac

        from strandline.scenes.stac.driver import Promise, StacDriver
    promises = {
        layer.href: Promise(
            layer.grid,
            str(layer.dtype),
            math.nan if layer.nodata is None else layer.nodata,
            item.planetary_computer,
        )
        for layer in layers
    }
    rows, columns = chunk_shape(target.shape[0], target.shape[1], _BLOCK, chunks)
    bands = [f"layer{number}.{layer.index}" for number, layer in enumerate(layers)]
    loaded = odc.stac.load(
        [_stand_in(item, layers)],
        bands=bands,
        geobox=target,
        chunks={"y": rows, "x": columns},
        groupby="id",
        driver=StacDriver(promises, storage_options or {}),
        fail_on_error=True,
    )
    return [loaded[name].data[0] for name in bands]


def _stand_in(item: Described, layers: Sequence[Layer]) -> pystac.Item:
    """Make an item of what was understood: odc-stac would understand some fields otherwise."""
    import datetime

    import pystac
    from pystac.extensions.projection import ProjectionExtension

    when = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
    stand_in = pystac.Item(item.id, None, None, when, {})
    stand_in.stac_extensions.append(ProjectionExtension.get_schema_uri())
    for number, layer in enumerate(layers):
        grid = layer.grid
        if grid is None or grid.crs is None:
            continue
        fields: dict[str, Any] = {
            "proj:shape": list(grid.shape),
            "proj:transform": list(grid.transform[:6]),
            "raster:bands": [{"data_type": layer.dtype, "nodata": layer.nodata}] * layer.index,
        }
        if grid.crs.epsg is not None:
            fields |= {"proj:epsg": grid.crs.epsg, "proj:code": f"EPSG:{grid.crs.epsg}"}
        else:
            fields["proj:wkt2"] = grid.crs.to_wkt()
        asset = pystac.Asset(layer.href, media_type="image/tiff", roles=["data"])
        asset.extra_fields = fields
        stand_in.add_asset(f"layer{number}", asset)
    return stand_in


def _flags(plan: _Plan, quality: Mapping[str, xr.DataArray]) -> xr.DataArray | None:
    """Make flags of whatever quality bands the item has."""
    sensor = plan.item.sensor
    instrument = sensor.instrument if sensor else None
    numbers = [number for name in plan.bands if sensor and (number := sensor.number(name))]
    flags = [
        quality_flags(qa, kind, instrument=instrument, numbers=numbers)
        for kind, qa in quality.items()
    ]
    return merge_flags(*flags) if flags else None


def _covered(stored: Stored) -> xr.DataArray:
    """Find the pixels for which an item holds anything."""
    planes = []
    for index, factor in enumerate(stored.factors):
        plane = stored.values.isel(band=index, drop=True)
        there = plane == plane  # NaN is not equal to itself
        for number in factor.invalid:
            there = there & (plane != number)
        planes.append(there)
    result = planes[0]
    for plane in planes[1:]:
        result = result | plane
    return result


def _mosaic(parts: Sequence[tuple[xr.DataArray, Any]]) -> xr.DataArray:
    """Put the tiles of a pass together; where they overlap, all bands are the first one's."""
    first, covered = parts[0]
    if len(parts) == 1:
        return first
    flagged = all("quality" in scene.coords for scene, _ in parts)
    values, flags = first.variable, first.coords["quality"].variable if flagged else None
    there = covered.variable
    for scene, holds in parts[1:]:
        values = values.where(there, scene.variable)  # type: ignore[no-untyped-call]  # untyped
        if flags is not None:
            other = scene.coords["quality"].variable
            flags = flags.where(there, other).astype(np.uint8)
        there = there | holds.variable
    coords = {name: first.coords[name] for name in ("band", "y", "x", "spatial_ref")}
    times = [scene.coords["time"].values for scene, _ in parts if "time" in scene.coords]
    if times:
        coords["time"] = xr.DataArray(min(times))
    if flags is not None:
        coords["quality"] = xr.DataArray(flags, attrs=first.coords["quality"].attrs)
    mosaic = xr.DataArray(
        values.transpose("band", "y", "x"), coords=coords, name=first.name, attrs=first.attrs
    )
    mosaic.encoding = dict(first.encoding)
    return mosaic
