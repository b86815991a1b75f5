"""Run a study: a configuration in, a folder of results out.

`run_study` calls the stages of Strandline in their order; the command line calls it, and
`replay_study` repeats a study from its record.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strandline.configuration import StudyConfig
from strandline.errors import MissingDependencyError, how_to_install
from strandline.paths import local_path
from strandline.replay import check_results, record_of_inputs, repeat
from strandline.stages import (
    Progress,
    StageClock,
    TileCount,
    check_bands,
    check_order,
    check_settings,
    check_sources,
    check_water_at,
    in_memory,
    open_source,
    segment_study,
    simulated_text,
    study_grid,
    together,
    with_common_names,
)

if TYPE_CHECKING:
    from strandline.export.naming import Naming

__all__ = ["StudyConfig", "replay_study", "run_study"]


def run_study(
    config: StudyConfig | dict[str, Any],
    out: str | os.PathLike[str],
    *,
    overwrite: bool = False,
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
    overwrite : bool
        Whether results of another run in this folder may be replaced. Those of the same run,
        with the same inputs and parameters, always may.
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
    OutputError
        If the folder cannot be written, or holds the results of another run.
    SceneError, GridError, WaterError
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
    return _run(
        config, out, overwrite=overwrite, scheduler=scheduler, cache=cache, progress=progress,
        on_tile=on_tile,
    )  # fmt: skip


def _run(
    config: StudyConfig,
    out: str | os.PathLike[str],
    naming: Naming | None = None,
    *,
    overwrite: bool = False,
    scheduler: str | None = None,
    cache: bool | str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    on_tile: TileCount | None = None,
) -> Path:
    """Run a study, and call its files in the record what they are called there."""
    config = config.anchored()
    check_sources(config)  # before the imports, which take seconds
    from strandline.change import compare
    from strandline.change.pixel_area import pixel_metres
    from strandline.export.record import STUDY, build_record, write_record
    from strandline.export.staging import check_folder, staged_folder
    from strandline.export.work import work_folder
    from strandline.prepare.memory import hold
    from strandline.prepare.oversampling import finer_grid_text, warn_of_finer_grid
    from strandline.results import Results, area_table, study_quality, views_of
    from strandline.water import find_water, water_mask
    from strandline.workers import only_here, workers

    check_folder(out)
    check_settings(config)
    check_results(out, config, naming, task=STUDY, overwrite=overwrite)
    _check_packages(config)
    clock = StageClock(progress)
    with workers(scheduler) as client:
        with clock("opening the scenes"):
            opened = [open_source(source, config, cache) for source in config.scenes]
            check_order(opened)
            record = record_of_inputs(config, naming)
            check_results(
                out, config, naming, task=STUDY, overwrite=overwrite, inputs=record["inputs"]
            )
            config = with_common_names(config, opened)
            check_bands(config, opened)
            grid = study_grid(config, opened[0])
            check_water_at(config, grid)
        with work_folder(out, _key(build_record(**record))) as work:
            with clock("reading onto one grid"):
                scenes, dates, found = together(opened, grid, config)
                if client is None:
                    scenes = in_memory(scenes)
                if found is not None:
                    record["dates"] = found.as_record()
                warn_of_finer_grid(scenes, pixel_metres(grid))
            with clock("clustering the spectra"):
                segmentation, counts = segment_study(scenes, dates, config, work, client, on_tile)
            with clock("reducing the scenes for pictures"):
                views = views_of(scenes)
            with only_here(client), staged_folder(out) as folder:
                with clock("finding the water"):
                    evidence = find_water(segmentation, **config.water())
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
                    notes += filter(None, [finer_grid_text(scenes, pixel_metres(grid))])
                    notes += filter(None, [simulated_text(opened)])
                complete = build_record(
                    **record, outputs=folder, timings=clock.seconds, notes=notes
                )
                write_record(complete, folder)
    return local_path(out)


def replay_study(
    record: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    overwrite: bool = False,
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
    overwrite, scheduler, progress, on_tile : optional
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
        partial(_run, overwrite=overwrite, scheduler=scheduler, progress=progress, on_tile=on_tile),
    )


def _check_packages(config: StudyConfig) -> None:
    """Refuse formats early that cannot be written here."""
    from strandline.export.vector import missing_packages

    if config.vectors and missing_packages():
        raise MissingDependencyError(
            f"vectors={config.vectors} needs packages that are not installed: "
            f"{', '.join(missing_packages())}.",
            remedy=how_to_install("vector"),
        )


def _key(record: dict[str, Any]) -> dict[str, Any]:
    """Take from a record what finished tiles depend on."""
    return {name: record[name] for name in ("config", "inputs", "strandline", "packages")}
