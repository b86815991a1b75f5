"""A Sentinel-2 product as a scene."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from affine import Affine
from numpy.typing import NDArray

from strandline.errors import (
    ConfigurationError,
    GridMismatchError,
    MetadataError,
    MissingBandError,
    MissingCRSError,
)
from strandline.scenes.header import RasterHeader, read_header, short_crs
from strandline.scenes.quality import (
    flag_attributes,
    merge_flags,
    quality_flags,
    reason_bits,
)
from strandline.scenes.raster import lazy_bands
from strandline.scenes.read_options import ReadOptions
from strandline.scenes.reflectance import Factors
from strandline.scenes.scene import SIMULATED, Stored, finish
from strandline.scenes.selection import choose_bands, with_others
from strandline.scenes.sensors import find_sensor
from strandline.scenes.sentinel.clouds import draw_clouds, parse_clouds
from strandline.scenes.sentinel.product import (
    SafeProduct,
    choose_images,
    describe_safe,
    grid_image,
    invalid_numbers,
    safe_factors,
    tile_transform,
)


def open_safe(
    source: str | Path, asked: ReadOptions, *, resolution: float | None = None
) -> xr.DataArray:
    """Open a Sentinel-2 product of Level 1C or 2A.

    Parameters
    ----------
    source : str or Path
        SAFE folder, zip archive, a tile's folder below GRANULE, the product's XML file, or the URL
        of a SAFE folder, and of an archive with `cache`.
    asked : ReadOptions
        How; by default the bands that every Landsat has too: blue, green, red, nir08, swir16,
        swir22. Its platform has to be the product's own, if it is given. Masked is by the scene
        classification (Level 2A) or the cloud mask (Level 1C).
    resolution : float, optional
        Pixel size in metres: 10, 20 or 60. By default the finest of the bands. Coarser bands have
        each of their pixels repeated; Level 2A has images of its own at 20 and 60 m.

    Returns
    -------
    xarray.DataArray
        A scene.

    Raises
    ------
    SourceNotFoundError, UnreadableSourceError, UnknownProductError, MetadataError
        If it is missing, damaged, no product, or contradicts itself.
    MissingBandError
        If a band, or the quality band for an explicit `mask`, is not there.
    GridMismatchError
        If a band has no image of this resolution.
    """
    options = asked.storage_options
    product = describe_safe(source, options, asked.cache)
    _check_platform(product, asked.platform)
    names = _wanted(product, asked)
    paths, size = choose_images(product, names, resolution)
    onto, headers = _headers(product, paths, size, options)
    values = lazy_bands(
        headers,
        band_names=names,
        chunks=asked.chunks,
        storage_options=options,
        nested=True,
        onto=onto,
    )
    if asked.reflectance and (asked.scale is None or asked.offset is None):
        factors = safe_factors(product, names, mask=asked.mask)
    else:
        factors = [Factors(invalid=invalid_numbers(product, asked.mask)) for _ in names]
    # A rim that a cut image leaves has a number of its own.
    factors = [
        replace(factor, invalid=tuple(sorted({*factor.invalid, float(own)})))
        if own is not None
        else factor
        for factor, own in zip(factors, values.attrs["nodata"], strict=True)
    ]
    stored = Stored(
        values=values,
        factors=tuple(factors),
        source=str(source),
        sensor=product.sensor,
        level=product.metadata.level,
        time=product.tile.time if product.tile and product.tile.time else product.metadata.time,
        quality=_flags(product, values, onto, asked),
        extra=_extra(product, names),
    )
    return finish(stored, asked)


def _check_platform(product: SafeProduct, platform: str | None) -> None:
    own = product.sensor.platform
    if platform is not None and find_sensor(platform).platform not in (own, own.rstrip("abc")):
        raise ConfigurationError(
            f"{product.files.source!r} is of another platform.",
            expected=own,
            got=repr(platform),
            remedy="Leave platform out: the product says it.",
        )


def _wanted(product: SafeProduct, asked: ReadOptions) -> list[str]:
    source, there = product.files.source, list(product.images)
    if asked.bands is not None:
        chosen = choose_bands(there, asked.bands, product.sensor, source)
        return with_others(chosen, there, asked)
    names = [name for name in product.sensor.default_bands if name in there]
    if "nir08" not in names and "nir" in there and names:
        # A folder of the 10 m bands alone: the broad near infrared is the one there is.
        names.insert(sum(name in ("blue", "green", "red") for name in names), "nir")
    if not names:
        raise MissingBandError(
            f"{source!r} has none of the bands that are opened when nobody says which.",
            expected=f"images of {', '.join(product.sensor.default_bands)}",
            got=", ".join(there) or "no images",
            remedy="Say which with bands=…." if there else "The product may be incomplete.",
        )
    return names


def _extra(product: SafeProduct, names: list[str]) -> dict[str, Any]:
    extra: dict[str, Any] = {"processing_baseline": product.metadata.baseline}
    if product.metadata.simulated:
        extra |= SIMULATED
    if "nir" in names and "nir08" not in names:
        extra["stands_in"] = "B08 as nir08"
    return extra


def _headers(
    product: SafeProduct, paths: list[str], size: int, options: Mapping[str, Any] | None
) -> tuple[RasterHeader, list[RasterHeader]]:
    """Headers of the grid's image and of all bands, checked against the tile's metadata."""
    place = grid_image(product, size) if size not in _sizes(product, paths) else None
    headers = [_header(product, path, options) for path in paths]
    if place is not None:
        return _header(product, place, options), headers
    return next(h for h in headers if abs(h.transform.a) == size), headers


def _sizes(product: SafeProduct, paths: list[str]) -> set[int]:
    return {
        size for sizes in product.images.values() for size, path in sizes.items() if path in paths
    }


def _header(product: SafeProduct, path: str, options: Mapping[str, Any] | None) -> RasterHeader:
    header = read_header(product.files.raster(path), storage_options=options)
    size = next(
        size
        for sizes in (*product.images.values(), product.classes)
        for size, name in sizes.items()
        if name == path
    )
    if header.count != 1 or not header.georeferenced or header.crs is None:
        raise MissingCRSError(
            f"The image {header.url!r} does not say where it lies."
            if header.count == 1
            else f"The image {header.url!r} is not a single band.",
            expected="one band with a georeference of its own, as every product has it",
            got=f"{header.count} bands" if header.count != 1 else "none",
            remedy="It may be damaged: fetch the product again.",
        )
    _check_grid(product, header, size)
    return header


def _check_grid(product: SafeProduct, header: RasterHeader, size: int) -> None:
    """Refuse an image that does not lie where the product says."""
    if abs(header.transform.a) != size or abs(header.transform.e) != size:
        raise MetadataError(
            f"The image {header.url!r} contradicts its name.",
            expected=f"pixels of {size} m",
            got=f"{abs(header.transform.a):g} × {abs(header.transform.e):g}",
        )
    tile = product.tile
    if tile is None or size not in tile.corners:
        return
    expected: Affine = tile_transform(tile, size)
    near = all(abs(a - b) < 1e-3 * size for a, b in zip(expected, header.transform, strict=True))
    crs = str(short_crs(header.crs or ""))
    if not near or crs != tile.crs or (header.height, header.width) != tile.sizes[size]:
        rows, columns = tile.sizes[size]
        raise MetadataError(
            f"The image {header.url!r} does not lie where {tile.source!r} says.",
            expected=f"{rows} × {columns} pixels from ({expected.c:.10g}, {expected.f:.10g}), "
            f"{tile.crs}",
            got=f"{header.height} × {header.width} from "
            f"({header.transform.c:.10g}, {header.transform.f:.10g}), {crs}",
            remedy="It may be of another product, or cut out: open cut files as a list, with "
            "platform=… and scale=….",
        )


def _flags(
    product: SafeProduct, values: xr.DataArray, onto: RasterHeader, asked: ReadOptions
) -> xr.DataArray | None:
    """Make flags of the scene classification or the cloud mask, on the scene's grid."""
    found = _quality_file(product, round(abs(onto.transform.a)))
    if found is None:
        asked.do_without_quality(
            product.files.source,
            expected="a scene classification (SCL) or a cloud mask (MSK_CLASSI, MSK_CLOUDS)",
            got="none",
            remedy="Leave mask out, or fetch the file.",
        )
        return None
    kind, name = found
    try:
        flags = _flags_of_file(product, kind, name, values, onto, asked.storage_options)
    except (MetadataError, GridMismatchError):
        if asked.hidden_by:
            raise
        return None  # nobody asked for it
    # The scene classification knows both; cloud masks leave them to the numbers.
    return flags if kind == "scl" else merge_flags(flags, _flags_of_numbers(product, values))


