"""The whole way as a handful of calls: a configuration in, a folder of results out.

`run_study` is the table of contents of Strandline. The command line says what happens in
its words, and `replay_study` repeats it from the record it left.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from strandline.configuration import SceneSource, StudyConfig
from strandline.errors import RecordError

if TYPE_CHECKING:
    import xarray as xr
    from odc.geo.geobox import GeoBox

__all__ = ["StudyConfig", "replay_study", "run_study", "study_grid"]

Progress = Callable[[str], None]
"""Is called with a stage's name when it begins."""

IN_MEMORY_BYTES = 4 << 30
"""Scenes on the common grid up to this size are read once and kept; larger ones stay lazy."""


def run_study(
    config: StudyConfig | dict[str, Any],
    out: str | os.PathLike[str],
    *,
    progress: Progress | None = None,
) -> Path:
    """Run a study and leave its results in a folder.

    Parameters
    ----------
    config : StudyConfig or dict
        What to do.
    out : path-like
        Folder for the results. It appears, or changes, only when all of them are complete.
    progress : callable, optional
        Called with the name of each stage when it begins.

    Returns
    -------
    Path
        The folder; `strandline.results` says what is in it.

    Raises
    ------
    ConfigurationError
        If the configuration cannot work.
    SceneError, GridError, WaterError, OutputError
        From the stages; nothing is left behind then.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import strandline as sl
    >>> with TemporaryDirectory() as folder:
    ...     scene, _ = sl.simulate_scene(size=(100, 100), resolution=300, path=folder)
    ...     config = {"scenes": [{"source": scene.attrs["source"]}], "n_clusters": 4}
    ...     results = sl.run_study(config, folder + "/results")
    ...     sorted(path.name for path in results.glob("*.csv"))
    ['areas.csv', 'evidence.csv', 'signatures.csv']
    """
    from strandline.change import compare
    from strandline.export.atomic import staged_folder
    from strandline.export.record import build_record, write_record
    from strandline.results import Results, area_table
    from strandline.segmentation import segment
    from strandline.water import find_water, water_mask

    if not isinstance(config, StudyConfig):
        config = StudyConfig.parse(config)
    clock = _Clock(progress)
    with staged_folder(out) as folder:
        with clock("opening the scenes"):
            opened = [_open(source, config) for source in config.scenes]
            record = _record_of_inputs(config)
        with clock("reading onto one grid"):
            grid = study_grid(config, opened[0])
            scenes = _in_memory(_together(opened, grid, config.resampling))
        with clock("clustering the spectra"):
            segmentation = segment(
                scenes,
                config.n_clusters,
                bands=config.bands,
                standardize=config.standardize,
                random_state=config.seed,
                n_subclusters=config.n_subclusters,
            ).compute()
        with clock("finding the water"):
            evidence = find_water(segmentation, at=config.water_at, labels=config.water_labels)
            water = water_mask(segmentation, evidence)
        with clock("comparing the dates"):
            change = compare(water[0], water[1]) if len(config.scenes) == 2 else None
            areas = area_table(water, change, config.water_at)
        with clock("writing maps, pictures and the report"):
            results = Results(config, scenes, segmentation, evidence, water, change, areas)
            results.write(folder, build_record(**record))
        complete = build_record(**record, outputs=folder, timings=clock.seconds)
        write_record(complete, folder)
    return Path(out)


def replay_study(
    record: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    progress: Progress | None = None,
) -> int:
    """Repeat a study from its record, and check that the results are the same bytes.

    Parameters
    ----------
    record : path-like
        ``record.json`` of an earlier run, or its folder.
    out : path-like, optional
        Folder for the new results. Default: they are compared and thrown away.
    progress : callable, optional
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
    from strandline import __version__
    from strandline.export.record import compare_outputs, read_record, verify_inputs

    earlier = read_record(record)
    changed = verify_inputs(earlier)
    if changed:
        raise RecordError(
            "The inputs are not those of the record: "
            + "; ".join(f"'{name}' {problem}" for name, problem in changed.items())
            + ".",
            remedy="Bring the same files back, or run the study anew.",
        )
    config = StudyConfig.parse(earlier["config"])
    with TemporaryDirectory(prefix="strandline-replay-") as scratch:
        folder = run_study(
            config, Path(scratch) / "results" if out is None else out, progress=progress
        )
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


class _Clock:
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


def _open(source: SceneSource, config: StudyConfig) -> xr.DataArray:
    from strandline.scenes import open_scene

    options = source.model_dump(exclude={"source"}, exclude_defaults=True)
    if config.mask is not None:
        options["mask"] = config.mask
    return open_scene(source.source, **options)


def _together(opened: list[xr.DataArray], grid: GeoBox, resampling: str) -> xr.DataArray:
    """Put the scenes on one grid; a lone scene needs no date."""
    from strandline.prepare import regrid, stack_scenes

    if len(opened) == 1 and "time" not in opened[0].coords:
        platform = str(opened[0].attrs.get("platform", "unknown"))
        dated = regrid(opened[0], grid, resampling=resampling).expand_dims("time")
        return dated.assign_coords(platform=("time", [platform]))
    return stack_scenes(opened, grid, resampling=resampling)


def _in_memory(scenes: xr.DataArray) -> xr.DataArray:
    return scenes.compute() if scenes.nbytes <= IN_MEMORY_BYTES else scenes


def _record_of_inputs(config: StudyConfig) -> dict[str, Any]:
    """Collect what the record says before there are results."""
    from strandline.export.record import fingerprint
    from strandline.scenes.inputs import source_files

    inputs = []
    for scene in config.scenes:
        files = source_files(scene.source, scene.storage_options)
        inputs += fingerprint(files, storage_options=scene.storage_options)
    return {
        "config": config.model_dump(mode="json", exclude_defaults=True),
        "seed": config.seed,
        "inputs": inputs,
        "command": config.command(),
    }
