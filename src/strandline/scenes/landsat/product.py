"""What a Landsat product is: its files by meaning, its factors, its grid.

Read from the MTL file that comes with it, or else from its files' names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affine import Affine
from odc.geo.geobox import GeoBox

from strandline.errors import MetadataError, MissingCRSError, ScaleError, UnknownProductError
from strandline.scenes.cache import Cache
from strandline.scenes.identifiers import ProductName, parse_product_name
from strandline.scenes.landsat.files import ProductFiles, list_product
from strandline.scenes.landsat.mtl import Metadata, parse_metadata
from strandline.scenes.landsat.naming import is_archive, product_stem
from strandline.scenes.reflectance import (
    Factors,
    earth_sun_distance,
    published_factors,
    radiance_to_reflectance,
)
from strandline.scenes.sensors import Sensor, find_sensor, is_thermal

_NUMBER = r"(?P<number>\d{1,2}(?:_VCID_[12])?)"
_BAND_FILE = re.compile(rf"_(?:SR_|ST_)?B{_NUMBER}\.TIFF?$", re.IGNORECASE)
_ESPA_BAND_FILE = re.compile(rf"_(?:sr_band|SRB){_NUMBER}\.TIFF?$", re.IGNORECASE)
_QUALITY_FILE = re.compile(
    r"_(?P<kind>QA_PIXEL|QA_RADSAT|BQA|pixel_qa|radsat_qa|PIXELQA|RADSATQA)\.TIFF?$",
    re.IGNORECASE,
)
_KINDS = {"pixelqa": "pixel_qa", "radsatqa": "radsat_qa"}  # as U.S. Analysis Ready Data call them


@dataclass(frozen=True)
class Product:
    """A product: its files by meaning, and what is known about it.

    Parameters
    ----------
    files : ProductFiles
    sensor : Sensor
    level : str
        "L1" or "L2".
    collection : str or None
    time : datetime-like or None
    bands : dict
        Common name to (number, file name).
    quality : dict
        Kind of quality band to file name.
    metadata : Metadata or None
        The MTL file, if there is one.
    name : ProductName or None
    espa : bool
        Whether these are Collection 1 surface reflectance files.
    """

    files: ProductFiles
    sensor: Sensor
    level: str
    collection: str | None
    time: Any
    bands: dict[str, tuple[str, str]]
    quality: dict[str, str]
    metadata: Metadata | None
    name: ProductName | None
    espa: bool


def describe_product(
    source: str | Path,
    *,
    platform: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
    cache: Cache = None,
) -> Product:
    """Find out what a product is, from its MTL file or else from its files' names.

    Parameters
    ----------
    source : str or Path
        As for :func:`open_bundle`.
    platform : str, optional
        If neither tells.
    storage_options : mapping, optional
    cache : bool or path-like, optional
        Where copies of remote files are kept; None for none.

    Returns
    -------
    Product

    Raises
    ------
    UnknownProductError
        If it cannot be told, or there are several products.
    """
    files = list_product(str(source), storage_options, cache)
    metadata = _metadata(files)
    espa = any(_ESPA_BAND_FILE.search(name) for name in files.places)
    pattern = _ESPA_BAND_FILE if espa else _BAND_FILE
    name = _product_name(files, pattern, metadata)
    sensor = _sensor(files, metadata, name) if platform is None else find_sensor(platform)
    level, collection = _level(metadata, name)
    return Product(
        files=files,
        sensor=sensor,
        level="L2" if espa else level,
        collection=collection,
        time=metadata.acquired() if metadata else (name.acquired if name else None),
        bands=_bands(files, pattern, sensor),
        quality={
            _KINDS.get(match["kind"].lower(), match["kind"].lower()): name
            for name in files.places
            if (match := _QUALITY_FILE.search(name)) is not None
        },
        metadata=metadata,
        name=name,
        espa=espa,
    )


def _sensor(files: ProductFiles, metadata: Metadata | None, name: ProductName | None) -> Sensor:
    if metadata is not None:
        spacecraft = metadata.text("SPACECRAFT_ID", "IMAGE_ATTRIBUTES", "PRODUCT_METADATA")
        return find_sensor(spacecraft)
    if name is not None:
        return name.sensor
    raise UnknownProductError(
        f"The files of {files.source!r} do not tell which sensor they are of.",
        expected="an MTL file, or Landsat product names",
        got=", ".join(list(files.places)[:3]),
        remedy="If a single file is the scene, open it by its own path. Otherwise pass "
        "platform=… (for example 'landsat-5'), or the files as a list with band_names=….",
    )


def _bands(
    files: ProductFiles, pattern: re.Pattern[str], sensor: Sensor
) -> dict[str, tuple[str, str]]:
    """Find the number and the file of each band, in the order of the sensor."""
    found = {
        band.name: (band.number, name)
        for name in files.places
        if (match := pattern.search(name)) is not None
        and (band := sensor.band(match["number"])) is not None
    }
    return sensor.in_order(found)


def _metadata(files: ProductFiles) -> Metadata | None:
    names = files.metadata_names()
    if not names:
        return None
    stems = sorted({product_stem(name) for name in names})
    if len(stems) > 1:
        raise _several(files.source, stems)
    return parse_metadata(files.text(names[0]), names[0])


def _several(source: str, stems: Sequence[str]) -> UnknownProductError:
    return UnknownProductError(
        f"{source!r} holds several products.",
        expected="one product",
        got=f"{len(stems)}: {', '.join(stems[:3])}{', …' if len(stems) > 3 else ''}",
        remedy="Unpack it, and open one of them by its own folder."
        if is_archive(source)
        else "Open one of them by the path of its MTL file, or by its own folder.",
    )


def _product_name(
    files: ProductFiles, pattern: re.Pattern[str], metadata: Metadata | None
) -> ProductName | None:
    of_bands = [file for file in files.places if pattern.search(file)]
    found = {name.text: name for file in of_bands if (name := parse_product_name(file))}
    if len(found) > 1 and metadata is None:
        raise _several(files.source, sorted(found))
    return next(iter(found.values()), None) or parse_product_name(files.source)


def _level(metadata: Metadata | None, name: ProductName | None) -> tuple[str, str | None]:
    if metadata is None:
        return (name.level or "L1", name.collection) if name else ("L1", None)
    level = (
        metadata.text("PROCESSING_LEVEL", "PRODUCT_CONTENTS")
        if ("PRODUCT_CONTENTS" in metadata.groups)
        else metadata.text("DATA_TYPE", "PRODUCT_METADATA")
    )
    if level[:2] not in ("L1", "L2"):
        raise UnknownProductError(
            f"{metadata.source!r} describes a product of an unknown level.",
            expected="Level 1 (L1TP, L1GT, L1GS, L1T) or Level 2 (L2SP, L2SR)",
            got=level,
        )
    return level[:2], metadata.collection


def resolution(sensor: Sensor, name: str) -> int:
    """Look up the pixel size of a band as delivered, in metres."""
    return next(band.resolution for band in sensor.bands if band.name == name)


def product_factors(product: Product, names: Sequence[str]) -> list[Factors]:
    """Find how the product's numbers become reflectance.

    Parameters
    ----------
    product : Product
    names : sequence of str
        Common names of the bands.

    Returns
    -------
    list of Factors

    Raises
    ------
    MetadataError
        If the MTL file lacks a factor.
    ScaleError
        If there is no MTL file, and the product's name does not settle them.
    """
    if product.espa or product.metadata is None:
        published = published_factors(product.name)
        if published.scale is None:
            raise ScaleError(
                f"How the numbers of {product.files.source!r} become reflectance is unknown.",
                expected="the product's MTL file beside its bands",
                got="none",
                remedy="Fetch the MTL file, pass scale=… and offset=…, or reflectance=False for "
                "the numbers as they are.",
            )
        return [published for _ in names]
    numbers = [product.bands[name][0] for name in names]
    if product.level == "L2":
        group = "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS"
        return [
            Factors() if is_thermal(name) else _pair(product.metadata, "REFLECTANCE", number, group)
            for name, number in zip(names, numbers, strict=True)
        ]
    return [
        Factors() if is_thermal(name) else _top_of_atmosphere(product, product.metadata, number)
        for name, number in zip(names, numbers, strict=True)
    ]


def _pair(metadata: Metadata, quantity: str, number: str, *groups: str) -> Factors:
    return Factors(
        metadata.number(f"{quantity}_MULT_BAND_{number}", *groups),
        metadata.number(f"{quantity}_ADD_BAND_{number}", *groups),
    )


def _top_of_atmosphere(product: Product, metadata: Metadata, number: str) -> Factors:
    """Level 1 factors with the sun's elevation in them."""
    groups = ("LEVEL1_RADIOMETRIC_RESCALING", "RADIOMETRIC_RESCALING")
    elevation = metadata.number("SUN_ELEVATION", "IMAGE_ATTRIBUTES")
    if not 0 < elevation <= 90:
        raise MetadataError(
            f"The sun was not up when {metadata.source!r} was acquired.",
            expected="SUN_ELEVATION above 0°",
            got=f"{elevation}°",
            remedy="A night scene has no reflectance; pass reflectance=False.",
        )
    if metadata.find(f"REFLECTANCE_MULT_BAND_{number}", *groups) is not None:
        pair = _pair(metadata, "REFLECTANCE", number, *groups)
        factor = radiance_to_reflectance(1.0, elevation, 1.0) / radiance_to_reflectance(1, 90, 1)
    else:
        # Before 2016, TM and ETM+ products had factors for radiance alone.
        pair = _pair(metadata, "RADIANCE", number, *groups)
        band = product.sensor.band(number)
        if band is None or band.irradiance is None:
            raise MetadataError(
                f"{metadata.source!r} has no reflectance factors for band {number}.",
                expected=f"REFLECTANCE_MULT_BAND_{number}",
                got="radiance factors, and no solar irradiance is known for this band",
                remedy="Pass scale=… and offset=…, or reflectance=False.",
            )
        if metadata.find("EARTH_SUN_DISTANCE", "IMAGE_ATTRIBUTES"):
            distance = metadata.number("EARTH_SUN_DISTANCE", "IMAGE_ATTRIBUTES")
        else:
            distance = earth_sun_distance(metadata.acquired())
        factor = radiance_to_reflectance(band.irradiance, elevation, distance)
    return Factors((pair.scale or 0.0) * factor, (pair.offset or 0.0) * factor)


