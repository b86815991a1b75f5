"""The options of the commands, and what they mean to the stages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

DATES = "Comparable dates"
AREA, CLUSTERING, WATER, SOURCE = "Area and grid", "Clustering", "Water", "How to read the source"


def switch(name: str, **options: Any) -> Any:
    """Make an option that takes no value; there is no ``--no-…`` beside it."""
    # Without a metavar of its own, help would show the type of a value.
    return typer.Option(name, metavar="", **options)


Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")]
Clusters = Annotated[
    int, typer.Option("--clusters", "-k", help="Number of clusters.", rich_help_panel=CLUSTERING)
]
Subclusters = Annotated[
    int | None,
    typer.Option(
        help="How finely water is decided about, in all; default: 240, or the clusters if more.",
        rich_help_panel=WATER,
    ),
]
Seed = Annotated[int, typer.Option(help="Seed of all random choices.", rich_help_panel=CLUSTERING)]
Bands = Annotated[
    str | None,
    typer.Option(
        help="Bands to cluster by, with commas: green,nir,swir1, or as the file names them.",
        rich_help_panel=CLUSTERING,
    ),
]
Standardize = Annotated[
    str,
    typer.Option(help="How bands are scaled: global, band or robust.", rich_help_panel=CLUSTERING),
]
Center = Annotated[
    tuple[float, float] | None,
    typer.Option(
        metavar="LON LAT",
        help="Centre of the area, degrees; needs --buffer.",
        rich_help_panel=AREA,
    ),
]
Buffer = Annotated[
    float | None,
    typer.Option(metavar="M", help="Half the side of the area, metres.", rich_help_panel=AREA),
]
Bbox = Annotated[
    tuple[float, float, float, float] | None,
    typer.Option(
        metavar="W S E N",
        help="The area as bounds, degrees, instead of a centre.",
        rich_help_panel=AREA,
    ),
]
Resolution = Annotated[
    float | None,
    typer.Option(metavar="M", help="Pixel size; default: the first scene's.", rich_help_panel=AREA),
]
Crs = Annotated[
    str | None,
    typer.Option(help="CRS of the maps, EPSG:…; default: the scene's.", rich_help_panel=AREA),
]
Resampling = Annotated[
    str,
    typer.Option(
        help="For scenes not on the grid: measured (nearest, unless pixels get larger), "
        "bilinear, average, …",
        rich_help_panel=AREA,
    ),
]
WaterAt = Annotated[
    tuple[float, float] | None,
    typer.Option(
        metavar="LON LAT",
        help="A point in the water, whose lake is measured apart; default: water is found.",
        rich_help_panel=WATER,
    ),
]
WaterLabels = Annotated[
    str | None,
    typer.Option(
        help="Clusters that are water, with commas; default: found.", rich_help_panel=WATER
    ),
]
Vectors = Annotated[
    str | None,
    typer.Option(
        metavar="FORMATS",
        help="Formats of polygons and shorelines, with commas: gpkg, geojson, parquet; or none.",
        rich_help_panel=WATER,
    ),
]
MinPixels = Annotated[
    int | None,
    typer.Option(help="Smallest body of water among the polygons.", rich_help_panel=WATER),
]
Mask = Annotated[
    str | None,
    typer.Option(
        help="Reasons for which a pixel counts as not observed, with commas: fill, cloud, "
        "dilated_cloud, cirrus, cloud_shadow, snow, saturated; or none. Default: all but snow.",
        rich_help_panel=SOURCE,
    ),
]
Conflicts = Annotated[
    str,
    typer.Option(
        help="Who wins where the quality band says cloud or snow and the spectrum water, or the "
        "reverse: quality or spectrum.",
        rich_help_panel=SOURCE,
    ),
]
Platform = Annotated[
    str | None,
    typer.Option(help="Platform, if the source does not say it.", rich_help_panel=SOURCE),
]
Scale = Annotated[
    float | None, typer.Option(help="Reflectance per digital number.", rich_help_panel=SOURCE)
]
Offset = Annotated[
    float | None, typer.Option(help="Reflectance of digital number 0.", rich_help_panel=SOURCE)
]
Nodata = Annotated[
    float | None,
    typer.Option(help="Digital number of missing pixels; -inf too.", rich_help_panel=SOURCE),
]
BandNames = Annotated[
    str | None,
    typer.Option(help="Names of the file's bands in order, with commas.", rich_help_panel=SOURCE),
]
DigitalNumbers = Annotated[
    bool,
    switch(
        "--digital-numbers",
        help="Do not turn digital numbers into reflectance.",
        rich_help_panel=SOURCE,
    ),
]
SourceCrs = Annotated[
    str | None,
    typer.Option(help="CRS of scenes that do not say their own.", rich_help_panel=SOURCE),
]
Anonymous = Annotated[
    bool,
    switch("--anonymous", help="Read S3 without credentials.", rich_help_panel=SOURCE),
]
Keep = Annotated[
    bool,
    switch(
        "--cache",
        help="Keep copies of remote files on this machine (see `strandline cache`).",
        rich_help_panel=SOURCE,
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="TCP://HOST:PORT",
        help="A Dask scheduler whose workers do the work; default: the threads of this machine.",
    ),
]
Harmonize = Annotated[
    bool,
    switch(
        "--harmonize",
        help="Make all sensors' reflectance like OLI's.",
        rich_help_panel=DATES,
    ),
]
Normalize = Annotated[
    bool,
    switch(
        "--normalize",
        help="Make the later scene like the earlier, by stable pixels.",
        rich_help_panel=DATES,
    ),
]
CorrectShift = Annotated[
    bool,
    switch(
        "--correct-shift",
        help="Move the later scene to where the earlier lies.",
        rich_help_panel=DATES,
    ),
]
Date = Annotated[
    str | None,
    typer.Option(
        help="Date, if the source does not say it; or which one, of a file with several.",
        rich_help_panel=SOURCE,
    ),
]

# What the command line takes over as it is, and under another name.
_SAME_NAME = (
    *("center", "buffer", "bbox", "resolution", "crs", "resampling"),
    *("standardize", "seed", "water_at", "conflicts"),
)
_OTHER_NAME = {"clusters": "n_clusters", "subclusters": "n_subclusters"}
_IF_GIVEN = ("harmonize", "normalize", "correct_shift")


def study_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Collect what `StudyConfig` takes, besides the scenes."""
    settings = timeline_settings(given)
    settings |= {name: True for name in _IF_GIVEN if given.get(name)}
    of_polygons = {"vectors": words_or_none(given["vectors"]), "min_pixels": given["min_pixels"]}
    return without_none(settings | of_polygons)


