"""The whole way as a handful of calls: a configuration in, a folder of results out.

`run_study` is the table of contents of Strandline. The command line says what happens in
its words, and `replay_study` repeats it from the record it left.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

from strandline.configuration import SceneSource, StudyConfig
from strandline.errors import (
    ConfigurationError,
    MissingDependencyError,
    RecordError,
    SuspiciousSceneWarning,
)
from strandline.paths import local_path

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

    from strandline.export.naming import Naming
    from strandline.export.work import WorkFolder
    from strandline.prepare.dates import Comparability

__all__ = ["StudyConfig", "replay_study", "run_study", "study_grid"]

Progress = Callable[[str], None]
"""Is called with a stage's name when it begins."""

TileCount = Callable[[int, int], None]
"""Is called with how many tiles are labelled, and how many there are."""

Config = TypeVar("Config", bound=StudyConfig)

IN_MEMORY_BYTES = 1 << 28
"""Scenes on the common grid up to this size are read once and kept; larger ones are streamed."""


def run_study(
    config: StudyConfig | dict[str, Any],
    out: str | os.PathLike[str],
    *,
    scheduler: str | None = None,
    cache: bool | str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    on_tile: TileCount | None = None,
) -> Path:
    """Run a study and leave its results in a folder.

    Scenes larger than `IN_MEMORY_BYTES` are never in memory as a whole: they are labelled
    tile by tile. So are all scenes where an active `distributed.Client` or a `scheduler`
    does the work. If such a run is interrupted, what it had finished stays in a hidden
    folder beside the results, and the same call goes on from there. The results are the
    same to the byte, whoever made them.

    Parameters
    ----------
    config : StudyConfig or dict
        What to do.
    out : path-like
        Folder for the results. It appears, or changes, only when all of them are complete.
    scheduler : str, optional
        Address of a Dask scheduler, ``tcp://host:port``, whose workers do the work; they have
        to reach the sources of the scenes.
    cache : bool or path-like, optional
        Keep copies of remote files, as for `strandline.open_scene`.
    progress : callable, optional
        Called with the name of each stage when it begins.
    on_tile : callable, optional
        Called with the number of finished tiles, and of all, while scenes are labelled.

    Returns
    -------
    Path
        The folder; `strandline.results` says what is in it.

    Raises
    ------
    ConfigurationError
        If the configuration cannot work.
    SceneError, GridError, WaterError, OutputError
        From the stages; nothing is left behind then but finished tiles.
    SchedulerError
        If the scheduler does not answer, has no workers, or is lost.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import strandline as sl
    >>> with TemporaryDirectory() as folder:
    ...     scene, _ = sl.simulate_scene(size=(100, 100), resolution=300, path=folder)
    ...     config = {"scenes": [{"source": scene.attrs["source"]}], "n_clusters": 4}
    ...     results = sl.run_study(config, folder + "/results")
    ...     sorted(path.name for path in results.glob("*.csv"))
    ['areas.csv', 'evidence.csv', 'quality.csv', 'signatures.csv']
    """
    if not isinstance(config, StudyConfig):
        config = StudyConfig.parse(config)
    return _run(config, out, scheduler=scheduler, cache=cache, progress=progress, on_tile=on_tile)


def _run(
    config: StudyConfig,
    out: str | os.PathLike[str],
    naming: Naming | None = None,
    *,
    scheduler: str | None = None,
    cache: bool | str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    on_tile: TileCount | None = None,
) -> Path:
    """Run a study, and call its files in the record what they are called there."""
    from strandline.change import compare
    from strandline.export.record import build_record, write_record
    from strandline.export.staging import check_folder, staged_folder
    from strandline.export.work import work_folder
    from strandline.prepare.memory import hold
    from strandline.results import Results, area_table, study_quality, views_of
    from strandline.water import find_water, water_mask
    from strandline.workers import only_here, workers

    config = config.anchored()
    check_folder(out)
    _check_packages(config)
    clock = StageClock(progress)
    with workers(scheduler) as client:
        with clock("opening the scenes"):
            opened = [open_source(source, config, cache) for source in config.scenes]
            check_order(opened)
            record = record_of_inputs(config, naming)
        with work_folder(out, _key(build_record(**record))) as work:
            with clock("reading onto one grid"):
                grid = study_grid(config, opened[0])
                scenes, dates, found = together(opened, grid, config)
                if client is None:
                    scenes = in_memory(scenes)
                if found is not None:
                    record["dates"] = found.as_record()
            with clock("clustering the spectra"):
                segmentation, counts = segment_study(scenes, dates, config, work, client, on_tile)
            with clock("thinning out for the pictures"):
                views = views_of(scenes)
            with only_here(client), staged_folder(out) as folder:
                with clock("finding the water"):
                    evidence = find_water(
                        segmentation, at=config.water_at, labels=config.water_labels
                    )
                    water = hold(water_mask(segmentation, evidence))
                two = len(config.scenes) == 2
                with clock("comparing the dates" if two else "measuring the areas"):
                    change = hold(compare(water[0], water[1])) if two else None
                    areas = area_table(water, change, config.water_at)
                quality = study_quality(scenes, segmentation, areas, counts)
                with clock("writing maps, pictures and the report"):
                    results = Results(
                        config, views, segmentation, evidence, water, change, areas, quality
                    )
                    notes = results.write(folder, build_record(**record))
                complete = build_record(
                    **record, outputs=folder, timings=clock.seconds, notes=notes
                )
                write_record(complete, folder)
    return local_path(out)


