"""What one asset of a STAC item says about its bands: names, numbers, grid.

Fields are read as plain JSON, so that old and new spellings (the extensions ``eo`` and
``raster`` with lists of their own, and STAC 1.1 with one list ``bands``) come out alike.

References
----------
STAC specification 1.1.0, bands; extensions eo 1.1/2.0, raster 1.1/2.0, projection 1.1/2.0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj.exceptions import CRSError

from strandline.errors import MetadataError
from strandline.paths import local_path
from strandline.scenes.header import short_crs
from strandline.scenes.redaction import unsigned
from strandline.scenes.reflectance import COLLECTION_2_SURFACE, Factors
from strandline.scenes.sensors import Sensor, band_name
from strandline.scenes.stac.offset import stac_offset
from strandline.scenes.storage import is_url

if TYPE_CHECKING:
    import pystac

_IMAGES = (".tif", ".tiff", ".gtif", ".jp2", ".vrt", ".img")
_CLOSE = 0.02  # micrometres between a stated wavelength and that of the sensor's band


@dataclass(frozen=True)
class Layer:
    """One band of one of an item's files.

    Parameters
    ----------
    key : str
        Of the asset.
    name : str
        Common name of the band, or kind of the quality band.
    href : str
        Absolute path or URL, unsigned.
    alternates : tuple of str
        Where the same file is besides.
    index : int
        Band in the file, from 1.
    grid : GeoBox or None
        Where the item says what it is.
    dtype : str or None
        Stored type, where the item says.
    nodata : float or None
        Stored number that stands for no value, where the item says.
    factors : Factors
        How numbers become reflectance.
    """

    key: str
    name: str
    href: str
    alternates: tuple[str, ...] = ()
    index: int = 1
    grid: GeoBox | None = None
    dtype: str | None = None
    nodata: float | None = None
    factors: Factors = field(default_factory=Factors)


def is_image(asset: pystac.Asset) -> bool:
    """Whether an asset is a raster that can be read, by its type or else by its name."""
    kind = (asset.media_type or "").split(";")[0].strip().lower()
    if kind:
        return kind in ("image/tiff", "image/jp2", "image/vnd.stac.geotiff")
    return urlsplit(asset.href).path.lower().endswith(_IMAGES)


def layers_of(
    item: pystac.Item, key: str, asset: pystac.Asset, sensor: Sensor | None, *, settle: bool
) -> Iterator[Layer]:
    """Read an asset as its bands, in the order of the file.

    Parameters
    ----------
    item : pystac.Item
        Says what the asset itself does not.
    key : str
        The asset's.
    asset : pystac.Asset
    sensor : Sensor or None
        For names and numbers of bands.
    settle : bool
        Whether the offset of Sentinel-2 has to be known.

    Yields
    ------
    Layer
        Its name is empty if it is not a band that measures.

    Raises
    ------
    MetadataError
        If a field cannot be what it says.
    ScaleError
        If the offset has to be known and nothing tells it.
    """
    href = asset.get_absolute_href() or asset.href
    # Without an address of the item, a relative one counts from the working folder.
    plain = unsigned(href) if is_url(href) else str(local_path(href).absolute())
    grid = _grid(item, key, asset)
    described = bands_of(asset)
    for index, band in enumerate(described, start=1):
        name = _name(key, plain, band, sensor, alone=len(described) == 1)
        yield Layer(
            key=key,
            name=name,
            href=plain,
            alternates=tuple(_alternates(asset)),
            index=index,
            grid=grid,
            dtype=_dtype(band.get("data_type"), item.id, key),
            nodata=_number(band.get("nodata"), item.id, f"nodata of {key}"),
            factors=_factors(item, key, band, sensor, name, settle),
        )


def names_of(key: str, asset: pystac.Asset, sensor: Sensor | None) -> list[str]:
    """Find the common names of an asset's bands; empty where one is not a band that measures."""
    bands = bands_of(asset)
    return [_name(key, asset.href, band, sensor, alone=len(bands) == 1) for band in bands]


def bands_of(asset: pystac.Asset) -> list[dict[str, Any]]:
    """Bring what an asset says about each of its bands into one mapping per band."""
    fields = asset.extra_fields
    lists = [fields.get(name) or [] for name in ("bands", "eo:bands", "raster:bands")]
    count = max([1, *map(len, lists)])
    shared: dict[str, Any] = {
        name: fields[name]
        for name in ("nodata", "data_type", "raster:scale", "raster:offset", "eo:common_name",
                     "eo:center_wavelength")
        if name in fields
    }  # fmt: skip
    merged = []
    for index in range(count):
        band = dict(shared)
        for one in lists:
            if index < len(one) and isinstance(one[index], Mapping):
                band |= {str(name).split(":")[-1]: value for name, value in one[index].items()}
        merged.append({name.split(":")[-1]: value for name, value in band.items()})
    return merged


