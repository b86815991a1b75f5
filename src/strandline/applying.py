"""A fitted model in, and other scenes; a folder of maps of their clusters and water out.

labels_DATE.tif         the clusters of the model on each date
water_DATE.tif          water masks: 0 not water, 1 water, 255 not observed
confidence_DATE.tif     how sure the mask is of each pixel
areas.csv               km² per date, with intervals
water.png               the masks as a picture
*.qml, item.json        styles for QGIS; the folder as a STAC item
record.json             what `strandline replay` repeats it from
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strandline.configuration import ApplyConfig
from strandline.errors import ConfigurationError
from strandline.paths import check_there, local_path
from strandline.replay import check_results, record_of_inputs, repeat
from strandline.stages import (
    Progress,
    StageClock,
    check_settings,
    check_sources,
    check_water_at,
    open_source,
    study_grid,
    together,
)

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from strandline.export.naming import Naming
    from strandline.segmentation.model import SegmentationModel

__all__ = ["replay_apply", "run_apply"]

EVIDENCE = "evidence.csv"
"""Says which classes of a model are water; a run leaves it beside ``model.npz``."""


def run_apply(
    model: str | os.PathLike[str],
    scenes: Sequence[dict[str, Any]],
    out: str | os.PathLike[str],
    *,
    settings: dict[str, Any] | None = None,
    overwrite: bool = False,
    cache: bool | str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Label other scenes by a fitted model, map their water, and leave the results in a folder.

    Nothing is fitted: labels mean what they mean in the run that the model comes from. The same
    is done by `strandline.load_model`, its ``predict``, and `strandline.water_mask` with what
    `strandline.export.read_evidence` reads.

    Parameters
    ----------
    model : path-like
        ``model.npz`` of an earlier run. The ``evidence.csv`` beside it says which of its classes
        are water, unless ``water_labels`` is given.
    scenes : sequence of dict
        Each with its ``source``, and how to read it, as in `strandline.StudyConfig`.
    out : path-like
        Folder for the results. It appears, or changes, only when all of them are complete.
    settings : dict, optional
        ``center``, ``buffer``, ``bbox``, ``resolution``, ``crs``, ``resampling``, ``mask``,
        ``conflicts``, ``water_at`` (a point in a lake that is measured by itself too) and
        ``water_labels``, as in `strandline.StudyConfig`.
    overwrite, cache, progress
        As for `strandline.run_study`.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ConfigurationError
        If the settings cannot work, or there is no scene.
    ModelFileError
        If the model is damaged, or is not a segmentation of scenes.
    SceneError, GridError, WaterError, OutputError
        From the stages; nothing is left behind then.
    """
    if not scenes:
        raise ConfigurationError("There is no scene to apply the model to.", got="none")
    config = ApplyConfig.parse({"model": str(model), "scenes": list(scenes), **(settings or {})})
    return _run(config, out, overwrite=overwrite, cache=cache, progress=progress)


