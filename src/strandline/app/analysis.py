"""A study step by step, in memory: what a changed choice does not touch is not done again.

The stages are those of `strandline.study.run_study`, called one by one, so that marking a
cluster as water takes no new clustering, and another number of clusters no new reading. What
they return is never changed afterwards: pages that ask for the same share it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from strandline.app.job import Job
from strandline.configuration import StudyConfig

if TYPE_CHECKING:
    from strandline.app.library import Library
    from strandline.results import Results

KEPT_RESULTS = 3
"""Prepared scenes, and segmentations, that a server keeps for whoever asks for the same again."""

_OF_WATER = ("water_at", "water_labels", "vectors", "min_pixels")
_OF_CLUSTERS = ("n_clusters", "n_subclusters", "standardize", "seed", "bands")


@dataclass(frozen=True)
class Prepared:
    """Scenes on their common grid.

    Attributes
    ----------
    scenes : DataArray of shape (time, band, y, x)
        Reflectance; in memory, or lazy if it is large.
    dates : list of DataArray of shape (band, y, x)
        The same one by one.
    views : DataArray of shape (time, band, y, x)
        Thinned out for pictures.
    comparability : mapping or None
        How far two dates lie apart, for the record.
    """

    scenes: xr.DataArray
    dates: list[xr.DataArray]
    views: xr.DataArray
    comparability: dict[str, Any] | None


@dataclass(frozen=True)
class Clustered:
    """A segmentation, its maps in memory, and the pixels by quality flags if they were counted."""

    segmentation: xr.Dataset
    counts: NDArray[np.int64] | None


@dataclass(frozen=True)
class Outcome:
    """All that a study found.

    Attributes
    ----------
    config : StudyConfig
        That it belongs to.
    prepared : Prepared
    segmentation : Dataset
        From `strandline.segment`.
    evidence : DataFrame
        From `strandline.find_water`.
    water : DataArray of uint8, shape (time, y, x)
    change : DataArray of uint8, shape (y, x), or None
        For two scenes.
    areas : DataFrame
        From `strandline.results.area_table`.
    by_date : DataFrame
        From `strandline.areas` of the masks, with intervals.
    quality : DataFrame
        From `strandline.results.study_quality`.
    """

    config: StudyConfig
    prepared: Prepared
    segmentation: xr.Dataset
    evidence: pd.DataFrame
    water: xr.DataArray
    change: xr.DataArray | None
    areas: pd.DataFrame
    by_date: pd.DataFrame
    quality: pd.DataFrame

    def results(self) -> Results:
        """Give what `strandline.study.run_study` would write."""
        from strandline.results import Results

        return Results(
            self.config,
            self.prepared.views,
            self.segmentation,
            self.evidence,
            self.water,
            self.change,
            self.areas,
            self.quality,
        )


class Shared:
    """What several pages may need: each thing is made once, by whoever asks first."""

    def __init__(self, most: int = KEPT_RESULTS) -> None:
        self._most = most
        self._kept: dict[str, OrderedDict[Any, Any]] = {}
        self._making: dict[Any, threading.Lock] = {}
        self._access = threading.Lock()

    def get(self, kind: str, key: Any, make: Callable[[], Any]) -> Any:
        """Give a thing of a kind, made now if it is not kept."""
        found = self._look(kind, key)
        if found is not None:
            return found
        with self._only_one((kind, key)):
            found = self._look(kind, key)
            if found is None:
                found = make()
                with self._access:
                    things = self._kept.setdefault(kind, OrderedDict())
                    things[key] = found
                    while len(things) > self._most:
                        things.popitem(last=False)
        return found

    def _look(self, kind: str, key: Any) -> Any:
        with self._access:
            things = self._kept.get(kind, OrderedDict())
            if key in things:
                things.move_to_end(key)
                return things[key]
        return None

    @contextmanager
    def _only_one(self, key: Any) -> Iterator[None]:
        with self._access:
            lock = self._making.setdefault(key, threading.Lock())
        with lock:
            yield
        with self._access:
            self._making.pop(key, None)


def analyse(config: StudyConfig, library: Library, shared: Shared, job: Job) -> Outcome:
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
    key = (_without(config, (*_OF_WATER, *_clustering_fields(config))), files)
    prepared = shared.get("prepared", key, lambda: _prepare(config, job))
    key = (_without(config, _OF_WATER), files)
    clustered = shared.get("clustered", key, lambda: _cluster(config, prepared, job))
    # Of a whole scene, finding the water and measuring it takes seconds, too.
    key = (config.model_dump_json(), files)
    outcome: Outcome = shared.get("found", key, lambda: _find(config, prepared, clustered, job))
    return outcome


def _prepare(config: StudyConfig, job: Job) -> Prepared:
    from strandline.results import views_of
    from strandline.study import check_order, in_memory, open_source, study_grid, together

    opened = [open_source(source, config, None) for source in config.scenes]
    check_order(opened)
    job.begin("reading onto one grid")
    grid = study_grid(config, opened[0])
    scenes, dates, found = together(opened, grid, config)
    scenes = in_memory(scenes)
    job.begin("thinning out for the pictures")
    return Prepared(scenes, dates, views_of(scenes), None if found is None else found.as_record())


def _cluster(config: StudyConfig, prepared: Prepared, job: Job) -> Clustered:
    from strandline.export.work import work_folder
    from strandline.study import segment_study

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
    evidence = find_water(segmentation, at=config.water_at, labels=config.water_labels)
    water = water_mask(segmentation, evidence)
    job.begin("measuring areas")
    change = compare(water[0], water[1]) if len(config.scenes) == 2 else None
    table = area_table(water, change, config.water_at)
    return Outcome(
        config=config,
        prepared=prepared,
        segmentation=segmentation,
        evidence=evidence,
        water=water,
        change=change,
        areas=table,
        by_date=areas(water, intervals=True),
        quality=study_quality(prepared.scenes, segmentation, table, clustered.counts),
    )


def export(outcome: Outcome, folder: Path, job: Job) -> Path:
    """Write what `strandline.study.run_study` writes, record included.

    Parameters
    ----------
    outcome : Outcome
    folder : Path
        Appears when it is complete.
    job : Job
        Is told how far the work is.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    from strandline.export.atomic import staged_folder
    from strandline.export.record import build_record, write_record

    job.begin("writing maps, pictures and the report")
    record = _record(outcome)
    with staged_folder(folder) as staged:
        notes = outcome.results().write(staged, build_record(**record))
        write_record(build_record(**record, outputs=staged, timings={}, notes=notes), staged)
    return folder


def report_page(outcome: Outcome, job: Job) -> str:
    """Write the report alone, as the folder of results has it.

    Parameters
    ----------
    outcome : Outcome
    job : Job
        Is told how far the work is.

    Returns
    -------
    str
        HTML.
    """
    from strandline.export.record import build_record

    job.begin("writing the report")
    return outcome.results().page(build_record(**_record(outcome)))


def _record(outcome: Outcome) -> dict[str, Any]:
    from strandline.study import record_of_inputs

    record = record_of_inputs(outcome.config)
    if outcome.prepared.comparability is not None:
        record["dates"] = outcome.prepared.comparability
    return record


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
