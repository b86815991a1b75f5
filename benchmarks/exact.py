"""How close landmarks come to the eigenvectors of the whole graph, as Markdown.

    python benchmarks/exact.py --samples 90000

The graph: Gaussian affinities between all pixels, as wide as the fit with default parameters
makes them, plus the uniform teleport of `rbf` (docs/method.md). Its leading eigenvectors are
computed without landmarks and without storing it: a block Krylov method that forms the
affinities anew, tile by tile, in each pass.

cosine    the smallest cosine of the principal angles between the spaces of the first k
          eigenvectors, ours and exact
ARI       agreement of our labels with those of k-means on the exact embedding, in percent
floor     agreement of two such sets of exact labels that differ in the seed of k-means only
spread    the objective of k-means on the exact embedding, of our labels over those labels: near
          one, labels that differ are a different, equally good choice
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh, qr, svdvals
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

import datasets
import machine
from report import Goal, number, seconds, table

TELEPORT = 0.05
CLUSTERS = (4, 8, 10)
LEAST_COSINE = 0.995
LEAST_ARI = {4: 97.0, 8: 97.0}
_TOLERANCE = 2e-5
_PASSES = 40
_ROWS, _COLUMNS = 1024, 4096


class Closeness(NamedTuple):
    """Ours beside the exact answer, for one number of clusters."""

    samples: int
    n_clusters: int
    landmarks: int
    cosine: float
    eigenvalues: float
    ari: float
    floor: float
    spread: float
    seconds: float


class Graph:
    """The operator D^-½ (K + teleport) D^-½ of all samples, never stored."""

    def __init__(self, X: np.ndarray, gamma: float) -> None:
        scaled = (X * np.sqrt(2.0 * gamma)).astype(np.float32)
        half = 0.5 * np.square(scaled).sum(axis=1, keepdims=True)
        ones = np.ones_like(half)
        self._left = np.hstack([scaled, ones, half])
        self._right = np.hstack([scaled, -half, -ones]).T.copy()
        n = len(X)
        degree = self._kernel(np.ones((n, 1)))[:, 0]
        self.uniform = TELEPORT * degree.mean() / n
        self.degree = degree + n * self.uniform

    def __matmul__(self, V: np.ndarray) -> np.ndarray:
        root = np.sqrt(self.degree)[:, None]
        scaled = V / root
        return (self._kernel(scaled) + self.uniform * scaled.sum(axis=0)) / root

    def _kernel(self, V: np.ndarray) -> np.ndarray:
        n = len(V)
        size = np.abs(V).max()
        narrow = (V / size).astype(np.float32)
        out = np.zeros(V.shape)

        def fill(start: int) -> None:
            rows = slice(start, start + _ROWS)
            for at in range(0, n, _COLUMNS):
                columns = slice(at, at + _COLUMNS)
                tile = self._left[rows] @ self._right[:, columns]
                np.minimum(tile, 0.0, out=tile)
                np.exp(tile, out=tile)
                out[rows] += tile @ narrow[columns]

        with threadpool_limits(1, "blas"), ThreadPoolExecutor(machine.cpus()) as pool:
            list(pool.map(fill, range(0, n, _ROWS)))
        return out * size


def leading_eigenpairs(graph: Graph, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Largest eigenvalues, descending, and eigenvectors: Rayleigh–Ritz in a block Krylov space."""
    rng = np.random.default_rng(0)
    start = np.column_stack(
        [np.sqrt(graph.degree), rng.normal(size=(len(graph.degree), count + 3))]
    )
    block = qr(start, mode="economic")[0]
    basis, images = block, graph @ block
    for _ in range(_PASSES):
        small = basis.T @ images
        values, vectors = eigh((small + small.T) / 2.0)
        values, vectors = values[::-1][: block.shape[1]], vectors[:, ::-1][:, : block.shape[1]]
        residual = images @ vectors - (basis @ vectors) * values
        if np.linalg.norm(residual[:, :count], axis=0).max() < _TOLERANCE:
            return values[:count], basis @ vectors[:, :count]
        for _ in range(2):  # twice is enough
            residual -= basis @ (basis.T @ residual)
        block = qr(residual, mode="economic")[0]
        basis, images = np.hstack([basis, block]), np.hstack([images, graph @ block])
    raise ArithmeticError(f"The eigenvectors did not converge in {_PASSES} passes.")


