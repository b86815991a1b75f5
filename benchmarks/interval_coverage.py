"""How often the intervals of `areas` hold the true area, as a Markdown table.

    python benchmarks/interval_coverage.py [LAKES]
    python benchmarks/interval_coverage.py --finer [LAKES]
    python benchmarks/interval_coverage.py --calibrate

Simulated lakes (`strandline.testing.lakes.random_lake`), each segmented with the defaults; the
truth is the sum of the water fractions. The constants of `strandline.change.interval` come from
other lakes than those that the table counts: with ``--calibrate`` they are measured again. The
intervals are for lakes like these; Walker Lake, simulated otherwise, stands below the table.
With ``--finer``, the lakes of the table are put on grids finer than their pixels and mapped there.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

import strandline as sl
from strandline.change import pixel_area
from strandline.change.interval import ROUNDED, SPREADS
from strandline.change.pixel_area import pixel_areas
from strandline.change.state_sums import sum_states
from strandline.prepare import make_grid, regrid
from strandline.testing.lakes import random_lake

CALIBRATED_ON = (*range(1_000), *range(10_000, 11_400))
"""Numbers of the lakes that the constants were measured on."""

TESTED_FROM, LAKES = 20_000, 500
"""The number of the first lake of the table, and how many there are."""

FINER, FINER_LAKES = (2, 3, 5, 10), 200
"""Pixels of finer grids along the side of one of the data, and how many lakes are put on each."""

WALKER = (("1988-10-22", "2003-08-01", "2017-10-22"), (60, 90, 150, 300, 600))


@dataclass(frozen=True)
class Mapped:
    """One lake: its true and its mapped area and their intervals, and what they depend on."""

    true: float
    best: float
    low: dict[int, float]
    high: dict[int, float]
    pixel_km2: float
    sides: int

    def holds(self, percent: int) -> bool:
        """Say whether the interval contains the truth."""
        return self.low[percent] <= self.true <= self.high[percent]


def mapped(scene: xr.DataArray, truth: xr.DataArray, times: int = 1) -> Mapped:
    """Map the water of a scene, on a grid that is so many times finer, and measure it."""
    true = float((truth * pixel_area(scene)).sum())
    if times > 1:
        resolution = abs(scene.odc.geobox.resolution.x) / times
        scene = regrid(scene, make_grid(like=scene, resolution=resolution), "measured")
    mask = sl.water_mask(sl.segment(scene))
    row = sl.areas(mask, intervals=True).iloc[0]
    km2 = pixel_area(mask)
    sides = sum_states([mask.values], None, pixel_areas(mask.odc.geobox), shores=True).sides
    return Mapped(
        true,
        float(row["best"]),
        {percent: float(row[f"low_{percent}"]) for percent in SPREADS},
        {percent: float(row[f"high_{percent}"]) for percent in SPREADS},
        float(km2.mean()),
        int(sides[0, 0]),
    )


def measure(numbers: Iterable[int], times: int = 1) -> list[Mapped]:
    """Map simulated lakes, on grids so many times finer than their pixels."""
    return [mapped(*random_lake(number), times) for number in numbers]


def calibrated(lakes: Sequence[Mapped]) -> tuple[float, dict[int, float]]:
    """Measure what shore pixels have in common, and how many spreads hold the truth."""
    error = np.array([(lake.best - lake.true) / lake.pixel_km2 for lake in lakes])
    sides = np.array([lake.sides for lake in lakes])
    # Each lake counts the same: variance per side beyond that of the rounding.
    together = math.sqrt(max(0.0, float(np.mean((error**2 - ROUNDED**2 * sides) / sides**2))))
    spread = np.sqrt(ROUNDED**2 * sides + (together * sides) ** 2)
    spreads = {p: float(np.quantile(np.abs(error) / spread, p / 100)) for p in SPREADS}
    return together, spreads


def table(lakes: Sequence[Mapped]) -> str:
    """Write how many lakes' intervals hold the truth, by the size of the lake."""
    lines = [
        "| lakes | number | 90 % interval | 95 % interval | half of it |",
        "|---|---|---|---|---|",
    ]
    sizes = [lake.true / lake.pixel_km2 for lake in lakes]
    for name, low, high in (
        ("100 to 400 pixels", 0, 400),
        ("400 to 1,200 pixels", 400, 1200),
        ("larger", 1200, math.inf),
        ("all", 0, math.inf),
    ):
        some = [lake for lake, size in zip(lakes, sizes, strict=True) if low <= size < high]
        if some:
            held = " | ".join(f"{np.mean([m.holds(p) for m in some]):.1%}" for p in SPREADS)
            half = np.median([(m.high[95] - m.low[95]) / 2 / m.best for m in some])
            lines.append(f"| {name} | {len(some)} | {held} | {half:.1%} |")
    return "\n".join(lines)


def finer_table(count: int) -> str:
    """Write how many lakes' intervals hold the truth on grids finer than the data."""
    lines = [
        "| grid | lakes | 90 % interval | 95 % interval | half of it |",
        "|---|---|---|---|---|",
    ]
    for times in FINER:
        lakes = measure(range(TESTED_FROM, TESTED_FROM + count), times)
        held = " | ".join(f"{np.mean([lake.holds(p) for lake in lakes]):.1%}" for p in SPREADS)
        half = np.median([(lake.high[95] - lake.low[95]) / 2 / lake.best for lake in lakes])
        lines.append(f"| {times} times finer | {count} | {held} | {half:.1%} |")
    return "\n".join(lines)


def walker() -> str:
    """Hold the intervals against another simulation: Walker Lake, by the size of the pixels."""
    lines = [
        "| pixel | date | true | mapped | 95 % interval | holds |",
        "|---|---|---|---|---|---|",
    ]
    for size in WALKER[1]:
        for date in WALKER[0]:
            lake = mapped(*sl.simulate_scene(date, resolution=size))
            lines.append(
                f"| {size} m | {date} | {lake.true:.2f} km² | {lake.best:.2f} km² | "
                f"{lake.low[95]:.2f} to {lake.high[95]:.2f} km² | "
                f"{'yes' if lake.holds(95) else '**no**'} |"
            )
    return "\n".join(lines)


def main(words: Sequence[str]) -> None:
    """Measure and print."""
    counts = [int(word) for word in words if word.isdigit()]
    if "--finer" in words:
        print(finer_table(counts[0] if counts else FINER_LAKES))
        return
    count = counts[0] if counts else LAKES
    if "--calibrate" in words:
        together, spreads = calibrated(measure(CALIBRATED_ON))
        print(f"TOGETHER = {together:.3f}")
        print("SPREADS =", {percent: round(value, 2) for percent, value in spreads.items()})
        return
    print(table(measure(range(TESTED_FROM, TESTED_FROM + count))))
    print(f"\n{walker()}")


if __name__ == "__main__":
    main(sys.argv[1:])
