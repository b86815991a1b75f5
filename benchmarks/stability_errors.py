"""Whether pixels of little confidence, and those that change with seed and k, are wrong: tables.

    python benchmarks/stability_errors.py [LAKES] [FOLDER]

For each scene of `water_methods.py` (FOLDER holds them; default: ../shared/data beside the
checkout), and for simulated lakes together: the area under the ROC curve, which is how often a
pixel that is wrong has less confidence, or stability, than one that is right (ties count half).
0.5 is chance. The second table holds the confidence against the share of pixels that are right:
over all simulated scenes and lakes, and over all real scenes, without those under clouds that
were not masked, where what is wrong has other reasons than the decision.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from sklearn.metrics import roc_auc_score

import strandline as sl
import water_methods
from strandline.testing.lakes import random_lake

LAKES = 20
MEMBERS = 8
BINS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1.0)


class Scores(NamedTuple):
    """What one scene says: its pixels' confidence, whether they are wrong, and three AUC."""

    name: str
    confidence: np.ndarray
    wrong: np.ndarray
    by_confidence: float
    by_water: float
    by_class: float


def score(name: str, scene: xr.DataArray, truth: np.ndarray, members: int = MEMBERS) -> Scores:
    """Look where a scene's mask is wrong, and what had been said about those pixels."""
    segmentation = sl.segment(scene)
    again = sl.segment_again(segmentation, scene, members)
    mask = sl.water_mask(segmentation).values
    counted = (truth != 255) & (mask != 255)
    wrong = (mask != truth)[counted]
    maps = [sl.water_confidence(segmentation)]
    maps += [sl.stability_map(segmentation, again, of) for of in ("water", "class")]
    values = [layer.values[counted] for layer in maps]
    curves = [
        float(roc_auc_score(wrong, 1 - of)) if 0 < wrong.sum() < wrong.size else np.nan
        for of in values
    ]
    return Scores(name, values[0], wrong, *curves)


def measure(data: Path | None, lakes: int = LAKES) -> Iterator[Scores]:
    """Measure simulated lakes together, and every scene with a reference."""
    found = []
    for number in range(lakes):
        scene, fraction = random_lake(number)
        found.append(score("", scene, (fraction.values >= 0.5).astype(np.uint8)))
    yield Scores(
        f"{lakes} simulated lakes",
        np.concatenate([one.confidence for one in found]),
        np.concatenate([one.wrong for one in found]),
        *(float(np.nanmean([one[place] for one in found])) for place in (3, 4, 5)),
    )
    if data is not None:
        for case in water_methods.cases(data):
            yield score(case.name, case.scene, case.truth)


def table(rows: Iterable[Scores]) -> str:
    """Write the areas under the curves as a Markdown table."""
    lines = [
        "| scene | wrong pixels | AUC, confidence | stability, water | stability, class |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        curves = [row.by_confidence, row.by_water, row.by_class]
        cells = ["-" if np.isnan(value) else f"{value:.3f}" for value in curves]
        lines.append(f"| {row.name} | {row.wrong.sum():,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def reliability(rows: Sequence[Scores]) -> str:
    """Write how many pixels of each confidence are right as a Markdown table."""
    fair = [row for row in rows if "not masked" not in row.name]
    parts = {
        "simulated": [row for row in fair if "simulated" in row.name],
        "real": [row for row in fair if "simulated" not in row.name],
    }
    lines = ["| confidence | simulated, mean | right | real, mean | right |", "|---" * 5 + "|"]
    for low, high in pairwise(BINS):
        cells = []
        for part in parts.values():
            both = [(row.confidence, row.wrong) for row in part] or [(np.empty(0), np.empty(0))]
            confidence, wrong = (np.concatenate(column) for column in zip(*both, strict=True))
            here = (confidence >= low) & ((confidence < high) | (high == BINS[-1]))
            cells += (
                [f"{confidence[here].mean():.4f}", f"{1 - wrong[here].mean():.4f}"]
                if here.any()
                else ["-", "-"]
            )
        lines.append(f"| {low:g} to {high:g} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    data = Path(sys.argv[2]) if len(sys.argv) > 2 else beside
    count = int(sys.argv[1]) if len(sys.argv) > 1 else LAKES
    rows = []
    for number, row in enumerate(measure(data if data.is_dir() else None, count)):
        rows.append(row)
        lines = table([row]).splitlines()
        print("\n".join(lines if number == 0 else lines[2:]), flush=True)  # it takes a while
    print(f"\n{reliability(rows)}")


if __name__ == "__main__":
    main()
