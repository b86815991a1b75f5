"""Items that belong together: what one satellite saw on one pass over a place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from strandline.errors import ConfigurationError, UnknownProductError
from strandline.scenes.stac.item import platform_of

if TYPE_CHECKING:
    import pystac

_DAY = re.compile(r"^\d{4}-\d\d-\d\d$")
_ONE_PASS = timedelta(minutes=45)  # half an orbit; the next one begins 99 minutes later


def moment_of(item: pystac.Item) -> datetime:
    """Give the time of an item, UTC; of items without one, a time that no other has."""
    moment = item.datetime or item.common_metadata.start_datetime
    if moment is None:
        return datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def items_named(items: Sequence[pystac.Item], name: str) -> list[pystac.Item]:
    """Give the items of an id or, if there is none, of a day, ``1988-10-22``."""
    found = [item for item in items if item.id == name]
    if not found and _DAY.match(name):
        return [item for item in items if str(item.datetime or "")[:10] == name]
    return found


def group_passes(items: Sequence[pystac.Item]) -> list[list[pystac.Item]]:
    """Group items by the pass of the satellite that they were taken on.

    Items are of one pass if they have the platform and the collection in common and lie less
    than half an orbit apart: neighbouring tiles and rows, of one day or across midnight.

    Parameters
    ----------
    items : sequence of pystac.Item

    Returns
    -------
    list of list of pystac.Item
        In the order of time, and so are the items of each; each item once.

    Examples
    --------
    >>> import pystac
    >>> at = lambda clock: datetime.fromisoformat(f"2017-10-22T{clock}+00:00")
    >>> clocks = ("18:34", "18:35", "21:00")
    >>> items = [pystac.Item(c, None, None, at(c), {"platform": "landsat-8"}) for c in clocks]
    >>> [[item.id for item in one] for one in group_passes(items)]
    [['18:34', '18:35'], ['21:00']]
    """
    groups: list[list[pystac.Item]] = []
    latest: dict[tuple[str | None, str | None], list[pystac.Item]] = {}
    for item in _unique(items):
        key = (platform_of(item.properties), item.collection_id)
        group = latest.get(key)
        if group is not None and moment_of(item) - moment_of(group[0]) < _ONE_PASS:
            group.append(item)
            continue
        latest[key] = [item]
        groups.append(latest[key])
    return groups


def _unique(items: Sequence[pystac.Item]) -> list[pystac.Item]:
    """Sort items by time; of one tile that was processed again, keep the newest."""
    newest: dict[tuple[object, ...], pystac.Item] = {}
    for item in sorted(items, key=lambda one: (_processed(one), one.id)):
        newest[_tile(item)] = item
    return sorted(newest.values(), key=lambda one: (moment_of(one), one.id))


def _tile(item: pystac.Item) -> tuple[object, ...]:
    fields = item.properties
    tile = fields.get("s2:mgrs_tile") or fields.get("grid:code")
    if tile is None:
        return (item.collection_id, item.id)
    # A tile may have two parts, of two datastrips, some seconds apart.
    return (item.collection_id, platform_of(fields), tile, str(moment_of(item))[:19])


def _processed(item: pystac.Item) -> str:
    fields = item.properties
    return str(fields.get("s2:processing_baseline") or fields.get("processing:version") or "")


def check_one_pass(items: Sequence[pystac.Item]) -> list[pystac.Item]:
    """Check that items are of one pass.

    Returns
    -------
    list of pystac.Item
        In the order of time, each once.

    Raises
    ------
    UnknownProductError
        If there is no item.
    ConfigurationError
        Naming the passes, if there are several.
    """
    passes = group_passes(items)
    if len(passes) == 1:
        return passes[0]
    if not passes:
        raise UnknownProductError(
            "There is no STAC item to open.",
            expected="items of one pass",
            got="a collection of none",
            remedy="Check the file, or search with other dates or another area.",
        )
    told = [
        f"{platform_of(one[0].properties) or 'unknown platform'} {str(moment_of(one[0]))[:10]} "
        f"({', '.join(item.id for item in one[:2])}{' …' if len(one) > 2 else ''})"
        for one in passes
    ]
    raise ConfigurationError(
        "The items are of several passes, and a scene is one.",
        expected="items of one platform and one pass",
        got=f"{len(passes)}: {'; '.join(told[:4])}" + ("; …" if len(told) > 4 else ""),
        remedy="Open them one by one, such as the .passes of what search_scenes found or "
        "'found.json:ID', and bring them together with stack_scenes(…).",
    )
