"""Maps and scenes as Cloud Optimized GeoTIFFs that any GIS shows as they are meant.

Maps of classes carry their colour table in the file and the class names in the
``.tif.aux.xml`` beside it (a TIFF has no place of its own for names; GDAL and
QGIS read them from there). A TIFF can hold a colour table for one band only, so
write several dates as a file each if the colours matter. All carry nodata,
overviews, band descriptions, units, the CF flags as tags, and the time as
TIFFTAG_DATETIME.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import xarray as xr

from strandline.atomic import output_error, replacing
from strandline.errors import MissingCRSError, OutputError
from strandline.paths import local_path
from strandline.prepare.classes import NOT_OBSERVED, stored_classes
from strandline.show.display import north_up
from strandline.show.palettes import Palette, flag_names, palette_for

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

BLOCK = 512
"""Tile size of the files, in pixels."""

WHOLE_BYTES = 1 << 30
"""Lazy data up to this size is computed at once, larger data in stripes of its chunks."""

_SCENE_TAGS = ("platform", "instrument", "processing_level", "source", "long_name", "title")


def write_cog(
    data: xr.DataArray,
    path: str | os.PathLike[str],
    *,
    palette: Palette | None = None,
    tags: Mapping[str, str] | None = None,
) -> Path:
    """Write a scene, label map, water mask or change map as a COG.

    Deflate, 512 x 512 tiles, overviews by `mode` for classes (an average would
    invent some) and by `average` for measured values. The same data give the
    same bytes, however they are chunked.

    Parameters
    ----------
    data : DataArray
        Dims (y, x), (band, y, x) or (time, y, x) with a CRS; uint8 classes with
        nodata 255, or floating-point values (stored as float32) with nodata
        NaN. Dask arrays are computed here; beyond 1 GiB stripe by stripe. Written north-up,
        whichever way its rows run.
    path : path-like
        The file, ``.tif``.
    palette : Palette, optional
        Classes and colours; by default those of `palette_for`.
    tags : mapping of str to str, optional
        More metadata for the file.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    MissingCRSError
        If the data have no CRS.
    OutputError
        If the dims or the dtype cannot be written, or the disk does not take the file.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import rasterio
    >>> from odc.geo.geobox import GeoBox
    >>> from odc.geo.xr import wrap_xr
    >>> grid = GeoBox.from_bbox((300000, 4270000, 300300, 4270300), "EPSG:32611", shape=(10, 10))
    >>> mask = wrap_xr(np.ones((10, 10), np.uint8), grid, nodata=255)
    >>> mask.attrs |= {"flag_values": [0, 1], "flag_meanings": "not_water water"}
    >>> with TemporaryDirectory() as folder:
    ...     with rasterio.open(write_cog(mask, Path(folder) / "water.tif")) as source:
    ...         source.nodata, source.colormap(1)[1]
    (255.0, (31, 95, 168, 255))
    """
    target = local_path(path)
    data = stored_classes(data)
    if _grid(data).axis_aligned:
        data = north_up(data)
    grid = _grid(data)
    layers, descriptions = _layers(data)
    categorical = layers.dtype == np.uint8
    if categorical and palette is None:
        palette = palette_for(data)
    if not categorical:
        palette = None
    if layers.nbytes <= WHOLE_BYTES:
        layers = layers.compute()  # what goes wrong here is no matter of the disk
    with replacing(target) as partial:
        draft = partial.with_name("draft.tif")
        with _gdal_errors(target):
            _write_draft(layers, draft, grid, palette, descriptions, _file_tags(data, tags))
            _copy_to_cog(draft, partial, "MODE" if categorical else "AVERAGE")
            _check_readable(partial)
        draft.unlink()
        if palette is not None:
            _write_sidecar(partial, palette, len(descriptions))
    return target


def _grid(data: xr.DataArray) -> GeoBox:
    import odc.geo.xr  # noqa: F401  registers the .odc accessor

    grid: GeoBox | None = data.odc.geobox
    if grid is None or grid.crs is None:
        raise MissingCRSError(
            "Cannot write a map that has no CRS.",
            remedy="Georeference it, for example with data.odc.assign_crs('EPSG:…').",
        )
    return grid


def _layers(data: xr.DataArray) -> tuple[xr.DataArray, tuple[str, ...]]:
    """Bring data to (layer, y, x), uint8 or float32, and name the layers."""
    y, x = data.odc.spatial_dims
    outer = [d for d in data.dims if d not in (y, x)]
    if len(outer) > 1:
        raise OutputError(
            f"Cannot write '{data.name or 'data'}' as one raster.",
            expected="dims (y, x), (band, y, x) or (time, y, x)",
            got=str(tuple(data.dims)),
            remedy="Write one date at a time: data.isel(time=0).",
        )
    if data.dtype != np.uint8 and not np.issubdtype(data.dtype, np.floating):
        raise OutputError(
            f"Cannot write values of type {data.dtype}.",
            expected="uint8 classes or floating-point values",
            remedy="Convert them first, for example with data.astype('float32').",
        )
    if outer:
        names = data[outer[0]].values if outer[0] in data.coords else np.arange(data[outer[0]].size)
        descriptions = tuple(_layer_name(name) for name in names)
        layers = data.transpose(outer[0], y, x)
    else:
        descriptions = (str(data.name or data.attrs.get("long_name") or "classes"),)
        layers = data.transpose(y, x).expand_dims("layer")
    return (layers if data.dtype == np.uint8 else layers.astype(np.float32)), descriptions


def _layer_name(name: Any) -> str:
    return str(pd.Timestamp(name).date()) if isinstance(name, np.datetime64) else str(name)


def _file_tags(data: xr.DataArray, more: Mapping[str, str] | None) -> dict[str, str]:
    tags = {key: str(data.attrs[key]) for key in _SCENE_TAGS if data.attrs.get(key)}
    if "time" in data.coords and data["time"].ndim == 0:
        time = pd.Timestamp(str(data["time"].values))
        if not pd.isna(time):
            tags["TIFFTAG_DATETIME"] = time.strftime("%Y:%m:%d %H:%M:%S")
    return {**tags, **(more or {})}


def _write_draft(
    layers: xr.DataArray,
    draft: Path,
    grid: GeoBox,
    palette: Palette | None,
    descriptions: tuple[str, ...],
    tags: Mapping[str, str],
) -> None:
    """Write an uncompressed GeoTIFF that the COG driver can read back in any order."""
    import rasterio

    band_tags = _band_tags(layers, palette)
    with rasterio.open(
        draft,
        "w",
        driver="GTiff",
        height=layers.shape[1],
        width=layers.shape[2],
        count=layers.shape[0],
        dtype=str(layers.dtype),
        nodata=NOT_OBSERVED if palette is not None else np.nan,
        crs=grid.crs.to_wkt() if grid.crs is not None else None,
        transform=grid.affine,
        tiled=True,
        blockxsize=BLOCK,
        blockysize=BLOCK,
        interleave="band",
        BIGTIFF="IF_SAFER",
        photometric="palette" if palette is not None and len(descriptions) == 1 else "minisblack",
        ALPHA="NO",
    ) as sink:
        sink.update_tags(**tags)
        for band, description in enumerate(descriptions, start=1):
            sink.set_band_description(band, description)
            sink.set_band_unit(band, str(layers.attrs.get("units", "1")))
            sink.update_tags(band, **band_tags)
        if palette is not None and len(descriptions) == 1:
            sink.write_colormap(1, palette.colour_table())
        for row, stripe in _stripes(layers):
            window = rasterio.windows.Window(0, row, stripe.shape[2], stripe.shape[1])
            sink.write(stripe, window=window)


def _band_tags(layers: xr.DataArray, palette: Palette | None) -> dict[str, str]:
    if palette is None:
        keys = ("units", "long_name", "standard_name")
        return {k: str(layers.attrs[k]) for k in keys if k in layers.attrs}
    stored = flag_names(layers) or {c.value: c.name.replace(" ", "_") for c in palette.categories}
    flags = {**stored, NOT_OBSERVED: "not_observed"}
    tags = {
        "flag_values": " ".join(str(value) for value in flags),
        "flag_meanings": " ".join(flags.values()),
        "units": str(layers.attrs.get("units", "1")),
    }
    if "long_name" in layers.attrs:
        tags["long_name"] = str(layers.attrs["long_name"])
    return tags


def _stripes(layers: xr.DataArray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (first row, values) from top to bottom."""
    if layers.chunks is None:
        yield 0, np.asarray(layers.values)
        return
    row = 0
    for height in layers.chunks[1]:
        yield row, np.asarray(layers[:, row : row + height].values)
        row += height


