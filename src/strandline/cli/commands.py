"""The commands: arguments to a study and its stages; no logic of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from strandline.cli.options import (
    SOURCE,
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
    DigitalNumbers,
    Harmonize,
    Keep,
    Mask,
    MinPixels,
    Nodata,
    Normalize,
    Offset,
    Out,
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
    scene_options,
    study_settings,
    switch,
    timeline_settings,
    without_none,
)
from strandline.cli.run import show_progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

app = typer.Typer(
    name="strandline",
    help="Water and land cover from satellite scenes, without training data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
    debug: Annotated[bool, switch("--debug", help="Show tracebacks; may stand anywhere.")] = False,
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

    with show_progress() as progress:
        demonstration = run_demo(
            out, resolution=resolution, seed=seed, progress=progress["progress"]
        )
    typer.echo(demonstration.summary())
    _say_results(out)


@app.command()
def info(
    source: Annotated[str, typer.Argument(help="File, folder, archive, pattern, catalogue, STAC.")],
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
    """Say what a source is: platform, date, size, bands; or what a catalogue holds."""
    from strandline.description import describe_source

    typer.echo(describe_source(source, scene_options(locals()), statistics=statistics))


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


@app.command()
def timeline(
    scenes: Annotated[
        list[str], typer.Argument(help="The scenes, in any order: as for `strandline info`.")
    ],
    out: Out = Path("strandline-timeline"),
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
        switch("--keep-all", help="Keep dates that do not fit in the maps."),
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
    scheduler: Scheduler = None,
) -> None:
    """Follow the water over many scenes: how much, how often, since when."""
    from strandline.series import run_timeline, summary

    given = locals()
    with show_progress() as progress:
        run_timeline(
            dated_sources(zip(scenes, days_of(dates, len(scenes)), strict=True), given),
            out,
            settings=timeline_settings(given),
            leave_out=not keep_all,
            scheduler=scheduler,
            cache=cache or None,
            progress=progress["progress"],
            on_date=progress.get("on_tile"),
        )
    typer.echo(summary(out))
    _say_results(out)


@app.command("cache")
def show_cache(
    clear: Annotated[bool, switch("--clear", help="Remove all of it.")] = False,
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
        bool,
        switch("--random-sample", help="The points were drawn at random: km²."),
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
    typer.echo(search_listing(api, without_none(conditions), out))


@app.command("app")
def serve_app(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Below these, the page may open files.")
    ] = None,
    port: Annotated[int, typer.Option(help="0 for any that is free.")] = 5006,
    no_browser: Annotated[
        bool, switch("--no-browser", help="Do not open a browser on it.")
    ] = False,
    allow: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="Also answer to this host name; may be repeated."),
    ] = None,
) -> None:
    """Look at maps and try choices in a browser, on this machine alone."""
    from strandline.app.serve import serve

    serve(folders or (), port, open_browser=not no_browser, allow=allow or (), say=typer.echo)


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

    with show_progress() as progress:
        count = repeat(record, out, scheduler=scheduler, **progress)
    typer.echo(f"All {count} results are the same, byte for byte.")
    if out is not None:
        _say_results(out)


def _study(dated: Sequence[tuple[str, str | None]], given: Mapping[str, Any]) -> None:
    """Run a study of one or two sources with their dates, and say what came out."""
    from strandline.configuration import StudyConfig
    from strandline.results import read_summary
    from strandline.study import run_study

    scenes = dated_sources(dated, given)
    config = StudyConfig.parse({"scenes": scenes, **study_settings(given)})
    with show_progress() as progress:
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
