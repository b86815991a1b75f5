"""What one STAC item says about its acquisition: sensor, bands, numbers, grid, quality.

Fields are read as plain JSON, so that old and new spellings (the extensions ``eo`` and
``raster`` with lists of their own, and STAC 1.1 with one list ``bands``) come out alike.

References
----------
STAC specification 1.1.0, bands; extensions eo 1.1/2.0, raster 1.1/2.0, projection 1.1/2.0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj.exceptions import CRSError

from strandline.errors import MetadataError, MissingBandError, UnknownProductError
from strandline.paths import local_path
from strandline.scenes.header import short_crs
from strandline.scenes.redaction import unsigned
from strandline.scenes.reflectance import COLLECTION_2_SURFACE, Factors
from strandline.scenes.sensors import Sensor, band_name, find_sensor, parse_product_name
from strandline.scenes.stac.offset import stac_offset
from strandline.scenes.storage import is_url

if TYPE_CHECKING:
    import pystac

_QUALITY = ("qa_pixel", "qa_radsat", "scl", "qa60")
_NOT_DATA = {"thumbnail", "overview", "visual", "metadata", "graphic", "tilejson", "preview"}
_MASKS = {"cloud", "cloud-shadow", "snow-ice", "water-mask", "saturation", "data-mask", "mask"}
_IMAGES = (".tif", ".tiff", ".gtif", ".jp2", ".vrt", ".img")
_LEVEL = re.compile(
    r"(?:^|[^A-Z0-9]|MSI|S2MSI)(L[12]|[12](?=[A-C]))(?:[A-C]|SP|SR|TP|GT|GS)?(?=$|[^A-Z0-9])"
)
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


@dataclass(frozen=True)
class Described:
    """What an item says.

    Parameters
    ----------
    id, collection : str
    source : str
        Its own address without signature, or its id.
    sensor : Sensor or None
    platform : str or None
        As the item writes it.
    level : str or None
        "L1" or "L2".
    time : datetime or None
        UTC.
    bands, quality : dict of str to Layer
        By common name, in the order of the sensor; by kind.
    planetary_computer : bool
        Whether its files have to be signed by that service.
    """

    id: str
    collection: str
    source: str
    sensor: Sensor | None
    platform: str | None
    level: str | None
    time: Any
    bands: dict[str, Layer]
    quality: dict[str, Layer]
    planetary_computer: bool = False


def describe_item(
    item: pystac.Item, platform: str | None = None, *, settle_offset: bool = True
) -> Described:
    """Read what an item says about its acquisition.

    Parameters
    ----------
    item : pystac.Item
    platform : str, optional
        If the item does not say.
    settle_offset : bool
        Whether the offset of Sentinel-2 has to be known; False where it does not matter.

    Returns
    -------
    Described

    Raises
    ------
    MissingBandError
        If none of its assets is a band.
    MetadataError
        If a field cannot be what it says.
    ScaleError
        If nothing tells whether the numbers of Sentinel-2 carry an offset.

    Examples
    --------
    >>> import datetime, pystac
    >>> when = datetime.datetime(1988, 10, 22, tzinfo=datetime.timezone.utc)
    >>> item = pystac.Item("lake", None, None, when, {"platform": "landsat-5"})
    >>> item.add_asset("SR_B4", pystac.Asset("B4.tif", roles=["data"]))
    >>> list(describe_item(item).bands)
    ['nir08']
    """
    properties = item.properties
    named = platform or properties.get("platform")
    sensor = find_sensor(platform) if platform else _sensor(properties, item.id)
    bands: dict[str, Layer] = {}
    quality: dict[str, Layer] = {}
    # Files of one band first: pictures of several are left alone where they add nothing.
    for key, asset in sorted(item.assets.items(), key=lambda one: len(_bands(one[1])) > 1):
        roles = {str(role).lower() for role in asset.roles or ()}
        if not _is_image(asset) or roles & _NOT_DATA:
            continue
        kind = key.lower() if key.lower() in _QUALITY else None
        if len(_bands(asset)) > 1 and set(_names(key, asset, sensor)) <= {"", *bands}:
            continue
        for layer in _layers(item, key, asset, sensor, settle_offset and kind is None):
            if kind is not None:
                _prefer(quality, kind, replace(layer, name=kind))
            elif layer.name and not roles & _MASKS:
                _prefer(bands, layer.name, layer)
    if not bands:
        raise MissingBandError(
            f"The STAC item {item.id!r} has no bands.",
            expected="assets that are images, with names of bands",
            got=", ".join(item.assets) or "no assets",
        )
    order = [band.name for band in sensor.bands] if sensor else []
    known = sorted(bands, key=lambda name: order.index(name) if name in order else len(order))
    itself = item.get_self_href()
    return Described(
        id=item.id,
        collection=item.collection_id or "",
        source=unsigned(itself) if itself else item.id,
        sensor=sensor,
        platform=None if named is None else str(named),
        level=_level(item),
        time=item.datetime or item.common_metadata.start_datetime,
        bands={name: bands[name] for name in known},
        quality=quality,
        planetary_computer=_of_planetary_computer(item),
    )


def platform_of(properties: Mapping[str, Any]) -> str | None:
    """Give the platform of an item in one spelling: "landsat-5", "sentinel-2a".

    Examples
    --------
    >>> platform_of({"platform": "LANDSAT_8"}), platform_of({"platform": "Sentinel-2A"})
    ('landsat-8', 'sentinel-2a')
    """
    written = properties.get("platform")
    if not written:
        return None
    try:
        return find_sensor(str(written)).platform
    except UnknownProductError:
        return re.sub(r"[\s_]+", "-", str(written).strip().lower())


def _sensor(properties: Mapping[str, Any], name: str) -> Sensor | None:
    written = properties.get("platform")
    try:
        return find_sensor(str(written)) if written else None
    except UnknownProductError:
        product = parse_product_name(name)
        return product.sensor if product else None


def _level(item: pystac.Item) -> str | None:
    properties = item.properties
    said = (
        properties.get("landsat:correction"),
        properties.get("processing:level"),
        properties.get("s2:product_type"),
        properties.get("s2:product_uri"),
        item.collection_id,
        item.id,
    )
    for text in said:
        found = _LEVEL.search(str(text or "").upper())
        if found:
            return "L" + found[1][-1]
    return None


def _of_planetary_computer(item: pystac.Item) -> bool:
    hrefs = [str(link.get_href(transform_href=False) or "") for link in item.links]
    return any(urlsplit(href).netloc == "planetarycomputer.microsoft.com" for href in hrefs)


def _is_image(asset: pystac.Asset) -> bool:
    kind = (asset.media_type or "").split(";")[0].strip().lower()
    if kind:
        return kind in ("image/tiff", "image/jp2", "image/vnd.stac.geotiff")
    return urlsplit(asset.href).path.lower().endswith(_IMAGES)


def _prefer(found: dict[str, Layer], name: str, layer: Layer) -> None:
    """Keep the better of two files of one band: its own rather than one with others, TIFF first."""
    there = found.get(name)
    if there is None or _rank(layer) < _rank(there):
        found[name] = layer


def _rank(layer: Layer) -> tuple[bool, bool, float]:
    size = abs(layer.grid.resolution.x) if layer.grid is not None else math.inf
    return (layer.index > 1, layer.href.lower().endswith(".jp2"), size)


def _layers(
    item: pystac.Item, key: str, asset: pystac.Asset, sensor: Sensor | None, settle: bool
) -> Iterator[Layer]:
    href = asset.get_absolute_href() or asset.href
    # Without an address of the item, a relative one counts from the working folder.
    plain = unsigned(href) if is_url(href) else str(local_path(href).absolute())
    grid = _grid(item, key, asset)
    described = _bands(asset)
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


def _names(key: str, asset: pystac.Asset, sensor: Sensor | None) -> list[str]:
    bands = _bands(asset)
    return [_name(key, asset.href, band, sensor, alone=len(bands) == 1) for band in bands]


def _bands(asset: pystac.Asset) -> list[dict[str, Any]]:
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
    """Find the common name of a band; empty if the asset is no band that measures."""
    own, common = str(band.get("name") or ""), str(band.get("common_name") or "")
    stem = PurePosixPath(urlsplit(href).path).stem
    if sensor is not None:
        tries = [own, *([key, stem] if alone else [])]
        numbered = [band_name(text, sensor) for text in tries if re.search(r"\d", text)]
        known = [found for found in numbered if found and sensor.number(found)]
        if known:
            return known[0]
        if found := _by_wavelength(band, sensor):
            return found
        for text in (common, own, *([key] if alone else [])):
            found = band_name(text, sensor) if text else None
            if found and sensor.number(found):
                return found
        return ""
    if not (own or common):
        return (band_name(key) or "") if alone else ""
    return band_name(common) or band_name(own) or common or own


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
            f"The STAC item {item!r} has a {what} that is no number.", got=repr(value)
        ) from None


def _dtype(value: Any, item: str, key: str) -> str | None:
    if value is None or value == "other":
        return None
    try:
        found = np.dtype(str(value))
    except TypeError:
        raise MetadataError(
            f"The STAC item {item!r} has a data_type of {key} that is no type of numbers.",
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
