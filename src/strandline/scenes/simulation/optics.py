"""Light: where the sun stands, what each class reflects, what the sensor makes of it.

References
----------
Spencer 1971, Fourier series representation of the position of the sun, Search 2.
Spectra, noise and quantisation: ``walker_spectra.json``, which names its sources.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strandline.scenes.reflectance import earth_sun_distance
from strandline.scenes.sensors import SENSORS
from strandline.scenes.simulation.geography import CENTRE_LONLAT
from strandline.scenes.simulation.noise import Axes, Float32, white_noise

# Land classes in the order of their codes; the spectra of all but the lake bed are measured.
CLASSES = ("scrub", "alluvium", "playa", "conifer", "crop", "dark_rock", "brush", "lake_bed")
SCRUB, ALLUVIUM, PLAYA, CONIFER, CROP, DARK_ROCK, BRUSH, LAKE_BED = range(len(CLASSES))
COMPONENTS = 3


@dataclass(frozen=True)
class Platform:
    """A satellite, its sensor, and when it passes."""

    name: str
    code: str
    sensor: str
    first_day: dt.date
    passes: dt.time


PLATFORMS = {
    platform.name: platform
    for platform in (
        Platform("landsat-4", "LT04", "tm", dt.date(1982, 7, 16), dt.time(17, 57, 41)),
        Platform("landsat-5", "LT05", "tm", dt.date(1984, 3, 1), dt.time(17, 58, 20)),
        Platform("landsat-8", "LC08", "oli", dt.date(2013, 2, 11), dt.time(18, 33, 10)),
        Platform("landsat-9", "LC09", "oli", dt.date(2021, 9, 27), dt.time(18, 33, 14)),
        Platform("sentinel-2a", "S2A", "msi", dt.date(2015, 6, 23), dt.time(18, 49, 31)),
        Platform("sentinel-2b", "S2B", "msi", dt.date(2017, 3, 7), dt.time(18, 49, 29)),
        Platform("sentinel-2c", "S2C", "msi", dt.date(2024, 9, 5), dt.time(18, 49, 31)),
    )
}


@dataclass(frozen=True)
class Sun:
    """Direction of the sun at the lake (degrees) and its distance (astronomical units)."""

    elevation: float
    azimuth: float
    distance: float

    @property
    def direction(self) -> tuple[float, float, float]:
        """Unit vector to the sun: east, north, up."""
        elevation, azimuth = np.radians(self.elevation), np.radians(self.azimuth)
        return (
            float(np.cos(elevation) * np.sin(azimuth)),
            float(np.cos(elevation) * np.cos(azimuth)),
            float(np.sin(elevation)),
        )


def sun_at(moment: dt.datetime) -> Sun:
    """Position of the sun over the lake at a time (UTC), to about half a degree."""
    moment = moment.astimezone(dt.UTC)
    lon, lat = CENTRE_LONLAT
    hour = moment.hour + moment.minute / 60 + moment.second / 3600
    g = 2 * np.pi * (moment.timetuple().tm_yday - 1 + (hour - 12) / 24) / 365
    declination = (
        0.006918 - 0.399912 * np.cos(g) + 0.070257 * np.sin(g) - 0.006758 * np.cos(2 * g)
        + 0.000907 * np.sin(2 * g) - 0.002697 * np.cos(3 * g) + 0.00148 * np.sin(3 * g)
    )  # fmt: skip
    minutes = 229.18 * (
        0.000075 + 0.001868 * np.cos(g) - 0.032077 * np.sin(g)
        - 0.014615 * np.cos(2 * g) - 0.040849 * np.sin(2 * g)
    )  # fmt: skip
    angle = np.radians((hour * 60 + minutes + 4 * lon) / 4 - 180)
    phi = np.radians(lat)
    up = np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(angle)
    east = -np.cos(declination) * np.sin(angle)
    north = np.cos(phi) * np.sin(declination) - np.sin(phi) * np.cos(declination) * np.cos(angle)
    return Sun(
        float(np.degrees(np.arcsin(up))),
        float(np.degrees(np.arctan2(east, north)) % 360),
        earth_sun_distance(moment),
    )


@dataclass(frozen=True)
class Spectra:
    """What a sensor sees of each class: tables with one column per band.

    ``mean`` is (class, band), ``spread`` (class, component, band): the leading
    principal components of the measured covariance, scaled by their standard
    deviations, the first pointing to brighter.
    """

    bands: tuple[str, ...]
    mean: Float32
    spread: Float32
    water: Float32
    water_spread: Float32
    turbid: Float32
    snow: Float32
    cloud: Float32
    sky_share: Float32
    noise: Float32
    step: Float32


# Reflectance of thick cumulus and attenuation of light in the lake's water (1/m), by band.
CLOUD = {
    "coastal": 0.60, "blue": 0.61, "green": 0.62, "red": 0.63,
    "rededge071": 0.635, "rededge075": 0.64, "rededge078": 0.65, "nir": 0.655,
    "nir08": 0.66, "nir09": 0.63, "swir16": 0.48, "swir22": 0.36,
}  # fmt: skip
ATTENUATION = {
    "coastal": 0.75, "blue": 0.60, "green": 0.42, "red": 0.85,
    "rededge071": 1.3, "rededge075": 2.8, "rededge078": 2.9, "nir": 3.4,
    "nir08": 4.0, "nir09": 25.0, "swir16": 60.0, "swir22": 60.0,
}  # fmt: skip


@lru_cache(maxsize=3)
def spectra_of(sensor: str) -> Spectra:
    """Spectra of a sensor: ``tm`` or ``oli`` as measured, ``msi`` between OLI's bands."""
    text = files(__package__).joinpath("walker_spectra.json").read_text(encoding="utf-8")
    facts = json.loads(text)["oli" if sensor == "msi" else sensor]
    if sensor == "msi":
        facts = _between_bands(facts)
    bands = tuple(facts["bands"])
    known = facts["classes"]
    mean = [known[name]["mean"] for name in CLASSES[:-1]]
    spread = [_components(known[name]["cov"]) for name in CLASSES[:-1]]
    # Dried lake bed: silt and salt, between alluvium and playa.
    mean.append(0.5 * np.add(known["alluvium"]["mean"], known["playa"]["mean"]))
    spread.append(0.5 * np.add(spread[ALLUVIUM], spread[PLAYA]))
    snow = np.add(known["snow"]["mean"], 1.3 * _components(known["snow"]["cov"])[0])
    shade = np.divide(known["dark_rock"]["mean"], known["scrub"]["mean"])
    tables = {
        "mean": mean,
        "spread": spread,
        "water": known["water"]["median"],
        "water_spread": _components(known["water"]["cov"]),
        "turbid": known["turbid_water"]["mean"],
        "snow": snow,
        "cloud": [CLOUD[band] for band in bands],
        # The measured class also holds half-lit slopes: full shade is darker.
        "sky_share": 0.7 * shade,
        "noise": facts["noise"],
        "step": facts["step"],
    }
    return Spectra(bands, **{name: np.asarray(t, dtype=np.float32) for name, t in tables.items()})


