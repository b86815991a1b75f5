"""Say in plain words what a source is, before anything is computed from it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from strandline.paths import check_there

if TYPE_CHECKING:
    import xarray as xr

_CATALOG_FILE = re.compile(r"\.ya?ml$", re.IGNORECASE)


def describe_source(
    source: str, options: Mapping[str, Any] | None = None, *, statistics: bool = False
) -> str:
    """Describe a scene, or the sources of a catalogue.

    Parameters
    ----------
    source : str
        As for `strandline.open_scene`, or the path of a catalogue.
    options : mapping, optional
        Further arguments of `strandline.open_scene`.
    statistics : bool
        Also read the pixels: range of each band, share observed, and what was not and why.

    Returns
    -------
    str
        A few lines.

    Raises
    ------
    SceneError
        As `strandline.open_scene`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import strandline as sl
    >>> with TemporaryDirectory() as folder:
    ...     scene, _ = sl.simulate_scene(size=(100, 120), resolution=300, path=folder)
    ...     print(describe_source(scene.attrs["source"]).splitlines()[1])
    platform    landsat-5, tm
    """
    check_there(source)
    if _CATALOG_FILE.search(source):
        return _describe_catalog(source)
    from strandline.scenes import open_scene
    from strandline.scenes.stac.listing import listing
    from strandline.scenes.stac.source import passes_of

    if len(passes := passes_of(source)) > 1:
        return f"{listing(passes)}\nOpen one by its id or its day: {source}:{passes[0].id}"
    if len(dates := _dates_in(source, options)) > 1:
        return _describe_dates(source, dates)
    asked: dict[str, Any] = {"conflicts": "quality"} if statistics else {}
    scene = open_scene(source, **asked, **(options or {}))
    lines = [f"source      {scene.attrs['source']}", *_facts(scene)]
    if statistics:
        lines += ["", *_statistics(scene), "", *_quality(scene)]
    return "\n".join(lines)


def _dates_in(source: str, options: Mapping[str, Any] | None) -> list[tuple[str, str | None]]:
    """Name the dates of a file that holds several; none if one was picked already."""
    from strandline.scenes.open import dated_sources

    given = options or {}
    if given.get("time") is not None:
        return []
    return dated_sources(source, given.get("storage_options"))


def _describe_dates(source: str, dates: list[tuple[str, str | None]]) -> str:
    days = [time or one.removeprefix(f"{source}:") for one, time in dates]
    lines = [f"source      {source}, {len(days)} dates", *(f"  {day}" for day in days)]
    first, time = dates[0]
    return "\n".join(
        [*lines, f"Open one by its date: {first}" + (f" --date {time}" if time else "")]
    )


def _describe_catalog(path: str) -> str:
    from strandline.scenes import open_catalog

    catalog = open_catalog(path)
    width = max((len(name) for name in catalog), default=0)
    lines = [f"catalogue   {path}, {len(catalog)} sources"]
    for name in catalog:
        needed = ", ".join(catalog[name].parameters)
        about = catalog[name].description + (f" (parameters: {needed})" if needed else "")
        lines.append(f"  {name:<{width}}  {about}")
    lines.append(f"Open one with its name: {path}:NAME")
    return "\n".join(lines)


def _facts(scene: xr.DataArray) -> list[str]:
    from pyproj import Transformer

    from strandline.prepare.georeference import crs_of, describe_crs, grid_of

    grid = grid_of(scene)
    rows, columns = grid.shape
    to_degrees = Transformer.from_crs(crs_of(grid), "EPSG:4326", always_xy=True)
    west, south, east, north = to_degrees.transform_bounds(*grid.boundingbox.bbox)
    attrs = scene.attrs
    sensor = ", ".join(str(attrs[key]) for key in ("platform", "instrument") if key in attrs)
    time = str(scene["time"].values.astype("datetime64[s]")) if "time" in scene.coords else ""
    facts = {
        "platform": sensor or "not known",
        "time": time or "not known",
        "level": attrs.get("processing_level", "not known"),
        "values": "reflectance" if attrs.get("units") == "1" else "stored numbers",
        "bands": " ".join(str(name) for name in scene["band"].values),
        "size": f"{rows} rows × {columns} columns",
        "pixel": f"{abs(grid.resolution.x):g} × {abs(grid.resolution.y):g} {_unit(grid)}",
        "crs": describe_crs(grid.crs),
        "bounds": f"longitude {west:.4f} … {east:.4f}, latitude {south:.4f} … {north:.4f}",
        "masked": attrs.get("masked", "").replace(" ", ", ") or "nodata only",
    }
    if "left_out" in attrs:
        facts["left out"] = str(attrs["left_out"])
    return [f"{name:<11} {value}" for name, value in facts.items()]


def _unit(grid: Any) -> str:
    return "degrees" if grid.crs.geographic else "m"


def _statistics(scene: xr.DataArray) -> list[str]:
    """Read the pixels once; one line per band."""
    from dask.base import compute

    from strandline.scenes import check_scene

    check_scene(scene)
    with warnings.catch_warnings():
        # NumPy's words for a band of which nothing was observed; the table says it as 0.0%.
        warnings.filterwarnings("ignore", "All-NaN|Mean of empty slice", RuntimeWarning)
        parts = compute(  # type: ignore[no-untyped-call]  # Dask is untyped
            *[reduction(("y", "x")) for reduction in (scene.min, scene.mean, scene.max)],
            scene.notnull().mean(("y", "x")),
        )
    lines = [f"{'band':<11} {'min':>9} {'mean':>9} {'max':>9} {'observed':>9}"]
    for name in scene["band"].values:
        low, mean, high, share = (float(part.sel(band=name)) for part in parts)
        range_of = "".join(
            f" {value:9.4f}" if share else f" {'–':>9}" for value in (low, mean, high)
        )
        lines.append(f"{name:<11}{range_of} {share:9.1%}")
    return lines


def _quality(scene: xr.DataArray) -> list[str]:
    """Read the pixels once more; one line per reason."""
    from strandline.scenes.counts import quality_table

    table = quality_table(scene)
    lines = [f"{'what':<24} {'pixels':>12} {'share':>8}"]
    for what, pixels, share in zip(table["what"], table["pixels"], table["share"], strict=True):
        lines.append(f"{str(what).replace('_', ' '):<24} {pixels:>12,} {share:>8.2%}")
    return lines
