"""The command line: arguments to a study and its stages; no logic of its own.

Errors are one readable message and exit code 2; ``--debug`` shows the traceback.
"""

from __future__ import annotations

import re
import signal
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

app = typer.Typer(
    name="strandline",
    help="Water and land cover from satellite scenes, without training data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143

# What the library's parameters are called here, for messages that name them.
_OPTIONS_OF = {
    "band_names": ("--band-names",),
    "bands": ("--bands",),
    "platform": ("--platform",),
    "scale": ("--scale",),
    "offset": ("--offset",),
    "nodata": ("--nodata",),
    "reflectance": ("--digital-numbers",),
    "storage_options": ("--anonymous",),
    "mask": ("--mask",),
    "conflicts": ("--conflicts",),
    "time": ("--date", "--date-before", "--date-after"),
    "resolution": ("--resolution",),
    "n_clusters": ("--clusters",),
    "n_subclusters": ("--subclusters",),
    "at": ("--water-at",),
    "labels": ("--water-labels",),
}

DATES = "Comparable dates"
AREA, CLUSTERING, WATER, SOURCE = "Area and grid", "Clustering", "Water", "How to read the source"

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
        help="Bands to cluster by, with commas: green,nir08,swir16.", rich_help_panel=CLUSTERING
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
    float | None, typer.Option(help="Digital number of missing pixels.", rich_help_panel=SOURCE)
]
BandNames = Annotated[
    str | None,
    typer.Option(help="Names of the file's bands in order, with commas.", rich_help_panel=SOURCE),
]
DigitalNumbers = Annotated[
    bool,
    typer.Option(
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
    typer.Option("--anonymous", help="Read S3 without credentials.", rich_help_panel=SOURCE),
]
Keep = Annotated[
    bool,
    typer.Option(
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
    typer.Option(
        "--harmonize", help="Make all sensors' reflectance like OLI's.", rich_help_panel=DATES
    ),
]
Normalize = Annotated[
    bool,
    typer.Option(
        "--normalize",
        help="Make the later scene like the earlier, by stable pixels.",
        rich_help_panel=DATES,
    ),
]
CorrectShift = Annotated[
    bool,
    typer.Option(
        "--correct-shift",
        help="Move the later scene to where the earlier lies.",
        rich_help_panel=DATES,
    ),
]
Date = Annotated[
    str | None,
    typer.Option(help="Date, if the source does not say it.", rich_help_panel=SOURCE),
]


class _Terminated(KeyboardInterrupt):
    """The system asked us to end; that is done as tidily as on Ctrl-C."""


def main() -> None:
    """Run the command line; errors become a message and an exit code."""
    debug = "--debug" in sys.argv
    arguments = [word for word in sys.argv[1:] if word != "--debug"]
    signal.signal(signal.SIGTERM, _terminate)
    warnings.showwarning = _show_warning
    try:
        app(arguments, prog_name="strandline")
    except BrokenPipeError:
        # The reader of our output (`| head`) has gone; that is no error of ours.
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        from strandline.errors import StrandlineError

        if debug:
            raise
        if not isinstance(error, StrandlineError):
            _complain(
                f"Unexpected {type(error).__name__}: {error}\n"
                "This is a fault of Strandline; run again with --debug and report what it says."
            )
            sys.exit(1)
        notes = getattr(error, "__notes__", [])
        _complain(" ".join([f"Error: {error}", *_options_named(error, arguments), *notes]))
        sys.exit(EXIT_ERROR)


def _terminate(number: int, frame: object) -> None:
    raise _Terminated


_show_plainly = warnings.showwarning


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Say our own warnings in a line, without the place in the code that others' come with."""
    from strandline.errors import StrandlineWarning

    if issubclass(category, StrandlineWarning):
        _complain(f"Warning: {message}")
    else:
        _show_plainly(message, category, filename, lineno, file, line)


def _options_named(error: Exception, arguments: Sequence[str]) -> list[str]:
    """Say what the parameters that an error speaks of are called on the command line."""
    from strandline.errors import MissingCRSError

    commands = getattr(typer.main.get_command(app), "commands", {})
    command = commands.get(next((word for word in arguments if not word.startswith("-")), ""))
    there = {option for parameter in getattr(command, "params", ()) for option in parameter.opts}
    crs = ("--source-crs",) if isinstance(error, MissingCRSError) else ("--crs",)
    names = re.findall(r"\b([a-z_]+)=|\b(storage_options)\b", str(error))
    found = [
        option
        for name in dict.fromkeys(first or second for first, second in names)
        for option in {**_OPTIONS_OF, "crs": crs}.get(name, ())
        if option in there
    ]
    return [f"(Here: {', '.join(found)}.)"] if found else []


def _complain(message: str) -> None:
    typer.echo(message, err=True)


def _version(asked: bool) -> None:
    if asked:
        from strandline import __version__

        typer.echo(f"strandline {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks; may stand anywhere.")
    ] = False,
) -> None:
    """Water and land cover from satellite scenes, without training data."""


