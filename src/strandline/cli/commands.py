"""The commands: arguments to a study and its stages; no logic of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from strandline.cli.options import (
    Anonymous,
    BandNames,
    Bands,
    Bbox,
    Buffer,
    Center,
    Clusters,
    Conflicts,
    CorrectShift,
    Crs,
    Date,
    Dates,
    DigitalNumbers,
    Harmonize,
    Keep,
    Mask,
    MinPixels,
    Nodata,
    Normalize,
    Offset,
    Out,
    Overwrite,
    PlainCommand,
    Platform,
    Resampling,
    Resolution,
    Scale,
    Scheduler,
    Seed,
    SourceCrs,
    Standardize,
    Subclusters,
    Vectors,
    WaterAlso,
    WaterAt,
    WaterLabels,
    WaterWithout,
    dated_sources,
    days_of,
    place_settings,
    scene_options,
    study_settings,
    switch,
    timeline_settings,
    without_none,
)
from strandline.cli.run import say, show_progress
from strandline.paths import check_there

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

app = typer.Typer(
    name="strandline",
    help="Water and land cover from satellite scenes, without training data.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


SOURCES = "A file, folder, archive, quoted pattern, catalogue or STAC item."


def _command(name: str | None = None, *, examples: Sequence[str]) -> Callable[[Any], Any]:
    """Register a command, with examples below its help."""
    shown = "\n\n".join(["Examples:", *(f"- `{example}`" for example in examples)])
    return app.command(name, cls=PlainCommand, epilog=shown)


def _version(asked: bool) -> None:
    if asked:
        from strandline import __version__

        typer.echo(f"strandline {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        switch("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
    debug: Annotated[
        bool, switch("--debug", help="Show tracebacks of errors; accepted anywhere on the line.")
    ] = False,
) -> None:
    """Water and land cover from satellite scenes, without training data."""


@_command(examples=["strandline demo", "strandline demo --resolution 90 --out small-demo"])
def demo(
    out: Out = Path("strandline-demo"),
    overwrite: Overwrite = False,
    resolution: Annotated[float, typer.Option(metavar="M", help="Pixel size.")] = 30.0,
    seed: Seed = 0,
) -> None:
    """Map how Walker Lake shrank from 1988 to 2017, on simulated scenes."""
    from strandline.demo import run_demo

    with show_progress() as progress:
        demonstration = run_demo(
            out, resolution=resolution, seed=seed, overwrite=overwrite,
            progress=progress["progress"],
        )  # fmt: skip
    say(demonstration.summary())
    _say_results(out)


@_command(
    examples=[
        "strandline info LC08_L2SP_042033_20171022_20200902_02_T1.tar",
        "strandline info 'scene/*_B*.TIF' --statistics",
        "strandline info stack.tif --scale 0.0001 --platform landsat-5",
    ]
)
def info(
    source: Annotated[
        str, typer.Argument(help="A file, folder, archive, quoted pattern, catalogue or STAC item.")
    ],
    statistics: Annotated[
        bool,
        switch("--statistics", help="Read the pixels too: range and share observed."),
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
    """Describe a source: platform, date, size and bands; or list a catalogue."""
    from strandline.description import describe_source

    say(describe_source(source, scene_options(locals()), statistics=statistics))


@_command(
    examples=[
        "strandline segment LC08_L2SP_042033_20171022_20200902_02_T1.tar --out map-2017",
        "strandline segment 'scene/*_B*.TIF' --center -118.7081 38.6942 --buffer 16500",
        "strandline segment stack.tif --scale 0.0001 --platform landsat-5 --date 1988-10-22",
    ]
)
def segment(
    source: Annotated[str, typer.Argument(help="The scene: as for `strandline info`.")],
    out: Out = Path("strandline-results"),
    overwrite: Overwrite = False,
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
    water_also: WaterAlso = None,
    water_without: WaterWithout = None,
    vectors: Vectors = None,
    min_pixels: MinPixels = None,
    harmonize: Harmonize = False,
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
    """Cluster the pixels of one scene by their spectra and map its water."""
    _study([(source, date)], locals())


@_command(
    examples=[
        "strandline change before.tar after.tar --out walker-lake",
        "strandline change before.tar after.tar --water-at -118.7081 38.6942 --clusters 12",
        "strandline change 'LT05_*_B*.TIF' 'LC08_*_B*.TIF' --bbox -118.9 38.5 -118.5 38.9",
    ]
)
def change(
    before: Annotated[str, typer.Argument(help="The earlier scene: as for `strandline info`.")],
    after: Annotated[str, typer.Argument(help="The later scene.")],
    out: Out = Path("strandline-results"),
    overwrite: Overwrite = False,
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
    water_also: WaterAlso = None,
    water_without: WaterWithout = None,
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


@_command(
    examples=[
        "strandline timeline scenes/LT05_* scenes/LC08_* --out history",
        "strandline timeline 1988.tif 2017.tif --dates 1988-10-22,2017-10-22",
    ]
)
def timeline(
    scenes: Annotated[
        list[str], typer.Argument(help="The scenes, in any order: as for `strandline info`.")
    ],
    out: Out = Path("strandline-timeline"),
    overwrite: Overwrite = False,
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
    keep_all: Annotated[
        bool,
        switch("--keep-all", help="Keep outlier dates in the maps."),
    ] = False,
    mask: Mask = None,
    conflicts: Conflicts = "quality",
    dates: Dates = None,
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
    """Map and measure water over many dates: areas, occurrence, transitions."""
    from strandline.series import run_timeline, summary

    given = locals()
    with show_progress() as progress:
        run_timeline(
            dated_sources(zip(scenes, days_of(dates, len(scenes)), strict=True), given),
            out,
            settings=timeline_settings(given),
            leave_out=not keep_all,
            overwrite=overwrite,
            scheduler=scheduler,
            cache=cache or None,
            progress=progress["progress"],
            on_date=progress.get("on_tile"),
        )
    say(summary(out))
    _say_results(out)


@_command(
    examples=[
        "strandline apply map-2017/model.npz LC08_L2SP_042033_20181025_02_T1.tar --out map-2018",
        "strandline apply walker-lake/model.npz scenes/LC08_* --water-at -118.7081 38.6942",
    ]
)
def apply(
    model: Annotated[
        Path, typer.Argument(help="The model.npz of an earlier run, its evidence.csv beside it.")
    ],
    scenes: Annotated[
        list[str], typer.Argument(help="The scenes, in any order: as for `strandline info`.")
    ],
    out: Out = Path("strandline-applied"),
    overwrite: Overwrite = False,
    center: Center = None,
    buffer: Buffer = None,
    bbox: Bbox = None,
    resolution: Resolution = None,
    crs: Crs = None,
    resampling: Resampling = "measured",
    water_at: WaterAt = None,
    water_labels: WaterLabels = None,
    mask: Mask = None,
    conflicts: Conflicts = "quality",
    dates: Dates = None,
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
    """Map the water of other scenes by a fitted model, without fitting again."""
    from strandline.applying import run_apply

    given = locals()
    with show_progress() as progress:
        run_apply(
            model,
            dated_sources(zip(scenes, days_of(dates, len(scenes)), strict=True), given),
            out,
            settings=place_settings(given),
            overwrite=overwrite,
            cache=cache or None,
            progress=progress["progress"],
        )
    from strandline.results.areas import read_areas

    say(read_areas(out))
    _say_results(out)


@_command("cache", examples=["strandline cache", "strandline cache --clear"])
def show_cache(
    clear: Annotated[bool, switch("--clear", help="Remove all copies.")] = False,
) -> None:
    """Show where copies of remote files and unpacked archives are kept, and their size."""
    from strandline.scenes.cache import cache_folder, cache_size, clear_cache

    size = clear_cache() if clear else cache_size()
    say(f"{cache_folder()}: {size / 1e6:.1f} MB{' removed' if clear else ''}")


@_command(
    examples=[
        "strandline assess walker-lake/water_2017-10-22.tif truth.tif",
        "strandline assess walker-lake/change.tif points.csv --random-sample --out assessed",
    ]
)
def assess(
    mapped: Annotated[
        Path, typer.Argument(metavar="MAP", help="A water mask, or another map of classes.")
    ],
    reference: Annotated[
        Path,
        typer.Argument(
            help="A raster of the same classes, or points: CSV with lon,lat,class, or vector data."
        ),
    ],
    random_sample: Annotated[
        bool,
        switch(
            "--random-sample", help="The points are a random sample: estimate areas with intervals."
        ),
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the result.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Assess the accuracy of a map against a reference."""
    for path in (mapped, reference):
        check_there(path)
    from strandline.export.assessment import assess_files

    assess_files(mapped, reference, out, random_sample=random_sample, overwrite=overwrite, say=say)


