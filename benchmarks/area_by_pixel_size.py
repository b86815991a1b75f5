"""How the mapped area of a lake depends on the size of the pixels, as a Markdown table.

    python benchmarks/area_by_pixel_size.py [METRES …]

Simulated Walker Lake, both dates segmented as one model with the defaults, on the area of
``strandline demo``; beside it the simulated truth, the sum of the water fractions.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import xarray as xr
from odc.geo.geobox import GeoBox

import strandline as sl
from strandline.change import pixel_area
from strandline.demo import BUFFER, CENTER, DATES

SIZES = (30, 60, 90, 150, 300)


def table(sizes: Sequence[float] = SIZES) -> str:
    """Mapped area and its error on both dates, one row per pixel size."""
    lines = [
        f"| pixel | mapped {DATES[0]} | error | mapped {DATES[1]} | error |",
        "|---|---|---|---|---|",
    ]
    for size in sizes:
        made = [sl.simulate_scene(date, resolution=size) for date in DATES]
        grid = sl.make_grid(center=CENTER, buffer=BUFFER, like=made[0][0])
        scenes = sl.stack_scenes([scene for scene, _ in made], grid, resampling="measured")
        water = sl.areas(sl.water_mask(sl.segment(scenes)))["best"]
        cells = [
            f"{km2:.2f} km² | {km2 / _true_area(truth, grid) - 1:+.1%}"
            for km2, (_, truth) in zip(water, made, strict=True)
        ]
        lines.append(f"| {size:g} m | {' | '.join(cells)} |")
    return "\n".join(lines)


def _true_area(fraction: xr.DataArray, grid: GeoBox) -> float:
    return float((sl.regrid(fraction, grid) * pixel_area(grid)).sum())


if __name__ == "__main__":
    print(table([float(word) for word in sys.argv[1:]] or SIZES))
