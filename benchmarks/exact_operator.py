"""How close landmarks come to the exact eigenvectors of the graph they stand for.

    python benchmarks/exact_operator.py SCENE.tif --samples 90000 --clusters 4 8 10

The graph of `affinity="rbf"` with the width that the fit found, teleport included, between
all samples: its leading eigenvectors are computed without landmarks and without storing the
affinities, which are formed anew, tile by tile, in every pass. Printed, as Markdown:

cosine    the smallest cosine of the principal angles between the spaces spanned by the
          first k eigenvectors, ours and exact
ARI       agreement of our labels with those that the same rule finds in the exact embedding,
          in percent
floor     agreement of two such sets of exact labels that differ in the seed of k-means only
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh, qr, svdvals
from sklearn.metrics import adjusted_rand_score

from strandline.spectral import SpectralClustering
from strandline.spectral.affinity import GaussianKernel
from strandline.spectral.assign import LinearRule, kmeans_centres
from strandline.spectral.embedding import soft_cut

TELEPORT = 0.05
_TILE = 2048


class Agreement(NamedTuple):
    """Ours beside the exact answer."""

    n_samples: int
    n_clusters: int
    n_landmarks: int
    cosine: float
    eigenvalue_error: float
    ari: float
    floor: float
    passes: int


class Operator:
    """D^-½ (K + teleport) D^-½ between all points, never stored.

    Parameters
    ----------
    points : ndarray of shape (n_points, n_features)
    gamma : float
    """

    def __init__(self, points: np.ndarray, gamma: float) -> None:
        self._points = points
        self._kernels = [
            GaussianKernel(points[at : at + _TILE], gamma) for at in range(0, len(points), _TILE)
        ]
        degree = self._affinities_times(np.ones((len(points), 1)))[:, 0]
        self.uniform = TELEPORT * float(degree.mean()) / len(points)
        self.root = np.sqrt(degree + len(points) * self.uniform)

    def __matmul__(self, vectors: np.ndarray) -> np.ndarray:
        scaled = vectors / self.root[:, None]
        product = self._affinities_times(scaled) + self.uniform * scaled.sum(axis=0)
        return product / self.root[:, None]

    def _affinities_times(self, vectors: np.ndarray) -> np.ndarray:
        """Multiply by K, of which every tile above the diagonal serves for its mirror image."""
        size = float(np.abs(vectors).max())
        narrow = (vectors / size).astype(self._points.dtype)
        out = np.zeros(vectors.shape)
        for j, kernel in enumerate(self._kernels):
            columns = slice(j * _TILE, (j + 1) * _TILE)
            for i in range(j + 1):
                rows = slice(i * _TILE, (i + 1) * _TILE)
                tile = kernel(self._points[rows])
                out[rows] += tile @ narrow[columns]
                if i < j:
                    out[columns] += tile.T @ narrow[rows]
        return out * size


def exact_eigenpairs(
    operator: Operator, start: np.ndarray, tolerance: float = 1e-4, most_passes: int = 12
) -> tuple[np.ndarray, np.ndarray, int]:
    """Rayleigh–Ritz in a growing block Krylov space; `start` only saves passes.

    Parameters
    ----------
    operator : Operator
    start : ndarray of shape (n_points, n_vectors)
        As many eigenvectors are sought.
    tolerance : float
        Greatest norm of a residual.
    most_passes : int
        Products with all affinities.

    Returns
    -------
    values : ndarray of shape (n_vectors,)
        Descending.
    vectors : ndarray of shape (n_points, n_vectors)
    passes : int
    """
    count = start.shape[1]
    basis = qr(start, mode="economic")[0]
    images = operator @ basis
    for passes in range(1, most_passes + 1):
        small = basis.T @ images
        values, vectors = eigh((small + small.T) / 2.0)
        values, vectors = values[::-1][:count], vectors[:, ::-1][:, :count]
        residual = images @ vectors - (basis @ vectors) * values
        if np.linalg.norm(residual, axis=0).max() < tolerance:
            break
        if passes == most_passes:
            raise ArithmeticError(f"The eigenvectors did not converge in {most_passes} passes.")
        for _ in range(2):  # orthogonal to working precision only the second time
            residual -= basis @ (basis.T @ residual)
        block = qr(residual, mode="economic")[0]
        basis, images = np.hstack([basis, block]), np.hstack([images, operator @ block])
    return values, basis @ vectors, passes


def agreement(
    X: np.ndarray,
    clusters: Sequence[int],
    *,
    gamma: float | None = None,
    n_components: int | None = None,
    seed: int = 0,
) -> list[Agreement]:
    """Compare fits of `X` with the exact answer, one for each number of clusters.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Without NaN.
    clusters : sequence of int
    gamma : float, optional
        As for `SpectralClustering`; None: as its fit finds it.
    n_components : int, optional
        Number of landmarks.
    seed : int

    Returns
    -------
    list of Agreement
    """
    found = []
    solved: dict[float, tuple[np.ndarray, np.ndarray, np.ndarray, int]] = {}
    for k in sorted(clusters, reverse=True):
        estimator = SpectralClustering(
            k, affinity="rbf", gamma=gamma, n_components=n_components, random_state=seed
        )
        labels = estimator.fit_predict(X)
        model = estimator.model_
        kernel = model.embed.kernel
        embedded = estimator.transform(X).astype(np.float64)
        if kernel.gamma not in solved:  # fits with another number of landmarks have another one
            operator = Operator(model.frame(X), kernel.gamma)
            start = _eigenvectors(embedded, operator.root)
            values, vectors, passes = exact_eigenpairs(operator, start)
            solved[kernel.gamma] = values, vectors, operator.root, passes
        values, vectors, root, passes = solved[kernel.gamma]
        ours = qr(_eigenvectors(embedded, root)[:, :k], mode="economic")[0]
        one, two = (_exact_labels(values, vectors, root, k, s) for s in (seed, seed + 1))
        found.append(
            Agreement(
                len(X),
                k,
                len(kernel.landmarks),
                float(svdvals(ours.T @ vectors[:, :k]).min()),
                float(np.abs(estimator.eigenvalues_[:k] - values[:k]).max()),
                100.0 * float(adjusted_rand_score(one, labels)),
                100.0 * float(adjusted_rand_score(one, two)),
                passes,
            )
        )
    return found[::-1]


def _eigenvectors(embedded: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Undo the scaling of embedded rows to length one: the first eigenvector is √d."""
    return embedded / embedded[:, :1] * root[:, None]


