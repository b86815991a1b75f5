"""Many scenes in, a folder with their timeline out.

timeline.csv            a row per date: km² of water, what was observed, whether the date fits
timeline.png            the same as a chart
occurrence.tif          share of the observed dates with water, 0 to 1
recurrence.tif          share of the observed years with water, 0 to 1
seasonality.tif         months with water in the last year observed
transitions.tif         the ten classes of Pekel et al. 2016
model.npz               the model, for other scenes
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from strandline.configuration import StudyConfig
from strandline.errors import ConfigurationError

__all__ = ["run_timeline"]

MAPS = ("occurrence", "recurrence", "seasonality", "transitions")


def run_timeline(
    scenes: Sequence[dict[str, Any]],
    out: str | os.PathLike[str],
    *,
    settings: dict[str, Any] | None = None,
    leave_out: bool = True,
    cache: bool | str | os.PathLike[str] | None = None,
    progress: Callable[[str], None] | None = None,
    on_date: Callable[[int, int], None] | None = None,
) -> Path:
    """Follow the water over many scenes and leave the results in a folder.

    Parameters
    ----------
    scenes : sequence of dict
        Each with its ``source``, and how to read it, as in `StudyConfig`.
    out : path-like
        Folder for the results. It appears, or changes, only when all of them are complete.
    settings : dict, optional
        Where and how: ``center``, ``buffer``, ``bbox``, ``resolution``, ``crs``,
        ``resampling``, ``n_clusters``, ``seed``, ``mask``, ``conflicts`` as in `StudyConfig`.
    leave_out : bool
        As for `strandline.timeline`.
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
    """
    from strandline.change.timeline import series_of, timeline
    from strandline.export.atomic import check_folder, staged_folder
    from strandline.prepare import stack_scenes
    from strandline.study import open_source, study_grid

    if not scenes:
        raise ConfigurationError("A timeline needs scenes.", got="none")
    say = progress or (lambda stage: None)
    configs = [StudyConfig.parse({"scenes": [scene], **(settings or {})}) for scene in scenes]
    config = configs[0]
    check_folder(out)
    say("opening the scenes")
    opened = [open_source(one.scenes[0], one, cache) for one in configs]
    grid = study_grid(config, opened[0])
    dates = stack_scenes(opened, grid, resampling=config.resampling)
    say("following the water")
    history = timeline(
        dates,
        n_clusters=config.n_clusters,
        random_state=config.seed,
        water=config.water_labels,
        leave_out=leave_out,
        on_date=on_date,
    )
    say("writing maps, table and chart")
    with staged_folder(out) as folder:
        _write(folder, history, series_of(history))
    return Path(out)


def summary(out: str | os.PathLike[str]) -> str:
    """Say what a finished timeline found, from its ``timeline.csv``."""
    import pandas as pd

    from strandline.results import bounds_in_words

    series = pd.read_csv(Path(out) / "timeline.csv").fillna({"reason": ""})
    lines = ["Water, km²:"]
    for row in series.to_dict("records"):
        text = f"  {row['time'][:10]} {row['best']:10.2f}{bounds_in_words(row)}"
        lines.append(text + (f"   does not fit: {row['reason']}" if row["reason"] else ""))
    return "\n".join(lines)


def _write(folder: Path, history: Any, series: Any) -> None:
    from strandline.export.model import save_model
    from strandline.export.picture import write_picture
    from strandline.export.raster import write_cog
    from strandline.export.table import write_areas
    from strandline.show.palettes import transition_palette
    from strandline.show.timeline_chart import timeline_chart

    write_areas(series, folder / "timeline.csv")
    write_picture(timeline_chart(series), folder / "timeline.png")
    for name in MAPS:
        palette = transition_palette() if name == "transitions" else None
        write_cog(history[name], folder / f"{name}.tif", palette=palette)
    save_model(history, folder / "model.npz")
