"""Many scenes in, a folder with their timeline out.

timeline.csv            a row per date: km² of water, what was observed, whether the date fits
timeline.png            the same as a chart
water_DATE.tif          the water mask of each date: 0 not water, 1 water, 255 not observed
occurrence.tif          share of the observed dates with water, 0 to 1
recurrence.tif          share of the observed years with water, 0 to 1
seasonality.tif         months with water in the last year observed
transitions.tif         the ten classes of Pekel et al. 2016
*.qml                   styles of the maps of classes, for QGIS
item.json               the folder as a STAC item
model.npz               the model, for other scenes
record.json             what `strandline replay` repeats it from
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strandline.configuration import TimelineConfig
from strandline.errors import ConfigurationError
from strandline.paths import local_path

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from strandline.export.naming import Naming
    from strandline.show.palettes import Palette

__all__ = ["replay", "run_timeline"]

OnPart = Callable[[int, int], None]
"""Is called with how many dates or tiles are done, and how many there are."""

SHARES = ("occurrence", "recurrence")


def run_timeline(
    scenes: Sequence[dict[str, Any]],
    out: str | os.PathLike[str],
    *,
    settings: dict[str, Any] | None = None,
    leave_out: bool = True,
    overwrite: bool = False,
    scheduler: str | None = None,
    cache: bool | str | os.PathLike[str] | None = None,
    progress: Callable[[str], None] | None = None,
    on_date: OnPart | None = None,
) -> Path:
    """Map and measure water over many dates and write the results to a folder.

    One date is labelled after the other, its tiles by whoever is free: threads of this process,
    or the workers of an active `distributed.Client` or a `scheduler`. Masks and tables are made
    here. The results are the same to the byte, whoever did the work.

    Parameters
    ----------
    scenes : sequence of dict
        Each with its ``source``, and how to read it, as in `StudyConfig`. All dates of a NetCDF
        file or a Zarr store are followed, unless ``time`` picks one.
    out : path-like
        Folder for the results. It appears, or changes, only when all of them are complete.
    settings : dict, optional
        Where and how, as in `TimelineConfig`: ``center``, ``buffer``, ``bbox``, ``resolution``,
        ``crs``, ``resampling``, ``bands``, ``n_clusters``, ``n_subclusters``,
        ``standardize``, ``seed``, ``mask``, ``conflicts``, ``water_labels``, ``water_at``.
    leave_out : bool
        As for `strandline.timeline`.
    overwrite : bool
        Whether results of another run may be replaced, as for `strandline.run_study`.
    scheduler : str, optional
        Address of a Dask scheduler, as for `strandline.run_study`.
    cache : bool or path-like, optional
        As for `strandline.open_scene`.
    progress, on_date : callable, optional
        Called with the name of each stage when it begins; with the dates done, and all.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ConfigurationError
        If the settings cannot work, or there is no scene.
    SceneError, GridError, WaterError, OutputError
        From the stages; nothing is left behind then.
    SchedulerError
        If the scheduler does not answer, has no workers, or is lost.
    """
    if not scenes:
        raise ConfigurationError("A timeline needs scenes.", got="none")
    config = TimelineConfig.parse(
        {"scenes": list(scenes), **(settings or {}), "leave_out": leave_out}
    )
    return _run(
        config, out, overwrite=overwrite, scheduler=scheduler, cache=cache, progress=progress,
        on_date=on_date,
    )  # fmt: skip


def replay(
    record: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    overwrite: bool = False,
    scheduler: str | None = None,
    progress: Callable[[str], None] | None = None,
    on_tile: OnPart | None = None,
) -> int:
    """Repeat a study, a timeline or the application of a model from its record.

    Parameters
    ----------
    record, out, overwrite, scheduler, progress, on_tile
        As for `strandline.study.replay_study`; a timeline counts dates instead of tiles.

    Returns
    -------
    int
        How many results were compared, all of which are the same bytes.

    Raises
    ------
    RecordError
        As `strandline.study.replay_study`.
    """
    from strandline.applying import replay_apply
    from strandline.export.record import APPLY, TIMELINE, read_record
    from strandline.replay import repeat
    from strandline.study import replay_study

    task = read_record(record).get("task")
    if task == APPLY:
        return replay_apply(record, out, overwrite=overwrite, progress=progress)
    if task != TIMELINE:
        return replay_study(
            record, out, overwrite=overwrite, scheduler=scheduler, progress=progress,
            on_tile=on_tile,
        )  # fmt: skip
    run = partial(
        _run, overwrite=overwrite, scheduler=scheduler, progress=progress, on_date=on_tile
    )
    return repeat(record, out, TimelineConfig.parse, run)


def _run(
    config: TimelineConfig,
    out: str | os.PathLike[str],
    naming: Naming | None = None,
    *,
    overwrite: bool = False,
    scheduler: str | None = None,
    cache: bool | str | os.PathLike[str] | None = None,
    progress: Callable[[str], None] | None = None,
    on_date: OnPart | None = None,
) -> Path:
    from strandline.stages import check_bands, check_settings, check_sources, check_water_at

    config = config.anchored()
    check_sources(config)  # before the imports, which take seconds
    from strandline.change.pixel_area import pixel_metres
    from strandline.change.timeline import series_of, timeline
    from strandline.export.record import TIMELINE, build_record, write_record
    from strandline.export.staging import check_folder, staged_folder
    from strandline.prepare import stack_scenes
    from strandline.prepare.oversampling import finer_grid_text, warn_of_finer_grid
    from strandline.replay import check_results, record_of_inputs
    from strandline.stages import (
        StageClock,
        open_source,
        simulated_text,
        study_grid,
        with_common_names,
    )
    from strandline.workers import only_here, workers

    config = _date_by_date(config, cache)
    check_folder(out)
    check_settings(config)
    check_results(out, config, naming, task=TIMELINE, overwrite=overwrite)
    clock = StageClock(progress)
    with workers(scheduler) as client:
        with clock("opening the scenes"):
            opened = [open_source(scene, config, cache) for scene in config.scenes]
            record = record_of_inputs(config, naming)
            check_results(
                out, config, naming, task=TIMELINE, overwrite=overwrite, inputs=record["inputs"]
            )
            config = with_common_names(config, opened)
            check_bands(config, opened)
            grid = study_grid(config, opened[0])
            check_water_at(config, grid)
            dates = stack_scenes(opened, grid, resampling=config.resampling)
            warn_of_finer_grid(dates, pixel_metres(grid))
        with staged_folder(out) as folder:
            with clock("mapping the water of each date"):
                masks = _MaskWriter(folder, dates)
                history = timeline(
                    dates,
                    n_clusters=config.n_clusters,
                    bands=config.bands,
                    standardize=config.standardize,
                    random_state=config.seed,
                    n_subclusters=config.n_subclusters,
                    water=config.water_labels,
                    at=config.water_at,
                    leave_out=config.leave_out,
                    on_date=on_date,
                    on_mask=masks.write,
                )
            with only_here(client), clock("writing maps, table and chart"):
                notes = _write(folder, history, series_of(history), masks.palettes)
                notes += filter(None, [finer_grid_text(dates, pixel_metres(grid))])
                notes += filter(None, [simulated_text(opened)])
            complete = build_record(
                **record, outputs=folder, timings=clock.seconds, notes=notes, task=TIMELINE
            )
            write_record(complete, folder)
    return local_path(out)


def _date_by_date(
    config: TimelineConfig, cache: bool | str | os.PathLike[str] | None
) -> TimelineConfig:
    """Put all dates of a source that holds several, and none was picked of, in its place."""
    from strandline.scenes.open import dated_sources

    scenes = []
    for scene in config.scenes:
        if not isinstance(scene.source, str) or scene.time is not None:
            scenes.append(scene)
            continue
        for source, time in dated_sources(scene.source, scene.storage_options, cache):
            scenes.append(scene.model_copy(update={"source": source, "time": time}))
    return config.model_copy(update={"scenes": scenes})


def summary(out: str | os.PathLike[str]) -> str:
    """Say what a finished timeline found, from its ``timeline.csv``."""
    import pandas as pd

    from strandline.results import best_in_words, bounds_in_words

    table = local_path(out) / "timeline.csv"
    series = pd.read_csv(table, dtype={"reason": str}).fillna({"reason": ""})
    lines = ["Water, km²:"]
    for row in series.to_dict("records"):
        text = f"  {row['time'][:10]} {best_in_words(row):>10}{bounds_in_words(row)}"
        lines.append(text + (f"   does not fit: {row['reason']}" if row["reason"] else ""))
    return "\n".join(lines)


class _MaskWriter:
    """Write the water masks of dates, as they come.

    Attributes
    ----------
    palettes : dict
        The classes of each file that was written.
    """

    def __init__(self, folder: Path, dates: xr.DataArray) -> None:
        from strandline.results import dates_of

        self.palettes: dict[str, Palette] = {}
        self._folder = folder
        self._names = dict(zip(dates["time"].values, dates_of(dates), strict=True))

    def write(self, mask: xr.DataArray) -> None:
        layer = mask.drop_vars("platform").assign_attrs(platform=str(mask["platform"].values))
        name = f"water_{self._names[mask['time'].values[()]]}.tif"
        self.palettes[name] = _write_classes(layer, self._folder / name)


def _write_classes(layer: xr.DataArray, path: Path, palette: Palette | None = None) -> Palette:
    """Write a map of classes with its style, and say what they are."""
    from strandline.export.raster import write_cog
    from strandline.export.style import write_style
    from strandline.show.palettes import palette_for

    palette = palette or palette_for(layer)
    write_style(palette, write_cog(layer, path, palette=palette))
    return palette


def _write(
    folder: Path, history: xr.Dataset, series: pd.DataFrame, palettes: dict[str, Palette]
) -> list[str]:
    """Write everything but masks and record; return which optional files are missing, and why."""
    from strandline.export.model import save_model
    from strandline.export.picture import write_picture
    from strandline.export.raster import write_cog
    from strandline.export.stac import write_item
    from strandline.export.staging import optional_output
    from strandline.export.table import write_areas
    from strandline.prepare.georeference import grid_of
    from strandline.show.palettes import transition_palette
    from strandline.show.timeline_chart import timeline_chart

    write_areas(series, folder / "timeline.csv")
    notes: list[str] = []
    with optional_output("timeline.png", notes):
        write_picture(timeline_chart(series), folder / "timeline.png")
    for name in SHARES:
        write_cog(history[name], folder / f"{name}.tif")
    own = {"transitions": transition_palette(), "seasonality": None}
    classes = {
        f"{name}.tif": _write_classes(history[name], folder / f"{name}.tif", palette)
        for name, palette in own.items()
    }
    save_model(history, folder / "model.npz")
    how = (
        f"Spectral clustering of {len(series)} dates together into "
        f"{history.sizes['cluster']} clusters; transitions as in Pekel et al. 2016."
    )
    with optional_output("item.json", notes):
        write_item(
            folder, grid_of(history["occurrence"]), list(series.index.values),
            palettes=palettes | classes, title="Water over time", lineage=how,
        )  # fmt: skip
    return notes