def _exact_labels(
    values: np.ndarray, vectors: np.ndarray, root: np.ndarray, n_clusters: int, seed: int
) -> np.ndarray:
    """Labels by the engine's own rule, from the exact eigenvectors."""
    count = min(2 * n_clusters, len(values))
    embedded = vectors[:, :count] * soft_cut(values[:count], n_clusters) / root[:, None]
    embedded /= np.linalg.norm(embedded, axis=1, keepdims=True)
    embedded = embedded.astype(np.float32)
    shuffled = embedded[np.random.default_rng(0).permutation(len(embedded))]
    some = shuffled[:512]
    centres = kmeans_centres(
        shuffled,
        np.ones(len(embedded)),
        some,
        np.ones(len(some)),
        n_clusters,
        np.random.default_rng(seed),
    )
    return LinearRule.nearest(centres, np.dtype(np.float32))(embedded)


def pixels(scene: str, n_samples: int) -> np.ndarray:
    """Read the first pixels of a raster, standardised by one mean and one deviation."""
    import rasterio

    with rasterio.open(scene) as source:
        X = source.read().reshape(source.count, -1).T.astype(np.float32)[:n_samples]
    return (X - X.mean()) / X.std()


def table(found: Sequence[Agreement]) -> str:
    """One line of Markdown per number of clusters."""
    lines = [
        f"### Against all {found[0].n_samples:,} × {found[0].n_samples:,} affinities",
        "",
        "| k | landmarks | cosine | eigenvalues within | ARI | floor | passes |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.n_clusters} | {one.n_landmarks} | {one.cosine:.5f} | {one.eigenvalue_error:.0e} "
        f"| {one.ari:.1f} | {one.floor:.1f} | {one.passes} |"
        for one in found
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scene", help="a raster whose pixels, all of them valid, are the samples")
    parser.add_argument("--samples", type=int, default=90_000, help="its first so many pixels")
    parser.add_argument("--clusters", type=int, nargs="+", default=[4, 8, 10])
    parser.add_argument("--gamma", type=float)
    parser.add_argument("--landmarks", type=int)
    given = parser.parse_args(arguments)
    X = pixels(given.scene, given.samples)
    print(table(agreement(X, given.clusters, gamma=given.gamma, n_components=given.landmarks)))


if __name__ == "__main__":
    main()