def replay_study(
    record: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    scheduler: str | None = None,
    progress: Progress | None = None,
    on_tile: TileCount | None = None,
) -> int:
    """Repeat a study from its record, and check that the results are the same bytes.

    Parameters
    ----------
    record : path-like
        ``record.json`` of an earlier run, or its folder.
    out : path-like, optional
        Folder for the new results. Default: they are compared and thrown away.
    scheduler, progress, on_tile : optional
        As for `run_study`.

    Returns
    -------
    int
        How many results were compared.

    Raises
    ------
    RecordError
        If the record cannot be read, an input is gone or has changed, or a result came out
        different; each is named.
    """
    return repeat(
        record,
        out,
        StudyConfig.parse,
        partial(_run, scheduler=scheduler, progress=progress, on_tile=on_tile),
    )


def repeat(
    record: str | os.PathLike[str],
    out: str | os.PathLike[str] | None,
    parse: Callable[[dict[str, Any]], Config],
    run: Callable[[Config, str | os.PathLike[str], Naming | None], Path],
) -> int:
    """Do again what a record says, and check that the results are the same bytes.

    Parameters
    ----------
    record, out : path-like
        As for `replay_study`.
    parse : callable
        Checks the record's configuration.
    run : callable
        Takes it with its sources as they are called here, a folder, and what the record calls
        them where that is something else; gives the folder with the results.

    Returns
    -------
    int
        How many results were compared.

    Raises
    ------
    RecordError
        As `replay_study`.
    """
    from strandline import __version__
    from strandline.export.comparison import compare_outputs, verify_inputs
    from strandline.export.naming import naming_of
    from strandline.export.record import read_record

    earlier = read_record(record)
    try:
        config = parse(earlier["config"])
    except ConfigurationError as error:
        raise RecordError(
            f"The record's configuration is none: {error.problem}",
            remedy="Restore the record as it was written, or run the study anew.",
        ) from error
    beside = local_path(record)
    folders = [beside if beside.is_dir() else beside.parent, Path.cwd()]
    naming = naming_of(earlier, config, folders)
    changed = verify_inputs(earlier, files=naming.files if naming else None)
    if changed:
        raise RecordError(
            "The inputs are not those of the record: "
            + "; ".join(f"'{name}' {problem}" for name, problem in changed.items())
            + ".",
            remedy="Bring the same files back, or run the study anew.",
        )
    if naming is not None:
        config = naming.placed(config)
    with TemporaryDirectory(prefix="strandline-replay-") as scratch:
        folder = run(config, Path(scratch) / "results" if out is None else out, naming)
        different = compare_outputs(earlier, folder)
    if different:
        other = "" if earlier["strandline"] == __version__ else f" of {earlier['strandline']}"
        raise RecordError(
            "The replay gave other results: "
            + "; ".join(f"'{name}' {problem}" for name, problem in different.items())
            + ".",
            expected=f"the bytes of the record{other}",
            remedy="Compare 'packages' in the two records: other versions may round otherwise.",
        )
    return len(earlier["outputs"])


def study_grid(config: StudyConfig, first: xr.DataArray) -> GeoBox:
    """Make the common grid of a study.

    Parameters
    ----------
    config : StudyConfig
        What was asked for.
    first : DataArray
        The first scene. What was not asked for is taken from it, so that its pixels need
        no resampling.

    Returns
    -------
    GeoBox
    """
    from strandline.prepare import make_grid
    from strandline.prepare.georeference import grid_of

    own = grid_of(first)
    as_it_is = config.resolution is None and config.crs is None
    if config.center is None and config.bbox is None:
        if as_it_is:
            return own
        place: dict[str, Any] = {"geometry": own.extent}
    else:
        place = {"center": config.center, "buffer": config.buffer, "bbox": config.bbox}
        place = {name: value for name, value in place.items() if value is not None}
    if as_it_is:
        return make_grid(**place, like=first)
    same_crs = config.crs is None or own.crs == config.crs
    resolution = config.resolution
    if resolution is None and same_crs:
        resolution = abs(own.resolution.x)
    return make_grid(**place, resolution=resolution, crs=config.crs or own.crs)


