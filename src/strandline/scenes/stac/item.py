"""What one STAC item says about its acquisition: sensor, level, time, and which asset is what."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from strandline.errors import MissingBandError, UnknownProductError
from strandline.scenes.identifiers import parse_product_name
from strandline.scenes.redaction import unsigned
from strandline.scenes.sensors import SENSORS, Sensor, find_sensor
from strandline.scenes.stac.asset import Layer, bands_of, is_image, layers_of, names_of

if TYPE_CHECKING:
    import pystac

_QUALITY = ("qa_pixel", "qa_radsat", "scl", "qa60")
_NOT_DATA = {"thumbnail", "overview", "visual", "metadata", "graphic", "tilejson", "preview"}
_MASKS = {"cloud", "cloud-shadow", "snow-ice", "water-mask", "saturation", "data-mask", "mask"}
_LEVEL = re.compile(
    r"(?:^|[^A-Z0-9]|MSI|S2MSI)(L[12]|[12](?=[A-C]))(?:[A-C]|SP|SR|TP|GT|GS)?(?=$|[^A-Z0-9])"
)


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
    bands, quality = _layers(item, sensor, settle_offset)
    if not bands:
        raise MissingBandError(
            f"The STAC item {item.id!r} has no bands.",
            expected="assets that are images, with names of bands",
            got=", ".join(item.assets) or "no assets",
        )
    itself = item.get_self_href()
    return Described(
        id=item.id,
        collection=item.collection_id or "",
        source=unsigned(itself) if itself else item.id,
        sensor=sensor,
        platform=None if named is None else str(named),
        level=_level(item),
        time=item.datetime or item.common_metadata.start_datetime,
        bands={**sensor.in_order(bands), **bands} if sensor else bands,
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
        sensor = find_sensor(str(written)) if written else None
    except UnknownProductError:
        sensor = None
    if written and (sensor is None or sensor.platform not in SENSORS):
        # The letter of a Sentinel-2 may be in its name alone.
        product = parse_product_name(name)
        return product.sensor if product else sensor
    return sensor


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


def _layers(
    item: pystac.Item, sensor: Sensor | None, settle_offset: bool
) -> tuple[dict[str, Layer], dict[str, Layer]]:
    """Pick the layers of an item: one for each band by name, one for each kind of quality band."""
    bands: dict[str, Layer] = {}
    quality: dict[str, Layer] = {}
    # Files of one band first: pictures of several are left alone where they add nothing.
    for key, asset in sorted(item.assets.items(), key=lambda one: len(bands_of(one[1])) > 1):
        roles = {str(role).lower() for role in asset.roles or ()}
        if not is_image(asset) or roles & _NOT_DATA:
            continue
        if len(bands_of(asset)) > 1 and set(names_of(key, asset, sensor)) <= {"", *bands}:
            continue
        kind = key.lower()
        if kind in _QUALITY:
            for layer in layers_of(item, key, asset, sensor, settle=False):
                _prefer(quality, kind, replace(layer, name=kind))
            continue
        for layer in layers_of(item, key, asset, sensor, settle=settle_offset):
            if layer.name and not roles & _MASKS:
                _prefer(bands, layer.name, layer)
    return bands, quality


def _prefer(found: dict[str, Layer], name: str, layer: Layer) -> None:
    """Keep the better of two files of one band: its own rather than one with others, TIFF first."""
    there = found.get(name)
    if there is None or _rank(layer) < _rank(there):
        found[name] = layer


def _rank(layer: Layer) -> tuple[bool, bool, float]:
    size = abs(layer.grid.resolution.x) if layer.grid is not None else math.inf
    return (layer.index > 1, layer.href.lower().endswith(".jp2"), size)
