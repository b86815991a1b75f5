"""A folder of results as a STAC item, so that catalogues and GIS find what is in it.

Follows STAC 1.1.0 with the extensions projection 2.0.0, classification 2.0.0 and processing
1.2.0. The addresses are relative: the folder may be moved.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj

from strandline.atomic import write_json
from strandline.errors import MetadataError
from strandline.export.staging import RECORD_NAME
from strandline.paths import local_path
from strandline.prepare.classes import NOT_OBSERVED
from strandline.prepare.georeference import crs_of, turn_of, turned

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

    from strandline.show.palettes import Palette

ITEM_NAME = "item.json"

_EXTENSIONS = [
    f"https://stac-extensions.github.io/{name}/schema.json"
    for name in ("projection/v2.0.0", "classification/v2.0.0", "processing/v1.2.0")
]

_DIGITS = 7  # of a degree: a centimetre

_KINDS: dict[str, tuple[str, list[str]]] = {
    ".tif": ("image/tiff; application=geotiff; profile=cloud-optimized", ["data"]),
    ".gpkg": ("application/geopackage+sqlite3", ["data"]),
    ".geojson": ("application/geo+json", ["data"]),
    ".parquet": ("application/vnd.apache.parquet", ["data"]),
    ".nc": ("application/x-netcdf", ["data"]),
    ".csv": ("text/csv", ["data"]),
    ".png": ("image/png", ["overview"]),
    ".html": ("text/html", ["overview"]),
    ".json": ("application/json", ["metadata"]),
    ".xml": ("application/xml", ["metadata"]),
    ".qml": ("application/xml", ["metadata"]),
    ".npz": ("application/octet-stream", ["metadata"]),
}


def write_item(
    folder: str | os.PathLike[str],
    grid: GeoBox,
    times: Sequence[Any],
    *,
    palettes: Mapping[str, Palette] | None = None,
    title: str | None = None,
    lineage: str | None = None,
) -> Path:
    """Describe the files of a folder in its ``item.json``.

    Parameters
    ----------
    folder : path-like
        The results. All its files become assets.
    grid : GeoBox
        Of the rasters.
    times : sequence of datetime64
        When the scenes were acquired (UTC).
    palettes : mapping of str to Palette, optional
        Classes of each raster, by file name.
    title, lineage : str, optional
        What it is, and how it was made.

    Returns
    -------
    Path
        The file. Its bytes depend on the names and the parameters only.

    Raises
    ------
    MetadataError
        If no time is known: an item has to have one.
    OutputError
        If the file cannot be written.

    Examples
    --------
    >>> import json
    >>> from tempfile import TemporaryDirectory
    >>> from strandline.testing.lakes import lake_grid
    >>> with TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "areas.csv").write_text("water")
    ...     item = json.loads(write_item(folder, lake_grid(), ["1988-10-22"]).read_text())
    >>> item["properties"]["datetime"], item["assets"]["areas.csv"]["href"]
    ('1988-10-22T00:00:00Z', './areas.csv')
    """
    place = local_path(folder)
    names = {p.relative_to(place).as_posix() for p in place.rglob("*") if p.is_file()}
    # The record comes last, when this file is there already.
    names = (names | {RECORD_NAME}) - {ITEM_NAME}
    found = _moments(times)
    item = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": _EXTENSIONS,
        "id": _identifier(title, found),
        **_footprint(grid),
        "properties": {
            **_when(found),
            **({"title": title} if title else {}),
            **_projection(grid),
            **_processing(lineage),
        },
        "links": [],
        "assets": _assets(sorted(names), palettes or {}),
    }
    return write_json(place / ITEM_NAME, item)


def _moments(times: Sequence[Any]) -> list[str]:
    """Write times as RFC 3339, in order."""
    known = np.array(times, "M8[s]")
    known = np.sort(known[~np.isnat(known)])
    if not known.size:
        raise MetadataError(
            "A STAC item has to have a time, and none of the scenes has one.",
            remedy="Say it: open_scene(…, time='2017-10-22').",
        )
    return [f"{moment}Z" for moment in known.astype(str).tolist()]


def _identifier(title: str | None, moments: list[str]) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "-", title or "strandline").strip("-").lower()
    ends = (moments[0], moments[-1])  # a name stays a name, however many dates there are
    return "_".join([words, *dict.fromkeys(moment[:10] for moment in ends)])


def _when(moments: list[str]) -> dict[str, Any]:
    if moments[0] == moments[-1]:
        return {"datetime": moments[0]}
    return {"datetime": None, "start_datetime": moments[0], "end_datetime": moments[-1]}


def _footprint(grid: GeoBox) -> dict[str, Any]:
    """Give the outline of the map in longitude and latitude, and the box around it."""
    geometry = _outline(grid)
    parts = getattr(geometry, "geoms", [geometry])
    west, south, east, north = (round(edge, _DIGITS) for edge in geometry.bounds)
    if len(parts) > 1:
        # It crosses the antimeridian: the box begins at the westernmost edge, east of it.
        sides = [part.bounds for part in parts]
        west = round(min(side[0] for side in sides if side[0] > 0), _DIGITS)
        east = round(max(side[2] for side in sides if side[2] < 0), _DIGITS)
    rings = [
        [[[round(x, _DIGITS), round(y, _DIGITS)] for x, y in _anticlockwise(part.exterior)]]
        for part in parts
    ]
    shape = (
        {"type": "Polygon", "coordinates": rings[0]}
        if len(rings) == 1
        else {"type": "MultiPolygon", "coordinates": rings}
    )
    return {"geometry": shape, "bbox": [west, south, east, north]}


def _outline(grid: GeoBox) -> Any:
    """Draw the outline of a map in longitudes from -180 to 180; cut where it crosses 180."""
    # Straight edges of the map are bent on the Earth: with points between the corners.
    step = _longest_edge(grid) / 8
    turn = turn_of(grid.crs) if grid.crs is not None else None
    grid = turned(grid, 0.0)
    west, _, east, _ = grid.boundingbox.bbox
    if turn is None or max(-west, east) <= turn / 2:
        return grid.extent.to_crs("EPSG:4326", resolution=step, wrapdateline=True).geom
    import shapely
    from shapely.geometry import Polygon

    from strandline.scenes.stac.area import cut_at_antimeridian

    to_degrees = pyproj.Transformer.from_crs(crs_of(grid), "EPSG:4326", always_xy=True)
    middle, _ = to_degrees.transform(0.0, 0.0)
    edge = shapely.segmentize(grid.extent.geom, step)  # type: ignore[no-untyped-call]  # untyped
    x, y = shapely.get_coordinates(edge).T
    # x is a longitude, or in proportion to one, also where it goes on beyond a whole turn.
    longitude, latitude = middle + x / turn * 360, to_degrees.transform(x % turn, y)[1]
    return cut_at_antimeridian(Polygon(np.column_stack([longitude, latitude])))  # type: ignore[no-untyped-call]  # untyped


def _longest_edge(grid: GeoBox) -> float:
    west, south, east, north = grid.boundingbox.bbox
    return float(max(east - west, north - south))


def _anticlockwise(ring: Any) -> list[tuple[float, float]]:
    points = [(float(x), float(y)) for x, y, *_ in ring.coords]
    return points if ring.is_ccw else points[::-1]


def _projection(grid: GeoBox) -> dict[str, Any]:
    crs = crs_of(grid)
    code = crs.to_authority()
    known = (
        {"proj:code": ":".join(code)} if code else {"proj:code": None, "proj:wkt2": crs.to_wkt()}
    )
    return {
        **known,
        "proj:shape": [int(size) for size in grid.shape],
        "proj:transform": [float(number) for number in tuple(grid.affine)[:6]],
        "proj:bbox": [float(edge) for edge in grid.boundingbox.bbox],
    }


def _processing(lineage: str | None) -> dict[str, Any]:
    told = {"processing:lineage": lineage} if lineage else {}
    return {
        "processing:level": "L3",
        "processing:software": {"Strandline": version("strandline")},
        **told,
    }


def _assets(names: list[str], palettes: Mapping[str, Palette]) -> dict[str, Any]:
    assets: dict[str, Any] = {}
    for name in names:
        media, roles = _KINDS.get(Path(name).suffix, ("application/octet-stream", ["metadata"]))
        key = name.removesuffix(".tif")  # the rasters are what it is about
        asset: dict[str, Any] = {"href": f"./{name}", "type": media, "roles": roles}
        if name in palettes:
            asset["classification:classes"] = _classes(palettes[name])
        assets[key] = asset
    return assets


def _classes(palette: Palette) -> list[dict[str, Any]]:
    """List the classes: the names are those in the raster's own ``flag_meanings``."""
    classes: list[dict[str, Any]] = [
        {
            "value": category.value,
            "name": category.machine_name,
            "description": category.name,
            "color_hint": category.colour.removeprefix("#").upper(),
        }
        for category in palette.categories
    ]
    unseen = {
        "value": NOT_OBSERVED,
        "name": "not_observed",
        "description": "not observed",
        "nodata": True,
    }
    return [*classes, unseen]
