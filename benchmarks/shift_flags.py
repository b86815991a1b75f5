"""How much change is flagged as what a shift could explain, pure shift or real, as Markdown.

    python benchmarks/shift_flags.py [--quick]

Simulated lakes: levels of a rough random landscape, ten times finer than the pixels, averaged
down; half a pixel of water is water. For pure shift the later map is averaged down from part
of a pixel off; for real change the level falls or rises; then both at once. Walker Lake:
`simulate_scene` on pairs of dates, its true water fractions. Ucayali: the reference maps of
real composites, whose registration is not known to the last part of a pixel.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom

import strandline as sl
from strandline.change.shift import drift_of, shift_explainable, shores
from strandline.prepare.classes import NOT_OBSERVED

Mask = NDArray[np.uint8]

FINER = 10
SIDE = 150
LAKES, QUICK_LAKES = 24, 4
ROUGH = (3.0, 6.0, 10.0, 15.0)
"""Scales of the landscape, in pixels."""
WET = (0.1, 0.3, 0.5)
"""Shares of the map under water."""
SHIFTS = (0.3, 0.5, 0.7, 1.0)
LEVELS = (0.005, 0.02, 0.05, 0.2)
"""Fall or rise of the water, in standard deviations of the landscape."""
WALKER = (
    ("1988-10-22", "2017-10-22", 30),
    ("1988-10-22", "1990-10-22", 30),
    ("2004-10-22", "2005-10-22", 30),
    ("1995-10-22", "1997-10-22", 90),
)
UCAYALI = (1990, 1995, 2000, 2005, 2010, 2015)
_EDGE = 2 * FINER


class Flagged(NamedTuple):
    """Changed pixels of one or more pairs, those that are flagged, and the shift found."""

    name: str
    changed: int
    flagged: int
    drifts: tuple[float, ...]

    @property
    def share(self) -> float:
        """Flagged of changed."""
        return self.flagged / self.changed if self.changed else 0.0


def measure(lakes: int = LAKES, folder: Path | None = None, walker: bool = True) -> list[Flagged]:
    """Flag all pairs."""
    found = [_pooled(f"shift of {part} px", _shifted(part, lakes)) for part in SHIFTS]
    found += [_pooled(f"level by {level} sd", _levels(level, 0.0, lakes)) for level in LEVELS]
    found += [_pooled("level by 0.02 sd, shift of 0.5 px", _levels(0.02, 0.5, lakes))]
    if walker:
        found += [
            _pooled(f"Walker {a[:4]}-{b[:4]}, {m} m", [_walker(a, b, m)]) for a, b, m in WALKER
        ]
    return found + [_pooled(name, [pair]) for name, pair in _ucayali(folder)]


def table(found: list[Flagged]) -> str:
    """A row per kind of change."""
    lines = ["| change | changed pixels | flagged | shift found, px |", "|---|---|---|---|"]
    for one in found:
        low, high = min(one.drifts), max(one.drifts)
        span = f"{low:.2f}" if len(one.drifts) == 1 else f"{low:.2f} to {high:.2f}"
        lines.append(f"| {one.name} | {one.changed:,} | {one.share:.1%} | {span} |")
    return "\n".join(lines)


def _pooled(name: str, pairs: list[tuple[Mask, Mask]]) -> Flagged:
    changed, flagged, drifts = 0, 0, []
    for before, after in pairs:
        observed = (before != NOT_OBSERVED) & (after != NOT_OBSERVED)
        changed += int((observed & (before != after)).sum())
        flagged += int(shift_explainable(before, after).sum())
        wide = [np.pad(mask, 2, constant_values=NOT_OBSERVED) for mask in (before, after)]
        drifts.append(drift_of([shores(*wide)]).pixels)
    return Flagged(name, changed, flagged, tuple(drifts))


def landscape(seed: int) -> tuple[NDArray[np.float64], float]:
    """Heights of a fine landscape in standard deviations, and a level of its lakes."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((SIDE, SIDE))
    scale = ROUGH[seed % len(ROUGH)]
    broad, fine = (gaussian_filter(noise, size, mode="wrap") for size in (scale, scale / 4))
    heights = zoom(broad / broad.std() + fine / fine.std() / 4, FINER, order=1)
    return heights, float(np.quantile(heights, WET[seed % len(WET)]))


def averaged(water: NDArray[np.bool_], down: int = 0, right: int = 0) -> Mask:
    """Average fine water down to pixels, from a part of a pixel off."""
    rows, columns = water.shape
    part = water[_EDGE + down : rows - _EDGE + down, _EDGE + right : columns - _EDGE + right]
    side = part.shape[0] // FINER
    return (part.reshape(side, FINER, side, FINER).mean(axis=(1, 3)) > 0.5).astype(np.uint8)


def _shifted(part: float, lakes: int) -> list[tuple[Mask, Mask]]:
    return _levels(0.0, part, lakes)


def _levels(level: float, part: float, lakes: int) -> list[tuple[Mask, Mask]]:
    pairs = []
    for seed in range(lakes):
        heights, surface = landscape(seed)
        angle = 1.1 * seed
        off = [round(FINER * part * side) for side in (math.sin(angle), math.cos(angle))]
        later = surface + (level if seed % 2 else -level)
        pairs.append((averaged(heights < surface), averaged(heights < later, *off)))
    return pairs


def _walker(before: str, after: str, metres: float) -> tuple[Mask, Mask]:
    masks = []
    for day in (before, after):
        truth = sl.simulate_scene(day, resolution=metres)[1].values
        masks.append(np.where(np.isnan(truth), NOT_OBSERVED, truth > 0.5).astype(np.uint8))
    return masks[0], masks[1]


def _ucayali(folder: Path | None) -> Iterator[tuple[str, tuple[Mask, Mask]]]:
    if folder is None or not (folder / "ucayali_series").is_dir():
        return
    import rasterio

    masks = {}
    for year in UCAYALI:
        with rasterio.open(folder / "ucayali_series" / f"water_reference_{year}.tif") as file:
            masks[year] = file.read(1)
    for first, last in pairwise(UCAYALI):
        yield f"Ucayali {first}-{last}", (masks[first], masks[last])


if __name__ == "__main__":
    data = Path(__file__).resolve().parents[2] / "shared" / "data"
    print(table(measure(QUICK_LAKES if "--quick" in sys.argv else LAKES, data)))
