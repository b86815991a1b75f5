"""Items of one pass as a scene: odc-stac reads what was planned, each item in its own numbers.

Every item is read and scaled by itself and put together afterwards, so that tiles with
different bands, factors or offsets can lie in one mosaic.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from strandline.errors import (
    MissingBandError,
)
from strandline.scenes.chunking import chunk_shape
from strandline.scenes.quality import merge_flags, quality_flags
from strandline.scenes.read_options import ReadOptions
from strandline.scenes.scene import Stored, finish
from strandline.scenes.selection import override, wanted_bands
from strandline.scenes.stac.asset import Layer
from strandline.scenes.stac.item import Described, describe_item
from strandline.scenes.stac.mosaic import covered_by, lay_together
from strandline.scenes.stac.passes import check_one_pass
from strandline.scenes.stac.plan import Plan, common_grid, plan_item
from strandline.scenes.stac.service import needing_packages
from strandline.scenes.stac.source import items_of, split_name
from strandline.scenes.storage import is_url

if TYPE_CHECKING:
    import pystac

_BLOCK = (512, 512)  # how cloud-optimised files are usually cut; only sizes of chunks depend on it


def open_items(source: Any, asked: ReadOptions, *, grid: Any = None) -> xr.DataArray:
    """Open the STAC items of one pass as a scene.

    Parameters
    ----------
    source : str, Path, pystac.Item, mapping, or collection of items
        As `items_of` of `source.py` takes them.
    asked : ReadOptions
        How.
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
    items = check_one_pass(items_of(source))
    settle = asked.reflectance and asked.offset is None
    described = [describe_item(item, asked.platform, settle_offset=settle) for item in items]
    names = _wanted(described, asked)
    plans = [plan_item(one, names, asked) for one in described]
    target = common_grid(plans, names, grid)
    stored = [_read(plan, target, asked) for plan in plans]
    sources = " ".join(dict.fromkeys(plan.item.source for plan in plans))
    scenes = [finish(replace(one, source=sources), asked) for one in stored]
    if len(scenes) == 1:
        return scenes[0]
    covered = [covered_by(one.values, override(one.factors, asked)) for one in stored]
    return lay_together(scenes, covered)


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


def _wanted(described: Sequence[Described], asked: ReadOptions) -> list[str]:
    """Name the bands to read: those that all items have."""
    first = described[0]
    there = [name for name in first.bands if all(name in one.bands for one in described)]
    if asked.bands is None and asked.reflectance and first.sensor is not None:
        usual = [name for name in first.sensor.default_bands if name in there]
        if usual:
            return usual
    chosen = wanted_bands(there, asked, first.sensor, first.source)
    if not chosen:
        raise MissingBandError(
            "The items have no band in common.",
            got="; ".join(f"{one.id}: {', '.join(one.bands)}" for one in described[:3]),
        )
    return chosen


def _read(plan: Plan, target: GeoBox, asked: ReadOptions) -> Stored:
    layers = [*plan.bands.values(), *plan.quality.values()]
    planes = _planes(plan.item, layers, target, asked)
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
    asked: ReadOptions,
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
    rows, columns = chunk_shape(target.shape[0], target.shape[1], _BLOCK, asked.chunks)
    bands = [f"layer{number}.{layer.index}" for number, layer in enumerate(layers)]
    loaded = odc.stac.load(
        [_stand_in(item, layers)],
        bands=bands,
        geobox=target,
        chunks={"y": rows, "x": columns},
        groupby="id",
        driver=StacDriver(promises, asked.storage_options or {}),
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


def _flags(plan: Plan, quality: Mapping[str, xr.DataArray]) -> xr.DataArray | None:
    """Make flags of whatever quality bands the item has."""
    sensor = plan.item.sensor
    instrument = sensor.instrument if sensor else None
    numbers = [number for name in plan.bands if sensor and (number := sensor.number(name))]
    flags = [
        quality_flags(qa, kind, instrument=instrument, numbers=numbers)
        for kind, qa in quality.items()
    ]
    return merge_flags(*flags) if flags else None
