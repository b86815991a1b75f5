"""The stages of a run, which studies, timelines and the app share."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from strandline.configuration import SceneSource, StudyConfig
from strandline.errors import MissingBandError, SuspiciousSceneWarning
from strandline.paths import check_there

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

    from strandline.export.work import WorkFolder
    from strandline.prepare.dates import Comparability

Config = TypeVar("Config", bound=StudyConfig)

Progress = Callable[[str], None]
"""Is called with a stage's name when it begins."""

TileCount = Callable[[int, int], None]
"""Is called with how many tiles are labelled, and how many there are."""

IN_MEMORY_BYTES = 1 << 28
"""Scenes on the common grid up to this size are read once and kept; larger ones are streamed."""


class StageClock:
    """Measure the time of each stage, and report when it begins."""

    def __init__(self, progress: Progress | None) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = progress

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time what is done inside, under the name of the stage."""
        if self._progress is not None:
            self._progress(stage)
        start = time.perf_counter()
        yield
        self.seconds[stage] = time.perf_counter() - start


def check_sources(config: StudyConfig) -> None:
    """Refuse local files that are missing, before anything heavy is imported.

    Raises
    ------
    SourceNotFoundError
        If one is.
    """
    for scene in config.scenes:
        for source in [scene.source] if isinstance(scene.source, str) else scene.source:
            check_there(source)


def check_settings(config: StudyConfig) -> None:
    """Refuse what cannot work whatever the scenes are, before one of them is opened.

    Raises
    ------
    ConfigurationError, GridError
        If there is no such CRS, place, date or reason.
    """
    from odc.geo.crs import CRS

    from strandline.prepare.extent import LONLAT, around_bbox, around_point, read_crs
    from strandline.prepare.georeference import check_point
    from strandline.scenes.quality import check_reasons
    from strandline.scenes.scene import as_time

    # Without a CRS of its own, the place need only be one on Earth.
    within = read_crs(config.crs) or CRS(LONLAT)
    for scene in config.scenes:
        read_crs(scene.crs)
        if scene.time is not None:
            as_time(scene.time)
    if config.mask is not None:
        check_reasons(config.mask)
    if config.water_at is not None:
        check_point(config.water_at, "water_at")
    if config.center is not None:
        around_point(config.center, (0.0, 0.0), within)
    if config.bbox is not None:
        around_bbox(config.bbox, None, (0.0, 0.0), within)


def check_bands(config: StudyConfig, opened: list[xr.DataArray]) -> None:
    """Refuse bands to cluster by that a scene does not have, before pixels are read.

    Raises
    ------
    MissingBandError
        If a scene lacks one.
    """
    from strandline.segmentation.segment import chosen_bands

    if config.bands is not None:
        for scene in opened:
            chosen_bands(scene, config.bands)


def check_water_at(config: StudyConfig, grid: GeoBox) -> None:
    """Refuse a point in the water that lies outside the map, before pixels are read.

    Raises
    ------
    GridError
        If it does.
    """
    from strandline.prepare.georeference import pixel_at

    if config.water_at is not None:
        pixel_at(grid, config.water_at, "water_at")


def open_source(
    source: SceneSource, config: StudyConfig, cache: bool | str | os.PathLike[str] | None
) -> xr.DataArray:
    """Open a scene as a study's configuration says; nothing but metadata is read."""
    from strandline.scenes.open import open_to_cluster

    options = source.model_dump(exclude={"source"}, exclude_defaults=True)
    if config.mask is not None:
        options["mask"] = config.mask
    options["conflicts"] = config.conflicts
    return open_to_cluster(source.source, config.bands, cache=cache, **options)


def with_common_names(config: Config, opened: Sequence[xr.DataArray]) -> Config:
    """Call the bands of a configuration what the opened scenes call them.

    Parameters
    ----------
    config : StudyConfig
        Its bands may be aliases, numbers of a sensor, or the names of a file.
    opened : sequence of DataArray
        From `open_source`, whose first bands are those that were asked for.

    Raises
    ------
    MissingBandError
        If a name means another band in another scene.
    """
    if config.bands is None:
        return config
    names = [[str(name) for name in scene["band"].values[: len(config.bands)]] for scene in opened]
    for others, scene in zip(names, opened, strict=True):
        for asked, one, other in zip(config.bands, names[0], others, strict=True):
            if one != other:
                raise MissingBandError(
                    f"The band {asked!r} is not the same in all scenes.",
                    expected=f"{one!r}, as in {opened[0].attrs.get('source')!r}",
                    got=f"{other!r} in {scene.attrs.get('source')!r}",
                    remedy="Name bands by what they see, such as green, nir08 and swir16.",
                )
    return config.model_copy(update={"bands": names[0]})


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


def check_order(opened: list[xr.DataArray]) -> None:
    """Warn of two scenes that were given in the wrong order, as far as anyone can tell."""
    dated = [scene["time"].values for scene in opened if "time" in scene.coords]
    if len(dated) == 2 and dated[0] > dated[1]:
        before, after = (str(time.astype("datetime64[D]")) for time in dated)
        warnings.warn(
            SuspiciousSceneWarning(
                f"The scene before is of {before}, the scene after of {after}: what is called "
                "lost and gained is reversed in time. Swap the scenes, unless intended."
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


def simulated_text(scenes: Sequence[xr.DataArray]) -> str:
    """Return a sentence for results of simulated scenes; empty where all were observed."""
    made = sum(bool(scene.attrs.get("simulated")) for scene in scenes)
    if not made:
        return ""
    which = "The scenes are" if made == len(scenes) else f"{made} of {len(scenes)} scenes are"
    return f"{which} simulated, not observed by a satellite."


def in_memory(scenes: xr.DataArray) -> xr.DataArray:
    """Read scenes now if they are small, so that each stage does not read them again."""
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
