"""What a search found, as lines of text for the command line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from strandline.errors import SearchError
from strandline.scenes.stac.found import FoundScenes
from strandline.scenes.stac.search import search_scenes
from strandline.scenes.storage import check_local


def search_listing(api: str, conditions: Mapping[str, Any], out: str | Path | None = None) -> str:
    """Search, say what was found, and save it.

    Parameters
    ----------
    api : str
        As for `strandline.search_scenes`.
    conditions : mapping
        Its further arguments.
    out : path-like, optional
        Where to save the items.

    Returns
    -------
    str
        A table, and how to open its scenes.

    Raises
    ------
    SearchError
        If nothing was found; otherwise as `strandline.search_scenes`.
    """
    check_local(api)
    found = search_scenes(api, **conditions)
    if not found:
        given = ", ".join(f"{name} {value}" for name, value in conditions.items())
        raise SearchError(
            f"Nothing was found in {api!r}" + (f" with {given}." if given else "."),
            remedy="Try a wider area, other dates or platforms, or more cloud.",
        )
    lines = [listing(found)]
    if out is not None:
        path = found.save(out)
        lines += [f"Saved in {path}. Open one by its id or its day: {path}:{found[0].id}"]
    return "\n".join(lines)


def listing(found: FoundScenes) -> str:
    """Write the table of what was found, and which pass is the clearest.

    Examples
    --------
    >>> import datetime, pystac
    >>> when = datetime.datetime(1988, 10, 22, 18, tzinfo=datetime.timezone.utc)
    >>> item = pystac.Item("lake", None, None, when, {"eo:cloud_cover": 1, "platform": "landsat-5"})
    >>> print(listing(FoundScenes([item])))
    date        platform    cloud  overlap  id
    1988-10-22  landsat-5     1 %        ?  lake
    """
    table = found.table()
    width = max(10, *(len(str(name or "")) for name in table["platform"]))
    lines = [f"{'date':<10}  {'platform':<{width}}  {'cloud':>5}  {'overlap':>7}  id"]
    for row in table.to_dict("records"):
        cloud = "?" if math.isnan(row["cloud"]) else f"{row['cloud']:.0f} %"
        overlap = "?" if math.isnan(row["overlap"]) else f"{row['overlap']:.0%}"
        platform = row["platform"] if isinstance(row["platform"], str) else "?"
        lines.append(
            f"{row['date']:<10}  {platform:<{width}}  {cloud:>5}  {overlap:>7}  {row['id']}"
        )
    if len(found) > 1:
        best = found.clearest()
        day = best.table()["date"][0]
        lines.append(f"Clearest: {day} ({', '.join(item.id for item in best)})")
    return "\n".join(lines)
