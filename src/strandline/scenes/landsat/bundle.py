"""Landsat products as the U.S. Geological Survey delivers them.

A folder or an archive with one GeoTIFF per band, quality bands, and an MTL file
that says how the numbers become reflectance. Collections 1 and 2 and the time
before; Level 1 (reflectance at the top of the atmosphere) and Level 2 (at the
surface).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from strandline.errors import (
    GridMismatchError,
    MissingBandError,
    MissingCRSError,
    SuspiciousSceneWarning,
)
from strandline.scenes.landsat.product import (
    Product,
    describe_product,
    metadata_grid,
    product_factors,
    resolution,
)
from strandline.scenes.quality import merge_flags, quality_flags
from strandline.scenes.raster import read_bands
from strandline.scenes.read_options import ReadOptions
from strandline.scenes.reflectance import COLLECTION_1_SATURATED, Factors, published_factors
from strandline.scenes.scene import SIMULATED, Stored, finish, place
from strandline.scenes.selection import choose_bands, with_others


def open_bundle(source: str | Path, asked: ReadOptions) -> xr.DataArray:
    """Open a Landsat product.

    Parameters
    ----------
    source : str or Path
        Folder, ``.tar``, ``.tar.gz``, or path of the MTL file; or their URL,
        of an archive with `cache`.
    asked : ReadOptions
        How; by default the reflective 30 m bands.

    Returns
    -------
    xarray.DataArray
        A scene.

    Raises
    ------
    SourceNotFoundError, UnreadableSourceError, UnknownProductError, MetadataError
        If it is missing, damaged, or no product.
    MissingBandError
        If a band, or the quality band for an explicit `mask`, is not there.
    GridMismatchError
        If bands of different pixel sizes were asked for.
    ScaleError
        If the factors are unknown: a Level 1 product without its MTL file.

    Warns
    -----
    SuspiciousSceneWarning
        If a reflective band has no file, and no bands were asked for.
    """
    options = asked.storage_options
    product = describe_product(
        source, platform=asked.platform, storage_options=options, cache=asked.cache
    )
    names = _wanted(product, asked)
    paths = product.files.rasters([product.bands[name][1] for name in names])
    values = read_bands(paths, band_names=names, chunks=asked.chunks, storage_options=options)
    values = _located(values, product, names)
    if asked.reflectance and not (asked.scale is not None and product.metadata is None):
        factors = product_factors(product, names)
    else:
        factors = [published_factors(product.name) for _ in names]
    stored = Stored(
        values=values,
        factors=tuple(
            _with_fill(factor, values, index, product, asked.mask)
            for index, factor in enumerate(factors)
        ),
        source=str(source),
        sensor=product.sensor,
        level=product.level,
        time=product.time,
        quality=_flags(product, names, values, asked),
        extra=_origin(product),
    )
    scene = finish(stored, asked)
    if asked.bands is None:
        _warn_of_missing(product, names)
    return scene


def _wanted(product: Product, asked: ReadOptions) -> list[str]:
    source, there = product.files.source, list(product.bands)
    if asked.bands is None:
        names = [name for name in product.sensor.default_bands if name in product.bands]
        if not names:
            raise MissingBandError(
                f"{source!r} has none of the reflective bands.",
                expected=f"files of {', '.join(product.sensor.default_bands)}",
                got=", ".join(there) or "no band files",
            )
        return names
    names = choose_bands(there, asked.bands, product.sensor, source)
    sizes = {name: resolution(product.sensor, name) for name in names}
    if set(sizes.values()) == {30}:
        return with_others(names, there, asked)
    if len(set(sizes.values())) > 1:
        raise GridMismatchError(
            "Bands of different pixel sizes do not share one grid.",
            expected="bands of one size",
            got=", ".join(f"{name} {size} m" for name, size in sizes.items()),
            remedy="Open the pan band by itself, and use regrid(…) to bring them together.",
        )
    return names


def _warn_of_missing(product: Product, names: Sequence[str]) -> None:
    """Say which bands have no file: without one of the infrared, water is found less well."""
    # Coastal blue is what downloads leave out most, and what is missed least.
    wanted = [name for name in product.sensor.default_bands if name != "coastal"]
    missing = [name for name in wanted if name not in names]
    if missing:
        warnings.warn(
            SuspiciousSceneWarning(
                f"{product.files.source!r} has no file of {', '.join(missing)}, and is used "
                "without. Fetch what is missing, or name the bands that you want: bands=…."
            ),
            stacklevel=3,
        )


def _with_fill(
    factor: Factors, values: xr.DataArray, index: int, product: Product, reasons: Sequence[str]
) -> Factors:
    """Add the numbers that stand for no value: the file's own, and the product's."""
    own = values.attrs["nodata"][index]
    fill = {-9999.0} if product.espa else {0.0}
    if product.espa and "saturated" in reasons:
        fill.add(COLLECTION_1_SATURATED)
    if own is not None:
        fill.add(float(own))
    return Factors(factor.scale, factor.offset, tuple(sorted(fill)))


def _located(values: xr.DataArray, product: Product, names: Sequence[str]) -> xr.DataArray:
    """Georeference bare files from the MTL file, if the two agree about the grid."""
    if values.attrs["georeferenced"] or product.metadata is None:
        return values
    grid = metadata_grid(product.metadata, product.sensor, names[0])
    size = (values.sizes["y"], values.sizes["x"])
    if size != tuple(grid.shape):
        raise MissingCRSError(
            f"The files of {product.files.source!r} have no georeference, and its metadata "
            "describes another grid.",
            expected=f"{grid.shape[0]} × {grid.shape[1]} pixels as in {product.metadata.source!r}",
            got=f"{size[0]} × {size[1]}",
            remedy="The files may be a crop: georeference them first.",
        )
    placed = place(values, grid)
    placed.attrs["georeferenced"] = True
    return placed


def _origin(product: Product) -> dict[str, Any]:
    """Return what is to be said of a product that was simulated; nothing of a real one."""
    groups = product.metadata.groups.values() if product.metadata else ()
    origins = (keys.get("ORIGIN", "") for keys in groups)
    return dict(SIMULATED) if any(text.startswith("Simulated") for text in origins) else {}


def _flags(
    product: Product,
    names: Sequence[str],
    values: xr.DataArray,
    asked: ReadOptions,
) -> xr.DataArray | None:
    """Make flags of whatever quality bands the product has."""
    pixel = next(
        (kind for kind in ("qa_pixel", "pixel_qa", "bqa") if kind in product.quality), None
    )
    radsat = next((kind for kind in ("qa_radsat", "radsat_qa") if kind in product.quality), None)
    if pixel is None:
        asked.do_without_quality(
            product.files.source,
            expected="a QA_PIXEL or BQA file",
            got=", ".join(product.quality) or "none",
            remedy="Leave mask out, or fetch the file.",
        )
    kinds = [kind for kind in (pixel, radsat) if kind is not None]
    if not kinds or resolution(product.sensor, names[0]) == 15:  # they are on the 30 m grid
        return None
    numbers = [product.bands[name][0] for name in names]
    flags = []
    for kind in kinds:
        try:
            qa = _quality_band(product, kind, values, asked.storage_options)
        except GridMismatchError:
            if asked.mask:
                raise
            return None  # nobody asked for it
        instrument = product.sensor.instrument
        flags.append(quality_flags(qa, kind, instrument=instrument, numbers=numbers))
    return merge_flags(*flags)


def _quality_band(
    product: Product,
    kind: str,
    values: xr.DataArray,
    storage_options: Mapping[str, Any] | None,
) -> xr.DataArray:
    (path,) = product.files.rasters([product.quality[kind]])
    shape = None if values.chunks is None else {"y": values.chunks[1][0], "x": values.chunks[2][0]}
    qa = read_bands(path, chunks=shape, storage_options=storage_options)[0].drop_vars("band")
    if qa.shape != values.shape[1:]:
        raise GridMismatchError(
            f"{product.quality[kind]!r} does not fit the bands of {product.files.source!r}.",
            expected=f"{values.shape[1]} × {values.shape[2]} pixels",
            got=f"{qa.shape[0]} × {qa.shape[1]}",
            remedy="Pass mask=() to open the bands without it.",
        )
    if qa.attrs["georeferenced"] and not qa.odc.geobox == values.odc.geobox:
        raise GridMismatchError(
            f"{product.quality[kind]!r} does not lie on the bands of {product.files.source!r}.",
            expected=str(values.odc.geobox.transform),
            got=str(qa.odc.geobox.transform),
            remedy="Pass mask=() to open the bands without it.",
        )
    return qa.assign_coords(y=values["y"], x=values["x"])
