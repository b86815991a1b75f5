"""How far two sensors are apart over an unchanged landscape, before and after: Markdown tables.

    python benchmarks/sensor_bias.py [METRES]

Three pairs of TM and OLI over simulated Walker Lake.

regression   OLI, and TM made from it by the published regression backwards, with TM's own
             noise and eight bits: harmonising has to undo it
hazy         the same, TM with a haze that differs per band: no published number knows it,
             stable pixels do
measured     TM and OLI as the simulator has them. Its spectra were measured on two dates 29
             years apart, so besides the bands the land itself differs, by class
"""

from __future__ import annotations

import sys

import numpy as np
import xarray as xr

import strandline as sl
from strandline.scenes.simulation.optics import spectra_of

BANDS = ["blue", "green", "red", "nir08", "swir16", "swir22"]
HAZE = {"blue": 0.03, "green": 0.02, "red": 0.012, "nir08": 0.006, "swir16": 0.0, "swir22": -0.002}
DAY = "1988-10-22"


def table(resolution: float = 60, size: tuple[int, int] = (600, 500)) -> str:
    """Mean difference of reflectance per band, over all pixels, and over stable ones."""
    how = {"size": size, "resolution": resolution, "snow": False}
    oli, _ = sl.simulate_scene(DAY, platform="landsat-8", **how)
    tm, _ = sl.simulate_scene(DAY, platform="landsat-5", **how)
    oli = oli.sel(band=BANDS)
    made = _seen_by_tm(sl.harmonize(oli, "etm"), tm)
    haze = xr.DataArray([HAZE[name] for name in BANDS], dims="band")
    hazy = (made * 0.93 + haze).astype(np.float32).assign_attrs(made.attrs)
    lines = ["| pair | treatment | " + " | ".join(BANDS) + " |", "|---" * (2 + len(BANDS)) + "|"]
    for pair, scene in (("regression", made), ("hazy", hazy), ("measured", tm)):
        found = sl.normalization(scene, oli)
        treated = {
            "none": scene,
            "harmonize": sl.harmonize(scene),
            "normalize": found.apply(scene),
        }
        for name, one in treated.items():
            lines.append(_row(pair, name, (one - oli).mean(("y", "x")).values))
        stable = f"normalize, {found.stable} stable pixels"
        lines.append(_row(pair, stable, found.table["bias_after"].to_numpy()))
    return "\n".join(lines)


def _row(pair: str, treatment: str, biases: np.ndarray) -> str:
    return f"| {pair} | {treatment} | " + " | ".join(f"{bias:+.4f}" for bias in biases) + " |"


def _seen_by_tm(scene: xr.DataArray, tm: xr.DataArray) -> xr.DataArray:
    """Add TM's noise, and round to what eight bits can say."""
    spectra = spectra_of("tm")
    rng = np.random.default_rng(0)
    planes = []
    for plane, noise, step in zip(scene.values, spectra.noise, spectra.step, strict=True):
        noisy = plane + rng.normal(0, noise, plane.shape)
        planes.append(np.round(noisy / step) * step if step else noisy)
    attrs = {**tm.attrs, "source": "made from OLI"}
    return scene.copy(data=np.stack(planes).astype(np.float32)).assign_attrs(attrs).pipe(_bare)


def _bare(scene: xr.DataArray) -> xr.DataArray:
    """Forget that it was made by harmonising."""
    for name in ("harmonized_to", "harmonized_by"):
        scene.attrs.pop(name, None)
    return scene


if __name__ == "__main__":
    print(table(*(float(word) for word in sys.argv[1:])))
