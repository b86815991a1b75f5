"""Compare the clustering engine with other ways to cluster many samples.

    python benchmarks/engine.py --samples 90000 --clusters 4 8

prints one Markdown table per number of clusters: the time to fit and to label all
samples (median), the agreement between runs that differ only in their seed (mean
adjusted Rand index, percent) and, for labelled sets, the normalised mutual information.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.datasets import load_digits, make_circles, make_moons
from sklearn.kernel_approximation import Nystroem
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.pipeline import make_pipeline

from strandline.spectral import SpectralClustering

SHARED = Path(
    os.environ.get(
        "STRANDLINE_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"
    )
)
SCORED_ROWS = 20_000


def pixels(n_samples: int) -> tuple[np.ndarray, None]:
    """Spectra of a real Landsat 7 scene, repeated with a little noise if it is too small."""
    import rasterio

    with rasterio.open(SHARED / "olinda_etm" / "L7_ETMs.tif") as source:
        X = source.read().reshape(source.count, -1).T.astype(np.float32)
    if n_samples > len(X):
        rng = np.random.default_rng(0)
        X = X[rng.integers(0, len(X), n_samples)]
        X = X + rng.uniform(-0.5, 0.5, X.shape).astype(np.float32)
    X = X[:n_samples]
    return (X - X.mean()) / X.std(), None


def mixture(n_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Eight Gaussian groups in six dimensions: needs no files."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 8, n_samples)
    centres = rng.normal(0.0, 3.0, (8, 6))
    return (centres[truth] + rng.normal(size=(n_samples, 6))).astype(np.float32), truth


def labelled(name: str) -> Callable[[int], tuple[np.ndarray, np.ndarray]]:
    def load(n_samples: int) -> tuple[np.ndarray, np.ndarray]:
        with np.load(SHARED / "benchmark_sets" / f"{name}.npz", allow_pickle=False) as archive:
            X, y = archive["X"].astype(np.float32), archive["y"]
        part = np.random.default_rng(0).permutation(len(X))[:n_samples]
        return X[part], y[part]

    return load


def digits(n_samples: int) -> tuple[np.ndarray, np.ndarray]:
    data = load_digits()
    return data.data[:n_samples].astype(np.float32), data.target[:n_samples]


def moons(n_samples: int) -> tuple[np.ndarray, np.ndarray]:
    X, y = make_moons(n_samples, noise=0.1, random_state=0)
    return X.astype(np.float32), y


def circles(n_samples: int) -> tuple[np.ndarray, np.ndarray]:
    X, y = make_circles(n_samples, noise=0.05, factor=0.5, random_state=0)
    return X.astype(np.float32), y


SETS = {
    "pixels": pixels,
    "mixture": mixture,
    "letters": labelled("letterrecognition"),
    "satellite": labelled("satellite"),
    "digits": digits,
    "moons": moons,
    "circles": circles,
}


def nystroem_kmeans(X: np.ndarray, n_clusters: int, seed: int) -> np.ndarray:
    features = Nystroem(gamma=1.0 / X.shape[1], n_components=100, random_state=seed)
    model = make_pipeline(features, KMeans(n_clusters, n_init=10, random_state=seed))
    return model.fit_predict(X)


def dask_ml(X: np.ndarray, n_clusters: int, seed: int) -> np.ndarray:
    import dask.array as da
    from dask_ml.cluster import SpectralClustering as Seed

    model = Seed(n_clusters=n_clusters, random_state=seed, gamma=None, persist_embedding=True)
    model.fit(da.from_array(X, chunks=(max(1, len(X) // 4), X.shape[1])))
    return np.asarray(model.assign_labels_.labels_)


METHODS: dict[str, Callable[[np.ndarray, int, int], np.ndarray]] = {
    "strandline, nearest_neighbors": lambda X, k, seed: SpectralClustering(
        k, affinity="nearest_neighbors", random_state=seed
    ).fit_predict(X),
    "strandline, rbf": lambda X, k, seed: SpectralClustering(
        k, affinity="rbf", random_state=seed
    ).fit_predict(X),
    "scikit-learn, Nystroem + KMeans": nystroem_kmeans,
    "scikit-learn, KMeans": lambda X, k, seed: KMeans(k, n_init=10, random_state=seed).fit_predict(
        X
    ),
    "scikit-learn, MiniBatchKMeans": lambda X, k, seed: MiniBatchKMeans(
        k, n_init=10, random_state=seed
    ).fit_predict(X),
    "dask-ml, SpectralClustering": dask_ml,
}


def measure(
    method: Callable[[np.ndarray, int, int], np.ndarray],
    X: np.ndarray,
    truth: np.ndarray | None,
    n_clusters: int,
    repeats: int,
) -> tuple[float, float, float]:
    """Median seconds, stability and NMI in percent (NaN where there is nothing to compare)."""
    seconds, labels = [], []
    for seed in range(repeats):
        start = time.perf_counter()
        labels.append(method(X, n_clusters, seed))
        seconds.append(time.perf_counter() - start)
    part = np.random.default_rng(0).permutation(len(X))[:SCORED_ROWS]
    agreement = [adjusted_rand_score(a[part], b[part]) for a, b in combinations(labels, 2)]
    stability = 100.0 * float(np.mean(agreement)) if agreement else np.nan
    if truth is None:
        return float(np.median(seconds)), stability, np.nan
    information = [normalized_mutual_info_score(truth, found) for found in labels]
    return float(np.median(seconds)), stability, 100.0 * float(np.mean(information))


def available() -> dict[str, Callable[[np.ndarray, int, int], np.ndarray]]:
    """The methods whose packages are installed."""
    from importlib.util import find_spec

    return {
        name: method
        for name, method in METHODS.items()
        if not name.startswith("dask-ml") or find_spec("dask_ml") is not None
    }


def table(name: str, n_samples: int, n_clusters: int, repeats: int) -> str:
    """One Markdown table."""
    X, truth = SETS[name](n_samples)
    lines = [
        f"### {name}: {len(X):,} × {X.shape[1]}, {n_clusters} clusters, {repeats} seeds",
        "",
        "| method | seconds | stability | NMI |",
        "|---|---|---|---|",
    ]
    for label, method in available().items():
        seconds, stability, information = measure(method, X, truth, n_clusters, repeats)
        cells = (
            f"{value:.1f}" if np.isfinite(value) else "–" for value in (stability, information)
        )
        lines.append(f"| {label} | {seconds:.2f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def machine() -> str:
    """What the numbers were measured on."""
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return (
        f"{platform.machine()}, {os.cpu_count()} CPUs, load {load}; "
        f"Python {platform.python_version()}, NumPy {np.__version__}"
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=sorted(SETS), nargs="+", default=["pixels"])
    parser.add_argument("--samples", type=int, default=90_000)
    parser.add_argument("--clusters", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    print(machine())
    for name in options.data:
        for n_clusters in options.clusters:
            print()
            print(table(name, options.samples, n_clusters, options.repeats))


if __name__ == "__main__":
    main()