@contextlib.contextmanager
def _gdal_errors(target: Path) -> Iterator[None]:
    from rasterio._err import CPLE_BaseError  # GDAL's own; rasterio.shutil lets them through
    from rasterio.errors import RasterioError

    try:
        yield
    except (CPLE_BaseError, RasterioError) as reason:
        raise output_error(target, reason) from reason


def _copy_to_cog(draft: Path, cog: Path, resampling: str) -> None:
    import rasterio
    from rasterio.shutil import copy

    # GDAL writes scratch files beside the target; there they vanish with the hidden folder.
    options = {"GDAL_NUM_THREADS": "2", "GDAL_PAM_ENABLED": "NO", "CPL_TMPDIR": str(cog.parent)}
    with rasterio.Env(**options):  # type: ignore[no-untyped-call]  # rasterio is untyped here
        copy(
            draft,
            cog,
            driver="COG",
            COMPRESS="DEFLATE",
            PREDICTOR="YES",
            BLOCKSIZE=BLOCK,
            OVERVIEWS="IGNORE_EXISTING",
            OVERVIEW_RESAMPLING=resampling,
            BIGTIFF="IF_SAFER",
            STATISTICS="NO",
        )


def _check_readable(cog: Path) -> None:
    """Read the file back: GDAL may meet a full disk only while closing, and not say so."""
    import rasterio

    with rasterio.open(cog) as source:
        for _, window in source.block_windows(1):
            source.read(window=window)


def _write_colours(node: ElementTree.Element, palette: Palette) -> None:
    ElementTree.SubElement(node, "ColorInterp").text = "Palette"
    table, colours = ElementTree.SubElement(node, "ColorTable"), palette.colour_table()
    for value in range(256):
        channels = colours.get(value, (0, 0, 0, 255))
        ElementTree.SubElement(
            table, "Entry", {f"c{i}": str(channel) for i, channel in enumerate(channels, start=1)}
        )


def _write_sidecar(cog: Path, palette: Palette, bands: int) -> None:
    """Write class names, and colours with their transparency, where GDAL looks for them.

    The colour map of a TIFF has no transparency; GDAL prefers the table of this file.
    """
    root = ElementTree.Element("PAMDataset")
    names = {c.value: c.name for c in palette.categories} | {NOT_OBSERVED: "not observed"}
    for band in range(1, bands + 1):
        node = ElementTree.SubElement(root, "PAMRasterBand", band=str(band))
        if bands == 1:
            _write_colours(node, palette)
        categories = ElementTree.SubElement(node, "CategoryNames")
        for value in range(256):
            ElementTree.SubElement(categories, "Category").text = names.get(value, "")
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    sidecar = cog.with_name(cog.name + ".aux.xml")
    sidecar.write_text(text + "\n", encoding="utf-8", newline="\n")
