"""What a search found, as lines of text for the command line."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from strandline.errors import OutputError, SearchError
from strandline.paths import local_path
from strandline.scenes.stac.found import FoundScenes
from strandline.scenes.stac.search import search_scenes
from strandline.scenes.storage import check_local


def search_listing(
    api: str,
    conditions: Mapping[str, Any],
    out: str | Path | None = None,
    *,
    overwrite: bool = False,
    say: Callable[[str], None] | None = None,
) -> str:
    """Search, say what was found, and save it.

    Parameters
    ----------
    api : str
        As for `strandline.search_scenes`.
    conditions : mapping
        Its further arguments.
    out : path-like, optional
        Where to save the items.
    overwrite : bool
        Whether a file may be replaced that lists other items, or is not a list of items.
    say : callable, optional
        Called with the table before it is saved, so that it is not lost if it cannot be.

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
            remedy="Try a wider area (longitude comes first), other dates or platforms, or more "
            "cloud.",
        )
    lines = [listing(found)]
    if say is not None:
        say(lines[0])
    if out is not None:
        if not overwrite:
            _keep_another(found, local_path(out))
        path = found.save(out)
        lines += [f"Saved in {path}. Open one by its id or its day: {path}:{found[0].id}"]
        if say is not None:
            say(lines[1])
    return "\n".join(lines)


def _keep_another(found: FoundScenes, path: Path) -> None:
    """Refuse to replace a file of which something would be lost: all but an older such list."""
    if not path.is_file():
        return
    try:
        listed = {str(item["id"]) for item in json.loads(path.read_bytes())["features"]}
    except (OSError, ValueError, TypeError, KeyError):
        listed = None
    if listed is None or not listed <= {item.id for item in found}:
        holds = (
            "is not a list of scenes" if listed is None else "lists scenes that were not found now"
        )
        raise OutputError(
            f"'{path}' is there already, and {holds}.",
            remedy="Choose another file, or pass overwrite=True to replace it.",
        )


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
