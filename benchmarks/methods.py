"""The ways to cluster that are compared. Each takes samples, a number of clusters, a seed."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

Predict = Callable[[np.ndarray], np.ndarray]


class Fitted(NamedTuple):
    """Labels of the samples and, if the method can label others, how."""

    labels: np.ndarray
    predict: Predict | None = None


class Method(NamedTuple):
    """A way to cluster; `package` has to be installed for it."""

    title: str
    fit: Callable[[np.ndarray, int, int], Fitted]
    package: str = "sklearn"

    @property
    def missing(self) -> str | None:
        """How to get what it needs, or None if all is here."""
        if find_spec(self.package) is not None:
            return None
        return f"not installed: pip install {self.package.replace('_', '-')}"


def _ours(**parameters: Any) -> Callable[[np.ndarray, int, int], Fitted]:
    def fit(X: np.ndarray, n_clusters: int, seed: int) -> Fitted:
        from strandline.spectral import SpectralClustering

        model = SpectralClustering(n_clusters, random_state=seed, **parameters).fit(X)
        return Fitted(model.labels_, model.predict)

    return fit


def _dask_ml(X: np.ndarray, n_clusters: int, seed: int) -> Fitted:
    import dask.array as da
    from dask_ml.cluster import SpectralClustering

    model = SpectralClustering(
        n_clusters=n_clusters, random_state=seed, gamma=None, persist_embedding=True
    )
    model.fit(da.from_array(X, chunks=(min(250_000, max(1, len(X) // 4)), X.shape[1])))
    return Fitted(np.asarray(model.assign_labels_.labels_))


def _exact(affinity: str) -> Callable[[np.ndarray, int, int], Fitted]:
    def fit(X: np.ndarray, n_clusters: int, seed: int) -> Fitted:
        from sklearn.cluster import SpectralClustering

        model = SpectralClustering(
            n_clusters, affinity=affinity, gamma=1.0 / X.shape[1], random_state=seed
        )
        return Fitted(model.fit_predict(X))

    return fit


def _nystroem(X: np.ndarray, n_clusters: int, seed: int) -> Fitted:
    from sklearn.cluster import KMeans
    from sklearn.kernel_approximation import Nystroem
    from sklearn.pipeline import make_pipeline

    features = Nystroem(gamma=1.0 / X.shape[1], n_components=100, random_state=seed)
    model = make_pipeline(features, KMeans(n_clusters, n_init=10, random_state=seed)).fit(X)
    return Fitted(model[-1].labels_, model.predict)


def _kmeans(X: np.ndarray, n_clusters: int, seed: int) -> Fitted:
    from sklearn.cluster import KMeans

    model = KMeans(n_clusters, n_init=10, random_state=seed).fit(X)
    return Fitted(model.labels_, model.predict)


def _minibatch(X: np.ndarray, n_clusters: int, seed: int) -> Fitted:
    from sklearn.cluster import MiniBatchKMeans

    model = MiniBatchKMeans(n_clusters, n_init=10, random_state=seed).fit(X)
    return Fitted(model.labels_, model.predict)


def _other_affinities() -> dict[str, Method]:
    """Our affinities that are not the default."""
    from strandline.spectral import SpectralClustering

    default = SpectralClustering().affinity
    return {
        f"strandline-{name}": Method(
            f"Strandline, {name}", _ours(affinity=name), package="strandline"
        )
        for name in ("rbf", "nearest_neighbors")
        if name != default
    }


METHODS: dict[str, Method] = {
    "strandline": Method("Strandline", _ours(), package="strandline"),  # all defaults
    **_other_affinities(),
    "dask-ml": Method("dask-ml SpectralClustering", _dask_ml, package="dask_ml"),
    "exact": Method("scikit-learn SpectralClustering, exact, rbf", _exact("rbf")),
    "exact-neighbours": Method(
        "scikit-learn SpectralClustering, exact, neighbours", _exact("nearest_neighbors")
    ),
    "nystroem": Method("Nystroem + KMeans", _nystroem),
    "kmeans": Method("KMeans", _kmeans),
    "minibatch": Method("MiniBatchKMeans", _minibatch),
}
OURS = tuple(name for name in METHODS if name.startswith("strandline"))
PEERS = tuple(name for name in METHODS if name not in OURS)
