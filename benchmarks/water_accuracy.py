"""How well automatic water agrees with references, as Markdown tables.

    python benchmarks/water_accuracy.py [FOLDER]

FOLDER holds the scenes (default: ../shared/data beside the checkout). Every scene is
segmented with the defaults, and `water_mask` decides by itself. Beside it stands the water
index alone, MNDWI above zero for each pixel (Xu, 2006). Pixels that the reference calls
unsure are left out; those that were not observed count as not found, for both.

The references were drawn from agreeing water indices and a look at the picture, so they
favour the index; Tucuruí's was also checked with surveyed polygons. In the simulated scene
the truth is known for each pixel, and the Sierra Nevada has snow.

The second table is about a scene full of clouds and their shadows, without cloud mask and
without atmospheric correction, with experts' coarse outlines: how much of each of their
classes is called water.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import xarray as xr

import strandline as sl
from strandline.testing.lakes import BANDS, lake_grid, scene_of
from strandline.water.indices import mndwi

C2_SURFACE = {"scale": 2.75e-5, "offset": -0.2}  # Landsat Collection 2 surface reflectance


@dataclass(frozen=True)
class Score:
    """One line of the first table."""

    scene: str
    kind: str
    f1: float
    iou: float
    index_f1: float
    seconds: float


def single_scenes(data: Path) -> Iterator[tuple[str, str, xr.DataArray, Path]]:
    """Name, kind, scene and reference of each single acquisition."""
    tucurui = data / "tucurui_tm1988"
    yield (
        "Tucuruí reservoir, Brazil, 1988",
        "Landsat 5, TOA, 30 m",
        sl.open_scene(tucurui / "LT52240631988227CUB02_MTL.txt"),
        tucurui / "water_reference.tif",
    )
    griffin = data / "lbg_tm1992"
    yield (
        "Lake Burley Griffin, Australia, 1992",
        "Landsat 5, surface, 25 m",
        sl.open_scene(
            griffin / "LS5_TM_NBAR_090084_19920323_stack.tif", scale=1e-4, platform="landsat-5"
        ),
        griffin / "water_reference.tif",
    )
    liverpool = data / "liverpool_oli_2020"
    yield (
        "Liverpool, sea and docks, 2020",
        "Landsat 8, surface, 30 m",
        sl.open_scene(
            liverpool / "LC08_L2SP_204023_20200927_20201006_02_T1_stack.tif", **C2_SURFACE
        ),
        liverpool / "water_reference.tif",
    )
    momotombo = data / "momotombo_oli_2015"
    yield (
        "Momotombo, lava and clouds, Nicaragua, 2015",
        "Landsat 8, surface, 30 m",
        sl.open_scene(
            momotombo / "LC08_L2SP_017051_20151205_20200908_02_T1_stack.tif", **C2_SURFACE
        ),
        momotombo / "water_reference.tif",
    )


def ucayali(data: Path) -> Iterator[tuple[str, xr.DataArray, Path]]:
    """Year, scene and reference of two composites that are fitted as one model."""
    folder = data / "ucayali_series"
    for year in ("1990", "2015"):
        scene = sl.open_scene(
            folder / f"{year}.tif",
            band_names=["swir16", "nir08", "red", "green"],
            reflectance=False,  # stretched for display: numbers, no reflectance
            time=f"{year}-07-01",
        )
        yield year, scene, folder / f"water_reference_{year}.tif"


def measure(data: Path) -> Iterator[Score]:
    """Score every scene."""
    for name, kind, lazy, reference in single_scenes(data):
        scene = lazy.compute()
        start = time.perf_counter()
        mask = sl.water_mask(sl.segment(scene))
        seconds = time.perf_counter() - start
        yield _score(name, kind, mask, scene, _read(reference), seconds)
    years, scenes, references = zip(*ucayali(data), strict=True)
    scenes = [scene.compute() for scene in scenes]
    start = time.perf_counter()
    masks = sl.water_mask(sl.segment(scenes))
    seconds = (time.perf_counter() - start) / len(years)
    for number, year in enumerate(years):
        name = f"Ucayali river, Peru, {year}, one model"
        kind = "composite stretched for display, 90 m"
        truth = _read(references[number])
        yield _score(name, kind, masks[number], scenes[number], truth, seconds)
    scene, fraction = sl.simulate_scene("2017-10-22", size="full", resolution=240)
    truth = np.where(np.isnan(fraction), 255, fraction >= 0.5)
    start = time.perf_counter()
    mask = sl.water_mask(sl.segment(scene))
    name, kind = "Walker Lake and snow, 2017", "simulated Landsat 8, surface, 240 m"
    yield _score(name, kind, mask, scene, truth, time.perf_counter() - start)


def _score(
    name: str, kind: str, mask: xr.DataArray, scene: xr.DataArray, truth: np.ndarray, seconds: float
) -> Score:
    certain = truth != 255
    wet = (truth == 1)[certain]
    mapped = (mask.values == 1)[certain]
    index = mndwi(scene)
    if index is None:
        raise ValueError(f"{name} lacks the bands of MNDWI")
    wet_by_index = (index.values > 0)[certain]
    hits, total = (mapped & wet).sum(), (mapped | wet).sum()
    return Score(name, kind, _f1(mapped, wet), float(hits / total), _f1(wet_by_index, wet), seconds)


def _read(reference: Path) -> np.ndarray:
    with rasterio.open(reference) as file:
        return file.read(1)


def _f1(mapped: np.ndarray, wet: np.ndarray) -> float:
    return float(2 * (mapped & wet).sum() / (mapped.sum() + wet.sum()))


def table(scores: list[Score]) -> str:
    """Write the scores as a Markdown table; times are left out, as they differ by machine."""
    lines = ["| scene | data | F1 | IoU | F1 of MNDWI > 0 |", "|---|---|---|---|---|"]
    lines += [
        f"| {s.scene} | {s.kind} | {s.f1:.3f} | {s.iou:.3f} | {s.index_f1:.3f} |" for s in scores
    ]
    return "\n".join(lines)


def called_water(data: Path) -> str:
    """Share of each class of the cloudy scene that is called water, as a Markdown table."""
    stored = np.load(data / "ukis_cloud_water" / "landsat5.npz")
    # The scene comes without a place on Earth; any grid will do.
    grid = lake_grid(stored["msk"].shape)
    scene = scene_of(stored["img"].transpose(2, 0, 1) * 1e-4, grid, bands=BANDS)
    ours = sl.water_mask(sl.segment(scene)).values == 1
    index = mndwi(scene)
    if index is None:
        raise ValueError("the scene lacks the bands of MNDWI")
    lines = ["| class by experts | pixels | Strandline | MNDWI > 0 |", "|---|---|---|---|"]
    for number, name in {1: "water", 0: "shadow of a cloud", 4: "cloud", 3: "land"}.items():
        there = stored["msk"] == number
        shares = f"{ours[there].mean():.1%} | {(index.values > 0)[there].mean():.1%}"
        lines.append(f"| {name} | {there.sum():,} | {shares} |")
    return "\n".join(lines)


def main() -> None:
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else beside
    if not data.is_dir():
        sys.exit(f"The scenes are not at {data}. Name their folder.")
    scores = list(measure(data))
    print(table(scores))
    print(f"\n{called_water(data)}")
    print(
        f"\nSegmenting and deciding the first table's took {sum(s.seconds for s in scores):.0f} s."
    )


if __name__ == "__main__":
    main()