@app.command()
def demo(
    out: Out = Path("strandline-demo"),
    resolution: Annotated[float, typer.Option(metavar="M", help="Pixel size.")] = 30.0,
    seed: Seed = 0,
) -> None:
    """Map how Walker Lake shrank from 1988 to 2017, on simulated scenes."""
    from strandline.demo import run_demo

    with _progress() as progress:
        demonstration = run_demo(
            out, resolution=resolution, seed=seed, progress=progress["progress"]
        )
    typer.echo(demonstration.summary())
    _say_results(out)


@app.command()
def info(
    source: Annotated[str, typer.Argument(help="File, folder, archive, pattern, catalogue, STAC.")],
    statistics: Annotated[
        bool, typer.Option("--statistics", help="Read the pixels too: range and share observed.")
    ] = False,
    digital_numbers: DigitalNumbers = False,
    scale: Scale = None,
    offset: Offset = None,
    nodata: Nodata = None,
    band_names: BandNames = None,
    platform: Platform = None,
    source_crs: SourceCrs = None,
    anonymous: Anonymous = False,
) -> None:
    """Say what a source is: platform, date, size, bands; or what a catalogue holds."""
    from strandline.description import describe_source

    typer.echo(describe_source(source, _scene_options(locals()), statistics=statistics))


@app.command()
def segment(
    source: Annotated[str, typer.Argument(help="The scene: as for `strandline info`.")],
    out: Out = Path("strandline-results"),
    clusters: Clusters = 8,
    subclusters: Subclusters = None,
    center: Center = None,
    buffer: Buffer = None,
    bbox: Bbox = None,
    resolution: Resolution = None,
    crs: Crs = None,
    resampling: Resampling = "measured",
    bands: Bands = None,
    standardize: Standardize = "band",
    seed: Seed = 0,
    water_at: WaterAt = None,
    water_labels: WaterLabels = None,
    vectors: Vectors = None,
    min_pixels: MinPixels = None,
    mask: Mask = None,
    conflicts: Conflicts = "quality",
    date: Date = None,
    digital_numbers: DigitalNumbers = False,
    scale: Scale = None,
    offset: Offset = None,
    nodata: Nodata = None,
    band_names: BandNames = None,
    platform: Platform = None,
    source_crs: SourceCrs = None,
    anonymous: Anonymous = False,
    cache: Keep = False,
    scheduler: Scheduler = None,
) -> None:
    """Cluster one scene by its spectra and map its water."""
    _study([(source, date)], locals())


@app.command()
def change(
    before: Annotated[str, typer.Argument(help="The earlier scene: as for `strandline info`.")],
    after: Annotated[str, typer.Argument(help="The later scene.")],
    out: Out = Path("strandline-results"),
    clusters: Clusters = 8,
    subclusters: Subclusters = None,
    center: Center = None,
    buffer: Buffer = None,
    bbox: Bbox = None,
    resolution: Resolution = None,
    crs: Crs = None,
    resampling: Resampling = "measured",
    bands: Bands = None,
    standardize: Standardize = "band",
    seed: Seed = 0,
    water_at: WaterAt = None,
    water_labels: WaterLabels = None,
    vectors: Vectors = None,
    min_pixels: MinPixels = None,
    harmonize: Harmonize = False,
    normalize: Normalize = False,
    correct_shift: CorrectShift = False,
    mask: Mask = None,
    conflicts: Conflicts = "quality",
    date_before: Date = None,
    date_after: Date = None,
    digital_numbers: DigitalNumbers = False,
    scale: Scale = None,
    offset: Offset = None,
    nodata: Nodata = None,
    band_names: BandNames = None,
    platform: Platform = None,
    source_crs: SourceCrs = None,
    anonymous: Anonymous = False,
    cache: Keep = False,
    scheduler: Scheduler = None,
) -> None:
    """Map where water was lost and gained between two scenes."""
    _study([(before, date_before), (after, date_after)], locals())


