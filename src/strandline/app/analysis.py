"""A study step by step, in memory: what a changed choice does not touch is not done again.

The stages are those of `strandline.study.run_study`, called one by one, so that marking a
cluster as water takes no new clustering, and another number of clusters no new reading. What
they return is never changed afterwards: pages that ask for the same share it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import xarray as xr

from strandline.app.job import Job
from strandline.app.outcome import Clustered, Outcome, Prepared
from strandline.app.preview import preview_step, thin_study
from strandline.app.shared import Shared
from strandline.configuration import StudyConfig
from strandline.errors import StrandlineError
from strandline.plot.zoom import Raster

if TYPE_CHECKING:
    from strandline.app.library import Library

_OF_WATER = ("water_at", "water_labels", "water_also", "water_without", "vectors", "min_pixels")
_OF_CLUSTERS = ("n_clusters", "n_subclusters", "standardize", "seed", "bands")


def analyse(
    config: StudyConfig,
    library: Library,
    shared: Shared,
    job: Job,
    on_preview: Callable[[Outcome], None] | None = None,
) -> Outcome:
    """Go the whole way of a study, as far as it was not gone before.

    Parameters
    ----------
    config : StudyConfig
        Its sources as `Library.locate` returns them.
    library : Library
        Says which files may be read.
    shared : Shared
        What was found before.
    job : Job
        Is told how far the work is.
    on_preview : callable, optional
        Called, of large scenes that have to be clustered, with what a few of their pixels show.

    Returns
    -------
    Outcome

    Raises
    ------
    AccessDeniedError
        If a source leads outside the library.
    SceneError, GridError, InvalidDataError, WaterError, …
        As from `strandline.study.run_study`.
    """
    job.begin("opening the scenes")
    files = _files_of(config, library)
    of_scenes = _without(config, (*_OF_WATER, *_clustering_fields(config))), files
    of_clusters = _without(config, _OF_WATER), files
    opened = shared.get("opened", of_scenes, lambda: _open(config), job)
    again = shared.has("prepared", of_scenes)
    step = preview_step(config, opened, again=again)
    if step > 1 and on_preview is not None and not shared.has("clustered", of_clusters):
        # What there is to say, and what goes wrong, comes with all pixels.
        with job.unheard(), suppress(StrandlineError):
            coarse, thinned = thin_study(config, opened, step)
            thin = shared.get(
                "thinned", of_scenes, lambda: _prepare(coarse, thinned, job, step), job
            )
            kinds = shared.get("kinds", of_clusters, lambda: _cluster(coarse, thin, job), job)
            on_preview(replace(_find(coarse, thin, kinds, job), config=config))
    prepared = shared.get("prepared", of_scenes, lambda: _prepare(config, opened, job), job)
    clustered = shared.get("clustered", of_clusters, lambda: _cluster(config, prepared, job), job)
    # Of a whole scene, finding the water and measuring it takes seconds, too.
    key = config.model_dump_json(), files
    outcome: Outcome = shared.get(
        "found", key, lambda: _find(config, prepared, clustered, job), job
    )
    return outcome


def _open(config: StudyConfig) -> list[xr.DataArray]:
    from strandline.stages import check_order, open_source

    # Whichever are chosen to cluster by: scenes stay open when the choice changes.
    every = config.model_copy(update={"bands": None})
    opened = [open_source(source, every, None) for source in config.scenes]
    check_order(opened)
    return opened


def _prepare(config: StudyConfig, opened: list[xr.DataArray], job: Job, step: int = 1) -> Prepared:
    from strandline.results import views_of
    from strandline.stages import in_memory, study_grid, together

    job.begin("reading onto one grid")
    grid = study_grid(config, opened[0])
    scenes, dates, found = together(opened, grid, config)
    scenes = in_memory(scenes)
    job.begin("reducing the scenes for pictures")
    comparability = None if found is None else found.as_record()
    return Prepared(scenes, dates, views_of(scenes), comparability, step)


def _cluster(config: StudyConfig, prepared: Prepared, job: Job) -> Clustered:
    from strandline.export.work import work_folder
    from strandline.stages import segment_study

    job.begin("clustering the spectra")
    with (
        TemporaryDirectory(prefix="strandline-app-") as scratch,
        work_folder(Path(scratch) / "results", {}) as work,
    ):
        segmentation, counts = segment_study(
            prepared.scenes, prepared.dates, config, work, None, job.count
        )
        # Tiles are packed, and may lie in the folder that goes.
        return Clustered(segmentation.compute(), counts)


def _find(config: StudyConfig, prepared: Prepared, clustered: Clustered, job: Job) -> Outcome:
    from strandline.change import areas, compare
    from strandline.results import area_table, study_quality
    from strandline.water import find_water, water_mask

    segmentation = clustered.segmentation
    job.begin("finding the water")
    evidence = find_water(segmentation, **config.water())
    water = water_mask(segmentation, evidence)
    job.begin("measuring areas")
    change = compare(water[0], water[1]) if len(config.scenes) == 2 else None
    table = area_table(water, change, config.water_at)
    by_date = areas(water, intervals=True)
    quality = study_quality(prepared.scenes, segmentation, table, clustered.counts)
    job.begin("drawing the map")
    classes = _classes(segmentation, water, change)
    return Outcome(
        config=config,
        prepared=prepared,
        segmentation=segmentation,
        evidence=evidence,
        water=water,
        change=change,
        classes=classes,
        areas=table,
        by_date=by_date,
        quality=quality,
    )


def _classes(
    segmentation: xr.Dataset, water: xr.DataArray, change: xr.DataArray | None
) -> list[Raster]:
    """Put the layers of each date together; what large ones show from afar is made here."""
    more = {} if change is None else {"change": change}
    rasters = [
        Raster({"cluster": labels, "water": mask, **more})
        for labels, mask in zip(segmentation["labels"], water, strict=True)
    ]
    for raster in rasters:
        if raster.is_large:
            raster.overview  # noqa: B018  # kept from now on
    return rasters


def _files_of(config: StudyConfig, library: Library) -> tuple[Any, ...]:
    """Check the files of all sources, and say which versions of them there are."""
    versions: list[Any] = []
    for scene in config.scenes:
        for file in library.check(scene):
            path = Path(file)
            state = path.stat() if path.exists() else None
            versions.append((file, state and (state.st_mtime_ns, state.st_size)))
    return tuple(versions)


def _clustering_fields(config: StudyConfig) -> tuple[str, ...]:
    """Name what does not matter before clustering; bands do if dates are made comparable."""
    if config.harmonize or config.normalize:
        return tuple(name for name in _OF_CLUSTERS if name != "bands")
    return _OF_CLUSTERS


def _without(config: StudyConfig, names: tuple[str, ...]) -> str:
    return config.model_dump_json(exclude=set(names))
