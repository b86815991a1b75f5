"""The options of the commands, and what they mean to the stages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from strandline.cli.wording import quoted_patterns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

DATES = "Comparable dates"
AREA, CLUSTERING, WATER, SOURCE = "Area and grid", "Clustering", "Water", "How to read the source"


class PlainCommand(TyperCommand):
    """A command that refuses empty values, and recognises a pattern that the shell expanded."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments.

        Raises
        ------
        UsageError
            If they make no sense.
        """
        for before, word in zip(["", *args], args, strict=False):
            option, _, value = word.partition("=")
            if not word.strip() or (option.startswith("--") and "=" in word and not value.strip()):
                named = option if option.strip() else before
                hint = named if named.startswith("-") else None
                raise typer.BadParameter("The value is empty.", ctx=ctx, param_hint=hint)
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            if "unexpected extra argument" in str(error):
                refuse_expanded(given)
            raise


def refuse_expanded(arguments: Sequence[str]) -> None:
    """Refuse the single bands of a scene in place of the pattern that means all of them."""
    patterns = quoted_patterns(arguments)
    if patterns is not None:
        raise typer.BadParameter(
            "The shell has put the files of all bands in place of a pattern. Quote it: " + patterns
        )


def switch(name: str, **options: Any) -> Any:
    """Make an option that takes no value; there is no ``--no-…`` beside it."""
    # Without a metavar of its own, help would show the type of a value.
    return typer.Option(name, metavar="", **options)


Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")]
Overwrite = Annotated[
    bool,
    switch("--overwrite", help="Replace results of another run in the folder."),
]
Clusters = Annotated[
    int, typer.Option("--clusters", "-k", help="Number of clusters.", rich_help_panel=CLUSTERING)
]
Subclusters = Annotated[
    int | None,
    typer.Option(
        help="Number of subclusters that decide about water; default: 240, or --clusters if more.",
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
        help="Centre of the area, longitude first, degrees; needs --buffer.",
        rich_help_panel=AREA,
    ),
]
Buffer = Annotated[
    float | None,
    typer.Option(
        metavar="M", help="Half the side of the area, metres on the ground.", rich_help_panel=AREA
    ),
]
Bbox = Annotated[
    tuple[float, float, float, float] | None,
    typer.Option(
        metavar="W S E N",
        help="Bounds of the area, degrees, instead of a centre.",
        rich_help_panel=AREA,
    ),
]
Resolution = Annotated[
    float | None,
    typer.Option(
        metavar="M",
        help="Pixel size in units of the CRS (of Web Mercator: not metres on the ground); "
        "default: the first scene's.",
        rich_help_panel=AREA,
    ),
]
Crs = Annotated[
    str | None,
    typer.Option(
        help="CRS of the maps, such as EPSG:32611; default: that of the first scene.",
        rich_help_panel=AREA,
    ),
]
Resampling = Annotated[
    str,
    typer.Option(
        help="For scenes not on the grid: measured (nearest, unless pixels get larger), "
        "bilinear, cubic, average and others.",
        rich_help_panel=AREA,
    ),
]
WaterAt = Annotated[
    tuple[float, float] | None,
    typer.Option(
        metavar="LON LAT",
        help="A point in a lake that is also measured separately; default: water is found.",
        rich_help_panel=WATER,
    ),
]
WaterLabels = Annotated[
    str | None,
    typer.Option(
        help="Numbers of the clusters that are water, with commas; default: found from spectra.",
        rich_help_panel=WATER,
    ),
]
WaterAlso = Annotated[
    str | None,
    typer.Option(
        help="Clusters that are water besides what is found, with commas.", rich_help_panel=WATER
    ),
]
WaterWithout = Annotated[
    str | None,
    typer.Option(
        help="Clusters that are not water, whatever is found, with commas.", rich_help_panel=WATER
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
    typer.Option(
        help="Fewest pixels of a body of water among the polygons.", rich_help_panel=WATER
    ),
]
Mask = Annotated[
    str | None,
    typer.Option(
        help="Reasons to mask a pixel, with commas: fill, cloud, "
        "dilated_cloud, cirrus, cloud_shadow, snow, saturated; or none. Default: all but snow.",
        rich_help_panel=SOURCE,
    ),
]
Conflicts = Annotated[
    str,
    typer.Option(
        help="Which to trust where the quality band and the spectrum disagree about water, cloud "
        "or snow: quality or spectrum.",
        rich_help_panel=SOURCE,
    ),
]
Platform = Annotated[
    str | None,
    typer.Option(
        help="Satellite, such as landsat-5, if the source does not name it.", rich_help_panel=SOURCE
    ),
]
Scale = Annotated[
    float | None,
    typer.Option(
        help="Scale factor: reflectance = scale * number + offset.", rich_help_panel=SOURCE
    ),
]
Offset = Annotated[
    float | None, typer.Option(help="Offset of the reflectance.", rich_help_panel=SOURCE)
]
Nodata = Annotated[
    float | None,
    typer.Option(help="Nodata value of the source; -inf too.", rich_help_panel=SOURCE),
]
BandNames = Annotated[
    str | None,
    typer.Option(help="Names of the file's bands in order, with commas.", rich_help_panel=SOURCE),
]
DigitalNumbers = Annotated[
    bool,
    switch(
        "--digital-numbers",
        help="Do not convert digital numbers to reflectance.",
        rich_help_panel=SOURCE,
    ),
]
SourceCrs = Annotated[
    str | None,
    typer.Option(help="CRS of scenes that have none, such as EPSG:32611.", rich_help_panel=SOURCE),
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
        help="Address of a Dask scheduler; default: threads on this machine.",
    ),
]
Harmonize = Annotated[
    bool,
    switch(
        "--harmonize",
        help="Adjust the reflectance of all sensors to Landsat OLI.",
        rich_help_panel=DATES,
    ),
]
Normalize = Annotated[
    bool,
    switch(
        "--normalize",
        help="Normalize the later scene to the earlier by stable pixels.",
        rich_help_panel=DATES,
    ),
]
CorrectShift = Annotated[
    bool,
    switch(
        "--correct-shift",
        help="Co-register the later scene to the earlier.",
        rich_help_panel=DATES,
    ),
]
Date = Annotated[
    str | None,
    typer.Option(
        help="Acquisition date, if the source does not give it; or which one, of several.",
        rich_help_panel=SOURCE,
    ),
]

Dates = Annotated[
    str | None,
    typer.Option(help="Acquisition dates of the scenes, with commas.", rich_help_panel=SOURCE),
]

# What the command line takes over as it is, and under another name.
_OF_PLACES = (
    *("center", "buffer", "bbox", "resolution", "crs", "resampling", "water_at", "conflicts"),
)
_SAME_NAME = (*_OF_PLACES, "standardize", "seed")
_OTHER_NAME = {"clusters": "n_clusters", "subclusters": "n_subclusters"}
_IF_GIVEN = ("harmonize", "normalize", "correct_shift")


def study_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Collect what `StudyConfig` takes, besides the scenes."""
    settings = timeline_settings(given)
    settings |= {name: True for name in _IF_GIVEN if given.get(name)}
    settings |= without_none(
        {name: labels(given[name]) for name in ("water_also", "water_without")}
    )
    of_polygons = {"vectors": words_or_none(given["vectors"]), "min_pixels": given["min_pixels"]}
    return without_none(settings | of_polygons)


def timeline_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Collect what `run_timeline` takes as settings, and what a study has of them too."""
    settings = {name: given[name] for name in _SAME_NAME}
    settings |= {name: given[option] for option, name in _OTHER_NAME.items()}
    return place_settings(given) | without_none(settings | {"bands": words(given["bands"])})


def place_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Collect what has nothing to do with fitting: the place, the grid, and what is water."""
    settings = {name: given[name] for name in _OF_PLACES}
    return without_none(
        settings
        | {
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
    dated = list(dated)
    refuse_expanded([source for source, _ in dated])
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
            f"expected cluster numbers with commas, got {str(text)[:60]!r}",
            param_hint="--water-labels",
        ) from None
