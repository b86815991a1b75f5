"""Search for scenes: in an API, in a catalogue of files, or among items at hand."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strandline.errors import ConfigurationError, SearchError, UnknownProductError
from strandline.paths import local_path
from strandline.scenes.sensors import find_sensor
from strandline.scenes.stac.area import area_of, footprint_of
from strandline.scenes.stac.found import FoundScenes, cloud_of
from strandline.scenes.stac.item import platform_of
from strandline.scenes.stac.passes import moment_of
from strandline.scenes.stac.period import Period, read_period
from strandline.scenes.stac.service import (
    TIMEOUT,
    asking,
    needing_packages,
    patient_io,
    read_document,
    service_url,
)
from strandline.scenes.stac.source import is_stac, items_of, parse_items
from strandline.scenes.storage import is_url

if TYPE_CHECKING:
    import pystac
    from shapely.geometry.base import BaseGeometry

USUAL_COLLECTIONS = (
    "landsat-c2-l2",
    "landsat-c2l2-sr",
    "sentinel-2-l2a",
    "sentinel-2-c1-l2a",
)
"""Collections of surface reflectance, as services call them; the first of each kind counts."""

MOST = 10_000
"""Items that are looked at before a search counts as too wide."""


@dataclass(frozen=True)
class _Wanted:
    """What an item has to be, whatever the server made of the request."""

    area: BaseGeometry | None
    period: Period | None
    collections: tuple[str, ...] | None
    platforms: tuple[str, ...] | None
    max_cloud: float | None

    def fits(self, item: pystac.Item) -> bool:
        """Whether an item is what was asked for."""
        if self.collections is not None and item.collection_id not in (None, *self.collections):
            return False
        if self.platforms is not None:
            platform = platform_of(item.properties) or ""
            if not any(platform == one or platform.startswith(one) for one in self.platforms):
                return False
        if self.period is not None and not self.period.holds(moment_of(item)):
            return False
        if self.max_cloud is not None:
            cloud = cloud_of(item)
            if cloud is None or cloud > self.max_cloud:
                return False
        if self.area is None:
            return True
        footprint = footprint_of(item.geometry, item.bbox)
        if footprint is None:
            return False
        both = footprint.intersection(self.area)
        # Sharing an edge is no overlap.
        return bool(not both.is_empty if self.area.area == 0 else both.area > 0)


def search_scenes(
    api: Any,
    *,
    bbox: Sequence[float] | None = None,
    geometry: Any = None,
    center: Sequence[float] | None = None,
    buffer: float | None = None,
    datetime: Any = None,
    collections: Iterable[str] | str | None = None,
    platforms: Iterable[str] | str | None = None,
    max_cloud: float | None = None,
    limit: int | None = None,
) -> FoundScenes:
    """Search a STAC API or catalogue for scenes of a place and time.

    What comes back is checked again here, because servers ignore parts of a request that they
    do not understand.

    Parameters
    ----------
    api : str, Path, or items
        The URL of a STAC API; "planetary-computer" or "earth-search"; the URL or path of a
        static catalogue, of an item, or of a collection of items; or items in memory.
    bbox : (float, float, float, float), optional
        West, south, east, north, degrees; west may be the larger across the antimeridian.
    geometry : mapping or geometry, optional
        GeoJSON, or anything with ``__geo_interface__``, instead of `bbox`.
    center : (float, float), optional
        Longitude and latitude, degrees, instead of `bbox`; with `buffer`.
    buffer : float, optional
        Half the side of the square around `center`, metres.
    datetime : str, date, datetime or pair of them, optional
        A day, month or year ("2017-10-22", "2017-10", "2017"), or two with a slash between;
        ".." leaves one side open.
    collections : str or iterable of str, optional
        By default those with surface reflectance of Landsat and Sentinel-2, by the names that
        services usually give them; all, where there is none of these.
    platforms : str or iterable of str, optional
        Such as "landsat-8"; "landsat" or "sentinel-2" stand for all of a family.
    max_cloud : float, optional
        Highest cloud cover of a whole item, percent. Items that do not tell are left out.
    limit : int, optional
        Most items to return.

    Returns
    -------
    FoundScenes
        In the order of time.

    Raises
    ------
    SearchError
        If the service cannot be searched, or does not answer as STAC does.
    SourceNotFoundError, UnreachableSourceError, AccessDeniedError, UnreadableSourceError
        If nothing is there, or it cannot be had, also when tried again.
    ConfigurationError
        If the place, the time or another condition makes no sense.
    MissingDependencyError
        If the packages of the extra ``stac`` are not installed.

    Examples
    --------
    >>> import datetime, pystac
    >>> when = datetime.datetime(1988, 10, 22, 18, tzinfo=datetime.timezone.utc)
    >>> item = pystac.Item("lake", None, [-119, 38, -118, 39], when, {"platform": "landsat-5"})
    >>> found = search_scenes([item], center=(-118.7, 38.7), buffer=15000, datetime="1988")
    >>> [item.id for item in found]
    ['lake']
    >>> len(search_scenes([item], bbox=(10, 10, 11, 11)))
    0
    """
    wanted = _Wanted(
        area_of(bbox, geometry, center, buffer),
        read_period(datetime),
        _words(collections),
        _platforms(platforms),
        _percent(max_cloud),
    )
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        raise ConfigurationError(
            "The limit is not valid.", expected="a whole number above 0", got=repr(limit)
        )
    with needing_packages():
        import pystac_client  # noqa: F401  said now rather than half-way
    address = service_url(api) if isinstance(api, str) else str(api)
    found: dict[tuple[str | None, str], pystac.Item] = {}
    for number, item in enumerate(_candidates(api, address, wanted)):
        if number == MOST:
            raise SearchError(
                "The search is too wide.",
                got=f"more than {MOST} items to look at",
                remedy="Narrow the place, the dates or the collections, or pass limit=….",
            )
        if wanted.fits(item):
            found.setdefault((item.collection_id, item.id), item)
            if limit is not None and len(found) == limit:
                break
    ordered = sorted(found.values(), key=lambda item: (moment_of(item), item.id))
    return FoundScenes(ordered, area=wanted.area)


def _words(names: Iterable[str] | str | None) -> tuple[str, ...] | None:
    if names is None:
        return None
    words = (names,) if isinstance(names, str) else tuple(str(name) for name in names)
    if not words or not all(word.strip() for word in words):
        raise ConfigurationError("A list of names is empty.", got=repr(names))
    return words


def _platforms(names: Iterable[str] | str | None) -> tuple[str, ...] | None:
    words = _words(names)
    if words is None:
        return None
    found = []
    for word in words:
        try:
            found.append(find_sensor(word).platform)
        except UnknownProductError:
            found.append(str(platform_of({"platform": word})))
    return tuple(found)


def _percent(value: float | None) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number <= 100:
        raise ConfigurationError(
            "The cloud cover is not valid.", expected="percent, from 0 to 100", got=repr(value)
        )
    return number


def _candidates(api: Any, address: str, wanted: _Wanted) -> Iterator[pystac.Item]:
    """Give the items that a source may have for us; those that do not fit go later."""
    if not isinstance(api, str | Path):
        if isinstance(api, Sequence) and not api:
            return
        if not is_stac(api):
            raise ConfigurationError(
                "The archive to search is not valid.",
                expected="a URL or path, or STAC items",
                got=type(api).__name__,
            )
        yield from items_of(api)
        return
    if not is_url(address) and local_path(address).is_dir():
        address = str(local_path(address) / "catalog.json")
    document = read_document(address)
    kind = document.get("type")
    if kind in ("Feature", "FeatureCollection"):
        yield from parse_items(document, address)
    elif kind in ("Catalog", "Collection") and not _is_api(document):
        yield from _walk(address, document)
    elif kind == "Catalog" or "conformsTo" in document:
        with asking(address):
            yield from _ask(address, document, wanted)
    else:
        raise SearchError(
            f"{address!r} is not a STAC API or catalogue.",
            expected="a document of type Catalog, Collection, Feature or FeatureCollection",
            got=f"type {kind!r}" if kind else "a document without a type",
        )


def _is_api(document: Mapping[str, Any]) -> bool:
    return "conformsTo" in document or any(True for _ in _links(document, "search"))


def _links(document: Mapping[str, Any], rel: str) -> Iterator[Mapping[str, Any]]:
    links = document.get("links")
    for link in links if isinstance(links, list) else ():
        if isinstance(link, Mapping) and link.get("rel") == rel:
            yield link


def _walk(address: str, document: Mapping[str, Any]) -> Iterator[pystac.Item]:
    """Walk through a catalogue of files, the nearer ones first; each is read once."""
    from pystac.utils import make_absolute_href

    base = address if is_url(address) else str(local_path(address).absolute())
    waiting = deque([base])
    seen = {base}
    while waiting:
        place = waiting.popleft()
        found = document if place == base else read_document(place)
        if found.get("type") in ("Feature", "FeatureCollection"):
            yield from parse_items(found, place)
            continue
        if found.get("type") not in ("Catalog", "Collection"):
            raise SearchError(
                f"{place!r} is not part of a STAC catalogue.",
                expected="a document of type Catalog, Collection, Feature or FeatureCollection",
                got=f"type {found.get('type')!r}",
            )
        for link in (*_links(found, "item"), *_links(found, "child")):
            there = make_absolute_href(str(link.get("href", "")), place)
            if there not in seen:
                seen.add(there)
                waiting.append(there)


def _ask(address: str, document: Mapping[str, Any], wanted: _Wanted) -> Iterator[pystac.Item]:
    """Send the search to an API, as far as it says that it understands."""
    import warnings

    from pystac_client import Client
    from pystac_client.warnings import PystacClientWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PystacClientWarning)  # conformance is looked at here
        client = Client.open(address, stac_io=patient_io(), timeout=TIMEOUT)
    if not client.conforms_to("ITEM_SEARCH"):
        raise SearchError(
            f"{address!r} is a STAC API that cannot be searched.",
            expected="the conformance class item-search",
            got=f"{len(client.get_conforms_to())} other classes",
        )
    conditions: dict[str, Any] = {}
    if wanted.max_cloud is not None:
        if client.conforms_to("QUERY"):
            conditions["query"] = {"eo:cloud_cover": {"lte": wanted.max_cloud}}
        elif client.conforms_to("FILTER"):
            conditions["filter_lang"] = "cql2-json"
            conditions["filter"] = {
                "op": "<=",
                "args": [{"property": "eo:cloud_cover"}, wanted.max_cloud],
            }
    if wanted.period is not None:
        conditions["datetime"] = wanted.period.text()
    collections = wanted.collections or _usual(client, document, wanted)
    if collections is not None:
        conditions["collections"] = list(collections)
    for box in _boxes(wanted.area):
        search = client.search(method=_method(document), limit=100, **box, **conditions)
        for page in search.pages_as_dicts():
            yield from parse_items(page, address)


def _method(document: Mapping[str, Any]) -> str:
    """POST, unless the API offers nothing but GET."""
    offered = {str(link.get("method", "GET")).upper() for link in _links(document, "search")}
    return "GET" if offered == {"GET"} else "POST"


def _usual(client: Any, document: Mapping[str, Any], wanted: _Wanted) -> tuple[str, ...] | None:
    """Pick the collections of surface reflectance that an API has; None for all of its."""
    known = {
        str(link.get("href", "")).rstrip("/").rsplit("/", 1)[-1]
        for link in _links(document, "child")
    }
    if not known & set(USUAL_COLLECTIONS):
        known |= {collection.id for collection in client.get_collections()}
    families = {"landsat": USUAL_COLLECTIONS[:2], "sentinel-2": USUAL_COLLECTIONS[2:]}
    chosen = []
    for family, names in families.items():
        asked = wanted.platforms is None or any(one.startswith(family) for one in wanted.platforms)
        there = next((name for name in names if name in known), None)
        if asked and there is not None:
            chosen.append(there)
    return tuple(chosen) or None


def _boxes(area: BaseGeometry | None) -> list[dict[str, Any]]:
    """Say the place in ways that every API understands: no box across the antimeridian."""
    if area is None:
        return [{}]
    west, _, east, _ = area.bounds
    if west == -180 and east == 180 and hasattr(area, "geoms"):
        return [{"bbox": list(part.bounds)} for part in area.geoms]
    return [{"bbox": list(area.bounds)}]