def timeline_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Collect what `run_timeline` takes as settings, and what a study has of them too."""
    settings = {name: given[name] for name in _SAME_NAME}
    settings |= {name: given[option] for option, name in _OTHER_NAME.items()}
    return without_none(
        settings
        | {
            "bands": words(given["bands"]),
            "mask": words_or_none(given["mask"]),
            "water_labels": labels(given["water_labels"]),
        }
    )


def days_of(dates: str | None, count: int) -> Sequence[str | None]:
    """Take the dates of so many scenes apart; None for each if there are none."""
    named = words(dates)
    if named is None:
        return [None] * count
    if len(named) != count:
        raise typer.BadParameter(f"expected {count} dates, got {len(named)}", param_hint="--dates")
    return named


def dated_sources(
    dated: Iterable[tuple[str, str | None]], given: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Describe sources with their dates, and with the options of reading that all share."""
    options = scene_options(given)
    return [without_none({"source": source, "time": date, **options}) for source, date in dated]


def scene_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Collect the options of `open_scene` that were given."""
    return without_none(
        {
            "reflectance": False if given["digital_numbers"] else None,
            "band_names": words(given["band_names"]),
            "crs": given["source_crs"],
            "storage_options": {"anon": True} if given["anonymous"] else None,
            **{name: given[name] for name in ("scale", "offset", "nodata", "platform")},
        }
    )


def without_none(options: dict[str, Any]) -> dict[str, Any]:
    """Leave out what was not given."""
    return {name: value for name, value in options.items() if value is not None}


def words(text: str | None) -> list[str] | None:
    """Take words with commas between them apart."""
    return None if text is None else [word.strip() for word in text.split(",") if word.strip()]


def words_or_none(text: str | None) -> list[str] | None:
    """Take words apart; the word "none" is the empty list."""
    return [] if text == "none" else words(text)


def labels(text: str | None) -> list[int] | None:
    """Take cluster numbers with commas between them apart."""
    numbers = words(text)
    if numbers is None:
        return None
    try:
        return [int(word) for word in numbers]
    except ValueError:
        raise typer.BadParameter(
            f"expected cluster numbers with commas, got {text!r}", param_hint="--water-labels"
        ) from None
