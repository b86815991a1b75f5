"""What is a source of STAC items, and which items it names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strandline.errors import SourceNotFoundError, UnknownProductError, UnreadableSourceError
from strandline.paths import local_path
from strandline.scenes.stac.found import FoundScenes
from strandline.scenes.stac.service import needing_packages, read_document
from strandline.scenes.storage import is_url

if TYPE_CHECKING:
    import pystac

_NAMED = re.compile(r"^(?P<path>.+\.(?:geo)?json):(?P<name>[^/\\]+)$", re.IGNORECASE)
_FILE = re.compile(r"\.(?:geo)?json$", re.IGNORECASE)
_ITEM_OF_API = re.compile(r"^https?://.+/collections/[^/]+/items/[^/?]+$")


def is_stac(source: Any) -> bool:
    """Whether something names STAC items: a JSON file, an item of an API, or items in memory.

    Examples
    --------
    >>> is_stac("found.json:LC08_042033"), is_stac("https://a.example/collections/c/items/x")
    (True, True)
    >>> is_stac("scene.tif"), is_stac(["B4.tif", "B5.tif"])
    (False, False)
    """
    if isinstance(source, str | Path):
        text = str(source)
        return bool(_NAMED.match(text) or _FILE.search(text) or _ITEM_OF_API.match(text))
    return _is_item(source) or _is_collection(source)


def _is_item(thing: Any) -> bool:
    if isinstance(thing, Mapping):
        return thing.get("type") in ("Feature", "FeatureCollection")
    return type(thing).__module__.partition(".")[0] == "pystac" and hasattr(thing, "assets")


def _is_collection(thing: Any) -> bool:
    if isinstance(thing, FoundScenes):
        return True
    if type(thing).__module__.partition(".")[0] == "pystac" and hasattr(thing, "items"):
        return True
    return (
        isinstance(thing, Sequence)
        and not isinstance(thing, str)
        and len(thing) > 0
        and all(_is_item(one) for one in thing)
    )


def passes_of(source: str) -> FoundScenes:
    """Give the items of a saved search; nothing where a source is something else.

    What is wrong with it is left to be said where it is opened.
    """
    if not is_stac(source):
        return FoundScenes([])
    from strandline.errors import SceneError
    from strandline.scenes.stac.passes import group_passes

    try:
        items = items_of(source)
    except SceneError:
        return FoundScenes([])
    return FoundScenes(items if len(group_passes(items)) > 1 else [])


def split_name(source: str) -> tuple[str, str | None]:
    """Take ``found.json:ID`` apart.

    Examples
    --------
    >>> split_name("found.json:1988-10-22"), split_name("https://a.example/found.json")
    (('found.json', '1988-10-22'), ('https://a.example/found.json', None))
    """
    named = _NAMED.match(source)
    return (named["path"], named["name"]) if named else (source, None)


def items_of(source: Any) -> list[pystac.Item]:
    """Give the items that a source names.

    Parameters
    ----------
    source : str, Path, pystac.Item, mapping, or collection of items
        A path may be followed by a colon and the id of an item, or the date of a pass.

    Returns
    -------
    list of pystac.Item

    Raises
    ------
    SourceNotFoundError
        If nothing is there, or no item of that name.
    UnreadableSourceError, UnknownProductError
        If it is not an item and no collection of items.
    """
    if isinstance(source, str | Path):
        path, name = split_name(str(source))
        items = parse_items(read_document(path), path)
        return items if name is None else _named(items, name, path)
    with needing_packages():
        import pystac
    if isinstance(source, pystac.Item):
        return [source]
    if isinstance(source, Mapping):
        return parse_items(source, "<mapping>")
    found: list[pystac.Item] = []
    for one in source:
        found += items_of(one)
    if not found:
        raise SourceNotFoundError(
            "There is no item to open.", remedy="Search with other dates, or a wider area."
        )
    return found


def _named(items: Sequence[pystac.Item], name: str, path: str) -> list[pystac.Item]:
    from strandline.scenes.stac.passes import items_named

    found = items_named(items, name)
    if not found:
        ids = [item.id for item in items]
        raise SourceNotFoundError(
            f"{path!r} has no item {name!r}.",
            expected="one of "
            + ", ".join(ids[:5])
            + (f" and {len(ids) - 5} more" if len(ids) > 5 else ""),
            remedy=None if ids else "It has no items at all.",
        )
    return found


def parse_items(document: Mapping[str, Any], address: str) -> list[pystac.Item]:
    """Make items of a JSON document.

    Parameters
    ----------
    document : mapping
        An item, or a collection of items.
    address : str
        Where it is: addresses of files in it may be relative to that.

    Returns
    -------
    list of pystac.Item

    Raises
    ------
    UnknownProductError
        If it is another kind of document.
    UnreadableSourceError
        If an item is damaged.
    """
    kind = document.get("type")
    if kind == "FeatureCollection":
        features: Any = document.get("features")
        if not isinstance(features, list):
            features = [None]
    elif kind == "Feature":
        features = [document]
    else:
        raise UnknownProductError(
            f"{address!r} holds no STAC items.",
            expected="an item (type Feature) or a collection of items (FeatureCollection)",
            got=f"type {kind!r}" if kind else "a document without a type",
            remedy="Search a catalogue or an API with search_scenes(…) first."
            if kind in ("Catalog", "Collection")
            else None,
        )
    return [_item(feature, address) for feature in features]


def _item(feature: Any, address: str) -> pystac.Item:
    with needing_packages():
        import pystac
    try:
        item = pystac.Item.from_dict(dict(feature))
        if any(not isinstance(asset.href, str) for asset in item.assets.values()):
            raise ValueError("an asset without href")
    except (pystac.STACError, KeyError, TypeError, ValueError, AttributeError) as error:
        name = feature.get("id") if isinstance(feature, Mapping) else None
        raise UnreadableSourceError(
            f"{address!r} holds a damaged STAC item" + (f", {name!r}" if name else "") + ".",
            got=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
        ) from error
    if not address.startswith("<"):
        _place(item, address)
    return item


def _place(item: pystac.Item, address: str) -> None:
    """Make relative addresses of files absolute: they count from where the item was read."""
    with needing_packages():
        from pystac.utils import is_absolute_href, make_absolute_href
    base = address if is_url(address) else str(local_path(address).absolute())
    itself = item.get_self_href()
    for asset in item.assets.values():
        if not is_absolute_href(asset.href):
            # In a collection of items that was saved, each counts from its own place.
            own = itself if itself and is_url(itself) else base
            asset.href = make_absolute_href(asset.href, own)
    if itself is None or not is_absolute_href(itself):
        item.set_self_href(base)
