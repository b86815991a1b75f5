"""What a search found: items, as a table, by pass, and the clearest of them."""

from __future__ import annotations

import html
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from strandline.atomic import write_text
from strandline.errors import ConfigurationError, SourceNotFoundError
from strandline.scenes.redaction import unsigned

if TYPE_CHECKING:
    import pandas as pd
    import pystac
    from shapely.geometry.base import BaseGeometry

_COLUMNS = ("id", "date", "platform", "collection", "cloud", "overlap", "preview")
_SHOWN = 50  # rows of the table in a notebook


class FoundScenes(Sequence["pystac.Item"]):
    """STAC items that a search found, in the order of time.

    A sequence of :class:`pystac.Item`; an item may be asked for by its id, too, and all
    items of a day by ``"1988-10-22"``. Addresses of files are unsigned.

    Parameters
    ----------
    items : sequence of pystac.Item
    area : shapely geometry, optional
        Of the search, longitude and latitude.

    Examples
    --------
    >>> import datetime, pystac
    >>> when = datetime.datetime(1988, 10, 22, 18, tzinfo=datetime.timezone.utc)
    >>> clear = pystac.Item("clear", None, None, when, {"eo:cloud_cover": 1.0})
    >>> cloudy = pystac.Item("cloudy", None, None, when.replace(day=6), {"eo:cloud_cover": 70.0})
    >>> found = FoundScenes([cloudy, clear])
    >>> [item.id for item in found.clearest()]
    ['clear']
    >>> found["1988-10-06"].id
    'cloudy'
    >>> found
    <FoundScenes: 2 items of 2 passes, 1988-10-06 to 1988-10-22>
    """

    def __init__(self, items: Sequence[pystac.Item], area: BaseGeometry | None = None) -> None:
        self._items = tuple(items)
        self.area = area

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[pystac.Item]:
        return iter(self._items)

    @overload
    def __getitem__(self, key: int) -> pystac.Item: ...
    @overload
    def __getitem__(self, key: str) -> pystac.Item | FoundScenes: ...
    @overload
    def __getitem__(self, key: slice) -> FoundScenes: ...
    def __getitem__(self, key: int | str | slice) -> pystac.Item | FoundScenes:
        if isinstance(key, slice):
            return FoundScenes(self._items[key], self.area)
        if isinstance(key, str):
            from strandline.scenes.stac.passes import items_named

            named = items_named(self._items, key)
            if named:
                return FoundScenes(named, self.area) if len(named) > 1 else named[0]
            raise SourceNotFoundError(
                f"No item {key!r} was found.",
                expected="one of " + ", ".join(item.id for item in self._items[:5]),
            )
        return self._items[key]

    @property
    def passes(self) -> list[FoundScenes]:
        """The items grouped by pass of the satellite: each can be opened as one scene."""
        from strandline.scenes.stac.passes import group_passes

        return [FoundScenes(group, self.area) for group in group_passes(self._items)]

    @property
    def overlap(self) -> float:
        """Share of the area that the items cover together; NaN where that is unknown."""
        from shapely import unary_union

        from strandline.scenes.stac.area import footprint_of, share_covered

        known = [footprint_of(item.geometry, item.bbox) for item in self._items]
        footprints = [one for one in known if one is not None]
        return share_covered(self.area, unary_union(footprints) if footprints else None)

    def clearest(
        self,
        n: int = 1,
        *,
        by: str = "items",
        storage_options: Mapping[str, Any] | None = None,
    ) -> FoundScenes:
        """Choose the passes that show most of the area without cloud.

        Parameters
        ----------
        n : int
            How many passes.
        by : {"items", "pixels"}
            By the cloud cover that the items tell, which is that of whole items, times the share
            of the area that they cover (without an area, by least cloud); nothing is read for it.
            Or by what the quality bands say of the area itself, which are read there, thinned to
            some 65,000 pixels: a scene that is cloudy elsewhere may be clear over the lake.
        storage_options : mapping, optional
            To read the quality bands, as for `strandline.open_scene`.

        Returns
        -------
        FoundScenes
            Their items in the order of time; with ``n=1`` they can be opened as one scene.

        Raises
        ------
        ConfigurationError
            If `n` is not a number of passes, `by` is neither, or there is no area to look at.
        SourceNotFoundError
            If nothing was found.
        SceneError
            If quality bands cannot be read.
        """
        if not isinstance(n, int) or n < 1:
            raise ConfigurationError(
                "The number of passes is not valid.", expected="a whole number above 0", got=repr(n)
            )
        if by not in ("items", "pixels"):
            raise ConfigurationError(
                "The clearest scenes cannot be chosen by this.",
                expected="'items' or 'pixels'",
                got=repr(by),
            )
        if not self._items:
            raise SourceNotFoundError(
                "Nothing was found to choose from.",
                remedy="Search with other dates, a wider area, or more cloud.",
            )
        passes = self.passes
        if by == "items":
            clear = [_clear_share(one) for one in passes]
        else:
            from strandline.scenes.stac.clearness import seen_share

            clear = [seen_share(one, storage_options=storage_options) for one in passes]
        ranked = sorted(range(len(passes)), key=lambda number: (-clear[number], number))
        items = [item for number in sorted(ranked[:n]) for item in passes[number]]
        return FoundScenes(items, self.area)

    def table(self) -> pd.DataFrame:
        """Say what was found.

        Returns
        -------
        pandas.DataFrame
            One row per item: ``id``, ``date`` (UTC), ``platform``, ``collection``, ``cloud``
            (percent of the item), ``overlap`` (share of the area that it covers), ``preview``
            (address of a picture).
        """
        import pandas as pd

        from strandline.scenes.stac.area import footprint_of, share_covered
        from strandline.scenes.stac.item import platform_of

        rows = [
            (
                item.id,
                _date(item),
                platform_of(item.properties),
                item.collection_id,
                math.nan if (cloud := cloud_of(item)) is None else cloud,
                share_covered(self.area, footprint_of(item.geometry, item.bbox)),
                _preview(item),
            )
            for item in self._items
        ]
        return pd.DataFrame(rows, columns=list(_COLUMNS))

    def to_dict(self) -> dict[str, Any]:
        """Give the items as a GeoJSON mapping, with absolute, unsigned addresses."""
        features = []
        for item in self._items:
            feature = item.to_dict(transform_hrefs=False)
            for key, asset in item.assets.items():
                feature["assets"][key]["href"] = unsigned(asset.get_absolute_href() or asset.href)
            for link in feature.get("links", ()):
                link["href"] = unsigned(str(link.get("href", "")))
            features.append(feature)
        return {"type": "FeatureCollection", "features": features}

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the items as one GeoJSON file, whole or not at all.

        ``open_scene("found.json:ID")`` opens one of them later, and so does the command line.

        Parameters
        ----------
        path : path-like
            Its name should end in ``.json``. Missing folders are made.

        Returns
        -------
        Path

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        text = json.dumps(self.to_dict(), indent=1, ensure_ascii=False) + "\n"
        return write_text(path, text)

    def __repr__(self) -> str:
        count = len(self._items)
        if not count:
            return "<FoundScenes: nothing>"
        dates = sorted(_date(item) for item in self._items)
        span = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
        passes = len(self.passes)
        return (
            f"<FoundScenes: {count} item{'s' * (count > 1)} of "
            f"{passes} pass{'es' * (passes > 1)}, {span}>"
        )

    def _repr_html_(self) -> str:
        table = self.table().head(_SHOWN)
        head = "".join(f"<th>{html.escape(name)}</th>" for name in _COLUMNS)
        body = "".join(
            "<tr>" + "".join(f"<td>{_cell(name, row[name])}</td>" for name in _COLUMNS) + "</tr>"
            for _, row in table.iterrows()
        )
        more = len(self) - len(table)
        rest = f"<p>… and {more} more</p>" if more > 0 else ""
        return (
            f"<p>{html.escape(repr(self))}</p><table><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>{rest}"
        )