def replay_apply(
    record: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> int:
    """Repeat what `run_apply` did from its record, and check that the results are the same bytes.

    Parameters
    ----------
    record, out, overwrite, progress
        As for `strandline.study.replay_study`.

    Returns
    -------
    int
        How many results were compared.

    Raises
    ------
    RecordError
        As `strandline.study.replay_study`.
    """
    run = partial(_run, overwrite=overwrite, progress=progress)
    return repeat(record, out, ApplyConfig.parse, run)


def _run(
    config: ApplyConfig,
    out: str | os.PathLike[str],
    naming: Naming | None = None,
    *,
    overwrite: bool = False,
    cache: bool | str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Path:
    config = config.anchored()
    check_there(config.model)
    check_sources(config)
    from strandline.export.record import APPLY, build_record, write_record
    from strandline.export.staging import check_folder, staged_folder
    from strandline.prepare import stack_scenes
    from strandline.prepare.memory import hold
    from strandline.results import area_table
    from strandline.show.clusters import too_many_text
    from strandline.water import water_mask

    check_folder(out)
    check_settings(config)
    check_results(out, config, naming, task=APPLY, overwrite=overwrite)
    clock = StageClock(progress)
    with clock("opening the scenes"):
        model = _read_model(config.model)
        opened = [open_source(source, config, cache) for source in config.scenes]
        decision = _decision(config, model, opened[0])
        record = record_of_inputs(config, naming, also=_files(config))
        check_results(out, config, naming, task=APPLY, overwrite=overwrite, inputs=record["inputs"])
        grid = study_grid(config, opened[0])
        check_water_at(config, grid)
    with clock("reading onto one grid"):
        if len(opened) == 1:
            dates, _, _ = together(opened, grid, config)
        else:
            dates = stack_scenes(opened, grid, resampling=config.resampling)
    with staged_folder(out) as folder:
        with clock("labelling the scenes"):
            labelled = model.predict(dates)
            water = hold(water_mask(labelled, decision))
        with clock("measuring the areas"):
            areas = area_table(water, None, config.water_at)
        with clock("writing maps and tables"):
            _write(folder, config, dates, labelled, water, decision, areas)
        complete = build_record(
            **record, outputs=folder, timings=clock.seconds, task=APPLY,
            notes=list(filter(None, [too_many_text(labelled.sizes["cluster"])])),
        )  # fmt: skip
        write_record(complete, folder)
    return local_path(out)


def _read_model(path: str) -> SegmentationModel:
    from strandline.errors import ModelFileError
    from strandline.export.model import load_model
    from strandline.segmentation.model import SegmentationModel

    model = load_model(path)
    if not isinstance(model, SegmentationModel):
        raise ModelFileError(
            f"'{path}' is a clustering without bands and maps.",
            expected="model.npz, as a run of segment, change or timeline leaves it",
            remedy="Name the model of such a run.",
        )
    return model


def _files(config: ApplyConfig) -> list[str]:
    """List the files besides the scenes that the results depend on."""
    return [config.model] + ([] if config.water_labels else [str(_evidence_file(config))])


def _evidence_file(config: ApplyConfig) -> Path:
    return local_path(config.model).with_name(EVIDENCE)


def _decision(config: ApplyConfig, model: SegmentationModel, scene: xr.DataArray) -> pd.DataFrame:
    """Decide which classes are water: as the user says, or as the model's run did."""
    from strandline.export.table import read_evidence
    from strandline.water.decision import decision_of_labels

    if config.water_labels is not None:
        return decision_of_labels(model.subclusters.cluster, config.water_labels)
    return read_evidence(_evidence_file(config), model, scene.attrs.get("units") == "1")


def _write(
    folder: Path,
    config: ApplyConfig,
    dates: xr.DataArray,
    labelled: xr.Dataset,
    water: xr.DataArray,
    decision: pd.DataFrame,
    areas: pd.DataFrame,
) -> None:
    """Write maps, tables and the picture."""
    import numpy as np

    from strandline.export.picture import write_picture
    from strandline.export.raster import write_cog
    from strandline.export.stac import write_item
    from strandline.export.style import write_style
    from strandline.export.table import write_areas
    from strandline.prepare.georeference import grid_of
    from strandline.prepare.memory import hold
    from strandline.results import dates_of, views_of
    from strandline.show.clusters import cluster_palette
    from strandline.show.maps import water_map
    from strandline.show.palettes import palette_for
    from strandline.water import water_confidence
    from strandline.water.decision import cluster_means

    palettes = {}
    colours = cluster_palette(
        cluster_means(decision) if "bands" in decision.attrs else None,
        decision,
        n_labels=labelled.sizes["cluster"],
    )
    for number, when in enumerate(dates_of(water)):
        ending = f"_{when}" if when else ""
        platform = {"platform": str(dates["platform"].values[number])}
        for name, layer in (("labels", labelled["labels"][number]), ("water", water[number])):
            layer = hold(layer.assign_attrs(platform))
            palette = colours if name == "labels" else palette_for(layer)
            palettes[f"{name}{ending}.tif"] = palette
            path = folder / f"{name}{ending}.tif"
            write_style(palette, write_cog(layer, path, palette=palette))
        if "bands" in decision.attrs:
            sure = hold(water_confidence(labelled.isel(time=number), decision))
            write_cog(sure, folder / f"confidence{ending}.tif")
    write_areas(areas, folder / "areas.csv")
    write_picture(water_map(water, over=views_of(dates)), folder / "water.png")
    times = water["time"].values if "time" in water.coords else np.array([], "M8[ns]")
    if not np.isnat(times).all():
        how = f"Labelled by the model '{Path(config.model).name}'; water by its evidence."
        write_item(
            folder, grid_of(water), list(times), palettes=palettes, title="Water", lineage=how
        )
