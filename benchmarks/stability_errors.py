"""Whether pixels that change with seed, sample and k are those that are wrong, as a table.

    python benchmarks/stability_errors.py [LAKES]

For each scene the area under the ROC curve: how often a pixel that is wrong is less stable than
one that is right (ties count half). 0.5 is chance. References as in `water_accuracy.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio
import xarray as xr
from sklearn.metrics import roc_auc_score

import strandline as sl
from strandline.testing.lakes import random_lake
from water_accuracy import single_scenes

LAKES = 20


def auc(scene: xr.DataArray, truth: np.ndarray, members: int = 8) -> tuple[int, float, float]:
    """Count errors; area under the curve by the stability of the water and of the class."""
    segmentation = sl.segment(scene)
    again = sl.segment_again(segmentation, scene, members)
    mask = sl.water_mask(segmentation).values
    counted = (truth != 255) & (mask != 255)
    wrong = (mask != truth)[counted]
    curves = [
        roc_auc_score(wrong, 1 - sl.stability_map(segmentation, again, of).values[counted])
        if 0 < wrong.sum() < wrong.size
        else np.nan
        for of in ("water", "class")
    ]
    return int(wrong.sum()), float(curves[0]), float(curves[1])


def measure(data: Path | None, lakes: int = LAKES) -> Iterator[tuple[str, int, float, float]]:
    """Measure simulated lakes together, and every scene with a reference."""
    found = []
    for number in range(lakes):
        scene, fraction = random_lake(number)
        found.append(auc(scene, (fraction.values >= 0.5).astype(np.uint8)))
    errors, water, classes = np.array(found).T
    yield f"{lakes} simulated lakes", int(errors.sum()), np.nanmean(water), np.nanmean(classes)
    if data is not None:
        for name, _, scene, reference in single_scenes(data):
            with rasterio.open(reference) as file:
                truth = file.read(1)
            yield (name, *auc(scene.compute(), truth))


def table(rows: Iterator[tuple[str, int, float, float]]) -> str:
    """Write a Markdown table."""
    lines = ["| scene | wrong pixels | AUC, water | AUC, class |", "|---|---|---|---|"]
    lines += [f"| {n} | {e} | {w:.2f} | {c:.2f} |" for n, e, w, c in rows]
    return "\n".join(lines)


if __name__ == "__main__":
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    count = int(sys.argv[1]) if len(sys.argv) > 1 else LAKES
    print(table(measure(beside if beside.is_dir() else None, count)))