def compare(
    samples: int = 90_000,
    clusters: Sequence[int] = CLUSTERS,
    *,
    data: str | None = None,
    landmarks: int | None = None,
) -> list[Closeness]:
    """Fit ours for each k, and solve the exact operator for each width of the kernel."""
    from strandline.spectral import SpectralClustering
    from strandline.spectral.embedding import soft_cut

    chosen = data or ("olinda" if datasets.here("olinda") else "mixture")
    X = datasets.load(chosen, samples).X
    found = []
    solved: dict[float, tuple[Graph, np.ndarray, np.ndarray, float]] = {}
    for k in sorted(clusters, reverse=True):
        model = SpectralClustering(k, affinity="rbf", n_components=landmarks, random_state=0)
        labels = model.fit_predict(X)
        kernel = model.model_.embed.kernel
        gamma = kernel.gamma / model.model_.frame.unit**2
        if gamma not in solved:  # it depends on the number of landmarks, and that on k
            start = time.perf_counter()
            graph = Graph(X, gamma)
            solved[gamma] = graph, *leading_eigenpairs(graph, 2 * k), time.perf_counter() - start
        graph, values, vectors, took = solved[gamma]
        exact = vectors[:, : 2 * k] * soft_cut(values[: 2 * k], k)
        exact /= np.linalg.norm(exact, axis=1, keepdims=True)
        one, two = (
            KMeans(k, n_init=20, random_state=seed).fit(exact[:30_000]).predict(exact)
            for seed in (0, 1)
        )
        found.append(
            Closeness(
                len(X),
                k,
                len(kernel.landmarks),
                _cosine(model.transform(X)[:, :k], graph.degree, vectors[:, :k]),
                float(np.abs(model.eigenvalues_[:k] - values[:k]).max()),
                100.0 * adjusted_rand_score(one, labels),
                100.0 * adjusted_rand_score(one, two),
                _spread(exact, labels) / _spread(exact, one),
                took,
            )
        )
    return found[::-1]


def _cosine(embedded: np.ndarray, degree: np.ndarray, exact: np.ndarray) -> float:
    """Smallest cosine between spaces.

    Rows of the embedding have length one; divided by their first entry, the eigenvector
    √d, they are eigenvectors again, up to their lengths.
    """
    ours = embedded.astype(np.float64) / embedded[:, :1] * np.sqrt(degree)[:, None]
    return float(svdvals(qr(ours, mode="economic")[0].T @ exact).min())


def _spread(rows: np.ndarray, labels: np.ndarray) -> float:
    """Sum of squared distances from the clusters' means."""
    parts = [rows[labels == label] for label in np.unique(labels)]
    return float(sum(np.square(part - part.mean(axis=0)).sum() for part in parts))


def closeness_table(found: Sequence[Closeness]) -> str:
    """One line per number of clusters."""
    head = ("k", "landmarks", "cosine", "eigenvalues within", "label ARI", "floor", "spread")
    rows = [
        (
            str(one.n_clusters),
            str(one.landmarks),
            number(one.cosine, ".5f"),
            number(one.eigenvalues, ".0e"),
            number(one.ari),
            number(one.floor),
            number(one.spread, ".3f"),
        )
        for one in found
    ]
    title = f"### Against all {found[0].samples:,} × {found[0].samples:,} affinities"
    return f"{title}, exact in {seconds(found[0].seconds)}\n\n{table(head, rows)}"


def goals(found: Sequence[Closeness]) -> Iterator[Goal]:
    """The spaces, and the labels for 4 and 8 clusters."""
    exact = f"exact takes {seconds(found[0].seconds)}"
    least = min(one.cosine for one in found)
    every = f"up to k = {max(one.n_clusters for one in found)}"
    size = f"{found[0].samples:,} samples"
    what = f"smallest cosine to the exact eigenvectors, {size}, {every}"
    yield Goal(what, f"{least:.5f}", f"≥ {LEAST_COSINE}", least >= LEAST_COSINE, exact)
    for one in found:
        if bar := LEAST_ARI.get(one.n_clusters):
            what = f"ARI with the exact embedding's labels, {size}, k = {one.n_clusters}"
            measured = f"{one.ari:.1f} (spread {one.spread:.3f})"
            yield Goal(what, measured, f"≥ {bar:g}", one.ari >= bar, exact)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=90_000)
    parser.add_argument("--clusters", type=int, nargs="+", default=list(CLUSTERS))
    given = parser.parse_args(arguments)
    print(machine.facts())
    print(f"\n{closeness_table(compare(given.samples, given.clusters))}")


if __name__ == "__main__":
    main()