def metadata_grid(metadata: Metadata, sensor: Sensor, name: str) -> GeoBox:
    """Work out the grid of a band from its MTL file.

    Parameters
    ----------
    metadata : Metadata
    sensor : Sensor
    name : str
        Common name of the band.

    Returns
    -------
    odc.geo.geobox.GeoBox
        The MTL file gives centres of the corner pixels; the grid's edge is half a pixel out.

    Raises
    ------
    MetadataError
        If corners, pixel size and number of pixels contradict each other.
    MissingCRSError
        If the projection is not one of Landsat's two.
    """
    groups = ("PROJECTION_ATTRIBUTES", "PRODUCT_METADATA", "PROJECTION_PARAMETERS")
    if is_thermal(name):
        kind = "THERMAL"
    else:
        kind = "PANCHROMATIC" if resolution(sensor, name) == 15 else "REFLECTIVE"
    lines = int(metadata.number(f"{kind}_LINES", *groups))
    samples = int(metadata.number(f"{kind}_SAMPLES", *groups))
    cell = metadata.number(f"GRID_CELL_SIZE_{kind}", *groups, "LEVEL1_PROJECTION_PARAMETERS")
    corner = {
        (at, axis): metadata.number(f"CORNER_{at}_PROJECTION_{axis}_PRODUCT", *groups)
        for at in ("UL", "LR")
        for axis in "XY"
    }
    if min(lines, samples) < 1 or cell <= 0:
        raise MetadataError(
            f"{metadata.source!r} describes a grid without pixels.",
            expected=f"{kind}_LINES, {kind}_SAMPLES and GRID_CELL_SIZE_{kind} above 0",
            got=f"{lines}, {samples} and {cell:g}",
        )
    left, top = corner["UL", "X"], corner["UL", "Y"]
    wide, high = corner["LR", "X"] - left, top - corner["LR", "Y"]
    if abs(wide - (samples - 1) * cell) > cell / 2 or abs(high - (lines - 1) * cell) > cell / 2:
        raise MetadataError(
            f"{metadata.source!r} contradicts itself about the {kind.lower()} grid.",
            expected=f"corners {(samples - 1) * cell:g} m and {(lines - 1) * cell:g} m apart",
            got=f"{wide:g} m and {high:g} m",
        )
    # All grids of a product share the centre of their first pixel.
    transform = Affine(cell, 0.0, left - cell / 2, 0.0, -cell, top + cell / 2)
    return GeoBox((lines, samples), transform, _projection(metadata))


def _projection(metadata: Metadata) -> str:
    groups = (
        "PROJECTION_ATTRIBUTES",
        "PROJECTION_PARAMETERS",
        "LEVEL1_PROJECTION_PARAMETERS",
    )
    kind, datum = metadata.text("MAP_PROJECTION", *groups), metadata.find("DATUM", *groups)
    if kind == "UTM" and datum == "WGS84":
        # Always the northern zone: Landsat counts northings below the equator negative.
        zone = metadata.number("UTM_ZONE", *groups)
        if zone not in range(1, 61):
            raise MetadataError(
                f"The UTM zone in {metadata.source!r} does not exist.",
                expected="UTM_ZONE from 1 to 60",
                got=f"{zone:g}",
            )
        return f"EPSG:{32600 + int(zone)}"
    if kind == "PS" and datum == "WGS84" and metadata.number("TRUE_SCALE_LAT", *groups) == -71:
        return "EPSG:3031"
    raise MissingCRSError(
        f"The projection of {metadata.source!r} is not known.",
        expected="UTM, or polar stereographic at 71° S, on WGS84",
        got=f"{kind} on {datum}",
        remedy="Georeference the files first.",
    )