def _quality_file(product: SafeProduct, size: int) -> tuple[str, str] | None:
    """Kind and path of what says what hid the ground, for pixels of a size as far as there is."""
    if product.classes:
        return "scl", product.classes.get(size) or product.classes[min(product.classes)]
    if product.clouds is None:
        return None
    polygons = product.clouds.lower().endswith(".gml")
    return "qa60" if polygons else "msk_classi", product.clouds


def _flags_of_numbers(product: SafeProduct, values: xr.DataArray) -> xr.DataArray:
    """Find fill (no band has a value) and saturation (in any band) in the stored numbers."""
    fill = (values == product.metadata.nodata).all("band")
    saturated = (values == product.metadata.saturated).any("band")
    bits = fill * reason_bits(["fill"]) + saturated * reason_bits(["saturated"])
    flags: xr.DataArray = bits.astype("uint8")
    flags.attrs = flag_attributes(("fill", "saturated"))
    return flags


def _flags_of_file(
    product: SafeProduct,
    kind: str,
    name: str,
    values: xr.DataArray,
    onto: RasterHeader,
    options: Mapping[str, Any] | None,
) -> xr.DataArray:
    """Make flags of the product's quality band, on the scene's grid."""
    if kind == "qa60":
        crs = product.tile.crs if product.tile else None
        clouds = parse_clouds(product.files.text(name), name, crs)
        drawn: xr.DataArray = quality_flags(draw_clouds(clouds, onto.transform, values), kind)
        return drawn
    header = read_header(product.files.raster(name), storage_options=options)
    if kind == "msk_classi" and header.count != 3:
        raise MetadataError(
            f"The cloud mask {header.url!r} cannot be understood.",
            expected="three layers: opaque clouds, cirrus, snow",
            got=str(header.count),
            remedy="Pass mask=() to open the bands without it.",
        )
    ratio = _times_finer(header, onto)
    rows, columns = (sizes[0] * ratio for sizes in values.data.chunks[1:])
    layers = lazy_bands(
        [header],
        chunks={"y": rows, "x": columns},
        storage_options=options,
        nested=True,
        onto=header if ratio > 1 else onto,
    ).drop_vars("band")
    codes = _classes(layers) if kind == "scl" else _layer_bits(layers)
    flags: xr.DataArray = quality_flags(codes, kind, instrument=product.sensor.instrument)
    if ratio == 1:
        return flags
    # A coarse pixel has every flaw that one of its parts has.
    together = da.coarsen(_any_flaw, flags.data, {0: ratio, 1: ratio})
    return xr.DataArray(together, dims=("y", "x"), attrs=flags.attrs)


def _times_finer(header: RasterHeader, onto: RasterHeader) -> int:
    """How many pixels of a file lie side by side in one of the grid's; 1 where none fit."""
    ratio = round(abs(onto.transform.a / header.transform.a))
    fits = (header.height, header.width) == (ratio * onto.height, ratio * onto.width)
    return ratio if fits else 1


def _classes(layers: xr.DataArray) -> xr.DataArray:
    """Classes of the scene classification; 0, no data, on a rim that lies outside of it."""
    blank = layers.attrs["nodata"][0]  # a number that is none of its classes
    return layers[0] if blank is None else layers[0].where(layers[0] != blank, 0)


def _layer_bits(layers: xr.DataArray) -> xr.DataArray:
    """Layers of a cloud mask as the bits of one number."""
    bits = (layers[0] > 0) * 1 + (layers[1] > 0) * 2 + (layers[2] > 0) * 4
    return bits.astype("uint8")


def _any_flaw(flags: NDArray[np.uint8], axis: tuple[int, ...] | None = None) -> NDArray[np.uint8]:
    together: NDArray[np.uint8] = np.bitwise_or.reduce(flags, axis=axis)
    return together
