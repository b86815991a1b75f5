"""How well a known shift between two dates is recovered, as Markdown tables.

    python benchmarks/shift_accuracy.py [--quick]

Simulated: Walker Lake is rendered with pixels of 10 m and averaged down to 100 m, the second
date a part of a pixel off, so that the truth is exact and fine detail is sampled as coarsely
as a sensor would. Noise is added; clouds are a fifth of the pixels. Shifts of 0.3, 0.5, 0.7
and 1.0 pixels in four directions. Real scenes, where `../shared/data` has them: against
themselves, averaged down by two or three with an offset, with noise and clouds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from scipy.ndimage import gaussian_filter

import strandline as sl

Plane = NDArray[np.float64]

SHIFTS = (0.3, 0.5, 0.7, 1.0)
DIRECTIONS = ((1, 0), (0, 1), (1, 1), (-1, 1))
FINER = 10
BAND = "nir08"
NOISE = 0.003
CLOUDS = 0.2
SIZE, QUICK_SIZE = (400, 300), (130, 120)

SIMULATED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "one date": ({"date": "1988-10-22"}, {"date": "1988-10-22"}),
    "TM and OLI, one day": (
        {"date": "1988-10-22"},
        {"date": "1988-10-22", "platform": "landsat-8"},
    ),
    "TM 1988, OLI 2017, the lake shrank": ({"date": "1988-10-22"}, {"date": "2017-10-22"}),
}
REAL = {
    "Liverpool, OLI 2020": "liverpool_oli_2020/*_stack.tif",
    "Tucuruí, TM 1988": "tucurui_tm1988/*_MTL.txt",
    "Lake Burley Griffin, TM 1992": "lbg_tm1992/*_stack.tif",
}
_HOW_TO_OPEN: dict[str, dict[str, Any]] = {
    "Liverpool, OLI 2020": {"scale": 2.75e-5, "offset": -0.2, "platform": "landsat-8"},
    "Lake Burley Griffin, TM 1992": {"scale": 1e-4, "platform": "landsat-5"},
}


def table(size: tuple[int, int] = SIZE, folder: Path | None = None) -> str:
    """Errors in pixels: root mean square and largest, along both axes together."""
    lines = ["| scenes | clouds | shifts | rms error | largest error |", "|---|---|---|---|---|"]
    for name, cases in _simulated(size):
        lines += _rows(name, cases)
    for name, pattern in REAL.items():
        found = sorted(folder.glob(pattern)) if folder is not None else []
        if found:
            lines += _rows(name, _real(sl.open_scene(found[0], **_HOW_TO_OPEN.get(name, {}))))
    return "\n".join(lines)


Case = tuple[Plane, Plane, tuple[float, float]]


def _rows(name: str, cases: Sequence[Case]) -> list[str]:
    lines = []
    for cloudy in (False, True):
        errors = np.array([_error(case, number, cloudy) for number, case in enumerate(cases)])
        rms, most = np.sqrt(np.mean(errors**2)), np.abs(errors).max()
        share = f"{CLOUDS:.0%}" if cloudy else "none"
        lines.append(f"| {name} | {share} | {len(cases)} | {rms:.3f} px | {most:.3f} px |")
    return lines


def _error(case: Case, seed: int, cloudy: bool) -> tuple[float, float]:
    reference, moved, (dy, dx) = case
    rng = np.random.default_rng(seed)
    reference, moved = (one + rng.normal(0, NOISE, one.shape) for one in (reference, moved))
    if cloudy:
        blobs = gaussian_filter(rng.normal(size=moved.shape), 8)
        moved = np.where(blobs > np.quantile(blobs, 1 - CLOUDS), np.nan, moved)
    shift = sl.estimate_shift(_scene(moved), _scene(reference))
    return shift.dy - dy, shift.dx - dx


def _scene(plane: Plane) -> xr.DataArray:
    grid = GeoBox(plane.shape, Affine(100, 0, 300_000, 0, -100, 4_300_000), "EPSG:32611")
    coords = {"band": [BAND], **xr_coords(grid)}
    values = plane[None].astype(np.float32)
    return xr.DataArray(values, coords=coords, dims=("band", "y", "x"))


def _simulated(size: tuple[int, int]) -> Iterator[tuple[str, list[Case]]]:
    fine = tuple(FINER * (side + 2) for side in size)
    rendered: dict[str, Plane] = {}
    for name, pair in SIMULATED.items():
        for which in pair:
            if str(which) not in rendered:
                scene, _ = sl.simulate_scene(size=fine, resolution=FINER, snow=False, **which)
                rendered[str(which)] = scene.sel(band=BAND).values
        before, after = (rendered[str(which)] for which in pair)
        cases = []
        for part in SHIFTS:
            for down, right in DIRECTIONS:
                dy, dx = (round(FINER * part * sign) for sign in (down, right))
                moved = _averaged(after, FINER, FINER + dy, FINER + dx, size)
                # What lies dy further down is seen further up.
                truth = (-dy / FINER, -dx / FINER)
                cases.append((_averaged(before, FINER, FINER, FINER, size), moved, truth))
        yield name, cases


def _real(scene: xr.DataArray) -> list[Case]:
    plane = scene.sel(band=BAND).values.astype(float)
    cases = []
    for finer in (2, 3):
        size = tuple(side // finer - 2 for side in plane.shape)
        before = _averaged(plane, finer, finer, finer, size)
        for dy, dx in ((1, 0), (0, 1), (1, 1), (-1, 1), (2, 1)):
            moved = _averaged(plane, finer, finer + dy, finer + dx, size)
            cases.append((before, moved, (-dy / finer, -dx / finer)))
    return cases


def _averaged(plane: Plane, finer: int, top: int, left: int, size: Sequence[int]) -> Plane:
    rows, columns = size
    part = plane[top : top + finer * rows, left : left + finer * columns]
    blocks = part.reshape(rows, finer, columns, finer).astype(float)
    return np.asarray(blocks.mean(axis=(1, 3)))


if __name__ == "__main__":
    data = Path(__file__).resolve().parents[2] / "shared" / "data"
    print(table(QUICK_SIZE if "--quick" in sys.argv else SIZE, data if data.exists() else None))