def _name(
    key: str, href: str, band: Mapping[str, Any], sensor: Sensor | None, *, alone: bool
) -> str:
    """Find the common name of a band; empty if the asset is not a band that measures."""
    own, common = str(band.get("name") or ""), str(band.get("common_name") or "")
    if sensor is None:
        if not (own or common):
            return (band_name(key) or "") if alone else ""
        return band_name(common) or band_name(own) or common or own
    stem = PurePosixPath(urlsplit(href).path).stem
    # A number is exact, and so is a wavelength; ``rededge`` is not.
    numbered = [own, *([key, stem] if alone else [])]
    return (
        _first_known([text for text in numbered if re.search(r"\d", text)], sensor)
        or _by_wavelength(band, sensor)
        or _first_known([common, own, *([key] if alone else [])], sensor)
        or ""
    )


def _first_known(texts: Sequence[str], sensor: Sensor) -> str | None:
    """Find the first of some texts that names a band of the sensor."""
    names = (band_name(text, sensor) for text in texts if text)
    return next((name for name in names if name and sensor.number(name)), None)


def _by_wavelength(band: Mapping[str, Any], sensor: Sensor) -> str | None:
    """Name a band by where it measures: ``rededge`` is three bands of Sentinel-2."""
    try:
        centre = float(band["center_wavelength"])
    except (KeyError, TypeError, ValueError):
        return None
    common = band_name(str(band.get("common_name") or ""), sensor)
    if common and sensor.number(common):
        return None  # the name says it already
    nearest = min(sensor.bands, key=lambda one: abs(one.wavelength - centre))
    return nearest.name if abs(nearest.wavelength - centre) <= _CLOSE else None


def _alternates(asset: pystac.Asset) -> Iterator[str]:
    alternate = asset.extra_fields.get("alternate")
    if isinstance(alternate, Mapping):
        for place in alternate.values():
            if isinstance(place, Mapping) and isinstance(place.get("href"), str):
                yield unsigned(place["href"])


def _factors(
    item: pystac.Item,
    key: str,
    band: Mapping[str, Any],
    sensor: Sensor | None,
    name: str,
    settle: bool,
) -> Factors:
    scale = _number(band.get("scale"), item.id, f"scale of {key}")
    offset = _number(band.get("offset"), item.id, f"offset of {key}")
    nodata = _number(band.get("nodata"), item.id, f"nodata of {key}")
    invalid = () if nodata is None or math.isnan(nodata) else (nodata,)
    properties = item.properties
    if sensor is not None and sensor.platform.startswith("sentinel-2"):
        return Factors(
            1e-4 if scale is None else scale,
            stac_offset(item, band) if name and settle else offset,
            invalid or (0.0,),
        )
    surface = str(properties.get("landsat:correction", "")).upper() in ("L2SP", "L2SR")
    if surface and str(properties.get("landsat:collection_number")) in ("02", "2"):
        measured = sensor is None or not name.startswith("lwir")
        fallback = COLLECTION_2_SURFACE if measured else Factors(invalid=(0.0,))
        return Factors(
            fallback.scale if scale is None else scale,
            fallback.offset if offset is None and scale is None else offset,
            tuple(sorted({*invalid, *fallback.invalid})),
        )
    return Factors(scale, offset, invalid)


def _number(value: Any, item: str, what: str) -> float | None:
    if value is None:
        return None
    try:
        return float(value)  # STAC writes NaN and infinities as text
    except (TypeError, ValueError):
        raise MetadataError(
            f"The STAC item {item!r} has a {what} that is not a number.", got=repr(value)
        ) from None


def _dtype(value: Any, item: str, key: str) -> str | None:
    if value is None or value == "other":
        return None
    try:
        found = np.dtype(str(value))
    except TypeError:
        raise MetadataError(
            f"The STAC item {item!r} has a data_type of {key} that is not a type of numbers.",
            got=repr(value),
        ) from None
    if found.kind not in "iuf":
        raise MetadataError(
            f"The asset {key!r} of the STAC item {item!r} holds no real numbers.", got=repr(value)
        )
    return found.name


def _grid(item: pystac.Item, key: str, asset: pystac.Asset) -> GeoBox | None:
    """Read the grid that the projection extension gives, of the asset before that of the item."""
    fields = item.properties | asset.extra_fields
    shape, transform = fields.get("proj:shape"), fields.get("proj:transform")
    crs = next(
        (
            fields[name]
            for name in ("proj:code", "proj:epsg", "proj:wkt2", "proj:projjson")
            if fields.get(name)
        ),
        None,
    )
    if shape is None or transform is None or crs is None:
        return None
    try:
        rows, columns = (int(value) for value in shape)
        numbers = [float(value) for value in transform]
        affine = Affine(*numbers[:6])
        if len(numbers) not in (6, 9) or min(rows, columns) < 1 or affine.is_degenerate:
            raise ValueError
        if not all(map(math.isfinite, numbers)):
            raise ValueError
        return GeoBox((rows, columns), affine, short_crs(crs))
    except (TypeError, ValueError, CRSError) as error:
        raise MetadataError(
            f"The STAC item {item.id!r} gives no usable grid for {key!r}.",
            expected="proj:shape (rows, columns), proj:transform of 6 numbers, and a CRS",
            got=f"{shape!r}, {transform!r}, {crs!r}",
        ) from error