def _cell(name: str, value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if name == "preview":
        address = html.escape(str(value), quote=True)
        # Nothing but the web: an address may come from anywhere.
        return f'<a href="{address}">picture</a>' if address.startswith("http") else ""
    if name == "overlap":
        return f"{value:.0%}"
    return html.escape(f"{value:.1f} %" if name == "cloud" else str(value))


def _date(item: pystac.Item) -> str:
    from strandline.scenes.stac.passes import moment_of

    return str(moment_of(item))[:10]


def cloud_of(item: pystac.Item) -> float | None:
    """Give the cloud cover of an item in percent, if it tells."""
    value = item.properties.get("eo:cloud_cover", item.properties.get("cloud_cover"))
    try:
        number = float(value)  # type: ignore[arg-type]  # what is not a number is caught
    except (TypeError, ValueError):
        return None
    return number if 0 <= number <= 100 else None  # archives write -1 for unknown


def _clear_share(found: FoundScenes) -> float:
    """Estimate which share of the area the items of a pass show without cloud."""
    from strandline.scenes.stac.area import footprint_of, share_covered

    shares, clear = [], []
    for item in found:
        share = share_covered(found.area, footprint_of(item.geometry, item.bbox))
        shares.append(1.0 if math.isnan(share) else share)
        cloud = cloud_of(item)
        clear.append(0.0 if cloud is None else 1 - cloud / 100)
    weight = sum(shares)
    mean = sum(s * c for s, c in zip(shares, clear, strict=True)) / weight if weight else 0.0
    covered = found.overlap
    return mean * (1.0 if math.isnan(covered) else covered)


def _preview(item: pystac.Item) -> str | None:
    for wanted in ("rendered_preview", "thumbnail", "preview", "reduced_resolution_browse"):
        if wanted in item.assets:
            asset = item.assets[wanted]
            return unsigned(asset.get_absolute_href() or asset.href)
    for asset in item.assets.values():
        if set(asset.roles or ()) & {"thumbnail", "overview"}:
            return unsigned(asset.get_absolute_href() or asset.href)
    return None
