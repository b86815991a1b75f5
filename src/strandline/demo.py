"""The main job on built-in data: how Walker Lake shrank, checked against the truth."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from strandline.configuration import StudyConfig
from strandline.paths import local_path

DATES = ("1988-10-22", "2017-10-22")
CENTER = (-118.7081, 38.6942)
BUFFER = 16_500.0

_MAKES_SCENES = ("simulate.py", "sensors.py", "reflectance.py")  # besides the simulation itself


@dataclass(frozen=True)
class Demonstration:
    """What the demo found, beside the truth that only a simulation knows.

    Attributes
    ----------
    table : DataFrame
        One row per date: ``true_km2`` (sum of the water fractions), ``mapped_km2``,
        ``error`` (relative), ``iou`` (with pixels that are at least half water).
    """

    table: pd.DataFrame

    def summary(self) -> str:
        """Say it in a few lines."""
        lines = ["Walker Lake, Nevada (simulated), mapped area beside the simulated truth:"]
        for when, row in self.table.iterrows():
            lines.append(
                f"  {when}   mapped {row['mapped_km2']:7.2f} km²   true {row['true_km2']:7.2f} km²"
                f"   error {row['error']:+.2%}   IoU {row['iou']:.4f}"
            )
        first, last = self.table["mapped_km2"].iloc[[0, -1]]
        lines.append(f"  change       {last - first:+7.2f} km²")
        return "\n".join(lines)


def run_demo(
    out: str | os.PathLike[str],
    *,
    resolution: float = 30.0,
    seed: int = 0,
    overwrite: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Demonstration:
    """Simulate Walker Lake in 1988 and 2017, map its change, and compare with the truth.

    Parameters
    ----------
    out : path-like
        Folder for the results; the simulated products go to ``scenes`` in it.
    resolution : float
        Pixel size in metres.
    seed : int
        Of the landscape, the noise and the clustering.
    overwrite : bool
        Whether results of another run in this folder may be replaced. A demo may always be
        repeated with the same pixel size and seed.
    progress : callable, optional
        Called with the name of each stage when it begins.

    Returns
    -------
    Demonstration

    Raises
    ------
    ConfigurationError, OutputError
        If an argument cannot work, or `out` cannot be written or holds the results of another
        run.
    """
    from strandline.export.staging import check_folder
    from strandline.replay import check_results
    from strandline.study import run_study

    check_folder(out)
    folder = local_path(out) / "scenes"
    if not overwrite and not _is_same_demo(out, resolution, seed):
        # Before the scenes of the other run are replaced.
        names = [{"source": str(folder / date)} for date in DATES]
        config = StudyConfig.parse({"scenes": names, "seed": seed})
        check_results(out, config, None, task="study", overwrite=False)
    made = simulate_pair(folder, resolution=resolution, seed=seed, progress=progress)
    sources = [{"source": source} for source, _ in made]
    truths = [truth for _, truth in made]
    config = StudyConfig.parse(
        {"scenes": sources, "center": CENTER, "buffer": BUFFER, "seed": seed}
    )
    results = run_study(config, out, overwrite=True, progress=progress)
    rows = {
        date: _score(results / f"water_{date}.tif", truth)
        for date, truth in zip(DATES, truths, strict=True)
    }
    return Demonstration(pd.DataFrame.from_dict(rows, orient="index"))


def _is_same_demo(out: str | os.PathLike[str], resolution: float, seed: int) -> bool:
    """Say whether a folder holds a demo of this pixel size and seed."""
    from strandline.errors import RecordError, SceneError
    from strandline.export.record import read_record
    from strandline.prepare.georeference import grid_of
    from strandline.scenes import open_scene

    folder = local_path(out)
    try:
        record = read_record(folder)
        scenes = [Path(str(scene["source"])) for scene in record["config"]["scenes"]]
        change = open_scene(folder / "change.tif", reflectance=False, band_names=["change"])
    except (RecordError, SceneError, KeyError, TypeError):
        return False
    own = (folder / "scenes").absolute()
    made_here = len(scenes) == 2 and all(scene.parent == own for scene in scenes)
    size = abs(grid_of(change).resolution.x)
    return made_here and record.get("seed") == seed and bool(size == resolution)


def simulate_pair(
    folder: Path,
    *,
    resolution: float = 30.0,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> list[tuple[str, xr.DataArray]]:
    """Simulate the two products of the demo.

    Parameters
    ----------
    folder : Path
        For the products.
    resolution, seed, progress
        As for `run_demo`.

    Returns
    -------
    list of (str, DataArray)
        The path of each product, and the true water fraction of its pixels.
    """
    from strandline.scenes import simulate_scene

    made = []
    for date in DATES:
        if progress is not None:
            progress(f"simulating {date}")
        scene, truth = simulate_scene(date, resolution=resolution, seed=seed, path=folder)
        made.append((str(scene.attrs["source"]), truth))
    return made


def simulation_key() -> str:
    """Give a short name that changes whenever what makes the demo's scenes does.

    Returns
    -------
    str
        The first half of a SHA-256 of the sources and tables of the simulation.

    Examples
    --------
    >>> len(simulation_key())
    32
    """
    scenes = files("strandline.scenes")
    parts = [scenes / name for name in _MAKES_SCENES]
    parts += [part for part in (scenes / "simulation").iterdir() if part.is_file()]
    digest = hashlib.sha256()
    for part in sorted(parts, key=lambda part: part.name):
        digest.update(part.name.encode() + b"\0" + part.read_bytes() + b"\0")
    return digest.hexdigest()[:32]


def _score(path: Path, truth: xr.DataArray) -> dict[str, float]:
    """Compare a water mask with the true water fraction of the same pixels."""
    from strandline.change import pixel_area
    from strandline.prepare import regrid
    from strandline.prepare.georeference import grid_of
    from strandline.scenes import open_scene

    mask = open_scene(path, reflectance=False, band_names=["water"]).isel(band=0).compute()
    fraction = regrid(truth, grid_of(mask)).values
    known = np.isfinite(mask.values) & np.isfinite(fraction)
    mapped, wet = mask.values[known] == 1, fraction[known] >= 0.5
    km2 = pixel_area(grid_of(mask)).values[known]
    true_km2, mapped_km2 = float((fraction[known] * km2).sum()), float((mapped * km2).sum())
    return {
        "true_km2": true_km2,
        "mapped_km2": mapped_km2,
        "error": mapped_km2 / true_km2 - 1,
        "iou": float((mapped & wet).sum() / (mapped | wet).sum()),
    }