def _between_bands(facts: dict[str, Any]) -> dict[str, Any]:
    """Draw OLI's spectra straight from band to band, and read them at MSI's wavelengths.

    What is drawn so is a linear map, which takes covariances along. The red edge of leaves comes
    out gentler than it is.
    """
    centres = {band.name: band.wavelength for band in SENSORS["landsat-8"].bands}
    seen = [band for band in SENSORS["sentinel-2a"].bands if band.name != "cirrus"]
    places = [centres[name] for name in facts["bands"]]
    unit = np.eye(len(places))
    weights = np.array([[np.interp(b.wavelength, places, row) for row in unit] for b in seen])
    classes = {
        name: {
            key: (weights @ value @ weights.T if key == "cov" else weights @ value).tolist()
            for key, value in table.items()
            if key in ("mean", "median", "cov")
        }
        for name, table in facts["classes"].items()
    }
    return {
        "bands": [band.name for band in seen],
        "classes": classes,
        "noise": (weights @ facts["noise"]).tolist(),
        "step": [0.0] * len(seen),
    }


def _components(covariance: list[list[float]]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(np.asarray(covariance))
    leading = vectors[:, ::-1][:, :COMPONENTS] * np.sqrt(np.maximum(values[::-1][:COMPONENTS], 0.0))
    # Eigenvectors come with any sign; make "more" mean brighter.
    signs = np.where(leading.sum(axis=0) < 0.0, -1.0, 1.0)
    scaled: NDArray[np.float64] = (leading * signs).T
    return scaled


def shadow_depth(height: Float32, spacing: float, sun: Sun, reach: float = 3000.0) -> Float32:
    """Metres that the terrain towards the sun rises above the light that would reach a knot.

    Positive in cast shadow. ``height`` is a lattice with ``spacing`` metres.
    """
    east, north, up = sun.direction
    flat = float(np.hypot(east, north))
    rows, cols = height.shape
    depth = np.full(height.shape, -np.inf, dtype=np.float32)
    index_row, index_col = np.arange(rows), np.arange(cols)
    for away in np.arange(spacing, reach + spacing, spacing):
        row = np.clip(
            np.round(index_row - away * north / flat / spacing).astype(np.int64), 0, rows - 1
        )
        col = np.clip(
            np.round(index_col + away * east / flat / spacing).astype(np.int64), 0, cols - 1
        )
        rise = height[np.ix_(row, col)] - height - np.float32(away * up / flat)
        np.maximum(depth, rise, out=depth)
    return depth


def blur(image: Float32) -> Float32:
    """Spread each pixel over its neighbours as the sensor does (a Gaussian of half a pixel).

    The outermost rows and columns are lost.
    """
    beside = np.float32(0.107)
    centre = np.float32(1.0 - 2 * 0.107)
    down = image[:-2] + image[2:]
    down *= beside
    down += centre * image[1:-1]
    across = down[:, :-2] + down[:, 2:]
    across *= beside
    across += centre * down[:, 1:-1]
    return across


def sense(reflectance: Float32, axes: Axes, spectra: Spectra, band: int, seed: int) -> Float32:
    """Add the sensor's noise and, for TM, round to what its eight bits can say."""
    step = float(spectra.step[band])
    # The measured noise includes that of rounding.
    sigma = np.sqrt(max(float(spectra.noise[band]) ** 2 - step**2 / 12.0, 1e-8))
    noisy: Float32 = reflectance + np.float32(sigma) * white_noise(axes, seed * 97 + band)
    if step > 0.0:
        noisy = np.round(noisy / np.float32(step)) * np.float32(step)
    return noisy