class StageClock:
    """Time the stages, and tell when each begins."""

    def __init__(self, progress: Progress | None) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = progress

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        if self._progress is not None:
            self._progress(stage)
        start = time.perf_counter()
        yield
        self.seconds[stage] = time.perf_counter() - start


def open_source(
    source: SceneSource, config: StudyConfig, cache: bool | str | os.PathLike[str] | None
) -> xr.DataArray:
    """Open a scene as a study's configuration says; nothing but metadata is read."""
    from strandline.scenes import open_scene

    options = source.model_dump(exclude={"source"}, exclude_defaults=True)
    if config.mask is not None:
        options["mask"] = config.mask
    options["conflicts"] = config.conflicts
    return open_scene(source.source, cache=cache, **options)


def _check_packages(config: StudyConfig) -> None:
    """Refuse formats early that cannot be written here."""
    from strandline.export.vector import missing_packages

    if config.vectors and missing_packages():
        raise MissingDependencyError(
            f"vectors={config.vectors} needs packages that are not installed: "
            f"{', '.join(missing_packages())}.",
            remedy="Install them: pip install 'strandline[vector]'.",
        )


def check_order(opened: list[xr.DataArray]) -> None:
    """Warn of two scenes that were given in the wrong order, as far as anyone can tell."""
    dated = [scene["time"].values for scene in opened if "time" in scene.coords]
    if len(dated) == 2 and dated[0] > dated[1]:
        before, after = (str(time.astype("datetime64[D]")) for time in dated)
        warnings.warn(
            SuspiciousSceneWarning(
                f"The scene before is of {before}, the scene after of {after}: what is called "
                "lost and gained runs back in time. Swap them, unless that is meant."
            ),
            stacklevel=3,
        )


def together(
    opened: list[xr.DataArray], grid: GeoBox, config: StudyConfig
) -> tuple[xr.DataArray, list[xr.DataArray], Comparability | None]:
    """Put the scenes on one grid: all dates as one, and each by itself in its own chunks."""
    from strandline.prepare import stack_scenes
    from strandline.prepare.dates import on_one_grid

    dates, found = on_one_grid(
        opened,
        grid,
        config.resampling,
        bands=config.bands,
        to_oli=config.harmonize,
        like_first=config.normalize,
        unshift=config.correct_shift,
    )
    if len(dates) == 1 and "time" not in dates[0].coords:  # a lone scene needs no date
        platform = str(dates[0].attrs.get("platform", "unknown"))
        together = dates[0].expand_dims("time")
        return together.assign_coords(platform=("time", [platform])), dates, found
    return stack_scenes(dates, grid), dates, found


def in_memory(scenes: xr.DataArray) -> xr.DataArray:
    return scenes.compute() if scenes.nbytes <= IN_MEMORY_BYTES else scenes


def segment_study(
    scenes: xr.DataArray,
    dates: list[xr.DataArray],
    config: StudyConfig,
    work: WorkFolder,
    client: Any,
    on_tile: TileCount | None,
) -> tuple[xr.Dataset, NDArray[np.int64] | None]:
    """Segment in memory what is there, and tile by tile, counting, what is not."""
    from strandline.segmentation.segment import fit_segmentation, segment
    from strandline.streaming import stream_segmentation

    parameters: dict[str, Any] = {
        "n_clusters": config.n_clusters,
        "bands": config.bands,
        "standardize": config.standardize,
        "random_state": config.seed,
        "n_subclusters": config.n_subclusters,
    }
    if scenes.chunks is None:
        return segment(scenes, **parameters), None
    fit = partial(fit_segmentation, **parameters)
    return stream_segmentation(scenes, dates, fit, work, client=client, on_tile=on_tile)


def _key(record: dict[str, Any]) -> dict[str, Any]:
    """Take from a record what finished tiles depend on."""
    return {name: record[name] for name in ("config", "inputs", "strandline", "packages")}


def record_of_inputs(config: StudyConfig, naming: Naming | None = None) -> dict[str, Any]:
    """Collect what the record says before there are results.

    Parameters
    ----------
    config : StudyConfig
        Its sources as they are called here.
    naming : Naming, optional
        What the record calls them, where that is something else.
    """
    from strandline.export.fingerprint import fingerprint
    from strandline.scenes.inputs import source_files

    inputs = []
    for scene in config.scenes:
        files = source_files(scene.source, scene.storage_options, platform=scene.platform)
        inputs += fingerprint(files, storage_options=scene.storage_options)
    called = config if naming is None else naming.config
    return {
        "config": called.model_dump(mode="json", exclude_defaults=True),
        "seed": config.seed,
        "inputs": inputs if naming is None else naming.named(inputs),
        "command": called.command(),
        "searches": {} if naming is None else naming.searches,
    }