@app.command()
def timeline(
    scenes: Annotated[
        list[str], typer.Argument(help="The scenes, in any order: as for `strandline info`.")
    ],
    out: Out = Path("strandline-timeline"),
    clusters: Clusters = 8,
    center: Center = None,
    buffer: Buffer = None,
    bbox: Bbox = None,
    resolution: Resolution = None,
    crs: Crs = None,
    resampling: Resampling = "measured",
    seed: Seed = 0,
    water_at: WaterAt = None,
    water_labels: WaterLabels = None,
    keep_all: Annotated[
        bool, typer.Option("--keep-all", help="Keep dates that do not fit in the maps.")
    ] = False,
    mask: Mask = None,
    conflicts: Conflicts = "quality",
    dates: Annotated[
        str | None, typer.Option(help="Dates of the scenes, with commas.", rich_help_panel=SOURCE)
    ] = None,
    digital_numbers: DigitalNumbers = False,
    scale: Scale = None,
    offset: Offset = None,
    nodata: Nodata = None,
    band_names: BandNames = None,
    platform: Platform = None,
    source_crs: SourceCrs = None,
    anonymous: Anonymous = False,
    cache: Keep = False,
) -> None:
    """Follow the water over many scenes: how much, how often, since when."""
    from strandline.series import run_timeline, summary

    given = locals()
    named = _words(dates)
    days: list[str | None] = [None] * len(scenes) if named is None else list(named)
    if len(days) != len(scenes):
        raise typer.BadParameter(
            f"expected {len(scenes)} dates, got {len(days)}", param_hint="--dates"
        )
    same = (
        *("center", "buffer", "bbox", "resolution", "crs", "resampling", "seed", "conflicts"),
        "water_at",
    )
    settings = {name: given[name] for name in same} | {
        "n_clusters": clusters,
        "mask": _words_or_none(mask),
        "water_labels": _labels(water_labels),
    }
    with _progress() as progress:
        run_timeline(
            _dated_sources(zip(scenes, days, strict=True), given),
            out,
            settings=_without_none(settings),
            leave_out=not keep_all,
            cache=cache or None,
            progress=progress["progress"],
            on_date=progress.get("on_tile"),
        )
    typer.echo(summary(out))
    _say_results(out)


@app.command("cache")
def show_cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove all of it.")] = False,
) -> None:
    """Say where copies of remote files and unpacked archives are kept, and how large they are."""
    from strandline.scenes.cache import cache_folder, cache_size, clear_cache

    size = clear_cache() if clear else cache_size()
    typer.echo(f"{cache_folder()}: {size / 1e6:.1f} MB{' removed' if clear else ''}")