@_command(
    examples=[
        "strandline search planetary-computer --center -118.7081 38.6942 --buffer 16500 "
        "--datetime 2017-10 --platform landsat-8 --max-cloud 20 --out found.json",
        "strandline change found.json:1988-10-22 found.json:2017-10-22",
    ]
)
def search(
    api: Annotated[
        str,
        typer.Argument(
            help="URL of a STAC API or catalogue, planetary-computer, earth-search, or a file."
        ),
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
        list[str] | None, typer.Option(help="Satellite, such as landsat-8; may be repeated.")
    ] = None,
    max_cloud: Annotated[
        float | None, typer.Option(metavar="%", help="Largest cloud cover of a scene.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Largest number of scenes to list.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="JSON file for what was found.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Find scenes of a place and time in a STAC archive."""
    from strandline.scenes.stac.listing import search_listing

    conditions = {
        "center": center, "buffer": buffer, "bbox": bbox, "datetime": datetime,
        "collections": collection, "platforms": platform, "max_cloud": max_cloud, "limit": limit,
    }  # fmt: skip
    search_listing(api, without_none(conditions), out, overwrite=overwrite, say=say)


@_command("app", examples=["strandline app landsat-scenes", "strandline app --port 0"])
def serve_app(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Folders whose files the app may open.")
    ] = None,
    port: Annotated[int, typer.Option(help="Port of the server; 0 for any that is free.")] = 5006,
    no_browser: Annotated[bool, switch("--no-browser", help="Do not open a browser.")] = False,
    allow: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="Also answer to this host name; may be repeated."),
    ] = None,
    address: Annotated[
        str, typer.Option(metavar="IP", help="Listen on it; 0.0.0.0: on all. There is no login.")
    ] = "127.0.0.1",
) -> None:
    """Start the app in a browser; by default it is served on this machine only."""
    from strandline.app.serve import serve

    serve(
        folders or (), port, address=address, open_browser=not no_browser, allow=allow or (),
        say=say,
    )  # fmt: skip


@_command(
    examples=[
        "strandline replay walker-lake/record.json",
        "strandline replay walker-lake --out walker-lake-again",
    ]
)
def replay(
    record: Annotated[Path, typer.Argument(help="The record.json of an earlier run.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for the new results; default: compare only."),
    ] = None,
    overwrite: Overwrite = False,
    scheduler: Scheduler = None,
) -> None:
    """Repeat a run from its record and check that the results are the same bytes."""
    check_there(record)
    from strandline.series import replay as repeat

    with show_progress() as progress:
        count = repeat(record, out, overwrite=overwrite, scheduler=scheduler, **progress)
    say(f"All {count} results are the same, byte for byte.")
    if out is not None:
        _say_results(out)


def _study(dated: Sequence[tuple[str, str | None]], given: Mapping[str, Any]) -> None:
    """Run a study of one or two sources with their dates, and say what came out."""
    from strandline.configuration import StudyConfig
    from strandline.study import run_study

    scenes = dated_sources(dated, given)
    config = StudyConfig.parse({"scenes": scenes, **study_settings(given)})
    with show_progress() as progress:
        run_study(
            config,
            given["out"],
            overwrite=given["overwrite"],
            scheduler=given["scheduler"],
            cache=given["cache"] or None,
            **progress,
        )
    from strandline.results import read_summary

    say(read_summary(given["out"]))
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
            say(f"{what + ':':<8}{found[0]}")
    say(f"All results are in {out}; record.json repeats them (strandline replay).")
