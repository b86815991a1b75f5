"""The data that methods are compared on. All methods get the same float32 table.

Real pixels and labelled sets come from the folder of shared data (../shared/data beside the
checkout, or $STRANDLINE_SHARED_DATA). But for the hard sets, all features together have mean
zero and standard deviation one, which is kind to methods whose kernel has a fixed width.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.datasets import (
    load_digits,
    make_blobs,
    make_circles,
    make_classification,
    make_moons,
)

SHARED = Path(
    os.environ.get(
        "STRANDLINE_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"
    )
)
_BLOCK = 1 << 20


class Samples(NamedTuple):
    """A table of samples and, where it is known, the class of each."""

    X: np.ndarray
    truth: np.ndarray | None


class DataSet(NamedTuple):
    """How to load `n` samples (None: all there are, or the usual number)."""

    title: str
    load: Callable[[int | None], Samples]
    is_real: bool = False


def load(name: str, n_samples: int | None = None) -> Samples:
    """Load a data set by its name in `DATA_SETS`."""
    return DATA_SETS[name].load(n_samples)


def here(name: str) -> bool:
    """Whether a data set can be loaded on this machine."""
    return SHARED.is_dir() or not DATA_SETS[name].is_real


# --- pixels ---------------------------------------------------------------------


def _pixels(*files: str) -> Callable[[int | None], Samples]:
    def load(n_samples: int | None) -> Samples:
        spectra = _spectra(files)
        X = _resize(spectra, n_samples)
        X -= spectra.mean(dtype=np.float64).astype(np.float32)
        X /= spectra.std(dtype=np.float64).astype(np.float32)
        return Samples(X, None)

    return load


def _spectra(files: tuple[str, ...]) -> np.ndarray:
    """All pixels with a value in every band, as a table."""
    import rasterio

    bands, seen = [], []
    for file in files:
        with rasterio.open(SHARED / file) as source:
            bands.extend(source.read().astype(np.float32))
            seen.extend(source.read_masks() > 0)
    whole = np.logical_and.reduce(seen)
    return np.stack([band[whole] for band in bands], axis=1)


def _resize(spectra: np.ndarray, n_samples: int | None) -> np.ndarray:
    """As many rows as asked for: some, or all and again with noise of half a unit."""
    rng = np.random.default_rng(0)
    if n_samples is None or n_samples == len(spectra):
        return spectra.copy()
    if n_samples < len(spectra):
        return spectra[rng.permutation(len(spectra))[:n_samples]]
    X = np.empty((n_samples, spectra.shape[1]), np.float32)
    for start in range(0, n_samples, _BLOCK):  # nothing but X may get large
        part = X[start : start + _BLOCK]
        np.take(spectra, rng.integers(0, len(spectra), len(part)), axis=0, out=part)
        part += rng.random(part.shape, np.float32) - np.float32(0.5)
    return X


# --- sets with known classes ----------------------------------------------------


def _labelled(name: str) -> Callable[[int | None], Samples]:
    def load(n_samples: int | None) -> Samples:
        with np.load(SHARED / "benchmark_sets" / f"{name}.npz", allow_pickle=False) as archive:
            return _some(archive["X"], archive["y"], n_samples)

    return load


def _digits(n_samples: int | None) -> Samples:
    data = load_digits()
    return _some(data.data, data.target, n_samples)


def _some(X: np.ndarray, y: np.ndarray, n_samples: int | None) -> Samples:
    rows = np.random.default_rng(0).permutation(len(X))[:n_samples]
    return Samples(_standard(X)[rows], y[rows])


def _moons(n_samples: int | None) -> Samples:
    X, y = make_moons(n_samples or 100_000, noise=0.1, random_state=0)
    return Samples(_standard(X), y)


def _circles(n_samples: int | None) -> Samples:
    X, y = make_circles(n_samples or 100_000, noise=0.05, factor=0.5, random_state=0)
    return Samples(_standard(X), y)


def _mixture(n_samples: int | None) -> Samples:
    """Eight Gaussian groups in six dimensions: needs no files."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 8, n_samples or 10_000)
    centres = rng.normal(0.0, 3.0, (8, 6))
    return Samples(_standard(centres[truth] + rng.normal(size=(len(truth), 6))), truth)


def _standard(X: np.ndarray) -> np.ndarray:
    return ((X - X.mean()) / X.std()).astype(np.float32)


# --- hard sets: what dask-ml's users reported -----------------------------------


def _isolated(n_samples: int | None) -> Samples:
    """Groups and one sample that is far from all: its degree is zero (dask-ml #841)."""
    X, truth = _mixture(n_samples)
    X[0] = 1e4
    return Samples(X, truth)


def _numbers(n_samples: int | None) -> Samples:
    """Groups as 16-bit digital numbers, not scaled (dask-ml #841, #227)."""
    X, truth = _mixture(n_samples)
    return Samples(np.round(X * 3000 + 12000).astype(np.float32), truth)


def _wide(n_samples: int | None) -> Samples:
    """Ten blobs in very many dimensions, not scaled (dask-ml #904)."""
    n = n_samples or 10_000
    X, y = make_blobs(n, n_features=min(n, 10_000), centers=10, random_state=0)
    return Samples(X.astype(np.float32), y)


def _narrow(n_samples: int | None) -> Samples:
    """All values of a table as samples of one feature (dask-ml #151: memory)."""
    rows = max(100, (n_samples or 9_000_000) // 9)
    X, _ = make_classification(rows, n_features=9, random_state=0)
    return Samples(_standard((X - X.mean(0)) / X.std(0)).reshape(-1, 1), None)


DATA_SETS = {
    "olinda": DataSet("Olinda, ETM+ pixels", _pixels("olinda_etm/L7_ETMs.tif"), True),
    "north-carolina": DataSet(
        "North Carolina, ETM+ pixels",
        _pixels(*(f"nc_etm_labelled/lsat7_2000_{band}0.tif" for band in (1, 2, 3, 4, 5, 7))),
        True,
    ),
    "tucurui": DataSet(
        "Tucuruí, TM pixels",
        _pixels(
            *(f"tucurui_tm1988/LT52240631988227CUB02_B{band}.TIF" for band in (1, 2, 3, 4, 5, 7))
        ),
        True,
    ),
    "letters": DataSet("Letters", _labelled("letterrecognition"), True),
    "satellite": DataSet("Satellite", _labelled("satellite"), True),
    "digits": DataSet("digits", _digits),
    "moons": DataSet("two moons, noise 0.1", _moons),
    "circles": DataSet("two circles, noise 0.05", _circles),
    "mixture": DataSet("eight Gaussian groups", _mixture),
    "isolated": DataSet("hard: one sample far away", _isolated),
    "digital-numbers": DataSet("hard: 16-bit digital numbers", _numbers),
    "wide": DataSet("hard: as many features as samples", _wide),
    "narrow": DataSet("hard: one feature", _narrow),
}