@app.command()
def assess(
    mapped: Annotated[Path, typer.Argument(metavar="MAP", help="A mask, or a map of classes.")],
    reference: Annotated[
        Path, typer.Argument(help="A raster of the same classes, or points: CSV lon,lat,class; …")
    ],
    random_sample: Annotated[
        bool, typer.Option("--random-sample", help="The points were drawn at random: km².")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the result.")] = None,
) -> None:
    """Say how well a map agrees with a reference."""
    from strandline.export.assessment import assess_files

    typer.echo(assess_files(mapped, reference, out, random_sample=random_sample))


@app.command()
def search(
    api: Annotated[
        str, typer.Argument(help="URL of a STAC API or catalogue, planetary-computer, a file, …")
    ],
    center: Center = None,
    buffer: Buffer = None,
    bbox: Bbox = None,
    datetime: Annotated[
        str | None, typer.Option(metavar="WHEN", help="2017, 2017-10-22, or FROM/TO.")
    ] = None,
    collection: Annotated[
        list[str] | None, typer.Option(help="May be repeated; default: surface reflectance.")
    ] = None,
    platform: Annotated[
        list[str] | None, typer.Option(help="Such as landsat-8; may be repeated.")
    ] = None,
    max_cloud: Annotated[
        float | None, typer.Option(metavar="%", help="Highest cloud cover of a scene.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Most scenes to list.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="JSON file for what was found.")
    ] = None,
) -> None:
    """Find scenes of a place and time in a STAC archive."""
    from strandline.scenes.stac.listing import search_listing

    conditions = {
        "center": center, "buffer": buffer, "bbox": bbox, "datetime": datetime,
        "collections": collection, "platforms": platform, "max_cloud": max_cloud, "limit": limit,
    }  # fmt: skip
    typer.echo(search_listing(api, _without_none(conditions), out))


@app.command()
def replay(
    record: Annotated[Path, typer.Argument(help="The record.json of an earlier run.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for the new results; default: compare only."),
    ] = None,
    scheduler: Scheduler = None,
) -> None:
    """Repeat a run from its record and check that every byte is the same."""
    from strandline.series import replay as repeat

    with _progress() as progress:
        count = repeat(record, out, scheduler=scheduler, **progress)
    typer.echo(f"All {count} results are the same, byte for byte.")
    if out is not None:
        _say_results(out)


# Parameters of a study that the command line takes over as they are, and under another name.
_SAME_NAME = (
    *("center", "buffer", "bbox", "resolution", "crs", "resampling"),
    *("standardize", "seed", "water_at", "conflicts", "min_pixels"),
)
_IF_GIVEN = ("harmonize", "normalize", "correct_shift")
_OTHER_NAME = {"clusters": "n_clusters", "subclusters": "n_subclusters"}


def _study(dated: Sequence[tuple[str, str | None]], given: Mapping[str, Any]) -> None:
    """Run a study of one or two sources with their dates, and say what came out."""
    from strandline.configuration import StudyConfig
    from strandline.results import read_summary
    from strandline.study import run_study

    scenes = _dated_sources(dated, given)
    settings = {name: given[name] for name in _SAME_NAME}
    settings |= {name: True for name in _IF_GIVEN if given.get(name)}
    settings |= {name: given[option] for option, name in _OTHER_NAME.items()}
    settings |= {
        "bands": _words(given["bands"]),
        "mask": _words_or_none(given["mask"]),
        "vectors": _words_or_none(given["vectors"]),
        "water_labels": _labels(given["water_labels"]),
    }
    config = StudyConfig.parse({"scenes": scenes, **_without_none(settings)})
    with _progress() as progress:
        run_study(
            config,
            given["out"],
            scheduler=given["scheduler"],
            cache=given["cache"] or None,
            **progress,
        )
    typer.echo(read_summary(given["out"]))
    _say_results(given["out"])


_SHOWN = {
    "Map": ("change.png", "water.png"),
    "Chart": ("timeline.png",),
    "Report": ("report.html",),
}


def _say_results(out: Path) -> None:
    for what, names in _SHOWN.items():
        found = [out / name for name in names if (out / name).exists()]
        if found:
            typer.echo(f"{what + ':':<8}{found[0]}")
    typer.echo(f"All results are in {out}; record.json repeats them (strandline replay).")


def _dated_sources(
    dated: Iterable[tuple[str, str | None]], given: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Describe sources with their dates, and with the options of reading that all share."""
    options = _scene_options(given)
    return [_without_none({"source": source, "time": date, **options}) for source, date in dated]


def _scene_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Collect the options of `open_scene` that were given."""
    return _without_none(
        {
            "reflectance": False if given["digital_numbers"] else None,
            "band_names": _words(given["band_names"]),
            "crs": given["source_crs"],
            "storage_options": {"anon": True} if given["anonymous"] else None,
            **{name: given[name] for name in ("scale", "offset", "nodata", "platform")},
        }
    )


def _without_none(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _words(text: str | None) -> list[str] | None:
    return None if text is None else [word.strip() for word in text.split(",") if word.strip()]


def _words_or_none(text: str | None) -> list[str] | None:
    """Take words apart; the word "none" is the empty list."""
    return [] if text == "none" else _words(text)


def _labels(text: str | None) -> list[int] | None:
    words = _words(text)
    if words is None:
        return None
    try:
        return [int(word) for word in words]
    except ValueError:
        raise typer.BadParameter(
            f"expected cluster numbers with commas, got {text!r}", param_hint="--water-labels"
        ) from None


@contextmanager
def _progress() -> Iterator[dict[str, Any]]:
    """Show each stage with a bar of its tasks or tiles; plain lines where there is no terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    try:
        if not console.is_terminal:
            yield {"progress": lambda stage: typer.echo(f"{stage} …", err=True)}
            return
        from strandline.progress import stage_bars

        with stage_bars(console) as bars:
            yield {"progress": bars.begin, "on_tile": bars.count}
    except KeyboardInterrupt as interruption:
        # Caught here, since Typer's own handling says nothing and differs between versions.
        kept = getattr(interruption, "__notes__", ["Nothing half-finished was left behind."])
        _complain(" ".join(["Interrupted.", *kept]))
        terminated = isinstance(interruption, _Terminated)
        raise typer.Exit(EXIT_TERMINATED if terminated else EXIT_INTERRUPTED) from None
